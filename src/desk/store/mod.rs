//! The desk's SQLite database: the only place with SQL in it. One connection writes, behind a mutex; a few read beside
//! it (WAL).
//!
//! # Invariants
//! - What a function has written is on disk when it returns (`synchronous = FULL`).
//! - A case, its timeline and what follows from a step (verdict, notice, follow-up) change in one transaction.
//! - The timeline is added to and never changed: triggers refuse anything else
//!   (`the_timeline_cannot_be_rewritten`).
//! - What the rates are made of ([`super::rates::Facts`]) is kept in memory and is always what the rows say
//!   (`facts_in_memory_are_those_of_the_rows`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::rates::Facts;
use crate::error::{Error, Kind, Result};

mod boxes;
pub(super) mod cases;
mod changes;
mod facts;
pub(super) mod list;
mod notices;
pub(super) mod people;
mod pictures;
mod schema;

pub(super) use boxes::{
    BoxRow, DueVerdict, NewVerdict, boxes, counter, has_due_verdicts, verdict, verdicts_waiting,
};
pub(super) use cases::{Change, NewCase, NewEntry, Row};
pub(super) use changes::{Changes, Since};
pub(super) use list::Cursor;
pub(super) use notices::{
    DueNotice, FollowupRow, disposed_before, due_cases, due_notices, followup, link_round, not_cleared,
    notices_waiting,
};
pub(super) use people::AccountRow;
pub(super) use pictures::{
    DuePicture, NewPicture, due_pictures, is_needed, lost_pictures, missing, picture, pictures,
};

/// Name of the database in the storage folder.
const FILE_NAME: &str = "desk.db";
/// Connections that read.
const READERS: usize = 4;
/// The database.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
    facts: RwLock<Facts>,
    changes: Changes,
}

/// A transaction that writes.
pub(super) struct Tx<'a> {
    tx: Transaction<'a>,
    /// Cases that it has changed, and what happened to them.
    touched: Vec<(i64, String)>,
}

impl std::ops::Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.tx
    }
}

impl Tx<'_> {
    /// Notes that `case` has changed.
    fn touch(&mut self, case: i64, what: &str) {
        self.touched.push((case, what.to_owned()));
    }
}

/// An error of SQLite on its way through a closure that may also refuse.
#[derive(Debug)]
pub(super) enum Trouble<E> {
    /// The database's.
    Sql(rusqlite::Error),
    /// The caller's.
    Other(E),
}

impl<E> From<rusqlite::Error> for Trouble<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<super::Denied> for Trouble<super::Denied> {
    fn from(denied: super::Denied) -> Self {
        Self::Other(denied)
    }
}

impl From<super::life::Refusal> for Trouble<super::Denied> {
    fn from(refusal: super::life::Refusal) -> Self {
        Self::Other(refusal.into())
    }
}

impl Store {
    /// Opens the database in `folder`, making both if they are not there.
    ///
    /// # Errors
    /// [`Kind::Disk`] when they cannot be made, read or written.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        make_private(folder)?;
        let path = folder.join(FILE_NAME);
        let mut writer = Connection::open(&path).map_err(|e| fault(&path, "open", e))?;
        schema::prepare(&path, &mut writer)?;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(Mutex::new(schema::reader(&path).map_err(|e| fault(&path, "open", e))?));
        }
        let facts = facts::load(&writer).map_err(|e| fault(&path, "read", e))?;
        Ok(Self {
            path,
            writer: Mutex::new(writer),
            readers,
            turn: AtomicUsize::new(0),
            facts: RwLock::new(facts),
            // No clock goes back further than a desk makes a thousand changes a millisecond.
            changes: Changes::new(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0) * 1000),
        })
    }

    /// Reads.
    pub(super) fn read<T>(&self, call: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let free = (0..READERS).find_map(|n| self.readers[(turn.wrapping_add(n)) % READERS].try_lock().ok());
        let db = free.unwrap_or_else(|| lock(&self.readers[turn % READERS]));
        call(&db).map_err(|e| fault(&self.path, "read", e))
    }

    /// Writes in one transaction, which is on disk when this returns. An error of `call` undoes all of it.
    pub(super) fn write<T, E: From<Error>>(
        &self,
        call: impl FnOnce(&mut Tx<'_>) -> std::result::Result<T, Trouble<E>>,
    ) -> std::result::Result<T, E> {
        let sql = |e| E::from(fault(&self.path, "write", e));
        let mut db = lock(&self.writer);
        let (out, touched) = {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
            let mut tx = Tx { tx, touched: Vec::new() };
            let out = call(&mut tx).map_err(|trouble| match trouble {
                Trouble::Sql(e) => sql(e),
                Trouble::Other(e) => e,
            })?;
            let Tx { tx, touched } = tx;
            tx.commit().map_err(sql)?;
            (out, touched)
        };
        // Still under the writer's lock, so that facts and changes come in the order of the commits.
        self.follow(&db, touched).map_err(sql)?;
        Ok(out)
    }

    /// As [`Store::write`], for what cannot be refused.
    pub(super) fn put<T>(&self, call: impl FnOnce(&mut Tx<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.write(|tx| call(tx).map_err(Trouble::Sql))
    }

    /// Brings what is in memory to what was written, and tells live pages.
    fn follow(&self, db: &Connection, touched: Vec<(i64, String)>) -> rusqlite::Result<()> {
        if touched.is_empty() {
            return Ok(());
        }
        let mut news = Vec::with_capacity(touched.len());
        {
            let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
            for (id, what) in touched {
                facts::refresh(db, &mut facts, id)?;
                if let Some(changed) = cases::changed(db, id, what)? {
                    news.push(changed);
                }
            }
        }
        news.into_iter().for_each(|changed| self.changes.tell(changed));
        Ok(())
    }

    /// What the rates are made of.
    pub(super) fn facts(&self) -> RwLockReadGuard<'_, Facts> {
        self.facts.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to cases.
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The value called `name`, made by `make` if there is none.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the database cannot be read or written.
    pub(super) fn meta_or(&self, name: &str, make: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>> {
        self.put(|tx| {
            tx.execute("INSERT OR IGNORE INTO meta (name, value) VALUES (?1, ?2)", (name, make()))?;
            tx.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes `folder`, readable by this user only.
pub(super) fn make_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::disk(folder, "make the storage folder", e)
            .help("set storage.dir to a folder that this user can write to")
    })
}

fn fault(path: &Path, doing: &str, source: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let help = match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds it: stop the other desk, or give this one its own storage.dir"
        }
        Some(ErrorCode::DiskFull) => "the disk is full: free some space; nothing that was stored is lost",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "put a copy back, or move the file away to start with a new one"
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
