//! What the program says about itself: log lines on standard error, and errors as a person reads them.

use std::io::{IsTerminal as _, Write as _};

use miette::{GraphicalReportHandler, GraphicalTheme};
use tracing_subscriber::EnvFilter;

use crate::error::Error;

/// Environment variable with a log filter, such as `gridpatrol=debug`.
const FILTER: &str = "GRIDPATROL_LOG";

/// The library for HTTP logs all that it sends when it is asked for all, tokens and passwords included.
const TALKATIVE: &str = "ureq";
const BUT_NEVER: &str = "ureq=info,ureq_proto=info";

/// The filter `wanted`, less what would show secrets; `None` when it is not a filter.
fn filter(wanted: &str) -> Option<EnvFilter> {
    let harmless = wanted.split(',').filter(|one| !one.trim_start().starts_with(TALKATIVE));
    let all: Vec<&str> = harmless.chain([BUT_NEVER]).collect();
    EnvFilter::try_new(all.join(",")).ok()
}

/// Starts logging to standard error: warnings and our own information by default, more with `verbose`.
pub fn start(verbose: bool) {
    // The demo's broker calls every closed connection an error. What retina warns of, the camera's state says.
    let level =
        if verbose { "info,gridpatrol=debug" } else { "warn,gridpatrol=info,retina=error,rumqttd=off" };
    let wanted = std::env::var(FILTER).ok().and_then(|wanted| filter(&wanted));
    let filter = wanted.or_else(|| filter(level)).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_secrets_is_never_logged_whatever_is_asked_for() {
        for wanted in ["trace", "ureq=trace", "info, ureq::run=trace", "ureq_proto[x]=trace,warn"] {
            let filter = filter(wanted).unwrap().to_string();
            assert!(filter.contains("ureq=info") && filter.contains("ureq_proto=info"), "{filter}");
            assert!(
                !filter.contains("ureq=trace") && !filter.contains("::run") && !filter.contains("[x]"),
                "{filter}"
            );
        }
        assert!(filter("gridpatrol=nonsense").is_none());
    }
}
