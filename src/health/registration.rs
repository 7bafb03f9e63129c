//! Whether a camera still points where its zones were drawn: its thumbnail laid over a reference picture.
//!
//! What is compared is where brightness changes and not how bright it is, on a plane of 80 by 44. Light by day and lamps
//! by night draw the same houses and kerbs.
//!
//! # Invariants
//! - What passes or stands in a part of the picture moves no camera.
//! - The recent picture follows the light of the day; the reference itself never changes, so that a camera that sinks by
//!   a hair each day is noticed in the end.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;
use crate::thumbnail::{COLUMNS, ROWS, Thumbnail, halve};

/// Size of the compared plane.
const SIZE: (usize, usize) = (COLUMNS / 2, ROWS / 2);
/// Looks that a reference is the mean of.
const LOOKS: u32 = 8;
/// The recent picture is the mean of about so many seconds …
const RECENT_S: f64 = 300.0;
/// … in which no look counts for more than this share.
const MOST_SHARE: f32 = 0.1;
/// How far a turned camera is looked for, in cells of the plane: an eighth of the picture.
const REACH: (isize, isize) = (10, 6);
/// A shift of fewer cells than this, 2.5 % of the picture's width, moves no camera: wind does as much.
const LEAST_SHIFT: isize = 2;
/// Least correlation with a shifted reference to believe in the shift …
const SAME_SCENE: f32 = 0.45;
/// … and by how much it must beat that with the reference in its place.
const BETTER: f32 = 0.15;
/// Correlation from which nothing else is looked into. Night and fog leave 0.93 to 0.96 of a day's picture, a shift by
/// 2.5 % of its width 0.6, one by 5 % 0.6 where windows repeat …
const IN_PLACE: f32 = 0.8;
/// … nor as long as it has fallen by less than this since the last looks: a search takes as long as fifty looks.
const FALLEN: f32 = 0.08;
/// Share of the last look in what the correlation usually is.
const USUAL_SHARE: f32 = 0.05;
/// The reference itself is laid over each so many looks.
const FIRST_EVERY: u32 = 10;
/// Correlation below which a tile of the picture shows something else than before: two streets have 0.1 in common.
const OTHER_SCENE: f32 = 0.35;
/// The tiles.
const TILES: (usize, usize) = (4, 3);
/// Least mean of the compared plane in a tile that can be compared.
const LEAST_EDGES: f32 = 0.03;
/// Of the tiles that can be compared, the share that must show something else, and how many there must be.
const ELSEWHERE: (f32, usize) = (0.9, 6);
/// How far apart the logarithms of mean luma may be for a picture to be compared after it was not watched …
const SAME_LIGHT: f32 = 0.5;
/// … for so many seconds.
const UNWATCHED_S: f64 = 120.0;

/// A picture as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Edges {
    /// 0-1 for each place of the plane.
    plane: Vec<f32>,
    /// Logarithm of mean luma.
    light: f32,
    looks: u32,
}

impl Edges {
    /// Takes `now` in with `share`.
    fn follow(&mut self, now: &Self, share: f32) {
        if self.plane.len() != now.plane.len() {
            self.plane.clone_from(&now.plane);
            (self.light, self.looks) = (now.light, 1);
            return;
        }
        self.plane.iter_mut().zip(&now.plane).for_each(|(mean, now)| *mean += share * (now - *mean));
        self.light += share * (now.light - self.light);
        self.looks = self.looks.saturating_add(1);
    }
}

/// What a camera's zones were drawn on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Reference {
    /// The picture at the time at which the zones were first seen.
    first: Edges,
    /// The picture of the last minutes.
    recent: Edges,
    /// When it last was the picture.
    followed: Option<CaptureTime>,
}

/// Lays thumbnails over a reference. Buffers are reused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Registration {
    reference: Reference,
    #[serde(skip)]
    half: Vec<f32>,
    #[serde(skip)]
    now: Edges,
    /// Correlation with the recent picture on this look, and what it usually is.
    in_place: f32,
    usual: Option<f32>,
    looks: u32,
    /// Whether the last comparison with the reference itself found it elsewhere.
    off_first: bool,
}

impl Registration {
    /// Whether there is a reference.
    pub(super) fn has_reference(&self) -> bool {
        self.reference.first.looks >= LOOKS
    }

    /// Whether `small`, captured at `at`, shows another view than the reference. Never before there is one.
    pub(super) fn is_moved(&mut self, small: &Thumbnail, at: CaptureTime) -> bool {
        self.see(small);
        let Reference { first, recent, followed } = &self.reference;
        if first.looks < LOOKS || recent.plane.len() != self.now.plane.len() {
            return false;
        }
        let shifted = |reference: &Edges, in_place: f32| {
            in_place < IN_PLACE
                && best_shift(&self.now, reference).is_some_and(|best| best >= in_place + BETTER)
        };
        if self.looks.is_multiple_of(FIRST_EVERY) || self.off_first {
            self.off_first = shifted(first, correlation(&self.now, first));
        }
        self.looks = self.looks.wrapping_add(1);
        self.in_place = correlation(&self.now, recent);
        if self.off_first {
            return true;
        }
        if self.in_place >= self.usual.map_or(IN_PLACE, |usual| IN_PLACE.min(usual - FALLEN)) {
            return false;
        }
        // Another scene cannot be told from another light, unless it was watched how it came.
        let watched = followed.is_some_and(|then| at.seconds_since(then) < UNWATCHED_S);
        let comparable = watched || (self.now.light - recent.light).abs() < SAME_LIGHT;
        shifted(recent, self.in_place)
            || (comparable && self.in_place < OTHER_SCENE && is_elsewhere(&self.now, recent))
    }

    /// Takes the thumbnail that was compared last, captured at `at` and `step_s` seconds after the one before, into the
    /// reference.
    pub(super) fn follow(&mut self, at: CaptureTime, step_s: f64) {
        if self.reference.first.looks >= LOOKS {
            let usual = self.usual.get_or_insert(self.in_place);
            *usual += USUAL_SHARE * (self.in_place - *usual);
        }
        let Reference { first, recent, followed } = &mut self.reference;
        if first.looks < LOOKS {
            first.follow(&self.now, 1.0 / (first.looks + 1) as f32);
        }
        let settled = (step_s / RECENT_S).clamp(0.0, 1.0) as f32;
        let share = settled.max(1.0 / (recent.looks.min(1_000_000) + 1) as f32).min(MOST_SHARE);
        recent.follow(&self.now, if recent.looks < LOOKS { 1.0 / (recent.looks + 1) as f32 } else { share });
        *followed = Some(at);
    }

    fn see(&mut self, small: &Thumbnail) {
        halve(small.cells(), COLUMNS, &mut self.half);
        // What is added keeps the noise of darkness from looking like edges.
        self.half.iter_mut().for_each(|luma| *luma = (*luma + 8.0).ln());
        let (columns, rows) = SIZE;
        let plane = &mut self.now.plane;
        plane.clear();
        plane.resize(columns * rows, 0.0);
        for y in 1..rows - 1 {
            for x in 1..columns - 1 {
                let at = y * columns + x;
                let across = self.half[at + 1] - self.half[at - 1];
                let down = self.half[at + columns] - self.half[at - columns];
                let edge = across.hypot(down);
                // One sign with lamps in it must not outweigh a street.
                plane[at] = edge / (edge + 0.3);
            }
        }
        self.now.light = self.half.iter().sum::<f32>() / self.half.len() as f32;
    }
}

/// How much two planes have in common where they overlap when `a` is laid `shift` further: Pearson's correlation.
fn overlap(a: &Edges, b: &Edges, (dx, dy): (isize, isize), area: [usize; 4]) -> f32 {
    let [left, top, right, bottom] = area;
    let (columns, rows) = SIZE;
    let clip = |from: usize, to: usize, by: isize, size: usize| {
        let from = (from as isize).max(1 - by.min(0)).max(1);
        let to = (to as isize).min(size as isize - 1 - by.max(0));
        (from, to)
    };
    let ((x0, x1), (y0, y1)) = (clip(left, right, dx, columns), clip(top, bottom, dy, rows));
    let (mut n, mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0);
    for y in y0..y1 {
        let line = |plane: &'_ [f32], y: isize, dx: isize| {
            let from = (y * columns as isize + x0 + dx) as usize;
            from..from + ((x1 - x0).max(0) as usize).min(plane.len().saturating_sub(from))
        };
        let (here, there) = (line(&a.plane, y, 0), line(&b.plane, y + dy, dx));
        for (a, b) in a.plane[here].iter().zip(&b.plane[there]) {
            n += 1.0;
            sa += a;
            sb += b;
            saa += a * a;
            sbb += b * b;
            sab += a * b;
        }
    }
    if n < 1.0 {
        return 0.0;
    }
    let spread = ((saa - sa * sa / n) * (sbb - sb * sb / n)).max(0.0).sqrt();
    if spread > f32::EPSILON { (sab - sa * sb / n) / spread } else { 0.0 }
}

fn correlation(a: &Edges, b: &Edges) -> f32 {
    overlap(a, b, (0, 0), [0, 0, SIZE.0, SIZE.1])
}

/// Correlation at the best shift, if that is a shift of the camera.
fn best_shift(now: &Edges, reference: &Edges) -> Option<f32> {
    let (across, down) = REACH;
    let shifts = (-down..=down).flat_map(|dy| (-across..=across).map(move |dx| (dx, dy)));
    let all = shifts.map(|shift| (overlap(now, reference, shift, [0, 0, SIZE.0, SIZE.1]), shift));
    let (best, (dx, dy)) = all.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best >= SAME_SCENE && dx.abs().max(dy.abs()) >= LEAST_SHIFT).then_some(best)
}

/// Whether nearly every tile with something in it shows something else.
fn is_elsewhere(now: &Edges, before: &Edges) -> bool {
    let (across, down) = TILES;
    let (mut compared, mut other) = (0, 0);
    for row in 0..down {
        for column in 0..across {
            let area = [
                column * SIZE.0 / across,
                row * SIZE.1 / down,
                (column + 1) * SIZE.0 / across,
                (row + 1) * SIZE.1 / down,
            ];
            if mean(&now.plane, area) < LEAST_EDGES || mean(&before.plane, area) < LEAST_EDGES {
                continue;
            }
            compared += 1;
            other += usize::from(overlap(now, before, (0, 0), area) < OTHER_SCENE);
        }
    }
    let (share, least) = ELSEWHERE;
    compared >= least && other as f32 >= share * compared as f32
}

fn mean(plane: &[f32], [left, top, right, bottom]: [usize; 4]) -> f32 {
    let rows = (top..bottom).map(|y| plane[y * SIZE.0 + left..y * SIZE.0 + right].iter().sum::<f32>());
    rows.sum::<f32>() / ((right - left) * (bottom - top)) as f32
}
