//! Shadows and reflections: something that is not there is taken for a car in one place of the zone, for minutes at a
//! low score, or for seconds at a high one; and a part of a parked car is taken for a second car.
//!
//! Fair: what lasts stays below the rule's score nine times in ten and is found on less than a third of the looks;
//! what scores higher is gone after a third of the dwell; a part lies inside its car and ends at its foot.

use super::Noise;
use super::camera::Ghost;
use super::draft::{Draft, scene};
use super::kerb::{KERB, LENGTH_S, already_parked, arrives, is_fair, passers, places, zone};
use super::world::{HEIGHT, Scene, WIDTH};

/// The shadows of `seed`.
pub fn shadow(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("shadow", zone(), LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let places = places(&mut draft.dice);
    already_parked(draft, places[0]);
    arrives(draft, places[1]);
    for &x in &places[2..4] {
        lasting(draft, x);
    }
    let mut t = draft.dice.between(20.0, 80.0);
    while t < LENGTH_S - 40.0 {
        t = flash(draft, t, places[4]) + draft.dice.between(40.0, 120.0);
    }
    for n in 0..draft.truth.len() {
        part(draft, n);
    }
    let parked = draft.things.len();
    passers(draft);
    draft.restart_sometimes(800.0);
    let fair = is_fair(draft, parked);
    draft.note_busy();
    fair
}

/// The shadow of a tree on the kerb at `x`.
fn lasting(draft: &mut Draft, x: f64) {
    let dice = &mut draft.dice;
    let from = dice.between(0.0, 300.0);
    let ghost = Ghost {
        label: "car",
        bbox: at_kerb(x, dice.between(90.0, 180.0), dice.between(50.0, 100.0)),
        from,
        until: from + dice.between(200.0, 600.0),
        rate: dice.between(0.10, 0.30),
        score: dice.between(0.30, 0.38),
    };
    draft.faults.ghosts.push(ghost);
}

/// A reflection at `x` from `from` on; says when it ends.
fn flash(draft: &mut Draft, from: f64, x: f64) -> f64 {
    let dice = &mut draft.dice;
    let until = from + dice.between(3.0, 20.0);
    let (w, h) = (dice.between(90.0, 180.0), dice.between(50.0, 100.0));
    let (rate, score) = (dice.between(0.3, 0.6), dice.between(0.45, 0.65));
    draft.faults.ghosts.push(Ghost { label: "car", bbox: at_kerb(x, w, h), from, until, rate, score });
    until
}

/// The front or the rear of the car of violation number `n`, taken for a car of its own now and then.
fn part(draft: &mut Draft, n: usize) {
    let (v, car) = (&draft.truth[n], &draft.things[draft.culprits[n]]);
    let Some((x, y)) = v.place else { return };
    let (x, y, w) = (x * WIDTH, y * HEIGHT, car.width);
    let (top, foot) = (y - car.height / 2.0, y + car.height / 2.0);
    let (from, until) = (v.from, v.until.unwrap_or(LENGTH_S));
    let dice = &mut draft.dice;
    let share = dice.between(0.45, 0.65) * w;
    let bbox = if dice.chance(0.5) {
        [x - w / 2.0, top, x - w / 2.0 + share, foot]
    } else {
        [x + w / 2.0 - share, top, x + w / 2.0, foot]
    };
    let (rate, score) = (dice.between(0.05, 0.20), dice.between(0.40, 0.60));
    draft.faults.ghosts.push(Ghost { label: "car", bbox, from, until, rate, score });
}

fn at_kerb(x: f64, w: f64, h: f64) -> [f64; 4] {
    [x - w / 2.0, KERB - h, x + w / 2.0, KERB]
}
