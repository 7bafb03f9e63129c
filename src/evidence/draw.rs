//! Marks on an evidence picture: the zone's outline, boxes with label and score. They are drawn after
//! redaction, as lines only, so that they do not hide what they point at.

use image::{Rgb, RgbImage};

use super::text::{self, blend};
use crate::detect::{BBox, Detection, Vocabulary};
use crate::place::Polygon;

/// Zone outlines: a colour that streets seldom have.
const ZONE: Rgb<u8> = Rgb([0, 224, 255]);
/// Boxes of the case's objects.
const OBJECT: Rgb<u8> = Rgb([255, 72, 24]);
/// The rim of both, so that they stand out from bright and dark ground.
const RIM: Rgb<u8> = Rgb([16, 16, 16]);
/// How much the rim covers, 0-1.
const RIM_AMOUNT: f32 = 0.6;

/// Thickness of a line in pixels: 2 on a picture of 768, 5 on one of 1920.
fn thickness(picture: &RgbImage) -> f32 {
    (picture.width() as f32 / 384.0).round().clamp(2.0, 5.0)
}

/// A point 0-1 in the picture's pixels.
fn pixel(picture: &RgbImage, x: f32, y: f32) -> (f32, f32) {
    (x * picture.width() as f32, y * picture.height() as f32)
}

/// Draws the outline of `zone`.
pub fn zone(picture: &mut RgbImage, zone: &Polygon) {
    let corners: Vec<_> = zone.corners().iter().map(|&[x, y]| pixel(picture, x, y)).collect();
    outline(picture, &corners, ZONE);
}

/// Draws the boxes of `objects` with label and score.
pub fn objects(picture: &mut RgbImage, objects: &[Detection], vocabulary: &Vocabulary) {
    for object in objects.iter().filter(|object| object.bbox.is_sound()) {
        let BBox { x1, y1, x2, y2 } = object.bbox.clamped();
        let corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)].map(|(x, y)| pixel(picture, x, y));
        outline(picture, &corners, OBJECT);
    }
    // Tags last: no box's line runs through another's tag.
    for object in objects.iter().filter(|object| object.bbox.is_sound()) {
        tag(picture, object, vocabulary);
    }
}

/// A closed line through `corners` (pixels), with a dark rim.
fn outline(picture: &mut RgbImage, corners: &[(f32, f32)], colour: Rgb<u8>) {
    let width = thickness(picture);
    let mut inner = Mask::over(picture, corners, width);
    let mut rim = Mask::over(picture, corners, width + 2.0);
    let ends = corners.iter().cycle().skip(1);
    for (&from, &to) in corners.iter().zip(ends) {
        rim.line(from, to, width + 2.0);
        inner.line(from, to, width);
    }
    rim.paint(picture, RIM, RIM_AMOUNT);
    inner.paint(picture, colour, 1.0);
}

/// Which pixels a line covers. Lines are collected before they are painted, so that where two meet a
/// translucent colour is not laid on twice.
struct Mask {
    left: i64,
    top: i64,
    width: usize,
    covered: Vec<bool>,
}

impl Mask {
    /// An empty mask over the part of `picture` that lines of `thickness` through `corners` can reach.
    fn over(picture: &RgbImage, corners: &[(f32, f32)], thickness: f32) -> Self {
        let reach = thickness / 2.0 + 1.0;
        let span = |values: &dyn Fn(&(f32, f32)) -> f32, side: u32| {
            let low = corners.iter().map(values).fold(f32::MAX, f32::min) - reach;
            let high = corners.iter().map(values).fold(f32::MIN, f32::max) + reach;
            let side = side as f32;
            (low.clamp(0.0, side).floor() as i64, high.clamp(0.0, side).ceil() as i64)
        };
        let (left, right) = span(&|corner| corner.0, picture.width());
        let (top, bottom) = span(&|corner| corner.1, picture.height());
        let (width, height) = ((right - left).max(0) as usize, (bottom - top).max(0) as usize);
        Self { left, top, width, covered: vec![false; width * height] }
    }

    /// Covers every pixel whose centre lies within half of `thickness` of the line.
    fn line(&mut self, from: (f32, f32), to: (f32, f32), thickness: f32) {
        let half = thickness / 2.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        // One stamp a pixel of length; the lines are a few pixels thick, so stamps overlap.
        let stamps = length.ceil().max(1.0) as u32;
        for i in 0..=stamps {
            let t = i as f32 / stamps as f32;
            self.stamp((from.0 + t * dx, from.1 + t * dy), half);
        }
    }

    /// Covers a disc.
    fn stamp(&mut self, (x, y): (f32, f32), radius: f32) {
        let rows = (y - radius).floor() as i64..=(y + radius).ceil() as i64;
        for row in rows {
            for column in (x - radius).floor() as i64..=(x + radius).ceil() as i64 {
                let off = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
                let (c, r) = (column - self.left, row - self.top);
                if off > radius || c < 0 || r < 0 || c as usize >= self.width {
                    continue;
                }
                if let Some(covered) = self.covered.get_mut(r as usize * self.width + c as usize) {
                    *covered = true;
                }
            }
        }
    }

    fn paint(&self, picture: &mut RgbImage, colour: Rgb<u8>, amount: f32) {
        for at in self.covered.iter().enumerate().filter_map(|(at, &covered)| covered.then_some(at)) {
            let (x, y) = (at % self.width, at / self.width);
            blend(picture, self.left + x as i64, self.top + y as i64, colour, amount);
        }
    }
}

/// The label and score of `object`, on top of its box, or below it, or inside it where neither has room.
fn tag(picture: &mut RgbImage, object: &Detection, vocabulary: &Vocabulary) {
    let words = format!("{} {:.2}", vocabulary.name(object.label), object.score);
    let size = (picture.width() as f32 / 52.0).clamp(13.0, 28.0);
    let (width, height) = (text::width(&words, size) + 0.6 * size, text::LINE_HEIGHT * size);
    let BBox { x1, y1, x2: _, y2 } = object.bbox.clamped();
    let ((left, above), (_, below)) = (pixel(picture, x1, y1), pixel(picture, x1, y2));
    let bottom = picture.height() as f32;
    let top = if above >= height {
        above - height
    } else if below + height <= bottom {
        below
    } else {
        above
    };
    let left = left.min(picture.width() as f32 - width).max(0.0);
    for y in top as i64..(top + height) as i64 {
        for x in left as i64..(left + width) as i64 {
            blend(picture, x, y, OBJECT, 1.0);
        }
    }
    text::draw(picture, &words, (left + 0.3 * size, top), size, Rgb([255; 3]));
}
