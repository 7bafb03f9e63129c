//! SSD and other graphs that suppress doubles themselves and give boxes, classes and scores apart.

use serde::{Deserialize, Serialize};

use super::layout::check_proposals;
use super::{Ask, Candidate, Decode, InputSize, OutputSpec};

/// Three or four outputs: boxes `[1, proposals, 4]`, class numbers and scores `[1, proposals]`, and, where the
/// graph has it, how many rows hold something, `[1]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ssd {
    /// Name of the output with the boxes.
    pub boxes: String,
    /// Name of the output with the class numbers; may be of integers.
    pub class_ids: String,
    /// Name of the output with the scores, 0-1.
    pub scores: String,
    /// Name of the output with the number of rows that count; may be of integers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// How many rows the graph gives, at most.
    pub proposals: usize,
    /// How many classes there are; the graph does not say.
    pub classes: usize,
    /// In which order the corners of a box stand.
    pub corners: Corners,
    /// What the corners are measured in.
    pub unit: Unit,
    /// The class number of the first label: 1 where 0 is the background.
    #[serde(default)]
    pub first_class: u16,
}

/// In which order the corners of a box stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Corners {
    /// Left, top, right, bottom.
    Xyxy,
    /// Top, left, bottom, right, as TensorFlow has it.
    Yxyx,
}

/// What coordinates are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// 0-1 of the input's width and height.
    Normalised,
    /// Pixels of the input.
    Pixels,
}

impl Decode for Ssd {
    fn outputs(&self, _: InputSize) -> Vec<OutputSpec> {
        let rows = |name: &str, shape, may_be_integer| OutputSpec {
            may_be_shorter: true,
            may_be_integer,
            ..OutputSpec::new(name, shape)
        };
        let mut outputs = vec![
            rows(&self.boxes, vec![1, self.proposals, 4], false),
            rows(&self.class_ids, vec![1, self.proposals], true),
            rows(&self.scores, vec![1, self.proposals], false),
        ];
        outputs.extend(self.count.iter().map(|name| rows(name, vec![1], true)));
        outputs
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn check(&self, _: InputSize) -> Result<(), String> {
        check_proposals(self.proposals)
    }

    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>) {
        let [boxes, ids, scores, count @ ..] = outputs else { return };
        // Casting saturates: a count that is no number, or none at all, is no row.
        let count = match (&self.count, count) {
            (Some(_), [count, ..]) => count.first().map_or(0, |count| *count as usize),
            _ => usize::MAX,
        };
        let (width, height) = match self.unit {
            Unit::Normalised => (ask.input.width as f32, ask.input.height as f32),
            Unit::Pixels => (1.0, 1.0),
        };
        let rows = scores.iter().zip(*ids).zip(boxes.as_chunks::<4>().0).take(count);
        for (anchor, ((score, id), place)) in rows.enumerate() {
            if *score >= ask.min_score
                && let Some(class) = ask.classes.of_number(id - f32::from(self.first_class))
            {
                let [x1, y1, x2, y2] = match self.corners {
                    Corners::Xyxy => *place,
                    Corners::Yxyx => [place[1], place[0], place[3], place[2]],
                };
                let corners = [x1 * width, y1 * height, x2 * width, y2 * height];
                out.push(Candidate { class, score: *score, corners, anchor: anchor as u32 });
            }
        }
    }
}
