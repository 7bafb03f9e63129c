//! Where the edges of an object are, how steadily a detector puts them there, and how unlike those of another one they are.
//!
//! # Invariants
//! - An edge that does not show, or lies so far inside that something hides it, moves nothing; one that is seen farther out
//!   than it was known shows, whatever stands there.
//! - What all edges do by the same way may be the view that was nudged; others that stand still speak against that.

use serde::{Deserialize, Serialize};

use super::drift::Drift;
use super::shift::Others;
use crate::clock::CaptureTime;
use crate::detect::BBox;

/// How much larger the variance of a mean without the outermost boxes is than that of the mean of all, for normal noise
/// (simulated with 100,000 draws each: 1.14 for 5 boxes, 1.23 for 7, 1.13 for 10, 1.15 for 15).
const TRIMMED_LOSS: f32 = 1.15;
/// A box so many deviations off, and by more than a jolt of the camera …
const ASTRAY: f32 = 4.0;
/// … in box sizes, is of an object on its way out or in.
const LEAST_ASTRAY: f32 = 0.1;
/// How far each edge of another object lies from where that of the last one was, as a deviation in box sizes. Cars
/// are 4.5 m long give or take 0.4 m and are parked to within half a metre: 0.12 along the kerb. Heights differ by
/// a tenth.
const OTHER_SPREAD: f32 = 0.10;
/// How far a nudge shifts the view, as a deviation along either side of the picture: 8 px of 1280 by 720 …
const NUDGE_ACROSS: f32 = 0.006;
const NUDGE_DOWN: f32 = 0.0107;
/// … and a camera on a pole is nudged as often as a busy place changes hands, in seconds: both are rare, and what tells
/// them apart is the size of what is found.
const NUDGED_EVERY_S: f64 = 3600.0;
/// What others say of a nudge counts for no more than this, in natural log-odds: 400 to 1.
const MOST_TOLD: f32 = 6.0;

/// The position of an object's edges and how steadily a detector puts them there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// Boxes in the mean of each edge, up to [`Spread::MEMORY`]: one that is hidden is not known as well as the others.
    #[serde(default = "Spread::well_known")]
    edges: [u32; 4],
    /// Variance of each edge about the mean, in box sizes.
    variance: [f32; 4],
    #[serde(default)]
    drift: Drift,
}

impl Spread {
    /// The mean is over so many latest boxes: it settles, and then follows a slow change of view.
    const MEMORY: u32 = 40;
    /// What is known only lately counts as so many.
    const FEW: u32 = 8;
    /// An edge that showed less often than this is not known.
    const FEWEST: u32 = 3;
    /// The first boxes were of an object on its way in if it is seen so far from there, in box sizes.
    const ON_ITS_WAY: f32 = 0.1;
    /// Deviation of an edge that is assumed of a detector not yet known, in box sizes …
    const ASSUMED: f32 = 0.05;
    /// … and how many boxes that assumption weighs.
    const ASSUMED_BOXES: u32 = 4;
    /// Least deviation of an edge, in box sizes: detectors are no steadier than this.
    const LEAST: f32 = 0.01;
    /// A box further off than this many deviations counts as no further: it was cut short or is another object's.
    const CLIP: f32 = 3.0;

    /// How many boxes make an object well known: then an edge that lies further inside than this, in box sizes, was not
    /// seen. What shows beside something in front, or the part of it that a detector takes for another one, has such.
    const KNOWN_BOXES: u32 = 20;
    pub(super) const CUT_OFF: f32 = 0.2;

    /// Of a single box.
    pub(crate) fn new() -> Self {
        Self { edges: [1; 4], variance: [Self::ASSUMED * Self::ASSUMED; 4], drift: Drift::default() }
    }

    /// What is assumed of a place in a state that does not say how well each edge is known.
    fn well_known() -> [u32; 4] {
        [Self::MEMORY; 4]
    }

    /// How many boxes are in the mean at least, and the variance of each edge about it, in box sizes.
    pub(crate) fn known(&self) -> (u32, &[f32; 4]) {
        (self.edges.into_iter().min().unwrap_or(1), &self.variance)
    }

    /// Whether an edge was seen so seldom that it may be elsewhere.
    pub(crate) fn is_new(&self) -> bool {
        self.edges.into_iter().any(|boxes| boxes < Self::FEWEST)
    }

    /// Whether an edge was hardly seen, though others were.
    fn is_unknown(&self, edge: usize) -> bool {
        self.edges[edge] < Self::FEWEST && self.edges.iter().any(|&boxes| boxes >= Self::FEW)
    }

    /// Takes those edges of `seen` that are `shown` into `mean`, of which this is the spread. The first boxes are dropped when
    /// they turn out to have been of an object on its way in.
    pub(crate) fn follow(&mut self, at: CaptureTime, mean: &mut BBox, seen: &BBox, shown: [bool; 4]) {
        let new = self.edges.iter().all(|&boxes| boxes < Self::FEWEST);
        if new
            && shown == [true; 4]
            && (0..4).any(|edge| is_off(&offsets(mean, seen), edge, Self::ON_ITS_WAY))
        {
            *mean = *seen;
            *self = Self::new();
            return;
        }
        let mut step = offsets(mean, seen);
        let mut whole = shown == [true; 4];
        for (edge, off) in step.iter_mut().enumerate() {
            let (boxes, variance) = (&mut self.edges[edge], &mut self.variance[edge]);
            let inside = if edge < 2 { *off } else { -*off };
            let cut_off =
                *boxes >= Self::KNOWN_BOXES && inside > (ASTRAY * variance.sqrt()).max(Self::CUT_OFF);
            // Nothing in front makes a box larger. It is followed no faster than others: the box may be of something on
            // its way in, and what hides the edge then keeps the next ones from correcting it.
            let hidden = !shown[edge] && -inside <= Self::CLIP * variance.sqrt();
            if hidden || cut_off {
                *off = 0.0;
                whole = false;
                continue;
            }
            *boxes = (*boxes + 1).min(Self::MEMORY);
            let most = Self::CLIP * variance.sqrt().max(Self::LEAST);
            *off = off.clamp(-most, most);
            *variance += (*off * *off - *variance) / (*boxes + Self::ASSUMED_BOXES) as f32;
            *off /= *boxes as f32;
        }
        let (w, h) = (mean.width(), mean.height());
        mean.x1 += w * step[0];
        mean.y1 += h * step[1];
        mean.x2 += w * step[2];
        mean.y2 += h * step[3];
        if whole {
            let size = [mean.width(), mean.height(), mean.width(), mean.height()];
            self.drift.hear(at, &(*seen).into(), size, &self.variance);
        }
    }

    /// The variance of an edge of the mean box after so many seconds, in box sizes.
    pub(crate) fn drift(&self, after_s: f64) -> f32 {
        self.drift.variance(after_s)
    }

    /// The place is seen elsewhere from now on.
    pub(crate) fn shift(&mut self) {
        self.drift.restart();
    }

    /// Where it is seen from now on is known from a few boxes only.
    pub(crate) fn unsettle(&mut self) {
        self.edges = self.edges.map(|boxes| boxes.min(Self::FEW));
    }

    /// Whether one of the `shown` edges of `seen` lies so far from `mean`, and the one across from it by half of that at
    /// least, that the object is not in its place. An edge that moves alone is of a part of it.
    pub(crate) fn is_astray(&self, mean: &BBox, seen: &BBox, shown: [bool; 4]) -> bool {
        let least = |edge: usize| (ASTRAY * self.variance[edge].sqrt()).max(LEAST_ASTRAY);
        (0..4).any(|edge| shown[edge] && is_off(&offsets(mean, seen), edge, least(edge)))
    }

    /// How much more likely it is that the edges `middles`, each of so many boxes, are another object's than those
    /// of the one whose mean box is `mean`, as a natural logarithm. For each edge two normal densities of zero mean
    /// are compared: for one object with the variance of a difference of two means, for two objects with that of
    /// [`OTHER_SPREAD`] on top.
    pub(super) fn unlike(&self, mean: &BBox, middles: [(f32, usize); 4], drift: f32) -> f32 {
        let unlike = |edge: usize, off: f32| {
            let boxes = middles[edge].1;
            if boxes == 0 || self.is_unknown(edge) {
                return 0.0;
            }
            let same = self.noise(edge, boxes) + drift;
            let other = same + OTHER_SPREAD * OTHER_SPREAD;
            0.5 * (off * off * (1.0 / same - 1.0 / other) - (other / same).ln())
        };
        let middle = BBox::from(middles.map(|(edge, _)| edge));
        offsets(mean, &middle).into_iter().enumerate().map(|(edge, off)| unlike(edge, off)).sum()
    }

    /// The same against one object in a view that was nudged in the gap: then its edges may all lie elsewhere, but all
    /// by the same way, so that its size tells; and `others` that were never out of sight have shifted as much. With it
    /// how much more likely a nudge is by what they say, as a natural logarithm. `None` when not all edges were seen.
    pub(super) fn unlike_nudged(
        &self,
        mean: &BBox,
        middles: [(f32, usize); 4],
        drift: f32,
        others: Option<&Others>,
    ) -> Option<(f32, f32)> {
        let off = offsets(mean, &BBox::from(middles.map(|(edge, _)| edge)));
        let density = |off: f32, variance: f32| -0.5 * (off * off / variance + variance.ln());
        let axis = |low: usize, high: usize, nudge: f32, seen: Option<(f32, f32)>| {
            let [same_low, same_high] = [low, high].map(|edge| self.noise(edge, middles[edge].1) + drift);
            let (same, other) = (same_low + same_high, 2.0 * OTHER_SPREAD * OTHER_SPREAD);
            let (grown, along) = (off[high] - off[low], (off[high] + off[low]) / 2.0);
            let nudge = nudge * nudge;
            // Where others were seen tells how far the nudge went, and whether there was one.
            let (expected, left, told) = seen.map_or((0.0, nudge, 0.0), |(by, variance)| {
                let share = nudge / (nudge + variance);
                (by * share, variance * share, density(by, nudge + variance) - density(by, variance))
            });
            let unlike = density(grown, same + other) + density(along, (same + other) / 4.0)
                - density(grown, same)
                - density(along - expected, same / 4.0 + left);
            (unlike, told)
        };
        let sizes = [mean.width(), mean.height()].map(|size| size.max(f32::EPSILON));
        let by = |seen: fn(&Others) -> (f32, f32), size: f32| {
            others.map(|others| (seen(others).0 / size, seen(others).1 / (size * size)))
        };
        let all_seen = (0..4).all(|edge| middles[edge].1 > 0 && !self.is_unknown(edge));
        all_seen.then(|| {
            let x = axis(0, 2, NUDGE_ACROSS / sizes[0], by(|others| others.x, sizes[0]));
            let y = axis(1, 3, NUDGE_DOWN / sizes[1], by(|others| others.y, sizes[1]));
            (x.0 + y.0, x.1 + y.1)
        })
    }

    /// Variance of the difference between the mean of `edge` and that of `boxes` more, in box sizes.
    fn noise(&self, edge: usize, boxes: usize) -> f32 {
        let share = 1.0 / self.edges[edge] as f32 + TRIMMED_LOSS / boxes.max(1) as f32;
        self.variance[edge].max(Self::LEAST * Self::LEAST) * share
    }
}

/// How much more likely another object is than the same one, be it in the view as it was or in one that was nudged in the
/// `gap_s` seconds before, if it is `unlike` the one and `unlike_nudged` the other, as natural logarithms.
pub(super) fn or_nudged(unlike: f32, unlike_nudged: Option<(f32, f32)>, gap_s: f64) -> f32 {
    let Some((unlike_nudged, told)) = unlike_nudged else { return unlike };
    let chance = (gap_s / NUDGED_EVERY_S).min(0.5) as f32;
    let odds = chance / (1.0 - chance) * told.clamp(-MOST_TOLD, MOST_TOLD).exp();
    let chance = odds / (1.0 + odds);
    let same = (1.0 - chance) * (-unlike).exp() + chance * (-unlike_nudged).exp();
    unlike.min(-same.max(f32::MIN_POSITIVE).ln())
}

/// Whether an edge is `off` by more than `least`, and the one across from it by half of that at least.
fn is_off(off: &[f32; 4], edge: usize, least: f32) -> bool {
    off[edge].abs() > least && off[edge ^ 2] * off[edge].signum() > off[edge].abs() / 2.0
}

/// How far the edges of `seen` lie from those of `mean`, in widths and heights of `mean`.
fn offsets(mean: &BBox, seen: &BBox) -> [f32; 4] {
    let (w, h) = (mean.width().max(f32::EPSILON), mean.height().max(f32::EPSILON));
    [(seen.x1 - mean.x1) / w, (seen.y1 - mean.y1) / h, (seen.x2 - mean.x2) / w, (seen.y2 - mean.y2) / h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_is_seen_farther_out_than_it_was_known_is_not_hidden() {
        let car = BBox { x1: 0.40, y1: 0.45, x2: 0.52, y2: 0.55 };
        let at = |n: u32| CaptureTime::default().plus_seconds(f64::from(n));
        let known = |first: f32, hidden: [bool; 4]| {
            let (mut mean, mut spread) = (BBox { y2: first, ..car }, Spread::new());
            (0..40).for_each(|n| spread.follow(at(n), &mut mean, &car, hidden.map(|hidden| !hidden)));
            mean.y2
        };
        let below = [false, false, false, true];
        let followed = known(0.50, below);
        assert!((0.51..0.53).contains(&followed), "{followed}");
        // What lies farther in may be all that something in front leaves.
        assert_eq!(known(0.60, below), 0.60);
    }
}
