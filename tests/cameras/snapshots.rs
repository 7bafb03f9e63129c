//! Pictures over HTTP, from a server that misbehaves.

use std::sync::Arc;
use std::time::Duration;

use super::snapshot_server::{Answer, Login, SnapshotServer, jpeg, well};
use super::watcher::Watcher;
use gridpatrol::source::Phase;

fn watch(url: &str, settings: &str) -> Watcher {
    Watcher::start(url, &format!("looks_per_second = 20\n{settings}"))
}

fn reason(watcher: &Watcher) -> String {
    watcher.until(|state| state.reason.is_some());
    watcher.state().reason.unwrap()
}

#[test]
fn a_picture_is_fetched_for_each_look() {
    let server = SnapshotServer::start(well(jpeg()), None);
    let mut watcher = watch(&server.url(), "");
    let first = watcher.next();
    let second = watcher.next();
    assert_eq!(first.size, (64, 48));
    assert!(second.captured > first.captured);
    let asked = server.asked.lock().unwrap();
    assert!(asked[0].starts_with("GET /shot.jpg?channel=1 HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(!asked[0].to_ascii_lowercase().contains("authorization"));
}

#[test]
fn basic_and_digest_logins_are_answered_and_the_password_is_not_sent_in_clear_by_digest() {
    for login in [Login::Basic("s3cret"), Login::Digest("s3cret")] {
        let server = SnapshotServer::start(Answer { login, ..well(jpeg()) }, None);
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), "s3cret\n").unwrap();
        let settings = format!("username = \"viewer\"\npassword_file = {:?}", password.path());
        let mut watcher = watch(&server.url(), &settings);
        for _ in 0..3 {
            assert_eq!(watcher.next().size, (64, 48), "{login:?}");
        }
        let asked = server.asked.lock().unwrap();
        assert!(!asked.iter().any(|request| request.contains("s3cret")));
        let refused = asked.iter().filter(|request| !request.to_ascii_lowercase().contains("authorization"));
        assert_eq!(refused.count(), 1, "only the first request is without a login");
    }
}

#[test]
fn a_refused_login_says_so_and_is_not_hammered() {
    let server = SnapshotServer::start(Answer { login: Login::Digest("other"), ..well(jpeg()) }, None);
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "s3cret").unwrap();
    let settings = format!("username = \"viewer\"\npassword_file = {:?}", password.path());
    let watcher = watch(&server.url(), &settings);
    assert!(reason(&watcher).ends_with("refuses the login"), "{}", reason(&watcher));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(server.asked.lock().unwrap().len(), 2, "one request for the challenge, one with the answer");
}

#[test]
fn answers_that_are_no_picture_are_said_and_the_camera_comes_back() {
    let html = well(b"<html>Please log in</html>".to_vec());
    let server = SnapshotServer::start(html, None);
    let mut watcher = watch(&server.url(), "");
    assert!(reason(&watcher).contains("gives no pictures that can be decoded"), "{}", reason(&watcher));
    for (answer, why) in [
        (Answer { status: "404 Not Found", ..well(Vec::new()) }, "404"),
        (Answer { status: "302 Found", header: "Location: http://evil/\r\n", ..well(Vec::new()) }, "moved"),
        (well(vec![0; 33 << 20]), "no whole picture"),
        (Answer { stalls: true, ..well(jpeg()) }, "no whole picture"),
    ] {
        *server.answer.lock().unwrap() = answer;
        watcher.until(|state| state.reason.as_ref().is_some_and(|reason| reason.contains(why)));
        assert_eq!(watcher.state().phase, Phase::Lost);
    }
    *server.answer.lock().unwrap() = well(jpeg());
    assert_eq!(watcher.next().size, (64, 48));
    assert_eq!(watcher.state().phase, Phase::Live);
}

#[test]
fn a_certificate_is_trusted_only_if_the_configuration_or_the_system_does() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let server = SnapshotServer::start(well(jpeg()), Some(Arc::new(tls)));
    let url = server.url().replace("http:", "https:");
    let stranger = watch(&url, "");
    let why = reason(&stranger);
    assert!(why.to_ascii_lowercase().contains("certificate"), "{why}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    let mut friend = watch(&url, &format!("ca_file = {:?}", file.path()));
    assert_eq!(friend.next().size, (64, 48));
    assert_eq!(stranger.state().connections, 0);
}
