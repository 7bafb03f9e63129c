//! The box's conversation with the broker: connect, say that it is there, offer what the outbox holds, settle
//! what is acknowledged, and do it again whenever the connection is lost.
//!
//! Each connection gets a client of its own. The client library keeps unacknowledged packets of a lost
//! connection and drops them when the broker has forgotten the session; with a fresh client nothing is kept
//! there, and the outbox, which has every row that was not acknowledged, offers them again in its own order.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Packet, PubAck, PubAckReason, Publish, PublishProperties, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::{ConnectionError, Event};
use tokio::sync::{mpsc, watch};

use super::command::Verb;
use super::context::{Context, Tuning};
use super::link::{self, Client, Dialect, Version};
use super::orders::{self, Finished, Orders};
use super::publisher::{Cargo, Publisher, Settled};
use super::status::{HeldBackStatus, OutboxRef, State, Status, UploadRef};
use super::{Health, contract, topic};
use crate::case::throttle::ThrottleStatus;
use crate::error::{Error, Kind, Result};
use crate::outbox::{Backlog, Fate, Offer, Outbox, Refusal, RowId};
use crate::upload::Count;

/// How long a broker may take to acknowledge a subscription.
const SUBSCRIBE_PATIENCE: Duration = Duration::from_secs(10);
/// How often the health of a camera is said although nothing has changed.
const HEALTH_AGAIN: Duration = Duration::from_secs(contract::HEALTH_AGAIN_S as u64);
/// Most messages under way at a time: enough to fill a slow link, few enough to repeat.
const WINDOW: usize = 16;

/// Delivers what `outbox` holds until `shutdown` resolves. Then offers what is due for at most
/// [`Tuning::flush`], says `stopped`, disconnects and returns. Trouble with the broker or the disk is logged
/// once per change and tried again; nothing is lost by it.
pub async fn run(context: Context, outbox: Arc<Outbox>, shutdown: impl Future<Output = ()>) {
    let (stop, stopping) = watch::channel(None);
    let watcher = async {
        shutdown.await;
        let _ = stop.send(Some(Instant::now() + context.tuning.flush));
    };
    let work = keep_connected(&context, &outbox, stopping);
    tokio::join!(watcher, work);
}

/// When a clean stop must be done; `None` while the box is to go on.
type Stopping = watch::Receiver<Option<Instant>>;

async fn keep_connected(context: &Context, outbox: &Arc<Outbox>, mut stopping: Stopping) {
    let (shortest, longest) = context.tuning.reconnect;
    let mut wait = shortest;
    let mut last_trouble = String::new();
    let mut dialect = Dialect::new(context.plan.broker.version);
    loop {
        let began = Instant::now();
        let Err(trouble) =
            connection(context, outbox, stopping.clone(), &mut dialect, &mut last_trouble).await
        else {
            return;
        };
        let text = trouble.to_string();
        if text == last_trouble {
            tracing::debug!(error = %text, "Still no connection.");
        } else {
            let help = miette::Diagnostic::help(&trouble).map(|help| help.to_string());
            let cause = std::error::Error::source(&trouble).map(ToString::to_string);
            tracing::warn!(error = %text, cause, help, "Cases wait in the outbox.");
            last_trouble = text;
        }
        if nothing_left_to_do(outbox, &stopping).await {
            return;
        }
        // A broker that takes the box on only to drop it at once is not to be asked every second.
        if began.elapsed() > longest {
            wait = shortest;
        }
        if trouble.kind() == Kind::Config {
            // A wrong password or certificate stays wrong until a person sees to it; a broker that counts failures
            // would lock the box out.
            wait = longest;
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(wait)) => {}
            // A stop cuts the wait short once, for a last attempt.
            Ok(()) = stopping.changed() => wait = shortest,
        }
        wait = (wait * 2).min(longest);
    }
}

/// Whether the box is to stop and further attempts to connect would be in vain.
async fn nothing_left_to_do(outbox: &Arc<Outbox>, stopping: &Stopping) -> bool {
    let Some(deadline) = *stopping.borrow() else { return false };
    let waiting = on_disk(outbox, |outbox| outbox.backlog().map(|backlog| backlog.total())).await;
    Instant::now() >= deadline || waiting.unwrap_or(0) == 0
}

/// `wait` less up to half of it, so that the boxes of a street do not all come back at once.
fn jittered(wait: Duration) -> Duration {
    // The standard library's hasher keys are its only source of chance, and chance is all that is needed.
    let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    wait.mul_f64(1.0 - chance / 2.0)
}

/// Resolves when what is held back has changed; never without a throttle.
async fn changed(
    throttle: &mut Option<watch::Receiver<ThrottleStatus>>,
) -> Result<(), watch::error::RecvError> {
    match throttle {
        Some(throttle) => throttle.changed().await,
        None => std::future::pending().await,
    }
}

/// Resolves when the health of a camera is no longer what its fingerprint `seen` says; never without a board.
async fn health_changed(context: &Context, seen: u64) {
    let Some(board) = &context.board else { return std::future::pending().await };
    while board.fingerprint() == seen {
        tokio::time::sleep(context.tuning.health_every).await;
    }
}

/// Runs a database call where it may wait for the disk.
async fn on_disk<T: Send + 'static>(
    outbox: &Arc<Outbox>,
    call: impl FnOnce(&Outbox) -> Result<T> + Send + 'static,
) -> Result<T> {
    let outbox = Arc::clone(outbox);
    tokio::task::spawn_blocking(move || call(&outbox))
        .await
        .unwrap_or_else(|e| Err(Error::new(Kind::System, "the database thread failed").caused_by(e)))
}

/// How far a clean stop has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    NotYet,
    Said,
    Disconnecting,
    Done,
}

/// Whether commands reach the box.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hears {
    /// It has not asked for them, or takes none.
    Nothing,
    /// It has asked, and waits until then for the broker to say yes.
    Asked(Instant),
    /// They do.
    Commands,
}

/// What came in and is to be dealt with.
#[derive(Default)]
struct News {
    settled: Vec<Settled>,
    commands: Vec<Publish>,
}

/// Resolves when a command is finished; never for a box that takes none.
async fn finished(receiver: &mut Option<mpsc::UnboundedReceiver<Finished>>) -> Option<Finished> {
    match receiver {
        Some(receiver) => receiver.recv().await,
        None => std::future::pending().await,
    }
}

/// One connection: its client, what is under way, what was last said of the box.
struct Connection<'a> {
    context: &'a Context,
    outbox: &'a Arc<Outbox>,
    client: Client,
    publisher: Publisher,
    /// Largest packet that the broker takes.
    max_packet: usize,
    session: u64,
    dialect: &'a mut Dialect,
    connected: bool,
    orders: Option<Orders>,
    hears: Hears,
    told: Option<Status>,
    /// What was last said of each camera, and when.
    health: BTreeMap<String, (Health, Instant)>,
    /// Fingerprint of the board when it was last looked at.
    health_seen: u64,
    farewell: Farewell,
}

/// Connects and stays connected. Returns `Ok` after a clean stop.
async fn connection(
    context: &Context,
    outbox: &Arc<Outbox>,
    mut stopping: Stopping,
    dialect: &mut Dialect,
    last_trouble: &mut String,
) -> Result<()> {
    let session = on_disk(outbox, Outbox::next_session).await?;
    let version = dialect.version();
    let will = link::Will {
        topic: topic::status(&context.plan),
        payload: json(&status(context, version, State::Offline, session, None))?,
        delay_s: context.tuning.will_delay_s,
    };
    let broker = &context.plan.broker;
    // In 3.1.1 a command has no place for its signature.
    let can_be_signed = version == Version::V5 || broker.command_key.is_none();
    let commander = context.commander.as_ref().filter(|_| !broker.commands.is_empty() && can_be_signed);
    let (orders, mut done) = match commander {
        Some(commander) => {
            let (orders, done) = Orders::new(&context.plan, outbox, commander)?;
            (Some(orders), Some(done))
        }
        None => (None, None),
    };
    // With room for the acknowledgements of commands as well.
    let room = WINDOW + 4 * usize::from(orders::AT_A_TIME);
    let (client, mut driver) = link::open(&context.plan, version, will, room)?;
    let mut c = Connection {
        context,
        outbox,
        client,
        publisher: Publisher::new(WINDOW),
        max_packet: usize::MAX,
        session,
        dialect,
        connected: false,
        orders,
        hears: Hears::Nothing,
        told: None,
        health: BTreeMap::new(),
        health_seen: 0,
        farewell: Farewell::NotYet,
    };
    let mut status_tick = tokio::time::interval(context.tuning.status_every);
    let mut metrics_tick = tokio::time::interval(context.tuning.metrics_every);
    let mut throttle = context.throttle.clone();
    // What was due at this time has been offered, or waits for room.
    let mut looked = Instant::now();
    loop {
        let deadline = *stopping.borrow();
        let next_offer = on_disk(outbox, move |outbox| outbox.next_offer(looked)).await?;
        let given_up = deadline.map(|at| at + context.tuning.flush);
        let patience = match c.hears {
            Hears::Asked(until) => Some(until),
            Hears::Nothing | Hears::Commands => None,
        };
        let wake =
            [next_offer, deadline, given_up, patience].into_iter().flatten().filter(|at| *at > looked).min();
        let wake = pin!(async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        });
        tokio::select! {
            event = driver.events.recv() => {
                let mut news = News::default();
                c.note(event, &mut news, last_trouble)?;
                // All that has come in meanwhile is settled by one transaction.
                while let Ok(event) = driver.events.try_recv() {
                    c.note(Some(event), &mut news, last_trouble)?;
                }
                c.settle(news.settled).await?;
                for command in news.commands {
                    if let Some(orders) = &mut c.orders {
                        orders.take(command)?;
                    }
                }
            }
            Some(finished) = finished(&mut done) => {
                if let Some(orders) = &mut c.orders {
                    orders.finish(finished);
                }
            }
            () = outbox.accepted(), if c.connected => {}
            () = wake => {}
            _ = status_tick.tick() => {}
            _ = metrics_tick.tick(), if c.told.is_some() => c.count().await?,
            Ok(()) = changed(&mut throttle), if c.connected => {}
            () = health_changed(context, c.health_seen), if c.told.is_some() => {}
            Ok(()) = stopping.changed() => {}
        }
        if c.farewell == Farewell::Done {
            return Ok(());
        }
        looked = Instant::now();
        let deadline = *stopping.borrow();
        if deadline.is_some_and(|at| looked >= at + context.tuning.flush) {
            return Err(Error::new(Kind::Broker, "the broker did not take the farewell in time"));
        }
        if patience.is_some_and(|until| looked >= until) && matches!(c.hears, Hears::Asked(_)) {
            return Err(Error::new(Kind::Broker, "the broker does not acknowledge the subscription"));
        }
        // Who reads `online` may send a command at once, so it must be heard by then.
        if c.connected && !matches!(c.hears, Hears::Asked(_)) {
            c.speak(looked, deadline).await?;
        }
    }
}

impl Connection<'_> {
    /// Takes in one event of the client library; acknowledgements are added to `settled`.
    fn note(
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
    async fn settle(&mut self, settled: Vec<Settled>) -> Result<()> {
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
    async fn hold(&self, row: RowId, why: Refusal) -> Result<()> {
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

    /// Says what is to be said now: the status, what is due, or the farewell.
    async fn speak(&mut self, now: Instant, deadline: Option<Instant>) -> Result<()> {
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
    async fn count(&self) -> Result<()> {
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

/// Whether a refusal is about the message or about what the box may do now (MQTT 5, section 3.4.2.1).
fn refusal(reason: PubAckReason) -> Refusal {
    match reason {
        PubAckReason::NotAuthorized | PubAckReason::QuotaExceeded => Refusal::NotNow,
        other => Refusal::Message(format!("the broker refuses it: {other:?}")),
    }
}

/// The library no longer takes messages.
fn lost(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Broker, "the connection to the broker takes no more messages").caused_by(e)
}

/// Upper bound of the packet that carries `offer`.
fn packet_size(offer: &Offer) -> usize {
    let properties: usize = offer.properties.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
    // Headers, packet id, expiry, format and lengths come to less than 64 bytes (MQTT 5, section 3.3).
    offer.payload.len() + offer.topic.len() + offer.content_type.len() + properties + 64
}

fn status(
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

fn json(message: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(message)
        .map_err(|e| Error::new(Kind::System, "cannot write a message as JSON").caused_by(e))
}
