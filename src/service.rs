//! What the program tells the system's service manager (systemd): that it is ready, reloads, stops, and that it is
//! alive, as long as its workers are.
//!
//! Started by hand there is no service manager, and nothing is said.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::{debug, error, info};

use crate::pipeline::Pulse;

/// A worker that has not got on for so long hangs: the slowest model on the smallest box takes seconds for a look, and
/// a disk that is full or slow does not count.
const HANGS: Duration = Duration::from_secs(60);

/// What the service manager is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// All is started; what it does, in a few words.
    Ready(String),
    /// The configuration is read again.
    Reloading,
    /// The program ends.
    Stopping,
}

/// Tells the service manager, if there is one.
pub fn say(word: &Word) {
    let told = match word {
        Word::Ready(status) => sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]),
        Word::Reloading => match NotifyState::monotonic_usec_now() {
            Ok(now) => sd_notify::notify(&[NotifyState::Reloading, now]),
            Err(e) => Err(e),
        },
        Word::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
    };
    if let Err(e) = told {
        debug!("The service manager cannot be told {word:?}: {e}.");
    }
}

/// Shows the service manager's watchdog that the program is alive, for as long as the caller's runtime runs; returns at
/// once if there is no watchdog. It falls silent, so that the program is restarted, when a thread of `pulse` hangs.
pub async fn keep_alive(pulse: Pulse) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    // systemd's own advice (sd_watchdog_enabled(3)): at half the time.
    let every = (patience / 2).max(Duration::from_millis(10));
    info!("The service manager restarts the program when it hangs for {} s.", patience.as_secs_f32());
    let mut hung = false;
    loop {
        let silence = pulse.silence(Instant::now());
        if silence < HANGS {
            if let Err(e) = sd_notify::notify(&[NotifyState::Watchdog]) {
                debug!("The service manager's watchdog cannot be reached: {e}.");
            }
        } else if !hung {
            error!(
                "A worker has hung for {} s; the service manager is left to restart the program.",
                silence.as_secs()
            );
        }
        hung = silence >= HANGS;
        tokio::time::sleep(every).await;
    }
}
