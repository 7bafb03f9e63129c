//! The thread that carries pictures from the spool to the store, one at a time, and what it says of how that goes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use ring::rand::SecureRandom as _;
use sha2::{Digest as _, Sha256};
use tracing::{debug, error, info, warn};

use super::client::{Client, Trouble};
use super::spool::{Spool, Waiting};
use super::{UploadPlan, client};
use crate::case::CaseId;
use crate::error::{Error, Kind, Result};
use crate::evidence::Picture;
use crate::shutdown::Shutdown;

/// After so many refusals for what it is, a picture is set aside until the program next starts.
const MOST_REFUSALS: u32 = 8;
/// How long the thread sleeps at most before it looks whether to stop.
const NAP: Duration = Duration::from_millis(500);

/// How long it waits after trouble; jitter of up to half is taken off.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// After the first time; doubled with each further one.
    pub first: Duration,
    /// At most, while the store is away.
    pub longest: Duration,
    /// Where only a person can mend it.
    pub settings: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            settings: Duration::from_secs(60),
        }
    }
}

/// The pictures on their way to the store. Clones share it.
#[derive(Clone, Debug)]
pub struct Uploads {
    plan: UploadPlan,
    spool: Arc<Spool>,
    progress: Arc<Mutex<Progress>>,
}

#[derive(Debug, Default)]
struct Progress {
    uploaded: u64,
    set_aside: u64,
    trouble: Option<String>,
}

/// How many pictures wait for the store, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Pictures that wait.
    pub waiting: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<SystemTime>,
    /// Of these, pictures that the store refused for what they are; they are offered again at the next start.
    pub set_aside: u64,
    /// Pictures that the store has taken since the program started.
    pub uploaded: u64,
    /// Pictures that were given up since the program started, for want of room or because their time was over.
    pub lost: u64,
    /// What keeps them, while something does.
    pub trouble: Option<String>,
}

impl Uploads {
    /// Pictures for the store of `plan` that wait in `spool`.
    pub fn new(plan: UploadPlan, spool: Arc<Spool>) -> Self {
        Self { plan, spool, progress: Arc::default() }
    }

    /// Puts `picture` of `case` on its way, and returns the address at which it will be. It is on disk when this
    /// returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, case: &CaseId, picture: &Picture) -> Result<String> {
        self.spool.put(case, picture)?;
        Ok(self.plan.address(case, picture.role, &picture.sha256))
    }

    /// How many wait, and why.
    pub fn count(&self) -> Count {
        let (waiting, bytes, oldest, lost) = self.spool.count();
        let progress = self.lock();
        Count {
            waiting,
            bytes,
            oldest,
            set_aside: progress.set_aside,
            uploaded: progress.uploaded,
            lost,
            trouble: progress.trouble.clone(),
        }
    }

    /// Starts the thread that carries them. It ends when `shutdown` is requested, at the latest when the picture in
    /// hand is through or has failed; nobody need wait for it, since a picture that was cut short is sent again.
    ///
    /// # Errors
    /// When the certificates cannot be read or the thread cannot be started.
    pub fn start(&self, delays: Delays, shutdown: Shutdown) -> Result<()> {
        let client = Client::new(&self.plan)?;
        let uploads = self.clone();
        std::thread::Builder::new()
            .name("upload".to_owned())
            .spawn(move || uploads.carry(&client, delays, &shutdown))
            .map_err(|e| Error::new(Kind::System, "cannot start the upload thread").caused_by(e))?;
        Ok(())
    }

    fn carry(&self, client: &client::Client, delays: Delays, shutdown: &Shutdown) {
        let mut aside = HashSet::new();
        let mut refused: HashMap<String, u32> = HashMap::new();
        // Pictures that were refused since one was taken: the others have their turn first.
        let mut round = HashSet::new();
        let mut failures = 0;
        while !shutdown.is_requested() {
            let passed_over = &aside | &round;
            let Some(waiting) = self.spool.next(&passed_over) else {
                if round.is_empty() {
                    self.spool.wait(NAP);
                } else {
                    round.clear();
                    shutdown.wait_for(pause(delays.first, delays.longest, failures));
                    failures += 1;
                }
                continue;
            };
            match self.send(client, &waiting) {
                Ok(()) => {
                    failures = 0;
                    refused.remove(&waiting.sha256);
                    round.clear();
                }
                Err(trouble) => {
                    self.tell(&trouble);
                    let wait = match &trouble {
                        Trouble::Picture(_) => {
                            let times = refused.entry(waiting.sha256.clone()).or_default();
                            *times += 1;
                            if *times >= MOST_REFUSALS {
                                warn!(
                                    case = waiting.case.as_str(),
                                    "The store refuses a picture again and again: it is set aside."
                                );
                                aside.insert(waiting.sha256.clone());
                                self.lock().set_aside = aside.len() as u64;
                            }
                            round.insert(waiting.sha256.clone());
                            continue;
                        }
                        Trouble::Away(_, Some(asked)) => *asked,
                        Trouble::Away(_, None) => pause(delays.first, delays.longest, failures),
                        Trouble::Settings(_) => pause(delays.settings, delays.settings, 0),
                    };
                    failures += 1;
                    shutdown.wait_for(wait);
                }
            }
        }
    }

    /// Sends one picture and settles it.
    fn send(&self, client: &client::Client, waiting: &Waiting) -> std::result::Result<(), Trouble> {
        let disk = |e: Error| Trouble::Away(e, None);
        let file = match self.spool.read(waiting) {
            Ok(file) => file,
            Err(e) => {
                error!(case = waiting.case.as_str(), "A picture for the store is gone: {e}.");
                return self.spool.settle(waiting).map_err(disk);
            }
        };
        let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        if hash != waiting.sha256 {
            error!(
                case = waiting.case.as_str(),
                "A picture for the store was damaged on disk and is given up: it is not what its event says."
            );
            return self.spool.settle(waiting).map_err(disk);
        }
        let key = self.plan.key(&waiting.case, waiting.role, &waiting.sha256);
        client.put(&key, (&file, waiting.role.media()), Timestamp::now())?;
        let mut progress = self.lock();
        progress.uploaded += 1;
        if progress.trouble.take().is_some() {
            info!("The store takes pictures again.");
        }
        drop(progress);
        debug!(key, "A picture is in the store.");
        self.spool.settle(waiting).map_err(disk)
    }

    /// Says what is wrong, once.
    fn tell(&self, trouble: &Trouble) {
        let error = trouble.error();
        let text = error.to_string();
        let mut progress = self.lock();
        if progress.trouble.as_ref() == Some(&text) {
            debug!("Still: {text}.");
            return;
        }
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let help = miette::Diagnostic::help(error).map(|help| help.to_string());
        warn!(cause, help, "Pictures wait for the store: {text}.");
        progress.trouble = Some(text);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Numbers and a text: whoever died while holding the lock left nothing half-done that matters.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait after `failures` failures before this one.
fn pause(first: Duration, longest: Duration, failures: u32) -> Duration {
    let wait = first.saturating_mul(1 << failures.min(20)).min(longest);
    let mut byte = [0];
    // Without a random number all boxes of a street come back at the same moment, and nothing worse happens.
    let _ = ring::rand::SystemRandom::new().fill(&mut byte);
    wait - wait.mul_f64(f64::from(byte[0]) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_never_the_same() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(300));
        for (failures, most) in [(0, 1), (3, 8), (8, 256), (9, 300), (99, 300)] {
            let most = Duration::from_secs(most);
            let waits: Vec<Duration> = (0..20).map(|_| pause(first, longest, failures)).collect();
            assert!(waits.iter().all(|wait| (most / 2..=most).contains(wait)), "{waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
    }
}
