//! Which frames show something new: motion on a thumbnail.
//!
//! What is compared is how a cell stands out from its surroundings, in logarithms of luma: light that comes and goes
//! smoothly, such as dusk or the beam of a headlight, brightens a cell and its surroundings alike.
//!
//! # Invariants
//! - A thing that appears is noticed although it never moves again: a change that lasts is activity, whatever else goes
//!   on around it.
//! - What goes on all the time and is nothing to any rule, such as rain, is soon no activity any more, zone by zone.
//! - The camera gets a look at least each look interval, whatever is noticed.
//! - The same thumbnails at the same times give the same answer.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;
use crate::thumbnail::{CELLS, COLUMNS, ROWS, Thumbnail};

/// The surroundings of a cell reach so many cells to each side: a ninth of what a headlight's beam is wide.
const AROUND: usize = 4;
/// Change from which a cell has changed: a thing that is 6 % brighter or darker than what is behind it …
const LEAST_CHANGE: f32 = 0.06;
/// … or in multiples of what the cell flickers, as a mean: at six, noise passes it once in a million samples.
const FLICKERS: f32 = 6.0;
/// What is added to luma, 0-255, before the logarithm: the noise of darkness is no change.
const DARK: f32 = 8.0;
/// Time constants in seconds: background, flicker, and what is usual in a zone.
const BACKGROUND_S: f64 = 10.0;
const FLICKER_S: f64 = 30.0;
const USUAL_S: f64 = 45.0;
/// A change is lasting after so many seconds and so many samples …
const LASTING_S: f32 = 0.9;
const LASTING_SAMPLES: u8 = 3;
/// … and belongs to the background after so many seconds, in which it has been looked at.
const SETTLED_S: f32 = 5.0;
/// Of nine neighbours, how many must have changed for a part of a thing to be there.
const DENSE: u8 = 6;
/// Activity is more than is usual by so many deviations, and by so many cells more.
const DEVIATIONS: f32 = 6.0;
const MORE_DENSE: f32 = 1.5;
const MORE_LASTING: f32 = 5.0;
/// How long looks go on after the last activity, in seconds: the model may need several to find what it was.
const HOLD_S: f64 = 2.0;
/// How long everything is looked at before the gate knows what is usual.
const LEARN_S: f64 = 3.0;
const LEARN_SAMPLES: u32 = 8;
/// After a gap of so many seconds all is learnt anew.
const LONGEST_GAP_S: f64 = 30.0;
/// How far beyond a zone a change counts for it, in cells.
const BESIDE: usize = 2;

/// How looks are saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GatePlan {
    /// Whether any are.
    pub enabled: bool,
    /// Most seconds between two looks.
    pub look_interval_s: f64,
}

/// What is usual for a number of cells.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Usual {
    mean: f32,
    deviation: f32,
}

impl Usual {
    /// Whether `count` is more than usual by `more` at least. It is taken in with `share`.
    fn exceeds(&mut self, count: f32, more: f32, share: f32) -> bool {
        let bound = self.mean + DEVIATIONS * self.deviation + more;
        // What is far out counts for no more than twice the bound: it may be something to look at.
        let off = count.min(2.0 * bound + 10.0) - self.mean;
        self.mean += share * off;
        self.deviation += share * (off.abs() - self.deviation);
        count > bound
    }
}

/// A zone as the gate sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Zone {
    /// First and last columns and rows, the last ones not included.
    columns: (usize, usize),
    rows: (usize, usize),
    dense: Usual,
    lasting: Usual,
    active: bool,
}

/// Motion before one camera.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MotionGate {
    #[serde(skip, default = "off")]
    plan: GatePlan,
    zones: Vec<Zone>,
    /// For each cell: how it usually stands out, and by how much that flickers.
    background: Vec<f32>,
    flicker: Vec<f32>,
    /// For each cell: for how many seconds and samples it has been changed.
    changed_s: Vec<f32>,
    changed: Vec<u8>,
    samples: u32,
    began: Option<CaptureTime>,
    last: Option<CaptureTime>,
    active: Option<CaptureTime>,
    last_look: Option<CaptureTime>,
    #[serde(skip)]
    scratch: Scratch,
}

fn off() -> GatePlan {
    GatePlan { enabled: false, look_interval_s: 0.0 }
}

#[derive(Clone, Debug, Default)]
struct Scratch {
    logs: Vec<f32>,
    sums: Vec<f64>,
}

impl MotionGate {
    /// A gate that knows nothing yet, over zones with these bounds: left, top, right and bottom, 0-1.
    pub fn new(plan: GatePlan, zones: &[[f32; 4]]) -> Self {
        let cells = |from: f32, to: f32, all: usize| {
            let from = ((from * all as f32).floor().max(0.0) as usize).saturating_sub(BESIDE);
            let to = ((to * all as f32).ceil().max(0.0) as usize + BESIDE).min(all);
            (from.min(all - 1), to.max(from.min(all - 1) + 1))
        };
        let zone = |&[left, top, right, bottom]: &[f32; 4]| Zone {
            columns: cells(left, right, COLUMNS),
            rows: cells(top, bottom, ROWS),
            dense: Usual::default(),
            lasting: Usual::default(),
            active: false,
        };
        Self {
            plan,
            zones: zones.iter().map(zone).collect(),
            background: Vec::new(),
            flicker: Vec::new(),
            changed_s: Vec::new(),
            changed: Vec::new(),
            samples: 0,
            began: None,
            last: None,
            active: None,
            last_look: None,
            scratch: Scratch::default(),
        }
    }

    /// Takes in `small`, captured at `at`. What goes on while the core is `at_rest` has been looked at and was nothing:
    /// only that can become usual. People who walk to and fro never do.
    pub fn see(&mut self, small: &Thumbnail, at: CaptureTime, at_rest: bool) {
        if small.cells().len() != CELLS {
            return;
        }
        let step_s = self.last.map_or(0.0, |last| at.seconds_since(last).max(0.0));
        self.last = Some(at);
        if step_s > LONGEST_GAP_S || self.background.len() != CELLS {
            self.forget(at);
        }
        self.samples = self.samples.saturating_add(1);
        self.compare(small.cells(), step_s);
        let usual = if at_rest { self.share(step_s, USUAL_S) } else { 0.0 };
        let learnt = self.began.is_some_and(|began| at.seconds_since(began) >= LEARN_S)
            && self.samples > LEARN_SAMPLES;
        for zone in &mut self.zones {
            let (dense, lasting) = zone.count(&self.changed, &self.changed_s);
            let moves = zone.dense.exceeds(dense, MORE_DENSE, usual);
            let stays = zone.lasting.exceeds(lasting, MORE_LASTING, usual);
            zone.active = moves || stays || !learnt;
        }
        if self.zones.iter().any(|zone| zone.active) {
            self.active = Some(at);
        }
    }

    /// Whether the frame captured at `at`, which was seen last, is to be looked at. `at_rest` says that no rule waits
    /// for anything.
    pub fn admit(&mut self, at: CaptureTime, at_rest: bool) -> bool {
        let within = |since: Option<CaptureTime>, seconds: f64| {
            since.is_some_and(|since| (0.0..seconds).contains(&at.seconds_since(since)))
        };
        let due = !within(self.last_look, self.plan.look_interval_s);
        let wanted = !self.plan.enabled || !at_rest || due || within(self.active, HOLD_S);
        if wanted {
            self.last_look = Some(at);
        }
        wanted
    }

    /// Whether something goes on in each zone, in the order of the zones.
    pub fn activity(&self) -> impl Iterator<Item = bool> {
        self.zones.iter().map(|zone| zone.active)
    }

    /// Whether looks are saved at all.
    pub fn is_on(&self) -> bool {
        self.plan.enabled
    }

    /// Goes on as `saved` did, under its own plan, if that is of the same zones.
    pub fn resume(&mut self, saved: Self) {
        let same = |(a, b): (&Zone, &Zone)| (a.columns, a.rows) == (b.columns, b.rows);
        if saved.zones.len() == self.zones.len() && self.zones.iter().zip(&saved.zones).all(same) {
            *self = Self { plan: self.plan, ..saved };
        }
    }

    fn forget(&mut self, at: CaptureTime) {
        self.background.clear();
        self.flicker.clear();
        self.flicker.resize(CELLS, LEAST_CHANGE / FLICKERS);
        self.changed_s.clear();
        self.changed_s.resize(CELLS, 0.0);
        self.changed.clear();
        self.changed.resize(CELLS, 0);
        self.samples = 0;
        self.began = Some(at);
        self.zones.iter_mut().for_each(|zone| (zone.dense, zone.lasting) = Default::default());
    }

    /// The share of this sample in a mean over `over_s` seconds.
    fn share(&self, step_s: f64, over_s: f64) -> f32 {
        let settled = 1.0 - (-step_s / over_s).exp();
        settled.max(1.0 / f64::from(self.samples.max(1))).min(1.0) as f32
    }

    /// Compares `cells` with the background, and takes them into it.
    fn compare(&mut self, cells: &[f32], step_s: f64) {
        let (background, flicker) = (self.share(step_s, BACKGROUND_S), self.share(step_s, FLICKER_S));
        self.scratch.stand_out(cells);
        let standing = &self.scratch.logs;
        if self.background.is_empty() {
            self.background.extend_from_slice(standing);
        }
        for (at, &standing) in standing.iter().enumerate() {
            let off = standing - self.background[at];
            let bound = LEAST_CHANGE.max(FLICKERS * self.flicker[at]);
            if off.abs() > bound {
                self.changed[at] = self.changed[at].saturating_add(1);
                self.changed_s[at] += step_s as f32;
                if self.changed_s[at] >= SETTLED_S {
                    self.background[at] = standing;
                    (self.changed[at], self.changed_s[at]) = (0, 0.0);
                }
            } else {
                self.background[at] += background * off;
                (self.changed[at], self.changed_s[at]) = (0, 0.0);
            }
            self.flicker[at] += flicker * (off.abs().min(2.0 * bound) - self.flicker[at]);
        }
    }
}

impl Scratch {
    /// Fills `logs` with how each cell stands out from its surroundings.
    fn stand_out(&mut self, cells: &[f32]) {
        // Sums over all cells above and left, with a row and a column of nothing before them.
        let stride = COLUMNS + 1;
        self.sums.clear();
        self.sums.resize(stride * (ROWS + 1), 0.0);
        self.logs.clear();
        self.logs.extend(cells.iter().map(|luma| (luma + DARK).ln()));
        for y in 0..ROWS {
            let mut line = 0.0;
            for x in 0..COLUMNS {
                line += f64::from(self.logs[y * COLUMNS + x]);
                self.sums[(y + 1) * stride + x + 1] = self.sums[y * stride + x + 1] + line;
            }
        }
        for y in 0..ROWS {
            let (top, bottom) = (y.saturating_sub(AROUND), (y + AROUND + 1).min(ROWS));
            for x in 0..COLUMNS {
                let (left, right) = (x.saturating_sub(AROUND), (x + AROUND + 1).min(COLUMNS));
                let sum = self.sums[bottom * stride + right]
                    - self.sums[top * stride + right]
                    - self.sums[bottom * stride + left]
                    + self.sums[top * stride + left];
                let mean = sum / ((bottom - top) * (right - left)) as f64;
                self.logs[y * COLUMNS + x] -= mean as f32;
            }
        }
    }
}

impl Zone {
    /// How many cells have changed with most of their neighbours, and how many lastingly.
    fn count(&self, changed: &[u8], changed_s: &[f32]) -> (f32, f32) {
        let (mut dense, mut lasting) = (0, 0);
        for y in self.rows.0.max(1)..self.rows.1.min(ROWS - 1) {
            for x in self.columns.0.max(1)..self.columns.1.min(COLUMNS - 1) {
                let at = y * COLUMNS + x;
                lasting += u32::from(changed[at] >= LASTING_SAMPLES && changed_s[at] >= LASTING_S);
                let row = |at: usize| changed[at - 1..=at + 1].iter().map(|&n| u8::from(n > 0)).sum::<u8>();
                dense += u32::from(row(at - COLUMNS) + row(at) + row(at + COLUMNS) >= DENSE);
            }
        }
        (dense as f32, lasting as f32)
    }
}

#[cfg(test)]
mod tests;
