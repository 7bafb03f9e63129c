//! The whole program as a service: it says that it is ready and alive, and takes a new configuration for one camera
//! without touching the others.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gridpatrol::clock::{Clock as _, SystemClock};
use serde_json::Value;

use super::server::Server;
use crate::support::mosquitto::{Mosquitto, Received};
use crate::support::program::{CLIP, KERB};

const PATIENCE: Duration = Duration::from_secs(60);

/// `gridpatrol run` as a service manager starts it; killed on drop.
struct Service {
    child: Child,
    notices: UnixDatagram,
    page: u16,
    folder: tempfile::TempDir,
    top: String,
}

impl Service {
    fn start(broker: &Mosquitto, cameras: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("notify");
        let notices = UnixDatagram::bind(&socket).unwrap();
        notices.set_read_timeout(Some(PATIENCE)).unwrap();
        let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let top = format!(
            "edge = {{ street = \"410102007\", box = \"box-1\", grid_profile = \"gb-t-47678.3\" }}\n\
             mqtt.url = \"mqtt://127.0.0.1:{}\"\nweb.listen = \"127.0.0.1:{page}\"\n",
            broker.port()
        );
        let config = folder.path().join("edge.toml");
        std::fs::write(&config, format!("{top}{cameras}")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
            .args(["run", "--config", config.to_str().unwrap()])
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "400000")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, notices, page, folder, top }
    }

    /// Waits for a notice that starts with `start`, and returns it.
    fn notice(&self, start: &str) -> String {
        let began = Instant::now();
        let mut buffer = [0_u8; 4096];
        loop {
            assert!(began.elapsed() < PATIENCE, "no {start}:\n{}", self.log());
            let length =
                self.notices.recv(&mut buffer).unwrap_or_else(|e| panic!("no {start}: {e}\n{}", self.log()));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(start) {
                return text;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Has it read `cameras`, and returns what it says of them.
    fn reload(&self, cameras: &str) -> String {
        std::fs::write(self.folder.path().join("edge.toml"), format!("{}{cameras}", self.top)).unwrap();
        self.signal("-HUP");
        assert!(self.notice("RELOADING=1").contains("MONOTONIC_USEC="));
        self.notice("READY=1")
    }

    /// How each camera is doing, as the page says, once `done` holds.
    fn cameras(&self, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let url = format!("http://127.0.0.1:{}/cameras.json", self.page);
            let said =
                ureq::get(&url).call().ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
            let cameras: Vec<Value> =
                said.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
            if done(&cameras) {
                return cameras;
            }
            assert!(began.elapsed() < PATIENCE, "{cameras:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A camera on the clip. Each has a grid of its own, so that the throttle holds back nothing.
fn camera(server: &Server, id: &str, settings: &str) -> String {
    let zone = KERB.replace("003012", &format!("0030{:02}", id.as_bytes()[0] - b'a'));
    format!("[[camera]]\nid = \"{id}\"\nsource = \"{}\"\n{settings}\n{zone}", server.url("clip"))
}

fn are_live(cameras: &[Value], ids: &[&str]) -> bool {
    cameras.len() == ids.len()
        && ids.iter().all(|id| cameras.iter().any(|c| c["camera"] == *id && c["link"]["phase"] == "live"))
}

/// The link of the camera called `id`.
fn link<'a>(cameras: &'a [Value], id: &str) -> &'a Value {
    &cameras.iter().find(|camera| camera["camera"] == id).unwrap()["link"]
}

/// The case that `message` says was opened on `camera`, if it does.
fn opened(message: &Received, camera: &str) -> Option<String> {
    if !message.topic.ends_with("/illegal_parking") {
        return None;
    }
    let event = message.json();
    let is_it = event["data"]["place"]["camera"] == camera && event["type"] == "cn.patrol.case.opened.v1";
    is_it.then(|| event["data"]["case_id"].as_str().unwrap().to_owned())
}

#[test]
fn a_reload_changes_the_cameras_that_changed_and_touches_no_other() {
    let clip = Path::new(CLIP).canonicalize().unwrap();
    let server = Server::start(&[("clip", &clip)]);
    let broker = Mosquitto::start();
    let everything = broker.subscribe("patrol/#");
    let [gate, kerb, yard] = ["gate", "kerb", "yard"].map(|id| camera(&server, id, ""));
    let mut service = Service::start(&broker, &format!("{gate}{kerb}{yard}"));
    assert!(service.notice("READY=1").contains("STATUS=3 cameras"));
    for _ in 0..3 {
        service.notice("WATCHDOG=1");
    }
    let before = service.cameras(|cameras| are_live(cameras, &["gate", "kerb", "yard"]));
    // Two cars stand at the kerb of the clip.
    let mut cases = BTreeSet::new();
    let messages = everything.until(|message| {
        cases.extend(opened(message, "kerb"));
        cases.len() == 2
    });
    let told = messages.last().unwrap().json();

    let [slower, lane] =
        [("kerb", "looks_per_second = 3"), ("lane", "")].map(|(id, more)| camera(&server, id, more));
    let said = service.reload(&format!("{gate}{slower}{lane}"));
    assert!(said.contains("added: lane; changed: kerb; removed: yard"), "{said}");
    let after = service.cameras(|cameras| are_live(cameras, &["gate", "kerb", "lane"]));
    for same in ["connections", "since"] {
        assert_eq!(link(&before, "gate")[same], link(&after, "gate")[same], "{same}");
    }
    assert!(link(&before, "gate")["decoded"].as_u64() < link(&after, "gate")["decoded"].as_u64());

    // A configuration that cannot be taken changes nothing.
    let said = service.reload(&format!("{gate}[[camera]]\nid = \"gate\"\n"));
    assert!(said.contains("at fault"), "{said}");
    assert!(service.log().contains("missing field `source`"), "{}", service.log());
    assert!(are_live(&service.cameras(|_| true), &["gate", "kerb", "lane"]));

    // Somebody who may command can ask for the same.
    std::fs::write(service.folder.path().join("edge.toml"), format!("{}{gate}{slower}", service.top))
        .unwrap();
    let now = jiff::Timestamp::now();
    let (_, answer) = broker.ask(
        "patrol/v1/410102007/box-1/cmd/reload",
        "patrol/v1/410102007/box-1/cmd/reload/ack",
        &format!(r#"{{"id":"r-1","at":"{now}"}}"#),
        &["-V", "5"],
    );
    assert_eq!((&answer["code"], &answer["reason"]), (&"done".into(), &"removed: lane".into()), "{answer}");
    service.cameras(|cameras| are_live(cameras, &["gate", "kerb"]));

    service.signal("-TERM");
    service.notice("STOPPING=1");
    assert_eq!(service.child.wait().unwrap().code(), Some(0), "{}", service.log());
    let messages = everything
        .until(|message| message.topic.ends_with("/status") && message.json()["state"] == "stopped");
    let status = messages.last().unwrap().json();
    assert_eq!(status["cameras"], serde_json::json!(["gate", "kerb"]));
    let synced = SystemClock.is_synced();
    assert_eq!(status["clock_synced"].as_bool(), synced);
    assert_eq!(told["data"]["observed"]["clock_synced"].as_bool(), synced, "of live cameras it is said");
    let after: Vec<String> = messages.iter().filter_map(|message| opened(message, "kerb")).collect();
    assert!(
        after.iter().all(|case| cases.contains(case)),
        "what stood there is the same case as before: {after:?}"
    );
}
