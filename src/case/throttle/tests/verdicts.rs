//! What reviewers say, and what comes of it.

use super::*;

/// A car that stands in one place for two minutes, is told or not, and leaves.
fn visit(street: &mut Street, name: u32, t: f64) {
    street.open(0, PARKING, name, t, 1).pass_until(t + 1.0, t + 60.0, 10.0).clear(name, t + 120.0);
}

#[test]
fn t3_a_rejected_verdict_quiets_its_place_and_kind_and_nothing_else() {
    let mut street = Street::new("");
    visit(&mut street, 1, 0.0);
    let outcome = street.throttle.verdict(&id(1), Verdict::Rejected, "a signpost", at(200.0));
    assert_eq!(outcome, VerdictOutcome::Quiet(at(200.0 + HOUR)));
    visit(&mut street, 2, 300.0);
    assert_eq!(street.told_of(2), []);
    street.open_at(0, PARKING, 3, 500.0, 1, 0.5, None).open(0, CROWD, 4, 501.0, 10);
    street.open(1, PARKING, 5, 502.0, 1);
    let told: Vec<usize> = [3, 4, 5].iter().map(|name| street.told_of(*name).len()).collect();
    assert_eq!(told, [1, 1, 1], "another spot, another kind and another camera are not quiet");
    let status = street.status();
    let [quiet] = status.quiet.as_slice() else { panic!("{status:?}") };
    assert_eq!((quiet.reason.as_str(), quiet.rejections, quiet.held_back), ("a signpost", 1, 1));
    assert_eq!((quiet.camera.as_str(), quiet.zone.as_str(), &quiet.case), ("a", "kerb", &id(1)));
    // T1 holds here as well: the next message of the grid and kind carried the one that was held back.
    let tally = &street.told.iter().find(|d| d.happening.case.id == id(3)).unwrap().note.held_back[0];
    assert_eq!((tally.quiet, &tally.cases), (1, &vec![id(2)]));
}

#[test]
fn t3_a_rule_that_a_person_made_quiet_holds_back_its_cases_and_no_other_for_that_time() {
    let mut street = Street::new("");
    let rule = HushedRule {
        camera: "a".to_owned(),
        zone: "kerb".to_owned(),
        kind: "illegal_parking".to_owned(),
        reason: "works".to_owned(),
        since: at(0.0),
        until: at(600.0),
    };
    assert_eq!(street.throttle.hush(rule.clone()), Some(at(600.0)));
    street.open(0, PARKING, 1, 10.0, 1).open(0, CROWD, 2, 11.0, 10).open(1, PARKING, 3, 12.0, 1);
    let told: Vec<usize> = [1, 2, 3].iter().map(|name| street.told_of(*name).len()).collect();
    assert_eq!(told, [0, 1, 1]);
    assert_eq!(street.status().hushed, std::slice::from_ref(&rule));
    // It survives a restart, ends by itself, and what still stands is then told.
    street.throttle = Throttle::restore(street.throttle.limits, &street.throttle.save().unwrap()).unwrap();
    street.pass_until(20.0, 590.0, 10.0);
    assert_eq!(street.told_of(1), []);
    street.pass_until(590.0, 630.0, 10.0);
    assert_eq!(street.told_of(1).len(), 1);
    // A day at most, and over at once when it is resumed.
    let long = HushedRule { since: at(700.0), until: at(700.0 + 9.0 * DAY), ..rule };
    assert_eq!(street.throttle.hush(long), Some(at(700.0 + DAY)));
    let names = ("a", "kerb", "illegal_parking");
    assert_eq!(street.throttle.unhush(names, at(701.0)), VerdictOutcome::Resumed);
    assert_eq!(street.throttle.unhush(names, at(702.0)), VerdictOutcome::Noted);
}

#[test]
fn t3_the_quiet_ends_by_itself_and_what_still_stands_is_told() {
    let mut street = Street::new("");
    visit(&mut street, 1, 0.0);
    street.throttle.verdict(&id(1), Verdict::Rejected, "", at(200.0));
    street.open(0, PARKING, 2, 300.0, 1).pass_until(301.0, 3790.0, 10.0);
    assert_eq!(street.told_of(2), []);
    street.pass_until(3790.0, 3830.0, 10.0);
    assert_eq!(street.told_of(2), [(Change::Opened, 3810.0)]);
    assert_eq!(street.status().quiet, []);
}

#[test]
fn t3_each_rejection_quiets_for_longer_up_to_a_bound() {
    let mut street = Street::new("quiet_s = 600\nlongest_quiet_s = 20000");
    let mut t = 0.0;
    let mut lengths = Vec::new();
    for name in 0..5 {
        visit(&mut street, name, t);
        let now = at(t + 200.0);
        let VerdictOutcome::Quiet(until) = street.throttle.verdict(&id(name), Verdict::Rejected, "", now)
        else {
            panic!("not quiet")
        };
        lengths.push(until.seconds_since(now));
        t += 200.0 + lengths[lengths.len() - 1] + 10.0;
    }
    assert_eq!(lengths, [600.0, 2400.0, 9600.0, 20000.0, 20000.0]);
}

#[test]
fn t3_a_rejection_that_comes_twice_counts_once() {
    let mut street = Street::new("");
    visit(&mut street, 1, 0.0);
    street.throttle.verdict(&id(1), Verdict::Rejected, "", at(200.0));
    let again = street.throttle.verdict(&id(1), Verdict::Rejected, "", at(300.0));
    assert_eq!(again, VerdictOutcome::Repeated);
    assert_eq!(street.status().quiet[0].until, at(200.0 + HOUR));
    assert_eq!(street.status().verdicts.rejected, 1);
}

#[test]
fn t3_a_resume_ends_it_and_the_next_rejection_is_a_first_one() {
    let mut street = Street::new("");
    visit(&mut street, 1, 0.0);
    street.throttle.verdict(&id(1), Verdict::Rejected, "", at(200.0));
    street.open(0, PARKING, 2, 300.0, 1).pass(0, 310.0);
    assert_eq!(street.told_of(2), []);
    assert_eq!(street.throttle.resume(&id(1)), VerdictOutcome::Resumed);
    street.pass(0, 320.0).pass(0, 321.0).clear(2, 400.0);
    assert_eq!(street.told_of(2), [(Change::Opened, 321.0), (Change::Cleared, 400.0)]);
    let outcome = street.throttle.verdict(&id(2), Verdict::Rejected, "", at(500.0));
    assert_eq!(outcome, VerdictOutcome::Quiet(at(500.0 + HOUR)));
    assert_eq!(street.throttle.resume(&id(99)), VerdictOutcome::Unknown);
}

#[test]
fn t3_a_confirmed_verdict_never_quiets_and_ends_what_is_quiet() {
    let mut street = Street::new("");
    for (name, verdict) in [(1, Verdict::Confirmed), (2, Verdict::Duplicate), (3, Verdict::Unclear)] {
        let t = f64::from(name) * 1000.0;
        visit(&mut street, name, t);
        let outcome = street.throttle.verdict(&id(name), verdict, "", at(t + 200.0));
        assert_eq!((outcome, street.status().quiet), (VerdictOutcome::Noted, Vec::new()));
    }
    visit(&mut street, 4, 4000.0);
    assert_eq!(street.told_of(4).len(), 2);
    street.throttle.verdict(&id(4), Verdict::Rejected, "", at(4200.0));
    // The reviewer of an older case in the same place confirms it: two opinions, and the box speaks.
    assert_eq!(street.throttle.verdict(&id(2), Verdict::Confirmed, "", at(4300.0)), VerdictOutcome::Resumed);
    visit(&mut street, 5, 4400.0);
    assert_eq!(street.told_of(5).len(), 2);
}

#[test]
fn t3_who_takes_a_rejection_back_takes_back_what_it_did() {
    for verdict in [Verdict::Confirmed, Verdict::Unclear, Verdict::Duplicate] {
        let mut street = Street::new("");
        visit(&mut street, 1, 0.0);
        street.throttle.verdict(&id(1), Verdict::Rejected, "", at(200.0));
        let outcome = street.throttle.verdict(&id(1), verdict, "", at(210.0));
        assert_eq!((outcome, street.status().quiet), (VerdictOutcome::Resumed, Vec::new()));
    }
}

#[test]
fn t3_quiet_survives_a_restart() {
    let mut street = Street::new("");
    visit(&mut street, 1, 0.0);
    street.throttle.verdict(&id(1), Verdict::Rejected, "a shadow", at(200.0));
    let before = street.status();
    street.restart(201.0);
    assert_eq!(street.status(), before);
    visit(&mut street, 2, 300.0);
    assert_eq!(street.told_of(2), []);
}

#[test]
fn a_verdict_on_a_case_that_is_not_known_changes_nothing() {
    let mut street = Street::new("");
    visit(&mut street, 1, 0.0);
    let before = street.throttle.save().unwrap();
    let outcome = street.throttle.verdict(&id(7), Verdict::Rejected, "", at(200.0));
    assert_eq!(outcome, VerdictOutcome::Unknown);
    assert_eq!(street.throttle.save().unwrap(), before);
}

#[test]
fn a_rejected_case_that_stands_makes_no_updates_but_says_when_it_clears() {
    let mut street = Street::new("update_s = 60");
    street.open(0, CROWD, 1, 0.0, 10);
    street.throttle.verdict(&id(1), Verdict::Rejected, "", at(10.0));
    street.counts(1, 40).pass_until(11.0, 600.0, 10.0).clear(1, 700.0);
    assert_eq!(street.told_of(1), [(Change::Opened, 0.0), (Change::Cleared, 700.0)]);
}
