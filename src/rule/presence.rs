//! The presence rule: anything of its labels is in the zone, moving or not. The zone itself is the slot.
//!
//! # Invariants
//! - There is at most one open case: whoever comes while it is open extends it.
//! - Who walks past something that must be alone neither ends its dwell nor counts for it; who keeps it company does
//!   end it.
//! - Something whose lower end is hidden says nothing: where it stands is not known.
//! - One look with something and one without decide nothing; a case opens once the belief in it is sure and the
//!   dwell is reached.
//! - Where few looks fall into the dwell, its way in and out tells how long something was there, if it was seen inside
//!   twice at least, or once on the straight way between two sightings outside, or not at all on such a way between three
//!   with nothing else about; and what cannot have got out yet is still inside.
//! - It clears only when the zone was seen empty for the clear time. While the place where something was last seen
//!   is hidden, the zone was not seen empty.

use serde::{Deserialize, Serialize};

use super::company::Led;
use super::passage::{Crossed, Inferred, Passage};
use super::places::Places;
use super::scene::{Scene, Sighted, Terms, WEAK, happening};

use crate::case::LONGEST_STEP_S;
use crate::case::occupancy::{Hit, Occupancy};
use crate::case::{Case, Change, Happening};
use crate::clock::CaptureTime;
use crate::detect::Detection;

/// A zone without a case is forgotten after this much empty time, in seconds, if its clear time is longer.
const FORGET_S: f64 = 10.0;

/// What was seen so often is there: what must still be inside counts though it is not found.
const SURE_HITS: u32 = 3;

/// The state of one presence rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) case: Option<Case>,
    zone: Option<Occupancy>,
    /// What was found in a zone that was believed empty, until that is sure.
    again: Option<Occupancy>,
    places: Places,
    #[serde(default)]
    led: Led,
    #[serde(default)]
    passage: Passage,
    /// Looks on which something was found inside since the zone was empty.
    #[serde(default)]
    inside: u32,
    /// Whether what the case is of was seen outside since, and nothing for sure inside: how sure it was that something is
    /// there says nothing any more.
    #[serde(default)]
    left: bool,
    /// When something was first seen in the zone: that it came before counts for the dwell, and is not told as seen.
    #[serde(default)]
    seen_since: Option<CaptureTime>,
    #[serde(skip)]
    seen: Vec<Detection>,
}

/// The best of what is in the zone on one look.
#[derive(Clone, Copy, Debug)]
struct Best {
    score: f32,
    /// Whether it shows down to where it stands.
    stands: bool,
}

impl Presence {
    /// Judges one usable look.
    pub(crate) fn look(&mut self, scene: &Scene<'_>, terms: &Terms, out: &mut Vec<Happening>) {
        let best = self.see(scene, terms);
        let hidden = self.places.hidden(scene) > 0;
        let few = Passage::is_asked(scene, terms);
        if few {
            self.passage.look(scene, terms);
        }
        let before = self.zone.as_ref().map(|zone| zone.last_seen);
        let inferred = self.infer(few && best.is_none(), scene, terms);
        let mut left = inferred.is_some_and(|inferred| inferred.left);
        match (&mut self.zone, best, inferred) {
            (Some(zone), None, Some(Inferred { until, sightings, latest, .. })) if self.case.is_none() => {
                (0..sightings).for_each(|_| zone.hit(until, Hit::Sure));
                self.seen.push(Detection { bbox: latest.bbox.clamped(), ..latest });
            }
            (None, Some(Best { score, stands: true }), _) if score >= terms.score => {
                // What was left alone a while ago has been alone since then.
                let mut zone = Occupancy::new(scene.at, self.led.alone_since.unwrap_or(scene.at));
                self.seen_since = Some(zone.first_seen);
                if few {
                    let (since, seen_outside) = self.passage.came(terms, scene.at);
                    zone.first_seen = since;
                    if seen_outside {
                        zone.hit(scene.at, Hit::Sure);
                    }
                }
                self.zone = Some(zone);
                self.inside = 1;
            }
            (None, None, _) if few => {
                let crossed = self.passage.crossed(terms, scene.at);
                let stayed = |crossed: &Crossed| crossed.until.seconds_since(crossed.from) >= terms.dwell_s;
                let Some(crossed) = crossed.filter(stayed) else { return };
                let mut zone = Occupancy::new(crossed.until, crossed.from);
                zone.hit(crossed.until, Hit::Sure);
                zone.hit(crossed.until, Hit::Sure);
                self.seen.push(crossed.latest);
                self.seen_since = Some(crossed.from);
                self.zone = Some(zone);
                left = true;
            }
            (None, ..) => return,
            (Some(zone), Some(Best { stands: false, .. }), _) => zone.blind(),
            (Some(zone), Some(Best { score, .. }), _) => {
                let hit = if score >= terms.score { Hit::Sure } else { Hit::Weak };
                let unseen_s = scene.at.seconds_since(zone.last_seen);
                if self.case.is_none() && unseen_s > terms.longest_blind_s() {
                    zone.restart(scene.at);
                    self.seen_since = Some(scene.at);
                } else if is_back(&mut self.again, zone, self.left, scene.at, hit) {
                    self.left = false;
                    if few && let Some(since) = self.passage.came_after_all(terms, zone.last_seen, scene.at) {
                        zone.first_seen = since;
                    }
                    zone.hit(scene.at, hit);
                    self.inside += 1;
                } else {
                    zone.miss(scene.at, scene.longest_step_s);
                }
            }
            (Some(zone), None, _) if hidden => {
                zone.blind();
                self.left = false;
            }
            (Some(zone), None, _) => {
                zone.miss(scene.at, scene.longest_step_s);
                self.again.iter_mut().for_each(|again| again.miss(scene.at, scene.longest_step_s));
                self.again.take_if(|again| again.was_fleeting() || again.is_vacant(0.0));
            }
        }
        let found = self.zone.as_ref().map(|zone| zone.last_seen) != before;
        let last_seen = if best.is_some() { None } else { before };
        self.open(scene.at, last_seen, found, terms, out);
        self.left |= left && self.case.is_some();
        self.clear(scene.at, terms, out);
    }

    /// Whether nobody is in the zone, or was a moment ago.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.seen.is_empty() && self.zone.is_none() && self.again.is_none() && self.case.is_none()
    }

    /// A look on which nothing could be judged.
    pub(crate) fn blind(&mut self) {
        self.passage.blind();
        self.left = false;
        self.zone.iter_mut().chain(&mut self.again).for_each(Occupancy::blind);
    }

    /// Gives everything its label and group by `renumber`, and forgets what has none any more.
    pub(crate) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        self.places.relabel(&renumber);
        self.passage.relabel(renumber);
    }

    /// Lists what is in the zone and where, and gives the best of it; `None` when it is empty, or all that is in it is
    /// kept company that it must not have.
    fn see(&mut self, scene: &Scene<'_>, terms: &Terms) -> Option<Best> {
        self.seen.clear();
        let mut best: Option<Best> = None;
        let mut alone = false;
        for (index, detection) in scene.detections.iter().enumerate() {
            let here = terms.is_about(detection.label)
                && detection.score >= WEAK * terms.score
                && detection.bbox.is_sound()
                && terms.holds(&detection.bbox)
                && terms.has_wanted(scene, &detection.bbox);
            if here {
                self.seen.push(Detection { bbox: detection.bbox.clamped(), ..*detection });
                self.places.note(scene, index);
                alone |= !terms.has_unwanted(scene, &detection.bbox);
                let this = Best { score: detection.score, stands: !scene.is_cut_below(index) };
                if best.is_none_or(|best| (this.stands, this.score) > (best.stands, best.score)) {
                    best = Some(this);
                }
            }
        }
        if best.is_some() && terms.forbids_company() {
            self.led.look(scene.at, terms, !alone);
        }
        best.filter(|_| !self.led.is_kept())
    }

    /// What is known of what was inside until a look or two ago, if that `may` be asked: how it left, or that it must still
    /// be there and has been for long enough.
    fn infer(&self, may: bool, scene: &Scene<'_>, terms: &Terms) -> Option<Inferred> {
        let zone = self.zone.as_ref().filter(|_| may && self.again.is_none())?;
        let left = self.passage.left(terms, zone.last_seen, scene.at, self.inside < 2);
        left.or_else(|| {
            let stays = self.passage.stays(terms, zone.last_seen, scene.at)?;
            let enough =
                zone.hits >= SURE_HITS && stays.until.seconds_since(zone.first_seen) >= terms.dwell_s;
            enough.then_some(stays)
        })
    }

    /// Opens, keeps or leaves be the case on a look on which something was `found`, and seen in the zone at `last_seen` if not
    /// on this look.
    fn open(
        &mut self,
        at: CaptureTime,
        last_seen: Option<CaptureTime>,
        found: bool,
        terms: &Terms,
        out: &mut Vec<Happening>,
    ) {
        let Some(zone) = &self.zone else { return };
        match &mut self.case {
            Some(case) => {
                case.looks = zone.looks;
                case.hits = zone.hits;
                if zone.last_seen == at {
                    case.last_seen = at;
                    case.objects.clone_from(&self.seen);
                }
            }
            None if found && zone.is_held(terms.dwell_s) => {
                let Some(since) = terms.violated_since(zone.first_seen, zone.last_seen) else { return };
                let since = self.seen_since.map_or(since, |seen| since.max(seen));
                let sighted =
                    Sighted { began: zone.first_seen, serial: 0, since, looks: zone.looks, hits: zone.hits };
                let opened = terms.opened(at, sighted, self.seen.clone());
                // Where it is seen outside now, it was on the look before that it was seen in the zone for the last time: when
                // it crossed the edge was not seen.
                let opened = Case { last_seen: last_seen.unwrap_or(at), ..opened };
                out.push(happening(Change::Opened, at, &opened));
                self.case = Some(opened);
            }
            None => {}
        }
    }

    fn clear(&mut self, at: CaptureTime, terms: &Terms, out: &mut Vec<Happening>) {
        let Some(zone) = &self.zone else { return };
        let gone = match &self.case {
            // The first of them the look on which it was seen outside.
            Some(_) if self.left && self.again.is_none() => {
                zone.seen_empty_s(at) >= terms.clear_s + LONGEST_STEP_S
            }
            Some(_) => zone.is_vacant(terms.clear_s),
            None => zone.was_fleeting() || zone.is_vacant(terms.clear_s.min(FORGET_S)),
        };
        if gone {
            out.extend(self.case.iter().map(|case| happening(Change::Cleared, at, case)));
            let (led, passage) = (std::mem::take(&mut self.led), std::mem::take(&mut self.passage));
            *self = Self { led, passage, ..Self::default() };
        }
    }
}

/// Whether a hit in the zone may be believed. One in a zone that was seen empty, or whose thing was seen to have `left`,
/// needs others: a false detection every half minute must not keep a case open.
fn is_back(again: &mut Option<Occupancy>, zone: &Occupancy, left: bool, at: CaptureTime, hit: Hit) -> bool {
    if !left && !zone.is_vacant(0.0) {
        *again = None;
        return true;
    }
    match again {
        None => *again = Some(Occupancy::new(at, at)),
        Some(again) => again.hit(at, hit),
    }
    let sure = again.as_ref().is_some_and(|again| again.is_held(0.0));
    if sure {
        *again = None;
    }
    sure
}
