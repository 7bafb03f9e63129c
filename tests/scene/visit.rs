//! People where they should not be: in a yard that nobody may enter, and hanging about in front of it.
//!
//! Fair: whoever is in the yard is there for 15 s at least and shows for most of it; people outside keep 30 pixels away
//! from it. Whoever loiters does so for half as long again as is allowed; others cross, or wait for half of it, well apart
//! from each other. At two seconds between looks a walking person is somewhere else each time, so loitering is only
//! asked for at five looks a second.

use super::Noise;
use super::draft::{Draft, scene};
use super::world::{Scene, Thing, Violation, WIDTH};

const LENGTH_S: f64 = 900.0;
/// Dwell of the loitering rule, in seconds.
const LOITERING_S: f64 = 60.0;
/// Dwell of the intrusion rule, in seconds.
const INTRUSION_S: f64 = 2.0;

/// The intrusions of `seed`.
pub fn intrusion(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "yard"
kind = "restricted"
grid = "410102007003012"
polygon = [[0.3, 0.4], [0.7, 0.4], [0.7, 0.7], [0.3, 0.7]]
rule.intrusion = {{ dwell_s = {INTRUSION_S:?}, clear_s = 15.0 }}
"#
    );
    scene(("intrusion", zone, LENGTH_S), seed, noise, interval, intrusions)
}

/// Left, right, top and bottom of the yard in pixels.
const YARD: [f64; 4] = [384.0, 896.0, 288.0, 504.0];

fn intrusions(draft: &mut Draft) -> bool {
    // A van in front of the yard hides whoever passes behind it.
    draft.things.push(Thing {
        label: "truck",
        width: 190.0,
        height: 120.0,
        path: vec![(0.0, 640.0, 560.0), (LENGTH_S + 1.0, 640.0, 560.0)],
    });
    let mut t = draft.dice.between(20.0, 120.0);
    while t < LENGTH_S - 120.0 {
        t = intrudes(draft, t) + draft.dice.between(60.0, 200.0);
    }
    for _ in 0..14 {
        let t = draft.dice.between(0.0, LENGTH_S - 30.0);
        let y = if draft.dice.chance(0.5) { YARD[3] + 35.0 } else { 660.0 } + draft.dice.between(0.0, 30.0);
        let takes = draft.dice.between(12.0, 25.0);
        person(draft, vec![(t, -40.0, y), (t + takes, WIDTH + 40.0, y)]);
    }
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    true
}

/// Enters the yard from the left, walks about in it and leaves on the right; says when.
fn intrudes(draft: &mut Draft, t: f64) -> f64 {
    let dice = &mut draft.dice;
    let (y, stays) = (dice.between(YARD[2] + 60.0, YARD[3] - 30.0), dice.between(15.0, 60.0));
    // The foot crosses the edge of the zone at `t` and at `until`, at 80 pixels a second.
    let until = t + stays;
    let mut path = vec![(t - 5.0, YARD[0] - 400.0, y), (t, YARD[0], y)];
    let mut at = t + 1.5;
    while at < until - 4.0 {
        path.push((
            at,
            dice.between(YARD[0] + 60.0, YARD[1] - 60.0),
            dice.between(YARD[2] + 60.0, YARD[3] - 20.0),
        ));
        at += dice.between(3.0, 8.0);
    }
    path.extend([(until, YARD[1], y), (until + 5.0, YARD[1] + 400.0, y)]);
    person(draft, path);
    draft.truth.push(Violation {
        kind: "intrusion",
        from: t,
        until: Some(until),
        due: t + INTRUSION_S,
        place: None,
    });
    until
}

/// The loiterers of `seed`.
pub fn loiter(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zone = format!(
        r#"
[[camera.zone]]
id = "gate"
kind = "no_loitering"
grid = "410102007003012"
polygon = [[0.15, 0.6], [0.85, 0.6], [0.85, 0.98], [0.15, 0.98]]
rule.loitering = {{ dwell_s = {LOITERING_S:?}, clear_s = 15.0 }}
"#
    );
    scene(("loiter", zone, LENGTH_S), seed, noise, interval, loiterers)
}

fn loiterers(draft: &mut Draft) -> bool {
    let mut t = draft.dice.between(20.0, 150.0);
    while t < LENGTH_S - 250.0 {
        t = hangs_about(draft, t) + draft.dice.between(80.0, 200.0);
    }
    // Others wait in turns on the left, so that somebody is always there.
    let mut t = draft.dice.between(0.0, 30.0);
    while t < LENGTH_S - 60.0 {
        let stays = draft.dice.between(15.0, 0.5 * LOITERING_S);
        let (x, y) = (draft.dice.between(240.0, 420.0), draft.dice.between(470.0, 520.0));
        person(draft, vec![(t - 4.0, -40.0, y), (t, x, y), (t + stays, x, y), (t + stays + 4.0, -40.0, y)]);
        t += stays + draft.dice.between(10.0, 40.0);
    }
    for _ in 0..10 {
        let t = draft.dice.between(0.0, LENGTH_S - 30.0);
        let (y, takes) = (draft.dice.between(640.0, 690.0), draft.dice.between(12.0, 25.0));
        person(draft, vec![(t, -40.0, y), (t + takes, WIDTH + 40.0, y)]);
    }
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    !draft.truth.is_empty()
}

/// Walks up and down on the right for longer than is allowed; says when he leaves.
fn hangs_about(draft: &mut Draft, t: f64) -> f64 {
    let dice = &mut draft.dice;
    let stays = dice.between(1.5 * LOITERING_S, 3.0 * LOITERING_S);
    let (until, edge, y) = (t + stays, 0.85 * WIDTH, dice.between(560.0, 600.0));
    let mut path = vec![(t - 3.0, edge + 240.0, y), (t, edge, y)];
    let (mut at, mut x) = (t, edge);
    loop {
        let to = dice.between(640.0, edge - 60.0);
        let takes = (to - x).abs() / dice.between(40.0, 90.0);
        let rests = dice.between(0.0, 15.0);
        if at + takes + rests > until - 6.0 {
            break;
        }
        let y = dice.between(560.0, 610.0);
        path.extend([(at + takes, to, y), (at + takes + rests, to, y)]);
        (at, x) = (at + takes + rests, to);
    }
    path.extend([(until, edge, y), (until + 3.0, edge + 240.0, y)]);
    person(draft, path);
    draft.truth.push(Violation {
        kind: "loitering",
        from: t,
        until: Some(until),
        due: t + LOITERING_S,
        place: None,
    });
    until
}

fn person(draft: &mut Draft, path: Vec<(f64, f64, f64)>) {
    let height = draft.dice.between(140.0, 175.0);
    draft.things.push(Thing { label: "person", width: height / 3.0, height, path });
}
