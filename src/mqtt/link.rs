//! How to reach the broker: connect options, TLS, the login, and what is wrong when it does not work.

mod client;
mod dialect;

use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, LastWill, LastWillProperties};
use rumqttc::v5::mqttbytes::{Error as Malformed, QoS};
use rumqttc::v5::{AsyncClient, ConnectionError, MqttOptions, StateError, TlsError};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(super) use self::client::Client;
pub(crate) use self::client::Driver;
pub(super) use self::dialect::{Dialect, Version};
use super::{contract, orders};
use crate::config::MqttVersion;
use crate::error::{Error, Kind, Result};
use crate::plan::{BrokerPlan, Plan};
use crate::text_file;

/// Keep-alive; short enough for the address translation of mobile networks.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Seconds for which the broker remembers the session after the connection is gone.
pub(super) const SESSION_EXPIRY_S: u32 = 3600;
/// Seconds until an attempt to connect counts as failed.
const CONNECT_TIMEOUT_S: u64 = 10;

/// Largest packet of MQTT 3.1.1 (section 2.2.3), which a broker cannot lower by a word.
const MAX_OLDER_PACKET: usize = 268_435_455;

/// Largest password file, in bytes.
const MAX_PASSWORD: u64 = 1024;

/// The last word that the broker says on the box's behalf when its connection is lost; retained.
pub(super) struct Will {
    /// Where.
    pub(super) topic: String,
    /// What.
    pub(super) payload: Vec<u8>,
    /// Seconds until it is said; MQTT 3.1.1 cannot wait.
    pub(super) delay_s: u32,
}

/// Begins to connect in `version`; `room` packets may wait to be sent.
///
/// # Errors
/// [`Kind::Config`] when the password or the certificate authority's file cannot be read or used.
pub(super) fn open(plan: &Plan, version: Version, will: Will, room: usize) -> Result<(Client, Driver)> {
    let broker = &plan.broker;
    // A broker throws a client off when another comes with its id, and boxes are named within their street.
    let id = format!("patrol-{}-{}", plan.street, plan.box_id);
    Ok(match version {
        Version::V5 => {
            let mut options = MqttOptions::new(id, broker.host.clone(), broker.port);
            options
                .set_clean_start(false)
                .set_session_expiry_interval(Some(SESSION_EXPIRY_S))
                .set_manual_acks(true)
                .set_receive_maximum(Some(orders::AT_A_TIME))
                .set_max_packet_size(Some(orders::MAX_PACKET))
                .set_last_will(LastWill::new(
                    will.topic,
                    will.payload,
                    QoS::AtLeastOnce,
                    true,
                    Some(will_properties(will.delay_s)),
                ));
            secure(&mut options, broker)?;
            let (client, event_loop) = AsyncClient::new(options, room);
            (Client::V5(client), Driver::start(event_loop))
        }
        Version::V3 => {
            let mut options = rumqttc::MqttOptions::new(id, broker.host.clone(), broker.port);
            options
                .set_keep_alive(KEEP_ALIVE)
                // A broker of 3.1.1 cannot be told to drop a message that is too large. In a session that it kept, one
                // would come again with each connection and end it.
                .set_clean_session(true)
                .set_manual_acks(true)
                .set_max_packet_size(orders::MAX_PACKET as usize, MAX_OLDER_PACKET)
                .set_last_will(rumqttc::LastWill::new(
                    will.topic,
                    will.payload,
                    rumqttc::QoS::AtLeastOnce,
                    true,
                ));
            if let Some((user, password)) = login(broker)? {
                options.set_credentials(user, password);
            }
            if let Some(transport) = tls(broker)? {
                options.set_transport(transport);
            }
            let (client, mut event_loop) = rumqttc::AsyncClient::new(options, room);
            event_loop.network_options.set_connection_timeout(CONNECT_TIMEOUT_S);
            (Client::V3(client), Driver::v3(event_loop))
        }
    })
}

/// Keep-alive, patience, login and TLS, as every client of `broker` has them.
///
/// # Errors
/// [`Kind::Config`] when the password, a certificate or a key cannot be read or used.
pub(crate) fn secure(options: &mut MqttOptions, broker: &BrokerPlan) -> Result<()> {
    options.set_keep_alive(KEEP_ALIVE).set_connection_timeout(CONNECT_TIMEOUT_S);
    if let Some((user, password)) = login(broker)? {
        options.set_credentials(user, password);
    }
    if let Some(transport) = tls(broker)? {
        options.set_transport(transport);
    }
    Ok(())
}

/// User name and password. Read at each attempt, so a changed password needs no restart.
fn login(broker: &BrokerPlan) -> Result<Option<(String, String)>> {
    let Some((user, file)) = &broker.login else { return Ok(None) };
    let text = text_file::read(file, MAX_PASSWORD).map_err(|e| {
        Error::new(Kind::Config, format!("cannot read the password file {}", file.display()))
            .help("make it readable for this user, or change mqtt.password_file")
            .caused_by(e)
    })?;
    Ok(Some((user.clone(), text.lines().next().unwrap_or_default().to_owned())))
}

fn will_properties(delay_s: u32) -> LastWillProperties {
    LastWillProperties {
        delay_interval: Some(delay_s),
        payload_format_indicator: Some(1),
        message_expiry_interval: None,
        content_type: Some(contract::STATUS.content_type.to_owned()),
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    }
}

/// TLS that trusts only the authority in `broker.tls_ca` and checks the server's name.
fn tls(broker: &BrokerPlan) -> Result<Option<Transport>> {
    let Some(file) = &broker.tls_ca else { return Ok(None) };
    let fault = |what: &str| {
        Error::new(Kind::Config, format!("{what} {}", file.display()))
            .help("mqtt.ca_file must be the PEM file of the authority that signed the broker's certificate")
    };
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|e| fault("cannot read certificates from").caused_by(e))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|e| fault("there is an unusable certificate in").caused_by(e))?;
    }
    if roots.is_empty() {
        return Err(fault("there is no certificate in"));
    }
    let fault_of_key = |file: &std::path::Path| {
        Error::new(Kind::Config, format!("cannot use the client certificate or key {}", file.display())).help(
            "mqtt.client_cert_file must be the box's certificate in PEM and mqtt.client_key_file its key",
        )
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(Kind::System, "cannot set up TLS").caused_by(e))?
        .with_root_certificates(roots);
    let mut config = match &broker.client {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
                .map_err(|e| fault_of_key(certificate).caused_by(e))?;
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|e| fault_of_key(key).caused_by(e))?;
            config
                .with_client_auth_cert(chain, key_der)
                .map_err(|e| fault_of_key(certificate).caused_by(e))?
        }
    };
    config.alpn_protocols = broker.alpn.iter().map(|name| name.clone().into_bytes()).collect();
    Ok(Some(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config)))))
}

/// What is wrong with the connection, in words that tell the cases apart and hold no secret. What only a person can
/// put right is a [`Kind::Config`], so that it is not tried every second. `connected` says whether the broker had taken
/// the box on.
pub(crate) fn explain(broker: &BrokerPlan, error: &ConnectionError, connected: bool) -> Error {
    let at = format!("{}:{}", broker.host, broker.port);
    if let Some(fault) = tls_fault(error) {
        return explain_tls(&at, fault);
    }
    let (kind, message, help) = match error {
        ConnectionError::ConnectionRefused(code)
        | ConnectionError::MqttState(StateError::ConnFail { reason: code }) => match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => (
                Kind::Config,
                format!("the broker at {at} refused the login"),
                "check mqtt.username, the first line of mqtt.password_file and the broker's rules for this box",
            ),
            ConnectReturnCode::UnsupportedProtocolVersion => old_broker(broker, &at),
            code => (
                Kind::Broker,
                format!("the broker at {at} refused the connection: {code:?}"),
                "see the broker's log",
            ),
        },
        // MQTT 3.1.1, section 3.2.2.3: code 1 of a broker that does not know version 5.
        ConnectionError::MqttState(StateError::Deserialization(
            Malformed::InvalidConnectReturnCode(1) | Malformed::MalformedPacket,
        )) => old_broker(broker, &at),
        ConnectionError::Tls(e) => (
            Kind::Broker,
            format!("no TLS connection to the broker at {at}: {e}"),
            "check that the port of mqtt.url is the broker's TLS port",
        ),
        ConnectionError::Io(e) => (
            Kind::Broker,
            format!("cannot connect to the broker at {at}: {e}"),
            "check that the broker runs and mqtt.url is right; cases are kept until it can be reached",
        ),
        // A broker of MQTT 3.1.1 answers with fewer bytes than MQTT 5 has and hangs up, which the library does not
        // tell from one that hangs up without a word.
        ConnectionError::MqttState(StateError::ConnectionAborted) if !connected => (
            Kind::Broker,
            format!("the broker at {at} closed the connection instead of taking the box on"),
            "a broker that does not speak MQTT 5 (unsupported protocol version) does that, and so does one that is just starting; with mqtt.version = \"auto\" one that goes on doing it is spoken to in 3.1.1",
        ),
        ConnectionError::Timeout(_) => (
            Kind::Broker,
            format!("the broker at {at} does not answer"),
            "check the network and mqtt.url; cases are kept until it can be reached",
        ),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => (
            Kind::Broker,
            format!("the broker at {at} ended the connection: {reason_code:?}"),
            "SessionTakenOver means that another box has the same edge.box name",
        ),
        other => (
            Kind::Broker,
            format!("lost the connection to the broker at {at}: {other}"),
            "check the network; cases are kept until the broker can be reached",
        ),
    };
    Error::new(kind, message).help(help)
}

/// A broker that refuses the version that it was spoken to in.
fn old_broker(broker: &BrokerPlan, at: &str) -> (Kind, String, &'static str) {
    let no_v5 = format!("the broker at {at} does not speak MQTT 5 (unsupported protocol version)");
    match broker.version {
        MqttVersion::Auto => (
            Kind::Broker,
            no_v5,
            "it is spoken to in MQTT 3.1.1, in which a broker cannot say that nobody took a case; use one with MQTT 5, such as mosquitto 2",
        ),
        MqttVersion::V5 => (
            Kind::Config,
            no_v5,
            "use a broker with MQTT 5, such as mosquitto 2, or set mqtt.version to \"auto\"; with 3.1.1 a broker cannot say that nobody took a case",
        ),
        MqttVersion::V3 => (
            Kind::Config,
            format!("the broker at {at} does not speak MQTT 3.1.1 (unsupported protocol version)"),
            "set mqtt.version to \"auto\"",
        ),
    }
}

/// What TLS has found wrong, wherever the library hides it.
fn tls_fault(error: &ConnectionError) -> Option<&rustls::Error> {
    let io = match error {
        ConnectionError::Tls(TlsError::TLS(fault)) => return Some(fault),
        ConnectionError::Tls(TlsError::Io(io))
        | ConnectionError::Io(io)
        | ConnectionError::MqttState(StateError::Io(io) | StateError::Deserialization(Malformed::Io(io))) => {
            io
        }
        _ => return None,
    };
    io.get_ref()?.downcast_ref()
}

fn explain_tls(at: &str, fault: &rustls::Error) -> Error {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error as Fault};
    let (message, help) = match fault {
        Fault::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => (
            format!("the certificate of the broker at {at} was not signed by the authority in mqtt.ca_file"),
            "set mqtt.ca_file to the PEM file of the authority that signed the broker's certificate",
        ),
        Fault::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => (
            format!("the certificate of the broker at {at} has expired"),
            "renew the broker's certificate; if it has not expired, the clock of this box is wrong",
        ),
        Fault::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => (
            format!("the certificate of the broker at {at} is not valid yet"),
            "set the clock of this box, or see from when the certificate is valid",
        ),
        Fault::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => (
            format!("the certificate of the broker at {at} is for another host name"),
            "use a host name that the broker's certificate bears in mqtt.url",
        ),
        Fault::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => (
            format!("the broker at {at} does not accept the certificate of this box: {fault}"),
            "set mqtt.client_cert_file and mqtt.client_key_file to a certificate that the broker's authority signed",
        ),
        other => (
            format!("no TLS connection to the broker at {at}: {other}"),
            "check that the port of mqtt.url is the broker's TLS port and what its log says",
        ),
    };
    Error::new(Kind::Config, message).help(help)
}
