//! Objects on timed paths, seen by a noisy detector.

use super::Dice;

/// Picture size in pixels.
pub const WIDTH: f64 = 1280.0;
pub const HEIGHT: f64 = 720.0;
/// Below this visible share nothing is detected.
const LEAST_VISIBLE: f64 = 0.4;

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

/// Something on the street. `path` holds (seconds, x of the centre, y of the foot), in pixels; it is there from
/// the first to the last point.
#[derive(Clone, Debug)]
pub struct Thing {
    pub label: &'static str,
    pub width: f64,
    pub height: f64,
    pub path: Vec<(f64, f64, f64)>,
}

impl Thing {
    fn at(&self, t: f64) -> Option<[f64; 4]> {
        let after = self.path.iter().position(|&(when, ..)| when >= t)?;
        let (x, y) = if after == 0 {
            if self.path[0].0 > t {
                return None;
            }
            (self.path[0].1, self.path[0].2)
        } else {
            let (a, b) = (self.path[after - 1], self.path[after]);
            let share = if b.0 > a.0 { (t - a.0) / (b.0 - a.0) } else { 1.0 };
            (a.1 + share * (b.1 - a.1), a.2 + share * (b.2 - a.2))
        };
        Some([x - self.width / 2.0, y - self.height, x + self.width / 2.0, y])
    }
}

/// A violation that really happened.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When the object came to its place, in seconds; what was there at the start counts from 0.
    pub from: f64,
    /// When it left; `None` if it is there at the end.
    pub until: Option<f64>,
    /// When a case should open: the first moment at which the object can be seen once it has stood in sight for
    /// the dwell, first to last.
    pub due: f64,
    /// Centre of its place, 0-1; `None` for one that is about the zone.
    pub place: Option<(f64, f64)>,
}

/// One look of a scene, as a line of a detections file.
#[derive(Clone, Debug)]
pub struct SceneLook {
    pub t: f64,
    pub view: &'static str,
    /// Label, score, box 0-1.
    pub detections: Vec<(&'static str, f32, [f32; 4])>,
}

/// A scene with its truth.
#[derive(Clone, Debug)]
pub struct Scene {
    pub name: String,
    pub looks: Vec<SceneLook>,
    pub truth: Vec<Violation>,
    /// Moments at which the engine is to be stopped and started again from its saved state.
    pub restarts: Vec<f64>,
    /// Moments at which a car comes or goes, or has stood for the dwell, in seconds.
    pub busy: Vec<f64>,
}

/// The share of box `b` that can be seen at `t`, with its foot line telling what is nearer.
pub fn visible(things: &[Thing], b: [f64; 4], t: f64) -> f64 {
    let nearer: Vec<[f64; 4]> =
        things.iter().filter_map(|thing| thing.at(t)).filter(|other| other[3] > b[3] + 1.0).collect();
    visible_part(b, &nearer).0
}

/// What the camera suffers: stretches without looks, and stretches with an unusable view.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub lost: Vec<(f64, f64)>,
    pub unusable: Vec<(f64, f64, &'static str)>,
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
        if let Some(&(.., view)) = bad {
            looks.push(SceneLook { t, view, detections: Vec::new() });
            continue;
        }
        looks.push(SceneLook { t, view: "clear", detections: detect(things, t, noise, dice) });
    }
}

fn detect(things: &[Thing], t: f64, noise: &Noise, dice: &mut Dice) -> Vec<(&'static str, f32, [f32; 4])> {
    let boxes: Vec<(&Thing, [f64; 4])> =
        things.iter().filter_map(|thing| thing.at(t).map(|bbox| (thing, bbox))).collect();
    let mut seen = Vec::new();
    for (index, &(thing, bbox)) in boxes.iter().enumerate() {
        let Some(inside) = cut(bbox) else { continue };
        let nearer: Vec<[f64; 4]> = boxes
            .iter()
            .enumerate()
            .filter(|&(other, &(_, b))| other != index && b[3] > bbox[3])
            .map(|(_, &(_, b))| b)
            .collect();
        let (visible, part) = visible_part(inside, &nearer);
        if visible < LEAST_VISIBLE || area(inside) < 0.3 * area(bbox) {
            continue;
        }
        // A half-hidden object is harder to find, and its box shrinks to what shows.
        let found = (1.0 - noise.miss) * (0.4 + 0.6 * visible);
        if !dice.chance(found) {
            continue;
        }
        let shown = if visible > 0.85 { inside } else { part };
        let mut edges = shown.map(|edge| edge + dice.normal(noise.jitter_px));
        if edges[2] - edges[0] < 4.0 || edges[3] - edges[1] < 4.0 {
            continue;
        }
        edges = [edges[0].max(0.0), edges[1].max(0.0), edges[2].min(WIDTH), edges[3].min(HEIGHT)];
        let vehicle = ["car", "truck", "bus"];
        let label = if vehicle.contains(&thing.label) && dice.chance(noise.flip) {
            vehicle[dice.below(3)]
        } else {
            thing.label
        };
        let score = (0.72 * (0.5 + 0.5 * visible) + dice.normal(0.08)).clamp(0.25, 0.98);
        seen.push((label, score as f32, normal(edges)));
    }
    if dice.chance(noise.ghosts) {
        let (w, h) = (dice.between(40.0, 220.0), dice.between(40.0, 160.0));
        let (x, y) = (dice.between(0.0, WIDTH - w), dice.between(0.0, HEIGHT - h));
        let label = ["car", "truck", "person", "bicycle"][dice.below(4)];
        seen.push((label, dice.between(0.3, 0.65) as f32, normal([x, y, x + w, y + h])));
    }
    seen
}

fn area(b: [f64; 4]) -> f64 {
    (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0)
}

/// The part of a box inside the picture.
fn cut(b: [f64; 4]) -> Option<[f64; 4]> {
    let c = [b[0].max(0.0), b[1].max(0.0), b[2].min(WIDTH), b[3].min(HEIGHT)];
    (c[2] - c[0] > 4.0 && c[3] - c[1] > 4.0).then_some(c)
}

/// The visible share of `b` behind `nearer`, and the bounds of what shows, on a grid of 24 by 12 points.
fn visible_part(b: [f64; 4], nearer: &[[f64; 4]]) -> (f64, [f64; 4]) {
    const COLUMNS: usize = 24;
    const ROWS: usize = 12;
    let mut shown = 0;
    let mut part = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    let (dx, dy) = ((b[2] - b[0]) / COLUMNS as f64, (b[3] - b[1]) / ROWS as f64);
    for column in 0..COLUMNS {
        for row in 0..ROWS {
            let (x, y) = (b[0] + (column as f64 + 0.5) * dx, b[1] + (row as f64 + 0.5) * dy);
            if nearer.iter().any(|n| x > n[0] && x < n[2] && y > n[1] && y < n[3]) {
                continue;
            }
            shown += 1;
            part = [
                part[0].min(x - dx / 2.0),
                part[1].min(y - dy / 2.0),
                part[2].max(x + dx / 2.0),
                part[3].max(y + dy / 2.0),
            ];
        }
    }
    (f64::from(shown) / (COLUMNS * ROWS) as f64, part)
}

fn normal(b: [f64; 4]) -> [f32; 4] {
    [b[0] / WIDTH, b[1] / HEIGHT, b[2] / WIDTH, b[3] / HEIGHT].map(|v| v as f32)
}
