//! A broker that does not keep to what it was told: it hands over far more at a time than the desk has asked for, as
//! mosquitto 2.0.11 does when it resumes the session of a client that was cut off again and again.

use std::io::Write as _;
use std::net::TcpListener;

use tokio::sync::oneshot;

use super::*;
use crate::support::mosquitto::PATIENCE;
use crate::support::packet::{packet, publish, resume};

#[test]
fn a_broker_that_hands_over_more_than_it_was_asked_for_is_kept_up_with() {
    const MESSAGES: u16 = 2000;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let broker = std::thread::spawn(move || {
        let mut stream = resume(&listener);
        // All that is under way, at once.
        let mut writer = stream.try_clone().unwrap();
        let flood = std::thread::spawn(move || {
            for id in 1..=MESSAGES {
                let message = Told::opened(u32::from(id)).message();
                writer.write_all(&publish(&message.topic, &message.payload, id)).unwrap();
            }
            writer
        });
        let mut acknowledged = std::collections::BTreeSet::new();
        let mut subscription = None;
        while acknowledged.len() < usize::from(MESSAGES) {
            let (kind, body) = packet(&mut stream).expect("the desk stays and goes on");
            let id = u16::from_be_bytes([body[0], body[1]]);
            match kind & 0xf0 {
                0x40 => assert!(acknowledged.insert(id), "{id} once"),
                0x80 => subscription = Some(id),
                other => panic!("{other:x}"),
            }
        }
        // SUBACK comes last, as in the queue of a broker.
        let mut writer = flood.join().unwrap();
        let [high, low] = subscription.unwrap().to_be_bytes();
        writer.write_all(&[0x90, 7, high, low, 0, 1, 1, 1, 1]).unwrap();
        (stream, writer, listener)
    });
    let street = Street::with(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"\n"));
    let admin = street.person("root", Role::Admin, &[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let desk = Arc::clone(&street.desk);
    let task = runtime.spawn(gridpatrol::desk::run(desk, async { stopped.await.unwrap_or_default() }));
    let connection = broker.join().expect("all are acknowledged over one connection");
    let began = std::time::Instant::now();
    while !street.desk.health(&admin).unwrap().broker.connected {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(street.desk.counts(&admin).unwrap().inbox, u64::from(MESSAGES));
    drop((stop, connection));
    runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await }).unwrap().unwrap();
}
