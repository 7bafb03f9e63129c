//! How a network's outputs become candidates. A head is data in the manifest and one file here: its output
//! names and shapes, and a pure function from slices to [`Candidate`]s.
//!
//! Invariants, each with a test of its name:
//! - whatever numbers a network gives, a head neither fails nor gives a class that is not wanted;
//! - outputs that are shorter than promised give fewer candidates;
//! - a head takes no memory but that of the list it fills.

mod boxes_scores;
mod centerface;
mod classes;
mod detr;
mod end_to_end;
mod layout;
mod retinaface;
mod ssd;
mod yolo_v5;
mod yolo_v8;
mod yolox;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use boxes_scores::BoxesScores;
pub use centerface::CenterFace;
pub use classes::Classes;
pub use detr::{Detr, Scores};
pub use end_to_end::EndToEnd;
pub use retinaface::RetinaFace;
pub use ssd::{Corners, Ssd, Unit};
pub use yolo_v5::YoloV5;
pub use yolo_v8::YoloV8;
pub use yolox::Yolox;

/// Most outputs that a head may read.
pub const MAX_OUTPUTS: usize = 4;
/// Most proposals that a head may have.
const MAX_PROPOSALS: usize = 1 << 20;
/// Most classes that a head may have.
const MAX_CLASSES: usize = 4096;

/// A box that the network proposes, before non-maximum suppression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Class number: the position in the model's vocabulary.
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
    /// Its shape. The graph may leave sides open, and leading sides of 1 out.
    pub shape: Vec<usize>,
    /// Whether it may hold fewer rows than `shape` has.
    pub may_be_shorter: bool,
    /// Whether int64 and int32 are welcome beside float32 and float16.
    pub may_be_integer: bool,
}

impl OutputSpec {
    /// A floating-point output of exactly `shape`.
    pub fn new(name: &str, shape: Vec<usize>) -> Self {
        Self { name: name.to_owned(), shape, may_be_shorter: false, may_be_integer: false }
    }
}

/// Width and height of the network's input in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputSize {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

/// What is asked of a head on one look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Least score of a candidate.
    pub(crate) min_score: f32,
    /// Which of the network's classes are wanted, and under which number.
    pub(crate) classes: &'a Classes,
    /// The network's input.
    pub(crate) input: InputSize,
}

/// What every head can do. One file a head implements it; [`HeadSpec`] finds the file.
trait Decode {
    /// The outputs it reads for an input of this size, in the order in which `candidates` takes them; at most
    /// [`MAX_OUTPUTS`].
    fn outputs(&self, input: InputSize) -> Vec<OutputSpec>;

    /// How many classes it scores.
    fn classes(&self) -> usize;

    /// Whether the manifest's numbers can be; else the key at fault and what was expected.
    fn check(&self, input: InputSize) -> Result<(), String>;

    /// Adds all candidates that were asked for to `out`. `outputs` are as many as [`Decode::outputs`] has; each
    /// may be shorter than promised, and hold any numbers.
    fn candidates(&self, outputs: &[&[f32]], ask: &Ask<'_>, out: &mut Vec<Candidate>);
}

/// What the network gives. `kind` in the manifest says which head it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeadSpec {
    /// Boxes decoded in the graph, and a score for each class.
    BoxesScores(BoxesScores),
    /// YOLOX: offsets on a grid, objectness, and a score for each class.
    Yolox(Yolox),
    /// YOLOv5 and YOLOv7: decoded boxes, objectness, and a score for each class.
    YoloV5(YoloV5),
    /// YOLOv8, v9 and v11: decoded boxes and a score for each class, one row a number.
    YoloV8(YoloV8),
    /// YOLOv10 and YOLO26: the final detections.
    EndToEnd(EndToEnd),
    /// The DETR family: logits, and boxes by centre and size.
    Detr(Detr),
    /// SSD and others with non-maximum suppression in the graph.
    Ssd(Ssd),
    /// CenterFace: faces as peaks of a heat map.
    #[serde(rename = "centerface")]
    CenterFace(CenterFace),
    /// RetinaFace and its kin: boxes of one class as offsets from priors.
    #[serde(rename = "retinaface")]
    RetinaFace(RetinaFace),
}

impl HeadSpec {
    fn decode(&self) -> &dyn Decode {
        match self {
            Self::BoxesScores(head) => head,
            Self::Yolox(head) => head,
            Self::YoloV5(head) => head,
            Self::YoloV8(head) => head,
            Self::EndToEnd(head) => head,
            Self::Detr(head) => head,
            Self::Ssd(head) => head,
            Self::CenterFace(head) => head,
            Self::RetinaFace(head) => head,
        }
    }

    /// The outputs it reads for an input of this size, in the order in which [`Head::candidates`] takes them.
    pub fn outputs(&self, input: InputSize) -> Vec<OutputSpec> {
        self.decode().outputs(input)
    }

    /// How many classes it scores.
    pub fn classes(&self) -> usize {
        self.decode().classes()
    }

    /// Whether the manifest's numbers can be, and fit an input of this size.
    ///
    /// # Errors
    /// The key at fault and what was expected.
    pub fn check(&self, input: InputSize) -> Result<(), String> {
        self.decode().check(input)?;
        let classes = self.classes();
        if !(1..=MAX_CLASSES).contains(&classes) {
            return Err(format!("head.classes = {classes}: expected 1 to {MAX_CLASSES}"));
        }
        Ok(())
    }
}

/// A head at work: what the manifest says of it, the network's input, and the classes that are wanted.
#[derive(Clone, Debug)]
pub struct Head {
    spec: HeadSpec,
    input: InputSize,
    classes: Classes,
}

impl Head {
    /// The head `spec`, which has passed [`HeadSpec::check`], of a network with an input of this size. Classes
    /// that `classes` ignores cost next to nothing.
    pub fn new(spec: HeadSpec, input: InputSize, classes: Classes) -> Self {
        Self { spec, input, classes }
    }

    /// The outputs it reads, in the order in which [`Head::candidates`] takes them.
    pub fn outputs(&self) -> Vec<OutputSpec> {
        self.spec.outputs(self.input)
    }

    /// Adds all candidates of at least `min_score` to `out`. `outputs` are the data of [`Head::outputs`].
    /// Scores that are not numbers are never candidates.
    pub fn candidates(&self, outputs: &[&[f32]], min_score: f32, out: &mut Vec<Candidate>) {
        let ask = Ask { min_score, classes: &self.classes, input: self.input };
        self.spec.decode().candidates(outputs, &ask, out);
    }
}
