//! Which execution provider runs, and what is said of those that do not.

use std::path::Path;
use std::process::Command;

use gridpatrol::detect::model::Model;
use gridpatrol::detect::session::Session;
use gridpatrol::detect::{Provider, Setup};
use gridpatrol::error::Kind;
use serde_json::Value;

const MODEL: &str = "models/nanodet-g-416";
const OPENVINO: &str = ".setup/openvino/libonnxruntime.so";
const PICTURE: &str = "tests/data/people.jpg";

fn open(providers: &[Provider]) -> gridpatrol::error::Result<Session> {
    let model = Model::load(Path::new(MODEL)).unwrap();
    Session::with(&model, &Setup { providers: providers.to_vec(), ..Setup::default() })
}

#[test]
fn the_next_provider_is_taken_and_the_report_says_why() {
    let session = open(&[Provider::Cuda, Provider::RkNpu, Provider::Cpu]).unwrap();
    let report = session.runtime();
    assert_eq!(report.provider, Provider::Cpu);
    assert!(!report.shared_with_cpu);
    let tried: Vec<Provider> = report.tried.iter().map(|refusal| refusal.provider).collect();
    assert_eq!(tried, [Provider::Cuda, Provider::RkNpu]);
    assert!(report.tried.iter().all(|refusal| refusal.reason.contains("the library has no such provider")));
    assert!(report.library.is_absolute());
    let version = report.version.as_deref().unwrap();
    assert!(version.starts_with("1."), "{version}");
}

#[test]
fn a_list_without_cpu_never_falls_back_and_the_error_names_all() {
    let error = open(&[Provider::Cuda, Provider::Cann]).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Model);
    let message = error.to_string();
    assert!(message.contains("cuda: ") && message.contains("cann: "), "{message}");
}

#[test]
fn a_provider_of_an_unknown_name_is_refused_on_the_command_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
        .args(["detect", PICTURE, "--providers", "gpu"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("openvino") && message.contains("cpu"), "{message}");
}

/// `gridpatrol detect` on a picture with a library and a list of providers.
fn detected(library: &str, providers: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
        .args(["detect", PICTURE, "--json", "--providers", providers])
        .env("ORT_DYLIB_PATH", library)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    found["detections"].as_array().unwrap().clone()
}

#[test]
fn openvino_finds_what_the_cpu_provider_finds() {
    if !Path::new(OPENVINO).is_file() {
        println!("SKIPPED: OpenVINO is not set up; run `make openvino`");
        return;
    }
    // One process loads one library, so each list is a run of the program. No `cpu`: nothing falls back.
    let (with, without) = (detected(OPENVINO, "openvino"), detected(OPENVINO, "cpu"));
    assert!(without.len() >= 3, "the picture shows several people");
    let side = |detection: &Value, at: usize| detection["box"].as_array().unwrap()[at].as_f64().unwrap();
    let mut largest: f64 = 0.0;
    let mut largest_score: f64 = 0.0;
    // What is well above the threshold is found by both; at the threshold, rounding decides.
    let score = |detection: &Value| detection["score"].as_f64().unwrap();
    for expected in without.iter().filter(|detection| score(detection) > 0.55) {
        let distance =
            |other: &Value| (0..4).map(|at| (side(other, at) - side(expected, at)).abs()).fold(0.0, f64::max);
        let nearest = with
            .iter()
            .filter(|other| other["label"] == expected["label"])
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap();
        largest = largest.max(distance(nearest));
        largest_score = largest_score.max((score(nearest) - score(expected)).abs());
    }
    println!(
        "{} objects on openvino, {} on cpu; boxes differ by at most {largest:.4}, scores by {largest_score:.4}",
        with.len(),
        without.len()
    );
    assert!(largest < 0.03 && largest_score < 0.1, "boxes {largest}, scores {largest_score}");
}
