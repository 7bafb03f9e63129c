//! Tracks: detections of one object joined over looks, to tell what moves from what stays and to bridge
//! missed detections.
//!
//! Association follows ByteTrack (Zhang et al., ECCV 2022): sure detections are matched first, then weak ones
//! to what is left, so that a briefly faint object keeps its track. Boxes are compared by IoU after both are
//! grown by a margin (C-BIoU, Yang et al., WACV 2023), which holds on to fast objects at a few looks a second, and what
//! lies off the way that a track was on counts for less, by its distance in deviations (as in DeepSORT, Wojke et al.,
//! ICIP 2017).
//!
//! A track is short-lived and per process. It is never an identity: a case belongs to a place, and track
//! numbers change nothing in what the rules decide.

mod assign;
mod kalman;

use serde::{Deserialize, Serialize};

pub use self::assign::Assignment;
use self::kalman::Axis;
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection, Label};

/// Score from which a detection may start a track; weaker ones only continue one.
const SURE: f32 = 0.40;
/// How far boxes are grown on each side before they are compared, in box sizes.
const MARGIN: f32 = 0.25;
/// Least IoU of grown boxes for a match.
const LEAST_OVERLAP: f32 = 0.15;
/// Least IoU of the boxes themselves for a match to a track that stands still: it is where it was. Without this a
/// bus that stops in front of a parked car takes over its track, and is then believed to have always been there.
const LEAST_AT_REST: f32 = 0.3;
/// How unexpected a place may be, in squared deviations of what the track predicts, to be its object's at all …
const MOST_SURPRISE: f32 = 36.0;
/// … and the one at which a match is worth half of what the overlap alone says: of two people who pass each other, each
/// overlaps where the other one is expected, but walks on a line of his own.
const HALVING_SURPRISE: f32 = 9.0;
/// The velocity of something missed fades with this time constant, in seconds: people and cars go on behind what hides
/// them, for longer than the second or two that it takes to pass.
const GOES_ON_S: f32 = 5.0;
/// A track that was not seen for so long is given up, in seconds, if it also missed [`LOST_LOOKS`] looks.
const LOST_S: f64 = 2.0;
/// The same for a track that stands still: what stands behind a passing bus is still there.
const LOST_STILL_S: f64 = 4.0;
/// Looks that a track must have missed before it is given up …
const LOST_LOOKS: u32 = 3;
/// … unless there was no look at all for so long, in seconds.
const LOST_GAP_S: f64 = 10.0;
/// Moving: the centre left its resting point by this many box sizes.
const MOVED: f32 = 0.5;
/// Still: the centre stayed this near to its resting point, in box sizes …
const RESTED: f32 = 0.3;
/// … for so many seconds.
const RESTED_S: f64 = 1.5;
/// The resting point drifts to where the centre is with this time constant, in seconds. A centre that goes at a
/// steady speed is thus this many seconds of way from its resting point: 0.25 sizes a second is moving.
const DRIFT_S: f32 = 2.0;
/// What is left of the usual height from one sighting to the next: something that goes away gets smaller by degrees.
const USUAL: f32 = 0.98;
/// Sightings from which the usual height is known.
const KNOWN_HITS: u32 = 3;
/// How often something is found is that of about its last 20 sightings: night falls within minutes.
const FOUND_MEMORY: f32 = 0.95;
/// Most tracks alive at once; more detections than that are not a street.
const MOST_TRACKS: usize = 256;

/// Whether a track moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Motion {
    /// Too new to tell.
    Unknown,
    /// It moves.
    Moving,
    /// It has stayed in one place.
    Still,
}

/// One object over the last few seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Number, unique in this process; for people to read, never for decisions.
    pub number: u64,
    /// Label of the latest detection.
    pub label: Label,
    /// Class group of that label.
    pub group: u16,
    /// Best score so far, slowly forgotten.
    pub score: f32,
    /// First look it was seen on.
    pub first_seen: CaptureTime,
    /// Last look it was seen on.
    pub last_seen: CaptureTime,
    /// Looks it was seen on.
    pub hits: u32,
    /// Looks it was missed on since.
    pub missed: u32,
    /// Lately: looks it was seen on, and looks it was missed on before it was seen again.
    #[serde(default)]
    found: f32,
    #[serde(default)]
    bridged: f32,
    /// Whether it moves.
    pub motion: Motion,
    /// Since when the centre has been near its resting point.
    pub resting_since: CaptureTime,
    /// Whether it was ever seen to move.
    #[serde(default)]
    came: bool,
    resting: (f32, f32),
    /// Where it was when it was first known to stand still, as long as it is near there.
    #[serde(default)]
    settled: Option<(f32, f32)>,
    x: Axis,
    y: Axis,
    width: f32,
    height: f32,
    /// Its usual height: what is left of a box when the lower part of the object is hidden is no new size.
    #[serde(default)]
    usual_height: f32,
    /// The box of the latest sighting.
    #[serde(default)]
    seen: BBox,
    at: CaptureTime,
}

impl Track {
    fn new(number: u64, detection: &Detection, group: u16, at: CaptureTime) -> Self {
        let (cx, cy) = detection.bbox.centre();
        let (width, height) = (detection.bbox.width(), detection.bbox.height());
        Self {
            number,
            label: detection.label,
            group,
            score: detection.score,
            first_seen: at,
            last_seen: at,
            hits: 1,
            missed: 0,
            found: 1.0,
            bridged: 0.0,
            motion: Motion::Unknown,
            resting_since: at,
            came: false,
            resting: (cx, cy),
            settled: None,
            x: Axis::new(cx, width),
            y: Axis::new(cy, height),
            width,
            height,
            usual_height: height,
            seen: detection.bbox,
            at,
        }
    }

    /// Where it is believed to be on the latest look, 0-1.
    #[inline]
    pub fn bbox(&self) -> BBox {
        let (x, y) = (self.x.position, self.y.position);
        let (w, h) = (self.width / 2.0, self.height / 2.0);
        BBox { x1: x - w, y1: y - h, x2: x + w, y2: y + h }
    }

    /// What it covers on the look at `at`: the box in which it was seen, which is ahead of where something that brakes or
    /// turns is believed to be, or that belief.
    #[inline]
    pub(crate) fn cover(&self, at: CaptureTime) -> BBox {
        if self.last_seen == at { self.seen } else { self.bbox() }
    }

    /// Whether it was seen to move, now or before.
    pub(crate) fn was_moving(&self) -> bool {
        self.came
    }

    /// How fast it is believed to go, in its widths and heights a second.
    pub(crate) fn speed(&self) -> f32 {
        let along = |axis: &Axis, size: f32| axis.velocity / size.max(f32::EPSILON);
        f32::hypot(along(&self.x, self.width), along(&self.y, self.height))
    }

    /// How likely it is to have been missed as often in a row as it was, by how often it is found as a rule.
    pub(crate) fn miss_chance(&self) -> f32 {
        let rate = (self.found + 2.0) / (self.found + self.bridged + 3.0);
        (1.0 - rate).powi(self.missed.min(100) as i32)
    }

    /// Its usual height, 0-1, once it is known.
    pub(crate) fn usual_height(&self) -> Option<f32> {
        (self.hits >= KNOWN_HITS).then_some(self.usual_height)
    }

    fn predict(&mut self, at: CaptureTime) {
        let dt = at.seconds_since(self.at) as f32;
        if self.motion == Motion::Still {
            // What stands still stays where it is; the noise of few looks must not carry it away.
            self.x.fade(0.0);
            self.y.fade(0.0);
        }
        self.x.predict(dt, self.width);
        self.y.predict(dt, self.height);
        self.at = at;
    }

    fn hit(&mut self, detection: &Detection, at: CaptureTime) {
        let (cx, cy) = detection.bbox.centre();
        self.x.correct(cx, self.width);
        self.y.correct(cy, self.height);
        // Sizes change slowly; a half-hidden object must not shrink its track at once.
        self.width += 0.3 * (detection.bbox.width() - self.width);
        self.height += 0.3 * (detection.bbox.height() - self.height);
        self.seen = detection.bbox;
        self.usual_height = detection.bbox.height().max(self.usual_height * USUAL);
        self.label = detection.label;
        self.score = (self.score * 0.95).max(detection.score);
        let since_s = at.seconds_since(self.last_seen) as f32;
        self.last_seen = at;
        self.hits += 1;
        self.found = self.found * FOUND_MEMORY + 1.0;
        self.bridged = self.bridged * FOUND_MEMORY + self.missed as f32;
        self.missed = 0;
        self.judge_motion(at, since_s);
    }

    /// It was missed on a look `since_s` after the one before.
    fn miss(&mut self, since_s: f32) {
        self.missed += 1;
        let keep = (-since_s / GOES_ON_S).exp();
        self.x.fade(keep);
        self.y.fade(keep);
    }

    /// How unexpected it is to see it in `seen` now, in squared deviations. Each axis is judged by what is least so of
    /// the two edges and the centre: what is half hidden still shows where one of its edges is.
    fn surprise(&self, seen: &BBox) -> f32 {
        let expected = self.bbox();
        let off = |low: f32, high: f32| {
            if low * high <= 0.0 { 0.0 } else { low.abs().min(high.abs()) }
        };
        let x = off(seen.x1 - expected.x1, seen.x2 - expected.x2);
        let y = off(seen.y1 - expected.y1, seen.y2 - expected.y2);
        x * x / self.x.spread(self.width) + y * y / self.y.spread(self.height)
    }

    /// Judges after a hit that came `since_s` after the one before.
    fn judge_motion(&mut self, at: CaptureTime, since_s: f32) {
        let away = self.sizes_from(self.resting);
        // What has slid away by so small steps that the resting point went along rests elsewhere than it did: the track
        // may have gone over from something half hidden to what stands in front of it.
        let slid = self.settled.is_some_and(|settled| self.sizes_from(settled) > MOVED);
        if away > MOVED || slid {
            self.motion = Motion::Moving;
            self.came = true;
            self.resting = (self.x.position, self.y.position);
            self.resting_since = at;
            self.settled = None;
            return;
        }
        if away < RESTED && at.seconds_since(self.resting_since) >= RESTED_S && self.hits >= 3 {
            self.motion = Motion::Still;
            self.settled.get_or_insert((self.x.position, self.y.position));
        }
        let share = 1.0 - (-since_s / DRIFT_S).exp();
        self.resting.0 += share * (self.x.position - self.resting.0);
        self.resting.1 += share * (self.y.position - self.resting.1);
    }

    /// How far the centre is from `point`, in widths and heights.
    fn sizes_from(&self, point: (f32, f32)) -> f32 {
        f32::hypot(
            (self.x.position - point.0) / self.width.max(f32::EPSILON),
            (self.y.position - point.1) / self.height.max(f32::EPSILON),
        )
    }

    fn is_lost(&self, at: CaptureTime) -> bool {
        let patience = if self.motion == Motion::Still { LOST_STILL_S } else { LOST_S };
        let unseen_s = at.seconds_since(self.last_seen);
        unseen_s > LOST_GAP_S || (self.missed >= LOST_LOOKS && unseen_s > patience)
    }
}

/// All tracks of one camera.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tracker {
    tracks: Vec<Track>,
    next_number: u64,
    #[serde(skip)]
    of_detection: Vec<Option<usize>>,
    #[serde(skip)]
    free: Vec<usize>,
    #[serde(skip)]
    assignment: Assignment,
}

impl Tracker {
    /// Takes one look in. `groups[i]` is the class group of `detections[i]`. Afterwards
    /// [`Tracker::tracks`] holds what is alive and [`Tracker::track_of`] tells which track each detection
    /// went to.
    pub fn look(&mut self, at: CaptureTime, detections: &[Detection], groups: &[u16]) {
        // All at once, so that a look on which nothing happens asks for no memory.
        self.tracks.reserve_exact(MOST_TRACKS.saturating_sub(self.tracks.len()));
        self.of_detection.reserve(MOST_TRACKS);
        self.free.reserve(MOST_TRACKS);
        self.tracks.retain(|track| !track.is_lost(at));
        let last = self.tracks.iter().map(|track| track.at).max();
        let since_s = last.map_or(0.0, |last| at.seconds_since(last) as f32);
        self.tracks.iter_mut().for_each(|track| track.predict(at));
        self.of_detection.clear();
        self.of_detection.resize(detections.len(), None);
        self.associate(at, detections, groups, |score| score >= SURE);
        self.associate(at, detections, groups, |score| score < SURE);
        for track in &mut self.tracks {
            if track.last_seen < at {
                track.miss(since_s);
            }
        }
        for (index, detection) in detections.iter().enumerate() {
            let starts = self.of_detection[index].is_none()
                && detection.score >= SURE
                && detection.bbox.is_sound()
                && self.tracks.len() < MOST_TRACKS;
            if starts {
                self.of_detection[index] = Some(self.tracks.len());
                self.tracks.push(Track::new(self.next_number, detection, groups[index], at));
                self.next_number += 1;
            }
        }
    }

    /// Matches the free detections whose score is `wanted` to the tracks not yet seen on this look.
    fn associate(
        &mut self,
        at: CaptureTime,
        detections: &[Detection],
        groups: &[u16],
        wanted: impl Fn(f32) -> bool,
    ) {
        self.free.clear();
        self.free.extend(
            (0..detections.len()).filter(|&d| self.of_detection[d].is_none() && wanted(detections[d].score)),
        );
        self.assignment.start(self.tracks.len(), self.free.len());
        for (row, track) in self.tracks.iter().enumerate() {
            if track.last_seen == at {
                continue;
            }
            let expected = track.bbox();
            let about = grown(&expected);
            let at_rest = track.motion == Motion::Still;
            for (column, &d) in self.free.iter().enumerate() {
                let seen = &detections[d].bbox;
                // Most lie elsewhere: the cheap question comes first.
                let near = grown(seen);
                if groups[d] != track.group || !about.meets(&near) || !seen.is_sound() {
                    continue;
                }
                if at_rest && expected.iou(seen) < LEAST_AT_REST {
                    continue;
                }
                let overlap = about.iou(&near);
                let surprise = track.surprise(seen);
                if overlap >= LEAST_OVERLAP && surprise <= MOST_SURPRISE {
                    self.assignment.set(row, column, overlap / (1.0 + surprise / HALVING_SURPRISE));
                }
            }
        }
        for &(row, column) in self.assignment.solve() {
            let d = self.free[column];
            self.tracks[row].hit(&detections[d], at);
            self.of_detection[d] = Some(row);
        }
    }

    /// Tracks alive after the latest look, those missed on it included.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The track that detection number `detection` of the latest look went to; `None` for a weak detection
    /// that continues no track.
    pub fn track_of(&self, detection: usize) -> Option<&Track> {
        self.of_detection.get(detection).copied().flatten().map(|index| &self.tracks[index])
    }

    /// Changes every label and group as `label` and `group` say; a track whose label is gone is dropped.
    pub(crate) fn relabel(&mut self, label: impl Fn(Label) -> Option<Label>, group: impl Fn(Label) -> u16) {
        self.tracks.retain_mut(|track| match label(track.label) {
            Some(new) => {
                track.label = new;
                track.group = group(new);
                true
            }
            None => false,
        });
    }
}

fn grown(b: &BBox) -> BBox {
    let (w, h) = (b.width() * MARGIN, b.height() * MARGIN);
    BBox { x1: b.x1 - w, y1: b.y1 - h, x2: b.x2 + w, y2: b.y2 + h }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn car_at(x: f32, score: f32) -> Detection {
        Detection { label: Label(0), score, bbox: BBox { x1: x, y1: 0.4, x2: x + 0.1, y2: 0.5 } }
    }

    fn at(look: i64) -> CaptureTime {
        CaptureTime::from_nanos(look * 200_000_000)
    }

    #[test]
    fn a_parked_car_is_still_and_a_passing_one_moves() {
        let mut tracker = Tracker::default();
        for look in 0..15 {
            let passing = car_at(0.05 + 0.03 * look as f32, 0.8);
            let mut parked = car_at(0.7, 0.8);
            parked.bbox.y1 += 0.4;
            parked.bbox.y2 += 0.4;
            tracker.look(at(look), &[passing, parked], &[0, 0]);
        }
        assert_eq!(tracker.tracks().len(), 2);
        assert_eq!(tracker.track_of(0).unwrap().motion, Motion::Moving);
        let parked = tracker.track_of(1).unwrap();
        assert_eq!(parked.motion, Motion::Still);
        assert_eq!(parked.resting_since, at(0), "it has rested since it was first seen");
    }

    #[test]
    fn a_track_that_goes_over_to_what_stands_beside_has_not_rested_there_before() {
        let mut tracker = Tracker::default();
        (0..50).for_each(|look| tracker.look(at(look), &[car_at(0.2, 0.8)], &[0]));
        // By less than a quarter of its width at a time, as what comes to stand in front leaves ever less of it.
        let slides = |look: i64| 0.2 + 0.02 * ((look - 50).min(100) / 20) as f32;
        (50..200).for_each(|look| tracker.look(at(look), &[car_at(slides(look), 0.8)], &[0]));
        let track = tracker.track_of(0).unwrap();
        assert_eq!((track.number, track.motion), (0, Motion::Still));
        assert!(track.resting_since > at(50), "resting since {:?}", track.resting_since);
        // A nudge of the camera is no way.
        let mut tracker = Tracker::default();
        (0..200).for_each(|look| {
            tracker.look(at(look), &[car_at(if look < 50 { 0.2 } else { 0.22 }, 0.8)], &[0])
        });
        assert_eq!(tracker.track_of(0).unwrap().resting_since, at(0));
    }

    #[test]
    fn what_is_missed_now_and_then_is_not_given_up_as_fast_as_what_was_always_found() {
        let chance = |found: fn(i64) -> bool| {
            let mut tracker = Tracker::default();
            for look in 0..60 {
                let seen = [car_at(0.2, 0.8)];
                tracker.look(
                    at(look),
                    if found(look) { &seen } else { &[] },
                    if found(look) { &[0] } else { &[] },
                );
            }
            (60..62).for_each(|look| tracker.look(at(look), &[], &[]));
            tracker.tracks()[0].miss_chance()
        };
        assert!(chance(|_| true) < 0.02, "{}", chance(|_| true));
        let seldom = chance(|look| look % 2 == 1);
        assert!(seldom > 0.1, "{seldom}");
    }

    #[test]
    fn a_faint_detection_continues_a_track_but_starts_none() {
        let mut tracker = Tracker::default();
        tracker.look(at(0), &[car_at(0.2, 0.25)], &[0]);
        assert!(tracker.tracks().is_empty());
        tracker.look(at(1), &[car_at(0.2, 0.6)], &[0]);
        tracker.look(at(2), &[car_at(0.2, 0.25)], &[0]);
        assert_eq!(tracker.tracks().len(), 1);
        assert_eq!(tracker.tracks()[0].hits, 2);
    }

    #[test]
    fn a_track_outlives_missed_looks_and_ends_after_them() {
        let mut tracker = Tracker::default();
        for look in 0..5 {
            tracker.look(at(look), &[car_at(0.2, 0.8)], &[0]);
        }
        for look in 5..12 {
            tracker.look(at(look), &[], &[]);
        }
        tracker.look(at(12), &[car_at(0.2, 0.8)], &[0]);
        assert_eq!(tracker.track_of(0).unwrap().number, 0, "seven missed looks are 1.4 s");
        for look in 13..60 {
            tracker.look(at(look), &[], &[]);
        }
        assert!(tracker.tracks().is_empty());
    }

    #[test]
    fn who_walks_past_someone_who_stands_keeps_his_number() {
        let person = |x: f32, foot: f32| Detection {
            label: Label(0),
            score: 0.8,
            bbox: BBox { x1: x - 0.02, y1: foot - 0.22, x2: x + 0.02, y2: foot },
        };
        let mut tracker = Tracker::default();
        let walker = |look: i64| person(0.30 + 0.0125 * look as f32, 0.90);
        for look in 0..60 {
            // Nobody is found while the walker hides the one who stands and is himself missed for a moment.
            match look {
                23..=26 => tracker.look(at(look), &[], &[]),
                27 => tracker.look(at(look), &[walker(look)], &[0]),
                _ => tracker.look(at(look), &[person(0.64, 0.84), walker(look)], &[0, 0]),
            }
            if look == 27 {
                assert_eq!(tracker.track_of(0).unwrap().number, 1, "it is the walker who was found");
            }
        }
        assert_eq!(tracker.track_of(0).unwrap().number, 0);
        assert_eq!(tracker.track_of(1).unwrap().number, 1);
    }

    #[test]
    fn groups_are_not_mixed() {
        let mut tracker = Tracker::default();
        tracker.look(at(0), &[car_at(0.2, 0.8)], &[0]);
        tracker.look(at(1), &[car_at(0.2, 0.8)], &[1]);
        assert_eq!(tracker.tracks().len(), 2);
    }
}
