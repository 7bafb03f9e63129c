//! From a frame's planes to the network's input in one pass: crop, scale, colour, normalise. The frame is
//! never RGB as a whole; only the pixels that the network sees are computed, a row at a time.
//!
//! Scaling is bilinear between the four nearest samples with pixel centres at half integers, as OpenCV's
//! `INTER_LINEAR` does it, without smoothing first: the models here were trained and calibrated on that.
//! Chroma samples are taken to lie in the middle of their four luma samples.

use super::BBox;
use super::input::{ColourOrder, InputSpec, Resize};
use crate::frame::{Frame, Layout, Matrix};

/// A part of a frame in pixels, on even coordinates so that no chroma sample is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crop {
    /// Left edge; even.
    pub x: usize,
    /// Top edge; even.
    pub y: usize,
    /// Width; even, at least 2.
    pub width: usize,
    /// Height; even, at least 2.
    pub height: usize,
}

impl Crop {
    /// The whole of `frame`.
    pub fn whole(frame: &Frame) -> Self {
        Self { x: 0, y: 0, width: frame.width, height: frame.height }
    }

    /// The smallest crop of `frame` that holds `region` (0-1); at least 2 by 2 pixels.
    pub fn of(frame: &Frame, region: BBox) -> Self {
        let span = |from: f32, to: f32, length: usize| {
            let last = length.saturating_sub(2);
            let start = ((from.clamp(0.0, 1.0) * length as f32).floor() as usize).min(last) & !1;
            let end = (to.clamp(0.0, 1.0) * length as f32).ceil() as usize;
            let end = end.div_ceil(2).saturating_mul(2).min(length).max(start + 2);
            (start, end - start)
        };
        let (x, width) = span(region.x1, region.x2, frame.width);
        let (y, height) = span(region.y1, region.y2, frame.height);
        Self { x, y, width, height }
    }
}

/// Where a picture lies in the network's input: the way back for boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mapping {
    crop: Crop,
    /// Size of the frame in pixels.
    frame: (usize, usize),
    /// Where the picture begins in the input, in input pixels.
    offset: (usize, usize),
    /// Size of the picture in the input, in input pixels.
    size: (usize, usize),
}

impl Mapping {
    fn new(frame: &Frame, crop: Crop, spec: &InputSpec) -> Self {
        let (offset, size) = match spec.resize {
            Resize::Stretch => ((0, 0), (spec.width, spec.height)),
            Resize::Letterbox => {
                let ratio =
                    (spec.width as f64 / crop.width as f64).min(spec.height as f64 / crop.height as f64);
                let side =
                    |length: usize, most: usize| ((length as f64 * ratio).round() as usize).clamp(1, most);
                let size = (side(crop.width, spec.width), side(crop.height, spec.height));
                (((spec.width - size.0) / 2, (spec.height - size.1) / 2), size)
            }
        };
        Self { crop, frame: (frame.width, frame.height), offset, size }
    }

    /// The box `corners` in pixels of the network's input as 0-1 of the whole frame, cut to what the network
    /// was shown.
    pub fn to_frame(&self, corners: [f32; 4]) -> BBox {
        let back = |at: f32, offset: usize, size: usize, from: usize, length: usize, whole: usize| {
            let part = ((at - offset as f32) / size as f32).clamp(0.0, 1.0);
            (from as f32 + part * length as f32) / whole as f32
        };
        let x = |at| back(at, self.offset.0, self.size.0, self.crop.x, self.crop.width, self.frame.0);
        let y = |at| back(at, self.offset.1, self.size.1, self.crop.y, self.crop.height, self.frame.1);
        BBox { x1: x(corners[0]), y1: y(corners[1]), x2: x(corners[2]), y2: y(corners[3]) }
    }
}

/// Where an output pixel lies between two input samples.
#[derive(Clone, Copy, Debug, Default)]
struct Tap {
    /// The first of the two samples; the second is the next.
    at: u32,
    /// Weight of the second, 0-1.
    weight: f32,
}

/// Fills the network's input from frames. Keeps its tables and rows, so a run with the geometry of the last
/// one takes no memory.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    spec: InputSpec,
    mapping: Mapping,
    luma_x: Vec<Tap>,
    luma_y: Vec<Tap>,
    chroma_x: Vec<Tap>,
    chroma_y: Vec<Tap>,
    /// One row of Y, U and V at the size of the input.
    rows: [Vec<f32>; 3],
}

impl Preprocessor {
    /// For a network that takes `spec`.
    pub fn new(spec: InputSpec) -> Self {
        Self {
            spec,
            mapping: Mapping::default(),
            luma_x: Vec::new(),
            luma_y: Vec::new(),
            chroma_x: Vec::new(),
            chroma_y: Vec::new(),
            rows: Default::default(),
        }
    }

    /// Numbers in the network's input: 3 * height * width.
    pub fn len(&self) -> usize {
        3 * self.spec.height * self.spec.width
    }

    /// Whether the input is empty; it never is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes `crop` of `frame` into `input`, `[3, height, width]` of the network's input, bars included, and
    /// gives the way back for boxes. `None`, and `input` as it was, when the frame's planes are not of its
    /// size or `crop` does not lie in it on even coordinates.
    pub fn run(&mut self, frame: &Frame, crop: Crop, input: &mut [f32]) -> Option<Mapping> {
        if input.len() != self.len() || !sound(frame, crop) {
            return None;
        }
        let mapping = Mapping::new(frame, crop, &self.spec);
        if mapping != self.mapping {
            self.mapping = mapping;
            let (width, height) = mapping.size;
            taps(&mut self.luma_x, width, crop.width, crop.x);
            taps(&mut self.luma_y, height, crop.height, crop.y);
            taps(&mut self.chroma_x, width, crop.width / 2, crop.x / 2);
            taps(&mut self.chroma_y, height, crop.height / 2, crop.y / 2);
            self.rows.iter_mut().for_each(|row| row.resize(width, 0.0));
        }
        let affine = self.affine();
        self.fill_bars(affine, input);
        let colour = Colour::new(frame);
        let plane = self.spec.width * self.spec.height;
        let (first, rest) = input.split_at_mut(plane);
        let (second, third) = rest.split_at_mut(plane);
        let [y_row, u_row, v_row] = &mut self.rows;
        let half = frame.width / 2;
        let (width, left) = (mapping.size.0, mapping.offset.0);
        for (row, (luma, chroma)) in self.luma_y.iter().zip(&self.chroma_y).enumerate() {
            gather::<1>(&frame.y, frame.width, 0, *luma, &self.luma_x, y_row);
            match frame.layout {
                Layout::I420 => {
                    gather::<1>(&frame.u, half, 0, *chroma, &self.chroma_x, u_row);
                    gather::<1>(&frame.v, half, 0, *chroma, &self.chroma_x, v_row);
                }
                Layout::Nv12 => {
                    gather::<2>(&frame.u, frame.width, 0, *chroma, &self.chroma_x, u_row);
                    gather::<2>(&frame.u, frame.width, 1, *chroma, &self.chroma_x, v_row);
                }
            }
            let at = (mapping.offset.1 + row) * self.spec.width + left;
            let (r, g, b) = match self.spec.colour {
                ColourOrder::Rgb => (&mut *first, &mut *second, &mut *third),
                ColourOrder::Bgr => (&mut *third, &mut *second, &mut *first),
            };
            colour.convert(
                [&y_row[..width], &u_row[..width], &v_row[..width]],
                [&mut r[at..at + width], &mut g[at..at + width], &mut b[at..at + width]],
                affine,
            );
        }
        Some(mapping)
    }

    /// Factor and offset that normalise a value 0-255, for red, green and blue.
    fn affine(&self) -> [(f32, f32); 3] {
        let by_plane =
            |at: usize| (self.spec.scale / self.spec.std[at], -self.spec.mean[at] / self.spec.std[at]);
        match self.spec.colour {
            ColourOrder::Rgb => [by_plane(0), by_plane(1), by_plane(2)],
            ColourOrder::Bgr => [by_plane(2), by_plane(1), by_plane(0)],
        }
    }

    /// Greys the part of the input that the picture does not cover.
    fn fill_bars(&self, affine: [(f32, f32); 3], input: &mut [f32]) {
        let ((left, top), (width, height)) = (self.mapping.offset, self.mapping.size);
        if (width, height) == (self.spec.width, self.spec.height) {
            return;
        }
        let order = match self.spec.colour {
            ColourOrder::Rgb => [0, 1, 2],
            ColourOrder::Bgr => [2, 1, 0],
        };
        for (plane, colour) in input.chunks_exact_mut(self.spec.width * self.spec.height).zip(order) {
            let (factor, offset) = affine[colour];
            let grey = self.spec.pad * factor + offset;
            for (y, row) in plane.chunks_exact_mut(self.spec.width).enumerate() {
                if (top..top + height).contains(&y) {
                    row[..left].fill(grey);
                    row[left + width..].fill(grey);
                } else {
                    row.fill(grey);
                }
            }
        }
    }
}

fn sound(frame: &Frame, crop: Crop) -> bool {
    let (width, height) = (frame.width, frame.height);
    let quarter = width * height / 4;
    let chroma = match frame.layout {
        Layout::I420 => frame.u.len() == quarter && frame.v.len() == quarter,
        Layout::Nv12 => frame.u.len() == quarter * 2,
    };
    let inside = |from: usize, length: usize, whole: usize| {
        from.is_multiple_of(2)
            && length.is_multiple_of(2)
            && length >= 2
            && from.checked_add(length).is_some_and(|end| end <= whole)
    };
    width.is_multiple_of(2)
        && height.is_multiple_of(2)
        && frame.y.len() == width * height
        && chroma
        && inside(crop.x, crop.width, width)
        && inside(crop.y, crop.height, height)
}

/// For each of `to` output pixels, where it lies in the `from` samples that begin at `first`.
fn taps(taps: &mut Vec<Tap>, to: usize, from: usize, first: usize) {
    taps.clear();
    let ratio = from as f64 / to as f64;
    taps.extend((0..to).map(|at| {
        let centre = ((at as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f64);
        // The last sample is reached as "all of the second", so that there always is a second. A plane of one
        // sample has none, and `gather` reads the one twice.
        let left = (centre.floor() as usize).min(from.saturating_sub(2));
        Tap { at: (first + left) as u32, weight: (centre - left as f64) as f32 }
    }));
}

/// One output row of one plane, values 0-255. Samples are `STEP` bytes apart and begin at byte `lane`.
#[inline]
fn gather<const STEP: usize>(
    plane: &[u8],
    stride: usize,
    lane: usize,
    vertical: Tap,
    horizontal: &[Tap],
    out: &mut [f32],
) {
    let line =
        |row: usize| plane.get(row * stride + lane..).map_or(&[][..], |rest| &rest[..rest.len().min(stride)]);
    let upper = line(vertical.at as usize);
    let lower = match line(vertical.at as usize + 1) {
        [] => upper,
        lower => lower,
    };
    let pair = |row: &[u8], at: usize| match row.get(at * STEP..=(at + 1) * STEP) {
        Some(two) => (f32::from(two[0]), f32::from(two[STEP])),
        None => row.get(at * STEP).map_or((0.0, 0.0), |one| (f32::from(*one), f32::from(*one))),
    };
    for (value, tap) in out.iter_mut().zip(horizontal) {
        let (a, b) = pair(upper, tap.at as usize);
        let (c, d) = pair(lower, tap.at as usize);
        let top = a + (b - a) * tap.weight;
        let bottom = c + (d - c) * tap.weight;
        *value = top + (bottom - top) * vertical.weight;
    }
}

/// YUV to RGB for one frame's matrix and range.
struct Colour {
    black: f32,
    y: f32,
    red_v: f32,
    green_u: f32,
    green_v: f32,
    blue_u: f32,
}

impl Colour {
    fn new(frame: &Frame) -> Self {
        // Luma weights of red and blue; everything else follows from them (ITU-T H.273, 8.3).
        let (kr, kb) = match frame.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let kg = 1.0 - kr - kb;
        let (black, y, c) =
            if frame.full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
        Self {
            black,
            y,
            red_v: c * 2.0 * (1.0 - kr),
            green_u: c * -2.0 * (1.0 - kb) * kb / kg,
            green_v: c * -2.0 * (1.0 - kr) * kr / kg,
            blue_u: c * 2.0 * (1.0 - kb),
        }
    }

    /// Converts and normalises one row. `affine` and the output are in the order red, green, blue.
    fn convert(&self, [y, u, v]: [&[f32]; 3], [r, g, b]: [&mut [f32]; 3], affine: [(f32, f32); 3]) {
        let source = y.iter().zip(u).zip(v);
        let target = r.iter_mut().zip(g).zip(b);
        for (((y, u), v), ((r, g), b)) in source.zip(target) {
            let y = (y - self.black) * self.y;
            let (u, v) = (u - 128.0, v - 128.0);
            let red = (y + v * self.red_v).clamp(0.0, 255.0);
            let green = (y + u * self.green_u + v * self.green_v).clamp(0.0, 255.0);
            let blue = (y + u * self.blue_u).clamp(0.0, 255.0);
            *r = red * affine[0].0 + affine[0].1;
            *g = green * affine[1].0 + affine[1].1;
            *b = blue * affine[2].0 + affine[2].1;
        }
    }
}

#[cfg(test)]
mod tests;
