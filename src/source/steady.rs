//! Time that goes on whatever happens to the box's clock.

use std::time::{Duration, Instant};

use tracing::warn;

use super::Link;
use crate::clock::{CaptureTime, Clock as _, SystemClock};

/// How often the wall clock is compared with the steady one.
const EVERY: Duration = Duration::from_secs(5);
/// What counts as a step, in seconds: NTP slews what is less.
const STEP_S: f64 = 2.0;

/// A wall clock that never steps: the time of its making, and the time since then.
#[derive(Debug)]
pub(super) struct Steady {
    start: CaptureTime,
    began: Instant,
    looked: Instant,
    /// The system's clock less this one, when last looked at.
    ahead_s: f64,
    /// All steps of the system's clock together.
    steps_s: f64,
}

impl Steady {
    /// The clock that says `start` now.
    pub(super) fn new(start: CaptureTime) -> Self {
        let began = Instant::now();
        Self { start, began, looked: began, ahead_s: SystemClock.now().seconds_since(start), steps_s: 0.0 }
    }

    /// The time.
    pub(super) fn now(&self) -> CaptureTime {
        self.start.plus_seconds(self.began.elapsed().as_secs_f64())
    }

    /// Compares the clocks now and then, and lets `link` know; a step of the system's clock is logged.
    pub(super) fn watch(&mut self, link: &Link) {
        if self.looked.elapsed() < EVERY {
            return;
        }
        self.looked = Instant::now();
        if let Some(step_s) = self.step() {
            warn!(
                camera = link.camera(),
                "The clock of this box was set by {step_s:.1} s; capture times of the camera go on as before."
            );
        }
        let (step_s, off_s) = (self.steps_s, SystemClock.now().seconds_since(self.now()));
        link.update(|state| (state.clock_step_s, state.clock_off_s) = (step_s, off_s));
    }

    /// By how much the system's clock was set since the last time this was asked, if it was.
    fn step(&mut self) -> Option<f64> {
        let ahead_s = SystemClock.now().seconds_since(self.now());
        let step_s = ahead_s - self.ahead_s;
        if step_s.abs() < STEP_S {
            return None;
        }
        self.ahead_s = ahead_s;
        self.steps_s += step_s;
        Some(step_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_behind_at_the_start_is_known_to_be_off() {
        let hour = SystemClock.now().plus_seconds(3600.0);
        let (mut steady, link) = (Steady::new(hour), Link::new("gate", hour));
        steady.watch(&link);
        assert_eq!(link.state().clock_off_s, 0.0, "it is looked at now and then only");
        steady.looked -= EVERY;
        steady.watch(&link);
        let state = link.state();
        assert!((state.clock_off_s + 3600.0).abs() < 1.0, "{}", state.clock_off_s);
        assert_eq!(state.clock_step_s, 0.0, "nobody has set the clock since");
    }
}
