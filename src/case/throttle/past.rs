//! The cases of the last days: what is cooling down, what comes back, what a verdict is about.

use serde::{Deserialize, Serialize};

use super::note::Recurrence;
use super::place::{Place, Subject};
use super::standing::has_grown;
use super::verdict::{Remark, Review, Verdict};
use crate::case::{Case, CaseId};
use crate::clock::CaptureTime;

/// How long a case that has cleared is remembered: as long as recurrence reaches back, and a reviewer has for a
/// verdict.
const MEMORY_S: f64 = 7.0 * 86_400.0;
/// Most cases that are remembered. On a box with more in a week, recurrence reaches back less far.
const MOST_REMEMBERED: usize = 1000;
/// IoU from which two boxes are the same spot: a van and a small car that stand in one place overlap by about
/// this much, neighbours by less.
const SAME_SPOT: f32 = 0.3;

/// How a case was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// Not at all, so far.
    HeldBack,
    /// As a case of its own.
    Published,
    /// As another camera's view of a case.
    Merged,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    case: CaseId,
    place: Place,
    opened: CaptureTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cleared: Option<CaptureTime>,
    told: Told,
    /// Objects when it was told.
    count: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(default, skip_serializing_if = "is_empty")]
    remark: Remark,
}

fn is_empty(remark: &Remark) -> bool {
    *remark == Remark::default()
}

/// The cases of the last days, in the order in which they opened.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Past {
    entries: Vec<Entry>,
}

impl Past {
    /// Remembers a case that has just opened, and forgets what is too old.
    pub(super) fn add(&mut self, subject: &Subject, case: &Case, told: Told) {
        if self.entry(&case.id).is_some() {
            return;
        }
        let now = case.opened;
        self.entries.retain(|old| old.cleared.is_none_or(|cleared| now.seconds_since(cleared) < MEMORY_S));
        if self.entries.len() >= MOST_REMEMBERED {
            let gone = |entry: &Entry| entry.cleared.is_some();
            let least = self.entries.iter().position(|entry| gone(entry) && entry.told != Told::Published);
            self.entries.remove(least.or_else(|| self.entries.iter().position(gone)).unwrap_or(0));
        }
        self.entries.push(Entry {
            case: case.id.clone(),
            place: subject.place.clone(),
            opened: now,
            cleared: None,
            told,
            count: subject.count,
            verdict: None,
            remark: Remark::default(),
        });
    }

    /// `case` was told, with `count` objects.
    pub(super) fn publish(&mut self, case: &CaseId, count: usize) {
        if let Some(entry) = self.entry_mut(case) {
            entry.told = Told::Published;
            entry.count = count;
        }
    }

    /// `case` has cleared at `at`.
    pub(super) fn clear(&mut self, case: &CaseId, at: CaptureTime) {
        if let Some(entry) = self.entry_mut(case) {
            entry.cleared = Some(at);
        }
    }

    /// What was held back as `old` is now held back as `new`.
    pub(super) fn promote(&mut self, old: &CaseId, new: &CaseId) {
        for (case, told) in [(old, Told::Merged), (new, Told::HeldBack)] {
            if let Some(entry) = self.entry_mut(case) {
                entry.told = told;
            }
        }
    }

    /// How often this has happened before a case of `subject` that opened at `opened`.
    pub(super) fn recurrence(&self, subject: &Subject, opened: CaptureTime) -> Recurrence {
        let here = |entry: &&Entry| {
            entry.place.is_same(&subject.place, SAME_SPOT)
                && entry.told != Told::Merged
                && opened.seconds_since(entry.opened) < MEMORY_S
        };
        let before = self.entries.iter().filter(here);
        let previous = before.clone().rfind(|entry| entry.told == Told::Published);
        Recurrence { count_7d: before.count() as u32 + 1, previous: previous.map(|entry| entry.case.clone()) }
    }

    /// Whether a case that was told has cleared in the place of `subject` within its cool-down. One with far
    /// more objects than that had is not the same thing flickering.
    pub(super) fn is_cooling(&self, subject: &Subject, now: CaptureTime) -> bool {
        let last = self.entries.iter().rev().find(|entry| {
            entry.told != Told::HeldBack
                && entry.cleared.is_some()
                && entry.place.is_same(&subject.place, SAME_SPOT)
        });
        last.is_some_and(|last| {
            let since = last.cleared.map_or(f64::INFINITY, |cleared| now.seconds_since(cleared));
            since < subject.cool_down_s && !has_grown(last.count, subject.count)
        })
    }

    /// The cases that were told as another camera's view.
    #[cfg(test)]
    pub(super) fn merged(&self) -> std::collections::BTreeSet<CaseId> {
        let merged = self.entries.iter().filter(|entry| entry.told == Told::Merged);
        merged.map(|entry| entry.case.clone()).collect()
    }

    /// Where `case` is and what was said of it last.
    pub(super) fn find(&self, case: &CaseId) -> Option<(&Place, Option<Verdict>)> {
        self.entry(case).map(|entry| (&entry.place, entry.verdict))
    }

    /// Notes a verdict on `case`.
    pub(super) fn judge(&mut self, case: &CaseId, verdict: Verdict) {
        if let Some(entry) = self.entry_mut(case) {
            entry.verdict = Some(verdict);
        }
    }

    /// Keeps what was added to the verdict on `case`.
    pub(super) fn remark(&mut self, case: &CaseId, remark: Remark) {
        if let Some(entry) = self.entry_mut(case) {
            entry.remark = remark;
        }
    }

    /// The verdicts.
    pub(super) fn reviews(&self) -> impl Iterator<Item = Review<'_>> {
        self.entries.iter().filter_map(|Entry { case, place, verdict, remark, .. }| {
            let (kind, camera, zone) = (&place.key.kind, &place.camera, &place.zone);
            Some(Review { case, kind, camera, zone, verdict: (*verdict)?, remark })
        })
    }

    /// Whether the latest verdict on `case` is that it is none.
    pub(super) fn is_rejected(&self, case: &CaseId) -> bool {
        self.entry(case).is_some_and(|entry| entry.verdict == Some(Verdict::Rejected))
    }

    fn entry(&self, case: &CaseId) -> Option<&Entry> {
        self.entries.iter().rfind(|entry| entry.case == *case)
    }

    fn entry_mut(&mut self, case: &CaseId) -> Option<&mut Entry> {
        self.entries.iter_mut().rfind(|entry| entry.case == *case)
    }
}
