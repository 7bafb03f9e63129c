//! Whether cases carry pictures, and the models that redact them, shared by all cameras.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::eyes::Eyes;
use super::search::Redactor;
use super::shot::Shot;
use super::subject::Subject;
use crate::detect::{Detection, Detector, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Plan;

/// Why there is no picture when they are off.
const OFF: &str = "pictures are off (privacy.pictures = false)";
/// How often, and for how long at most, a clip looks whether pictures still need the models.
const NAP: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the pictures of all cameras. One pair of models serves all workers: evidence is rare, a second worker
/// that needs them at the same moment waits, and each pair would take its memory for good.
#[derive(Clone, Debug)]
pub enum Pictures {
    /// Cases go out without pictures, and say so.
    Off,
    /// Redacted with these models.
    Redacted(Arc<Models>),
}

/// The models, and how many pictures are being taken or wait for them.
#[derive(Debug)]
pub struct Models {
    eyes: Mutex<Eyes>,
    wanted: AtomicUsize,
}

impl Pictures {
    /// Redacts with `eyes`.
    pub fn through(eyes: Eyes) -> Self {
        Self::Redacted(Arc::new(Models { eyes: Mutex::new(eyes), wanted: AtomicUsize::new(0) }))
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
            Self::Redacted(models) => {
                Some(models.eyes.lock().unwrap_or_else(PoisonError::into_inner).names().map(str::to_owned))
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
            Self::Off => Shot::withheld(OFF),
            Self::Redacted(models) => {
                let _wanted = Wanted::new(&models.wanted);
                // The models hold nothing from one picture to the next that a panic could have left half-done.
                let mut eyes = models.eyes.lock().unwrap_or_else(PoisonError::into_inner);
                Shot::take(frame, seen, vocabulary, detector, &mut eyes)
            }
        }
    }

    /// What is to be hidden in `frame`, one picture of a clip, beside what is `known`. Pictures of cases come first: a
    /// clip lets those pass that are wanted, and holds the models for one of its own pictures at a time.
    ///
    /// # Errors
    /// When the search fails anywhere, or pictures are off: the picture may not leave then.
    pub(super) fn search(
        &self,
        frame: &Frame,
        known: &[Subject],
        detector: &mut dyn Detector,
    ) -> Result<Vec<Subject>> {
        let Self::Redacted(models) = self else { return Err(Error::new(Kind::Config, OFF)) };
        let mut subjects = Redactor::new(detector)?.search(frame)?;
        subjects.extend_from_slice(known);
        let began = Instant::now();
        while models.wanted.load(Ordering::Relaxed) > 0 && began.elapsed() < PATIENCE {
            std::thread::sleep(NAP);
        }
        models.eyes.lock().unwrap_or_else(PoisonError::into_inner).search(frame, &mut subjects)?;
        Ok(subjects)
    }
}

/// Says for as long as it lives that a picture is wanted.
struct Wanted<'a>(&'a AtomicUsize);

impl<'a> Wanted<'a> {
    fn new(wanted: &'a AtomicUsize) -> Self {
        wanted.fetch_add(1, Ordering::Relaxed);
        Self(wanted)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
