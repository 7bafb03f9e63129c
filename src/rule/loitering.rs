//! The loitering rule: someone stays in the zone for too long, moving or not.
//!
//! # Invariants
//! - A stay follows its track, and goes over to a new one that begins where the old one was lost: another number is
//!   not another person. Someone who comes after the other was seen to leave is.
//! - Whoever is hidden, or out of sight because the view is, has not left. Whoever is seen outside of the zone, or
//!   not where he was last seen, for the clear time has.
//! - There is at most one open case in a zone; it clears when all who stayed too long have left.

use serde::{Deserialize, Serialize};

use super::company::ASPECT;
use super::scene::{Scene, Sighted, Terms, WEAK, happening};
use super::whereabouts::{Whereabouts, touches_edge};
use crate::case::{Case, Change, Happening, LONGEST_STEP_S};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};
use crate::track::Assignment;

/// Someone may be seen missing for so long, in seconds, and still turn up again under another number.
const REGAINED_S: f64 = 3.0;
/// The same in looks, where these are few.
const REGAINED_LOOKS: u32 = 4;
/// The way that someone goes is measured over so many seconds at least.
const WAY_S: f64 = 2.0;
/// Someone who has not stayed too long yet may be hidden for so long, in seconds: who walks behind something need
/// not come out again where it is seen, and the next who does is someone else.
const HIDDEN_S: f64 = 20.0;
/// How far from where someone was lost he may be found again, in heights of the box, across the picture and up or
/// down in it …
const REACH: (f32, f32) = (1.0, 0.5);
/// … and how much more for each second since: a person walks 0.8 of his height in a second, and a way along the
/// view shows as less.
const PACE: (f64, f64) = (0.8, 0.3);
/// Sightings from which a stay can become a case.
const KNOWN_HITS: u32 = 3;
/// Looks on which someone must have been away to have left.
const AWAY_LOOKS: u32 = 3;
/// Someone seen once or twice only is forgotten after this many looks without him.
const FLEETING_LOOKS: u32 = 5;
/// Most people followed at once.
const MOST_STAYS: usize = 64;

/// The state of one loitering rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Loitering {
    pub(crate) case: Option<Case>,
    stays: Vec<Stay>,
    next_serial: u64,
    #[serde(skip)]
    scratch: Scratch,
}

/// One person's stay in the zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stay {
    serial: u64,
    whereabouts: Whereabouts,
    /// Where he was first seen.
    origin: BBox,
    /// When he was where, [`WAY_S`] to twice that ago and later.
    way: [(CaptureTime, (f32, f32)); 2],
    first_seen: CaptureTime,
    /// Last time in the zone.
    last_seen: CaptureTime,
    looks: u32,
    hits: u32,
    /// Seconds and looks, since `last_seen`, on which he was seen not to be in the zone.
    away_s: f64,
    away_looks: u32,
    /// Seconds and looks, since he was last seen anywhere, on which he was seen not to be where he was.
    missing_s: f64,
    missing_looks: u32,
    /// Seconds, since he was last seen anywhere, in which he was hidden.
    hidden_s: f64,
    /// Last look on which he could be seen; `None` when none since he could not.
    last_judged: Option<CaptureTime>,
    /// Last look on which he was hidden, if that was the latest.
    last_hidden: Option<CaptureTime>,
    /// Whether he has stayed too long.
    counts: bool,
    /// Whether this is only a guess: he has been found, but another may have come out from behind what hid him.
    guess: bool,
}

/// Buffers reused from look to look.
#[derive(Clone, Debug, Default)]
struct Scratch {
    assignment: Assignment,
    /// Detections that the rule is about, by number.
    seen: Vec<usize>,
    /// Whether each of them belongs to a stay.
    placed: Vec<bool>,
    /// Which of them each stay was found in.
    found: Vec<Option<usize>>,
}

impl Loitering {
    /// Judges one usable look.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, terms: &Terms, out: &mut Vec<Happening>) {
        self.see(scene, terms);
        self.follow_tracks(scene);
        self.follow_faint(scene, terms);
        self.judge(scene, terms);
        self.take_new(scene, terms);
        self.regain(scene.at);
        self.open(scene.at, terms, out);
        self.clear(scene.at, out);
    }

    /// Whether nobody is in the zone, or was a moment ago.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.stays.is_empty() && self.case.is_none()
    }

    /// A look on which nothing could be judged.
    pub(crate) fn blind(&mut self) {
        self.stays.iter_mut().for_each(|stay| (stay.last_judged, stay.last_hidden) = (None, None));
    }

    /// Gives everyone his label and group by `renumber`, and forgets who has none any more.
    pub(crate) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        self.stays.retain_mut(|stay| stay.whereabouts.relabel(&renumber));
    }

    fn see(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { seen, placed, found, .. } = &mut self.scratch;
        seen.clear();
        seen.extend(scene.detections.iter().enumerate().filter_map(|(index, detection)| {
            let about = terms.is_about(detection.label)
                && detection.score >= WEAK * terms.score
                && detection.bbox.is_sound()
                && terms.is_in_company(scene, &detection.bbox);
            about.then_some(index)
        }));
        placed.clear();
        placed.resize(seen.len(), false);
        found.clear();
        found.resize(self.stays.len(), None);
    }

    /// Finds those whose track goes on.
    fn follow_tracks(&mut self, scene: &Scene<'_>) {
        let Scratch { seen, placed, found, .. } = &mut self.scratch;
        for (stay, found) in self.stays.iter().zip(found) {
            let Some(number) = stay.whereabouts.track else { continue };
            let goes_on = |&index: &usize| scene.tracker.track_of(index).is_some_and(|t| t.number == number);
            if let Some(column) = seen.iter().position(goes_on)
                && !placed[column]
            {
                placed[column] = true;
                *found = Some(seen[column]);
            }
        }
    }

    /// Finds those that were seen once or twice only and whose track was lost at once: at few looks a second, someone
    /// who walks has hardly a track at all.
    fn follow_faint(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { assignment, seen, placed, found } = &mut self.scratch;
        assignment.start(self.stays.len(), seen.len());
        for (row, stay) in self.stays.iter().enumerate() {
            if found[row].is_some() || stay.hits >= KNOWN_HITS || !stay.is_regainable() {
                continue;
            }
            for (column, &index) in seen.iter().enumerate() {
                let detection = &scene.detections[index];
                let away = stay.distance(&detection.bbox, scene.at);
                if !placed[column]
                    && scene.groups[index] == stay.whereabouts.group
                    && away <= 1.0
                    && terms.polygon.contains(detection.bbox.foot())
                {
                    assignment.set(row, column, 1.0 - 0.9 * away);
                }
            }
        }
        for &(row, column) in assignment.solve() {
            placed[column] = true;
            found[row] = Some(seen[column]);
        }
    }

    /// Joins those who are surely there now, and were not before, to those who were lost where they turned up.
    fn regain(&mut self, at: CaptureTime) {
        let mut new = 0;
        while new < self.stays.len() {
            let stay = &self.stays[new];
            let lost = if stay.hits == KNOWN_HITS && stay.last_seen == at && !touches_edge(&stay.origin) {
                let candidates = self.stays.iter().enumerate().filter_map(|(index, lost)| {
                    let may_be = lost.hits > KNOWN_HITS
                        && lost.whereabouts.group == stay.whereabouts.group
                        && lost.whereabouts.seen < stay.first_seen
                        && lost.is_regainable();
                    let away = lost.distance(&stay.origin, stay.first_seen);
                    (may_be && away <= 1.0).then_some((index, away))
                });
                candidates.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
            } else {
                None
            };
            match lost {
                // The older one stands before the newer one.
                Some(lost) if lost < new => {
                    let found = self.stays.remove(new);
                    let before = self.stays[lost].clone();
                    self.stays[lost].take_over(found);
                    // A case must not end because it went with the wrong one of two who were hidden together.
                    if before.counts && !before.guess && before.hidden_s > 0.0 {
                        self.stays.insert(lost + 1, Stay { guess: true, ..before });
                    }
                }
                _ => new += 1,
            }
        }
    }

    /// Counts the look for or against each stay, and drops those that ended.
    fn judge(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let mut found = self.scratch.found.iter();
        self.stays.retain_mut(|stay| {
            match found.next().copied().flatten() {
                Some(index) => {
                    stay.locate(scene, index);
                    if terms.polygon.contains(stay.whereabouts.place.foot()) {
                        stay.sight(scene.at, terms);
                    } else {
                        stay.away(scene.at);
                    }
                }
                None if stay.whereabouts.is_hidden(scene) => stay.hide(scene.at),
                None => {
                    stay.missing_s += stay.away(scene.at);
                    stay.missing_looks += 1;
                }
            }
            let fleeting = stay.hits < KNOWN_HITS && stay.away_looks >= FLEETING_LOOKS;
            let lost = (!stay.counts || stay.guess) && stay.hidden_s > HIDDEN_S;
            let left = stay.away_looks >= AWAY_LOOKS && stay.away_s >= terms.clear_s;
            !(fleeting || lost || left)
        });
    }

    fn take_new(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { seen, placed, .. } = &self.scratch;
        for (&index, _) in seen.iter().zip(placed).filter(|(_, placed)| !**placed) {
            let latest = scene.detections[index];
            if latest.score < terms.score || !terms.holds(&latest.bbox) || self.stays.len() >= MOST_STAYS {
                continue;
            }
            self.stays.push(Stay {
                serial: self.next_serial,
                whereabouts: Whereabouts::new(scene, index),
                origin: latest.bbox,
                way: [(scene.at, latest.bbox.centre()); 2],
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
            });
            self.next_serial += 1;
        }
    }

    fn open(&mut self, at: CaptureTime, terms: &Terms, out: &mut Vec<Happening>) {
        let mut opener: Option<Sighted> = None;
        for stay in self.stays.iter_mut().filter(|stay| stay.last_seen == at && !stay.counts) {
            if stay.hits < KNOWN_HITS {
                continue;
            }
            let Some(since) = terms.violated_since(stay.first_seen, at) else { continue };
            stay.counts = true;
            let Stay { first_seen: began, serial, looks, hits, .. } = *stay;
            if opener.is_none_or(|known| (began, serial) < (known.began, known.serial)) {
                opener = Some(Sighted { began, serial, since, looks, hits });
            }
        }
        let here = || self.stays.iter().filter(|stay| stay.counts && stay.last_seen == at);
        match (&mut self.case, opener) {
            (None, Some(sighted)) => {
                let objects = here().map(|stay| stay.whereabouts.latest).collect();
                let opened = terms.opened(at, sighted, objects);
                out.push(happening(Change::Opened, at, &opened));
                self.case = Some(opened);
            }
            (Some(case), _) => {
                let judged = |stay: &Stay| stay.counts && stay.last_judged == Some(at);
                case.looks += u32::from(self.stays.iter().any(judged));
                if here().next().is_some() {
                    case.hits += 1;
                    case.last_seen = at;
                    case.objects.clear();
                    case.objects.extend(here().map(|stay| stay.whereabouts.latest));
                }
            }
            (None, None) => {}
        }
    }

    fn clear(&mut self, at: CaptureTime, out: &mut Vec<Happening>) {
        if let Some(case) = &self.case
            && !self.stays.iter().any(|stay| stay.counts && !stay.guess)
        {
            out.push(happening(Change::Cleared, at, case));
            self.case = None;
        }
    }
}

impl Stay {
    /// He is found in detection number `index`, in the zone or outside.
    fn locate(&mut self, scene: &Scene<'_>, index: usize) {
        self.whereabouts.locate(scene, index);
        self.missing_s = 0.0;
        self.missing_looks = 0;
        if scene.at.seconds_since(self.way[1].0) >= WAY_S {
            self.way = [self.way[1], (scene.at, self.whereabouts.place.centre())];
        }
    }

    /// Whether he may still turn up again: he was not missed for long, nor when he walked out of the picture.
    fn is_regainable(&self) -> bool {
        let lately = self.missing_s <= REGAINED_S || self.missing_looks <= REGAINED_LOOKS;
        lately && !touches_edge(&self.whereabouts.latest.bbox)
    }

    /// How far `seen`, at `at`, is from where he can be by then: between where he was, and where he would be had he
    /// walked on.
    fn distance(&self, seen: &BBox, at: CaptureTime) -> f32 {
        let since_s = at.seconds_since(self.whereabouts.seen).max(0.0);
        let (when, from) = self.way[0];
        let took_s = self.whereabouts.seen.seconds_since(when);
        let share = if took_s >= WAY_S { (since_s / took_s) as f32 } else { 0.0 };
        let (x, y) = self.whereabouts.place.centre();
        let (dx, dy) = ((x - from.0) * share, (y - from.1) * share);
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
    fn take_over(&mut self, found: Self) {
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

    /// He is in the zone.
    fn sight(&mut self, at: CaptureTime, terms: &Terms) {
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
    fn hide(&mut self, at: CaptureTime) {
        self.hidden_s += step_s(self.last_hidden, at);
        (self.last_judged, self.last_hidden) = (None, Some(at));
    }

    /// He is seen not to be in the zone. Returns the seconds that this adds.
    fn away(&mut self, at: CaptureTime) -> f64 {
        let step_s = step_s(self.last_judged, at);
        self.looks += 1;
        self.away_looks += 1;
        self.away_s += step_s;
        (self.last_judged, self.last_hidden) = (Some(at), None);
        step_s
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
    let reach = |(at_once, pace): (f32, f64)| at_once + (pace * since_s) as f32;
    let across = across / reach((REACH.0, PACE.0));
    across.hypot(along / reach((REACH.1, PACE.1)))
}
