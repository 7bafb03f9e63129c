//! The desk, through the functions that its pages call and over a real broker.
//! This file holds what its tests share.

mod broker;
mod browser;
mod clips;
mod demo;
mod fetch;
mod flood;
mod http;
mod intake;
mod kill;
mod life;
mod live;
mod load;
mod notify;
mod pages;
mod rates;
mod reports;
mod retention;
mod scale;
mod scope;
mod tls;
mod web;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gridpatrol::clock::{CaptureTime, Clock};
use gridpatrol::config::TomlFile;
use gridpatrol::desk::intake::{Incoming, Taken, sha256_of};
use gridpatrol::desk::life::{Action, Millis, NoPhoto, Role};
use gridpatrol::desk::model::{CaseDetail, Filter, Order, Tab};
use gridpatrol::desk::people::NewAccount;
use gridpatrol::desk::{Answer, Denied, Desk, DeskPlan, Viewer};
use serde_json::{Value, json};
use tempfile::TempDir;

const STREET: &str = "410102007";
const NORTH: &str = "410102007003011";
const SOUTH: &str = "410102007003012";
const PASSWORD: &str = "correct horse 9";
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// 2026-11-26T10:00:00+08:00.
const TEN: Millis = 1_795_658_400_000;

const CONFIG: &str = r#"
street = "410102007"
name = "绿东村街道"
[[grid]]
id = "410102007003011"
name = "北院"
[[grid]]
id = "410102007003012"
name = "南院"
[[department]]
id = "urban"
name = "城市管理局"
[[department]]
id = "traffic"
name = "交警大队"
"#;

/// A clock that stands until it is set.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> CaptureTime {
        CaptureTime::from_nanos(self.0.load(Ordering::SeqCst) * 1_000_000)
    }
}

/// A desk in a folder of its own, with a clock of its own and people.
struct Street {
    folder: TempDir,
    clock: Arc<TestClock>,
    desk: Arc<Desk>,
}

impl Street {
    fn new() -> Self {
        Self::with("")
    }

    /// With further lines of configuration.
    fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(TEN)));
        let desk = Desk::with_clock(plan(folder.path(), more), clock.clone()).unwrap();
        Self { folder, clock, desk: Arc::new(desk) }
    }

    /// The same folder opened anew.
    fn reopened(self) -> Self {
        self.reopened_with("")
    }

    /// The same folder opened anew with further lines of configuration.
    fn reopened_with(self, more: &str) -> Self {
        let Self { folder, clock, desk } = self;
        drop(desk);
        let desk = Desk::with_clock(plan(folder.path(), more), clock.clone()).unwrap();
        Self { folder, clock, desk: Arc::new(desk) }
    }

    /// The hashes of all pictures that lie in its folder, sorted.
    fn files(&self) -> Vec<String> {
        let shelves = std::fs::read_dir(self.folder.path().join("data/pictures")).unwrap();
        let shelves = shelves.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let mut names: Vec<String> = shelves
            .flat_map(|shelf| std::fs::read_dir(shelf).unwrap())
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    fn wait(&self, ms: Millis) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    fn now(&self) -> Millis {
        self.clock.0.load(Ordering::SeqCst)
    }

    /// Somebody who has signed in: a worker of `grids`, or another role.
    fn person(&self, login: &str, role: Role, grids: &[&str]) -> Viewer {
        let department = (role == Role::Department).then(|| login.to_owned());
        let new = NewAccount {
            login: login.to_owned(),
            name: format!("{login} name"),
            role,
            grids: grids.iter().map(|&grid| grid.to_owned()).collect(),
            department,
            password: Some(PASSWORD.to_owned()),
        };
        self.desk.add_account_as("test", new).unwrap();
        self.desk.sign_in(login, PASSWORD, HOME).unwrap().viewer
    }

    fn take_in(&self, messages: &[Incoming]) -> Taken {
        self.desk.take_in(messages).unwrap()
    }

    /// The only case in the inbox.
    fn only(&self, viewer: &Viewer) -> i64 {
        let page = self.desk.list(viewer, &Filter::default(), None, 10).unwrap();
        assert_eq!(page.cases.len(), 1, "{page:?}");
        page.cases[0].id
    }

    fn act(&self, viewer: &Viewer, case: i64, action: Action) -> Answer<CaseDetail> {
        self.desk.act(viewer, case, Order { action, version: None }, Vec::new())
    }

    fn count(&self, viewer: &Viewer, tab: Tab) -> usize {
        self.desk.list(viewer, &Filter { tab, ..Filter::default() }, None, 100).unwrap().cases.len()
    }
}

/// The configuration with its data in `folder`.
fn plan(folder: &Path, more: &str) -> DeskPlan {
    let text = format!("{CONFIG}{more}\n[storage]\ndir = \"data\"\n");
    DeskPlan::new(&TomlFile::parse(&folder.join("desk.toml"), text).unwrap()).unwrap()
}

fn dispose() -> Action {
    Action::Dispose { note: "清理完毕".to_owned(), no_photo: Some(NoPhoto::NothingToShow) }
}

fn verify() -> Action {
    Action::Verify { note: String::new() }
}

fn close() -> Action {
    Action::Close { note: String::new() }
}

fn case_id(n: u32) -> String {
    format!("01934f6e-5c1a-7b3e-9a54-{n:012x}")
}

/// A message of a box about its case `n`.
#[derive(Clone)]
struct Told {
    n: u32,
    what: &'static str,
    sequence: u64,
    grid: &'static str,
    kind: &'static str,
    severity: &'static str,
    first_seen: Millis,
    last_seen: Millis,
    pictures: Vec<(&'static str, String)>,
}

impl Told {
    fn opened(n: u32) -> Self {
        Self {
            n,
            what: "opened",
            sequence: u64::from(n) * 10,
            grid: SOUTH,
            kind: "illegal_parking",
            severity: "WARN",
            first_seen: TEN - 300_000,
            last_seen: TEN,
            pictures: Vec::new(),
        }
    }

    fn cleared(n: u32) -> Self {
        Self { what: "cleared", sequence: u64::from(n) * 10 + 9, ..Self::opened(n) }
    }

    fn updated(n: u32, last_seen: Millis) -> Self {
        Self { what: "updated", sequence: u64::from(n) * 10 + 1, last_seen, ..Self::opened(n) }
    }

    fn topic(&self) -> String {
        format!("patrol/v1/{STREET}/box-1/case/{}/{}", self.grid, self.kind)
    }

    fn picture_topic(&self, role: &str) -> String {
        format!("{}/evidence/{}/{role}", self.topic(), case_id(self.n))
    }

    fn json(&self) -> Value {
        let time = |ms: Millis| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
        let evidence: Vec<Value> = self
            .pictures
            .iter()
            .map(|(role, sha256)| {
                json!({"role": role, "uri": format!("mqtt:{}", self.picture_topic(role)), "sha256": sha256,
                       "media": "image/jpeg", "bytes": 100, "width": 768, "height": 600,
                       "view_height": (*role != "closeup").then_some(552)})
            })
            .collect();
        json!({
            "specversion": "1.0",
            "id": format!("11111111-5c1a-7b3e-9a54-{:012x}", self.sequence),
            "source": format!("/patrol/{STREET}/box-1"),
            "type": format!("cn.patrol.case.{}.v1", self.what),
            "subject": format!("{}/cam-05", self.grid),
            "time": time(self.last_seen),
            "recordedtime": time(self.last_seen),
            "expirytime": time(self.last_seen + 86_400_000),
            "sequence": format!("{:012}", self.sequence),
            "partitionkey": self.grid,
            "severitytext": self.severity,
            "datacontenttype": "application/json",
            "dataschema": "urn:patrol:case:1",
            "data": {
                "case_id": case_id(self.n),
                "kind": self.kind,
                "name": "机动车乱停放",
                "name_en": "Illegal parking",
                "standard": {"ref": "GB/T 47678.5-2026", "matter_kind": "管理事项", "code": "09009", "code_2013": null},
                "grid": {"id": self.grid, "scheme": "gb-t-47678.3", "street": STREET, "decided_by": "zone"},
                "place": {"camera": "cam-05", "text": "3号院北门", "zone": "kerb",
                          "outline": [[0.25, 0.5], [0.75, 0.5], [1.0, 0.875], [0.0, 0.875]],
                          "position": {"lon": 113.61, "lat": 34.75}},
                "observed": {"first_seen": time(self.first_seen), "confirmed_at": time(self.last_seen),
                             "last_seen": time(self.last_seen), "dwell_s": 300.0, "samples": 60, "hits": 58,
                             "cleared_at": (self.what == "cleared").then(|| time(self.last_seen))},
                "objects": [{"label": "car", "score": 0.83, "box": [0.41, 0.52, 0.63, 0.78]}],
                "evidence": evidence,
                "recurrence": {"count_7d": 2},
                "review": {"required": true},
            },
        })
    }

    fn message(&self) -> Incoming {
        Incoming { topic: self.topic(), payload: serde_json::to_vec(&self.json()).unwrap().into() }
    }

    fn picture(&self, role: &str, jpeg: &[u8]) -> Incoming {
        Incoming { topic: self.picture_topic(role), payload: jpeg.to_vec().into() }
    }
}

/// A small picture that is a different one for each `n`.
fn jpeg(n: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(32, 24, |x, y| image::Rgb([x as u8 * 7, y as u8 * 9, n as u8]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
    bytes.extend(n.to_be_bytes());
    bytes
}

#[track_caller]
fn assert_not_found<T: std::fmt::Debug>(answer: Answer<T>) {
    assert!(matches!(answer, Err(Denied::NotFound)), "{answer:?}");
}
