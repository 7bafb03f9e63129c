//! Rules about what moves: intrusion, loitering, e-bikes in corridors.

use gridpatrol::case::Change;
use gridpatrol::look::View;

use super::watch::{Thing, Watch, person, standing};

/// A bus in front of what stands between 0.3 and 0.7.
const BUS: Thing = ("bus", gridpatrol::detect::BBox { x1: 0.25, y1: 0.3, x2: 0.75, y2: 0.97 });

/// Someone who walks through the whole zone from the left in 20 s.
fn walker(t: f64) -> Thing {
    person(0.05 + 0.045 * t as f32, 0.8)
}

#[test]
fn someone_in_a_closed_zone_is_an_intrusion_after_a_short_while() {
    let mut watch = Watch::over("restricted", "");
    watch.see(5.0, &[]).film(20.0, |t| vec![walker(t)]).see(40.0, &[]);
    watch.expect_one("intrusion", 7.0, 1.0, true);
    assert_eq!(watch.happenings[0].case.first_seen, watch.happenings[1].case.first_seen);
}

#[test]
fn a_passer_by_outside_of_the_closed_zone_is_none() {
    let mut watch = Watch::over("restricted", "");
    watch.film(20.0, |t| vec![person(0.05 + 0.045 * t as f32, 0.35)]);
    assert_eq!(watch.story(), []);
}

#[test]
fn who_passes_outside_of_the_closed_zone_behind_a_van_is_none_though_his_feet_are_hidden() {
    let van: Thing = ("truck", standing(0.5, 0.999, 0.3, 0.14));
    let mut watch = Watch::over("restricted", "");
    watch.film(15.0, |t| {
        let x = 0.05 + 0.06 * t as f32;
        let (label, whole) = ("person", standing(x, 0.99, 0.05, 0.2));
        // The zone ends above his feet, and below the roof of the van.
        let hidden = x > van.1.x1 && x < van.1.x2;
        let shown = if hidden { gridpatrol::detect::BBox { y2: van.1.y1, ..whole } } else { whole };
        vec![van, (label, shown)]
    });
    assert_eq!(watch.story(), []);
    watch.see(5.0, &[van, person(0.5, 0.8)]);
    assert_eq!(watch.story(), [("intrusion", Change::Opened)]);
}

#[test]
fn one_false_detection_now_and_then_is_no_intrusion() {
    let mut watch = Watch::over("restricted", "");
    for n in 0..60 {
        watch.see(0.2, &[person(0.1 + 0.013 * n as f32, 0.7)]).see(6.0, &[]);
    }
    assert_eq!(watch.story(), []);
}

#[test]
fn people_who_walk_through_one_after_another_are_one_intrusion() {
    let mut watch = Watch::over("restricted", "");
    for _ in 0..10 {
        watch.film(20.0, |t| vec![walker(t)]).see(20.0, &[]);
    }
    watch.see(20.0, &[]);
    watch.expect_one("intrusion", 2.0, 1.0, true);
}

#[test]
fn an_intrusion_that_comes_after_a_clear_is_another_one() {
    let mut watch = Watch::over("restricted", "");
    watch.film(20.0, |t| vec![walker(t)]).see(40.0, &[]).film(20.0, |t| vec![walker(t)]);
    assert_eq!(watch.when(Change::Opened).len(), 2);
    assert_ne!(watch.happenings[0].case.id, watch.happenings[2].case.id);
}

#[test]
fn i3_an_intruder_who_is_hidden_or_out_of_view_has_not_gone() {
    let mut watch = Watch::over("restricted", "");
    watch.see(5.0, &[person(0.5, 0.8)]).see(120.0, &[BUS]).blind(120.0, View::Dark).gap(600.0);
    watch.blind(60.0, View::Moved).see(60.0, &[BUS]).see(5.0, &[person(0.5, 0.8)]);
    watch.expect_one("intrusion", 2.0, 0.5, false);
    watch.see(29.0, &[]);
    watch.expect_one("intrusion", 2.0, 0.5, false);
    watch.see(6.0, &[]);
    watch.expect_one("intrusion", 2.0, 0.5, true);
}

#[test]
fn an_e_bike_in_the_corridor_is_one_case_whether_it_is_pushed_or_parked() {
    let mut watch = Watch::over("corridor", "");
    let bike = |x: f32| ("motorcycle", standing(x, 0.8, 0.12, 0.14));
    watch.film(10.0, |t| vec![bike(0.1 + 0.03 * t as f32), person(0.12 + 0.03 * t as f32, 0.81)]);
    watch.see(600.0, &[bike(0.4)]).see(3.0, &[("bicycle", bike(0.4).1)]).see(40.0, &[]);
    watch.expect_one("ebike_in_corridor", 5.0, 1.0, true);
}

#[test]
fn an_e_bike_that_is_soon_out_again_is_a_case_though_few_looks_fall_into_it() {
    // In the corridor for eight seconds, found on three looks of five there.
    let way = |t: f64| 0.37 + 0.04 * t.min(10.0 - t) as f32;
    let bike = |t: f64| vec![("bicycle", standing(0.5, way(t), 0.09, 0.12))];
    let found = |t: f64| if (t - 2.0).abs() < 0.1 { vec![] } else { bike(t) };
    let mut watch = Watch::over("corridor", "").each(2.0);
    watch.see(60.0, &[]).film(12.0, found).see(60.0, &[]);
    assert_eq!(watch.story().len(), 2, "it opens and clears");
    // In it for a moment only.
    let mut watch = Watch::over("corridor", "").each(2.0);
    watch.see(60.0, &[]).see(2.0, &bike(0.0)).see(2.0, &bike(2.0)).see(2.0, &bike(0.0)).see(60.0, &[]);
    assert_eq!(watch.story(), []);
}

/// An e-bike with its wheels on the line `foot`.
fn e_bike(foot: f64) -> Thing {
    ("bicycle", standing(0.5, foot as f32, 0.09, 0.12))
}

#[test]
fn an_e_bike_that_was_seen_to_leave_does_not_keep_the_case_open_for_the_next() {
    for ghost_s in [None, Some(6.0)] {
        let mut watch = Watch::over("corridor", "rule.ebike_in_corridor.clear_s = 15").each(2.0);
        // Found on every other look, so that a few misses mean little.
        watch.film(120.0, |t| if t % 4.0 < 1.0 { vec![e_bike(0.6)] } else { vec![] });
        watch.see(2.0, &[e_bike(0.53)]).see(2.0, &[e_bike(0.46)]).see(2.0, &[e_bike(0.39)]);
        // One false detection where it was is nothing either.
        watch.film(30.0, |t| {
            ghost_s.filter(|ghost| (t - ghost).abs() < 0.1).map(|_| e_bike(0.6)).into_iter().collect()
        });
        assert_eq!(watch.story().len(), 2, "cleared {:?}, ghost {ghost_s:?}", watch.when(Change::Cleared));
        watch.see(20.0, &[e_bike(0.6)]);
        assert_eq!(watch.story().len(), 3, "the next one is another case");
    }
}

#[test]
fn an_e_bike_that_is_still_in_the_corridor_keeps_its_case_though_another_one_leaves() {
    let mut watch = Watch::over("corridor", "rule.ebike_in_corridor.clear_s = 15").each(2.0);
    let parked = ("bicycle", standing(0.2, 0.8, 0.09, 0.12));
    watch.see(60.0, &[parked, e_bike(0.6)]).see(2.0, &[parked, e_bike(0.46)]).see(2.0, &[e_bike(0.39)]);
    watch.film(60.0, |t| if t % 4.0 < 1.0 { vec![parked] } else { vec![] });
    assert_eq!(watch.story().len(), 1, "{:?}", watch.when(Change::Cleared));
}

#[test]
fn an_e_bike_that_was_found_once_inside_and_twice_on_its_straight_way_out_was_there() {
    let way = |t: f64| 0.95 - 0.035 * t;
    let film = |outside: &dyn Fn(f64) -> f64| {
        let mut watch = Watch::over("corridor", "").each(2.0);
        watch.see(60.0, &[]).film(20.0, |t| match t {
            t if (t - 8.0).abs() < 0.1 => vec![e_bike(way(t))],
            t if t > 15.0 => vec![e_bike(outside(t))],
            _ => vec![],
        });
        watch.see(60.0, &[]).story().len()
    };
    assert_eq!(film(&way), 2, "it opens and clears");
    assert_eq!(film(&|_| 0.39), 0, "what stands outside did not come from there");
}

#[test]
fn what_an_e_bike_that_has_left_is_told_to_have_been_seen_at_is_a_look() {
    let way = |t: f64| 0.37 + 0.04 * t.min(10.0 - t);
    let found = |t: f64| if [4.0, 6.0, 10.0].contains(&t.round()) { vec![e_bike(way(t))] } else { vec![] };
    let mut watch = Watch::over("corridor", "").each(2.0);
    watch.see(60.0, &[]).film(12.0, found).see(60.0, &[]);
    assert_eq!(watch.story().len(), 2, "it opens and clears");
    for happening in &watch.happenings {
        let case = &happening.case;
        for when in [case.first_seen, case.opened, case.last_seen] {
            let seconds = when.seconds_since(gridpatrol::clock::CaptureTime::default());
            assert_eq!(seconds % 2.0, 0.0, "{:?}", happening.change);
        }
        // At 70 s it is seen outside; it is found in the corridor for the last time at 66 s.
        assert_eq!(case.last_seen.seconds_since(gridpatrol::clock::CaptureTime::default()), 66.0);
    }
}

#[test]
fn someone_who_stays_is_loitering_standing_or_walking_about() {
    let pacing = |t: f64| vec![person(0.5 + 0.3 * (t / 9.0).sin() as f32, 0.8)];
    for stays in [&pacing as &dyn Fn(f64) -> Vec<Thing>, &|_| vec![person(0.5, 0.8)]] {
        let mut watch = Watch::over("no_loitering", "");
        watch.see(5.0, &[]).film(400.0, stays).see(40.0, &[]);
        watch.expect_one("loitering", 305.0, 1.0, true);
    }
}

#[test]
fn people_who_only_pass_are_not_loitering() {
    let mut watch = Watch::over("no_loitering", "");
    // Two at a time, one behind the other, in from one side of the picture and out on the other.
    let cut = |x: f32, foot: f32| {
        let (label, mut bbox) = person(x, foot);
        (bbox.x1, bbox.x2) = (bbox.x1.max(0.0), bbox.x2.min(1.0));
        (label, bbox)
    };
    for _ in 0..60 {
        let x = |t: f64| (0.052 * t) as f32 - 0.015;
        watch.film(20.0, |t| vec![cut(x(t), 0.8), cut(1.0 - x(t), 0.9)]);
    }
    assert_eq!(watch.story(), []);
}

#[test]
fn someone_who_comes_after_the_first_has_left_begins_anew() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    for _ in 0..5 {
        watch.see(50.0, &[person(0.5, 0.8)]).see(10.0, &[]);
    }
    assert_eq!(watch.story(), []);
}

#[test]
fn who_comes_in_where_another_one_went_out_is_someone_else() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    watch.see(40.0, &[person(0.25, 0.8)]).film(3.0, |t| vec![person(0.25 - 0.07 * t as f32, 0.8)]);
    watch.see(2.6, &[]).film(3.0, |t| vec![person(0.05 + 0.07 * t as f32, 0.8)]);
    watch.see(40.0, &[person(0.26, 0.8)]);
    assert_eq!(watch.story(), []);
}

#[test]
fn a_lost_track_does_not_end_a_stay() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    // Missed for 2.4 s, which ends the track; hidden by a bus; no picture for two minutes; a restart.
    watch.see(10.0, &[person(0.5, 0.8)]).see(2.4, &[]).see(8.0, &[person(0.52, 0.8)]).see(10.0, &[BUS]);
    watch.see(5.0, &[person(0.48, 0.8)]).gap(20.0).restart().see(10.0, &[person(0.4, 0.8)]);
    watch.expect_one("loitering", 60.0, 1.0, false);
}

#[test]
fn a_passer_by_does_not_walk_off_with_the_case_of_someone_who_stays() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    // Each walks past in front of him and is missed there for a second, as he is himself.
    watch.see(5.0, &[person(0.5, 0.8)]);
    for _ in 0..4 {
        watch.film(20.0, |t| {
            let x = 0.15 + 0.035 * t as f32;
            let by = (x > 0.15 && x < 0.85).then(|| person(x, 0.88));
            let hidden = (x - 0.5).abs() < 0.035;
            let missed = (x - 0.48).abs() < 0.02;
            let stays = (!hidden).then(|| person(0.5, 0.8));
            stays.into_iter().chain(by.filter(|_| !missed)).collect()
        });
    }
    watch.expect_one("loitering", 60.0, 1.0, false);
    watch.see(40.0, &[]);
    watch.expect_one("loitering", 60.0, 1.0, true);
}

#[test]
fn who_is_found_again_beside_the_passer_by_that_was_taken_for_him_keeps_his_case() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    let stays = person(0.5, 0.8);
    let passes = |t: f64| person(0.535 + 0.06 * t as f32, 0.8);
    // Missed for a moment, in which the other one turns up beside him.
    watch.see(65.0, &[stays]).see(1.0, &[]).film(1.6, |t| vec![passes(t)]);
    watch.film(5.0, |t| vec![stays, passes(t + 1.6)]).see(60.0, &[stays]);
    watch.expect_one("loitering", 60.0, 0.5, false);
}

#[test]
fn i3_a_loiterer_who_is_hidden_or_out_of_view_has_not_left() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    watch.see(65.0, &[person(0.5, 0.8)]).see(200.0, &[BUS]).blind(400.0, View::Covered).gap(900.0);
    watch.see(30.0, &[BUS]).see(5.0, &[person(0.6, 0.8)]);
    watch.expect_one("loitering", 60.0, 0.5, false);
    watch.see(40.0, &[]);
    watch.expect_one("loitering", 60.0, 0.5, true);
}

#[test]
fn a_group_that_loiters_is_one_case_until_the_last_has_left() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    let (a, b, c) = (person(0.3, 0.8), person(0.36, 0.8), person(0.7, 0.7));
    watch.see(70.0, &[a, b]).see(70.0, &[a, b, c]).see(60.0, &[c]);
    watch.expect_one("loitering", 60.0, 0.5, false);
    watch.see(40.0, &[]);
    watch.expect_one("loitering", 60.0, 0.5, true);
}

#[test]
fn leaving_the_zone_in_plain_view_ends_a_stay() {
    let mut watch = Watch::over("no_loitering", "rule.loitering.dwell_s = 60");
    watch.see(65.0, &[person(0.5, 0.5)]).film(5.0, |t| vec![person(0.5, 0.5 - 0.03 * t as f32)]);
    watch.see(40.0, &[person(0.5, 0.35)]);
    watch.expect_one("loitering", 60.0, 0.5, true);
}

#[test]
fn i8_a_restart_changes_nothing_about_what_moves() {
    for (kind, rules) in [("restricted", ""), ("no_loitering", "rule.loitering.dwell_s = 30")] {
        let play = |restarts: bool| {
            let mut watch = Watch::over(kind, rules);
            for _ in 0..8 {
                watch.film(7.3, |t| vec![person(0.3 + 0.02 * t as f32, 0.8)]);
                if restarts {
                    watch.restart();
                }
                watch.see(1.3, &[BUS]);
            }
            watch.see(50.0, &[]);
            watch.happenings
        };
        let whole = play(false);
        assert_eq!(whole.len(), 2);
        assert_eq!(play(true), whole);
    }
}

#[test]
fn a_bus_that_has_driven_off_between_two_looks_hides_no_change_of_cars() {
    let mut watch = Watch::over("no_parking", "rule.illegal_parking.dwell_s = 60").each(2.0);
    // It stands nearer than the zone.
    let bus = ("bus", standing(0.5, 1.0, 0.4, 0.5));
    let first = ("car", standing(0.5, 0.7, 0.12, 0.1));
    let second = ("car", standing(0.52, 0.705, 0.13, 0.11));
    watch.see(120.0, &[first]).see(90.0, &[bus]);
    // The first car has left behind the bus. Its place is in view for eight seconds.
    watch.see(8.0, &[]).see(120.0, &[second]);
    assert_eq!(watch.when(Change::Opened).len(), 2, "{:?}", watch.story());
}
