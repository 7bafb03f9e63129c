//! What people look at: lists, one case, its pictures, and changes as they happen. Every function asks the viewer's
//! scope of the store.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::denied::{Answer, Denied};
use super::intake::SeenNote;
use super::life::{self, Role, Step};
use super::model::{CaseDetail, CaseSummary, Changed, Counts, Filter, FollowupInfo, Page, Seen};
use super::plan::Grid;
use super::service::Desk;
use super::store::{self, Cursor, Row, Since};
use super::viewer::{Scope, Viewer};

/// Most cases of one part of a list.
const MAX_PAGE: usize = 100;
/// Earlier cases that are shown with one.
const EARLIER: usize = 8;
/// Cases that are offered to be merged into.
const ALIKE: usize = 30;

/// A picture's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// Media type.
    pub media: String,
    /// Lower-case hex SHA-256 of the bytes, which was checked.
    pub sha256: String,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Desk {
    /// The grids that `viewer` may see.
    pub fn grids(&self, viewer: &Viewer) -> Vec<Grid> {
        match viewer.scope() {
            Scope::Street => self.plan.grids.clone(),
            Scope::Grids(own) => {
                self.plan.grids.iter().filter(|grid| own.contains(&grid.id)).cloned().collect()
            }
            Scope::Department(_) => Vec::new(),
        }
    }

    /// Up to `limit` cases of `filter`, after what `after` (a [`Page::next`]) stands for.
    ///
    /// # Errors
    /// [`Denied::Invalid`] for an `after` that the desk has not given out.
    pub fn list(&self, viewer: &Viewer, filter: &Filter, after: Option<&str>, limit: usize) -> Answer<Page> {
        let cursor = match after {
            None => None,
            Some(text) => Some(
                Cursor::parse(text).ok_or_else(|| Denied::invalid("after", "页码无效", "No such page"))?,
            ),
        };
        let (limit, now) = (limit.clamp(1, MAX_PAGE), self.now());
        let mut rows = self.store.read(|db| store::list::list(db, viewer, filter, cursor, limit + 1, now))?;
        let is_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| is_more).map(|row| store::list::key(row, filter.tab).to_string());
        let cases = rows.into_iter().map(|row| self.summary(row)).collect();
        Ok(Page { cases, next })
    }

    /// Everything about the case `id` that `viewer` may know.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for one that there is not, or not for this viewer.
    pub fn case(&self, viewer: &Viewer, id: i64) -> Answer<CaseDetail> {
        let now = self.now();
        let read = self.store.read(|db| {
            let Some(row) = store::cases::seen_by(db, viewer, id)? else { return Ok(None) };
            let standing = store::cases::standing(db, &row)?;
            let mut earlier = Vec::new();
            for row in store::list::earlier(db, &row, EARLIER)? {
                // A spot can have changed its grid since.
                earlier.extend(store::cases::seen_by(db, viewer, row.id)?);
            }
            Ok(Some((
                standing,
                earlier,
                store::pictures(db, id)?,
                store::cases::timeline(db, id)?,
                store::verdict(db, id)?,
                store::followup(db, id)?,
                row,
            )))
        })?;
        let Some((standing, earlier, pictures, timeline, verdict, followup, row)) = read else {
            return Err(Denied::NotFound);
        };
        let undo_ms = self.plan.times.undo_ms;
        let may = life::offered(&standing, viewer.actor(), now, undo_ms);
        let undo_until =
            standing.last.filter(|_| may.contains(&Step::Undo)).map(|last| last.at.saturating_add(undo_ms));
        let is_in_charge = matches!(viewer.role(), Role::Operator | Role::Centre | Role::Admin);
        let followup = followup.map(|followup| FollowupInfo {
            link: is_in_charge.then(|| self.followup_link(id, followup.round)),
            asked_at: followup.asked_at,
            answered_at: followup.answered_at,
            solved: followup.solved,
            satisfaction: followup.satisfaction,
            comment: followup.comment,
        });
        Ok(CaseDetail {
            description: row.description.clone(),
            seen: seen(&row),
            position: row.position(),
            pictures,
            timeline,
            earlier: earlier.into_iter().map(|row| self.summary(row)).collect(),
            may,
            undo_until,
            verdict,
            followup,
            contact: row.contact.clone().filter(|_| is_in_charge),
            case: self.summary(row),
        })
    }

    /// Open cases of the same grid that the case `id` can be merged into, those of its kind first.
    ///
    /// # Errors
    /// As [`Desk::case`].
    pub fn merge_targets(&self, viewer: &Viewer, id: i64) -> Answer<Vec<CaseSummary>> {
        let rows = self.store.read(|db| {
            let Some(row) = store::cases::seen_by(db, viewer, id)? else { return Ok(None) };
            let mut targets = Vec::new();
            for row in store::list::alike(db, &row, ALIKE)? {
                // A department sees some cases of a grid and not others.
                targets.extend(store::cases::seen_by(db, viewer, row.id)?);
            }
            Ok(Some(targets))
        })?;
        let rows = rows.ok_or(Denied::NotFound)?;
        Ok(rows.into_iter().map(|row| self.summary(row)).collect())
    }

    /// The file of a picture.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for one that there is not (yet), or not for this viewer.
    pub fn picture(&self, viewer: &Viewer, id: i64) -> Answer<PictureFile> {
        let row = self.store.read(|db| {
            let Some(picture) = store::picture(db, id)? else { return Ok(None) };
            let case = store::cases::seen_by(db, viewer, picture.case)?;
            Ok(case.map(|_| picture))
        })?;
        let row = row.filter(|row| row.is_here).ok_or(Denied::NotFound)?;
        let bytes = self.album.get(&row.sha256)?.ok_or(Denied::NotFound)?;
        Ok(PictureFile { media: row.media, sha256: row.sha256, bytes })
    }

    /// The number of the last change of a case. What is read after this call shows all changes up to it.
    pub fn revision(&self) -> u64 {
        self.store.changes().revision()
    }

    /// What happens from now on to cases that `viewer` may see; and at once the last of what has happened since
    /// `revision`, a number that [`Desk::revision`] gave before something was read.
    pub fn watch(&self, viewer: &Viewer, revision: Option<u64>) -> Watch {
        let (changes, since) = self.store.changes().listen(revision);
        let missed = match since {
            Since::All(changes) => {
                changes.into_iter().rev().find(|changed| viewer.sees(&changed.grid, &changed.departments))
            }
            Since::TooMany => Some(Changed::lagged()),
        };
        Watch { viewer: viewer.clone(), missed, changes }
    }

    /// How many cases a department has in each part of the work.
    pub(super) fn counts_of_department(&self, viewer: &Viewer) -> Answer<Counts> {
        let now = self.now();
        let states = self.store.read(|db| store::list::states_of(db, viewer))?;
        let mut counts = Counts::default();
        for (state, due_at) in states {
            counts.add(state, due_at, now);
        }
        Ok(counts)
    }

    pub(super) fn summary(&self, row: Row) -> CaseSummary {
        let name = self.plan.grid_name(&row.grid).to_owned();
        row.summary(&name, self.now())
    }
}

/// What the camera saw, of a camera's case.
fn seen(row: &Row) -> Option<Seen> {
    let note: SeenNote = serde_json::from_str(row.seen.as_deref()?).ok()?;
    Some(Seen {
        source: row.source.clone()?,
        case_id: row.case_id.clone()?,
        zone: row.zone.clone().unwrap_or_default(),
        first_seen: note.first_seen,
        last_seen: note.last_seen,
        cleared_at: note.cleared_at,
        dwell_s: note.dwell_s,
        objects: note.objects,
        withheld: note.withheld,
    })
}

/// Changes of cases that a viewer may see.
#[derive(Debug)]
pub struct Watch {
    viewer: Viewer,
    missed: Option<Changed>,
    changes: Receiver<Changed>,
}

impl Watch {
    /// The next change; `None` when the desk stops. One with the id 0 and `lagged` says that some were left out.
    pub async fn next(&mut self) -> Option<Changed> {
        if let Some(missed) = self.missed.take() {
            return Some(missed);
        }
        loop {
            match self.changes.recv().await {
                Ok(changed) if self.viewer.sees(&changed.grid, &changed.departments) => return Some(changed),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(Changed::lagged()),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
