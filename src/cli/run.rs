//! `gridpatrol run`: watch the cameras and publish their cases, until told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::clock::SystemClock;
use crate::config::ConfigFile;
use crate::daemon::{Daemon, Options};
use crate::error::{Error, Kind, Result};
use crate::plan::Plan;
use crate::service::{self, Word};
use crate::shutdown::Shutdown;

/// Watch the cameras of a configuration and publish their cases.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  gridpatrol run --config edge.toml

SIGTERM and Ctrl-C stop it: what the broker takes within ten seconds is delivered, the rest waits on disk.
SIGHUP reads the configuration again: cameras that are new, changed or gone are, the others are not touched.")]
pub struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the configuration or the model is at fault, or a case could not be stored.
pub fn run(args: &Args) -> Result<()> {
    let mut plan = read(&args.config)?;
    let detectors = super::detectors(&mut plan)?;
    let shutdown = Shutdown::default();
    let signals = stop_on_signals(&shutdown)?;
    let mut hangup = {
        let _inside = signals.enter();
        signal(SignalKind::hangup())
            .map_err(|e| Error::new(Kind::System, "cannot listen to signals").caused_by(e))?
    };
    info!(
        cameras = plan.cameras.len(),
        broker = format!("{}:{}", plan.broker.host, plan.broker.port),
        "Watching."
    );
    let about = format!("{} cameras", plan.cameras.len());
    let options = Options { stays: true, ..Options::default() };
    let daemon = Daemon::start(plan, detectors, Arc::new(SystemClock), options, shutdown.clone())?;
    let config = args.config.clone();
    daemon.reloads_from(Box::new(move || read(&config)));
    service::say(&Word::Ready(about));
    // Recorded inputs may be at their end; a daemon stays up all the same, for what waits in the outbox.
    while signals.block_on(is_hangup(&mut hangup, &shutdown)) {
        service::say(&Word::Reloading);
        let status = match daemon.reload() {
            Ok(changes) => changes.to_string(),
            Err(e) => {
                error!("The configuration was read again, and is not taken: {}", super::in_one_line(&e));
                "the configuration is at fault; the one before holds".to_owned()
            }
        };
        service::say(&Word::Ready(status));
    }
    info!("Stopping.");
    service::say(&Word::Stopping);
    daemon.stop()
}

/// The plan of the configuration at `path`, with a warning of what the law asks for and it does not say.
fn read(path: &Path) -> Result<Plan> {
    let plan = Plan::new(&ConfigFile::read(path)?)?;
    if let Some(warning) = plan.unsigned() {
        warn!("{warning}.");
    }
    Ok(plan)
}

/// Waits for SIGHUP; `false` when stopping is asked for.
async fn is_hangup(hangup: &mut Signal, shutdown: &Shutdown) -> bool {
    tokio::select! {
        () = shutdown.requested() => false,
        heard = hangup.recv() => heard.is_some(),
    }
}

/// Requests a stop on SIGTERM or Ctrl-C. The signals are heard as long as the runtime that is returned lives.
///
/// # Errors
/// When signals cannot be listened to.
pub(crate) fn stop_on_signals(shutdown: &Shutdown) -> Result<tokio::runtime::Runtime> {
    let fault = |e| Error::new(Kind::System, "cannot listen to signals").caused_by(e);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("signals")
        .enable_all()
        .build()
        .map_err(fault)?;
    let _inside = runtime.enter();
    let mut term = signal(SignalKind::terminate()).map_err(fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
    let shutdown = shutdown.clone();
    runtime.spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.request();
    });
    drop(_inside);
    Ok(runtime)
}
