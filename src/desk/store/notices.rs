//! What people are asked and told: follow-ups, links of grids, notices on their way, and cases that are due.

use rusqlite::{Connection, OptionalExtension as _};

use super::Tx;
use super::cases::{COLUMNS, Row};
use crate::desk::life::Millis;

/// A follow-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct FollowupRow {
    pub(in crate::desk) round: i64,
    pub(in crate::desk) asked_at: Millis,
    pub(in crate::desk) until: Millis,
    pub(in crate::desk) answered_at: Option<Millis>,
    pub(in crate::desk) solved: Option<bool>,
    pub(in crate::desk) satisfaction: Option<u8>,
    pub(in crate::desk) comment: String,
}

/// A notice that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct DueNotice {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) channel: String,
    pub(in crate::desk) body: String,
    pub(in crate::desk) at: Millis,
    pub(in crate::desk) tries: u32,
}

impl Tx<'_> {
    /// Asks the reporter of `case`, anew if they were asked before. Returns the round.
    pub(in crate::desk) fn ask(&mut self, case: i64, at: Millis, until: Millis) -> rusqlite::Result<i64> {
        self.prepare_cached(
            "INSERT INTO followup (case_, round, asked_at, until) VALUES (?1, 1, ?2, ?3)
             ON CONFLICT (case_) DO UPDATE SET round = round + 1, asked_at = ?2, until = ?3, answered_at = NULL,
                 solved = NULL, satisfaction = NULL, comment = '' RETURNING round",
        )?
        .query_row((case, at, until), |row| row.get(0))
    }

    /// Notes the answer to the follow-up of `case`.
    pub(in crate::desk) fn answer(
        &mut self,
        case: i64,
        at: Millis,
        solved: bool,
        satisfaction: u8,
        comment: &str,
    ) -> rusqlite::Result<()> {
        self.prepare_cached(
            "UPDATE followup SET answered_at = ?2, solved = ?3, satisfaction = ?4, comment = ?5 WHERE case_ = ?1",
        )?
        .execute((case, at, solved, satisfaction, comment))?;
        self.stir(case, "followup")
    }

    /// Makes the link of `grid` another one. Returns its round.
    pub(in crate::desk) fn renew_link(&mut self, grid: &str) -> rusqlite::Result<i64> {
        self.prepare_cached(
            "INSERT INTO grid_token (grid, round) VALUES (?1, 2)
             ON CONFLICT (grid) DO UPDATE SET round = round + 1 RETURNING round",
        )?
        .query_row([grid], |row| row.get(0))
    }

    /// Puts a notice into the queue of `channel`.
    pub(in crate::desk) fn queue_notice(
        &mut self,
        channel: &str,
        body: &str,
        at: Millis,
    ) -> rusqlite::Result<()> {
        self.prepare_cached(
            "INSERT INTO notice (at, channel, body, not_before, status) VALUES (?1, ?2, ?3, ?1, 'waiting')",
        )?
        .execute((at, channel, body))?;
        Ok(())
    }

    /// Notes that the notice `id` was sent.
    pub(in crate::desk) fn notice_sent(&mut self, id: i64) -> rusqlite::Result<()> {
        self.prepare_cached("UPDATE notice SET status = 'sent' WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Notes that the notice `id` could not be sent; `None` gives it up.
    pub(in crate::desk) fn notice_failed(&mut self, id: i64, again: Option<Millis>) -> rusqlite::Result<()> {
        self.prepare_cached(
            "UPDATE notice SET tries = tries + 1, not_before = coalesce(?2, not_before),
                 status = CASE WHEN ?2 IS NULL THEN 'given_up' ELSE 'waiting' END WHERE id = ?1",
        )?
        .execute((id, again))?;
        Ok(())
    }

    /// Forgets up to `limit` notices from before `before` that are no longer on their way.
    pub(in crate::desk) fn forget_notices(&mut self, before: Millis, limit: u32) -> rusqlite::Result<usize> {
        self.prepare_cached(
            "DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE at < ?1 AND status <> 'waiting' LIMIT ?2)",
        )?
        .execute((before, limit))
    }

    /// Forgets how to reach the reporters of cases that ended before `before`.
    pub(in crate::desk) fn forget_contacts(&mut self, before: Millis) -> rusqlite::Result<usize> {
        self.prepare_cached(
            "UPDATE cases SET contact = NULL
             WHERE ended_at IS NOT NULL AND ended_at < ?1 AND contact IS NOT NULL",
        )?
        .execute([before])
    }
}

/// The follow-up of `case`.
pub(in crate::desk) fn followup(db: &Connection, case: i64) -> rusqlite::Result<Option<FollowupRow>> {
    db.prepare_cached(
        "SELECT round, asked_at, until, answered_at, solved, satisfaction, comment FROM followup WHERE case_ = ?1",
    )?
    .query_row([case], |row| {
        Ok(FollowupRow {
            round: row.get(0)?,
            asked_at: row.get(1)?,
            until: row.get(2)?,
            answered_at: row.get(3)?,
            solved: row.get(4)?,
            satisfaction: row.get(5)?,
            comment: row.get(6)?,
        })
    })
    .optional()
}

/// How often the link of `grid` was made, the first time included.
pub(in crate::desk) fn link_round(db: &Connection, grid: &str) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT round FROM grid_token WHERE grid = ?1")?
        .query_row([grid], |row| row.get(0))
        .optional()
        .map(|round| round.unwrap_or(1))
}

/// Up to `limit` notices that are due at `now`, in their order.
pub(in crate::desk) fn due_notices(
    db: &Connection,
    now: Millis,
    limit: u32,
) -> rusqlite::Result<Vec<DueNotice>> {
    db.prepare_cached(
        "SELECT id, channel, body, at, tries FROM notice
         WHERE status = 'waiting' AND not_before <= ?1 ORDER BY not_before, id LIMIT ?2",
    )?
    .query_map((now, limit), |row| {
        Ok(DueNotice {
            id: row.get(0)?,
            channel: row.get(1)?,
            body: row.get(2)?,
            at: row.get(3)?,
            tries: row.get(4)?,
        })
    })?
    .collect()
}

/// Notices that wait to be sent, and those that were given up.
pub(in crate::desk) fn notices_waiting(db: &Connection) -> rusqlite::Result<(u64, u64)> {
    db.query_row(
        "SELECT count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'given_up') FROM notice",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Up to `limit` cases that stand, are due before `before` and have been called to mind less than `stage` times.
pub(in crate::desk) fn due_cases(
    db: &Connection,
    before: Millis,
    stage: u8,
    limit: u32,
) -> rusqlite::Result<Vec<Row>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM cases c WHERE c.is_open = 1 AND c.due_at < ?1 AND c.reminded < ?2
           AND c.state NOT IN ('disposed', 'verified') ORDER BY c.due_at LIMIT ?3"
    ))?
    .query_map((before, stage, limit), Row::read)?
    .collect()
}

/// Up to `limit` cases in `state` whose last disposal was before `before`.
pub(in crate::desk) fn disposed_before(
    db: &Connection,
    state: &str,
    before: Millis,
    limit: u32,
) -> rusqlite::Result<Vec<Row>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM cases c WHERE c.state = ?1 AND c.disposed_at < ?2
         ORDER BY c.severity DESC, c.received_at DESC, c.id DESC LIMIT ?3"
    ))?
    .query_map((state, before, limit), Row::read)?
    .collect()
}

/// Up to `limit` cases that were disposed of before `before`, whose camera is on a box that is online and has not seen
/// the place empty, and which are not flagged for it yet.
pub(in crate::desk) fn not_cleared(
    db: &Connection,
    before: Millis,
    limit: u32,
) -> rusqlite::Result<Vec<Row>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM cases c JOIN box b ON b.source = c.source
         WHERE c.state IN ('disposed', 'verified') AND c.disposed_at < ?1 AND c.camera_cleared = 0
           AND c.still_seen = 0 AND b.state = 'online' LIMIT ?2"
    ))?
    .query_map((before, limit), Row::read)?
    .collect()
}
