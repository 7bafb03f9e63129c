//! What the demo brings along so that it needs nothing else: a broker inside the process, and a subscriber
//! that knows no more than what comes over MQTT.

pub mod broker;
pub mod subscriber;

pub use broker::Broker;
pub use subscriber::{Counts, Subscriber};
