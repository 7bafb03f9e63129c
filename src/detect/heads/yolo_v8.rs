//! YOLOv8, YOLOv9 and YOLOv11: no objectness, and the table lies on its side.

use serde::{Deserialize, Serialize};

use super::layout::{any_reaches, check_grid, corners, three_levels};
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// How many scores are looked at together; long enough for vector compares, short enough that a hit is near.
const BLOCK: usize = 64;

/// One output `[1, 4 + classes, proposals]`: rows of centres across, centres down, widths and heights in pixels
/// of the input, then one row of scores 0-1 for each class.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct YoloV8 {
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

impl Decode for YoloV8 {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        vec![OutputSpec::new(&self.output, vec![1, 4 + self.classes, self.proposals])]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, input: InputSize) -> Result<(), String> {
        check_grid(input, &self.strides, 1, self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [data] = outputs else { return };
        let mut rows = data.chunks_exact(self.proposals);
        let (Some(cx), Some(cy), Some(w), Some(h)) = (rows.next(), rows.next(), rows.next(), rows.next())
        else {
            return;
        };
        for (class, row) in rows.enumerate() {
            let Some(class) = ask.classes.get(class) else { continue };
            for (block, scores) in row.chunks(BLOCK).enumerate() {
                if !any_reaches(scores, ask.min_score) {
                    continue;
                }
                for (at, score) in scores.iter().enumerate() {
                    if *score >= ask.min_score {
                        let at = block * BLOCK + at;
                        let corners = corners([cx[at], cy[at], w[at], h[at]]);
                        out.push(Candidate { class, score: *score, corners, anchor: at as u32 });
                    }
                }
            }
        }
    }
}
