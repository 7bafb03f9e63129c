//! The latest word on each case, for the page. Written in the transaction that queues the message, so the page
//! and the broker are told the same.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Deserialize;

use super::message::{Matter, Message};
use crate::case::CaseId;
use crate::clock::CaptureTime;
use crate::evidence::Role;

/// Cases that are kept for the page; the oldest go first.
const MAX_CASES: i64 = 1000;
/// Longest reason of a verdict that is kept, in characters.
const LONGEST_REASON: usize = 200;

/// One case as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRecord {
    /// Its id.
    pub id: String,
    /// The latest event as it was published: CloudEvents JSON.
    pub event: String,
    /// Its pictures.
    pub pictures: Vec<PictureRecord>,
}

/// One picture of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureRecord {
    /// What it shows, as [`Role`] spells it.
    pub role: String,
    /// Its name in the evidence folder: `{case_id}-{role}.jpg`, that of a clip `.mp4`.
    pub file: String,
}

/// A case that a reviewer has said something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewedCase {
    /// Its id.
    pub case: String,
    /// What the reviewer said last: `confirmed`, `rejected`, `duplicate` or `unclear`.
    pub verdict: String,
    /// Why; may be empty.
    pub reason: String,
    /// When the box heard it.
    pub at: CaptureTime,
    /// Name of its close-up in the evidence folder, if it has one.
    pub file: Option<String>,
    /// What is where in that: a [`CropNote`](crate::evidence::CropNote) as JSON. `None` for one that an older version
    /// of this program has written.
    pub note: Option<String>,
}

/// Notes what `message` says of its case.
pub(super) fn record(tx: &Transaction<'_>, message: &Message) -> rusqlite::Result<()> {
    let case = message.case.as_str();
    match message.matter {
        Matter::Opened | Matter::Updated | Matter::Cleared => {
            let event = std::str::from_utf8(&message.payload)
                .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
            tx.prepare_cached(
                "INSERT INTO cases (case_id, event, resolved) VALUES (?1, ?2, ?3)
                 ON CONFLICT (case_id) DO UPDATE SET event = excluded.event, resolved = excluded.resolved",
            )?
            .execute(params![case, event, message.matter == Matter::Cleared])?;
            tx.prepare_cached("DELETE FROM cases WHERE number <= (SELECT max(number) FROM cases) - ?1")?
                .execute([MAX_CASES])?;
            // Pictures that go to a store have no message of their own.
            let named = serde_json::from_str::<Named>(event).map(|named| named.data.evidence);
            for picture in
                named.unwrap_or_default().iter().filter(|picture| !picture.uri.starts_with("mqtt:"))
            {
                list_picture(tx, case, picture.role)?;
            }
            for (role, note) in &message.notes {
                list_picture(tx, case, *role)?;
                tx.prepare_cached("UPDATE pictures SET note = ?2 WHERE file = ?1")?
                    .execute(params![file_of(case, *role), note])?;
            }
        }
        Matter::Picture(role) => list_picture(tx, case, role)?,
        // One that goes to a store has no message of its own.
        Matter::Clip => {
            let is_made =
                serde_json::from_slice::<ToldClip>(&message.payload).is_ok_and(|told| told.clip.is_some());
            if is_made {
                list_picture(tx, case, Role::Clip)?;
            }
        }
    }
    Ok(())
}

/// What of an event says which pictures it has.
#[derive(Deserialize)]
struct Named {
    data: NamedData,
}

#[derive(Deserialize)]
struct NamedData {
    evidence: Vec<NamedPicture>,
}

#[derive(Deserialize)]
struct NamedPicture {
    role: Role,
    uri: String,
}

/// What of a note on a clip says whether there is one.
#[derive(Deserialize)]
struct ToldClip {
    clip: Option<serde::de::IgnoredAny>,
}

/// Lists the picture `role` of `case`. Only of a listed case: a late picture of one that has fallen off the list is
/// not shown.
fn list_picture(tx: &Transaction<'_>, case: &str, role: Role) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO pictures (file, case_id, role)
         SELECT ?1, case_id, ?3 FROM cases WHERE case_id = ?2",
    )?
    .execute(params![file_of(case, role), case, role.as_str()])?;
    Ok(())
}

fn file_of(case: &str, role: Role) -> String {
    format!("{case}-{}.{}", role.as_str(), role.extension())
}

/// Notes what a reviewer said of `case` at `at`, in nanoseconds; nothing of a case that is not listed.
pub(super) fn judge(
    tx: &Transaction<'_>,
    case: &CaseId,
    (verdict, reason): (&str, &str),
    at: i64,
) -> rusqlite::Result<()> {
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    tx.prepare_cached(
        "INSERT INTO verdict (case_id, verdict, reason, at)
         SELECT case_id, ?2, ?3, ?4 FROM cases WHERE case_id = ?1
         ON CONFLICT (case_id) DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason, at = excluded.at",
    )?
    .execute(params![case.as_str(), verdict, reason, at])?;
    Ok(())
}

/// The reviewed cases that are listed, oldest first, each with its close-up if it has one.
pub(super) fn reviewed(db: &Connection) -> rusqlite::Result<Vec<ReviewedCase>> {
    db.prepare_cached(
        "SELECT c.case_id, v.verdict, v.reason, v.at, p.file, p.note
         FROM cases c JOIN verdict v ON v.case_id = c.case_id
         LEFT JOIN pictures p ON p.case_id = c.case_id AND p.role = ?1
         ORDER BY c.number",
    )?
    .query_map([Role::Closeup.as_str()], |row| {
        Ok(ReviewedCase {
            case: row.get(0)?,
            verdict: row.get(1)?,
            reason: row.get(2)?,
            at: CaptureTime::from_nanos(row.get(3)?),
            file: row.get(4)?,
            note: row.get(5)?,
        })
    })?
    .collect()
}

/// The latest `limit` cases, newest first.
pub(super) fn latest(db: &Connection, limit: usize) -> rusqlite::Result<Vec<CaseRecord>> {
    let mut pictures =
        db.prepare_cached("SELECT role, file FROM pictures WHERE case_id = ?1 ORDER BY role")?;
    db.prepare_cached("SELECT case_id, event FROM cases ORDER BY number DESC LIMIT ?1")?
        .query_map([limit as i64], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?
        .map(|row| {
            let (id, event) = row?;
            let pictures = pictures
                .query_map([&id], |row| Ok(PictureRecord { role: row.get(0)?, file: row.get(1)? }))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(CaseRecord { id, event, pictures })
        })
        .collect()
}

/// The latest event of `case`.
pub(super) fn event(db: &Connection, case: &CaseId) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT event FROM cases WHERE case_id = ?1")?
        .query_row([case.as_str()], |row| row.get(0))
        .optional()
}

/// Whether `file` is a picture of a listed case.
pub(super) fn lists_picture(db: &Connection, file: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM pictures WHERE file = ?1)")?
        .query_row([file], |row| row.get(0))
}
