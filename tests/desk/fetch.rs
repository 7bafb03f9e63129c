//! Pictures that a box has put into a store: the desk fetches them, from there and from nowhere else.

use std::net::TcpListener;

use super::http::{Server, tls};
use super::*;
use crate::support::mosquitto::{Authority, PATIENCE};

/// An event about case `n` whose overview, with the hash of `jpeg`, is at `url`.
fn told(n: u32, jpeg: &[u8], url: &str) -> Incoming {
    let told = Told { pictures: vec![("overview", sha256_of(jpeg))], ..Told::opened(n) };
    let mut json = told.json();
    json["data"]["evidence"][0]["uri"] = json!(url);
    Incoming { topic: told.topic(), payload: json.to_string().into_bytes().into() }
}

fn hosts(port: u16) -> String {
    format!("[evidence]\nhosts = [\"127.0.0.1:{port}\"]\n")
}

/// Whether the only picture of the only case is here, and whether it can still come.
fn stands(street: &Street, viewer: &Viewer) -> (bool, bool) {
    let case = street.desk.case(viewer, street.only(viewer)).unwrap();
    assert_eq!(case.pictures.len(), 1);
    assert_eq!(case.case.thumb.is_some(), case.pictures[0].is_here);
    (case.pictures[0].is_here, case.pictures[0].is_awaited)
}

#[test]
fn a_picture_in_a_store_comes_when_it_is_there() {
    let shot = jpeg(1);
    let picture = shot.clone();
    let store = Server::start(None, move |before, _| match before {
        0 | 1 => (404, String::new(), Vec::new()),
        _ => (200, String::new(), picture.clone()),
    });
    let street = Street::with(&hosts(store.port));
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let url = format!("http://127.0.0.1:{}/evidence/overview.jpg", store.port);
    street.take_in(&[told(1, &shot, &url)]);
    assert_eq!(stands(&street, &worker), (false, true));
    let fetch = || street.desk.fetch_pictures().unwrap();
    assert_eq!(fetch(), 1);
    assert_eq!(fetch(), 0, "404 means not yet, and it is not asked again at once");
    street.wait(5_001);
    assert_eq!(fetch(), 1);
    street.wait(5_001);
    assert_eq!(fetch(), 0, "the second wait is longer");
    assert_eq!(stands(&street, &worker), (false, true));
    street.wait(5_000);
    assert_eq!(fetch(), 1);
    assert_eq!(stands(&street, &worker), (true, false));
    let id = street.desk.case(&worker, street.only(&worker)).unwrap().pictures[0].id;
    assert_eq!(street.desk.picture(&worker, id).unwrap().bytes, shot);
    street.wait(24 * 3_600_000);
    assert_eq!(fetch(), 0);
    let asked = store.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.line == "GET /evidence/overview.jpg HTTP/1.1"), "{asked:?}");
}

#[test]
fn what_is_not_the_picture_is_refused_and_nobody_is_led_elsewhere() {
    let (right, wrong) = (jpeg(1), jpeg(2));
    let elsewhere = Server::start(None, |_, _| (200, String::new(), jpeg(1)));
    let away = format!("location: http://127.0.0.1:{}/overview.jpg\r\n", elsewhere.port);
    let not_jpeg = b"<html>not a picture</html>".to_vec();
    let html = not_jpeg.clone();
    let store = Server::start(None, move |_, asked| match asked.line.split(' ').nth(1).unwrap() {
        "/wrong.jpg" => (200, String::new(), wrong.clone()),
        "/cut.jpg" => (200, String::new(), right[..right.len() - 1].to_vec()),
        "/large.jpg" => (200, String::new(), vec![0xff; 9 << 20]),
        "/moved.jpg" => (302, away.clone(), right.clone()),
        "/html.jpg" => (200, String::new(), html.clone()),
        "/down.jpg" => (503, String::new(), right.clone()),
        other => panic!("{other}"),
    });
    for (path, hash_of) in [
        ("wrong", jpeg(1)),
        ("cut", jpeg(1)),
        ("large", vec![0xff; 9 << 20]),
        ("moved", jpeg(1)),
        ("html", not_jpeg),
        ("down", jpeg(1)),
    ] {
        let street = Street::with(&hosts(store.port));
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        let before = store.asked().len();
        street.take_in(&[told(1, &hash_of, &format!("http://127.0.0.1:{}/{path}.jpg", store.port))]);
        assert_eq!(street.desk.fetch_pictures().unwrap(), 1, "{path}");
        assert_eq!(stands(&street, &worker), (false, true), "{path}");
        assert_eq!(store.asked().len(), before + 1, "{path}");
        assert_eq!(street.files(), Vec::<String>::new(), "{path}: nothing of it is kept");
    }
    assert_eq!(elsewhere.asked().len(), 0, "a redirect is not followed");
}

#[test]
fn a_store_that_is_not_listed_is_never_asked() {
    let shot = jpeg(1);
    let picture = shot.clone();
    let store = Server::start(None, move |_, _| (200, String::new(), picture.clone()));
    let url = format!("http://127.0.0.1:{}/overview.jpg", store.port);
    for more in [String::new(), hosts(store.port + 1), "[evidence]\nhosts = [\"127.0.0.1\"]\n".to_owned()] {
        let street = Street::with(&more);
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        assert_eq!(street.take_in(&[told(1, &shot, &url)]).events, 1, "the case itself is taken in");
        assert_eq!(stands(&street, &worker), (false, false));
        assert_eq!(street.desk.seek_pictures().unwrap(), 0);
        street.wait(3_600_000);
        assert_eq!(street.desk.fetch_pictures().unwrap(), 0);
        let admin = street.person("root", Role::Admin, &[]);
        let health = street.desk.health(&admin).unwrap();
        assert_eq!((health.pictures_missing, health.pictures_lost), (1, 1));
        // Addresses that only look like one of a store.
        for bad in [
            &format!("http://127.0.0.1:{}@127.0.0.1/overview.jpg", store.port),
            "file:///etc/passwd",
            "ftp://127.0.0.1/overview.jpg",
            "http://127.0.0.1/a\nb.jpg",
            "",
        ] {
            assert_eq!(street.take_in(&[told(2, &shot, bad)]).refused, 1, "{bad:?}");
        }
    }
    assert_eq!(store.asked().len(), 0);

    // Once it is listed, what came before is asked for too; taken off the list, it is left alone again.
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    street.take_in(&[told(1, &shot, &url)]);
    let street = street.reopened_with(&hosts(store.port));
    assert_eq!(street.desk.seek_pictures().unwrap(), 1);
    let street = street.reopened_with("");
    assert_eq!(street.desk.fetch_pictures().unwrap(), 0);
    assert_eq!(stands(&street, &worker), (false, false));
    assert_eq!(store.asked().len(), 0);
    let street = street.reopened_with(&hosts(store.port));
    assert_eq!(street.desk.seek_pictures().unwrap(), 1);
    assert_eq!(street.desk.fetch_pictures().unwrap(), 1);
    assert_eq!(stands(&street, &worker), (true, false));
}

#[test]
fn a_picture_that_never_comes_is_given_up_after_the_retention_and_one_by_mqtt_ends_the_wait() {
    let store = Server::start(None, |_, _| (404, String::new(), Vec::new()));
    let street = Street::with(&hosts(store.port));
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let shot = jpeg(1);
    let url = format!("http://127.0.0.1:{}/overview.jpg", store.port);
    street.take_in(&[told(1, &shot, &url)]);
    for _ in 0..89 {
        street.wait(24 * 3_600_000);
        assert_eq!(street.desk.fetch_pictures().unwrap(), 1);
        assert_eq!(stands(&street, &worker), (false, true));
    }
    street.wait(2 * 24 * 3_600_000);
    assert_eq!(street.desk.fetch_pictures().unwrap(), 1);
    assert_eq!(stands(&street, &worker), (false, false), "90 days are over");
    street.wait(24 * 3_600_000);
    assert_eq!(street.desk.fetch_pictures().unwrap(), 0);
    // The box may still be asked for it over MQTT.
    street.take_in(&[Told::opened(1).picture("overview", &shot)]);
    assert_eq!(stands(&street, &worker), (true, false));
}

#[test]
fn a_store_that_is_away_holds_up_no_other() {
    let shot = jpeg(1);
    let picture = shot.clone();
    let store = Server::start(None, move |_, _| (200, String::new(), picture.clone()));
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let street = Street::with(&format!(
        "[evidence]\nhosts = [\"127.0.0.1:{}\", \"localhost:{nobody}\"]\n",
        store.port
    ));
    let admin = street.person("root", Role::Admin, &[]);
    for n in 1..=20 {
        street.take_in(&[told(n, &jpeg(n), &format!("http://localhost:{nobody}/{n}.jpg"))]);
    }
    street.take_in(&[told(21, &shot, &format!("http://127.0.0.1:{}/overview.jpg", store.port))]);
    let rounds = (0..).take_while(|_| street.desk.fetch_pictures().unwrap() > 0).count();
    assert!(rounds <= 3, "{rounds}");
    let health = street.desk.health(&admin).unwrap();
    assert_eq!((health.pictures_missing, health.pictures_lost), (20, 0));
    assert_eq!(store.asked().len(), 1);
}

#[test]
fn the_token_goes_over_tls_to_whom_the_authority_vouches_for() {
    let authority = Authority::new();
    let shot = jpeg(1);
    let picture = shot.clone();
    let store = Server::start(Some(tls(&authority, "localhost")), move |_, asked| {
        match asked.headers.get("authorization").map(String::as_str) {
            Some("Bearer let-me-in") => (200, String::new(), picture.clone()),
            _ => (403, String::new(), Vec::new()),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let token = file("token", "let-me-in\n");
    let url = format!("https://localhost:{}/overview.jpg", store.port);
    for (ca, is_here) in [(Authority::new().pem, false), (authority.pem.clone(), true)] {
        let ca = file("ca.pem", &ca);
        let more = format!(
            "[evidence]\nhosts = [\"localhost:{}\"]\nca_file = {ca:?}\ntoken_file = {token:?}\n",
            store.port
        );
        let street = Street::with(&more);
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        street.take_in(&[told(1, &shot, &url)]);
        assert_eq!(street.desk.fetch_pictures().unwrap(), 1);
        assert_eq!(stands(&street, &worker), (is_here, !is_here));
        assert_eq!(store.asked().len(), usize::from(is_here), "who is not vouched for is told nothing");
    }
    // Not over a line that others can read.
    let plain = Server::start(None, |_, _| (404, String::new(), Vec::new()));
    let street = Street::with(&format!("{}token_file = {token:?}\n", hosts(plain.port)));
    street.take_in(&[told(1, &shot, &format!("http://127.0.0.1:{}/overview.jpg", plain.port))]);
    assert_eq!(street.desk.fetch_pictures().unwrap(), 1);
    assert!(!plain.asked()[0].headers.contains_key("authorization"));
}

#[test]
fn the_desk_fetches_by_itself_while_it_runs() {
    let shot = jpeg(1);
    let picture = shot.clone();
    let store = Server::start(None, move |_, _| (200, String::new(), picture.clone()));
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    // A broker that is not there keeps it from nothing.
    let street = Street::with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{nobody}\"\n{}", hosts(store.port)));
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.spawn(gridpatrol::desk::run(Arc::clone(&street.desk), std::future::pending()));
    street.take_in(&[told(1, &shot, &format!("http://127.0.0.1:{}/overview.jpg", store.port))]);
    let admin = street.person("root", Role::Admin, &[]);
    let began = std::time::Instant::now();
    while street.desk.health(&admin).unwrap().pictures_missing > 0 {
        assert!(began.elapsed() < PATIENCE, "it comes");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(stands(&street, &worker), (true, false));
    runtime.shutdown_background();
}
