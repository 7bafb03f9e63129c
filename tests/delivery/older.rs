//! A broker that does not speak MQTT 5: a real mosquitto behind a door that turns MQTT 5 away, as brokers of 3.1.1 do.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

use gridpatrol::config::MqttVersion;
use gridpatrol::mqtt::answer::{Done, Outcome};
use gridpatrol::mqtt::command::{Code, Order, Verb};
use gridpatrol::outbox::{Matter, Message};

use super::trouble::log_until;
use super::*;

/// How MQTT 5 is turned away.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// With the CONNACK of 3.1.1 (section 3.2.2.3, code 1).
    InOldWords,
    /// With the CONNACK of 5 (section 3.2.2.2, code 0x84).
    InNewWords,
    /// Without a word.
    HangUp,
}

/// Lets clients of MQTT 3.1.1 through to the broker on `port`. Returns its own port.
fn door(port: u16, refusal: Refusal) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || through(client, port, refusal));
        }
    });
    own
}

fn through(mut client: TcpStream, port: u16, refusal: Refusal) {
    let mut head = Vec::new();
    let mut byte = [0];
    // Fixed header with its length of one to four bytes, the name of the protocol and its level.
    let level = loop {
        if client.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
        let length_ends = head.iter().skip(1).position(|b| b & 0x80 == 0).map(|at| at + 2);
        if let Some(level) = length_ends.and_then(|at| head.get(at + 6)) {
            break *level;
        }
    };
    if level == 5 {
        let words: &[u8] = match refusal {
            Refusal::InOldWords => &[0x20, 2, 0, 1],
            Refusal::InNewWords => &[0x20, 3, 0, 0x84, 0],
            Refusal::HangUp => &[],
        };
        if !words.is_empty() {
            // A broker reads all of a CONNECT, which comes in one piece, before it answers; else it resets.
            let _ = client.read(&mut [0; 4096]);
        }
        let _ = client.write_all(words);
        return;
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
    let _ = server.write_all(&head);
    let (mut back, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn a_broker_that_refuses_mqtt_5_gets_every_case_in_3_1_1_and_the_status_says_so() {
    for refusal in [Refusal::InOldWords, Refusal::InNewWords, Refusal::HangUp] {
        let broker = Mosquitto::start();
        let everything = broker.subscribe("patrol/v1/410102007/#");
        let mut box1 = Box1::new(plan(door(broker.port(), refusal)));
        accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(1), 0, &[Role::Overview]);
        box1.connect();
        let online = everything.next();
        let status = online.json();
        assert_eq!((&status["state"], &status["mqtt"]), (&"online".into(), &"3.1.1".into()), "{refusal:?}");
        assert_valid(Subject::Status, &status);
        let event = everything.next();
        assert_eq!(case_of(&event), case_id(1), "{refusal:?}");
        assert_valid(Subject::Event, &event.json());
        assert_eq!((event.qos.as_str(), event.properties.trim(), event.retained), ("1", "", false));
        let overview = everything.next();
        assert_eq!(overview.payload, picture(Role::Overview).bytes);
        // A picture as large as they come.
        let payload: Vec<u8> = (0..250_000_u32).map(|n| n as u8).collect();
        let message = Message {
            case: CaseId::parse(&case_id(1)).unwrap(),
            matter: Matter::Picture(Role::Closeup),
            recorded: at(300.0),
            topic: overview.topic.replace("overview", "closeup"),
            payload: payload.clone(),
            content_type: "image/jpeg".to_owned(),
            expiry_s: 60,
            properties: Vec::new(),
            notes: Vec::new(),
        };
        box1.outbox.accept_with(&[], |_| Ok(vec![message])).unwrap();
        let closeup = everything.until(|message| message.topic.ends_with("/closeup")).pop().unwrap();
        assert!(closeup.payload == payload, "{} bytes came", closeup.payload.len());
        box1.wait_for_backlog(0);
        box1.stop();
        let rest = everything.until(state_is("stopped"));
        assert!(rest.iter().all(|message| message.topic == STATUS), "nothing comes twice: {rest:?}");
    }
}

#[test]
fn in_3_1_1_too_a_case_leaves_the_box_only_when_the_broker_has_it() {
    let mut broker = Mosquitto::start();
    let mut box1 = Box1::new(plan(broker.port()));
    box1.plan.broker.version = MqttVersion::V3;
    let status = broker.subscribe(STATUS);
    box1.connect();
    status.until(state_is("online"));
    broker.freeze();
    box1.open(&case_id(1));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(box1.outbox.backlog().unwrap().events, 1, "not acknowledged, not gone");
    broker.thaw();
    box1.wait_for_backlog(0);
    // What was under way when the broker fell comes again.
    broker.freeze();
    box1.open(&case_id(2));
    std::thread::sleep(Duration::from_millis(100));
    broker.kill();
    broker.run();
    let subscriber = broker.subscribe(CASES);
    box1.open(&case_id(3));
    // The second may have come before anybody listened: 3.1.1 cannot say.
    subscriber.until(|message| case_of(message) == case_id(3));
    box1.wait_for_backlog(0);
    // A broker that goes without a farewell of the box tells of it at once.
    let offline = broker.subscribe(STATUS);
    offline.until(state_is("online"));
    box1.vanish();
    let gone = offline.until(state_is("offline")).pop().unwrap().json();
    assert_eq!(gone["mqtt"], "3.1.1");
}

/// Takes down what it was asked.
#[derive(Debug, Default)]
struct Clerk(Mutex<Vec<Order>>);

impl mqtt::Commander for Clerk {
    fn now(&self) -> CaptureTime {
        at(0.0)
    }
    fn carry_out(&self, order: &Order) -> Outcome {
        self.0.lock().unwrap().push(order.clone());
        Ok(Done::new(Code::Noted))
    }
}

#[test]
fn in_3_1_1_a_command_is_answered_on_its_usual_topic_and_one_that_must_be_signed_is_not_taken() {
    let broker = Mosquitto::start();
    let (commands, status) = ("patrol/v1/410102007/box-1/cmd", broker.subscribe(STATUS));
    let answers = broker.subscribe(&format!("{commands}/+/ack"));
    let mut box1 = Box1::new(plan(broker.port()));
    box1.plan.broker.version = MqttVersion::V3;
    box1.plan.broker.commands = Verb::USUAL.to_vec();
    let clerk = Arc::new(Clerk::default());
    box1.commander = Some(clerk.clone());
    box1.connect();
    let online = status.until(state_is("online")).pop().unwrap().json();
    assert!(online["commands"].as_array().is_some_and(|verbs| !verbs.is_empty()), "{online}");
    let say = |id: &str| {
        let (port, topic) = (broker.port().to_string(), format!("{commands}/reload"));
        let text = format!(r#"{{"id":"{id}","at":"2026-11-23T15:47:00+08:00"}}"#);
        let args = ["-h", "localhost", "-p", &port, "-V", "311", "-q", "1", "-t", &topic, "-m", &text];
        assert!(std::process::Command::new("mosquitto_pub").args(args).status().unwrap().success());
    };
    say("l-1");
    let answer = answers.next().json();
    assert_eq!((&answer["id"], &answer["code"]), (&"l-1".into(), &"noted".into()));
    assert_valid(Subject::Answer, &answer);
    say("l-1");
    assert_eq!(answers.next().json()["code"], "replayed");
    box1.stop();
    let key = broker.file("key", "k\n");
    let mut box1 = Box1::new(box1.plan.clone());
    box1.plan.broker.command_key = Some(key.into());
    box1.commander = Some(clerk.clone());
    box1.connect();
    status.until(state_is("stopped"));
    let online = status.until(state_is("online")).pop().unwrap().json();
    assert_eq!(online["commands"], Value::Null, "{online}");
    say("l-2");
    box1.stop();
    assert_eq!(*clerk.0.lock().unwrap(), [Order::Reload]);
}

#[test]
fn the_log_says_what_3_1_1_lacks_and_a_box_that_is_set_to_5_does_without_it() {
    let broker = Mosquitto::start();
    let there = BrokerPlan::plain("127.0.0.1", door(broker.port(), Refusal::InNewWords));
    let log = log_until(there.clone(), "Connected to the broker in MQTT 3.1.1");
    assert!(log.contains("does not speak MQTT 5"), "{log}");
    assert!(log.contains("cannot say that nobody took a case"), "{log}");
    let strict = BrokerPlan { version: MqttVersion::V5, ..there };
    let log = log_until(strict, "set mqtt.version to");
    assert!(!log.contains("Connected"), "{log}");
}
