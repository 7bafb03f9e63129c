//! What is told and what is held back, from the command line and on a real broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gridpatrol::case::throttle::Throttle;
use gridpatrol::clock::SystemClock;
use gridpatrol::config::ConfigFile;
use gridpatrol::daemon::{Daemon, Detectors, Options};
use gridpatrol::detect::{BBox, Detection, Detector, Label, ModelIdentity, Vocabulary};
use gridpatrol::frame::Frame;
use gridpatrol::mqtt::Tuning;
use gridpatrol::pipeline::Pace;
use gridpatrol::plan::Plan;
use gridpatrol::shutdown::Shutdown;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::play::{plan, play};
use crate::scene::{Noise, street};
use crate::support::mosquitto::Mosquitto;
use crate::support::program::{KERB, Running, configuration, gridpatrol, gridpatrol_ok};

/// A square where three people are a crowd after 2 s, and a kerb where a car is a case after 2 s.
const ZONES: &str = r#"
[[camera.zone]]
id = "square"
kind = "gathering"
grid = "410102007003011"
polygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]
rule.crowd = { count = 3, dwell_s = 2, clear_s = 2, cool_down_s = 60 }
[[camera.zone]]
id = "kerb"
kind = "no_parking"
grid = "410102007003012"
polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.4], [0.0, 0.4]]
rule.illegal_parking = { dwell_s = 2, clear_s = 2 }
"#;

struct Site {
    folder: TempDir,
}

impl Site {
    fn new(top: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("edge.toml"), configuration(top, ZONES)).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn replay(&self, looks: &Path, more: &[&str]) -> String {
        let config = self.path("edge.toml");
        let mut args = vec!["replay", "--camera", "cam-05", "--config", config.to_str().unwrap()];
        args.extend(["--input", looks.to_str().unwrap()]);
        args.extend(more);
        gridpatrol_ok(&args)
    }
}

fn person(n: u32) -> Value {
    let x = 0.1 + 0.2 * f64::from(n);
    json!({"label": "person", "score": 0.8, "box": [x, 0.7, x + 0.05, 0.9]})
}

fn car() -> Value {
    json!({"label": "car", "score": 0.8, "box": [0.4, 0.1, 0.55, 0.25]})
}

/// Writes five looks a second from second `from` to `to`; `seen` says what there is at a second.
fn film(path: &Path, from: u32, to: u32, seen: impl Fn(f64) -> Vec<Value>) {
    let look = |n: u32| {
        let t = f64::from(n) / 5.0;
        json!({"t": t, "detections": seen(t)}).to_string()
    };
    let looks: Vec<String> = (from * 5..to * 5).map(look).collect();
    std::fs::write(path, looks.join("\n")).unwrap();
}

/// A crowd of four comes and goes every 20 s for `until` seconds, then stays.
fn flicker(until: f64) -> impl Fn(f64) -> Vec<Value> {
    move |t| if t >= until || t % 20.0 < 8.0 { (0..4).map(person).collect() } else { Vec::new() }
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Type and seconds of each event.
fn story(events: &[Value]) -> Vec<(&str, f64)> {
    let second = |event: &Value| {
        let time: jiff::Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        time.as_nanosecond() as f64 / 1e9
    };
    events.iter().map(|event| (event["type"].as_str().unwrap(), second(event).round())).collect()
}

fn validator(subject: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&gridpatrol_ok(&["schema", subject])).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn t1_a_crowd_that_flickers_is_told_once_a_cool_down_and_what_was_held_back_is_counted() {
    let site = Site::new("");
    let looks = site.path("looks.jsonl");
    film(&looks, 0, 120, flicker(60.0));
    let events = events(&site.replay(&looks, &[]));
    let schema = validator("event");
    events.iter().for_each(|event| schema.validate(event).unwrap());
    let (opened, cleared) = ("cn.patrol.case.opened.v1", "cn.patrol.case.cleared.v1");
    let told = story(&events);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!((told[0].0, told[1].0, told[2].0), (opened, cleared, opened));
    // Cleared at 10 s or so; the crowd that stays is there from 60 s on and told when 60 s have gone by.
    assert!((70.0..73.0).contains(&told[2].1), "{told:?}");
    let last = &events[2]["data"];
    assert!(last["observed"]["first_seen"].as_str().unwrap().ends_with("08:01:00.000+08:00"), "{last:#}");
    assert!(last["throttle"]["waited_s"].as_f64().unwrap() > 5.0, "{last:#}");
    assert_eq!(last["throttle"]["held_back"], 2, "{last:#}");
    assert_eq!(last["throttle"]["groups"][0]["cool_down"], 2);
    assert_eq!(last["throttle"]["groups"][0]["cases"].as_array().unwrap().len(), 2);
    assert_eq!(last["recurrence"]["count_7d"], 4);
    assert_eq!(last["recurrence"]["previous_case"], events[0]["data"]["case_id"]);
    assert!(events[0]["data"].get("throttle").is_none(), "the first has nothing to say of it");
}

#[test]
fn i7_two_replays_over_two_halves_hold_back_the_same_as_one_over_the_whole() {
    let site = Site::new("limits = { cases_per_hour = 2, update_s = 60 }");
    let (whole, half) = (site.path("whole.jsonl"), site.path("half.jsonl"));
    film(&whole, 0, 200, flicker(150.0));
    let expected = site.replay(&whole, &[]);
    assert!(expected.contains("\"held_back\":"), "{expected}");
    for cut in [9, 31, 65, 71, 130] {
        let state = site.path(&format!("state-{cut}"));
        let state = ["--state", state.to_str().unwrap()];
        film(&half, 0, cut, flicker(150.0));
        let first = site.replay(&half, &state);
        film(&half, cut, 200, flicker(150.0));
        assert_eq!(first + &site.replay(&half, &state), expected, "cut at {cut} s");
    }
}

#[test]
fn t3_a_rejected_verdict_in_a_replay_quiets_the_place_until_it_is_resumed() {
    let site = Site::new("");
    let looks = site.path("looks.jsonl");
    // A car stands for 10 s in every 30 s, and from 90 s on for good.
    film(&looks, 0, 140, |t| if t >= 90.0 || t % 30.0 < 10.0 { vec![car()] } else { Vec::new() });
    let plain = events(&site.replay(&looks, &[]));
    assert_eq!(plain.iter().filter(|event| event["type"] == "cn.patrol.case.opened.v1").count(), 4);
    let case = plain[0]["data"]["case_id"].as_str().unwrap();
    let verdicts = site.path("verdicts.jsonl");
    let rejected = json!({"t": 20, "case": case, "verdict": "rejected", "reason": "a signpost"});
    let resumed = json!({"t": 120, "case": case, "resume": true});
    std::fs::write(&verdicts, format!("{rejected}\n{resumed}\n")).unwrap();
    let reviewed = events(&site.replay(&looks, &["--verdicts", verdicts.to_str().unwrap()]));
    let told = story(&reviewed);
    assert_eq!(told.len(), 3, "opened, cleared, and the one that outlasts the quiet: {told:?}");
    assert_eq!(told[2], ("cn.patrol.case.opened.v1", 120.0));
    let last = &reviewed[2]["data"];
    assert_eq!(last["throttle"]["groups"][0]["quiet"], 2, "{last:#}");
    assert!(last["observed"]["confirmed_at"].as_str().unwrap().contains("08:01:32"), "{last:#}");
    // A reviewer who confirms changes nothing.
    std::fs::write(&verdicts, json!({"t": 20, "case": case, "verdict": "confirmed"}).to_string()).unwrap();
    assert_eq!(events(&site.replay(&looks, &["--verdicts", verdicts.to_str().unwrap()])), plain);
}

#[test]
fn a_line_that_is_no_verdict_is_named_with_its_number() {
    let site = Site::new("");
    let (looks, verdicts) = (site.path("looks.jsonl"), site.path("verdicts.jsonl"));
    film(&looks, 0, 2, |_| Vec::new());
    let good = r#"{"t": 5, "case": "01934f6e-5c1a-8b3e-9a54-000000000001", "verdict": "unclear"}"#;
    for (bad, expected) in [
        (good.replace("unclear", "wrong"), "unknown variant `wrong`"),
        (good.replace("01934f6e", "x"), "is not the id of a case"),
        (good.replace("\"verdict\": \"unclear\"", "\"resume\": false"), "either a verdict or"),
        (good.replace("\"t\": 5", "\"t\": 4"), "earlier than the line before"),
        (good.replace("}", ", \"by\": \"me\"}"), "unknown field `by`"),
    ] {
        std::fs::write(&verdicts, format!("{good}\n{bad}\n")).unwrap();
        let config = site.path("edge.toml");
        let output = gridpatrol(&[
            "replay",
            "--camera",
            "cam-05",
            "--config",
            config.to_str().unwrap(),
            "--input",
            looks.to_str().unwrap(),
            "--verdicts",
            verdicts.to_str().unwrap(),
        ]);
        let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("line 2") && said.contains(expected), "expected {expected:?} in: {said}");
    }
}

#[test]
fn limits_that_make_no_sense_are_refused_by_name() {
    for (limits, expected) in [
        ("cases_per_hour = 0", "limits.cases_per_hour: 0: expected 1 to 1000"),
        ("update_s = 5", "limits.update_s: 5: expected 60 to 604800"),
        ("quiet_s = 7200\nlongest_quiet_s = 3600", "limits.quiet_s: a first quiet time of 7200 s"),
        ("same_violation_m = -1", "limits.same_violation_m: -1: expected 0 to 50"),
        ("rate = 3", "unknown field `rate`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("edge.toml");
        std::fs::write(&config, configuration(&format!("[limits]\n{limits}"), KERB)).unwrap();
        let output = gridpatrol(&["check", "--config", config.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "expected {expected:?} in: {said}");
    }
    let bad = KERB.replace("dwell_s = 2", "cool_down_s = 700000");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, configuration("", &bad)).unwrap();
    let output = gridpatrol(&["check", "--config", config.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cool_down_s"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn i5_no_car_on_the_street_is_told_late_for_the_sake_of_another() {
    let plan = plan();
    let mut told = 0;
    for seed in 0..6 {
        let scene = street(seed, &Noise::NOISY, 0.2);
        let happenings = play(&plan, &scene);
        let mut throttle = Throttle::new(plan.limits);
        for happening in &happenings {
            let one = std::slice::from_ref(happening);
            // The cars of a street come and go, and swap places within 20 s.
            let out = throttle.look(&plan.cameras[0], happening.at, one, &Vocabulary::default());
            assert_eq!(out.len(), 1, "{} {happening:?}", scene.name);
            assert_eq!(out[0].happening, *happening);
            told += 1;
        }
    }
    assert!(told > 30, "{told}");
}

/// Sees a car where the picture is bright.
struct Bright {
    vocabulary: Vocabulary,
    identity: ModelIdentity,
}

impl Detector for Bright {
    fn detect(&mut self, frame: &Frame, _: f32, out: &mut Vec<Detection>) -> gridpatrol::error::Result<()> {
        out.clear();
        let bbox = BBox { x1: 0.4, y1: 0.5, x2: 0.6, y2: 0.7 };
        out.extend((frame.y[0] > 100).then_some(Detection { label: Label(0), score: 0.9, bbox }));
        Ok(())
    }

    fn detect_region(
        &mut self,
        _: &Frame,
        _: BBox,
        _: f32,
        _: &mut Vec<Detection>,
    ) -> gridpatrol::error::Result<()> {
        Ok(())
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn input_size(&self) -> (usize, usize) {
        (64, 64)
    }
}

/// A folder with a picture for each of 45 seconds, bright until second `until`.
fn pictures(folder: &Path, until: u8) {
    std::fs::create_dir(folder).unwrap();
    for n in 0..45 {
        let luma = if n < until { 200 } else { 20 };
        let picture = image::GrayImage::from_pixel(64, 64, image::Luma([luma]));
        picture.save(folder.join(format!("{n:02}.png"))).unwrap();
    }
}

#[test]
fn a_car_that_two_cameras_of_a_running_box_see_is_one_case_until_both_see_it_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let camera = |id: &str| {
        format!(
            "[[camera]]\nid = \"{id}\"\nsource = \"{id}\"\nground = \"calibration/{id}.toml\"\n\
             view = {{ dark = false, covered = false, blurred = false }}\n[[camera.zone]]\nid = \"kerb\"\nkind = \"no_parking\"\ngrid = \"g1\"\n\
             polygon = [[0.0, 0.2], [1.0, 0.2], [1.0, 1.0], [0.0, 1.0]]\n\
             rule.illegal_parking = {{ dwell_s = 4, clear_s = 4 }}\n"
        )
    };
    let text = format!(
        "mqtt.url = \"mqtt://127.0.0.1:1\"\nedge = {{ street = \"410102007\", box = \"box-1\" }}\n{}{}",
        camera("cam-a"),
        camera("cam-b")
    );
    std::fs::write(path("edge.toml"), text).unwrap();
    // Both look at the same ground of 20 by 20 m.
    let corners = [(4, 60), (60, 60), (60, 20), (4, 20), (30, 40), (20, 50)];
    let point = |(x, y): (i32, i32)| {
        let (lon, lat) = (113.6 + f64::from(x) * 3.4e-6, 34.7 - f64::from(y) * 2.8e-6);
        format!("p{x}-{y},{x},{y},{lon:.9},{lat:.9}\n")
    };
    let points: String = corners.into_iter().map(point).collect();
    std::fs::write(path("points.csv"), format!("name,px,py,lon,lat\n{points}")).unwrap();
    for (id, until) in [("cam-a", 15), ("cam-b", 25)] {
        pictures(&path(id), until);
        let (config, points) = (path("edge.toml"), path("points.csv"));
        let (config, points) = (config.to_str().unwrap(), points.to_str().unwrap());
        gridpatrol_ok(&["calibrate", "camera", "--config", config, "--camera", id, "--points", points]);
    }
    let mut plan = Plan::new(&ConfigFile::read(&path("edge.toml")).unwrap()).unwrap();
    plan.redaction = None;
    let detector = Bright {
        vocabulary: Vocabulary::new(vec!["car".to_owned()]),
        identity: ModelIdentity { name: "bright".to_owned(), sha256: "0".repeat(64) },
    };
    let tuning = Tuning { flush: Duration::ZERO, ..Tuning::default() };
    let options = Options { pace: Pace { speed: 8.0 }, tuning, ..Options::default() };
    let clock = Arc::new(SystemClock);
    let detectors = Detectors { workers: vec![Box::new(detector)], prover: None, clips: None };
    let daemon = Daemon::start(plan, detectors, clock, options, Shutdown::default()).unwrap();
    let began = Instant::now();
    while !daemon.is_idle() {
        assert!(began.elapsed() < Duration::from_secs(60), "the pictures never came to their end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let outbox = daemon.outbox.clone();
    daemon.stop().unwrap();
    let cases = outbox.cases(10).unwrap();
    let [case] = cases.as_slice() else { panic!("expected one case: {cases:#?}") };
    let event: Value = serde_json::from_str(&case.event).unwrap();
    validator("event").validate(&event).unwrap();
    assert_eq!(event["type"], "cn.patrol.case.cleared.v1");
    let data = &event["data"];
    let (own, other) = (data["place"]["camera"].as_str().unwrap(), &data["also_seen_by"][0]["camera"]);
    assert_eq!(other, if own == "cam-a" { "cam-b" } else { "cam-a" }, "{event:#}");
    assert_eq!(data["objects"][0]["label"], "car");
    let second = |name: &str| {
        let time: jiff::Timestamp = data["observed"][name].as_str().unwrap().parse().unwrap();
        time.as_nanosecond() as f64 / 1e9
    };
    // The second camera sees it for 25 s; the place is empty for 4 s before it counts as that.
    let stood = second("cleared_at") - second("first_seen");
    assert!((27.0..34.0).contains(&stood), "{stood} s");
    assert_eq!(outbox.backlog().unwrap().events, 2, "opened and cleared");
}

#[test]
fn t1_what_a_running_box_holds_back_is_in_its_status_and_survives_a_power_cut() {
    let broker = Mosquitto::start();
    let top = format!("mqtt.url = \"mqtt://127.0.0.1:{}\"\nlimits.cases_per_hour = 1", broker.port());
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, configuration(&top, KERB)).unwrap();
    let cases = broker.subscribe("patrol/v1/410102007/box-1/case/+/+");
    let status = broker.subscribe("patrol/v1/410102007/box-1/status");
    let args = ["run", "--config", config.to_str().unwrap()];
    let mut box1 = Running::start(&args);
    let first = cases.next().json();
    // The clip shows two vehicles at the kerb; the limit lets one through.
    let held = |message: &crate::support::mosquitto::Received| {
        message.json()["state"] == "online" && message.json()["throttle"]["held_back"] == 1
    };
    let said = status.until(held).pop().unwrap().json();
    validator("status").validate(&said).unwrap();
    assert_eq!(said["throttle"]["untold"], 1);
    box1.kill();
    let mut box1 = Running::start(&args);
    let said = status.until(held).pop().unwrap().json();
    assert_eq!(said["throttle"]["untold"], 1, "held back once, and not once more after the cut");
    assert_eq!(box1.terminate(), Some(0));
    for event in cases.rest() {
        assert_eq!(event.json()["data"]["case_id"], first["data"]["case_id"], "the other is held back");
    }
}
