//! What part of a frame the network is shown, where it lies in the network's input, and the way back for boxes.

use crate::detect::BBox;
use crate::detect::input::{InputSpec, Resize};
use crate::frame::{Frame, Layout};

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
    pub(super) crop: Crop,
    /// Size of the frame in pixels.
    frame: (usize, usize),
    /// Where the picture begins in the input, in input pixels.
    pub(super) offset: (usize, usize),
    /// Size of the picture in the input, in input pixels.
    pub(super) size: (usize, usize),
}

impl Mapping {
    pub(super) fn new(frame: &Frame, crop: Crop, spec: &InputSpec) -> Self {
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

/// Whether the planes of `frame` are of its size and `crop` lies in it on even coordinates.
pub(super) fn sound(frame: &Frame, crop: Crop) -> bool {
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
