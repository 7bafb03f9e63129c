//! On a real broker: nothing is lost, nothing is taken for delivered that is not.

use super::*;

#[test]
fn an_event_accepted_while_there_is_no_broker_arrives_once_it_is_there() {
    let mut broker = Mosquitto::prepare("allow_anonymous true\n");
    let mut box1 = Box1::new(plan(broker.port()));
    accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(1), 0, &[Role::Overview]);
    box1.connect();
    std::thread::sleep(Duration::from_millis(100));
    broker.run();
    let subscriber = broker.subscribe(EVERYTHING);
    let received = subscriber.until(|message| message.topic.ends_with("/overview"));
    let event = received.iter().find(|message| message.topic.contains("/case/")).unwrap();
    assert_valid(Subject::Event, &event.json());
    assert_eq!(event.topic, "patrol/v1/410102007/box-1/case/410102007003012/illegal_parking");
    assert_eq!(event.content_type, "application/cloudevents+json; charset=utf-8");
    assert!((86_000..=86_400).contains(&event.expiry.parse().unwrap()), "expires in {} s", event.expiry);
    assert!(event.properties.contains("cn.patrol.case.opened.v1"), "{}", event.properties);
    assert!(!event.retained);
    let picture = received.last().unwrap();
    let named = &event.json()["data"]["evidence"][0];
    assert_eq!(named["uri"], format!("mqtt:{}", picture.topic));
    let sha256: String = Sha256::digest(&picture.payload).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(named["sha256"], sha256);
    assert_eq!(picture.content_type, "image/jpeg");
    box1.wait_for_backlog(0);
}

#[test]
fn a_broker_that_dies_and_forgets_the_session_loses_nothing() {
    let mut broker = Mosquitto::start();
    let mut box1 = Box1::new(plan(broker.port()));
    let subscriber = broker.subscribe(EVERYTHING);
    box1.connect();
    subscriber.until(state_is("online"));
    // It takes what fits into the window and acknowledges none of it.
    broker.freeze();
    for n in 0..40 {
        accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(n), 0, &[]);
        accept(&box1.outbox, &box1.plan, Change::Cleared, &case_id(n), 0, &[]);
    }
    std::thread::sleep(Duration::from_millis(300));
    broker.kill();
    drop(subscriber);
    broker.run();
    let subscriber = broker.subscribe(CASES);
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while told.values().map(Vec::len).sum::<usize>() < 80 {
        let message = subscriber.next();
        let json = message.json();
        assert_valid(Subject::Event, &json);
        let types = told.entry(case_of(&message)).or_default();
        let event_type = json["type"].as_str().unwrap().to_owned();
        // A message may come twice; the platform knows it by its id.
        if !types.contains(&event_type) {
            types.push(event_type);
        }
    }
    assert_eq!(told.len(), 40);
    for types in told.values() {
        assert_eq!(types, &["cn.patrol.case.opened.v1", "cn.patrol.case.cleared.v1"]);
    }
    box1.wait_for_backlog(0);
}

#[test]
fn a_case_that_nobody_listens_for_waits_until_someone_does() {
    let broker = Mosquitto::start();
    let mut box1 = Box1::new(plan(broker.port()));
    let watcher = broker.subscribe(STATUS);
    box1.connect();
    watcher.until(state_is("online"));
    box1.open(&case_id(1));
    // A case of another grid, offered after the first, is taken: by then the first has been refused a taker.
    let other = broker.subscribe("patrol/v1/+/+/case/410102007003013/+");
    accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(2), 1, &[]);
    assert_eq!(case_of(&other.next()), case_id(2));
    box1.wait_for_backlog(1);
    let says_so = |message: &Received| message.json()["outbox"]["unheard"] == 1;
    let status = watcher.until(says_so).pop().unwrap().json();
    assert_valid(Subject::Status, &status);
    assert!(status["outbox"]["oldest"].as_str().unwrap().starts_with("2026-11-23T15:"), "{status}");
    let late = broker.subscribe("patrol/v1/+/+/case/410102007003012/+");
    assert_eq!(case_of(&late.next()), case_id(1));
    box1.wait_for_backlog(0);
}

#[test]
fn a_message_that_the_broker_denies_is_not_counted_as_delivered() {
    let mut broker = Mosquitto::prepare("");
    let rules = format!(
        "topic read #\ntopic read $SYS/#\ntopic write {STATUS}\ntopic write patrol/v1/+/+/case/410102007003013/+\n"
    );
    let rules = broker.file("acl", &rules);
    broker.configure(&format!("allow_anonymous true\nacl_file {rules}\n"));
    broker.run();
    let mut box1 = Box1::new(plan(broker.port()));
    let subscriber = broker.subscribe(CASES);
    box1.connect();
    box1.open(&case_id(1));
    accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(2), 1, &[]);
    assert_eq!(case_of(&subscriber.next()), case_id(2), "the second case is not held up by the first");
    box1.wait_for_backlog(1);
    broker.kill();
    drop(subscriber);
    broker.configure("allow_anonymous true\n");
    broker.run();
    let subscriber = broker.subscribe(CASES);
    assert_eq!(case_of(&subscriber.next()), case_id(1));
    box1.wait_for_backlog(0);
}

#[test]
fn a_message_larger_than_the_broker_takes_holds_up_no_other() {
    let mut broker = Mosquitto::prepare("allow_anonymous true\nmax_packet_size 3000\n");
    broker.run();
    let mut box1 = Box1::new(plan(broker.port()));
    let subscriber = broker.subscribe(CASES);
    let (crowded, names) = (happening(Change::Opened, &case_id(1), 1, 32), vocabulary());
    let messages = |sequence: &mut Sequence| {
        mqtt::messages(&report(&box1.plan, &crowded, &Evidence::NoView, &names, sequence))
    };
    box1.outbox.accept("cam-05", None, messages).unwrap();
    box1.connect();
    box1.open(&case_id(2));
    assert_eq!(case_of(&subscriber.next()), case_id(2));
    box1.wait_for_backlog(1);
}

#[test]
fn the_status_is_retained_and_a_box_that_vanishes_is_said_to_be_offline() {
    let broker = Mosquitto::start();
    let mut box1 = Box1::new(plan(broker.port()));
    let subscriber = broker.subscribe(STATUS);
    box1.connect();
    let online = subscriber.until(state_is("online")).pop().unwrap().json();
    assert_valid(Subject::Status, &online);
    assert_eq!(online["cameras"], serde_json::json!(["cam-05"]));
    assert_eq!(online["since"], "2026-11-23T15:46:18.250+08:00");
    let late = broker.subscribe(STATUS).next();
    assert!(late.retained && late.json()["state"] == "online");
    box1.vanish();
    let offline = subscriber.until(state_is("offline")).pop().unwrap().json();
    assert_valid(Subject::Status, &offline);
    assert_eq!(offline["session"], online["session"], "the will belongs to that connection");
    assert!(broker.subscribe(STATUS).next().json()["state"] == "offline");
    // The next connection has a higher number, so a late will can be told from it.
    box1.connect();
    let again = subscriber.until(state_is("online")).pop().unwrap().json();
    assert!(again["session"].as_u64() > online["session"].as_u64());
}

#[test]
fn a_clean_stop_delivers_what_is_due_and_says_stopped() {
    let broker = Mosquitto::start();
    let mut box1 = Box1::new(plan(broker.port()));
    let subscriber = broker.subscribe(EVERYTHING);
    box1.connect();
    subscriber.until(state_is("online"));
    for n in 0..30 {
        box1.open(&case_id(n));
    }
    box1.stop();
    let received = subscriber.until(state_is("stopped"));
    let cases: Vec<String> =
        received.iter().filter(|message| message.topic.contains("/case/")).map(case_of).collect();
    assert_eq!(cases, (0..30).map(case_id).collect::<Vec<_>>());
    let stopped = received.last().unwrap().json();
    assert_valid(Subject::Status, &stopped);
    assert_eq!(stopped["backlog"], 0);
    // A will after that would say offline; a later subscriber is still told stopped.
    assert_eq!(broker.subscribe(STATUS).next().json()["state"], "stopped");
}

#[test]
fn a_box_over_tls_is_let_in_by_its_password() {
    let (mut broker, right) = Mosquitto::with_tls_and_password();
    broker.run();
    let mut box1 = Box1::new(plan(broker.port()));
    box1.plan.broker = right.clone();
    let subscriber = broker.subscribe(CASES);
    box1.open(&case_id(1));
    box1.connect();
    assert_eq!(case_of(&subscriber.next()), case_id(1));
    box1.stop();
}
