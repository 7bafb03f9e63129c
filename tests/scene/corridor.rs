//! The corridor of a house: electric bicycles that are pushed in and stay to be charged, or are taken through to the
//! yard, and people who live there.
//!
//! Fair: an electric bicycle is in the corridor for eight seconds at least, and half a minute passes until the next
//! one. The model calls it a bicycle or a motorcycle, as one does that knows no better.

use super::Noise;
use super::draft::{Draft, scene};
use super::world::{Scene, Thing, Violation, WIDTH};

const DWELL_S: f64 = 5.0;
const LENGTH_S: f64 = 600.0;
/// Left and right end of the corridor in pixels.
const ENDS: (f64, f64) = (256.0, 1024.0);

/// The corridor of `seed`.
pub fn corridor(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "corridor"
kind = "corridor"
grid = "410102007003012"
polygon = [[0.2, 0.5], [0.8, 0.5], [0.8, 0.98], [0.2, 0.98]]
rule.ebike_in_corridor = {{ dwell_s = {DWELL_S:?}, clear_s = 15.0 }}
"#
    );
    scene(("corridor", zone, LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let mut t = draft.dice.between(10.0, 60.0);
    while t < LENGTH_S - 150.0 {
        let began = t;
        t = pushed(draft, t);
        draft.busy.extend([began, t]);
        t += draft.dice.between(30.0, 90.0);
    }
    for _ in 0..12 {
        let dice = &mut draft.dice;
        let (t, takes) = (dice.between(0.0, LENGTH_S - 30.0), dice.between(8.0, 14.0));
        let (y, height) = (dice.between(520.0, 680.0), dice.between(150.0, 180.0));
        let path = vec![(t, -40.0, y), (t + takes, WIDTH + 40.0, y)];
        draft.things.push(Thing { label: "person", width: height / 3.0, height, path });
    }
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    true
}

/// Somebody pushes an electric bicycle in at `t`; says when it is out again.
fn pushed(draft: &mut Draft, t: f64) -> f64 {
    let dice = &mut draft.dice;
    let label = if dice.chance(0.5) { "bicycle" } else { "motorcycle" };
    let (y, speed) = (dice.between(560.0, 640.0), dice.between(60.0, 95.0));
    let (left, right) = ENDS;
    let mut path = vec![(t - (left + 80.0) / speed, -80.0, y), (t, left, y)];
    let mut by = path.clone();
    let until = if dice.chance(0.5) {
        t + (right - left) / speed
    } else {
        // Left to charge; its owner goes in, and comes back for it.
        let x = dice.between(left + 120.0, right - 150.0);
        let stands = t + (x - left) / speed;
        let leaves = stands + dice.between(30.0, 120.0);
        path.extend([(stands, x, y), (leaves, x, y)]);
        by.extend([(stands, x, y), (stands + 5.0, x + 20.0, y - 300.0), (leaves - 5.0, x + 20.0, y - 300.0)]);
        by.push((leaves, x, y));
        leaves + (right - x) / speed
    };
    let out = until + (WIDTH + 80.0 - right) / speed;
    path.extend([(until, right, y), (out, WIDTH + 80.0, y)]);
    by.extend([(until, right, y), (out, WIDTH + 80.0, y)]);
    // He walks on the far side of it and stands out above it.
    let by = by.into_iter().map(|(t, x, y)| (t, x - 15.0, y - 6.0)).collect();
    draft.things.push(Thing { label: "person", width: 54.0, height: 165.0, path: by });
    draft.things.push(Thing { label, width: 120.0, height: 82.0, path });
    let (kind, due) = ("ebike_in_corridor", t + DWELL_S);
    draft.truth.push(Violation { kind, from: t, until: Some(until), due, place: None });
    until
}
