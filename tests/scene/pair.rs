//! Two cars side by side: bumper to bumper along the kerb, or the second one double-parked in front of the first.
//! One of them leaves while the other stays, and sometimes a third one takes its place.
//!
//! Fair: the farther car stays more than half visible, and a place is empty for 25 s before another car takes it.

use super::Noise;
use super::draft::{Draft, scene};
use super::kerb::{Car, DWELL_S, KERB, LENGTH_S, car, is_fair, legal_stops, park, passers, zone};
use super::world::Scene;

/// The pairs of `seed`.
pub fn pair(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("pair", zone(), LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    for middle in [250.0, 640.0] {
        let middle = middle + draft.dice.between(-20.0, 20.0);
        two(draft, middle);
    }
    let alone = draft.dice.between(1020.0, 1080.0);
    legal_stops(draft, alone);
    let parked = draft.things.len();
    passers(draft);
    draft.restart_sometimes(800.0);
    let fair = is_fair(draft, parked);
    draft.note_busy();
    fair
}

fn two(draft: &mut Draft, middle: f64) {
    let (one, other) = (car(&mut draft.dice), car(&mut draft.dice));
    let dice = &mut draft.dice;
    let (apart, nearer) = if dice.chance(0.5) {
        ((one.1 + other.1) / 2.0 * dice.between(0.85, 1.05), dice.between(0.0, 10.0))
    } else {
        ((one.1 + other.1) / 2.0 * dice.between(0.60, 0.75), dice.between(22.0, 32.0))
    };
    let spots = [(middle - apart / 2.0, KERB), (middle + apart / 2.0, KERB + nearer)];
    // The first was there before in half of the scenes; the second comes while it stands.
    let first = if dice.chance(0.5) { 0.0 } else { dice.between(30.0, 100.0) };
    let second = first + dice.between(20.0, 150.0);
    let gone = second + DWELL_S + dice.between(60.0, 200.0);
    let first_leaves = dice.chance(0.5);
    let (leaves, stays) = (Some(gone), None);
    park(draft, one, spots[0], first, if first_leaves { leaves } else { stays });
    park(draft, other, spots[1], second, if first_leaves { stays } else { leaves });
    if draft.dice.chance(0.5) {
        let third: Car = car(&mut draft.dice);
        let comes = gone + draft.dice.between(25.0, 80.0);
        park(draft, third, if first_leaves { spots[0] } else { spots[1] }, comes, None);
    }
}
