//! The desk's SQLite database: the only place with SQL in it. One connection writes, behind a mutex; a few read beside
//! it (WAL).
//!
//! # Invariants
//! - What a function has written is on disk when it returns (`synchronous = FULL`).
//! - A case, its timeline and what follows from a step (verdict, notice, follow-up) change in one transaction.
//! - The timeline is added to and never changed: triggers refuse anything else
//!   (`the_timeline_cannot_be_rewritten`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Error, Kind, Result};

mod schema;

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
        Ok(Self { path, writer: Mutex::new(writer), readers, turn: AtomicUsize::new(0) })
    }

    /// Reads.
    pub(super) fn read<T>(&self, call: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let free = (0..READERS).find_map(|n| self.readers[(turn + n) % READERS].try_lock().ok());
        let db = free.unwrap_or_else(|| lock(&self.readers[turn % READERS]));
        call(&db).map_err(|e| fault(&self.path, "read", e))
    }

    /// Writes in one transaction, which is on disk when this returns. An error of `call` undoes all of it.
    pub(super) fn write<T, E: From<Error>>(
        &self,
        call: impl FnOnce(&Transaction<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut db = lock(&self.writer);
        let tx = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| self.fault("write", e))?;
        let out = call(&tx)?;
        tx.commit().map_err(|e| self.fault("write", e))?;
        Ok(out)
    }

    /// An error of the database.
    pub(super) fn fault(&self, doing: &str, source: rusqlite::Error) -> Error {
        fault(&self.path, doing, source)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes `folder`, readable by this user only.
fn make_private(folder: &Path) -> Result<()> {
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
