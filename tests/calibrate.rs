//! `gridpatrol calibrate int8` as a user starts it, up to where Python begins; `make calibrate-check` goes on from
//! there.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{CLIP, gridpatrol};

const MODEL: &str = "models/nanodet-g-416";
const LABELS: &str = "tests/data/vtest_person_labels.json";

fn int8(more: &[&str]) -> Output {
    gridpatrol(&[&["calibrate", "int8", "--model", MODEL], more].concat())
}

/// What the program said on standard error, without line breaks.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

/// The model with a fault that spoils what it sees: its input is a twentieth as bright.
fn blind() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["coco80.txt", "nanodet_g_416_int8.onnx"] {
        std::fs::copy(Path::new(MODEL).join(name), folder.path().join(name)).unwrap();
    }
    let manifest = std::fs::read_to_string(Path::new(MODEL).join("model.toml")).unwrap();
    assert!(manifest.contains("scale = 1.0"));
    let manifest = manifest.replace("scale = 1.0", "scale = 0.05").replace("nanodet-g-416", "blind");
    std::fs::write(folder.path().join("model.toml"), manifest).unwrap();
    folder
}

/// A folder with `count` copies of one grey picture.
fn still(count: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for at in 0..count {
        let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([90; 3]));
        picture.save(folder.path().join(format!("{at:03}.png"))).unwrap();
    }
    folder
}

#[test]
fn a_model_loses_nothing_against_itself() {
    let output = int8(&["--judge", MODEL, "--from", CLIP, "--labels", LABELS, "--frames", "8", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let judgement = &report["judgement"];
    assert_eq!((&judgement["passed"], &judgement["f1"]), (&Value::Bool(true), &Value::from(1.0)));
    assert!(judgement["boxes_reference"].as_u64().unwrap() > 0);
    let ap = &judgement["average_precision"];
    assert_eq!((&ap["pictures"], &ap["loss"]), (&Value::from(12), &Value::from(0.0)));
    assert_eq!(ap["labels"]["person"]["objects"], 71);
    // What tests/detect.rs finds on these frames.
    assert!((ap["mean"]["reference"].as_f64().unwrap() - 0.949).abs() < 0.01, "{ap}");
    assert_eq!(report["frames_calibrated"], 0, "nothing was calibrated");
}

#[test]
fn a_model_that_no_longer_sees_is_refused_with_every_bound_it_breaks() {
    let blind = blind();
    let folder = blind.path().to_str().unwrap();
    let output = int8(&["--judge", folder, "--from", CLIP, "--labels", LABELS, "--frames", "8"]);
    assert_refused(&output, 1, &["blind is refused", "box F1 is", "at most 0.03", "AP50 is", "at most 0.02"]);
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        report.contains("**Refused**") && report.contains("mean AP50 on 12 labelled pictures"),
        "{report}"
    );
}

#[test]
fn recordings_in_which_nothing_changes_or_nothing_is_seen_are_refused_and_leave_nothing() {
    let still = still(40);
    let output = int8(&["--judge", MODEL, "--from", still.path().to_str().unwrap()]);
    assert_refused(&output, 1, &["1 of 40 frames differ", "at least 8", "other times of day"]);
    let shades = tempfile::tempdir().unwrap();
    for at in 0..12_u8 {
        let picture = image::RgbImage::from_pixel(64, 48, image::Rgb([20 * at; 3]));
        picture.save(shades.path().join(format!("{at:03}.png"))).unwrap();
    }
    let output = int8(&["--judge", MODEL, "--from", shades.path().to_str().unwrap()]);
    assert_refused(&output, 2, &["finds nothing in the 3 frames", "something to see"]);
}

#[test]
fn a_missing_python_is_said_before_any_work_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (out, env): (PathBuf, PathBuf) = (folder.path().join("out"), folder.path().join("env"));
    let (out_text, env_text) = (out.to_str().unwrap(), env.to_str().unwrap());
    let more = ["--from", CLIP, "--python", "no-such-python", "--out", out_text, "--env", env_text];
    let output = int8(&more);
    assert_refused(&output, 1, &["there is no no-such-python", "apt-get install python3-venv"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn wrong_arguments_are_named() {
    let there = tempfile::tempdir().unwrap();
    let there = there.path().to_str().unwrap();
    let cases: [(&[&str], &[&str]); 7] = [
        (&["--from", "no-such.mp4"], &["--from no-such.mp4", "an .mp4 file or a folder"]),
        (&["--from", CLIP, "--frames", "7"], &["--frames 7", "8 to 2000"]),
        (&["--from", CLIP, "--max-f1-loss", "1.5"], &["--max-f1-loss 1.5", "0 to 1"]),
        (&["--from", CLIP, "--max-ap-loss", "nan"], &["--max-ap-loss", "0 to 1"]),
        (&["--from", CLIP, "--out", there], &["is there already", "--out"]),
        (&["--from", there, "--labels", LABELS], &["numbered", "one video, not 0"]),
        (&["--config", "tests/media/demo.toml", "--camera", "cam-9"], &["cam-9", "cam-05"]),
    ];
    for (more, parts) in cases {
        assert_refused(&int8(more), 2, parts);
    }
    assert_eq!(int8(&[]).status.code(), Some(2), "a recording is needed");
}
