//! A car park over six days, looked at once a minute: cars that nobody has moved for days, cars that leave each morning
//! and come back to their place in the evening, visitors; dark for some hours each night.
//!
//! Fair: whoever comes back was away for at least four hours in plain view, and does not stop to the pixel where he
//! stood before. Only cars that are not moved at all are abandoned.

use super::Noise;
use super::draft::{Draft, scene};
use super::kerb::car;
use super::world::{HEIGHT, Scene, Thing, Violation, WIDTH};

const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 24.0 * HOUR_S;
const DAYS: u32 = 6;
const LENGTH_S: f64 = DAYS as f64 * DAY_S;
const DWELL_S: f64 = 3.0 * DAY_S;
const FOOT: f64 = 430.0;

/// The car park of `seed`.
pub fn lot(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "lot"
kind = "parking"
grid = "410102007003012"
polygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 0.7], [0.0, 0.7]]
rule.abandoned_vehicle.dwell_s = {DWELL_S:?}
"#
    );
    scene(("lot", zone, LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let places: Vec<f64> = (0..6).map(|n| 120.0 + 205.0 * f64::from(n)).collect();
    let first = draft.dice.below(6);
    let x = |n: usize| places[(first + n) % 6];
    abandoned(draft, x(0), 0.0);
    let since = draft.dice.between(0.3, 2.0) * DAY_S;
    abandoned(draft, x(1), since);
    commutes(draft, x(2));
    commutes(draft, x(3));
    visitors(draft, x(4));
    for day in 0..DAYS {
        let from = f64::from(day) * DAY_S + draft.dice.between(0.0, 1.5) * HOUR_S;
        draft.faults.unusable.push((from, from + draft.dice.between(2.0, 4.0) * HOUR_S, "dark"));
    }
    draft.restart_sometimes(LENGTH_S - DAY_S);
    draft.note_busy();
    draft
        .truth
        .iter()
        .all(|v| !draft.faults.is_blind(v.due) && v.until.is_none_or(|until| until > v.due + 2.0 * HOUR_S))
}

/// A car that stands at `x` from `from` on and is towed away in the end, in half of the scenes.
fn abandoned(draft: &mut Draft, x: f64, from: f64) {
    let (label, width, height) = car(&mut draft.dice);
    let due = from + DWELL_S;
    let towed = draft.dice.chance(0.5).then(|| due + draft.dice.between(0.2, 0.8) * DAY_S);
    let path = vec![(from, x, FOOT), (towed.unwrap_or(LENGTH_S + 60.0), x, FOOT)];
    draft.culprits.push(draft.things.len());
    draft.things.push(Thing { label, width, height, path });
    let place = Some((x / WIDTH, (FOOT - height / 2.0) / HEIGHT));
    draft.truth.push(Violation { kind: "abandoned_vehicle", from, until: towed, due, place });
}

/// Leaves for work each morning and is back in the evening.
fn commutes(draft: &mut Draft, x: f64) {
    let (label, width, height) = car(&mut draft.dice);
    let mut since = 0.0;
    for day in 0..DAYS {
        let dice = &mut draft.dice;
        let midnight = f64::from(day) * DAY_S;
        let leaves = midnight + dice.between(6.5, 9.0) * HOUR_S;
        let back = midnight + dice.between(13.0, 20.0) * HOUR_S;
        let x = x + dice.normal(9.0);
        let path = vec![(since, x, FOOT), (leaves, x, FOOT)];
        draft.things.push(Thing { label, width, height, path });
        since = back;
    }
    draft.things.push(Thing {
        label,
        width,
        height,
        path: vec![(since, x, FOOT), (LENGTH_S + 60.0, x, FOOT)],
    });
}

/// Other cars, each for some hours.
fn visitors(draft: &mut Draft, x: f64) {
    let mut t = draft.dice.between(0.0, 5.0) * HOUR_S;
    while t < LENGTH_S {
        let (label, width, height) = car(&mut draft.dice);
        let until = t + draft.dice.between(0.5, 10.0) * HOUR_S;
        let x = x + draft.dice.normal(9.0);
        draft.things.push(Thing { label, width, height, path: vec![(t, x, FOOT), (until, x, FOOT)] });
        t = until + draft.dice.between(0.3, 5.0) * HOUR_S;
    }
}
