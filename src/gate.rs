//! Which frames are worth a look: so many a second of capture time, and of those, while nothing waits to be judged,
//! the ones on which something goes on.

mod motion;

pub use motion::{GatePlan, MotionGate};

use crate::clock::CaptureTime;

/// Decides which frames are looked at.
#[derive(Clone, Debug)]
pub struct Gate {
    interval_s: f64,
    next: Option<CaptureTime>,
}

impl Gate {
    /// A gate that lets a frame through each `interval_s` seconds of capture time.
    pub fn new(interval_s: f64) -> Self {
        Self { interval_s, next: None }
    }

    /// Goes on after a look at `last`.
    pub fn resume_after(&mut self, last: CaptureTime) {
        self.next = Some(last.plus_seconds(self.interval_s));
    }

    /// What [`Gate::admit`] would say, without taking the look.
    pub fn would_admit(&self, at: CaptureTime) -> bool {
        self.clone().admit(at)
    }

    /// Whether the frame captured at `at` is to be looked at. The pattern is kept when frames come a little
    /// late, and started anew after a gap.
    pub fn admit(&mut self, at: CaptureTime) -> bool {
        // A frame up to a tenth of the interval early is taken: its time stamp was rounded.
        let early_s = self.interval_s / 10.0;
        match self.next {
            Some(next) if at.seconds_since(next) < -early_s => false,
            Some(next) if at.seconds_since(next) < self.interval_s => {
                self.next = Some(next.plus_seconds(self.interval_s));
                true
            }
            _ => {
                self.next = Some(at.plus_seconds(self.interval_s));
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks_of(fps: f64, seconds: f64, interval_s: f64) -> usize {
        let mut gate = Gate::new(interval_s);
        let frames = (fps * seconds) as u32;
        (0..frames).filter(|&n| gate.admit(CaptureTime::default().plus_seconds(f64::from(n) / fps))).count()
    }

    #[test]
    fn the_wanted_rate_comes_out_of_any_frame_rate() {
        assert_eq!(looks_of(10.0, 60.0, 0.2), 300);
        assert_eq!(looks_of(25.0, 60.0, 0.2), 300);
        assert_eq!(looks_of(29.97, 60.0, 0.2), 300);
        assert_eq!(looks_of(2.0, 60.0, 0.2), 120, "a slow camera is looked at on every frame");
    }

    #[test]
    fn a_gap_is_not_made_up_for() {
        let mut gate = Gate::new(0.2);
        assert!(gate.admit(CaptureTime::default()));
        let late = CaptureTime::default().plus_seconds(60.0);
        assert!(gate.admit(late));
        assert!(!gate.admit(late.plus_seconds(0.1)));
    }
}
