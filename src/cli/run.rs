//! `gridpatrol run`: watch the cameras and publish their cases, until told to stop.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::info;

use crate::clock::SystemClock;
use crate::config::ConfigFile;
use crate::daemon::{Daemon, Options};
use crate::error::{Error, Kind, Result};
use crate::plan::Plan;
use crate::shutdown::Shutdown;

/// Watch the cameras of a configuration and publish their cases.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  gridpatrol run --config edge.toml

SIGTERM and Ctrl-C stop it: what the broker takes within ten seconds is delivered, the rest waits on disk.")]
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
    let mut plan = Plan::new(&ConfigFile::read(&args.config)?)?;
    let detectors = super::detectors(&mut plan)?;
    let shutdown = Shutdown::default();
    let signals = stop_on_signals(&shutdown)?;
    info!(
        cameras = plan.cameras.len(),
        broker = format!("{}:{}", plan.broker.host, plan.broker.port),
        "Watching."
    );
    let daemon = Daemon::start(plan, detectors, Arc::new(SystemClock), Options::default(), shutdown.clone())?;
    // Recorded inputs may be at their end; a daemon stays up all the same, for what waits in the outbox.
    signals.block_on(shutdown.requested());
    info!("Stopping.");
    daemon.stop()
}

/// Requests a stop on SIGTERM or Ctrl-C. The signals are heard as long as the runtime that is returned lives.
///
/// # Errors
/// When signals cannot be listened to.
pub(crate) fn stop_on_signals(shutdown: &Shutdown) -> Result<tokio::runtime::Runtime> {
    use tokio::signal::unix::{SignalKind, signal};
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
