//! What is told of a case in its life.

use super::*;

#[test]
fn i6_a_case_makes_an_opened_a_cleared_and_one_update_in_each_interval() {
    for days in [1.0, 30.0] {
        let mut street = Street::new("");
        street.open(0, PARKING, 1, 0.0, 1).open(1, CROWD, 2, 0.0, 10);
        let mut t = 600.0;
        let mut people = 10;
        while t < days * DAY {
            // A crowd that grows without end has news all the time.
            people = (people * 2).min(5_000_000);
            street.counts(2, 10 + (t / 600.0) as usize * 4).pass(0, t).pass(1, t + 1.0);
            t += 600.0;
        }
        street.clear(1, t).clear(2, t);
        for name in [1, 2] {
            let told = street.told_of(name);
            assert_eq!(told.first().unwrap().0, Change::Opened);
            assert_eq!(told.last().unwrap().0, Change::Cleared);
            let updates = &told[..told.len() - 1];
            assert!(updates.windows(2).all(|pair| pair[1].1 - pair[0].1 >= HOUR), "{told:?}");
            assert!(updates[1..].iter().all(|(change, _)| *change == Change::Updated), "{told:?}");
        }
        let parked = street.told_of(1).len();
        assert_eq!(parked, if days < 2.0 { 3 } else { 8 }, "4 h, a day, then each of four weeks");
    }
}

#[test]
fn a_car_that_parks_for_an_afternoon_makes_two_messages_and_one_more_after_four_hours() {
    for (hours, messages) in [(3.0, 2), (6.0, 3), (23.0, 3)] {
        let mut street = Street::new("");
        street.open(0, PARKING, 1, 300.0, 1).pass_until(310.0, hours * HOUR, 30.0).clear(1, hours * HOUR);
        assert_eq!(street.told.len(), messages, "{hours} h");
    }
}

#[test]
fn a_crowd_that_grows_by_half_is_told_once_the_interval_is_over() {
    let mut street = Street::new("update_s = 600");
    street.open(0, CROWD, 1, 0.0, 10).counts(1, 14).pass_until(1.0, 700.0, 10.0);
    assert_eq!(street.told.len(), 1, "four more are no news");
    street.counts(1, 15).pass_until(700.0, 2000.0, 10.0);
    assert_eq!(street.told_of(1), [(Change::Opened, 0.0), (Change::Updated, 710.0)]);
    assert_eq!(street.told[1].happening.case.objects.len(), 15);
}

#[test]
fn a_limit_is_kept_across_a_restart() {
    let mut street = Street::new("update_s = 600");
    street.open(0, CROWD, 1, 0.0, 10).counts(1, 20).pass(0, 599.0).restart(599.0).pass(0, 599.5);
    assert_eq!(street.told.len(), 1);
    street.pass(0, 600.0).restart(600.0).pass(0, 601.0).restart(601.0).pass(0, 602.0);
    assert_eq!(street.told_of(1), [(Change::Opened, 0.0), (Change::Updated, 601.0)]);
}

#[test]
fn recurrence_counts_seven_days_and_names_the_case_before() {
    let mut street = Street::new("");
    street.open(0, PARKING, 1, 0.0, 1).clear(1, HOUR);
    street.open(0, PARKING, 2, DAY, 1).clear(2, DAY + HOUR);
    // Another spot of the same zone, and another zone.
    street.open_at(0, PARKING, 3, 2.0 * DAY, 1, 0.6, None).open(0, CROWD, 4, 2.0 * DAY + 1.0, 10);
    street.open(0, PARKING, 5, 3.0 * DAY, 1).clear(5, 3.0 * DAY + HOUR);
    street.open(0, PARKING, 6, 7.5 * DAY, 1);
    let of = |name: u32| {
        let opened = street.told.iter().find(|dispatch| said(dispatch) == (Change::Opened, id(name)));
        let Recurrence { count_7d, previous } = opened.unwrap().note.recurrence.clone();
        (count_7d, previous)
    };
    assert_eq!(of(1), (1, None));
    assert_eq!(of(2), (2, Some(id(1))));
    assert_eq!(of(3), (1, None));
    assert_eq!(of(4), (1, None));
    assert_eq!(of(5), (3, Some(id(2))));
    assert_eq!(of(6), (3, Some(id(5))), "the first is more than seven days ago");
    let cleared = street.told.iter().find(|dispatch| said(dispatch) == (Change::Cleared, id(2))).unwrap();
    assert_eq!(cleared.note.recurrence.count_7d, 2, "the last message says what the first said");
}

#[test]
fn a_case_from_before_there_was_a_throttle_is_cleared_and_not_told_again() {
    let mut street = Street::new("");
    street.open(0, PARKING, 1, 0.0, 1);
    street.throttle = Throttle::new(street.plan.limits);
    street.told.clear();
    street.restart(10.0).pass_until(10.0, 60.0, 1.0).clear(1, 60.0);
    assert_eq!(street.told_of(1), [(Change::Cleared, 60.0)]);
}

#[test]
fn a_case_whose_rule_is_gone_after_a_restart_stands_no_more() {
    let mut street = Street::new("cases_per_hour = 1");
    street.open(0, PARKING, 1, 0.0, 1).open_at(0, PARKING, 2, 1.0, 1, 0.5, None);
    street.open.clear();
    street.restart(10.0).pass(0, 11.0);
    let status = street.status();
    assert_eq!((status.standing, status.held_back.len()), (0, 0));
    assert_eq!(
        status.untold.iter().map(Tally::number).sum::<u32>(),
        1,
        "what was held back is still counted"
    );
}

#[test]
fn a_state_of_another_version_is_refused_with_advice() {
    let saved = Throttle::new(Limits::default()).save().unwrap();
    let text = String::from_utf8(saved).unwrap().replace("\"version\":1", "\"version\":99");
    let error = Throttle::restore(Limits::default(), text.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
    assert!(Throttle::restore(Limits::default(), b"not JSON").is_err());
}
