//! RetinaFace and its kin, such as detectors of licence plates: boxes as offsets from priors.
//!
//! The formulas are those of SSD (Liu et al., arXiv 1512.02325, section 2.2) with the variances 0.1 and 0.2 of
//! its reference code; the priors are those of RetinaFace's MobileNet variant (Deng et al., arXiv 1905.00641):
//! two squares in each cell of three levels.

use serde::{Deserialize, Serialize};

use super::layout::{check_grid, corners, on_grid};
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// Pixels of the input a cell is wide, by level, and the sides of its priors in pixels.
const LEVELS: [(usize, [f32; 2]); 3] = [(8, [24.0, 48.0]), (16, [96.0, 192.0]), (32, [384.0, 768.0])];
/// What the network's offsets are scaled by: of the centre, of the size.
const VARIANCES: (f32, f32) = (0.1, 0.2);

/// Two outputs: offsets `[1, priors, 4]` of centre and logarithmic size, and probabilities `[1, priors, 2]` of
/// nothing and of the one class. The landmarks that such graphs give too are not read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RetinaFace {
    /// Name of the output with the offsets.
    pub boxes: String,
    /// Name of the output with the probabilities.
    pub scores: String,
}

impl RetinaFace {
    fn priors(input: InputSize) -> usize {
        on_grid(input, &LEVELS.map(|(stride, _)| stride), 2)
    }
}

impl Decode for RetinaFace {
    fn outputs(&self, input: InputSize) -> Vec<OutputSpec> {
        let priors = Self::priors(input);
        vec![
            OutputSpec::new(&self.boxes, vec![1, priors, 4]),
            OutputSpec::new(&self.scores, vec![1, priors, 2]),
        ]
    }

    fn classes(&self) -> usize {
        1
    }

    fn check(&self, input: InputSize) -> Result<(), String> {
        check_grid(input, &LEVELS.map(|(stride, _)| stride), 2, Self::priors(input))
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [boxes, scores] = outputs else { return };
        let Some(class) = ask.classes.get(0) else { return };
        let mut rows = boxes.as_chunks::<4>().0.iter().zip(scores.as_chunks::<2>().0).enumerate();
        for (stride, sides) in LEVELS {
            let (columns, lines) = (ask.input.width / stride, ask.input.height / stride);
            for (place, (anchor, (offsets, [_, score]))) in
                rows.by_ref().take(columns * lines * 2).enumerate()
            {
                if score.is_nan() || *score < ask.min_score {
                    continue;
                }
                let (cell, side) = (place / 2, sides[place % 2]);
                let centre = |at: usize| (at as f32 + 0.5) * stride as f32;
                let [dx, dy, dw, dh] = *offsets;
                let place = [
                    centre(cell % columns) + dx * VARIANCES.0 * side,
                    centre(cell / columns) + dy * VARIANCES.0 * side,
                    (dw * VARIANCES.1).exp() * side,
                    (dh * VARIANCES.1).exp() * side,
                ];
                out.push(Candidate { class, score: *score, corners: corners(place), anchor: anchor as u32 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Classes;
    use super::*;

    const INPUT: InputSize = InputSize { width: 64, height: 32 };
    /// (8*4 + 4*2 + 2*1) cells of two priors.
    const PRIORS: usize = 84;

    fn decoded(outputs: &[&[f32]], min_score: f32) -> Vec<Candidate> {
        let head = RetinaFace { boxes: "b".into(), scores: "s".into() };
        let mut out = Vec::new();
        head.candidates(outputs, &Ask { min_score, classes: &Classes::all(1), input: INPUT }, &mut out);
        out
    }

    #[test]
    fn offsets_are_taken_from_the_prior_of_their_cell_and_level() {
        assert_eq!(RetinaFace::priors(INPUT), PRIORS);
        let (mut boxes, mut scores) = ([0.0; PRIORS * 4], [0.0; PRIORS * 2]);
        // First level, row 1, column 2, the larger prior: centre (20, 12), side 48.
        let first = (8 + 2) * 2 + 1;
        // Second level, row 1, column 3, the smaller prior: centre (56, 24), side 96.
        let second = 64 + (4 + 3) * 2;
        (scores[first * 2], scores[first * 2 + 1]) = (0.1, 0.9);
        scores[second * 2 + 1] = 0.6;
        boxes[first * 4..][..4].copy_from_slice(&[1.0, -1.0, 5.0 * 0.5_f32.ln(), 5.0 * 0.25_f32.ln()]);
        let found = decoded(&[&boxes, &scores], 0.5);
        let expected = [(0.9, first, [12.8, 1.2, 36.8, 13.2]), (0.6, second, [8.0, -24.0, 104.0, 72.0])];
        assert_eq!(found.len(), expected.len());
        for (found, (score, anchor, corners)) in found.iter().zip(expected) {
            assert_eq!((found.score, found.anchor), (score, anchor as u32));
            for (side, expected) in found.corners.iter().zip(corners) {
                assert!((side - expected).abs() < 1e-3, "{found:?}");
            }
        }
    }

    #[test]
    fn nan_scores_and_short_outputs_give_nothing_and_infinite_offsets_do_no_harm() {
        assert!(decoded(&[&[0.0; PRIORS * 4], &[f32::NAN; PRIORS * 2]], 0.0).is_empty());
        assert!(decoded(&[], 0.0).is_empty());
        assert!(decoded(&[&[], &[]], 0.0).is_empty());
        assert_eq!(decoded(&[&[f32::INFINITY; 9], &[1.0; PRIORS * 2]], 0.5).len(), 2);
    }
}
