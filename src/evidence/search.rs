//! Finds everyone who has to be hidden. Rules look at their zones at the model's working threshold; privacy
//! wants more than that: small persons far from any zone, and those the model is unsure of.

use super::subject::{PERSONS, Subject, VEHICLES};
use super::windows::windows;
use crate::detect::{BBox, Detection, Detector};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// Least score at which something is hidden. Far below the working threshold: a mosaic too many costs little.
const LEAST_SCORE: f32 = 0.15;

/// Searches pictures for persons and vehicles to hide.
pub struct Redactor<'d> {
    detector: &'d mut dyn Detector,
}

impl<'d> Redactor<'d> {
    /// A redactor that sees with `detector`.
    ///
    /// # Errors
    /// [`Kind::Model`] when the model does not know persons or has no label for a vehicle: it cannot find what
    /// must be hidden.
    pub fn new(detector: &'d mut dyn Detector) -> Result<Self> {
        let knows = |names: &[&str]| names.iter().any(|name| detector.vocabulary().find(name).is_some());
        for (what, names) in [("persons", &PERSONS[..]), ("vehicles", &VEHICLES[..])] {
            if !knows(names) {
                let model = &detector.identity().name;
                return Err(Error::new(
                    Kind::Model,
                    format!("the model {model} cannot find {what} to hide: expected a label of {names:?}"),
                )
                .help("Use a model whose labels include person and car, such as one trained on COCO."));
            }
        }
        Ok(Self { detector })
    }

    /// Looks at the whole of `frame` and at overlapping tiles of the model's own input size.
    ///
    /// # Errors
    /// When inference fails on any part, or gives boxes that are not numbers.
    pub fn search(&mut self, frame: &Frame) -> Result<Vec<Subject>> {
        let mut subjects = Vec::new();
        let mut found = Vec::new();
        for window in windows((frame.width, frame.height), self.detector.input_size()) {
            found.clear();
            self.detector.detect_region(frame, window, LEAST_SCORE, &mut found)?;
            collect(&found, self.detector.vocabulary(), window, &mut subjects)?;
        }
        Ok(subjects)
    }
}

/// Adds the persons and vehicles among `found`.
///
/// # Errors
/// [`Kind::Model`] when a side of a box is not a number: something was seen, but not where.
pub(super) fn collect(
    found: &[Detection],
    vocabulary: &crate::detect::Vocabulary,
    window: BBox,
    subjects: &mut Vec<Subject>,
) -> Result<()> {
    let mut subjects_found = found.iter().filter_map(|detection| Subject::of(detection, vocabulary, window));
    subjects_found.try_for_each(|subject| add(subject, subjects))
}

/// Adds `subject`, unless it has no area.
///
/// # Errors
/// [`Kind::Model`] when a side of its box is not a number: something was seen, but not where.
pub(super) fn add(subject: Subject, subjects: &mut Vec<Subject>) -> Result<()> {
    if !<[f32; 4]>::from(subject.bbox).iter().all(|side| side.is_finite()) {
        return Err(Error::new(Kind::Model, "a detection's box has a side that is not a number"));
    }
    if subject.bbox.is_sound() {
        subjects.push(subject);
    }
    Ok(())
}
