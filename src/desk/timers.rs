//! What happens by itself with time: cases are called to mind before they are due and told when they are overdue, a
//! disposal that the camera does not confirm is flagged, verified cases are closed, and what is no longer needed is
//! forgotten.

use super::act::Doer;
use super::denied::Denied;
use super::life::{Action, Millis, Role, State};
use super::notify::{Audience, Notice};
use super::service::Desk;
use super::store::{self, Change, NewEntry, Row, Tx};
use crate::error::Result;

/// Cases that are seen to in one go, so that the writer is not held for long.
const AT_A_TIME: u32 = 200;
/// How long after a disposal the camera may take to see that the place is empty. A box clears within seconds of a clear
/// view; a quarter of an hour also passes a lorry that is still being loaded in front.
const CLEARS_WITHIN: Millis = 15 * 60_000;
/// How long ids of events are remembered; a box that was off for longer sends cases that are known by their own ids.
const EVENTS_KEPT: Millis = 60 * 86_400_000;
/// How long a picture waits for the event that names it.
const EARLY_KEPT: Millis = 86_400_000;
/// Most pictures that wait for their event.
const MOST_EARLY: u32 = 5000;
/// How long notices that were sent are kept.
const NOTICES_KEPT: Millis = 30 * 86_400_000;
/// How long after the end of a case it is known how to reach its reporter.
const CONTACT_KEPT: Millis = 30 * 86_400_000;

impl Desk {
    /// Does what is due. Returns how many cases it has seen to.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn tick(&self) -> Result<usize> {
        let now = self.now();
        let remind = now + self.plan.times.remind_ms;
        let mut count = 0;
        for (before, stage) in [(now, 2), (remind, 1)] {
            let rows = self.store.read(|db| store::due_cases(db, before, stage, AT_A_TIME))?;
            count += rows.len();
            for row in rows {
                self.store.put(|tx| self.call_to_mind(tx, &row, stage, now))?;
            }
        }
        let rows = self.store.read(|db| store::not_cleared(db, now - CLEARS_WITHIN, AT_A_TIME))?;
        count += rows.len();
        for row in rows {
            self.store.put(|tx| {
                flag(tx, &row, now, "摄像头仍未确认清除 The camera has not seen the place empty")
            })?;
        }
        let before = now - self.plan.times.close_after_ms;
        let rows =
            self.store.read(|db| store::disposed_before(db, State::Verified.as_str(), before, AT_A_TIME))?;
        count += rows.len();
        for row in rows {
            self.close(&row, now)?;
        }
        if count > 0 {
            self.notices.notify_one();
        }
        Ok(count)
    }

    fn call_to_mind(&self, tx: &mut Tx<'_>, row: &Row, stage: u8, now: Millis) -> rusqlite::Result<()> {
        // Read again: somebody may just have disposed of it.
        let Some(row) = store::cases::by_id(tx, row.id)?.filter(|row| row.state.is_pending()) else {
            return Ok(());
        };
        let is_overdue = stage == 2;
        let what = if is_overdue { "overdue" } else { "reminded" };
        tx.change(row.id, &Change { reminded: Some(stage), ..Change::default() }, what)?;
        tx.note(row.id, &by_desk(what, "", now))?;
        let with_department = row.state == State::Assigned;
        let to = match (&row.department, row.state) {
            (Some(department), _) if with_department => Audience::Department(department.clone()),
            (_, State::Escalated | State::Returned) => Audience::Centre,
            _ => Audience::Grid(row.grid.clone()),
        };
        let (zh, en) = if is_overdue {
            ("案件已超时", "A case is overdue")
        } else {
            ("案件即将超时", "A case is due soon")
        };
        if is_overdue && to != Audience::Centre {
            self.tell(tx, &Notice::case(Audience::Centre, &row, zh, en), now)?;
        }
        self.tell(tx, &Notice::case(to, &row, zh, en), now)
    }

    fn close(&self, row: &Row, now: Millis) -> Result<()> {
        let closed = self.store.write(|tx| {
            let row = store::cases::by_id(tx, row.id)?.filter(|row| row.state == State::Verified);
            match row {
                Some(row) => {
                    let action = Action::Close { note: "到期自动结案 Closed by itself".to_owned() };
                    self.take(tx, &row, Doer::DESK, &action, &[], now)
                }
                None => Ok(()),
            }
        });
        match closed {
            Ok(()) => Ok(()),
            Err(Denied::Fault(e)) => Err(e),
            Err(other) => {
                tracing::warn!(case = row.id, ?other, "A verified case cannot be closed.");
                Ok(())
            }
        }
    }

    /// Forgets what is no longer needed.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn tidy(&self) -> Result<()> {
        let now = self.now();
        let pictures_before = now - Millis::from(self.plan.pictures_days) * 86_400_000;
        let gone = self.store.put(|tx| {
            tx.forget_events(now - EVENTS_KEPT, 20_000)?;
            tx.forget_notices(now - NOTICES_KEPT, 5000)?;
            tx.forget_contacts(now - CONTACT_KEPT)?;
            let mut gone = tx.forget_early(now - EARLY_KEPT, MOST_EARLY)?;
            gone.extend(tx.forget_pictures(pictures_before, 2000)?);
            Ok(gone)
        })?;
        self.album.drop_all(&gone);
        Ok(())
    }

    /// Removes the files that a crash has left without a row. Before anything is taken in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sweep(&self) -> Result<usize> {
        let names = self.album.names();
        let unneeded = self.store.read(|db| {
            let mut unneeded = Vec::new();
            for name in names {
                if !store::is_needed(db, &name)? {
                    unneeded.push(name);
                }
            }
            Ok(unneeded)
        })?;
        self.album.drop_all(&unneeded);
        Ok(unneeded.len())
    }
}

/// Flags a case that somebody says is done while the camera says otherwise.
pub(super) fn flag(tx: &mut Tx<'_>, row: &Row, now: Millis, why: &str) -> rusqlite::Result<()> {
    tx.change(row.id, &Change { still_seen: Some(true), ..Change::default() }, "still_seen")?;
    tx.note(row.id, &by_desk("still_seen", why, now))
}

/// An entry of the desk itself.
pub(super) fn by_desk<'a>(what: &'a str, note: &'a str, at: Millis) -> NewEntry<'a> {
    NewEntry { at, account: None, role: Role::System, who: "", what, from: None, to: None, note }
}
