//! Stalls at a pavement: a table under an umbrella and somebody who sells there, set up and cleared away again.
//! Sometimes a stall that is chased away in time, somebody waiting under an umbrella, or a table that nobody keeps.
//!
//! Fair: the seller is beside the stall for nine tenths of the time, what is no stall lasts for half of the dwell or has
//! nobody beside it but who walks past, and stalls are a minute or more apart.

use super::Noise;
use super::draft::{Draft, scene};
use super::world::{HEIGHT, Scene, Thing, Violation, WIDTH, walkers};

const DWELL_S: f64 = 120.0;
const LENGTH_S: f64 = 900.0;
const FOOT: f64 = 620.0;

/// The stalls of `seed`.
pub fn stall(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "pavement"
kind = "no_stall"
grid = "410102007003012"
polygon = [[0.05, 0.8], [0.95, 0.8], [0.95, 0.92], [0.05, 0.92]]
rule.roadside_stall = {{ dwell_s = {DWELL_S:?}, clear_s = 30.0 }}
"#
    );
    scene(("stall", zone, LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    for x in [300.0, 900.0] {
        let mut t = draft.dice.between(5.0, 100.0);
        while t < LENGTH_S - DWELL_S - 150.0 {
            let x = x + draft.dice.between(-40.0, 40.0);
            let began = t;
            t = match draft.dice.below(6) {
                0 => waits(draft, t, x),
                1 => unkept(draft, t, x),
                2 => {
                    let stays = draft.dice.between(0.2, 0.5) * DWELL_S;
                    sells(draft, t, x, stays)
                }
                _ => {
                    let stays = draft.dice.between(DWELL_S + 40.0, DWELL_S + 200.0);
                    sells(draft, t, x, stays)
                }
            };
            draft.busy.extend([began, t]);
            t += draft.dice.between(60.0, 120.0);
        }
    }
    // Behind the stalls and in front of them.
    draft.things.extend(walkers(6, 560.0, LENGTH_S, &mut draft.dice));
    draft.things.extend(walkers(4, 700.0, LENGTH_S, &mut draft.dice));
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    !draft.truth.is_empty()
}

/// A stall at `x` that stands from `t` on for `stays` seconds; says when it is gone.
fn sells(draft: &mut Draft, t: f64, x: f64, stays: f64) -> f64 {
    let until = t + stays;
    let table = t + draft.dice.between(0.0, 6.0);
    let umbrella = t + draft.dice.between(5.0, 15.0);
    put(draft, "dining table", (120.0, 56.0), (x, FOOT), table, until);
    put(draft, "umbrella", (140.0, 150.0), (x, FOOT - 8.0), umbrella, until - 3.0);
    let beside = if draft.dice.chance(0.5) { x - 92.0 } else { x + 92.0 };
    seller(draft, beside, t, until);
    let mut at = t + draft.dice.between(20.0, 50.0);
    while at < until - 40.0 {
        at = customer(draft, at, x) + draft.dice.between(10.0, 60.0);
    }
    if stays > DWELL_S {
        let from = table;
        let place = Some((x / WIDTH, (FOOT - 50.0) / HEIGHT));
        let (ended, due) = ((until < LENGTH_S).then_some(until), from + DWELL_S);
        draft.truth.push(Violation { kind: "roadside_stall", from, until: ended, due, place });
    }
    until
}

/// Carried in from the left within three seconds, and away again.
fn put(
    draft: &mut Draft,
    label: &'static str,
    (width, height): (f64, f64),
    (x, y): (f64, f64),
    from: f64,
    until: f64,
) {
    let path = vec![
        (from - 3.0, x - 200.0, y - 60.0),
        (from, x, y),
        (until, x, y),
        (until + 3.0, x - 200.0, y - 60.0),
    ];
    draft.things.push(Thing { label, width, height, path });
}

/// Stands at `x` while the stall is there, and goes away for some seconds now and then.
fn seller(draft: &mut Draft, x: f64, t: f64, until: f64) {
    let dice = &mut draft.dice;
    let height = dice.between(145.0, 170.0);
    let y = FOOT + 4.0;
    let mut path = vec![(t - 4.0, x - 220.0, y - 60.0), (t, x, y)];
    let mut at = t;
    loop {
        at += dice.between(60.0, 120.0);
        if at > until - 20.0 {
            break;
        }
        path.extend([(at, x, y), (at + 3.0, x + 250.0, y - 40.0), (at + 6.0, x, y)]);
        at += 6.0;
    }
    path.extend([(until, x, y), (until + 4.0, x - 220.0, y - 60.0)]);
    draft.things.push(Thing { label: "person", width: height / 3.0, height, path });
}

/// Comes to the stall at `x`, buys, and leaves; says when.
fn customer(draft: &mut Draft, t: f64, x: f64) -> f64 {
    let dice = &mut draft.dice;
    let height = dice.between(140.0, 170.0);
    let (x, leaves) = (x + dice.between(-40.0, 40.0), t + dice.between(10.0, 30.0));
    let y = FOOT + 60.0;
    let path = vec![(t - 6.0, -40.0, y), (t, x, y), (leaves, x, y), (leaves + 6.0, WIDTH + 40.0, y)];
    draft.things.push(Thing { label: "person", width: height / 3.0, height, path });
    leaves + 6.0
}

/// Somebody who waits under an umbrella for less than half of the dwell.
fn waits(draft: &mut Draft, t: f64, x: f64) -> f64 {
    let until = t + draft.dice.between(20.0, 0.4 * DWELL_S);
    let walk = |from: f64, to: f64| {
        vec![(from - 8.0, -80.0, FOOT), (from, x, FOOT), (to, x, FOOT), (to + 8.0, WIDTH + 80.0, FOOT)]
    };
    draft.things.push(Thing { label: "person", width: 52.0, height: 156.0, path: walk(t, until) });
    let above = walk(t, until).into_iter().map(|(t, x, y)| (t, x, y - 110.0)).collect();
    draft.things.push(Thing { label: "umbrella", width: 120.0, height: 60.0, path: above });
    until
}

/// A table that nobody keeps.
fn unkept(draft: &mut Draft, t: f64, x: f64) -> f64 {
    let until = t + draft.dice.between(DWELL_S + 20.0, DWELL_S + 100.0);
    put(draft, "dining table", (120.0, 56.0), (x, FOOT), t, until);
    until
}
