//! A small luma picture of a frame, out of which health and gate read what they need: a thousandth of the work that a
//! look at the frame itself is.

use crate::frame::Frame;

/// Cells in a row.
pub const COLUMNS: usize = 160;
/// Rows of cells. Both divide by four, so that coarser planes have whole cells.
pub const ROWS: usize = 88;
/// Cells of a thumbnail.
pub const CELLS: usize = COLUMNS * ROWS;
/// Most rows of pixels that one row of cells sums: 257 times 255 is what 16 bits hold.
const MOST_ROWS: usize = 256;

/// The mean luma of each cell of a frame, whatever the frame's size. Buffers are reused from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Thumbnail {
    cells: Vec<f32>,
    digest: u64,
    sums: Vec<u16>,
}

impl Thumbnail {
    /// Makes this the thumbnail of `frame`. False, and nothing changed, when the frame has no picture: a side of
    /// nothing, or fewer samples than its size says.
    pub fn take(&mut self, frame: &Frame) -> bool {
        let (width, height) = (frame.width, frame.height);
        if width == 0 || height == 0 || frame.y.len() < width * height {
            return false;
        }
        // ITU-R BT.601 and BT.709: black is 16 and white 235 where the range is not full.
        let (black, scale) = if frame.full_range { (0.0, 1.0) } else { (16.0, 255.0 / 219.0) };
        self.cells.resize(CELLS, 0.0);
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for row in 0..ROWS {
            let rows = span(row, ROWS, height);
            let step = rows.len().div_ceil(MOST_ROWS);
            self.sums.clear();
            self.sums.resize(width, 0);
            let mut summed = 0;
            // Down the columns first: that is the order in which a processor adds many at once.
            for y in rows.step_by(step) {
                let line = &frame.y[y * width..(y + 1) * width];
                self.sums.iter_mut().zip(line).for_each(|(sum, &luma)| *sum += u16::from(luma));
                summed += 1;
            }
            for column in 0..COLUMNS {
                let columns = span(column, COLUMNS, width);
                let pixels = (columns.len() * summed) as f32;
                let sum: u32 = self.sums[columns].iter().map(|&sum| u32::from(sum)).sum();
                // FNV-1a over whole sums: one pixel that changed by one changes it.
                digest = (digest ^ u64::from(sum)).wrapping_mul(0x0000_0100_0000_01b3);
                let mean = (sum as f32 / pixels - black) * scale;
                self.cells[row * COLUMNS + column] = mean.clamp(0.0, 255.0);
            }
        }
        self.digest = digest;
        true
    }

    /// Mean luma of each cell, 0 (black) to 255 (white), [`ROWS`] rows of [`COLUMNS`]; empty before the first
    /// frame.
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// A number that is the same for two frames only if their lumas are.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

/// Which of `pixels` belong to cell number `cell` of `cells`; at least one, also where there are fewer pixels than
/// cells.
fn span(cell: usize, cells: usize, pixels: usize) -> std::ops::Range<usize> {
    let from = cell * pixels / cells;
    let to = (cell + 1) * pixels / cells;
    from..to.max(from + 1)
}

/// The plane of half the columns and rows of `plane`, which is `columns` wide: means of two by two.
pub(crate) fn halve(plane: &[f32], columns: usize, out: &mut Vec<f32>) {
    out.clear();
    for pair in plane.chunks_exact(2 * columns) {
        let (upper, lower) = pair.split_at(columns);
        let means = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        out.extend(means.map(|(a, b)| (a[0] + a[1] + b[0] + b[1]) / 4.0));
    }
}

#[cfg(test)]
pub(crate) mod street;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, height: usize, luma: impl Fn(usize, usize) -> u8) -> Frame {
        let y = (0..width * height).map(|at| luma(at % width, at / width)).collect();
        Frame { width, height, y, full_range: true, ..Frame::default() }
    }

    #[test]
    fn each_cell_is_the_mean_of_its_pixels_at_any_size() {
        for (width, height) in [(1920, 1080), (704, 576), (64, 48), (161, 89), (16, 16_000)] {
            let mut small = Thumbnail::default();
            // The left half is dark, the lower half of it black.
            let lit = |x: usize, y: usize| match (x * 2 < width, y * 2 < height) {
                (true, true) => 40,
                (true, false) => 0,
                (false, _) => 200,
            };
            assert!(small.take(&frame(width, height, lit)), "{width}x{height}");
            let cell = |column: usize, row: usize| small.cells()[row * COLUMNS + column];
            assert_eq!((cell(3, 3), cell(3, ROWS - 3), cell(COLUMNS - 3, 3)), (40.0, 0.0, 200.0));
        }
    }

    #[test]
    fn narrow_range_is_spread_and_what_lies_outside_is_cut() {
        let mut small = Thumbnail::default();
        for (luma, mean) in [(16, 0.0), (235, 255.0), (0, 0.0), (255, 255.0)] {
            assert!(small.take(&Frame { full_range: false, ..frame(320, 240, |_, _| luma) }));
            assert!((small.cells()[7] - mean).abs() < 0.01, "{luma}: {}", small.cells()[7]);
        }
    }

    #[test]
    fn one_pixel_that_changes_by_one_changes_the_digest() {
        let mut small = Thumbnail::default();
        let texture = |x: usize, y: usize| (x * 7 + y * 13) as u8;
        small.take(&frame(640, 360, texture));
        let before = small.digest();
        small.take(&frame(640, 360, texture));
        assert_eq!(small.digest(), before);
        small.take(&frame(
            640,
            360,
            |x, y| if (x, y) == (500, 300) { texture(x, y) ^ 1 } else { texture(x, y) },
        ));
        assert_ne!(small.digest(), before);
    }

    #[test]
    fn a_frame_without_a_picture_is_none() {
        let mut small = Thumbnail::default();
        assert!(!small.take(&Frame::default()));
        let cut = Frame { height: 99, ..frame(16, 16, |_, _| 9) };
        assert!(!small.take(&cut), "it says more rows than it has");
        assert!(small.cells().is_empty());
    }
}
