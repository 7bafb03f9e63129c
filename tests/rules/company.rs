//! Rules about things that stand together, and about who is near: stalls, shops, dogs, bags.

use gridpatrol::case::Change;
use gridpatrol::look::View;

use super::watch::{Thing, Watch, person, standing};

fn table(x: f32) -> Thing {
    ("dining table", standing(x, 0.8, 0.08, 0.10))
}

fn umbrella(x: f32) -> Thing {
    ("umbrella", standing(x, 0.68, 0.12, 0.12))
}

fn chair(x: f32) -> Thing {
    ("chair", standing(x, 0.8, 0.04, 0.10))
}

/// A bus in front of everything between 0.3 and 0.7.
const BUS: Thing = ("bus", gridpatrol::detect::BBox { x1: 0.25, y1: 0.3, x2: 0.75, y2: 0.97 });

#[test]
fn a_stall_is_one_case_with_all_of_its_parts() {
    let mut watch = Watch::over("sidewalk", "");
    watch.see(5.0, &[]).see(400.0, &[table(0.5), umbrella(0.5), table(0.6), person(0.56, 0.8)]);
    watch.expect_one("roadside_stall", 305.0, 1.0, false);
    assert_eq!(watch.happenings[0].case.objects.len(), 3);
    // The vendor is away for a while, another table is put up, one is taken in: still the same stall.
    watch.see(100.0, &[table(0.5), umbrella(0.5), table(0.6)]).see(400.0, &[table(0.5), table(0.42)]);
    watch.expect_one("roadside_stall", 305.0, 1.0, false);
    watch.see(90.0, &[]);
    watch.expect_one("roadside_stall", 305.0, 1.0, true);
}

#[test]
fn a_table_that_nobody_stays_with_is_no_stall() {
    let mut watch = Watch::over("sidewalk", "");
    // Somebody walks past it all the time.
    for _ in 0..60 {
        watch.film(10.0, |t| vec![table(0.5), person(0.02 + 0.09 * t as f32, 0.85)]);
    }
    assert_eq!(watch.story(), []);
}

#[test]
fn a_vendor_who_is_seen_on_every_other_look_is_with_his_stall() {
    let mut watch = Watch::over("sidewalk", "");
    for n in 0..400 {
        let mut things = vec![table(0.5)];
        things.extend((n % 2 == 0).then(|| person(0.56, 0.8)));
        watch.see(1.0, &things);
    }
    watch.expect_one("roadside_stall", 300.0, 2.0, false);
}

#[test]
fn two_stalls_apart_are_two_cases() {
    let mut watch = Watch::over("sidewalk", "");
    watch.see(310.0, &[table(0.2), person(0.26, 0.8), table(0.8), person(0.86, 0.8)]);
    assert_eq!(watch.when(Change::Opened).len(), 2);
}

#[test]
fn i3_a_stall_behind_a_bus_has_not_gone() {
    let mut watch = Watch::over("sidewalk", "");
    watch
        .see(310.0, &[table(0.5), person(0.56, 0.8)])
        .see(180.0, &[BUS])
        .blind(300.0, View::Dark)
        .gap(3600.0);
    watch.restart().see(10.0, &[table(0.5)]);
    watch.expect_one("roadside_stall", 300.0, 0.5, false);
    watch.see(55.0, &[]);
    watch.expect_one("roadside_stall", 300.0, 0.5, false);
    watch.see(10.0, &[]);
    watch.expect_one("roadside_stall", 300.0, 0.5, true);
}

#[test]
fn the_goods_of_one_shop_are_one_case_from_three_things_on() {
    let mut watch = Watch::over("shopfront", "");
    watch.see(700.0, &[chair(0.2), table(0.8)]);
    assert_eq!(watch.story(), [], "two things are no shop");
    watch.see(610.0, &[chair(0.2), table(0.8), chair(0.5)]);
    watch.expect_one("shop_spill", 1300.0, 1.0, false);
    // A chair is moved about, which makes no other case; clearing up ends it.
    for n in 0..6 {
        watch.see(120.0, &[chair(0.2), table(0.8), chair(0.4 + 0.05 * n as f32)]);
    }
    watch.expect_one("shop_spill", 1300.0, 1.0, false);
    watch.see(90.0, &[chair(0.2)]);
    watch.expect_one("shop_spill", 1300.0, 1.0, true);
}

#[test]
fn a_dog_on_its_own_is_a_stray_and_one_on_a_walk_is_not() {
    let dog = |x: f32| ("dog", standing(x, 0.8, 0.05, 0.07));
    let there = |t: f64| 0.3 + 0.2 * (t / 7.0).sin() as f32;
    let mut watch = Watch::over("public_area", "");
    watch.film(300.0, |t| vec![dog(there(t)), person(there(t) + 0.06, 0.82)]);
    assert_eq!(watch.story(), []);
    watch.see(100.0, &[]).film(200.0, |t| vec![dog(there(t)), person(0.9, 0.8)]).see(70.0, &[]);
    watch.expect_one("stray_dog", 460.0, 1.0, true);
}

#[test]
fn who_walks_past_a_stray_dog_neither_starts_its_dwell_anew_nor_ends_its_case() {
    let dog = ("dog", standing(0.5, 0.8, 0.05, 0.07));
    let mut watch = Watch::over("public_area", "rule.stray_dog.clear_s = 5");
    watch.film(200.0, |t| {
        // Near it from about 27 to 44 s, and again two minutes later.
        let walked = |from: f64| 0.03 * (t - from) as f32;
        let walkers = [walked(20.0), walked(140.0)].into_iter().filter(|x| (0.0..0.97).contains(x));
        [dog].into_iter().chain(walkers.map(|x| person(x, 0.85))).collect()
    });
    watch.expect_one("stray_dog", 60.0, 0.5, false);
}

#[test]
fn who_walks_slowly_past_a_stray_dog_one_after_another_keeps_it_no_company() {
    let dog = ("dog", standing(0.5, 0.8, 0.05, 0.07));
    let mut watch = Watch::over("public_area", "rule.stray_dog.clear_s = 5");
    watch.film(200.0, |t| {
        // Each is near it for half a minute, and the next one comes a quarter of a minute later.
        let walked = |from: f64| 0.022 * (t - from) as f32;
        let walkers = [walked(0.0), walked(45.0)].into_iter().filter(|x| (0.0..0.97).contains(x));
        [dog].into_iter().chain(walkers.map(|x| person(x, 0.85))).collect()
    });
    watch.expect_one("stray_dog", 60.0, 0.5, false);
}

#[test]
fn a_stray_dog_that_comes_after_one_on_a_walk_has_no_company_of_its_own() {
    let dog = ("dog", standing(0.5, 0.8, 0.05, 0.07));
    let mut watch = Watch::over("public_area", "");
    watch.see(100.0, &[dog, person(0.55, 0.82)]).see(60.0, &[]);
    // Somebody walks past it as it comes.
    watch.film(80.0, |t| {
        let x = 0.4 + 0.03 * t as f32;
        [dog].into_iter().chain((x < 0.97).then(|| person(x, 0.85))).collect()
    });
    watch.expect_one("stray_dog", 220.0, 1.0, false);
}

#[test]
fn a_dog_whose_owner_has_left_is_a_stray_from_then_on() {
    let dog = ("dog", standing(0.5, 0.8, 0.05, 0.07));
    let mut watch = Watch::over("public_area", "");
    watch.see(300.0, &[dog, person(0.55, 0.82)]).see(100.0, &[dog]);
    // The tracker holds on to someone who stood still for four seconds.
    watch.expect_one("stray_dog", 360.0, 5.0, false);
}

#[test]
fn a_thing_left_alone_is_told_from_one_with_its_owner() {
    let bag = ("suitcase", standing(0.5, 0.8, 0.04, 0.06));
    let rule = "rule.dwell = { labels = [\"suitcase\"], without = [\"person\"], near = 1.5, dwell_s = 60 }";
    let mut watch = Watch::over("restricted", &format!("rule.intrusion.enabled = false\n{rule}"));
    watch.see(100.0, &[bag, person(0.55, 0.8)]);
    assert_eq!(watch.story(), []);
    watch.see(100.0, &[bag]).see(40.0, &[]);
    assert_eq!(watch.story(), [("dwell", Change::Opened), ("dwell", Change::Cleared)]);
    assert!((120.0..190.0).contains(&watch.when(Change::Opened)[0]), "{:?}", watch.when(Change::Opened));
}

#[test]
fn i3_bicycles_behind_a_bus_have_not_gone() {
    let pile: Vec<Thing> =
        [0.4, 0.5, 0.6].iter().map(|&x| ("bicycle", standing(x, 0.8, 0.06, 0.08))).collect();
    let mut watch = Watch::over("no_bike_parking", "rule.nonmotor_parking.dwell_s = 60");
    watch.see(65.0, &pile).see(180.0, &[BUS]).restart().see(60.0, &[BUS]).see(5.0, &pile);
    watch.expect_one("nonmotor_parking", 60.0, 1.0, false);
    // One of three is taken away in plain view.
    watch.see(40.0, &pile[..2]);
    watch.expect_one("nonmotor_parking", 60.0, 1.0, true);
}

#[test]
fn a_bus_that_stops_in_front_of_bicycles_does_not_start_their_dwell_anew() {
    let pile: Vec<Thing> =
        [0.4, 0.5, 0.6].iter().map(|&x| ("bicycle", standing(x, 0.8, 0.06, 0.08))).collect();
    let mut watch = Watch::over("no_bike_parking", "rule.nonmotor_parking.dwell_s = 60");
    watch.see(30.0, &pile).see(12.0, &[BUS]).see(30.0, &pile);
    watch.expect_one("nonmotor_parking", 60.0, 1.0, false);
}

#[test]
fn bicycles_that_are_missed_on_a_look_still_count_at_a_look_each_two_seconds() {
    let pile: Vec<Thing> =
        [0.4, 0.5, 0.6].iter().map(|&x| ("bicycle", standing(x, 0.8, 0.06, 0.08))).collect();
    let mut watch = Watch::over("no_bike_parking", "rule.nonmotor_parking.dwell_s = 60").each(2.0);
    watch.see(10.0, &pile);
    for missed in 0..45 {
        let mut seen = pile.clone();
        seen.remove(missed % 3);
        watch.look(View::Clear, &seen);
    }
    watch.expect_one("nonmotor_parking", 60.0, 4.0, false);
    // Two of them are no violation, however often the third one was missed before.
    watch.see(40.0, &pile[..2]);
    watch.expect_one("nonmotor_parking", 60.0, 4.0, true);
}

#[test]
fn what_is_found_before_and_after_it_was_missed_counts_from_the_first_look_on() {
    let people = [person(0.2, 0.8), person(0.5, 0.8), person(0.8, 0.8)];
    let mut watch = Watch::over("gathering", "rule.crowd = { count = 3, dwell_s = 30 }").each(2.0);
    watch.see(10.0, &[]).see(2.0, &people).see(2.0, &people[..1]).see(2.0, &people[..2]).see(60.0, &people);
    watch.expect_one("crowd", 40.0, 0.1, false);
    // Who was seen to be elsewhere meanwhile was not there.
    let mut watch = Watch::over("gathering", "rule.crowd = { count = 3, dwell_s = 30 }");
    let edge = |t: f64| person(0.5, if t < 6.0 { 0.38 } else { 0.42 });
    watch.see(0.2, &[people[0], people[2], person(0.5, 0.42)]);
    watch.film(60.0, |t| vec![people[0], people[2], edge(t)]);
    watch.expect_one("crowd", 36.2, 0.3, false);
}
