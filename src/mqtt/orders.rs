//! Commands on one connection: from a packet to an order, from its outcome to an answer.
//!
//! # Invariants
//! - A command is acknowledged to the broker only after it was carried out and its answer handed over: one that a
//!   crash cuts short comes again.
//! - One that comes again is not carried out again; it is told what came of it.
//! - What was not understood, not allowed or too late is not carried out, is answered with a code and logged. The log
//!   holds no part of a payload that was not checked.
//! - A broker that hands over more than it was told it may, as mosquitto 2.0.11 does when it resumes the session of a
//!   client that was cut off, is not fallen out with, as the same would come again with every connection and no case
//!   would leave: commands wait their turn, and those for which there is no room are told that the box is busy.
//! - Answers go nowhere but to the box's own `cmd/{verb}/ack` and below it: a command cannot make the box speak where
//!   the sender may not.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};
use tokio::sync::mpsc;

use super::answer::{Answer, Done, Outcome, Photo};
use super::command::{self, Code, Order, Packet, Refused, Request, Rights, Verb};
use super::contract::{self, Channel};
use super::topic;
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::outbox::Outbox;
use crate::plan::Plan;
use crate::text_file;

/// Commands that the broker may hand over before the first is acknowledged.
pub(super) const AT_A_TIME: u16 = 8;
/// Commands that wait while so many are being carried out, of a broker that hands over more than it may; with
/// [`MAX_PACKET`] they take up 16 MiB at most.
const MOST_WAITING: usize = 256;
/// Largest packet that the broker may hand over; what is larger, it drops. More than a command may have, so that one
/// that is a little too large is told so.
pub(super) const MAX_PACKET: u32 = 64 * 1024;
/// Largest file that holds a key.
const MAX_KEY: u64 = 4096;
/// Longest correlation data that is given back, in bytes.
const MAX_CORRELATION: usize = 256;

/// Carries out what was asked.
pub trait Commander: Send + Sync + Debug {
    /// The box's clock.
    fn now(&self) -> CaptureTime;

    /// Carries out `order`. May take its time; what it changed is on disk when it returns.
    fn carry_out(&self, order: &Order) -> Outcome;
}

/// A message that is to go out for a command.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) properties: PublishProperties,
    /// The command that is then settled.
    pub(super) settles: Option<Publish>,
}

/// A command that was carried out or refused.
#[derive(Debug)]
pub(super) struct Finished {
    publish: Publish,
    reply: Reply,
    id: Option<String>,
    verb: Option<Verb>,
    outcome: Outcome,
    earlier: Option<Code>,
}

/// Where the answer goes.
#[derive(Debug)]
struct Reply {
    topic: String,
    correlation: Option<bytes::Bytes>,
}

/// The commands of one connection.
#[derive(Debug)]
pub(super) struct Orders {
    plan: Arc<Plan>,
    outbox: Arc<Outbox>,
    commander: Arc<dyn Commander>,
    key: Option<Vec<u8>>,
    target: String,
    finished: mpsc::UnboundedSender<Finished>,
    under_way: Arc<Mutex<BTreeSet<String>>>,
    words: VecDeque<Word>,
    /// Handed over and not looked at yet.
    waiting: VecDeque<Publish>,
    /// Looked at and not answered yet.
    open: usize,
}

impl Orders {
    /// Commands for the box of `plan`; those that are finished come through the receiver.
    ///
    /// # Errors
    /// [`Kind::Config`] when the key's file cannot be read.
    pub(super) fn new(
        plan: &Arc<Plan>,
        outbox: &Arc<Outbox>,
        commander: &Arc<dyn Commander>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Finished>)> {
        // Read with each connection, as the password is.
        let key = plan.broker.command_key.as_deref().map(|file| {
            let text = text_file::read(file, MAX_KEY).map_err(|e| {
                Error::new(Kind::Config, format!("cannot read the key file {}", file.display()))
                    .help("make it readable for this user, or change mqtt.command_key_file")
                    .caused_by(e)
            })?;
            match text.lines().next().unwrap_or_default() {
                "" => Err(Error::new(Kind::Config, format!("the key file {} is empty", file.display()))
                    .help("its first line must be the key that commands are signed with")),
                line => Ok(line.as_bytes().to_vec()),
            }
        });
        let (finished, receiver) = mpsc::unbounded_channel();
        let orders = Self {
            plan: plan.clone(),
            outbox: outbox.clone(),
            commander: commander.clone(),
            key: key.transpose()?,
            target: format!("{}/{}", plan.street, plan.box_id),
            finished,
            under_way: Arc::default(),
            words: VecDeque::new(),
            waiting: VecDeque::new(),
            open: 0,
        };
        Ok((orders, receiver))
    }

    /// Takes in a command; what comes of it goes through the receiver of [`Orders::new`].
    pub(super) fn take(&mut self, publish: Publish) {
        if self.open < usize::from(AT_A_TIME) {
            self.look_at(publish);
        } else if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(publish);
        } else {
            self.turn_away(publish);
        }
    }

    /// Answers a command for which there is no room, and keeps no more of it than its acknowledgement takes.
    fn turn_away(&mut self, mut publish: Publish) {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let verb = Verb::parse(topic.rsplit('/').next().unwrap_or_default());
        let (Ok(reply) | Err(reply)) = self.reply(verb, publish.properties.as_ref());
        (publish.payload, publish.properties) = (bytes::Bytes::new(), None);
        let what = "too many commands came at once; send it again later";
        let outcome = Err(Refused::new(Code::Busy, what));
        self.open += 1;
        self.finish(Finished { publish, reply, id: None, verb, outcome, earlier: None });
    }

    /// Reads a command and has it carried out, or refuses it.
    fn look_at(&mut self, publish: Publish) {
        self.open += 1;
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let word = topic.rsplit('/').next().unwrap_or_default();
        let verb = Verb::parse(word);
        let properties = publish.properties.as_ref();
        let reply = self.reply(verb, properties);
        let signature = properties.and_then(|p| {
            p.user_properties.iter().find(|(name, _)| name == "signature").map(|(_, value)| value.as_str())
        });
        let packet = Packet { verb: word, payload: &publish.payload, retained: publish.retain, signature };
        let rights =
            Rights { allowed: &self.plan.broker.commands, key: self.key.as_deref(), target: &self.target };
        let read = command::read(&packet, &rights, self.commander.now());
        let (reply, read) = match reply {
            Ok(reply) => (reply, read),
            Err(reply) => {
                let what = "answers go to the box's own cmd/{verb}/ack, or a topic below it, only";
                (reply, read.and_then(|_| Err(Refused::new(Code::BadResponseTopic, what))))
            }
        };
        let finished =
            Finished { publish, reply, id: None, verb, outcome: Ok(Done::new(Code::Done)), earlier: None };
        match read {
            Ok(request) => {
                let finished = Finished { id: Some(request.id.clone()), ..finished };
                self.begin(request, finished);
            }
            Err(refused) => self.finish(Finished { outcome: Err(refused), ..finished }),
        }
    }

    /// Where the answer goes; `Err` with the usual place when another was asked for that is not allowed.
    fn reply(
        &self,
        verb: Option<Verb>,
        properties: Option<&PublishProperties>,
    ) -> std::result::Result<Reply, Reply> {
        let own = topic::answer(&self.plan, verb.map_or("unknown", Verb::as_str));
        let correlation = properties
            .and_then(|p| p.correlation_data.clone())
            .filter(|correlation| correlation.len() <= MAX_CORRELATION);
        let asked = properties.and_then(|p| p.response_topic.as_deref());
        let is_own = |asked: &str| {
            let below = asked.strip_prefix(own.as_str()).and_then(|rest| rest.strip_prefix('/'));
            let fits = |rest: &str| {
                rest.len() <= 64 && rest.bytes().all(|b| b.is_ascii_graphic() && !b"+#".contains(&b))
            };
            asked == own || below.is_some_and(fits)
        };
        match asked {
            None => Ok(Reply { topic: own, correlation }),
            Some(asked) if is_own(asked) => Ok(Reply { topic: asked.to_owned(), correlation }),
            Some(_) => Err(Reply { topic: own, correlation }),
        }
    }

    /// Has `request` carried out beside the connection, unless it is under way or was carried out before.
    fn begin(&mut self, request: Request, finished: Finished) {
        if !lock(&self.under_way).insert(request.id.clone()) {
            let refused = Refused::new(Code::Replayed, "a command of this id is being carried out");
            return self.finish(Finished { outcome: Err(refused), ..finished });
        }
        let (outbox, commander) = (self.outbox.clone(), self.commander.clone());
        let (under_way, sender) = (self.under_way.clone(), self.finished.clone());
        tokio::task::spawn_blocking(move || {
            let (outcome, earlier) = once(&outbox, commander.as_ref(), &request);
            lock(&under_way).remove(&request.id);
            // With the connection gone, nobody waits for it; a command that comes again is told.
            let _ = sender.send(Finished { outcome, earlier, ..finished });
        });
    }

    /// Logs what came of a command and puts its answer where [`Orders::next_word`] finds it.
    pub(super) fn finish(&mut self, finished: Finished) {
        let Finished { publish, reply, id, verb, outcome, earlier } = finished;
        let zone = &self.plan.zone;
        let verb = verb.map_or("unknown", Verb::as_str).to_owned();
        let at = self.commander.now().rfc3339(zone);
        let (answer, picture) = match outcome {
            Ok(Done { code, reason, until, picture }) => {
                tracing::info!(verb, id, ?code, "A command was carried out.");
                let (until, note) =
                    (until.map(|at| at.rfc3339(zone)), picture.as_ref().map(|p| p.note.clone()));
                (Answer { id, verb, ok: true, code, reason, at, until, earlier, picture: note }, picture)
            }
            Err(Refused { code, reason }) => {
                tracing::warn!(verb, id, ?code, reason, "A command was refused.");
                let reason = Some(reason);
                (Answer { id, verb, ok: false, code, reason, at, until: None, earlier, picture: None }, None)
            }
        };
        if let Some(Photo { topic, jpeg, .. }) = picture {
            let properties = properties(&contract::SNAPSHOT_PICTURE, reply.correlation.clone());
            self.words.push_back(Word { topic, payload: jpeg, properties, settles: None });
        }
        let mut properties = properties(&contract::ANSWER, reply.correlation);
        properties.payload_format_indicator = Some(1);
        // Its types rule out that it cannot be written.
        let payload = serde_json::to_vec(&answer).unwrap_or_default();
        self.words.push_back(Word { topic: reply.topic, payload, properties, settles: Some(publish) });
    }

    /// The next message that is to go out, if it fits into `max_packet` bytes; a picture that does not is left out.
    pub(super) fn next_word(&mut self, max_packet: usize) -> Option<Word> {
        loop {
            let word = self.words.pop_front()?;
            if word.payload.len() + word.topic.len() + MAX_CORRELATION + 128 > max_packet {
                tracing::warn!(topic = word.topic, "A picture is larger than the broker takes.");
                if word.settles.is_none() {
                    continue;
                }
            }
            if word.settles.is_some() {
                self.open -= 1;
                // What is read only to be refused is answered at once and makes room again.
                while self.open < usize::from(AT_A_TIME)
                    && let Some(next) = self.waiting.pop_front()
                {
                    self.look_at(next);
                }
            }
            return Some(word);
        }
    }
}

fn properties(row: &Channel, correlation_data: Option<bytes::Bytes>) -> PublishProperties {
    PublishProperties {
        content_type: Some(row.content_type.to_owned()),
        message_expiry_interval: row.expiry_s,
        correlation_data,
        ..PublishProperties::default()
    }
}

/// Has `commander` carry out `request` unless that was done before; then what was answered comes with it.
fn once(outbox: &Outbox, commander: &dyn Commander, request: &Request) -> (Outcome, Option<Code>) {
    let failed = |e: Error| {
        tracing::error!(error = %e, "A command failed.");
        Refused::new(Code::Failed, "the box's database cannot be used; see its log")
    };
    match outbox.answer(&request.id) {
        Ok(None) => {}
        Ok(Some(code)) => {
            let refused = Refused::new(Code::Replayed, "a command of this id was answered before");
            return (Err(refused), serde_json::from_str(&code).ok());
        }
        Err(e) => return (Err(failed(e)), None),
    }
    match outbox.takes_commands(commander.now()) {
        Ok(true) => {}
        Ok(false) => {
            let what = "too many commands are remembered; try again when the older ones are no longer good";
            return (Err(Refused::new(Code::Busy, what)), None);
        }
        Err(e) => return (Err(failed(e)), None),
    }
    let outcome = commander.carry_out(&request.order);
    let code = match &outcome {
        Ok(done) => done.code,
        Err(refused) => refused.code,
    };
    let text = serde_json::to_string(&code).unwrap_or_default();
    // Every order may be carried out twice without harm, so a crash between the two does none.
    match outbox.answered(&request.id, request.until, commander.now(), &text) {
        Ok(()) => (outcome, None),
        Err(e) => (Err(failed(e)), None),
    }
}

fn lock(ids: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    ids.lock().unwrap_or_else(PoisonError::into_inner)
}
