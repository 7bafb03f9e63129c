//! What a long time without a broker leaves behind, and how it is worked off.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

/// Events that wait.
const EVENTS: u32 = 100_000;
/// How much more memory the draining may take at its peak.
const MEMORY: u64 = 64 << 20;

#[test]
#[ignore = "takes minutes: make backlog"]
fn a_hundred_thousand_events_start_in_two_seconds_and_drain_at_the_brokers_speed() {
    // A subscriber that is slower than the box must lose nothing: by default the broker drops what is beyond a thousand.
    let mut broker =
        Mosquitto::prepare("allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n");
    broker.run();
    let folder = tempfile::tempdir().unwrap();
    let (mut plan, names) = (plan(broker.port()), vocabulary());
    plan.storage = folder.path().to_owned();
    let outbox = Outbox::open(&plan.storage).unwrap();
    let mut size = 0;
    for batch in 0..EVENTS / 1000 {
        let make = |sequence: &mut Sequence| {
            let mut all = Vec::new();
            for n in 0..1000 {
                let opened = happening(Change::Opened, &case_id(batch * 1000 + n), 0, 1);
                all.extend(mqtt::messages(&report(&plan, &opened, &Evidence::NoView, &names, sequence))?);
            }
            Ok(all)
        };
        size = outbox.accept("cam-05", None, make).unwrap()[0].payload.len();
    }
    drop(outbox);

    let began = Instant::now();
    let outbox = Arc::new(Outbox::open(&plan.storage).unwrap());
    let offered = outbox.due(Instant::now(), 16).unwrap().len();
    let backlog = outbox.backlog().unwrap().events;
    let start = began.elapsed();
    assert_eq!((offered, backlog), (16, u64::from(EVENTS)));
    println!(
        "start-up with {EVENTS} events of {size} bytes: {:.0} ms to the first offer",
        start.as_secs_f64() * 1e3
    );
    assert!(start < Duration::from_secs(2), "{start:?}");

    let subscriber = broker.subscribe(CASES);
    let (before, mut peak) = (memory(), 0);
    let mut box1 = Box1::new(plan);
    box1.outbox = outbox;
    let began = Instant::now();
    box1.connect();
    let mut arrived = 0;
    while arrived < EVENTS as usize {
        arrived += subscriber.rest().len();
        peak = peak.max(memory());
        std::thread::sleep(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(1800), "{arrived} arrived");
    }
    let ours = f64::from(EVENTS) / began.elapsed().as_secs_f64();
    box1.wait_for_backlog(0);
    let grown = peak.saturating_sub(before);
    println!(
        "drained in {:.1} s: {ours:.0} events/s, memory grew by {} kB",
        f64::from(EVENTS) / ours,
        grown >> 10
    );
    assert!(grown < MEMORY, "{grown} bytes");

    // The same from a client that keeps nothing on disk.
    let payload = "x".repeat(size) + "\n";
    let began = Instant::now();
    let mut plain = Command::new("mosquitto_pub")
        .args(["-h", "localhost", "-p", &broker.port().to_string(), "-V", "5", "-q", "1", "-l"])
        .args(["-t", "patrol/v1/410102007/box-2/case/g/k"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = plain.stdin.take().unwrap();
    for _ in 0..EVENTS / 5 {
        input.write_all(payload.as_bytes()).unwrap();
    }
    drop(input);
    assert!(plain.wait().unwrap().success());
    let theirs = f64::from(EVENTS / 5) / began.elapsed().as_secs_f64();
    println!("mosquitto_pub, which keeps nothing: {theirs:.0} events/s");
}

/// Bytes of memory that this process has resident.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
}
