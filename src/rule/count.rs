//! The count rule: so many objects are in the zone at once for too long. The zone itself is the slot.
//!
//! # Invariants
//! - An object that the detector misses for a moment still counts; one that left does not.
//! - A look or two with another number change nothing: what counts is the median over the last seconds.
//! - What was found before and after looks on which it was missed was there on these, too.
//! - Those that are hidden where they were last seen are not taken to have left: while the number may still be
//!   reached with them, nothing is known.
//! - There is at most one open case; it clears only when the number was seen to be lower for the clear time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::places::Places;
use super::scene::{Scene, Terms, WEAK, happening};
use crate::case::{Case, Change, Happening};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};
use crate::track::Track;

/// How long an object that was seen before and is missed now still counts, in seconds …
const STILL_COUNTS_S: f64 = 0.8;
/// … or for how many of the usual stretches between two looks, where these are longer: on one look missed.
const STILL_COUNTS_STEPS: f64 = 1.25;
/// Looks on which an object must have been seen to count while it is missed.
const KNOWN_HITS: u32 = 3;
/// IoU from which a new track is taken for the object of one that was just lost.
const SAME_OBJECT: f32 = 0.2;
/// How near to the edge of the picture a box touches it.
const EDGE: f32 = 0.01;
/// The median is taken over this many seconds …
const WINDOW_S: f64 = 2.0;
/// … but over no fewer looks than these.
const WINDOW_LOOKS: usize = 3;
/// A look older than this says nothing of now, however few there are, in seconds: since when a number is reached is not
/// found out later than that either.
const STALE_S: f64 = 10.0;
/// Most looks remembered for that.
const MOST_LOOKS: usize = 64;
/// Most things counted of which it is known when they last were: as many as are tracked.
const MOST_TRACKED: usize = 256;
/// A number that is reached without a case yet starts anew after this many seconds below it, if the clear time is
/// longer.
const FORGET_S: f64 = 3.0;

/// The state of one count rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) case: Option<Case>,
    /// Time and number of the last looks, oldest first.
    window: VecDeque<(CaptureTime, u32)>,
    /// The tracks of what was counted, by number, and when it last was.
    #[serde(default)]
    tracked: Vec<(u64, CaptureTime)>,
    held: Option<Held>,
    last_judged: Option<CaptureTime>,
    #[serde(default)]
    places: Places,
    #[serde(skip)]
    counted: Vec<Detection>,
    #[serde(skip)]
    sorted: Vec<u32>,
}

/// A number that is reached.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Held {
    since: CaptureTime,
    last: CaptureTime,
    looks: u32,
    hits: u32,
    /// Seconds in plain view for which it has not been reached since `last`.
    below_s: f64,
}

impl Count {
    /// Judges one usable look: are at least `least` objects in the zone?
    pub(crate) fn look(&mut self, scene: &Scene<'_>, terms: &Terms, least: u32, out: &mut Vec<Happening>) {
        self.count(scene, terms);
        self.remember(scene.at);
        let hidden = self.hidden(scene, terms);
        self.hold(scene, terms, least, hidden);
        self.open(scene.at, terms, out);
        self.clear(scene.at, terms, out);
    }

    /// Whether the number is not reached, and was not a moment ago.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.held.is_none() && self.case.is_none()
    }

    /// A look on which nothing could be judged.
    pub(crate) fn blind(&mut self) {
        self.last_judged = None;
    }

    /// Lists what is in the zone.
    fn count(&mut self, scene: &Scene<'_>, terms: &Terms) {
        self.counted.clear();
        let tracks = scene.tracker.tracks();
        self.tracked.reserve_exact(MOST_TRACKED.saturating_sub(self.tracked.len()));
        self.tracked.retain(|(number, _)| tracks.iter().any(|track| track.number == *number));
        let still_counts_s = STILL_COUNTS_S.max(STILL_COUNTS_STEPS * scene.usual_step_s);
        for track in tracks {
            let bbox = track.bbox();
            let here = track.last_seen == scene.at
                || (track.hits >= KNOWN_HITS
                    && scene.at.seconds_since(track.last_seen) <= still_counts_s
                    && !is_leaving(&bbox)
                    && !tracks.iter().any(|newer| took_over(newer, track)));
            if here && terms.is_about(track.label) && track.score >= terms.score && terms.holds(&bbox) {
                self.counted.push(Detection { label: track.label, score: track.score, bbox: bbox.clamped() });
                self.bridge(track.number, scene.at);
            } else if track.last_seen == scene.at {
                // It was found, and not here: it was not missed.
                self.tracked.retain(|(number, _)| *number != track.number);
            }
        }
    }

    /// Counts what goes by the track `number`, and is counted at `at`, on the looks since it last was, too.
    fn bridge(&mut self, number: u64, at: CaptureTime) {
        let Some((_, last)) = self.tracked.iter_mut().find(|(known, _)| *known == number) else {
            if self.tracked.len() < MOST_TRACKED {
                self.tracked.push((number, at));
            }
            return;
        };
        let missed = self.window.iter_mut().rev().take_while(|(when, _)| *when > *last);
        missed.for_each(|(_, found)| *found += 1);
        *last = at;
    }

    /// How many of those that were seen in the zone are hidden now.
    fn hidden(&mut self, scene: &Scene<'_>, terms: &Terms) -> usize {
        for (index, detection) in scene.detections.iter().enumerate() {
            let here = terms.is_about(detection.label)
                && detection.score >= WEAK * terms.score
                && detection.bbox.is_sound()
                && terms.polygon.contains(detection.bbox.foot());
            if here {
                self.places.note(scene, index);
            }
        }
        self.places.hidden(scene)
    }

    /// Gives everything its label and group by `renumber`, and forgets what has none any more.
    pub(crate) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        self.places.relabel(renumber);
    }

    /// Adds this look's number to the window.
    fn remember(&mut self, at: CaptureTime) {
        // All at once, so that a look on which nothing happens asks for no memory.
        self.window.reserve_exact((MOST_LOOKS + 1).saturating_sub(self.window.len()));
        self.sorted.reserve(MOST_LOOKS + 1);
        self.window.push_back((at, self.counted.len() as u32));
        while self.window.len() > MOST_LOOKS || at.seconds_since(self.window[0].0) > STALE_S {
            self.window.pop_front();
        }
    }

    /// The looks at the end of the window that tell what is now.
    fn latest(&self) -> impl DoubleEndedIterator<Item = &(CaptureTime, u32)> + Clone {
        let last = self.window.back().map_or(CaptureTime::default(), |&(when, _)| when);
        let counts = |&&(when, _): &&(CaptureTime, u32)| last.seconds_since(when) <= WINDOW_S;
        let looks = self.window.iter().rev().take_while(counts).count().max(WINDOW_LOOKS);
        self.window.range(self.window.len().saturating_sub(looks)..)
    }

    /// Whether the median of the latest looks reaches `least`.
    fn is_reached(&mut self, least: u32) -> bool {
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.clear();
        sorted.extend(self.latest().map(|&(_, number)| number));
        sorted.sort_unstable();
        let reached = sorted[sorted.len() / 2] >= least;
        self.sorted = sorted;
        reached
    }

    /// Since when `least` is reached, if it is: the median turns late by half of its looks, and what was missed on the first
    /// of them is counted there once it is found again.
    fn reached_since(&self, least: u32) -> Option<CaptureTime> {
        let enough = |&&(_, number): &&(CaptureTime, u32)| number >= least;
        let first = self.latest().find(enough);
        let unbroken = self.window.iter().rev().take_while(enough).last();
        first.into_iter().chain(unbroken).map(|&(when, _)| when).min()
    }

    fn hold(&mut self, scene: &Scene<'_>, terms: &Terms, least: u32, hidden: usize) {
        let at = scene.at;
        let step_s =
            self.last_judged.map_or(0.0, |last| at.seconds_since(last).clamp(0.0, scene.longest_step_s));
        self.last_judged = Some(at);
        let reached = self.is_reached(least);
        let since = if reached { self.reached_since(least) } else { None };
        if let Some(held) = &mut self.held {
            held.looks += 1;
            if reached {
                let unseen_s = at.seconds_since(held.last);
                held.last = at;
                held.hits += 1;
                held.below_s = 0.0;
                if self.case.is_some() || unseen_s <= terms.longest_blind_s() {
                    held.since = since.map_or(held.since, |since| since.min(held.since));
                    return;
                }
            } else if self.counted.len() + hidden >= least as usize {
                self.last_judged = None;
                return;
            } else {
                held.below_s += step_s;
                return;
            }
        }
        if reached {
            self.held = Some(Held { since: since.unwrap_or(at), last: at, looks: 1, hits: 1, below_s: 0.0 });
        }
    }

    fn open(&mut self, at: CaptureTime, terms: &Terms, out: &mut Vec<Happening>) {
        let Some(held) = self.held else { return };
        match &mut self.case {
            Some(case) => {
                case.last_seen = held.last;
                case.looks = held.looks;
                case.hits = held.hits;
                if held.last == at {
                    case.objects.clone_from(&self.counted);
                }
            }
            None if held.last == at => {
                let Some(since) = terms.violated_since(held.since, at) else { return };
                let spot = terms.site.locate(self.counted.iter().map(|object| object.bbox));
                let opened = Case {
                    id: terms.case_id(held.since, 0),
                    rule: terms.rule,
                    first_seen: since,
                    opened: at,
                    last_seen: at,
                    looks: held.looks,
                    hits: held.hits,
                    objects: self.counted.clone(),
                    grid: spot.grid,
                    grid_basis: spot.basis,
                    position: spot.position,
                };
                out.push(happening(Change::Opened, at, &opened));
                self.case = Some(opened);
            }
            None => {}
        }
    }

    fn clear(&mut self, at: CaptureTime, terms: &Terms, out: &mut Vec<Happening>) {
        let Some(held) = &self.held else { return };
        let wait_s = if self.case.is_some() { terms.clear_s } else { terms.clear_s.min(FORGET_S) };
        if held.below_s >= wait_s {
            out.extend(self.case.iter().map(|case| happening(Change::Cleared, at, case)));
            self.held = None;
            self.case = None;
        }
    }
}

/// Whether something that is missed touches the edge of the picture: it is more likely gone than hidden.
fn is_leaving(bbox: &BBox) -> bool {
    bbox.x1 <= EDGE || bbox.y1 <= EDGE || bbox.x2 >= 1.0 - EDGE || bbox.y2 >= 1.0 - EDGE
}

/// Whether `newer` is the object of `missed` under a new number: it began where that one is believed to be,
/// after that one was last seen. A track that was there before and now covers it is another object in front.
fn took_over(newer: &Track, missed: &Track) -> bool {
    newer.group == missed.group
        && newer.first_seen > missed.last_seen
        && newer.bbox().iou(&missed.bbox()) >= SAME_OBJECT
}
