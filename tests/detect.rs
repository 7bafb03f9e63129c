//! From an MP4 file or a folder of pictures to detections, on real video, weights and runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use gridpatrol::calibrate::average_precision::{Found, Truth, average_precision};
use gridpatrol::clock::CaptureTime;
use gridpatrol::detect::heads::Candidate;
use gridpatrol::detect::model::Model;
use gridpatrol::detect::preprocess::{Crop, Preprocessor};
use gridpatrol::detect::session::Session;
use gridpatrol::detect::tensor::Tensor;
use gridpatrol::detect::{BBox, Detection, Detector, OnnxDetector};
use gridpatrol::error::Kind;
use gridpatrol::frame::Frame;
use gridpatrol::plan::Input;
use gridpatrol::source::{self, Mp4Source, Next, PicturesSource, Source};
use serde::Deserialize;
use sha2::{Digest, Sha256};

const CLIP: &str = "tests/media/vtest.mp4";
const MODEL: &str = "models/nanodet-g-416";
const START: CaptureTime = CaptureTime::from_nanos(1_700_000_000_000_000_000);

#[derive(Deserialize)]
struct Labels {
    frames: BTreeMap<usize, Vec<Person>>,
}

#[derive(Deserialize)]
struct Person {
    #[serde(rename = "box")]
    bbox: BBox,
    ignore: u8,
}

#[derive(Deserialize)]
struct Reference {
    clip: String,
    model: String,
    frames: usize,
    ap50: f64,
    raw: BTreeMap<usize, Vec<Proposal>>,
    tile: Vec<Proposal>,
}

/// Proposal, class, score, and the box in pixels of the input.
type Proposal = (u32, u16, f32, f32, f32, f32, f32);

fn data<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    serde_json::from_str(&std::fs::read_to_string(Path::new("tests/data").join(name)).unwrap()).unwrap()
}

/// The stored figures, once it is certain that they are of this clip and this model.
fn reference() -> Reference {
    let reference: Reference = data("vtest_reference.json");
    for (path, wanted) in [
        (PathBuf::from(CLIP), &reference.clip),
        (Path::new(MODEL).join("nanodet_g_416_int8.onnx"), &reference.model),
    ] {
        let hash: String =
            Sha256::digest(std::fs::read(&path).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(&hash, wanted, "{} changed: run tests/data/make_reference.py again", path.display());
    }
    reference
}

/// The frames of the clip with these numbers.
fn frames(wanted: impl Fn(usize) -> bool) -> BTreeMap<usize, Frame> {
    let mut source = Mp4Source::open(Path::new(CLIP), START).unwrap();
    let (mut frame, mut found, mut at) = (Frame::default(), BTreeMap::new(), 0);
    while source.next(&mut frame).unwrap() == Next::Frame {
        if wanted(at) {
            found.insert(at, frame.clone());
        }
        at += 1;
    }
    found
}

/// One detector for all tests: opening one takes longer than using it.
fn detector() -> std::sync::MutexGuard<'static, Option<OnnxDetector>> {
    static DETECTOR: Mutex<Option<OnnxDetector>> = Mutex::new(None);
    let mut guard = DETECTOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    guard.get_or_insert_with(|| OnnxDetector::open(Path::new(MODEL), None, 1).unwrap());
    guard
}

#[test]
fn persons_are_found_as_well_as_python_finds_them() {
    let (reference, labels): (_, Labels) = (reference(), data("vtest_person_labels.json"));
    let mut guard = detector();
    let detector = guard.as_mut().unwrap();
    let person = detector.vocabulary().find("person").unwrap();
    let (mut found, mut truth) = (Vec::new(), Vec::new());
    for (at, frame) in frames(|at| labels.frames.contains_key(&at)) {
        let mut detections = Vec::new();
        let whole = BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 };
        detector.detect_region(&frame, whole, 0.05, &mut detections).unwrap();
        let (w, h) = (frame.width as f32, frame.height as f32);
        for Detection { score, bbox, .. } in detections.into_iter().filter(|d| d.label == person) {
            let pixels = BBox { x1: bbox.x1 * w, y1: bbox.y1 * h, x2: bbox.x2 * w, y2: bbox.y2 * h };
            found.push(Found { picture: truth.len(), score, bbox: pixels });
        }
        let persons = labels.frames[&at].iter();
        truth.push(persons.map(|p| Truth { bbox: p.bbox, ignore: p.ignore == 1 }).collect());
    }
    let ap50 = average_precision(&found, &truth, 0.5).unwrap();
    println!("person AP50 {ap50:.4}, Python {:.4}", reference.ap50);
    assert!((ap50 - reference.ap50).abs() <= 0.01, "AP50 {ap50:.4}, Python gives {:.4}", reference.ap50);
    assert!(ap50 >= 0.93, "AP50 {ap50:.4}");
}

/// Candidates that stand against the proposals of the reference: (score, wanted score, box, wanted box).
fn pairs(candidates: &[Candidate], reference: &[Proposal]) -> Vec<(f32, f32, BBox, BBox)> {
    let pair = |(anchor, class, score, x1, y1, x2, y2): &Proposal| {
        let same = candidates.iter().find(|c| c.anchor == *anchor && c.class == *class);
        let same = same.unwrap_or_else(|| panic!("nothing of class {class} at proposal {anchor}"));
        (same.score, *score, same.corners.into(), BBox { x1: *x1, y1: *y1, x2: *x2, y2: *y2 })
    };
    reference.iter().map(pair).collect()
}

#[test]
fn the_network_gives_on_one_input_what_it_gives_in_python() {
    let model = Model::load(Path::new(MODEL)).unwrap();
    let mut session = Session::open(&model, None, 1).unwrap();
    let tile = image::open("tests/data/tile.png").unwrap().into_luma8();
    let Tensor::Float32(input) = session.input_mut() else { panic!("the model takes float32") };
    for (at, value) in input.iter_mut().enumerate() {
        let (x, y) = (at % 416, at / 416 % 416);
        *value = f32::from(tile.get_pixel(x as u32 / 2, y as u32 / 2).0[0]);
    }
    let mut candidates = Vec::new();
    session.run(|head, outputs| head.candidates(outputs, 0.01, &mut candidates)).unwrap();
    // Equal to the last stored digit on the machine that made the reference; another instruction set may add
    // its eight-bit products in another way.
    for (score, wanted, bbox, place) in pairs(&candidates, &reference().tile) {
        assert!((score - wanted).abs() <= 0.01, "score {score}, Python gives {wanted}");
        assert!(bbox.iou(&place) >= 0.98, "{bbox:?}, Python gives {place:?}");
    }
}

#[test]
fn the_network_gives_on_the_clip_what_it_gives_in_python() {
    let reference = reference();
    let model = Model::load(Path::new(MODEL)).unwrap();
    let mut session = Session::open(&model, None, 1).unwrap();
    let mut preprocessor = Preprocessor::new(model.manifest.input.clone());
    let mut all = Vec::new();
    for (at, frame) in frames(|at| reference.raw.contains_key(&at)) {
        preprocessor.run(&frame, Crop::whole(&frame), session.input_mut()).unwrap();
        let mut candidates = Vec::new();
        session.run(|head, outputs| head.candidates(outputs, 0.01, &mut candidates)).unwrap();
        all.extend(pairs(&candidates, &reference.raw[&at]));
    }
    // Python decodes to eight-bit RGB first and scales that, so its input is about one grey level away.
    let count = all.len() as f32;
    let worst = all.iter().map(|(score, wanted, ..)| (score - wanted).abs()).fold(0.0, f32::max);
    let mean = all.iter().map(|(score, wanted, ..)| (score - wanted).abs()).sum::<f32>() / count;
    let overlap = all.iter().map(|(.., bbox, wanted)| bbox.iou(wanted)).sum::<f32>() / count;
    let least = all.iter().map(|(.., bbox, wanted)| bbox.iou(wanted)).fold(1.0, f32::min);
    println!("score: mean {mean:.4} worst {worst:.4}; overlap: mean {overlap:.4} least {least:.4}");
    assert!(worst <= 0.1 && mean <= 0.03, "scores are off by {worst} at most, {mean} on average");
    assert!(least >= 0.7 && overlap >= 0.95, "boxes overlap by {least} at least, {overlap} on average");
}

#[test]
fn two_runs_over_one_frame_are_equal_bit_for_bit() {
    let frame = frames(|at| at == 360).remove(&360).unwrap();
    let mut guard = detector();
    let detector = guard.as_mut().unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    detector.detect(&frame, 0.45, &mut first).unwrap();
    let tile = BBox { x1: 0.1, y1: 0.2, x2: 0.4, y2: 0.9 };
    detector.detect_region(&frame, tile, 0.3, &mut second).unwrap();
    detector.detect(&frame, 0.45, &mut second).unwrap();
    assert!(!first.is_empty());
    assert_eq!(first, second);
}

#[test]
fn a_look_at_a_tile_finds_there_what_the_whole_picture_shows() {
    let frame = frames(|at| at == 30).remove(&30).unwrap();
    let mut guard = detector();
    let detector = guard.as_mut().unwrap();
    let mut whole = Vec::new();
    detector.detect(&frame, 0.45, &mut whole).unwrap();
    // The two people in front, who are wholly inside of this tile.
    let tile = BBox { x1: 0.75, y1: 0.35, x2: 1.0, y2: 0.7 };
    let mut seen = vec![whole[0]];
    detector.detect_region(&frame, tile, 0.45, &mut seen).unwrap();
    assert_eq!(seen[0], whole[0], "what was in the list stays");
    let inside: Vec<_> = whole.iter().filter(|d| d.bbox.covered_by(&tile) > 0.99).collect();
    assert_eq!(inside.len(), 2);
    for detection in inside {
        let best = seen[1..].iter().map(|d| d.bbox.iou(&detection.bbox)).fold(0.0, f32::max);
        assert!(best > 0.7, "{detection:?} is not among {seen:?}");
    }
    assert!(seen[1..].iter().all(|d| d.bbox.covered_by(&tile) > 0.99), "nothing outside of the tile");
}

#[test]
fn every_frame_of_the_clip_comes_once_at_its_time() {
    let mut source = Mp4Source::open(Path::new(CLIP), START).unwrap();
    assert_eq!(source.duration_s(), Some(79.5));
    let (mut frame, mut at) = (Frame::default(), 0);
    while source.next(&mut frame).unwrap() == Next::Frame {
        assert_eq!((frame.width, frame.height, frame.full_range), (768, 576, false));
        assert_eq!(frame.captured, START.plus_seconds(at as f64 / 10.0));
        at += 1;
    }
    assert_eq!(at, reference().frames);
    assert_eq!(source.skipped(), 0);
    assert_eq!(source.next(&mut frame).unwrap(), Next::End, "the end stays the end");
}

/// Where the data of sample `at` of the clip begins, and its length.
fn sample(file: &[u8], at: usize) -> (usize, usize) {
    let mp4 = re_mp4::Mp4::read_bytes(file).unwrap();
    let range = mp4.tracks().values().next().unwrap().samples[at].byte_range();
    (range.start, range.len())
}

fn written(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("clip.mp4");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_corrupt_picture_is_skipped_and_counted_with_those_predicted_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = std::fs::read(CLIP).unwrap();
    // Key frames are 0, 20, 40 ...: picture 33 is lost, and 34 to 39 are predicted from it.
    let (start, _) = sample(&file, 33);
    file[start..start + 4].fill(0xff);
    let mut source = Mp4Source::open(&written(&folder, &file), START).unwrap();
    let (mut frame, mut times) = (Frame::default(), Vec::new());
    while source.next(&mut frame).unwrap() == Next::Frame {
        times.push((frame.captured.seconds_since(START) * 10.0).round() as usize);
    }
    assert_eq!(source.skipped(), 7);
    let wanted: Vec<usize> = (0..795).filter(|at| !(33..40).contains(at)).collect();
    assert_eq!(times, wanted);
}

#[test]
fn noise_in_place_of_a_picture_is_never_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let clean = std::fs::read(CLIP).unwrap();
    let mut seed = 1_u32;
    for at in [0, 20, 25, 60] {
        let mut file = clean.clone();
        let (start, length) = sample(&file, at);
        for byte in &mut file[start + 5..start + length] {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte ^= if seed >> 30 == 0 { (seed >> 16) as u8 } else { 0 };
        }
        let mut source = Mp4Source::open(&written(&folder, &file), START).unwrap();
        let (mut frame, mut count) = (Frame::default(), 0);
        while count < 90 && source.next(&mut frame).unwrap() == Next::Frame {
            count += 1;
        }
        assert_eq!(count, 90, "the rest of the clip is still there");
    }
}

#[test]
fn a_file_that_is_no_sound_mp4_is_refused_with_its_path_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let clip = std::fs::read(CLIP).unwrap();
    for (bytes, reason) in [
        (&b""[..], "empty"),
        (b"this is a text file, and not a short one either", "not an MP4 file"),
        (&clip[..20], "cut short"),
        (&clip[..2000], "cut short"),
        (&clip[..clip.len() / 2], "cut short"),
    ] {
        let path = written(&folder, bytes);
        let error = Mp4Source::open(&path, START).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Camera);
        let message = error.to_string();
        assert!(message.contains(path.to_str().unwrap()) && message.contains(reason), "{message}");
    }
    let error = Mp4Source::open(Path::new("no/such/clip.mp4"), START).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no/such/clip.mp4"), "{error}");
}

#[test]
fn tables_with_wrong_numbers_are_refused_or_played_but_never_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let clip = std::fs::read(CLIP).unwrap();
    let tables = sample(&clip, 0).0.min(12_000);
    let mut refused = 0;
    for at in (32..tables).step_by(61) {
        let mut file = clip.clone();
        file[at..at + 4].fill(0xff);
        match Mp4Source::open(&written(&folder, &file), START) {
            Ok(mut source) => {
                let mut frame = Frame::default();
                for _ in 0..3 {
                    let _ = source.next(&mut frame);
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Camera, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_folder_of_pictures_plays_in_the_order_of_names_and_skips_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let grey = |level: u8, side: u32| image::RgbImage::from_pixel(side, side, image::Rgb([level; 3]));
    grey(30, 33).save(folder.path().join("b.png")).unwrap();
    grey(200, 64).save(folder.path().join("a.jpg")).unwrap();
    grey(90, 16).save(folder.path().join("d.JPEG")).unwrap();
    std::fs::write(folder.path().join("c.jpg"), b"broken").unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"left alone").unwrap();
    let input = Input::Pictures(folder.path().to_owned());
    let mut source = source::open(&input, START, 2.0).unwrap();
    let (mut frame, mut seen) = (Frame::default(), Vec::new());
    while source.next(&mut frame).unwrap() == Next::Frame {
        seen.push((frame.captured.seconds_since(START), frame.width, frame.y[0].div_ceil(10)));
        assert!(frame.full_range && frame.u.iter().all(|u| *u == 128));
    }
    assert_eq!(seen, [(0.0, 64, 20), (0.5, 32, 3), (1.5, 16, 9)]);
    assert_eq!((source.skipped(), source.duration_s()), (1, Some(2.0)));
}

#[test]
fn a_folder_without_a_usable_picture_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let empty = PicturesSource::open(folder.path(), START, 1.0).map(|_| ()).unwrap_err();
    assert!(empty.to_string().contains(folder.path().to_str().unwrap()), "{empty}");
    std::fs::write(folder.path().join("a.png"), b"broken").unwrap();
    let mut source = PicturesSource::open(folder.path(), START, 1.0).unwrap();
    assert_eq!(source.next(&mut Frame::default()).unwrap_err().kind(), Kind::Camera);
    let rate = PicturesSource::open(folder.path(), START, f64::NAN).map(|_| ()).unwrap_err();
    assert_eq!(rate.kind(), Kind::Usage);
}

/// A copy of the model's folder with the manifest changed.
fn model_with(change: impl Fn(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["coco80.txt", "nanodet_g_416_int8.onnx"] {
        std::fs::copy(Path::new(MODEL).join(name), folder.path().join(name)).unwrap();
    }
    let manifest = std::fs::read_to_string(Path::new(MODEL).join("model.toml")).unwrap();
    std::fs::write(folder.path().join("model.toml"), change(manifest)).unwrap();
    folder
}

#[test]
fn a_manifest_that_does_not_fit_its_files_is_refused_and_says_what_differs() {
    let swap = |from: &'static str, to: &'static str| {
        move |text: String| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        }
    };
    let cases: [(&str, &str, &[&str]); 10] = [
        (
            "sha256 = \"13e0",
            "sha256 = \"0000",
            &["expected sha256 0000", "found 13e0", "nanodet_g_416_int8.onnx"],
        ),
        ("file = \"nanodet_g_416_int8.onnx\"", "file = \"gone.onnx\"", &["gone.onnx"]),
        ("file = \"nanodet", "file = \"../nanodet", &["in the folder of the manifest"]),
        ("[input]", "[input]\ncolor = \"rgb\"", &["model.toml, line", "color"]),
        ("classes = 80", "classes = 81", &["80 labels", "81 classes"]),
        ("name = \"images\"", "name = \"input\"", &["expected the input `input`", "`images`"]),
        ("height = 416", "height = 384", &["[1, 3, 384, 416]", "[1, 3, 416, 416]"]),
        ("scores = \"scores\"", "scores = \"logits\"", &["expected the output `logits`", "`scores`"]),
        ("proposals = 3549", "proposals = 3598", &["[1, 3598, 4]", "[1, 3549, 4]"]),
        ("kind = \"boxes_scores\"", "kind = \"yolo\"", &["yolo", "boxes_scores"]),
    ];
    for (from, to, wanted) in cases {
        let folder = model_with(swap(from, to));
        let error = OnnxDetector::open(folder.path(), None, 1).map(|_| ()).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (Kind::Model, 2), "{error}");
        for part in wanted {
            assert!(error.to_string().contains(part), "`{error}` does not say `{part}`");
        }
    }
    assert!(OnnxDetector::open(model_with(|text| text).path(), None, 1).is_ok());
}

#[test]
fn a_runtime_library_that_is_not_there_is_an_error_that_names_make_setup() {
    let gone = Path::new("/no/such/libonnxruntime.so");
    let error = OnnxDetector::open(Path::new(MODEL), Some(gone), 1).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Model);
    assert!(error.to_string().contains("/no/such/libonnxruntime.so"), "{error}");
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    assert!(help.contains("make setup"), "{help}");
}
