//! Notices to a web hook, as a WeChat or SMS gateway receives them.

use std::sync::atomic::AtomicU16;

use super::http::Server;
use super::*;

/// A desk whose notices go to `server`, with workers, and the folder of its token.
fn street(server: &Server) -> (Street, TempDir) {
    let hook = format!("http://127.0.0.1:{}/hook?key=k1", server.port);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "gateway-token\n").unwrap();
    let street = Street::with(&format!("[notify]\nwebhook = {hook:?}\nwebhook_token_file = {token:?}\n"));
    street.person("li", Role::Worker, &[SOUTH]);
    street.person("bai", Role::Worker, &[NORTH]);
    (street, folder)
}

#[test]
fn a_web_hook_gets_each_notice_as_json_and_again_until_it_takes_it() {
    let status = Arc::new(AtomicU16::new(500));
    let answers = Arc::clone(&status);
    let hook = Server::start(None, move |_, _| (answers.load(Ordering::SeqCst), String::new(), Vec::new()));
    let (street, _folder) = street(&hook);
    let urgent = Told { severity: "ERROR", kind: "fire_lane_blocked", ..Told::opened(1) };
    street.take_in(&[urgent.message()]);
    assert_eq!(street.desk.send_notices().unwrap(), 1, "the file has it, the web hook does not");
    assert_eq!(hook.asked().len(), 1);
    assert_eq!(street.desk.send_notices().unwrap(), 0);
    assert_eq!(hook.asked().len(), 1, "it is not asked again at once");
    // A redirect is no answer, and is not followed.
    status.store(302, Ordering::SeqCst);
    street.wait(10_001);
    assert_eq!(street.desk.send_notices().unwrap(), 0);
    status.store(200, Ordering::SeqCst);
    street.wait(20_001);
    assert_eq!(street.desk.send_notices().unwrap(), 1);
    street.wait(24 * 3_600_000);
    assert_eq!(street.desk.send_notices().unwrap(), 0, "taken is taken");

    let asked = hook.asked();
    assert_eq!(asked.len(), 3);
    for request in &asked {
        assert_eq!(request.line, "POST /hook?key=k1 HTTP/1.1");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["authorization"], "Bearer gateway-token");
        assert_eq!(
            request.headers["idempotency-key"], asked[0].headers["idempotency-key"],
            "it is the same notice"
        );
        assert_eq!(request.body, asked[0].body);
    }
    let notice: Value = serde_json::from_slice(&asked[0].body).unwrap();
    let id = notice["id"].as_i64().unwrap();
    assert_eq!(asked[0].headers["idempotency-key"], format!("notice-{id}"));
    assert_eq!(
        notice,
        json!({
            "id": id,
            "at": "2026-11-26T10:00:00+08:00",
            "to": {"grid": SOUTH},
            "workers": ["li"],
            "number": "20261126-00001",
            "zh": "新案件待核实",
            "en": "A case to review",
            "kind": "机动车乱停放",
            "place": "3号院北门",
            "link": street.desk.plan().web.public_url,
        })
    );
    // The file has the same, line by line.
    let file = std::fs::read_to_string(street.folder.path().join("data/notices.jsonl")).unwrap();
    let mut line: Value = serde_json::from_str(file.trim_end()).unwrap();
    line["id"] = notice["id"].clone();
    assert_eq!(line, notice);
}

#[test]
fn a_web_hook_that_is_down_is_asked_once_a_round_and_not_for_ever() {
    let hook = Server::start(None, |_, _| (503, String::new(), Vec::new()));
    let (street, _folder) = street(&hook);
    let admin = street.person("root", Role::Admin, &[]);
    for n in 1..=5 {
        street.take_in(&[Told { severity: "ERROR", ..Told::opened(n) }.message()]);
    }
    street.desk.send_notices().unwrap();
    assert_eq!(hook.asked().len(), 1);
    let health = street.desk.health(&admin).unwrap();
    assert_eq!((health.notices_waiting, health.notices_given_up), (5, 0));
    street.wait(3 * 86_400_000 + 1);
    for _ in 0..5 {
        street.desk.send_notices().unwrap();
    }
    let health = street.desk.health(&admin).unwrap();
    assert_eq!((health.notices_waiting, health.notices_given_up), (0, 5), "after three days it is no news");
}
