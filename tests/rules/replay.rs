//! The program on a file of detections: from looks to the events that would be published.

use serde_json::{Value, json};

use super::watch::{Thing, configuration, person, standing};
use crate::support::program::gridpatrol_ok;

/// Replays looks, two a second, over a zone of `kind`, and returns the events.
fn events(kind: &str, rules: &str, looks: &[Vec<Thing>]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let lines: Vec<String> = looks
        .iter()
        .enumerate()
        .map(|(n, things)| {
            let detections: Vec<Value> = things
                .iter()
                .map(|(label, b)| json!({"label": label, "score": 0.8, "box": [b.x1, b.y1, b.x2, b.y2]}))
                .collect();
            json!({"t": 0.5 * n as f64, "detections": detections}).to_string()
        })
        .collect();
    std::fs::write(path("looks.jsonl"), lines.join("\n")).unwrap();
    std::fs::write(path("edge.toml"), configuration(kind, rules)).unwrap();
    let (config, input) = (path("edge.toml"), path("looks.jsonl"));
    let said = gridpatrol_ok(&["replay", "--config", &config, "--camera", "cam-05", "--input", &input]);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `seconds` of the same things, two looks a second.
fn still(seconds: usize, things: &[Thing]) -> Vec<Vec<Thing>> {
    vec![things.to_vec(); 2 * seconds]
}

/// Checks that the events are one case of `kind`, opened and cleared, and returns the first.
fn one_case(events: &[Value], kind: &str, code: Option<&str>) -> Value {
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["cn.patrol.case.opened.v1", "cn.patrol.case.cleared.v1"], "{kind}");
    for event in events {
        assert_eq!(event["data"]["kind"], kind);
        assert_eq!(event["data"]["standard"]["code"], json!(code));
        assert_eq!(event["data"]["case_id"], events[0]["data"]["case_id"]);
    }
    events[0].clone()
}

#[test]
fn each_kind_of_rule_gives_its_events() {
    let dog: Thing = ("dog", standing(0.5, 0.8, 0.05, 0.07));
    let bike: Thing = ("motorcycle", standing(0.5, 0.8, 0.12, 0.14));
    let table: Thing = ("dining table", standing(0.5, 0.8, 0.08, 0.10));
    let chair = |x: f32| -> Thing { ("chair", standing(x, 0.8, 0.04, 0.10)) };
    let bags: [Thing; 2] =
        [("rubbish", standing(0.5, 0.8, 0.04, 0.05)), ("rubbish", standing(0.55, 0.8, 0.04, 0.05))];
    let someone = person(0.5, 0.8);
    for (zone, kind, code, stays_s, things) in [
        ("restricted", "intrusion", None, 10, vec![someone]),
        ("no_loitering", "loitering", None, 305, vec![someone]),
        ("corridor", "ebike_in_corridor", None, 10, vec![bike]),
        ("public_area", "stray_dog", None, 70, vec![dog]),
        ("no_stall", "roadside_stall", Some("09006"), 310, vec![table, person(0.57, 0.8)]),
        ("shopfront", "shop_spill", Some("09005"), 610, vec![chair(0.3), chair(0.5), table]),
        ("sidewalk", "exposed_rubbish", Some("06010"), 310, bags.to_vec()),
    ] {
        let mut looks = still(5, &[]);
        looks.extend(still(stays_s, &things));
        looks.extend(still(90, &[]));
        let opened = one_case(&events(zone, "", &looks), kind, code);
        assert_eq!(opened["data"]["observed"]["first_seen"], "1970-01-01T08:00:05.000+08:00", "{kind}");
        assert_eq!(opened["data"]["grid"]["id"], "g1");
    }
}

#[test]
fn days_are_replayed_too() {
    // Two hours of a car that stands, with a shorter dwell than a week.
    let car: Thing = ("car", standing(0.5, 0.7, 0.2, 0.15));
    let rules = "rule.abandoned_vehicle = { dwell_s = 3600, clear_s = 600, absence_s = 1200 }";
    let mut looks = still(1800, &[car]);
    looks.extend(still(900, &[]));
    looks.extend(still(1200, &[car]));
    looks.extend(still(900, &[]));
    let opened = one_case(&events("parking", rules, &looks), "abandoned_vehicle", Some("06034"));
    assert_eq!(opened["data"]["observed"]["confirmed_at"], "1970-01-01T09:00:00.000+08:00");
}
