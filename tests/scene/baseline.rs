//! What most programs do, for comparison: one case per track that stays in a zone for the dwell, and one per
//! stretch of looks on each of which enough objects are counted. It has the same detections and the same tracker
//! as the engine, but no places that remember.

use std::collections::HashMap;

use gridpatrol::case::catalog::CATALOG;
use gridpatrol::clock::CaptureTime;
use gridpatrol::detect::{Detection, Vocabulary};
use gridpatrol::plan::{Condition, Plan, RulePlan};
use gridpatrol::track::{Track, Tracker};

use super::play::stamp;
use super::score::Opening;
use super::world::Scene;

/// One rule's memory: since when each track has been in the zone, or `None` once it made its case. A count has
/// one entry, under the number 0.
type Since = HashMap<u64, Option<CaptureTime>>;

/// The cases of `scene` by per-track dwell.
pub fn per_track_dwell(plan: &Plan, scene: &Scene) -> Vec<Opening> {
    let rules = &plan.cameras[0].rules;
    let mut restarts = scene.restarts.clone();
    let mut vocabulary = Vocabulary::default();
    let (mut tracker, mut since) = (Tracker::default(), vec![Since::new(); rules.len()]);
    let mut openings = Vec::new();
    let mut last: Option<CaptureTime> = None;
    for look in &scene.looks {
        if restarts.first().is_some_and(|&t| look.t >= t) {
            restarts.remove(0);
            (tracker, since) = (Tracker::default(), vec![Since::new(); rules.len()]);
        }
        let at = stamp(look);
        if look.view != "clear" || last.is_some_and(|last| at <= last) {
            continue;
        }
        last = Some(at);
        let detections: Vec<Detection> = look
            .detections
            .iter()
            .map(|&(name, score, bbox)| Detection {
                label: vocabulary.intern(name).unwrap(),
                score,
                bbox: bbox.into(),
            })
            .collect();
        let groups: Vec<u16> =
            look.detections.iter().map(|&(name, ..)| group(name, &mut vocabulary)).collect();
        tracker.look(at, &detections, &groups);
        for (rule, since) in rules.iter().zip(&mut since) {
            let inside: Vec<&Track> = tracker
                .tracks()
                .iter()
                .filter(|track| track.last_seen == at && is_in(rule, track, &vocabulary))
                .collect();
            for (first_seen, centre) in judge(rule, &inside, &tracker, at, since) {
                let first_seen = first_seen.seconds_since(CaptureTime::default());
                openings.push(Opening { kind: rule.kind.slug.clone(), at: look.t, first_seen, centre });
            }
        }
    }
    openings
}

/// A number for the class group of the label `name`.
fn group(name: &str, vocabulary: &mut Vocabulary) -> u16 {
    vocabulary.intern(CATALOG.group(name)).unwrap().0
}

fn is_in(rule: &RulePlan, track: &Track, vocabulary: &Vocabulary) -> bool {
    rule.labels.iter().any(|label| label == vocabulary.name(track.label))
        && track.score >= rule.score
        && rule.polygon.contains(track.bbox().foot())
}

/// The cases that fall due at `at`: since when and where.
fn judge(
    rule: &RulePlan,
    inside: &[&Track],
    tracker: &Tracker,
    at: CaptureTime,
    since: &mut Since,
) -> Vec<(CaptureTime, (f32, f32))> {
    if let Condition::Count(least) = rule.condition {
        if inside.len() < least as usize {
            since.clear();
            return Vec::new();
        }
        return due(since, 0, at, rule.dwell_s).map(|began| (began, (0.0, 0.0))).into_iter().collect();
    }
    since.retain(|number, _| {
        let track = tracker.tracks().iter().find(|track| track.number == *number);
        track.is_some_and(|track| rule.polygon.contains(track.bbox().foot()))
    });
    inside
        .iter()
        .filter_map(|track| {
            due(since, track.number, at, rule.dwell_s).map(|began| (began, track.bbox().centre()))
        })
        .collect()
}

fn due(since: &mut Since, number: u64, at: CaptureTime, dwell_s: f64) -> Option<CaptureTime> {
    let entry = since.entry(number).or_insert(Some(at));
    let began = (*entry)?;
    if at.seconds_since(began) < dwell_s {
        return None;
    }
    *entry = None;
    Some(began)
}
