//! What has happened to cases, for live pages: as it comes, and what came between the reading of a page and its
//! listening.
//!
//! # Invariants
//! - A change is visible to readers before its revision is. A page that noted a revision before it read therefore shows
//!   every change up to it.
//! - Whoever listens and names such a revision hears of every later change, or that there are too many to say
//!   (`no_change_falls_between_reading_and_listening`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, Receiver};

use crate::desk::model::Changed;

/// Changes that a live page may be behind before it is told to load anew.
const KEPT: usize = 1024;

/// The changes of a desk since it started.
#[derive(Debug)]
pub(in crate::desk) struct Changes {
    sender: broadcast::Sender<Changed>,
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    /// Number of the last change.
    revision: u64,
    /// The last changes, the oldest first; the last one has the number `revision`, the others those before it.
    changes: VecDeque<Changed>,
}

/// What came after a revision.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::desk) enum Since {
    /// These, the oldest first.
    All(Vec<Changed>),
    /// More than are kept, or the revision is of a desk that has stopped since.
    TooMany,
}

impl Changes {
    /// No changes yet; the first one has the number after `revision`, which must be higher than any of an earlier desk
    /// over the same database, so that a page of that one is told to load anew.
    pub(super) fn new(revision: u64) -> Self {
        let recent = Recent { revision, changes: VecDeque::with_capacity(KEPT) };
        Self { sender: broadcast::Sender::new(KEPT), recent: Mutex::new(recent) }
    }

    /// Tells of a change that readers see already.
    pub(super) fn tell(&self, changed: Changed) {
        let mut recent = self.recent();
        if recent.changes.len() == KEPT {
            recent.changes.pop_front();
        }
        recent.changes.push_back(changed.clone());
        recent.revision += 1;
        // Nobody may be listening.
        let _ = self.sender.send(changed);
    }

    /// The number of the last change.
    pub(in crate::desk) fn revision(&self) -> u64 {
        self.recent().revision
    }

    /// Changes from now on, and those after `revision`.
    pub(in crate::desk) fn listen(&self, revision: Option<u64>) -> (Receiver<Changed>, Since) {
        let recent = self.recent();
        // Under the lock, so that each change is among those before or those to come.
        let receiver = self.sender.subscribe();
        let behind = recent.revision.checked_sub(revision.unwrap_or(recent.revision));
        let since = match behind.and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n <= recent.changes.len() => {
                Since::All(recent.changes.iter().skip(recent.changes.len() - n).cloned().collect())
            }
            _ => Since::TooMany,
        };
        (receiver, since)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::life::State;

    fn changed(id: i64) -> Changed {
        let what = "opened".to_owned();
        Changed {
            id,
            version: 1,
            grid: String::new(),
            state: State::Candidate,
            what,
            departments: Vec::new(),
        }
    }

    fn ids(since: Since) -> Option<Vec<i64>> {
        match since {
            Since::All(changes) => Some(changes.into_iter().map(|changed| changed.id).collect()),
            Since::TooMany => None,
        }
    }

    #[test]
    fn no_change_falls_between_reading_and_listening() {
        let changes = Changes::new(1000);
        changes.tell(changed(1));
        let read = changes.revision();
        assert_eq!(ids(changes.listen(Some(read)).1), Some(vec![]));
        changes.tell(changed(2));
        changes.tell(changed(3));
        let (mut receiver, since) = changes.listen(Some(read));
        assert_eq!(ids(since), Some(vec![2, 3]));
        changes.tell(changed(4));
        assert_eq!(receiver.try_recv().unwrap().id, 4);
        assert!(receiver.try_recv().is_err(), "none comes twice");
        assert_eq!(ids(changes.listen(None).1), Some(vec![]));
    }

    #[test]
    fn who_is_too_far_behind_or_comes_from_an_earlier_desk_is_told_so() {
        let changes = Changes::new(1000);
        for id in 0..=KEPT as i64 {
            changes.tell(changed(id));
        }
        assert_eq!(ids(changes.listen(Some(1000)).1), None);
        assert_eq!(ids(changes.listen(Some(1001)).1).map(|ids| ids.len()), Some(KEPT));
        assert_eq!(ids(changes.listen(Some(999)).1), None);
        assert_eq!(ids(changes.listen(Some(u64::MAX)).1), None);
    }
}
