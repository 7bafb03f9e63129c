//! The durable queue between the core and the broker. Whatever the core has decided is a row here before the
//! network hears of it, together with the core's own state and the number that the message carries.
//!
//! # Invariants
//! - **O1** A message is on disk (fsync) before it can be offered to the network. One transaction holds the
//!   camera's state, the sequence numbers and the rows: all of them are there or none
//!   (`o1_an_accepted_event_is_on_disk_before_it_can_be_offered`,
//!   `o1_state_numbers_and_rows_are_stored_together_or_not_at_all`).
//! - **O2** A row leaves only when [`Outbox::delivered`] says that the broker acknowledged it with success; one
//!   that was refused or that no subscriber took is held and offered again
//!   (`o2_a_held_row_is_offered_again`). A row that the broker refuses again and again for what it is, is set
//!   aside, counted and offered again when the program next starts (`o2_a_row_that_is_refused_for_what_it_is_is_set_aside_and_tried_again_after_a_restart`). One exception keeps a box from sending the same pictures for ever: a
//!   picture that nobody has taken for a day is given up and counted; its file stays in the evidence folder
//!   (`o2_a_picture_that_nobody_takes_for_a_day_is_given_up_and_an_event_is_not`).
//! - **O3** The events of a case leave in order: the next is not offered before the last has left. A picture
//!   waits for the event before it and holds up nothing. Ids, payloads and numbers are stored, so a restart
//!   changes none (`o3_the_events_of_a_case_leave_in_order`,
//!   `o3_numbers_and_messages_are_the_same_after_a_restart`).
//! - **O4** The queue takes up no more than its quota. What is given up for it follows the order of `outbox/room.rs`: pictures
//!   before events, those of cases that are over first; that a case stands is never given up. What was lost is
//!   counted for good (`o4_…` in the tests of `outbox/room.rs`).
//! - A damaged file is moved aside and what can still be read of it is taken over (`rescue`).
//!
//! What is held back, and until when, lives in memory: a restart is reason enough to offer everything again, and
//! an SD card need not be worn by it.
//!
//! The core writes from its own thread and the MQTT task reads from another. One mutex around the one
//! connection serves both: every call is a few short statements, and SQLite has a single writer anyhow.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::Notify;

use crate::case::CaseId;
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};

mod answers;
mod cases;
mod expiry;
mod message;
mod rescue;
mod room;
mod schema;
mod snapshot;

pub use cases::{CaseRecord, PictureRecord, ReviewedCase};
pub use message::{Matter, Message, Offer, RowId};
pub use rescue::Damage;
pub use room::Lost;
pub use snapshot::Snapshot;

/// Name of the database in the storage folder.
pub const FILE_NAME: &str = "gridpatrol.db";
/// Under this name the state of the whole box is stored; no camera can be called so.
pub const BOX: &str = "@box";
/// A picture that nobody has taken for so long is given up: as long as a broker would keep it.
const PICTURE_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// After so many refusals for what it is, a row is set aside: the broker means it.
const MOST_REFUSALS: u32 = 8;
/// Quota of an outbox that is given none, 1 GiB.
pub const DEFAULT_QUOTA: u64 = 1 << 30;

/// The durable queue.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    db: Mutex<Connection>,
    quota: u64,
    damage: Option<Damage>,
    opened: Instant,
    accepted: Notify,
}

/// Hands out the numbers of one transaction.
#[derive(Debug)]
pub struct Sequence {
    last: u64,
}

impl Sequence {
    /// The next number. It is used up only if the transaction succeeds.
    pub fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// How much waits, and what never will have left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events that have not left.
    pub events: u64,
    /// Pictures that have not left.
    pub pictures: u64,
    /// Of both, how many wait because nobody subscribes to their topic.
    pub unheard: u64,
    /// Of both, how many the broker refused for good; they are offered again when the program next starts.
    pub set_aside: u64,
    /// When the oldest of them was written down.
    pub oldest: Option<CaptureTime>,
    /// Bytes that they take up.
    pub bytes: u64,
    /// What was given up for want of room, ever.
    pub lost: Lost,
}

impl Backlog {
    /// Events and pictures.
    pub fn total(self) -> u64 {
        self.events + self.pictures
    }
}

/// Why a message did not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody subscribes to its topic.
    Unheard,
    /// The broker takes nothing of the kind, or not now: other rights, a full queue.
    NotNow,
    /// The broker will not have this message, for the reason given.
    Message(String),
}

/// What became of a message that did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What was done with it.
    pub fate: Fate,
    /// How often it has been held since the program started, this time included.
    pub times: u32,
}

/// What became of a message that did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It will be offered again.
    Waits,
    /// It stays on disk and will be offered again when the program next starts.
    SetAside,
    /// It is gone: a picture that nobody took for a day.
    GivenUp,
}

impl Outbox {
    /// Opens the database in the folder `storage`, making both if they are not there. A damaged file is moved aside,
    /// and what can still be read of it is taken over: see [`Outbox::damage`].
    ///
    /// # Errors
    /// [`Kind::Disk`] when the folder or the file cannot be made or written, is not a database of this
    /// program, or is in use by another process.
    pub fn open(storage: &Path) -> Result<Self> {
        std::fs::create_dir_all(storage).map_err(|e| {
            Error::disk(storage, "make the storage folder", e)
                .help("set storage.dir to a folder that this user can write to")
        })?;
        let path = storage.join(FILE_NAME);
        let damage = rescue::mend(&path)?;
        let mut db = Connection::open(&path).map_err(|e| fault(&path, "open", e))?;
        schema::prepare(&path, &mut db)?;
        Ok(Self::around(path, db, damage))
    }

    /// An outbox that is gone with the process, for a replay that keeps no state.
    ///
    /// # Errors
    /// [`Kind::Disk`] when SQLite cannot be started.
    pub fn in_memory() -> Result<Self> {
        let path = PathBuf::from(":memory:");
        let mut db = Connection::open_in_memory().map_err(|e| fault(&path, "open", e))?;
        schema::prepare(&path, &mut db)?;
        Ok(Self::around(path, db, None))
    }

    fn around(path: PathBuf, db: Connection, damage: Option<Damage>) -> Self {
        let (opened, accepted) = (Instant::now(), Notify::new());
        Self { path, db: Mutex::new(db), quota: DEFAULT_QUOTA, damage, opened, accepted }
    }

    /// The same, with room for `bytes` of messages.
    #[must_use]
    pub fn with_quota(mut self, bytes: u64) -> Self {
        self.quota = bytes;
        self
    }

    /// What had to be mended when the file was opened.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Stores what the core has decided, in one transaction that is on disk when this returns: the new state
    /// of `camera` (`None` leaves it as it is) and the messages that `make` builds with the numbers it is
    /// given. Returns those messages. With an error nothing is stored and no number is used up.
    ///
    /// # Errors
    /// That of `make`, or [`Kind::Disk`] when the database cannot be written.
    pub fn accept(
        &self,
        camera: &str,
        core_state: Option<&[u8]>,
        make: impl FnOnce(&mut Sequence) -> Result<Vec<Message>>,
    ) -> Result<Vec<Message>> {
        let state = core_state.map(|state| (camera, state));
        self.accept_with(state.as_slice(), make)
    }

    /// As [`Outbox::accept`] for several states at once, each of the camera that it is named with, or of the box
    /// ([`BOX`]).
    ///
    /// # Errors
    /// As [`Outbox::accept`].
    pub fn accept_with(
        &self,
        states: &[(&str, &[u8])],
        make: impl FnOnce(&mut Sequence) -> Result<Vec<Message>>,
    ) -> Result<Vec<Message>> {
        let (messages, lost) = self.write(|tx| {
            let mut sequence = Sequence { last: schema::counter(tx, schema::SEQUENCE)? };
            let messages = match make(&mut sequence) {
                Ok(messages) => messages,
                Err(e) => return Ok(Err(e)),
            };
            schema::set_counter(tx, schema::SEQUENCE, sequence.last)?;
            for (camera, state) in states {
                tx.prepare_cached(
                    "INSERT INTO core_state (camera, state) VALUES (?1, ?2)
                     ON CONFLICT (camera) DO UPDATE SET state = excluded.state",
                )?
                .execute(params![camera, state])?;
            }
            for message in &messages {
                message::insert(tx, message)?;
                cases::record(tx, message)?;
            }
            let lost = if messages.is_empty() { Lost::default() } else { room::make(tx, self.quota)? };
            Ok(Ok((messages, lost)))
        })?;
        if !lost.is_nothing() {
            tracing::error!(
                events = lost.events,
                pictures = lost.pictures,
                "The outbox is full: these were given up to make room for newer cases."
            );
        }
        if !messages.is_empty() {
            self.accepted.notify_one();
        }
        Ok(messages)
    }

    /// The state that `camera`, or the box ([`BOX`]), was last stored with.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn core_state(&self, camera: &str) -> Result<Option<Vec<u8>>> {
        self.read(|db| {
            db.prepare_cached("SELECT state FROM core_state WHERE camera = ?1")?
                .query_row([camera], |row| row.get(0))
                .optional()
        })
    }

    /// Up to `limit` messages that may be offered at `now`, oldest first (O3). A message that is under way is
    /// among them until it is settled: the caller knows which those are.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn due(&self, now: Instant, limit: usize) -> Result<Vec<Offer>> {
        let now = self.millis(now);
        self.read(|db| message::due(db, now, limit))
    }

    /// When, after `after`, the next of the held messages may be offered again; `None` when there is none.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn next_offer(&self, after: Instant) -> Result<Option<Instant>> {
        let after = self.millis(after);
        let until: Option<u64> = self.read(|db| {
            db.prepare_cached("SELECT min(until) FROM temp.held WHERE until > ?1")?
                .query_row([after], |row| row.get(0))
        })?;
        Ok(until.map(|millis| self.opened + Duration::from_millis(millis)))
    }

    /// The broker has acknowledged `rows` with success: they leave. Those that have left before are passed over.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written; the rows then stay and will be offered again.
    pub fn delivered(&self, rows: &[RowId]) -> Result<()> {
        self.write(|tx| {
            for row in rows {
                message::remove(tx, *row)?;
            }
            Ok(Ok(()))
        })
    }

    /// `row` did not leave, for the reason `why`. It is not offered again before `now` plus the wait that `wait`
    /// gives for (how often it was held before, whether it is a picture).
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn hold(
        &self,
        row: RowId,
        why: &Refusal,
        now: Instant,
        wait: impl FnOnce(u32, bool) -> Duration,
    ) -> Result<Held> {
        let now = self.millis(now);
        self.write(|tx| {
            let is_picture = message::is_picture(tx, row)?;
            let (since, before) = message::held(tx, row)?.unwrap_or((now, 0));
            let times = before + 1;
            let fate = match why {
                Refusal::Message(reason) if times >= MOST_REFUSALS => {
                    message::set_aside(tx, row, reason)?;
                    Fate::SetAside
                }
                _ if is_picture && now - since >= PICTURE_PATIENCE.as_millis() as i64 => {
                    message::remove(tx, row)?;
                    Fate::GivenUp
                }
                _ => {
                    let until = now.saturating_add(wait(before, is_picture).as_millis() as i64);
                    message::hold(tx, row, since, until, *why == Refusal::Unheard)?;
                    Fate::Waits
                }
            };
            Ok(Ok(Held { fate, times }))
        })
    }

    /// How much waits.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn backlog(&self) -> Result<Backlog> {
        self.read(|db| {
            let (total, pictures, oldest, set_aside) = db
                .prepare_cached(
                    "SELECT count(*), count(*) FILTER (WHERE rank = 1), min(recorded), count(set_aside)
                     FROM outbox INDEXED BY outbox_order",
                )?
                .query_row([], |row| {
                    Ok((
                        row.get::<_, u64>(0)?,
                        row.get::<_, u64>(1)?,
                        row.get::<_, Option<i64>>(2)?,
                        row.get(3)?,
                    ))
                })?;
            let unheard = db
                .prepare_cached("SELECT count(*) FROM temp.held WHERE unheard")?
                .query_row([], |row| row.get(0))?;
            Ok(Backlog {
                events: total - pictures,
                pictures,
                unheard,
                set_aside,
                oldest: oldest.map(CaptureTime::from_nanos),
                bytes: schema::counter(db, schema::BYTES)?,
                lost: Lost {
                    events: schema::counter(db, schema::LOST_EVENTS)?,
                    pictures: schema::counter(db, schema::LOST_PICTURES)?,
                },
            })
        })
    }

    /// A number for a new connection, higher than any before, over restarts too.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn next_session(&self) -> Result<u64> {
        self.write(|tx| {
            let next = schema::counter(tx, schema::SESSION)? + 1;
            schema::set_counter(tx, schema::SESSION, next)?;
            Ok(Ok(next))
        })
    }

    /// What was answered to the command `id`; `None` when it was not carried out.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn answer(&self, id: &str) -> Result<Option<String>> {
        self.read(|db| answers::find(db, id))
    }

    /// Whether another command can be remembered at `now`; if not, none may be carried out.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn takes_commands(&self, now: CaptureTime) -> Result<bool> {
        self.read(|db| answers::has_room(db, now.nanos()))
    }

    /// Notes at `now` what was answered to the command `id`, which is good until `until`.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn answered(&self, id: &str, until: CaptureTime, now: CaptureTime, answer: &str) -> Result<()> {
        self.write(|tx| Ok(Ok(answers::note(tx, id, until.nanos(), now.nanos(), answer)?)))
    }

    /// The latest event of `case` as it was published; `None` when the case is not listed (any more).
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn event_of(&self, case: &CaseId) -> Result<Option<String>> {
        self.read(|db| cases::event(db, case))
    }

    /// A reviewer has rejected `case` at `at`, or (`is_rejected` is false) said something else of it.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn reviewed(&self, case: &CaseId, is_rejected: bool, at: CaptureTime) -> Result<()> {
        self.write(|tx| {
            if is_rejected { expiry::reject(tx, case, at.nanos()) } else { expiry::accept(tx, case) }.map(Ok)
        })
    }

    /// Keeps what a reviewer said of `case` at `at` with it, for those who learn from it elsewhere.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn judged(&self, case: &CaseId, verdict: &str, reason: &str, at: CaptureTime) -> Result<()> {
        self.write(|tx| cases::judge(tx, case, (verdict, reason), at.nanos()).map(Ok))
    }

    /// The listed cases that a reviewer has said something of, oldest first.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn reviewed_cases(&self) -> Result<Vec<ReviewedCase>> {
        self.read(cases::reviewed)
    }

    /// The cases that a reviewer has rejected and that may still have pictures.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn rejected(&self) -> Result<HashSet<CaseId>> {
        self.read(expiry::rejected)
    }

    /// Takes out pictures that wait for the broker since before `before`, of rejected cases since before
    /// `rejected_before`. Returns how many.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn expire_pictures(&self, before: CaptureTime, rejected_before: CaptureTime) -> Result<u64> {
        self.write(|tx| expiry::pictures(tx, before.nanos(), rejected_before.nanos()).map(Ok))
    }

    /// Lists those pictures no more whose file `is_there` does not find. Returns how many.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be written.
    pub fn forget_missing_pictures(&self, is_there: impl Fn(&str) -> bool) -> Result<u64> {
        self.write(|tx| expiry::forget_missing(tx, is_there).map(Ok))
    }

    /// Resolves when messages were accepted since it last resolved.
    pub async fn accepted(&self) {
        self.accepted.notified().await;
    }

    /// The latest `limit` cases, newest first.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn cases(&self, limit: usize) -> Result<Vec<CaseRecord>> {
        self.read(|db| cases::latest(db, limit))
    }

    /// Whether `file` is the name of a picture of a case that is listed.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read.
    pub fn lists_picture(&self, file: &str) -> Result<bool> {
        self.read(|db| cases::lists_picture(db, file))
    }

    /// Milliseconds since the outbox was opened; monotonic, so a step of the wall clock holds nothing back.
    fn millis(&self, at: Instant) -> i64 {
        at.saturating_duration_since(self.opened).as_millis() as i64
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        // A panic elsewhere leaves no half-done work behind: the transaction it was in rolls back.
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        query(&db).map_err(|e| fault(&self.path, "read", e))
    }

    /// Runs `work` in a transaction, which is on disk when this returns and rolled back with any error.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<T>>) -> Result<T> {
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = || {
            let tx = db.transaction()?;
            let done = work(&tx)?;
            if done.is_ok() {
                tx.commit()?;
            }
            Ok(done)
        };
        attempt().map_err(|e| fault(&self.path, "write", e))?
    }
}

/// A database error with what to do about it.
fn fault(path: &Path, doing: &str, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let help = match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has it open: stop the other gridpatrol, or give this one its own storage.dir"
        }
        Some(ErrorCode::DiskFull) => "the disk is full: free some space; nothing that was stored is lost",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "move the file away to start with a new one; cases that had not been delivered are in the old one"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "make the file and its folder writable for this user, or set storage.dir to another folder"
        }
        _ => "check the disk that storage.dir is on",
    };
    Error::new(Kind::Disk, format!("cannot {doing} the database {}", path.display()))
        .help(help)
        .caused_by(source)
}

#[cfg(test)]
mod tests;
