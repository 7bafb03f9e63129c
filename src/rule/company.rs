//! Company: whether something else is near an object, look by look, and whether that is the rule.
//!
//! # Invariants
//! - Company is a matter of many looks: one look with it or without it decides nothing.
//! - Something that the detector misses for a moment is still near: tracks are asked, not detections.

use serde::{Deserialize, Serialize};

use super::scene::{Scene, Terms};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Label};
use crate::plan::CompanyPlan;
use crate::track::{Motion, Track};

/// Width over height of a picture. Boxes are in shares of both, and distances are wanted in one unit; a camera of
/// another shape is judged a third too wide or too narrow at most, which "near" can bear.
pub(super) const ASPECT: f32 = 16.0 / 9.0;
/// Share of the looks from which there is company: a vendor turns away, a person behind an umbrella is missed.
const COMPANY: f32 = 1.0 / 3.0;
/// Company is the share over about the dwell, in seconds, but over no less and no more than this.
const MEMORY_S: (f64, f64) = (10.0, 600.0);
/// Share of the time from which what is near keeps company, if it stays …
const KEEPS: f64 = 1.0 / 3.0;
/// … for this share of the dwell: who walks past a dog takes 20 s for it, and half a minute where it trots along the same
/// way, of the 60 s that are usual for a dog …
const STAYS: f64 = 2.0 / 3.0;
/// … or from which it does however often it comes and goes. Three who walk past in a row take it to half.
const OFTEN: f64 = 0.6;
/// A stretch longer than this in which an object was not seen says nothing of its company, in seconds.
const UNSEEN_S: f64 = 10.0;
/// What comes after nothing was seen for this share of the dwell is another one, with company of its own.
const ANOTHER: f64 = 0.5;
/// Who kept it company has left it when it was seen alone for so long, in seconds: a dog on a walk may run ahead.
const LEAVES_S: f64 = 10.0;
/// Looks on which something must have been seen to keep company by standing there.
const KNOWN_HITS: u32 = 2;

/// Something that must be near, or must not be, in the numbers that a look has.
#[derive(Clone, Debug)]
pub(crate) struct Company {
    names: Vec<String>,
    /// `labels[n]` says whether it is about label number `n`.
    labels: Vec<bool>,
    near: f32,
    wanted: bool,
}

impl Company {
    pub(crate) fn new(plan: &CompanyPlan) -> Self {
        let CompanyPlan { labels, near, wanted } = plan;
        Self { names: labels.clone(), labels: Vec::new(), near: *near, wanted: *wanted }
    }

    /// Takes in the label names known by now, in the order of their numbers.
    pub(crate) fn follow(&mut self, names: &[String]) {
        self.labels = names.iter().map(|name| self.names.contains(name)).collect();
    }

    fn is_about(&self, label: Label) -> bool {
        self.labels.get(usize::from(label.0)).copied().unwrap_or(false)
    }

    /// Whether such a thing is near `bbox`.
    fn is_near(&self, scene: &Scene<'_>, bbox: &BBox, counts: impl Fn(&Track) -> bool) -> bool {
        let mut tracks = scene.tracker.tracks().iter();
        tracks.any(|track| {
            self.is_about(track.label) && counts(track) && are_near(bbox, &track.bbox(), self.near)
        })
    }
}

impl Terms {
    /// Whether an object in `bbox`, which may move, has what must be near it on this look.
    pub(super) fn has_wanted(&self, scene: &Scene<'_>, bbox: &BBox) -> bool {
        self.company.iter().all(|company| !company.wanted || company.is_near(scene, bbox, |_| true))
    }

    /// Whether an object in `bbox`, which may move, has something near it on this look that must not be.
    pub(super) fn has_unwanted(&self, scene: &Scene<'_>, bbox: &BBox) -> bool {
        self.company.iter().any(|company| !company.wanted && company.is_near(scene, bbox, |_| true))
    }

    /// Whether there is something that must not be near.
    pub(super) fn forbids_company(&self) -> bool {
        self.company.iter().any(|company| !company.wanted)
    }

    /// Whether an object in `bbox`, which may move, is in the company that the rule asks for on this look.
    pub(crate) fn is_in_company(&self, scene: &Scene<'_>, bbox: &BBox) -> bool {
        self.company.iter().all(|company| company.is_near(scene, bbox, |_| true) == company.wanted)
    }
}

/// How much company one still object has had.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// For each company of the rule: looks with it, faded. In the same order.
    with: Vec<f32>,
    /// All looks, faded in the same way.
    looks: f32,
    last: Option<CaptureTime>,
}

impl Kept {
    /// Takes a look at an object that stands in `bbox`. Who only walks past keeps it no company, but does keep it
    /// from being alone.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, terms: &Terms, bbox: &BBox) {
        let (least_s, most_s) = MEMORY_S;
        let since_s = self.last.map_or(0.0, |last| scene.at.seconds_since(last).max(0.0));
        let fade = (-since_s / terms.dwell_s.clamp(least_s, most_s)).exp() as f32;
        self.last = Some(scene.at);
        self.looks = self.looks * fade + 1.0;
        self.with.resize(terms.company.len(), 0.0);
        for (with, company) in self.with.iter_mut().zip(&terms.company) {
            let stays = |track: &Track| track.hits >= KNOWN_HITS && track.motion != Motion::Moving;
            let near = company.is_near(scene, bbox, |track| !company.wanted || stays(track));
            *with = *with * fade + f32::from(u8::from(near));
        }
    }
}

/// Whether objects that stand together are in the company that the rule asks for: one of them for what is wanted,
/// all of them for what is not.
pub(crate) fn is_kept<'a>(terms: &Terms, objects: impl Iterator<Item = &'a Kept> + Clone) -> bool {
    terms.company.iter().enumerate().all(|(index, company)| {
        let has = |kept: &Kept| kept.with.get(index).is_some_and(|with| *with >= COMPANY * kept.looks);
        objects.clone().any(has) == company.wanted
    })
}

/// Whether two boxes are no further apart than `near` heights of the taller one: in the gap between their sides,
/// and in the lines on the ground that they stand on.
pub(crate) fn are_near(a: &BBox, b: &BBox, near: f32) -> bool {
    let reach = near * a.height().max(b.height());
    let gap = (a.x1.max(b.x1) - a.x2.min(b.x2)).max(0.0);
    gap * ASPECT <= reach && (a.y2 - b.y2).abs() <= reach
}

/// For how much of the time what moves about in a zone had company that it must not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Led {
    /// 0 to 1, faded over about the dwell.
    share: f64,
    last: Option<CaptureTime>,
    /// Since when it is alone, if it is.
    pub(super) alone_since: Option<CaptureTime>,
    /// Since when, and until when, it has had company that did not leave it.
    #[serde(default)]
    with: Option<(CaptureTime, CaptureTime)>,
    #[serde(default)]
    kept: bool,
}

impl Led {
    /// It was seen at `at`, `accompanied` or alone.
    pub(super) fn look(&mut self, at: CaptureTime, terms: &Terms, accompanied: bool) {
        let (least_s, most_s) = MEMORY_S;
        let memory_s = terms.dwell_s.clamp(least_s, most_s);
        let since_s = self.last.map_or(0.0, |last| at.seconds_since(last).max(0.0));
        if since_s > ANOTHER * memory_s {
            *self = Self::default();
        }
        let fade = (-since_s / memory_s).exp();
        let now = if accompanied && since_s <= UNSEEN_S { 1.0 } else { 0.0 };
        self.share = self.share * fade + (1.0 - fade) * now;
        self.last = Some(at);
        if accompanied {
            self.with = Some((self.with.map_or(at, |(since, _)| since), at));
            self.alone_since = None;
        } else if self.alone_since.is_none() || since_s > UNSEEN_S {
            self.alone_since = Some(at);
        }
        // While it was not seen itself, nobody was seen to leave it.
        if self.alone_since.is_some_and(|since| at.seconds_since(since) >= LEAVES_S) {
            self.with = None;
        }
        let stays = self.with.is_some_and(|(since, until)| until.seconds_since(since) >= STAYS * memory_s);
        self.kept = self.share >= OFTEN || (stays && self.share >= KEEPS);
    }

    /// Whether it is in company, and not only passed by.
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_measured_in_heights_of_the_taller_box() {
        let dog = BBox { x1: 0.50, y1: 0.55, x2: 0.54, y2: 0.60 };
        let person = |x: f32, foot: f32| BBox { x1: x, y1: foot - 0.16, x2: x + 0.04, y2: foot };
        assert!(are_near(&dog, &person(0.60, 0.61), 1.0), "0.06 of the width is 0.107 of the height");
        assert!(!are_near(&dog, &person(0.64, 0.61), 1.0));
        assert!(are_near(&person(0.64, 0.61), &dog, 2.0), "whichever comes first");
        assert!(!are_near(&dog, &person(0.50, 0.95), 2.0), "stands far in front");
    }
}
