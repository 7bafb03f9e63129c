//! From a happening to a message that a broker has taken: topics, the CloudEvents envelope, the bookkeeping of
//! acknowledgements and the session that ties them to a socket.
//!
//! Nothing here is durable: [`crate::outbox`] holds every message until the broker has acknowledged it.

pub mod answer;
mod clip;
pub mod command;
mod context;
pub mod contract;
pub mod envelope;
mod health;
pub(crate) mod link;
mod message;
mod orders;
pub mod publisher;
mod report;
pub mod session;
mod status;
pub mod topic;

pub use answer::Answer;
pub use clip::{ClipNote, clip_messages};
pub use context::{Context, Tuning};
pub use envelope::CaseEvent;
pub use health::Health;
pub use message::messages;
pub use orders::Commander;
pub use report::{MAX_BYTES, Report};
pub use session::run;
pub use status::{HeldBackStatus, QuietNote, RuntimeRef, State, Status, UploadRef};
