//! Replays of scenes through the program itself: a recording that comes in parts gives the events of the whole.

use std::path::Path;

use serde_json::Value;

use crate::scene::jsonl::lines;
use crate::scene::play::configuration;
use crate::scene::world::{Scene, SceneLook};
use crate::scene::{Dice, KINDS, Noise};
use crate::support::program::gridpatrol_ok;

/// Replays `looks` with what `folder` holds, and gives the events.
fn replay(folder: &Path, looks: &[SceneLook], state: Option<&str>) -> String {
    let input = folder.join("looks.jsonl");
    std::fs::write(&input, lines(looks)).unwrap();
    let config = folder.join("edge.toml");
    let mut args = vec!["replay", "--config", config.to_str().unwrap(), "--camera", "cam-05"];
    args.extend(["--input", input.to_str().unwrap(), "--start", "2026-11-24T08:00:00+08:00"]);
    let state = state.map(|name| folder.join(name));
    if let Some(state) = &state {
        args.extend(["--state", state.to_str().unwrap()]);
    }
    gridpatrol_ok(&args)
}

/// Replays `scene` whole and cut at each of `cuts`, which must give the same events byte for byte.
fn same_in_parts(scene: &Scene, cuts: &[f64]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("edge.toml"), configuration(&scene.zones)).unwrap();
    let whole = replay(folder.path(), &scene.looks, None);
    let mut parts = String::new();
    let mut rest = &scene.looks[..];
    for &cut in cuts.iter().chain(&[f64::INFINITY]) {
        let (part, after) = rest.split_at(rest.partition_point(|look| look.t < cut));
        parts.push_str(&replay(folder.path(), part, Some("state")));
        rest = after;
    }
    assert_eq!(parts, whole, "{} cut at {cuts:?}", scene.name);
    let opened = whole.lines().filter(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["type"] == "cn.patrol.case.opened.v1"
    });
    assert!(opened.count() > 0, "{}: no case opened", scene.name);
}

/// Every kind of scene but those whose clock goes back, which a file of detections cannot say, and those that last for
/// days.
fn scenes(seed: u64) -> Vec<Scene> {
    let kinds = KINDS.iter().filter(|kind| !["clock", "lot"].contains(&kind.name));
    kinds.map(|kind| (kind.make)(seed, &Noise::NOISY, 0.5)).collect()
}

#[test]
fn two_halves_with_state_give_the_events_of_the_whole() {
    for scene in scenes(20) {
        // In the middle of a dwell, which is when there is most to lose.
        let violation = &scene.truth[scene.truth.len() / 2];
        same_in_parts(&scene, &[(violation.from + violation.due) / 2.0]);
    }
}

#[test]
fn many_parts_with_state_give_the_events_of_the_whole() {
    for seed in 0..3 {
        let mut dice = Dice::new(seed);
        for scene in scenes(seed).into_iter().take(2) {
            let mut cuts: Vec<f64> = (0..6).map(|_| dice.between(10.0, scene.length_s - 10.0)).collect();
            cuts.sort_by(f64::total_cmp);
            same_in_parts(&scene, &cuts);
        }
    }
}
