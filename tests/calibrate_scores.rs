//! `gridpatrol calibrate scores` as a user starts it, and the configuration that names its result.

use std::path::Path;

use serde_json::Value;

use crate::support::program::{KERB, configuration, gridpatrol, gridpatrol_ok};

const LABELS: &str = "tests/data/vtest_person_labels.json";
const CLIP: &str = "tests/media/vtest.mp4";

#[test]
fn the_clips_labels_become_a_map_that_helps_and_that_only_its_model_takes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (map, diagram) = (path("scores.toml"), path("scores.png"));
    let said = gridpatrol_ok(&[
        "calibrate",
        "scores",
        "--labels",
        LABELS,
        "--input",
        CLIP,
        "--out",
        &map,
        "--diagram",
        &diagram,
        "--json",
    ]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let person = &report["class"]["person"];
    let figure = |name: &str| person[name].as_f64().unwrap();
    assert!(figure("ece_after") <= figure("ece_before") && figure("brier_after") <= figure("brier_before"));
    assert!(figure("precision") >= 0.8 && figure("recall") >= 0.5 && figure("threshold") > 0.0);
    assert!(image::open(&diagram).unwrap().width() > 400);

    let config = path("edge.toml");
    let check = |text: &str| {
        std::fs::write(&config, text).unwrap();
        gridpatrol(&["check", "--config", &config])
    };
    let sound = check(&configuration("model.scores = \"scores.toml\"", KERB));
    assert_eq!(sound.status.code(), Some(0), "{}", String::from_utf8_lossy(&sound.stderr));
    the_map_is_what_rules_and_messages_go_by(folder.path());
    let text = std::fs::read_to_string(&map).unwrap();
    let sha256 = report["model"]["sha256"].as_str().unwrap();
    std::fs::write(&map, text.replace(sha256, &"0".repeat(64))).unwrap();
    let refused = check(&configuration("model.scores = \"scores.toml\"", KERB));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("score map") && said.contains("000000000000"), "{said}");
}

/// A crowd on four pictures, by the model's own scores and by the map in `folder`.
fn the_map_is_what_rules_and_messages_go_by(folder: &Path) {
    let pictures = folder.join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    for n in 0..4 {
        std::fs::copy("tests/data/people.jpg", pictures.join(format!("{n}.jpg"))).unwrap();
    }
    let zone = "[[camera.zone]]\nid = \"square\"\nkind = \"gathering\"\ngrid = \"410102007003012\"\n\
        polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]\n\
        rule.crowd = { count = 2, dwell_s = 2, score = 0.3 }\n";
    let config = folder.join("crowd.toml");
    let scores = |top: &str| -> Vec<f64> {
        std::fs::write(&config, configuration(top, zone)).unwrap();
        let (config, pictures) = (config.to_str().unwrap(), pictures.to_str().unwrap());
        let replay = ["replay", "--config", config, "--camera", "cam-05", "--input", pictures, "--fps", "1"];
        let events = gridpatrol_ok(&replay);
        let opened: Value = serde_json::from_str(events.lines().next().expect("a crowd")).unwrap();
        let objects = opened["data"]["objects"].as_array().unwrap();
        objects.iter().map(|object| object["score"].as_f64().unwrap()).collect()
    };
    let raw = scores("");
    let mapped = scores("model.scores = \"scores.toml\"");
    let most = |scores: &[f64]| scores.iter().copied().fold(0.0, f64::max);
    assert!((most(&raw) - most(&mapped)).abs() > 0.02, "{raw:?} {mapped:?}");
    assert!(mapped.iter().all(|score| (0.3..=1.0).contains(score)), "{mapped:?}");
}

#[test]
fn labels_that_do_not_go_with_the_pictures_are_wrong_usage() {
    let wrong = gridpatrol(&["calibrate", "scores", "--labels", LABELS, "--pictures", "tests/data"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--input"));
}
