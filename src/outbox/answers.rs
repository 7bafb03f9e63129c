//! Which commands were carried out, and what was answered: a command that comes again, by a broker's repetition or by
//! malice, is not carried out again, over restarts too.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// Most commands that are remembered. Beyond, none is taken until one is no longer good: to forget one that still is
/// would let it be carried out twice.
pub(super) const MOST: u64 = 10_000;

/// What was answered to the command `id`.
pub(super) fn find(db: &Connection, id: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT answer FROM command WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

/// Whether there is room for another at `now`, in nanoseconds.
pub(super) fn has_room(db: &Connection, now: i64) -> rusqlite::Result<bool> {
    let good: u64 = db
        .prepare_cached("SELECT count(*) FROM command WHERE until > ?1")?
        .query_row([now], |row| row.get(0))?;
    Ok(good < MOST)
}

/// Notes what was answered to `id`, which is good until `until`, and forgets those that are no longer good at `now`,
/// both in nanoseconds.
pub(super) fn note(
    tx: &Transaction<'_>,
    id: &str,
    until: i64,
    now: i64,
    answer: &str,
) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM command WHERE until <= ?1")?.execute([now])?;
    tx.prepare_cached("INSERT OR IGNORE INTO command (id, until, answer) VALUES (?1, ?2, ?3)")?
        .execute(params![id, until, answer])?;
    Ok(())
}
