//! Bicycles at a pavement: a pile of shared ones that grows and is taken away, and a place where no bicycle or scooter
//! may stand. Sometimes too few to matter; sometimes enough, but not for long.
//!
//! Fair: bicycles stand side by side, seen from the end, and hide each other by less than a third. A pile reaches three
//! more than the number; a row that does not matter stays three below it, or is over in half of the dwell.

use super::Noise;
use super::draft::{Draft, scene};
use super::world::{Scene, Thing, Violation, WIDTH, reached, walkers};

const LENGTH_S: f64 = 900.0;

/// One of the two places.
struct Place {
    kind: &'static str,
    labels: &'static [&'static str],
    count: usize,
    dwell_s: f64,
    /// Left end of the row, in pixels.
    left: f64,
    /// Most that stand there.
    most: usize,
}

const PILE: Place =
    Place { kind: "shared_bike_pile", labels: &["bicycle"], count: 8, dwell_s: 120.0, left: 700.0, most: 13 };
const FORBIDDEN: Place = Place {
    kind: "nonmotor_parking",
    labels: &["bicycle", "motorcycle"],
    count: 3,
    dwell_s: 90.0,
    left: 160.0,
    most: 7,
};
/// Foot lines of the two rows in pixels, and the way from one bicycle to the next.
const ROWS: [f64; 2] = [600.0, 655.0];
const APART: f64 = 58.0;
/// Both zones reach from this line to that one, in pixels; no row reaches beyond its zone to the sides.
const ZONE_ROWS: [f64; 4] = [0.0, 0.78 * 720.0, WIDTH, 0.96 * 720.0];

/// The bicycles of `seed`.
pub fn bikes(seed: u64, noise: &Noise, interval: f64) -> Scene {
    let zones = format!(
        r#"
[[camera.zone]]
id = "pavement"
kind = "sidewalk"
grid = "410102007003012"
polygon = [[0.5, 0.78], [0.98, 0.78], [0.98, 0.96], [0.5, 0.96]]
rule.shared_bike_pile = {{ count = {}, dwell_s = {:?} }}
[[camera.zone]]
id = "entrance"
kind = "no_bike_parking"
grid = "410102007003012"
polygon = [[0.08, 0.78], [0.45, 0.78], [0.45, 0.96], [0.08, 0.96]]
rule.nonmotor_parking = {{ count = {}, dwell_s = {:?} }}
"#,
        PILE.count, PILE.dwell_s, FORBIDDEN.count, FORBIDDEN.dwell_s
    );
    scene(("bikes", zones, LENGTH_S), seed, noise, interval, build)
}

fn build(draft: &mut Draft) -> bool {
    for place in [&PILE, &FORBIDDEN] {
        let mut t = draft.dice.between(-30.0, 60.0);
        while t < LENGTH_S - place.dwell_s - 150.0 {
            let gone = wave(draft, place, t);
            draft.busy.extend([t, gone]);
            t = gone + draft.dice.between(40.0, 120.0);
        }
    }
    draft.things.extend(walkers(10, 640.0, LENGTH_S, &mut draft.dice));
    draft.restart_sometimes(LENGTH_S - 60.0);
    draft.note_busy();
    !draft.truth.is_empty()
}

/// Bicycles that come one by one from `t` on and are taken away one by one; says when the last one is gone. What comes
/// before 0 was there when the scene began.
fn wave(draft: &mut Draft, place: &Place, t: f64) -> f64 {
    let dice = &mut draft.dice;
    let few = place.count.saturating_sub(3).max(1);
    let many = place.count + 3 + dice.below(place.most - place.count - 2);
    let (size, stays) = match dice.below(4) {
        0 => (few, dice.between(60.0, 2.0 * place.dwell_s)),
        1 => (many, dice.between(0.0, 0.2 * place.dwell_s)),
        _ => (many, dice.between(place.dwell_s + 30.0, place.dwell_s + 150.0)),
    };
    let brief = stays < 0.5 * place.dwell_s;
    let step = if brief { 0.25 * place.dwell_s / size as f64 } else { 6.0 };
    let mut comes: Vec<f64> = Vec::new();
    let mut at = t;
    for _ in 0..size {
        comes.push(at);
        at += step * dice.between(0.6, 1.4);
    }
    let mut goes: Vec<f64> = Vec::new();
    at += stays;
    for _ in 0..size {
        goes.push(at);
        at += step * dice.between(0.6, 1.4);
    }
    // They are taken in any order.
    for n in (1..goes.len()).rev() {
        goes.swap(n, draft.dice.below(n + 1));
    }
    let per_row = place.most.div_ceil(2);
    for n in 0..size {
        let dice = &mut draft.dice;
        let label = place.labels[dice.below(place.labels.len())];
        let (width, height) = (dice.between(44.0, 54.0), dice.between(66.0, 80.0));
        let x = place.left + APART * (n % per_row) as f64 + dice.between(-4.0, 4.0);
        let y = ROWS[n / per_row] + dice.between(-5.0, 5.0);
        // Pushed there from the road above the pavement, and carried away to it.
        let path = if comes[n] > 0.0 {
            vec![(comes[n] - 3.0, x - 60.0, y - 90.0), (comes[n], x, y)]
        } else {
            vec![(0.0, x, y)]
        };
        let mut thing = Thing { label, width, height, path };
        thing.path.push((goes[n], x, y));
        thing.path.push((goes[n] + 3.0, x + 60.0, y - 90.0));
        draft.things.push(thing);
    }
    let pile = &draft.things[draft.things.len() - size..];
    let enough = reached(pile, ZONE_ROWS, place.count, t.max(0.0), at.min(LENGTH_S));
    if let Some((from, until)) = enough.filter(|(from, until)| until - from > place.dwell_s) {
        let (ended, due) = ((at < LENGTH_S).then_some(until), from + place.dwell_s);
        draft.truth.push(Violation { kind: place.kind, from, until: ended, due, place: None });
    }
    at
}
