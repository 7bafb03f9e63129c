//! The bundled clip through the real detector. The truth is from looking at the clip, frame by frame; it is
//! written down in tests/media/README.md.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::redaction::{FACES, model, nothing_is_left};
use crate::support::program::{CLIP, DEMO, gridpatrol_ok};

/// Folder of the evidence pictures of the clip.
const PICTURES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/clip-evidence");

/// The events of the clip; their pictures are in [`PICTURES`].
static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let _ = std::fs::remove_dir_all(PICTURES);
    let events = gridpatrol_ok(&[
        "replay",
        "--config",
        DEMO,
        "--camera",
        "cam-05",
        "--input",
        CLIP,
        "--evidence",
        PICTURES,
    ]);
    events.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
});

/// Seconds into the clip.
fn seconds(time: &Value) -> f64 {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_millisecond() as f64 / 1000.0
}

#[test]
fn the_two_standing_vehicles_and_the_one_crowd_are_the_only_cases() {
    let events = &*EVENTS;
    let of = |kind: &str, change: &str| -> Vec<&Value> {
        let change = format!("cn.patrol.case.{change}.v1");
        events.iter().filter(|e| e["data"]["kind"] == kind && e["type"] == change.as_str()).collect()
    };

    let parked = of("illegal_parking", "opened");
    assert_eq!(parked.len(), 2, "one case for the van and one for the car: {parked:#?}");
    assert!(of("illegal_parking", "cleared").is_empty(), "both are still there at the end");
    // Centres of the two vehicles as seen by eye: van 0.849..0.943, car 0.957..1.0.
    let mut centres: Vec<f64> = parked
        .iter()
        .map(|event| {
            let bbox = &event["data"]["objects"][0]["box"];
            (bbox[0].as_f64().unwrap() + bbox[2].as_f64().unwrap()) / 2.0
        })
        .collect();
    centres.sort_by(f64::total_cmp);
    assert!((centres[0] - 0.896).abs() < 0.02 && (centres[1] - 0.979).abs() < 0.02, "{centres:?}");
    for event in &parked {
        let at = seconds(&event["time"]);
        assert!((20.0..=23.0).contains(&at), "opened at {at} s, 20 s after the first look");
    }

    let crowds = of("crowd", "opened");
    assert_eq!(crowds.len(), 1, "{crowds:#?}");
    let at = seconds(&crowds[0]["time"]);
    assert!((25.5..=30.0).contains(&at), "five people are there from 1.7 s on; the crowd opened at {at} s");
    let cleared = of("crowd", "cleared");
    assert_eq!(cleared.len(), 1);
    let at = seconds(&cleared[0]["time"]);
    // By eye the fifth leaves at 37.4 s; he and the sixth stay at the very edge of the picture until 40 s.
    assert!((38.0..=45.0).contains(&at), "the crowd cleared at {at} s");
}

#[test]
fn every_event_has_its_pictures_and_they_are_the_ones_it_names() {
    use sha2::{Digest as _, Sha256};
    let mut pictures = 0;
    for event in &*EVENTS {
        let data = &event["data"];
        assert!(data["redaction"]["persons"].as_u64().unwrap() > 0, "people are in every look of the clip");
        for evidence in data["evidence"].as_array().unwrap() {
            let (id, role) = (data["case_id"].as_str().unwrap(), evidence["role"].as_str().unwrap());
            let jpeg = std::fs::read(Path::new(PICTURES).join(format!("{id}-{role}.jpg"))).unwrap();
            let hash: String = Sha256::digest(&jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(evidence["sha256"], hash.as_str());
            let picture = image::load_from_memory(&jpeg).unwrap();
            assert_eq!(evidence["width"], picture.width());
            assert_eq!(evidence["height"], picture.height());
            pictures += 1;
        }
    }
    assert_eq!(
        pictures, 9,
        "overview and close-up of three openings, the first views of the two that stand, and the view after the crowd \
         has gone"
    );
}

#[test]
fn what_stands_comes_with_the_view_in_which_it_was_first_seen_standing() {
    let opened = EVENTS.iter().filter(|event| event["type"] == "cn.patrol.case.opened.v1");
    for event in opened {
        let first = event["data"]["evidence"].as_array().unwrap().iter().find(|one| one["role"] == "first");
        let Some(first) = first else {
            assert_eq!(event["data"]["kind"], "crowd");
            continue;
        };
        let (at, since) = (seconds(&first["captured"]), seconds(&event["data"]["observed"]["first_seen"]));
        assert!(
            (2.0..=10.0).contains(&(at - since)),
            "it stood there, and not for half of its dwell: {at} {since}"
        );
    }
}

#[test]
fn no_face_is_left_in_the_pictures() {
    let found: u64 = EVENTS.iter().map(|event| event["data"]["redaction"]["faces"].as_u64().unwrap()).sum();
    assert!(found >= 10, "the face model found {found} faces to hide");
    let pictures = std::fs::read_dir(PICTURES).unwrap().map(|entry| entry.unwrap().path());
    let pictures: Vec<_> = pictures.map(|path| image::open(path).unwrap().to_rgb8()).collect();
    assert_eq!(pictures.len(), 9);
    nothing_is_left(model(FACES).as_mut(), &pictures);
}

#[test]
fn two_replays_give_the_same_events_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<Vec<u8>> = ["one.jsonl", "two.jsonl"]
        .iter()
        .map(|name| {
            let path = folder.path().join(name);
            let events = path.to_str().unwrap();
            gridpatrol_ok(&[
                "replay", "--config", DEMO, "--camera", "cam-05", "--input", CLIP, "--events", events,
            ]);
            std::fs::read(&path).unwrap()
        })
        .collect();
    assert!(!files[0].is_empty());
    assert!(files[0] == files[1]);
}
