//! Pictures that a store on the network keeps: what becomes of them when it is away, refuses them, or is not the right
//! one.

mod s3;
mod server;

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use gridpatrol::case::CaseId;
use gridpatrol::evidence::{Picture, Role};
use gridpatrol::outbox::Outbox;
use gridpatrol::shutdown::Shutdown;
use gridpatrol::upload::{Delays, Login, Spool, UploadPlan, Uploads};
use sha2::{Digest as _, Sha256};

use self::server::{Answer, Store, tls};
use crate::support::mosquitto::{Authority, PATIENCE};
use crate::support::program::{KERB, configuration};

const SECRET: &str = "s3cret-4fe1c2";
/// Short, so that a test is.
const DELAYS: Delays = Delays {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(100),
    settings: Duration::from_millis(50),
};

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn case(n: u32) -> CaseId {
    CaseId::parse(&format!("01934f6e-5c1a-8b3e-9a54-{n:012x}")).unwrap()
}

fn picture(n: u32) -> Picture {
    let jpeg = format!("the picture {n}").repeat(1000).into_bytes();
    Picture {
        role: Role::Overview,
        sha256: hash(&jpeg),
        bytes: jpeg,
        width: 1,
        height: 1,
        view_height: None,
        captured: None,
        url: None,
        part: None,
    }
}

/// A box whose pictures go to `url`.
struct Box1 {
    folder: tempfile::TempDir,
    plan: UploadPlan,
    shutdown: Shutdown,
    uploads: Uploads,
}

impl Box1 {
    fn new(url: &str, login: Login, ca: Option<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = UploadPlan { url: url.to_owned(), login, ca, prefix: "410102007/box-1".to_owned() };
        let uploads = Uploads::new(plan.clone(), Spool::open(folder.path(), 1 << 20).unwrap().into());
        Self { folder, plan, shutdown: Shutdown::default(), uploads }
    }

    /// The box after it was switched off and on.
    fn restarted(mut self) -> Self {
        self.shutdown.request();
        self.uploads =
            Uploads::new(self.plan.clone(), Spool::open(self.folder.path(), 1 << 20).unwrap().into());
        self.shutdown = Shutdown::default();
        self
    }

    /// Writes the picture `n` down; returns the path of its address.
    fn put(&self, n: u32) -> String {
        let address = self.uploads.put(&case(n), &picture(n)).unwrap();
        let path = address.strip_prefix("http").unwrap().split_once("://").unwrap().1;
        path[path.find('/').unwrap()..].to_owned()
    }

    fn start(&self) {
        self.uploads.start(DELAYS, self.shutdown.clone()).unwrap();
    }

    /// Waits until nothing waits.
    fn wait_until_empty(&self) {
        wait(|| self.uploads.count().waiting == 0, || format!("{:?}", self.uploads.count()));
    }

    /// What is said to be wrong, once something is.
    fn trouble(&self) -> String {
        wait(|| self.uploads.count().trouble.is_some(), || format!("{:?}", self.uploads.count()));
        self.uploads.count().trouble.unwrap()
    }
}

impl Drop for Box1 {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

#[track_caller]
fn wait(until: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let began = Instant::now();
    while !until() {
        assert!(began.elapsed() < PATIENCE, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A file with the secret, which lives as long as the folder.
fn secret(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("secret");
    std::fs::write(&path, format!("{text}\n")).unwrap();
    path
}

#[test]
fn pictures_wait_while_the_store_is_away_and_are_there_when_it_is_back() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let one = Box1::new(&format!("http://127.0.0.1:{port}/bucket"), Login::None, None);
    let paths: Vec<String> = (0..5).map(|n| one.put(n)).collect();
    assert_eq!(
        paths[3],
        format!("/bucket/410102007/box-1/{}/overview-{}.jpg", case(3).as_str(), picture(3).sha256)
    );
    one.start();
    let trouble = one.trouble();
    assert!(trouble.contains("cannot be reached"), "{trouble}");
    assert_eq!(
        (one.uploads.count().waiting, one.uploads.count().bytes),
        (5, 5 * picture(0).bytes.len() as u64)
    );
    let store = Store::start_at(port, Answer::Take, None);
    one.wait_until_empty();
    for (n, path) in (0..).zip(&paths) {
        assert_eq!(store.object(path).unwrap(), picture(n).bytes);
    }
    let count = one.uploads.count();
    assert_eq!((count.uploaded, count.trouble), (5, None));
    assert_eq!(std::fs::read_dir(one.folder.path()).unwrap().count(), 0, "nothing is left on the disk");
}

#[test]
fn a_picture_that_was_cut_short_is_sent_again_and_a_restart_loses_none() {
    let store = Store::start(Answer::HangUp, None);
    let one = Box1::new(&store.url("http"), Login::None, None);
    let paths = [one.put(1), one.put(2)];
    one.start();
    wait(|| store.requests().len() >= 2, || "it does not try again".to_owned());
    assert_eq!(one.uploads.count().waiting, 2, "without an answer nothing is settled");
    let one = one.restarted();
    assert_eq!(one.uploads.count().waiting, 2);
    store.answer(Answer::Take);
    one.start();
    one.wait_until_empty();
    for (n, path) in (1..).zip(&paths) {
        assert_eq!(store.object(path).unwrap(), picture(n).bytes);
    }
}

#[test]
fn a_store_that_is_busy_is_asked_again_and_what_it_refuses_holds_up_nothing() {
    let store = Store::start(Answer::Status("503 Slow Down", ""), None);
    let one = Box1::new(&store.url("http"), Login::None, None);
    let paths = [one.put(1), one.put(2)];
    one.start();
    assert!(one.trouble().contains("cannot take pictures now: 503"), "{}", one.trouble());
    store.answer(Answer::Refuse(paths[0].clone()));
    wait(|| store.object(&paths[1]).is_some(), || format!("{:?}", one.uploads.count()));
    wait(|| one.uploads.count().set_aside == 1, || format!("{:?}", one.uploads.count()));
    assert_eq!(one.uploads.count().waiting, 1);
    // A new start may have come with a new store.
    let one = one.restarted();
    store.answer(Answer::Take);
    one.start();
    one.wait_until_empty();
    assert!(store.object(&paths[0]).is_some());
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Store::start(Answer::Take, None);
    let location = format!("Location: {}\r\n", elsewhere.url("http"));
    let store = Store::start(Answer::Status("307 Temporary Redirect", location.leak()), None);
    let folder = tempfile::tempdir().unwrap();
    let one = Box1::new(&store.url("http"), Login::Token(secret(folder.path(), SECRET)), None);
    one.put(1);
    one.start();
    let trouble = one.trouble();
    assert!(trouble.contains("has moved to") && !trouble.contains(SECRET), "{trouble}");
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[test]
fn each_way_to_log_in_is_understood_by_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = secret(folder.path(), SECRET);
    let s3 = |secret: PathBuf| Login::S3 {
        region: "cn-north-1".to_owned(),
        access_key: "AKIDEXAMPLE".to_owned(),
        secret,
    };
    let logins = [
        Login::Token(file.clone()),
        Login::Password { user: "box-1".to_owned(), file: file.clone() },
        s3(file),
    ];
    for login in logins {
        let store = Store::start(Answer::Guarded(SECRET), None);
        let one = Box1::new(&store.url("http"), login.clone(), None);
        let path = one.put(1);
        one.start();
        one.wait_until_empty();
        assert_eq!(store.object(&path).unwrap(), picture(1).bytes, "{login:?}");
        if matches!(login, Login::S3 { .. }) {
            assert!(store.requests().iter().all(|head| !head.contains(SECRET)));
        }
        // Only the right secret is.
        let wrong = tempfile::tempdir().unwrap();
        let wrong_file = secret(wrong.path(), "not-the-secret");
        let login = match login {
            Login::Token(_) => Login::Token(wrong_file),
            Login::Password { user, .. } => Login::Password { user, file: wrong_file },
            _ => s3(wrong_file),
        };
        let one = Box1::new(&store.url("http"), login, None);
        one.put(2);
        one.start();
        let trouble = one.trouble();
        assert!(trouble.contains("refuses the login") && !trouble.contains("secret"), "{trouble}");
        assert_eq!(one.uploads.count().waiting, 1);
        // Mended while the program runs.
        secret(wrong.path(), SECRET);
        one.wait_until_empty();
    }
}

#[test]
fn each_reason_why_nothing_is_uploaded_has_words_of_its_own() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ca, other_ca) = (write("ca.pem", &authority.pem), write("other.pem", &Authority::new().pem));
    let file = secret(folder.path(), SECRET);
    let right = Store::start(Answer::Guarded(SECRET), Some(tls(&authority, "localhost", 2050)));
    let expired = Store::start(Answer::Take, Some(tls(&authority, "localhost", 2020)));
    let closed = Store::start(Answer::Status("404 Not Found", ""), Some(tls(&authority, "localhost", 2050)));
    let skewed = Store::start(Answer::Skewed, None);
    let plain = Store::start(Answer::Take, None);
    let token = || Login::Token(file.clone());
    let wrong = write("wrong", "not-the-token\n");
    let at = |store: &Store| store.url("https").replace("127.0.0.1", "localhost");
    let cases = [
        (at(&right), Login::Token(wrong), Some(&ca), "refuses the login"),
        (at(&expired), token(), Some(&ca), "has expired"),
        (at(&right), token(), Some(&other_ca), "was not signed by an authority"),
        (right.url("https"), token(), Some(&ca), "is for another host name"),
        (at(&closed), token(), Some(&ca), "takes no pictures there"),
        (skewed.url("http"), token(), None, "finds the clock of this box wrong"),
        (at(&plain), token(), Some(&ca), "no TLS connection"),
        (at(&right), Login::Token("/nowhere/token".into()), Some(&ca), "cannot be read"),
    ];
    let words: HashSet<&str> = cases.iter().map(|case| case.3).collect();
    for (url, login, ca, expected) in cases {
        let one = Box1::new(&url, login, ca.cloned());
        one.put(1);
        one.start();
        let trouble = one.trouble();
        assert!(trouble.contains(expected), "{url}: {trouble}");
        assert!(!trouble.contains(SECRET), "{trouble}");
        assert!(words.iter().all(|other| *other == expected || !trouble.contains(other)), "{trouble}");
    }
    let one = Box1::new(&at(&right), token(), Some(ca));
    let path = one.put(1);
    one.start();
    one.wait_until_empty();
    assert!(right.object(&path).is_some(), "with all that right it is taken");
}

/// The program with one camera whose pictures go to `url`, killed when the test ends.
fn program(folder: &Path, url: &str, log: &Path) -> Child {
    let token = secret(folder, SECRET);
    let top = format!(
        "storage.dir = {:?}\nmqtt.url = \"mqtt://127.0.0.1:9\"\nevidence.upload = {{ url = {url:?}, token_file = {token:?} }}\n",
        folder.join("data")
    );
    let config = folder.join("edge.toml");
    std::fs::write(&config, configuration(&top, KERB)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
        .args(["run", "--config", config.to_str().unwrap()])
        .env("GRIDPATROL_LOG", "trace")
        .stderr(std::fs::File::create(log).unwrap())
        .spawn()
        .unwrap()
}

#[test]
fn a_box_that_is_killed_sends_its_pictures_later_to_the_address_that_its_event_names() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/bucket");
    let log = folder.path().join("log");
    let mut child = program(folder.path(), &url, &log);
    let spool = folder.path().join("data/upload");
    let waiting = || std::fs::read_dir(&spool).map_or(0, |files| files.count());
    let text = || String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    wait(|| waiting() >= 2 && text().contains("cannot be reached") && text().contains("Case Opened"), text);
    child.kill().unwrap();
    child.wait().unwrap();
    let said = text();
    assert!(!said.contains(SECRET), "the token is in the log");

    let outbox = Outbox::open(&folder.path().join("data")).unwrap();
    let cases = outbox.cases(10).unwrap();
    assert!(!cases.is_empty());
    let mut named = Vec::new();
    for case in &cases {
        let event: serde_json::Value = serde_json::from_str(&case.event).unwrap();
        for evidence in event["data"]["evidence"].as_array().unwrap() {
            let path = evidence["uri"].as_str().unwrap().strip_prefix(&url).expect("at the store");
            named.push((format!("/bucket{path}"), evidence["sha256"].as_str().unwrap().to_owned()));
        }
        assert_eq!(
            case.pictures.len(),
            event["data"]["evidence"].as_array().unwrap().len(),
            "the page shows them"
        );
    }
    assert!(named.len() >= 2);
    assert_eq!(outbox.backlog().unwrap().pictures, 0, "no picture goes to the broker");
    drop(outbox);

    let store = Store::start_at(port, Answer::Guarded(SECRET), None);
    let mut child = program(folder.path(), &url, &log);
    wait(|| named.iter().all(|(path, _)| store.object(path).is_some()), text);
    child.kill().unwrap();
    child.wait().unwrap();
    for (path, sha256) in named {
        assert_eq!(hash(&store.object(&path).unwrap()), sha256);
    }
    assert!(!text().contains(SECRET), "the token is in the log");
}
