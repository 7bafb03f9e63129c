//! What hid a place, and what was believed of the place by then: something that is found again where it stood before was
//! there in between, though a detector missed it.
//!
//! # Invariants
//! - Looks between two on which the same thing hid the place change no belief.
//! - What was believed before the view turned out to be unusable is not believed again.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;
use crate::detect::BBox;

/// What hides a place again within this time, in seconds …
const AGAIN_S: f64 = 30.0;
/// … and overlaps with what hid it before by this (IoU), never left.
const SAME: f32 = 0.7;

/// What misses have made of the belief about a place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Belief {
    /// In natural log-odds.
    pub(super) log_odds: f32,
    /// The run of empty looks.
    pub(super) misses: u32,
    /// Of these, those that say nothing of another object.
    pub(super) unproven: u32,
    /// For how long it was seen empty, in seconds.
    pub(super) empty_s: f64,
}

/// A look on which something hid a place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Hidden {
    at: CaptureTime,
    /// Where it was, 0-1.
    by: BBox,
    pub(super) belief: Belief,
}

impl Hidden {
    /// Something at `by` hid a place at `at`, of which this was believed.
    pub(super) fn new(at: CaptureTime, by: BBox, belief: Belief) -> Self {
        Self { at, by, belief }
    }

    /// Whether what hides the place at `at`, where it is `by`, is what hid it then.
    pub(super) fn was_by(&self, at: CaptureTime, by: &BBox) -> bool {
        at.seconds_since(self.at) <= AGAIN_S && self.by.iou(by) >= SAME
    }
}

#[cfg(test)]
mod tests {
    use super::super::occupancy::{Hit, Occupancy};
    use super::*;

    const BUS: BBox = BBox { x1: 0.2, y1: 0.4, x2: 0.5, y2: 0.7 };

    fn at(seconds: u32) -> CaptureTime {
        CaptureTime::default().plus_seconds(f64::from(seconds))
    }

    /// What is believed of a place that a bus at `then` hides after it was missed for ten seconds behind one at [`BUS`].
    fn believed(then: BBox, after_s: u32) -> (f32, f32) {
        let mut place = Occupancy::new(at(0), at(0));
        (1..30).for_each(|second| place.hit(at(second * 2), Hit::Sure));
        place.hide(at(60), &BUS);
        let before = place.log_odds();
        (1..5).for_each(|n| place.miss(at(60 + n * 2), 5.0));
        place.hide(at(60 + after_s), &then);
        (before, place.log_odds())
    }

    #[test]
    fn looks_between_two_on_which_the_same_thing_hid_the_place_change_no_belief() {
        let (before, now) = believed(BUS, 10);
        assert_eq!(before, now);
        let (before, now) = believed(BBox { x1: 0.3, x2: 0.6, ..BUS }, 10);
        assert!(now < before - 3.0, "another bus, elsewhere");
        let (before, now) = believed(BUS, 60);
        assert!(now < before - 3.0, "too long ago");
    }

    #[test]
    fn what_was_believed_before_the_view_turned_out_to_be_unusable_is_not_believed_again() {
        let mut place = Occupancy::new(at(0), at(0));
        (1..30).for_each(|n| place.hit(at(n * 2), Hit::Sure));
        (30..34).for_each(|n| place.miss(at(n * 2), 5.0));
        place.hide(at(68), &BUS);
        assert!(place.emptiness() > 3.0);
        place.forgive(at(66), true);
        place.hide(at(70), &BUS);
        assert_eq!(place.emptiness(), 0.0);
    }
}
