//! What the broker says: taking in the events of the client library, and writing down what was acknowledged or
//! refused.

use std::time::Instant;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet, PubAck, PubAckReason, SubAck, SubscribeReasonCode};
use rumqttc::v5::{ConnectionError, Event};

use super::super::context::Tuning;
use super::super::link::{self, Version};
use super::super::publisher::{Cargo, Settled};
use super::super::topic;
use super::{Connection, Farewell, Hears, News, SUBSCRIBE_PATIENCE, lost, on_disk};
use crate::error::{Error, Kind, Result};
use crate::outbox::{Fate, Refusal, RowId};

impl Connection<'_> {
    /// Takes in one event of the client library; acknowledgements are added to `settled`.
    pub(super) fn note(
        &mut self,
        event: Option<Result<Event, ConnectionError>>,
        news: &mut News,
        last_trouble: &mut String,
    ) -> Result<()> {
        match event {
            Some(Ok(Event::Incoming(Packet::ConnAck(ConnAck { properties, .. })))) => {
                let limits = properties.as_ref();
                self.publisher.connected(limits.and_then(|p| p.receive_max));
                self.max_packet =
                    limits.and_then(|p| p.max_packet_size).map_or(usize::MAX, |max| max as usize);
                self.connected = true;
                if self.orders.is_some() {
                    let filter = topic::commands(&self.context.plan);
                    self.client.try_subscribe(filter, QoS::AtLeastOnce).map_err(lost)?;
                    self.hears = Hears::Asked(Instant::now() + SUBSCRIBE_PATIENCE);
                }
                last_trouble.clear();
                let broker = &self.context.plan.broker;
                match self.dialect.version() {
                    Version::V5 => {
                        tracing::info!(host = %broker.host, port = broker.port, "Connected to the broker.");
                    }
                    Version::V3 => tracing::warn!(
                        host = %broker.host, port = broker.port,
                        "Connected to the broker in MQTT 3.1.1: it cannot say that nobody took a case or that it \
                         refuses one, messages have no properties, and commands do not wait for a box that is away."
                    ),
                }
                if self.orders.is_none() && broker.command_key.is_some() && !broker.commands.is_empty() {
                    tracing::warn!(
                        "No commands are taken: in MQTT 3.1.1 they cannot be signed (mqtt.command_key_file)."
                    );
                }
            }
            // Metrics go out with QoS 0, which has no packet id: nothing is to be matched.
            Some(Ok(Event::Outgoing(Outgoing::Publish(0)))) => {}
            Some(Ok(Event::Outgoing(Outgoing::Publish(packet)))) => {
                self.publisher.sent(packet);
            }
            Some(Ok(Event::Incoming(Packet::PubAck(PubAck { pkid, reason, .. })))) => {
                news.settled.push(self.publisher.acknowledged(pkid, reason));
            }
            Some(Ok(Event::Incoming(Packet::SubAck(SubAck { return_codes, .. })))) => {
                let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                self.hears = if return_codes.iter().all(granted) { Hears::Commands } else { Hears::Nothing };
                if self.hears == Hears::Nothing {
                    tracing::warn!(?return_codes, "The broker does not let this box hear commands.");
                }
            }
            Some(Ok(Event::Incoming(Packet::Publish(publish)))) => news.commands.push(publish),
            // Reported once the packet is written and flushed.
            Some(Ok(Event::Outgoing(Outgoing::Disconnect))) => self.farewell = Farewell::Done,
            Some(Ok(_)) => {}
            // The broker closes the connection as it should, which the library calls an error.
            Some(Err(_)) | None if matches!(self.farewell, Farewell::Disconnecting | Farewell::Done) => {
                self.farewell = Farewell::Done;
            }
            Some(Err(e)) => {
                self.dialect.ended(&e, self.connected);
                return Err(link::explain(&self.context.plan.broker, &e, self.connected));
            }
            None => return Err(Error::new(Kind::System, "the connection's task has ended")),
        }
        Ok(())
    }

    /// Writes down what the broker has acknowledged or refused.
    pub(super) async fn settle(&mut self, settled: Vec<Settled>) -> Result<()> {
        let mut delivered = Vec::new();
        for one in settled {
            match one {
                Settled::Delivered(Cargo::Row(row)) => delivered.push(row),
                Settled::NobodyListens(Cargo::Row(row)) => self.hold(row, Refusal::Unheard).await?,
                Settled::Refused(Cargo::Row(row), reason) => self.hold(row, refusal(reason)).await?,
                Settled::Refused(Cargo::Status, reason) => {
                    tracing::warn!(?reason, "The broker refused the status of this box.");
                }
                Settled::Refused(Cargo::Word, reason) => {
                    tracing::warn!(?reason, "The broker refused the answer to a command.");
                }
                Settled::Refused(Cargo::Health, reason) => {
                    tracing::warn!(?reason, "The broker refused the health of a camera.");
                }
                Settled::Delivered(Cargo::Status | Cargo::Word | Cargo::Health)
                | Settled::NobodyListens(Cargo::Status | Cargo::Word | Cargo::Health)
                | Settled::Stale => {}
            }
        }
        if !delivered.is_empty() {
            on_disk(self.outbox, move |outbox| outbox.delivered(&delivered)).await?;
        }
        Ok(())
    }

    /// Keeps a row back that the broker did not pass on.
    pub(super) async fn hold(&self, row: RowId, why: Refusal) -> Result<()> {
        let Tuning { hold: (shortest, longest), hold_picture, .. } = self.context.tuning;
        let reason = match &why {
            Refusal::Unheard => "nobody subscribes to it".to_owned(),
            Refusal::NotNow => "the broker does not allow it, or not now".to_owned(),
            Refusal::Message(reason) => reason.clone(),
        };
        let held = on_disk(self.outbox, move |outbox| {
            outbox.hold(row, &why, Instant::now(), |times, is_picture| {
                let longest = if is_picture { hold_picture } else { longest };
                shortest.saturating_mul(1 << times.min(16)).min(longest)
            })
        })
        .await?;
        match (held.fate, held.times) {
            (Fate::GivenUp, _) => tracing::warn!(row = row.0, reason, "A picture was given up after a day."),
            (Fate::SetAside, times) => tracing::error!(
                row = row.0,
                reason,
                times,
                "A message was refused too often and is set aside until the next start. Others go on."
            ),
            (Fate::Waits, 1) => {
                tracing::warn!(row = row.0, reason, "A message is held and will be offered again.");
            }
            (Fate::Waits, times) => tracing::debug!(row = row.0, reason, times, "A message is still held."),
        }
        Ok(())
    }
}

/// Whether a refusal is about the message or about what the box may do now (MQTT 5, section 3.4.2.1).
fn refusal(reason: PubAckReason) -> Refusal {
    match reason {
        PubAckReason::NotAuthorized | PubAckReason::QuotaExceeded => Refusal::NotNow,
        other => Refusal::Message(format!("the broker refuses it: {other:?}")),
    }
}
