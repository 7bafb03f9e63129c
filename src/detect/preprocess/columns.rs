//! Where the pixels of an output row lie between the samples of an input row: the tables that the kernels read.

use super::geometry::Crop;

/// Fixed-point 1 of the horizontal weights. A sum of two weighted samples stays below 2^24, so it is exact as
/// an `f32` too; weights are off by at most 1/32768, less than 0.008 of a grey level.
pub(super) const ONE: i16 = 1 << 14;
/// Output pixels that a vector kernel makes at a time.
pub(super) const LANES: usize = 8;
/// Bytes that a vector kernel reads at a time.
pub(super) const WINDOW: usize = 16;
/// Most windows that the sources of [`LANES`] pixels may span for a vector kernel: a picture may be up to
/// about seven times as wide as the input.
pub(super) const MAX_WINDOWS: usize = 4;

/// Where an output pixel lies between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tap {
    /// The sample before it.
    pub(super) first: usize,
    /// The sample after it; the same where there is only one.
    pub(super) second: usize,
    /// Weight of the second, 0-1.
    pub(super) weight: f32,
}

/// For each of `to` output pixels, where it lies in the `from` samples that begin at `start`.
pub(super) fn taps(to: usize, from: usize, start: usize) -> impl Iterator<Item = Tap> {
    let ratio = from as f64 / to as f64;
    (0..to).map(move |at| {
        let centre = ((at as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f64);
        // The last sample is reached as "all of the second", so that there always is a second, unless there is
        // one sample only.
        let left = (centre.floor() as usize).min(from.saturating_sub(2));
        let second = (left + 1).min(from - 1);
        Tap { first: start + left, second: start + second, weight: (centre - left as f64) as f32 }
    })
}

/// The columns of one plane: for each output pixel two bytes of an input row and their weights, and for vector
/// kernels the same as byte shuffles.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// Byte offsets of the two samples in a row; padded to whole groups of [`LANES`] by the last.
    pub(super) bytes: Vec<[u32; 2]>,
    /// Weights of the two, which add up to [`ONE`]; padded likewise.
    pub(super) weights: Vec<[i16; 2]>,
    /// Windows for each group; 0 when a vector kernel cannot be used.
    pub(super) windows: usize,
    /// First byte of each window: for each group `windows` of them.
    pub(super) starts: Vec<u32>,
    /// For each window, which of its bytes goes to which byte of the [`LANES`] pairs; 0x80 for none.
    pub(super) shuffles: Vec<[u8; WINDOW]>,
}

/// How the samples of one plane lie in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Bytes of a row that may be read.
    pub(super) length: usize,
    /// Bytes from one sample to the next.
    pub(super) step: usize,
}

impl Columns {
    /// Fills the tables for `to` pixels out of `from` samples that begin at sample `start`.
    pub(super) fn fill(&mut self, to: usize, from: usize, start: usize, row: Row) {
        self.bytes.clear();
        self.weights.clear();
        for tap in taps(to, from, start) {
            self.bytes.push([(tap.first * row.step) as u32, (tap.second * row.step) as u32]);
            let weight = (tap.weight * f32::from(ONE)).round() as i16;
            self.weights.push([ONE - weight, weight]);
        }
        let padded = to.next_multiple_of(LANES);
        if let (Some(&bytes), Some(&weights)) = (self.bytes.last(), self.weights.last()) {
            self.bytes.resize(padded, bytes);
            self.weights.resize(padded, weights);
        }
        self.fill_windows(row.length);
    }

    /// Turns `bytes` into windows and shuffles. Every window lies within the first `length` bytes.
    fn fill_windows(&mut self, length: usize) {
        self.starts.clear();
        self.shuffles.clear();
        let groups = self.bytes.as_chunks::<LANES>().0;
        let span = |group: &[[u32; 2]; LANES]| (group[LANES - 1][1] - group[0][0]) as usize + 1;
        self.windows = groups.iter().map(|group| span(group).div_ceil(WINDOW)).max().unwrap_or(0);
        if self.windows > MAX_WINDOWS || length < WINDOW {
            self.windows = 0;
            return;
        }
        for group in groups {
            let mut placed = [false; WINDOW];
            for window in 0..self.windows {
                let start = (group[0][0] as usize + window * WINDOW).min(length - WINDOW);
                let mut shuffle = [0x80; WINDOW];
                for ((to, from), placed) in shuffle.iter_mut().zip(group.as_flattened()).zip(&mut placed) {
                    // Windows at the end of a row overlap; a byte is taken from the first that has it.
                    let within = (*from as usize).checked_sub(start).filter(|at| *at < WINDOW && !*placed);
                    if let Some(at) = within {
                        (*to, *placed) = (at as u8, true);
                    }
                }
                self.starts.push(start as u32);
                self.shuffles.push(shuffle);
            }
        }
    }
}

/// The tables of one geometry.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    /// Columns of luma.
    pub(super) luma: Columns,
    /// Columns of chroma.
    pub(super) chroma: Columns,
    /// Rows of luma.
    pub(super) luma_rows: Vec<Tap>,
    /// Rows of chroma.
    pub(super) chroma_rows: Vec<Tap>,
}

impl Tables {
    /// Fills the tables for `crop` at `size` pixels.
    pub(super) fn fill(&mut self, (width, height): (usize, usize), crop: Crop, luma: Row, chroma: Row) {
        self.luma.fill(width, crop.width, crop.x, luma);
        self.chroma.fill(width, crop.width / 2, crop.x / 2, chroma);
        self.luma_rows.clear();
        self.luma_rows.extend(taps(height, crop.height, crop.y));
        self.chroma_rows.clear();
        self.chroma_rows.extend(taps(height, crop.height / 2, crop.y / 2));
    }
}
