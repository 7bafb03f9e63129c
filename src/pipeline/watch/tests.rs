use std::path::Path;

use super::*;
use crate::case::Change;
use crate::clock::CaptureTime;
use crate::config::ConfigFile;
use crate::detect::{BBox, Detection, Detector, Label, ModelIdentity, Vocabulary};
use crate::evidence::Pictures;
use crate::pipeline::Chain;
use crate::plan::{Input, Plan};
use crate::source::{self, Next};
use crate::thumbnail::street::{Street, Thing, View as Seen};

/// Looks a second.
const RATE: f64 = 5.0;
const CAR: Thing = Thing { place: [0.45, 0.6, 0.14, 0.14], tone: 60.0 };

/// Sees a car, or nothing, as it is told.
struct Scripted {
    car: bool,
    looks: u32,
    vocabulary: Vocabulary,
    identity: ModelIdentity,
}

impl Detector for Scripted {
    fn detect(&mut self, _: &Frame, _: f32, out: &mut Vec<Detection>) -> Result<()> {
        self.looks += 1;
        out.clear();
        let [x, y, w, h] = CAR.place;
        let bbox = BBox { x1: x, y1: y, x2: x + w, y2: y + h };
        out.extend(self.car.then_some(Detection { label: Label(0), score: 0.9, bbox }));
        Ok(())
    }

    fn detect_region(&mut self, frame: &Frame, _: BBox, least: f32, out: &mut Vec<Detection>) -> Result<()> {
        self.detect(frame, least, out)
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn input_size(&self) -> (usize, usize) {
        (416, 416)
    }
}

/// A camera on a street with a zone in which nothing may stand for ten seconds.
struct Stage {
    street: Street,
    chain: Chain,
    detector: Scripted,
    seconds: f64,
    /// Seconds at which cases changed.
    changes: Vec<(f64, Change)>,
}

fn plan(settings: &str) -> Plan {
    let text = format!(
        "edge = {{ street = \"1\", box = \"b\" }}\nprivacy.pictures = false\n[[camera]]\nid = \"gate\"\n\
         source = \"rtsp://127.0.0.1/gate\"\n{settings}\n[[camera.zone]]\nid = \"z\"\nkind = \"no_parking\"\n\
         grid = \"1\"\nrule.illegal_parking = {{ dwell_s = 10, clear_s = 3 }}\n\
         polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 1.0], [0.0, 1.0]]\n[model]\npath = {:?}\n",
        Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nanodet-g-416")
    );
    Plan::new(&ConfigFile::parse(Path::new("edge.toml"), text).unwrap()).unwrap()
}

impl Stage {
    fn new(settings: &str) -> Self {
        let plan = plan(settings);
        let vocabulary = Vocabulary::new(vec!["car".to_owned()]);
        let identity = ModelIdentity { name: "scripted".to_owned(), sha256: String::new() };
        Self {
            street: Street::new(11),
            chain: Chain::new(&plan, &plan.cameras[0], vocabulary.clone(), Pictures::Off),
            detector: Scripted { car: false, looks: 0, vocabulary, identity },
            seconds: 0.0,
            changes: Vec::new(),
        }
    }

    /// Shows `view` for `seconds`, while the detector finds a `car` or nothing.
    fn show(&mut self, seconds: f64, car: bool, view: &Seen) -> &mut Self {
        self.detector.car = car;
        let until = self.seconds + seconds - 1e-9;
        let mut reports = Vec::new();
        while self.seconds < until {
            let frame = self.street.picture(view, self.seconds);
            self.chain.frame(&frame, &mut self.detector, &mut reports).unwrap();
            self.changes.extend(reports.drain(..).map(|report| (self.seconds, report.happening.change)));
            self.seconds += 1.0 / RATE;
        }
        self
    }

    fn kinds(&self) -> Vec<Change> {
        self.changes.iter().map(|(_, change)| *change).collect()
    }
}

fn faulty() -> [(&'static str, Seen); 4] {
    let day = Seen::default();
    [
        ("dark", Seen { light: 0.02, ..day.clone() }),
        ("blurred", Seen { blur: 10.0, ..day.clone() }),
        ("moved", Seen { turned: (40, 10), ..day.clone() }),
        ("elsewhere", Seen { turned: (151, 97), ..day }),
    ]
}

#[test]
fn no_case_clears_on_a_view_that_cannot_be_judged() {
    for (what, view) in faulty() {
        let mut stage = Stage::new("");
        let parked = Seen { things: vec![CAR], ..Seen::default() };
        stage.show(15.0, true, &parked);
        assert_eq!(stage.kinds(), [Change::Opened], "{what}");
        let looks = stage.detector.looks;
        // The clear time is over long before the fault is declared, and again before it is over.
        stage.show(30.0, false, &view);
        assert_eq!(stage.detector.looks, looks, "{what}: nothing is to be found in such pictures");
        stage.show(10.0, true, &parked);
        assert_eq!(stage.kinds(), [Change::Opened], "{what}: the car is still there");
        stage.show(15.0, false, &Seen::default());
        assert_eq!(stage.kinds(), [Change::Opened, Change::Cleared], "{what}: it has left");
    }
}

#[test]
fn no_case_opens_on_a_view_that_cannot_be_judged() {
    for (what, view) in faulty() {
        let mut stage = Stage::new("");
        let parked = Seen { things: vec![CAR], ..Seen::default() };
        // What the detector makes of such a picture is nothing to go by, though it be a car.
        stage.show(6.0, true, &parked).show(30.0, true, &view).show(10.0, false, &Seen::default());
        assert_eq!(stage.kinds(), [], "{what}");
        assert!(stage.chain.sights().unusable() >= 150, "{what}");
    }
}

#[test]
fn a_look_that_is_saved_is_not_an_empty_look() {
    let opened_at = |settings: &str| {
        let mut stage = Stage::new(settings);
        stage.show(60.0, false, &Seen::default());
        let idle = stage.detector.looks;
        stage.show(30.0, true, &Seen { things: vec![CAR], ..Seen::default() });
        stage.show(30.0, false, &Seen::default());
        (idle, stage.changes, stage.chain.sights().saved())
    };
    let (all, with_all, none_saved) = opened_at("gate.enabled = false");
    let (idle, with_gate, saved) = opened_at("");
    assert_eq!(with_gate, with_all, "cases open and clear at the same times");
    assert_eq!(
        with_gate.iter().map(|(_, change)| *change).collect::<Vec<_>>(),
        [Change::Opened, Change::Cleared]
    );
    assert_eq!((all, none_saved), (300, 0));
    // Of the first minute, what is usual is learnt in a few seconds.
    assert!(idle <= 35, "{idle} looks in a minute in which nothing happens");
    assert!(saved > 250, "{saved}");
}

#[test]
fn somebody_who_asks_for_a_picture_gets_one_although_nothing_happens() {
    let mut stage = Stage::new("");
    stage.show(30.3, false, &Seen::default());
    let looks = stage.chain.looks();
    let _waiting = stage.chain.snapshots.ask("gate");
    stage.show(0.2, false, &Seen::default());
    assert_eq!(stage.chain.looks(), looks + 1);
}

#[test]
fn parts_of_a_recording_are_watched_as_the_whole() {
    let parked = Seen { things: vec![CAR], ..Seen::default() };
    let mut whole = Stage::new("");
    whole.show(20.0, false, &Seen::default()).show(15.0, true, &parked);
    let mut first = Stage::new("");
    first.show(20.0, false, &Seen::default());
    let mut second = Stage::new("");
    second.chain.restore(&first.chain.judge.save().unwrap()).unwrap();
    second.chain.restore_watch(&first.chain.save_watch().unwrap()).unwrap();
    (second.street, second.seconds) = (first.street, first.seconds);
    second.show(15.0, true, &parked);
    assert_eq!(second.changes, whole.changes);
    assert_eq!(first.detector.looks + second.detector.looks, whole.detector.looks);
}

#[test]
fn the_clip_of_a_real_road_has_no_fault_and_all_its_walkers_are_noticed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/vtest.mp4");
    let mut source = source::open(&Input::Video(path), CaptureTime::default(), 1.0).unwrap();
    let mut watch = Watch::new(&plan("").cameras[0]);
    let mut frame = Frame::default();
    let (mut frames, mut active) = (0, 0);
    while source.next(&mut frame).unwrap() == Next::Frame {
        // The core follows people all the time.
        let sight = watch.see(&frame, false);
        assert_eq!(sight, Sight::Look, "at {:?}", frame.captured);
        frames += 1;
        active += u32::from(watch.gate.activity().any(|active| active));
    }
    assert!(frames >= 790, "{frames}");
    assert!(active * 20 >= frames * 19, "people walk in {active} of {frames} frames");
}
