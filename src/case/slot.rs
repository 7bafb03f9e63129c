//! A slot: a place in a zone where something can stay, known by its position and class group and never by a
//! track.
//!
//! # Invariants
//! - The anchor is the mean of whole views of one object; a half-hidden view does not move it.
//! - When something is found in a place that was seen empty, it is on trial: its boxes are kept apart until
//!   there are enough to tell whether it is the same object or another one that took the place.

use serde::{Deserialize, Serialize};

use super::lifecycle::Case;
use super::occupancy::{KNOWN_LATE_S, Occupancy};
use super::part::{extends, grows, is_next_to, shows_part};
use super::shift::{self, Lately, Others, Sign};
use super::spread::Spread;
use super::trial::{Gap, Hurry, Trial, Verdict};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};

/// IoU of two boxes of one part.
const SAME_PART: f32 = 0.5;
/// A part is known when it was found so often for the whole.
const KNOWN_PART: u32 = 2;
/// The least mean score of its sightings with which a place opens a case, as a share of the rule's score. What is
/// half hidden on a dark street has scores about the rule's own; what is not there at all has clearly lower ones.
const CONVINCING: f32 = 0.9;
/// What has been in its place for so long, in seconds, tells if the view shifts: what has just come may still be moving.
const SETTLED_S: f64 = 10.0;
/// Something on its way out and something on its way in are at least so many seconds apart: a car is seen on either for
/// two or three.
const APART_S: f64 = 6.0;
/// What comes to stand in a place was seen beside it so many seconds before at most: a track that was lost for longer may
/// have gone over to something else.
const STOPS_S: f64 = 4.5;

/// One place and what is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// Number in order of creation, unique on its camera.
    pub(crate) serial: u64,
    /// Where the object stands, 0-1.
    pub(crate) anchor: BBox,
    /// Class group of what stands there.
    pub(crate) group: u16,
    /// When and where something was first found there.
    #[serde(default)]
    pub(crate) born: (CaptureTime, BBox),
    /// Whether it is occupied.
    pub(crate) occupancy: Occupancy,
    /// The latest sighting.
    pub(crate) latest: Detection,
    /// Where it was last found, be it in part.
    #[serde(default)]
    pub(crate) found: BBox,
    /// The last time that all of the object was seen, not only what something in front left over.
    pub(crate) last_whole: CaptureTime,
    /// The open case, once the dwell was reached.
    pub(crate) case: Option<Case>,
    /// When something was last seen on its way out of this place or into it.
    manoeuvre: Option<CaptureTime>,
    /// When something was first seen so since the last sighting.
    #[serde(default)]
    departure: Option<CaptureTime>,
    /// The track by which it was last found.
    #[serde(default)]
    track: Option<u64>,
    /// Whether that track was seen to go on to elsewhere.
    #[serde(default)]
    departed: bool,
    /// The track of something that was already seen elsewhere when this place was still occupied, and was near it after
    /// that; when that was first and last.
    #[serde(default)]
    passer: Option<(u64, CaptureTime, CaptureTime)>,
    /// The track of what was last seen on its way since the last sighting.
    #[serde(default)]
    comer: Option<(u64, CaptureTime)>,
    #[serde(default)]
    standing: Standing,
    spread: Spread,
    #[serde(default)]
    lately: Lately,
    trial: Option<Trial>,
    /// What was believed of the place before what is on trial was found.
    #[serde(default)]
    before: Option<Occupancy>,
    /// A part of it that a detector finds for all of it now and then, and how often it has.
    #[serde(default)]
    part: Option<(BBox, u32)>,
    /// When it was last followed to where it was seen aside, and how far shortly before that, all in all.
    #[serde(default)]
    followed: Option<(CaptureTime, (f32, f32))>,
}

/// The scores of the sightings after the first one, which was chosen for being high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Standing {
    sightings: u32,
    mean: f32,
}

impl Standing {
    /// The mean is over so many latest sightings: an object that gets harder to see as night falls keeps its name.
    const MEMORY: u32 = 200;

    /// The same over no more sightings than a trial has.
    const LATEST: u32 = 8;

    fn latest(self) -> Self {
        Self { sightings: self.sightings.min(Self::LATEST), ..self }
    }

    fn hear(&mut self, score: f32) {
        self.sightings = (self.sightings + 1).min(Self::MEMORY);
        self.mean += (score - self.mean) / self.sightings as f32;
    }
}

/// What a whole view says about who stands in the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The object that stood there before, or no reason to think otherwise.
    Same,
    /// Another one, there since this time.
    Other(CaptureTime),
}

impl Slot {
    /// A place where `detection` was seen at `at`, standing there since `since`.
    pub(crate) fn new(
        serial: u64,
        detection: Detection,
        group: u16,
        at: CaptureTime,
        since: CaptureTime,
    ) -> Self {
        Self {
            serial,
            anchor: detection.bbox,
            group,
            born: (at, detection.bbox),
            occupancy: Occupancy::new(at, since),
            latest: detection,
            found: detection.bbox,
            last_whole: at,
            case: None,
            manoeuvre: None,
            departure: None,
            track: None,
            departed: false,
            passer: None,
            comer: None,
            standing: Standing::default(),
            spread: Spread::new(),
            lately: Lately::default(),
            trial: None,
            before: None,
            part: None,
            followed: None,
        }
    }

    /// What was found at `seen` is a part of what stands here.
    pub(crate) fn notice_part(&mut self, seen: &BBox) {
        let known = self.part.filter(|(part, _)| part.iou(seen) >= SAME_PART);
        self.part = Some(known.map_or((*seen, 1), |(part, found)| (part, found + 1)));
    }

    /// Whether `seen` shows the part that is found for the whole now and then.
    fn is_known_part(&self, seen: &BBox) -> bool {
        self.part.is_some_and(|(part, found)| found >= KNOWN_PART && part.iou(seen) >= SAME_PART)
    }

    /// Something was found at `at` in this place after it was seen empty, or not at all, for a while: it has to
    /// stand trial. A trial that is under way for a better reason goes on.
    pub(crate) fn suspect(&mut self, at: CaptureTime, track: Option<u64>) {
        if let Some((_, first, last)) = self.passer.filter(|&(passer, ..)| Some(passer) == track) {
            // It was no passer: it came to stay.
            self.note_manoeuvre(first);
            self.note_manoeuvre(last);
        }
        let emptiness = self.occupancy.emptiness();
        let gap = Gap {
            stood_s: self.occupancy.dwell_s(),
            lasted_s: if self.case.is_some() {
                // As long as nothing could be seen, an open case stands.
                self.occupancy.seen_empty_s(at)
            } else {
                at.seconds_since(self.occupancy.last_seen)
            },
            unseen_s: at.seconds_since(self.occupancy.last_seen),
            emptiness,
            left: self.manoeuvre.is_some_and(|when| when >= self.occupancy.last_seen),
            came: self.departure.zip(self.manoeuvre).is_some_and(|(left, came)| {
                left >= self.occupancy.last_seen && came.seconds_since(left) >= APART_S
            }),
            arrived: track.filter(|_| {
                self.comer.is_some_and(|(comer, when)| {
                    Some(comer) == track && self.track != track && at.seconds_since(when) <= STOPS_S
                })
            }),
            watched: self.occupancy.was_watched(at),
            shows: self.occupancy.manoeuvre_shows(at),
            nudged: self.occupancy.lost_view(),
        };
        let trial = Trial::new(at, gap);
        if self.trial.as_ref().is_none_or(|running| running.odds() < trial.odds()) {
            self.trial = Some(trial);
            self.before = Some(self.occupancy.clone());
            self.lately = Lately::default();
        }
    }

    /// It was sighted with `score`, as a part of `track`.
    pub(crate) fn rate(&mut self, score: f32, track: Option<u64>) {
        self.standing.hear(score);
        if let Some(trial) = &mut self.trial {
            trial.follow(track);
        }
        self.track = track;
        self.departed = false;
        self.passer = None;
        self.comer = None;
    }

    /// The track by which it was last found.
    pub(crate) fn track(&self) -> Option<u64> {
        self.track
    }

    /// What stood here was seen elsewhere, on the move.
    pub(crate) fn depart(&mut self) {
        self.departed = true;
    }

    /// Whether what stood here was seen to leave.
    pub(crate) fn has_departed(&self) -> bool {
        self.departed
    }

    /// Something was seen at `at` where an object is shortly before it gets to this place or after it has left it; `track`
    /// is its number and when it was first seen.
    pub(crate) fn pass(&mut self, at: CaptureTime, track: Option<(u64, CaptureTime)>, seen: &BBox) {
        match track {
            // It was seen while this place was occupied, so it did not leave it.
            Some((number, since)) if since < self.occupancy.last_seen && Some(number) != self.track => {
                let first =
                    self.passer.filter(|&(known, ..)| known == number).map_or(at, |(_, first, _)| first);
                self.passer = Some((number, first, at));
            }
            _ => {
                self.note_manoeuvre(at);
                let comer = track.filter(|_| is_next_to(&self.anchor, seen));
                self.comer = comer.map(|(number, _)| (number, at));
            }
        }
    }

    fn note_manoeuvre(&mut self, at: CaptureTime) {
        if self.departure.is_none_or(|when| when < self.occupancy.last_seen) {
            self.departure = Some(at);
        }
        self.manoeuvre = Some(at);
    }

    /// Whether its sightings are on the whole such as an object of a rule with this `score` gives: a shadow that is
    /// taken for one passes the score now and then and stays below it as a rule.
    pub(crate) fn is_convincing(&self, score: f32) -> bool {
        self.standing.mean >= CONVINCING * score
    }

    /// All of it was seen in `seen`, with a gap before it if it was `lost`.
    pub(crate) fn notice(&mut self, seen: &BBox, lost: bool) {
        if lost {
            self.lately = Lately::default();
        }
        self.lately.hear(self.occupancy.last_seen, seen);
    }

    /// What its latest boxes say of the view; `None` for what came only a moment ago, or was last seen whole before
    /// `recent`.
    pub(crate) fn sign(&self, recent: CaptureTime) -> Option<Sign> {
        let (boxes, variance) = self.spread.known();
        let settled = self.occupancy.dwell_s() >= SETTLED_S && self.lately.last() >= recent;
        let (drift, since) = (self.spread.drift(0.0), self.occupancy.first_seen);
        settled
            .then(|| self.lately.sign(&self.anchor, boxes, variance, drift, self.trial.is_some(), since))?
    }

    /// Since when it was not known if what stands here is what stood here before: when that was last seen.
    pub(crate) fn suspected_since(&self) -> Option<CaptureTime> {
        self.trial.as_ref().map(Trial::gap_began)
    }

    /// It is seen aside by `by`, though it was never out of sight.
    pub(crate) fn follow(&mut self, by: (f32, f32)) {
        let (at, (x, y)) = (self.occupancy.last_seen, self.followed_since(self.occupancy.last_seen));
        self.followed = Some((at, (x + by.0, y + by.1)));
        self.shift(by);
        self.spread.unsettle();
    }

    /// How far it was followed so shortly before `at`.
    fn followed_since(&self, at: CaptureTime) -> (f32, f32) {
        let lately = self.followed.filter(|&(when, _)| at.seconds_since(when) <= KNOWN_LATE_S);
        lately.map_or((0.0, 0.0), |(_, by)| by)
    }

    /// The view has shifted by `by`.
    pub(crate) fn shift(&mut self, by: (f32, f32)) {
        shift::follow(&mut self.anchor, &mut self.lately, by);
        self.spread.shift();
    }

    /// Takes those edges of a view that are `shown` into the anchor, or into the trial of what stands here.
    /// `dwell_s` is how long something may stand here; others are seen so far `aside`.
    pub(crate) fn settle(
        &mut self,
        seen: &BBox,
        shown: [bool; 4],
        dwell_s: f64,
        aside: Option<(f32, f32)>,
        others: Option<&Others>,
    ) -> Identity {
        let pressing = self.case.is_none() && self.occupancy.is_held(dwell_s);
        let hurry = Hurry { pressing, dwell_s };
        let is_part = self.is_known_part(seen) && shows_part(seen, &self.anchor);
        let Some(trial) = &mut self.trial else {
            if self.spread.is_new() && grows(&self.anchor, seen) {
                self.uncover(seen);
                return Identity::Same;
            }
            if self.spread.is_astray(&self.anchor, seen, shown) {
                self.manoeuvre = Some(self.occupancy.last_seen);
            }
            self.spread.follow(self.occupancy.last_seen, &mut self.anchor, seen, shown);
            return Identity::Same;
        };
        if is_part && trial.passes_over() {
            return Identity::Same;
        }
        let means = [self.anchor, shift::moved(&self.anchor, aside.unwrap_or_default())];
        let Some(verdict) =
            trial.hear(self.occupancy.last_seen, (seen, shown), &means, &self.spread, hurry, others)
        else {
            return Identity::Same;
        };
        match verdict {
            Verdict::Same => {
                let settled = trial.settled(&self.anchor);
                self.trial = None;
                self.spread.follow(self.occupancy.last_seen, &mut self.anchor, &settled, [true; 4]);
                Identity::Same
            }
            Verdict::Other => {
                let (since, settled) = (trial.since, trial.settled(&self.anchor));
                if extends(&self.anchor, &settled) {
                    self.uncover(&settled);
                    return Identity::Same;
                }
                Identity::Other(since)
            }
        }
    }

    /// Whether it is not known yet if what stands here is what stood here before.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Whether what is found here at `at` may be another object than before.
    pub(crate) fn is_doubtful(&self, at: CaptureTime) -> bool {
        self.is_on_trial() || self.occupancy.is_doubted(at)
    }

    /// Takes `seen` as the first whole view of an object of which only a part was known.
    pub(crate) fn uncover(&mut self, seen: &BBox) {
        self.anchor = *seen;
        self.spread = Spread::new();
        self.lately = Lately::default();
        self.trial = None;
    }

    /// Looks before `at` were of a camera that was already turned away: what has become of a place that was new by then is
    /// forgotten, and so is what was found since in one that was seen empty, and where one was followed to.
    pub(crate) fn unlearn(&mut self, at: CaptureTime) {
        let (born, bbox) = self.born;
        if at.seconds_since(born) <= KNOWN_LATE_S && self.case.is_none() {
            self.uncover(&bbox);
            return;
        }
        if self.trial.as_ref().is_some_and(|trial| at.seconds_since(trial.since) <= KNOWN_LATE_S)
            && let Some(before) = self.before.take()
        {
            self.trial = None;
            self.occupancy = before;
        }
        let (dx, dy) = self.followed_since(at);
        if (dx, dy) != (0.0, 0.0) {
            self.shift((-dx, -dy));
            self.followed = None;
        }
    }

    /// Takes in `whole`, the place of the same object, of which this one knew only a part.
    pub(crate) fn complete(&mut self, whole: Self) {
        self.anchor = whole.anchor;
        self.spread = whole.spread;
        self.lately = whole.lately;
        self.standing = whole.standing;
        self.trial = None;
        self.last_whole = self.last_whole.max(whole.last_whole);
        if whole.occupancy.last_seen > self.occupancy.last_seen {
            self.latest = whole.latest;
        }
        self.occupancy.take_in(&whole.occupancy);
    }

    /// Starts the place anew for the other object that the trial has found, last seen at `at`.
    pub(crate) fn hand_over(&mut self, serial: u64, at: CaptureTime, since: CaptureTime) {
        let mut next = Self::new(serial, self.latest, self.group, at, since);
        if let Some(trial) = &self.trial {
            next.anchor = trial.settled(&self.anchor);
            // The boxes of the trial were sightings, with scores that are among the latest.
            next.standing = self.standing.latest();
            next.occupancy.count_hits(trial.boxes(), &self.occupancy);
        }
        *self = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: BBox = BBox { x1: 0.46, y1: 0.45, x2: 0.52, y2: 0.55 };

    #[test]
    fn what_was_seen_elsewhere_while_the_place_was_occupied_did_not_leave_it() {
        let at = |seconds| CaptureTime::default().plus_seconds(seconds);
        let seen = Detection { label: crate::detect::Label(0), score: 0.7, bbox: PART };
        let mut slot = Slot::new(0, seen, 0, at(10.0), at(0.0));
        slot.rate(0.7, Some(1));
        slot.pass(at(12.0), Some((2, at(5.0))), &PART);
        assert_eq!(slot.manoeuvre, None);
        for leaving in [(1, at(0.0)), (3, at(11.0))] {
            let mut slot = slot.clone();
            slot.pass(at(12.0), Some(leaving), &PART);
            assert_eq!(slot.manoeuvre, Some(at(12.0)));
        }
        // Found here by the same track: it came to stay.
        slot.suspect(at(14.0), Some(2));
        assert_eq!(slot.manoeuvre, Some(at(12.0)));
    }

    #[test]
    fn what_was_followed_before_the_camera_turned_out_to_be_turned_is_taken_back() {
        let at = |seconds| CaptureTime::default().plus_seconds(seconds);
        let seen = Detection { label: crate::detect::Label(0), score: 0.7, bbox: PART };
        for (known_s, taken_back) in [(4.0, true), (20.0, false)] {
            let mut slot = Slot::new(0, seen, 0, at(0.0), at(0.0));
            slot.occupancy.hit(at(60.0), crate::case::occupancy::Hit::Sure);
            slot.follow((0.01, 0.0));
            slot.follow((0.02, 0.0));
            assert!((slot.anchor.x1 - 0.49).abs() < 1e-6);
            slot.unlearn(at(60.0 + known_s));
            assert_eq!((slot.anchor.x1 - PART.x1).abs() < 1e-6, taken_back);
        }
    }

    #[test]
    fn what_was_last_seen_whole_a_while_ago_tells_nothing_of_the_view() {
        let at = |seconds| CaptureTime::default().plus_seconds(seconds);
        let seen = Detection { label: crate::detect::Label(0), score: 0.7, bbox: PART };
        let mut slot = Slot::new(0, seen, 0, at(0.0), at(0.0));
        for second in 1..20 {
            slot.occupancy.hit(at(f64::from(second)), crate::case::occupancy::Hit::Sure);
            slot.notice(&PART, false);
        }
        // A part is found on, beside something in front.
        slot.occupancy.hit(at(30.0), crate::case::occupancy::Hit::Sure);
        assert!(slot.sign(at(17.0)).is_some());
        assert!(slot.sign(at(27.0)).is_none());
    }

    #[test]
    fn boxes_of_a_known_part_tell_of_no_other_object() {
        let at = |seconds: u32| CaptureTime::default().plus_seconds(f64::from(seconds));
        let whole = BBox { x1: 0.40, ..PART };
        let seen = Detection { label: crate::detect::Label(0), score: 0.7, bbox: whole };
        for known in [false, true] {
            let mut slot = Slot::new(0, seen, 0, at(0), at(0));
            for n in 1..30 {
                slot.occupancy.hit(at(2 * n), crate::case::occupancy::Hit::Sure);
                assert_eq!(slot.settle(&whole, [true; 4], 600.0, None, None), Identity::Same);
            }
            if known {
                slot.notice_part(&PART);
                slot.notice_part(&PART);
            }
            (30..37).for_each(|n| slot.occupancy.miss(at(2 * n), 5.0));
            slot.suspect(at(74), None);
            let boxes = [PART, PART, PART, whole, whole, PART, whole, whole, whole];
            let other = boxes.iter().zip(37..).any(|(seen, n)| {
                slot.occupancy.hit(at(2 * n), crate::case::occupancy::Hit::Sure);
                slot.settle(seen, [true; 4], 600.0, None, None) != Identity::Same
            });
            assert_eq!(other, !known);
        }
    }

    #[test]
    fn what_has_taken_a_place_keeps_the_scores_that_it_was_found_with() {
        let at = |seconds: u32| CaptureTime::default().plus_seconds(f64::from(seconds));
        let seen = Detection { label: crate::detect::Label(0), score: 0.38, bbox: PART };
        let mut slot = Slot::new(0, seen, 0, at(0), at(0));
        (0..20).for_each(|_| slot.rate(0.38, None));
        slot.suspect(at(50), None);
        slot.hand_over(1, at(60), at(50));
        (0..2).for_each(|_| slot.rate(0.43, None));
        assert!(!slot.is_convincing(0.45), "a shadow that passes the score twice");
        (0..5).for_each(|_| slot.rate(0.7, None));
        assert!(slot.is_convincing(0.45));
    }

    /// A place that was seen empty for a while, with what came near it meanwhile.
    fn emptied(comer: BBox) -> Slot {
        let at = |seconds: u32| CaptureTime::default().plus_seconds(f64::from(seconds));
        let seen = Detection { label: crate::detect::Label(0), score: 0.7, bbox: PART };
        let mut slot = Slot::new(0, seen, 0, at(0), at(0));
        (1..30).for_each(|n| slot.occupancy.hit(at(2 * n), crate::case::occupancy::Hit::Sure));
        slot.rate(0.7, Some(1));
        (30..37).for_each(|n| slot.occupancy.miss(at(2 * n), 5.0));
        slot.pass(at(72), Some((2, at(72))), &comer);
        slot
    }

    #[test]
    fn what_was_followed_from_beside_the_place_into_it_is_likelier_another_unless_the_track_goes_elsewhere() {
        let at = |seconds: f64| CaptureTime::default().plus_seconds(seconds);
        let odds = |comer: BBox, found: f64, tracks: [u64; 2]| {
            let mut slot = emptied(comer);
            slot.suspect(at(found), Some(tracks[0]));
            for (n, track) in tracks.into_iter().enumerate() {
                slot.occupancy.hit(at(found + 2.0 * n as f64), crate::case::occupancy::Hit::Sure);
                slot.rate(0.7, Some(track));
                let _ = slot.settle(&PART, [true; 4], 600.0, None, None);
            }
            slot.trial.unwrap().odds()
        };
        let beside = shift::moved(&PART, (0.02, 0.03));
        let arrived = odds(beside, 74.0, [2, 2]);
        let known = odds(beside, 74.0, [3, 3]);
        assert!(arrived > known + 1.5, "{arrived} {known}");
        assert_eq!(odds(beside, 74.0, [2, 4]), known, "the track was only matched with what stands there");
        assert_eq!(odds(PART, 74.0, [2, 2]), known, "it was in the place already");
        assert_eq!(odds(shift::moved(&PART, (0.055, 0.0)), 74.0, [2, 2]), known, "nobody brakes so hard");
        assert_eq!(odds(beside, 78.0, [2, 2]), odds(beside, 78.0, [3, 3]), "the track was lost for long");
    }

    #[test]
    fn what_a_turned_camera_found_in_an_emptied_place_is_forgotten() {
        let at = |seconds: f64| CaptureTime::default().plus_seconds(seconds);
        let mut slot = emptied(PART);
        slot.born.0 = at(0.0);
        let before = slot.occupancy.clone();
        slot.suspect(at(74.0), Some(2));
        slot.occupancy.hit(at(74.0), crate::case::occupancy::Hit::Sure);
        slot.unlearn(at(76.0));
        assert!(!slot.is_on_trial() && slot.occupancy == before);
    }

    #[test]
    fn what_is_seen_wider_soon_after_it_came_is_as_wide_as_that_and_what_was_seen_often_is_not() {
        let at = |seconds: u32| CaptureTime::default().plus_seconds(f64::from(seconds));
        let whole = BBox { x1: 0.40, ..PART };
        let seen = Detection { label: crate::detect::Label(0), score: 0.7, bbox: PART };
        for (looks, grows) in [(1, true), (20, false)] {
            let mut slot = Slot::new(0, seen, 0, at(0), at(0));
            for n in 1..=looks {
                slot.occupancy.hit(at(n), crate::case::occupancy::Hit::Sure);
                let _ = slot.settle(&PART, [true; 4], 600.0, None, None);
            }
            let _ = slot.settle(&whole, [true; 4], 600.0, None, None);
            assert_eq!(slot.anchor == whole, grows);
        }
    }

    #[test]
    fn a_place_that_was_seen_empty_stays_doubtful_until_the_verdict() {
        let at = |seconds: f64| CaptureTime::default().plus_seconds(seconds);
        let mut slot = emptied(PART);
        assert!(slot.is_doubtful(at(74.0)));
        slot.suspect(at(74.0), Some(2));
        slot.occupancy.hit(at(74.0), crate::case::occupancy::Hit::Sure);
        assert!(slot.is_doubtful(at(76.0)), "what is larger may be another one");
    }
}
