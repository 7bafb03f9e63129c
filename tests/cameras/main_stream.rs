//! A camera that is looked at through its smaller stream while pictures are of its main one.

use std::path::Path;

use super::media::clip;
use super::server::Server;
use crate::support::mosquitto::Mosquitto;
use crate::support::program::{CLIP, KERB, Running, gridpatrol};

/// A configuration with a camera whose sub-stream is `sub` and whose main stream is `main`.
fn config(broker: &Mosquitto, sub: &str, main: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    let text = format!(
        "edge = {{ street = \"410102007\", box = \"box-1\", grid_profile = \"gb-t-47678.3\" }}\n\
         mqtt.url = \"mqtt://127.0.0.1:{}\"\n[[camera]]\nid = \"gate\"\nsource = \"{sub}\"\n\
         evidence_source = \"{main}\"\n{KERB}",
        broker.port()
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// Width and height of the first overview that comes.
fn overview(broker: &Mosquitto, config: &str) -> (u32, u32) {
    // Pictures follow when somebody has taken the case.
    let everything = broker.subscribe("patrol/#");
    let mut program = Running::start(&["run", "--config", config]);
    let messages = everything.until(|message| message.topic.ends_with("/overview"));
    let picture = messages.last().unwrap();
    assert_eq!(program.terminate(), Some(0));
    let picture = image::load_from_memory(&picture.payload).unwrap();
    (picture.width(), picture.height())
}

#[test]
fn pictures_are_of_the_main_stream_and_of_the_other_when_that_is_away() {
    let whole = Path::new(CLIP).canonicalize().unwrap();
    let small =
        clip("small-vtest.mp4", &format!("-i {} -an -vf scale=480:360 -c:v libx264 -g 10", whole.display()));
    let server = Server::start(&[("main", &whole), ("sub", &small)]);
    let broker = Mosquitto::start();
    let (_folder, path) = config(&broker, &server.url("sub"), &server.url("main"));
    let main = overview(&broker, &path);
    assert!(
        main.0 == 768 && main.1 > 576,
        "the main stream is 768x576, and the caption stands below: {main:?}"
    );
    let (_folder, path) = config(&broker, &server.url("sub"), &server.url("nowhere"));
    let sub = overview(&broker, &path);
    assert!(sub.0 == 480 && sub.1 > 360, "{sub:?}");
}

#[test]
fn a_main_stream_that_cannot_be_is_refused_by_its_key() {
    let broker = Mosquitto::prepare("");
    for (source, main, expected) in [
        ("rtsp://camera/sub", "rtsp://camera/sub", "the same stream"),
        ("rtsp://camera/sub", "rtsp://admin:hunter2@camera/main", "do not belong in the address"),
        ("rtsp://camera/sub", "http://camera/main", "`http` sources are not supported"),
        (CLIP, "rtsp://camera/main", "the source is a recording"),
    ] {
        let source = if source == CLIP {
            Path::new(CLIP).canonicalize().unwrap().display().to_string()
        } else {
            source.to_owned()
        };
        let (_folder, path) = config(&broker, &source, main);
        let output = gridpatrol(&["check", "--config", &path]);
        let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected) && said.contains("camera.evidence_source"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
