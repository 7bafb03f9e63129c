//! Whether the view has shifted: when a camera is nudged, all that stands is seen a little elsewhere from then on, and
//! all of it by the same way.
//!
//! # Invariants
//! - One thing alone never tells of the view, only of its own place: it may be on its way out. Two or more must say the
//!   same, and those that were never out of sight come first, as they cannot be other objects.
//! - What goes on from look to look is on its way, and one box alone is chance: neither moves the view.
//! - A box that grew or shrank, or that moved by a good part of its size, tells nothing of the view.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;
use crate::detect::BBox;

/// How many latest boxes tell that something has shifted …
const SLOW: u32 = 8;
/// … and the middle one of how many tells how far: once the others show it, these were taken after it, and one alone may be
/// of something on its way out.
pub(super) const FAST: usize = 3;
/// How much larger the variance of the middle one of three is than that of one, for normal noise (order statistics; David
/// and Nagaraja 2003).
const MIDDLE_VARIANCE: f32 = 0.449;
/// A shift of more than this is no nudge, in box sizes: a camera that was turned says so itself.
const LARGEST: f32 = 0.25;
/// How many deviations from none a shift must be …
const SURE: f32 = 3.5;
/// … or, of one thing by itself that was never out of sight …
const SURE_OF_ONE: f32 = 3.0;
/// … when its latest boxes are no further off than the others by so many deviations …
const RESTS: f32 = 1.5;
/// … and from how many it may be one …
const LIKELY: f32 = 1.0;
/// … and how far the words of things may be apart, as a mean of squared deviations for each beyond the first: for noise
/// alone it is 2, for its two directions.
const APART: f32 = 4.0;
/// What its latest box and the third from last are apart by, in deviations, if it goes nowhere.
const GOES: f32 = 2.0;
/// How many deviations the change of its size may be from none.
const AGREE: f32 = 3.0;
/// How far the middle of a box wanders by itself at most, as a deviation in box sizes: no more than its edges do.
const WANDER: f32 = 0.01;

/// Where something was seen lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lately {
    boxes: u32,
    slow: [f32; 4],
    /// The latest ones, from the last one back.
    #[serde(default)]
    latest: [BBox; FAST],
    /// How many of these there are.
    #[serde(default)]
    fresh: usize,
    /// When the latest was seen.
    #[serde(default)]
    last: CaptureTime,
}

impl Lately {
    /// All of it was seen in `seen` at `at`.
    pub(super) fn hear(&mut self, at: CaptureTime, seen: &BBox) {
        self.last = at;
        self.boxes = (self.boxes + 1).min(SLOW);
        self.latest.rotate_right(1);
        self.latest[0] = *seen;
        self.fresh = (self.fresh + 1).min(FAST);
        for (slow, edge) in self.slow.iter_mut().zip(<[f32; 4]>::from(*seen)) {
            *slow += (edge - *slow) / self.boxes as f32;
        }
    }

    /// The middle of each edge in the latest boxes.
    fn fast(&self) -> [f32; 4] {
        std::array::from_fn(|edge| {
            let mut edges = self.latest.map(|seen| <[f32; 4]>::from(seen)[edge]);
            edges.sort_unstable_by(f32::total_cmp);
            edges[FAST / 2]
        })
    }

    /// The place that it is compared to was moved to where the latest boxes are.
    fn catch_up(&mut self) {
        if self.fresh == FAST {
            self.boxes = FAST as u32;
            self.slow = self.fast();
        }
    }

    /// When all of it was last seen.
    pub(super) fn last(&self) -> CaptureTime {
        self.last
    }

    /// What it says of the view, when `mean` is the mean of `boxes` boxes before and `variance` that of each edge about
    /// it, in box sizes.
    pub(super) fn sign(
        &self,
        mean: &BBox,
        boxes: u32,
        variance: &[f32; 4],
        drift: f32,
        suspect: bool,
        since: CaptureTime,
    ) -> Option<Sign> {
        if self.fresh < FAST {
            return None;
        }
        let share = 1.0 / self.boxes as f32 + 1.0 / boxes as f32;
        let wander = drift.min(WANDER * WANDER);
        let mean_edges = <[f32; 4]>::from(*mean);
        let middle = self.fast();
        let axis = |low: usize, high: usize, size: f32| {
            let off = |of: &[f32; 4], edge: usize| of[edge] - mean_edges[edge];
            let (slow, fast) =
                ([off(&self.slow, low), off(&self.slow, high)], [off(&middle, low), off(&middle, high)]);
            let noise = (variance[low] + variance[high]) * share;
            let grown = (slow[1] - slow[0]).abs() / size;
            let along = (slow[0] + slow[1]) / 2.0;
            let fits = grown <= AGREE * (noise + 2.0 * wander).sqrt() && along.abs() <= LARGEST * size;
            let deviation = size * (noise / 4.0 + wander).sqrt();
            // What goes on from box to box is on its way out, or in.
            let of_one = variance[low] + variance[high];
            let latest = self.latest.map(<[f32; 4]>::from).map(|seen| seen[low] + seen[high]);
            let goes = (latest[0] - latest[FAST - 1]).abs() / size;
            let rests = goes <= GOES * (2.0 * of_one).sqrt();
            let share = MIDDLE_VARIANCE + 1.0 / boxes as f32;
            let noise = (variance[low] + variance[high]) * share;
            (fits && rests).then_some(Along {
                by: along,
                variance: deviation * deviation,
                lately: (fast[0] + fast[1]) / 2.0,
                lately_variance: size * size * (noise / 4.0 + wander),
            })
        };
        Some(Sign { x: axis(0, 2, mean.width())?, y: axis(1, 3, mean.height())?, suspect, since })
    }
}

/// How far something was seen from its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    x: Along,
    y: Along,
    /// Whether it may be another object than before.
    suspect: bool,
    /// Since when it is where it is.
    since: CaptureTime,
}

impl Sign {
    /// How far it was seen aside, if that is beyond chance and it goes no further: what was never out of sight is still what
    /// it was, though it is seen elsewhere.
    pub(crate) fn shifted(&self) -> Option<(f32, f32)> {
        let beyond = |along: &Along| along.by.abs() >= SURE_OF_ONE * along.variance.sqrt();
        let rests = |along: &Along| (along.lately - along.by).abs() <= RESTS * along.lately_variance.sqrt();
        let is_aside = !self.suspect && (beyond(&self.x) || beyond(&self.y));
        (is_aside && rests(&self.x) && rests(&self.y)).then_some((self.x.by, self.y.by))
    }
}

/// The same along one axis, 0-1 of the picture.
#[derive(Clone, Copy, Debug)]
struct Along {
    by: f32,
    variance: f32,
    /// The same by the latest boxes alone.
    lately: f32,
    lately_variance: f32,
}

/// How far aside others were seen lately that were never out of sight, 0-1 of the picture, with the variance of that: what
/// they say of the view, be it that it has not shifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Others {
    pub(super) x: (f32, f32),
    pub(super) y: (f32, f32),
}

/// What all of `signs` that have stood since before `before` and were never out of sight say of the view; `None` when there
/// is none.
pub(crate) fn others(signs: &[Sign], before: CaptureTime) -> Option<Others> {
    let sure = || signs.iter().filter(|sign| !sign.suspect && sign.since < before);
    let along = |of: fn(&Sign) -> Along| {
        let weight: f32 = sure().map(|sign| 1.0 / of(sign).lately_variance).sum();
        (sure().map(|sign| of(sign).lately / of(sign).lately_variance).sum::<f32>() / weight, 1.0 / weight)
    };
    sure().next().map(|_| Others { x: along(|sign| sign.x), y: along(|sign| sign.y) })
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
        (0..SLOW).for_each(|_| lately.hear(CaptureTime::default(), &moved(&place, by)));
        lately.sign(&place, 40, &VARIANCE, 1.0, suspect, CaptureTime::default()).unwrap()
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
            (0..SLOW).for_each(|_| lately.hear(CaptureTime::default(), &seen));
            assert!(lately.sign(&place, 40, &VARIANCE, 1.0, false, CaptureTime::default()).is_none());
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

    /// What something says of which the latest boxes lay so far aside.
    fn sign_of(aside: &[f32]) -> Option<Sign> {
        let place = BBox { x1: 0.2, y1: 0.45, x2: 0.32, y2: 0.55 };
        let mut lately = Lately::default();
        let still = [0.0; SLOW as usize];
        for by in still.iter().chain(aside) {
            lately.hear(CaptureTime::default(), &moved(&place, (*by, 0.0)));
        }
        lately.sign(&place, 40, &VARIANCE, 1.0, false, CaptureTime::default())
    }

    #[test]
    fn what_goes_on_from_look_to_look_and_one_box_alone_move_nothing() {
        assert!(sign_of(&[0.004, 0.012, 0.02]).is_none(), "it is on its way out");
        let alone = sign_of(&[0.02, 0.0]).unwrap();
        assert_eq!(common(&[alone; 2]).map_or(0.0, |(dx, _)| dx), 0.0);
    }

    #[test]
    fn one_thing_that_was_never_out_of_sight_is_followed_once_it_rests() {
        let by = 0.012;
        assert_eq!(sign_of(&[by; 3]).unwrap().shifted(), None, "it has just moved");
        let (dx, dy) = sign_of(&[by; 3 * SLOW as usize]).unwrap().shifted().unwrap();
        assert!((dx - by).abs() < 1e-3 && dy.abs() < 1e-4, "{dx} {dy}");
        assert_eq!(sign_of(&[0.002; 3 * SLOW as usize]).unwrap().shifted(), None, "chance");
        assert_eq!(sign(0.2, (by, 0.0), true).shifted(), None, "another object may have come");
    }

    #[test]
    fn only_what_has_stood_since_before_tells_of_the_view() {
        let after = CaptureTime::default().plus_seconds(10.0);
        let seen = sign(0.2, (0.004, 0.0), false);
        assert_eq!(others(&[seen], CaptureTime::default()), None);
        assert_eq!(others(&[sign(0.2, (0.004, 0.0), true)], after), None);
        let Others { x, y } = others(&[seen], after).unwrap();
        assert!((x.0 - 0.004).abs() < 1e-4 && y.0.abs() < 1e-4, "{x:?} {y:?}");
        let both = others(&[seen; 2], after).unwrap();
        assert!((both.x.1 - x.1 / 2.0).abs() < 1e-9, "two say it twice as surely");
    }
}
