//! A client of either version. The session speaks the words of MQTT 5; to a broker of 3.1.1 what there is no word for
//! is left out, and what it says is given back as 5 would have said it.

use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, Packet, PubAck, PubAckReason, Publish, PublishProperties, SubAck,
    SubscribeReasonCode,
};
use rumqttc::v5::{ConnectionError, Event, StateError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Hands packets to the task of its [`Driver`].
pub(in crate::mqtt) enum Client {
    /// MQTT 5.
    V5(rumqttc::v5::AsyncClient),
    /// MQTT 3.1.1.
    V3(rumqttc::AsyncClient),
}

/// The task takes no more packets.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection's task takes no more packets")]
pub(in crate::mqtt) struct Full;

impl Client {
    /// Asks for the messages that match `filter`.
    pub(in crate::mqtt) fn try_subscribe(&self, filter: String, qos: QoS) -> Result<(), Full> {
        match self {
            Self::V5(client) => client.try_subscribe(filter, qos).map_err(|_| Full),
            Self::V3(client) => client.try_subscribe(filter, older(qos)).map_err(|_| Full),
        }
    }

    /// Sends a message; in 3.1.1 without its properties.
    pub(in crate::mqtt) fn try_publish_with_properties(
        &self,
        topic: String,
        qos: QoS,
        retain: bool,
        payload: Vec<u8>,
        properties: PublishProperties,
    ) -> Result<(), Full> {
        match self {
            Self::V5(client) => {
                client.try_publish_with_properties(topic, qos, retain, payload, properties).map_err(|_| Full)
            }
            Self::V3(client) => client.try_publish(topic, older(qos), retain, payload).map_err(|_| Full),
        }
    }

    /// Acknowledges a message that came in.
    pub(in crate::mqtt) fn try_ack(&self, publish: &Publish) -> Result<(), Full> {
        match self {
            Self::V5(client) => client.try_ack(publish).map_err(|_| Full),
            Self::V3(client) => {
                // Only the id and the quality of service are looked at.
                let mut named = v4::Publish::new("", older(publish.qos), Vec::new());
                named.pkid = publish.pkid;
                client.try_ack(&named).map_err(|_| Full)
            }
        }
    }

    /// Says farewell.
    pub(in crate::mqtt) fn try_disconnect(&self) -> Result<(), Full> {
        match self {
            Self::V5(client) => client.try_disconnect().map_err(|_| Full),
            Self::V3(client) => client.try_disconnect().map_err(|_| Full),
        }
    }
}

/// The task that polls the library's event loop; gone with the connection. The loop may not be interrupted in the
/// middle of a write, so it is not polled beside other work: its events come by a channel.
pub(crate) struct Driver {
    /// What it reports, until its first error.
    pub(crate) events: mpsc::Receiver<Result<Event, ConnectionError>>,
    task: JoinHandle<()>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Driver {
    /// Polls an event loop of MQTT 5.
    pub(crate) fn start(mut event_loop: rumqttc::v5::EventLoop) -> Self {
        Self::spawn(|sender| async move {
            loop {
                let event = event_loop.poll().await;
                // The first error ends it: polling on would reconnect behind our back.
                let over = event.is_err();
                if sender.send(event).await.is_err() || over {
                    return;
                }
            }
        })
    }

    /// Polls an event loop of MQTT 3.1.1.
    pub(super) fn v3(mut event_loop: rumqttc::EventLoop) -> Self {
        Self::spawn(|sender| async move {
            loop {
                let event = match event_loop.poll().await {
                    Ok(event) => newer(event).map(Ok),
                    Err(error) => Some(Err(newer_error(error))),
                };
                let Some(event) = event else { continue };
                let over = event.is_err();
                if sender.send(event).await.is_err() || over {
                    return;
                }
            }
        })
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(mpsc::Sender<Result<Event, ConnectionError>>) -> F,
    ) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self { events, task: tokio::spawn(run(sender)) }
    }
}

fn older(qos: QoS) -> rumqttc::QoS {
    match qos {
        QoS::AtMostOnce => rumqttc::QoS::AtMostOnce,
        QoS::AtLeastOnce => rumqttc::QoS::AtLeastOnce,
        QoS::ExactlyOnce => rumqttc::QoS::ExactlyOnce,
    }
}

fn newer_qos(qos: rumqttc::QoS) -> QoS {
    match qos {
        rumqttc::QoS::AtMostOnce => QoS::AtMostOnce,
        rumqttc::QoS::AtLeastOnce => QoS::AtLeastOnce,
        rumqttc::QoS::ExactlyOnce => QoS::ExactlyOnce,
    }
}

/// `event` as MQTT 5 would say it; `None` for what the session does not need to know. An acknowledgement of 3.1.1 says
/// no more than that the broker has the message.
fn newer(event: rumqttc::Event) -> Option<Event> {
    let packet = match event {
        rumqttc::Event::Outgoing(outgoing) => return Some(Event::Outgoing(outgoing)),
        rumqttc::Event::Incoming(packet) => packet,
    };
    let packet = match packet {
        v4::Packet::ConnAck(v4::ConnAck { session_present, .. }) => {
            Packet::ConnAck(ConnAck { session_present, code: ConnectReturnCode::Success, properties: None })
        }
        v4::Packet::PubAck(v4::PubAck { pkid }) => {
            Packet::PubAck(PubAck { pkid, reason: PubAckReason::Success, properties: None })
        }
        v4::Packet::SubAck(v4::SubAck { pkid, return_codes }) => {
            let code = |code| match code {
                v4::SubscribeReasonCode::Success(qos) => SubscribeReasonCode::Success(newer_qos(qos)),
                v4::SubscribeReasonCode::Failure => SubscribeReasonCode::Failure,
            };
            let return_codes = return_codes.into_iter().map(code).collect();
            Packet::SubAck(SubAck { pkid, return_codes, properties: None })
        }
        v4::Packet::Publish(v4::Publish { dup, qos, retain, topic, pkid, payload }) => {
            let (qos, topic) = (newer_qos(qos), topic.into_bytes().into());
            Packet::Publish(Publish { dup, qos, retain, topic, pkid, payload, properties: None })
        }
        _ => return None,
    };
    Some(Event::Incoming(packet))
}

fn newer_error(error: rumqttc::ConnectionError) -> ConnectionError {
    use rumqttc::ConnectionError as Older;
    use v4::ConnectReturnCode as Code;
    match error {
        Older::Io(e) | Older::MqttState(rumqttc::StateError::Io(e)) => ConnectionError::Io(e),
        Older::Tls(e) => ConnectionError::Tls(e),
        Older::MqttState(rumqttc::StateError::ConnectionAborted) => {
            ConnectionError::MqttState(StateError::ConnectionAborted)
        }
        Older::ConnectionRefused(code) => ConnectionError::ConnectionRefused(match code {
            Code::Success => ConnectReturnCode::Success,
            Code::RefusedProtocolVersion => ConnectReturnCode::UnsupportedProtocolVersion,
            Code::BadClientId => ConnectReturnCode::ClientIdentifierNotValid,
            Code::ServiceUnavailable => ConnectReturnCode::ServerUnavailable,
            Code::BadUserNamePassword => ConnectReturnCode::BadUserNamePassword,
            Code::NotAuthorized => ConnectReturnCode::NotAuthorized,
        }),
        Older::NetworkTimeout | Older::FlushTimeout => ConnectionError::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the broker does not answer",
        )),
        other => ConnectionError::Io(std::io::Error::other(other.to_string())),
    }
}
