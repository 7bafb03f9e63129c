//! Pages that are live: who is signed in hears of the cases of their grids as they come, and of no other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use super::broker::publish;
use super::pages::{Pages, Person};
use super::*;
use crate::support::mosquitto::{Mosquitto, PATIENCE};

/// What `person` hears, a line at a time.
fn listen(pages: &Pages, person: &Person, path: &str) -> impl Iterator<Item = String> + use<> {
    let address = pages.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let cookie = person.cookie();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\naccept: text/event-stream\r\n\r\n"
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("more is said in time"));
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].starts_with("HTTP/1.1 200"), "{head:?}");
    assert!(head.iter().any(|line| line == "content-type: text/event-stream"), "{head:?}");
    assert!(head.iter().any(|line| line == "cache-control: no-cache"), "{head:?}");
    lines
}

/// The data of the changes that are heard.
fn changes(lines: impl Iterator<Item = String>) -> impl Iterator<Item = Value> {
    lines.filter_map(|line| Some(serde_json::from_str(line.strip_prefix("data: ")?).unwrap()))
}

#[test]
fn a_worker_hears_of_a_case_of_their_grid_as_it_comes_and_of_no_other() {
    let broker = Mosquitto::start();
    let pages = Pages::new(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port()), "");
    let desk = Arc::clone(&pages.street.desk);
    pages.runtime().spawn(gridpatrol::desk::run(desk, std::future::pending()));
    let admin = pages.street.person("root", Role::Admin, &[]);
    let began = std::time::Instant::now();
    while !pages.street.desk.health(&admin).unwrap().broker.connected {
        assert!(began.elapsed() < PATIENCE, "the desk reaches the broker");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let south = pages.signed_in("li", Role::Worker, &[SOUTH]);
    let north = pages.signed_in("bai", Role::Worker, &[NORTH]);
    let centre = pages.signed_in("wang", Role::Centre, &[]);
    let [mut south, mut north, mut centre] =
        [&south, &north, &centre].map(|person| changes(listen(&pages, person, "/live")));

    // In the order in which they are published; were the first one heard in the south, it would be before the second.
    let shot = jpeg(1);
    let first = Told { grid: NORTH, ..Told::opened(1) };
    let second = Told { pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(2) };
    publish(broker.port(), &[first.message(), second.message(), second.picture("overview", &shot)], None);
    let heard: Vec<Value> = south.by_ref().take(3).collect();
    let cases = pages.street.desk.list(&admin, &Filter::default(), None, 10).unwrap().cases;
    let id_in = |grid: &str| cases.iter().find(|case| case.grid == grid).unwrap().id;
    assert!(heard.iter().all(|change| change["id"] == id_in(SOUTH)), "{heard:?}");
    assert_eq!(heard[0]["what"], "opened", "{heard:?}");
    assert_eq!(heard.last().unwrap()["what"], "picture", "{heard:?}");
    // It names the case and says nothing else of it.
    let keys: Vec<&String> = heard[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "version", "what"]);
    assert_eq!(north.next().unwrap()["id"], id_in(NORTH));
    assert_eq!(centre.next().unwrap()["id"], id_in(NORTH), "who sees the whole street hears of both");
    assert!(centre.take(4).any(|change| change["id"] == id_in(SOUTH)));

    // Steps of people are heard too, and again in their grid only.
    let boss = pages.street.desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
    pages.street.act(&boss, id_in(SOUTH), Action::Accept).unwrap();
    pages.street.act(&boss, id_in(NORTH), Action::Accept).unwrap();
    assert_eq!(south.next().unwrap()["what"], "accept");
    let step = north.find(|change| change["what"] == "accept").unwrap();
    assert_eq!(step["id"], id_in(NORTH));
}

#[test]
fn a_case_that_comes_while_a_page_is_on_its_way_is_told_as_soon_as_the_page_listens() {
    let pages = Pages::new("", "");
    let mut worker = pages.signed_in("li", Role::Worker, &[SOUTH]);
    let page = worker.get("/inbox").body;
    let since = page.split("data-live=\"").nth(1).unwrap().split('"').next().unwrap();
    // Nothing of another grid's case, then one of their own.
    pages.street.take_in(&[Told { grid: NORTH, ..Told::opened(1) }.message()]);
    pages.street.take_in(&[Told::opened(2).message()]);
    let live = |since: &str| changes(listen(&pages, &worker, &format!("/live?since={since}")));
    let admin = pages.street.person("root", Role::Admin, &[]);
    let cases = pages.street.desk.list(&admin, &Filter::default(), None, 10).unwrap().cases;
    let own = cases.iter().find(|case| case.grid == SOUTH).unwrap().id;
    assert_eq!(live(since).next().unwrap()["id"], own);
    // A page that is newer, and one of a desk that has been started anew since.
    let after = pages.street.desk.revision().to_string();
    let mut newer = live(&after);
    pages.street.take_in(&[Told::opened(3).message()]);
    assert_ne!(newer.next().unwrap()["id"], own);
    assert_eq!(live("17").next().unwrap()["what"], "lagged");
    assert_eq!(live("nonsense").next().unwrap()["what"], "lagged");
}

#[test]
fn nobody_who_is_not_signed_in_hears_anything() {
    let pages = Pages::new("", "");
    let mut visitor = pages.visitor();
    assert_eq!(visitor.get("/live").code, 401);
}
