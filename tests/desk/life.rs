//! A case from hand to hand.

use super::*;
use gridpatrol::desk::life::{Refusal, RejectReason, State, Step};

fn opened() -> (Street, Viewer, i64) {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    street.take_in(&[Told::opened(1).message()]);
    let id = street.only(&worker);
    (street, worker, id)
}

#[test]
fn a_case_goes_from_the_camera_to_a_department_and_back() {
    let (street, worker, id) = opened();
    let centre = street.person("chen", Role::Centre, &[]);
    let urban = street.person("urban", Role::Department, &[]);
    let traffic = street.person("traffic", Role::Department, &[]);
    let case = street.desk.case(&worker, id).unwrap();
    assert_eq!(case.may, [Step::Accept, Step::Reject, Step::Merge, Step::Note]);
    street.act(&worker, id, Action::Accept).unwrap();
    street.act(&worker, id, Action::Start).unwrap();
    assert!(matches!(
        street.act(&worker, id, Action::Escalate { note: " ".to_owned() }),
        Err(Denied::Invalid(invalid)) if invalid.field == "note"
    ));
    street.act(&worker, id, Action::Escalate { note: "需要拖车".to_owned() }).unwrap();
    assert_not_found(street.desk.case(&traffic, id));
    let assign = |department: &str| Action::Assign { department: department.to_owned(), note: String::new() };
    assert!(matches!(street.act(&worker, id, assign("traffic")), Err(Denied::Refused(Refusal::NotYours))));
    assert!(matches!(street.act(&centre, id, assign("nobody")), Err(Denied::Invalid(_))));
    street.act(&centre, id, assign("urban")).unwrap();
    assert_not_found(street.desk.case(&traffic, id));
    assert_eq!(street.desk.counts(&urban).unwrap().escalated, 1);
    street.act(&urban, id, Action::Return { note: "应由交警处理".to_owned() }).unwrap();
    street.act(&centre, id, assign("traffic")).unwrap();
    let photo = jpeg(3);
    let order = Order { action: dispose(), version: None };
    let done = street.desk.act(&traffic, id, order, vec![photo]).unwrap();
    assert_eq!(done.case.state, State::Disposed);
    let picture = done.pictures.iter().find(|picture| picture.role == "disposal").unwrap();
    assert!(street.desk.picture(&worker, picture.id).unwrap().bytes.starts_with(&[0xff, 0xd8]));
    street.act(&worker, id, verify()).unwrap();
    street.act(&centre, id, close()).unwrap();
    let case = street.desk.case(&urban, id).unwrap();
    assert_eq!(case.case.state, State::Closed, "who gave it back may still look at it");
    let steps: Vec<&str> = case.timeline.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(
        steps,
        ["opened", "accept", "start", "escalate", "assign", "return", "assign", "dispose", "verify", "close"]
    );
    assert_eq!(case.timeline[3].note, "需要拖车");
    assert_eq!(case.timeline[3].who, "li name");
    let street = street.reopened();
    assert_eq!(street.desk.case(&urban, id).unwrap().timeline, case.timeline);
}

#[test]
fn a_disposal_shows_a_photo_or_says_why_not() {
    let (street, worker, id) = opened();
    street.act(&worker, id, Action::Accept).unwrap();
    let say = |no_photo| Action::Dispose { note: "已挪车".to_owned(), no_photo };
    let lacks =
        |answer: Answer<CaseDetail>| matches!(answer, Err(Denied::Invalid(what)) if what.field == "no_photo");
    assert!(lacks(street.act(&worker, id, say(None))));
    // The camera has seen nothing of the kind.
    assert!(lacks(street.act(&worker, id, say(Some(NoPhoto::CameraSaw)))));
    assert_eq!(street.desk.case(&worker, id).unwrap().case.state, State::Accepted);
    street.take_in(&[Told::cleared(1).message()]);
    let done = street.act(&worker, id, say(Some(NoPhoto::CameraSaw))).unwrap();
    assert_eq!(done.case.state, State::Disposed);
    let said = done.timeline.iter().find(|entry| entry.what == "dispose").unwrap();
    assert_eq!(said.note, "已挪车 · 未拍照：摄像头已看到清空 No photo: The camera saw it clear");
    // Who may not dispose of it at all is told so, photo or not.
    let again = street.act(&worker, id, say(None));
    assert!(matches!(again, Err(Denied::Refused(Refusal::NotNow))), "{again:?}");
}

#[test]
fn two_people_do_not_act_on_each_others_case() {
    let (street, worker, id) = opened();
    let seen = street.desk.case(&worker, id).unwrap().case.version;
    let accept = |version| Order { action: Action::Accept, version };
    street.desk.act(&worker, id, accept(Some(seen)), Vec::new()).unwrap();
    let note = Order { action: Action::Note { note: "x".to_owned() }, version: Some(seen) };
    assert!(matches!(street.desk.act(&worker, id, note, Vec::new()), Err(Denied::Changed)));
    assert!(matches!(
        street.desk.act(&worker, id, accept(None), Vec::new()),
        Err(Denied::Refused(Refusal::NotNow))
    ));
}

#[test]
fn an_answer_of_one_tap_can_be_taken_back_and_the_box_never_hears_of_it() {
    let (street, worker, id) = opened();
    let before = street.desk.case(&worker, id).unwrap();
    let reject = Action::Reject { reason: RejectReason::NotAViolation, note: String::new() };
    let rejected = street.act(&worker, id, reject.clone()).unwrap();
    assert_eq!(rejected.case.state, State::Rejected);
    assert_eq!(rejected.undo_until, Some(street.now() + 10_000));
    assert_eq!(rejected.verdict.unwrap().status, "waiting");
    street.wait(9_000);
    let back = street.act(&worker, id, Action::Undo).unwrap();
    assert_eq!(back.case.state, State::Candidate);
    assert_eq!((back.case.responded_at, back.case.ended_at), (None, None));
    assert_eq!(back.verdict, None);
    assert_eq!(back.may, before.may);
    street.act(&worker, id, reject).unwrap();
    street.wait(10_001);
    assert!(matches!(street.act(&worker, id, Action::Undo), Err(Denied::Refused(Refusal::TooLate))));
}

#[test]
fn cases_are_merged_within_a_grid_only() {
    let (street, worker, id) = opened();
    let admin = street.person("root", Role::Admin, &[]);
    street.take_in(&[Told::opened(2).message(), Told { grid: NORTH, ..Told::opened(3) }.message()]);
    let targets = street.desk.merge_targets(&worker, id).unwrap();
    assert_eq!(targets.len(), 1);
    let other = targets[0].id;
    let all = street.desk.list(&admin, &Filter::default(), None, 10).unwrap().cases;
    let north = all.iter().find(|case| case.grid == NORTH).unwrap().id;
    for into in [id, north, 999] {
        let merged = street.act(&worker, id, Action::Merge { into });
        assert!(matches!(merged, Err(Denied::Invalid(_))), "{into}: {merged:?}");
    }
    assert!(matches!(street.act(&admin, id, Action::Merge { into: north }), Err(Denied::Invalid(_))));
    let merged = street.act(&worker, id, Action::Merge { into: other }).unwrap();
    assert_eq!((merged.case.state, merged.case.merged_into), (State::Merged, Some(other)));
    assert_eq!(merged.verdict.unwrap().verdict, "duplicate");
    let target = street.desk.case(&worker, other).unwrap();
    assert!(target.timeline.iter().any(|e| e.what == "merged_in" && e.note == merged.case.number));
}

#[test]
fn time_calls_to_mind_tells_and_closes() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    street.take_in(&[Told::opened(1).message()]);
    let id = street.only(&worker);
    let what = |case: &CaseDetail| case.timeline.iter().map(|e| e.what.clone()).collect::<Vec<_>>();
    street.wait(2 * 3_600_000);
    street.desk.tick().unwrap();
    assert_eq!(what(&street.desk.case(&worker, id).unwrap()), ["opened"]);
    street.wait(31 * 60_000);
    street.desk.tick().unwrap();
    street.desk.tick().unwrap();
    assert_eq!(what(&street.desk.case(&worker, id).unwrap()), ["opened", "reminded"]);
    assert_eq!(street.count(&worker, Tab::Overdue), 0);
    street.wait(30 * 60_000);
    street.desk.tick().unwrap();
    street.desk.tick().unwrap();
    let case = street.desk.case(&worker, id).unwrap();
    assert_eq!(what(&case), ["opened", "reminded", "overdue"]);
    assert!(case.case.overdue);
    assert_eq!(street.count(&worker, Tab::Overdue), 1);
    assert_eq!(street.desk.counts(&worker).unwrap().overdue, 1);
    while street.desk.send_notices().unwrap() > 0 {}
    let told = std::fs::read_to_string(street.folder.path().join("data/notices.jsonl")).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let to: Vec<&Value> = told.iter().map(|notice| &notice["to"]).collect();
    assert_eq!(to, [&json!({"grid": SOUTH}), &json!("centre"), &json!({"grid": SOUTH})], "{told:#?}");
    assert_eq!(told[0]["workers"], json!(["li"]));
    street.take_in(&[Told::cleared(1).message()]);
    street.act(&worker, id, Action::Accept).unwrap();
    street.act(&worker, id, dispose()).unwrap();
    street.act(&worker, id, verify()).unwrap();
    street.wait(24 * 3_600_000 + 1);
    street.desk.tick().unwrap();
    assert_eq!(street.desk.case(&worker, id).unwrap().case.state, State::Closed);
}

#[test]
fn lists_are_most_urgent_first_and_come_in_parts() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH, NORTH]);
    for n in 1..=25 {
        let urgent = n % 5 == 0;
        let grid = if n % 2 == 0 { SOUTH } else { NORTH };
        let severity = if urgent { "ERROR" } else { "WARN" };
        street.take_in(&[Told { grid, severity, ..Told::opened(n) }.message()]);
        street.wait(1000);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = street.desk.list(&worker, &Filter::default(), after.as_deref(), 7).unwrap();
        seen.extend(page.cases.iter().map(|case| (case.severity, case.received_at, case.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    let bad = street.desk.list(&worker, &Filter::default(), Some("1; DROP TABLE cases"), 7);
    assert!(matches!(bad, Err(Denied::Invalid(_))));
}
