//! The camera and the noisy detector behind it.

use super::Dice;
use super::world::{HEIGHT, SceneLook, Thing, WIDTH, visible_part};

/// Below this visible share nothing is detected.
const LEAST_VISIBLE: f64 = 0.4;
/// Labels that a detector confuses on one and the same object.
const VEHICLES: [&str; 3] = ["car", "truck", "bus"];

/// How bad the detector is.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    pub name: &'static str,
    /// Share of visible objects missed on a look.
    pub miss: f64,
    /// Deviation of each box edge in pixels.
    pub jitter_px: f64,
    /// Share of detections whose label flips between car, truck and bus.
    pub flip: f64,
    /// Ghost detections a look, anywhere.
    pub ghosts: f64,
}

impl Noise {
    pub const CLEAN: Self = Self { name: "clean", miss: 0.05, jitter_px: 2.0, flip: 0.02, ghosts: 0.002 };
    pub const NOISY: Self = Self { name: "noisy", miss: 0.25, jitter_px: 6.0, flip: 0.10, ghosts: 0.01 };
    pub const BAD: Self = Self { name: "bad", miss: 0.50, jitter_px: 6.0, flip: 0.20, ghosts: 0.02 };
}

/// What the camera suffers. All times are seconds of the scene.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Stretches without looks.
    pub lost: Vec<(f64, f64)>,
    /// Stretches with a view that the camera itself knows to be unusable.
    pub unusable: Vec<(f64, f64, &'static str)>,
    /// Stretches in which everything is shown elsewhere in the picture: the camera was turned or nudged.
    pub shifts: Vec<Shift>,
    /// Stretches in which the detector does not find one thing, though it is in plain view: glare, a reflection.
    pub glare: Vec<(usize, f64, f64)>,
    /// Things that are not there, found again and again in one place.
    pub ghosts: Vec<Ghost>,
    /// The light falls from 1 to `least` between `from` and `until` and stays so.
    pub dusk: Option<Dusk>,
    /// Steps of the camera's clock: when, and by how many seconds.
    pub steps: Vec<(f64, f64)>,
}

/// Everything is shown `dx`, `dy` pixels off from `from` until `until`.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    pub from: f64,
    pub until: f64,
    pub dx: f64,
    pub dy: f64,
}

/// A shadow or reflection that the detector takes for something.
#[derive(Clone, Copy, Debug)]
pub struct Ghost {
    pub label: &'static str,
    /// Left, top, right, bottom in pixels.
    pub bbox: [f64; 4],
    pub from: f64,
    pub until: f64,
    /// Share of the looks on which it is found.
    pub rate: f64,
    /// Mean of its score; the deviation is 0.05.
    pub score: f64,
}

/// Nightfall.
#[derive(Clone, Copy, Debug)]
pub struct Dusk {
    pub from: f64,
    pub until: f64,
    pub least: f64,
}

impl Faults {
    /// Stretches in which nothing can be judged.
    pub fn blind(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.lost.iter().copied().chain(self.unusable.iter().map(|&(from, until, _)| (from, until)))
    }

    /// Whether nothing can be judged at `t`. While the camera is turned away nothing can, though it may not know yet.
    pub fn is_blind(&self, t: f64) -> bool {
        self.blind().any(|(from, until)| t >= from && t < until) || self.shift(t).is_some_and(is_away)
    }

    /// The light at `t`: it scales the share of things found, and sinks their scores half as much.
    fn light(&self, t: f64) -> f64 {
        let Some(Dusk { from, until, least }) = self.dusk else { return 1.0 };
        1.0 - (1.0 - least) * ((t - from) / (until - from)).clamp(0.0, 1.0)
    }

    fn shift(&self, t: f64) -> Option<(f64, f64)> {
        let now = self.shifts.iter().filter(|s| t >= s.from && t < s.until);
        now.map(|s| (s.dx, s.dy)).reduce(|a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// What the camera's clock shows at `t`.
    pub fn stamp(&self, t: f64) -> f64 {
        t + self.steps.iter().filter(|&&(when, _)| t >= when).map(|&(_, by)| by).sum::<f64>()
    }
}

/// Whether a camera that shows everything so far off was turned away and not only nudged.
fn is_away((dx, dy): (f64, f64)) -> bool {
    f64::hypot(dx, dy) > 40.0
}

/// One detection with the thing that it is of; `None` for a ghost.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub thing: Option<usize>,
    pub label: &'static str,
    pub score: f32,
    /// 0-1.
    pub bbox: [f32; 4],
}

/// Looks at `things` each `interval` seconds until `end`.
pub fn film(
    things: &[Thing],
    faults: &Faults,
    end: f64,
    interval: f64,
    noise: &Noise,
    dice: &mut Dice,
) -> Vec<SceneLook> {
    let mut looks = Vec::new();
    let mut n = 0u64;
    loop {
        let t = n as f64 * interval;
        n += 1;
        if t > end {
            return looks;
        }
        if faults.lost.iter().any(|&(from, to)| t >= from && t < to) {
            continue;
        }
        let bad = faults.unusable.iter().find(|&&(from, to, _)| t >= from && t < to);
        let view = bad.map_or("clear", |&(.., view)| view);
        // A camera that was turned away still sees something; one in the dark does not.
        let seen = if bad.is_none() || faults.shift(t).is_some() {
            detect(things, t, faults, noise, dice)
        } else {
            Vec::new()
        };
        let detections = seen.iter().map(|seen| (seen.label, seen.score, seen.bbox)).collect();
        let of = seen.iter().map(|seen| seen.thing).collect();
        looks.push(SceneLook { t, stamp: faults.stamp(t), view, detections, of });
    }
}

/// The things that can be seen at `t`: number, box inside the picture, visible share, bounds of what shows.
pub fn in_view(things: &[Thing], t: f64) -> Vec<(usize, [f64; 4], f64, [f64; 4])> {
    let boxes: Vec<(usize, [f64; 4])> = things
        .iter()
        .enumerate()
        .filter_map(|(index, thing)| thing.at(t).map(|bbox| (index, bbox)))
        .collect();
    let mut shown = Vec::new();
    for &(index, bbox) in &boxes {
        let Some(inside) = cut(bbox) else { continue };
        let nearer: Vec<[f64; 4]> =
            boxes.iter().filter(|&&(other, b)| other != index && b[3] > bbox[3]).map(|&(_, b)| b).collect();
        let (visible, part) = visible_part(inside, &nearer);
        if visible >= LEAST_VISIBLE && area(inside) >= 0.3 * area(bbox) {
            shown.push((index, inside, visible, part));
        }
    }
    shown
}

/// What the detector says at `t`.
pub fn detect(things: &[Thing], t: f64, faults: &Faults, noise: &Noise, dice: &mut Dice) -> Vec<Seen> {
    let light = faults.light(t);
    let shift = faults.shift(t).unwrap_or_default();
    let mut seen = Vec::new();
    for (index, inside, visible, part) in in_view(things, t) {
        if faults.glare.iter().any(|&(thing, from, until)| thing == index && t >= from && t < until) {
            continue;
        }
        // A half-hidden object is harder to find, and its box shrinks to what shows.
        let found = (1.0 - noise.miss) * (0.4 + 0.6 * visible) * light;
        if !dice.chance(found) {
            continue;
        }
        let shown = if visible > 0.85 { inside } else { part };
        let edges = shown.map(|edge| edge + dice.normal(noise.jitter_px));
        let Some(bbox) = framed(edges, shift) else { continue };
        let label = if VEHICLES.contains(&things[index].label) && dice.chance(noise.flip) {
            VEHICLES[dice.below(3)]
        } else {
            things[index].label
        };
        let mean = 0.72 * (0.5 + 0.5 * visible) * (0.5 + 0.5 * light);
        let score = (mean + dice.normal(0.08)).clamp(0.25, 0.98) as f32;
        seen.push(Seen { thing: Some(index), label, score, bbox });
    }
    if dice.chance(noise.ghosts) {
        let (w, h) = (dice.between(40.0, 220.0), dice.between(40.0, 160.0));
        let (x, y) = (dice.between(0.0, WIDTH - w), dice.between(0.0, HEIGHT - h));
        let label = ["car", "truck", "person", "bicycle"][dice.below(4)];
        let score = dice.between(0.3, 0.65) as f32;
        seen.push(Seen { thing: None, label, score, bbox: normal([x, y, x + w, y + h]) });
    }
    for ghost in &faults.ghosts {
        if t < ghost.from || t >= ghost.until || !dice.chance(ghost.rate) {
            continue;
        }
        let edges = ghost.bbox.map(|edge| edge + dice.normal(noise.jitter_px.max(4.0)));
        let score = (ghost.score + dice.normal(0.05)).clamp(0.25, 0.98) as f32;
        if let Some(bbox) = framed(edges, shift) {
            seen.push(Seen { thing: None, label: ghost.label, score, bbox });
        }
    }
    seen
}

/// The box as the picture has it, moved by `shift`; `None` when next to nothing of it is left.
fn framed(edges: [f64; 4], (dx, dy): (f64, f64)) -> Option<[f32; 4]> {
    let edges = cut([edges[0] + dx, edges[1] + dy, edges[2] + dx, edges[3] + dy])?;
    Some(normal(edges))
}

fn area(b: [f64; 4]) -> f64 {
    (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0)
}

/// The part of a box inside the picture.
fn cut(b: [f64; 4]) -> Option<[f64; 4]> {
    let c = [b[0].max(0.0), b[1].max(0.0), b[2].min(WIDTH), b[3].min(HEIGHT)];
    (c[2] - c[0] > 4.0 && c[3] - c[1] > 4.0).then_some(c)
}

fn normal(b: [f64; 4]) -> [f32; 4] {
    [b[0] / WIDTH, b[1] / HEIGHT, b[2] / WIDTH, b[3] / HEIGHT].map(|v| v as f32)
}
