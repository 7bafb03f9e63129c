//! Networks that give their final detections, one a row: YOLOv10, YOLO26 and other exports with suppression in
//! the graph.

use serde::{Deserialize, Serialize};

use super::layout::check_proposals;
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// One output `[1, proposals, 6]`: left, top, right, bottom in pixels of the input, score 0-1, class number.
/// The network has suppressed doubles itself; suppressing again above the manifest's overlap does no harm.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndToEnd {
    /// Name of the output.
    pub output: String,
    /// How many rows the graph gives, at most.
    pub proposals: usize,
    /// How many classes there are; the graph does not say.
    pub classes: usize,
}

impl Decode for EndToEnd {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        let output = OutputSpec::new(&self.output, vec![1, self.proposals, 6]);
        vec![OutputSpec { may_be_shorter: true, ..output }]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, _: InputSize) -> Result<(), String> {
        check_proposals(self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [data] = outputs else { return };
        for (anchor, [x1, y1, x2, y2, score, class]) in data.as_chunks::<6>().0.iter().enumerate() {
            if *score >= ask.min_score
                && let Some(class) = ask.classes.of_number(*class)
            {
                let corners = [*x1, *y1, *x2, *y2];
                out.push(Candidate { class, score: *score, corners, anchor: anchor as u32 });
            }
        }
    }
}
