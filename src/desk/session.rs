//! The desk's conversation with the broker: an ordinary client with a session that the broker keeps while the desk is
//! away. A message is acknowledged when what it says is on disk; verdicts go out until their box has answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, Packet, Publish, PublishProperties, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::sync::watch;

use super::intake::{Incoming, MAX_PICTURE};
use super::life::Millis;
use super::service::{BrokerState, Desk, lock};
use super::store::DueVerdict;
use crate::error::{Error, Kind, Result};
use crate::mqtt::command::{self, Verb, VerdictCommand};
use crate::mqtt::link;
use crate::text_file;

/// Messages that the broker may hand over before the first is acknowledged; also how many share a write to the disk.
const AT_A_TIME: u16 = 64;
/// Packets that may wait to be sent. As many acknowledgements may have to: the library reads messages faster than it
/// sends acknowledgements, and when it resumes a session, mosquitto 2.0.11 hands over all that it ever had under way,
/// whatever it was told to hand over at a time. There are 65,535 ids for messages under way, so that there is room for
/// all of them, the subscriptions and verdicts. Room that is not used costs nothing.
const ROOM: usize = 65_535 + 256;
/// Verdicts that go out in one go.
const VERDICTS: u32 = 16;
/// How often it is looked whether verdicts are due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether pictures are to be fetched.
const LOOK_FOR_PICTURES: Duration = Duration::from_secs(2);
/// Wait between attempts to connect.
const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a broker may take to acknowledge the subscriptions, or a disconnect.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until a verdict that was not answered is sent again, and the longest such wait.
const AGAIN: (Millis, Millis) = (15_000, 15 * 60_000);
/// A box takes no verdict that is older.
const VERDICT_GOOD_FOR: Millis = 7 * 86_400_000;
/// Largest file that holds a key.
const MAX_KEY: u64 = 4096;

/// Runs the desk until `shutdown` resolves: the broker, timers, notices. Trouble is logged once per change and tried
/// again.
pub async fn run(desk: Arc<Desk>, shutdown: impl Future<Output = ()>) {
    let (stop, stopping) = watch::channel(false);
    let watcher = async {
        shutdown.await;
        let _ = stop.send(true);
    };
    tokio::join!(
        watcher,
        keep_connected(&desk, stopping.clone()),
        keep_time(&desk, stopping.clone()),
        keep_fetching(&desk, stopping.clone()),
        keep_telling(&desk, stopping),
    );
}

/// Resolves when the desk is to stop.
async fn asked(stopping: &mut watch::Receiver<bool>) {
    // The sender lives until it has said so.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Runs a call where it may wait for the disk.
async fn blocking<T: Send + 'static>(
    desk: &Arc<Desk>,
    call: impl FnOnce(&Desk) -> Result<T> + Send + 'static,
) -> Result<T> {
    let desk = Arc::clone(desk);
    tokio::task::spawn_blocking(move || call(&desk))
        .await
        .unwrap_or_else(|e| Err(Error::new(Kind::System, "the database thread failed").caused_by(e)))
}

fn log(error: &Error, what: &str) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let help = miette::Diagnostic::help(error).map(|help| help.to_string());
    tracing::error!(error = %error, cause, help, "{what}");
}

async fn keep_time(desk: &Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(10));
    let mut tidy = tokio::time::interval(Duration::from_secs(3600));
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if let Err(e) = blocking(desk, Desk::tick).await {
                    log(&e, "Timers cannot be kept.");
                }
            }
            _ = tidy.tick() => {
                if let Err(e) = blocking(desk, Desk::tidy).await {
                    log(&e, "What is no longer needed cannot be removed.");
                }
            }
            () = asked(&mut stopping) => return,
        }
    }
}

async fn keep_fetching(desk: &Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    if desk.plan.evidence.hosts.is_empty() {
        return;
    }
    match blocking(desk, Desk::seek_pictures).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "Pictures are asked for whose store was not listed before."),
        Err(e) => log(&e, "Pictures that were not asked for cannot be looked up."),
    }
    let mut tick = tokio::time::interval(LOOK_FOR_PICTURES);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = desk.fetches.notified() => {}
            () = asked(&mut stopping) => return,
        }
        while !*stopping.borrow() {
            match blocking(desk, Desk::fetch_pictures).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => {
                    log(&e, "Pictures cannot be fetched.");
                    // Not at once again, whatever wakes it.
                    tick.reset();
                    tick.tick().await;
                    break;
                }
            }
        }
    }
}

async fn keep_telling(desk: &Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = desk.notices.notified() => {}
            () = asked(&mut stopping) => return,
        }
        if let Err(e) = blocking(desk, Desk::send_notices).await {
            log(&e, "Notices cannot be sent.");
        }
    }
}

async fn keep_connected(desk: &Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    let mut wait = RECONNECT.0;
    let mut last = String::new();
    loop {
        let began = Instant::now();
        let Err(trouble) = connection(desk, stopping.clone()).await else {
            set_state(desk, false, None);
            return;
        };
        let text = trouble.to_string();
        set_state(desk, false, Some(text.clone()));
        if text != last {
            let help = miette::Diagnostic::help(&trouble).map(|help| help.to_string());
            let cause = std::error::Error::source(&trouble).map(ToString::to_string);
            tracing::warn!(error = %text, cause, help, "The desk hears no box.");
            last = text;
        }
        if began.elapsed() > RECONNECT.1 {
            wait = RECONNECT.0;
        }
        if trouble.kind() == Kind::Config {
            // A wrong password stays wrong until a person sees to it.
            wait = RECONNECT.1;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = asked(&mut stopping) => return,
        }
        wait = (wait * 2).min(RECONNECT.1);
    }
}

fn set_state(desk: &Desk, connected: bool, trouble: Option<String>) {
    let mut state = lock(&desk.link);
    let is_news = state.connected != connected || state.since.is_none();
    let since = if is_news { Some(desk.now()) } else { state.since };
    *state = BrokerState { connected, since, trouble };
}

fn options(desk: &Desk) -> Result<MqttOptions> {
    let plan = &desk.plan;
    let mut options = MqttOptions::new(plan.client_id.clone(), plan.broker.host.clone(), plan.broker.port);
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(plan.session_expiry_s))
        .set_manual_acks(true)
        .set_receive_maximum(Some(AT_A_TIME))
        .set_max_packet_size(Some(MAX_PICTURE as u32 + 4096));
    link::secure(&mut options, &plan.broker)?;
    Ok(options)
}

/// The filters of the desk.
fn filters(desk: &Desk) -> Vec<Filter> {
    let street = &desk.plan.street;
    let share = desk.plan.share.as_ref().map(|name| format!("$share/{name}/")).unwrap_or_default();
    let filter = |path: String| Filter { path, qos: QoS::AtLeastOnce, ..Filter::default() };
    vec![
        filter(format!("{share}patrol/v1/{street}/+/case/+/+")),
        filter(format!("{share}patrol/v1/{street}/+/case/+/+/evidence/+/+")),
        filter(format!("{share}patrol/v1/{street}/+/case/+/+/clip/+")),
        filter(format!("patrol/v1/{street}/+/status")),
        filter(format!("patrol/v1/{street}/+/cmd/verdict/ack/{}", desk.plan.client_id)),
    ]
}

/// The key that commands are signed with, read with each connection.
fn key(desk: &Desk) -> Result<Option<Vec<u8>>> {
    let Some(file) = &desk.plan.broker.command_key else { return Ok(None) };
    let text = text_file::read(file, MAX_KEY).map_err(|e| {
        Error::new(Kind::Config, format!("cannot read the key file {}", file.display()))
            .help("make it readable for this user, or change mqtt.command_key_file")
            .caused_by(e)
    })?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(Error::new(Kind::Config, format!("the key file {} is empty", file.display()))
            .help("its first line must be the key that the boxes have in mqtt.command_key_file")),
        line => Ok(Some(line.as_bytes().to_vec())),
    }
}

/// Connects and stays connected. Returns `Ok` after a clean stop.
async fn connection(desk: &Arc<Desk>, mut stopping: watch::Receiver<bool>) -> Result<()> {
    let key = key(desk)?;
    let (client, event_loop) = AsyncClient::new(options(desk)?, ROOM);
    let mut driver = link::Driver::start(event_loop);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last_event = Instant::now();
    let (mut connected, mut heard) = (false, false);
    loop {
        let mut publishes: Vec<Publish> = Vec::new();
        let first = tokio::select! {
            event = driver.events.recv() => Some(event),
            _ = look.tick() => None,
            () = desk.verdicts.notified() => None,
            () = asked(&mut stopping) => {
                if client.try_disconnect().is_ok() {
                    // Acknowledgements that were handed over go out before it.
                    let farewell = async { while let Some(Ok(_)) = driver.events.recv().await {} };
                    let _ = tokio::time::timeout(PATIENCE, farewell).await;
                }
                return Ok(());
            }
        };
        let mut events = Vec::new();
        if let Some(event) = first {
            last_event = Instant::now();
            events.push(event.ok_or_else(|| Error::new(Kind::System, "the connection's task has ended"))?);
            while publishes.len() + events.len() < usize::from(AT_A_TIME) {
                let Ok(event) = driver.events.try_recv() else { break };
                events.push(event);
            }
        }
        let mut trouble = None;
        for event in events {
            match event {
                Ok(Event::Incoming(Packet::ConnAck(ConnAck { session_present, .. }))) => {
                    connected = true;
                    tracing::info!(session_present, "The desk is connected to the broker.");
                    client.try_subscribe_many(filters(desk)).map_err(lost)?;
                }
                Ok(Event::Incoming(Packet::SubAck(SubAck { return_codes, .. }))) => {
                    let granted =
                        |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                    if !return_codes.iter().all(granted) {
                        return Err(Error::new(
                            Kind::Config,
                            format!("the broker does not let the desk hear the boxes: {return_codes:?}"),
                        )
                        .help("allow this user to read patrol/v1/STREET/# and to write patrol/v1/STREET/+/cmd/verdict"));
                    }
                    heard = true;
                    set_state(desk, true, None);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => publishes.push(publish),
                Ok(_) => {}
                Err(e) => trouble = Some(link::explain(&desk.plan.broker, &e, connected)),
            }
        }
        if !publishes.is_empty() {
            let batch: Vec<Incoming> = publishes
                .iter()
                .map(|publish| Incoming {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    payload: publish.payload.clone(),
                })
                .collect();
            blocking(desk, move |desk| desk.take_in(&batch)).await?;
            for publish in &publishes {
                if let Err(e) = client.try_ack(publish) {
                    // The connection has gone meanwhile; why, stands among what it has still to tell.
                    let told = std::iter::from_fn(|| driver.events.try_recv().ok());
                    let why = told.filter_map(std::result::Result::err).last();
                    return Err(
                        why.map_or_else(|| lost(e), |why| link::explain(&desk.plan.broker, &why, connected))
                    );
                }
            }
        }
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        // What waited for the desk comes before the answer.
        if connected && !heard && last_event.elapsed() > 2 * PATIENCE {
            return Err(Error::new(Kind::Broker, "the broker does not acknowledge the subscriptions"));
        }
        if heard {
            send_verdicts(desk, &client, key.as_deref()).await?;
        }
    }
}

async fn send_verdicts(desk: &Arc<Desk>, client: &AsyncClient, key: Option<&[u8]>) -> Result<()> {
    let due = blocking(desk, Desk::due_verdicts).await?;
    for verdict in due {
        let topic = format!("patrol/v1/{}/cmd/verdict", verdict.source);
        let payload = payload(desk, &verdict)?;
        let mut user_properties = Vec::new();
        if let Some(key) = key {
            let signature = command::sign(key, &verdict.source, Verb::Verdict.as_str(), &payload);
            user_properties.push(("signature".to_owned(), signature));
        }
        let expiry = (VERDICT_GOOD_FOR - (desk.now() - verdict.at)).max(1000) / 1000;
        let properties = PublishProperties {
            payload_format_indicator: Some(1),
            message_expiry_interval: Some(u32::try_from(expiry).unwrap_or(u32::MAX)),
            content_type: Some("application/json".to_owned()),
            response_topic: Some(format!("{topic}/ack/{}", desk.plan.client_id)),
            correlation_data: Some(verdict.id.clone().into_bytes().into()),
            user_properties,
            ..PublishProperties::default()
        };
        // What does not fit into the queue now is sent again when its time comes.
        if client.try_publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties).is_err() {
            tracing::debug!(id = verdict.id, "A verdict waits for room.");
        }
    }
    Ok(())
}

fn payload(desk: &Desk, verdict: &DueVerdict) -> Result<Vec<u8>> {
    let at = super::rates::timestamp(verdict.at).to_zoned_datetime(desk.plan.zone.clone());
    let command = VerdictCommand {
        id: verdict.id.clone(),
        at: at.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string(),
        case_id: verdict.case_id.clone(),
        verdict: verdict.verdict.clone(),
        reason: verdict.reason.clone(),
        corrected_kind: None,
        reviewer_role: Some(verdict.role.clone()),
    };
    serde_json::to_vec(&command)
        .map_err(|e| Error::new(Kind::System, "cannot write a verdict as JSON").caused_by(e))
}

impl Desk {
    /// Verdicts that are to be sent now, noted as sent. Asks without writing first: mostly there are none.
    fn due_verdicts(&self) -> Result<Vec<DueVerdict>> {
        let now = self.now();
        if !self.store.read(|db| super::store::has_due_verdicts(db, now))? {
            return Ok(Vec::new());
        }
        let again = |tries: u32| (AGAIN.0 << tries.min(10)).min(AGAIN.1);
        self.store.put(|tx| tx.take_due_verdicts(now, now - VERDICT_GOOD_FOR, VERDICTS, again))
    }
}

/// The library no longer takes messages.
fn lost(e: rumqttc::v5::ClientError) -> Error {
    Error::new(Kind::Broker, "the connection to the broker takes no more messages").caused_by(e)
}
