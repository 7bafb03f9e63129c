//! Plays a scene through the engine and compares its cases with the truth.

use std::collections::HashMap;

use gridpatrol::case::{CaseId, Change, Happening};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{Detection, Vocabulary};
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};

use super::street::{DWELL_S, zone};
use super::world::{Scene, Violation};

/// How far a case's box may lie from a violation's place, 0-1 of the picture's width and height.
const NEAR: (f64, f64) = (0.06, 0.08);

/// What came of a scene.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub found: usize,
    pub missed: usize,
    pub duplicates: usize,
    pub wrong: usize,
    /// Opening time minus the earliest right one, in seconds, of each case found.
    pub late_s: Vec<f64>,
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
        self.messages += other.messages;
        self.most_messages = self.most_messages.max(other.most_messages);
        self.notes.extend(other.notes);
    }

    /// The `share` quantile of the opening error.
    pub fn late(&self, share: f64) -> f64 {
        let mut sorted = self.late_s.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
    }
}

/// A plan with one camera and one no-parking zone over the scenes' kerb.
pub fn plan() -> Plan {
    let text = format!(
        r#"
edge = {{ street = "410102007", box = "box-017" }}
[[camera]]
id = "cam-05"
source = "scene.jsonl"
[[camera.zone]]
id = "kerb"
kind = "no_parking"
grid = "410102007003012"
polygon = {:?}
rule.illegal_parking.dwell_s = {DWELL_S:?}
"#,
        zone()
    );
    let file = ConfigFile::parse("scene.toml".as_ref(), text).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("scene.jsonl".into())).unwrap()
}

/// A fresh core for [`plan`].
pub fn judge(plan: &Plan) -> Judge {
    Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default())
}

/// Plays `scene`, restarts included.
pub fn play(plan: &Plan, scene: &Scene) -> Vec<Happening> {
    let mut core = judge(plan);
    let mut restarts = scene.restarts.clone();
    let mut happenings = Vec::new();
    for look in &scene.looks {
        if restarts.first().is_some_and(|&t| look.t >= t) {
            restarts.remove(0);
            let saved = core.save().unwrap();
            core = judge(plan);
            core.restore(&saved).unwrap();
        }
        let detections: Vec<Detection> = look
            .detections
            .iter()
            .map(|&(label, score, bbox)| Detection {
                label: core.intern(label).unwrap(),
                score,
                bbox: bbox.into(),
            })
            .collect();
        let view = match look.view {
            "dark" => View::Dark,
            "covered" => View::Covered,
            "moved" => View::Moved,
            _ => View::Clear,
        };
        let at = CaptureTime::default().plus_seconds(look.t);
        core.look(&Look { at, view, detections: &detections }, &mut happenings);
    }
    happenings
}

/// Compares `happenings` with the truth of `scene`.
pub fn score(scene: &Scene, happenings: &[Happening]) -> Score {
    let mut score = Score::default();
    let mut messages: HashMap<&CaseId, usize> = HashMap::new();
    let mut of_truth = vec![0; scene.truth.len()];
    for happening in happenings {
        *messages.entry(&happening.case.id).or_default() += 1;
        if happening.change != Change::Opened {
            continue;
        }
        let at = happening.at.seconds_since(CaptureTime::default());
        let centre = happening.case.objects[0].bbox.centre();
        let first = happening.case.first_seen.seconds_since(CaptureTime::default());
        match scene.truth.iter().position(|truth| is_of(truth, centre, at)) {
            Some(index) if of_truth[index] == 0 => {
                of_truth[index] = 1;
                score.found += 1;
                score.late_s.push((at - scene.truth[index].due).abs());
            }
            Some(index) => {
                of_truth[index] += 1;
                score.duplicates += 1;
                score.notes.push(format!(
                    "{}: a second case at {at:.1} s, first seen {first:.1} s, of {:?}",
                    scene.name, scene.truth[index]
                ));
            }
            None => {
                score.wrong += 1;
                score.notes.push(format!(
                    "{}: a wrong case at {at:.1} s, first seen {first:.1} s, {centre:?}",
                    scene.name
                ));
            }
        }
    }
    for (truth, count) in scene.truth.iter().zip(of_truth) {
        if count == 0 {
            score.missed += 1;
            score.notes.push(format!("{}: missed {truth:?}", scene.name));
        }
    }
    score.messages = happenings.len();
    score.most_messages = messages.values().copied().max().unwrap_or(0);
    score
}

/// Whether a case opened at `at` with its object at `centre` is of this violation.
fn is_of(truth: &Violation, centre: (f32, f32), at: f64) -> bool {
    let in_time = at >= truth.from && truth.until.is_none_or(|until| at <= until + 15.0);
    let near = truth.place.is_none_or(|place| {
        (f64::from(centre.0) - place.0).abs() <= NEAR.0 && (f64::from(centre.1) - place.1).abs() <= NEAR.1
    });
    in_time && near
}
