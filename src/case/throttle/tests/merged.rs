//! One violation that two cameras see.

use super::*;

/// A point so many metres north of one in Zhengzhou.
fn north(metres: f64) -> Option<Position> {
    Some(Position { lon: 113.61, lat: 34.75 + metres / 110_940.0, accuracy_m: None })
}

#[test]
fn one_violation_seen_by_two_cameras_is_one_case_that_clears_when_both_see_it_clear() {
    let mut street = Street::new("");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 5.0, 1, 0.7, north(2.0));
    assert_eq!(street.story(), [(Change::Opened, id(1))]);
    street.clear(1, 100.0).pass(1, 101.0);
    assert_eq!(street.told.len(), 1, "the other still sees it");
    street.clear(2, 200.0);
    let last = street.told.last().unwrap();
    assert_eq!((said(last), last.camera.as_str()), ((Change::Cleared, id(1)), "a"));
    assert_eq!(last.happening.at, at(200.0));
    assert_eq!(last.labels.as_deref(), Some(&["car".to_owned()][..]));
    assert_eq!(last.note.also_seen_by, [Seen { camera: "b".to_owned(), case: id(2) }]);
}

#[test]
fn it_does_not_matter_which_of_two_cameras_sees_it_clear_first_nor_a_restart_between() {
    let mut street = Street::new("");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 5.0, 1, 0.7, north(2.0)).restart(6.0);
    street.clear(2, 100.0).restart(101.0).pass(0, 102.0).clear(1, 200.0);
    assert_eq!(street.story(), [(Change::Opened, id(1)), (Change::Cleared, id(1))]);
    let mut street = Street::new("");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 5.0, 1, 0.7, north(2.0)).restart(6.0);
    street.clear(1, 100.0).restart(101.0).clear(2, 200.0);
    assert_eq!(street.story(), [(Change::Opened, id(1)), (Change::Cleared, id(1))]);
}

#[test]
fn what_is_far_apart_of_another_kind_or_without_a_position_is_not_merged() {
    let mut street = Street::new("");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 1.0, 1, 0.1, north(4.0));
    street.open_at(1, CROWD, 3, 2.0, 10, 0.1, north(0.0));
    street.open_at(1, PARKING, 4, 3.0, 1, 0.5, None);
    assert_eq!(street.told.len(), 4);
    // With the distance set to nothing, nothing is.
    let mut street = Street::new("same_violation_m = 0.0");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 1.0, 1, 0.1, north(0.0));
    assert_eq!(street.told.len(), 2);
}

#[test]
fn two_cars_that_one_camera_sees_apart_are_two_cases_and_each_is_paired_with_the_nearest() {
    let mut street = Street::new("");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(0, PARKING, 2, 1.0, 1, 0.4, north(2.5));
    street.open_at(1, PARKING, 3, 2.0, 1, 0.6, north(2.4));
    street.open_at(1, PARKING, 4, 3.0, 1, 0.9, north(0.2));
    assert_eq!(street.told.len(), 2);
    street.clear(1, 10.0).clear(3, 11.0).clear(2, 12.0);
    assert_eq!(street.told_of(2), [(Change::Opened, 1.0), (Change::Cleared, 12.0)]);
    assert_eq!(street.told_of(1), [(Change::Opened, 0.0)], "its own view by the other camera stands");
}

#[test]
fn another_camera_that_joins_is_said_in_the_next_update() {
    let mut street = Street::new("update_s = 600");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 5.0, 1, 0.7, north(2.0)).pass_until(6.0, 2000.0, 10.0);
    assert_eq!(street.told_of(1), [(Change::Opened, 0.0), (Change::Updated, 616.0)]);
    assert_eq!(street.told[1].note.also_seen_by.len(), 1);
}

#[test]
fn a_view_that_comes_back_joins_the_case_that_another_camera_kept() {
    let mut street = Street::new("");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(0.0));
    street.open_at(1, PARKING, 2, 5.0, 1, 0.7, north(1.0)).clear(1, 100.0);
    street.open_at(0, PARKING, 3, 200.0, 1, 0.1, north(0.1)).clear(2, 300.0);
    assert_eq!(street.story(), [(Change::Opened, id(1))]);
    street.clear(3, 400.0);
    assert_eq!(street.story(), [(Change::Opened, id(1)), (Change::Cleared, id(1))]);
}

#[test]
fn when_the_camera_of_a_held_case_sees_it_clear_the_other_goes_on_with_it() {
    let mut street = Street::new("cases_per_hour = 1");
    street.open_at(0, PARKING, 1, 0.0, 1, 0.1, north(50.0));
    street.open_at(0, PARKING, 2, 1.0, 1, 0.4, north(0.0));
    street.open_at(1, PARKING, 3, 2.0, 1, 0.4, north(0.5)).clear(2, 10.0);
    assert_eq!(street.status().held_back, [(id(3), Reason::Rate)]);
    street.pass_until(11.0, 3700.0, 10.0);
    assert_eq!(street.told_of(3).len(), 1, "it is told once the limit allows");
    street.clear(3, 3800.0);
    assert_eq!(street.told_of(2), []);
    assert_eq!(street.told_of(3).last().unwrap(), &(Change::Cleared, 3800.0));
}
