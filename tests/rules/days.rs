//! Rules that wait for days.

use gridpatrol::case::Change;
use gridpatrol::look::View;

use super::watch::{Thing, Watch, standing};

const HOUR_S: f64 = 3600.0;

fn car(x: f32) -> Thing {
    ("car", standing(x, 0.7, 0.2, 0.15))
}

/// One look each 5 s is enough for what stands for days, and keeps the tests short.
fn parking(rules: &str) -> Watch {
    Watch::over("parking", rules).each(5.0)
}

#[test]
fn a_car_that_stands_for_a_week_is_abandoned_whatever_the_nights_and_restarts() {
    let mut watch = parking("");
    for day in 0..8 {
        watch.see(12.0 * HOUR_S, &[car(0.5)]).restart();
        // Dark nights, nights on which the detector finds nothing, and power cuts.
        match day % 3 {
            0 => watch.blind(12.0 * HOUR_S, View::Dark),
            1 => watch.see(11.0 * HOUR_S, &[]).see(HOUR_S, &[car(0.5)]),
            _ => watch.gap(12.0 * HOUR_S),
        };
    }
    watch.expect_one("abandoned_vehicle", 7.0 * 24.0 * HOUR_S, 60.0, false);
}

#[test]
fn a_car_that_is_used_is_not_abandoned() {
    let mut watch = parking("");
    for day in 0..10 {
        // Away for the day; back in the evening, not quite where it was.
        let place = 0.5 + [0.0, 0.02, -0.015, 0.03][day % 4];
        watch.see(14.0 * HOUR_S, &[car(place)]).see(10.0 * HOUR_S, &[]);
    }
    assert_eq!(watch.story(), []);
}

#[test]
fn an_absence_longer_than_it_may_be_starts_the_days_anew() {
    let mut watch = parking("rule.abandoned_vehicle = { dwell_s = 172800, absence_s = 7200 }");
    watch.see(40.0 * HOUR_S, &[car(0.5)]).see(3.0 * HOUR_S, &[]).see(40.0 * HOUR_S, &[car(0.5)]);
    assert_eq!(watch.story(), []);
    watch.see(1.0 * HOUR_S, &[]).see(10.0 * HOUR_S, &[car(0.5)]);
    assert_eq!(watch.when(Change::Opened), [91.0 * HOUR_S]);
}

#[test]
fn an_abandoned_car_that_is_towed_away_clears() {
    let mut watch = parking("rule.abandoned_vehicle = { dwell_s = 86400, clear_s = 7200 }");
    watch.see(25.0 * HOUR_S, &[car(0.5)]).see(14.0 * HOUR_S, &[]);
    watch.expect_one("abandoned_vehicle", 24.0 * HOUR_S, 60.0, true);
}

#[test]
fn a_car_that_is_away_by_day_while_others_are_seen_is_not_abandoned_though_it_parks_where_it_stood() {
    let rule = "rule.abandoned_vehicle = { dwell_s = 259200, absence_s = 43200 }";
    let mut watch = parking(rule).each(60.0);
    for _ in 0..5 {
        watch.see(16.0 * HOUR_S, &[car(0.3), car(0.7)]).restart().see(8.0 * HOUR_S, &[car(0.7)]);
    }
    watch.expect_one("abandoned_vehicle", 72.0 * HOUR_S, 60.0, false);
    assert!(watch.happenings[0].case.objects[0].bbox.x1 > 0.5);
}

#[test]
fn a_look_a_minute_is_enough_to_see_that_a_car_was_towed_away() {
    let mut watch = parking("rule.abandoned_vehicle = { dwell_s = 86400, clear_s = 7200 }").each(60.0);
    watch.see(25.0 * HOUR_S, &[car(0.5)]).see(2.1 * HOUR_S, &[]);
    watch.expect_one("abandoned_vehicle", 24.0 * HOUR_S, 60.0, true);
}
