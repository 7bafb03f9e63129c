//! One camera's chain from frame to reported case, and the threads that run it.
//!
//! A capture thread per camera decodes into a [`Mailbox`] that keeps the latest frame only. One worker thread
//! owns the detector; it takes the camera whose look is most overdue, so a slow camera never holds up another,
//! and what it has no time for is dropped and counted. The core runs on the worker thread as a pure function.

mod capture;
mod chain;
mod mailbox;
mod views;
mod worker;

pub use capture::{Capture, Pace};
pub use chain::{Chain, Report};
pub use mailbox::Mailbox;
pub use worker::{Moment, Worker, WorkerCamera};
