//! The tables and how they came to be. `PRAGMA user_version` counts the migrations that a file has had.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use super::fault;
use crate::error::{Error, Kind, Result};

/// Counter of event numbers.
pub(super) const SEQUENCE: &str = "sequence";
/// Counter of connections to the broker.
pub(super) const SESSION: &str = "session";
/// Bytes that the rows of the queue take up; kept by triggers.
pub(super) const BYTES: &str = "bytes";
/// Events and pictures that were given up for want of room, ever.
pub(super) const LOST_EVENTS: &str = "lost_events";
pub(super) const LOST_PICTURES: &str = "lost_pictures";

/// Each entry takes a file from the version of its index to the next.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE core_state (camera TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
    -- AUTOINCREMENT: the id of a row that has left is not used again.
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        case_id TEXT NOT NULL,
        role TEXT,                  -- of a picture; NULL for an event
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        content_type TEXT NOT NULL,
        expiry_s INTEGER NOT NULL,
        properties TEXT NOT NULL    -- JSON list of [name, value]
    );
    CREATE INDEX outbox_events ON outbox (case_id, id) WHERE role IS NULL;
    CREATE TABLE cases (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        case_id TEXT NOT NULL UNIQUE,
        event TEXT NOT NULL         -- the latest, as published
    );
    CREATE TABLE pictures (
        file TEXT PRIMARY KEY,
        case_id TEXT NOT NULL REFERENCES cases (case_id) ON DELETE CASCADE,
        role TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX pictures_of_case ON pictures (case_id);
",
    "
    ALTER TABLE outbox ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;      -- lower leaves earlier
    ALTER TABLE outbox ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;  -- nanoseconds since 1970
    ALTER TABLE outbox ADD COLUMN size INTEGER NOT NULL DEFAULT 0;      -- bytes that the quota counts
    ALTER TABLE outbox ADD COLUMN set_aside TEXT;                       -- why it is no longer offered
    UPDATE outbox SET rank = (role IS NOT NULL), size = length(payload) + length(topic) + length(properties);
    -- Covers counting and choosing, so that neither reads payloads.
    CREATE INDEX outbox_order ON outbox (rank, id, case_id, set_aside, recorded, size);
    CREATE INDEX outbox_set_aside ON outbox (id) WHERE set_aside IS NOT NULL;
    INSERT INTO counter (name, value) SELECT 'bytes', coalesce(sum(size), 0) FROM outbox;
    CREATE TRIGGER outbox_grows AFTER INSERT ON outbox BEGIN
        UPDATE counter SET value = value + new.size WHERE name = 'bytes';
    END;
    CREATE TRIGGER outbox_shrinks AFTER DELETE ON outbox BEGIN
        UPDATE counter SET value = value - old.size WHERE name = 'bytes';
    END;
    ALTER TABLE cases ADD COLUMN resolved INTEGER NOT NULL DEFAULT 0;   -- its latest event is that it cleared
    UPDATE cases SET resolved = instr(event, '\"cn.patrol.case.cleared.v1\"') > 0;
",
    "
    -- Commands that were carried out and may still come again.
    CREATE TABLE command (id TEXT PRIMARY KEY, until INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX command_until ON command (until);
",
    "
    -- Cases that a reviewer has rejected: their pictures are kept for less long.
    CREATE TABLE rejected (case_id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
",
    "
    ALTER TABLE pictures ADD COLUMN note TEXT;      -- JSON: what is where in it
    -- What a reviewer said last of a listed case.
    CREATE TABLE verdict (
        case_id TEXT PRIMARY KEY REFERENCES cases (case_id) ON DELETE CASCADE,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL         -- nanoseconds since 1970
    ) WITHOUT ROWID;
",
];

/// Sets up the connection and brings the file to the newest version.
pub(super) fn prepare(path: &Path, db: &mut Connection) -> Result<()> {
    let version = settle(db).map_err(|e| fault(path, "open", e))?;
    let Some(missing) = MIGRATIONS.get(version..) else {
        let known = MIGRATIONS.len();
        return Err(Error::new(
            Kind::Disk,
            format!("the database {} has version {version}, expected at most {known}", path.display()),
        )
        .help("it was written by a newer gridpatrol: run that one, or set storage.dir to another folder"));
    };
    migrate(db, missing)
        // What was set aside is offered again: a new start may have come with a new broker or new rights.
        .and_then(|()| db.execute("UPDATE outbox SET set_aside = NULL WHERE set_aside IS NOT NULL", []))
        .map_err(|e| fault(path, "write", e))?;
    Ok(())
}

/// Durability and locking; returns the file's version.
fn settle(db: &Connection) -> rusqlite::Result<usize> {
    // Long enough for a predecessor that is just ending.
    db.busy_timeout(std::time::Duration::from_secs(1))?;
    // One process only: a second one would give its events the same numbers.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // Every commit reaches the disk before it returns (O1).
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.execute_batch(
        "CREATE TEMP TABLE held (row INTEGER PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL,
                                 times INTEGER NOT NULL, unheard INTEGER NOT NULL)",
    )?;
    db.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|version| version as usize)
}

/// The steps that take an empty file to `version`.
pub(super) fn steps_to(version: usize) -> &'static [&'static str] {
    MIGRATIONS.get(..version).unwrap_or(MIGRATIONS)
}

/// Takes the steps `missing` and notes the version that the file then has.
pub(super) fn migrate(db: &mut Connection, missing: &[&str]) -> rusqlite::Result<()> {
    // Taken even when there is nothing to do: it finds out now whether the file can be written.
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    for step in missing {
        tx.execute_batch(step)?;
    }
    let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    tx.pragma_update(None, "user_version", version + missing.len() as u32)?;
    tx.commit()
}

/// The value of a counter; 0 before its first use.
pub(super) fn counter(tx: &Connection, name: &str) -> rusqlite::Result<u64> {
    tx.prepare_cached("SELECT coalesce(max(value), 0) FROM counter WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
}

/// Sets a counter.
pub(super) fn set_counter(tx: &Transaction<'_>, name: &str, value: u64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO counter (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute(rusqlite::params![name, value])?;
    Ok(())
}
