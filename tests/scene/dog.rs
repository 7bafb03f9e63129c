//! A small park: dogs with somebody, dogs with nobody, and people who only pass.
//!
//! Fair: a stray dog stays for the dwell and a minute more and keeps a dog's length away from people but for those who
//! walk past it; a dog that has somebody is never more than two steps from him.

use super::Noise;
use super::draft::{Draft, scene};
use super::world::{Scene, Thing, Violation, WIDTH, walkers};

const DWELL_S: f64 = 60.0;
const LENGTH_S: f64 = 900.0;

/// The park of `seed`.
pub fn dog(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "park"
kind = "public_area"
grid = "410102007003012"
polygon = [[0.1, 0.5], [0.9, 0.5], [0.9, 0.95], [0.1, 0.95]]
rule.stray_dog = {{ dwell_s = {DWELL_S:?}, clear_s = 30.0 }}
"#
    );
    scene(("dog", zone, LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    let mut t = draft.dice.between(10.0, 60.0);
    while t < LENGTH_S - 220.0 {
        let began = t;
        let stays = draft.dice.between(DWELL_S + 60.0, DWELL_S + 120.0);
        let stray = draft.dice.chance(0.6);
        t = roams(draft, t, stays, stray);
        draft.busy.extend([began, t]);
        t += draft.dice.between(60.0, 120.0);
    }
    draft.things.extend(walkers(4, 640.0, LENGTH_S, &mut draft.dice));
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    !draft.truth.is_empty()
}

/// A dog that comes from the left at `t`, roams for `stays` seconds and leaves on the right, with somebody beside it
/// unless it is a stray; says when.
fn roams(draft: &mut Draft, t: f64, stays: f64, stray: bool) -> f64 {
    let dice = &mut draft.dice;
    let (left, right) = (0.1 * WIDTH, 0.9 * WIDTH);
    let (until, y) = (t + stays, dice.between(440.0, 540.0));
    let mut path = vec![(t - 3.0, -80.0, y), (t, left, y)];
    let (mut at, mut x) = (t, left);
    loop {
        let to = dice.between(left + 100.0, right - 100.0);
        let takes = (to - x).abs() / dice.between(40.0, 90.0);
        let rests = dice.between(2.0, 15.0);
        if at + takes + rests > until - 12.0 {
            break;
        }
        let y = dice.between(430.0, 560.0);
        path.extend([(at + takes, to, y), (at + takes + rests, to, y)]);
        (at, x) = (at + takes + rests, to);
    }
    path.extend([(until, right, y), (until + 3.0, WIDTH + 80.0, y)]);
    if stray {
        let due = t + DWELL_S;
        draft.truth.push(Violation { kind: "stray_dog", from: t, until: Some(until), due, place: None });
    } else {
        let beside = path.iter().map(|&(t, x, y)| (t, x + 62.0, y + 6.0)).collect();
        draft.things.push(Thing { label: "person", width: 52.0, height: 156.0, path: beside });
    }
    draft.things.push(Thing { label: "dog", width: 72.0, height: 52.0, path });
    until
}
