//! What a box that shows only a part of something, or of what was in front of it, does to cases.

use super::*;

#[test]
fn i1_half_of_a_car_found_beside_the_whole_of_it_is_no_second_car_though_it_seems_taller() {
    let (name, whole) = car(0.3);
    // Two thirds of it lie in the box of the car.
    let half = (name, BBox { x1: 0.362, y1: 0.42, x2: 0.425, y2: 0.562 });
    let mut watch = Watch::new();
    watch.see(65.0, &[(name, whole)]).see(70.0, &[(name, whole), half]);
    assert_eq!(watch.changes(), [Change::Opened], "{:?}", watch.story());
    // One that stands closer to the camera is one.
    let nearer = (name, BBox { y1: 0.48, y2: 0.60, ..half.1 });
    let mut watch = Watch::new();
    watch.see(65.0, &[(name, whole)]).see(70.0, &[(name, whole), nearer]);
    assert_eq!(watch.changes(), [Change::Opened; 2], "{:?}", watch.story());
}

#[test]
fn i1_a_car_of_which_one_half_shows_and_then_the_other_keeps_its_case() {
    let (name, whole) = car(0.45);
    let (right, left) = (BBox { x1: 0.52, ..whole }, BBox { x2: 0.53, ..whole });
    let other = car(0.8);
    let mut watch = Watch::new();
    // A bus hides the left half; the right one is missed for a while, and so in doubt when it is found again.
    watch.see(65.0, &[BUS, other, (name, right)]).see(9.0, &[BUS, other]);
    watch.see(0.4, &[BUS, other, (name, right)]);
    // As the bus drives off, the left half is found for a moment.
    watch.see(0.2, &[other, (name, left)]).see(90.0, &[other, (name, whole)]);
    assert_eq!(watch.changes(), [Change::Opened; 2], "{:?}", watch.story());
}

#[test]
fn i2_a_car_found_where_it_stood_shows_that_the_bus_before_it_has_gone() {
    let mut watch = Watch::new();
    let car = [car(0.3)];
    watch.show_each((30.0, 2.0), View::Clear, &car, 0.8).show_each((28.0, 2.0), View::Clear, &[BUS], 0.8);
    watch.show_each((20.0, 2.0), View::Clear, &car, 0.8);
    let story = watch.story();
    assert!(story.len() == 1 && (60.0..65.0).contains(&story[0].1), "{story:?}");
}
