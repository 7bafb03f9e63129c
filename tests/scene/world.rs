//! Objects on timed paths, what hides what, and the truth about them.

use super::camera::Faults;
use super::dice::Dice;

/// Picture size in pixels.
pub const WIDTH: f64 = 1280.0;
pub const HEIGHT: f64 = 720.0;

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
    /// Left, top, right, bottom at `t`, in pixels; `None` while it is not there.
    pub fn at(&self, t: f64) -> Option<[f64; 4]> {
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

/// A violation that really happened. Times are seconds of the scene, whatever a clock says.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The kind of case that should open.
    pub kind: &'static str,
    /// When the condition began: the object came to its place, or the number was reached. What was there at the
    /// start counts from 0.
    pub from: f64,
    /// When it ended; `None` if it holds at the end.
    pub until: Option<f64>,
    /// When a case should open: the first moment at which the condition can be seen once it has been in sight
    /// for the dwell, first to last.
    pub due: f64,
    /// Centre of its place, 0-1; `None` for one that is about the zone.
    pub place: Option<(f64, f64)>,
}

/// One look of a scene, as a line of a detections file.
#[derive(Clone, Debug)]
pub struct SceneLook {
    /// Seconds of the scene.
    pub t: f64,
    /// Seconds by the camera's clock, which is `t` unless the clock was stepped.
    pub stamp: f64,
    pub view: &'static str,
    /// Label, score, box 0-1.
    pub detections: Vec<(&'static str, f32, [f32; 4])>,
    /// The thing that each detection is of, which no engine is told; `None` for a ghost.
    pub of: Vec<Option<usize>>,
}

/// A scene with its truth.
#[derive(Clone, Debug)]
pub struct Scene {
    pub name: String,
    /// `[[camera.zone]]` tables of the configuration that watches it.
    pub zones: String,
    /// How long it lasts, in seconds.
    pub length_s: f64,
    /// Seconds between two looks.
    pub interval_s: f64,
    pub things: Vec<Thing>,
    pub faults: Faults,
    pub looks: Vec<SceneLook>,
    pub truth: Vec<Violation>,
    /// The thing that each of `truth` is about; empty where things are counted.
    pub culprits: Vec<usize>,
    /// Moments at which the engine is to be stopped and started again from its saved state.
    pub restarts: Vec<f64>,
    /// Moments at which something comes or goes, or a case falls due, in seconds.
    pub busy: Vec<f64>,
}

/// The share of box `b` that can be seen at `t`, with its foot line telling what is nearer.
pub fn visible(things: &[Thing], b: [f64; 4], t: f64) -> f64 {
    let nearer: Vec<[f64; 4]> =
        things.iter().filter_map(|thing| thing.at(t)).filter(|other| other[3] > b[3] + 1.0).collect();
    visible_part(b, &nearer).0
}

/// The visible share of `b` behind `nearer`, and the bounds of what shows, on a grid of 24 by 12 points.
pub fn visible_part(b: [f64; 4], nearer: &[[f64; 4]]) -> (f64, [f64; 4]) {
    const COLUMNS: usize = 24;
    const ROWS: usize = 12;
    let apart = |n: &[f64; 4]| n[2] <= b[0] || n[0] >= b[2] || n[3] <= b[1] || n[1] >= b[3];
    if nearer.iter().all(apart) {
        return (1.0, b);
    }
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

/// People who walk along the foot line `y`, give or take 40 pixels, at some time before `end`.
pub fn walkers(count: usize, y: f64, end: f64, dice: &mut Dice) -> Vec<Thing> {
    let mut walkers = Vec::new();
    for _ in 0..count {
        let t = dice.between(0.0, end - 40.0);
        let takes = dice.between(15.0, 35.0);
        let y = y + dice.between(-40.0, 40.0);
        let (from, to) = if dice.chance(0.5) { (-40.0, WIDTH + 40.0) } else { (WIDTH + 40.0, -40.0) };
        let height = dice.between(150.0, 190.0);
        walkers.push(Thing {
            label: "person",
            width: height / 3.0,
            height,
            path: vec![(t, from, y), (t + takes, to, y)],
        });
    }
    walkers
}

/// From when until when at least `count` of `things` have their foot in `zone` (left, top, right, bottom in pixels),
/// looking from `from` until `until`. `None` when they never are that many.
pub fn reached(things: &[Thing], zone: [f64; 4], count: usize, from: f64, until: f64) -> Option<(f64, f64)> {
    let inside = |b: [f64; 4]| {
        let x = (b[0] + b[2]) / 2.0;
        x > zone[0] && x < zone[2] && b[3] > zone[1] && b[3] < zone[3]
    };
    let steps = ((until - from) / 0.2) as u64;
    let enough =
        |&t: &f64| things.iter().filter_map(|thing| thing.at(t)).filter(|&b| inside(b)).count() >= count;
    let mut when = (0..=steps).map(|n| from + 0.2 * n as f64).filter(enough);
    let first = when.next()?;
    Some((first, when.next_back().unwrap_or(first)))
}
