//! kill -9 of the desk in mid-intake: no case is lost and none is doubled.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::broker::{KEEPS_ALL, publish};
use super::*;
use crate::support::mosquitto::{Mosquitto, PATIENCE};

/// The program's desk on `config`; what it logs is added to `desk.log` beside that.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn start(config: &Path) -> Self {
        let log = config.with_file_name("desk.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
            .args(["desk", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .env("NO_COLOR", "1")
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A configuration file in `folder` for the program, on a free port of its own for the page.
pub(super) fn config(folder: &Path, broker: &Mosquitto) -> std::path::PathBuf {
    let path = folder.join("desk.toml");
    let mqtt = format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port());
    let text = format!("{CONFIG}[web]\nlisten = \"127.0.0.1:0\"\n{mqtt}[storage]\ndir = \"data\"\n");
    std::fs::write(&path, text).unwrap();
    path
}

/// Reads the program's database while it runs; the tests' own look, so that it shares no code with the desk.
pub(super) fn look(folder: &Path) -> rusqlite::Connection {
    let path = folder.join("data/desk.db");
    let db = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.busy_timeout(PATIENCE).unwrap();
    db
}

pub(super) fn number(db: &rusqlite::Connection, query: &str) -> u64 {
    db.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Waits until `query` gives `expected`.
pub(super) fn wait_for(db: &rusqlite::Connection, query: &str, expected: u64, patience: Duration) {
    let began = Instant::now();
    loop {
        let found = number(db, query);
        if found >= expected {
            return;
        }
        assert!(began.elapsed() < patience, "{found} of {expected}: {query}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Shows the end of what desk and broker have logged when a test fails.
struct Logs(Vec<std::path::PathBuf>);

impl Drop for Logs {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for path in &self.0 {
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            println!("--- {} ---\n{}", path.display(), lines[lines.len().saturating_sub(150)..].join("\n"));
        }
    }
}

fn kills(times: u32) {
    let mut broker = Mosquitto::prepare(KEEPS_ALL);
    let broker_log = broker.file("broker.log", "");
    broker.configure(&format!("{KEEPS_ALL}log_dest file {broker_log}\nlog_type all\n"));
    broker.run();
    let folder = tempfile::tempdir().unwrap();
    let _logs = Logs(vec![folder.path().join("desk.log"), broker_log.into()]);
    let config = config(folder.path(), &broker);
    // The broker keeps what comes from the first subscription on.
    let online = broker.subscribe("$SYS/broker/subscriptions/count");
    let mut process = Process::start(&config);
    online.until(|message| std::str::from_utf8(&message.payload).unwrap().parse::<u32>().unwrap() >= 6);
    drop(online);
    process.kill();

    let cases = times * 40;
    let mut messages = Vec::new();
    for n in 1..=cases {
        let shot = jpeg(n);
        let told = Told { pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(n) };
        let (event, picture) = (told.message(), told.picture("overview", &shot));
        // Some pictures come before their event, and some events come twice.
        if n % 3 == 0 {
            messages.extend([picture, event]);
        } else if n % 7 == 0 {
            messages.extend([event.clone(), picture, event]);
        } else {
            messages.extend([event, picture]);
        }
    }
    let port = broker.port();
    // Slow enough to last about as long as all lives of the desk together.
    let per_s = (messages.len() as u32 * 10 / (times * 5)).max(50);
    let publisher = std::thread::spawn(move || publish(port, &messages, Some(per_s)));
    let mut taken_before_kill = BTreeMap::new();
    for kill in 0..times {
        let mut process = Process::start(&config);
        // 60 to 500 ms, a different time for each.
        std::thread::sleep(Duration::from_millis(u64::from(60 + kill * 97 % 440)));
        process.kill();
        let taken = number(&look(folder.path()), "SELECT count(*) FROM event");
        taken_before_kill.insert(kill, taken);
    }
    let mid_intake = taken_before_kill.values().collect::<std::collections::BTreeSet<_>>().len();
    let _last = Process::start(&config);
    publisher.join().unwrap();
    let db = look(folder.path());
    let cases = u64::from(cases);
    wait_for(&db, "SELECT count(*) FROM cases", cases, Duration::from_secs(120));
    wait_for(&db, "SELECT count(*) FROM picture WHERE is_here = 1", cases, Duration::from_secs(120));
    assert_eq!(number(&db, "SELECT count(*) FROM cases"), cases);
    assert_eq!(number(&db, "SELECT count(DISTINCT case_id) FROM cases"), cases);
    assert_eq!(number(&db, "SELECT count(*) FROM timeline WHERE what = 'opened'"), cases, "each opened once");
    assert_eq!(number(&db, "SELECT count(*) FROM event"), cases);
    assert_eq!(number(&db, "SELECT count(*) FROM picture"), cases);
    assert_eq!(number(&db, "SELECT count(*) FROM early_picture"), 0);
    assert_eq!(number(&db, "SELECT coalesce(sum(value), 0) FROM counter WHERE name = 'refused'"), 0);
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    println!(
        "{times} kills, in {mid_intake} lives something was taken in: {cases} cases of {cases}, none lost or doubled"
    );
}

#[test]
fn no_case_is_lost_or_doubled_by_kills_in_mid_intake() {
    kills(5);
}

/// `make desk-kills`
#[test]
#[ignore = "half a minute; `make desk-kills`"]
fn no_case_is_lost_or_doubled_by_fifty_kills_in_mid_intake() {
    kills(50);
}
