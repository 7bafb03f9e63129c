//! CenterFace: faces as peaks of a heat map, one cell in four pixels.
//!
//! The formulas are those of "CenterFace: Joint Face Detection and Alignment Using Face as Point" (Xu et al.,
//! arXiv 1911.03599) and its published demo: size = exp(number) * 4, centre = (cell + 0.5 + offset) * 4.

use serde::{Deserialize, Serialize};

use super::layout::corners;
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// Pixels of the input a cell is wide.
const STRIDE: usize = 4;

/// Three outputs over cells, row by row: heat map `[1, 1, rows, columns]`, 0-1; logarithm of height and width
/// in cells, `[1, 2, rows, columns]`; offset of the centre downwards and to the right in cells, `[1, 2, rows,
/// columns]`. The landmarks that the graph gives too are not read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CenterFace {
    /// Name of the output with the heat map.
    pub heatmap: String,
    /// Name of the output with the sizes.
    pub scale: String,
    /// Name of the output with the offsets.
    pub offset: String,
}

impl Decode for CenterFace {
    fn outputs(&self, input: InputSize) -> Vec<OutputSpec> {
        let (rows, columns) = (input.height / STRIDE, input.width / STRIDE);
        let output = |name: &str, planes| OutputSpec::new(name, vec![1, planes, rows, columns]);
        vec![output(&self.heatmap, 1), output(&self.scale, 2), output(&self.offset, 2)]
    }

    fn classes(&self) -> usize {
        1
    }

    fn check(&self, input: InputSize) -> Result<(), String> {
        for (key, side) in [("input.width", input.width), ("input.height", input.height)] {
            if !side.is_multiple_of(32) {
                return Err(format!("{key} = {side}: expected a multiple of 32"));
            }
        }
        Ok(())
    }

    /// Every cell that reaches the score is a candidate: neighbouring cells of one face fall to non-maximum
    /// suppression, and a lesser cell that it leaves hides a little more.
    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [heatmap, scale, offset] = outputs else { return };
        let Some(class) = ask.classes.get(0) else { return };
        let columns = ask.input.width / STRIDE;
        let cells = columns * (ask.input.height / STRIDE);
        let (Some((heights, widths)), Some((downs, rights))) =
            (scale.split_at_checked(cells), offset.split_at_checked(cells))
        else {
            return;
        };
        let places = heights.iter().zip(widths).zip(downs.iter().zip(rights));
        for (cell, (score, ((height, width), (down, right)))) in heatmap.iter().zip(places).enumerate() {
            if score.is_nan() || *score < ask.min_score {
                continue;
            }
            let stride = STRIDE as f32;
            let x = (cell % columns) as f32 + 0.5 + right;
            let y = (cell / columns) as f32 + 0.5 + down;
            let place = [x * stride, y * stride, width.exp() * stride, height.exp() * stride];
            out.push(Candidate { class, score: *score, corners: corners(place), anchor: cell as u32 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Classes;
    use super::*;

    const INPUT: InputSize = InputSize { width: 32, height: 32 };

    fn decoded(outputs: &[&[f32]], min_score: f32) -> Vec<Candidate> {
        let head = CenterFace { heatmap: "h".into(), scale: "s".into(), offset: "o".into() };
        let mut out = Vec::new();
        head.candidates(outputs, &Ask { min_score, classes: &Classes::all(1), input: INPUT }, &mut out);
        out
    }

    #[test]
    fn a_peak_becomes_a_box_of_its_height_and_width_around_its_offset_centre() {
        let (mut heat, mut scale, mut offset) = ([0.0; 64], [0.0; 128], [0.0; 128]);
        let cell = 3 * 8 + 5;
        heat[cell] = 0.75;
        (scale[cell], scale[64 + cell]) = (4.0_f32.ln(), 2.0_f32.ln());
        (offset[cell], offset[64 + cell]) = (0.5, -0.25);
        let [face] = decoded(&[&heat, &scale, &offset], 0.2)[..] else { panic!("one face") };
        assert_eq!((face.class, face.score, face.anchor), (0, 0.75, cell as u32));
        // Centre (5 + 0.5 - 0.25, 3 + 0.5 + 0.5) * 4 = (21, 16); 8 wide, 16 high.
        for (found, expected) in face.corners.into_iter().zip([17.0, 8.0, 25.0, 24.0]) {
            assert!((found - expected).abs() < 1e-4, "{:?}", face.corners);
        }
    }

    #[test]
    fn nan_scores_and_short_outputs_give_nothing_and_infinite_sizes_do_no_harm() {
        assert!(decoded(&[&[f32::NAN; 64], &[0.0; 128], &[0.0; 128]], 0.0).is_empty());
        assert!(decoded(&[], 0.0).is_empty());
        assert!(decoded(&[&[], &[], &[]], 0.0).is_empty());
        assert!(decoded(&[&[1.0; 64], &[0.0; 30], &[0.0; 128]], 0.5).is_empty());
        assert_eq!(decoded(&[&[1.0; 64], &[f32::INFINITY; 128], &[f32::NAN; 70]], 0.5).len(), 6);
    }
}
