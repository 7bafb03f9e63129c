//! For how long something was in view at one stretch: a case waits for that, since bursts of a detector's ghost are short,
//! however many there are.
//!
//! # Invariants
//! - However many short stretches there are, they never make a long one.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;

/// How long something must have been in view at one stretch before a case opens, in seconds: bursts of a detector's ghost
/// are shorter …
const IN_VIEW_S: f64 = 20.0;
/// … or this share of the dwell, for rules that wait for less …
const IN_VIEW_SHARE: f64 = 1.0 / 3.0;
/// … or this much if it was seen to come: a ghost does not drive into its place …
const IN_VIEW_CAME_S: f64 = 10.0;
/// … less the time between two sightings, since what was found from one to another was there for half of that more at
/// either end, but no more than this share of it.
const BETWEEN_SHARE: f64 = 0.1;
/// How many times the usual time between two sightings is much longer than usual.
const USUAL_FACTOR: f64 = 5.0;

/// For how long something was in view. Times are those of its first and its last sighting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// The longest stretch before the one that goes on, in seconds …
    #[serde(default, rename = "longest_stretch_s")]
    longest_before_s: f64,
    /// … and since when that one does, if not since the first sighting.
    #[serde(default, rename = "stretch_since")]
    since: Option<CaptureTime>,
    /// Sightings in that one.
    #[serde(default, rename = "stretch_hits")]
    hits: u32,
    /// Whether it was seen to come.
    #[serde(default)]
    came: bool,
}

impl Stretch {
    /// Of something seen once.
    pub(super) fn new() -> Self {
        Self { longest_before_s: 0.0, since: None, hits: 1, came: false }
    }

    /// It was seen to come.
    pub(super) fn note_coming(&mut self) {
        self.came = true;
    }

    /// It was sighted.
    pub(super) fn hit(&mut self) {
        self.hits += 1;
    }

    /// It was lost after `last` and is sighted at `at`. What could not be seen for a while has not ended for that: its stretch
    /// `goes_on` where it stopped.
    pub(super) fn bridge(&mut self, first: CaptureTime, last: CaptureTime, at: CaptureTime, goes_on: bool) {
        self.longest_before_s = self.longest_s(first, last);
        let before_s = if goes_on { self.length_s(first, last) } else { 0.0 };
        self.since = Some(at.plus_seconds(-before_s));
        self.hits = if goes_on { self.hits } else { 0 };
    }

    /// Sightings in the stretch that goes on.
    pub(super) fn hits(&self) -> u32 {
        self.hits
    }

    /// Whether `unseen_s` is much longer than the usual time between two sightings.
    pub(super) fn is_unusual(&self, first: CaptureTime, last: CaptureTime, unseen_s: f64) -> bool {
        let usual_s = self.length_s(first, last) / f64::from(self.hits.max(1));
        self.hits >= 3 && unseen_s > USUAL_FACTOR * usual_s
    }

    /// Its longest stretch, in seconds.
    fn longest_s(&self, first: CaptureTime, last: CaptureTime) -> f64 {
        self.length_s(first, last).max(self.longest_before_s)
    }

    /// The length of the stretch that goes on, in seconds.
    fn length_s(&self, first: CaptureTime, last: CaptureTime) -> f64 {
        last.seconds_since(self.since.unwrap_or(first))
    }

    /// Whether it was in view for long enough at one stretch for a case after `dwell_s`.
    pub(super) fn is_enough(&self, first: CaptureTime, last: CaptureTime, dwell_s: f64) -> bool {
        let least_s = if self.came { IN_VIEW_CAME_S } else { IN_VIEW_S };
        let least_s = least_s.min(IN_VIEW_SHARE * dwell_s);
        let step_s = self.length_s(first, last) / f64::from(self.hits.max(2) - 1);
        self.longest_s(first, last) >= least_s - step_s.min(BETWEEN_SHARE * least_s)
    }

    /// It is told apart, after `first` and with `hits` sightings until then, from what has had `other`.
    pub(super) fn go_on_from(&mut self, other: &Self, first: CaptureTime, hits: u32) {
        self.since = other.since.filter(|&since| since > first);
        self.hits = if self.since.is_some() { other.hits } else { hits };
    }

    /// This or `other`'s, whichever of the two was seen `later`, with what either knows.
    pub(super) fn joined(
        &self,
        (first, last): (CaptureTime, CaptureTime),
        other: &Self,
        (other_first, other_last): (CaptureTime, CaptureTime),
    ) -> Self {
        let (later, later_first) = if other_last > last { (other, other_first) } else { (self, first) };
        Self {
            longest_before_s: self.longest_s(first, last).max(other.longest_s(other_first, other_last)),
            since: Some(later.since.unwrap_or(later_first)),
            hits: later.hits,
            came: self.came || other.came,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::default().plus_seconds(seconds)
    }

    #[test]
    fn however_many_short_stretches_there_are_they_never_make_a_long_one() {
        let mut stretch = Stretch::new();
        let mut last = at(0.0);
        for n in 1..=50 {
            let began = at(100.0 * f64::from(n));
            stretch.bridge(at(0.0), last, began, false);
            (0..70).for_each(|_| stretch.hit());
            last = began.plus_seconds(14.0);
            assert!(!stretch.is_enough(at(0.0), last, 60.0), "after {n}");
        }
        // The same for what is seen to come is enough.
        stretch.note_coming();
        assert!(stretch.is_enough(at(0.0), last, 60.0));
    }

    #[test]
    fn what_is_seen_each_two_seconds_was_there_a_second_before_and_after() {
        let seen = |seconds: f64, step_s: f64| {
            let mut stretch = Stretch::new();
            (0..(seconds / step_s) as u32).for_each(|_| stretch.hit());
            stretch.is_enough(at(0.0), at(seconds), 60.0)
        };
        assert!(seen(18.0, 2.0) && !seen(16.0, 2.0));
        assert!(seen(20.0, 0.2) && !seen(19.0, 0.2));
        assert!(!seen(16.0, 4.0), "however few the sightings are");
    }
}
