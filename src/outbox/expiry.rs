//! What must not be kept longer than the pictures on disk: their rows, and the copies of them that wait for the broker.

use std::collections::HashSet;

use rusqlite::{Connection, Transaction, params};

use super::message::{self, Rank, RowId};
use crate::case::CaseId;

/// Notes that `case` was rejected at `at`, in nanoseconds.
pub(super) fn reject(tx: &Transaction<'_>, case: &CaseId, at: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO rejected (case_id, at) VALUES (?1, ?2) ON CONFLICT (case_id) DO UPDATE SET at = excluded.at",
    )?
    .execute(params![case.as_str(), at])?;
    Ok(())
}

/// Notes that `case` is rejected no more.
pub(super) fn accept(tx: &Transaction<'_>, case: &CaseId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM rejected WHERE case_id = ?1")?.execute([case.as_str()])?;
    Ok(())
}

/// The cases that were rejected.
pub(super) fn rejected(db: &Connection) -> rusqlite::Result<HashSet<CaseId>> {
    let ids = db
        .prepare_cached("SELECT case_id FROM rejected")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(ids.iter().filter_map(|id| CaseId::parse(id)).collect())
}

/// Takes out the pictures that wait and were written down before `before`, of rejected cases before
/// `rejected_before`, in nanoseconds, and forgets cases that were rejected before `before`: no picture of them can be
/// left. Returns how many pictures.
pub(super) fn pictures(tx: &Transaction<'_>, before: i64, rejected_before: i64) -> rusqlite::Result<u64> {
    let rows: Vec<i64> = tx
        .prepare_cached(
            "SELECT id FROM outbox WHERE rank = ?1 AND (recorded < ?2 OR recorded < ?3
                 AND EXISTS (SELECT 1 FROM rejected r WHERE r.case_id = outbox.case_id))",
        )?
        .query_map(params![Rank::PICTURE.0, before, rejected_before], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for &row in &rows {
        message::remove(tx, RowId(row))?;
    }
    tx.prepare_cached("DELETE FROM rejected WHERE at < ?1")?.execute([before])?;
    Ok(rows.len() as u64)
}

/// Forgets listed pictures whose file `is_there` does not find. Returns how many.
pub(super) fn forget_missing(tx: &Transaction<'_>, is_there: impl Fn(&str) -> bool) -> rusqlite::Result<u64> {
    let files: Vec<String> = tx
        .prepare_cached("SELECT file FROM pictures")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut forgotten = 0;
    for file in files.iter().filter(|file| !is_there(file)) {
        tx.prepare_cached("DELETE FROM pictures WHERE file = ?1")?.execute([file])?;
        forgotten += 1;
    }
    Ok(forgotten)
}
