//! The desk on a real broker: what boxes publish comes in, and verdicts go back until they are answered.

use std::time::{Duration, Instant};

use gridpatrol::desk::life::RejectReason;
use gridpatrol::mqtt::command::sign;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::sync::oneshot;

use super::*;
use crate::support::mosquitto::{Mosquitto, PATIENCE, Received};

/// Settings under which the broker drops nothing that waits for a desk that is away.
pub(super) const KEEPS_ALL: &str = "allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 64\n";

/// Publishes `messages`, at most `per_s` a second if that is given, and returns when the broker has acknowledged all.
pub(super) fn publish(port: u16, messages: &[Incoming], per_s: Option<u32>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let id = format!("box-{}", std::process::id());
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut event_loop) = AsyncClient::new(options, 64);
        let total = messages.len();
        let send = async {
            let mut pace = per_s.map(|n| tokio::time::interval(Duration::from_secs(1) / n));
            for message in messages {
                if let Some(pace) = &mut pace {
                    pace.tick().await;
                }
                let properties = PublishProperties::default();
                let (topic, payload) = (message.topic.clone(), message.payload.clone());
                client
                    .publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties)
                    .await
                    .unwrap();
            }
            std::future::pending::<()>().await;
        };
        let receive = async {
            let mut acknowledged = 0;
            while acknowledged < total {
                if let Event::Incoming(Packet::PubAck(_)) = event_loop.poll().await.unwrap() {
                    acknowledged += 1;
                }
            }
        };
        tokio::select! {
            () = send => {}
            () = receive => {}
        }
    });
}

/// A desk that runs in this process.
struct Running {
    street: Street,
    runtime: Option<tokio::runtime::Runtime>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Running {
    fn start(street: Street) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel();
        let desk = std::sync::Arc::clone(&street.desk);
        let task = runtime.spawn(gridpatrol::desk::run(desk, async {
            let _ = stopped.await;
        }));
        let running = Self { street, runtime: Some(runtime), stop: Some(stop), task: Some(task) };
        running.until("it is connected", |street, admin| street.desk.health(admin).unwrap().broker.connected);
        running
    }

    /// Waits until `is_so` holds.
    fn until(&self, what: &str, is_so: impl Fn(&Street, &Viewer) -> bool) {
        let admin = self.street.desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
        let began = Instant::now();
        while !is_so(&self.street, &admin) {
            assert!(began.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn stop(mut self) -> Street {
        self.stop.take().unwrap().send(()).unwrap();
        let (runtime, task) = (self.runtime.take().unwrap(), self.task.take().unwrap());
        runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await }).unwrap().unwrap();
        drop(runtime);
        self.street
    }
}

fn street(broker: &Mosquitto, more: &str) -> Street {
    let street = Street::with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n{more}", broker.port()));
    street.person("root", Role::Admin, &[]);
    street
}

#[test]
fn what_boxes_publish_comes_in_also_while_the_desk_was_away() {
    let mut broker = Mosquitto::prepare(KEEPS_ALL);
    broker.run();
    let running = Running::start(street(&broker, ""));
    let shot = jpeg(1);
    let told = Told { pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(1) };
    publish(broker.port(), &[told.message(), told.picture("overview", &shot)], None);
    running.until("the case and its picture are there", |street, admin| {
        let page = street.desk.list(admin, &Filter::default(), None, 10).unwrap();
        page.cases.first().is_some_and(|case| case.thumb.is_some())
    });
    let street = running.stop();
    publish(broker.port(), &[Told::opened(2).message(), Told::cleared(1).message()], None);
    let running = Running::start(street);
    running.until("what came meanwhile is there", |street, admin| {
        let page = street.desk.list(admin, &Filter::default(), None, 10).unwrap();
        page.cases.len() == 2 && page.cases.iter().any(|case| case.camera_cleared)
    });
    running.stop();
}

/// Answers as a box does.
fn answer(broker: &Mosquitto, received: &Received, ok: bool, code: &str) {
    let command = received.json();
    let answer = json!({"id": command["id"], "verb": "verdict", "ok": ok, "code": code,
                        "at": "2026-11-26T10:00:30+08:00", "until": "2026-11-26T11:00:30+08:00"});
    let topic = format!("{}/ack/patrol-desk-{STREET}", received.topic);
    publish(broker.port(), &[Incoming { topic, payload: answer.to_string().into_bytes().into() }], None);
}

#[test]
fn a_verdict_goes_to_the_box_when_it_cannot_be_taken_back_and_until_it_is_answered() {
    let mut broker = Mosquitto::prepare(KEEPS_ALL);
    broker.run();
    let key = broker.file("key", "the key\n");
    let running = Running::start(street(&broker, &format!("command_key_file = {key:?}\n")));
    let worker = running.street.person("li", Role::Worker, &[SOUTH]);
    let commands = broker.subscribe("patrol/v1/+/+/cmd/verdict");
    publish(broker.port(), &[Told::opened(1).message()], None);
    running.until("the case is there", |street, admin| street.count(admin, Tab::Inbox) == 1);
    let id = running.street.only(&worker);
    let reject = Action::Reject { reason: RejectReason::NotThere, note: "影子".to_owned() };
    running.street.act(&worker, id, reject).unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    assert!(commands.rest().is_empty(), "it can still be taken back");

    running.street.wait(11_000);
    let first = commands.next();
    let command = first.json();
    assert_eq!(first.topic, format!("patrol/v1/{STREET}/box-1/cmd/verdict"));
    assert_eq!((&command["case_id"], &command["verdict"]), (&json!(case_id(1)), &json!("rejected")));
    assert_eq!(command["reviewer_role"], "worker");
    assert!(!first.payload.windows(2).any(|two| two == b"li"), "no name of a reviewer leaves the desk");
    let signature = sign(b"the key", &format!("{STREET}/box-1"), "verdict", &first.payload);
    assert!(first.properties.contains(&signature), "{}", first.properties);

    // Not answered, it comes again as it was; busy counts as not answered.
    running.street.wait(15_001);
    let second = commands.next();
    assert_eq!(second.payload, first.payload);
    answer(&broker, &second, false, "busy");
    running.street.wait(30_001);
    let third = commands.next();
    assert_eq!(third.payload, first.payload);
    answer(&broker, &third, true, "quiet");
    running.until("the answer is noted", |street, admin| {
        street.desk.case(admin, id).unwrap().verdict.is_some_and(|v| v.status == "done")
    });
    let verdict = running.street.desk.case(&worker, id).unwrap().verdict.unwrap();
    assert_eq!(
        (verdict.code.as_deref(), verdict.detail.as_str()),
        (Some("quiet"), "2026-11-26T11:00:30+08:00")
    );
    running.street.wait(24 * 3_600_000);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(commands.rest().is_empty(), "answered is answered");

    // Who opens it again after all, says so to the box.
    let admin = running.street.desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
    running.street.act(&admin, id, Action::Reopen { note: "确实存在".to_owned() }).unwrap();
    running.street.wait(11_000);
    let corrected = commands.next().json();
    assert_eq!(corrected["verdict"], "confirmed");
    assert_ne!(corrected["id"], command["id"]);
    running.stop();
}

#[test]
fn a_box_takes_the_desks_verdict_for_one() {
    use gridpatrol::mqtt::command::{Order as BoxOrder, Packet as Command, Rights, Verb, read};
    let mut broker = Mosquitto::prepare(KEEPS_ALL);
    broker.run();
    let running = Running::start(street(&broker, ""));
    let commands = broker.subscribe("patrol/v1/+/+/cmd/verdict");
    publish(broker.port(), &[Told::opened(1).message()], None);
    running.until("the case is there", |street, admin| street.count(admin, Tab::Inbox) == 1);
    let admin = running.street.desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
    let id = running.street.only(&admin);
    running.street.act(&admin, id, Action::Accept).unwrap();
    running.street.wait(11_000);
    let received = commands.next();
    let packet = Command { verb: "verdict", payload: &received.payload, retained: false, signature: None };
    let rights = Rights { allowed: &Verb::USUAL, key: None, target: "410102007/box-1" };
    let now = CaptureTime::from_nanos(running.street.now() * 1_000_000);
    let request = read(&packet, &rights, now).unwrap();
    let BoxOrder::Verdict { case, .. } = request.order else { panic!("{request:?}") };
    assert_eq!(case.as_str(), case_id(1));
    running.stop();
}

#[test]
fn an_answer_that_is_taken_back_never_reaches_the_box_and_one_that_has_is_put_right() {
    let mut broker = Mosquitto::prepare(KEEPS_ALL);
    broker.run();
    let running = Running::start(street(&broker, ""));
    let (street, desk) = (&running.street, &running.street.desk);
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let commands = broker.subscribe("patrol/v1/+/+/cmd/verdict");
    publish(broker.port(), &[Told::opened(1).message(), Told::opened(2).message()], None);
    running.until("the cases are there", |street, admin| street.count(admin, Tab::Inbox) == 2);
    let cases = desk.list(&worker, &Filter::default(), None, 10).unwrap().cases;
    let of = |n: u32| {
        let found = cases
            .iter()
            .find(|case| desk.case(&worker, case.id).unwrap().seen.unwrap().case_id == case_id(n));
        found.unwrap().id
    };
    let (one, two) = (of(1), of(2));
    let reject = || Action::Reject { reason: RejectReason::NotThere, note: String::new() };

    // Taken back in time: the box hears what was said in its place, and that only.
    street.act(&worker, one, reject()).unwrap();
    street.wait(9_000);
    street.act(&worker, one, Action::Undo).unwrap();
    street.wait(30_000);
    street.act(&worker, one, Action::Accept).unwrap();
    street.wait(11_000);
    let first = commands.next();
    assert_eq!(
        (&first.json()["case_id"], &first.json()["verdict"]),
        (&json!(case_id(1)), &json!("confirmed"))
    );
    answer(&broker, &first, true, "noted");
    running.until("it is noted", |street, admin| {
        street.desk.case(admin, one).unwrap().verdict.is_some_and(|verdict| verdict.status == "done")
    });

    // Confirmed, then merged, then taken back: the box has it right already.
    street.act(&worker, one, Action::Merge { into: two }).unwrap();
    let back = street.act(&worker, one, Action::Undo).unwrap();
    assert_eq!(back.case.state, gridpatrol::desk::life::State::Accepted);
    assert_eq!(back.verdict.unwrap().verdict, "confirmed");

    // Rejected, and the box knows; reopened, and before that has left merged, which is taken back: the box still holds
    // it for rejected and is told at once that it is none.
    street.act(&worker, two, reject()).unwrap();
    street.wait(11_000);
    let rejected = commands.next();
    assert_eq!(
        (&rejected.json()["case_id"], &rejected.json()["verdict"]),
        (&json!(case_id(2)), &json!("rejected"))
    );
    answer(&broker, &rejected, true, "quiet");
    running.until("it is noted", |street, admin| {
        street.desk.case(admin, two).unwrap().verdict.is_some_and(|verdict| verdict.status == "done")
    });
    let admin = desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
    street.act(&admin, two, Action::Reopen { note: "确实存在".to_owned() }).unwrap();
    street.act(&worker, two, Action::Merge { into: one }).unwrap();
    street.act(&worker, two, Action::Undo).unwrap();
    let corrected = commands.next().json();
    assert_eq!((&corrected["case_id"], &corrected["verdict"]), (&json!(case_id(2)), &json!("confirmed")));
    assert_eq!(corrected["reason"], "taken back");
    assert!(commands.rest().is_empty());
    running.stop();
}
