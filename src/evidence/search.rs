//! Finds everyone who has to be hidden. Rules look at their zones at the model's working threshold; privacy
//! wants more than that: small persons far from any zone, and those the model is unsure of.

use super::subject::{PERSONS, Subject, VEHICLES};
use crate::detect::{BBox, Detection, Detector};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// Least score at which something is hidden. Far below the working threshold: a mosaic too many costs little.
const LEAST_SCORE: f32 = 0.15;
/// Part of a tile that its neighbour sees too, in quarters: what is smaller than that is whole in one of them.
const OVERLAP_QUARTERS: usize = 1;
/// The whole picture, 0-1.
pub(super) const WHOLE: BBox = BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 };

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
    for subject in found.iter().filter_map(|detection| Subject::of(detection, vocabulary, window)) {
        if !<[f32; 4]>::from(subject.bbox).iter().all(|side| side.is_finite()) {
            return Err(Error::new(Kind::Model, "a detection's box has a side that is not a number"));
        }
        if subject.bbox.is_sound() {
            subjects.push(subject);
        }
    }
    Ok(())
}

/// The parts of a picture of `size` pixels that are looked at: the whole, then, where it is larger than `tile`
/// in either direction, tiles of that size in rows, spread evenly and overlapping by at least a quarter.
pub fn windows(size: (usize, usize), tile: (usize, usize)) -> Vec<BBox> {
    let mut windows = vec![WHOLE];
    let (width, height) = size;
    // A tile too small to see a person in would only make for endless work.
    let tile = (tile.0.max(64), tile.1.max(64));
    if width <= tile.0 && height <= tile.1 {
        return windows;
    }
    for (y1, y2) in spans(height, tile.1) {
        for (x1, x2) in spans(width, tile.0) {
            let share = |n: usize, of: usize| n as f32 / of as f32;
            windows.push(BBox {
                x1: share(x1, width),
                y1: share(y1, height),
                x2: share(x2, width),
                y2: share(y2, height),
            });
        }
    }
    windows
}

/// Starts and ends of tiles along one side.
fn spans(side: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    let (tile, step) = (tile.min(side), (tile * (4 - OVERLAP_QUARTERS) / 4).max(1));
    let steps = (side - tile).div_ceil(step);
    (0..=steps).map(move |i| {
        let start = (side - tile) * i / steps.max(1);
        (start, start + tile)
    })
}
