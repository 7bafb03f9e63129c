//! A square on which people gather and disperse: small groups that stand, busloads that only cross, and sometimes a
//! crowd of more than the number for longer than the dwell.
//!
//! Fair: a crowd has at least two people more than the number and comes together within 25 s, a group has at least
//! two fewer, people in it do not hide each other by more than half, and a busload is over in a third of the dwell.

use super::Noise;
use super::draft::{Draft, scene};
use super::world::{Scene, Thing, Violation, WIDTH, reached};

/// The number that makes a crowd, and its dwell in seconds.
const COUNT: usize = 6;
const DWELL_S: f64 = 30.0;
const LENGTH_S: f64 = 600.0;
/// Foot lines of the rows in which people stand, in pixels.
const ROWS: [f64; 3] = [500.0, 590.0, 680.0];
/// Between two people in a row, in pixels: a body and a half.
const APART: f64 = 95.0;

/// The square in pixels: left, top, right, bottom.
const SQUARE: [f64; 4] = [128.0, 450.0, 1152.0, 720.0];

/// The crowds of `seed`.
pub fn crowd(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "square"
kind = "gathering"
grid = "410102007003011"
polygon = [[0.1, 0.625], [0.9, 0.625], [0.9, 1.0], [0.1, 1.0]]
rule.crowd = {{ count = {COUNT}, dwell_s = {DWELL_S:?} }}
"#
    );
    scene(("crowd", zone, LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let mut t = draft.dice.between(5.0, 40.0);
    while t < LENGTH_S - 150.0 {
        let dice = &mut draft.dice;
        t = match dice.below(4) {
            0 => {
                let size = 2 + dice.below(3);
                let stays = dice.between(40.0, 90.0);
                gather(draft, t, size, stays)
            }
            1 => busload(draft, t),
            _ => {
                let size = COUNT + 2 + dice.below(5);
                let stays = dice.between(DWELL_S + 40.0, DWELL_S + 120.0);
                gather(draft, t, size, stays)
            }
        };
        t += draft.dice.between(20.0, 60.0);
    }
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    !draft.truth.is_empty()
}

/// `size` people who come one by one from `t` on, stand for about `stays` seconds, and leave; says when the last one
/// has left.
fn gather(draft: &mut Draft, t: f64, size: usize, stays: f64) -> f64 {
    let dice = &mut draft.dice;
    let mut places: Vec<(f64, f64)> = (0..12)
        .map(|n| {
            // Every other row stands in the gaps of the one before it.
            let shift = if n / 4 == 1 { APART / 2.0 } else { 0.0 };
            (450.0 + APART * (n % 4) as f64 + shift, ROWS[n / 4])
        })
        .collect();
    for n in (1..places.len()).rev() {
        places.swap(n, dice.below(n + 1));
    }
    let comes: Vec<f64> = (0..size).map(|_| t + 8.0 + dice.between(0.0, 22.0)).collect();
    let goes: Vec<f64> = (0..size).map(|_| t + 30.0 + stays + dice.between(0.0, 15.0)).collect();
    let mut last = t;
    for n in 0..size {
        let (x, y) = (places[n].0 + dice.between(-8.0, 8.0), places[n].1 + dice.between(-8.0, 8.0));
        let height = dice.between(140.0, 170.0);
        let left = dice.chance(0.5);
        let (way, outside) = if left { (x + 40.0, -40.0) } else { (WIDTH + 40.0 - x, WIDTH + 40.0) };
        let takes = way / dice.between(110.0, 160.0);
        let mut path = vec![(comes[n] - takes, outside, y), (comes[n], x, y)];
        // Nobody stands like a post.
        let mut at = comes[n] + dice.between(4.0, 10.0);
        while at < goes[n] - 2.0 {
            path.push((at, x + dice.between(-10.0, 10.0), y + dice.between(-4.0, 4.0)));
            at += dice.between(4.0, 10.0);
        }
        path.push((goes[n], x, y));
        path.push((goes[n] + takes, outside, y));
        last = f64::max(last, goes[n] + takes);
        draft.things.push(Thing { label: "person", width: height / 3.0, height, path });
    }
    let group = &draft.things[draft.things.len() - size..];
    if let Some((from, until)) = reached(group, SQUARE, COUNT, t, last) {
        let due = from + DWELL_S;
        draft.truth.push(Violation { kind: "crowd", from, until: Some(until), due, place: None });
    }
    last
}

/// Ten people who get off a bus and cross the square; says when the last one is gone.
fn busload(draft: &mut Draft, t: f64) -> f64 {
    let mut last = t;
    for n in 0..10 {
        let dice = &mut draft.dice;
        let begins = t + 0.6 * f64::from(n) + dice.between(0.0, 0.5);
        let y = dice.between(480.0, 690.0);
        let height = dice.between(140.0, 170.0);
        let takes = dice.between(9.0, 12.0);
        let path = vec![(begins, -40.0, y), (begins + takes, WIDTH + 40.0, y)];
        last = f64::max(last, begins + takes);
        draft.things.push(Thing { label: "person", width: height / 3.0, height, path });
    }
    last
}
