//! A kerb where parking is forbidden, seen from the side: how cars come to it and leave it, what passes, and when a
//! case of a car that stands there should open.

use super::Dice;
use super::camera::Faults;
use super::draft::Draft;
use super::world::{HEIGHT, Thing, Violation, WIDTH, visible};

/// Dwell of the parking rule in these scenes, in seconds.
pub const DWELL_S: f64 = 60.0;
/// Length of a scene, in seconds.
pub const LENGTH_S: f64 = 900.0;
/// After so many seconds without a look, what stands in a place may be another car than before: its dwell begins
/// anew.
pub const FORGOTTEN_S: f64 = 300.0;

/// Foot lines in pixels.
pub const FAR_LANE: f64 = 350.0;
pub const KERB: f64 = 430.0;
pub const NEAR_LANE: f64 = 540.0;
pub const PAVEMENT: f64 = 640.0;

/// The no-parking zone along the kerb.
pub fn zone() -> String {
    let y = |px: f64| px / HEIGHT;
    let (top, bottom) = (y(KERB - 35.0), y(KERB + 35.0));
    format!(
        r#"
[[camera.zone]]
id = "kerb"
kind = "no_parking"
grid = "410102007003012"
polygon = [[0.0, {top:?}], [1.0, {top:?}], [1.0, {bottom:?}], [0.0, {bottom:?}]]
rule.illegal_parking.dwell_s = {DWELL_S:?}
"#
    )
}

/// Label, width and height of a vehicle.
pub type Car = (&'static str, f64, f64);

/// A car or, one time in six, a truck.
pub fn car(dice: &mut Dice) -> Car {
    match dice.below(6) {
        0 => ("truck", dice.between(190.0, 230.0), dice.between(110.0, 140.0)),
        _ => ("car", dice.between(140.0, 175.0), dice.between(72.0, 95.0)),
    }
}

/// Five places along the kerb in random order, far enough apart that no two parked boxes overlap by more than a
/// little.
pub fn places(dice: &mut Dice) -> Vec<f64> {
    let mut places: Vec<f64> =
        (0..5).map(|n| 150.0 + 240.0 * f64::from(n) + dice.between(-15.0, 15.0)).collect();
    // Shuffled, so that every kind of visitor gets every kind of place.
    for n in (1..places.len()).rev() {
        places.swap(n, dice.below(n + 1));
    }
    places
}

/// Drives in along the kerb from the left to stand at `x`, `foot` from `t` on; the way takes 4 to 7 s.
fn drive_in(t: f64, (x, foot): (f64, f64), dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let takes = dice.between(4.0, 7.0);
    vec![(t - takes, -120.0, NEAR_LANE - 30.0), (t - 2.0, x - 90.0, foot + 35.0), (t, x, foot)]
}

/// Drives out to the right from `t` on.
fn drive_out(t: f64, (x, foot): (f64, f64), dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let takes = dice.between(4.0, 7.0);
    vec![(t, x, foot), (t + 1.5, x + 70.0, foot + 40.0), (t + takes, WIDTH + 150.0, NEAR_LANE - 30.0)]
}

/// Adds `car`, which stands at `spot` (x of the centre, y of the foot) from `from` (0: since before the scene) until
/// `until`. Not a violation as such.
pub fn stand(draft: &mut Draft, car: Car, spot: (f64, f64), from: f64, until: Option<f64>) {
    let (label, width, height) = car;
    let mut path =
        if from > 0.0 { drive_in(from, spot, &mut draft.dice) } else { vec![(0.0, spot.0, spot.1)] };
    match until {
        Some(t) => path.extend(drive_out(t, spot, &mut draft.dice)),
        None => path.push((LENGTH_S + 1.0, spot.0, spot.1)),
    }
    draft.things.push(Thing { label, width, height, path });
}

/// Adds `car` in the same way, and the violation that it is.
pub fn park(draft: &mut Draft, car: Car, spot: (f64, f64), from: f64, until: Option<f64>) {
    let place = Some((spot.0 / WIDTH, (spot.1 - car.2 / 2.0) / HEIGHT));
    draft.culprits.push(draft.things.len());
    draft.truth.push(Violation { kind: "illegal_parking", from, until, due: 0.0, place });
    stand(draft, car, spot, from, until);
}

/// A car that was at `x` before the scene began, and leaves in half of the scenes.
pub fn already_parked(draft: &mut Draft, x: f64) {
    let car = car(&mut draft.dice);
    let until = draft.dice.chance(0.5).then(|| draft.dice.between(200.0, 800.0));
    park(draft, car, (x, KERB), 0.0, until);
}

/// A car that comes to `x` and stays for longer than is allowed.
pub fn arrives(draft: &mut Draft, x: f64) {
    let car = car(&mut draft.dice);
    let from = draft.dice.between(40.0, 500.0);
    let until = from + draft.dice.between(DWELL_S + 40.0, 400.0);
    park(draft, car, (x, KERB), from, (until < LENGTH_S - 60.0).then_some(until));
}

/// Stops of about half the dwell, which are allowed.
pub fn legal_stops(draft: &mut Draft, x: f64) {
    let mut t = draft.dice.between(30.0, 90.0);
    while t < LENGTH_S - 80.0 {
        let car = car(&mut draft.dice);
        let leaves = t + draft.dice.between(20.0, 35.0);
        stand(draft, car, (x, KERB), t, Some(leaves));
        t = leaves + draft.dice.between(45.0, 240.0);
    }
}

/// 35 cars that pass in both lanes.
pub fn traffic(draft: &mut Draft) {
    for _ in 0..35 {
        let dice = &mut draft.dice;
        let (label, width, height) = car(dice);
        let t = dice.between(0.0, LENGTH_S - 10.0);
        let takes = dice.between(5.0, 10.0);
        let (from, to, y) = if dice.chance(0.5) {
            (-120.0, WIDTH + 120.0, NEAR_LANE + dice.between(-10.0, 10.0))
        } else {
            (WIDTH + 120.0, -120.0, FAR_LANE + dice.between(-8.0, 8.0))
        };
        draft.things.push(Thing { label, width, height, path: vec![(t, from, y), (t + takes, to, y)] });
    }
}

/// Buses in the near lane that stop in front of the kerb: twice for 12 s, once in a while for three minutes.
pub fn buses(draft: &mut Draft) {
    let dice = &mut draft.dice;
    let mut stops = vec![dice.between(100.0, 400.0), dice.between(450.0, 800.0)];
    let mut waits = vec![12.0, 12.0];
    if dice.chance(0.3) {
        stops.push(dice.between(150.0, 650.0));
        waits.push(180.0);
    }
    for (t, wait) in stops.into_iter().zip(waits) {
        let x = dice.between(250.0, 1000.0);
        draft.things.push(bus(t, wait, x));
    }
}

/// A bus that stops in front of the kerb at `x` from `t` for `wait` seconds.
fn bus(t: f64, wait: f64, x: f64) -> Thing {
    let y = NEAR_LANE + 15.0;
    let path = vec![(t - 4.0, -250.0, y), (t, x, y), (t + wait, x, y), (t + wait + 5.0, WIDTH + 250.0, y)];
    Thing { label: "bus", width: 430.0, height: 215.0, path }
}

/// What else is on the street: traffic, buses, walkers.
pub fn passers(draft: &mut Draft) {
    traffic(draft);
    buses(draft);
    let walkers = super::world::walkers(14, PAVEMENT, LENGTH_S, &mut draft.dice);
    draft.things.extend(walkers);
}

/// Whether it is fair to ask for the cases of `draft`, whose first `parked` things are those that come to the kerb: each
/// of them can be seen for long enough, and each empty time between two cars in one place is in plain view for eight
/// seconds. Works out when the cases should open.
pub fn is_fair(draft: &mut Draft, parked: usize) -> bool {
    changes_can_be_seen(&draft.things, parked, &draft.faults) && set_due(draft)
}

fn changes_can_be_seen(things: &[Thing], parked: usize, faults: &Faults) -> bool {
    let stays: Vec<(f64, f64, f64)> = things[..parked].iter().filter_map(stay).collect();
    stays.iter().all(|&(x, _, leaves)| {
        let next = stays
            .iter()
            .filter(|&&(other, comes, _)| (other - x).abs() < 60.0 && comes > leaves)
            .map(|&(_, comes, _)| comes)
            .fold(f64::INFINITY, f64::min);
        if next.is_infinite() {
            return true;
        }
        let place = [x - 75.0, KERB - 80.0, x + 75.0, KERB];
        let in_view = |t: f64| !faults.is_blind(t) && visible(things, place, t) > 0.9;
        let steps = ((next - leaves) / 0.5) as usize;
        let seen = (0..steps).filter(|&n| in_view(leaves + 0.5 * n as f64)).count();
        seen as f64 * 0.5 >= 8.0
    })
}

/// Where `thing` stands at the kerb, from when, until when: the two points of its path that are the same.
pub fn stay(thing: &Thing) -> Option<(f64, f64, f64)> {
    let same = |pair: &&[(f64, f64, f64)]| (pair[0].1, pair[0].2) == (pair[1].1, pair[1].2);
    let pair = thing.path.windows(2).find(same)?;
    Some((pair[0].1, pair[0].0, pair[1].0))
}

/// Works out when the case of each violation should open. False when one cannot be seen for long enough.
fn set_due(draft: &mut Draft) -> bool {
    let Draft { things, truth, culprits, faults, .. } = draft;
    truth.iter_mut().zip(culprits.iter()).all(|(v, &culprit)| {
        let due = due(things, culprit, v.from, faults);
        v.due = due.unwrap_or(f64::INFINITY);
        v.due + 30.0 < v.until.unwrap_or(LENGTH_S)
    })
}

/// When the thing number `index`, in its place from `from` on, has been in sight for the dwell by the camera's clock,
/// first to last. In sight is what is more than half visible, on a look that can be judged and that is later than all
/// before it.
fn due(things: &[Thing], index: usize, from: f64, faults: &Faults) -> Option<f64> {
    let glare = |t: f64| faults.glare.iter().any(|&(of, from, to)| of == index && t >= from && t < to);
    let mut latest = f64::NEG_INFINITY;
    let (mut seen, mut last) = (None, 0.0);
    let mut n = 0.0;
    loop {
        let t = 0.2 * n;
        n += 1.0;
        if t > LENGTH_S {
            return None;
        }
        let now = faults.stamp(t);
        if now <= latest {
            continue;
        }
        latest = now;
        if t < from || faults.is_blind(t) || glare(t) {
            continue;
        }
        let bbox = things[index].at(t)?;
        if visible(things, bbox, t) <= 0.5 {
            continue;
        }
        let since = match seen {
            Some(since) if now - last <= FORGOTTEN_S => since,
            _ => now,
        };
        if now - since >= DWELL_S {
            return Some(t);
        }
        (seen, last) = (Some(since), now);
    }
}
