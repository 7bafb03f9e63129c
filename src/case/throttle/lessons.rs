//! What reviewers' verdicts teach: which places are mostly wrong, what a score is worth there, and thus which cases
//! are not worth a person's walk.
//!
//! Each place of a kind has an unknown share of true cases. What is thought of it starts from how the places of this
//! box are (an empirical Bayes mixture over [`SHARES`], fitted by expectation and maximisation) and moves with each
//! verdict there. How much a detector's score says is a line in log-odds for each camera and kind (linear discriminant
//! of the scores of confirmed and rejected cases, one variance for both), flat while there is little to go by. Together
//! they make the chance that a case is true. Cases below a cut are held back: the cut rises until the cases that are
//! told are expected to be true as often as wanted, and no further than the wanted share of true cases still arrives.
//!
//! # Invariants
//! - **L1** Without verdicts nothing is held back (`l1_without_verdicts_nothing_is_held_back`).
//! - **L2** More is never held back than the floor of recall allows by what is known
//!   (`l2_the_floor_of_recall_bounds_what_is_held_back`).
//! - **L3** A place that is held back is looked at again: after [`PROBE`] cases or [`PROBE_S`] one is told
//!   (`l3_a_place_that_is_held_back_is_tried_again`).
//! - **L4** To resume a case of a place forgets what was learnt there (`l4_resuming_a_place_forgets_what_was_learnt_there`).
//! - **L5** The same verdicts teach the same, over a restart too (`l5_lessons_survive_a_restart`).
//! - Memory is bounded: [`MOST_SAMPLES`] and [`MOST_SPOTS`].

use serde::{Deserialize, Serialize};

use super::place::{Place, Subject};
use crate::case::CaseId;
use crate::clock::CaptureTime;

mod by_kind;

pub use by_kind::{KindLessons, PlaceLessons};

/// Shares of true cases that a place may have …
const SHARES: [f64; 9] = [0.02, 0.08, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97];
/// … and how many of ten places are thought to have each before anything is known of a box: most are right nearly
/// always, some hardly ever (a signpost, a shadow), few are in between. An estimate; the places of the box itself
/// outweigh it from ten on.
const PRIOR: [f64; 9] = [1.2, 0.5, 0.3, 0.3, 0.3, 0.4, 0.8, 1.8, 4.4];
/// Rounds of expectation and maximisation. It moves little after three.
const ROUNDS: usize = 5;
/// Seconds in which a verdict loses half of its weight: a season changes light, leaves and what is parked.
const HALF_LIFE_S: f64 = 45.0 * 86_400.0;
/// Verdicts of a box before anything is held back.
const FEWEST_VERDICTS: usize = 10;
/// Most cases that are remembered …
const MOST_SAMPLES: usize = 400;
/// … and most places.
const MOST_SPOTS: usize = 256;
/// Every so many cases that are held back in a place, one is told, to see whether it still is wrong …
const PROBE: u32 = 25;
/// … and one when nothing was told of it for so long, in seconds.
const PROBE_S: f64 = 7.0 * 86_400.0;
/// Fewest verdicts of either sort from which a line is drawn …
const FEWEST_SCORES: f64 = 3.0;
/// … and how many it takes for half of what it says to count.
const HALF_TRUSTED: f64 = 4.0;
/// A camera's scores count beside this much of those of the other cameras of the same kind, in verdicts of each sort.
const SHARED: f64 = 5.0;
/// Least deviation of scores.
const LEAST_SPREAD: f64 = 0.02;
/// Most that a score may say, in natural log-odds: 55 to 1.
const MOST_ODDS: f64 = 4.0;
/// Reviewers err: what is thought of a case that was reviewed.
const REVIEWER: f64 = 0.97;
/// How far beyond the wanted precision the cut aims, as verdicts lag behind.
const MARGIN: f64 = 0.03;
/// How much of what the floor allows may be spent, by the chances as estimated. Above 1, since they overstate what is
/// lost: a place that is held back brings few verdicts, so that it is thought better than it is. In a simulated month
/// of forty boxes a third of what was expected to be lost was.
const ALLOWANCE: f64 = 1.6;
/// Confirmed cases of a place from which on a single mistake does not quiet it.
const TRUSTED: u32 = 3;
/// IoU from which a box is at a known spot.
const SAME_SPOT: f32 = 0.5;

/// What is wanted of the cases that are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    /// Share of true ones among them.
    pub(super) precision: f64,
    /// Share of all true ones that are told, at least.
    pub(super) recall: f64,
}

/// What was learnt.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lessons {
    samples: Vec<Sample>,
    spots: Vec<Spot>,
    /// Shares of places, as thought of one that nothing is known of.
    places: Option<[f64; 9]>,
    lines: Vec<((String, String), Line)>,
    /// Cases less likely true than this are held back.
    cut: f64,
}

/// One case.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sample {
    case: CaseId,
    spot: u64,
    score: f32,
    at: CaptureTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    right: Option<bool>,
}

/// One place.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spot {
    number: u64,
    place: Place,
    /// What is thought of it; `None` while nothing was said of it.
    shares: Option<[f64; 9]>,
    verdicts: (u32, u32),
    told_at: CaptureTime,
    /// Cases that were held back since.
    held: u32,
    /// The latest case, and its score.
    case: CaseId,
    score: f32,
}

/// What scores of one camera and kind say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    /// Natural log-odds for each unit of score.
    slope: f64,
    /// The score that says nothing.
    middle: f64,
}

/// A place whose cases are held back for what was learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct DoubtfulPlace {
    /// Its camera.
    pub camera: String,
    /// Its zone.
    pub zone: String,
    /// The kind.
    pub kind: String,
    /// The latest case there. To resume it is to forget what was learnt of the place.
    pub case: CaseId,
    /// The chance that a case such as the latest there is true.
    pub chance: f64,
    /// Verdicts there: confirmed or duplicate, and rejected.
    pub verdicts: (u32, u32),
    /// Cases held back since one was last told.
    pub held: u32,
}

/// What was learnt, for people to see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LessonsStatus {
    /// Reviewed cases that are remembered: confirmed or duplicate, and rejected.
    pub verdicts: (u32, u32),
    /// Cases less likely true than this are held back; 0 holds back none.
    pub cut: f64,
    /// Share of true cases among all that are remembered, and among those that would be told now, as estimated;
    /// `None` without any.
    pub precision: Option<(f64, f64)>,
    /// Share of the true cases that would be told now, as estimated.
    pub recall: Option<f64>,
    /// What a score is worth: camera, kind, and the scores at which a case of an average place is true with a chance
    /// of one in two, where that is known.
    pub even_scores: Vec<(String, String, f64)>,
    /// Places whose cases are held back.
    pub places: Vec<DoubtfulPlace>,
    /// The same in full, by camera and kind.
    pub kinds: Vec<KindLessons>,
}

#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, weight: f64, value: f64) {
        self.n += weight;
        self.sum += weight * value;
        self.squares += weight * value * value;
    }

    /// The same, counting as `n` at most.
    fn worth(self, n: f64) -> Self {
        let share = (n / self.n.max(1e-9)).min(1.0);
        Self { n: self.n * share, sum: self.sum * share, squares: self.squares * share }
    }

    fn plus(self, other: Self) -> Self {
        Self { n: self.n + other.n, sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    fn mean(&self) -> f64 {
        self.sum / self.n.max(1e-9)
    }

    /// Sum of squared deviations from the mean.
    fn spread(&self) -> f64 {
        (self.squares - self.n * self.mean().powi(2)).max(0.0)
    }
}

impl Line {
    const FLAT: Self = Self { slope: 0.0, middle: 0.0 };

    fn through(wrong: Moments, right: Moments) -> Self {
        if wrong.n < FEWEST_SCORES || right.n < FEWEST_SCORES {
            return Self::FLAT;
        }
        let variance = (wrong.spread() + right.spread()) / (wrong.n + right.n) + LEAST_SPREAD.powi(2);
        let fewer = wrong.n.min(right.n);
        let trust = fewer / (fewer + HALF_TRUSTED);
        // A lower score never speaks for a case.
        let apart = (right.mean() - wrong.mean()).max(0.0);
        Self { slope: trust * apart / variance, middle: f64::midpoint(right.mean(), wrong.mean()) }
    }

    /// How many times likelier a case of this score makes it that it is true.
    fn odds(&self, score: f64) -> f64 {
        (self.slope * (score - self.middle)).clamp(-MOST_ODDS, MOST_ODDS).exp()
    }
}

/// What is thought of a place after so many (weighted) verdicts, starting from `prior`.
fn posterior(prior: &[f64; 9], (right, wrong): (f64, f64)) -> [f64; 9] {
    let mut shares = [0.0; 9];
    for ((post, prior), share) in shares.iter_mut().zip(prior).zip(SHARES) {
        *post = prior.ln() + right * share.ln() + wrong * (1.0 - share).ln();
    }
    let most = shares.iter().copied().fold(f64::MIN, f64::max);
    shares.iter_mut().for_each(|post| *post = (*post - most).exp());
    let sum: f64 = shares.iter().sum();
    shares.map(|post| post / sum)
}

fn chance(shares: &[f64; 9], odds: f64) -> f64 {
    let each = shares.iter().zip(SHARES).map(|(weight, share)| {
        let odds = share / (1.0 - share) * odds;
        weight * odds / (1.0 + odds)
    });
    each.sum()
}

impl Lessons {
    /// Whether a case of `subject` is to be held back at `now`.
    pub(super) fn hold(&self, subject: &Subject, now: CaptureTime) -> bool {
        if self.cut <= 0.0 || self.chance(subject) >= self.cut {
            return false;
        }
        let due = |spot: &Spot| spot.held >= PROBE || now.seconds_since(spot.told_at) >= PROBE_S;
        !self.spot(&subject.place).is_some_and(due)
    }

    /// The chance that a case of `subject` is true.
    fn chance(&self, subject: &Subject) -> f64 {
        let place = &subject.place;
        let shares = self.spot(place).and_then(|spot| spot.shares).or(self.places).unwrap_or(fresh());
        chance(&shares, self.line(place).odds(f64::from(subject.score)))
    }

    /// Whether the place has been confirmed often enough, and is thought to be right more often than wrong.
    pub(super) fn trusts(&self, place: &Place) -> bool {
        let right = |spot: &Spot| {
            spot.verdicts.0 >= TRUSTED && spot.shares.is_some_and(|shares| chance(&shares, 1.0) >= 0.5)
        };
        self.spot(place).is_some_and(right)
    }

    /// A new case of `subject`, which is told or held back for what was learnt.
    pub(super) fn opened(&mut self, subject: &Subject, case: &CaseId, now: CaptureTime, told: bool) {
        let index = self.spots.iter().position(|spot| spot.place.is_same(&subject.place, SAME_SPOT));
        let index = index.unwrap_or_else(|| self.add_spot(subject, case, now));
        let spot = &mut self.spots[index];
        (spot.case, spot.score) = (case.clone(), subject.score);
        if told {
            (spot.told_at, spot.held) = (now, 0);
        } else {
            spot.held = spot.held.saturating_add(1);
        }
        let number = spot.number;
        if self.samples.len() >= MOST_SAMPLES {
            // One of which nothing was said teaches least.
            let silent = self.samples.iter().position(|sample| sample.right.is_none());
            self.samples.remove(silent.unwrap_or(0));
        }
        self.samples.push(Sample {
            case: case.clone(),
            spot: number,
            score: subject.score,
            at: now,
            right: None,
        });
    }

    /// A case of `subject` that was held back is told after all.
    pub(super) fn told(&mut self, subject: &Subject, now: CaptureTime) {
        let here = |spot: &&mut Spot| spot.place.is_same(&subject.place, SAME_SPOT);
        if let Some(spot) = self.spots.iter_mut().find(here) {
            (spot.told_at, spot.held) = (now, 0);
        }
    }

    fn add_spot(&mut self, subject: &Subject, case: &CaseId, now: CaptureTime) -> usize {
        if self.spots.len() >= MOST_SPOTS {
            let oldest = (0..self.spots.len()).min_by_key(|&index| self.spots[index].told_at);
            if let Some(gone) = oldest.map(|index| self.spots.remove(index).number) {
                self.samples.retain(|sample| sample.spot != gone);
            }
        }
        self.spots.push(Spot {
            number: self.spots.iter().map(|spot| spot.number + 1).max().unwrap_or_default(),
            place: subject.place.clone(),
            shares: None,
            verdicts: (0, 0),
            told_at: now,
            held: 0,
            case: case.clone(),
            score: subject.score,
        });
        self.spots.len() - 1
    }

    /// `case` was found to be `right` or not, or what was found is taken back (`None`); learns of it.
    pub(super) fn verdict(&mut self, case: &CaseId, right: Option<bool>, now: CaptureTime, goal: Goal) {
        let Some(sample) = self.samples.iter_mut().rfind(|sample| sample.case == *case) else { return };
        sample.right = right;
        self.learn(now, goal);
    }

    /// Forgets what was said of `place`. Returns whether its cases were held back for it.
    pub(super) fn forget(&mut self, place: &Place, now: CaptureTime, goal: Goal) -> bool {
        let Some(spot) = self.spot(place) else { return false };
        let (number, doubted) = (spot.number, self.is_doubtful(spot));
        self.samples.retain(|sample| sample.spot != number);
        self.spots.retain(|spot| spot.number != number);
        self.learn(now, goal);
        doubted
    }

    /// The chance that a case such as the latest of `spot` is true.
    fn chance_at(&self, spot: &Spot) -> f64 {
        let shares = spot.shares.or(self.places).unwrap_or(fresh());
        chance(&shares, self.line(&spot.place).odds(f64::from(spot.score)))
    }

    fn is_doubtful(&self, spot: &Spot) -> bool {
        spot.shares.is_some() && self.chance_at(spot) < self.cut
    }

    fn spot(&self, place: &Place) -> Option<&Spot> {
        self.spots.iter().find(|spot| spot.place.is_same(place, SAME_SPOT))
    }

    fn line(&self, place: &Place) -> Line {
        let is_it = |(camera, kind): &(String, String)| *camera == place.camera && *kind == place.key.kind;
        self.lines.iter().find(|(of, _)| is_it(of)).map_or(Line::FLAT, |(_, line)| *line)
    }

    fn learn(&mut self, now: CaptureTime, goal: Goal) {
        self.learn_places(now);
        self.learn_lines(now);
        self.cut = self.place_cut(goal);
    }

    fn learn_places(&mut self, now: CaptureTime) {
        let tallies: Vec<(f64, f64)> = self
            .spots
            .iter_mut()
            .map(|spot| {
                spot.verdicts = (0, 0);
                let mut tally = (0.0, 0.0);
                for sample in self.samples.iter().filter(|sample| sample.spot == spot.number) {
                    let weight = weight(sample, now);
                    match sample.right {
                        Some(true) => (tally.0, spot.verdicts.0) = (tally.0 + weight, spot.verdicts.0 + 1),
                        Some(false) => (tally.1, spot.verdicts.1) = (tally.1 + weight, spot.verdicts.1 + 1),
                        None => {}
                    }
                }
                tally
            })
            .collect();
        let known = |tally: &&(f64, f64)| tally.0 + tally.1 > 0.0;
        let mut places = fresh();
        for _ in 0..ROUNDS {
            let mut sums = PRIOR;
            for tally in tallies.iter().filter(known) {
                sums.iter_mut().zip(posterior(&places, *tally)).for_each(|(sum, share)| *sum += share);
            }
            let all: f64 = sums.iter().sum();
            places = sums.map(|sum| sum / all);
        }
        for (spot, tally) in self.spots.iter_mut().zip(&tallies) {
            spot.shares = known(&tally).then(|| posterior(&places, *tally));
        }
        self.places = Some(places);
    }

    fn learn_lines(&mut self, now: CaptureTime) {
        let mut found: Vec<((String, String), [Moments; 2])> = Vec::new();
        for sample in &self.samples {
            let Some(right) = sample.right else { continue };
            let Some(spot) = self.spots.iter().find(|spot| spot.number == sample.spot) else { continue };
            let of = (spot.place.camera.clone(), spot.place.key.kind.clone());
            let index = found.iter().position(|(known, _)| *known == of).unwrap_or_else(|| {
                found.push((of, Default::default()));
                found.len() - 1
            });
            found[index].1[usize::from(right)].add(weight(sample, now), f64::from(sample.score));
        }
        self.lines = found
            .iter()
            .map(|(of, own)| {
                let others = found.iter().filter(|((camera, kind), _)| *kind == of.1 && *camera != of.0);
                let [wrong, right] = others.fold([Moments::default(); 2], |sum, (_, moments)| {
                    [sum[0].plus(moments[0]), sum[1].plus(moments[1])]
                });
                let line = Line::through(own[0].plus(wrong.worth(SHARED)), own[1].plus(right.worth(SHARED)));
                (of.clone(), line)
            })
            .collect();
    }

    /// Each remembered case: its chance by what is known now, and what is thought of it with its verdict.
    fn chances(&self) -> Vec<(f64, f64)> {
        self.samples.iter().filter_map(|sample| self.judged(sample)).collect()
    }

    /// The chance that the case of `sample` is true by what is known of its place, and by its verdict too.
    fn judged(&self, sample: &Sample) -> Option<(f64, f64)> {
        let spot = self.spots.iter().find(|spot| spot.number == sample.spot)?;
        let shares = spot.shares.or(self.places).unwrap_or(fresh());
        let chance = chance(&shares, self.line(&spot.place).odds(f64::from(sample.score)));
        let truth = match sample.right {
            Some(true) => REVIEWER,
            Some(false) => 1.0 - REVIEWER,
            None => chance,
        };
        Some((chance, truth))
    }

    /// The lowest cut that gives the wanted precision, or the highest that the floor of recall allows.
    fn place_cut(&self, goal: Goal) -> f64 {
        if self.samples.iter().filter(|sample| sample.right.is_some()).count() < FEWEST_VERDICTS {
            return 0.0;
        }
        let mut chances = self.chances();
        chances.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all: f64 = chances.iter().map(|(_, truth)| truth).sum();
        let allowed = ALLOWANCE * (1.0 - goal.recall) * all;
        let (mut told, mut right, mut lost, mut cut) = (chances.len() as f64, all, 0.0, 0.0);
        for (index, &(chance, truth)) in chances.iter().enumerate() {
            if right >= (goal.precision + MARGIN).min(1.0) * told || lost + truth > allowed {
                break;
            }
            (lost, right, told) = (lost + truth, right - truth, told - 1.0);
            // Between this one and the next, in ratio: what lies there has not been seen yet.
            let next = chances.get(index + 1).map_or(chance, |(next, _)| *next);
            cut = (chance * next).sqrt().max(chance + f64::EPSILON);
        }
        cut
    }

    /// What was learnt, for people to see.
    pub(super) fn status(&self) -> LessonsStatus {
        let count = |right: bool| self.samples.iter().filter(|s| s.right == Some(right)).count() as u32;
        let chances = self.chances();
        let share = |of: f64, all: f64| (all > 0.0).then(|| of / all);
        let sum = |least: f64| {
            chances
                .iter()
                .filter(|(chance, _)| *chance >= least)
                .fold((0.0, 0.0), |(n, t), c| (n + 1.0, t + c.1))
        };
        let ((all, all_right), (told, told_right)) = (sum(0.0), sum(self.cut));
        let average = chance(&self.places.unwrap_or(fresh()), 1.0);
        let even = |(of, line): &((String, String), Line)| {
            let odds = (average / (1.0 - average)).ln();
            (line.slope > 0.0).then(|| (of.0.clone(), of.1.clone(), line.middle - odds / line.slope))
        };
        LessonsStatus {
            verdicts: (count(true), count(false)),
            cut: self.cut,
            precision: share(all_right, all).zip(share(told_right, told)),
            recall: share(told_right, all_right),
            even_scores: self.lines.iter().filter_map(even).collect(),
            places: self
                .spots
                .iter()
                .filter(|spot| self.is_doubtful(spot))
                .map(|spot| self.doubtful(spot))
                .collect(),
            kinds: self.by_kind(),
        }
    }

    fn doubtful(&self, spot: &Spot) -> DoubtfulPlace {
        DoubtfulPlace {
            camera: spot.place.camera.clone(),
            zone: spot.place.zone.clone(),
            kind: spot.place.key.kind.clone(),
            case: spot.case.clone(),
            chance: self.chance_at(spot),
            verdicts: spot.verdicts,
            held: spot.held,
        }
    }
}

/// What is thought of a place of a box of which nothing is known.
fn fresh() -> [f64; 9] {
    let all: f64 = PRIOR.iter().sum();
    PRIOR.map(|places| places / all)
}

fn weight(sample: &Sample, now: CaptureTime) -> f64 {
    0.5_f64.powf(now.seconds_since(sample.at).max(0.0) / HALF_LIFE_S)
}
