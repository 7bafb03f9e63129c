//! YOLOX as its own export writes it, without decoding in the graph.
//!
//! The formulas are those of "YOLOX: Exceeding YOLO Series in 2021" (Ge et al., arXiv 2107.08430) and its
//! published demo: centre = (offset + cell) * stride, size = exp(number) * stride, score = objectness * class.

use serde::{Deserialize, Serialize};

use super::layout::{any_reaches, check_grid, corners, three_levels};
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// One output `[1, proposals, 5 + classes]`: offset of the centre in cells, logarithm of the size in cells,
/// objectness 0-1, scores 0-1. Cells go level by level, row by row.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Yolox {
    /// Name of the output.
    pub output: String,
    /// How many boxes the graph proposes: one a cell of each level.
    pub proposals: usize,
    /// How many classes it scores.
    pub classes: usize,
    /// Pixels of the input a cell is wide, by level.
    #[serde(default = "three_levels")]
    pub strides: Vec<usize>,
}

impl Decode for Yolox {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        vec![OutputSpec::new(&self.output, vec![1, self.proposals, 5 + self.classes])]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, input: InputSize) -> Result<(), String> {
        check_grid(input, &self.strides, 1, self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [data] = outputs else { return };
        let mut rows = data.chunks_exact(5 + self.classes).enumerate();
        for stride in &self.strides {
            let (columns, lines) = (ask.input.width / stride, ask.input.height / stride);
            let size = *stride as f32;
            for (cell, (anchor, row)) in rows.by_ref().take(columns * lines).enumerate() {
                let objectness = row[4];
                // A product with a score of at most 1 reaches it only where the objectness does.
                if objectness < ask.min_score || !any_reaches(&row[5..], ask.min_score) {
                    continue;
                }
                let (x, y) = ((cell % columns) as f32, (cell / columns) as f32);
                let place =
                    [(row[0] + x) * size, (row[1] + y) * size, row[2].exp() * size, row[3].exp() * size];
                for (class, score) in row[5..].iter().enumerate() {
                    let score = objectness * score;
                    if score >= ask.min_score
                        && let Some(class) = ask.classes.get(class)
                    {
                        out.push(Candidate { class, score, corners: corners(place), anchor: anchor as u32 });
                    }
                }
            }
        }
    }
}
