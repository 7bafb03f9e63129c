//! How a network's outputs become candidates. A head is data in the manifest and one file here: its output
//! names and shapes, and a pure function from slices to [`Candidate`]s.

mod boxes_scores;

use serde::Deserialize;

pub use boxes_scores::BoxesScores;

/// A box that the network proposes, before non-maximum suppression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Class number: the position in the model's labels.
    pub class: u16,
    /// Score, 0-1.
    pub score: f32,
    /// Left, top, right, bottom in pixels of the network's input; may lie outside of it.
    pub corners: [f32; 4],
    /// Which of the network's proposals it is; decides ties.
    pub anchor: u32,
}

/// An output that a head reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// Name in the graph.
    pub name: String,
    /// Shape; float32.
    pub shape: Vec<usize>,
}

/// What the network gives. `kind` in the manifest says which head it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadSpec {
    /// Boxes decoded in the graph, and a score for each class.
    BoxesScores(BoxesScores),
}

impl HeadSpec {
    /// The outputs it reads, in the order in which [`HeadSpec::candidates`] takes them.
    pub fn outputs(&self) -> Vec<OutputSpec> {
        match self {
            Self::BoxesScores(head) => head.outputs(),
        }
    }

    /// How many classes it scores.
    pub fn classes(&self) -> usize {
        match self {
            Self::BoxesScores(head) => head.classes,
        }
    }

    /// Adds all candidates of at least `min_score` to `out`. `outputs` are the data of
    /// [`HeadSpec::outputs`]. Scores that are not numbers are never candidates.
    pub fn candidates(&self, outputs: &[&[f32]], min_score: f32, out: &mut Vec<Candidate>) {
        match (self, outputs) {
            (Self::BoxesScores(head), [boxes, scores]) => head.candidates(boxes, scores, min_score, out),
            (Self::BoxesScores(_), _) => {}
        }
    }

    /// Whether the manifest's numbers can be.
    ///
    /// # Errors
    /// The key at fault and what was expected.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::BoxesScores(head) => head.check(),
        }
    }
}
