//! `gridpatrol bench` as a script uses it. No times are asserted: the machine that runs the tests is no bench.

use serde_json::Value;

use crate::support::program::{gridpatrol, gridpatrol_ok};

#[test]
fn bench_reports_what_scripts_read_and_counts_its_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (planes, seen) = (path("planes"), path("seen"));
    let text = gridpatrol_ok(&[
        "bench",
        "--json",
        "--seconds",
        "0",
        "--model",
        "models/nanodet-g-416",
        "--input",
        "tests/data/people.jpg",
        "--dump-frames",
        &planes,
        "--dump-detections",
        &seen,
    ]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["frames"]["count"], 1);
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    let model = &report["models"][0];
    assert_eq!(
        (&model["name"], &model["width"], &model["threads"]),
        (&"nanodet-g-416".into(), &416.into(), &1.into())
    );
    let number = |key: &str| model.pointer(key).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {key}"));
    assert!(number("/whole_ms/p99") >= number("/whole_ms/p50"));
    for key in [
        "/bare_ms/p50",
        "/bare_ms/p99",
        "/overhead",
        "/looks_per_cpu_s",
        "/cameras_per_core",
        "/peak_rss_bytes",
    ] {
        assert!(number(key) > 0.0, "{key}");
    }
    let cameras = report["utilisation"].as_f64().unwrap() * number("/looks_per_cpu_s")
        / report["looks_per_s"].as_f64().unwrap();
    assert!((number("/cameras_per_core") - cameras).abs() < 1e-6);
    assert!(number("/allocations") <= 5.0, "{} allocations on a look", number("/allocations"));
    assert_eq!(std::fs::metadata(planes).unwrap().len(), 1920 * 1080 * 3 / 2);
    let line: Value = serde_json::from_str(std::fs::read_to_string(seen).unwrap().trim()).unwrap();
    assert_eq!(line["detections"].as_array().unwrap().len() as f64, number("/objects"));
    assert!(number("/objects") >= 5.0, "there are people in the picture");
}

#[test]
fn bench_cameras_reports_what_each_camera_costs() {
    let clip = "tests/media/vtest.mp4";
    let idle = ["--idle", clip];
    let args = ["bench", "cameras", "--input", clip, "--streams", "1,2", "--seconds", "2", "--json"];
    let text = gridpatrol_ok(&[&args[..], &idle].concat());
    let report: Value = serde_json::from_str(&text).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let named: Vec<_> =
        rows.iter().map(|row| (row["mode"].as_str().unwrap(), row["cameras"].as_u64().unwrap())).collect();
    assert_eq!(named, [("key", 1), ("key", 2), ("all", 1), ("all", 2), ("idle", 1), ("idle", 2)]);
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap_or_else(|| panic!("no {key} in {row}"));
    for row in rows {
        for key in ["cores", "capture_cores", "look_cores", "looks_per_s", "saved_per_s", "rss_bytes"] {
            assert!(number(row, key) >= 0.0, "{key}: {row}");
        }
        // The clip has ten pictures a second, and a key picture each 25 s.
        assert!((5.0..15.0).contains(&number(row, "received_per_s")), "{row}");
    }
    assert!(number(&rows[0], "decoded_per_s") <= 1.0, "{}", rows[0]);
    assert!(number(&rows[2], "decoded_per_s") + number(&rows[2], "late_share") > 1.0, "{}", rows[2]);
}

#[test]
fn bench_refuses_what_cannot_be_measured() {
    for args in [
        &["bench", "--seconds", "-1"][..],
        &["bench", "--score", "2"],
        &["bench", "--threads", "0"],
        &["bench", "--model", "no-such-model"],
        &["bench", "cameras"],
        &["bench", "cameras", "--input", "tests/media/vtest.mp4", "--streams", "0"],
    ] {
        let output = gridpatrol(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
