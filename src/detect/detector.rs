//! The seam between the pipeline and whatever finds things in pictures.

use super::provider::RuntimeReport;
use super::{BBox, Detection, Vocabulary};
use crate::error::Result;
use crate::frame::Frame;

/// Which model made a detection, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelIdentity {
    /// Name in its manifest.
    pub name: String,
    /// Lower-case hex SHA-256 of the weights file.
    pub sha256: String,
}

/// Finds things in pictures. The seam exists so that the pipeline can be tested with a scripted detector.
pub trait Detector: Send {
    /// Looks at the whole of `frame` and replaces the contents of `out` with what it found, at least
    /// `min_score`; boxes are 0-1 in the whole picture.
    ///
    /// # Errors
    /// When inference fails; `out` is then empty.
    fn detect(&mut self, frame: &Frame, min_score: f32, out: &mut Vec<Detection>) -> Result<()>;

    /// Looks at `region` of `frame` only (0-1), at least `min_score`, and adds to `out`; boxes are 0-1 in the
    /// whole picture. Used where small things matter more than time, such as redaction.
    ///
    /// # Errors
    /// When inference fails; `out` is then as it was.
    fn detect_region(
        &mut self,
        frame: &Frame,
        region: BBox,
        min_score: f32,
        out: &mut Vec<Detection>,
    ) -> Result<()>;

    /// Gives back what memory only an inference needs; the next one takes it again, and that costs it time. For
    /// detectors that are used seldom.
    fn rest(&mut self) {}

    /// The labels it can give.
    fn vocabulary(&self) -> &Vocabulary;

    /// Which model it is.
    fn identity(&self) -> &ModelIdentity;

    /// Width and height of the model's input in pixels.
    fn input_size(&self) -> (usize, usize);

    /// What the inference runs on, where there is one.
    fn runtime(&self) -> Option<&RuntimeReport> {
        None
    }
}
