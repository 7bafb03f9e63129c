//! What comes from the boxes and goes back to them: events that were taken in, their status, and verdicts on their
//! way.

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

use super::Tx;
use crate::desk::life::Millis;
use crate::desk::model::VerdictInfo;

/// A box as its own status last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::desk) struct BoxRow {
    pub(in crate::desk) source: String,
    pub(in crate::desk) state: String,
    pub(in crate::desk) at: Millis,
    pub(in crate::desk) status: String,
}

/// A verdict for a box.
#[derive(Clone, Debug)]
pub(in crate::desk) struct NewVerdict<'a> {
    pub(in crate::desk) id: &'a str,
    pub(in crate::desk) case: i64,
    pub(in crate::desk) source: &'a str,
    pub(in crate::desk) case_id: &'a str,
    pub(in crate::desk) verdict: &'a str,
    pub(in crate::desk) reason: &'a str,
    pub(in crate::desk) role: &'a str,
    pub(in crate::desk) at: Millis,
    pub(in crate::desk) not_before: Millis,
}

/// A verdict that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct DueVerdict {
    pub(in crate::desk) id: String,
    pub(in crate::desk) case: i64,
    pub(in crate::desk) source: String,
    pub(in crate::desk) case_id: String,
    pub(in crate::desk) verdict: String,
    pub(in crate::desk) reason: String,
    pub(in crate::desk) role: String,
    pub(in crate::desk) at: Millis,
    pub(in crate::desk) tries: u32,
}

impl Tx<'_> {
    /// Notes that the event `id` of `source` was taken in. Returns false if it was before.
    pub(in crate::desk) fn is_new_event(
        &mut self,
        source: &str,
        id: &str,
        at: Millis,
    ) -> rusqlite::Result<bool> {
        self.prepare_cached("INSERT OR IGNORE INTO event (source, id, at) VALUES (?1, ?2, ?3)")?
            .execute((source, id, at))
            .map(|rows| rows > 0)
    }

    /// Forgets up to `limit` events that came before `before`: nothing brings them again.
    pub(in crate::desk) fn forget_events(&mut self, before: Millis, limit: u32) -> rusqlite::Result<usize> {
        self.prepare_cached(
            "DELETE FROM event WHERE (source, id) IN (SELECT source, id FROM event WHERE at < ?1 LIMIT ?2)",
        )?
        .execute((before, limit))
    }

    /// Counts `by` more of what is called `name`.
    pub(in crate::desk) fn count(&mut self, name: &str, by: u64) -> rusqlite::Result<()> {
        self.prepare_cached(
            "INSERT INTO counter (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        )?
        .execute((name, by))?;
        Ok(())
    }

    /// Notes what a box says of itself.
    pub(in crate::desk) fn set_box(&mut self, row: &BoxRow) -> rusqlite::Result<()> {
        self.prepare_cached(
            "INSERT INTO box (source, state, at, status) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (source) DO UPDATE SET state = excluded.state, at = excluded.at, status = excluded.status",
        )?
        .execute((&row.source, &row.state, row.at, &row.status))?;
        if row.state == "online" {
            // What waits for it need not wait any longer.
            self.prepare_cached(
                "UPDATE verdict SET not_before = min(not_before, ?2)
                 WHERE source = ?1 AND status = 'sent' AND not_before > ?2",
            )?
            .execute((&row.source, row.at))?;
        }
        Ok(())
    }

    /// Puts a verdict into the queue; one of the same case that has not left yet gives way to it.
    pub(in crate::desk) fn queue_verdict(&mut self, verdict: &NewVerdict<'_>) -> rusqlite::Result<()> {
        self.withdraw_verdict(verdict.case)?;
        self.prepare_cached(
            "INSERT INTO verdict (id, case_, source, case_id, verdict, reason, role, at, not_before, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting')",
        )?
        .execute((
            verdict.id,
            verdict.case,
            verdict.source,
            verdict.case_id,
            verdict.verdict,
            verdict.reason,
            verdict.role,
            verdict.at,
            verdict.not_before,
        ))?;
        Ok(())
    }

    /// Takes back the verdict of `case` that has not left yet. Returns whether there was one.
    pub(in crate::desk) fn withdraw_verdict(&mut self, case: i64) -> rusqlite::Result<bool> {
        self.prepare_cached("DELETE FROM verdict WHERE case_ = ?1 AND status = 'waiting'")?
            .execute([case])
            .map(|rows| rows > 0)
    }

    /// The last verdict of `case` that has left.
    pub(in crate::desk) fn sent_verdict(&mut self, case: i64) -> rusqlite::Result<Option<String>> {
        self.prepare_cached(
            "SELECT verdict FROM verdict WHERE case_ = ?1 AND status IN ('sent', 'done') ORDER BY at DESC LIMIT 1",
        )?
        .query_row([case], |row| row.get(0))
        .optional()
    }

    /// Up to `limit` verdicts that are due at `now`, noted as sent; `again(tries)` is how long to wait for an
    /// answer. Those written before `oldest`, which no box takes any more, are given up. Per case they go in order:
    /// none goes while an earlier one waits for its answer.
    pub(in crate::desk) fn take_due_verdicts(
        &mut self,
        now: Millis,
        oldest: Millis,
        limit: u32,
        again: impl Fn(u32) -> Millis,
    ) -> rusqlite::Result<Vec<DueVerdict>> {
        let expired: Vec<i64> = self
            .prepare_cached(
                "UPDATE verdict SET status = 'expired' WHERE status IN ('waiting', 'sent') AND not_before <= ?1
                 AND at < ?2 RETURNING case_",
            )?
            .query_map((now, oldest), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for case in expired {
            self.stir(case, "verdict")?;
        }
        let due: Vec<DueVerdict> = self
            .prepare_cached(
                "SELECT v.id, v.case_, v.source, v.case_id, v.verdict, v.reason, v.role, v.at, v.tries FROM verdict v
                 WHERE v.status IN ('waiting', 'sent') AND v.not_before <= ?1
                   AND NOT EXISTS (SELECT 1 FROM verdict e WHERE e.case_ = v.case_ AND e.at < v.at
                                   AND e.status = 'sent')
                 ORDER BY v.not_before LIMIT ?2",
            )?
            .query_map((now, limit), |row| {
                Ok(DueVerdict {
                    id: row.get(0)?,
                    case: row.get(1)?,
                    source: row.get(2)?,
                    case_id: row.get(3)?,
                    verdict: row.get(4)?,
                    reason: row.get(5)?,
                    role: row.get(6)?,
                    at: row.get(7)?,
                    tries: row.get(8)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        for verdict in &due {
            self.prepare_cached(
                "UPDATE verdict SET status = 'sent', tries = tries + 1, not_before = ?2 WHERE id = ?1",
            )?
            .execute((&verdict.id, now + again(verdict.tries)))?;
        }
        Ok(due)
    }

    /// Notes a box's answer to the verdict `id` of `source`. Returns its case, unless it was answered before or is not
    /// known.
    pub(in crate::desk) fn verdict_answered(
        &mut self,
        source: &str,
        id: &str,
        status: &str,
        code: &str,
        detail: &str,
    ) -> rusqlite::Result<Option<i64>> {
        let case = self
            .prepare_cached(
                "UPDATE verdict SET status = ?3, code = ?4, detail = ?5
                 WHERE id = ?2 AND source = ?1 AND status IN ('waiting', 'sent') RETURNING case_",
            )?
            .query_row((source, id, status, code, detail), |row| row.get(0))
            .optional()?;
        if let Some(case) = case {
            self.stir(case, "verdict")?;
        }
        Ok(case)
    }
}

/// All boxes that have said something.
pub(in crate::desk) fn boxes(db: &Connection) -> rusqlite::Result<Vec<BoxRow>> {
    db.prepare_cached("SELECT source, state, at, status FROM box ORDER BY source")?
        .query_map([], |row| {
            Ok(BoxRow { source: row.get(0)?, state: row.get(1)?, at: row.get(2)?, status: row.get(3)? })
        })?
        .collect()
}

/// Verdicts that wait for a box's answer.
pub(in crate::desk) fn verdicts_waiting(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT count(*) FROM verdict WHERE status IN ('waiting', 'sent')", [], |row| row.get(0))
}

/// The latest verdict of `case`.
pub(in crate::desk) fn verdict(db: &Connection, case: i64) -> rusqlite::Result<Option<VerdictInfo>> {
    db.prepare_cached(
        "SELECT verdict, status, code, detail FROM verdict WHERE case_ = ?1 ORDER BY at DESC, id LIMIT 1",
    )?
    .query_row([case], |row| {
        Ok(VerdictInfo { verdict: row.get(0)?, status: row.get(1)?, code: row.get(2)?, detail: row.get(3)? })
    })
    .optional()
}

/// The value of the counter `name`.
pub(in crate::desk) fn counter(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT value FROM counter WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
        .map(|value| value.unwrap_or(0))
}

/// Whether a verdict is due at `now`.
pub(in crate::desk) fn has_due_verdicts(db: &Connection, now: Millis) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM verdict WHERE status IN ('waiting', 'sent') AND not_before <= ?1)",
    )?
    .query_row([now], |row| row.get(0))
}
