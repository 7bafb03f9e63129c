//! A street with 200,000 cases: what its pages cost. Prints figures and asserts none of them.

use std::time::Instant;

use gridpatrol::desk::rates::Period;

use super::pages::{Pages, Person};
use super::*;

const CASES: u32 = 200_000;
const GRIDS: usize = 40;
/// Cases that come in one transaction: the broker's batches are smaller, and would take minutes here.
const BATCH: usize = 2000;
/// Milliseconds within which a page has to answer at the median.
const LINE: f64 = 150.0;

fn grid(n: usize) -> String {
    format!("4101020070030{:02}", n + 11)
}

/// Median and 99th of 100 milliseconds of `call`, over 101 calls.
fn measure(what: &str, mut call: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let began = Instant::now();
            call();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:60} median {:8.2} ms, 99th of 100 {:8.2} ms", times[50], times[99]);
    times[50]
}

/// A desk with all those cases, most of them over, as on a real street; one in twelve still stands.
fn full(more: &str, names: &[&'static str]) -> Street {
    let street = Street::with(more);
    let mut rng = 1_u64;
    let mut chance = |n: u64| {
        rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (rng >> 33) % n
    };
    let kinds =
        ["illegal_parking", "crowd", "roadside_stall", "shop_spill", "stray_dog", "fire_lane_blocked"];
    let began = Instant::now();
    let mut batch = Vec::new();
    for n in 1..=CASES {
        let grid = names[chance(GRIDS as u64) as usize];
        let kind = kinds[chance(6) as usize];
        batch.push(Told { grid, kind, ..Told::opened(n) }.message());
        if batch.len() == BATCH || n == CASES {
            street.take_in(&batch);
            batch.clear();
            // 200,000 cases within a year.
            street.wait(BATCH as Millis * 157_000);
        }
    }
    println!("{CASES} cases taken in within {:.1} s", began.elapsed().as_secs_f64());
    // What people would have done in that year, written as the desk would have, all at once.
    let began = Instant::now();
    let Street { folder, clock, desk } = street;
    drop(desk);
    let db = rusqlite::Connection::open(folder.path().join("data/desk.db")).unwrap();
    db.execute_batch(
        "BEGIN;
         UPDATE cases SET version = version + 1, state = 'accepted', verdict = 'confirmed',
             responded_at = received_at + 600000, accepted_at = received_at + 600000
         WHERE id * 7 % 24 = 1 OR id * 7 % 24 >= 8;
         UPDATE cases SET version = version + 1, state = 'rejected', verdict = 'rejected', is_open = 0,
             responded_at = received_at + 600000, ended_at = received_at + 600000
         WHERE id * 7 % 24 BETWEEN 2 AND 7;
         INSERT INTO timeline (case_, at, account, role, who, what, before, after, note)
             SELECT id, received_at + 600000, 1, 'worker', 'li', iif(state = 'rejected', 'reject', 'accept'),
                 'candidate', state, '' FROM cases WHERE state IN ('accepted', 'rejected');
         UPDATE cases SET version = version + 2, state = 'closed', is_open = 0, disposed_at = received_at + 5400000,
             first_disposed_at = received_at + 5400000, disposed_by = 1, ended_at = received_at + 9000000
         WHERE id * 7 % 24 >= 9;
         UPDATE cases SET version = version + 1, state = 'disposed', disposed_at = received_at + 5400000,
             first_disposed_at = received_at + 5400000, disposed_by = 1
         WHERE id * 7 % 24 = 8;
         INSERT INTO timeline (case_, at, account, role, who, what, before, after, note)
             SELECT id, disposed_at, 1, 'worker', 'li', 'dispose', 'accepted', 'disposed', '清理完毕'
             FROM cases WHERE disposed_at IS NOT NULL;
         COMMIT;",
    )
    .unwrap();
    drop(db);
    println!("reviewed within {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let desk = Desk::with_clock(plan(folder.path(), more), clock.clone()).unwrap();
    println!("opened anew within {:.2} s", began.elapsed().as_secs_f64());
    let size = std::fs::metadata(folder.path().join("data/desk.db")).unwrap().len();
    println!("database {:.0} MB", size as f64 / 1e6);
    Street { folder, clock, desk: Arc::new(desk) }
}

/// `make desk-scale`
#[test]
#[ignore = "minutes, and figures only; `make desk-scale`"]
fn two_hundred_thousand_cases() {
    let grids: String = (2..GRIDS).map(|n| format!("[[grid]]\nid = \"{}\"\n", grid(n))).collect();
    let names: Vec<&'static str> = (0..GRIDS).map(|n| &*grid(n).leak()).collect();
    // Each of the requests below as from a computer of its own: one alone is held back from so many.
    let pages = Pages::serve(&grids, "proxies = [\"127.0.0.1\"]\n", |more| full(more, &names));
    let desk = &pages.street.desk;
    let mut admin = pages.signed_in("root", Role::Admin, &[]);
    let mut few = pages.signed_in("li", Role::Worker, &names[..3]);
    let mut all_grids = pages.signed_in("wang", Role::Worker, &names);
    let viewer = desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
    let counts = desk.counts(&viewer).unwrap();
    println!("{counts:?}");

    println!("\nPages, over HTTP, of people who are signed in:");
    let mut slowest = ("", 0.0);
    let mut requests = 0_u32;
    let mut page = |who: &str, person: &mut Person, path: &'static str| {
        let mut size = 0;
        let median = measure(&format!("GET {path}, {who}"), || {
            requests += 1;
            person.from = Some(format!("10.0.{}.{}", requests / 250, requests % 250));
            let answer = person.get(path);
            assert_eq!(answer.code, 200, "{path}: {}", answer.body);
            size = answer.body.len();
        });
        assert!(size > 1000, "{path} has {size} bytes");
        if median > slowest.1 {
            slowest = (path, median);
        }
    };
    for path in [
        "/inbox",
        "/inbox?tab=doing",
        "/inbox?tab=done",
        "/inbox?tab=overdue",
        "/inbox?tab=open",
        "/inbox?tab=ended",
        "/rates",
        "/rates?from=2026-11-01",
    ] {
        page("worker, 3 grids", &mut few, path);
        page("worker, 40 grids", &mut all_grids, path);
        page("administrator", &mut admin, path);
    }
    for path in ["/board", "/rates?from=2026-11-01&grid=410102007003012", "/inbox?tab=ended&origin=resident"]
    {
        page("administrator", &mut admin, path);
    }
    page("worker, 3 grids", &mut few, "/rates.csv?from=2026-11-01");
    page("administrator", &mut admin, "/rates.csv?from=2026-11-01");
    let id = desk.list(&viewer, &Filter::default(), None, 1).unwrap().cases[0].id;
    page("administrator", &mut admin, format!("/case/{id}").leak());
    let word = if slowest.1 < LINE { "within" } else { "NOT within" };
    println!("The slowest is {} with {:.1} ms at the median: {word} {LINE} ms.", slowest.0, slowest.1);

    println!("\nWithout the page around it:");
    for tab in [Tab::Inbox, Tab::Open, Tab::Overdue, Tab::Ended] {
        let filter = Filter { tab, ..Filter::default() };
        measure(&format!("list {tab:?} of 50, administrator"), || {
            desk.list(&viewer, &filter, None, 50).unwrap();
        });
    }
    let rare = Filter { tab: Tab::Ended, kind: Some("manhole".to_owned()), ..Filter::default() };
    measure("list Ended of a kind that there is none of", || {
        desk.list(&viewer, &rare, None, 50).unwrap();
    });
    measure("rates of all time, administrator", || drop(desk.rates(&viewer, &Period::default()).unwrap()));
}
