//! The program as a user starts it: commands, exit codes, messages, a real broker.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::mosquitto::Mosquitto;
use crate::support::program::{CLIP, DEMO, KERB, Running, configuration, gridpatrol, gridpatrol_ok};

/// A folder with a configuration in it.
struct Site {
    folder: TempDir,
    config: PathBuf,
}

impl Site {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("edge.toml");
        std::fs::write(&config, text).unwrap();
        Self { folder, config }
    }

    fn config(&self) -> &str {
        self.config.to_str().unwrap()
    }
}

/// `check` on the configuration `text` must exit with 2 and say all of `expected`.
fn refused(text: &str, expected: &[&str]) {
    let site = Site::new(text);
    let output = gridpatrol(&["check", "--config", site.config()]);
    let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in expected {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

// --- Wrong configurations ---------------------------------------------------------------------------------------

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let text = configuration("", &KERB.replace("kind =", "colour = \"red\"\nkind ="));
    refused(&text, &["edge.toml", "line 12", "unknown field `colour`", "schema config"]);
}

#[test]
fn a_zone_with_two_points_is_named() {
    let zone = "[[camera.zone]]\nid = \"kerb\"\nkind = \"no_parking\"\ngrid = \"410102007003012\"\n\
        polygon = [[0.1, 0.1], [0.2, 0.2]]\n";
    refused(&configuration("", zone), &["edge.toml", "camera.zone.polygon", "at least 3 corners", "has 2"]);
}

#[test]
fn a_missing_model_is_named() {
    let text = configuration("model.path = \"no-such-model\"", KERB);
    refused(&text, &["edge.toml", "model.path", "no-such-model/model.toml", "models verify"]);
}

#[test]
fn a_grid_id_that_breaks_a_strict_profile_is_named() {
    let text = configuration("", &KERB.replace("410102007003012", "41010200700301"));
    refused(&text, &["camera.zone.grid", "41010200700301", "15 digits", "gb-t-47678.3"]);
}

#[test]
fn a_model_whose_file_was_changed_is_named_with_both_hashes() {
    let site = Site::new("");
    let model = site.folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir("models/nanodet-g-416").unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let weights = model.join("nanodet_g_416_int8.onnx");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let text = configuration(&format!("model.path = {model:?}"), KERB);
    refused(&text, &["nanodet_g_416_int8.onnx", "13e07cfa837a165c"]);
    let verify = gridpatrol(&["models", "verify", model.to_str().unwrap()]);
    assert_eq!(verify.status.code(), Some(2));
}

#[test]
fn a_password_in_the_broker_address_is_refused() {
    let text = configuration("mqtt.url = \"mqtt://box:secret@broker\"", KERB);
    refused(&text, &["mqtt.url", "password_file"]);
}

#[test]
fn a_secret_in_an_address_is_not_repeated() {
    for text in [
        configuration("mqtt.url = \"mqtt://box:hunter2@broker\"", KERB),
        configuration("", KERB).replace("source = ", "source = \"rtsp://admin:hunter2@camera\" # "),
    ] {
        let site = Site::new(&text);
        let output = gridpatrol(&["check", "--config", site.config()]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("do not belong in the address") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_page_that_others_could_reach_is_refused() {
    refused(&configuration("web.listen = \"0.0.0.0:80\"", KERB), &["web.listen", "loopback"]);
    refused(&configuration("storage.outbox_mb = 3", KERB), &["storage.outbox_mb", "16 to 1000000"]);
    refused(&configuration("storage.evidence_days = 0", KERB), &["storage.evidence_days", "1 to 3650"]);
}

#[test]
fn a_label_that_the_model_does_not_know_is_named() {
    let zone = format!("{KERB}rule.illegal_parking.labels = [\"rickshaw\"]\n");
    refused(&configuration("", &zone), &["rickshaw", "illegal_parking", "nanodet-g-416"]);
}

#[test]
fn wrong_usage_exits_with_2_and_a_camera_that_is_not_there_is_named() {
    assert_eq!(gridpatrol(&["patrol"]).status.code(), Some(2));
    let output = gridpatrol(&["replay", "--config", DEMO, "--camera", "cam-99", "--input", CLIP]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cam-99") && said.contains("cam-05"), "{said}");
}

// --- What works ---------------------------------------------------------------------------------------------------

#[test]
fn a_sound_configuration_says_what_it_watches_for() {
    let said = gridpatrol_ok(&["check", "--config", DEMO]);
    assert!(said.contains("机动车乱停放") && said.contains("410102007003012"), "{said}");
    let json: Value = serde_json::from_str(&gridpatrol_ok(&["check", "--config", DEMO, "--json"])).unwrap();
    assert_eq!(json["cameras"][0]["rules"][0]["dwell_s"], 20.0);
}

#[test]
fn models_verify_passes_on_what_is_shipped() {
    let lines = gridpatrol_ok(&["models", "verify", "--json"]);
    let models: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = models.iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["faces-centerface", "nanodet-g-320", "nanodet-g-416", "plates-retinaface"]);
    assert!(models.iter().all(|model| model["ok"] == true), "{lines}");
}

#[test]
fn detect_finds_the_people_on_a_picture_and_draws_them() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("frame.jpg");
    std::fs::copy("tests/data/people.jpg", &picture).unwrap();
    let marked = folder.path().join("marked");
    let arguments =
        ["detect", picture.to_str().unwrap(), "--json", "--score", "0.5", "--draw", marked.to_str().unwrap()];
    let found: Value = serde_json::from_str(&gridpatrol_ok(&arguments)).unwrap();
    let people = found["detections"].as_array().unwrap().iter().filter(|d| d["label"] == "person").count();
    assert_eq!(people, 7, "seven people by eye: {found}");
    let (plain, drawn) = (image::open(&picture).unwrap(), image::open(marked.join("frame.png")).unwrap());
    assert_eq!((plain.width(), plain.height()), (drawn.width(), drawn.height()));
    assert_ne!(plain.into_rgb8(), drawn.into_rgb8());
}

/// A replay of detections: the car stands at the kerb from 0 s on, `to - from` seconds of it.
fn looks(path: &Path, from: u32, to: u32) {
    let lines: Vec<String> = (from * 5..to * 5)
        .map(|n| {
            let t = f64::from(n) / 5.0;
            let seen = r#"{"label": "car", "score": 0.8, "box": [0.86, 0.08, 0.94, 0.17]}"#;
            let seen = if t < 6.0 { seen } else { "" };
            format!(r#"{{"t": {t}, "detections": [{seen}]}}"#)
        })
        .collect();
    std::fs::write(path, lines.join("\n")).unwrap();
}

#[test]
fn two_replays_over_two_halves_give_the_events_of_one_over_the_whole() {
    let site = Site::new(&configuration("", KERB));
    let path = |name: &str| site.folder.path().join(name);
    let replay = |input: &str, more: &[&str]| {
        let input = path(input);
        let mut args = vec!["replay", "--config", site.config(), "--camera", "cam-05"];
        args.extend(["--input", input.to_str().unwrap()]);
        args.extend(more);
        gridpatrol_ok(&args)
    };
    looks(&path("whole.jsonl"), 0, 60);
    looks(&path("first.jsonl"), 0, 4);
    looks(&path("second.jsonl"), 4, 60);
    let whole = replay("whole.jsonl", &[]);
    assert_eq!(whole.lines().count(), 2, "opened and cleared: {whole}");
    let state = path("state");
    let state = ["--state", state.to_str().unwrap()];
    let halves = replay("first.jsonl", &state) + &replay("second.jsonl", &state);
    assert_eq!(halves, whole);
}

#[test]
fn a_line_that_is_no_look_is_named_with_its_number() {
    let site = Site::new(&configuration("", KERB));
    let input = site.folder.path().join("looks.jsonl");
    std::fs::write(&input, "{\"t\": 0, \"detections\": []}\n{\"t\": 0, \"detections\": []}\n").unwrap();
    let input = input.to_str().unwrap();
    let output = gridpatrol(&["replay", "--config", site.config(), "--camera", "cam-05", "--input", input]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("looks.jsonl, line 2") && said.contains("not later"), "{said}");
}

#[test]
fn the_demo_delivers_what_it_finds_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    // To the end of the clip: what comes within some seconds depends on how busy the machine is.
    let said = gridpatrol_ok(&["demo", "--headless", "--speed", "8", "--dir", dir]);
    assert!(said.contains("机动车乱停放") && said.contains("410102007003012"), "{said}");
    assert!(said.contains("Summary:"), "{said}");
    let pictures = std::fs::read_dir(folder.path().join("platform")).unwrap().count();
    assert!(pictures >= 2, "the subscriber keeps the pictures that came");
}

// --- On a real broker ---------------------------------------------------------------------------------------------

#[test]
fn a_running_box_says_its_cases_and_its_state_on_a_real_broker() {
    let broker = Mosquitto::start();
    let top = format!("mqtt.url = \"mqtt://127.0.0.1:{}\"", broker.port());
    let site = Site::new(&configuration(&top, KERB));
    let schema = |subject| {
        let schema: Value = serde_json::from_str(&gridpatrol_ok(&["schema", subject])).unwrap();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    };
    let (event_schema, status_schema) = (schema("event"), schema("status"));
    let cases = broker.subscribe("patrol/v1/410102007/box-1/case/+/+");
    let status = broker.subscribe("patrol/v1/410102007/box-1/status");
    let mut box1 = Running::start(&["run", "--config", site.config()]);
    let online = status.next().json();
    status_schema.validate(&online).unwrap();
    assert_eq!(online["state"], "online");
    let (mut places, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let event = cases.next();
        ids.push(event.json()["id"].clone());
        event_schema.validate(&event.json()).unwrap();
        assert!(event.topic.ends_with("/410102007003012/illegal_parking"), "{}", event.topic);
        places.push(event.json()["data"]["objects"][0]["box"][0].as_f64().unwrap());
    }
    assert!((places[0] - places[1]).abs() > 0.05, "two vehicles, not one twice: {places:?}");

    // After a power cut the case is still the same one: it is not opened a second time.
    box1.kill();
    let mut box1 = Running::start(&["run", "--config", site.config()]);
    assert_eq!(status.until(|m| m.json()["state"] == "online").last().unwrap().json()["state"], "online");
    let retained = broker.subscribe("patrol/v1/410102007/box-1/status").next();
    assert!(retained.retained);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(box1.terminate(), Some(0));
    let last = status.until(|message| message.json()["state"] == "stopped").pop().unwrap().json();
    status_schema.validate(&last).unwrap();
    // What the box had no time to strike off before the power cut comes again, under the same id.
    for event in cases.rest() {
        assert!(ids.contains(&event.json()["id"]), "a second case for what stands there still");
    }
}
