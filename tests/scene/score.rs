//! Compares the cases of a scene with the truth.

use std::collections::HashMap;

use gridpatrol::case::{CaseId, Change, Happening};
use gridpatrol::clock::CaptureTime;
use gridpatrol::plan::Plan;

use super::world::{Scene, Violation};

/// How far a case's box may lie from a violation's place, 0-1 of the picture's width and height.
const NEAR: (f64, f64) = (0.06, 0.08);
/// A case that opens so long after its violation ended is of something else, in seconds.
const TOO_LATE_S: f64 = 15.0;

/// A case that opens so far from when it should is worth a note, in seconds; three looks are
/// allowed in any case.
const LATE_S: f64 = 15.0;

/// A case as it opened.
#[derive(Clone, Debug)]
pub struct Opening {
    pub kind: String,
    /// Seconds of the scene.
    pub at: f64,
    pub first_seen: f64,
    /// Centre of its first object, 0-1.
    pub centre: (f32, f32),
}

/// A case whose violation ended so long before the end of the scene should have cleared, in seconds beyond the rule's
/// clear time: longer than a bus stands in front.
const CLEARS_S: f64 = 240.0;
/// A case that clears so much before its violation ended did so wrongly, in seconds: cars take some to pull out.
const TOO_EARLY_S: f64 = 3.0;

/// What came of a scene, or of many.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub found: usize,
    pub missed: usize,
    pub duplicates: usize,
    pub wrong: usize,
    /// Opening time minus the earliest right one, in seconds, of each case found.
    pub late_s: Vec<f64>,
    /// Cases that cleared while their violation lasted.
    pub cleared_early: usize,
    /// Cases that were still open long after their violation ended.
    pub never_cleared: usize,
    pub messages: usize,
    pub most_messages: usize,
    /// What went wrong, for people.
    pub notes: Vec<String>,
}

impl Score {
    pub fn add(&mut self, other: Self) {
        self.found += other.found;
        self.missed += other.missed;
        self.duplicates += other.duplicates;
        self.wrong += other.wrong;
        self.late_s.extend(other.late_s);
        self.cleared_early += other.cleared_early;
        self.never_cleared += other.never_cleared;
        self.messages += other.messages;
        self.most_messages = self.most_messages.max(other.most_messages);
        self.notes.extend(other.notes);
    }

    /// The `share` quantile of the opening error, early or late.
    pub fn late(&self, share: f64) -> f64 {
        let mut sorted: Vec<f64> = self.late_s.iter().map(|s| s.abs()).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    }

    /// Whether every violation made one case and nothing else did.
    pub fn is_right(&self) -> bool {
        (self.missed, self.duplicates, self.wrong) == (0, 0, 0)
    }
}

/// Compares `happenings` with the truth of a scene whose clock was not stepped.
pub fn score(scene: &Scene, happenings: &[Happening]) -> Score {
    let when: Vec<f64> = happenings.iter().map(|h| seconds(h.at)).collect();
    score_timed(scene, &super::play::plan_of(&scene.zones), happenings, &when)
}

/// Compares `happenings`, which came at `when`, with the truth of `scene`.
pub fn score_timed(scene: &Scene, plan: &Plan, happenings: &[Happening], when: &[f64]) -> Score {
    let opened = happenings.iter().zip(when).filter(|(h, _)| h.change == Change::Opened);
    let openings: Vec<Opening> = opened
        .map(|(h, &at)| Opening {
            kind: plan.cameras[0].rules[h.case.rule.0].kind.slug.clone(),
            at,
            first_seen: seconds(h.case.first_seen),
            centre: h.case.objects.first().map_or((0.0, 0.0), |object| object.bbox.centre()),
        })
        .collect();
    let mut score = score_openings(scene, &openings);
    let opened = happenings.iter().filter(|h| h.change == Change::Opened);
    for (happening, opening) in opened.zip(&openings) {
        let cleared =
            happenings.iter().position(|h| h.change == Change::Cleared && h.case.id == happening.case.id);
        let clear_s = plan.cameras[0].rules[happening.case.rule.0].clear_s;
        if let Some(truth) = of(scene, opening) {
            judge_clearing(scene, &scene.truth[truth], cleared.map(|n| when[n]), clear_s, &mut score);
        }
    }
    let mut messages: HashMap<&CaseId, usize> = HashMap::new();
    for happening in happenings {
        *messages.entry(&happening.case.id).or_default() += 1;
    }
    score.messages = happenings.len();
    score.most_messages = messages.values().copied().max().unwrap_or(0);
    score
}

/// Compares cases with the truth of `scene`.
pub fn score_openings(scene: &Scene, openings: &[Opening]) -> Score {
    let mut score = Score::default();
    let mut of_truth = vec![0; scene.truth.len()];
    for opening in openings {
        let Opening { kind, at, first_seen, centre } = opening;
        match of(scene, opening) {
            Some(index) if of_truth[index] == 0 => {
                of_truth[index] = 1;
                score.found += 1;
                let late_s = at - scene.truth[index].due;
                score.late_s.push(late_s);
                if late_s.abs() > LATE_S.max(3.0 * scene.interval_s) {
                    let truth = told(&scene.truth[index]);
                    score.notes.push(format!("{}: opened {late_s:+.1} s off, {truth}", scene.name));
                }
            }
            Some(index) => {
                of_truth[index] += 1;
                score.duplicates += 1;
                score.notes.push(format!(
                    "{}: a second case at {at:.1} s, first seen {first_seen:.1} s, of {}",
                    scene.name,
                    told(&scene.truth[index])
                ));
            }
            None => {
                score.wrong += 1;
                score.notes.push(format!(
                    "{}: a wrong case of {kind} at {at:.1} s, first seen {first_seen:.1} s, at {:.3}, {:.3}",
                    scene.name, centre.0, centre.1
                ));
            }
        }
    }
    for (truth, count) in scene.truth.iter().zip(of_truth) {
        if count == 0 {
            score.missed += 1;
            score.notes.push(format!("{}: missed {}", scene.name, told(truth)));
        }
    }
    score
}

/// The violation of `scene` that `opening` is of.
fn of(scene: &Scene, opening: &Opening) -> Option<usize> {
    let near = (0..scene.truth.len()).filter_map(|n| Some((n, distance(&scene.truth[n], opening)?)));
    near.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(n, _)| n)
}

/// Whether a case of `truth` cleared neither too early nor never.
fn judge_clearing(scene: &Scene, truth: &Violation, cleared: Option<f64>, clear_s: f64, score: &mut Score) {
    let ended = truth.until.unwrap_or(f64::INFINITY);
    match cleared {
        Some(at) if at < ended - TOO_EARLY_S => {
            score.cleared_early += 1;
            score.notes.push(format!("{}: cleared too early, at {at:.1} s, {}", scene.name, told(truth)));
        }
        None if ended + clear_s + CLEARS_S < scene.length_s => {
            score.never_cleared += 1;
            score.notes.push(format!("{}: never cleared, {}", scene.name, told(truth)));
        }
        _ => {}
    }
}

/// How far `opening` lies from the place of `truth`; `None` when it is not of this violation.
fn distance(truth: &Violation, opening: &Opening) -> Option<f64> {
    let in_time =
        opening.at >= truth.from && truth.until.is_none_or(|until| opening.at <= until + TOO_LATE_S);
    if truth.kind != opening.kind || !in_time {
        return None;
    }
    let Some((x, y)) = truth.place else { return Some(0.0) };
    let (dx, dy) = ((f64::from(opening.centre.0) - x).abs(), (f64::from(opening.centre.1) - y).abs());
    (dx <= NEAR.0 && dy <= NEAR.1).then(|| f64::hypot(dx, dy))
}

/// A violation in words.
pub fn told(truth: &Violation) -> String {
    let Violation { kind, from, until, due, place } = truth;
    let until = until.map_or("the end".to_owned(), |t| format!("{t:.1} s"));
    let place = place.map_or(String::new(), |(x, y)| format!(" at {x:.3}, {y:.3}"));
    format!("{kind}{place} from {from:.1} s to {until}, due {due:.1} s")
}

fn seconds(at: CaptureTime) -> f64 {
    at.seconds_since(CaptureTime::default())
}
