//! How long to wait before a camera is tried again.

use std::time::Duration;

/// The first waits after a failure, and the longest. A camera that comes back is to be seen within seconds, and an
/// attempt is one packet to a camera that is off.
const USUAL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));
/// The same after a refused login: cameras lock an account after some wrong passwords, also for its owner.
const REFUSED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// A connection that held this long was a good one: the next attempt is made at once.
const GOOD: Duration = Duration::from_secs(5);

/// Why an attempt failed, as far as the wait is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The login was refused.
    Refused,
    /// Anything else.
    Other,
}

/// Counts failures.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    refused: bool,
}

impl Retry {
    /// A connection that gave pictures for `held` has ended.
    pub(super) fn ended(&mut self, held: Duration) {
        self.refused = false;
        self.failures = if held >= GOOD { 0 } else { self.failures.saturating_add(1) };
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self, why: Failure) {
        let refused = why == Failure::Refused;
        self.failures = if refused == self.refused { self.failures.saturating_add(1) } else { 1 };
        self.refused = refused;
    }

    /// The wait before the next attempt: doubled from failure to failure up to the longest, less up to half of it
    /// by `chance` (0 to 1), so that the cameras of a street are not all called at once after a power cut.
    pub(super) fn wait(&self, chance: f64) -> Duration {
        if self.failures == 0 {
            return Duration::ZERO;
        }
        let (first, longest) = if self.refused { REFUSED } else { USUAL };
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(16));
        doubled.min(longest).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempt_after_a_good_connection_is_made_at_once() {
        let mut retry = Retry::default();
        assert_eq!(retry.wait(0.0), Duration::ZERO);
        retry.failed(Failure::Other);
        retry.ended(Duration::from_secs(60));
        assert_eq!(retry.wait(0.0), Duration::ZERO);
    }

    #[test]
    fn waits_grow_to_three_seconds_and_stay_there_for_ever() {
        let mut retry = Retry::default();
        let mut waits = Vec::new();
        for _ in 0..100 {
            retry.failed(Failure::Other);
            waits.push(retry.wait(0.0));
        }
        assert!(waits.is_sorted() && waits[0] == USUAL.0 && waits[99] == Duration::from_secs(3));
        assert!(retry.wait(1.0) >= Duration::from_millis(1500), "chance takes off half at most");
    }

    #[test]
    fn a_camera_that_drops_each_connection_is_not_asked_without_a_pause() {
        let mut retry = Retry::default();
        retry.ended(Duration::from_millis(200));
        assert!(retry.wait(1.0) > Duration::from_millis(100));
    }

    #[test]
    fn a_refused_login_is_repeated_slowly() {
        let mut retry = Retry::default();
        retry.failed(Failure::Other);
        retry.failed(Failure::Refused);
        assert!(retry.wait(1.0) >= Duration::from_secs(15));
        retry.failed(Failure::Other);
        assert!(retry.wait(0.0) <= Duration::from_secs(3), "another fault is no reason to go on slowly");
    }
}
