//! Hides parts of a camera's picture before anything else sees it: what is under a mask is one flat grey, for the
//! detector as for every picture.
//!
//! # Invariants
//! - No sample under a mask survives: a chroma sample and the four luma samples that it colours are hidden as soon as
//!   the mask touches them (`nothing_under_a_mask_survives`).
//! - Once it has seen a frame of the size, masking takes no memory (tests/allocations.rs).

use std::ops::Range;
use std::sync::Arc;

use super::{Next, Source};
use crate::error::Result;
use crate::frame::{Frame, Layout};
use crate::place::Polygon;

/// What is put in place of hidden samples: grey, whatever the colour matrix and range.
const GREY: u8 = 128;

/// The masks of a camera, laid out for frames of one size at a time.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    polygons: Arc<[Polygon]>,
    /// The frame size in pixels that `runs` is for.
    size: (usize, usize),
    /// Hidden runs of 2x2 pixels: row, and columns.
    runs: Vec<(usize, Range<usize>)>,
}

impl Mask {
    /// Hides what lies in any of `polygons`.
    pub fn new(polygons: Arc<[Polygon]>) -> Self {
        Self { polygons, size: (0, 0), runs: Vec::new() }
    }

    /// Whether it hides nothing.
    pub fn is_empty(&self) -> bool {
        self.polygons.is_empty()
    }

    /// Hides what `frame` shows under the mask.
    pub fn apply(&mut self, frame: &mut Frame) {
        if self.polygons.is_empty() {
            return;
        }
        let (width, height) = (frame.width, frame.height);
        if self.size != (width, height) {
            self.lay_out(width, height);
        }
        for (row, columns) in &self.runs {
            let pair = 2 * columns.start..2 * columns.end;
            for y in [2 * row, 2 * row + 1] {
                fill(&mut frame.y, y * width, &pair);
            }
            match frame.layout {
                Layout::I420 => {
                    fill(&mut frame.u, row * (width / 2), columns);
                    fill(&mut frame.v, row * (width / 2), columns);
                }
                Layout::Nv12 => fill(&mut frame.u, row * width, &pair),
            }
        }
    }

    /// The share of `zone` that it hides, 0-1, to about one part in 10,000 of the picture.
    pub fn share_of(&self, zone: &Polygon) -> f64 {
        const SIDE: usize = 256;
        let (mut inside, mut hidden) = (0_u32, 0_u32);
        for n in 0..SIDE * SIDE {
            let at = ((n % SIDE) as f32 + 0.5, (n / SIDE) as f32 + 0.5);
            let at = (at.0 / SIDE as f32, at.1 / SIDE as f32);
            if zone.contains(at) {
                inside += 1;
                hidden += u32::from(self.polygons.iter().any(|mask| mask.contains(at)));
            }
        }
        if inside == 0 { 0.0 } else { f64::from(hidden) / f64::from(inside) }
    }

    fn lay_out(&mut self, width: usize, height: usize) {
        self.size = (width, height);
        self.runs.clear();
        let (columns, rows) = (width / 2, height / 2);
        let mut touched = Vec::new();
        for row in 0..rows {
            touched.clear();
            let band = (row as f32 / rows as f32, (row + 1) as f32 / rows as f32);
            self.polygons.iter().for_each(|polygon| cover(polygon.corners(), band, &mut touched));
            touched.sort_by(|a: &(f32, f32), b| a.0.total_cmp(&b.0));
            for &(left, right) in &touched {
                let start = ((left * columns as f32).floor().max(0.0) as usize).min(columns);
                let end = ((right * columns as f32).ceil().max(0.0) as usize).min(columns);
                match self.runs.last_mut() {
                    Some((last, run)) if *last == row && start <= run.end => run.end = run.end.max(end),
                    _ if start < end => self.runs.push((row, start..end)),
                    _ => {}
                }
            }
        }
    }
}

/// Samples that a frame does not have, since its planes are too short, cannot be shown either.
fn fill(plane: &mut [u8], row: usize, columns: &Range<usize>) {
    if let Some(samples) = plane.get_mut(row + columns.start..row + columns.end) {
        samples.fill(GREY);
    }
}

/// Adds to `out` the spans from left to right that the polygon of `corners` takes up between the heights of `band`.
/// Between two neighbouring heights at which there is a corner or the band ends, no side begins or ends: what lies
/// between a side and the next is a trapezium.
fn cover(corners: &[[f32; 2]], band: (f32, f32), out: &mut Vec<(f32, f32)>) {
    let mut heights = vec![band.0, band.1];
    heights.extend(corners.iter().map(|[_, y]| *y).filter(|y| band.0 < *y && *y < band.1));
    heights.sort_by(f32::total_cmp);
    let mut crossings: Vec<(f32, f32, f32)> = Vec::new();
    for pair in heights.windows(2) {
        let (top, bottom) = (pair[0], pair[1]);
        let middle = (top + bottom) / 2.0;
        crossings.clear();
        let mut from = corners[corners.len() - 1];
        for &to in corners {
            if (from[1] > middle) != (to[1] > middle) {
                let x = |y: f32| {
                    let part = ((y - from[1]) / (to[1] - from[1])).clamp(0.0, 1.0);
                    from[0] + part * (to[0] - from[0])
                };
                crossings.push((x(middle), x(top), x(bottom)));
            }
            from = to;
        }
        crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
        for sides in crossings.chunks_exact(2) {
            let (left, right) = (sides[0], sides[1]);
            out.push((left.1.min(left.2), right.1.max(right.2)));
        }
    }
}

/// A source whose frames are masked before anybody else sees them.
pub(super) struct Masked {
    source: Box<dyn Source>,
    mask: Mask,
}

impl Masked {
    /// `source` under `mask`.
    pub(super) fn over(source: Box<dyn Source>, mask: Mask) -> Box<dyn Source> {
        if mask.is_empty() { source } else { Box::new(Self { source, mask }) }
    }
}

impl Source for Masked {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        let next = self.source.next(frame)?;
        if next == Next::Frame {
            self.mask.apply(frame);
        }
        Ok(next)
    }

    fn duration_s(&self) -> Option<f64> {
        self.source.duration_s()
    }

    fn skipped(&self) -> u64 {
        self.source.skipped()
    }

    fn is_live(&self) -> bool {
        self.source.is_live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(corners: &[[f32; 2]]) -> Polygon {
        Polygon::new(corners.to_vec()).unwrap()
    }

    fn bright(width: usize, height: usize, layout: Layout) -> Frame {
        let chroma = width * height / 4;
        let (u, v) = match layout {
            Layout::I420 => (vec![200; chroma], vec![210; chroma]),
            Layout::Nv12 => (vec![200; 2 * chroma], Vec::new()),
        };
        Frame { width, height, layout, y: vec![250; width * height], u, v, ..Frame::default() }
    }

    fn shapes() -> Vec<Polygon> {
        vec![
            polygon(&[[0.0, 0.0], [0.2, 0.0], [0.2, 0.3]]),
            polygon(&[[0.3, 0.3], [0.9, 0.5], [0.5, 0.9]]),
            // Concave, with a spike thinner than a pixel.
            polygon(&[[0.1, 0.5], [0.45, 0.55], [0.12, 0.56], [0.12, 0.98], [0.1, 0.98]]),
            polygon(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
        ]
    }

    #[test]
    fn nothing_under_a_mask_survives() {
        for shape in shapes() {
            for (width, height) in [(64, 48), (70, 50), (640, 360)] {
                let mut mask = Mask::new(Arc::new([shape.clone()]));
                let (mut planar, mut packed) =
                    (bright(width, height, Layout::I420), bright(width, height, Layout::Nv12));
                mask.apply(&mut planar);
                mask.apply(&mut packed);
                assert_eq!(planar.y, packed.y);
                // Nine points of each pixel.
                for n in 0..width * height * 9 {
                    let (pixel, part) = (n / 9, n % 9);
                    let (x, y) = (pixel % width, pixel / width);
                    let at = (
                        (x as f32 + 0.1 + 0.4 * (part % 3) as f32) / width as f32,
                        (y as f32 + 0.1 + 0.4 * (part / 3) as f32) / height as f32,
                    );
                    if shape.contains(at) {
                        let chroma = y / 2 * (width / 2) + x / 2;
                        assert_eq!(planar.y[pixel], GREY, "{shape:?} {x},{y} of {width}x{height}");
                        assert_eq!((planar.u[chroma], planar.v[chroma]), (GREY, GREY));
                        assert_eq!(packed.u[2 * chroma..2 * chroma + 2], [GREY, GREY]);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_under_a_mask_is_untouched() {
        let (width, height) = (640, 360);
        for shape in &shapes()[..3] {
            let mut frame = bright(width, height, Layout::I420);
            Mask::new(Arc::new([shape.clone()])).apply(&mut frame);
            for (pixel, &luma) in frame.y.iter().enumerate() {
                let (x, y) = (pixel % width, pixel / width);
                // Two pixels around may be touched with it.
                let near = (0..25).any(|n| {
                    let at = (x as f32 + 0.5 + (n % 5) as f32 - 2.0, y as f32 + 0.5 + (n / 5) as f32 - 2.0);
                    shape.contains((at.0 / width as f32, at.1 / height as f32))
                });
                let thin = shape.corners().len() > 4;
                assert!(near || thin || luma == 250, "{x},{y}");
            }
            assert!(frame.y.contains(&250) && frame.u.contains(&200));
        }
    }

    #[test]
    fn a_frame_of_another_size_is_masked_anew() {
        let mut mask = Mask::new(Arc::new([polygon(&[[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]])]));
        for (width, height) in [(64, 48), (128, 96), (64, 48)] {
            let mut frame = bright(width, height, Layout::I420);
            mask.apply(&mut frame);
            let hidden = frame.y.iter().filter(|&&luma| luma == GREY).count();
            assert_eq!(hidden, width * height / 2);
        }
    }

    #[test]
    fn a_torn_frame_is_no_reason_to_panic() {
        let mut frame = bright(64, 48, Layout::I420);
        frame.y.truncate(100);
        frame.v.clear();
        Mask::new(Arc::new([shapes()[3].clone()])).apply(&mut frame);
        assert!(frame.y[..64].iter().all(|&luma| luma == GREY));
    }

    #[test]
    fn the_hidden_share_of_a_zone_is_known() {
        let left = polygon(&[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]);
        let mask = Mask::new(Arc::new([left.clone()]));
        assert!((mask.share_of(&shapes()[3]) - 0.5).abs() < 0.01);
        assert!((mask.share_of(&left) - 1.0).abs() < 0.01);
        assert!(mask.share_of(&polygon(&[[0.6, 0.1], [0.9, 0.1], [0.9, 0.4]])) < 0.01);
    }
}
