//! Places where a reviewer has rejected a kind of case.
//!
//! # Invariants
//! - A quiet time is never longer than the bound, however often a place is rejected; it ends by itself.
//! - A confirmed verdict or a resume ends it at once.
//! - At most [`MOST`] places are kept; beyond, the one that would end first is given up, so that the box says
//!   more rather than less.

use serde::{Deserialize, Serialize};

use super::place::{Place, Subject};
use super::rate::Limits;
use crate::case::CaseId;
use crate::clock::CaptureTime;

/// Each further rejection of a place makes it quiet so many times longer.
const GROWTH: f64 = 4.0;
/// Most places that are kept.
const MOST: usize = 256;
/// IoU from which a box is at the spot that was rejected. More than for recurrence: what only overlaps a mistake
/// may be true.
const SAME_SPOT: f32 = 0.5;
/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 200;

/// One place where a kind was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Quiet {
    pub(super) place: Place,
    /// The case that was rejected last.
    pub(super) case: CaseId,
    pub(super) since: CaptureTime,
    pub(super) until: CaptureTime,
    pub(super) rejections: u32,
    pub(super) reason: String,
    /// Cases that were held back here since the first rejection.
    pub(super) held_back: u32,
}

/// All such places.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Quiets {
    places: Vec<Quiet>,
}

impl Quiets {
    /// Whether the place and kind of `subject` are quiet at `now`.
    pub(super) fn is_quiet(&self, subject: &Subject, now: CaptureTime) -> bool {
        self.active(now).any(|quiet| quiet.place.is_same(&subject.place, SAME_SPOT))
    }

    /// Counts a case of `subject` that is held back at `now`.
    pub(super) fn count(&mut self, subject: &Subject, now: CaptureTime) {
        let here = |quiet: &&mut Quiet| now < quiet.until && quiet.place.is_same(&subject.place, SAME_SPOT);
        for quiet in self.places.iter_mut().filter(here) {
            quiet.held_back = quiet.held_back.saturating_add(1);
        }
    }

    /// `case` at `place` was rejected at `now`. Returns when the quiet time ends.
    pub(super) fn reject(
        &mut self,
        place: &Place,
        case: &CaseId,
        reason: &str,
        now: CaptureTime,
        limits: &Limits,
    ) -> CaptureTime {
        // One that has ended is kept for as long again as the longest, so that a second rejection weighs more.
        self.places.retain(|quiet| now.seconds_since(quiet.until) < limits.longest_quiet_s);
        let before = self.places.iter().position(|quiet| quiet.place.is_same(place, SAME_SPOT));
        let before = before.map(|index| self.places.remove(index));
        let rejections = before.as_ref().map_or(0, |quiet| quiet.rejections).saturating_add(1);
        let grown = limits.quiet_s * GROWTH.powi(rejections.min(32) as i32 - 1);
        let until = now.plus_seconds(grown.min(limits.longest_quiet_s));
        if self.places.len() >= MOST {
            let first = (0..self.places.len()).min_by_key(|&index| self.places[index].until);
            first.map(|index| self.places.remove(index));
        }
        self.places.push(Quiet {
            place: place.clone(),
            case: case.clone(),
            since: now,
            until,
            rejections,
            reason: reason.chars().take(LONGEST_REASON).collect(),
            held_back: before.map_or(0, |quiet| quiet.held_back),
        });
        until
    }

    /// Ends all quiet at `place` and forgets its rejections. Returns whether any was in force at `now`.
    pub(super) fn lift(&mut self, place: &Place, now: CaptureTime) -> bool {
        let was = self.active(now).any(|quiet| quiet.place.is_same(place, SAME_SPOT));
        self.places.retain(|quiet| !quiet.place.is_same(place, SAME_SPOT));
        was
    }

    /// The places that are quiet at `now`.
    pub(super) fn active(&self, now: CaptureTime) -> impl Iterator<Item = &Quiet> {
        self.places.iter().filter(move |quiet| now < quiet.until)
    }
}
