//! Gaps that break track ids: the stream is lost a dozen times for seconds, and glare hides single cars from the
//! detector for up to eight seconds at a time while everything else is found.
//!
//! Fair: no gap is longer than 20 s, and glare lasts for less than the clear time of ten seconds.

use super::Noise;
use super::draft::{Draft, scene};
use super::kerb::{LENGTH_S, already_parked, arrives, is_fair, legal_stops, passers, places, zone};
use super::world::Scene;

/// The gaps of `seed`.
pub fn gaps(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("gaps", zone(), LENGTH_S), seed, noise, interval, build)
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
    let mut t = draft.dice.between(10.0, 60.0);
    while t < LENGTH_S - 60.0 {
        let lasts = draft.dice.between(2.0, 20.0);
        draft.faults.lost.push((t, t + lasts));
        t += lasts + draft.dice.between(30.0, 90.0);
    }
    for culprit in draft.culprits.clone() {
        let mut t = draft.dice.between(5.0, 60.0);
        while t < LENGTH_S {
            let lasts = draft.dice.between(2.0, 8.0);
            draft.faults.glare.push((culprit, t, t + lasts));
            t += lasts + draft.dice.between(30.0, 120.0);
        }
    }
    draft.restart_sometimes(800.0);
    let fair = is_fair(draft, parked);
    draft.note_busy();
    fair
}
