//! Fifteen minutes of a street with forbidden parking, put together by the seed: cars that were there before,
//! that arrive, that take each other's place within 20 s, that stop within what is allowed; lane traffic, buses in
//! front for 12 s and for 3 minutes, walkers, lost streams, unusable views, restarts.
//!
//! Fair: a case falls due in sight, one car's leaving and the next one's coming are eight seconds apart in plain
//! view, and the stream is not lost while something changes.

use super::Noise;
use super::camera::Faults;
use super::draft::{Draft, scene};
use super::kerb::{
    DWELL_S, KERB, LENGTH_S, already_parked, arrives, car, is_fair, legal_stops, park, passers, places, stay,
    zone,
};
use super::world::Scene;

/// The street of `seed`, looked at each `interval` seconds through `noise`.
pub fn street(seed: u64, noise: &Noise, interval: f64) -> Scene {
    scene(("street", zone(), LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let places = places(&mut draft.dice);
    already_parked(draft, places[0]);
    arrives(draft, places[1]);
    if draft.dice.chance(0.6) {
        swap(draft, places[2]);
    }
    legal_stops(draft, places[3]);
    if draft.dice.chance(0.5) {
        arrives(draft, places[4]);
    }
    let parked = draft.things.len();
    passers(draft);
    faults(draft, parked);
    draft.restart_sometimes(800.0);
    let stays = draft.things[..parked].iter().filter_map(stay);
    draft.busy = stays.flat_map(|(_, comes, leaves)| [comes, leaves, comes + DWELL_S]).collect();
    is_fair(draft, parked)
}

/// One leaves and another takes the place within 20 s.
fn swap(draft: &mut Draft, x: f64) {
    let first = car(&mut draft.dice);
    let (comes, leaves) = (draft.dice.between(30.0, 120.0), draft.dice.between(260.0, 400.0));
    park(draft, first, (x, KERB), comes, Some(leaves));
    let second = car(&mut draft.dice);
    let comes = leaves + draft.dice.between(14.0, 20.0);
    // Nobody parks to the pixel where the one before stood.
    let x = x + draft.dice.normal(12.0);
    park(draft, second, (x, KERB), comes, None);
}

/// A lost stream or an unusable view now and then, though not while one of the first `parked` things comes or goes,
/// nor when its case falls due.
fn faults(draft: &mut Draft, parked: usize) {
    let dice = &mut draft.dice;
    let mut faults = Faults::default();
    if dice.chance(0.3) {
        let from = dice.between(200.0, 600.0);
        faults.lost.push((from, from + dice.between(20.0, 120.0)));
    }
    if dice.chance(0.3) {
        let from = dice.between(200.0, 600.0);
        let view = ["dark", "covered", "moved"][dice.below(3)];
        faults.unusable.push((from, from + dice.between(20.0, 120.0), view));
    }
    let in_blind = |t: f64| faults.blind().any(|(from, to)| t > from - 15.0 && t < to + 15.0);
    let mut stays = draft.things[..parked].iter().filter_map(stay);
    if !stays.any(|(_, comes, leaves)| in_blind(comes) || in_blind(leaves) || in_blind(comes + DWELL_S)) {
        draft.faults = faults;
    }
}
