//! Is it still the same one? What stands in a place again after nothing was found there for a while is put on
//! trial: either the object was missed for a while, or another one has taken its place.
//!
//! # Invariants
//! - The verdict weighs three things as natural log-odds: how long places take to change hands, how clearly the
//!   place was seen empty, and how far the boxes now lie from those before. None of them decides alone.
//! - Boxes that show only a part of the object are kept out of the trial, and three that slip in do not decide.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;
use crate::detect::BBox;

/// Fewest boxes for a verdict. Their median stands up to two that were cut short or taken on the way in …
const FEWEST: usize = 5;
/// … and the most that a trial waits for.
const MOST: usize = 15;
/// Log-odds at which a trial ends before that: 1 to 20 for another object …
const SURELY_SAME: f32 = -3.0;
/// … and 400 to 1, since that verdict cannot be taken back.
const SURELY_OTHER: f32 = 6.0;
/// A place at a busy kerb changes hands about once in so many seconds.
const TURNOVER_S: f64 = 3600.0;
/// How much an empty view may say at most: detectors go blind to one object for a minute at a time, at dusk or
/// behind glare, and their misses are then no independent witnesses. e^12 is 160,000 to 1.
const MOST_EMPTINESS: f32 = 12.0;
/// How far each edge of another object lies from where that of the last one was, as a deviation in box sizes. Cars
/// are 4.5 m long give or take 0.4 m and are parked to within half a metre: 0.12 along the kerb. Heights differ by
/// a tenth.
const OTHER_SPREAD: f32 = 0.10;
/// How far the mean box of one object shifts by itself, with light, shade and focus, as a deviation in box sizes.
const DRIFT: f32 = 0.015;

/// The position of an object's edges and how steadily a detector puts them there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// Boxes in the mean, up to [`Spread::MEMORY`].
    boxes: u32,
    /// Variance of each edge about the mean, in box sizes.
    variance: [f32; 4],
}

impl Spread {
    /// The mean is over so many latest boxes: it settles, and then follows a slow change of view.
    const MEMORY: u32 = 40;
    /// Deviation of an edge that is assumed of a detector not yet known, in box sizes …
    const ASSUMED: f32 = 0.05;
    /// … and how many boxes that assumption weighs.
    const ASSUMED_BOXES: u32 = 4;
    /// Least deviation of an edge, in box sizes: detectors are no steadier than this.
    const LEAST: f32 = 0.01;
    /// A box further off than this many deviations counts as no further: it was cut short or is another object's.
    const CLIP: f32 = 3.0;

    /// Of a single box.
    pub(crate) fn new() -> Self {
        Self { boxes: 1, variance: [Self::ASSUMED * Self::ASSUMED; 4] }
    }

    /// Takes those edges of `seen` that are `shown` into `mean`, of which this is the spread.
    pub(crate) fn follow(&mut self, mean: &mut BBox, seen: &BBox, shown: [bool; 4]) {
        self.boxes = (self.boxes + 1).min(Self::MEMORY);
        let weight = 1.0 / self.boxes as f32;
        let spread_weight = 1.0 / (self.boxes + Self::ASSUMED_BOXES) as f32;
        let mut step = offsets(mean, seen);
        for ((off, variance), shown) in step.iter_mut().zip(&mut self.variance).zip(shown) {
            if !shown {
                *off = 0.0;
                continue;
            }
            let most = Self::CLIP * variance.sqrt().max(Self::LEAST);
            *off = off.clamp(-most, most);
            *variance += spread_weight * (*off * *off - *variance);
        }
        let (w, h) = (weight * mean.width(), weight * mean.height());
        mean.x1 += w * step[0];
        mean.y1 += h * step[1];
        mean.x2 += w * step[2];
        mean.y2 += h * step[3];
    }

    /// How much more likely it is that the edges `medians`, each of so many boxes, are another object's than those
    /// of the one whose mean box is `mean`, as a natural logarithm. For each edge two normal densities of zero mean
    /// are compared: for one object with the variance of a difference of two means, for two objects with that of
    /// [`OTHER_SPREAD`] on top.
    fn unlike(&self, mean: &BBox, medians: [(f32, usize); 4]) -> f32 {
        let edge = |((off, boxes), variance): ((f32, usize), &f32)| {
            if boxes == 0 {
                return 0.0;
            }
            // A median of n normal values varies as a mean of 2n/pi.
            let share = 1.0 / self.boxes as f32 + std::f32::consts::FRAC_PI_2 / boxes as f32;
            let same = variance.max(Self::LEAST * Self::LEAST) * share + DRIFT * DRIFT;
            let other = same + OTHER_SPREAD * OTHER_SPREAD;
            0.5 * (off * off * (1.0 / same - 1.0 / other) - (other / same).ln())
        };
        let median = BBox::from(medians.map(|(edge, _)| edge));
        let boxes = medians.map(|(_, boxes)| boxes);
        offsets(mean, &median).into_iter().zip(boxes).zip(&self.variance).map(edge).sum()
    }
}

/// How far the edges of `seen` lie from those of `mean`, in widths and heights of `mean`.
fn offsets(mean: &BBox, seen: &BBox) -> [f32; 4] {
    let (w, h) = (mean.width().max(f32::EPSILON), mean.height().max(f32::EPSILON));
    [(seen.x1 - mean.x1) / w, (seen.y1 - mean.y1) / h, (seen.x2 - mean.x2) / w, (seen.y2 - mean.y2) / h]
}

/// What is said at the end of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same object as before.
    Same,
    /// Another one.
    Other,
}

/// Something found where nothing was found for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Since when it is there.
    pub(crate) since: CaptureTime,
    /// Log-odds that it is another object, before any of its boxes.
    odds: f32,
    boxes: [BBox; MOST],
    shown: [[bool; 4]; MOST],
    len: usize,
}

impl Trial {
    /// Of something found at `since`, after nothing was found for `gap_s` seconds and views of the empty place
    /// spoke for `emptiness` (natural log-odds).
    pub(crate) fn new(since: CaptureTime, gap_s: f64, emptiness: f32) -> Self {
        let turnover = (gap_s.max(1.0) / TURNOVER_S).ln() as f32;
        let odds = turnover.min(0.0) + emptiness.min(MOST_EMPTINESS);
        Self { since, odds, boxes: [BBox::default(); MOST], shown: [[false; 4]; MOST], len: 0 }
    }

    /// Sightings so far.
    pub(crate) fn boxes(&self) -> u32 {
        self.len as u32
    }

    /// Hears one more box, whose edges are `shown` or cut off, of an object whose mean box was `mean`, with `spread`.
    pub(crate) fn hear(
        &mut self,
        seen: &BBox,
        shown: [bool; 4],
        mean: &BBox,
        spread: &Spread,
    ) -> Option<Verdict> {
        if shown == [false; 4] {
            return None;
        }
        self.boxes[self.len] = *seen;
        self.shown[self.len] = shown;
        self.len += 1;
        if self.len < FEWEST {
            return None;
        }
        let odds = self.odds + spread.unlike(mean, self.medians());
        if self.len < MOST && odds > SURELY_SAME && odds < SURELY_OTHER {
            return None;
        }
        Some(if odds > 0.0 { Verdict::Other } else { Verdict::Same })
    }

    /// The box that the trial settled on; edges that never showed are those of `mean`.
    pub(crate) fn settled(&self, mean: &BBox) -> BBox {
        let mut edges: [f32; 4] = (*mean).into();
        for (edge, (median, boxes)) in edges.iter_mut().zip(self.medians()) {
            if boxes > 0 {
                *edge = median;
            }
        }
        edges.into()
    }

    /// The median of each edge, and over how many boxes it was shown.
    fn medians(&self) -> [(f32, usize); 4] {
        std::array::from_fn(|edge| {
            let mut values = [0.0; MOST];
            let mut count = 0;
            for (seen, shown) in self.boxes[..self.len].iter().zip(&self.shown) {
                if shown[edge] {
                    values[count] = <[f32; 4]>::from(*seen)[edge];
                    count += 1;
                }
            }
            values[..count].sort_unstable_by(f32::total_cmp);
            (values[count / 2], count)
        })
    }
}
