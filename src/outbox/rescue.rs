//! A damaged database: a card that wore out, a page that a power cut left half written. The box must go on without
//! a person, so the file is moved aside and what can still be read of it is taken over into a new one.
//!
//! # Invariants
//! - Nothing is deleted: the damaged file stays beside the new one under another name
//!   (`a_damaged_file_is_set_aside_and_what_can_be_read_of_it_goes_on`).
//! - Numbers that were given out are not given out again, even if the counter cannot be read.
//! - A file that is no database at all is not touched: it may be something that a person needs.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{fault, schema};
use crate::error::{Error, Result};

/// What is added to a number of which it is not sure that it is the last one given out.
const SKIP: i64 = 10_000;
/// Tables that are taken over, in the order that their references ask for, with their key and the version of the file
/// in which they came.
const TABLES: [(&str, &str, usize); 8] = [
    ("counter", "name", 1),
    ("core_state", "camera", 1),
    ("outbox", "id", 1),
    ("cases", "number", 1),
    ("pictures", "file", 1),
    ("command", "id", 3),
    ("rejected", "case_id", 4),
    ("verdict", "case_id", 5),
];

/// What had to be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the damaged file is now.
    pub moved_to: PathBuf,
    /// What SQLite said of it.
    pub what: String,
    /// Messages that were taken over from it.
    pub messages: u64,
    /// Cameras whose state was taken over.
    pub cameras: u64,
    /// Whether a table ended in a fault, so that more may have been in it.
    pub incomplete: bool,
}

/// Looks whether the file at `path` is sound, and mends it if it is not. `None` when there was nothing to mend.
pub(super) fn mend(path: &Path) -> Result<Option<Damage>> {
    if !path.exists() {
        return Ok(None);
    }
    let Some(what) = check(path)? else { return Ok(None) };
    let moved_to = free_name(path);
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&moved_to, suffix));
        match std::fs::rename(&from, &to) {
            Err(e) if suffix.is_empty() || e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::disk(&from, "move the damaged database aside", e));
            }
            _ => {}
        }
    }
    let damage = take_over(&moved_to, path, what).map_err(|e| fault(path, "mend", e))?;
    tracing::error!(
        moved_to = %damage.moved_to.display(),
        what = damage.what,
        messages = damage.messages,
        cameras = damage.cameras,
        incomplete = damage.incomplete,
        "The database was damaged. What could be read of it goes on in a new one."
    );
    Ok(Some(damage))
}

/// What is wrong with the file; `None` when it is sound, or not one that can be judged: opening it will say.
fn check(path: &Path) -> Result<Option<String>> {
    let look = || -> rusqlite::Result<String> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.busy_timeout(std::time::Duration::from_secs(1))?;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
    };
    match look() {
        Ok(verdict) if verdict == "ok" => Ok(None),
        Ok(verdict) => Ok(Some(verdict)),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(Some(e.to_string())),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(None),
        Err(e) => Err(fault(path, "open", e)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A name beside `path` that no file has.
fn free_name(path: &Path) -> PathBuf {
    let names = (1_u32..).map(|n| with_suffix(path, &format!(".damaged-{n}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| with_suffix(path, ".damaged"))
}

/// Makes a new database at `to` with what can be read of the one at `from`.
fn take_over(from: &Path, to: &Path, what: String) -> rusqlite::Result<Damage> {
    let old = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut new = Connection::open(to)?;
    let version: usize =
        old.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).unwrap_or(0) as usize;
    // A file whose version cannot be read is most likely one of ours of today.
    let steps = if version == 0 { schema::steps_to(usize::MAX) } else { schema::steps_to(version) };
    schema::migrate(&mut new, steps)?;
    let mut damage = Damage { moved_to: from.to_owned(), what, messages: 0, cameras: 0, incomplete: false };
    for (table, key, _) in TABLES.into_iter().filter(|(.., since)| *since <= steps.len()) {
        let (rows, whole) = copy(&old, &mut new, table, key)?;
        damage.incomplete |= !whole;
        match table {
            "outbox" => damage.messages = rows,
            "core_state" => damage.cameras = rows,
            _ => {}
        }
    }
    // The numbers of events stand in what was read of them, should the counter be gone or old.
    new.execute_batch(&format!(
        "INSERT OR IGNORE INTO counter (name, value) VALUES ('sequence', 0), ('session', 0);
         UPDATE counter SET value = {SKIP} + max(value, coalesce((
             SELECT max(CAST(json_extract(event, '$.sequence') AS INTEGER)) FROM cases WHERE json_valid(event)), 0))
         WHERE name = 'sequence';
         UPDATE counter SET value = value + {SKIP} WHERE name = 'session';
         UPDATE sqlite_sequence SET seq = seq + {SKIP};"
    ))?;
    if steps.len() >= 2 {
        // The triggers have counted rows on top of what the old counter says.
        new.execute_batch(
            "UPDATE counter SET value = (SELECT coalesce(sum(size), 0) FROM outbox) WHERE name = 'bytes'",
        )?;
    }
    Ok(damage)
}

/// Copies the rows of `table` that can be read, from both ends of its key: a damaged page stops a walk, and what lies
/// behind it is reached from the other side. Returns how many, and whether no walk was stopped.
fn copy(old: &Connection, new: &mut Connection, table: &str, key: &str) -> rusqlite::Result<(u64, bool)> {
    let (mut copied, mut whole) = (0, true);
    let tx = new.transaction()?;
    for direction in ["ASC", "DESC"] {
        let walked =
            walk(old, &format!("SELECT * FROM {table} NOT INDEXED ORDER BY {key} {direction}"), |row| {
                let places: Vec<String> = (1..=row.len()).map(|n| format!("?{n}")).collect();
                // A row that the new file will not have, such as a picture of a case that is gone, is left out.
                let put = format!("INSERT OR IGNORE INTO {table} VALUES ({})", places.join(", "));
                copied += tx.execute(&put, params_from_iter(row)).unwrap_or(0) as u64;
            });
        if walked.is_ok() {
            break;
        }
        whole = false;
    }
    tx.commit()?;
    Ok((copied, whole))
}

/// Calls `take` with each row of `query` until its end or a fault.
fn walk(db: &Connection, query: &str, mut take: impl FnMut(Vec<Value>)) -> rusqlite::Result<()> {
    let mut statement = db.prepare(query)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: rusqlite::Result<Vec<Value>> = (0..columns).map(|at| row.get(at)).collect();
        if let Ok(values) = values {
            take(values);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{Seek as _, SeekFrom, Write as _};
    use std::time::Instant;

    use super::super::{FILE_NAME, Matter, Message, Outbox};
    use crate::case::CaseId;
    use crate::clock::CaptureTime;

    fn opened(n: u32) -> Message {
        Message {
            case: CaseId::derive(&[&n.to_be_bytes()]),
            matter: Matter::Opened,
            recorded: CaptureTime::from_nanos(i64::from(n)),
            topic: format!("case-{n}"),
            payload: vec![b'.'; 900],
            content_type: String::new(),
            expiry_s: 60,
            properties: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn topics(outbox: &Outbox) -> BTreeSet<String> {
        outbox.due(Instant::now(), 1000).unwrap().into_iter().map(|offer| offer.topic).collect()
    }

    /// Overwrites `pages` of the file, counted from its end.
    fn damage(path: &std::path::Path, pages: &[u64]) {
        let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len();
        for page in pages {
            file.seek(SeekFrom::Start(length - page * 4096)).unwrap();
            file.write_all(&[0xa5; 4096]).unwrap();
        }
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_what_can_be_read_of_it_goes_on() {
        for pages in [vec![1], vec![1, 2, 3], vec![40], vec![20, 60]] {
            let folder = tempfile::tempdir().unwrap();
            let outbox = Outbox::open(folder.path()).unwrap();
            for n in 0..200 {
                let made = outbox.accept("cam", Some(b"state"), |numbers| {
                    numbers.next_number();
                    Ok(vec![opened(n)])
                });
                made.unwrap();
            }
            drop(outbox);
            let path = folder.path().join(FILE_NAME);
            damage(&path, &pages);
            let before = std::fs::metadata(&path).unwrap().len();
            let outbox = Outbox::open(folder.path()).unwrap();
            let found = outbox.damage().expect("it is noticed").clone();
            assert_eq!(std::fs::metadata(&found.moved_to).unwrap().len(), before, "nothing is deleted");
            let kept = topics(&outbox);
            assert!(kept.len() >= 150, "pages {pages:?}: {} of 200 messages go on, {found:?}", kept.len());
            assert_eq!(found.messages, kept.len() as u64);
            assert!(kept.len() == 200 || found.incomplete, "{found:?}");
            let mut number = 0;
            let made = outbox.accept("cam", None, |numbers| {
                number = numbers.next_number();
                Ok(vec![opened(1000)])
            });
            made.unwrap();
            assert!(number > 200, "{number} may have been given out before");
            drop(outbox);
            assert_eq!(Outbox::open(folder.path()).unwrap().damage(), None, "it is sound again");
        }
    }

    #[test]
    fn a_sound_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        drop(Outbox::open(folder.path()).unwrap());
        assert_eq!(Outbox::open(folder.path()).unwrap().damage(), None);
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1);
    }
}
