//! YOLOv5 and YOLOv7 with the decoding of boxes in the graph.

use serde::{Deserialize, Serialize};

use super::layout::{any_reaches, check_grid, corners, three_levels};
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// One output `[1, proposals, 5 + classes]`: centre, width and height in pixels of the input, objectness 0-1,
/// scores 0-1. The score of a class is its own times the objectness.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct YoloV5 {
    /// Name of the output.
    pub output: String,
    /// How many boxes the graph proposes: `anchors` a cell of each level.
    pub proposals: usize,
    /// How many classes it scores.
    pub classes: usize,
    /// Pixels of the input a cell is wide, by level.
    #[serde(default = "three_levels")]
    pub strides: Vec<usize>,
    /// Boxes a cell.
    #[serde(default = "three")]
    pub anchors: usize,
}

fn three() -> usize {
    3
}

impl Decode for YoloV5 {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        vec![OutputSpec::new(&self.output, vec![1, self.proposals, 5 + self.classes])]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, input: InputSize) -> Result<(), String> {
        if !(1..=64).contains(&self.anchors) {
            return Err(format!("head.anchors = {}: expected 1 to 64", self.anchors));
        }
        check_grid(input, &self.strides, self.anchors, self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [data] = outputs else { return };
        for (anchor, row) in data.chunks_exact(5 + self.classes).enumerate() {
            let objectness = row[4];
            // A product with a score of at most 1 reaches it only where the objectness does.
            if objectness < ask.min_score || !any_reaches(&row[5..], ask.min_score) {
                continue;
            }
            for (class, score) in row[5..].iter().enumerate() {
                let score = objectness * score;
                if score >= ask.min_score
                    && let Some(class) = ask.classes.get(class)
                {
                    let corners = corners([row[0], row[1], row[2], row[3]]);
                    out.push(Candidate { class, score, corners, anchor: anchor as u32 });
                }
            }
        }
    }
}
