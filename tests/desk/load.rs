//! Intake under load, over a real broker and into the program as it is run.

use std::time::{Duration, Instant};

use super::broker::{KEEPS_ALL, publish};
use super::kill::{Process, config, look, number, wait_for};
use super::*;
use crate::support::mosquitto::Mosquitto;

fn load(per_s: u32, seconds: u32) {
    let mut broker = Mosquitto::prepare(KEEPS_ALL);
    broker.run();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &broker);
    let online = broker.subscribe("$SYS/broker/subscriptions/count");
    let _process = Process::start(&config);
    online.until(|message| std::str::from_utf8(&message.payload).unwrap().parse::<u32>().unwrap() >= 6);
    drop(online);
    let events = per_s * seconds;
    let messages: Vec<Incoming> = (1..=events)
        .map(|n| {
            let grid = if n % 2 == 0 { NORTH } else { SOUTH };
            // Each fourth is news of the case before it.
            match n % 4 {
                0 => Told { grid: SOUTH, sequence: u64::from(n) * 10, ..Told::cleared(n - 1) }.message(),
                _ => Told { grid, ..Told::opened(n) }.message(),
            }
        })
        .collect();
    let began = Instant::now();
    publish(broker.port(), &messages, Some(per_s));
    let published = began.elapsed();
    let db = look(folder.path());
    wait_for(&db, "SELECT count(*) FROM event", u64::from(events), Duration::from_secs(60));
    let taken = began.elapsed();
    assert_eq!(number(&db, "SELECT count(*) FROM event"), u64::from(events));
    assert_eq!(number(&db, "SELECT count(*) FROM cases"), u64::from(events - events / 4));
    assert_eq!(number(&db, "SELECT coalesce(sum(value), 0) FROM counter WHERE name = 'refused'"), 0);
    println!(
        "{events} events published in {:.1} s ({:.0} a second), all on disk {:.2} s after the last: none lost",
        published.as_secs_f64(),
        f64::from(events) / published.as_secs_f64(),
        (taken - published).as_secs_f64(),
    );
}

#[test]
fn a_burst_of_events_is_taken_in_whole() {
    load(500, 2);
}

/// `make desk-load`
#[test]
#[ignore = "a minute; `make desk-load`"]
fn five_hundred_events_a_second_for_a_minute_are_taken_in_whole() {
    load(500, 60);
}
