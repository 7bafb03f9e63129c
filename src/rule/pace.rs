//! How far apart a camera's looks usually are: a camera that is looked at once a minute has lost nothing between two
//! looks, one that is looked at five times a second has lost a minute.
//!
//! # Invariants
//! - A single gap, however long, hardly changes what is usual.

use serde::{Deserialize, Serialize};

use crate::case::LONGEST_STEP_S;

/// How many times the usual stretch between two looks still is one between two looks and no gap.
const USUAL_FACTOR: f64 = 2.0;
/// The same where looks are a fraction of a second apart, …
const FAST_FACTOR: f64 = 5.0;
/// … and no less than this, in seconds: a busy box drops a few looks.
const LEAST_S: f64 = 1.0;
/// Looks further apart than this are no watch, in seconds: the usual stretch is never taken for longer.
const MOST_USUAL_S: f64 = 600.0;

/// What is usual for one camera.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pace {
    usual_s: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { usual_s: LONGEST_STEP_S / USUAL_FACTOR }
    }
}

impl Pace {
    /// Takes in that two looks were `step_s` apart. Each moves what is usual by a fourth of the way, as a ratio, and
    /// never by more than a fourth of the way to twice or half of it.
    pub(crate) fn look(&mut self, step_s: f64) {
        let ratio = (step_s / self.usual_s).clamp(0.5, 2.0);
        self.usual_s = (self.usual_s * ratio.sqrt().sqrt()).min(MOST_USUAL_S);
    }

    /// What is usual, in seconds.
    pub(crate) fn usual_s(self) -> f64 {
        self.usual_s
    }

    /// The longest stretch between two looks in which what was seen before and after it also was between them, in
    /// seconds.
    pub(crate) fn longest_step_s(self) -> f64 {
        let least_s = (FAST_FACTOR * self.usual_s).clamp(LEAST_S, LONGEST_STEP_S);
        (USUAL_FACTOR * self.usual_s).max(least_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_a_minute_apart_become_usual_and_a_single_gap_does_not() {
        let mut pace = Pace::default();
        (0..300).for_each(|_| pace.look(2.0));
        assert_eq!(pace.longest_step_s(), LONGEST_STEP_S);
        pace.look(3600.0);
        assert_eq!(pace.longest_step_s(), LONGEST_STEP_S);
        (0..60).for_each(|_| pace.look(60.0));
        assert!((110.0..130.0).contains(&pace.longest_step_s()), "{pace:?}");
        pace.look(7200.0);
        assert!(pace.longest_step_s() < 150.0, "{pace:?}");
    }

    #[test]
    fn seconds_without_a_look_are_a_gap_where_there_are_five_a_second() {
        let mut pace = Pace::default();
        (0..300).for_each(|_| pace.look(0.2));
        assert!((1.0..1.1).contains(&pace.longest_step_s()), "{pace:?}");
        // Where nothing moves looks become few, and that soon is usual.
        (0..10).for_each(|_| pace.look(2.0));
        assert!(pace.longest_step_s() > 2.0, "{pace:?}");
    }
}
