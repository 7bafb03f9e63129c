//! What the box says on a connection: that it is there, how its cameras are, answers to commands, what the outbox has
//! due, what is counted, and the farewell.

use std::time::Instant;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::PublishProperties;

use super::super::command::Verb;
use super::super::context::Context;
use super::super::link::Version;
use super::super::publisher::Cargo;
use super::super::status::{HeldBackStatus, OutboxRef, State, Status, UploadRef};
use super::super::{Health, contract, topic};
use super::{Connection, Farewell, HEALTH_AGAIN, Hears, json, lost, on_disk};
use crate::error::{Error, Kind, Result};
use crate::outbox::{Backlog, Offer, Outbox, Refusal};
use crate::upload::Count;

impl Connection<'_> {
    /// Says what is to be said now: the status, what is due, or the farewell.
    pub(super) async fn speak(&mut self, now: Instant, deadline: Option<Instant>) -> Result<()> {
        if matches!(self.farewell, Farewell::Disconnecting | Farewell::Done) {
            return Ok(());
        }
        if self.farewell == Farewell::Said {
            if self.publisher.count() == 0 {
                self.farewell = Farewell::Disconnecting;
                self.client.try_disconnect().map_err(lost)?;
            }
            return Ok(());
        }
        if self.told.is_none() {
            // Before anything else, so that a subscriber knows the box when its first case comes.
            self.tell(State::Online).await?;
        }
        self.answer()?;
        self.tell_health(now)?;
        self.offer_due(now).await?;
        let Some(deadline) = deadline else {
            if self.publisher.count() == 0 {
                self.tell(State::Online).await?;
            }
            return Ok(());
        };
        if self.publisher.count() == 0 || now >= deadline {
            self.tell(State::Stopped).await?;
            self.farewell = Farewell::Said;
        }
        Ok(())
    }

    /// Hands over answers to commands, as far as there is room.
    fn answer(&mut self) -> Result<()> {
        while self.publisher.room() > 0 {
            let Some(word) = self.orders.as_mut().and_then(|orders| orders.next_word(self.max_packet)) else {
                return Ok(());
            };
            self.client
                .try_publish_with_properties(
                    word.topic,
                    QoS::AtLeastOnce,
                    false,
                    word.payload,
                    word.properties,
                )
                .map_err(lost)?;
            self.publisher.hand_over(Cargo::Word);
            if let Some(command) = word.settles {
                self.client.try_ack(&command).map_err(lost)?;
            }
        }
        Ok(())
    }

    /// Publishes the health of each camera that has changed since it was last said on this connection, retained, as
    /// far as there is room; and takes back that of cameras that are no longer watched.
    fn tell_health(&mut self, now: Instant) -> Result<()> {
        let Some(board) = self.context.board.as_ref().filter(|_| self.farewell == Farewell::NotYet) else {
            return Ok(());
        };
        self.health_seen = board.fingerprint();
        let plan = self.context.current.get();
        let cameras = board.all();
        let gone =
            self.health.keys().filter(|id| !cameras.iter().any(|camera| camera.camera() == id.as_str()));
        let gone: Vec<(String, Option<Health>)> = gone.map(|id| (id.clone(), None)).collect();
        let said = |health: &Health| {
            self.health
                .get(&health.camera)
                .is_some_and(|(last, at)| last == health && now.saturating_duration_since(*at) < HEALTH_AGAIN)
        };
        let news = cameras.iter().map(|camera| Health::new(&plan, camera)).filter(|health| !said(health));
        let news: Vec<_> = news.map(|health| (health.camera.clone(), Some(health))).collect();
        for (id, health) in gone.into_iter().chain(news) {
            if self.publisher.room() == 0 {
                // The next acknowledgement makes some.
                return Ok(());
            }
            let payload = health.as_ref().map_or_else(|| Ok(Vec::new()), json)?;
            let properties = PublishProperties {
                payload_format_indicator: Some(1),
                message_expiry_interval: contract::HEALTH.expiry_s,
                content_type: Some(contract::HEALTH.content_type.to_owned()),
                ..PublishProperties::default()
            };
            let topic = topic::health(&self.context.plan, &id);
            self.client
                .try_publish_with_properties(topic, QoS::AtLeastOnce, true, payload, properties)
                .map_err(lost)?;
            self.publisher.hand_over(Cargo::Health);
            match health {
                Some(health) => self.health.insert(id, (health, now)),
                None => self.health.remove(&id),
            };
        }
        Ok(())
    }

    /// Hands over what is due, as far as there is room.
    async fn offer_due(&mut self, now: Instant) -> Result<()> {
        let room = self.publisher.room();
        if room == 0 {
            return Ok(());
        }
        let limit = room + self.publisher.count();
        let due = on_disk(self.outbox, move |outbox| outbox.due(now, limit)).await?;
        for offer in due {
            let cargo = Cargo::Row(offer.row);
            if self.publisher.room() == 0 {
                break;
            }
            if self.publisher.carries(cargo) {
                continue;
            }
            if packet_size(&offer) > self.max_packet {
                // The library would take it for a broken connection, again and again.
                let too_large = Refusal::Message("it is larger than the broker takes".to_owned());
                self.hold(offer.row, too_large).await?;
                continue;
            }
            let properties = PublishProperties {
                payload_format_indicator: Some(u8::from(offer.is_text)),
                message_expiry_interval: Some(offer.expiry_s),
                content_type: Some(offer.content_type),
                user_properties: offer.properties,
                ..PublishProperties::default()
            };
            self.client
                .try_publish_with_properties(offer.topic, QoS::AtLeastOnce, false, offer.payload, properties)
                .map_err(lost)?;
            self.publisher.hand_over(cargo);
        }
        Ok(())
    }

    /// Says what is counted. Lost on the way it is not missed: the next comes soon.
    pub(super) async fn count(&self) -> Result<()> {
        let Some(meter) = self.context.meter.clone().filter(|_| self.farewell == Farewell::NotYet) else {
            return Ok(());
        };
        let metrics = on_disk(self.outbox, move |_| meter.read()).await?;
        let payload = serde_json::to_vec(&metrics)
            .map_err(|e| Error::new(Kind::System, "cannot write the metrics as JSON").caused_by(e))?;
        let expiry = 2 * self.context.tuning.metrics_every.as_secs().max(1);
        let properties = PublishProperties {
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(u32::try_from(expiry).unwrap_or(u32::MAX)),
            content_type: Some(contract::METRICS.content_type.to_owned()),
            ..PublishProperties::default()
        };
        self.client
            .try_publish_with_properties(
                topic::metrics(&self.context.plan),
                QoS::AtMostOnce,
                false,
                payload,
                properties,
            )
            .map_err(lost)
    }

    /// Publishes the status, retained, unless it was said already.
    async fn tell(&mut self, state: State) -> Result<()> {
        let backlog = on_disk(self.outbox, Outbox::backlog).await?;
        let mut status = status(self.context, self.dialect.version(), state, self.session, Some(backlog));
        if self.hears == Hears::Commands && state == State::Online {
            status.commands.clone_from(&self.context.plan.broker.commands);
        }
        if self.told.as_ref() != Some(&status) {
            let properties = PublishProperties {
                payload_format_indicator: Some(1),
                content_type: Some(contract::STATUS.content_type.to_owned()),
                ..PublishProperties::default()
            };
            let topic = topic::status(&self.context.plan);
            self.client
                .try_publish_with_properties(topic, QoS::AtLeastOnce, true, json(&status)?, properties)
                .map_err(lost)?;
            self.publisher.hand_over(Cargo::Status);
            self.told = Some(status);
        }
        Ok(())
    }
}

/// Upper bound of the packet that carries `offer`.
fn packet_size(offer: &Offer) -> usize {
    let properties: usize = offer.properties.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
    // Headers, packet id, expiry, format and lengths come to less than 64 bytes (MQTT 5, section 3.3).
    offer.payload.len() + offer.topic.len() + offer.content_type.len() + properties + 64
}

pub(super) fn status(
    context: &Context,
    version: Version,
    state: State,
    session: u64,
    backlog: Option<Backlog>,
) -> Status {
    let plan = &context.plan;
    Status {
        state,
        session,
        since: context.started.rfc3339(&plan.zone),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mqtt: version.as_str().to_owned(),
        model: context.model.as_ref().map(Into::into),
        runtime: context.runtime.clone(),
        cameras: context.current.get().cameras.iter().map(|camera| camera.id.clone()).collect(),
        clock_synced: match state {
            State::Offline => None,
            _ => context.meter.as_ref().and_then(|meter| meter.clock.is_synced()),
        },
        backlog: backlog.map(Backlog::total),
        outbox: backlog.map(|backlog| OutboxRef {
            oldest: backlog.oldest.map(|at| at.rfc3339(&plan.zone)),
            unheard: backlog.unheard,
            set_aside: backlog.set_aside,
            bytes: backlog.bytes,
            lost_events: backlog.lost.events,
            lost_pictures: backlog.lost.pictures,
        }),
        upload: match state {
            State::Offline => None,
            _ => context.meter.as_ref().and_then(|meter| meter.uploads.as_ref()).map(|uploads| {
                let Count { waiting, lost, trouble, .. } = uploads.count();
                UploadRef { waiting, lost, trouble }
            }),
        },
        commands: Vec::<Verb>::new(),
        throttle: match (&context.throttle, state) {
            // What is held back when the box has gone, nobody can say.
            (_, State::Offline) | (None, _) => None,
            (Some(throttle), _) => Some(HeldBackStatus::new(&throttle.borrow(), &plan.zone)),
        },
    }
}
