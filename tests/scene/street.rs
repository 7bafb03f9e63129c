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
    DWELL_S, KERB, LENGTH_S, already_parked, arrives, car, legal_stops, park, passers, places, set_due, zone,
};
use super::world::{Scene, Thing, visible};

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
    changes_can_be_seen(&draft.things, parked) && set_due(draft)
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

/// Whether each empty time between two cars in one place is in plain view for eight seconds at least. The first
/// `parked` of `things` are the ones that come to the kerb.
fn changes_can_be_seen(things: &[Thing], parked: usize) -> bool {
    let stays: Vec<(f64, f64, f64)> = things[..parked].iter().filter_map(stay).collect();
    stays.iter().all(|&(x, _, leaves)| {
        let next = stays
            .iter()
            .filter(|&&(other, comes, _)| (other - x).abs() < 100.0 && comes > leaves)
            .map(|&(_, comes, _)| comes)
            .fold(f64::INFINITY, f64::min);
        if next.is_infinite() {
            return true;
        }
        let place = [x - 75.0, KERB - 80.0, x + 75.0, KERB];
        let steps = ((next - leaves) / 0.5) as usize;
        let seen = (0..steps).filter(|&n| visible(things, place, leaves + 0.5 * n as f64) > 0.9).count();
        seen as f64 * 0.5 >= 8.0
    })
}

/// Where `thing` stands at the kerb, from when, until when.
fn stay(thing: &Thing) -> Option<(f64, f64, f64)> {
    let at_kerb: Vec<&(f64, f64, f64)> = thing.path.iter().filter(|point| point.2 == KERB).collect();
    Some((at_kerb.first()?.1, at_kerb.first()?.0, at_kerb.last()?.0))
}
