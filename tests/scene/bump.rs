//! A camera that is bumped: twice nudged by a few pixels for good, and once turned away and put back.
//!
//! Fair: a nudge is 3 to 12 pixels, a tenth of a car. A camera that is turned away knows it within two to five
//! seconds, as long as the view is judged on its own picture, and knows as late that it is back.

use super::Noise;
use super::camera::Shift;
use super::draft::{Draft, scene};
use super::kerb::{LENGTH_S, already_parked, arrives, is_fair, legal_stops, passers, places, zone};
use super::world::Scene;

/// The bumps of `seed`.
pub fn bump(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("bump", zone(), LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let places = places(&mut draft.dice);
    already_parked(draft, places[0]);
    arrives(draft, places[1]);
    arrives(draft, places[2]);
    legal_stops(draft, places[3]);
    let parked = draft.things.len();
    passers(draft);
    for _ in 0..2 {
        let dice = &mut draft.dice;
        let (far, angle) = (dice.between(3.0, 12.0), dice.between(0.0, std::f64::consts::TAU));
        let from = dice.between(60.0, 800.0);
        let (dx, dy) = (far * angle.cos(), far * angle.sin());
        draft.faults.shifts.push(Shift { from, until: f64::INFINITY, dx, dy });
    }
    let dice = &mut draft.dice;
    let from = dice.between(100.0, 700.0);
    let until = from + dice.between(20.0, 90.0);
    let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let (dx, dy) = (side * dice.between(60.0, 250.0), dice.between(-60.0, 60.0));
    draft.faults.shifts.push(Shift { from, until, dx, dy });
    let (known, back) = (from + dice.between(2.0, 5.0), until + dice.between(2.0, 5.0));
    draft.faults.unusable.push((known, back, "moved"));
    draft.restart_sometimes(800.0);
    let fair = is_fair(draft, parked);
    draft.note_busy();
    fair
}
