//! What a configuration must keep from being seen, and what it may not ask for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gridpatrol::case::CaseId;
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::daemon::expire;
use gridpatrol::detect::{BBox, Detection};
use gridpatrol::evidence::{Picture, Role, Shot, Store, file_name};
use gridpatrol::frame::Frame;
use gridpatrol::outbox::{Matter, Message, Outbox};
use gridpatrol::plan::{Input, Plan};
use gridpatrol::source::{self, Next};
use jiff::Timestamp;

use crate::evidence::{blind, decoded, pictures};
use crate::redaction::model;
use crate::support::program::gridpatrol_ok;

/// The two who stand in front of `people.jpg`, left, top, right, bottom in pixels of 768x576.
const FRONT: [f32; 4] = [600.0, 240.0, 768.0, 400.0];

/// A configuration of one camera that watches `folder`, with `more` in its table.
fn config(folder: &Path, more: &str) -> String {
    format!(
        "edge = {{ street = \"1\", box = \"b\" }}\n[[camera]]\nid = \"cam\"\nsource = \"{}\"\n{more}\n\
         zone = [{{ id = \"z\", kind = \"gathering\", grid = \"g\", polygon = [[0, 0], [1, 0], [1, 1], [0, 1]] }}]\n",
        folder.display()
    )
}

fn plan(text: &str) -> gridpatrol::error::Result<Plan> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("edge.toml");
    Plan::new(&ConfigFile::parse(&here, text.to_owned())?)
}

/// A folder with the picture of people.
fn people() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy("tests/data/people.jpg", folder.path().join("1.jpg")).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

/// The first frame of the camera, as everything after its source sees it.
fn first_frame(plan: &Plan) -> Frame {
    let mut frame = Frame::default();
    let mut source = source::recorded(&plan.cameras[0], CaptureTime::default(), 1.0).unwrap();
    assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
    frame
}

#[test]
fn what_is_under_a_mask_is_not_detected_and_flat_in_every_picture() {
    let (_folder, path) = people();
    let mut detector = model("models/nanodet-g-416");
    let mut looked = |more: &str| {
        let plan = plan(&config(&path, more)).unwrap();
        assert!(matches!(plan.cameras[0].input, Input::Pictures(_)));
        let frame = first_frame(&plan);
        let mut found: Vec<Detection> = Vec::new();
        detector.detect(&frame, 0.4, &mut found).unwrap();
        let size = (frame.width as f32, frame.height as f32);
        let front = BBox {
            x1: FRONT[0] / size.0,
            y1: FRONT[1] / size.1,
            x2: FRONT[2] / size.0,
            y2: FRONT[3] / size.1,
        };
        let inside = found.iter().filter(|seen| seen.bbox.covered_by(&front) > 0.8).count();
        let vocabulary = detector.vocabulary().clone();
        let shot = Shot::take(&frame, [found.as_slice()], &vocabulary, &mut *detector, &mut blind());
        let (taken, _) = pictures(shot.plain());
        (inside, found.len() - inside, decoded(&taken[0]))
    };
    let (seen, _, open) = looked("");
    assert!(seen >= 2, "two people stand there");
    let (width, height) = (open.width() as f32, open.height() as f32);
    let [x1, y1, x2, y2] = [FRONT[0] / width, FRONT[1] / height, FRONT[2] / width, FRONT[3] / height];
    let mask = format!("mask = [[[{x1}, {y1}], [{x2}, {y1}], [{x2}, {y2}], [{x1}, {y2}]]]");
    let (hidden, others, masked) = looked(&mask);
    assert_eq!(hidden, 0, "nobody is found under the mask");
    assert!(others > 0, "those beside it still are");
    // A block of JPEG with its colours is 16 pixels wide: those at the edge show what is beside it.
    let range = |picture: &image::RgbImage| {
        let values = (FRONT[1] as u32 + 18..FRONT[3] as u32 - 18)
            .flat_map(|y| (FRONT[0] as u32 + 18..FRONT[2] as u32 - 18).map(move |x| (x, y)))
            .flat_map(|(x, y)| picture.get_pixel(x, y).0);
        let (low, high) = values.fold((255, 0), |(low, high), v| (v.min(low), v.max(high)));
        high - low
    };
    assert!(range(&open) > 100);
    assert!(range(&masked) <= 3, "the picture shows something under the mask: {}", range(&masked));
}

#[test]
fn a_zone_in_a_place_that_no_camera_may_see_is_refused_with_the_law() {
    let (_folder, path) = people();
    let text = config(&path, "").replace("\"gathering\"", "\"changing_room\"");
    let error = plan(&text).unwrap_err();
    let said = error.to_string();
    for part in
        ["line 6, camera.zone.kind", "changing_room", "更衣室", "禁止安装", "国务院令第799号", "no camera"]
    {
        assert!(said.contains(part), "{said}");
    }
    // Not even where a site's own catalogue knows the kind.
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("site.toml");
    std::fs::write(&catalog, "[[kind]]\nslug = \"crowd\"\nzones = [\"gathering\", \"hotel_room\"]\n")
        .unwrap();
    let own = format!("edge = {{ catalog = \"{}\",", catalog.display());
    let known = config(&path, "").replacen("edge = {", &own, 1);
    plan(&known).unwrap();
    let error = plan(&known.replace("\"gathering\", grid", "\"hotel_room\", grid")).unwrap_err().to_string();
    assert!(error.contains("旅馆客房"), "{error}");
}

#[test]
fn check_warns_of_a_camera_of_which_nobody_says_that_a_sign_stands() {
    let (_folder, path) = people();
    let here = tempfile::tempdir().unwrap();
    let check = |text: String| {
        let file = here.path().join("edge.toml");
        let root = env!("CARGO_MANIFEST_DIR");
        let models = format!(
            "{text}[model]\npath = \"{root}/models/nanodet-g-416\"\n[privacy]\nfaces = \"{root}/models/faces-centerface\"\n\
             plates = \"{root}/models/plates-retinaface\"\n"
        );
        std::fs::write(&file, models).unwrap();
        gridpatrol_ok(&["check", "--config", file.to_str().unwrap()])
    };
    let said = check(config(&path, ""));
    assert!(said.contains("显著的提示标识") && said.contains("article 26"), "{said}");
    let said = check(config(&path, "sign_posted = true"));
    assert!(!said.contains("提示标识"), "{said}");
    // Said of the whole box, and taken back for one camera.
    let whole = |more: &str| {
        let text = config(&path, more) + "[privacy]\nsign_posted = true\n";
        plan(&text).unwrap().unsigned()
    };
    assert_eq!(whole(""), None);
    assert!(whole("sign_posted = false").unwrap().contains("cam"));
}

#[test]
fn e4_expired_pictures_leave_the_folder_the_list_and_the_queue() {
    const DAY_S: f64 = 86_400.0;
    let here = tempfile::tempdir().unwrap();
    let (outbox, store) = (Outbox::open(here.path()).unwrap(), Store::open(here.path()).unwrap());
    let now = SystemTime::now();
    let at = |days: f64| {
        CaptureTime::from_timestamp(Timestamp::try_from(now).unwrap()).plus_seconds(-days * DAY_S)
    };
    let case = |n: u32| CaseId::parse(&format!("01934f6e-5c1a-8b3e-9a54-{n:012x}")).unwrap();
    // Case 1 is 31 days old, 2 was rejected 8 days ago, 3 is as old and stands, 4 was rejected and then confirmed.
    for (n, days) in [(1, 31.0), (2, 8.0), (3, 8.0), (4, 8.0)] {
        let message = |matter, payload: &[u8]| Message {
            case: case(n),
            matter,
            recorded: at(days),
            topic: format!("patrol/v1/1/b/case/g/k/{n}"),
            payload: payload.to_vec(),
            content_type: "x/y".to_owned(),
            expiry_s: 60,
            properties: Vec::new(),
            notes: Vec::new(),
        };
        let both = vec![message(Matter::Opened, b"{}"), message(Matter::Picture(Role::Overview), b"jpeg")];
        outbox.accept("cam", None, |_| Ok(both)).unwrap();
        let picture = Picture {
            role: Role::Overview,
            bytes: b"jpeg".to_vec(),
            sha256: String::new(),
            width: 1,
            height: 1,
            view_height: None,
            captured: None,
            url: None,
            part: None,
        };
        let file = store.folder().join(store.write(&case(n), &picture).unwrap());
        let written = now - Duration::from_secs_f64(days * DAY_S);
        File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    }
    outbox.reviewed(&case(2), true, at(0.0)).unwrap();
    outbox.reviewed(&case(4), true, at(0.0)).unwrap();
    outbox.reviewed(&case(4), false, at(0.0)).unwrap();
    let swept = expire(&store, &outbox, None, now).unwrap();
    assert_eq!((swept.expired, swept.undeleted), (2, 0));
    for (n, is_kept) in [(1, false), (2, false), (3, true), (4, true)] {
        let file = file_name(&case(n), Role::Overview);
        assert_eq!(store.folder().join(&file).exists(), is_kept, "file of {n}");
        assert_eq!(outbox.lists_picture(&file).unwrap(), is_kept, "row of {n}");
    }
    let backlog = outbox.backlog().unwrap();
    assert_eq!(
        (backlog.events, backlog.pictures),
        (4, 2),
        "events stay, and pictures whose time is not over"
    );
    assert_eq!(store.swept().expired, 2, "it is counted");
}
