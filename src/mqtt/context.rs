//! What the session is given: the box, and its delays.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::contract;
use super::orders::Commander;
use super::status::RuntimeRef;
use crate::case::throttle::ThrottleStatus;
use crate::clock::CaptureTime;
use crate::detect::ModelIdentity;
use crate::health::HealthBoard;
use crate::metrics::Meter;
use crate::plan::{CurrentPlan, Plan};

/// What the session needs to know of the box.
#[derive(Clone, Debug)]
pub struct Context {
    /// The plan that the box started with.
    pub plan: Arc<Plan>,
    /// The plan as it is: cameras come and go.
    pub current: CurrentPlan,
    /// The model that looks, if there is one.
    pub model: Option<ModelIdentity>,
    /// What it runs on, if it runs.
    pub runtime: Option<RuntimeRef>,
    /// When the program started.
    pub started: CaptureTime,
    /// What the throttle holds back, if there is one.
    pub throttle: Option<watch::Receiver<ThrottleStatus>>,
    /// Carries out commands; `None` for a box that takes none.
    pub commander: Option<Arc<dyn Commander>>,
    /// Counts, if anybody does.
    pub meter: Option<Arc<Meter>>,
    /// How the cameras are doing, if anybody says.
    pub board: Option<HealthBoard>,
    /// Delays.
    pub tuning: Tuning,
}

/// Delays of the session. The defaults are for the field; tests use shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Shortest and longest wait between attempts to connect; jitter of up to half is taken off.
    pub reconnect: (Duration, Duration),
    /// Shortest and longest wait before a held event is offered again.
    pub hold: (Duration, Duration),
    /// Longest wait before a held picture is offered again: pictures are large and someone may never want them.
    pub hold_picture: Duration,
    /// How long after a lost connection the broker says that the box is offline. A short loss goes unsaid.
    pub will_delay_s: u32,
    /// How often the status is looked at again.
    pub status_every: Duration,
    /// How often what is counted is said.
    pub metrics_every: Duration,
    /// How often the cameras' health is looked at for changes.
    pub health_every: Duration,
    /// How long a clean stop may take to deliver what is due.
    pub flush: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            reconnect: (seconds(1), seconds(60)),
            hold: (seconds(5), seconds(60)),
            hold_picture: seconds(3600),
            will_delay_s: 30,
            status_every: seconds(60),
            metrics_every: seconds(contract::METRICS_EVERY_S.into()),
            health_every: Duration::from_millis(500),
            flush: seconds(10),
        }
    }
}
