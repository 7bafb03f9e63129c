//! Hides heads and plates, irreversibly.
//!
//! # Invariants
//! - E1: no pixel of a hidden region survives. Every block of a region holds one colour, the mean of the block.
//! - Only [`redact`] makes a [`Redacted`] picture, and evidence is cut, scaled and encoded from nothing else.
//!
//! All pictures of an event come from one redacted picture, so the same head never shows in two mosaics whose
//! difference would say more than either.

use image::{Rgb, RgbImage, imageops};

use super::Redaction;
use super::render::Canvas;
use super::subject::{PixelRect, Subject, Who};

/// Least side of a block, in pixels.
pub const LEAST_BLOCK_PX: u32 = 4;
/// Blocks over the height of a hidden head: a face of 6 x 6 cells is below what people and face matchers can
/// use (they need a dozen and more cells over a face).
const BLOCKS_OVER_HEAD: u32 = 6;
/// Blocks over the height of a hidden plate area (2/3 of the vehicle): a block is then 8 % of the vehicle's
/// height, more than a character on its plate (6 %).
const BLOCKS_OVER_VEHICLE: u32 = 8;
/// Blocks over the height of a hidden face with its margins, which is 1.3 heads.
const BLOCKS_OVER_FACE: u32 = 5;
/// Blocks over the height of a hidden plate with its margins: a block is higher than a character is wide.
const BLOCKS_OVER_PLATE: u32 = 2;
/// How much larger the blocks of films are.
const COARSER_IN_FILMS: u32 = 2;

/// A picture whose heads and plates are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    pixels: RgbImage,
}

impl Redacted {
    /// The picture.
    pub fn pixels(&self) -> &RgbImage {
        &self.pixels
    }

    /// A copy of the part `rect`.
    pub(super) fn cropped(&self, rect: PixelRect) -> Self {
        let (w, h) = (rect.x2 - rect.x1, rect.y2 - rect.y1);
        Self { pixels: imageops::crop_imm(&self.pixels, rect.x1, rect.y1, w, h).to_image() }
    }

    /// A copy, `scale` times as large; `scale` is at most 1.
    pub(super) fn scaled(&self, scale: f32) -> RgbImage {
        scaled(&self.pixels, scale)
    }
}

/// A copy of `picture`, `scale` times as large; `scale` is at most 1.
pub(super) fn scaled(picture: &RgbImage, scale: f32) -> RgbImage {
    if scale >= 1.0 {
        return picture.clone();
    }
    let side = |n: u32| ((n as f32 * scale).round() as u32).max(1);
    let (w, h) = picture.dimensions();
    imageops::resize(picture, side(w), side(h), imageops::FilterType::Triangle)
}

/// Hides the heads, faces and plates of `subjects` and says how many of each that was (boxes of one and the same
/// are counted once).
pub fn redact(canvas: Canvas, subjects: &[Subject]) -> (Redacted, Redaction) {
    let (width, height) = canvas.pixels.dimensions();
    let redacted = hidden(canvas, subjects, 1);
    (redacted, counted(subjects, (width, height)))
}

/// As [`redact`], for one picture of a film: its blocks are twice as large, since a film shows each head many times.
pub(super) fn redact_film(canvas: Canvas, subjects: &[Subject]) -> RgbImage {
    hidden(canvas, subjects, COARSER_IN_FILMS).pixels
}

/// Hides the heads, faces and plates of `subjects` behind blocks that are `coarser` times as large as in a picture.
fn hidden(canvas: Canvas, subjects: &[Subject], coarser: u32) -> Redacted {
    let mut pixels = canvas.pixels;
    let (width, height) = pixels.dimensions();
    for subject in subjects {
        let Some(region) = subject.region(width, height) else { continue };
        pixelate(&mut pixels, region, coarser * block_side(subject.who, region));
    }
    Redacted { pixels }
}

/// How many of each of `subjects` show in a picture of `width` x `height`; boxes of one and the same are counted once.
pub(super) fn counted(subjects: &[Subject], (width, height): (u32, u32)) -> Redaction {
    let mut counted: Vec<Subject> = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.region(width, height).is_some()) {
        if !counted.iter().any(|known| known.same_as(subject)) {
            counted.push(*subject);
        }
    }
    let count = |who| counted.iter().filter(|subject| subject.who == who).count() as u32;
    Redaction {
        persons: count(Who::Person),
        vehicles: count(Who::Vehicle),
        faces: count(Who::Face),
        plates: count(Who::Plate),
    }
}

/// Least side of a block in `region`, in pixels.
fn block_side(who: Who, region: PixelRect) -> u32 {
    let blocks = match who {
        Who::Person => BLOCKS_OVER_HEAD,
        Who::Vehicle => BLOCKS_OVER_VEHICLE,
        Who::Face => BLOCKS_OVER_FACE,
        Who::Plate => BLOCKS_OVER_PLATE,
    };
    (region.y2 - region.y1).div_ceil(blocks).max(LEAST_BLOCK_PX)
}

/// Divides `region` into blocks of at least `side` pixels (one block where it is smaller than that) and fills
/// each with its mean. The region is divided evenly, so no thin rest of a block is left at its edges.
fn pixelate(pixels: &mut RgbImage, region: PixelRect, side: u32) {
    let cuts = |from: u32, to: u32| {
        let count = ((to - from) / side).max(1);
        (0..=count).map(move |i| from + (to - from) * i / count).collect::<Vec<_>>()
    };
    let (columns, rows) = (cuts(region.x1, region.x2), cuts(region.y1, region.y2));
    for row in rows.windows(2) {
        for column in columns.windows(2) {
            flatten(pixels, PixelRect { x1: column[0], y1: row[0], x2: column[1], y2: row[1] });
        }
    }
}

/// Fills `block` with its mean colour.
fn flatten(pixels: &mut RgbImage, block: PixelRect) {
    let mut sum = [0_u64; 3];
    let at = || (block.y1..block.y2).flat_map(|y| (block.x1..block.x2).map(move |x| (x, y)));
    for (x, y) in at() {
        for (sum, value) in sum.iter_mut().zip(pixels.get_pixel(x, y).0) {
            *sum += u64::from(value);
        }
    }
    let area = u64::from(block.x2 - block.x1) * u64::from(block.y2 - block.y1);
    let mean = Rgb(sum.map(|sum| ((sum + area / 2) / area) as u8));
    for (x, y) in at() {
        pixels.put_pixel(x, y, mean);
    }
}
