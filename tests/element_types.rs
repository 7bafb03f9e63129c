//! Inputs of every element type and order of axes, on graphs that give their input back: what the runtime is
//! lent must be what preprocessing wrote.

use std::path::Path;

use gridpatrol::detect::model::Model;
use gridpatrol::detect::preprocess::{Crop, Preprocessor};
use gridpatrol::detect::session::Session;
use gridpatrol::error::Kind;
use gridpatrol::frame::Frame;
use sha2::{Digest, Sha256};

/// Element types by their name in a manifest and their number in `onnx.proto`.
const TYPES: [(&str, u64); 3] = [("float32", 1), ("float16", 10), ("uint8", 2)];
const LAYOUTS: [(&str, [u64; 4]); 2] = [("nchw", [1, 3, 8, 16]), ("nhwc", [1, 8, 16, 3])];

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn part(field: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn value_info(name: &str, element: u64, shape: &[u64]) -> Vec<u8> {
    let dims: Vec<u8> = shape.iter().flat_map(|side| part(1, &number(1, *side))).collect();
    let tensor = [number(1, element), part(2, &dims)].concat();
    [part(1, name.as_bytes()), part(2, &part(1, &tensor))].concat()
}

/// A graph that casts `images` to float32 and gives it back, in its own order, as 96 rows of 4, twice.
fn echo(element: u64, shape: &[u64]) -> Vec<u8> {
    let rows: Vec<u8> = [1i64, 96, 4].iter().flat_map(|side| side.to_le_bytes()).collect();
    let rows = [number(1, 3), number(2, 7), part(8, b"rows"), part(9, &rows)].concat();
    let to = [part(1, b"to"), number(3, 1), number(20, 2)].concat();
    let cast = [part(1, b"images"), part(2, b"cast"), part(4, b"Cast"), part(5, &to)].concat();
    let reshape = |to: &str| {
        let node = [part(1, b"cast"), part(1, b"rows"), part(2, to.as_bytes()), part(4, b"Reshape")];
        part(1, &node.concat())
    };
    let graph = [
        part(1, &cast),
        reshape("boxes"),
        reshape("scores"),
        part(2, b"echo"),
        part(5, &rows),
        part(11, &value_info("images", element, shape)),
        part(12, &value_info("boxes", 1, &[1, 96, 4])),
        part(12, &value_info("scores", 1, &[1, 96, 4])),
    ];
    [number(1, 8), part(7, &graph.concat()), part(8, &number(2, 13))].concat()
}

fn model(folder: &Path, graph: &[u8], dtype: &str, layout: &str) -> Model {
    let hash: String = Sha256::digest(graph).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(folder.join("echo.onnx"), graph).unwrap();
    let manifest = format!(
        r#"
name = "echo"
file = "echo.onnx"
sha256 = "{hash}"
licence = "Apache-2.0"
provenance = "made by this test"
opset = 13
labels = ["a", "b", "c", "d"]
input = {{ name = "images", width = 16, height = 8, colour = "bgr", resize = "stretch", scale = 1.0, mean = [0.0, 0.0, 0.0], std = [1.0, 1.0, 1.0], dtype = "{dtype}", layout = "{layout}" }}
head = {{ kind = "boxes_scores", boxes = "boxes", scores = "scores", proposals = 96, classes = 4 }}
threshold = {{ score = 0.5, iou = 0.5 }}
"#
    );
    std::fs::write(folder.join("model.toml"), manifest).unwrap();
    Model::load(folder).unwrap()
}

#[test]
fn the_network_sees_what_preprocessing_wrote_in_every_element_type_and_order_of_axes() {
    let luma = (0..32 * 16).map(|at| (at * 5 % 256) as u8).collect();
    let frame = Frame { width: 32, height: 16, full_range: true, y: luma, ..Frame::default() };
    let frame = Frame { u: vec![90; 128], v: vec![170; 128], ..frame };
    for (layout, shape) in LAYOUTS {
        for (dtype, element) in TYPES {
            let folder = tempfile::tempdir().unwrap();
            let model = model(folder.path(), &echo(element, &shape), dtype, layout);
            let mut session = Session::open(&model, None, 1).unwrap();
            let mut preprocessor = Preprocessor::new(model.manifest.input.clone());
            preprocessor.run(&frame, Crop::whole(&frame), session.input_mut()).unwrap();
            let wrote = session.input_mut().to_f32();
            assert!(wrote.iter().any(|value| *value > 200.0) && wrote.contains(&wrote[0]));
            let seen = session.run(|_, outputs| [outputs[0].to_vec(), outputs[1].to_vec()]).unwrap();
            assert_eq!(seen, [wrote.clone(), wrote], "{dtype} {layout}");
        }
    }
}

#[test]
fn a_graph_of_another_element_type_than_the_manifest_says_is_refused_and_both_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), &echo(2, &LAYOUTS[0].1), "float16", "nchw");
    let error = Session::open(&model, None, 1).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Model);
    let text = error.to_string();
    assert!(text.contains("float16") && text.contains("uint8"), "{text}");
}
