//! What a rule gets to see of a look, and the terms that it judges by.

use super::company::Company;
use super::size::SizeLimits;
use crate::case::{Case, CaseId, Change, Happening, RuleIndex, Slot};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection, Label};
use crate::place::{Polygon, Site};
use crate::track::{Motion, Track, Tracker};

/// Share of a place that must be covered for it to count as hidden.
const HIDDEN: f32 = 0.25;
/// The same for something that already stood there while the object was still seen whole: it evidently hides
/// less than it seems to.
const HIDDEN_BY_NEIGHBOUR: f32 = 0.6;
/// The same for something that already stood there while a part of the object was found.
const HIDDEN_IN_PART: f32 = 0.45;
/// What covers at least this share more of a place that its neighbours leave free in part may leave too little of it.
const ADDS: f32 = 0.1;
/// The share of what was found that something in front covers, from which it was found through that: no detector sees
/// through a bus, so either the bus hides nothing or there was nothing to find.
const SEEN_THROUGH: f32 = 0.7;
/// A neighbour is one that rested for so many seconds before the object was last seen whole.
const NEIGHBOUR_S: f64 = 3.0;
/// How much higher in the picture than a place something may stand and still be in front of it, in heights of
/// the place: ground contact is only known to about a sixth of a box.
const IN_FRONT: f32 = 0.15;
/// Longest time for which an object may have been in its place before the tracker says that it is still, in
/// seconds.
const SETTLING_S: f64 = 3.0;
/// What goes slower than this, in box sizes a second, has all but stopped: a walking pace past a car is 0.3. In the noise of
/// a detector it takes a car that stops about 0.8 s to get below this.
const STOPPING: f32 = 0.15;
/// Something that is not known to stand still and was missed for longer than this, in seconds, and on more than one
/// look has passed on. It may still be cutting edges off.
const PASSED_S: f64 = 1.0;
/// Where looks are this far apart, in seconds, what stood still has gone as well if it would seldom be missed as often …
const SLOW_STEP_S: f64 = 0.5;
/// … by chance: once in 50 times. At more looks a second the tracker gives it up soon enough.
const GONE: f32 = 0.02;
/// Something that has stood still for so long is part of the view, in seconds: longer than a bus waits.
const FIXTURE_S: f64 = 300.0;
/// Width of the strip along an edge that tells if the edge shows, as a share of the box …
const EDGE: f32 = 0.15;
/// … and the share of that strip from which it does not.
const CUT: f32 = 0.3;
/// How near to the lower end of a box something else must begin to cut it off there, in usual heights of its object.
const CUT_BELOW: f32 = 0.15;
/// The share of its usual height from which an object shows down to the ground.
const CUT_SHORT: f32 = 0.8;
/// IoU from which a box is taken to be the object of a place itself.
const SAME: f32 = 0.4;
/// Share of a place from which a box counts as covering all of it …
const ALL: f32 = 0.85;
/// … and how far apart the lower edges of the two may then be, in heights of the higher one, to be of one object: a place
/// that was seen once or twice has an uncertain one.
const OWN_FOOT: f32 = 0.3;

/// Detections down to this share of a rule's score say that something known is still there; they never make
/// something new.
pub(crate) const WEAK: f32 = 0.5;

/// How much of a place something nearer to the camera hides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hiding {
    /// Too little to miss what stands there.
    None,
    /// So much that it may be missed.
    Part,
    /// All that a detector needs to find it, by what is here if that is not on the move.
    All(Option<BBox>),
}

/// One usable look, with tracks and class groups.
pub(crate) struct Scene<'a> {
    pub(crate) at: CaptureTime,
    pub(crate) detections: &'a [Detection],
    /// Class group of each detection.
    pub(crate) groups: &'a [u16],
    pub(crate) tracker: &'a Tracker,
    /// Where each of its tracks is on this look.
    pub(crate) covers: &'a [BBox],
    /// How far apart looks usually are, in seconds.
    pub(crate) usual_step_s: f64,
    /// The longest stretch before this look that was no gap, in seconds.
    pub(crate) longest_step_s: f64,
}

impl Scene<'_> {
    /// Whether detection number `index` belongs to something on the move.
    pub(crate) fn is_moving(&self, index: usize) -> bool {
        self.tracker.track_of(index).is_some_and(|track| track.motion == Motion::Moving)
    }

    /// Whether detection number `index` lies behind something nearer to the camera that leaves next to nothing of it to be
    /// seen: then it is of something else, a shadow or a reflection. What has stood in front for long evidently hides
    /// nothing.
    pub(crate) fn is_seen_through(&self, index: usize) -> bool {
        self.lies_behind(index, |track| track.last_seen == self.at || track.motion == Motion::Still)
    }

    /// The same where what is in front is found on this very look, and has not just driven off unseen.
    pub(crate) fn is_surely_seen_through(&self, index: usize) -> bool {
        self.lies_behind(index, |track| track.last_seen == self.at)
    }

    fn lies_behind(&self, index: usize, may_hide: impl Fn(&Track) -> bool) -> bool {
        let seen = &self.detections[index].bbox;
        self.covers.iter().zip(self.tracker.tracks()).any(|(cover, track)| {
            // Most lie elsewhere, and this is asked of each detection on each look: the cheap questions come first.
            cover.y2 > seen.y2
                && cover.meets(seen)
                && may_hide(track)
                && seen.covered_by(cover) >= SEEN_THROUGH
                && !self.is_fixture(track)
                && !is_own(track, cover, seen, self.groups[index])
        })
    }

    /// Whether detection number `index` belongs to something that is known to stand still.
    pub(crate) fn is_still(&self, index: usize) -> bool {
        self.tracker.track_of(index).is_some_and(|track| track.motion == Motion::Still)
    }

    /// Whether detection number `index` belongs to something that was on the move and has all but stopped.
    pub(crate) fn is_stopping(&self, index: usize) -> bool {
        self.is_moving(index) && self.tracker.track_of(index).is_some_and(|track| track.speed() < STOPPING)
    }

    /// Whether the object of detection number `index` was seen to come to where it is.
    pub(crate) fn was_moving(&self, index: usize) -> bool {
        self.tracker.track_of(index).is_some_and(Track::was_moving)
    }

    /// Since when the object of detection number `index` has been where it is. Goes back no further than what
    /// the tracker takes to tell still from moving: a track that rested for long and now pulls out has not
    /// been in its new place for long.
    pub(crate) fn resting_since(&self, index: usize) -> CaptureTime {
        let since = self.tracker.track_of(index).map_or(self.at, |track| track.resting_since);
        since.max(self.at.plus_seconds(-SETTLING_S))
    }

    /// Where the track called `number` is believed to be, if it is alive and was missed on this look.
    pub(crate) fn coasts(&self, number: Option<u64>) -> Option<BBox> {
        let track = self.tracker.tracks().iter().find(|track| Some(track.number) == number)?;
        (track.last_seen < self.at).then(|| track.bbox())
    }

    /// Whether the track called `number` is seen to move on this look, out of `place`.
    pub(crate) fn leaves(&self, number: Option<u64>, place: &BBox) -> bool {
        let track = self.tracker.tracks().iter().find(|track| Some(track.number) == number);
        track.is_some_and(|track| {
            track.motion == Motion::Moving
                && track.last_seen == self.at
                && !place.meets(&track.cover(self.at))
        })
    }

    /// Whether the place `anchor` of class group `group`, whose object was last seen whole at `last_whole`, is
    /// hidden on this look by something nearer to the camera. Tracks that were missed on this look hide too: without that, a
    /// bus that the detector loses for one look would make everything behind it look gone.
    pub(crate) fn hides(&self, anchor: &BBox, group: u16, last_whole: CaptureTime) -> bool {
        self.is_hidden(anchor, group, last_whole, |_| true)
    }

    /// How much of the place of `slot` is hidden on this look.
    pub(crate) fn hiding(&self, slot: &Slot) -> Hiding {
        let Slot { anchor, occupancy, .. } = slot;
        let mut hiding = Hiding::None;
        let (mut hidden, mut newly) = (0.0, 0.0);
        for (track, cover) in self.in_front(anchor, slot.group) {
            let covered = anchor.covered_by(&cover);
            // What was never found but through something is not hidden by that.
            if covered == 0.0
                || self.has_passed(track)
                || (was_beside(track, occupancy.first_seen) && slot.found.covered_by(&cover) >= SEEN_THROUGH)
            {
                continue;
            }
            // What was found beside its neighbour, if only in part, is not hidden by it.
            if !was_beside(track, occupancy.last_seen) {
                if covered >= HIDDEN {
                    return Hiding::All((track.motion != Motion::Moving).then_some(cover));
                }
                newly += covered;
            }
            let least = if was_beside(track, slot.last_whole) { HIDDEN_BY_NEIGHBOUR } else { HIDDEN };
            if covered >= least {
                hiding = Hiding::Part;
            }
            // Two that cover a part each leave less than one does.
            hidden += covered;
        }
        let by_both = newly >= ADDS && hidden >= HIDDEN_BY_NEIGHBOUR;
        if by_both || (hiding == Hiding::Part && hidden >= HIDDEN_IN_PART) {
            Hiding::All(None)
        } else {
            hiding
        }
    }

    /// The same, hidden by something of another class group. In a crowd whoever stands where another was is as likely
    /// to be that other one, moved on: taking him for one who hides him would count one person twice.
    pub(super) fn hides_behind_other_kind(&self, anchor: &BBox, group: u16, last_whole: CaptureTime) -> bool {
        self.is_hidden(anchor, group, last_whole, |track| track.group != group)
    }

    fn is_hidden(
        &self,
        anchor: &BBox,
        group: u16,
        last_whole: CaptureTime,
        may_hide: impl Fn(&Track) -> bool,
    ) -> bool {
        self.in_front(anchor, group).any(|(track, cover)| {
            if self.has_passed(track) || !may_hide(track) {
                return false;
            }
            let least = if was_beside(track, last_whole) { HIDDEN_BY_NEIGHBOUR } else { HIDDEN };
            anchor.covered_by(&cover) >= least
        })
    }

    /// Which edges of the object at `anchor` can be seen on this look (x1, y1, x2, y2): those that nothing nearer
    /// to the camera cuts off. What has stood in front since before `since`, when the object was first seen, is part of how
    /// it usually looks.
    pub(crate) fn shown_edges(&self, anchor: &BBox, group: u16, since: CaptureTime) -> [bool; 4] {
        let (w, h) = (EDGE * anchor.width(), EDGE * anchor.height());
        let strips = [
            BBox { x2: anchor.x1 + w, ..*anchor },
            BBox { y2: anchor.y1 + h, ..*anchor },
            BBox { x1: anchor.x2 - w, ..*anchor },
            BBox { y1: anchor.y2 - h, ..*anchor },
        ];
        let mut shown = [true; 4];
        for (track, cover) in self.in_front(anchor, group) {
            if self.is_fixture(track) && track.resting_since <= since {
                continue;
            }
            for (shown, strip) in shown.iter_mut().zip(&strips) {
                *shown &= strip.covered_by(&cover) < CUT;
            }
        }
        shown
    }

    /// Whether the lower end of detection number `index` is where something nearer to the camera begins: where its
    /// object stands was not seen, only that it stands further down.
    pub(super) fn is_cut_below(&self, index: usize) -> bool {
        let seen = &self.detections[index].bbox;
        let (x, foot) = seen.foot();
        let own = self.tracker.track_of(index);
        let Some(usual) = own.and_then(Track::usual_height) else { return false };
        if seen.height() > CUT_SHORT * usual {
            return false;
        }
        self.tracker.tracks().iter().any(|track| {
            let cover = track.bbox();
            let begins_there = (cover.y1 - foot).abs() <= CUT_BELOW * usual;
            begins_there && cover.x1 < x && x < cover.x2 && Some(track.number) != own.map(|own| own.number)
        })
    }

    /// Whether all that hides the place `anchor` has stood there for so long that it is part of the view.
    pub(crate) fn is_settled_in_front(&self, anchor: &BBox, group: u16) -> bool {
        let mut hiding = self.in_front(anchor, group).filter(|(_, cover)| anchor.covered_by(cover) >= HIDDEN);
        hiding.all(|(track, _)| self.is_fixture(track))
    }

    fn has_passed(&self, track: &Track) -> bool {
        let gone = match track.motion {
            Motion::Still => self.usual_step_s >= SLOW_STEP_S && track.miss_chance() < GONE,
            Motion::Moving | Motion::Unknown => true,
        };
        gone && track.missed > 1 && self.at.seconds_since(track.last_seen) > PASSED_S
    }

    fn is_fixture(&self, track: &Track) -> bool {
        track.motion == Motion::Still && self.at.seconds_since(track.resting_since) >= FIXTURE_S
    }

    /// Tracks that stand or pass in front of the place `anchor`, nearer to the camera, with where they are. Not the
    /// place's own object.
    fn in_front(&self, anchor: &BBox, group: u16) -> impl Iterator<Item = (&Track, BBox)> {
        let anchor = *anchor;
        self.covers.iter().zip(self.tracker.tracks()).filter_map(move |(&cover, track)| {
            // Most lie elsewhere, and this is asked of each place on each look: the cheap questions come first.
            let in_front = cover.meets(&anchor) && cover.y2 >= anchor.y2 - IN_FRONT * anchor.height();
            (in_front && !is_own(track, &cover, &anchor, group)).then_some((track, cover))
        })
    }
}

/// Whether `track`, which covers `cover`, is of the object at `anchor` itself, be it seen whole where only a part of it made
/// the anchor, or in part.
fn is_own(track: &Track, cover: &BBox, anchor: &BBox, group: u16) -> bool {
    track.group == group
        && track.motion != Motion::Moving
        && (cover.iou(anchor) >= SAME
            || (anchor.covered_by(cover).max(cover.covered_by(anchor)) >= ALL
                && (cover.y2 - anchor.y2).abs() <= OWN_FOOT * anchor.height().max(cover.height())))
}

fn was_beside(track: &Track, last_whole: CaptureTime) -> bool {
    track.motion == Motion::Still && last_whole.seconds_since(track.resting_since) >= NEIGHBOUR_S
}

/// What a case is opened on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighted {
    /// When it was first seen, in force or not, and what tells it from others first seen on the same look: the id
    /// follows from both.
    pub(crate) began: CaptureTime,
    pub(crate) serial: u64,
    /// Since when it is a violation.
    pub(crate) since: CaptureTime,
    pub(crate) looks: u32,
    pub(crate) hits: u32,
}

/// What a rule judges by: its plan, in the numbers that a look has.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) rule: RuleIndex,
    pub(crate) polygon: Polygon,
    /// How its cases get their grid and position.
    pub(crate) site: Site,
    /// How large its objects are.
    pub(crate) size: SizeLimits,
    /// `labels[n]` says whether the rule is about label number `n`.
    pub(crate) labels: Vec<bool>,
    pub(crate) score: f32,
    pub(crate) dwell_s: f64,
    pub(crate) clear_s: f64,
    /// Seconds for which an object without a case may be seen missing, where the plan says.
    pub(crate) absence_s: Option<f64>,
    /// What must be near, or must not be.
    pub(crate) company: Vec<Company>,
    /// Since when the rule has been in force at the look in hand; `None` when it is not.
    pub(crate) in_force_since: Option<CaptureTime>,
    /// What makes the ids of this rule's cases its own: box, camera, zone and kind.
    pub(crate) name: String,
}

impl Terms {
    /// Whether the rule is about `label`.
    pub(crate) fn is_about(&self, label: Label) -> bool {
        self.labels.get(usize::from(label.0)).copied().unwrap_or(false)
    }

    /// Whether something in `bbox` stands in the zone and has the size that the rule is about.
    pub(crate) fn holds(&self, bbox: &BBox) -> bool {
        self.polygon.contains(bbox.foot()) && self.size.allow(bbox, self.site.ground())
    }

    /// Longest time for which an object may be out of sight before it is taken for another one, in seconds:
    /// five minutes, or a quarter of the dwell for rules that wait for days.
    pub(crate) fn longest_blind_s(&self) -> f64 {
        (self.dwell_s / 4.0).max(300.0).max(self.absence_s.unwrap_or(0.0))
    }

    /// From when on something that has been there since `first_seen` is a violation: no sooner than the rule came
    /// into force. `None` when that is not yet a violation at `at`, for want of dwell or of a rule in force.
    pub(crate) fn violated_since(&self, first_seen: CaptureTime, at: CaptureTime) -> Option<CaptureTime> {
        let since = first_seen.max(self.in_force_since?);
        (at.seconds_since(since) >= self.dwell_s).then_some(since)
    }

    /// The case that opens at `at` on what was `sighted`.
    pub(crate) fn opened(&self, at: CaptureTime, sighted: Sighted, objects: Vec<Detection>) -> Case {
        let spot = self.site.locate(objects.iter().map(|object| object.bbox));
        Case {
            id: self.case_id(sighted.began, sighted.serial),
            rule: self.rule,
            first_seen: sighted.since,
            opened: at,
            last_seen: at,
            looks: sighted.looks,
            hits: sighted.hits,
            objects,
            grid: spot.grid,
            grid_basis: spot.basis,
            position: spot.position,
        }
    }

    /// The id of the case of a place first seen occupied at `first_seen`; `serial` tells places apart that
    /// were first seen on the same look.
    pub(crate) fn case_id(&self, first_seen: CaptureTime, serial: u64) -> CaseId {
        CaseId::derive(&[self.name.as_bytes(), &first_seen.nanos().to_be_bytes(), &serial.to_be_bytes()])
    }
}

/// `case` changed in the way `change` at `at`.
pub(crate) fn happening(change: Change, at: CaptureTime, case: &Case) -> Happening {
    Happening { change, at, case: case.clone() }
}
