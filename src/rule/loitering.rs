//! The loitering rule: someone stays in the zone for too long, moving or not.
//!
//! # Invariants
//! - A stay follows its track, and goes over to a new one that begins where the old one was lost: another number is
//!   not another person. Someone who comes after the other was seen to leave is.
//! - Whoever is hidden, or out of sight because the view is, has not left. Whoever is seen outside of the zone, or
//!   not where he was last seen, for the clear time has.
//! - There is at most one open case in a zone; it clears when all who stayed too long have left.

use serde::{Deserialize, Serialize};

use super::meeting::Meetings;
use super::scene::{Scene, Sighted, Terms, WEAK, happening};
use super::stay::{KNOWN_HITS, Rate, Stay};
use super::whereabouts::touches_edge;
use crate::case::{Case, Change, Happening};
use crate::clock::CaptureTime;
use crate::detect::Detection;
use crate::track::Assignment;

/// Someone who has not stayed too long yet may be hidden for so long, in seconds: who walks behind something need
/// not come out again where it is seen, and the next who does is someone else.
const HIDDEN_S: f64 = 20.0;
/// Looks on which someone must have been away to have left.
const AWAY_LOOKS: u32 = 3;
/// Someone seen once or twice only is forgotten after this many looks without him …
const FLEETING_LOOKS: u32 = 5;
/// … or after more, where a run of them is no rarer than this: a detector that finds half must find three in a row.
const RARE_MISSES: f32 = 0.003;
/// Someone who is known and was lost there comes before someone seen once or twice, if he is nearer by this share of
/// his reach: a ghost that a detector saw not far away is no reason to take the one for the other.
const KNOWN_FIRST: f32 = 0.25;
/// How near one must begin to another who was found since, as a share of his reach, to be that other one.
const IN_TURNS: f32 = 0.4;
/// Most people followed at once.
const MOST_STAYS: usize = 64;

/// The state of one loitering rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Loitering {
    pub(crate) case: Option<Case>,
    stays: Vec<Stay>,
    next_serial: u64,
    #[serde(default)]
    meetings: Meetings,
    #[serde(default)]
    rate: Rate,
    #[serde(skip)]
    scratch: Scratch,
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
        self.note_beside(scene.at);
        self.regain(scene.at);
        self.meetings.look(scene.at, &mut self.stays, &self.rate);
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
            if found[row].is_some() || !stay.is_regainable(scene.at, &self.rate) {
                continue;
            }
            let least = if stay.hits < KNOWN_HITS { 0.0 } else { KNOWN_FIRST };
            for (column, &index) in seen.iter().enumerate() {
                let detection = &scene.detections[index];
                let away = stay.distance(&detection.bbox, scene.at);
                if !placed[column]
                    && scene.groups[index] == stay.whereabouts.group
                    && away <= 1.0
                    && terms.polygon.contains(detection.bbox.foot())
                {
                    assignment.set(row, column, 1.0 - 0.9 * away - least);
                }
            }
        }
        for &(row, column) in assignment.solve() {
            // Someone who is known is regained once it is sure that somebody is there.
            if self.stays[row].hits < KNOWN_HITS {
                placed[column] = true;
                found[row] = Some(seen[column]);
            }
        }
    }

    /// Notes who is found near those that are hardly known yet.
    fn note_beside(&mut self, at: CaptureTime) {
        for index in 0..self.stays.len() {
            let stay = &self.stays[index];
            if stay.hits > KNOWN_HITS || stay.whereabouts.seen != at {
                continue;
            }
            let seen = &stay.whereabouts.latest.bbox;
            let others = self.stays.iter().enumerate().filter(|&(other, known)| {
                other != index && known.hits > KNOWN_HITS && known.whereabouts.seen == at
            });
            let nearest = others
                .map(|(_, known)| (known.distance(seen, at), known.serial))
                .filter(|&(away, _)| away <= 1.0)
                .min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, serial)) = nearest {
                self.stays[index].beside = Some(serial);
            }
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
                        && lost.whereabouts.seen < at
                        && (lost.guess || stay.beside != Some(lost.serial))
                        && lost.is_regainable(stay.first_seen, &self.rate)
                        && !lost.gave_way_to(stay);
                    let away = lost.distance(&stay.origin, stay.first_seen);
                    // Found in turns, never both on one look: one person under two numbers, if they are so near.
                    let most = if lost.whereabouts.seen < stay.first_seen { 1.0 } else { IN_TURNS };
                    (may_be && away <= most).then_some((index, away))
                });
                candidates.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(index, _)| index)
            } else {
                None
            };
            match lost {
                // The older one stands before the newer one.
                Some(lost) if lost < new => {
                    self.rate.found_after(self.stays[lost].missing_looks());
                    let found = self.stays.remove(new);
                    let mut before = self.stays[lost].clone();
                    // Whom a guess comes true for may be the second one of two.
                    let serial = if before.guess { found.serial } else { before.serial };
                    self.meetings.rename(found.serial, serial);
                    self.stays[lost].take_over(found);
                    self.stays[lost].serial = serial;
                    // A case must not end because it went with the wrong one of two: who turns up where he was missed may be
                    // somebody who passes there, and he himself be found a moment later.
                    if before.counts && !before.guess {
                        before.guess = true;
                        self.stays.insert(lost + 1, before);
                    }
                }
                _ => new += 1,
            }
        }
    }

    /// Counts the look for or against each stay, and drops those that ended.
    fn judge(&mut self, scene: &Scene<'_>, terms: &Terms) {
        let mut found = self.scratch.found.iter();
        let fleeting_looks = self.rate.misses(RARE_MISSES).max(FLEETING_LOOKS);
        let (rate, next_serial) = (&mut self.rate, &mut self.next_serial);
        self.stays.retain_mut(|stay| {
            match found.next().copied().flatten() {
                Some(index) => {
                    if stay.hits >= KNOWN_HITS {
                        rate.found_after(stay.missing_looks());
                    }
                    stay.locate(scene, index);
                    if stay.guess {
                        // His own track goes on: he is another one than who was taken for him.
                        stay.guess = false;
                        stay.serial = *next_serial;
                        *next_serial += 1;
                    }
                    if terms.polygon.contains(stay.whereabouts.place.foot()) {
                        stay.sight(scene.at, terms);
                    } else {
                        stay.away(scene.at);
                    }
                }
                None if stay.whereabouts.is_hidden(scene) => stay.hide(scene.at),
                None => stay.miss(scene.at),
            }
            let fleeting = stay.hits < KNOWN_HITS && stay.away_looks >= fleeting_looks;
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
            self.stays.push(Stay::new(self.next_serial, scene, index));
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
