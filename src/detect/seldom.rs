//! A model that is used seldom: it holds its memory only from the first picture it is shown to its rest.
//!
//! The weights of an open session, and what the runtime makes of them, cost far more memory than the file: the models
//! that look at evidence only would hold 40 MB of a box for work of a second a case.
//!
//! # Invariants
//! - What it says of itself was true of a session that opened and ran once
//!   (`a_model_that_cannot_run_is_refused_before_it_is_needed`).
//! - It never looks with other weights than it was made with (`weights_that_were_exchanged_are_not_taken`).

use std::path::{Path, PathBuf};

use super::model::{Model, fault};
use super::provider::{RuntimeReport, Setup};
use super::{BBox, Detection, Detector, ModelIdentity, OnnxDetector, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// A detector that is open from the first picture after a rest until it is told to rest.
pub struct SeldomDetector {
    folder: PathBuf,
    setup: Setup,
    open: Option<OnnxDetector>,
    vocabulary: Vocabulary,
    identity: ModelIdentity,
    input_size: (usize, usize),
    runtime: Option<RuntimeReport>,
}

impl SeldomDetector {
    /// The model in `folder`, to be run as `setup` says. It is opened and run once, so that a fault shows now, and
    /// closed again.
    ///
    /// # Errors
    /// [`Kind::Model`] when the model cannot be loaded or run.
    pub fn new(folder: &Path, setup: &Setup) -> Result<Self> {
        let detector = OnnxDetector::with(&Model::load(folder)?, setup)?;
        Ok(Self {
            folder: folder.to_owned(),
            setup: setup.clone(),
            vocabulary: detector.vocabulary().clone(),
            identity: detector.identity().clone(),
            input_size: detector.input_size(),
            runtime: detector.runtime().cloned(),
            open: None,
        })
    }

    /// The open detector.
    fn awake(&mut self) -> Result<&mut OnnxDetector> {
        if self.open.is_none() {
            let model = Model::load(&self.folder)?;
            if model.identity() != self.identity {
                let what = format!("{} is not the model it was at the start", self.folder.display());
                return Err(fault(what).help("start the program anew to use another model"));
            }
            self.open = Some(OnnxDetector::with(&model, &self.setup)?);
        }
        self.open.as_mut().ok_or_else(|| Error::new(Kind::System, "a model was opened and is not open"))
    }
}

impl Detector for SeldomDetector {
    fn detect(&mut self, frame: &Frame, least_score: f32, out: &mut Vec<Detection>) -> Result<()> {
        self.awake()?.detect(frame, least_score, out)
    }

    fn detect_region(
        &mut self,
        frame: &Frame,
        region: BBox,
        least_score: f32,
        out: &mut Vec<Detection>,
    ) -> Result<()> {
        self.awake()?.detect_region(frame, region, least_score, out)
    }

    fn rest(&mut self) {
        self.open = None;
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
        self.runtime.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "models/plates-retinaface";

    fn grey() -> Frame {
        let (width, height) = (320, 240);
        let (y, chroma) = (vec![128; width * height], vec![128; width * height / 4]);
        Frame { width, height, y, u: chroma.clone(), v: chroma, ..Frame::default() }
    }

    /// A copy of the model in a folder of its own.
    fn copy() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path()) {
            std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
        }
        folder
    }

    fn weights(folder: &Path) -> PathBuf {
        Model::load(folder).unwrap().weights()
    }

    #[test]
    fn it_finds_after_a_rest_what_it_found_before() {
        let (mut seldom, frame) = (SeldomDetector::new(FOLDER.as_ref(), &Setup::default()).unwrap(), grey());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        seldom.detect(&frame, 0.0, &mut before).unwrap();
        seldom.rest();
        assert!(seldom.open.is_none(), "its memory is given back");
        seldom.detect(&frame, 0.0, &mut after).unwrap();
        assert!(!before.is_empty());
        assert_eq!(before, after);
    }

    #[test]
    fn a_model_that_cannot_run_is_refused_before_it_is_needed() {
        let folder = copy();
        std::fs::write(weights(folder.path()), b"no graph").unwrap();
        assert_eq!(
            SeldomDetector::new(folder.path(), &Setup::default()).map(|_| ()).unwrap_err().kind(),
            Kind::Model
        );
    }

    #[test]
    fn weights_that_were_exchanged_are_not_taken() {
        let folder = copy();
        let mut seldom = SeldomDetector::new(folder.path(), &Setup::default()).unwrap();
        let weights = weights(folder.path());
        let mut bytes = std::fs::read(&weights).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&weights, bytes).unwrap();
        assert_eq!(seldom.detect(&grey(), 0.5, &mut Vec::new()).unwrap_err().kind(), Kind::Model);
        std::fs::remove_file(&weights).unwrap();
        assert_eq!(seldom.detect(&grey(), 0.5, &mut Vec::new()).unwrap_err().kind(), Kind::Model);
    }
}
