//! Fifteen minutes of a street with forbidden parking, put together by the seed: cars that were there before,
//! that arrive, that take each other's place within 20 s, that stop within what is allowed; lane traffic, buses in
//! front for 12 s and for 3 minutes, walkers, lost streams, unusable views, restarts.

use super::Dice;
use super::camera::{Faults, Noise, film};
use super::kerb::{
    Car, DWELL_S, KERB, LENGTH_S, PAVEMENT, bus, car, drive_in, drive_out, places, set_due, stands, stay,
    traffic, zone,
};
use super::world::{Scene, Thing, Violation, visible, walkers};

/// Builds the street of `seed`, looked at each `interval` seconds through `noise`.
pub fn street(seed: u64, noise: &Noise, interval: f64) -> Scene {
    // What happens where nobody can see it is not a fair question: such a street is drawn again.
    let mut built = (0..).filter_map(|attempt| build(seed * 1000 + attempt));
    let mut street = built.next().expect("most streets are fair");
    let looks = film(&street.things, &street.faults, LENGTH_S, interval, noise, &mut street.dice);
    let name = format!("street {seed} {} {interval} s", noise.name);
    Scene {
        name,
        zones: zone(),
        length_s: LENGTH_S,
        looks,
        truth: street.truth,
        restarts: street.restarts,
        busy: street.busy,
    }
}

struct Street {
    things: Vec<Thing>,
    truth: Vec<Violation>,
    faults: Faults,
    restarts: Vec<f64>,
    busy: Vec<f64>,
    dice: Dice,
}

fn build(seed: u64) -> Option<Street> {
    let mut dice = Dice::new(seed);
    let mut things = Vec::new();
    let mut truth = Vec::new();
    let places = places(&mut dice);
    let mut kerb = Parked { things: &mut things, truth: &mut truth, dice: &mut dice };
    already_parked(&mut kerb, places[0]);
    arrives(&mut kerb, places[1]);
    if kerb.dice.chance(0.6) {
        swap(&mut kerb, places[2]);
    }
    legal_stops(kerb.things, places[3], kerb.dice);
    if kerb.dice.chance(0.5) {
        arrives(&mut kerb, places[4]);
    }
    let parked = things.len();
    traffic(&mut things, &mut dice);
    buses(&mut things, &mut dice);
    things.extend(walkers(14, PAVEMENT, LENGTH_S, &mut dice));
    let faults = faults(&things[..parked], &mut dice);
    let restarts = if dice.chance(0.3) { vec![dice.between(30.0, 800.0)] } else { Vec::new() };
    let fair = changes_can_be_seen(&things, parked) && truth.iter_mut().all(|v| set_due(v, &things));
    let stays = things[..parked].iter().filter_map(stay);
    let busy = stays.flat_map(|(_, comes, leaves)| [comes, leaves, comes + DWELL_S]).collect();
    fair.then_some(Street { things, truth, faults, restarts, busy, dice })
}

/// A lost stream or an unusable view now and then, though not while a car comes or goes, nor when a case of one of
/// the cars at the kerb falls due.
fn faults(parked: &[Thing], dice: &mut Dice) -> Faults {
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
    let lost = faults.lost.iter().copied();
    let blind: Vec<(f64, f64)> = lost.chain(faults.unusable.iter().map(|&(a, b, _)| (a, b))).collect();
    let in_blind = |t: f64| blind.iter().any(|&(from, to)| t > from - 15.0 && t < to + 15.0);
    let mut stays = parked.iter().filter_map(stay);
    if stays.any(|(_, comes, leaves)| in_blind(comes) || in_blind(leaves) || in_blind(comes + DWELL_S)) {
        return Faults::default();
    }
    faults
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

/// Adds a car that stands at `x` from `from` until `until`.
fn park(street: &mut Parked<'_>, car: Car, x: f64, from: f64, until: Option<f64>) {
    let (thing, violation) = stands(car, x, from, until, street.dice);
    street.things.push(thing);
    street.truth.push(violation);
}

/// What the cars at the kerb are added to.
struct Parked<'a> {
    things: &'a mut Vec<Thing>,
    truth: &'a mut Vec<Violation>,
    dice: &'a mut Dice,
}

fn already_parked(street: &mut Parked<'_>, x: f64) {
    let car = car(street.dice);
    let until = street.dice.chance(0.5).then(|| street.dice.between(200.0, 800.0));
    park(street, car, x, 0.0, until);
}

fn arrives(street: &mut Parked<'_>, x: f64) {
    let car = car(street.dice);
    let from = street.dice.between(40.0, 500.0);
    let until = from + street.dice.between(DWELL_S + 40.0, 400.0);
    park(street, car, x, from, (until < LENGTH_S - 60.0).then_some(until));
}

/// One leaves and another takes the place within 20 s.
fn swap(street: &mut Parked<'_>, x: f64) {
    let first = car(street.dice);
    let (comes, leaves) = (street.dice.between(30.0, 120.0), street.dice.between(260.0, 400.0));
    park(street, first, x, comes, Some(leaves));
    let second = car(street.dice);
    let comes = leaves + street.dice.between(14.0, 20.0);
    // Nobody parks to the pixel where the one before stood.
    let x = x + street.dice.normal(12.0);
    park(street, second, x, comes, None);
}

/// Stops of about half the dwell, which are allowed.
fn legal_stops(things: &mut Vec<Thing>, x: f64, dice: &mut Dice) {
    let mut t = dice.between(30.0, 90.0);
    while t < LENGTH_S - 80.0 {
        let (label, width, height) = car(dice);
        let leaves = t + dice.between(20.0, 35.0);
        let mut path = drive_in(t, x, dice);
        path.extend(drive_out(leaves, x, dice));
        things.push(Thing { label, width, height, path });
        t = leaves + dice.between(45.0, 240.0);
    }
}

/// Buses in the near lane that stop in front of the kerb: twice for 12 s, once in a while for three minutes.
fn buses(things: &mut Vec<Thing>, dice: &mut Dice) {
    let mut stops = vec![dice.between(100.0, 400.0), dice.between(450.0, 800.0)];
    let mut waits = vec![12.0, 12.0];
    if dice.chance(0.3) {
        stops.push(dice.between(150.0, 650.0));
        waits.push(180.0);
    }
    for (t, wait) in stops.into_iter().zip(waits) {
        let x = dice.between(250.0, 1000.0);
        things.push(bus(t, wait, x));
    }
}
