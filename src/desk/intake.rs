//! What comes from the boxes, into the store: events, pictures, status, answers to verdicts.
//!
//! # Invariants
//! - What is not to the contract is counted, logged without its content, and changes nothing: a message must say the
//!   same as its topic, which is what the broker's rules can guard (`a_box_speaks_for_itself_only`).
//! - An event is taken in once, whatever comes how often and in which order (`an_event_that_comes_twice_changes_nothing`).
//! - A picture belongs to a case only if its SHA-256 is the one that an event names, whichever comes first
//!   (`a_picture_is_that_of_its_event_whichever_comes_first`).
//! - What [`Desk::take_in`] has taken in is on disk when it returns, so that the broker may be told.

use serde::{Deserialize, Serialize};

use super::keys::{hex, sha256};
use super::life::{Millis, State};
use super::model::{Marks, Origin, SeenObject};
use super::notify::{Audience, Notice};
use super::rates::day_of;
use super::service::Desk;
use super::store::{self, BoxRow, Change, NewCase, NewPicture, Row, Tx};
use super::timers::{by_desk, flag};
use crate::config::GridProfile;
use crate::error::Result;
use crate::evidence::Role;
use crate::mqtt::Answer;
use crate::mqtt::command::Code;
use crate::mqtt::envelope::{CaseData, CaseEvent, EventType, EvidenceRef};
use crate::place::GridId;

mod read;

pub(super) use read::check_file;
use read::{is_level, read_answer, read_clip, read_event, read_status};

/// Largest event, in bytes.
const MAX_EVENT: usize = 64 << 10;
/// Largest status of a box that is kept.
const MAX_STATUS: usize = 32 << 10;
/// Largest picture, in bytes.
pub(super) const MAX_PICTURE: usize = 8 << 20;
/// Largest clip, in bytes; a box makes them much smaller.
pub(super) const MAX_CLIP: usize = 4 << 20;
/// Longest name or place in an event, in characters.
const MAX_TEXT: usize = 200;
/// Most objects and pictures of an event that are kept.
const MAX_OBJECTS: usize = 32;
const MAX_PICTURES: usize = 8;
/// Most clips of a case: a box makes one each time that it tells the opening.
const MAX_CLIPS: usize = 4;
/// Most corners of a zone.
const MAX_CORNERS: usize = 64;
/// A sighting this long after a disposal is none that was under way: clocks differ by seconds, not by a minute.
const STILL_SEEN_AFTER: Millis = 60_000;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: bytes::Bytes,
}

/// What of an event is kept beside the columns of its case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SeenNote {
    pub(super) first_seen: Millis,
    pub(super) last_seen: Millis,
    pub(super) cleared_at: Option<Millis>,
    pub(super) dwell_s: f64,
    pub(super) objects: Vec<SeenObject>,
    pub(super) withheld: Option<String>,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events that were new.
    pub events: u64,
    /// Messages that had come before.
    pub known: u64,
    /// Pictures that were new.
    pub pictures: u64,
    /// Messages that are not to the contract.
    pub refused: u64,
}

/// A message that is to the contract.
#[derive(Debug)]
enum Message {
    Event(Box<Event>),
    Picture { topic: String, sha256: String },
    Clip(Box<ToldClip>),
    Nothing,
    Status(BoxRow),
    Answer { source: String, answer: Box<Answer> },
}

/// What a box says of a clip that it has made; its words were checked.
#[derive(Debug)]
struct ToldClip {
    /// `{street}/{box}`.
    source: String,
    case_id: String,
    /// On which the clip comes, or would come.
    topic: String,
    clip: EvidenceRef,
}

/// An event whose words were checked.
#[derive(Debug)]
struct Event {
    /// `{street}/{box}`.
    source: String,
    event: CaseEvent,
    seen: SeenNote,
    sequence: i64,
}

impl Desk {
    /// Takes in `batch`, in one transaction.
    ///
    /// # Errors
    /// When the disk cannot be written; then nothing of it was taken in, and it is to come again.
    pub fn take_in(&self, batch: &[Incoming]) -> Result<Taken> {
        let now = self.now();
        let mut taken = Taken::default();
        let mut messages = Vec::with_capacity(batch.len());
        for incoming in batch {
            match self.read(incoming, now) {
                Ok(Ok(message)) => messages.push(message),
                Ok(Err(why)) => {
                    taken.refused += 1;
                    // The topic may be anything; its length is bounded and it is written with escapes.
                    let topic: String = incoming.topic.chars().take(200).collect();
                    tracing::warn!(topic = ?topic, why, "A message is not to the contract.");
                }
                Err(e) => return Err(e),
            }
        }
        let taken = self.store.put(|tx| {
            let mut taken = taken;
            for message in &messages {
                match message {
                    Message::Event(event) => {
                        let is_new = tx.is_new_event(&event.source, &event.event.id, now)?;
                        taken.events += u64::from(is_new);
                        taken.known += u64::from(!is_new);
                        if is_new {
                            self.event(tx, event, now)?;
                        }
                    }
                    Message::Picture { topic, sha256 } => {
                        taken.pictures += 1;
                        for (picture, case, role) in tx.picture_came(topic, sha256, now)? {
                            self.picture_is_here(tx, case, picture, &role)?;
                        }
                    }
                    Message::Nothing => {}
                    Message::Clip(told) => self.clip(tx, told, now)?,
                    Message::Status(row) => tx.set_box(row)?,
                    Message::Answer { source, answer } => self.answer(tx, source, answer)?,
                }
            }
            for (name, by) in [("events", taken.events), ("refused", taken.refused)] {
                if by > 0 {
                    tx.count(name, by)?;
                }
            }
            Ok(taken)
        })?;
        if taken.events > 0 {
            self.notices.notify_one();
            self.fetches.notify_one();
        }
        Ok(taken)
    }

    /// Reads a message; a picture is in the album when this returns.
    fn read(&self, incoming: &Incoming, now: Millis) -> Result<std::result::Result<Message, &'static str>> {
        let levels: Vec<&str> = incoming.topic.split('/').collect();
        let is_name = |name: &str| GridId::parse(name, GridProfile::Opaque).is_ok();
        let read = match levels.as_slice() {
            ["patrol", "v1", street, name, rest @ ..] if *street == self.plan.street && is_name(name) => {
                let source = format!("{street}/{name}");
                match rest {
                    ["case", grid, kind] => read_event(source, grid, kind, &incoming.payload),
                    ["case", grid, kind, "evidence", case, role]
                        if [grid, kind, case, role].into_iter().all(|level| is_level(level)) =>
                    {
                        return self.read_picture(incoming, role);
                    }
                    ["case", grid, kind, "clip", case]
                        if [grid, kind, case].into_iter().all(|level| is_level(level)) =>
                    {
                        match read_clip(source, [grid, kind, case], &incoming.payload) {
                            // Why there is no clip is for the log of the box and for who looks after it.
                            Ok(None) => Ok(Message::Nothing),
                            Ok(Some(told)) => Ok(Message::Clip(Box::new(told))),
                            Err(why) => Err(why),
                        }
                    }
                    ["status"] => read_status(source, &incoming.payload, now),
                    ["cmd", "verdict", "ack", desk] if *desk == self.plan.client_id => {
                        read_answer(source, &incoming.payload)
                    }
                    _ => Err("no such topic"),
                }
            }
            _ => Err("no such topic"),
        };
        Ok(read)
    }

    fn read_picture(
        &self,
        incoming: &Incoming,
        role: &str,
    ) -> Result<std::result::Result<Message, &'static str>> {
        let file = &incoming.payload;
        if let Err(why) = check_file(role, file) {
            return Ok(Err(why));
        }
        let sha256 = self.album.keep(file)?;
        Ok(Ok(Message::Picture { topic: incoming.topic.clone(), sha256 }))
    }

    /// Takes in an event that is new.
    fn event(&self, tx: &mut Tx<'_>, event: &Event, now: Millis) -> rusqlite::Result<()> {
        let data = &event.event.data;
        let what = match event.event.event_type {
            EventType::Opened => "opened",
            EventType::Updated => "updated",
            EventType::Cleared => "cleared",
        };
        let id = match store::cases::of_box(tx, &event.source, &data.case_id)? {
            Some(row) => {
                self.renew(tx, &row, event, what, now)?;
                row.id
            }
            None => self.first_heard(tx, event, what, now)?,
        };
        for named in data.evidence.iter().take(MAX_PICTURES) {
            // One that a store has can be asked for over MQTT too, and then comes there.
            let topic = evidence_topic(&event.source, data, named.role);
            let url = Some(named.uri.as_str()).filter(|uri| !uri.starts_with("mqtt:"));
            let marks = marks(named, data).and_then(|marks| serde_json::to_string(&marks).ok());
            let (picture, is_here) = tx.add_picture(
                id,
                &NewPicture {
                    role: named.role.as_str(),
                    sha256: &named.sha256,
                    media: named.role.media(),
                    topic: Some(&topic),
                    url,
                    not_before: url.filter(|url| self.may_fetch(url)).map(|_| now),
                    marks: marks.as_deref(),
                    width: named.width,
                    height: named.height,
                    is_here: false,
                    at: now,
                },
            )?;
            if is_here {
                self.picture_is_here(tx, id, picture, named.role.as_str())?;
            }
        }
        Ok(())
    }

    /// Takes in that there is a clip of a case. One of a case that the desk does not know is none of its own.
    fn clip(&self, tx: &mut Tx<'_>, told: &ToldClip, now: Millis) -> rusqlite::Result<()> {
        let Some(row) = store::cases::of_box(tx, &told.source, &told.case_id)? else { return Ok(()) };
        let role = Role::Clip.as_str();
        if store::pictures(tx, row.id)?.iter().filter(|picture| picture.role == role).count() >= MAX_CLIPS {
            return Ok(());
        }
        let url = Some(told.clip.uri.as_str()).filter(|uri| !uri.starts_with("mqtt:"));
        let (picture, is_here) = tx.add_picture(
            row.id,
            &NewPicture {
                role,
                sha256: &told.clip.sha256,
                media: Role::Clip.media(),
                topic: Some(&told.topic),
                url,
                not_before: url.filter(|url| self.may_fetch(url)).map(|_| now),
                marks: None,
                width: told.clip.width,
                height: told.clip.height,
                is_here: false,
                at: now,
            },
        )?;
        if is_here {
            self.picture_is_here(tx, row.id, picture, role)?;
        } else if url.is_some() {
            self.fetches.notify_one();
        }
        Ok(())
    }

    /// A case that the desk has not heard of.
    fn first_heard(&self, tx: &mut Tx<'_>, event: &Event, what: &str, now: Millis) -> rusqlite::Result<i64> {
        let data = &event.event.data;
        let class = self.plan.class_of(&data.kind);
        let is_cleared = event.event.event_type == EventType::Cleared;
        let day = day_of(now, &self.plan.zone).replace('-', "");
        let spot = format!("{}/{}/{}", event.source, data.place.camera, data.place.zone);
        let id = tx.add_case(&NewCase {
            origin: Origin::Camera,
            source: Some(&event.source),
            case_id: Some(&data.case_id),
            kind: &data.kind,
            name_zh: &data.name,
            name_en: &data.name_en,
            code: data.standard.code.as_deref(),
            grid: &data.grid.id,
            place: &data.place.text,
            camera: Some(&data.place.camera),
            zone: Some(&data.place.zone),
            spot: Some(&spot),
            position: data.place.position.map(|p| (p.lon, p.lat, p.accuracy_m)),
            description: "",
            class: &class.id,
            // What has cleared before anybody has looked calls for nobody's walk.
            severity: if is_cleared { 0 } else { severity(&event.event.severitytext) },
            state: State::Candidate,
            observed_at: event.seen.first_seen,
            received_at: now,
            respond_due_at: now + class.respond_ms,
            due_at: now + class.dispose_ms,
            recurrence: data.recurrence.as_ref().map(|note| note.count_7d),
            reporter: None,
            contact: None,
            day: &day,
        })?;
        let change = Change {
            seen: Some((note(&event.seen), event.sequence)),
            camera_cleared: is_cleared.then_some(true),
            ..Change::default()
        };
        tx.change(id, &change, what)?;
        let mut entry = by_desk("opened", &data.place.text, now);
        entry.to = Some(State::Candidate);
        tx.note(id, &entry)?;
        if is_cleared {
            tx.note(id, &by_desk("cleared", "", now))?;
        } else if event.event.severitytext == "ERROR"
            && let Some(row) = store::cases::by_id(tx, id)?
        {
            let to = Audience::Grid(row.grid.clone());
            self.tell(tx, &Notice::case(to, &row, "新案件待核实", "A case to review"), now)?;
        }
        Ok(id)
    }

    /// News of a case that the desk knows.
    fn renew(
        &self,
        tx: &mut Tx<'_>,
        row: &Row,
        event: &Event,
        what: &str,
        now: Millis,
    ) -> rusqlite::Result<()> {
        // An older event that comes late has nothing to say but its pictures.
        if event.sequence <= row.sequence {
            return Ok(());
        }
        let is_cleared = event.event.event_type == EventType::Cleared;
        let change = Change {
            seen: Some((note(&event.seen), event.sequence)),
            recurrence: event.event.data.recurrence.as_ref().map(|note| note.count_7d),
            camera_cleared: is_cleared.then_some(true),
            still_seen: is_cleared.then_some(false),
            severity: (is_cleared && row.state == State::Candidate).then_some(0),
            ..Change::default()
        };
        tx.change(row.id, &change, what)?;
        tx.note(row.id, &by_desk(what, "", now))?;
        let is_after = row.disposed_at.is_some_and(|at| event.seen.last_seen > at + STILL_SEEN_AFTER);
        let is_done = matches!(row.state, State::Disposed | State::Verified | State::Closed);
        if !is_cleared && is_done && is_after && !row.still_seen {
            flag(tx, row, now, "处置后摄像头仍看到 The camera has seen it since")?;
        }
        Ok(())
    }

    /// A picture has come and is named. The overview is what lists show, or whatever came first; never a clip.
    pub(super) fn picture_is_here(
        &self,
        tx: &mut Tx<'_>,
        case: i64,
        picture: i64,
        role: &str,
    ) -> rusqlite::Result<()> {
        let has_thumb = store::cases::by_id(tx, case)?.is_some_and(|row| row.thumb.is_some());
        if role != Role::Clip.as_str() && (role == Role::Overview.as_str() || !has_thumb) {
            tx.set_thumb(case, picture)?;
        }
        tx.stir(case, "picture")
    }

    /// What a box says to a verdict.
    fn answer(&self, tx: &mut Tx<'_>, source: &str, answer: &Answer) -> rusqlite::Result<()> {
        let Some(id) = &answer.id else { return Ok(()) };
        let code = serde_json::to_value(answer.code).ok();
        let code = code.as_ref().and_then(|code| code.as_str()).unwrap_or_default();
        let is_done = answer.ok || answer.code == Code::Replayed;
        if !is_done && matches!(answer.code, Code::Busy | Code::Failed | Code::Unauthorized) {
            // Worth asking again, which the queue does; the last may be mended by whoever set up the key.
            tracing::warn!(source, code, "A box does not take a verdict now.");
            return Ok(());
        }
        let status = if is_done { "done" } else { "refused" };
        let detail = answer.until.as_deref().or(answer.reason.as_deref()).unwrap_or_default();
        let detail: String = detail.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        tx.verdict_answered(source, id, status, code, &detail)?;
        Ok(())
    }
}

/// The topic on which a box sends a picture.
fn evidence_topic(source: &str, data: &CaseData, role: Role) -> String {
    let (grid, kind, case) = (&data.grid.id, &data.kind, &data.case_id);
    format!("patrol/v1/{source}/case/{grid}/{kind}/evidence/{case}/{}", role.as_str())
}

/// What is to be marked on the picture that `named` names; nothing on one that shows a part of the view. The first view
/// shows another moment than the event's boxes are of.
fn marks(named: &EvidenceRef, data: &CaseData) -> Option<Marks> {
    let view_height = named.view_height.filter(|rows| (1..=named.height).contains(rows))?;
    let inside = |side: f64| side.clamp(0.0, 1.0);
    let is_outline = data.place.outline.len() <= MAX_CORNERS
        && data.place.outline.iter().flatten().all(|side| side.is_finite());
    let outline = if is_outline { data.place.outline.as_slice() } else { &[] };
    let boxes = data.objects.iter().take(MAX_OBJECTS).map(|object| object.bbox);
    let is_box = |sides: &[f64; 4]| sides.iter().all(|side| side.is_finite());
    Some(Marks {
        view_height,
        outline: outline.iter().map(|corner| corner.map(inside)).collect(),
        boxes: boxes
            .filter(|_| named.role != Role::First)
            .filter(is_box)
            .map(|sides| sides.map(inside))
            .collect(),
    })
}

fn note(seen: &SeenNote) -> String {
    // Its types rule out that it cannot be written.
    serde_json::to_string(seen).unwrap_or_default()
}

fn severity(text: &str) -> u8 {
    match text {
        "ERROR" => 2,
        "WARN" => 1,
        _ => 0,
    }
}

/// SHA-256 of `bytes` in hex, as events name it.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}
