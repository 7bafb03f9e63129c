//! A broker inside the process, on a free loopback port, for the demo only: it keeps nothing on disk and lets
//! anyone in who is on this machine.
//!
//! rumqttd keeps retained messages and sends last wills. It says success for messages that nobody takes, and
//! keeps no order between topics, so a picture may come before its event.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rumqttd::{Config, ConnectionSettings, RouterConfig, ServerSettings};

use crate::error::{Error, Kind, Result};

/// Largest message: well above an evidence picture.
const MAX_MESSAGE: usize = 8 * 1024 * 1024;
/// How long the broker may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running broker. rumqttd cannot be stopped: it ends with the process.
#[derive(Clone, Copy, Debug)]
pub struct Broker {
    address: SocketAddr,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1 and waits until it listens.
    ///
    /// # Errors
    /// [`Kind::System`] when there is no free port or the broker does not come up.
    pub fn start() -> Result<Self> {
        let fault = |what: &str| Error::new(Kind::System, format!("cannot start the demo's broker: {what}"));
        // rumqttd binds by itself, so a free port is found first; another program may still be quicker.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|e| fault("there is no free port on 127.0.0.1").caused_by(e))?;
        let mut broker = rumqttd::Broker::new(config(address));
        std::thread::Builder::new()
            .name("demo-broker".to_owned())
            .spawn(move || {
                if let Err(e) = broker.start() {
                    tracing::error!(error = %e, "The demo's broker has stopped.");
                }
            })
            .map_err(|e| fault("there is no thread for it").caused_by(e))?;
        let began = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err(fault(&format!("it does not listen on {address}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn config(address: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 60_000,
        max_payload_size: MAX_MESSAGE,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        // Without it rumqttd drops a client that publishes what nobody has subscribed to.
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "demo".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    Config {
        router: RouterConfig {
            max_connections: 16,
            max_outgoing_packet_count: 200,
            max_segment_size: MAX_MESSAGE,
            max_segment_count: 4,
            ..RouterConfig::default()
        },
        // A client that speaks MQTT 5 needs a listener that does; the others would close the connection.
        v5: Some(HashMap::from([("1".to_owned(), server)])),
        ..Config::default()
    }
}
