//! Messages of boxes into the store.

use super::*;
use gridpatrol::desk::life::{RejectReason, State};

#[test]
fn an_event_that_comes_twice_changes_nothing() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let opened = Told::opened(1).message();
    assert_eq!(street.take_in(&[opened.clone(), opened.clone()]).events, 1);
    let id = street.only(&worker);
    let before = street.desk.case(&worker, id).unwrap();
    assert_eq!(street.take_in(&[opened.clone()]), Taken { known: 1, ..Taken::default() });
    assert_eq!(street.desk.case(&worker, id).unwrap(), before);
    let street = street.reopened();
    assert_eq!(street.take_in(&[opened]).known, 1, "after a restart too");
    let case = street.desk.case(&worker, id).unwrap();
    assert_eq!(case, before);
    assert_eq!((case.case.place.as_str(), case.case.grid_name.as_str()), ("3号院北门", "南院"));
    assert_eq!(case.case.due_at - case.case.received_at, 3 * 3_600_000, "visible: three hours");
    assert_eq!(case.seen.unwrap().objects[0].label, "car");
}

#[test]
fn a_clear_that_comes_first_or_late_or_alone_makes_one_case() {
    for order in [vec![0, 1, 2], vec![2, 0, 1], vec![1, 2, 0], vec![2]] {
        let street = Street::new();
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        let told = [Told::opened(1), Told::updated(1, TEN + 1000), Told::cleared(1)];
        for n in &order {
            street.take_in(&[told[*n].message()]);
        }
        let case = street.desk.case(&worker, street.only(&worker)).unwrap();
        assert!(case.case.camera_cleared, "{order:?}");
        assert_eq!(case.case.severity, 0, "nobody has to walk: {order:?}");
        assert!(case.seen.unwrap().cleared_at.is_some(), "the latest is kept: {order:?}");
    }
}

#[test]
fn a_picture_is_that_of_its_event_whichever_comes_first() {
    let (right, wrong) = (jpeg(1), jpeg(2));
    let told = Told { pictures: vec![("overview", sha256_of(&right))], ..Told::opened(1) };
    for order in 0..3 {
        let street = Street::new();
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        let (event, picture) = (told.message(), told.picture("overview", &right));
        let bad = told.picture("overview", &wrong);
        match order {
            0 => street.take_in(&[bad, event, picture.clone()]),
            1 => street.take_in(&[picture.clone(), event, bad]),
            _ => street.take_in(&[event, bad, picture.clone()]),
        };
        street.take_in(&[picture]);
        let case = street.desk.case(&worker, street.only(&worker)).unwrap();
        assert_eq!(case.pictures.len(), 1, "{order}");
        assert!(case.pictures[0].is_here, "{order}");
        assert_eq!(case.case.thumb, Some(case.pictures[0].id), "{order}");
        let file = street.desk.picture(&worker, case.pictures[0].id).unwrap();
        assert_eq!(file.bytes, right, "{order}");
    }
}

#[test]
fn a_damaged_picture_is_not_shown() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let right = jpeg(1);
    let told = Told { pictures: vec![("overview", sha256_of(&right))], ..Told::opened(1) };
    street.take_in(&[told.message(), told.picture("overview", &right)]);
    let case = street.desk.case(&worker, street.only(&worker)).unwrap();
    let name = sha256_of(&right);
    let path = street.folder.path().join(format!("data/pictures/{}/{name}.jpg", &name[..2]));
    std::fs::write(path, b"something else").unwrap();
    assert_not_found(street.desk.picture(&worker, case.pictures[0].id));
}

#[test]
fn a_box_speaks_for_itself_only() {
    let street = Street::new();
    let admin = street.person("root", Role::Admin, &[]);
    let good = Told::opened(1);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut json = good.json();
        change(&mut json);
        Incoming { topic: good.topic(), payload: serde_json::to_vec(&json).unwrap().into() }
    };
    let elsewhere = |topic: &str| Incoming { topic: topic.to_owned(), ..good.message() };
    let bad = [
        elsewhere("patrol/v1/410102007/box-2/case/410102007003012/illegal_parking"),
        elsewhere("patrol/v1/410102007/box-1/case/410102007003011/illegal_parking"),
        elsewhere("patrol/v1/410102007/box-1/case/410102007003012/crowd"),
        elsewhere("patrol/v1/999999999/box-1/case/410102007003012/illegal_parking"),
        elsewhere("patrol/v1/410102007/../case/410102007003012/illegal_parking"),
        elsewhere(""),
        with(&|json| json["data"]["case_id"] = "../../etc/passwd".into()),
        with(&|json| json["data"]["place"]["text"] = "x".repeat(201).into()),
        with(&|json| json["data"]["place"]["text"] = "a\u{0}b".into()),
        with(&|json| json["data"]["observed"]["first_seen"] = "yesterday".into()),
        with(&|json| json["data"]["place"]["position"]["lat"] = 500.into()),
        with(&|json| json["sequence"] = "-1".into()),
        with(&|json| json["type"] = "cn.patrol.case.deleted.v1".into()),
        with(&|json| {
            json["data"]["evidence"] = json!([{"role": "overview", "uri": "mqtt:patrol/v1/410102007/box-2/x",
                "sha256": "ab".repeat(32), "media": "image/jpeg", "bytes": 1, "width": 1, "height": 1}]);
        }),
        with(&|json| {
            json["data"]["evidence"] = json!([{"role": "overview", "uri": format!("mqtt:{}", good.picture_topic("overview")),
                "sha256": "../".repeat(21) + "x", "media": "image/jpeg", "bytes": 1, "width": 1, "height": 1}]);
        }),
        Incoming { topic: good.topic(), payload: vec![b'['; 60_000].into() },
        Incoming { topic: good.topic(), payload: vec![b' '; 70_000].into() },
        Incoming { topic: good.topic(), payload: vec![0xff, 0xfe].into() },
        good.picture("overview", b"<html>"),
        good.picture("..", &jpeg(1)),
        Incoming {
            topic: "patrol/v1/410102007/box-1/status".to_owned(),
            payload: b"{\"state\":\"x\"}".to_vec().into(),
        },
    ];
    for (n, message) in bad.iter().enumerate() {
        let taken = street.take_in(std::slice::from_ref(message));
        assert_eq!(taken, Taken { refused: 1, ..Taken::default() }, "{n}: {}", message.topic);
    }
    assert_eq!(street.count(&admin, Tab::Open), 0);
    assert_eq!(street.desk.health(&admin).unwrap().refused, bad.len() as u64);
    assert_eq!(street.take_in(&[good.message()]).events, 1, "and the one that they were made of is taken");
}

#[test]
fn a_case_of_a_grid_that_is_not_the_streets_is_kept_for_the_centre() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let centre = street.person("chen", Role::Centre, &[]);
    street.take_in(&[Told { grid: "410102007999999", ..Told::opened(1) }.message()]);
    assert_eq!(street.count(&worker, Tab::Inbox), 0);
    assert_eq!(street.count(&centre, Tab::Inbox), 1);
}

#[test]
fn what_the_camera_still_sees_after_it_was_done_is_flagged() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    street.take_in(&[Told::opened(1).message()]);
    let id = street.only(&worker);
    street.act(&worker, id, Action::Accept).unwrap();
    let done = street.act(&worker, id, dispose()).unwrap();
    assert!(!done.case.still_seen);
    street.take_in(&[Told::updated(1, street.now() + 30_000).message()]);
    assert!(!street.desk.case(&worker, id).unwrap().case.still_seen, "clocks differ by so much");
    let later = Told { sequence: 12, ..Told::updated(1, street.now() + 3_600_000) };
    street.take_in(&[later.message()]);
    let case = street.desk.case(&worker, id).unwrap();
    assert!(case.case.still_seen);
    assert!(case.timeline.iter().any(|entry| entry.what == "still_seen"));
    // When it is gone at last, the camera verifies it.
    assert!(
        matches!(street.act(&worker, id, verify()), Err(Denied::Refused(_))),
        "not by who disposed of it"
    );
    let after = jpeg(9);
    let cleared = Told { pictures: vec![("after", sha256_of(&after))], ..Told::cleared(1) };
    street.take_in(&[cleared.message(), cleared.picture("after", &after)]);
    let case = street.desk.case(&worker, id).unwrap();
    assert!(!case.case.still_seen && case.case.camera_cleared);
    assert_eq!(case.pictures.last().map(|picture| picture.role.as_str()), Some("after"));
    assert_eq!(street.act(&worker, id, verify()).unwrap().case.state, State::Verified);
}

#[test]
fn a_disposal_that_the_camera_does_not_confirm_is_flagged_if_its_box_is_there() {
    for (state, flagged) in [("online", true), ("offline", false)] {
        let street = Street::new();
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        let status = json!({"state": state}).to_string().into_bytes();
        street.take_in(&[
            Told::opened(1).message(),
            Incoming { topic: format!("patrol/v1/{STREET}/box-1/status"), payload: status.into() },
        ]);
        let id = street.only(&worker);
        street.act(&worker, id, Action::Accept).unwrap();
        street.act(&worker, id, dispose()).unwrap();
        street.wait(10 * 60_000);
        street.desk.tick().unwrap();
        assert!(!street.desk.case(&worker, id).unwrap().case.still_seen, "a quarter of an hour is given");
        street.wait(6 * 60_000);
        street.desk.tick().unwrap();
        assert_eq!(street.desk.case(&worker, id).unwrap().case.still_seen, flagged, "{state}");
    }
}

#[test]
fn earlier_cases_at_the_spot_are_shown() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    street.take_in(&[Told::opened(1).message()]);
    let first = street.only(&worker);
    let reject = Action::Reject { reason: RejectReason::NotThere, note: String::new() };
    street.act(&worker, first, reject).unwrap();
    street.wait(1000);
    street.take_in(&[Told::opened(2).message(), Told { kind: "crowd", ..Told::opened(3) }.message()]);
    let page = street.desk.list(&worker, &Filter::default(), None, 10).unwrap();
    let second = page.cases.iter().find(|case| case.kind == "illegal_parking").unwrap();
    let case = street.desk.case(&worker, second.id).unwrap();
    assert_eq!(case.earlier.iter().map(|case| case.id).collect::<Vec<_>>(), [first]);
    assert_eq!(case.case.recurrence_7d, Some(2));
}
