//! What the log says when the box cannot get through to the broker, and what it never says.

use super::*;
use crate::support::mosquitto::Authority;
use crate::support::program::{KERB, configuration};

#[test]
fn each_reason_why_the_broker_cannot_be_reached_has_words_of_its_own() {
    let authority = Authority::new();
    let (mut broker, right) = Mosquitto::with_certificate(&authority, "localhost", 2050);
    broker.run();
    let (mut expired, to_expired) = Mosquitto::with_certificate(&authority, "localhost", 2020);
    expired.run();
    let wrong = broker.file("wrong-password", "not-the-secret\n");
    let other_ca = broker.file("other-ca.pem", &Authority::new().pem);
    let wrong_password = BrokerPlan { login: Some(("box-1".to_owned(), wrong.into())), ..right.clone() };
    let wrong_ca = BrokerPlan { tls_ca: Some(other_ca.into()), ..right.clone() };
    let wrong_host = BrokerPlan { host: "127.0.0.1".to_owned(), ..right.clone() };
    let no_ca_file = BrokerPlan { tls_ca: Some("/nowhere/ca.pem".into()), ..right };
    let words = [
        (wrong_password, "refused the login"),
        (to_expired, "has expired"),
        (wrong_ca, "was not signed by the authority in mqtt.ca_file"),
        (wrong_host, "is for another host name"),
        (no_ca_file, "/nowhere/ca.pem"),
    ];
    for (plan, expected) in words.clone() {
        let log = log_until(plan, expected);
        assert!(!log.contains("secret"), "{log}");
        for (_, other) in words.iter().filter(|(_, other)| *other != expected) {
            assert!(!log.contains(other), "{other} in {log}");
        }
    }
}

#[test]
fn a_broker_that_wants_a_certificate_of_the_box_gets_it_and_no_other_lets_it_in() {
    let authority = Authority::new();
    let (mut broker, plan1) = Mosquitto::with_certificate(&authority, "localhost", 2050);
    let ca = broker.file("ca.pem", &authority.pem);
    broker.configure(&format!("{}cafile {ca}\nrequire_certificate true\n", broker.tls_settings));
    let (certificate, key) = authority.sign("box-1", 2050);
    let own = (broker.file("box.pem", &certificate), broker.file("box.key", &key));
    broker.client_args.extend(["--cert", &own.0, "--key", &own.1].map(str::to_owned));
    broker.run();
    let log = log_until(plan1.clone(), "does not accept the certificate of this box");
    assert!(log.contains("mqtt.client_cert_file"), "{log}");
    let mut box1 = Box1::new(plan(broker.port()));
    box1.plan.broker = BrokerPlan { client: Some((own.0.into(), own.1.into())), ..plan1 };
    let subscriber = broker.subscribe(CASES);
    box1.open(&case_id(1));
    box1.connect();
    assert_eq!(case_of(&subscriber.next()), case_id(1));
}

#[test]
fn a_broker_without_mqtt_5_is_named_as_that() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let _ = socket.read(&mut [0; 1024]);
            // CONNACK, unacceptable protocol version (MQTT 3.1.1, section 3.2).
            let _ = socket.write_all(&[0x20, 2, 0, 1]);
        }
    });
    let log = log_until(BrokerPlan::plain("127.0.0.1", port), "does not speak MQTT 5");
    assert!(log.contains("unsupported protocol version"), "{log}");
}

#[test]
fn what_only_a_person_can_mend_is_not_tried_every_second() {
    use std::io::{Read as _, Write as _};
    use std::sync::atomic::{AtomicUsize, Ordering};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut box1 = Box1::new(plan(listener.local_addr().unwrap().port()));
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = counted.clone();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = socket.read(&mut [0; 1024]);
            // CONNACK, not authorized, no properties (MQTT 5, section 3.2).
            let _ = socket.write_all(&[0x20, 3, 0, 0x87, 0]);
        }
    });
    box1.tuning.reconnect = (Duration::from_millis(10), Duration::from_secs(3600));
    box1.connect();
    let tries = || counted.load(Ordering::Relaxed);
    let began = Instant::now();
    while tries() == 0 {
        assert!(began.elapsed() < PATIENCE, "it never tried");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    let before = tries();
    // A hundred waits of the shortest kind.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(tries(), before);
    box1.vanish();
}

#[test]
fn no_secret_is_in_the_log_of_the_program_even_at_its_most_talkative() {
    let (mut broker, right) = Mosquitto::with_tls_and_password();
    broker.run();
    let secrets = ["pass-4fe1c2", "key-97ab03"];
    let password = broker.file("pw", &format!("{}\n", secrets[0]));
    let key = broker.file("command-key", &format!("{}\n", secrets[1]));
    let top = format!(
        "mqtt.url = \"mqtts://localhost:{}\"\nmqtt.ca_file = {:?}\nmqtt.username = \"box-1\"\n\
         mqtt.password_file = {password:?}\nmqtt.command_key_file = {key:?}\n",
        broker.port(),
        right.tls_ca.unwrap()
    );
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, configuration(&top, KERB)).unwrap();
    let log = folder.path().join("log");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
        .args(["run", "--config", config.to_str().unwrap()])
        .env("GRIDPATROL_LOG", "trace")
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let text = || String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    while !text().contains("refused the login") {
        assert!(began.elapsed() < PATIENCE, "{}", text());
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for secret in secrets {
        assert!(!text().contains(secret), "{secret} is in the log");
    }
}

#[test]
fn trouble_with_the_broker_is_logged_once() {
    let nobody = Mosquitto::prepare("");
    let broker = BrokerPlan::plain("127.0.0.1", nobody.port());
    // The debug line of a later attempt shows that there was one.
    let log = log_until(broker, "Still no connection.");
    assert_eq!(log.matches("Cases wait in the outbox.").count(), 1, "{log}");
    assert_eq!(log.matches("cases are kept until it can be reached").count(), 1, "{log}");
}

/// Runs a session against `broker` until its log has `expected`.
pub(super) fn log_until(broker: BrokerPlan, expected: &str) -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let text = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let context = context(&Plan { broker, ..plan(1) });
    let outbox = Arc::new(Outbox::in_memory().unwrap());
    // On this thread, whose log is listened to.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = async {
        while !text().contains(expected) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let session = async { tokio::time::timeout(PATIENCE, mqtt::run(context, outbox, found)).await };
    assert!(runtime.block_on(session).is_ok(), "expected {expected:?} in\n{}", text());
    text()
}
