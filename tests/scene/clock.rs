//! A camera whose clock is stepped: an hour ahead, by some seconds back, or ten minutes back.
//!
//! Fair: an hour ahead looks like an hour without looks. What stands there afterwards counts anew, what has a case
//! keeps it, and a legal stop does not become an hour long. After a step back there is nothing to go by until the
//! clock shows again what it has shown before; from then on dwell counts by the clock.

use super::Noise;
use super::draft::{Draft, scene};
use super::kerb::{LENGTH_S, already_parked, arrives, is_fair, legal_stops, passers, places, zone};
use super::world::Scene;

/// The stepped clock of `seed`.
pub fn clock(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("clock", zone(), LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let places = places(&mut draft.dice);
    already_parked(draft, places[0]);
    already_parked(draft, places[1]);
    arrives(draft, places[2]);
    arrives(draft, places[3]);
    legal_stops(draft, places[4]);
    let parked = draft.things.len();
    passers(draft);
    let dice = &mut draft.dice;
    let step = match dice.below(4) {
        0 | 1 => (dice.between(20.0, 700.0), 3600.0),
        2 => (dice.between(20.0, 700.0), -dice.between(1.0, 30.0)),
        _ => (dice.between(20.0, 120.0), -600.0),
    };
    draft.faults.steps.push(step);
    draft.restart_sometimes(800.0);
    let fair = is_fair(draft, parked);
    draft.note_busy();
    fair
}
