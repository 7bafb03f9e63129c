//! The whole program with a camera on the network, as a user runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::plan::Plan;

use super::server::Server;
use crate::support::mosquitto::Mosquitto;
use crate::support::program::{CLIP, KERB, configuration, gridpatrol};

const PASSWORD: &str = "Tr0ub4dor-and-3";

/// A configuration whose camera is at `url`; `login` are further lines.
fn live(top: &str, url: &str, login: &str) -> String {
    let text = configuration(top, KERB);
    let line = text.lines().find(|line| line.starts_with("source = ")).unwrap();
    text.replace(line, &format!("source = \"{url}\"\n{login}"))
}

/// Whether any file under `folder` holds any of `secrets`.
fn holds(folder: &Path, secrets: &[&str]) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, secrets);
        }
        let bytes = std::fs::read(&path).unwrap();
        secrets.iter().any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    })
}

#[test]
fn a_camera_with_a_login_gives_its_cases_and_its_password_is_nowhere() {
    let clip = Path::new(CLIP).canonicalize().unwrap();
    for method in ["basic", "digest"] {
        let server = Server::with_login(&format!("{method}:viewer:{PASSWORD}"), &[("gate", &clip)]);
        let broker = Mosquitto::start();
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("edge.toml");
        let top = format!("mqtt.url = \"mqtt://127.0.0.1:{}\"", broker.port());
        let login = "username = \"viewer\"\npassword_env = \"GATE_PASSWORD\"";
        std::fs::write(&config, live(&top, &server.url("gate"), login)).unwrap();
        let everything = broker.subscribe("patrol/#");
        let log = folder.path().join("log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
            .args(["run", "--config", config.to_str().unwrap()])
            .env("GATE_PASSWORD", PASSWORD)
            .env("GRIDPATROL_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let messages = everything.until(|message| message.topic.ends_with("/illegal_parking"));
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(0));
        // As it is, and as basic authentication spells `viewer:password`.
        let secrets = [PASSWORD, "dmlld2VyOlRyMHViNGRvci1hbmQtMw"];
        for message in &messages {
            let text = String::from_utf8_lossy(&message.payload);
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{}", message.topic);
        }
        assert!(std::fs::read_to_string(&log).unwrap().contains("The camera gives pictures"));
        assert!(!holds(folder.path(), &secrets), "{method}: a log or the storage holds the password");
    }
}

/// `check` on a camera at `url` with `login` must exit with 2, say all of `expected`, and repeat no password.
fn refused(url: &str, login: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, live("", url, login)).unwrap();
    let output = gridpatrol(&["check", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    for part in expected {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

#[test]
fn addresses_and_logins_that_cannot_work_are_refused_with_a_way_out() {
    let secret = &["camera.source", "do not belong in the address", "password_file"];
    refused("rtsp://admin:hunter2@camera/live", "", secret);
    refused("rtsp://camera/live?user=admin&password=hunter2", "", secret);
    refused("rtsps://camera/live", "", &["`rtsps` sources are not supported", "rtsp://host/path"]);
    refused("rtsp://:554/live", "", &["camera.source", "expected a host name"]);
    refused("rtsp://camera:99999/live", "", &["camera.source", "the port"]);
    refused("rtsp://camera/live", "username = \"viewer\"", &["camera.username", "password_file"]);
    refused("rtsp://camera/live", "password_env = \"GATE\"", &["camera.username", "is missing"]);
    refused(
        "rtsp://camera/live",
        "username = \"v\"\npassword_file = \"nowhere\"",
        &["camera.password_file", "nowhere"],
    );
    refused("rtsp://camera/live", "decode = \"some\"", &["some", "auto"]);
    refused(CLIP, "username = \"viewer\"", &["camera.username", "cameras on the network"]);
}

#[test]
fn movement_is_needed_only_while_a_rule_about_it_is_in_force() {
    let night = KERB.replace("no_parking", "restricted").replace(
        "rule.illegal_parking.dwell_s = 2\n",
        "rule.intrusion.schedule = [\"22:00-06:00\"]\nrule.illegal_parking.dwell_s = 60\n",
    );
    for (zone, by_day, by_night) in [(KERB, false, false), (&night, false, true)] {
        let text = configuration("", zone);
        let file = ConfigFile::parse("tests/edge.toml".as_ref(), text).unwrap();
        let camera = Plan::new(&file).unwrap().cameras.remove(0);
        let at = |time: &str| CaptureTime::from_timestamp(time.parse().unwrap());
        assert_eq!(camera.needs_motion(at("2026-11-24T12:00:00+08:00")), by_day);
        assert_eq!(camera.needs_motion(at("2026-11-24T23:30:00+08:00")), by_night);
    }
}
