//! Nightfall: over some minutes scores sink by a sixth and a third of what is found by day is missed; then headlights sweep the kerb
//! and are taken for cars for a few seconds at a time. Cars come before, during and after it.
//!
//! Fair: two thirds of what is found by day is still found, at scores above the rule's as a rule. A sweep lasts for a third of the dwell at most.

use super::Noise;
use super::camera::{Dusk, Ghost};
use super::draft::{Draft, scene};
use super::kerb::{KERB, LENGTH_S, already_parked, arrives, is_fair, legal_stops, passers, places, zone};
use super::world::Scene;

/// The night of `seed`.
pub fn night(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("night", zone(), LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let places = places(&mut draft.dice);
    already_parked(draft, places[0]);
    arrives(draft, places[1]);
    arrives(draft, places[2]);
    legal_stops(draft, places[3]);
    let parked = draft.things.len();
    passers(draft);
    let from = draft.dice.between(60.0, 200.0);
    let until = from + draft.dice.between(150.0, 350.0);
    draft.faults.dusk = Some(Dusk { from, until, least: 0.65 });
    let mut t = until;
    while t < LENGTH_S - 30.0 {
        sweep(draft, t, places[4]);
        t += draft.dice.between(40.0, 150.0);
    }
    draft.restart_sometimes(800.0);
    let fair = is_fair(draft, parked);
    draft.note_busy();
    fair
}

/// Headlights on the wall behind the free place at `x`.
fn sweep(draft: &mut Draft, from: f64, x: f64) {
    let dice = &mut draft.dice;
    let x = x + dice.between(-30.0, 30.0);
    let (w, h) = (dice.between(100.0, 200.0), dice.between(60.0, 100.0));
    let foot = KERB + dice.between(-15.0, 15.0);
    draft.faults.ghosts.push(Ghost {
        label: "car",
        bbox: [x - w / 2.0, foot - h, x + w / 2.0, foot],
        from,
        until: from + dice.between(4.0, 20.0),
        rate: dice.between(0.3, 0.7),
        score: dice.between(0.40, 0.60),
    });
}
