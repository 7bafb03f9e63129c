//! The box's conversation with the broker: connect, say that it is there, offer what the outbox holds, settle
//! what is acknowledged, and do it again whenever the connection is lost.
//!
//! Each connection gets a client of its own. The client library keeps unacknowledged packets of a lost
//! connection and drops them when the broker has forgotten the session; with a fresh client nothing is kept
//! there, and the outbox, which has every row that was not acknowledged, offers them again in its own order.

mod listen;
mod speak;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::{mpsc, watch};

use self::speak::status;
use super::context::Context;
use super::link::{self, Client, Dialect, Version};
use super::orders::{self, Finished, Orders};
use super::publisher::{Publisher, Settled};
use super::status::{State, Status};
use super::{Health, contract, topic};
use crate::case::throttle::ThrottleStatus;
use crate::error::{Error, Kind, Result};
use crate::outbox::Outbox;

/// How long a broker may take to acknowledge a subscription.
const SUBSCRIBE_PATIENCE: Duration = Duration::from_secs(10);
/// How often the health of a camera is said although nothing has changed.
const HEALTH_AGAIN: Duration = Duration::from_secs(contract::HEALTH_AGAIN_S as u64);
/// Most messages under way at a time: enough to fill a slow link, few enough to repeat.
const WINDOW: usize = 16;

/// Delivers what `outbox` holds until `shutdown` resolves. Then offers what is due for at most
/// `Tuning::flush`, says `stopped`, disconnects and returns. Trouble with the broker or the disk is logged
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
                        orders.take(command);
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

/// The library no longer takes messages.
fn lost(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Broker, "the connection to the broker takes no more messages").caused_by(e)
}

fn json(message: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(message)
        .map_err(|e| Error::new(Kind::System, "cannot write a message as JSON").caused_by(e))
}
