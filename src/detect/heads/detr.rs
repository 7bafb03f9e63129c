//! The DETR family: queries with logits and a box each. RT-DETR, D-FINE and RF-DETR train with a sigmoid for
//! each class, DETR itself with a softmax whose last class is "no object" (Carion et al., arXiv 2005.12872).

use serde::{Deserialize, Serialize};

use super::layout::{any_reaches, check_proposals, corners};
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// Two outputs: logits `[1, proposals, classes]`, or one column more with a softmax, and boxes
/// `[1, proposals, 4]` as centre, width and height, 0-1 of the input.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Detr {
    /// Name of the output with the logits.
    pub logits: String,
    /// Name of the output with the boxes.
    pub boxes: String,
    /// How many queries the network has.
    pub proposals: usize,
    /// How many classes it scores, "no object" not counted.
    pub classes: usize,
    /// How logits become scores.
    pub scores: Scores,
}

/// How logits become scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scores {
    /// Each class for itself: 1 / (1 + exp(-logit)).
    Sigmoid,
    /// All classes and a last one, "no object", share 1.
    Softmax,
}

/// The logit of a probability; infinite at 0 and 1.
fn logit(p: f32) -> f32 {
    (p / (1.0 - p)).ln()
}

impl Detr {
    fn columns(&self) -> usize {
        self.classes + usize::from(self.scores == Scores::Softmax)
    }
}

impl Decode for Detr {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        let output = |name, last| OutputSpec::new(name, vec![1, self.proposals, last]);
        vec![output(&self.logits, self.columns()), output(&self.boxes, 4)]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, _: InputSize) -> Result<(), String> {
        check_proposals(self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [logits, boxes] = outputs else { return };
        let (width, height) = (ask.input.width as f32, ask.input.height as f32);
        // A hair below, so that rounding here drops nothing that the exact test lets through.
        let least = logit(ask.min_score.clamp(0.0, 1.0)) - 1e-3;
        let rows = logits.chunks_exact(self.columns()).zip(boxes.as_chunks::<4>().0);
        for (anchor, (row, [cx, cy, w, h])) in rows.enumerate() {
            let (row, background) = match (self.scores, row.split_last()) {
                (Scores::Softmax, Some((background, row))) => (row, Some(*background)),
                _ => (row, None),
            };
            // Under a softmax a class has at most what it would have against "no object" alone.
            if !any_reaches(row, background.unwrap_or(0.0) + least) {
                continue;
            }
            // Logits are taken relative to the largest, so that no exponential overflows.
            let (top, total) = background.map_or((0.0, 0.0), |background| {
                let top = row.iter().fold(background, |top, logit| top.max(*logit));
                (top, row.iter().map(|logit| (logit - top).exp()).sum::<f32>() + (background - top).exp())
            });
            let corners = corners([cx * width, cy * height, w * width, h * height]);
            for (class, logit) in row.iter().enumerate() {
                let score = match self.scores {
                    Scores::Sigmoid => 1.0 / (1.0 + (-logit).exp()),
                    Scores::Softmax => (logit - top).exp() / total,
                };
                if score >= ask.min_score
                    && let Some(class) = ask.classes.get(class)
                {
                    out.push(Candidate { class, score, corners, anchor: anchor as u32 });
                }
            }
        }
    }
}
