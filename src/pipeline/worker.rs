//! The worker thread's loop: takes the camera that has waited longest, looks, and hands on what changed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tracing::warn;

use super::chain::{Chain, Report};
use super::mailbox::Mailbox;
use crate::detect::Detector;
use crate::error::Result;
use crate::frame::Frame;
use crate::shutdown::Shutdown;

/// How long the worker sleeps at most before it looks whether to stop.
const NAP: Duration = Duration::from_millis(200);

/// When the worker hands something on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After a look.
    Look,
    /// When it takes no more looks.
    End,
}

/// One camera as the worker sees it.
#[derive(Debug)]
pub struct WorkerCamera {
    /// The camera's chain.
    pub chain: Chain,
    /// Where its frames come from.
    pub mailbox: Arc<Mailbox>,
    last_served: u64,
}

impl WorkerCamera {
    /// A camera whose frames come through `mailbox`.
    pub fn new(chain: Chain, mailbox: Arc<Mailbox>) -> Self {
        Self { chain, mailbox, last_served: 0 }
    }
}

/// All cameras that share one detector.
#[derive(Debug)]
pub struct Worker {
    cameras: Vec<WorkerCamera>,
    served: u64,
}

impl Worker {
    /// A worker for `cameras`.
    pub fn new(cameras: Vec<WorkerCamera>) -> Self {
        Self { cameras, served: 0 }
    }

    /// Looks at frames until stopping is asked for, or until all inputs are at their end. After each look
    /// `done` gets the chain and what changed (often nothing), and once more for each camera at the end; when it
    /// cannot keep a report the worker stops with its error, since to go on would lose a case.
    ///
    /// # Errors
    /// The error of `done`.
    pub fn run(
        mut self,
        detector: &mut dyn Detector,
        wake: &Receiver<()>,
        shutdown: &Shutdown,
        mut done: impl FnMut(&Chain, Moment, &mut Vec<Report>) -> Result<()>,
    ) -> Result<()> {
        let mut frame = Frame::default();
        let mut reports = Vec::new();
        while !shutdown.is_requested() {
            let Some(camera) = self.next_camera() else {
                if self.cameras.iter().all(|camera| camera.mailbox.is_drained()) {
                    break;
                }
                match wake.recv_timeout(NAP) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => continue,
                    // All capture threads are gone; what they left is looked at before the loop ends.
                    Err(RecvTimeoutError::Disconnected) if self.next_camera().is_some() => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            };
            if !camera.mailbox.take(&mut frame) {
                continue;
            }
            reports.clear();
            match camera.chain.frame(&frame, detector, &mut reports) {
                Ok(true) => done(&camera.chain, Moment::Look, &mut reports)?,
                Ok(false) => {}
                // A look that failed is a look that was not taken: the core is not told, so nothing clears.
                Err(e) => warn!(camera = camera.chain.camera.id, "A look failed: {e}."),
            }
        }
        reports.clear();
        self.cameras.iter().try_for_each(|camera| done(&camera.chain, Moment::End, &mut reports))
    }

    /// Of the cameras with a fresh frame, the one that was served longest ago.
    fn next_camera(&mut self) -> Option<&mut WorkerCamera> {
        self.served += 1;
        let served = self.served;
        let camera = self
            .cameras
            .iter_mut()
            .filter(|camera| camera.mailbox.is_fresh())
            .min_by_key(|camera| camera.last_served)?;
        camera.last_served = served;
        Some(camera)
    }
}
