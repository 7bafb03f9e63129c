//! Cool-down and limits: what they hold back, and that none of it is lost.

use super::*;

#[test]
fn t1_a_crowd_that_flickers_is_told_once_and_the_rest_is_counted() {
    let mut street = Street::new("");
    street.open(0, CROWD, 1, 0.0, 10).clear(1, 60.0);
    for n in 0..5 {
        let t = 120.0 + 100.0 * f64::from(n);
        street.open(0, CROWD, 10 + n, t, 11).pass_until(t + 1.0, t + 40.0, 2.0).clear(10 + n, t + 50.0);
    }
    assert_eq!(street.story(), [(Change::Opened, id(1)), (Change::Cleared, id(1))]);
    assert_eq!(street.status().held_back, []);
    // The first one after the cool-down carries what was held back.
    street.open(0, CROWD, 2, 1000.0, 10);
    let last = street.told.last().unwrap();
    assert_eq!(said(last), (Change::Opened, id(2)));
    let [tally] = last.note.held_back.as_slice() else { panic!("{:?}", last.note) };
    assert_eq!((tally.cool_down, tally.number()), (5, 5));
    assert_eq!(tally.cases, (10..15).map(id).collect::<Vec<_>>());
    assert_eq!(tally.since, at(120.0));
    street.clear(2, 1100.0);
    assert_eq!(street.told.last().unwrap().note.held_back, [], "it is carried once");
}

#[test]
fn t1_what_outlasts_its_cool_down_is_told_with_its_true_times() {
    let mut street = Street::new("");
    street.open(0, CROWD, 1, 0.0, 10).clear(1, 60.0).open(0, CROWD, 2, 500.0, 10);
    street.pass_until(501.0, 959.0, 1.0);
    assert_eq!(street.told_of(2), [], "still within the cool-down of 900 s");
    assert_eq!(street.status().held_back, [(id(2), Reason::CoolDown)]);
    street.pass_until(959.0, 970.0, 1.0);
    assert_eq!(street.told_of(2), [(Change::Opened, 961.0)]);
    let told = street.told.last().unwrap();
    assert_eq!(told.happening.case.opened, at(500.0));
    assert_eq!(told.happening.case.first_seen, at(440.0));
    assert_eq!(told.note.waited_s, Some(461.0));
    assert_eq!(told.note.held_back, [], "it is told itself, so it is not counted as held back");
    street.clear(2, 1200.0);
    assert_eq!(street.told_of(2).last().unwrap(), &(Change::Cleared, 1200.0));
}

#[test]
fn another_car_in_the_same_place_is_told_at_once() {
    let mut street = Street::new("");
    street.open(0, PARKING, 1, 0.0, 1).clear(1, 60.0).open(0, PARKING, 2, 75.0, 1);
    assert_eq!(street.told_of(2), [(Change::Opened, 75.0)]);
    assert_eq!(street.told.last().unwrap().note.waited_s, None);
}

#[test]
fn a_far_larger_crowd_is_told_in_spite_of_the_cool_down() {
    let mut street = Street::new("");
    street.open(0, CROWD, 1, 0.0, 10).clear(1, 60.0).open(0, CROWD, 2, 100.0, 15);
    assert_eq!(street.told_of(2), [(Change::Opened, 100.0)]);
}

#[test]
fn a_cool_down_is_of_one_place_and_kind() {
    let mut street = Street::new("");
    street.open(0, CROWD, 1, 0.0, 10).clear(1, 60.0);
    street.open(0, OTHER_CROWD, 2, 100.0, 10).open(1, CROWD, 3, 101.0, 10).open(0, PARKING, 4, 102.0, 1);
    assert_eq!(street.told.len(), 5, "all others are told at once");
}

#[test]
fn t2_a_limit_of_one_grid_and_kind_holds_back_no_other() {
    let mut street = Street::new("cases_per_hour = 2");
    for n in 0..5 {
        street.open_at(0, PARKING, n, f64::from(n), 1, 0.15 * n as f32, None);
    }
    street.open(0, CROWD, 10, 10.0, 10).open(0, OTHER_CROWD, 11, 11.0, 10);
    let opened: Vec<CaseId> = street.told.iter().map(|dispatch| said(dispatch).1).collect();
    assert_eq!(opened, [id(0), id(1), id(10), id(11)]);
    assert_eq!(carried(&street.told[2]) + carried(&street.told[3]), 0, "that of another kind is not theirs");
    // The next message of the grid and kind carries what was held back.
    street.clear(0, 20.0);
    let tally = &street.told.last().unwrap().note.held_back[0];
    assert_eq!((tally.rate, &tally.cases), (3, &vec![id(2), id(3), id(4)]));
    // As the hour goes by, those that still stand are told: two of three, and the last an hour later.
    street.pass_until(21.0, 3620.0, 10.0);
    assert_eq!(street.told.iter().filter(|d| d.happening.change == Change::Opened).count(), 6);
    street.pass_until(3620.0, 7300.0, 10.0);
    assert_eq!(street.told.iter().filter(|d| d.happening.change == Change::Opened).count(), 7);
    assert_eq!(street.status().held_back, []);
}

#[test]
fn t2_a_limit_of_one_camera_holds_back_no_other() {
    let mut street = Street::new("camera_cases_per_hour = 2");
    street.open(0, PARKING, 1, 0.0, 1).open(0, CROWD, 2, 1.0, 10).open(0, OTHER_CROWD, 3, 2.0, 10);
    street.open(1, OTHER_CROWD, 4, 3.0, 10);
    let opened: Vec<CaseId> = street.told.iter().map(|dispatch| said(dispatch).1).collect();
    assert_eq!(opened, [id(1), id(2), id(4)]);
    let tally = &street.told[2].note.held_back[0];
    assert_eq!((tally.camera.as_str(), tally.camera_rate), ("a", 1), "of the same grid and kind");
    // A message of the camera carries it too, whatever it is about.
    street.open(0, OTHER_CROWD, 5, 4.0, 10).clear(1, 5.0);
    let last = street.told.last().unwrap();
    assert_eq!(said(last), (Change::Cleared, id(1)));
    assert_eq!(last.note.held_back[0].cases, [id(5)]);
}

#[test]
fn t1_what_has_waited_for_long_is_carried_by_any_message() {
    let mut street = Street::new("cases_per_hour = 1");
    street.open(0, OTHER_CROWD, 1, 0.0, 10).open(0, OTHER_CROWD, 2, 1.0, 10).clear(2, 2.0).clear(1, 1.5);
    let mut street = Street::new("cases_per_hour = 1\nupdate_s = 600");
    street.open(0, OTHER_CROWD, 1, 0.0, 10).clear(1, 1.0).open(0, OTHER_CROWD, 2, 2.0, 10).clear(2, 3.0);
    street.open(1, PARKING, 3, 300.0, 1);
    assert_eq!(carried(street.told.last().unwrap()), 0, "nothing to do with each other");
    street.open(1, CROWD, 4, 610.0, 10);
    let tally = &street.told.last().unwrap().note.held_back[0];
    assert_eq!((tally.grid.as_str(), tally.number()), ("g2", 1));
}

#[test]
fn t1_the_number_is_exact_where_the_list_is_cut_short() {
    let mut street = Street::new("cases_per_hour = 1");
    street.open(0, CROWD, 0, 0.0, 10);
    for n in 1..100 {
        street.open(0, CROWD, n, f64::from(n), 10).clear(n, f64::from(n) + 0.5);
    }
    street.clear(0, 200.0);
    let tally = &street.told.last().unwrap().note.held_back[0];
    assert_eq!((tally.number(), tally.cases.len()), (99, 16));
}

#[test]
fn a_case_that_was_never_told_makes_no_cleared_message() {
    let mut street = Street::new("cases_per_hour = 1");
    street.open(0, CROWD, 1, 0.0, 10).open(0, CROWD, 2, 1.0, 10).clear(2, 2.0);
    assert_eq!(street.told_of(2), []);
}

#[test]
fn a_held_case_is_told_only_on_a_look_that_shows_it() {
    let mut street = Street::new("cases_per_hour = 1");
    street.open(0, CROWD, 1, 0.0, 10).open_at(0, PARKING, 2, 1.0, 1, 0.1, None);
    street.open_at(0, PARKING, 3, 2.0, 1, 0.5, None).pass(0, 3602.0);
    assert!(street.wanted[0].contains(&Wanted { case: id(3), change: Change::Opened }));
    assert_eq!(street.told_of(3), [], "it is asked for, and told when the camera's core shows it");
}
