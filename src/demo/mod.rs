//! What the demo brings along so that it needs nothing else: a broker inside the process, a subscriber that knows no
//! more than what comes over MQTT, and a desk where the cases can be walked to their end.

pub mod broker;
#[cfg(feature = "desk")]
pub mod desk;
#[cfg(feature = "desk")]
pub mod door;
pub mod subscriber;

pub use broker::Broker;
pub use subscriber::{Counts, Subscriber};
