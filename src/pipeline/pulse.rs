//! Whether the threads that do the work still turn.
//!
//! # Invariants
//! - A thread that rests is never silent: waiting for work is no fault.
//! - A thread that works is silent since its last beat, whatever holds it: a model, a disk, a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The latest sign of life of each thread at work. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<HashMap<ThreadId, Instant>>>);

impl Pulse {
    /// This thread is at work, and has just got on with it.
    pub fn beat(&self) {
        self.lock().insert(thread::current().id(), Instant::now());
    }

    /// This thread has nothing to do.
    pub fn rest(&self) {
        self.lock().remove(&thread::current().id());
    }

    /// For how long, at `now`, the thread that got on with its work longest ago has not: zero when all rest.
    pub fn silence(&self, now: Instant) -> Duration {
        self.lock().values().map(|beat| now.saturating_duration_since(*beat)).max().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, Instant>> {
        // Entries are put in and taken out whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_rests_is_never_silent() {
        let pulse = Pulse::default();
        pulse.beat();
        pulse.rest();
        assert_eq!(pulse.silence(Instant::now() + Duration::from_secs(3600)), Duration::ZERO);
    }

    #[test]
    fn a_thread_that_works_is_silent_since_its_last_beat() {
        let pulse = Pulse::default();
        let stuck = pulse.clone();
        thread::spawn(move || stuck.beat()).join().unwrap();
        pulse.beat();
        let later = Instant::now() + Duration::from_secs(60);
        pulse.beat();
        let silence = pulse.silence(later);
        assert!(
            silence >= Duration::from_secs(60),
            "the other thread is stuck, whatever this one does: {silence:?}"
        );
    }
}
