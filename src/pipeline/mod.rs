//! One camera's chain from frame to reported case, and the threads that run it.
//!
//! A capture thread per camera decodes into a [`Mailbox`] that keeps the latest frame only. The workers of a
//! [`Pool`] each own a detector and share the cameras; a free worker takes the camera whose look is most overdue,
//! and what there is no time for is dropped and counted. The core runs on a worker's thread as a pure function. The
//! pictures of a case are made on one more thread, so that the other cameras are looked at meanwhile.

mod bell;
mod capture;
mod chain;
mod mailbox;
mod pin;
mod pool;
mod proofs;
mod pulse;
mod snapshot;
mod views;
mod watch;

pub use bell::Bell;
pub use capture::{Capture, Pace};
pub use chain::{Chain, Report};
pub use mailbox::Mailbox;
pub use pool::{Moment, Pool, WorkerCamera};
pub use pulse::Pulse;
pub use snapshot::{Snapshot, Snapshots};
