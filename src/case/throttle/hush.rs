//! Rules that a person has made quiet for a time: works in front of a gate, a market day.
//!
//! # Invariants
//! - It ends by itself, after a day at most, and at once when it is resumed.
//! - At most [`MOST`] rules are quiet; a further one is refused, not taken for another.

use serde::{Deserialize, Serialize};

use super::place::Subject;
use crate::clock::CaptureTime;

/// Most rules that are quiet at a time.
pub(super) const MOST: usize = 64;
/// Longest that a rule is quiet, in seconds.
const LONGEST_S: f64 = 86_400.0;

/// A rule that is quiet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HushedRule {
    /// Its camera.
    pub camera: String,
    /// Its zone.
    pub zone: String,
    /// Its kind.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: CaptureTime,
    /// Until when.
    pub until: CaptureTime,
}

impl HushedRule {
    fn is(&self, camera: &str, zone: &str, kind: &str) -> bool {
        self.camera == camera && self.zone == zone && self.kind == kind
    }
}

/// All such rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hushed {
    rules: Vec<HushedRule>,
}

impl Hushed {
    /// Whether the rule of `subject` is quiet at `now`.
    pub(super) fn is_quiet(&self, subject: &Subject, now: CaptureTime) -> bool {
        let place = &subject.place;
        self.active(now).any(|rule| rule.is(&place.camera, &place.zone, &place.key.kind))
    }

    /// Makes `rule` quiet, in the place of an earlier order for it. Returns until when; `None` when too many are.
    pub(super) fn add(&mut self, mut rule: HushedRule) -> Option<CaptureTime> {
        let now = rule.since;
        self.rules.retain(|known| now < known.until && !known.is(&rule.camera, &rule.zone, &rule.kind));
        if self.rules.len() >= MOST {
            return None;
        }
        rule.until = rule.until.min(now.plus_seconds(LONGEST_S));
        let until = rule.until;
        self.rules.push(rule);
        Some(until)
    }

    /// Ends the quiet time of a rule. Returns whether there was one at `now`.
    pub(super) fn lift(&mut self, (camera, zone, kind): (&str, &str, &str), now: CaptureTime) -> bool {
        let was = self.active(now).any(|rule| rule.is(camera, zone, kind));
        self.rules.retain(|rule| !rule.is(camera, zone, kind));
        was
    }

    /// The rules that are quiet at `now`.
    pub(super) fn active(&self, now: CaptureTime) -> impl Iterator<Item = &HushedRule> {
        self.rules.iter().filter(move |rule| now < rule.until)
    }
}
