//! The models that find faces and plates. They look at evidence only, and they only add: what the detector's boxes
//! say of heads and plate areas is hidden whether or not these find something there.
//!
//! Faces and plates on street pictures are a few pixels large, and both models want them larger: CenterFace is
//! sure of a face of 24 pixels, the plate model of a plate of 100. So they are shown the whole picture, tiles of
//! it, and enlarged windows around what the detector found.

use std::fmt;

use super::search::add;
use super::subject::{PixelRect, Subject, Who};
use super::windows::{WHOLE, cover, tiles};
use crate::detect::{BBox, Detection, Detector, Label, SeldomDetector, Setup};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::RedactionPlan;

/// How much larger than they are tiles are shown to the face model, the largest that keeps to [`MOST_TILES`].
const TILE_SCALES: [f32; 3] = [2.0, 1.5, 1.0];
/// Most tiles for which a scale above 1 is taken; one is 40 ms of work.
const MOST_TILES: usize = 16;
/// How much larger than they are the heads of persons are shown. Faces of 7 to 10 pixels on `people.jpg` score
/// 0.3 to 0.5 at 1, 0.8 at 3, and no more beyond.
const HEAD_SCALE: f32 = 3.0;
/// Head regions that a tile shows at least so high, in pixels of the model's input, need no window of their own. The
/// region is 0.4 of a standing person, so this is a face of 20 pixels, which scores 0.4 and more.
const HEAD_REGION_PX: f32 = 80.0;
/// Most that a vehicle is enlarged.
const VEHICLE_SCALE: f32 = 3.0;
/// What a vehicle's windows show around its box, as a share of the box on each side.
const VEHICLE_MARGIN: f32 = 0.1;
/// Side of a window on a vehicle, as a share of the vehicle's longer side: a plate is a quarter of the width of
/// a car, and then a third of the window.
const VEHICLE_PART: f32 = 0.75;

/// A model for faces and a model for plates, at work.
pub struct Eyes {
    faces: Finder,
    plates: Finder,
}

/// One of the two.
struct Finder {
    detector: Box<dyn Detector>,
    who: Who,
    label: Label,
    least_score: f32,
}

impl Eyes {
    /// Eyes that see with these two, taking what scores at least so much (0-1).
    ///
    /// # Errors
    /// [`Kind::Model`] when the first has no label `face`, or the second no label `plate`.
    pub fn new(
        (faces, face_score): (Box<dyn Detector>, f32),
        (plates, plate_score): (Box<dyn Detector>, f32),
    ) -> Result<Self> {
        Ok(Self {
            faces: Finder::new(faces, Who::Face, "face", face_score)?,
            plates: Finder::new(plates, Who::Plate, "plate", plate_score)?,
        })
    }

    /// Both models of `plan`, run as `setup` says but with one thread: evidence is rare, and looks come first. Both
    /// are run once now, so that a box that could not redact does not start; then they hold memory only while they
    /// look.
    ///
    /// # Errors
    /// [`Kind::Model`] that says which model, what is wrong with it, and how to do without pictures.
    pub fn open(plan: &RedactionPlan, setup: &Setup) -> Result<Self> {
        let setup = Setup { threads: 1, ..setup.clone() };
        let opened = |key: &str, folder| {
            SeldomDetector::new(folder, &setup)
                .map(|detector| Box::new(detector) as Box<dyn Detector>)
                .map_err(|e| no_pictures(key, e))
        };
        let faces = (opened("privacy.faces", &plan.faces)?, plan.face_score);
        let plates = (opened("privacy.plates", &plan.plates)?, plan.plate_score);
        Self::new(faces, plates)
    }

    /// Names of the models, faces first.
    pub fn names(&self) -> [&str; 2] {
        [&self.faces, &self.plates].map(|finder| finder.detector.identity().name.as_str())
    }

    /// Looks for faces and plates in `frame` and adds them to `subjects`, which holds the persons and vehicles
    /// that were found in it.
    ///
    /// # Errors
    /// When inference fails on any part, or gives boxes that are not numbers.
    pub(super) fn search(&mut self, frame: &Frame, subjects: &mut Vec<Subject>) -> Result<()> {
        let size = (frame.width, frame.height);
        let windows = face_windows(subjects, self.faces.detector.input_size(), size);
        self.faces.look(frame, &windows, subjects)?;
        let windows = plate_windows(subjects, self.plates.detector.input_size(), size);
        self.plates.look(frame, &windows, subjects)
    }
}

impl fmt::Debug for Eyes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eyes").field("models", &self.names()).finish_non_exhaustive()
    }
}

/// `error` of the model that `key` names, with what can be done.
fn no_pictures(key: &str, error: Error) -> Error {
    Error::new(Kind::Model, format!("pictures cannot be redacted, {key}: {error}"))
        .help(
            "`gridpatrol models verify` checks the models; `privacy.pictures = false` sends cases without pictures",
        )
        .caused_by(error)
}

impl Finder {
    fn new(mut detector: Box<dyn Detector>, who: Who, name: &str, least_score: f32) -> Result<Self> {
        let Some(label) = detector.vocabulary().find(name) else {
            let model = &detector.identity().name;
            let what = format!("the model {model} cannot find what to hide: expected a label `{name}`");
            return Err(Error::new(Kind::Model, what).help(format!(
                "use another model, or give one of its labels that name with [classes] in its model.toml: \
                 {}",
                detector.vocabulary().names().join(", ")
            )));
        };
        // Opening warms a session up.
        detector.rest();
        Ok(Self { detector, who, label, least_score })
    }

    /// Looks at `windows` of `frame`, adds what is found there, and rests until the next case: together the models
    /// take 40 MB to be open and 80 MB more to look, and cases are rare.
    fn look(&mut self, frame: &Frame, windows: &[BBox], subjects: &mut Vec<Subject>) -> Result<()> {
        let looked = windows.iter().try_for_each(|&window| {
            let mut found: Vec<Detection> = Vec::new();
            self.detector.detect_region(frame, window, self.least_score, &mut found)?;
            let mut wanted = found.iter().filter(|found| found.label == self.label);
            wanted.try_for_each(|found| add(Subject { who: self.who, bbox: found.bbox, window }, subjects))
        });
        self.detector.rest();
        looked
    }
}

/// Where faces are looked for: the whole picture, tiles of it, and windows around the heads of persons.
fn face_windows(subjects: &[Subject], input: (usize, usize), size: (usize, usize)) -> Vec<BBox> {
    let whole = whole(size);
    let tiled = |scale: f32| (scale, tiles(whole, shown_at(input, scale), size));
    let fine = TILE_SCALES.into_iter().map(tiled).find(|(_, tiles)| tiles.len() <= MOST_TILES);
    let (scale, tiles) = fine.unwrap_or_else(|| tiled(1.0));
    let mut windows = vec![WHOLE];
    windows.extend(tiles);
    let small = |head: &PixelRect| (head.y2 - head.y1) as f32 * scale < HEAD_REGION_PX;
    let persons = subjects.iter().filter(|subject| subject.who == Who::Person);
    let heads = persons.filter_map(|person| person.region(size.0 as u32, size.1 as u32));
    let heads: Vec<PixelRect> = heads.filter(small).collect();
    windows.extend(cover(&heads, shown_at(input, HEAD_SCALE), size));
    windows
}

/// Where plates are looked for: the whole picture, tiles of it, and windows on vehicles that are large enough
/// for a legible plate.
fn plate_windows(subjects: &[Subject], input: (usize, usize), size: (usize, usize)) -> Vec<BBox> {
    let mut windows = vec![WHOLE];
    windows.extend(tiles(whole(size), input, size));
    let (width, height) = (size.0 as f32, size.1 as f32);
    let mut known: Vec<&Subject> = Vec::new();
    for vehicle in subjects.iter().filter(|subject| subject.who == Who::Vehicle) {
        let legible = vehicle.region(size.0 as u32, size.1 as u32).is_some();
        if !legible || known.iter().any(|known| known.same_as(vehicle)) {
            continue;
        }
        known.push(vehicle);
        let (w, h) = (vehicle.bbox.width() * width, vehicle.bbox.height() * height);
        let low = |v: f32, extra: f32, side: f32| (v * side - extra).clamp(0.0, side - 1.0) as u32;
        let high = |v: f32, extra: f32, side: f32| (v * side + extra).clamp(1.0, side).ceil() as u32;
        let (dx, dy) = (VEHICLE_MARGIN * w, VEHICLE_MARGIN * h);
        let (x1, y1) = (low(vehicle.bbox.x1, dx, width), low(vehicle.bbox.y1, dy, height));
        let area = PixelRect {
            x1,
            y1,
            x2: high(vehicle.bbox.x2, dx, width).max(x1 + 1),
            y2: high(vehicle.bbox.y2, dy, height).max(y1 + 1),
        };
        let side = |most: usize| {
            let most = most as f32;
            (VEHICLE_PART * w.max(h)).clamp(most / VEHICLE_SCALE, most) as usize
        };
        windows.extend(tiles(area, (side(input.0), side(input.1)), size));
    }
    windows
}

fn whole(size: (usize, usize)) -> PixelRect {
    PixelRect { x1: 0, y1: 0, x2: size.0 as u32, y2: size.1 as u32 }
}

/// Pixels of the picture that fill a model's input when they are shown `scale` times as large.
fn shown_at(input: (usize, usize), scale: f32) -> (usize, usize) {
    let side = |n: usize| ((n as f32 / scale) as usize).max(16);
    (side(input.0), side(input.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE_INPUT: (usize, usize) = (640, 480);

    fn subject(who: Who, [x, y, w, h]: [f32; 4], (width, height): (usize, usize)) -> Subject {
        let (x2, y2) = ((x + w) / width as f32, (y + h) / height as f32);
        let bbox = BBox { x1: x / width as f32, y1: y / height as f32, x2, y2 };
        Subject { who, bbox, window: WHOLE }
    }

    /// The largest scale at which one of `windows` shows the whole of `bbox` to a model of this input.
    fn shown(windows: &[BBox], bbox: BBox, input: (usize, usize), size: (usize, usize)) -> f32 {
        let holding = windows.iter().filter(|window| bbox.covered_by(window) > 0.999);
        let scale = |window: &BBox| {
            let (w, h) = (window.width() * size.0 as f32, window.height() * size.1 as f32);
            (input.0 as f32 / w).min(input.1 as f32 / h)
        };
        holding.map(scale).fold(0.0, f32::max)
    }

    #[test]
    fn every_head_is_shown_three_times_as_large_or_as_a_face_of_twenty_pixels() {
        for size in [(640, 480), (768, 576), (1280, 720), (1920, 1080), (3840, 2160)] {
            let places = [(0.0, 0.0), (0.4, 0.3), (0.43, 0.33), (0.9, 0.6), (0.7, 0.02)];
            for height in [20.0, 50.0, 90.0, 180.0, 300.0] {
                let persons = places.map(|(x, y)| {
                    let at = [x * size.0 as f32, y * size.1 as f32, 0.35 * height, height];
                    subject(Who::Person, at, size)
                });
                let windows = face_windows(&persons, FACE_INPUT, size);
                for person in persons {
                    let head =
                        BBox { y2: person.bbox.y1 + 0.2 * person.bbox.height(), ..person.bbox }.clamped();
                    let scale = shown(&windows, head, FACE_INPUT, size);
                    // A face is a tenth of a person.
                    assert!(scale > 2.9 || scale * height / 10.0 >= 18.0, "{size:?} {height} {scale}");
                }
            }
        }
    }

    #[test]
    fn the_plate_of_every_vehicle_is_shown_large() {
        let input = (320, 320);
        for size in [(768, 576), (1920, 1080)] {
            for width in [70.0, 120.0, 240.0, 480.0] {
                let car = subject(Who::Vehicle, [200.0, 150.0, width, 0.8 * width], size);
                let windows = plate_windows(&[car], input, size);
                let plate = [200.0 + 0.38 * width, 150.0 + 0.6 * width, 0.24 * width, 0.08 * width];
                let plate = subject(Who::Plate, plate, size).bbox;
                let scale = shown(&windows, plate, input, size);
                assert!(scale > 2.9 || scale * width * 0.24 > 90.0, "{size:?} {width}: {scale}");
            }
        }
    }

    #[test]
    fn a_crowd_that_stands_together_takes_few_windows() {
        let size = (1920, 1080);
        let person = |n: usize| {
            let at = [700.0 + 25.0 * (n % 12) as f32, 400.0 + 30.0 * (n / 12) as f32, 25.0, 70.0];
            subject(Who::Person, at, size)
        };
        let crowd: Vec<Subject> = (0..48).map(person).collect();
        let alone = face_windows(&[], FACE_INPUT, size).len();
        let windows = face_windows(&crowd, FACE_INPUT, size).len();
        assert!(windows - alone <= 6, "{windows} for 48 persons, {alone} for none");
    }
}
