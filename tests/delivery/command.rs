//! Commands, asked by an independent client over a real broker.

use gridpatrol::mqtt::answer::{Done, Outcome};
use gridpatrol::mqtt::command::{self, Code, Order, Refused, Verb};

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;

use super::*;
use crate::support::packet::{packet, publish, resume};
use crate::support::program::{KERB, Running, configuration};

const COMMANDS: &str = "patrol/v1/410102007/box-1/cmd";

/// Takes down what it was asked and says yes.
#[derive(Debug)]
struct Clerk(Mutex<Vec<Order>>);

impl mqtt::Commander for Clerk {
    fn now(&self) -> CaptureTime {
        at(0.0)
    }
    fn carry_out(&self, order: &Order) -> Outcome {
        self.0.lock().unwrap().push(order.clone());
        match order {
            Order::Reload => Err(Refused::new(Code::Unsupported, "not here")),
            _ => Ok(Done::new(Code::Noted)),
        }
    }
}

fn verdict(id: &str) -> String {
    let case = case_id(1);
    format!(r#"{{"id":"{id}","at":"2026-11-23T15:47:00+08:00","case_id":"{case}","verdict":"rejected"}}"#)
}

/// A box with a clerk, connected and online.
fn box_with_clerk(broker: &Mosquitto, change: impl FnOnce(&mut Plan)) -> (Box1, Arc<Clerk>) {
    let mut plan = plan(broker.port());
    change(&mut plan);
    let mut box1 = Box1::new(plan);
    let clerk = Arc::new(Clerk(Mutex::default()));
    box1.commander = Some(clerk.clone());
    let status = broker.subscribe(STATUS);
    box1.connect();
    let online = status.until(state_is("online")).pop().unwrap().json();
    assert_valid(Subject::Status, &online);
    (box1, clerk)
}

fn ask(broker: &Mosquitto, verb: &str, payload: &str) -> Value {
    let (topic, answers) = (format!("{COMMANDS}/{verb}"), format!("{COMMANDS}/{verb}/ack/desk-1"));
    let (correlation, answer) = broker.ask(&topic, &answers, payload, &[]);
    assert_eq!(correlation, "c-17", "{answer}");
    assert_valid(Subject::Answer, &answer);
    answer
}

#[test]
fn a_command_is_answered_where_it_asks_for_it_with_its_correlation_data() {
    let broker = Mosquitto::start();
    let (_box1, clerk) = box_with_clerk(&broker, |_| {});
    let answer = ask(&broker, "verdict", &verdict("v-1"));
    assert_eq!(
        (&answer["ok"], &answer["code"], &answer["id"]),
        (&true.into(), &"noted".into(), &"v-1".into())
    );
    assert_eq!(clerk.0.lock().unwrap().len(), 1);
    // Sent again, by a broker or by malice, it is not carried out again, and the sender learns how it went.
    let answer = ask(&broker, "verdict", &verdict("v-1"));
    assert_eq!((&answer["ok"], &answer["code"]), (&false.into(), &"replayed".into()));
    assert_eq!(answer["earlier"], "noted");
    assert_eq!(clerk.0.lock().unwrap().len(), 1);
}

#[test]
fn what_is_not_to_be_carried_out_is_refused_with_a_code() {
    let broker = Mosquitto::start();
    let (_box1, clerk) = box_with_clerk(&broker, |plan| plan.broker.commands = Verb::USUAL.to_vec());
    let old = verdict("v-2").replace("2026-11-23", "2026-11-13");
    let snapshot = r#"{"id":"s-1","at":"2026-11-23T15:47:00+08:00","camera":"cam-05"}"#;
    let reload = r#"{"id":"r-1","at":"2026-11-23T15:47:00+08:00"}"#;
    for (verb, payload, code) in [
        ("verdict", "{\"id\": 7", "malformed"),
        ("verdict", &verdict("v-2").replace(&case_id(1), "../../etc/passwd"), "malformed"),
        ("verdict", &format!("{:9000}", ' '), "too_large"),
        ("verdict", &old, "stale"),
        ("snapshot", snapshot, "unauthorized"),
        ("reload", reload, "unsupported"),
    ] {
        let answer = ask(&broker, verb, payload);
        assert_eq!((&answer["ok"], &answer["code"]), (&false.into(), &code.into()), "{payload:.90}");
        assert!(answer["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{answer}");
    }
    assert_eq!(*clerk.0.lock().unwrap(), [Order::Reload]);
    // Where there is no such verb, and where another topic is asked for, the answer comes where it always does.
    let unknown = format!("{COMMANDS}/unknown/ack");
    let (_, answer) = broker.ask(&format!("{COMMANDS}/format-disk"), &unknown, "{}", &[]);
    assert_eq!(answer["code"], "unknown_command");
    let own = broker.subscribe(&format!("{COMMANDS}/verdict/ack"));
    let elsewhere = broker.subscribe("elsewhere/#");
    let publish = |more: &[&str]| {
        let port = broker.port().to_string();
        let topic = format!("{COMMANDS}/verdict");
        let payload = verdict("v-3");
        let args = ["-h", "localhost", "-p", &port, "-V", "5", "-q", "1", "-t", &topic, "-m", &payload];
        let done = std::process::Command::new("mosquitto_pub").args(args).args(more).status();
        assert!(done.unwrap().success());
    };
    publish(&["-D", "publish", "response-topic", "elsewhere/door"]);
    let answer = own.next().json();
    assert_eq!(answer["code"], "bad_response_topic");
    publish(&["-r"]);
    assert_eq!(own.next().json()["ok"], true, "a live message, although the broker keeps a copy");
    assert!(elsewhere.rest().is_empty());
    assert_eq!(clerk.0.lock().unwrap().len(), 2);
}

#[test]
fn with_a_key_an_unsigned_command_is_unauthorized() {
    let broker = Mosquitto::start();
    let key = broker.file("key", "the key\n");
    let (_box1, clerk) = box_with_clerk(&broker, |plan| plan.broker.command_key = Some(key.into()));
    assert_eq!(ask(&broker, "verdict", &verdict("v-1"))["code"], "unauthorized");
    assert!(clerk.0.lock().unwrap().is_empty());
    let payload = verdict("v-1");
    let signature = command::sign(b"the key", "410102007/box-1", "verdict", payload.as_bytes());
    let (topic, answers) = (format!("{COMMANDS}/verdict"), format!("{COMMANDS}/verdict/ack"));
    let more = ["-D", "publish", "user-property", "signature", &signature];
    let (_, answer) = broker.ask(&topic, &answers, &payload, &more);
    assert_eq!(answer["code"], "noted");
}

#[test]
fn a_verdict_that_was_sent_while_the_box_was_away_is_carried_out_once_it_is_back() {
    let broker = Mosquitto::start();
    let (mut box1, clerk) = box_with_clerk(&broker, |_| {});
    box1.vanish();
    let answers = broker.subscribe(&format!("{COMMANDS}/verdict/ack"));
    let port = broker.port().to_string();
    let (topic, payload) = (format!("{COMMANDS}/verdict"), verdict("v-9"));
    let args = ["-h", "localhost", "-p", &port, "-V", "5", "-q", "1", "-t", &topic, "-m", &payload];
    assert!(std::process::Command::new("mosquitto_pub").args(args).status().unwrap().success());
    box1.connect();
    assert_eq!(answers.next().json()["id"], "v-9");
    assert_eq!(clerk.0.lock().unwrap().len(), 1);
}

#[test]
fn a_running_box_carries_out_what_it_is_asked() {
    let broker = Mosquitto::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let top = format!(
        "mqtt.url = \"mqtt://127.0.0.1:{}\"\nmqtt.commands = [\"verdict\", \"quiet\", \"resume\", \"evidence\", \"snapshot\"]\n\
         web.listen = \"127.0.0.1:{port}\"",
        broker.port()
    );
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, configuration(&top, KERB)).unwrap();
    let everything = broker.subscribe("patrol/v1/410102007/box-1/#");
    let metrics = broker.subscribe("patrol/v1/410102007/box-1/metrics");
    let mut box1 = Running::start(&["run", "--config", config.to_str().unwrap()]);
    let now = || jiff::Timestamp::now().to_string();
    // While the clip runs.
    everything.until(state_is("online"));
    let snapshot = format!(r#"{{"id":"s-1","at":"{}","camera":"cam-05"}}"#, now());
    let answer = ask(&broker, "snapshot", &snapshot);
    assert_eq!(answer["code"], "done", "{answer}");
    let picture =
        everything.until(|message| message.topic.ends_with("/camera/cam-05/snapshot")).pop().unwrap();
    let sha256: String = Sha256::digest(&picture.payload).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(answer["picture"]["sha256"], sha256);
    assert_eq!(answer["picture"]["uri"], format!("mqtt:{}", picture.topic));
    assert!(picture.payload.starts_with(&[0xff, 0xd8]));
    let unknown = ask(&broker, "snapshot", &snapshot.replace("s-1", "s-2").replace("cam-05", "cam-06"));
    assert_eq!(unknown["code"], "unknown_camera");

    let is_overview = |message: &Received| message.topic.ends_with("/overview");
    let case = broker.subscribe("patrol/v1/410102007/box-1/case/+/+");
    let first = match everything.rest().into_iter().find(is_overview) {
        Some(picture) => picture,
        None => everything.until(is_overview).pop().unwrap(),
    };
    drop(case);
    let id = first.topic.rsplit('/').nth(1).unwrap().to_owned();
    let again = broker.subscribe("patrol/v1/410102007/box-1/case/+/+/evidence/+/overview");
    let evidence = format!(r#"{{"id":"e-1","at":"{}","case_id":"{id}","role":"overview"}}"#, now());
    assert_eq!(ask(&broker, "evidence", &evidence)["code"], "done");
    let second = again.until(|message| message.topic == first.topic).pop().unwrap();
    assert_eq!(second.payload, first.payload);
    let none = evidence.replace("\"e-1\"", "\"e-2\"").replace("overview", "first");
    assert_eq!(ask(&broker, "evidence", &none)["code"], "no_picture");

    let rejected = format!(r#"{{"id":"v-1","at":"{}","case_id":"{id}","verdict":"rejected"}}"#, now());
    let answer = ask(&broker, "verdict", &rejected);
    assert_eq!(answer["code"], "quiet", "{answer}");
    assert!(answer["until"].is_string());
    assert_eq!(
        ask(&broker, "verdict", &rejected.replace("v-1", "v-2"))["code"],
        "noted",
        "the same once more"
    );
    let resume = format!(r#"{{"id":"r-1","at":"{}","case_id":"{id}"}}"#, now());
    assert_eq!(ask(&broker, "resume", &resume)["code"], "resumed");
    let quiet = format!(
        r#"{{"id":"q-1","at":"{}","camera":"cam-05","zone":"kerb","kind":"illegal_parking","minutes":5,"reason":"施工"}}"#,
        now()
    );
    assert_eq!(ask(&broker, "quiet", &quiet)["code"], "quiet");
    let wrong = quiet.replace("q-1", "q-2").replace("illegal_parking", "crowd");
    assert_eq!(ask(&broker, "quiet", &wrong)["code"], "unknown_rule");
    let says_so = |message: &Received| {
        message.topic == STATUS && message.json()["throttle"]["quiet_rules"][0]["reason"] == "施工"
    };
    let status = everything.until(says_so).pop().unwrap().json();
    assert_valid(Subject::Status, &status);
    // What it counts comes on a topic of its own, and on the page for Prometheus.
    let metrics = metrics.next().json();
    assert_valid(Subject::Metrics, &metrics);
    assert!(metrics["uptime_s"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{metrics}");
    let page = get(&format!("127.0.0.1:{port}"), "/metrics");
    assert!(page.contains("version=0.0.4") && page.contains("gridpatrol_looks_total "), "{page}");
    assert!(page.contains("gridpatrol_verdicts_total{verdict=\"rejected\"} 1\n"), "{page}");
    assert_eq!(box1.terminate(), Some(0));
}

/// What a page answers.
fn get(address: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// A broker that resumes the box's session with far more commands than the box has asked for at a time: it must not lose
/// its cases over them.
#[test]
fn a_flood_of_commands_is_answered_each_once_and_holds_up_no_case() {
    const COMMANDS_AT_ONCE: u16 = 1000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let broker = std::thread::spawn(move || {
        let mut stream = resume(&listener);
        let mut writer = stream.try_clone().unwrap();
        let (subscribed, subscription) = std::sync::mpsc::channel::<u16>();
        let (publications, to_acknowledge) = std::sync::mpsc::channel::<u16>();
        let flood = std::thread::spawn(move || {
            // All commands, and SUBACK behind them.
            for id in 1..=COMMANDS_AT_ONCE {
                let command = verdict(&format!("v-{id}"));
                writer.write_all(&publish(&format!("{COMMANDS}/verdict"), command.as_bytes(), id)).unwrap();
            }
            let [high, low] = subscription.recv_timeout(PATIENCE).unwrap().to_be_bytes();
            writer.write_all(&[0x90, 4, high, low, 0, 1]).unwrap();
            // PUBACK of what the box says.
            for id in to_acknowledge {
                let [high, low] = id.to_be_bytes();
                writer.write_all(&[0x40, 2, high, low]).unwrap();
            }
        });
        let (mut acknowledged, mut answers, mut cases) = (BTreeSet::new(), BTreeMap::new(), 0);
        while acknowledged.len() < usize::from(COMMANDS_AT_ONCE) || cases == 0 {
            let (kind, body) = packet(&mut stream).expect("the box stays and goes on");
            match kind & 0xf0 {
                0x40 => {
                    let id = u16::from_be_bytes([body[0], body[1]]);
                    assert!(acknowledged.insert(id), "{id} once");
                }
                0x80 => subscribed.send(u16::from_be_bytes([body[0], body[1]])).unwrap(),
                0x30 => {
                    let end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                    let topic = String::from_utf8(body[2..end].to_vec()).unwrap();
                    // Properties come before the payload; no need to read them.
                    let text = String::from_utf8_lossy(&body[end..]).into_owned();
                    if topic.ends_with("/ack") {
                        let answer: Value = serde_json::from_str(&text[text.find("{\"").unwrap()..]).unwrap();
                        *answers.entry(answer["code"].as_str().unwrap().to_owned()).or_insert(0) += 1;
                    }
                    cases += usize::from(topic.ends_with("/illegal_parking"));
                    if kind & 0x06 != 0 {
                        publications.send(u16::from_be_bytes([body[end], body[end + 1]])).unwrap();
                    }
                }
                other => panic!("{other:x}"),
            }
        }
        drop(publications);
        flood.join().unwrap();
        answers
    });
    let mut box1 = Box1::new(plan(port));
    let clerk = Arc::new(Clerk(Mutex::default()));
    box1.commander = Some(clerk.clone());
    box1.open(&case_id(1));
    box1.connect();
    let answers = broker.join().expect("all over one connection");
    let count = |code: &str| answers.get(code).copied().unwrap_or(0);
    assert_eq!(count("noted") + count("busy"), i32::from(COMMANDS_AT_ONCE), "{answers:?}");
    // As many as there is room for are carried out, not only the first few.
    assert!(count("noted") >= 256, "{answers:?}");
    assert_eq!(clerk.0.lock().unwrap().len(), count("noted") as usize);
}
