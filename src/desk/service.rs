//! The desk itself: what its functions share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use super::album::Album;
use super::bucket::Buckets;
use super::denied::{Answer, Denied};
use super::keys::{self, Keys};
use super::life::{Millis, Role};
use super::plan::DeskPlan;
use super::store::{self, Store};
use super::viewer::Viewer;
use crate::clock::{Clock, SystemClock};
use crate::error::Result;

/// Most addresses that are told apart when there are floods.
const ADDRESSES: usize = 20_000;
const HOUR: Millis = 3_600_000;

/// The desk. Its functions block: they read and write a database, hash passwords and decode photos.
pub struct Desk {
    pub(super) plan: DeskPlan,
    pub(super) store: Store,
    pub(super) album: Album,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) floods: Mutex<Floods>,
    /// One password is hashed at a time: each takes 19 MiB and a processor.
    pub(super) hashing: Mutex<()>,
    /// One photo of a stranger is decoded at a time.
    pub(super) decoding: Mutex<()>,
    /// Wakes the session with the broker when a verdict was queued.
    pub(super) verdicts: Notify,
    /// Wakes who fetches pictures from stores.
    pub(super) fetches: Notify,
    /// Wakes the sender of notices.
    pub(super) notices: Notify,
    pub(super) link: Mutex<BrokerState>,
}

/// What holds back who comes too often.
#[derive(Debug)]
pub(super) struct Floods {
    pub(super) sign_in_address: Buckets<IpAddr>,
    pub(super) sign_in_login: Buckets<String>,
    pub(super) report_address: Buckets<IpAddr>,
    pub(super) report_grid: Buckets<String>,
    pub(super) link_address: Buckets<IpAddr>,
}

/// How the desk stands with the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BrokerState {
    /// Whether it is connected.
    pub connected: bool,
    /// Since when.
    pub since: Option<Millis>,
    /// What is wrong, if it is not.
    pub trouble: Option<String>,
}

/// How the desk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The broker.
    pub broker: BrokerState,
    /// The boxes that have said something.
    pub boxes: Vec<BoxHealth>,
    /// Events taken in, ever.
    pub events: u64,
    /// Of the messages that came, those that were refused as not to the contract.
    pub refused: u64,
    /// Pictures that an event names and that have not come.
    pub pictures_missing: u64,
    /// Of these, pictures that nobody asks for any more: their store is not listed, or never had them.
    pub pictures_lost: u64,
    /// Pictures that came and that no event has named yet.
    pub pictures_early: u64,
    /// Verdicts that wait for a box's answer.
    pub verdicts_waiting: u64,
    /// Notices that wait to be sent.
    pub notices_waiting: u64,
    /// Notices that were given up.
    pub notices_given_up: u64,
}

/// A box as its own status last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BoxHealth {
    /// `{street}/{box}`.
    pub source: String,
    /// `online`, `stopped` or `offline`.
    pub state: String,
    /// When it said so.
    pub at: Millis,
    /// Its whole status, as it sent it.
    pub status: serde_json::Value,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("street", &self.plan.street).finish_non_exhaustive()
    }
}

impl Desk {
    /// Opens the desk's store, making it if it is not there.
    ///
    /// # Errors
    /// [`crate::error::Kind::Disk`] when the storage folder cannot be used.
    pub fn open(plan: DeskPlan) -> Result<Self> {
        Self::with_clock(plan, Arc::new(SystemClock))
    }

    /// The same with another clock.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub fn with_clock(plan: DeskPlan, clock: Arc<dyn Clock>) -> Result<Self> {
        let store = Store::open(&plan.storage)?;
        let album = Album::open(&plan.storage.join("pictures"))?;
        let fresh = keys::new_key()?;
        let keys = Keys::new(&store.meta_or("link_key", || fresh)?);
        let floods = Floods {
            sign_in_address: Buckets::new(20, HOUR / 4, ADDRESSES),
            sign_in_login: Buckets::new(10, HOUR / 4, ADDRESSES),
            report_address: Buckets::new(plan.reports.per_address_h, HOUR, ADDRESSES),
            report_grid: Buckets::new(plan.reports.per_grid_h, HOUR, 4096),
            link_address: Buckets::new(120, HOUR / 4, ADDRESSES),
        };
        Ok(Self {
            plan,
            store,
            album,
            keys,
            clock,
            floods: Mutex::new(floods),
            hashing: Mutex::new(()),
            decoding: Mutex::new(()),
            verdicts: Notify::new(),
            fetches: Notify::new(),
            notices: Notify::new(),
            link: Mutex::default(),
        })
    }

    /// What the configuration says.
    pub fn plan(&self) -> &DeskPlan {
        &self.plan
    }

    /// The time now.
    pub(super) fn now(&self) -> Millis {
        self.clock.now().nanos().div_euclid(1_000_000)
    }

    pub(super) fn floods(&self) -> MutexGuard<'_, Floods> {
        lock(&self.floods)
    }

    /// How the desk is; for operators, the operations centre and administrators.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for others.
    pub fn health(&self, viewer: &Viewer) -> Answer<Health> {
        if !matches!(viewer.role(), Role::Operator | Role::Centre | Role::Admin) {
            return Err(Denied::Forbidden);
        }
        let broker = lock(&self.link).clone();
        Ok(self.store.read(|db| {
            let (pictures_missing, pictures_lost, pictures_early) = store::missing(db)?;
            let (notices_waiting, notices_given_up) = store::notices_waiting(db)?;
            let boxes = store::boxes(db)?
                .into_iter()
                .map(|row| BoxHealth {
                    status: serde_json::from_str(&row.status).unwrap_or_default(),
                    source: row.source,
                    state: row.state,
                    at: row.at,
                })
                .collect();
            Ok(Health {
                broker,
                boxes,
                events: store::counter(db, "events")?,
                refused: store::counter(db, "refused")?,
                pictures_missing,
                pictures_lost,
                pictures_early,
                verdicts_waiting: store::verdicts_waiting(db)?,
                notices_waiting,
                notices_given_up,
            })
        })?)
    }
}

/// What is behind `mutex`; a panic elsewhere leaves it as it was.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
