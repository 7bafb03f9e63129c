//! The detector that the program uses: a model folder, run by ONNX Runtime.

use std::path::Path;

use super::heads::Candidate;
use super::model::Model;
use super::nms::Nms;
use super::preprocess::{Crop, Mapping, Preprocessor};
use super::provider::{RuntimeReport, Setup};
use super::session::Session;
use super::{BBox, Detection, Detector, Label, ModelIdentity, Vocabulary};
use crate::case::catalog::CATALOG;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// A model run by ONNX Runtime. Once it has seen a frame of each geometry it takes no memory of
/// its own for another.
pub struct OnnxDetector {
    session: Session,
    preprocessor: Preprocessor,
    nms: Nms,
    vocabulary: Vocabulary,
    identity: ModelIdentity,
    input_size: (usize, usize),
    score: f32,
    candidates: Vec<Candidate>,
}

impl OnnxDetector {
    /// Loads the model in `folder` and opens it on the CPU with `threads` threads for one inference. `runtime`
    /// is the ONNX Runtime library; without it the usual places are looked at, see
    /// [`find_library`](super::session::find_library).
    ///
    /// # Errors
    /// [`Kind::Model`] that names the file at fault, what was expected and what was found.
    pub fn open(folder: &Path, runtime: Option<&Path>, threads: u16) -> Result<Self> {
        Self::new(&Model::load(folder)?, runtime, threads)
    }

    /// As [`OnnxDetector::open`] with a model that is loaded already.
    ///
    /// # Errors
    /// As [`OnnxDetector::open`].
    pub fn new(model: &Model, runtime: Option<&Path>, threads: u16) -> Result<Self> {
        Self::with(model, &Setup::cpu(runtime, threads))
    }

    /// Opens a model that is loaded already, as `setup` says.
    ///
    /// # Errors
    /// As [`Session::with`].
    pub fn with(model: &Model, setup: &Setup) -> Result<Self> {
        let input = &model.manifest.input;
        Ok(Self {
            session: Session::with(model, setup)?,
            preprocessor: Preprocessor::new(input.clone()),
            nms: Nms::new(&model.vocabulary, &CATALOG, model.manifest.threshold.iou),
            vocabulary: model.vocabulary.clone(),
            identity: model.identity(),
            input_size: (input.width, input.height),
            score: model.manifest.threshold.score,
            candidates: Vec::new(),
        })
    }

    /// `count` detectors of one model for the workers of a box, each with a session of its own. At least one.
    ///
    /// # Errors
    /// As [`Model::load`] and [`Session::with`].
    pub fn several(folder: &Path, setup: &Setup, count: usize) -> Result<Vec<Self>> {
        let model = Model::load(folder)?;
        (0..count.max(1)).map(|_| Self::with(&model, setup)).collect()
    }

    /// The model's operating threshold, 0-1.
    pub fn threshold(&self) -> f32 {
        self.score
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, for measuring the network alone on the input of the last look.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Fills `self.candidates` with what is to be seen in `crop`, best first.
    fn look(&mut self, frame: &Frame, crop: Crop, min_score: f32) -> Result<Mapping> {
        let mapping = self.preprocessor.run(frame, crop, self.session.input_mut()).ok_or_else(|| {
            Error::new(
                Kind::System,
                format!("a frame of {}x{} does not have the planes of its size", frame.width, frame.height),
            )
        })?;
        let candidates = &mut self.candidates;
        candidates.clear();
        self.session.run(|head, outputs| head.candidates(outputs, min_score, candidates))?;
        self.nms.run(candidates);
        Ok(mapping)
    }

    fn collect(&self, mapping: &Mapping, out: &mut Vec<Detection>) {
        out.extend(self.candidates.iter().filter_map(|candidate| {
            let bbox = mapping.to_frame(candidate.corners);
            bbox.is_sound().then_some(Detection {
                label: Label(candidate.class),
                score: candidate.score.clamp(0.0, 1.0),
                bbox,
            })
        }));
    }
}

impl Detector for OnnxDetector {
    fn detect(&mut self, frame: &Frame, min_score: f32, out: &mut Vec<Detection>) -> Result<()> {
        out.clear();
        let mapping = self.look(frame, Crop::whole(frame), min_score)?;
        self.collect(&mapping, out);
        Ok(())
    }

    fn detect_region(
        &mut self,
        frame: &Frame,
        region: BBox,
        min_score: f32,
        out: &mut Vec<Detection>,
    ) -> Result<()> {
        let mapping = self.look(frame, Crop::of(frame, region), min_score)?;
        self.collect(&mapping, out);
        Ok(())
    }

    fn rest(&mut self) {
        if let Err(e) = self.session.shrink() {
            // Nothing is wrong with what it finds; it only keeps its memory.
            tracing::debug!("The memory of an inference is kept: {e}.");
        }
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn input_size(&self) -> (usize, usize) {
        self.input_size
    }

    fn runtime(&self) -> Option<&RuntimeReport> {
        Some(self.session.runtime())
    }
}
