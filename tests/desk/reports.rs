//! What residents, patrols and callers bring in, and what residents are asked afterwards.

use super::*;
use gridpatrol::desk::followup::FollowupAnswer;
use gridpatrol::desk::life::State;
use gridpatrol::desk::report::{ResidentReport, StaffReport};

fn report() -> ResidentReport {
    ResidentReport {
        kind: "bin_overflow".to_owned(),
        place: "2号楼东侧".to_owned(),
        description: "垃圾桶满了 <script>alert(1)</script>'; DROP TABLE cases; --".to_owned(),
        contact: "138 0000 0000".to_owned(),
    }
}

fn answer(solved: bool, satisfaction: u8) -> FollowupAnswer {
    FollowupAnswer { solved, satisfaction, comment: "谢谢".to_owned() }
}

/// The last part of an address.
fn token(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}

fn address(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0xc633_6400 + n))
}

#[test]
fn a_resident_reports_follows_and_is_asked() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let operator = street.person("zhao", Role::Operator, &[]);
    let desk = &street.desk;
    let link = token(&desk.grid_links(&worker).unwrap()[0].url);
    assert_eq!(desk.grid_of_link(&link).unwrap().id, SOUTH);
    let receipt = desk.report(&link, &report(), &[jpeg(1)], HOME).unwrap();
    assert!(receipt.status_url.ends_with(&format!("/s/{}", receipt.status_token)));
    let id = street.only(&worker);
    let case = desk.case(&worker, id).unwrap();
    assert_eq!(case.description, report().description, "kept as it was written");
    assert_eq!(case.contact, None, "the worker need not know the number");
    assert_eq!(desk.case(&operator, id).unwrap().contact.as_deref(), Some("138 0000 0000"));
    let photo = desk.picture(&worker, case.case.thumb.unwrap()).unwrap();
    assert!(!photo.bytes.ends_with(&1_u32.to_be_bytes()), "written anew");

    street.act(&worker, id, Action::Accept).unwrap();
    street.act(&worker, id, dispose()).unwrap();
    street.act(&operator, id, verify()).unwrap();
    assert_eq!(desk.status(&receipt.status_token).unwrap().followup_url, None);
    street.act(&operator, id, close()).unwrap();
    let status = desk.status(&receipt.status_token).unwrap();
    assert_eq!((status.state, status.state_names.0), (State::Closed, "已结案"));
    assert_eq!(status.steps.len(), 5);
    let asked = token(&status.followup_url.unwrap());
    assert_eq!(desk.followup(&asked).unwrap().number, receipt.number);
    for bad in [0, 6] {
        assert!(matches!(desk.answer_followup(&asked, &answer(true, bad), HOME), Err(Denied::Invalid(_))));
    }
    desk.answer_followup(&asked, &answer(false, 2), HOME).unwrap();
    assert!(matches!(desk.answer_followup(&asked, &answer(true, 5), HOME), Err(Denied::Changed)), "once");
    let case = desk.case(&operator, id).unwrap();
    assert_eq!((case.case.state, case.case.reopened), (State::Accepted, 1));
    assert_eq!(case.followup.unwrap().satisfaction, Some(2));

    // Closed again, there is another link, and the old one is over.
    street.act(&worker, id, dispose()).unwrap();
    street.act(&operator, id, verify()).unwrap();
    street.act(&operator, id, close()).unwrap();
    assert_not_found(desk.answer_followup(&asked, &answer(true, 5), HOME));
    let again = token(&desk.status(&receipt.status_token).unwrap().followup_url.unwrap());
    desk.answer_followup(&again, &answer(true, 5), HOME).unwrap();
    assert_eq!(desk.case(&operator, id).unwrap().case.state, State::Closed);
    let rates = desk.rates(&operator, &Default::default()).unwrap();
    assert_eq!((rates.all.satisfaction.part, rates.all.satisfaction.of), (1, 1));
    while desk.send_notices().unwrap() > 0 {}
    let told = std::fs::read_to_string(street.folder.path().join("data/notices.jsonl")).unwrap();
    assert_eq!(told.matches("\"contact\":\"138 0000 0000\"").count(), 2, "asked at each closing");
}

#[test]
fn a_link_that_was_not_given_out_opens_nothing() {
    let street = Street::new();
    let admin = street.person("root", Role::Admin, &[]);
    let desk = &street.desk;
    let link = token(&desk.grid_links(&admin).unwrap()[0].url);
    let receipt = desk.report(&link, &report(), &[], HOME).unwrap();
    let mut guess = receipt.status_token.clone();
    let last = if guess.pop() == Some('0') { '1' } else { '0' };
    guess.push(last);
    let id = street.only(&admin);
    for bad in [
        guess.as_str(),
        "",
        "1",
        "1-",
        "999999-00000000000000000000",
        "../../etc/passwd",
        &format!("{id}-{link}"),
    ] {
        assert_not_found(desk.status(bad));
        assert_not_found(desk.followup(bad));
        assert_not_found(desk.answer_followup(bad, &answer(true, 5), HOME));
        assert_not_found(desk.grid_of_link(bad));
    }
    assert_not_found(desk.followup(&receipt.status_token));
    // A renewed link closes the one before it.
    let other = token(&desk.renew_grid_link(&admin, NORTH).unwrap().url);
    assert_not_found(desk.grid_of_link(&link));
    assert_eq!(desk.grid_of_link(&other).unwrap().id, NORTH);
    let street = street.reopened();
    assert_eq!(street.desk.grid_of_link(&other).unwrap().id, NORTH, "and stays good over a restart");
    assert!(street.desk.status(&receipt.status_token).is_ok());
}

#[test]
fn what_is_not_right_with_a_report_is_said() {
    let street = Street::new();
    let admin = street.person("root", Role::Admin, &[]);
    let desk = &street.desk;
    let link = token(&desk.grid_links(&admin).unwrap()[0].url);
    let mut good = jpeg(1);
    good.truncate(60);
    let cases: [(&str, ResidentReport, Vec<Vec<u8>>); 8] = [
        ("kind", ResidentReport { kind: "'; DROP".to_owned(), ..report() }, vec![]),
        ("place", ResidentReport { place: "  ".to_owned(), ..report() }, vec![]),
        ("place", ResidentReport { place: "x".repeat(121), ..report() }, vec![]),
        ("description", ResidentReport { description: "x".repeat(1001), ..report() }, vec![]),
        ("contact", ResidentReport { contact: "1\nBcc: x".to_owned(), ..report() }, vec![]),
        ("photo", report(), vec![b"GIF89a".to_vec()]),
        ("photo", report(), vec![good]),
        ("photo", report(), vec![jpeg(1); 4]),
    ];
    for (n, (field, report, photos)) in cases.into_iter().enumerate() {
        let outcome = desk.report(&link, &report, &photos, address(n as u32));
        assert!(
            matches!(&outcome, Err(Denied::Invalid(what)) if what.field == field),
            "{field}: {outcome:?}"
        );
    }
    assert_eq!(street.count(&admin, Tab::Open), 0);
}

#[test]
fn a_flood_is_held_back_by_address_and_by_grid_and_other_grids_go_on() {
    let street = Street::new();
    let admin = street.person("root", Role::Admin, &[]);
    let desk = &street.desk;
    let links: Vec<String> = desk.grid_links(&admin).unwrap().iter().map(|link| token(&link.url)).collect();
    let report = report();
    let from_one = (0..1000).filter(|_| desk.report(&links[0], &report, &[], HOME).is_ok()).count();
    assert_eq!(from_one, 6);
    let from_many = (0..1000).filter(|n| desk.report(&links[0], &report, &[], address(*n)).is_ok()).count();
    assert_eq!(from_many, 54, "sixty for the grid in all");
    assert!(desk.report(&links[1], &report, &[], address(5000)).is_ok(), "another grid is not held back");
    assert!(matches!(
        desk.report(&links[0], &report, &[], address(6000)),
        Err(Denied::TooMany { retry_after_s: 60 })
    ));
    street.wait(3_600_000);
    assert!(desk.report(&links[0], &report, &[], HOME).is_ok());
}

#[test]
fn a_patrol_and_a_call_live_the_same_life() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let operator = street.person("zhao", Role::Operator, &[]);
    let desk = &street.desk;
    let found = StaffReport {
        grid: SOUTH.to_owned(),
        kind: "road_damage".to_owned(),
        place: "门口".to_owned(),
        description: String::new(),
        contact: String::new(),
    };
    let patrol = desk.report_patrol(&worker, &found, &[jpeg(1)]).unwrap();
    assert_eq!(patrol.case.state, State::Accepted, "a person has seen it");
    assert_eq!(patrol.case.responded_at, Some(street.now()));
    let call = StaffReport { contact: "0371-12345".to_owned(), ..found };
    let call = desk.report_telephone(&operator, &call, &[]).unwrap();
    assert_eq!(call.case.state, State::Candidate);
    assert_ne!(call.case.number, patrol.case.number);
    assert!(call.case.number.starts_with("20261126-"), "{}", call.case.number);
    street.act(&worker, call.case.id, Action::Accept).unwrap();
    street.act(&worker, call.case.id, dispose()).unwrap();
    street.act(&operator, call.case.id, verify()).unwrap();
    let closed = street.act(&operator, call.case.id, close()).unwrap();
    assert!(closed.followup.unwrap().link.unwrap().contains("/f/"), "the operator may call back and ask");
    assert_eq!(desk.case(&worker, call.case.id).unwrap().followup.unwrap().link, None);
    street.act(&worker, patrol.case.id, dispose()).unwrap();
    street.act(&operator, patrol.case.id, verify()).unwrap();
    assert_eq!(street.act(&operator, patrol.case.id, close()).unwrap().followup, None, "nobody to ask");
}
