//! A kerb where parking is forbidden, seen from the side: how cars come to it and leave it, and when a case of one
//! that stands there should open.

use super::Dice;
use super::camera::Faults;
use super::world::{HEIGHT, Thing, Violation, WIDTH, visible};

/// Dwell of the parking rule in these scenes, in seconds.
pub const DWELL_S: f64 = 60.0;
/// Length of a scene, in seconds.
pub const LENGTH_S: f64 = 900.0;

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

/// Drives in along the kerb line from the left, from `t` on; the way takes 4 to 7 s.
pub fn drive_in(t: f64, x: f64, dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let takes = dice.between(4.0, 7.0);
    vec![(t - takes, -120.0, NEAR_LANE - 30.0), (t - 2.0, x - 90.0, KERB + 35.0), (t, x, KERB)]
}

/// Drives out to the right from `t` on.
pub fn drive_out(t: f64, x: f64, dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let takes = dice.between(4.0, 7.0);
    vec![(t, x, KERB), (t + 1.5, x + 70.0, KERB + 40.0), (t + takes, WIDTH + 150.0, NEAR_LANE - 30.0)]
}

/// Centre of what stands at `x` on the kerb with this height, 0-1.
pub fn place(x: f64, height: f64) -> Option<(f64, f64)> {
    Some((x / WIDTH, (KERB - height / 2.0) / HEIGHT))
}

/// A car at `x` from `from` (0: since before the scene) until `until`, and its violation.
pub fn stands(
    (label, width, height): Car,
    x: f64,
    from: f64,
    until: Option<f64>,
    dice: &mut Dice,
) -> (Thing, Violation) {
    let mut path = if from > 0.0 { drive_in(from, x, dice) } else { vec![(0.0, x, KERB)] };
    match until {
        Some(t) => path.extend(drive_out(t, x, dice)),
        None => path.push((LENGTH_S + 1.0, x, KERB)),
    }
    let place = place(x, height);
    let violation = Violation { kind: "illegal_parking", from, until, due: 0.0, place };
    (Thing { label, width, height, path }, violation)
}

/// 35 cars that pass in both lanes.
pub fn traffic(things: &mut Vec<Thing>, dice: &mut Dice) {
    for _ in 0..35 {
        let (label, width, height) = car(dice);
        let t = dice.between(0.0, LENGTH_S - 10.0);
        let takes = dice.between(5.0, 10.0);
        let (from, to, y) = if dice.chance(0.5) {
            (-120.0, WIDTH + 120.0, NEAR_LANE + dice.between(-10.0, 10.0))
        } else {
            (WIDTH + 120.0, -120.0, FAR_LANE + dice.between(-8.0, 8.0))
        };
        things.push(Thing { label, width, height, path: vec![(t, from, y), (t + takes, to, y)] });
    }
}

/// A bus that stops in front of the kerb at `x` from `t` for `wait` seconds.
pub fn bus(t: f64, wait: f64, x: f64) -> Thing {
    let y = NEAR_LANE + 15.0;
    let path = vec![(t - 4.0, -250.0, y), (t, x, y), (t + wait, x, y), (t + wait + 5.0, WIDTH + 250.0, y)];
    Thing { label: "bus", width: 430.0, height: 215.0, path }
}

/// Where `thing` stands at the kerb, from when, until when.
pub fn stay(thing: &Thing) -> Option<(f64, f64, f64)> {
    let at_kerb: Vec<&(f64, f64, f64)> = thing.path.iter().filter(|point| point.2 == KERB).collect();
    Some((at_kerb.first()?.1, at_kerb.first()?.0, at_kerb.last()?.0))
}

/// Works out when the case of `v` should open. False when it cannot be seen for long enough.
pub fn set_due(v: &mut Violation, things: &[Thing]) -> bool {
    let Some((x, y)) = v.place else { return true };
    let (x, height) = (x * WIDTH, 2.0 * (KERB - y * HEIGHT));
    let place = [x - 75.0, KERB - height, x + 75.0, KERB];
    let until = v.until.unwrap_or(LENGTH_S);
    let first_seen = |from: f64| {
        (0..)
            .map(|n| from + 0.2 * f64::from(n))
            .take_while(|&t| t < until)
            .find(|&t| visible(things, place, t) > 0.5)
    };
    let Some(due) = first_seen(v.from).and_then(|seen| first_seen(seen + DWELL_S)) else { return false };
    v.due = due;
    due + 30.0 < until
}

/// The same for the thing number `index`, with glare on it and faults of the camera taken into account.
pub fn set_due_through(v: &mut Violation, things: &[Thing], index: usize, faults: &Faults) -> bool {
    let until = v.until.unwrap_or(LENGTH_S);
    let glare = |t: f64| faults.glare.iter().any(|&(of, from, to)| of == index && t >= from && t < to);
    let first_seen = |from: f64| {
        (0..)
            .map(|n| from + 0.2 * f64::from(n))
            .take_while(|&t| t < until)
            .filter(|&t| !faults.is_blind(t) && !glare(t))
            .find(|&t| things[index].at(t).is_some_and(|bbox| visible(things, bbox, t) > 0.5))
    };
    let Some(due) = first_seen(v.from).and_then(|seen| first_seen(seen + DWELL_S)) else { return false };
    v.due = due;
    due + 30.0 < until
}
