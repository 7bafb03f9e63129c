//! The best that can be had from the detections where it is a car that stands too long: an observer who is told which
//! box is of which car never takes one for another, and so is late only where the detector is.

use gridpatrol::plan::Plan;

use super::kerb::FORGOTTEN_S;
use super::score::{Opening, Score, score_openings};
use super::world::Scene;

/// What such an observer opens in `scene`, judged; `None` where things are counted, and where what matters is where
/// something goes.
pub fn oracle(plan: &Plan, scene: &Scene) -> Option<Score> {
    if scene.culprits.len() != scene.truth.len() {
        return None;
    }
    let openings = scene.truth.iter().zip(&scene.culprits).filter_map(|(truth, &culprit)| {
        let rule = plan.cameras[0].rules.iter().find(|rule| rule.kind.slug == truth.kind)?;
        let (mut first_seen, mut latest) = (None, f64::NEG_INFINITY);
        // A look that is not later than all before it by the camera's clock can be placed nowhere.
        let in_time = scene.looks.iter().filter(|look| {
            let is_in_time = look.stamp > latest;
            latest = latest.max(look.stamp);
            is_in_time
        });
        let can_be_judged = in_time.filter(|look| look.t >= truth.from && !scene.faults.is_blind(look.t));
        // What has not been seen for so long by the camera's clock counts anew.
        let forgotten_s = FORGOTTEN_S.max(rule.dwell_s / 4.0);
        let mut last_seen = f64::NEG_INFINITY;
        let at = can_be_judged.filter(|look| look.of.contains(&Some(culprit))).find(|look| {
            let goes_on = first_seen.filter(|_| look.stamp - last_seen <= forgotten_s);
            first_seen = Some(goes_on.unwrap_or(look.stamp));
            last_seen = look.stamp;
            first_seen.is_some_and(|first_seen| look.stamp - first_seen >= rule.dwell_s)
        });
        let (x, y) = truth.place?;
        Some(Opening {
            kind: truth.kind.to_owned(),
            at: at?.t,
            first_seen: first_seen?,
            centre: (x as f32, y as f32),
        })
    });
    Some(score_openings(scene, &openings.collect::<Vec<_>>()))
}
