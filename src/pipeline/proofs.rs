//! Cameras that wait for the pictures of their cases, in the order in which they came.
//!
//! # Invariants
//! - What was brought is handed out once, in order, even after the end was said.
//! - A camera is here or with a worker, never both, so there are never more of them than cameras.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::pool::WorkerCamera;
use crate::detect::Detector;
use crate::frame::Frame;

/// A camera whose last look has news.
#[derive(Debug)]
pub(super) struct Proof {
    /// The camera's seat.
    pub(super) seat: usize,
    /// The camera.
    pub(super) camera: WorkerCamera,
    /// What it looked at.
    pub(super) frame: Frame,
}

/// The queue, and the detector that its pictures are redacted with.
pub(super) struct Proofs {
    queue: Mutex<Queue>,
    changed: Condvar,
    prover: Mutex<Box<dyn Detector>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Proof>,
    ended: bool,
}

impl Proofs {
    pub(super) fn new(mut prover: Box<dyn Detector>) -> Self {
        // Opening warms a session up.
        prover.rest();
        Self { queue: Mutex::default(), changed: Condvar::new(), prover: Mutex::new(prover) }
    }

    /// Leaves `proof` at the end of the queue.
    pub(super) fn bring(&self, proof: Proof) {
        self.lock().waiting.push_back(proof);
        self.changed.notify_one();
    }

    /// Says that nothing more will be brought.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits for the next one; `None` at the end.
    pub(super) fn next(&self) -> Option<Proof> {
        let wait = |queue: &mut Queue| queue.waiting.is_empty() && !queue.ended;
        let queue = self.changed.wait_while(self.lock(), wait);
        queue.unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    /// Has `make` use the detector, which then rests: cases are rare, and an inference holds some 20 MB.
    pub(super) fn with(&self, make: impl FnOnce(&mut dyn Detector)) {
        let mut prover = self.prover.lock().unwrap_or_else(PoisonError::into_inner);
        make(prover.as_mut());
        prover.rest();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").field("queue", &self.queue).finish_non_exhaustive()
    }
}
