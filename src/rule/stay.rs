//! One person's stay in a zone, and where he can be by now.

use serde::{Deserialize, Serialize};

use super::company::ASPECT;
use super::meeting::Gait;
use super::scene::{Scene, Terms};
use super::whereabouts::{Whereabouts, touches_edge};
use crate::case::LONGEST_STEP_S;
use crate::clock::CaptureTime;
use crate::detect::BBox;

/// Someone may be seen missing for so long, in seconds, and still turn up again under another number.
const REGAINED_S: f64 = 3.0;
/// The same in looks, where these are few …
const REGAINED_LOOKS: u32 = 4;
/// … or the detector finds so few that a longer run of misses is less rare than this: in a day there are half a million
/// looks on which one may begin, and misses that come of how someone stands come together.
const RARE_RUN: f32 = 1e-9;
/// The way that someone goes is measured over so many seconds at least.
const WAY_S: f64 = 2.0;
/// How far from where someone was lost he may be found again, in heights of the box, across the picture and up or
/// down in it …
const REACH: (f32, f32) = (1.0, 0.3);
/// … and how much more for each second since: a person walks 0.8 of his height in a second, and a way along the
/// view shows as less.
const PACE: (f64, f64) = (0.8, 0.3);
/// Share of the detection statistics kept from sighting to sighting: the rate is that of the last 100 or so.
const MEMORY: f32 = 0.99;
/// No detector is worse or better than that, whatever a few looks say.
const LEAST_RATE: f32 = 0.3;
const MOST_RATE: f32 = 0.97;
/// Sightings from which a stay can become a case.
pub(super) const KNOWN_HITS: u32 = 3;

/// One person's stay in the zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stay {
    pub(super) serial: u64,
    pub(super) whereabouts: Whereabouts,
    /// Where he was first seen.
    pub(super) origin: BBox,
    /// When he was where, [`WAY_S`] to twice that ago and later.
    way: [(CaptureTime, (f32, f32)); 2],
    pub(super) first_seen: CaptureTime,
    /// Last time in the zone.
    pub(super) last_seen: CaptureTime,
    pub(super) looks: u32,
    pub(super) hits: u32,
    /// Seconds and looks, since `last_seen`, on which he was seen not to be in the zone.
    pub(super) away_s: f64,
    pub(super) away_looks: u32,
    /// Seconds and looks, since he was last seen anywhere, on which he was seen not to be where he was.
    missing_s: f64,
    missing_looks: u32,
    /// Seconds, since he was last seen anywhere, in which he was hidden.
    pub(super) hidden_s: f64,
    /// Last look on which he could be seen; `None` when none since he could not.
    pub(super) last_judged: Option<CaptureTime>,
    /// Last look on which he was hidden, if that was the latest.
    pub(super) last_hidden: Option<CaptureTime>,
    /// Whether he has stayed too long.
    pub(super) counts: bool,
    /// Whether this is only a guess: he has been found, but another may have come out from behind what hid him.
    pub(super) guess: bool,
    /// How he goes while nobody is near him.
    #[serde(default)]
    pub(super) gait: Gait,
    /// Who was found near him on the same look while he was hardly known: that is another person.
    #[serde(default)]
    pub(super) beside: Option<u64>,
}

impl Stay {
    /// Of someone found in detection number `index`, whom nobody knows.
    pub(super) fn new(serial: u64, scene: &Scene<'_>, index: usize) -> Self {
        let bbox = scene.detections[index].bbox;
        Self {
            serial,
            whereabouts: Whereabouts::new(scene, index),
            origin: bbox,
            way: [(scene.at, bbox.centre()); 2],
            first_seen: scene.at,
            last_seen: scene.at,
            looks: 1,
            hits: 1,
            away_s: 0.0,
            away_looks: 0,
            missing_s: 0.0,
            missing_looks: 0,
            hidden_s: 0.0,
            last_judged: Some(scene.at),
            last_hidden: None,
            counts: false,
            guess: false,
            gait: Gait::default(),
            beside: None,
        }
    }

    /// Looks, since he was last seen anywhere, on which he was seen not to be where he was.
    pub(super) fn missing_looks(&self) -> u32 {
        self.missing_looks
    }

    /// He is found in detection number `index`, in the zone or outside.
    pub(super) fn locate(&mut self, scene: &Scene<'_>, index: usize) {
        self.whereabouts.locate(scene, index);
        self.missing_s = 0.0;
        self.missing_looks = 0;
        if scene.at.seconds_since(self.way[1].0) >= WAY_S {
            self.way = [self.way[1], (scene.at, self.whereabouts.place.centre())];
        }
    }

    /// Whether he may turn up again under another number at `at`, of a look that was judged: he had not been missed for
    /// long by then, nor when he walked out of the picture.
    pub(super) fn is_regainable(&self, at: CaptureTime, rate: &Rate) -> bool {
        // What he was missed for since does not count against it.
        let since_s = self.last_judged.map_or(0.0, |last| last.seconds_since(at).max(0.0));
        let lately = self.missing_s - since_s <= REGAINED_S
            || self.missing_looks <= rate.misses(RARE_RUN).max(REGAINED_LOOKS);
        lately && !touches_edge(&self.whereabouts.latest.bbox)
    }

    /// Whether `found`, who turned up later, is someone else: he went out of the picture, and `found` came in there. Each went
    /// on as he went before; where they would have been in between is not in the picture.
    pub(super) fn gave_way_to(&self, found: &Self) -> bool {
        let since_s = found.first_seen.seconds_since(self.whereabouts.seen).max(0.0) as f32;
        let known_s = found.whereabouts.seen.seconds_since(found.first_seen).max(0.2) as f32;
        let (x, now) = (self.whereabouts.place.centre().0, found.whereabouts.latest.bbox.centre().0);
        let then = found.origin.centre().0;
        let out = [x + self.velocity().0 * since_s, then - (now - then) / known_s * since_s];
        out.iter().all(|x| *x < 0.0) || out.iter().all(|x| *x > 1.0)
    }

    /// How he went lately, 0-1 of the picture in a second across and down; nothing when that is not known.
    pub(super) fn velocity(&self) -> (f32, f32) {
        let (when, from) = self.way[0];
        let took_s = self.whereabouts.seen.seconds_since(when);
        if took_s < WAY_S {
            return (0.0, 0.0);
        }
        let (x, y) = self.whereabouts.place.centre();
        ((x - from.0) / took_s as f32, (y - from.1) / took_s as f32)
    }

    /// How far `seen`, at `at`, is from where he can be by then: between where he was, and where he would be had he
    /// walked on.
    pub(super) fn distance(&self, seen: &BBox, at: CaptureTime) -> f32 {
        let since_s = at.seconds_since(self.whereabouts.seen).max(0.0);
        let velocity = self.velocity();
        let (x, y) = self.whereabouts.place.centre();
        let (dx, dy) = (velocity.0 * since_s as f32, velocity.1 * since_s as f32);
        let (sx, sy) = seen.centre();
        // The nearest point on the way that he may have gone on.
        let (wx, wy) = (dx * ASPECT, dy);
        let length = wx * wx + wy * wy;
        let along = if length > 0.0 {
            (((sx - x) * ASPECT * wx + (sy - y) * wy) / length).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let moved = |b: &BBox| BBox {
            x1: b.x1 + along * dx,
            y1: b.y1 + along * dy,
            x2: b.x2 + along * dx,
            y2: b.y2 + along * dy,
        };
        distance(&moved(&self.whereabouts.place), seen, since_s)
    }

    /// `found`, who was there since, is the same person.
    pub(super) fn take_over(&mut self, found: Self) {
        *self = Self {
            serial: self.serial,
            origin: self.origin,
            first_seen: self.first_seen,
            looks: self.looks + found.looks,
            hits: self.hits + found.hits,
            counts: self.counts || found.counts,
            ..found
        };
    }

    /// They were taken for each other: each goes on as the other.
    pub(super) fn exchange(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.serial, &mut other.serial);
        std::mem::swap(&mut self.origin, &mut other.origin);
        std::mem::swap(&mut self.first_seen, &mut other.first_seen);
        std::mem::swap(&mut self.looks, &mut other.looks);
        std::mem::swap(&mut self.hits, &mut other.hits);
        std::mem::swap(&mut self.counts, &mut other.counts);
        std::mem::swap(&mut self.guess, &mut other.guess);
    }

    /// He is in the zone.
    pub(super) fn sight(&mut self, at: CaptureTime, terms: &Terms) {
        if !self.counts && at.seconds_since(self.last_seen) > terms.longest_blind_s() {
            self.first_seen = at;
            (self.looks, self.hits) = (0, 0);
        }
        self.last_seen = at;
        self.looks += 1;
        self.hits += 1;
        self.away_s = 0.0;
        self.away_looks = 0;
        self.hidden_s = 0.0;
        (self.last_judged, self.last_hidden) = (Some(at), None);
    }

    /// Something hides him.
    pub(super) fn hide(&mut self, at: CaptureTime) {
        self.hidden_s += step_s(self.last_hidden, at);
        (self.last_judged, self.last_hidden) = (None, Some(at));
    }

    /// He is seen not to be where he was.
    pub(super) fn miss(&mut self, at: CaptureTime) {
        self.missing_s += self.away(at);
        self.missing_looks += 1;
    }

    /// He is seen not to be in the zone. Returns the seconds that this adds.
    pub(super) fn away(&mut self, at: CaptureTime) -> f64 {
        let step_s = step_s(self.last_judged, at);
        self.looks += 1;
        self.away_looks += 1;
        self.away_s += step_s;
        (self.last_judged, self.last_hidden) = (Some(at), None);
        step_s
    }
}

/// How often the detector finds someone who is known and in plain view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rate {
    // Faded by MEMORY.
    found: f32,
    looked: f32,
}

impl Rate {
    /// Someone was found after `missed` looks on which he was not.
    pub(super) fn found_after(&mut self, missed: u32) {
        self.found = (self.found + 1.0) * MEMORY;
        self.looked = (self.looked + 1.0 + missed as f32) * MEMORY;
    }

    /// From how many misses on a run of them is rarer than `chance`.
    pub(super) fn misses(&self, chance: f32) -> u32 {
        // Two in three to begin with.
        let rate = ((self.found + 2.0) / (self.looked + 3.0)).clamp(LEAST_RATE, MOST_RATE);
        (chance.ln() / (1.0 - rate).ln()).ceil() as u32
    }
}

/// Seconds from `last` to `at`, as far as they were looked at.
fn step_s(last: Option<CaptureTime>, at: CaptureTime) -> f64 {
    last.map_or(0.0, |last| at.seconds_since(last).clamp(0.0, LONGEST_STEP_S))
}

/// How far apart two boxes are that one person may have had `since_s` seconds after each other: 1 is as far as he can
/// have got. Heads tell as well as feet do, which are hidden more often.
fn distance(a: &BBox, b: &BBox, since_s: f64) -> f32 {
    let height = a.height().max(b.height()).max(f32::EPSILON);
    let across = (a.centre().0 - b.centre().0).abs() * ASPECT / height;
    let along = (a.y1 - b.y1).abs().min((a.y2 - b.y2).abs()) / height;
    // Who was missed for longer is more likely to have stood than to have walked on unseen.
    let reach = |(at_once, pace): (f32, f64)| at_once + (pace * since_s.min(REGAINED_S)) as f32;
    let across = across / reach((REACH.0, PACE.0));
    across.hypot(along / reach((REACH.1, PACE.1)))
}
