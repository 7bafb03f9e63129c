//! The demo opens on the desk: what the box says, the desk holds; its links sign in once; it leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::support::program::gridpatrol_ok;

#[test]
fn the_demos_desk_holds_the_cases_that_were_told_and_all_their_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let said = gridpatrol_ok(&["demo", "--headless", "--speed", "4", "--dir", dir]);
    let figure = |after: &str, word: &str| -> usize {
        let line = said.split(after).nth(1).unwrap_or_else(|| panic!("{after} in {said}"));
        let before = line.split(word).next().unwrap().trim();
        before.rsplit([' ', ',', ';']).next().unwrap().parse().unwrap()
    };
    let told = (figure("Summary:", "opened"), figure("Summary:", "pictures"));
    let held = (figure("The desk", "cases"), figure("The desk", "pictures"));
    assert!(told.0 >= 2 && told.1 >= 4, "{said}");
    assert_eq!(held, told, "{said}");

    // The store says so too, to a desk that opens it afterwards.
    let mut plan = plan(folder.path(), "");
    plan.storage = folder.path().join("desk");
    let desk = Desk::open(plan).unwrap();
    let new = NewAccount {
        login: "boss".to_owned(),
        name: "boss".to_owned(),
        role: Role::Admin,
        grids: Vec::new(),
        department: None,
        password: Some(PASSWORD.to_owned()),
    };
    desk.add_account_as("test", new).unwrap();
    let admin = desk.sign_in("boss", PASSWORD, HOME).unwrap().viewer;
    let open = Filter { tab: Tab::Open, ..Filter::default() };
    let cases = desk.list(&admin, &open, None, 100).unwrap().cases;
    assert_eq!(cases.len(), told.0);
    let pictures: Vec<_> =
        cases.iter().flat_map(|case| desk.case(&admin, case.id).unwrap().pictures).collect();
    assert!(pictures.len() == told.1 && pictures.iter().all(|picture| picture.is_here), "{pictures:?}");
}

/// A demo that runs until it is asked to stop, killed on drop.
struct Demo {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Demo {
    fn start(temporary: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
            .args(["demo", "--no-browser", "--speed", "8"])
            .env("TMPDIR", temporary)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// What it says up to a line with `words`, that line included.
    fn until(&mut self, words: &str) -> String {
        let mut said = String::new();
        while !said.contains(words) {
            assert!(self.lines.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        said
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demos_link_signs_the_worker_in_once_and_ctrl_c_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(temporary.path());
    let said = demo.until("Cases as a subscriber");
    let link = said.split_whitespace().find(|word| word.starts_with("http://") && word.len() > 60).unwrap();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let header = |answer: &ureq::http::Response<ureq::Body>, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    // Who only asks what a link is does not use it up; nor does one that is nearly right open anything.
    assert_eq!(agent.head(link).call().unwrap().status().as_u16(), 405);
    let wrong = agent.get(format!("{}0", &link[..link.len() - 1])).call().unwrap();
    if !link.ends_with('0') {
        assert_eq!(header(&wrong, "set-cookie"), None);
    }
    let first = agent.get(link).call().unwrap();
    let (cookie, desk) = (header(&first, "set-cookie").unwrap(), header(&first, "location").unwrap());
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    let mut inbox = agent.get(format!("{desk}inbox")).header("cookie", session).call().unwrap();
    let page = inbox.body_mut().read_to_string().unwrap();
    assert!(inbox.status().as_u16() == 200 && page.contains("李网格"), "{page}");
    let second = agent.get(link).call().unwrap();
    assert_eq!(header(&second, "set-cookie"), None);
    assert!(header(&second, "location").unwrap().ends_with("/login"));
    // A resident's form is open to all, the inbox to nobody without a session.
    let form = said.lines().find(|line| line.contains("居民扫码上报")).unwrap();
    let form = form.split_whitespace().last().unwrap();
    assert_eq!(agent.get(form).call().unwrap().status().as_u16(), 200);
    assert_eq!(agent.get(format!("{desk}inbox")).call().unwrap().status().as_u16(), 303);

    let pid = demo.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    // ONNX Runtime keeps a file of its own there.
    let names = std::fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("gridpatrol")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_demo_says_which_port_is_taken_and_what_to_do() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--desk-listen"] {
        let output = crate::support::program::gridpatrol(&["demo", "--headless", option, &address]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&address) && said.contains(option), "{said}");
    }
    let output = crate::support::program::gridpatrol(&["demo", "--headless", "--desk-listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
