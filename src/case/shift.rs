//! Whether the view has shifted: when a camera is nudged, all that stands is seen a little elsewhere from then on, and
//! all of it by the same way.
//!
//! # Invariants
//! - One thing alone never tells: it may be on its way out. Two or more must say the same, and those that were never out
//!   of sight come first, as they cannot be other objects.
//! - A box that grew or shrank, or that moved by a good part of its size, tells nothing of the view.

use serde::{Deserialize, Serialize};

use crate::detect::BBox;

/// How many latest boxes tell that something has shifted …
const SLOW: u32 = 8;
/// … and how many tell how far: once the others show it, these were taken after it.
const FAST: u32 = 3;
/// Fewest boxes of a thing that was never out of sight …
const FEWEST: u32 = 3;
/// … and of one that was.
const FEWEST_SUSPECT: u32 = 2;
/// A shift of more than this is no nudge, in box sizes: a camera that was turned says so itself.
const LARGEST: f32 = 0.25;
/// How many deviations from none a shift must be …
const SURE: f32 = 3.5;
/// … and from how many it may be one …
const LIKELY: f32 = 1.0;
/// … and how far the words of things may be apart, as a mean of squared deviations for each beyond the first: for noise
/// alone it is 2, for its two directions.
const APART: f32 = 4.0;
/// How many deviations the change of its size may be from none.
const AGREE: f32 = 3.0;
/// How far the middle of a box wanders by itself, as a deviation in box sizes.
const WANDER: f32 = 0.01;

/// Where something was seen lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lately {
    boxes: u32,
    slow: [f32; 4],
    fast: [f32; 4],
}

impl Lately {
    /// All of it was seen in `seen`.
    pub(super) fn hear(&mut self, seen: &BBox) {
        self.boxes = (self.boxes + 1).min(SLOW);
        for (n, edge) in <[f32; 4]>::from(*seen).into_iter().enumerate() {
            self.slow[n] += (edge - self.slow[n]) / self.boxes as f32;
            self.fast[n] += (edge - self.fast[n]) / self.boxes.min(FAST) as f32;
        }
    }

    /// The place that it is compared to was moved to where the latest boxes are.
    fn catch_up(&mut self) {
        self.boxes = self.boxes.min(FAST);
        self.slow = self.fast;
    }

    /// What it says of the view, when `mean` is the mean of `boxes` boxes before and `variance` that of each edge about
    /// it, in box sizes.
    pub(super) fn sign(&self, mean: &BBox, boxes: u32, variance: &[f32; 4], suspect: bool) -> Option<Sign> {
        if self.boxes < if suspect { FEWEST_SUSPECT } else { FEWEST } {
            return None;
        }
        let share = 1.0 / self.boxes as f32 + 1.0 / boxes as f32;
        let mean_edges = <[f32; 4]>::from(*mean);
        let axis = |low: usize, high: usize, size: f32| {
            let off = |of: &[f32; 4], edge: usize| of[edge] - mean_edges[edge];
            let (slow, fast) = (
                [off(&self.slow, low), off(&self.slow, high)],
                [off(&self.fast, low), off(&self.fast, high)],
            );
            let noise = (variance[low] + variance[high]) * share;
            let grown = (slow[1] - slow[0]).abs() / size;
            let along = (slow[0] + slow[1]) / 2.0;
            let fits =
                grown <= AGREE * (noise + 2.0 * WANDER * WANDER).sqrt() && along.abs() <= LARGEST * size;
            let deviation = size * (noise / 4.0 + WANDER * WANDER).sqrt();
            fits.then_some(Along {
                by: along,
                lately: (fast[0] + fast[1]) / 2.0,
                variance: deviation * deviation,
            })
        };
        Some(Sign { x: axis(0, 2, mean.width())?, y: axis(1, 3, mean.height())?, suspect })
    }
}

/// How far something was seen from its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    x: Along,
    y: Along,
    /// Whether it may be another object than before.
    suspect: bool,
}

/// The same along one axis, 0-1 of the picture.
#[derive(Clone, Copy, Debug)]
struct Along {
    by: f32,
    lately: f32,
    variance: f32,
}

/// How far the view has shifted by what all of `signs` say; `None` when it has not, or they do not agree.
pub(crate) fn common(signs: &[Sign]) -> Option<(f32, f32)> {
    if signs.len() < 2 {
        return None;
    }
    let sure = signs.iter().filter(|sign| !sign.suspect).count() >= 2;
    let asked = || signs.iter().filter(move |sign| !sure || !sign.suspect);
    let along = |of: fn(&Sign) -> Along| {
        let weight: f32 = asked().map(|sign| 1.0 / of(sign).variance).sum();
        let by = asked().map(|sign| of(sign).by / of(sign).variance).sum::<f32>() / weight;
        let lately = asked().map(|sign| of(sign).lately / of(sign).variance).sum::<f32>() / weight;
        let apart: f32 = asked().map(|sign| (of(sign).by - by).powi(2) / of(sign).variance).sum();
        (by * weight.sqrt(), lately, apart)
    };
    let (x, y) = (along(|sign| sign.x), along(|sign| sign.y));
    let shifted = x.0.abs() >= SURE || y.0.abs() >= SURE;
    let agree = x.2 + y.2 <= APART * (asked().count() - 1) as f32;
    (shifted && agree).then_some((x.1, y.1))
}

/// How far aside those things are seen that were never out of sight, if they are so beyond chance: the view may have
/// shifted, though too few say so for it to be believed.
pub(crate) fn aside(signs: &[Sign]) -> Option<(f32, f32)> {
    let sure = || signs.iter().filter(|sign| !sign.suspect);
    let along = |of: fn(&Sign) -> Along| {
        let weight: f32 = sure().map(|sign| 1.0 / of(sign).variance).sum();
        let mean = |what: fn(&Along) -> f32| {
            sure().map(|sign| what(&of(sign)) / of(sign).variance).sum::<f32>() / weight.max(f32::EPSILON)
        };
        (mean(|along| along.by) * weight.sqrt(), mean(|along| along.lately))
    };
    let (x, y) = (along(|sign| sign.x), along(|sign| sign.y));
    (x.0.abs() >= LIKELY || y.0.abs() >= LIKELY).then_some((x.1, y.1))
}

/// `bbox` in a view that has shifted by `by`.
pub(super) fn moved(bbox: &BBox, (dx, dy): (f32, f32)) -> BBox {
    BBox { x1: bbox.x1 + dx, y1: bbox.y1 + dy, x2: bbox.x2 + dx, y2: bbox.y2 + dy }
}

/// Follows a shift of the view.
pub(super) fn follow(anchor: &mut BBox, lately: &mut Lately, by: (f32, f32)) {
    *anchor = moved(anchor, by);
    lately.catch_up();
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIANCE: [f32; 4] = [1e-4; 4];

    /// What something at `x` says that was seen `by` aside.
    fn sign(x: f32, by: (f32, f32), suspect: bool) -> Sign {
        let place = BBox { x1: x, y1: 0.45, x2: x + 0.12, y2: 0.55 };
        let mut lately = Lately::default();
        (0..SLOW).for_each(|_| lately.hear(&moved(&place, by)));
        lately.sign(&place, 40, &VARIANCE, suspect).unwrap()
    }

    #[test]
    fn what_all_show_is_a_shift_of_the_view_and_what_one_shows_is_not() {
        let by = (0.008, -0.004);
        let (dx, dy) = common(&[sign(0.2, by, false), sign(0.6, by, true)]).unwrap();
        assert!((dx - 0.008).abs() < 1e-4 && (dy + 0.004).abs() < 1e-4, "{dx} {dy}");
        assert_eq!(common(&[sign(0.2, by, false)]), None);
        assert_eq!(common(&[sign(0.2, by, false), sign(0.6, (0.0, 0.0), false)]), None);
        assert_eq!(common(&[sign(0.2, (0.0, 0.0), false), sign(0.6, (0.0, 0.0), false)]), None);
    }

    #[test]
    fn what_grew_or_moved_by_a_good_part_of_its_size_tells_nothing_of_the_view() {
        let place = BBox { x1: 0.2, y1: 0.45, x2: 0.32, y2: 0.55 };
        for seen in [BBox { x2: 0.35, ..place }, moved(&place, (0.04, 0.0))] {
            let mut lately = Lately::default();
            (0..SLOW).for_each(|_| lately.hear(&seen));
            assert!(lately.sign(&place, 40, &VARIANCE, false).is_none());
        }
    }

    #[test]
    fn one_thing_that_was_never_out_of_sight_may_tell_and_a_suspect_one_does_not() {
        let by = (0.008, -0.004);
        let (dx, dy) = aside(&[sign(0.2, by, false)]).unwrap();
        assert!((dx - 0.008).abs() < 1e-4 && (dy + 0.004).abs() < 1e-4, "{dx} {dy}");
        assert_eq!(aside(&[sign(0.2, by, true)]), None);
        assert_eq!(aside(&[sign(0.2, (0.0, 0.0), false)]), None);
    }
}
