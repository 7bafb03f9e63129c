//! A worker can neither see nor change anything of another grid, through any function of the desk.

use super::*;
use gridpatrol::desk::life::RejectReason;
use gridpatrol::desk::people::AccountChange;
use gridpatrol::desk::rates::Period;
use gridpatrol::desk::report::StaffReport;

/// One case of each grid, with a picture.
fn two_grids() -> (Street, Viewer, Viewer, [i64; 2], i64) {
    let street = Street::new();
    let north = street.person("wang", Role::Worker, &[NORTH]);
    let south = street.person("li", Role::Worker, &[SOUTH]);
    let shot = jpeg(1);
    let told = Told { pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(1) };
    street.take_in(&[
        told.message(),
        told.picture("overview", &shot),
        Told { grid: NORTH, ..Told::opened(2) }.message(),
    ]);
    let ids = [street.only(&south), street.only(&north)];
    let picture = street.desk.case(&south, ids[0]).unwrap().pictures[0].id;
    (street, north, south, ids, picture)
}

#[test]
fn another_grids_case_is_as_if_it_were_not_there() {
    let (street, north, south, [theirs, own], picture) = two_grids();
    let desk = &street.desk;
    let before = desk.case(&south, theirs).unwrap();
    assert_not_found(desk.case(&north, theirs));
    assert_not_found(desk.merge_targets(&north, theirs));
    assert_not_found(desk.picture(&north, picture));
    for tab in [Tab::Inbox, Tab::Doing, Tab::Escalated, Tab::Done, Tab::Overdue, Tab::Open, Tab::Ended] {
        for grid in [None, Some(SOUTH.to_owned())] {
            for kind in [None, Some("illegal_parking".to_owned())] {
                let filter = Filter { tab, grid: grid.clone(), kind, origin: None };
                let cases = desk.list(&north, &filter, None, 100).unwrap().cases;
                assert!(cases.iter().all(|case| case.id != theirs), "{filter:?}");
            }
        }
    }
    let text = String::from;
    let actions = [
        Action::Accept,
        Action::Reject { reason: RejectReason::NotThere, note: text("") },
        Action::Merge { into: own },
        Action::Start,
        dispose(),
        verify(),
        Action::Refuse { note: text("x") },
        close(),
        Action::Escalate { note: text("x") },
        Action::Assign { department: text("urban"), note: text("") },
        Action::Return { note: text("x") },
        Action::SendBack { note: text("x") },
        Action::Reopen { note: text("x") },
        Action::Undo,
        Action::Note { note: text("x") },
    ];
    for action in actions {
        let order = Order { action: action.clone(), version: None };
        assert_not_found(desk.act(&north, theirs, order, vec![jpeg(5)]));
    }
    assert!(matches!(street.act(&north, own, Action::Merge { into: theirs }), Err(Denied::Invalid(_))));
    assert_eq!(desk.case(&south, theirs).unwrap(), before, "nothing of it has changed");
    assert_eq!(desk.counts(&north).unwrap().inbox, 1);
    let grids = desk.grids(&north);
    assert_eq!(grids.iter().map(|grid| grid.id.as_str()).collect::<Vec<_>>(), [NORTH]);
    let rates = desk.rates(&north, &Period::default()).unwrap();
    assert_eq!((rates.all.cases, rates.grids.len()), (1, 1));
    let asked = Period { grid: Some(SOUTH.to_owned()), ..Period::default() };
    assert_eq!(desk.rates(&north, &asked).unwrap().all.cases, 0);
    assert!(!desk.rates_csv(&north, &Period::default()).unwrap().contains(SOUTH));
    let links = desk.grid_links(&north).unwrap();
    assert!(links.iter().all(|link| link.grid == NORTH));
    let report = StaffReport {
        grid: text(SOUTH),
        kind: text("bin_overflow"),
        place: text("x"),
        description: text(""),
        contact: text(""),
    };
    assert_not_found(desk.report_patrol(&north, &report, &[]));
    assert!(matches!(desk.report_telephone(&north, &report, &[]), Err(Denied::Forbidden)));
}

#[test]
fn what_is_the_administrators_is_nobody_elses() {
    let (street, north, ..) = two_grids();
    let others = [
        north,
        street.person("zhao", Role::Operator, &[]),
        street.person("chen", Role::Centre, &[]),
        street.person("urban", Role::Department, &[]),
    ];
    let desk = &street.desk;
    for viewer in &others {
        let new = NewAccount {
            login: "evil".to_owned(),
            name: "e".to_owned(),
            role: Role::Admin,
            grids: Vec::new(),
            department: None,
            password: None,
        };
        assert!(matches!(desk.add_account(viewer, new), Err(Denied::Forbidden)));
        let change = AccountChange { role: Some(Role::Admin), ..AccountChange::default() };
        assert!(matches!(desk.set_account(viewer, viewer.account(), change), Err(Denied::Forbidden)));
        assert!(matches!(desk.accounts(viewer), Err(Denied::Forbidden)));
        assert!(matches!(desk.audit(viewer, None, 10), Err(Denied::Forbidden)));
        assert!(matches!(desk.renew_grid_link(viewer, NORTH), Err(Denied::Forbidden)));
    }
    for viewer in [&others[0], &others[3]] {
        assert!(matches!(desk.health(viewer), Err(Denied::Forbidden)));
    }
    assert!(matches!(desk.grid_links(&others[3]), Err(Denied::Forbidden)));
}

#[tokio::test]
async fn live_changes_are_those_of_the_viewers_grids() {
    let (street, north, south, [theirs, own], _) = two_grids();
    let mut watch = street.desk.watch(&north, None);
    street.act(&south, theirs, Action::Accept).unwrap();
    street.act(&north, own, Action::Accept).unwrap();
    let changed = watch.next().await.unwrap();
    assert_eq!((changed.id, changed.what.as_str()), (own, "accept"), "the other came before and is not told");
}

#[test]
fn a_session_ends_with_time_password_and_account() {
    let street = Street::new();
    let admin = street.person("root", Role::Admin, &[]);
    street.person("li", Role::Worker, &[SOUTH]);
    let desk = &street.desk;
    let sign_in = || desk.sign_in("LI ", PASSWORD, HOME).unwrap();
    let first = sign_in();
    assert_eq!(desk.viewer(&first.token).unwrap().viewer.login(), "li");
    assert!(matches!(desk.viewer("nonsense"), Err(Denied::NotSignedIn)));
    desk.sign_out(&first.token).unwrap();
    assert!(matches!(desk.viewer(&first.token), Err(Denied::NotSignedIn)));
    let second = sign_in();
    street.wait(12 * 3_600_000);
    assert!(matches!(desk.viewer(&second.token), Err(Denied::NotSignedIn)), "over after twelve hours");
    let third = sign_in();
    assert!(desk.change_password(&third.viewer, "wrong", "another long one").is_err());
    assert!(desk.change_password(&third.viewer, PASSWORD, "short").is_err());
    desk.change_password(&third.viewer, PASSWORD, "another long one").unwrap();
    assert!(matches!(desk.viewer(&third.token), Err(Denied::NotSignedIn)));
    let fourth = desk.sign_in("li", "another long one", HOME).unwrap();
    let account = fourth.viewer.account();
    let off = AccountChange { is_active: Some(false), ..AccountChange::default() };
    desk.set_account(&admin, account, off.clone()).unwrap();
    assert!(matches!(desk.viewer(&fourth.token), Err(Denied::NotSignedIn)));
    assert!(matches!(desk.sign_in("li", "another long one", HOME), Err(Denied::NotSignedIn)));
    assert!(
        matches!(desk.set_account(&admin, admin.account(), off), Err(Denied::Invalid(_))),
        "the last one"
    );
    let log = desk.audit(&admin, None, 50).unwrap();
    let what: Vec<&str> = log.iter().rev().map(|entry| entry.what.as_str()).collect();
    for expected in ["account_new", "sign_in", "sign_out", "password", "account_changed", "sign_in_failed"] {
        assert!(what.contains(&expected), "{expected} in {what:?}");
    }
    assert!(!format!("{log:?}").contains("long one"), "no password stands in it");
}

#[test]
fn who_guesses_passwords_is_held_back() {
    let street = Street::new();
    street.person("li", Role::Worker, &[SOUTH]);
    let guess = |login: &str, n: u8| {
        street.desk.sign_in(login, "wrong password", IpAddr::V4(Ipv4Addr::new(198, 51, 100, n)))
    };
    for n in 0..10 {
        assert!(matches!(guess("li", n), Err(Denied::NotSignedIn)), "{n}");
        assert!(
            matches!(guess("nobody", n), Err(Denied::NotSignedIn)),
            "a name that is not one sounds the same"
        );
    }
    assert!(matches!(guess("li", 99), Err(Denied::TooMany { .. })), "one name from many addresses");
    let many: Vec<_> = (0..30).map(|n| guess(&format!("user{n}"), 200)).collect();
    let held = many.iter().filter(|one| matches!(one, Err(Denied::TooMany { .. }))).count();
    assert_eq!(held, 10, "many names from one address");
    street.wait(15 * 60_000);
    assert!(street.desk.sign_in("li", PASSWORD, HOME).is_ok());
}
