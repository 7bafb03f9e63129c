//! Time that goes on whatever happens to the box's clock.

use std::time::{Duration, Instant};

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

    /// By how much the system's clock was set since the last time this was asked, if it was.
    pub(super) fn step(&mut self) -> Option<f64> {
        if self.looked.elapsed() < EVERY {
            return None;
        }
        self.looked = Instant::now();
        let ahead_s = SystemClock.now().seconds_since(self.now());
        let step_s = ahead_s - self.ahead_s;
        if step_s.abs() < STEP_S {
            return None;
        }
        self.ahead_s = ahead_s;
        self.steps_s += step_s;
        Some(step_s)
    }

    /// All steps of the system's clock together, in seconds.
    pub(super) fn steps_s(&self) -> f64 {
        self.steps_s
    }
}
