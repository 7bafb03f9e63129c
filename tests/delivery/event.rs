//! The events themselves: what the contract promises, the schema, the bounds.

use gridpatrol::case::throttle::{Recurrence, Seen, Tally};

use super::*;

#[test]
fn an_event_says_what_the_contract_promises() {
    let event = event(&happening(Change::Cleared, &case_id(1), 0, 1), &taken(&[Role::Overview, Role::After]));
    let json = serde_json::to_value(&event).unwrap();
    assert_valid(Subject::Event, &json);
    let evidence = &json["data"]["evidence"][0];
    for (said, expected) in [
        (&json["specversion"], "1.0"),
        (&json["source"], "/patrol/410102007/box-1"),
        (&json["type"], "cn.patrol.case.cleared.v1"),
        (&json["subject"], "410102007003012/cam-05"),
        (&json["time"], "2026-11-23T15:48:18.450+08:00"),
        (&json["recordedtime"], "2026-11-23T15:52:18.250+08:00"),
        (&json["expirytime"], "2026-11-30T15:52:18.250+08:00"),
        (&json["sequence"], "000000004182"),
        (&json["partitionkey"], "410102007003012"),
        (&json["severitytext"], "WARN"),
        (&json["data"]["name"], "机动车乱停放"),
        (&json["data"]["standard"]["ref"], "GB/T 47678.5-2026"),
        (&json["data"]["standard"]["code"], "09009"),
        (&json["data"]["standard"]["code_2013"], "04-09"),
        (&json["data"]["grid"]["scheme"], "gb-t-47678.3"),
        (&json["data"]["grid"]["decided_by"], "zone"),
        (&json["data"]["place"]["text"], "3号院北门"),
        (&json["data"]["observed"]["first_seen"], "2026-11-23T15:47:18.250+08:00"),
        (&json["data"]["observed"]["cleared_at"], "2026-11-23T15:48:18.450+08:00"),
        (&json["data"]["objects"][0]["label"], "car"),
        (&evidence["role"], "overview"),
        (
            &evidence["uri"],
            "mqtt:patrol/v1/410102007/box-1/case/410102007003012/illegal_parking/evidence/01934f6e-5c1a-7b3e-9a54-000000000001/overview",
        ),
        (&json["data"]["model"]["name"], "nanodet-g-416"),
    ] {
        assert_eq!(said, expected);
    }
    assert_eq!(
        json["data"]["place"]["position"],
        serde_json::json!({"lon": 113.6123457, "lat": 34.75, "accuracy_m": 0.4})
    );
    assert_eq!(json["data"]["observed"]["dwell_s"], 60.0);
    assert_eq!(json["data"]["objects"][0]["score"], 0.8346);
    assert_eq!(json["data"]["objects"][0]["box"], serde_json::json!([0.41, 0.5335, 0.63, 1.0]));
    let redaction =
        serde_json::json!({"persons": 2, "vehicles": 1, "faces": 2, "plates": 1, "method": "pixelate"});
    assert_eq!(json["data"]["redaction"], redaction);
    assert_eq!(json["data"]["review"]["required"], true);
    assert!(json["data"]["observed"].get("clock_synced").is_none(), "nothing is claimed of the clock");
}

#[test]
fn a_kind_without_a_national_code_says_null() {
    let json = serde_json::to_value(event(&happening(Change::Opened, &case_id(1), 1, 3), &Evidence::NoView))
        .unwrap();
    assert_valid(Subject::Event, &json);
    assert!(json["data"]["standard"]["code"].is_null());
    assert_eq!(json["data"]["objects"].as_array().unwrap().len(), 3);
    assert!(json["data"].get("redaction").is_none());
}

#[test]
fn a_withheld_picture_is_said_with_its_reason() {
    let withheld = Evidence::Withheld { reason: "the face model failed".to_owned() };
    let json = serde_json::to_value(event(&happening(Change::Opened, &case_id(1), 0, 1), &withheld)).unwrap();
    assert_valid(Subject::Event, &json);
    assert_eq!(json["data"]["redaction"], serde_json::json!({"withheld": "the face model failed"}));
    assert_eq!(json["data"]["evidence"], serde_json::json!([]));
}

#[test]
fn the_schema_refuses_an_unknown_type_and_a_missing_member() {
    let good =
        serde_json::to_value(event(&happening(Change::Opened, &case_id(1), 0, 1), &taken(&[Role::First])))
            .unwrap();
    let schema = validator(Subject::Event);
    assert!(schema.is_valid(&good));
    let with = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).unwrap() = value;
        changed
    };
    assert!(!schema.is_valid(&with("/type", "cn.patrol.case.exploded.v1".into())));
    assert!(!schema.is_valid(&with("/specversion", "2.0".into())));
    assert!(!schema.is_valid(&with("/time", "yesterday".into())));
    assert!(!schema.is_valid(&with("/sequence", "7".into())));
    assert!(!schema.is_valid(&with("/data/objects/0/score", 83.into())));
    for (parent, member) in
        [("", "id"), ("/data", "case_id"), ("/data/standard", "code"), ("/data", "review")]
    {
        let mut without = good.clone();
        let parent = without.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        assert!(parent.remove(member).is_some());
        assert!(!schema.is_valid(&without), "{member} was missed by nobody");
    }
    // Consumers ignore what they do not know, and so does the schema.
    let mut more = good.clone();
    more["data"]["later"] = 1.into();
    assert!(schema.is_valid(&more));
}

#[test]
fn the_same_happening_makes_the_same_bytes_and_another_another_id() {
    let evidence = taken(&[Role::Overview]);
    let opened = happening(Change::Opened, &case_id(1), 0, 1);
    let first = event(&opened, &evidence);
    assert_eq!(first.to_json().unwrap(), event(&opened, &evidence).to_json().unwrap());
    assert_eq!((&first.id[14..15], first.id.len()), ("8", 36), "a UUID of version 8: {}", first.id);
    assert!("89ab".contains(&first.id[19..20]), "of the RFC 9562 variant: {}", first.id);
    let mut later = opened.clone();
    later.at = at(20.4);
    for other in
        [happening(Change::Updated, &case_id(1), 0, 1), happening(Change::Opened, &case_id(2), 0, 1), later]
    {
        assert_ne!(event(&other, &evidence).id, first.id);
    }
}

#[test]
fn an_event_stays_small_however_many_objects_there_are() {
    let mut names = Vocabulary::new(Vec::new());
    // Every character of this label takes six bytes in JSON.
    let label = names.intern(&"\u{1}".repeat(5000)).unwrap();
    let mut crowded = happening(Change::Opened, &case_id(1), 1, 5000);
    for object in &mut crowded.case.objects {
        object.label = label;
        object.score = f32::NAN;
    }
    let mut plan = plan(1883);
    plan.cameras[0].name = "门".repeat(5000);
    // As much as a message can carry of what was held back.
    let tally: Tally = serde_json::from_value(serde_json::json!({
        "grid": "g".repeat(32), "kind": "k".repeat(32), "camera": "c".repeat(32), "since": 0, "batch": 1,
        "cool_down": 1_000_000, "rate": 1_000_000, "camera_rate": 1_000_000, "quiet": 1_000_000,
        "cases": vec![case_id(2); 16],
    }))
    .unwrap();
    let seen = Seen { camera: "c".repeat(32), case: CaseId::parse(&case_id(3)).unwrap() };
    let note = Note {
        waited_s: Some(86_400.0),
        held_back: vec![tally; 4],
        recurrence: Recurrence { count_7d: 1000, previous: CaseId::parse(&case_id(4)) },
        also_seen_by: vec![seen; 8],
    };
    let event = CaseEvent::new(&Report {
        plan: &plan,
        camera: &plan.cameras[0],
        happening: &crowded,
        evidence: &taken(&[Role::First, Role::Overview, Role::Closeup, Role::After]),
        note: &note,
        vocabulary: &names,
        model: Some(&model()),
        sequence: 1,
        recorded: at(0.0),
        clock_synced: None,
    })
    .unwrap();
    let bytes = event.to_json().unwrap();
    assert!(bytes.len() < 16 * 1024, "{} bytes", bytes.len());
    assert_valid(Subject::Event, &serde_json::from_slice(&bytes).unwrap());
    assert_eq!(event.data.objects.len() as u64 + event.data.objects_left_out, 5000);
    assert!(event.data.objects.len() >= 2, "something of the case is left");
    assert_eq!(event.data.throttle.unwrap().held_back, 16_000_000);
}

#[test]
fn a_case_whose_rule_is_gone_is_an_error_that_names_the_camera() {
    let (plan, names) = (plan(1883), vocabulary());
    let lost = happening(Change::Opened, &case_id(1), 7, 1);
    let error = CaseEvent::new(&Report {
        plan: &plan,
        camera: &plan.cameras[0],
        happening: &lost,
        evidence: &Evidence::NoView,
        note: &PLAIN,
        vocabulary: &names,
        model: None,
        sequence: 1,
        recorded: at(0.0),
        clock_synced: None,
    })
    .unwrap_err();
    assert!(error.to_string().contains("cam-05"), "{error}");
}
