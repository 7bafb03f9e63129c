//! Which frames of a recording are worth calibrating on: those that differ.
//!
//! A street camera shows nearly the same picture for hours. Frames are known by a small luma thumbnail; of
//! frames that are spread evenly over time, each next one taken is the one that differs most from all taken
//! before (farthest-point sampling: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985).
//!
//! Invariants, each with a test of its name:
//! - the same frames give the same choice;
//! - near copies are never chosen twice;
//! - candidates are bounded and stay spread over time.

use crate::frame::Frame;

/// Columns of a thumbnail.
const COLUMNS: usize = 32;
/// Rows of a thumbnail.
const ROWS: usize = 24;
/// Frames whose thumbnails differ by less than this (root mean square of grey levels, 0-255) are near copies.
/// Noise and coding of one still scene stay well below; a person of 20 by 60 pixels in 768 by 576 makes about 4.
pub const NEAR_COPY: f32 = 1.0;
/// Most frames that are compared; an hour at one a second.
const MAX_CANDIDATES: usize = 3600;

/// The mean grey level, 0-255, of each cell of a 32 by 24 grid over the luma plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail(Box<[f32; COLUMNS * ROWS]>);

impl Thumbnail {
    /// The thumbnail of `frame`. A frame smaller than the grid repeats its nearest pixels.
    pub fn of(frame: &Frame) -> Self {
        let mut cells = Box::new([0.0; COLUMNS * ROWS]);
        let span = |at: usize, of: usize, length: usize| {
            let from = (at * length / of).min(length.saturating_sub(1));
            from..((at + 1) * length / of).max(from + 1).min(length)
        };
        for (at, cell) in cells.iter_mut().enumerate() {
            let columns = span(at % COLUMNS, COLUMNS, frame.width);
            let (mut sum, mut count) = (0_u64, 0_u64);
            for row in span(at / COLUMNS, ROWS, frame.height) {
                let line = frame.y.get(row * frame.width + columns.start..row * frame.width + columns.end);
                let line = line.unwrap_or_default();
                sum += line.iter().map(|luma| u64::from(*luma)).sum::<u64>();
                count += line.len() as u64;
            }
            *cell = if count > 0 { sum as f32 / count as f32 } else { 0.0 };
        }
        Self(cells)
    }

    /// Root mean square of the differences in grey levels, 0-255.
    pub fn distance(&self, other: &Self) -> f32 {
        let sum: f32 = self.0.iter().zip(other.0.iter()).map(|(a, b)| (a - b) * (a - b)).sum();
        (sum / (COLUMNS * ROWS) as f32).sqrt()
    }
}

/// A frame that may be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Number of the recording.
    pub source: usize,
    /// Number of the frame in its recording, from 0.
    pub frame: usize,
    /// What it looks like.
    pub thumbnail: Thumbnail,
}

/// Gathers candidates of one recording as it is played, evenly over time, whatever its length.
#[derive(Clone, Debug)]
pub struct Spread {
    source: usize,
    /// Each how-many-th frame is kept.
    stride: usize,
    played: usize,
    kept: Vec<Candidate>,
}

impl Spread {
    /// For the recording with the number `source`.
    pub fn new(source: usize) -> Self {
        Self { source, stride: 1, played: 0, kept: Vec::new() }
    }

    /// Takes the next frame of the recording. When there are too many, every other one is let go.
    pub fn add(&mut self, frame: &Frame) {
        let at = self.played;
        self.played += 1;
        if !at.is_multiple_of(self.stride) {
            return;
        }
        self.kept.push(Candidate { source: self.source, frame: at, thumbnail: Thumbnail::of(frame) });
        if self.kept.len() > MAX_CANDIDATES {
            self.stride *= 2;
            let stride = self.stride;
            self.kept.retain(|candidate| candidate.frame.is_multiple_of(stride));
        }
    }

    /// Frames played so far.
    pub fn played(&self) -> usize {
        self.played
    }

    /// The candidates in the order of time.
    pub fn candidates(self) -> Vec<Candidate> {
        self.kept
    }
}

/// Up to `count` positions in `candidates`, the most different first, none a near copy of another chosen one or
/// of one of `apart`. Begins with the first candidate that is no near copy; of equally different ones the
/// earlier is taken.
pub fn farthest(candidates: &[Candidate], apart: &[Thumbnail], count: usize) -> Vec<usize> {
    let mut nearest: Vec<f32> = candidates
        .iter()
        .map(|c| apart.iter().map(|other| c.thumbnail.distance(other)).fold(f32::INFINITY, f32::min))
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < count {
        // `max_by` would give the last of equals.
        let next =
            (0..candidates.len()).reduce(|best, at| if nearest[at] > nearest[best] { at } else { best });
        let Some(next) = next.filter(|next| nearest[*next] >= NEAR_COPY) else { break };
        for (distance, candidate) in nearest.iter_mut().zip(candidates) {
            *distance = distance.min(candidate.thumbnail.distance(&candidates[next].thumbnail));
        }
        chosen.push(next);
    }
    chosen
}

/// Splits `chosen`, the most different first, into frames to calibrate on and frames held out for judging: each
/// fourth is held out, so that both are as varied as the whole.
pub fn hold_out(chosen: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let (held, used): (Vec<_>, Vec<_>) = chosen.into_iter().enumerate().partition(|(at, _)| at % 4 == 1);
    let positions = |part: Vec<(usize, usize)>| part.into_iter().map(|(_, position)| position).collect();
    (positions(used), positions(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey frame with a bright block of a sixth of its width at column `x`.
    fn scene(x: usize, noise: u8) -> Frame {
        let (width, height) = (192, 144);
        let mut y: Vec<u8> =
            (0..width * height).map(|at| 90 + noise * ((at * 7919 % 13) as u8 % 2)).collect();
        for row in 40..100 {
            y[row * width + x..row * width + (x + 32).min(width)].fill(220);
        }
        let chroma = vec![128; width * height / 4];
        Frame { width, height, y, u: chroma.clone(), v: chroma, ..Frame::default() }
    }

    fn candidates(frames: &[Frame]) -> Vec<Candidate> {
        let mut spread = Spread::new(0);
        frames.iter().for_each(|frame| spread.add(frame));
        spread.candidates()
    }

    #[test]
    fn near_copies_are_never_chosen_twice() {
        // Four places of the block, each ten times with a little noise.
        let frames: Vec<Frame> = (0..40).map(|at| scene([0, 40, 80, 120][at / 10], (at % 2) as u8)).collect();
        let candidates = candidates(&frames);
        let chosen = farthest(&candidates, &[], 30);
        let mut places: Vec<usize> = chosen.iter().map(|at| at / 10).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2, 3], "each place once: {chosen:?}");
        // And none that looks like a labelled picture.
        let labelled = Thumbnail::of(&scene(80, 0));
        assert!(farthest(&candidates, &[labelled], 30).iter().all(|at| at / 10 != 2));
    }

    #[test]
    fn the_most_different_come_first() {
        let mut frames: Vec<Frame> = (0..20).map(|at| scene(at * 2, 0)).collect();
        let mut dark = scene(0, 0);
        dark.y.fill(5);
        frames.insert(13, dark);
        assert_eq!(farthest(&candidates(&frames), &[], 2), [0, 13]);
    }

    #[test]
    fn the_same_frames_give_the_same_choice() {
        let frames: Vec<Frame> = (0..60).map(|at| scene(at * 37 % 150, 0)).collect();
        let (a, b) = (candidates(&frames), candidates(&frames));
        let chosen = farthest(&a, &[], 16);
        assert_eq!(chosen.len(), 16);
        assert_eq!(chosen, farthest(&b, &[], 16));
        assert_eq!(chosen[..8], farthest(&b, &[], 8), "fewer are the first of more");
    }

    #[test]
    fn candidates_are_bounded_and_stay_spread_over_time() {
        let mut spread = Spread::new(3);
        let frame = Frame { width: 2, height: 2, y: vec![7; 4], u: vec![0], v: vec![0], ..Frame::default() };
        for _ in 0..3 * MAX_CANDIDATES {
            spread.add(&frame);
        }
        assert_eq!(spread.played(), 3 * MAX_CANDIDATES);
        let kept = spread.candidates();
        assert!(kept.len() <= MAX_CANDIDATES);
        assert!(kept.windows(2).all(|pair| pair[1].frame - pair[0].frame == 4));
        assert_eq!((kept[0].frame, kept[0].source), (0, 3));
        assert!(kept[kept.len() - 1].frame >= 3 * MAX_CANDIDATES - 4);
    }

    #[test]
    fn a_quarter_is_held_out_and_is_not_calibrated_on() {
        let (used, held) = hold_out((0..40).collect());
        assert_eq!((used.len(), held.len()), (30, 10));
        assert!(held.iter().all(|at| !used.contains(at)));
        assert_eq!(hold_out(vec![9, 5]), (vec![9], vec![5]));
    }
}
