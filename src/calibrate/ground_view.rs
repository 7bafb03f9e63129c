//! A camera's calibration drawn over its view: a raster in metres, the grids, the zones, and each point with
//! where the homography puts it.

use std::collections::BTreeSet;

use image::{Rgb, RgbImage};

use super::ground_file::Given;
use crate::evidence::text;
use crate::place::homography::Pair;
use crate::place::{Homography, Polygon, Terrain};

const RASTER: Rgb<u8> = Rgb([255; 3]);
const GRID: Rgb<u8> = Rgb([255, 208, 0]);
const ZONE: Rgb<u8> = Rgb([0, 224, 255]);
const POINT: Rgb<u8> = Rgb([40, 200, 60]);
const OFF: Rgb<u8> = Rgb([255, 40, 40]);
const RIM: Rgb<u8> = Rgb([16; 3]);

/// Steps of the raster in metres; the first that gives few enough lines is taken.
const STEPS_M: [f64; 6] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
/// Most raster lines in each direction.
const MOST_LINES: f64 = 16.0;
/// Lines on the ground bend at no point, but they leave the view: they are drawn in pieces of this length.
const PIECE_M: f64 = 0.5;
/// Most pieces of one line.
const MOST_PIECES: f64 = 4_000.0;
/// Columns and rows of points at which the grids are looked up, to find where their names go.
const LOOKUPS: usize = 48;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// The line at the top.
    pub title: &'a str,
    /// The ground and the grids on it.
    pub terrain: &'a Terrain,
    /// Name and outline of each zone.
    pub zones: &'a [(String, Polygon)],
    /// The points as a person gave them.
    pub given: &'a [Given],
    /// The same in metres.
    pub pairs: &'a [Pair],
}

/// Draws `marks` on `picture`, which is the view in any size, and returns the raster's step in metres.
pub fn draw(picture: &mut RgbImage, marks: &Marks<'_>) -> f64 {
    let homography = marks.terrain.ground().homography();
    let thick = (picture.width() as f32 / 480.0).round().clamp(1.0, 4.0);
    let step = raster(picture, homography, marks.pairs, thick);
    for grid in marks.terrain.grids() {
        for polygon in &grid.area {
            for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
                for side in ring.lines() {
                    let ends = [[side.start.x, side.start.y], [side.end.x, side.end.y]];
                    on_ground(picture, homography, ends, thick + 1.0, GRID, 1.0);
                }
            }
        }
    }
    for (_, zone) in marks.zones {
        let corners: Vec<[f64; 2]> = zone.corners().iter().map(|c| c.map(f64::from)).collect();
        let ends = corners.iter().cycle().skip(1);
        for (&from, &to) in corners.iter().zip(ends) {
            path(picture, &[from, to], thick, ZONE, 1.0);
        }
    }
    for (number, (given, pair)) in marks.given.iter().zip(marks.pairs).enumerate() {
        if let Some(put) = homography.to_picture(pair.ground) {
            path(picture, &[given.picture, put], thick + 1.0, OFF, 1.0);
        }
        point(picture, given.picture, number + 1, thick);
    }
    names(picture, marks);
    let size = size(picture);
    label(picture, &format!("{}, raster {step} m", marks.title), (0.4 * size, 0.4 * size), size, RASTER);
    step
}

/// Font size.
fn size(picture: &RgbImage) -> f32 {
    (picture.width() as f32 / 60.0).clamp(12.0, 30.0)
}

/// Lines every so many metres east and north of the origin, around the points.
fn raster(picture: &mut RgbImage, homography: &Homography, pairs: &[Pair], thick: f32) -> f64 {
    let span = |axis: usize| {
        let of = pairs.iter().map(|pair| pair.ground[axis]);
        let (low, high) = (of.clone().fold(f64::MAX, f64::min), of.fold(f64::MIN, f64::max));
        let margin = 0.25 * (high - low);
        (low - margin, high + margin)
    };
    let (east, north) = (span(0), span(1));
    let widest = (east.1 - east.0).max(north.1 - north.0);
    let step = STEPS_M.into_iter().find(|step| widest / step <= MOST_LINES).unwrap_or(100.0);
    let cut = |(low, high): (f64, f64)| {
        let first = (low / step).ceil() as i64;
        (first..=(high / step).floor() as i64).map(move |n| n as f64 * step)
    };
    for e in cut(east) {
        on_ground(picture, homography, [[e, north.0], [e, north.1]], thick, RASTER, 0.55);
    }
    for n in cut(north) {
        on_ground(picture, homography, [[east.0, n], [east.1, n]], thick, RASTER, 0.55);
    }
    step
}

/// A straight line on the ground, as far as it is in view.
fn on_ground(
    picture: &mut RgbImage,
    homography: &Homography,
    [from, to]: [[f64; 2]; 2],
    thick: f32,
    colour: Rgb<u8>,
    amount: f32,
) {
    let length = (to[0] - from[0]).hypot(to[1] - from[1]);
    let pieces = (length / PIECE_M).ceil().clamp(1.0, MOST_PIECES) as usize;
    let mut seen: Vec<[f64; 2]> = Vec::new();
    for piece in 0..=pieces {
        let t = piece as f64 / pieces as f64;
        let at = [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])];
        // A little beyond the edge, so that lines run up to it.
        let shown = homography.to_picture(at).filter(|at| at.iter().all(|v| (-0.5..=1.5).contains(v)));
        match shown {
            Some(at) => seen.push(at),
            None => {
                path(picture, &seen, thick, colour, amount);
                seen.clear();
            }
        }
    }
    path(picture, &seen, thick, colour, amount);
}

/// A line through `points`, 0-1 in the picture.
fn path(picture: &mut RgbImage, points: &[[f64; 2]], thick: f32, colour: Rgb<u8>, amount: f32) {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let half = f64::from(thick) / 2.0;
    // Each pixel once, so that a translucent line has no knots.
    let mut covered = BTreeSet::new();
    for ends in points.windows(2) {
        let [from, to] = [ends[0], ends[1]].map(|[x, y]| [x * width, y * height]);
        let steps = (to[0] - from[0]).hypot(to[1] - from[1]).ceil().max(1.0) as u32 * 2;
        for step in 0..=steps {
            let t = f64::from(step) / f64::from(steps);
            let at = [from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])];
            let low = at.map(|v| (v - half).round() as i64);
            let side = (2.0 * half).round().max(1.0) as i64;
            covered.extend((0..side * side).map(|n| (low[0] + n % side, low[1] + n / side)));
        }
    }
    for (x, y) in covered {
        mix(picture, (x, y), colour, amount);
    }
}

fn mix(picture: &mut RgbImage, (x, y): (i64, i64), colour: Rgb<u8>, amount: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    let Some(pixel) = picture.get_pixel_mut_checked(x, y) else { return };
    for (old, new) in pixel.0.iter_mut().zip(colour.0) {
        *old = (f32::from(*old) * (1.0 - amount) + f32::from(new) * amount).round() as u8;
    }
}

/// A numbered cross at a point of the calibration.
fn point(picture: &mut RgbImage, at: [f64; 2], number: usize, thick: f32) {
    let arm = size(picture) as f64 * 0.6;
    let (dx, dy) = (arm / f64::from(picture.width()), arm / f64::from(picture.height()));
    for (colour, thick) in [(RIM, thick + 2.0), (POINT, thick)] {
        path(picture, &[[at[0] - dx, at[1]], [at[0] + dx, at[1]]], thick, colour, 1.0);
        path(picture, &[[at[0], at[1] - dy], [at[0], at[1] + dy]], thick, colour, 1.0);
    }
    let size = size(picture);
    let corner = (
        (at[0] + dx * 0.4) as f32 * picture.width() as f32,
        (at[1] + dy * 0.3) as f32 * picture.height() as f32,
    );
    label(picture, &number.to_string(), corner, size * 0.85, POINT);
}

/// The name of each grid, in the middle of what shows of it, and of each zone at its first corner.
fn names(picture: &mut RgbImage, marks: &Marks<'_>) {
    let size = size(picture);
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let mut shown: Vec<(&str, Vec<[f64; 2]>)> = Vec::new();
    for at in 0..LOOKUPS * LOOKUPS {
        let picture = [at % LOOKUPS, at / LOOKUPS].map(|n| (n as f64 + 0.5) / LOOKUPS as f64);
        let Some(grid) = marks.terrain.ground().point(picture).and_then(|at| marks.terrain.holding(at))
        else {
            continue;
        };
        match shown.iter_mut().find(|(name, _)| *name == grid.as_str()) {
            Some((_, places)) => places.push(picture),
            None => shown.push((grid.as_str(), vec![picture])),
        }
    }
    for (name, places) in shown {
        let mean = [0, 1].map(|axis| places.iter().map(|p| p[axis]).sum::<f64>() / places.len() as f64);
        let off = |p: &[f64; 2]| (p[0] - mean[0]).hypot(p[1] - mean[1]);
        // A place that is its own: the mean of a bent grid may lie in another.
        if let Some(at) = places.iter().min_by(|a, b| off(a).total_cmp(&off(b))) {
            let left = at[0] as f32 * width - text::width(name, size) / 2.0;
            let left = left.clamp(0.0, (width - text::width(name, size)).max(0.0));
            label(picture, name, (left, at[1] as f32 * height - size / 2.0), size, GRID);
        }
    }
    for (name, zone) in marks.zones {
        let [x, y] = zone.corners()[0];
        let left = (x * width + 4.0).min(width - text::width(name, size) - 4.0);
        let top = (y * height + 4.0).min(height - 1.4 * size);
        label(picture, name, (left, top), size * 0.85, ZONE);
    }
}

/// Words on a dark ground.
fn label(picture: &mut RgbImage, words: &str, (left, top): (f32, f32), size: f32, colour: Rgb<u8>) {
    let (wide, high) = (text::width(words, size) + 0.5 * size, 1.36 * size);
    for y in top as i64..(top + high) as i64 {
        for x in (left - 0.25 * size) as i64..(left - 0.25 * size + wide) as i64 {
            mix(picture, (x, y), RIM, 0.65);
        }
    }
    text::draw(picture, words, (left, top), size, colour);
}
