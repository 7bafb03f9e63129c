//! Faces and plates in evidence pictures, with the models that the program carries: what they find before, they
//! must not find after.

use std::path::{Path, PathBuf};

use gridpatrol::detect::{BBox, Detection, Detector, OnnxDetector};
use gridpatrol::error::{Error, Kind};
use gridpatrol::evidence::{Evidence, Eyes, Role, windows};
use gridpatrol::frame::Frame;
use gridpatrol::source::PictureReader;
use image::{RgbImage, imageops};

use crate::evidence::{CAR, PERSON, WHOLE, decoded, finder, frame, pictures, scripted, seen, shoot_through};
use crate::support::program::{CLIP, KERB, configuration, gridpatrol};

pub const FACES: &str = "models/faces-centerface";
const PLATES: &str = "models/plates-retinaface";
/// A model is sure of what scores this and more.
const SURE: f32 = 0.5;
/// Upper bodies in `people.jpg` whose faces are to be seen, left, top, width, height in pixels.
const UPPER_BODIES: [[u32; 4]; 3] = [[610, 256, 56, 56], [700, 246, 54, 56], [670, 92, 60, 44]];

pub fn model(folder: &str) -> Box<dyn Detector> {
    Box::new(OnnxDetector::open(Path::new(folder), None, 1).unwrap())
}

pub fn eyes() -> Eyes {
    Eyes::new((model(FACES), 0.2), (model(PLATES), 0.2)).unwrap()
}

fn people() -> RgbImage {
    image::open("tests/data/people.jpg").unwrap().to_rgb8()
}

/// `picture` as a camera would deliver it.
pub fn as_frame(picture: &RgbImage) -> Frame {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    picture.save(&path).unwrap();
    let mut frame = Frame::default();
    PictureReader::default().read(&path, &mut frame).unwrap();
    frame
}

fn enlarged(part: &RgbImage, scale: f32) -> RgbImage {
    let side = |n: u32| (n as f32 * scale) as u32;
    imageops::resize(part, side(part.width()), side(part.height()), imageops::FilterType::CatmullRom)
}

/// What `detector` is sure of in `frame`: on the whole, on tiles as they are, and on tiles twice and three times
/// as large. One thing may be there several times.
pub fn sure(detector: &mut dyn Detector, frame: &Frame) -> Vec<Detection> {
    let size = (frame.width, frame.height);
    let (width, height) = detector.input_size();
    let mut all = Vec::new();
    for scale in [1, 2, 3] {
        for window in windows(size, (width / scale, height / scale)) {
            detector.detect_region(frame, window, SURE, &mut all).unwrap();
        }
    }
    all
}

/// How many things `found` are, each counted once.
pub fn distinct(found: &[Detection]) -> usize {
    let mut known: Vec<BBox> = Vec::new();
    for detection in found {
        if known.iter().all(|known| known.iou(&detection.bbox) < 0.3) {
            known.push(detection.bbox);
        }
    }
    known.len()
}

/// A crowd: the upper bodies, two to five times as large, all over a grey picture.
pub fn crowd() -> RgbImage {
    let people = people();
    let mut crowd = RgbImage::from_pixel(1280, 720, image::Rgb([96, 100, 98]));
    let mut at = (8, 8);
    let mut row = 0;
    for number in 0.. {
        let [x, y, w, h] = UPPER_BODIES[number % UPPER_BODIES.len()];
        let person = imageops::crop_imm(&people, x, y, w, h).to_image();
        let person = enlarged(&person, [3.0, 2.0, 4.0, 5.0, 2.5][number % 5]);
        if at.0 + person.width() > crowd.width() {
            at = (8, at.1 + row + 8);
            row = 0;
        }
        if at.1 + person.height() > crowd.height() {
            break;
        }
        imageops::replace(&mut crowd, &person, i64::from(at.0), i64::from(at.1));
        at.0 += person.width() + 8;
        row = row.max(person.height());
    }
    crowd
}

/// Asserts that `detector` is sure of nothing in the pictures.
pub fn nothing_is_left(detector: &mut dyn Detector, pictures: &[RgbImage]) {
    for (number, picture) in pictures.iter().enumerate() {
        let left = sure(detector, &as_frame(picture));
        assert!(left.is_empty(), "picture {number} still shows {left:?}");
    }
}

#[test]
fn faces_in_a_crowd_are_hidden_though_the_detector_sees_no_person() {
    let frame = as_frame(&crowd());
    let mut faces = model(FACES);
    let before = distinct(&sure(faces.as_mut(), &frame));
    assert!(before >= 15, "only {before} faces are to be seen before");
    let mut sees_nobody = scripted(|_, _| Ok(vec![]));
    let (taken, redaction) =
        pictures(shoot_through(&frame, &[Role::Overview], &[], &mut sees_nobody, &mut eyes()));
    assert_eq!(redaction.persons, 0);
    assert!(redaction.faces as usize >= before, "{redaction:?}, {before} before");
    nothing_is_left(faces.as_mut(), &taken.iter().map(decoded).collect::<Vec<_>>());
}

#[test]
fn faces_on_the_street_are_hidden_in_the_view_and_close_up() {
    let street = enlarged(&people(), 2.0);
    let frame = as_frame(&street);
    let mut faces = model(FACES);
    let before = distinct(&sure(faces.as_mut(), &frame));
    assert!(before >= 2, "only {before} faces are to be seen before");
    let mut detector = model("models/nanodet-g-416");
    let car = detector.vocabulary().find("car").unwrap();
    // The close-up shows the two men that are nearest.
    let case = [seen(car, 0.9, [0.80, 0.42, 0.98, 0.66])];
    let roles = [Role::Overview, Role::Closeup];
    let (taken, redaction) = pictures(shoot_through(&frame, &roles, &case, detector.as_mut(), &mut eyes()));
    assert!(redaction.persons >= 7 && redaction.faces >= 2, "{redaction:?}");
    nothing_is_left(faces.as_mut(), &taken.iter().map(decoded).collect::<Vec<_>>());
}

/// The van of `people.jpg`, four times as large, with a plate of `width` pixels pasted on.
fn van_with_plate(width: u32) -> RgbImage {
    let van = imageops::crop_imm(&people(), 620, 40, 148, 70).to_image();
    let mut street = enlarged(&van, 4.0);
    let plate = image::open("tests/data/plate.png").unwrap().to_rgb8();
    let plate = imageops::resize(&plate, width, width * 7 / 22, imageops::FilterType::Triangle);
    imageops::replace(&mut street, &plate, 180, 150);
    street
}

#[test]
fn a_plate_is_hidden_though_the_detector_sees_no_vehicle() {
    let mut plates = model(PLATES);
    for width in [96, 128, 160] {
        let frame = as_frame(&van_with_plate(width));
        assert!(!sure(plates.as_mut(), &frame).is_empty(), "{width}: the plate is to be seen before");
        let mut sees_nothing = scripted(|_, _| Ok(vec![]));
        let (taken, redaction) =
            pictures(shoot_through(&frame, &[Role::Overview], &[], &mut sees_nothing, &mut eyes()));
        assert_eq!((redaction.vehicles, redaction.plates), (0, 1), "{width}");
        nothing_is_left(plates.as_mut(), &taken.iter().map(decoded).collect::<Vec<_>>());
    }
}

#[test]
fn a_small_plate_is_found_by_the_enlarged_windows_on_its_vehicle() {
    let frame = as_frame(&van_with_plate(36));
    let mut plates = model(PLATES);
    let mut found = Vec::new();
    for window in windows((frame.width, frame.height), plates.input_size()) {
        plates.detect_region(&frame, window, SURE, &mut found).unwrap();
    }
    assert_eq!(found, [], "tiles alone do not show it large enough");
    let car = seen(CAR, 0.9, [0.25, 0.2, 0.45, 0.6]);
    let mut short = scripted(move |_, window| Ok(if window == WHOLE { vec![car] } else { vec![] }));
    let (taken, redaction) = pictures(shoot_through(&frame, &[Role::Overview], &[], &mut short, &mut eyes()));
    assert_eq!((redaction.vehicles, redaction.plates), (1, 1));
    nothing_is_left(plates.as_mut(), &taken.iter().map(decoded).collect::<Vec<_>>());
}

#[test]
fn e2_a_face_or_plate_model_that_fails_keeps_the_picture_back() {
    let grey = frame(1280, 720, |_, _| 90);
    let works = |label| (Box::new(finder(label, |_, _| Ok(vec![]))) as Box<dyn Detector>, 0.2);
    let fails = |label| {
        let script = |call, _| match call {
            1..=3 => Ok(vec![]),
            _ => Err(Error::new(Kind::Model, "the session broke down")),
        };
        (Box::new(finder(label, script)) as Box<dyn Detector>, 0.2)
    };
    let lost = |label| {
        let script = |_, _| Ok(vec![seen(PERSON, 0.9, [0.1, 0.1, f32::NAN, 0.2])]);
        (Box::new(finder(label, script)) as Box<dyn Detector>, 0.2)
    };
    for (mut eyes, part) in [
        (Eyes::new(fails("face"), works("plate")).unwrap(), "broke down"),
        (Eyes::new(works("face"), fails("plate")).unwrap(), "broke down"),
        (Eyes::new(lost("face"), works("plate")).unwrap(), "not a number"),
        (Eyes::new(works("face"), lost("plate")).unwrap(), "not a number"),
    ] {
        let roles = [Role::Overview, Role::Closeup];
        match shoot_through(&grey, &roles, &[], &mut scripted(|_, _| Ok(vec![])), &mut eyes) {
            Evidence::Withheld { reason } => assert!(reason.contains(part), "{reason}"),
            other => panic!("a picture was taken: {other:?}"),
        }
    }
}

#[test]
fn a_model_of_something_else_is_refused_as_face_or_plate_model() {
    let of = |label: &str| (Box::new(finder(label, |_, _| Ok(vec![]))) as Box<dyn Detector>, 0.2);
    for (faces, plates, part) in [("plate", "plate", "`face`"), ("face", "bench", "`plate`")] {
        let error = Eyes::new(of(faces), of(plates)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// The demo's clip through `replay` with `lines` in the configuration: exit code, errors, events, and the folder
/// with the pictures.
fn replay(lines: &str) -> (Option<i32>, String, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, configuration(lines, KERB)).unwrap();
    let evidence = folder.path().join("evidence");
    let ran = gridpatrol(&[
        "replay",
        "--config",
        config.to_str().unwrap(),
        "--camera",
        "cam-05",
        "--input",
        CLIP,
        "--evidence",
        evidence.to_str().unwrap(),
    ]);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ran.status.code(), text(ran.stderr), text(ran.stdout), folder)
}

fn pictures_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(folder) else { return Vec::new() };
    listed.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn with_a_model_missing_or_broken_nothing_starts_and_no_picture_leaves() {
    let other = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(FACES).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), other.path().join(file.file_name())).unwrap();
    }
    let weights = other.path().join("centerface_640x480.onnx");
    let mut bytes = std::fs::read(&weights).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&weights, bytes).unwrap();
    let broken = format!("privacy.faces = {:?}", other.path());
    for (lines, key) in [
        ("privacy.faces = \"nowhere\"", "privacy.faces"),
        ("privacy.plates = \"nowhere\"", "privacy.plates"),
        (broken.as_str(), "privacy.faces"),
    ] {
        let (code, errors, events, folder) = replay(lines);
        assert_eq!(code, Some(2), "{errors}");
        let flat = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(key) && flat.contains("privacy.pictures = false"), "{errors}");
        assert_eq!(events, "");
        assert_eq!(pictures_in(&folder.path().join("evidence")), Vec::<PathBuf>::new());
    }
}

#[test]
fn with_pictures_off_cases_go_out_and_say_that_they_have_none() {
    let lines = "privacy = { pictures = false, faces = \"nowhere\", plates = \"nowhere\" }";
    let (code, errors, events, folder) = replay(lines);
    assert_eq!(code, Some(0), "{errors}");
    let opened: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(opened.len() >= 2, "{events}");
    for event in opened {
        assert_eq!(event["data"]["evidence"], serde_json::json!([]));
        let withheld = event["data"]["redaction"]["withheld"].as_str().unwrap();
        assert!(withheld.contains("privacy.pictures = false"), "{withheld}");
    }
    assert_eq!(pictures_in(&folder.path().join("evidence")), Vec::<PathBuf>::new());
}
