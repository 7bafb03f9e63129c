//! From a happening to what an independent client on a real broker receives.
//! This file holds what its tests share.

mod backlog;
mod broker;
mod chaos;
mod command;
mod contract;
mod contract_page;
mod demo_broker;
mod event;
mod health;
mod older;
mod page;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use gridpatrol::case::catalog::CATALOG;
use gridpatrol::case::throttle::Note;
use gridpatrol::case::{Case, CaseId, Change, Happening, RuleIndex};
use gridpatrol::cli::schema::{Subject, of};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::{Decode, GridProfile};
use gridpatrol::demo;
use gridpatrol::detect::{BBox, Detection, Label, ModelIdentity, Vocabulary};
use gridpatrol::evidence::{Evidence, Picture, Redaction, Role};
use gridpatrol::gate::GatePlan;
use gridpatrol::mqtt::{self, CaseEvent, Context, Report, Tuning};
use gridpatrol::outbox::{Outbox, Sequence};
use gridpatrol::place::{GridBasis, GridId, Polygon, Position, Site};
use gridpatrol::plan::{BrokerPlan, CameraPlan, Condition, CurrentPlan, Input, Plan, RulePlan};
use jiff::tz::TimeZone;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::support::mosquitto::{Mosquitto, PATIENCE, Received};

const STATUS: &str = "patrol/v1/410102007/box-1/status";
const CASES: &str = "patrol/v1/410102007/+/case/+/+";
const EVERYTHING: &str = "patrol/#";

/// The grids of the two rules.
const GRIDS: [&str; 2] = ["410102007003012", "410102007003013"];

/// 2026-11-23T15:47:18.250+08:00.
const NOON: i64 = 1_795_420_038_250_000_000;

fn plan(port: u16) -> Plan {
    let rule = |slug: &str, grid: &str| {
        let kind = CATALOG.kind(slug).unwrap();
        RulePlan {
            schedule: None,
            zone: "north-kerb".to_owned(),
            site: Site::of_zone(GridId::parse(grid, GridProfile::GbT47678).unwrap()),
            polygon: Polygon::new(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).unwrap(),
            kind: kind.clone(),
            labels: vec!["car".to_owned()],
            labels_are_given: true,
            is_named: true,
            score: 0.45,
            size: Default::default(),
            dwell_s: 20.0,
            clear_s: 10.0,
            absence_s: None,
            cool_down_s: 0.0,
            condition: Condition::Standing,
            company: Vec::new(),
        }
    };
    Plan {
        street: "410102007".to_owned(),
        box_id: "box-1".to_owned(),
        grid_profile: GridProfile::GbT47678,
        zone: TimeZone::fixed(jiff::tz::offset(8)),
        model: PathBuf::new(),
        runtime: None,
        threads: 1,
        providers: vec![gridpatrol::detect::Provider::Cpu],
        workers: 1,
        pin: false,
        redaction: None,
        limits: Default::default(),
        broker: BrokerPlan::plain("127.0.0.1", port),
        storage: PathBuf::new(),
        outbox_bytes: gridpatrol::outbox::DEFAULT_QUOTA,
        retention: Default::default(),
        upload: None,
        web: None,
        cameras: vec![CameraPlan {
            id: "cam-05".to_owned(),
            name: "3号院北门".to_owned(),
            input: Input::Video(PathBuf::new()),
            evidence_input: None,
            decode: Decode::Auto,
            look_interval_s: 0.2,
            catalog: std::sync::Arc::clone(&CATALOG),
            look_at: Default::default(),
            view: Default::default(),
            gate: GatePlan { enabled: true, look_interval_s: 5.0 },
            scores: None,
            masks: [].into(),
            clip: false,
            sign_posted: true,
            rules: vec![rule("illegal_parking", GRIDS[0]), rule("crowd", GRIDS[1])],
        }],
    }
}

fn vocabulary() -> Vocabulary {
    Vocabulary::new(vec!["person".to_owned(), "car".to_owned()])
}

fn model() -> ModelIdentity {
    ModelIdentity { name: "nanodet-g-416".to_owned(), sha256: "ab".repeat(32) }
}

fn at(seconds: f64) -> CaptureTime {
    CaptureTime::from_nanos(NOON).plus_seconds(seconds)
}

fn happening(change: Change, case: &str, rule: usize, objects: usize) -> Happening {
    let car = Detection {
        label: Label(1),
        score: 0.834_56,
        bbox: BBox { x1: 0.41, y1: 0.533_456_7, x2: 0.63, y2: 1.02 },
    };
    let last = if change == Change::Cleared { 60.0 } else { 20.0 };
    Happening {
        change,
        at: at(last + 0.2),
        case: Case {
            id: CaseId::parse(case).expect("a test uses case ids as they are"),
            rule: RuleIndex(rule),
            first_seen: at(0.0),
            opened: at(20.0),
            last_seen: at(last),
            looks: 101,
            hits: 99,
            objects: vec![car; objects],
            grid: GridId::parse(GRIDS[rule.min(1)], GridProfile::GbT47678).unwrap(),
            grid_basis: GridBasis::Zone,
            position: Some(Position { lon: 113.612_345_678_9, lat: 34.75, accuracy_m: Some(0.449) }),
        },
    }
}

fn picture(role: Role) -> Picture {
    let jpeg = format!("\u{0}JPEG of the {}", role.as_str()).into_bytes();
    let sha256 = Sha256::digest(&jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
    let view_height = Some(552);
    Picture {
        role,
        bytes: jpeg,
        sha256,
        width: 768,
        height: 600,
        view_height,
        captured: None,
        url: None,
        part: None,
    }
}

fn taken(roles: &[Role]) -> Evidence {
    Evidence::Taken {
        pictures: roles.iter().map(|role| picture(*role)).collect(),
        redaction: Redaction { persons: 2, vehicles: 1, faces: 2, plates: 1 },
    }
}

fn case_id(n: u32) -> String {
    format!("01934f6e-5c1a-7b3e-9a54-{n:012x}")
}

/// A message with nothing else to say.
static PLAIN: LazyLock<Note> = LazyLock::new(Note::default);

fn report<'a>(
    plan: &'a Plan,
    happening: &'a Happening,
    evidence: &'a Evidence,
    names: &'a Vocabulary,
    sequence: &mut Sequence,
) -> Report<'a> {
    let sequence = sequence.next_number();
    let camera = &plan.cameras[0];
    Report {
        plan,
        camera,
        happening,
        evidence,
        note: &PLAIN,
        vocabulary: names,
        model: None,
        sequence,
        recorded: at(300.0),
        clock_synced: None,
    }
}

/// Accepts a change of a case with its pictures, as the pipeline does.
fn accept(outbox: &Outbox, plan: &Plan, change: Change, case: &str, rule: usize, roles: &[Role]) {
    let (happening, evidence, names) = (happening(change, case, rule, 1), taken(roles), vocabulary());
    outbox
        .accept("cam-05", Some(b"state"), |sequence| {
            mqtt::messages(&report(plan, &happening, &evidence, &names, sequence))
        })
        .unwrap();
}

/// An event on its own, without an outbox.
fn event(happening: &Happening, evidence: &Evidence) -> CaseEvent {
    let (plan, names, model) = (plan(1883), vocabulary(), model());
    CaseEvent::new(&Report {
        plan: &plan,
        camera: &plan.cameras[0],
        happening,
        evidence,
        note: &PLAIN,
        vocabulary: &names,
        model: Some(&model),
        sequence: 4182,
        recorded: at(300.0),
        clock_synced: None,
    })
    .unwrap()
}

fn validator(subject: Subject) -> jsonschema::Validator {
    let schema = of(subject).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
fn assert_valid(subject: Subject, message: &Value) {
    let faults: Vec<String> = validator(subject)
        .iter_errors(message)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:#?} in {message:#}");
}

/// A session's context with delays fit for a test.
fn context(plan: &Plan) -> Context {
    let (short, longer) = (Duration::from_millis(20), Duration::from_millis(200));
    let tuning = Tuning {
        reconnect: (short, longer),
        hold: (short, longer),
        will_delay_s: 0,
        status_every: longer,
        ..Tuning::default()
    };
    Context {
        current: CurrentPlan::new(plan.clone()),
        plan: Arc::new(plan.clone()),
        model: Some(model()),
        runtime: None,
        started: at(-60.0),
        throttle: None,
        commander: None,
        meter: None,
        board: None,
        tuning,
    }
}

/// The daemon's side: an outbox and a session in a runtime of its own.
struct Box1 {
    plan: Plan,
    tuning: Tuning,
    commander: Option<Arc<dyn mqtt::Commander>>,
    meter: Option<Arc<gridpatrol::metrics::Meter>>,
    board: Option<gridpatrol::health::HealthBoard>,
    outbox: Arc<Outbox>,
    runtime: Option<tokio::runtime::Runtime>,
    stop: Option<oneshot::Sender<()>>,
    session: Option<tokio::task::JoinHandle<()>>,
}

impl Box1 {
    fn new(plan: Plan) -> Self {
        let outbox = Arc::new(Outbox::in_memory().unwrap());
        let Context { tuning, .. } = context(&plan);
        Self {
            plan,
            tuning,
            commander: None,
            meter: None,
            board: None,
            outbox,
            runtime: None,
            stop: None,
            session: None,
        }
    }

    fn connect(&mut self) {
        let (commander, meter, board) = (self.commander.clone(), self.meter.clone(), self.board.clone());
        let context = Context { tuning: self.tuning, commander, meter, board, ..context(&self.plan) };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel();
        let session = mqtt::run(context, Arc::clone(&self.outbox), async {
            let _ = stopped.await;
        });
        self.session = Some(runtime.spawn(session));
        self.stop = Some(stop);
        self.runtime = Some(runtime);
    }

    fn open(&self, case: &str) {
        accept(&self.outbox, &self.plan, Change::Opened, case, 0, &[]);
    }

    /// Ends the session as a shutdown does.
    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let (runtime, session) = (self.runtime.take().unwrap(), self.session.take().unwrap());
        runtime.block_on(async { tokio::time::timeout(PATIENCE, session).await }).unwrap().unwrap();
    }

    /// Ends the session as kill -9 does: the socket closes without a word.
    fn vanish(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Waits until so many events are left.
    fn wait_for_backlog(&self, events: u64) {
        let began = Instant::now();
        while self.outbox.backlog().unwrap().events != events {
            assert!(began.elapsed() < PATIENCE, "the backlog is {:?}", self.outbox.backlog().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn state_is(state: &str) -> impl Fn(&Received) -> bool {
    move |message| message.topic == STATUS && message.json()["state"] == state
}

fn case_of(message: &Received) -> String {
    message.json()["data"]["case_id"].as_str().unwrap().to_owned()
}
