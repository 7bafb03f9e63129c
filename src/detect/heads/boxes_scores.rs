//! The head of a graph that decodes its boxes itself, as the NanoDet graphs here do.

use serde::{Deserialize, Serialize};

use super::layout::{any_reaches, check_proposals};
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// Two outputs: boxes `[1, proposals, 4]` as left, top, right, bottom in pixels of the network's input, and
/// scores `[1, proposals, classes]`, 0-1.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BoxesScores {
    /// Name of the output with the boxes.
    pub boxes: String,
    /// Name of the output with the scores.
    pub scores: String,
    /// How many boxes the graph proposes.
    pub proposals: usize,
    /// How many classes it scores.
    pub classes: usize,
}

impl Decode for BoxesScores {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        let output = |name, last| OutputSpec::new(name, vec![1, self.proposals, last]);
        vec![output(&self.boxes, 4), output(&self.scores, self.classes)]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, _: InputSize) -> Result<(), String> {
        check_proposals(self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [boxes, scores] = outputs else { return };
        let rows = boxes.as_chunks::<4>().0.iter().zip(scores.chunks_exact(self.classes));
        for (anchor, (corners, row)) in rows.enumerate() {
            if !any_reaches(row, ask.min_score) {
                continue;
            }
            for (class, score) in row.iter().enumerate() {
                if *score >= ask.min_score
                    && let Some(class) = ask.classes.get(class)
                {
                    out.push(Candidate { class, score: *score, corners: *corners, anchor: anchor as u32 });
                }
            }
        }
    }
}
