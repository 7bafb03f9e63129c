//! What the program says about itself: log lines on standard error, and errors as a person reads them.

use std::io::{IsTerminal as _, Write as _};

use miette::{GraphicalReportHandler, GraphicalTheme};
use tracing_subscriber::EnvFilter;

use crate::error::Error;

/// Environment variable with a log filter, such as `gridpatrol=debug`.
const FILTER: &str = "GRIDPATROL_LOG";

/// Starts logging to standard error: warnings and our own information by default, more with `verbose`.
pub fn start(verbose: bool) {
    // The demo's broker calls every closed connection an error. What retina warns of, the camera's state says.
    let level =
        if verbose { "info,gridpatrol=debug" } else { "warn,gridpatrol=info,retina=error,rumqttd=off" };
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    // A second start is harmless: the first logger stays.
    drop(started);
}

/// Prints `error` to standard error: what is wrong, the place in the file, the cause, what to do.
pub fn print_error(error: &Error) {
    let theme = if std::io::stderr().is_terminal() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let mut text = String::new();
    let rendered = GraphicalReportHandler::new_themed(theme).with_width(110).render_report(&mut text, error);
    let shown = if rendered.is_ok() { text } else { format!("error: {error}\n") };
    // With standard error closed there is nobody left to tell.
    let _ = std::io::stderr().lock().write_all(shown.as_bytes());
}
