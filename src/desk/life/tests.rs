use super::*;

const UNDO: Millis = 10_000;

fn in_state(state: State) -> Standing {
    Standing { state, camera_cleared: false, disposed_by: None, last: None }
}

fn person(role: Role) -> Actor {
    Actor { role, account: Some(7) }
}

#[test]
fn only_the_steps_of_the_table_are_taken() {
    let steps = [
        Step::Accept,
        Step::Reject,
        Step::Merge,
        Step::Start,
        Step::Dispose,
        Step::Verify,
        Step::Refuse,
        Step::Close,
        Step::Escalate,
        Step::Assign,
        Step::Return,
        Step::SendBack,
        Step::Reopen,
        Step::Note,
    ];
    let roles = [
        Role::Worker,
        Role::Operator,
        Role::Centre,
        Role::Department,
        Role::Admin,
        Role::Resident,
        Role::System,
    ];
    let mut taken = 0;
    for step in steps {
        for state in State::ALL {
            for role in roles {
                let rules = || TABLE.iter().filter(|rule| rule.step == step && rule.from.contains(&state));
                let expected = match rules().find(|rule| rule.by.contains(&role)) {
                    Some(rule) => Ok(rule.to.unwrap_or(state)),
                    None if rules().next().is_some() => Err(Refusal::NotYours),
                    None => Err(Refusal::NotNow),
                };
                let found = next(&in_state(state), step, person(role), 0, UNDO);
                assert_eq!(found, expected, "{step:?} of {state:?} by {role:?}");
                taken += usize::from(found.is_ok());
            }
        }
    }
    assert_eq!(taken, 132, "a change of the table is a change of what people may do: count it anew");
}

/// The walks that the street knows, written out: the table alone could be wrong in both places.
#[test]
fn the_streets_walks_go_through() {
    use Role::{Centre, Department, Operator, Resident, Worker};
    let walks: [&[(Role, Step, State)]; 5] = [
        &[
            (Worker, Step::Accept, State::Accepted),
            (Worker, Step::Start, State::InProgress),
            (Worker, Step::Dispose, State::Disposed),
            (Operator, Step::Verify, State::Verified),
            (Operator, Step::Close, State::Closed),
            (Resident, Step::Reopen, State::Accepted),
        ],
        &[(Worker, Step::Reject, State::Rejected), (Operator, Step::Reopen, State::Accepted)],
        &[
            (Worker, Step::Accept, State::Accepted),
            (Worker, Step::Escalate, State::Escalated),
            (Centre, Step::Assign, State::Assigned),
            (Department, Step::Return, State::Returned),
            (Centre, Step::Assign, State::Assigned),
            (Department, Step::Dispose, State::Disposed),
            (Worker, Step::Refuse, State::Accepted),
        ],
        &[
            (Operator, Step::Accept, State::Accepted),
            (Worker, Step::Escalate, State::Escalated),
            (Centre, Step::SendBack, State::Accepted),
            (Worker, Step::Dispose, State::Disposed),
        ],
        &[(Worker, Step::Merge, State::Merged)],
    ];
    for walk in walks {
        let mut case = in_state(State::Candidate);
        for (role, step, to) in walk {
            assert_eq!(next(&case, *step, person(*role), 0, UNDO), Ok(*to), "{role:?} {step:?} of {case:?}");
            case.state = *to;
        }
    }
}

#[test]
fn a_worker_does_what_is_the_centres_nowhere() {
    for state in State::ALL {
        for step in [Step::Assign, Step::SendBack, Step::Return, Step::Reopen] {
            assert!(
                next(&in_state(state), step, person(Role::Worker), 0, UNDO).is_err(),
                "{step:?} of {state:?}"
            );
        }
    }
}

#[test]
fn who_disposed_does_not_verify_alone() {
    let mine = Standing { disposed_by: Some(7), ..in_state(State::Disposed) };
    assert_eq!(next(&mine, Step::Verify, person(Role::Worker), 0, UNDO), Err(Refusal::OwnWork));
    assert_eq!(next(&mine, Step::Verify, person(Role::Admin), 0, UNDO), Err(Refusal::OwnWork));
    let another = Actor { account: Some(8), ..person(Role::Worker) };
    assert_eq!(next(&mine, Step::Verify, another, 0, UNDO), Ok(State::Verified));
    let cleared = Standing { camera_cleared: true, ..mine };
    assert_eq!(next(&cleared, Step::Verify, person(Role::Worker), 0, UNDO), Ok(State::Verified));
}

#[test]
fn an_answer_is_taken_back_by_who_gave_it_and_in_time_only() {
    let taken = Taken { step: Step::Reject, from: State::Candidate, by: Some(7), at: 1000 };
    let case = Standing { last: Some(taken), ..in_state(State::Rejected) };
    let undo = |case: &Standing, actor, now| next(case, Step::Undo, actor, now, UNDO);
    let me = person(Role::Worker);
    assert_eq!(undo(&case, me, 1000), Ok(State::Candidate));
    assert_eq!(undo(&case, me, 11_000), Ok(State::Candidate));
    assert_eq!(undo(&case, me, 11_001), Err(Refusal::TooLate));
    assert_eq!(undo(&case, me, 999), Err(Refusal::TooLate), "the clock was set back");
    assert_eq!(undo(&case, Actor { account: Some(8), ..me }, 2000), Err(Refusal::TooLate));
    assert_eq!(undo(&case, Actor { account: None, ..me }, 2000), Err(Refusal::TooLate));
    let escalated =
        Standing { last: Some(Taken { step: Step::Escalate, ..taken }), ..in_state(State::Accepted) };
    assert_eq!(undo(&escalated, me, 2000), Err(Refusal::TooLate), "that is not one tap");
    assert_eq!(undo(&Standing { last: None, ..case }, me, 2000), Err(Refusal::TooLate));
}

#[test]
fn what_is_offered_is_what_may_be_done() {
    let offered_to = |state, role| offered(&in_state(state), person(role), 0, UNDO);
    assert_eq!(
        offered_to(State::Candidate, Role::Worker),
        [Step::Accept, Step::Reject, Step::Merge, Step::Note],
    );
    assert_eq!(offered_to(State::Candidate, Role::Department), [Step::Note]);
    assert_eq!(offered_to(State::Assigned, Role::Department), [Step::Dispose, Step::Return, Step::Note]);
    assert_eq!(offered_to(State::Closed, Role::Worker), [Step::Note]);
}

#[test]
fn every_word_is_read_as_it_is_written() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    for role in Role::OF_ACCOUNTS {
        assert_eq!(Role::parse(role.as_str()), Some(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
    let order: Action = serde_json::from_str(r#"{"action":"reject","reason":"not_there"}"#).unwrap();
    assert_eq!(order, Action::Reject { reason: RejectReason::NotThere, note: String::new() });
    assert!(serde_json::from_str::<Action>(r#"{"action":"delete"}"#).is_err());
    assert!(serde_json::from_str::<Action>(r#"{"action":"merge","into":"1 OR 1"}"#).is_err());
    let order: crate::desk::model::Order =
        serde_json::from_str(r#"{"action":"dispose","note":"x","version":3}"#).unwrap();
    let disposal = Action::Dispose { note: "x".to_owned(), no_photo: None };
    assert_eq!((order.action, order.version), (disposal, Some(3)));
    for reason in NoPhoto::ALL {
        assert_eq!(NoPhoto::parse(reason.as_str()), Some(reason));
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
}

#[test]
fn a_disposal_shows_a_photo_or_says_why_not() {
    let say = |no_photo| Action::Dispose { note: String::new(), no_photo };
    assert!(say(None).lacks_photo(0, true));
    assert!(!say(None).lacks_photo(1, false));
    for reason in NoPhoto::ALL {
        assert!(!say(Some(reason)).lacks_photo(0, true), "{reason:?}");
        // That the camera saw it can be said only if it did.
        assert_eq!(say(Some(reason)).lacks_photo(0, false), reason == NoPhoto::CameraSaw, "{reason:?}");
    }
    assert!(!Action::Verify { note: String::new() }.lacks_photo(0, false), "others may go without");
}
