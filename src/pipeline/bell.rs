//! How capture threads wake the workers.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A bell that any number of workers hear. A ring between two waits is not missed: it is counted.
#[derive(Debug, Default)]
pub struct Bell {
    rings: Mutex<u64>,
    wake: Condvar,
}

impl Bell {
    /// Wakes everybody who waits.
    pub fn ring(&self) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        *rings = rings.wrapping_add(1);
        self.wake.notify_all();
    }

    /// Rings so far. Ask before looking for work, and give it to [`Bell::wait`] if there was none.
    pub fn heard(&self) -> u64 {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the bell has rung after it had rung `heard` times, or `at_most` is over.
    pub fn wait(&self, heard: u64, at_most: Duration) {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.wake.wait_timeout_while(rings, at_most, |rings| *rings == heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_ring_before_the_wait_is_heard() {
        let bell = Bell::default();
        let heard = bell.heard();
        bell.ring();
        let began = Instant::now();
        bell.wait(heard, Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30), "it waited although the bell had rung");
    }
}
