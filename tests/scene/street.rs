//! Fifteen minutes of a street with forbidden parking, put together by the seed.

use super::Dice;
use super::world::{Faults, HEIGHT, Noise, Scene, Thing, Violation, WIDTH, film, visible};

/// Dwell of the parking rule in these scenes, in seconds.
pub const DWELL_S: f64 = 60.0;
/// Length of a scene, in seconds.
pub const LENGTH_S: f64 = 900.0;

/// Foot lines in pixels.
const FAR_LANE: f64 = 350.0;
const KERB: f64 = 430.0;
const NEAR_LANE: f64 = 540.0;
const PAVEMENT: f64 = 640.0;

/// The no-parking zone, 0-1.
pub fn zone() -> [[f32; 2]; 4] {
    let y = |px: f64| (px / HEIGHT) as f32;
    [[0.0, y(KERB - 35.0)], [1.0, y(KERB - 35.0)], [1.0, y(KERB + 35.0)], [0.0, y(KERB + 35.0)]]
}

fn car(dice: &mut Dice) -> (&'static str, f64, f64) {
    match dice.below(6) {
        0 => ("truck", dice.between(190.0, 230.0), dice.between(110.0, 140.0)),
        _ => ("car", dice.between(140.0, 175.0), dice.between(72.0, 95.0)),
    }
}

/// Builds the street of `seed`, looked at each `interval` seconds through `noise`.
pub fn street(seed: u64, noise: &Noise, interval: f64) -> Scene {
    // What happens where nobody can see it is not a fair question: such a street is drawn again.
    let mut built = (0..).filter_map(|attempt| build(seed * 1000 + attempt));
    let mut street = built.next().expect("most streets are fair");
    let looks = film(&street.things, &street.faults, LENGTH_S, interval, noise, &mut street.dice);
    let name = format!("street {seed} {} {interval} s", noise.name);
    Scene { name, looks, truth: street.truth, restarts: street.restarts, busy: street.busy }
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
    // Places along the kerb, far enough apart that no two parked boxes overlap by more than a little.
    let mut places: Vec<f64> =
        (0..5).map(|n| 150.0 + 240.0 * f64::from(n) + dice.between(-15.0, 15.0)).collect();
    // Shuffled, so that every kind of visitor gets every kind of place.
    for n in (1..places.len()).rev() {
        places.swap(n, dice.below(n + 1));
    }
    already_parked(&mut things, &mut truth, places[0], &mut dice);
    arrives(&mut things, &mut truth, places[1], &mut dice);
    if dice.chance(0.6) {
        swap(&mut things, &mut truth, places[2], &mut dice);
    }
    legal_stops(&mut things, places[3], &mut dice);
    if dice.chance(0.5) {
        arrives(&mut things, &mut truth, places[4], &mut dice);
    }
    let parked = things.len();
    traffic(&mut things, &mut dice);
    buses(&mut things, &mut dice);
    walkers(&mut things, &mut dice);
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

/// Where `thing` stands at the kerb, from when, until when.
fn stay(thing: &Thing) -> Option<(f64, f64, f64)> {
    let at_kerb: Vec<&(f64, f64, f64)> = thing.path.iter().filter(|point| point.2 == KERB).collect();
    Some((at_kerb.first()?.1, at_kerb.first()?.0, at_kerb.last()?.0))
}

/// Works out when the case of `v` should open. False when it cannot be seen for long enough.
fn set_due(v: &mut Violation, things: &[Thing]) -> bool {
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

/// Drives in along the kerb line from the left, from `t` on; the way takes 4 to 7 s.
fn drive_in(t: f64, x: f64, dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let takes = dice.between(4.0, 7.0);
    vec![(t - takes, -120.0, NEAR_LANE - 30.0), (t - 2.0, x - 90.0, KERB + 35.0), (t, x, KERB)]
}

/// Drives out to the right from `t` on.
fn drive_out(t: f64, x: f64, dice: &mut Dice) -> Vec<(f64, f64, f64)> {
    let takes = dice.between(4.0, 7.0);
    vec![(t, x, KERB), (t + 1.5, x + 70.0, KERB + 40.0), (t + takes, WIDTH + 150.0, NEAR_LANE - 30.0)]
}

fn place(x: f64, height: f64) -> Option<(f64, f64)> {
    Some((x / WIDTH, (KERB - height / 2.0) / HEIGHT))
}

fn already_parked(things: &mut Vec<Thing>, truth: &mut Vec<Violation>, x: f64, dice: &mut Dice) {
    let (label, width, height) = car(dice);
    let mut path = vec![(0.0, x, KERB)];
    let until = dice.chance(0.5).then(|| dice.between(200.0, 800.0));
    match until {
        Some(t) => path.extend(drive_out(t, x, dice)),
        None => path.push((LENGTH_S + 1.0, x, KERB)),
    }
    things.push(Thing { label, width, height, path });
    truth.push(Violation { from: 0.0, until, due: 0.0, place: place(x, height) });
}

fn arrives(things: &mut Vec<Thing>, truth: &mut Vec<Violation>, x: f64, dice: &mut Dice) {
    let (label, width, height) = car(dice);
    let from = dice.between(40.0, 500.0);
    let stay = dice.between(DWELL_S + 40.0, 400.0);
    let mut path = drive_in(from, x, dice);
    let until = (from + stay < LENGTH_S - 60.0).then_some(from + stay);
    match until {
        Some(t) => path.extend(drive_out(t, x, dice)),
        None => path.push((LENGTH_S + 1.0, x, KERB)),
    }
    things.push(Thing { label, width, height, path });
    truth.push(Violation { from, until, due: 0.0, place: place(x, height) });
}

/// One leaves and another takes the place within 20 s.
fn swap(things: &mut Vec<Thing>, truth: &mut Vec<Violation>, x: f64, dice: &mut Dice) {
    let (label, width, height) = car(dice);
    let (first, leaves) = (dice.between(30.0, 120.0), dice.between(260.0, 400.0));
    let mut path = drive_in(first, x, dice);
    path.extend(drive_out(leaves, x, dice));
    things.push(Thing { label, width, height, path });
    truth.push(Violation { from: first, until: Some(leaves), due: 0.0, place: place(x, height) });
    let (label, width, height) = car(dice);
    let second = leaves + dice.between(14.0, 20.0);
    // Nobody parks to the pixel where the one before stood.
    let x = x + dice.normal(12.0);
    let mut path = drive_in(second, x, dice);
    path.push((LENGTH_S + 1.0, x, KERB));
    things.push(Thing { label, width, height, path });
    truth.push(Violation { from: second, until: None, due: 0.0, place: place(x, height) });
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

fn traffic(things: &mut Vec<Thing>, dice: &mut Dice) {
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
        let y = NEAR_LANE + 15.0;
        let path =
            vec![(t - 4.0, -250.0, y), (t, x, y), (t + wait, x, y), (t + wait + 5.0, WIDTH + 250.0, y)];
        things.push(Thing { label: "bus", width: 430.0, height: 215.0, path });
    }
}

fn walkers(things: &mut Vec<Thing>, dice: &mut Dice) {
    for _ in 0..14 {
        let t = dice.between(0.0, LENGTH_S - 40.0);
        let takes = dice.between(15.0, 35.0);
        let y = PAVEMENT + dice.between(-40.0, 40.0);
        let (from, to) = if dice.chance(0.5) { (-40.0, WIDTH + 40.0) } else { (WIDTH + 40.0, -40.0) };
        let height = dice.between(150.0, 190.0);
        things.push(Thing {
            label: "person",
            width: height / 3.0,
            height,
            path: vec![(t, from, y), (t + takes, to, y)],
        });
    }
}
