//! The head of a graph that decodes its boxes itself, as the NanoDet graphs here do.

use serde::Deserialize;

use super::{Candidate, OutputSpec};

/// Two outputs: boxes `[1, proposals, 4]` as left, top, right, bottom in pixels of the network's input, and
/// scores `[1, proposals, classes]`, 0-1.
#[derive(Clone, Debug, Deserialize)]
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

impl BoxesScores {
    pub(super) fn outputs(&self) -> Vec<OutputSpec> {
        let output =
            |name: &str, last| OutputSpec { name: name.to_owned(), shape: vec![1, self.proposals, last] };
        vec![output(&self.boxes, 4), output(&self.scores, self.classes)]
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=1 << 20).contains(&self.proposals) {
            return Err(format!("head.proposals = {}: expected 1 to 1048576", self.proposals));
        }
        if !(1..=4096).contains(&self.classes) {
            return Err(format!("head.classes = {}: expected 1 to 4096", self.classes));
        }
        Ok(())
    }

    pub(super) fn candidates(&self, boxes: &[f32], scores: &[f32], min_score: f32, out: &mut Vec<Candidate>) {
        let rows = boxes.as_chunks::<4>().0.iter().zip(scores.chunks_exact(self.classes));
        for (anchor, (corners, row)) in rows.enumerate() {
            // Nearly every row has nothing. A fold without an early exit is turned into vector compares.
            if !row.iter().fold(false, |any, score| any | (*score >= min_score)) {
                continue;
            }
            for (class, score) in row.iter().enumerate() {
                if *score >= min_score {
                    out.push(Candidate {
                        class: class as u16,
                        score: *score,
                        corners: *corners,
                        anchor: anchor as u32,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_a_proposal_that_reaches_the_score_is_a_candidate_and_nan_never_is() {
        let head = BoxesScores { boxes: "b".into(), scores: "s".into(), proposals: 3, classes: 2 };
        let boxes = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 5.0, 6.0, 6.0, 7.0, 7.0];
        let scores = [0.1, f32::NAN, 0.5, 0.7, 0.2, 0.499];
        let mut out = Vec::new();
        head.candidates(&boxes, &scores, 0.5, &mut out);
        let seen: Vec<_> = out.iter().map(|c| (c.anchor, c.class, c.score)).collect();
        assert_eq!(seen, [(1, 0, 0.5), (1, 1, 0.7)]);
        assert_eq!(out[0].corners, [2.0, 2.0, 4.0, 5.0]);
    }
}
