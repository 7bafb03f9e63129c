//! Pictures that somebody asked for, taken of the camera's next look.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::CaptureTime;
use crate::evidence::Evidence;

/// A picture that was asked for, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was captured.
    pub at: CaptureTime,
    /// The picture, redacted as evidence is.
    pub evidence: Evidence,
}

/// Who waits for a picture of which camera. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Snapshots(Arc<Mutex<BTreeMap<String, Vec<SyncSender<Snapshot>>>>>);

impl Snapshots {
    /// Asks for a picture of the next look of `camera`.
    pub fn ask(&self, camera: &str) -> Receiver<Snapshot> {
        let (sender, receiver) = sync_channel(1);
        self.lock().entry(camera.to_owned()).or_default().push(sender);
        receiver
    }

    /// Whether somebody waits for a picture of `camera`.
    pub(super) fn are_wanted(&self, camera: &str) -> bool {
        self.lock().contains_key(camera)
    }

    /// Those who wait for a picture of `camera`; they wait no more.
    pub(super) fn waiting(&self, camera: &str) -> Vec<SyncSender<Snapshot>> {
        self.lock().remove(camera).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<SyncSender<Snapshot>>>> {
        // Lists are put in and taken out whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
