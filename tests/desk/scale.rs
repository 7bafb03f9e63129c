//! A street with 200,000 cases: what its pages cost. Prints figures and asserts none of them.

use std::time::Instant;

use gridpatrol::desk::life::RejectReason;
use gridpatrol::desk::rates::Period;

use super::*;

const CASES: u32 = 200_000;
const GRIDS: usize = 40;

fn grid(n: usize) -> String {
    format!("4101020070030{:02}", n + 11)
}

/// Median and 99th of 100 milliseconds of `call`, over 101 calls.
fn measure(what: &str, mut call: impl FnMut()) {
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let began = Instant::now();
            call();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:60} median {:8.2} ms, 99th of 100 {:8.2} ms", times[50], times[99]);
}

/// `make desk-scale`
#[test]
#[ignore = "minutes, and figures only; `make desk-scale`"]
fn two_hundred_thousand_cases() {
    let grids: String = (2..GRIDS).map(|n| format!("[[grid]]\nid = \"{}\"\n", grid(n))).collect();
    let street = Street::with(&grids);
    let mut rng = 1_u64;
    let mut chance = |n: u64| {
        rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (rng >> 33) % n
    };
    let admin = street.person("root", Role::Admin, &[]);
    let kinds =
        ["illegal_parking", "crowd", "roadside_stall", "shop_spill", "stray_dog", "fire_lane_blocked"];
    let names: Vec<&'static str> = (0..GRIDS).map(|n| &*grid(n).leak()).collect();
    let began = Instant::now();
    let mut batch = Vec::new();
    for n in 1..=CASES {
        let grid = names[chance(GRIDS as u64) as usize];
        let kind = kinds[chance(6) as usize];
        batch.push(Told { grid, kind, ..Told::opened(n) }.message());
        if batch.len() == 64 || n == CASES {
            street.take_in(&batch);
            batch.clear();
            // 200,000 cases within a year.
            street.wait(64 * 157_000);
        }
    }
    println!("{CASES} cases taken in within {:.1} s", began.elapsed().as_secs_f64());
    // Most are over, as on a real street; one in twelve still stands.
    let began = Instant::now();
    for id in 1..=i64::from(CASES) {
        match chance(24) {
            0 => {}
            1 => drop(street.act(&admin, id, Action::Accept).unwrap()),
            2..8 => {
                let reject = Action::Reject { reason: RejectReason::NotThere, note: String::new() };
                street.act(&admin, id, reject).unwrap();
            }
            _ => {
                street.act(&admin, id, Action::Accept).unwrap();
                street.act(&admin, id, dispose()).unwrap();
            }
        }
    }
    println!("reviewed within {:.1} s", began.elapsed().as_secs_f64());
    let few: Vec<&str> = names[..3].to_vec();
    let worker = street.person("li", Role::Worker, &few);
    let all_grids = street.person("wang", Role::Worker, &names);
    let desk = &street.desk;
    let size = std::fs::metadata(street.folder.path().join("data/desk.db")).unwrap().len();
    println!("database {:.0} MB", size as f64 / 1e6);
    for (who, viewer) in [("worker, 3 grids", &worker), ("worker, 40 grids", &all_grids), ("centre", &admin)]
    {
        for tab in [Tab::Inbox, Tab::Open, Tab::Overdue, Tab::Ended] {
            let filter = Filter { tab, ..Filter::default() };
            measure(&format!("list {tab:?} of 50, {who}"), || {
                desk.list(viewer, &filter, None, 50).unwrap();
            });
        }
        let rare = Filter { tab: Tab::Ended, kind: Some("manhole".to_owned()), ..Filter::default() };
        measure(&format!("list Ended of a kind that there is none of, {who}"), || {
            desk.list(viewer, &rare, None, 50).unwrap();
        });
        measure(&format!("counts, {who}"), || {
            desk.counts(viewer).unwrap();
        });
        measure(&format!("rates of all time, {who}"), || {
            drop(desk.rates(viewer, &Period::default()).unwrap())
        });
        measure(&format!("rates as a table, {who}"), || {
            drop(desk.rates_csv(viewer, &Period::default()).unwrap())
        });
    }
    let id = desk.list(&worker, &Filter::default(), None, 1).unwrap().cases[0].id;
    measure("one case", || drop(desk.case(&worker, id).unwrap()));
    let began = Instant::now();
    let street = street.reopened();
    println!("opened anew within {:.2} s", began.elapsed().as_secs_f64());
    drop(street);
}
