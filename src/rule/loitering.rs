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
use crate::case::{Case, Change, Happening, LONGEST_STEP_S};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};
use crate::track::Assignment;

/// Someone may be seen missing for so long, in seconds, and be found again under another number.
const REGAINED_S: f64 = 3.0;
/// How far from where someone was lost he may be found again, in heights of the box …
const REACH: f32 = 1.0;
/// … and how much more for each second since: a person walks 0.8 of his height in a second.
const PACE: f64 = 0.8;
/// Sightings from which a stay can become a case.
const KNOWN_HITS: u32 = 3;
/// Looks on which someone must have been away to have left.
const AWAY_LOOKS: u32 = 3;
/// Someone seen once or twice only is forgotten after this many looks without him.
const FLEETING_LOOKS: u32 = 5;
/// How near to the edge of the picture a box touches it: who is lost there has walked out of the picture.
const EDGE: f32 = 0.01;
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
    latest: Detection,
    group: u16,
    track: Option<u64>,
    first_seen: CaptureTime,
    /// Last time in the zone.
    last_seen: CaptureTime,
    /// Last time anywhere.
    located: CaptureTime,
    looks: u32,
    hits: u32,
    /// Seconds and looks, since `last_seen`, on which he was seen not to be in the zone.
    away_s: f64,
    away_looks: u32,
    /// Seconds, since `located`, in which he was seen not to be where he was.
    missing_s: f64,
    last_judged: Option<CaptureTime>,
    /// Whether he has stayed too long.
    counts: bool,
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
        self.regain(scene, terms);
        self.judge(scene, terms);
        self.take_new(scene, terms);
        self.open(scene.at, terms, out);
        self.clear(scene.at, terms, out);
    }

    /// A look on which nothing could be judged.
    pub(crate) fn blind(&mut self) {
        self.stays.iter_mut().for_each(|stay| stay.last_judged = None);
    }

    /// Gives everyone his label and group by `renumber`, and forgets who has none any more.
    pub(crate) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        self.stays.retain_mut(|stay| match renumber(&mut stay.latest) {
            Some(group) => {
                stay.group = group;
                true
            }
            None => false,
        });
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
            let Some(number) = stay.track else { continue };
            let goes_on = |&index: &usize| scene.tracker.track_of(index).is_some_and(|t| t.number == number);
            if let Some(column) = seen.iter().position(goes_on)
                && !placed[column]
            {
                placed[column] = true;
                *found = Some(seen[column]);
            }
        }
    }

    /// Finds those whose track was lost, in the zone and near to where they were.
    fn regain(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let Scratch { assignment, seen, placed, found } = &mut self.scratch;
        assignment.start(self.stays.len(), seen.len());
        for (row, stay) in self.stays.iter().enumerate() {
            if found[row].is_some() || stay.missing_s > REGAINED_S || is_leaving(&stay.latest.bbox) {
                continue;
            }
            let since_s = scene.at.seconds_since(stay.located);
            let reach = REACH + (PACE * since_s) as f32;
            for (column, &index) in seen.iter().enumerate() {
                let detection = &scene.detections[index];
                // A track that was there before is someone else.
                let began = scene.tracker.track_of(index).map_or(scene.at, |track| track.first_seen);
                let away = distance(&stay.latest.bbox, &detection.bbox);
                if !placed[column]
                    && scene.groups[index] == stay.group
                    && began > stay.located
                    && away <= reach
                    && terms.polygon.contains(detection.bbox.foot())
                {
                    assignment.set(row, column, 1.0 - 0.9 * away / reach);
                }
            }
        }
        for &(row, column) in assignment.solve() {
            placed[column] = true;
            found[row] = Some(seen[column]);
        }
    }

    /// Counts the look for or against each stay, and drops those that ended.
    fn judge(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let mut found = self.scratch.found.iter();
        self.stays.retain_mut(|stay| {
            match found.next().copied().flatten() {
                Some(index) => {
                    stay.latest = scene.detections[index];
                    stay.located = scene.at;
                    stay.missing_s = 0.0;
                    stay.track = scene.tracker.track_of(index).map(|track| track.number).or(stay.track);
                    if terms.polygon.contains(stay.latest.bbox.foot()) {
                        stay.sight(scene.at, terms);
                    } else {
                        stay.away(scene.at);
                    }
                }
                None if scene.hides(&stay.latest.bbox, stay.group, stay.located) => stay.last_judged = None,
                None => stay.missing_s += stay.away(scene.at),
            }
            let fleeting = stay.hits < KNOWN_HITS && stay.away_looks >= FLEETING_LOOKS;
            !fleeting && !(stay.away_looks >= AWAY_LOOKS && stay.away_s >= terms.clear_s)
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
                latest,
                group: scene.groups[index],
                track: scene.tracker.track_of(index).map(|track| track.number),
                first_seen: scene.at,
                last_seen: scene.at,
                located: scene.at,
                looks: 1,
                hits: 1,
                away_s: 0.0,
                away_looks: 0,
                missing_s: 0.0,
                last_judged: Some(scene.at),
                counts: false,
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
                let objects = here().map(|stay| stay.latest).collect();
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
                    case.objects.extend(here().map(|stay| stay.latest));
                }
            }
            (None, None) => {}
        }
    }

    fn clear(&mut self, at: CaptureTime, _terms: &Terms, out: &mut Vec<Happening>) {
        if let Some(case) = &self.case
            && !self.stays.iter().any(|stay| stay.counts)
        {
            out.push(happening(Change::Cleared, at, case));
            self.case = None;
        }
    }
}

impl Stay {
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
        self.last_judged = Some(at);
    }

    /// He is seen not to be in the zone. Returns the seconds that this adds.
    fn away(&mut self, at: CaptureTime) -> f64 {
        let step_s = self.last_judged.map_or(0.0, |last| at.seconds_since(last).clamp(0.0, LONGEST_STEP_S));
        self.looks += 1;
        self.away_looks += 1;
        self.away_s += step_s;
        self.last_judged = Some(at);
        step_s
    }
}

/// Whether something that is missed touches a side of the picture.
fn is_leaving(bbox: &BBox) -> bool {
    bbox.x1 <= EDGE || bbox.x2 >= 1.0 - EDGE || bbox.y1 <= EDGE || bbox.y2 >= 1.0 - EDGE
}

/// How far apart two boxes of one person are, in heights of the taller one. Heads tell as well as feet do, which
/// are hidden more often.
fn distance(a: &BBox, b: &BBox) -> f32 {
    let across = (a.centre().0 - b.centre().0).abs() * ASPECT;
    let along = (a.y1 - b.y1).abs().min((a.y2 - b.y2).abs());
    across.hypot(along) / a.height().max(b.height()).max(f32::EPSILON)
}
