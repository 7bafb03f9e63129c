use proptest::prelude::*;

use super::*;

/// 2026-11-23T15:47:18.250+08:00.
const NOON: i64 = 1_795_420_038_250_000_000;
const CASE: &str = "01934f6e-5c1a-7b3e-9a54-000000000001";
const TARGET: &str = "410102007/box-1";

fn now() -> CaptureTime {
    CaptureTime::from_nanos(NOON)
}

fn read_it(verb: &str, payload: &str) -> Result<Request, Refused> {
    let packet = Packet { verb, payload: payload.as_bytes(), retained: false, signature: None };
    read(&packet, &Rights { allowed: &Verb::ALL, key: None, target: TARGET }, now())
}

fn verdict(at: &str) -> String {
    format!(r#"{{"id":"v-1","at":"{at}","case_id":"{CASE}","verdict":"rejected","reason":"影子"}}"#)
}

#[track_caller]
fn assert_refused(verb: &str, payload: &str, code: Code) {
    assert_eq!(read_it(verb, payload).unwrap_err().code, code, "{payload}");
}

#[test]
fn a_verdict_is_read() {
    let request = read_it("verdict", &verdict("2026-11-23T15:40:00+08:00")).unwrap();
    let case = CaseId::parse(CASE).unwrap();
    assert_eq!(request.id, "v-1");
    let (reason, remark) = ("影子".to_owned(), Remark::default());
    let order = Order::Verdict { case, verdict: Verdict::Rejected, reason, remark };
    assert_eq!(request.order, order);
    let more = r#","corrected_kind":"crowd","reviewer_role":"grid-worker"}"#;
    let text = verdict("2026-11-23T15:40:00+08:00").replace('}', more);
    let Order::Verdict { remark, .. } = read_it("verdict", &text).unwrap().order else { panic!("{text}") };
    assert_eq!(remark.corrected_kind.as_deref(), Some("crowd"));
    assert_eq!(remark.reviewer_role.as_deref(), Some("grid-worker"));
    assert!(request.until > now());
}

#[test]
fn each_mistake_has_its_own_code() {
    let good = "2026-11-23T07:47:18Z";
    assert_refused("format-disk", "{}", Code::UnknownCommand);
    assert_refused("VERDICT", &verdict(good), Code::UnknownCommand);
    assert_refused("verdict", &" ".repeat(MAX_BYTES + 1), Code::TooLarge);
    for malformed in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        "\u{feff}{}",
        &verdict("yesterday"),
        &verdict("2026-11-23T15:47:18"),
        &verdict(good).replace("rejected", "maybe"),
        &verdict(good).replace(CASE, "../../etc/passwd"),
        &verdict(good).replace("\"id\"", "\"id\":\"v-0\",\"id\""),
        &verdict(good).replace("\"reason\"", "\"reviewer_name\":\"x\",\"reason\""),
        &verdict(good).replace("影子", &"长".repeat(MAX_REASON + 1)),
        &verdict(good).replace("影子", "two\\nlines"),
        &verdict(good).replace("v-1", "v 1"),
    ] {
        assert_refused("verdict", malformed, Code::Malformed);
    }
    assert_refused("verdict", &verdict("2026-11-16T15:47:18+08:00"), Code::Stale);
    assert_refused("verdict", &verdict("2026-11-23T16:47:18+08:00"), Code::Stale);
    let snapshot = r#"{"id":"s-1","at":"2026-11-23T15:41:00+08:00","camera":"cam-05"}"#;
    assert_refused("snapshot", snapshot, Code::Stale);
    let quiet = |minutes: &str| {
        format!(
            r#"{{"id":"q","at":"{good}","camera":"cam-05","zone":"kerb","kind":"crowd","minutes":{minutes}}}"#
        )
    };
    assert!(read_it("quiet", &quiet("1440")).is_ok());
    for minutes in ["0", "1441", "-1", "1e9", "4294967297", "\"5\""] {
        assert_refused("quiet", &quiet(minutes), Code::Malformed);
    }
    assert_refused("resume", &format!(r#"{{"id":"r","at":"{good}"}}"#), Code::Malformed);
    let both = format!(
        r#"{{"id":"r","at":"{good}","case_id":"{CASE}","camera":"cam-05","zone":"kerb","kind":"crowd"}}"#
    );
    assert_refused("resume", &both, Code::Malformed);
}

#[test]
fn a_command_is_not_good_at_the_very_end_of_its_life_when_its_id_may_be_forgotten() {
    let outbox = crate::outbox::Outbox::in_memory().unwrap();
    let reload = r#"{"id":"r-1","at":"2026-11-23T15:42:18.250+08:00"}"#;
    let packet = Packet { verb: "reload", payload: reload.as_bytes(), retained: false, signature: None };
    let rights = Rights { allowed: &Verb::ALL, key: None, target: TARGET };
    let just_before = CaptureTime::from_nanos(NOON - 1);
    let request = read(&packet, &rights, just_before).unwrap();
    outbox.answered(&request.id, request.until, just_before, "done").unwrap();
    assert!(outbox.answer("r-1").unwrap().is_some());
    // 300 s after it was written. Another command has the outbox forget what is no longer good.
    outbox.answered("r-2", CaptureTime::from_nanos(NOON + 1), now(), "done").unwrap();
    assert_eq!(outbox.answer("r-1").unwrap(), None, "the id is forgotten");
    assert_eq!(read(&packet, &rights, now()).unwrap_err().code, Code::Stale);
}

#[test]
fn a_retained_command_and_one_that_the_box_does_not_take_are_refused() {
    let payload = verdict("2026-11-23T07:47:18Z");
    let packet = Packet { verb: "verdict", payload: payload.as_bytes(), retained: true, signature: None };
    let rights = Rights { allowed: &Verb::ALL, key: None, target: TARGET };
    assert_eq!(read(&packet, &rights, now()).unwrap_err().code, Code::Stale);
    let packet = Packet { retained: false, ..packet };
    let rights = Rights { allowed: &[Verb::Reload], ..rights };
    assert_eq!(read(&packet, &rights, now()).unwrap_err().code, Code::Unauthorized);
}

#[test]
fn with_a_key_only_what_is_signed_for_this_box_and_verb_is_taken() {
    let payload = verdict("2026-11-23T07:47:18Z");
    let rights = Rights { allowed: &Verb::ALL, key: Some(b"the key"), target: TARGET };
    let with = |signature: Option<&str>| {
        let packet = Packet { verb: "verdict", payload: payload.as_bytes(), retained: false, signature };
        read(&packet, &rights, now()).map_err(|refused| refused.code)
    };
    let sign = |key: &[u8], target, verb| super::sign(key, target, verb, payload.as_bytes());
    assert!(with(Some(&sign(b"the key", TARGET, "verdict"))).is_ok());
    for wrong in [
        sign(b"another key", TARGET, "verdict"),
        sign(b"the key", "410102007/box-2", "verdict"),
        sign(b"the key", TARGET, "resume"),
        sign(b"the key", TARGET, "verdict")[..63].to_owned(),
        sign(b"the key", TARGET, "verdict") + "0",
        "zz".repeat(32),
        "\u{1F600}".repeat(64),
        String::new(),
    ] {
        assert_eq!(with(Some(&wrong)), Err(Code::Unauthorized), "{wrong}");
    }
    assert_eq!(with(None), Err(Code::Unauthorized));
    // As Python's hmac module gives it.
    let known = super::sign(b"Jefe", "410102007/box-1", "verdict", b"what do ya want for nothing?");
    assert_eq!(known, "551b114ec398ae6d09a7352e528b7b207f2c391125d32df4330dfea9e5ee63e0");
}

#[test]
fn no_name_in_a_command_can_be_a_path() {
    for name in ["../x", "/etc/passwd", "a/b", "a\\b", "..", ".", "a b", "a\u{0}", "$(id)", "`id`", "", "é"]
    {
        let name = serde_json::to_string(name).unwrap();
        let payload = format!(r#"{{"id":"s","at":"2026-11-23T07:47:18Z","camera":{name}}}"#);
        assert_refused("snapshot", &payload, Code::Malformed);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        verb in prop_oneof![".{0,12}", prop::sample::select(Verb::ALL.map(Verb::as_str).to_vec()).prop_map(str::to_owned)],
        payload in prop::collection::vec(any::<u8>(), 0..300),
        signature in prop::option::of(".{0,80}"),
        retained: bool,
        nanos: i64,
    ) {
        let packet = Packet { verb: &verb, payload: &payload, retained, signature: signature.as_deref() };
        let rights = Rights { allowed: &Verb::ALL, key: Some(b"k"), target: TARGET };
        let _ = read(&packet, &rights, CaptureTime::from_nanos(nanos));
        let rights = Rights { key: None, ..rights };
        let _ = read(&packet, &rights, CaptureTime::from_nanos(nanos));
    }

    /// Nearly right is where a reader errs: members of a command with any values.
    #[test]
    fn no_members_make_the_reader_panic_and_what_is_taken_is_bounded(
        verb in prop::sample::select(Verb::ALL.to_vec()),
        members in prop::collection::btree_map(
            prop::sample::select(vec![
                "id", "at", "case_id", "verdict", "reason", "camera", "zone", "kind", "minutes", "role",
            ]),
            prop_oneof![
                Just(serde_json::json!("2026-11-23T07:47:18Z")),
                Just(serde_json::json!("9999-12-31T23:59:59.999999999-23:59")),
                Just(serde_json::json!(CASE)),
                Just(serde_json::json!("rejected")),
                Just(serde_json::json!("overview")),
                any::<i64>().prop_map(serde_json::Value::from),
                ".{0,90}".prop_map(serde_json::Value::from),
            ],
            0..10,
        ),
    ) {
        let payload = serde_json::to_string(&members).unwrap();
        if let Ok(request) = read_it(verb.as_str(), &payload) {
            prop_assert!((1..=64).contains(&request.id.len()));
            prop_assert!(request.until > now());
        }
    }
}
