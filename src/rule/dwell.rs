//! The dwell rule: something still stands in one place of the zone for too long.
//!
//! # Invariants
//! - Objects are matched to slots by position and class group, before and regardless of track numbers.
//! - A place that is hidden, or lies behind something that is hidden or missed itself, is not judged.
//! - When all places are lost at one moment, it is the view that has changed: nothing is judged until some seconds later.
//! - When all that stands is seen aside by the same way, it is the view that has shifted, and every place with it.
//! - What was missed just before the view turned out to be unusable was not seen empty, and a shift just before it turned
//!   out to have moved was no nudge.
//! - What was found only since the first place was lost, just before the view turned out to have moved, is elsewhere; a
//!   place that was new by then is where it was first found.
//! - What has all but come to a stand has a place, so that it is known if nothing can be seen of it from then on.
//! - One slot has at most one open case; a case clears only when its slot was seen empty for the clear time, or
//!   when another object was found in a place that was seen empty.
//! - After a clear the slot is gone, so the next object in that place is a new case.

use serde::{Deserialize, Serialize};

use super::candidates::Candidates;
use super::landmarks;
use super::scene::{Hiding, Scene, Terms, happening};
use crate::case::occupancy::{Hit, KNOWN_LATE_S};
use crate::case::{
    Case, Change, Happening, Identity, Sign, Slot, aside, common, extends, others, same_foot, shares_ground,
    shows_part,
};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};
use crate::look::View;
use crate::track::Assignment;

/// IoU from which a detection may be the object of a slot.
pub(super) const SAME_PLACE: f32 = 0.35;
/// A half-hidden object: the share of its box that must lie in the slot's anchor …
const INSIDE: f32 = 0.7;
/// … and the least share of the anchor that it must fill.
const PART: f32 = 0.2;
/// An object that shows whole where only a part of it was known: the share of the anchor in its box.
const KNOWN_PART: f32 = 0.85;
/// IoU with the anchor from which a view shows the whole object.
const WHOLE: f32 = 0.75;
/// A place without a case that nothing was found in for this long, hidden or not, may have changed hands: what
/// is found then is on trial. An open case is not put to that trial, since a camera that was nudged meanwhile
/// would give every one of them a second case.
const BLIND_TRIAL_S: f64 = 10.0;
/// How much farther from the camera …
const BESIDE_BEHIND: f32 = 0.15;
/// … and how much nearer than its place an object stands on its way out or in, in heights.
const BESIDE_IN_FRONT: f32 = 0.75;
/// What was not seen for so long, in seconds, does not say if the view has just shifted.
const GAP_S: f64 = 3.0;
/// After so many looks others no longer tell if the view has shifted: their places have followed it.
const STILL_LOOKS: f64 = 30.0;
/// IoU with a slot already found on this look from which a further detection is the same object again.
const AGAIN: f32 = 0.5;
/// A place without a case is forgotten after this much empty time, in seconds, if its clear time is longer.
const FORGET_S: f64 = 10.0;
/// … or after so many usual steps between looks: with one of four looks missing it, one object in a million is missed so
/// often, and one in a thousand for half of that.
const FORGET_LOOKS: f64 = 10.0;
/// … unless this one is found so steadily that its absence is as good as certain sooner, in natural log-odds …
const SURELY_GONE: f32 = 10.0;
/// … or after so many seconds if what stood in it was seen to drive away: what is found there then is something else.
const DEPARTED_S: f64 = 3.0;
/// What the tracker calls still was seen in its place so often at least.
const SETTLED_HITS: u32 = 3;
/// What was seen less often than this, just before the view was lost, may have been seen by a camera already turned away.
const FEW_HITS: u32 = 3;
/// Most slots of one rule; a zone with more places than that is drawn wrong.
const MOST_SLOTS: usize = 64;

/// The state of one dwell rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Dwell {
    pub(crate) slots: Vec<Slot>,
    next_serial: u64,
    /// When the view was last found to have shifted, and by how much it has since it may have begun to turn away.
    #[serde(default)]
    shifted: Option<(CaptureTime, (f32, f32))>,
    #[serde(skip)]
    scratch: Scratch,
}

/// Buffers reused from look to look.
#[derive(Clone, Debug, Default)]
struct Scratch {
    assignment: Assignment,
    candidates: Candidates,
    /// Where each slot is: what is asked of all pairs is asked of these.
    anchors: Vec<BBox>,
    /// Whether each of those that stand has found its slot.
    placed: Vec<bool>,
    /// Whether each slot was found occupied on this look.
    found: Vec<bool>,
    /// Slots that were found whole: number, box and which of its edges show.
    views: Vec<(usize, BBox, [bool; 4])>,
    /// What they say of the view.
    signs: Vec<Sign>,
}

impl Dwell {
    /// Judges one usable look.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, terms: &Terms, out: &mut Vec<Happening>) {
        self.place_standing(scene, terms, out);
        self.place_half_hidden(scene, terms);
        self.place_uncovered(scene, terms);
        self.watch_manoeuvres(scene);
        self.judge_missed(scene, terms);
        self.take_new(scene, terms);
        self.merge(scene.at, terms.longest_blind_s());
        self.open(scene.at, terms, out);
        self.clear(scene, terms, out);
    }

    /// Whether no place waits for the next look.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.slots.is_empty()
    }

    /// A look at `at` on which nothing could be judged, with such a `view`.
    pub(crate) fn blind(&mut self, at: CaptureTime, view: View) {
        let moved = view == View::Moved;
        let late = at.plus_seconds(-KNOWN_LATE_S);
        // What has been found only since then is elsewhere. If that time is not known, few sightings are not believed.
        let turned = landmarks::first_lost(&self.slots, at).filter(|_| moved);
        self.slots.retain(|slot| {
            let fleeting = slot.occupancy.hits < FEW_HITS && slot.occupancy.last_seen >= late;
            let stays = turned.map_or(!fleeting, |turned| slot.born.0 <= turned);
            slot.case.is_some() || slot.occupancy.is_blind() || stays
        });
        self.slots.iter_mut().filter(|_| moved).for_each(|slot| slot.unlearn(at));
        self.slots.iter_mut().for_each(|slot| slot.occupancy.forgive(at, moved));
        // It was no nudge: the camera was being turned away, and will be turned back.
        let turned = self.shifted.filter(|&(when, _)| moved && at.seconds_since(when) <= KNOWN_LATE_S);
        if let Some((_, (dx, dy))) = turned {
            self.slots.iter_mut().for_each(|slot| slot.shift((-dx, -dy)));
            self.shifted = None;
        }
    }

    /// Matches whole objects to slots. Where another object turns out to have taken the place of one with a
    /// case, that case clears.
    fn place_standing(&mut self, scene: &Scene<'_>, terms: &Terms, out: &mut Vec<Happening>) {
        let Scratch { assignment, candidates, anchors, placed, found, views, signs } = &mut self.scratch;
        anchors.clear();
        anchors.extend(self.slots.iter().map(|slot| slot.anchor));
        candidates.find(scene, terms, &self.slots, anchors);
        let standing = &candidates.standing;
        placed.clear();
        placed.resize(standing.len(), false);
        found.clear();
        found.resize(self.slots.len(), false);
        assignment.start(self.slots.len(), standing.len());
        for (row, anchor) in anchors.iter().enumerate() {
            for (column, &index) in standing.iter().enumerate() {
                let seen = &scene.detections[index].bbox;
                if !anchor.meets(seen) || scene.groups[index] != self.slots[row].group {
                    continue;
                }
                let overlap = anchor.iou(seen);
                // What is larger may be all of it at last, or another one: that is for the trial to say.
                let tried = self.slots[row].is_doubtful(scene.at) && is_part(anchor, seen);
                if overlap >= SAME_PLACE || tried {
                    assignment.set(row, column, overlap);
                }
            }
        }
        views.clear();
        for &(row, column) in assignment.solve() {
            let index = standing[column];
            let detection = scene.detections[index];
            let slot = &mut self.slots[row];
            doubt(slot, scene.at, track_of(scene, index));
            let lost = scene.at.seconds_since(slot.occupancy.last_seen) > gap_s(scene);
            let seen = &detection.bbox;
            if seen.iou(&slot.anchor) >= WHOLE || scene.is_settled_in_front(&slot.anchor, slot.group) {
                slot.last_whole = scene.at;
            }
            let shown = scene.shown_edges(&slot.anchor, slot.group, slot.occupancy.first_seen);
            sight(slot, scene, terms, index, true);
            slot.latest = detection;
            placed[column] = true;
            found[row] = true;
            if shown == [true; 4] {
                slot.notice(&detection.bbox, lost);
            }
            views.push((row, detection.bbox, shown));
        }
        for &index in &candidates.parts {
            let (seen, group) = (&scene.detections[index].bbox, scene.groups[index]);
            let whole = |slot: &&mut Slot| slot.group == group && shows_part(seen, &slot.anchor);
            self.slots.iter_mut().filter(whole).for_each(|slot| slot.notice_part(seen));
        }
        signs.clear();
        let recent = scene.at.plus_seconds(-gap_s(scene));
        signs.extend(self.slots.iter().filter_map(|slot| slot.sign(recent)));
        let mut elsewhere = aside(signs);
        if let Some(by) = common(signs) {
            self.slots.iter_mut().for_each(|slot| slot.shift(by));
            let lately = self.shifted.filter(|&(when, _)| scene.at.seconds_since(when) <= KNOWN_LATE_S);
            let before = lately.map_or((0.0, 0.0), |(_, before)| before);
            self.shifted = Some((scene.at, (before.0 + by.0, before.1 + by.1)));
            elsewhere = None;
            signs.clear();
        } else {
            // The view as a whole has not shifted, as far as is known; what is seen aside by itself is followed.
            for slot in &mut self.slots {
                if let Some(by) = slot.sign(recent).and_then(|sign| sign.shifted()) {
                    slot.follow(by);
                }
            }
        }
        for (row, seen, shown) in views.drain(..) {
            let slot = &mut self.slots[row];
            let lately =
                |before: &CaptureTime| scene.at.seconds_since(*before) <= STILL_LOOKS * scene.usual_step_s;
            let still = slot.suspected_since().filter(lately).and_then(|before| others(signs, before));
            if let Identity::Other(since) =
                slot.settle(&seen, shown, terms.dwell_s, elsewhere, still.as_ref())
            {
                out.extend(slot.case.iter().map(|case| happening(Change::Cleared, scene.at, case)));
                slot.hand_over(self.next_serial, scene.at, since);
                self.next_serial += 1;
            }
        }
    }

    /// Matches what shows of half-hidden objects to slots that nothing was matched to. Where nothing is seen to
    /// stand in front it must end at the same line on the ground, and says less.
    fn place_half_hidden(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { candidates: Candidates { standing, .. }, placed, found, .. } = &mut self.scratch;
        for (row, slot) in self.slots.iter_mut().enumerate() {
            if found[row] {
                continue;
            }
            // Asked for at most once, and seldom.
            let mut hides = None;
            let mut is_hidden =
                || *hides.get_or_insert_with(|| scene.hides(&slot.anchor, slot.group, slot.last_whole));
            let part = standing.iter().enumerate().position(|(column, &index)| {
                let seen = &scene.detections[index].bbox;
                !placed[column]
                    && scene.groups[index] == slot.group
                    && seen.covered_by(&slot.anchor) >= INSIDE
                    && slot.anchor.covered_by(seen) >= PART
                    && (same_foot(&slot.anchor, seen) || is_hidden())
            });
            if let Some(column) = part {
                let hidden = is_hidden();
                let index = standing[column];
                doubt(slot, scene.at, track_of(scene, index));
                sight(slot, scene, terms, index, hidden);
                placed[column] = true;
                found[row] = true;
            }
        }
    }

    /// Matches objects that now show whole to slots that knew only a part of them.
    fn place_uncovered(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { candidates: Candidates { standing, .. }, placed, found, .. } = &mut self.scratch;
        for (row, slot) in self.slots.iter_mut().enumerate() {
            if found[row] {
                continue;
            }
            let whole = standing.iter().enumerate().position(|(column, &index)| {
                let seen = &scene.detections[index].bbox;
                !placed[column] && scene.groups[index] == slot.group && is_part(&slot.anchor, seen)
            });
            if let Some(column) = whole {
                let index = standing[column];
                let detection = scene.detections[index];
                sight(slot, scene, terms, index, true);
                slot.latest = detection;
                slot.uncover(&detection.bbox);
                placed[column] = true;
                found[row] = true;
            }
        }
    }

    /// Notes for each slot that was not found if something is seen on its way out of it or into it.
    fn watch_manoeuvres(&mut self, scene: &Scene<'_>) {
        let Scratch { candidates: Candidates { standing, .. }, placed, found, .. } = &self.scratch;
        // What stands in a place of its own goes nowhere, though at a look a minute nothing is known to be still.
        let has_place =
            |index| standing.iter().position(|&known| known == index).is_some_and(|at| placed[at]);
        for (slot, &found) in self.slots.iter_mut().zip(found) {
            if found {
                continue;
            }
            if scene.leaves(slot.track(), &slot.anchor) {
                slot.depart();
            }
            for (index, detection) in scene.detections.iter().enumerate() {
                let leaves_or_comes = scene.groups[index] == slot.group
                    && is_beside(&slot.anchor, &detection.bbox)
                    && !scene.is_still(index)
                    && !has_place(index);
                if leaves_or_comes {
                    let track = scene.tracker.track_of(index);
                    slot.pass(scene.at, track.map(|track| (track.number, track.first_seen)), &detection.bbox);
                }
            }
        }
    }

    /// Counts the look against every slot that could be seen and was not found.
    fn judge_missed(&mut self, scene: &Scene<'_>, terms: &Terms) {
        // A rule that allows for absences knows of nights on which none of its objects are found: only a look on which
        // one was tells that another has gone.
        let finds = |detection: &Detection| terms.is_about(detection.label) && detection.score >= terms.score;
        let jolted = landmarks::are_all_lost(scene, &self.slots, &self.scratch.found);
        let proven = terms.absence_s.is_none() || scene.detections.iter().any(finds);
        for (slot, &found) in self.slots.iter_mut().zip(&self.scratch.found) {
            if found {
                continue;
            }
            let (at, longest_step_s) = (scene.at, scene.longest_step_s);
            match scene.hiding(slot) {
                _ if jolted => slot.occupancy.blind(),
                Hiding::All(Some(by)) => slot.occupancy.hide(at, &by),
                Hiding::All(None) => slot.occupancy.blind(),
                Hiding::Part => slot.occupancy.miss_in_part(at, longest_step_s),
                Hiding::None => {
                    slot.occupancy.miss(at, longest_step_s);
                    if !proven {
                        slot.occupancy.discount();
                    }
                }
            }
        }
    }

    /// Makes a slot for each object in the zone that has none.
    fn take_new(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { candidates: Candidates { standing, stopping, .. }, placed, found, .. } = &self.scratch;
        let free = standing.iter().zip(placed).filter(|&(_, &placed)| !placed).map(|(&index, _)| index);
        for (index, stands) in
            free.map(|index| (index, true)).chain(stopping.iter().map(|&index| (index, false)))
        {
            let detection = scene.detections[index];
            let seen = &detection.bbox;
            // What only stops may still come to stand where something else is known to.
            let known = |slot: &Slot, found: bool| {
                let inside = || {
                    seen.covered_by(&slot.anchor) >= INSIDE
                        && scene.at.seconds_since(slot.occupancy.last_seen) <= gap_s(scene)
                };
                let again = || slot.anchor.iou(seen) >= AGAIN || shares_ground(&slot.anchor, seen);
                slot.group == scene.groups[index]
                    && (inside() || (found && again()) || (!stands && slot.anchor.meets(seen)))
            };
            if detection.score < terms.score
                || !terms.holds(seen)
                || self.slots.iter().zip(found).any(|(slot, &found)| known(slot, found))
            {
                continue;
            }
            if self.slots.len() >= MOST_SLOTS && !drop_weakest(&mut self.slots) {
                continue;
            }
            // All at once, so that a look on which nothing happens asks for no memory.
            self.slots.reserve_exact(MOST_SLOTS.saturating_sub(self.slots.len()));
            let since = if stands { scene.resting_since(index) } else { scene.at };
            let mut slot = Slot::new(self.next_serial, detection, scene.groups[index], scene.at, since);
            if scene.was_moving(index) {
                slot.occupancy.note_coming();
            }
            if scene.is_still(index) {
                slot.occupancy.count_earlier(SETTLED_HITS - 1);
            }
            self.slots.push(slot);
            self.next_serial += 1;
        }
    }

    /// Two slots that have come to mean the same place become one: the one with a case, or the older. Where one of them
    /// knew only a part of the object, what is left knows the whole. What was not seen for longer than `longest_blind_s` says
    /// nothing of what stands there now.
    fn merge(&mut self, at: CaptureTime, longest_blind_s: f64) {
        let mut index = 0;
        while index < self.slots.len() {
            let newer = &self.slots[index];
            let same = self.slots[..index].iter().position(|older| {
                older.group == newer.group
                    && older.anchor.meets(&newer.anchor)
                    && (older.case.is_none() || newer.case.is_none())
                    && (is_part(&newer.anchor, &older.anchor)
                        || (newer.case.is_none() && shows_part(&newer.anchor, &older.anchor))
                        || older.anchor.iou(&newer.anchor) >= AGAIN
                        || extends(&older.anchor, &newer.anchor)
                        || (is_part(&older.anchor, &newer.anchor) && !older.is_doubtful(at)))
            });
            let Some(older) = same else {
                index += 1;
                continue;
            };
            let mut dropped = self.slots.remove(index);
            let kept = &mut self.slots[older];
            if kept.case.is_none() && dropped.case.is_some() {
                std::mem::swap(kept, &mut dropped);
            }
            let unseen_s = dropped.occupancy.last_seen.seconds_since(kept.occupancy.last_seen);
            if kept.case.is_none() && unseen_s > longest_blind_s {
                *kept = dropped;
            } else if is_part(&kept.anchor, &dropped.anchor) {
                kept.complete(dropped);
            }
        }
    }

    fn open(&mut self, at: CaptureTime, terms: &Terms, out: &mut Vec<Happening>) {
        for slot in &mut self.slots {
            let doubtful = slot.is_on_trial() || !slot.is_convincing(terms.score);
            let Slot { serial, anchor, occupancy, latest, case, .. } = slot;
            match case {
                Some(case) => {
                    case.last_seen = occupancy.last_seen;
                    case.looks = occupancy.looks;
                    case.hits = occupancy.hits;
                    case.objects.clear();
                    case.objects.push(*latest);
                }
                None if occupancy.last_seen == at
                    && occupancy.is_held(terms.dwell_s)
                    && !doubtful
                    && terms.holds(anchor) =>
                {
                    let Some(since) = terms.violated_since(occupancy.first_seen, at) else { continue };
                    let spot = terms.site.locate([*anchor]);
                    let opened = Case {
                        id: terms.case_id(occupancy.first_seen, *serial),
                        rule: terms.rule,
                        first_seen: since,
                        opened: at,
                        last_seen: at,
                        looks: occupancy.looks,
                        hits: occupancy.hits,
                        objects: vec![*latest],
                        grid: spot.grid,
                        grid_basis: spot.basis,
                        position: spot.position,
                    };
                    out.push(happening(Change::Opened, at, &opened));
                    *case = Some(opened);
                }
                None => {}
            }
        }
    }

    fn clear(&mut self, scene: &Scene<'_>, terms: &Terms, out: &mut Vec<Happening>) {
        let soon_s = terms.clear_s.min(FORGET_S);
        let forget_s = soon_s.max(FORGET_LOOKS * scene.usual_step_s);
        self.slots.retain(|slot| match &slot.case {
            Some(case) => {
                let empty = slot.occupancy.is_empty(terms.clear_s);
                if empty {
                    out.push(happening(Change::Cleared, scene.at, case));
                }
                !empty
            }
            None => {
                let forget_s = match slot.has_departed() {
                    true => DEPARTED_S.min(forget_s),
                    false if slot.occupancy.emptiness() >= SURELY_GONE => soon_s,
                    false => forget_s,
                };
                let forget_s = terms.absence_s.unwrap_or(forget_s);
                !slot.occupancy.was_fleeting() && !slot.occupancy.is_empty(forget_s)
            }
        });
    }
}

/// Whether `part` is what shows of an object that stands in `whole`.
pub(super) fn is_part(part: &BBox, whole: &BBox) -> bool {
    part.covered_by(whole) >= KNOWN_PART && same_foot(part, whole)
}

/// Whether `seen` is where an object of the size of `anchor` is shortly before it gets there or after it has left:
/// nearer to the camera by less than its height, as what passes in front is not, and less than its width aside.
fn is_beside(anchor: &BBox, seen: &BBox) -> bool {
    let (w, h) = (anchor.width(), anchor.height());
    let aside = (seen.centre().0 - anchor.centre().0).abs();
    let nearer = seen.y2 - anchor.y2;
    aside < w
        && (-BESIDE_BEHIND * h..BESIDE_IN_FRONT * h).contains(&nearer)
        && (0.5..2.0).contains(&(seen.area() / anchor.area()))
}

/// Puts what is found in `slot` at `at` on trial if it may be another object than before.
fn doubt(slot: &mut Slot, at: CaptureTime, track: Option<u64>) {
    let lost = slot.case.is_none() && slot.occupancy.was_lost(at, BLIND_TRIAL_S);
    if lost || slot.occupancy.is_doubted(at) {
        slot.suspect(at, track);
    }
}

/// What was not seen for longer than this, in seconds, was lost for a while.
fn gap_s(scene: &Scene<'_>) -> f64 {
    GAP_S.max(3.0 * scene.usual_step_s)
}

/// The number of the track of detection number `index`.
fn track_of(scene: &Scene<'_>, index: usize) -> Option<u64> {
    scene.tracker.track_of(index).map(|track| track.number)
}

/// `slot` was found occupied by detection number `index`; `surely` unless that may be of something else.
fn sight(slot: &mut Slot, scene: &Scene<'_>, terms: &Terms, index: usize, surely: bool) {
    let (at, Detection { score, bbox, .. }) = (scene.at, scene.detections[index]);
    slot.found = bbox;
    let unseen_s = at.seconds_since(slot.occupancy.last_seen);
    if slot.case.is_none() && unseen_s > terms.longest_blind_s() {
        slot.occupancy.restart(at);
        return;
    }
    slot.rate(score, track_of(scene, index));
    slot.occupancy.hit(at, if surely && score >= terms.score { Hit::Sure } else { Hit::Weak });
}

/// Makes room by dropping the least believed slot without a case. False when all have cases.
fn drop_weakest(slots: &mut Vec<Slot>) -> bool {
    let weakest = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| slot.case.is_none())
        .min_by(|(_, a), (_, b)| a.occupancy.log_odds().total_cmp(&b.occupancy.log_odds()));
    match weakest.map(|(index, _)| index) {
        Some(index) => {
            slots.remove(index);
            true
        }
        None => false,
    }
}
