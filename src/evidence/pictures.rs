//! Whether cases carry pictures, and the models that redact them, shared by all cameras.

use std::sync::{Arc, Mutex, PoisonError};

use super::eyes::Eyes;
use super::shot::Shot;
use crate::detect::{Detection, Detector, Vocabulary};
use crate::error::Result;
use crate::frame::Frame;
use crate::plan::Plan;

/// Takes the pictures of all cameras. One pair of models serves all workers: evidence is rare, a second worker
/// that needs them at the same moment waits, and each pair would take its memory for good.
#[derive(Clone, Debug)]
pub enum Pictures {
    /// Cases go out without pictures, and say so.
    Off,
    /// Redacted with these models.
    Redacted(Arc<Mutex<Eyes>>),
}

impl Pictures {
    /// Redacts with `eyes`.
    pub fn through(eyes: Eyes) -> Self {
        Self::Redacted(Arc::new(Mutex::new(eyes)))
    }

    /// Opens the models of `plan`, if it wants pictures.
    ///
    /// # Errors
    /// As [`Eyes::open`].
    pub fn open(plan: &Plan) -> Result<Self> {
        match &plan.redaction {
            None => Ok(Self::Off),
            Some(redaction) => Ok(Self::through(Eyes::open(redaction, &plan.setup())?)),
        }
    }

    /// Names of the face model and the plate model; `None` when there are no pictures.
    pub fn models(&self) -> Option<[String; 2]> {
        match self {
            Self::Off => None,
            Self::Redacted(eyes) => {
                Some(eyes.lock().unwrap_or_else(PoisonError::into_inner).names().map(str::to_owned))
            }
        }
    }

    /// As [`Shot::take`]; a shot that gives no picture and says why when pictures are off.
    pub fn shot<'a>(
        &self,
        frame: &Frame,
        seen: impl IntoIterator<Item = &'a [Detection]>,
        vocabulary: &Vocabulary,
        detector: &mut dyn Detector,
    ) -> Shot {
        match self {
            Self::Off => Shot::withheld("pictures are off (privacy.pictures = false)"),
            Self::Redacted(eyes) => {
                // The models hold nothing from one picture to the next that a panic could have left half-done.
                let mut eyes = eyes.lock().unwrap_or_else(PoisonError::into_inner);
                Shot::take(frame, seen, vocabulary, detector, &mut eyes)
            }
        }
    }
}
