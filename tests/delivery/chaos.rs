//! The fault campaign: a box that accepts cases without pause, a broker with TLS and access rules, a link between them
//! that can be cut or slowed down, and an independent subscriber that counts.
//!
//! The box is this test program, started once more: an outbox on disk and a session, fed with cases as fast as the
//! disk takes them. It writes down each event that was accepted, after it was, so a kill leaves at most events in the
//! outbox that are not written down, never the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use gridpatrol::outbox::Snapshot;

use super::*;
use crate::support::mosquitto::Subscriber;

/// Cycles of the campaign in the tests of every change.
const SHORT: usize = 10;
/// Cycles of the whole campaign, and the variable that changes it.
const LONG: usize = 200;
const CYCLES: &str = "CHAOS_CYCLES";
/// The folder of the box under test.
const FOLDER: &str = "CHAOS_BOX_FOLDER";
/// How long everything accepted may take to arrive once all is well again.
const SETTLING: Duration = Duration::from_secs(90);

#[test]
fn nothing_accepted_is_lost_through_ten_faults_in_a_row() {
    campaign(SHORT);
}

#[test]
#[ignore = "takes minutes: make chaos"]
fn nothing_accepted_is_lost_through_two_hundred_faults_in_a_row() {
    let cycles = std::env::var(CYCLES).ok().and_then(|text| text.parse().ok()).unwrap_or(LONG);
    campaign(cycles);
}

#[test]
fn the_witness_tells_all_that_a_dying_broker_had_passed_on_however_slow_it_is() {
    let mut broker = Mosquitto::start();
    let witness = broker.witness("case/#");
    witness.freeze();
    for n in 0..20 {
        let (port, text) = (broker.port().to_string(), format!("{n} {}", "x".repeat(1000)));
        let args = ["-h", "localhost", "-p", &port, "-q", "1", "-t", "case/1", "-m", &text];
        assert!(Command::new("mosquitto_pub").args(args).status().unwrap().success());
    }
    broker.kill();
    // Meanwhile it reads nothing; whoever waits for it must not take that for the end.
    let thawed = std::thread::spawn({
        let pid = witness.pid().to_string();
        move || {
            std::thread::sleep(Duration::from_millis(700));
            assert!(Command::new("kill").args(["-CONT", &pid]).status().unwrap().success());
        }
    });
    assert_eq!(witness.last_words().len(), 20);
    thawed.join().unwrap();
}

/// The box itself; does nothing unless the campaign started it.
#[test]
#[ignore = "is started by the campaign"]
fn box_under_test() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let settings: Value =
        serde_json::from_slice(&std::fs::read(folder.join("settings.json")).unwrap()).unwrap();
    let text = |name: &str| settings[name].as_str().unwrap().to_owned();
    let mut plan = plan(1883);
    plan.broker = BrokerPlan {
        tls_ca: Some(text("ca").into()),
        login: Some(("box-1".to_owned(), text("password").into())),
        ..BrokerPlan::plain("localhost", settings["port"].as_u64().unwrap() as u16)
    };
    let outbox = Arc::new(Outbox::open(&folder.join("disk")).unwrap());
    if let Some(damage) = outbox.damage() {
        append(&folder.join("damage"), &format!("{damage:?}\n"));
    }
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).try_init();
    let mut context = context(&plan);
    // Long enough not to keep a core busy, short enough for many faults a minute.
    context.tuning.reconnect = (Duration::from_millis(50), Duration::from_millis(400));
    context.tuning.hold = (Duration::from_millis(50), Duration::from_millis(400));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.spawn(mqtt::run(context, Arc::clone(&outbox), std::future::pending()));
    let run = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64 & 0xffff_ffff;
    let names = vocabulary();
    for n in 0_u32.. {
        while folder.join("pause").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Three events a case, of several cases at a time.
        let case = format!("01934f6e-5c1a-7b3e-{:04x}-{:08x}{:04x}", n % 5, run, n / 15);
        let change = [Change::Opened, Change::Updated, Change::Cleared][(n / 5 % 3) as usize];
        let happening = happening(change, &case, 0, 1);
        let mut written = None;
        let accepted = outbox.accept("cam-05", Some(b"state"), |sequence| {
            let messages = mqtt::messages(&report(&plan, &happening, &Evidence::NoView, &names, sequence))?;
            let event: Value = serde_json::from_slice(&messages[0].payload).unwrap();
            written = Some(event["id"].as_str().unwrap().to_owned());
            Ok(messages)
        });
        match accepted {
            Ok(_) => append(&folder.join("accepted"), &format!("{}\n", written.unwrap())),
            // A full disk: the event was not accepted. The pipeline would try again with it.
            Err(_) => append(&folder.join("refused"), "."),
        }
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// One write, so that a kill cuts no line in two.
fn append(path: &Path, text: &str) {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillBox,
    KillBrokerThatForgets,
    KillBrokerThatRemembers,
    FreezeBroker,
    CutNetwork,
    SlowLink,
    FullDisk,
    DamagedDatabase,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::KillBox,
        Self::KillBrokerThatForgets,
        Self::CutNetwork,
        Self::FreezeBroker,
        Self::FullDisk,
        Self::KillBrokerThatRemembers,
        Self::DamagedDatabase,
        Self::SlowLink,
    ];
}

/// Lets pass, slows down or cuts what goes through a port.
struct Link {
    port: u16,
    state: Arc<AtomicU8>,
}

const PASS: u8 = 0;
const SLOW: u8 = 1;
const CUT: u8 = 2;

impl Link {
    fn to(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(AtomicU8::new(PASS));
        let shared = state.clone();
        std::thread::spawn(move || {
            for box1 in listener.incoming().map_while(Result::ok) {
                if shared.load(Ordering::Relaxed) == CUT {
                    continue;
                }
                let Ok(broker) = TcpStream::connect(("127.0.0.1", broker)) else { continue };
                for (from, to) in [(&box1, &broker), (&broker, &box1)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let state = shared.clone();
                    std::thread::spawn(move || pump(from, to, &state));
                }
            }
        });
        Self { port, state }
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) {
    let _ = from.set_read_timeout(Some(Duration::from_millis(20)));
    let mut bytes = [0; 4096];
    loop {
        let most = match state.load(Ordering::Relaxed) {
            CUT => break,
            SLOW => {
                // 25 kB/s each way.
                std::thread::sleep(Duration::from_millis(20));
                512
            }
            _ => bytes.len(),
        };
        match from.read(&mut bytes[..most]) {
            Ok(0) => break,
            Ok(n) if to.write_all(&bytes[..n]).is_ok() => {}
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}

/// A small file system of its own for the box's disk, where mounting is allowed.
struct Disk<'a> {
    folder: &'a Path,
    mounted: bool,
}

impl<'a> Disk<'a> {
    fn new(folder: &'a Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(folder)
            .stderr(Stdio::null())
            .status();
        Self { folder, mounted: mount.is_ok_and(|status| status.success()) }
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.folder.join("ballast")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.folder.join("ballast")).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.folder).status();
        }
    }
}

/// The box under test as a process.
struct Process {
    child: Child,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "delivery::chaos::box_under_test", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Self { child: child.unwrap() }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What has arrived.
#[derive(Default)]
struct Count {
    /// Id of each event and its number.
    events: BTreeMap<String, u64>,
    /// The highest number of each case.
    cases: BTreeMap<String, u64>,
    repeated: u64,
}

impl Count {
    fn take(&mut self, messages: Vec<Received>) {
        for message in messages {
            let json = message.json();
            let id = format!("{} {}", json["source"].as_str().unwrap(), json["id"].as_str().unwrap());
            let number: u64 = json["sequence"].as_str().unwrap().parse().unwrap();
            if let Some(known) = self.events.insert(id, number) {
                assert_eq!(known, number, "the same id with another number");
                self.repeated += 1;
                continue;
            }
            // Of what comes for the first time, each event of a case is later than the one before.
            let latest = self.cases.entry(case_of(&message)).or_default();
            assert!(*latest < number, "out of order: {number} after {latest}");
            *latest = number;
        }
    }
}

/// A reproducible sequence of numbers (the constants are those of Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn campaign(cycles: usize) {
    let (mut broker, to_broker) = Mosquitto::with_tls_and_password();
    let rules = "user box-1\ntopic write patrol/v1/410102007/box-1/#\ntopic read patrol/v1/410102007/box-1/cmd/+\n\
        user platform\ntopic read #\ntopic read $SYS/#\n";
    let rules = broker.file("acl", rules);
    // No limit on what is on its way to the subscriber, so that what the broker has acknowledged it has passed on.
    let limits = "max_inflight_messages 0\nmax_queued_messages 0\n";
    let forgets = format!("{}acl_file {rules}\n{limits}", broker.tls_settings);
    let remembers = format!(
        "{forgets}persistence true\npersistence_location {}/\nautosave_interval 1\nautosave_on_changes true\n",
        broker.folder().display()
    );
    broker.configure(&forgets);
    broker.run();
    let link = Link::to(broker.port());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disk_folder = folder.join("disk");
    let disk = Disk::new(&disk_folder);
    let (ca, password) = (to_broker.tls_ca.unwrap(), to_broker.login.unwrap().1);
    let settings = serde_json::json!({"port": link.port, "ca": ca, "password": password});
    std::fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
    let mut subscriber = Some(broker.witness(CASES));
    let mut box1 = Process::start(folder);
    let mut dice = Dice(cycles as u64);
    let mut count = Count::default();
    let mut faults: BTreeMap<Fault, u64> = BTreeMap::new();
    let began = Instant::now();
    for cycle in 0..cycles {
        std::thread::sleep(Duration::from_millis(150 + dice.roll(500)));
        let fault = Fault::ALL[cycle % Fault::ALL.len()];
        let moment = Duration::from_millis(dice.roll(700));
        match fault {
            Fault::KillBox => {
                box1.kill();
                box1 = Process::start(folder);
            }
            Fault::KillBrokerThatForgets | Fault::KillBrokerThatRemembers => {
                kill_broker(&mut broker, &mut subscriber, &mut count);
                let keeps = fault == Fault::KillBrokerThatRemembers;
                broker.configure(if keeps { &remembers } else { &forgets });
                std::thread::sleep(moment);
                broker.run();
                // Until it is there again, nobody listens, and the box is told so.
                subscriber = Some(broker.witness(CASES));
                if keeps {
                    // It has come up with its memory on; now it dies with something to remember.
                    std::thread::sleep(Duration::from_millis(1200) + moment);
                    kill_broker(&mut broker, &mut subscriber, &mut count);
                    broker.run();
                    subscriber = Some(broker.witness(CASES));
                }
            }
            Fault::FreezeBroker => {
                broker.freeze();
                std::thread::sleep(moment);
                // A box that dies while nobody answers has most under way.
                box1.kill();
                broker.thaw();
                box1 = Process::start(folder);
            }
            Fault::CutNetwork | Fault::SlowLink => {
                link.set(if fault == Fault::CutNetwork { CUT } else { SLOW });
                std::thread::sleep(moment);
                link.set(PASS);
            }
            Fault::FullDisk if disk.mounted => {
                // With nobody to send to nothing makes room: what is delivered would be written over for long.
                link.set(CUT);
                disk.fill();
                // The log that it writes ahead has some room yet.
                let refused = || lines(&folder.join("refused")).concat().len();
                let (before, filled) = (refused(), Instant::now());
                while refused() == before && filled.elapsed() < Duration::from_secs(30) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                std::thread::sleep(moment);
                box1.kill();
                disk.free();
                link.set(PASS);
                box1 = Process::start(folder);
            }
            Fault::FullDisk => {
                println!("cycle {cycle}: no disk was filled, since mounting is not allowed here");
                continue;
            }
            Fault::DamagedDatabase => {
                // What lies unread on a page that is gone is gone, as nobody could help; all else must come through.
                std::fs::write(folder.join("pause"), "").unwrap();
                settle(&mut count, subscriber.as_ref().unwrap(), folder);
                box1.kill();
                damage_last_page(&disk_folder.join(gridpatrol::outbox::FILE_NAME));
                std::fs::remove_file(folder.join("pause")).unwrap();
                box1 = Process::start(folder);
            }
        }
        *faults.entry(fault).or_default() += 1;
        count.take(subscriber.as_ref().unwrap().rest());
        if cycle % 20 == 19 {
            println!(
                "{:4} cycles, {:6} delivered, {:.0} s",
                cycle + 1,
                count.events.len(),
                began.elapsed().as_secs_f64()
            );
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    std::fs::write(folder.join("pause"), "").unwrap();
    let accepted = settle(&mut count, subscriber.as_ref().unwrap(), folder);
    box1.kill();
    // Nothing is left behind, and nothing was told twice under two names.
    let outbox = Outbox::open(&disk_folder).unwrap();
    let numbers: BTreeSet<u64> = count.events.values().copied().collect();
    let kills = faults.values().sum::<u64>();
    let (refused, damages) = (lines(&folder.join("refused")).concat().len(), lines(&folder.join("damage")));
    println!(
        "chaos: cycles {cycles}, accepted {}, delivered {}, lost 0, duplicates before de-duplication {}, \
         {:.0} s\n  not accepted while the disk was full {refused}, databases mended {}, faults {faults:?}",
        accepted.max(count.events.len()),
        count.events.len(),
        count.repeated,
        began.elapsed().as_secs_f64(),
        damages.len(),
    );
    assert_eq!(outbox.backlog().unwrap().total(), 0);
    assert_eq!(outbox.backlog().unwrap().lost, gridpatrol::outbox::Lost::default());
    assert_eq!(numbers.len(), count.events.len(), "two events of one number");
    assert!(accepted as u64 > 5 * cycles as u64, "too few were accepted for a campaign: {accepted}");
    // A kill may come between the disk and the ledger.
    assert!(count.events.len() as u64 <= accepted as u64 + kills, "more arrived than was accepted");
    if disk.mounted && cycles >= Fault::ALL.len() {
        assert!(refused > 0, "the disk was never full");
    }
    let damaged = faults.get(&Fault::DamagedDatabase).copied().unwrap_or_default();
    assert_eq!(damages.len() as u64, damaged, "each damage is found and reported");
}

/// Kills the broker and takes in what was already on its way to the subscriber.
fn kill_broker(broker: &mut Mosquitto, subscriber: &mut Option<Subscriber>, count: &mut Count) {
    broker.kill();
    count.take(subscriber.take().unwrap().last_words());
}

/// Waits until all that is written down as accepted has arrived, and returns how many that are.
fn settle(count: &mut Count, subscriber: &Subscriber, folder: &Path) -> usize {
    let began = Instant::now();
    loop {
        let accepted = lines(&folder.join("accepted"));
        count.take(subscriber.rest());
        let missing: Vec<&String> = accepted
            .iter()
            .filter(|id| !count.events.contains_key(&format!("/patrol/410102007/box-1 {id}")))
            .collect();
        if missing.is_empty() {
            // The last acknowledgements are on their way to the box.
            std::thread::sleep(Duration::from_millis(300));
            count.take(subscriber.rest());
            return accepted.len();
        }
        let log = lines(&folder.join("log"));
        assert!(
            began.elapsed() < SETTLING,
            "accepted {}, delivered {}, LOST {}, in the box's database {}: {:?}\n{}",
            accepted.len(),
            count.events.len(),
            missing.len(),
            waiting(&folder.join("disk")),
            &missing[..missing.len().min(5)],
            log[log.len().saturating_sub(20)..].join("\n")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What still waits in the database in `disk`, which tells what the box did not get rid of from what the broker lost.
fn waiting(disk: &Path) -> String {
    match Snapshot::take(disk).and_then(|snapshot| snapshot.outbox.backlog()) {
        Ok(backlog) => backlog.total().to_string(),
        Err(e) => e.to_string(),
    }
}

/// Writes over the last page of a database, which is one in use: free ones are given back before.
fn damage_last_page(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("VACUUM").unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(length - 4096)).unwrap();
    file.write_all(&[0xa5; 4096]).unwrap();
    file.sync_all().unwrap();
}
