//! Clips that wait to be made. One is made at a time, off the way of everything else, so there is room for few.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Take;

/// Most clips that wait. Each holds up to 22 pictures of 0.78 MB, which clips of one camera share.
const MOST_WAITING: usize = 3;

/// Clips that wait to be made, and what became of the others.
#[derive(Debug, Default)]
pub struct Queue {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    waiting: VecDeque<Take>,
    /// Clips that were ordered and are not settled.
    open: u64,
    ended: bool,
    count: Count,
}

/// What became of clips since the program started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Made and handed on.
    pub made: u64,
    /// Not made, because they could not be redacted or coded.
    pub withheld: u64,
    /// Not made or not handed on, for want of room or of time.
    pub lost: u64,
}

impl Queue {
    /// A clip was ordered; it is settled by [`Queue::lose`] or [`Queue::settle`], whatever happens.
    pub(super) fn expect(&self) {
        self.lock().open += 1;
    }

    /// Leaves `take` to be made, or counts it as lost where there is no room.
    pub(super) fn offer(&self, take: Take) {
        let mut inside = self.lock();
        if inside.ended || inside.waiting.len() >= MOST_WAITING {
            drop(inside);
            return self.lose(&take);
        }
        inside.waiting.push_back(take);
        drop(inside);
        self.changed.notify_one();
    }

    /// Counts `take` as lost.
    pub(super) fn lose(&self, take: &Take) {
        tracing::warn!(
            camera = take.order.camera,
            case = take.order.case.id.as_str(),
            "No clip of this case: too many wait to be made."
        );
        self.settle(|count| count.lost += 1);
    }

    /// Notes what became of a clip.
    pub fn settle(&self, note: impl FnOnce(&mut Count)) {
        let mut inside = self.lock();
        note(&mut inside.count);
        inside.open = inside.open.saturating_sub(1);
    }

    /// Waits for the next one; `None` at the end.
    pub fn next(&self) -> Option<Take> {
        let wait = |inside: &mut Inside| inside.waiting.is_empty() && !inside.ended;
        let inside = self.changed.wait_while(self.lock(), wait);
        inside.unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    /// Says that no more will be made, and counts those that wait as lost.
    pub fn end(&self) {
        let mut inside = self.lock();
        inside.ended = true;
        let waiting = inside.waiting.len() as u64;
        inside.waiting.clear();
        inside.count.lost += waiting;
        inside.open = inside.open.saturating_sub(waiting);
        drop(inside);
        self.changed.notify_all();
    }

    /// Whether every clip that was ordered is settled.
    pub fn is_idle(&self) -> bool {
        self.lock().open == 0
    }

    /// What became of clips so far.
    pub fn count(&self) -> Count {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Takes are put in and taken out whole.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
