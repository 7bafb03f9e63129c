//! Clips: what a player shows of them, what must never be seen in them, and when there is none.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gridpatrol::case::catalog::CATALOG;
use gridpatrol::case::{Case, CaseId, RuleIndex};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{Detector, ModelIdentity};
use gridpatrol::error::{Error, Kind};
use gridpatrol::evidence::clip::{Clip, MAX_CLIP_BYTES, MAX_SIZE, Order, Queue, Reel, Take, film};
use gridpatrol::evidence::{Eyes, Pictures, Role};
use gridpatrol::frame::Frame;
use gridpatrol::place::{GridBasis, GridId, Polygon};
use gridpatrol::plan::Plan;
use gridpatrol::source::{Mp4Source, Next, Source as _};
use sha2::{Digest as _, Sha256};

use crate::evidence::{finder, scripted};
use crate::redaction::{FACES, as_frame, crowd, distinct, eyes, model, sure};
use crate::support::mosquitto::Mosquitto;
use crate::support::program::{CLIP, KERB, Running, configuration, gridpatrol_ok};

const NANODET: &str = "models/nanodet-g-416";

fn at(seconds: f64) -> CaptureTime {
    CaptureTime::from_nanos(1_800_000_000_000_000_000).plus_seconds(seconds)
}

fn order(seconds: f64) -> Order {
    let case = Case {
        id: CaseId::parse("0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b").unwrap(),
        rule: RuleIndex(0),
        first_seen: at(seconds - 8.0),
        opened: at(seconds),
        last_seen: at(seconds),
        looks: 40,
        hits: 40,
        objects: Vec::new(),
        grid: GridId::parse("410102007003012", Default::default()).unwrap(),
        grid_basis: GridBasis::default(),
        position: None,
    };
    Order {
        case,
        at: at(seconds),
        camera: "cam-05".to_owned(),
        camera_name: "校园路口 Campus junction".to_owned(),
        kind: CATALOG.kind("illegal_parking").unwrap().clone(),
        zone: Polygon::new(vec![[0.83, 0.125], [1.0, 0.105], [1.0, 0.205], [0.83, 0.225]]).unwrap(),
        time_zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
        model: ModelIdentity { name: "nanodet-g-416".to_owned(), sha256: "1a2b3c4d".repeat(8) },
    }
}

/// The take of a case that opens at `opens` before a camera that shows `frames`.
fn take(frames: impl Iterator<Item = Frame>, opens: f64) -> Take {
    let queue = Arc::new(Queue::default());
    let reel = Reel::new(queue.clone());
    let mut ordered = false;
    for frame in frames {
        reel.show(&frame);
        if !ordered && frame.captured >= at(opens) {
            // As late as it is when the pictures of the case have been made.
            reel.film(order(opens));
            ordered = true;
        }
    }
    reel.end();
    queue.next().expect("a clip was ordered")
}

/// The frames of the bundled video from 0 to `until` seconds.
fn street(until: f64) -> impl Iterator<Item = Frame> {
    let mut source = Mp4Source::open(Path::new(CLIP), at(0.0)).unwrap();
    std::iter::from_fn(move || {
        let mut frame = Frame::default();
        (source.next(&mut frame).unwrap() == Next::Frame && frame.captured < at(until)).then_some(frame)
    })
}

/// The crowd, which moves by two pixels a picture.
fn moving_crowd(seconds: f64) -> impl Iterator<Item = Frame> {
    let whole = crowd();
    (0..(2.0 * seconds) as u32).map(move |n| {
        let (w, h) = (whole.width() - 64, whole.height() - 36);
        let part = image::imageops::crop_imm(&whole, (2 * n) % 60, n % 30, w, h).to_image();
        Frame { captured: at(f64::from(n) / 2.0), ..as_frame(&part) }
    })
}

fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn filmed(take: &Take) -> Clip {
    let mut detector = model(NANODET);
    film(take, &Pictures::through(eyes()), detector.as_mut(), || true).unwrap()
}

/// The pictures that a reader of the program sees in `clip`, without the caption.
fn shown(clip: &Clip) -> Vec<Frame> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    std::fs::write(&path, &clip.picture.bytes).unwrap();
    let mut source = Mp4Source::open(&path, at(0.0)).unwrap();
    let mut frames = Vec::new();
    let mut frame = Frame::default();
    while source.next(&mut frame).unwrap() == Next::Frame {
        frames.push(frame.clone());
    }
    frames
}

#[test]
fn a_clip_of_the_street_is_what_a_player_shows_and_no_face_is_left_in_it() {
    let began = cpu_s();
    let take = take(street(25.0), 12.0);
    let captured = cpu_s();
    let clip = filmed(&take);
    println!("captured in {:.1} s, filmed in {:.1} s of CPU", captured - began, cpu_s() - captured);
    let picture = &clip.picture;
    println!(
        "{} frames, {} bytes, {}x{}, {:?}",
        clip.frames,
        picture.bytes.len(),
        picture.width,
        picture.height,
        clip.redaction
    );
    if let Some(kept) = std::env::var_os("GRIDPATROL_KEEP_CLIP") {
        std::fs::write(kept, &picture.bytes).unwrap();
    }
    assert!((20..=22).contains(&clip.frames), "{}", clip.frames);
    assert!((9_500..=11_000).contains(&clip.duration_ms), "{}", clip.duration_ms);
    assert_eq!((picture.role, picture.width, picture.view_height), (Role::Clip, 720, Some(540)));
    assert!(picture.height > 540 && picture.height.is_multiple_of(2));
    assert!(picture.bytes.len() <= MAX_CLIP_BYTES);
    let first = picture.captured.unwrap().seconds_since(at(12.0));
    assert!((-7.0..-6.5).contains(&first), "it begins {first} s from the opening");
    let hash: String = Sha256::digest(&picture.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(picture.sha256, hash);
    assert!(clip.redaction.persons >= 2, "people walk there: {:?}", clip.redaction);
    let frames = shown(&clip);
    assert_eq!(frames.len() as u32, clip.frames);
    let mut faces = model(FACES);
    for (n, frame) in frames.iter().enumerate() {
        assert_eq!((frame.width as u32, frame.height as u32), (picture.width, picture.height));
        let left = sure(faces.as_mut(), frame);
        assert!(left.is_empty(), "picture {n} still shows {left:?}");
    }
    // A player that shares no code with this program.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    std::fs::write(&path, &picture.bytes).unwrap();
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "json", "-show_entries"])
        .arg("stream=codec_name,profile,width,height,nb_read_frames,pix_fmt,color_space:format=duration,nb_streams")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&probe.stderr);
    assert!(probe.status.success() && said.is_empty(), "{said}");
    let probe: serde_json::Value = serde_json::from_slice(&probe.stdout).unwrap();
    let (stream, format) = (&probe["streams"][0], &probe["format"]);
    assert_eq!((&stream["codec_name"], &stream["profile"]), (&"h264".into(), &"Constrained Baseline".into()));
    assert_eq!((&stream["width"], &stream["height"]), (&picture.width.into(), &picture.height.into()));
    assert_eq!(stream["nb_read_frames"], clip.frames.to_string());
    assert_eq!(format["nb_streams"], 1, "there is no sound");
    let duration: f64 = format["duration"].as_str().unwrap().parse().unwrap();
    assert!((duration - f64::from(clip.duration_ms) / 1000.0).abs() < 0.01, "{duration}");
}

#[test]
fn no_face_of_a_crowd_is_left_in_any_picture_though_the_detector_sees_no_person() {
    let take = take(moving_crowd(4.0), 2.0);
    let mut faces = model(FACES);
    let first = moving_crowd(4.0).next().unwrap();
    let before = distinct(&sure(faces.as_mut(), &first));
    assert!(before >= 10, "only {before} faces are to be seen before");
    let mut sees_nobody = scripted(|_, _| Ok(vec![]));
    let clip = film(&take, &Pictures::through(eyes()), &mut sees_nobody, || true).unwrap();
    assert!(clip.redaction.faces as usize >= before / 2, "{:?} of {before}", clip.redaction);
    assert!(clip.picture.width as usize <= MAX_SIZE.0);
    for (n, frame) in shown(&clip).iter().enumerate() {
        let left = sure(faces.as_mut(), frame);
        assert!(left.is_empty(), "picture {n} still shows {left:?}");
    }
}

#[test]
fn a_clip_whose_redaction_fails_is_none() {
    let take = take(moving_crowd(4.0), 2.0);
    // One look of many fails, late.
    let mut fails = scripted(|call, _| match call {
        30 => Err(Error::new(Kind::Model, "the session is gone")),
        _ => Ok(vec![]),
    });
    let why = film(&take, &Pictures::through(eyes()), &mut fails, || true).unwrap_err().to_string();
    assert!(why.contains("the session is gone"), "{why}");
    let mut sees = scripted(|_, _| Ok(vec![]));
    let off = film(&take, &Pictures::Off, &mut sees, || true).unwrap_err().to_string();
    assert!(off.contains("pictures are off"), "{off}");
    let stopped = film(&take, &Pictures::through(eyes()), &mut sees, || false).unwrap_err().to_string();
    assert!(stopped.contains("stopping"), "{stopped}");
}

#[test]
fn a_camera_that_gave_nothing_gives_no_clip() {
    let take = take(street(3.0).filter(|frame| frame.captured < at(1.0)).chain(late()), 30.0);
    let mut sees = scripted(|_, _| Ok(vec![]));
    let why = film(&take, &Pictures::through(eyes()), &mut sees, || true).unwrap_err().to_string();
    assert!(why.contains("no picture in the seconds around the opening"), "{why}");
}

#[test]
fn pictures_of_other_cases_do_not_wait_for_a_clip() {
    let take = take(moving_crowd(9.0), 5.0);
    // Each look for faces takes a while; a picture of the clip takes several.
    let slow = |label| {
        Box::new(finder(label, |_, _| {
            std::thread::sleep(Duration::from_millis(5));
            Ok(vec![])
        }))
    };
    let pictures = Pictures::through(Eyes::new((slow("face"), 0.2), (slow("plate"), 0.2)).unwrap());
    let frame = moving_crowd(1.0).next().unwrap();
    let alone = {
        let began = Instant::now();
        pictures.shot(&frame, [], scripted(|_, _| Ok(vec![])).vocabulary(), &mut scripted(|_, _| Ok(vec![])));
        began.elapsed()
    };
    std::thread::scope(|scope| {
        let filming = scope.spawn(|| {
            let mut sees = scripted(|_, _| Ok(vec![]));
            film(&take, &pictures, &mut sees, || true).unwrap()
        });
        let mut longest = Duration::ZERO;
        for _ in 0..4 {
            std::thread::sleep(alone / 2);
            let began = Instant::now();
            let mut sees = scripted(|_, _| Ok(vec![]));
            let vocabulary = sees.vocabulary().clone();
            pictures.shot(&frame, [], &vocabulary, &mut sees);
            longest = longest.max(began.elapsed());
            assert!(!filming.is_finished(), "the clip is still in the making");
        }
        assert!(longest < 4 * alone, "a picture took {longest:?}, alone {alone:?}");
        assert!(filming.join().unwrap().frames >= 16);
    });
}

/// A frame long after the opening.
fn late() -> impl Iterator<Item = Frame> {
    street(1.0).take(1).map(|frame| Frame { captured: at(60.0), ..frame })
}

#[test]
fn a_detector_that_knows_no_persons_gives_no_clip() {
    let take = take(moving_crowd(3.0), 1.5);
    let mut faces = model(FACES);
    let detector: &mut dyn Detector = faces.as_mut();
    let why = film(&take, &Pictures::through(eyes()), detector, || true).unwrap_err().to_string();
    assert!(why.contains("cannot find persons to hide"), "{why}");
}

// --- A box ------------------------------------------------------------------------------------------------------

fn planned(top: &str, camera: &str) -> gridpatrol::error::Result<Plan> {
    let text = configuration(top, &format!("{camera}\n{KERB}"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("edge.toml");
    Plan::new(&ConfigFile::parse(&here, text)?)
}

#[test]
fn clips_are_off_unless_they_are_asked_for() {
    let has = |top: &str, camera: &str| planned(top, camera).unwrap().cameras[0].clip;
    assert!(!has("", ""));
    assert!(has("evidence.clip = true", ""));
    assert!(!has("evidence.clip = true", "clip = false"));
    assert!(has("", "clip = true"));
    let why = planned("evidence.clip = true\nprivacy.pictures = false", "").unwrap_err().to_string();
    assert!(why.contains("evidence.clip") && why.contains("privacy.pictures is false"), "{why}");
    assert!(!has("evidence.clip = false\nprivacy.pictures = false", ""));
}

#[test]
fn a_running_box_tells_of_its_clips_and_sends_them_on_a_real_broker() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let storage = folder.path().join("box");
    let top = format!(
        "evidence.clip = true\nmqtt.url = \"mqtt://127.0.0.1:{}\"\nstorage.dir = {storage:?}",
        broker.port()
    );
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, configuration(&top, &KERB.replace("dwell_s = 2", "dwell_s = 10"))).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&gridpatrol_ok(&["schema", "clip"])).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let events = broker.subscribe("patrol/v1/410102007/box-1/case/+/+");
    let notes = broker.subscribe("patrol/v1/410102007/box-1/case/+/+/clip/+");
    let files = broker.subscribe("patrol/v1/410102007/box-1/case/+/+/evidence/+/clip");
    let mut box1 = Running::start(&["run", "--config", config.to_str().unwrap()]);
    for _ in 0..2 {
        let opened = events.next().json();
        assert_eq!(opened["type"], "cn.patrol.case.opened.v1");
        // A clip takes many CPU seconds at low priority, and the machine may have other things to do.
        let note = notes.next_within(Duration::from_secs(1200));
        let told = note.json();
        schema.validate(&told).unwrap();
        assert_eq!(told["event"], opened["id"], "{told:#}");
        assert_eq!(told["case_id"], opened["data"]["case_id"]);
        let case = told["case_id"].as_str().unwrap();
        let file = files.next();
        assert_eq!(told["clip"]["uri"], format!("mqtt:{}", file.topic));
        assert_eq!(file.content_type, "video/mp4");
        let hash: String = Sha256::digest(&file.payload).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(told["clip"]["sha256"], hash);
        assert_eq!(told["clip"]["bytes"], file.payload.len());
        assert!((17..=22).contains(&told["frames"].as_u64().unwrap()), "{told:#}");
        let seconds = told["duration_ms"].as_u64().unwrap() as f64 / 1000.0;
        assert!((9.0..=11.0).contains(&seconds), "{seconds} s");
        // It lies on the box as its pictures do.
        let kept = std::fs::read(storage.join("evidence").join(format!("{case}-clip.mp4"))).unwrap();
        assert_eq!(kept, file.payload);
    }
    assert_eq!(box1.terminate(), Some(0));
    assert!(events.rest().is_empty(), "a clip is no event of its case");
}
