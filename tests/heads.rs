//! Every head, from a model's folder through the real runtime to detections in the frame, on graphs whose answer
//! is known; and model files that are not what they should be.

use std::path::Path;

use gridpatrol::detect::model::Model;
use gridpatrol::detect::{Detector, OnnxDetector};
use gridpatrol::error::Kind;
use gridpatrol::frame::Frame;

use crate::support::onnx_graph::{Output, Table, folder, graph};
use crate::support::program::{KERB, configuration, gridpatrol, gridpatrol_ok};

const SIZE: (usize, usize) = (64, 32);
const LABELS: [&str; 3] = ["person", "car", "dog"];

/// Label, score, and left, top, right, bottom in pixels of the input. The second car stands inside the first
/// one's box and is another; the third is the first once more.
const SCENE: [(usize, f32, [f32; 4]); 4] = [
    (1, 0.9, [4.0, 4.0, 36.0, 28.0]),
    (0, 0.8, [44.0, 6.0, 60.0, 30.0]),
    (1, 0.7, [12.0, 12.0, 20.0, 20.0]),
    (1, 0.6, [5.0, 5.0, 36.0, 28.0]),
];

fn frame() -> Frame {
    Frame {
        width: 128,
        height: 64,
        y: vec![120; 128 * 64],
        u: vec![128; 64 * 32],
        v: vec![128; 64 * 32],
        ..Frame::default()
    }
}

fn detections(folder: &Path) -> Vec<(String, f32, [f32; 4])> {
    let mut detector = OnnxDetector::open(folder, None, 1).unwrap();
    let mut found = Vec::new();
    detector.detect(&frame(), 0.4, &mut found).unwrap();
    let name = |label| detector.vocabulary().name(label).to_owned();
    found.iter().map(|d| (name(d.label), d.score, d.bbox.into())).collect()
}

/// Asserts that a model with these outputs and this head finds the scene, the doubled car once.
fn finds_the_scene(outputs: &[Output], head: &str) {
    let place = tempfile::tempdir().unwrap();
    folder(place.path(), &graph(SIZE.0, SIZE.1, outputs), SIZE, &LABELS, head);
    is_the_scene(&detections(place.path()), &SCENE[..3], head);
}

fn is_the_scene(found: &[(String, f32, [f32; 4])], scene: &[(usize, f32, [f32; 4])], head: &str) {
    assert_eq!(found.len(), scene.len(), "{head}\n{found:?}");
    for ((label, score, place), (wanted, wanted_score, [x1, y1, x2, y2])) in found.iter().zip(scene) {
        assert_eq!(label, LABELS[*wanted], "{head}");
        assert!((score - wanted_score).abs() < 2e-3, "{head}\n{score}, expected {wanted_score}");
        let wanted = [x1 / 64.0, y1 / 32.0, x2 / 64.0, y2 / 32.0];
        let worst = place.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-3, "{head}\n{place:?}, expected {wanted:?}");
    }
}

fn centred([x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
    [(x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1]
}

#[test]
fn boxes_and_scores_of_a_graph_become_detections_in_float32_and_float16() {
    let mut boxes = vec![0.0; 6 * 4];
    let mut scores = vec![0.0; 6 * 3];
    for (row, (class, score, place)) in SCENE.into_iter().enumerate() {
        boxes[(row + 1) * 4..][..4].copy_from_slice(&place);
        scores[(row + 1) * 3 + class] = score;
    }
    let head = "kind = 'boxes_scores'\nboxes = 'b'\nscores = 's'\nproposals = 6\nclasses = 3";
    for [boxes, scores] in [
        [Table::F32(boxes.clone()), Table::F32(scores.clone())],
        [Table::F16(boxes.clone()), Table::F16(scores.clone())],
        [Table::F32(boxes.clone()), Table::F16(scores.clone())],
    ] {
        let outputs = [Output::new("s", &[1, 6, 3], scores), Output::new("b", &[1, 6, 4], boxes)];
        finds_the_scene(&outputs, head);
    }
}

#[test]
fn yolox_tables_become_detections() {
    // 8x4 cells of 8 pixels, 4x2 of 16, 2x1 of 32: the scene lies in the level of 16.
    let mut table = vec![0.0; 42 * 8];
    for (cell, (class, score, place)) in SCENE.into_iter().enumerate() {
        let [cx, cy, w, h] = centred(place).map(|side| side / 16.0);
        let row = &mut table[(32 + cell * 2) * 8..][..8];
        let (x, y) = ((cell * 2 % 4) as f32, (cell * 2 / 4) as f32);
        row[..5].copy_from_slice(&[cx - x, cy - y, w.ln(), h.ln(), 0.95]);
        row[5 + class] = score / 0.95;
    }
    let outputs = [Output::new("o", &[1, 42, 8], Table::F32(table))];
    finds_the_scene(&outputs, "kind = 'yolox'\noutput = 'o'\nproposals = 42\nclasses = 3");
}

#[test]
fn yolo_v5_tables_become_detections() {
    let mut table = vec![0.0; 126 * 8];
    for (at, (class, score, place)) in SCENE.into_iter().enumerate() {
        let row = &mut table[(at * 31) * 8..][..8];
        row[..4].copy_from_slice(&centred(place));
        row[4] = 0.95;
        row[5 + class] = score / 0.95;
    }
    let outputs = [Output::new("o", &[1, 126, 8], Table::F32(table))];
    finds_the_scene(&outputs, "kind = 'yolo_v5'\noutput = 'o'\nproposals = 126\nclasses = 3");
}

#[test]
fn yolo_v8_tables_become_detections() {
    let mut table = vec![0.0; 7 * 42];
    for (at, (class, score, place)) in SCENE.into_iter().enumerate() {
        for (row, side) in centred(place).into_iter().enumerate() {
            table[row * 42 + at * 13] = side;
        }
        table[(4 + class) * 42 + at * 13] = score;
    }
    let head = "kind = 'yolo_v8'\noutput = 'o'\nproposals = 42\nclasses = 3";
    finds_the_scene(&[Output::new("o", &[1, 7, 42], Table::F32(table.clone()))], head);
    finds_the_scene(&[Output::new("o", &[1, 7, 42], Table::F16(table))], head);
}

/// Rows of an end-to-end network: the scene without the doubled car, then rows that hold nothing.
fn final_rows() -> Vec<f32> {
    let mut table = vec![0.0; 8 * 6];
    for (at, (class, score, place)) in SCENE[..3].iter().enumerate() {
        table[at * 6..][..4].copy_from_slice(place);
        table[at * 6 + 4..][..2].copy_from_slice(&[*score, *class as f32]);
    }
    table
}

#[test]
fn end_to_end_rows_become_detections_however_many_there_are() {
    let head = "kind = 'end_to_end'\noutput = 'o'\nproposals = 8\nclasses = 3";
    let output = || Output::new("o", &[1, 8, 6], Table::F32(final_rows()));
    finds_the_scene(&[output()], head);
    finds_the_scene(&[Output { rows: Some(3), ..output() }], head);
    let place = tempfile::tempdir().unwrap();
    for rows in 0..3 {
        let graph = graph(SIZE.0, SIZE.1, &[Output { rows: Some(rows), ..output() }]);
        folder(place.path(), &graph, SIZE, &LABELS, head);
        is_the_scene(&detections(place.path()), &SCENE[..rows], head);
    }
}

#[test]
fn detr_queries_become_detections_through_a_sigmoid_or_a_softmax() {
    let mut boxes = vec![0.5; 6 * 4];
    let (mut alone, mut shared) = (vec![-9.0; 6 * 3], vec![0.0; 6 * 4]);
    for (row, (class, score, place)) in SCENE.into_iter().enumerate() {
        let [cx, cy, w, h] = centred(place);
        boxes[row * 4..][..4].copy_from_slice(&[cx / 64.0, cy / 32.0, w / 64.0, h / 32.0]);
        alone[row * 3 + class] = (score / (1.0 - score)).ln();
        // Against three others at 0, a logit of ln(3 p / (1 - p)) has the share p.
        shared[row * 4 + class] = (3.0 * score / (1.0 - score)).ln();
    }
    for (scores, columns, logits) in [("sigmoid", 3, alone), ("softmax", 4, shared)] {
        let outputs = [
            Output::new("l", &[1, 6, columns], Table::F32(logits)),
            Output::new("b", &[1, 6, 4], Table::F32(boxes.clone())),
        ];
        let head = format!(
            "kind = 'detr'\nlogits = 'l'\nboxes = 'b'\nproposals = 6\nclasses = 3\nscores = '{scores}'"
        );
        finds_the_scene(&outputs, &head);
    }
}

#[test]
fn ssd_outputs_become_detections_in_either_order_unit_and_kind_of_number() {
    let mut boxes = vec![0.0; 8 * 4];
    let (mut fractions, mut scores, mut ids) = (vec![0.0; 8 * 4], vec![0.9; 8], vec![1_i64; 8]);
    for (at, (class, score, [x1, y1, x2, y2])) in SCENE[..3].iter().enumerate() {
        boxes[at * 4..][..4].copy_from_slice(&[*x1, *y1, *x2, *y2]);
        fractions[at * 4..][..4].copy_from_slice(&[y1 / 32.0, x1 / 64.0, y2 / 32.0, x2 / 64.0]);
        (scores[at], ids[at]) = (*score, *class as i64 + 1);
    }
    let head = "kind = 'ssd'\nboxes = 'b'\nclass_ids = 'c'\nscores = 's'\ncount = 'n'\nproposals = 8\n\
                classes = 3\nfirst_class = 1\ncorners = 'yxyx'\nunit = 'normalised'";
    // As TensorFlow's own export: all float32. Rows past the count would be found if they were read.
    fractions[12..16].copy_from_slice(&[0.0, 0.0, 1.0, 1.0]);
    let outputs = [
        Output::new("b", &[1, 8, 4], Table::F32(fractions)),
        Output::new("c", &[1, 8], Table::F32(ids.iter().map(|id| *id as f32).collect())),
        Output::new("s", &[1, 8], Table::F32(scores.clone())),
        Output::new("n", &[1], Table::F32(vec![3.0])),
    ];
    finds_the_scene(&outputs, head);
    // As others: pixels, integers, no batch, no count.
    scores[3..].fill(0.0);
    let head = "kind = 'ssd'\nboxes = 'b'\nclass_ids = 'c'\nscores = 's'\nproposals = 8\nclasses = 3\n\
                first_class = 1\ncorners = 'xyxy'\nunit = 'pixels'";
    for ids in [Table::I64(ids.clone()), Table::I32(ids.iter().map(|id| *id as i32).collect())] {
        let outputs = [
            Output::new("b", &[8, 4], Table::F32(boxes.clone())),
            Output::new("c", &[8], ids),
            Output::new("s", &[8], Table::F32(scores.clone())),
        ];
        finds_the_scene(&outputs, head);
    }
}

const END_TO_END: &str = "kind = 'end_to_end'\noutput = 'o'\nproposals = 8\nclasses = 3";

fn small_graph() -> Vec<u8> {
    graph(SIZE.0, SIZE.1, &[Output::new("o", &[1, 8, 6], Table::F32(final_rows()))])
}

#[test]
fn labels_are_renamed_joined_and_ignored_as_the_manifest_says() {
    let place = tempfile::tempdir().unwrap();
    let head = format!("{END_TO_END}\n[classes]\nperson = ''\ncar = 'rubbish'\ndog = 'rubbish'");
    folder(place.path(), &small_graph(), SIZE, &LABELS, &head);
    assert_eq!(Model::load(place.path()).unwrap().vocabulary.names(), ["rubbish"]);
    let found = detections(place.path());
    let names: Vec<(&str, f32)> = found.iter().map(|(name, score, _)| (name.as_str(), *score)).collect();
    assert_eq!(names, [("rubbish", 0.9), ("rubbish", 0.7)]);
    for (classes, reason) in [
        ("cat = 'x'", "the network has no label `cat`"),
        ("person = ''\ncar = ''\ndog = ''", "every label is ignored"),
    ] {
        folder(place.path(), &small_graph(), SIZE, &LABELS, &format!("{END_TO_END}\n[classes]\n{classes}"));
        let error = Model::load(place.path()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_manifest_that_says_something_else_than_the_graph_is_refused_with_what_differs() {
    let place = tempfile::tempdir().unwrap();
    let change = |from: &str, to: &str| {
        folder(place.path(), &small_graph(), SIZE, &LABELS, END_TO_END);
        let path = place.path().join("model.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        OnnxDetector::open(place.path(), None, 1).map(|_| ()).unwrap_err()
    };
    for (from, to, wanted) in [
        ("opset = 13", "opset = 17", vec!["operator set 13", "opset = 17"]),
        ("proposals = 8", "proposals = 300", vec!["`o`", "[1, 300, 6]", "[1, 8, 6]"]),
        ("classes = 3", "classes = 80", vec!["3 labels", "80 classes"]),
        ("output = 'o'", "output = 'output0'", vec!["`output0`", "found `o` float32 [1, 8, 6]"]),
        ("end_to_end", "yolov10", vec!["yolov10", "end_to_end"]),
        ("width = 64", "width = 96", vec!["[1, 3, 32, 96]", "[1, 3, 32, 64]"]),
    ] {
        let error = change(from, to);
        assert_eq!(error.kind(), Kind::Model, "{error}");
        for part in wanted {
            assert!(error.to_string().contains(part), "`{error}` does not say `{part}`");
        }
    }
    // An output of integers where the head wants scores.
    let whole = graph(SIZE.0, SIZE.1, &[Output::new("o", &[1, 8, 6], Table::I64(vec![0; 48]))]);
    folder(place.path(), &whole, SIZE, &LABELS, END_TO_END);
    let error = OnnxDetector::open(place.path(), None, 1).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("float32 or float16") && error.contains("int64"), "{error}");
}

#[test]
fn a_file_that_is_cut_short_or_noise_or_has_flipped_bytes_is_an_error_or_runs_but_never_a_crash() {
    let place = tempfile::tempdir().unwrap();
    let sound = small_graph();
    let open = |bytes: &[u8]| {
        folder(place.path(), bytes, SIZE, &LABELS, END_TO_END);
        OnnxDetector::open(place.path(), None, 1)
    };
    for length in (0..sound.len()).step_by(7) {
        let error = open(&sound[..length]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Model, "{length}: {error}");
        assert!(error.to_string().contains("known.onnx"), "{error}");
    }
    let mut seed = 7_u32;
    let mut dice = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let noise: Vec<u8> = (0..4000).map(|_| dice() as u8).collect();
    assert_eq!(open(&noise).map(|_| ()).unwrap_err().kind(), Kind::Model);
    let (mut refused, mut ran) = (0, 0);
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (dice() % 8);
        match open(&bytes) {
            Err(error) => {
                assert_eq!(error.kind(), Kind::Model, "{at}: {error}");
                refused += 1;
            }
            Ok(mut detector) => {
                let _ = detector.detect(&frame(), 0.4, &mut Vec::new());
                ran += 1;
            }
        }
    }
    assert!(refused > 0 && ran > 0, "{refused} refused, {ran} ran");
}

/// A folder with a graph and its labels, and `models add` on them with `more`.
fn add(outputs: &[Output], more: &[&str]) -> (tempfile::TempDir, std::process::Output) {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("net.onnx"), graph(SIZE.0, SIZE.1, outputs)).unwrap();
    std::fs::write(path("names.txt"), LABELS.join("\n")).unwrap();
    let (file, labels, models) = (path("net.onnx"), path("names.txt"), path("models"));
    let mut args = vec!["models", "add", &file, "--labels", &labels, "--folder", &models];
    args.extend(more);
    let output = gridpatrol(&args);
    (place, output)
}

#[test]
fn a_model_that_was_added_finds_what_its_graph_gives() {
    let output = Output::new("o", &[1, 8, 6], Table::F32(final_rows()));
    let (place, said) = add(&[output], &["--head", "end_to_end", "--name", "final"]);
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    for part in ["final", "proposals = 8", "rgb", "letterbox", "--colour"] {
        assert!(text.contains(part), "{text}");
    }
    let folder = place.path().join("models/final");
    is_the_scene(&detections(&folder), &SCENE[..3], "added");
    let listed = gridpatrol_ok(&["models", "verify", folder.to_str().unwrap(), "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["ok"], &listed["name"]), (&true.into(), &"final".into()));
}

#[test]
fn what_a_graph_leaves_open_is_refused_with_the_option_that_decides_it() {
    let boxes = || Output::new("b", &[1, 8, 4], Table::F32(vec![0.0; 32]));
    let ssd = || {
        let scores = Output::new("scores", &[1, 8], Table::F32(vec![0.0; 8]));
        vec![boxes(), scores, Output::new("classes", &[1, 8], Table::I64(vec![0; 8]))]
    };
    let rows = Output { rows: Some(2), ..Output::new("o", &[1, 8, 6], Table::F32(final_rows())) };
    let twice = vec![
        boxes(),
        Output { name: "b2", ..boxes() },
        Output::new("s", &[1, 8, 3], Table::F32(vec![0.0; 24])),
    ];
    let cases: [(Vec<Output>, &[&str], &str); 6] = [
        (ssd(), &["--head", "ssd"], "--corners"),
        (ssd(), &["--head", "ssd", "--corners", "xyxy", "--unit", "pixels"], "--first-class"),
        (vec![rows], &["--head", "end_to_end"], "--proposals"),
        (twice, &["--head", "boxes_scores"], "--output boxes=NAME"),
        (
            ssd(),
            &["--head", "ssd", "--corners", "xyxy", "--unit", "pixels", "--first-class", "0"],
            "--pixels",
        ),
        (vec![boxes()], &["--head", "yolo_v8"], "--head"),
    ];
    for (outputs, more, option) in cases {
        let (place, said) = add(&outputs, more);
        let errors = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(2), "{errors}");
        assert!(errors.contains(option), "{more:?} should name {option}: {errors}");
        assert!(!place.path().join("models/net").exists(), "nothing is left behind");
    }
}

#[test]
fn a_rule_goes_without_default_labels_that_the_model_lacks_but_not_without_any() {
    let place = tempfile::tempdir().unwrap();
    folder(place.path(), &small_graph(), SIZE, &LABELS, END_TO_END);
    let check = |zone: &str| {
        let config = place.path().join("edge.toml");
        let top = format!("model.path = {:?}", place.path().to_str().unwrap());
        std::fs::write(&config, configuration(&top, zone)).unwrap();
        gridpatrol(&["check", "--config", config.to_str().unwrap(), "--json"])
    };
    let said = check(KERB);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let plan: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(plan["cameras"][0]["rules"][0]["labels"], serde_json::json!(["car"]));
    for (zone, reasons) in [
        (format!("{KERB}rule.illegal_parking.labels = [\"car\", \"truck\"]\n"), vec!["no label `truck`"]),
        (KERB.replace("no_parking", "bins"), vec!["none of the labels bin overflow", "[classes]"]),
    ] {
        let zone = zone.replace("rule.illegal_parking.dwell_s = 2\n", "");
        let said = check(&zone);
        let errors = String::from_utf8_lossy(&said.stderr).replace(['\n', '│'], " ");
        let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said.status.code(), Some(2), "{errors}");
        for reason in reasons {
            assert!(errors.contains(reason), "{errors}");
        }
    }
}
