//! The tables and how they came to be. `PRAGMA user_version` counts the migrations that a file has had. Times are
//! milliseconds since 1970, UTC.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault;
use crate::error::{Error, Kind, Result};

/// Each entry takes a file from the version of its index to the next.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    -- AUTOINCREMENT here and below: an id that was used is not used again.
    CREATE TABLE account (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        login TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        department TEXT,
        password TEXT NOT NULL,          -- PHC string of Argon2id
        is_active INTEGER NOT NULL DEFAULT 1,
        must_change INTEGER NOT NULL DEFAULT 0,
        created INTEGER NOT NULL
    );
    CREATE TABLE account_grid (
        account INTEGER NOT NULL REFERENCES account (id),
        grid TEXT NOT NULL,
        PRIMARY KEY (account, grid)
    ) WITHOUT ROWID;
    CREATE TABLE session (
        token BLOB PRIMARY KEY,          -- SHA-256 of what the browser holds
        account INTEGER NOT NULL REFERENCES account (id),
        csrf TEXT NOT NULL,
        created INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX session_account ON session (account);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        account INTEGER,
        login TEXT NOT NULL,
        address TEXT NOT NULL,
        what TEXT NOT NULL,
        subject TEXT NOT NULL
    );

    CREATE TABLE cases (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL DEFAULT 1,
        origin TEXT NOT NULL,
        source TEXT,                     -- {street}/{box} of a camera's case
        case_id TEXT,                    -- the box's id of it
        kind TEXT NOT NULL,
        name_zh TEXT NOT NULL,
        name_en TEXT NOT NULL,
        code TEXT,
        grid TEXT NOT NULL,
        place TEXT NOT NULL,
        camera TEXT,
        zone TEXT,
        spot TEXT,                       -- {source}/{camera}/{zone}: where cases repeat
        lon REAL, lat REAL, accuracy_m REAL,
        description TEXT NOT NULL DEFAULT '',
        seen TEXT,                       -- JSON of what the camera saw last
        sequence INTEGER NOT NULL DEFAULT 0,
        class TEXT NOT NULL,
        severity INTEGER NOT NULL,
        state TEXT NOT NULL,
        is_open INTEGER NOT NULL DEFAULT 1,
        observed_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        respond_due_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        responded_at INTEGER,
        accepted_at INTEGER,
        disposed_at INTEGER,
        first_disposed_at INTEGER,
        disposed_by INTEGER,
        ended_at INTEGER,
        verdict TEXT,                    -- what the reviewer said of a camera's case
        still_seen INTEGER NOT NULL DEFAULT 0,
        camera_cleared INTEGER NOT NULL DEFAULT 0,
        reopened INTEGER NOT NULL DEFAULT 0,
        recurrence INTEGER,
        department TEXT,
        merged_into INTEGER REFERENCES cases (id),
        reporter INTEGER,                -- account of a patrol or telephone report
        contact TEXT,
        reminded INTEGER NOT NULL DEFAULT 0,
        thumb INTEGER,
        UNIQUE (source, case_id)
    );
    -- The orders in which cases are shown, so that a list reads what it shows and no more.
    CREATE INDEX cases_of_grid ON cases (grid, state, severity DESC, received_at DESC, id DESC);
    CREATE INDEX cases_of_street ON cases (state, severity DESC, received_at DESC, id DESC);
    CREATE INDEX cases_due ON cases (due_at) WHERE is_open = 1;
    CREATE INDEX cases_at_spot ON cases (spot, kind, received_at DESC) WHERE spot IS NOT NULL;
    CREATE INDEX cases_ended ON cases (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE case_department (
        department TEXT NOT NULL,
        case_ INTEGER NOT NULL REFERENCES cases (id),
        PRIMARY KEY (department, case_)
    ) WITHOUT ROWID;
    CREATE INDEX department_of_case ON case_department (case_);

    CREATE TABLE timeline (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        case_ INTEGER NOT NULL REFERENCES cases (id),
        at INTEGER NOT NULL,
        account INTEGER,
        role TEXT NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        before TEXT,
        after TEXT,
        note TEXT NOT NULL
    );
    CREATE INDEX timeline_of_case ON timeline (case_, id);
    CREATE TRIGGER timeline_is_not_changed BEFORE UPDATE ON timeline BEGIN
        SELECT raise(ABORT, 'the timeline is only added to');
    END;
    CREATE TRIGGER timeline_is_not_shortened BEFORE DELETE ON timeline BEGIN
        SELECT raise(ABORT, 'the timeline is only added to');
    END;

    -- Messages that were taken in, by what makes them unique.
    CREATE TABLE event (
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (source, id)
    ) WITHOUT ROWID;
    CREATE INDEX event_at ON event (at);
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE picture (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        case_ INTEGER NOT NULL REFERENCES cases (id),
        role TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        topic TEXT,                      -- on which a camera's picture comes
        media TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        is_here INTEGER NOT NULL,
        at INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX picture_of_case ON picture (case_, role, sha256);
    CREATE INDEX picture_topic ON picture (topic) WHERE is_here = 0;
    CREATE INDEX picture_file ON picture (sha256);
    -- Pictures that came before the event that names them.
    CREATE TABLE early_picture (
        topic TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (topic, sha256)
    ) WITHOUT ROWID;

    CREATE TABLE verdict (
        id TEXT PRIMARY KEY,
        case_ INTEGER NOT NULL REFERENCES cases (id),
        source TEXT NOT NULL,
        case_id TEXT NOT NULL,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        role TEXT NOT NULL,
        at INTEGER NOT NULL,
        not_before INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL,            -- waiting, sent, done, refused, expired
        code TEXT,
        detail TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX verdict_due ON verdict (not_before) WHERE status IN ('waiting', 'sent');
    CREATE INDEX verdict_of_case ON verdict (case_, at);

    CREATE TABLE box (
        source TEXT PRIMARY KEY,         -- {street}/{box}
        state TEXT NOT NULL,
        at INTEGER NOT NULL,
        status TEXT NOT NULL             -- the box's own JSON
    ) WITHOUT ROWID;

    CREATE TABLE followup (
        case_ INTEGER PRIMARY KEY REFERENCES cases (id),
        round INTEGER NOT NULL,          -- rises when the case is closed again
        asked_at INTEGER NOT NULL,
        until INTEGER NOT NULL,
        answered_at INTEGER,
        solved INTEGER,
        satisfaction INTEGER,
        comment TEXT NOT NULL DEFAULT ''
    );

    CREATE TABLE grid_token (grid TEXT PRIMARY KEY, round INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE notice (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        channel TEXT NOT NULL,           -- file, webhook
        body TEXT NOT NULL,              -- JSON
        not_before INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL             -- waiting, sent, given_up
    );
    CREATE INDEX notice_due ON notice (not_before) WHERE status = 'waiting';
",
    "
    -- Pictures that a store has, and what is marked on one.
    ALTER TABLE picture ADD COLUMN url TEXT;
    ALTER TABLE picture ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE picture ADD COLUMN not_before INTEGER;   -- when it is asked for next; NULL for never
    ALTER TABLE picture ADD COLUMN marks TEXT;           -- JSON
    CREATE INDEX picture_due ON picture (not_before) WHERE not_before IS NOT NULL;
    CREATE INDEX picture_lost ON picture (id) WHERE is_here = 0 AND url IS NOT NULL AND not_before IS NULL;
",
];

/// Sets up the writing connection and brings the file to the newest version.
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
    migrate(db, missing).map_err(|e| fault(path, "write", e))
}

fn settle(db: &Connection) -> rusqlite::Result<usize> {
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A message is acknowledged to the broker after its commit, so that must be on disk.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -65_536)?;
    db.set_prepared_statement_cache_capacity(128);
    db.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|version| version as usize)
}

fn migrate(db: &mut Connection, missing: &[&str]) -> rusqlite::Result<()> {
    // Taken even when there is nothing to do: it finds out now whether the file can be written.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in missing {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    tx.commit()
}

/// A connection that reads beside the writer.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -32_768)?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(db)
}
