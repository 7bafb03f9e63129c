//! How each camera of the box is doing, in one place: its link, its view, and what was looked at. The capture thread and
//! the workers write it; the session with the broker, the page and the metrics read it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::fault::Fault;
use super::view::Verdict;
use crate::clock::CaptureTime;
use crate::source::{Link, Phase};

/// What a camera is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// No picture has come yet.
    Connecting,
    /// Pictures come and can be judged.
    Streaming,
    /// Pictures came, or were refused; it is tried again for ever.
    Stalled,
    /// Pictures come, but nothing in them is lit.
    Dark,
    /// Pictures come, but something covers the lens.
    Covered,
    /// The same picture comes again and again.
    Frozen,
    /// Pictures come, but out of focus.
    Blurred,
    /// Pictures come, but the camera points elsewhere than its zones were drawn for.
    Moved,
    /// A recording is at its end.
    Ended,
}

impl HealthState {
    /// Its name in Chinese and in English.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Connecting => ("连接中", "connecting"),
            Self::Streaming => ("正常", "streaming"),
            Self::Stalled => ("离线", "stalled"),
            Self::Dark => ("画面全黑", "dark"),
            Self::Covered => ("画面遮挡", "covered"),
            Self::Frozen => ("画面冻结", "frozen"),
            Self::Blurred => ("画面模糊", "blurred"),
            Self::Moved => ("镜头移位", "moved"),
            Self::Ended => ("已结束", "ended"),
        }
    }
}

impl From<Fault> for HealthState {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Dark => Self::Dark,
            Fault::Covered => Self::Covered,
            Fault::Frozen => Self::Frozen,
            Fault::Blurred => Self::Blurred,
            Fault::Moved => Self::Moved,
        }
    }
}

/// How a camera is doing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Health {
    /// What it is doing.
    pub state: HealthState,
    /// Since when.
    pub since: CaptureTime,
    /// Why, and what to do, in Chinese and in English; `None` when all is well.
    pub reason: Option<(String, String)>,
}

/// What the looks at one camera have shown, shared.
#[derive(Debug, Default)]
pub struct Sights {
    declared: Mutex<Option<(Option<Fault>, CaptureTime)>>,
    looks: AtomicU64,
    saved: AtomicU64,
    unusable: AtomicU64,
}

impl Sights {
    /// Takes the verdict on the view of `camera` in. What was declared is logged once.
    pub fn note(&self, camera: &str, verdict: &Verdict) {
        *self.declared() = Some((verdict.fault, verdict.since));
        match verdict.fault {
            _ if !verdict.changed => {}
            Some(fault) => warn!(camera, "The view cannot be judged: {}.", fault.reason().1),
            None => info!(camera, "The view can be judged again."),
        }
    }

    /// Counts a look that was taken, and whether it could be used.
    pub fn looked(&self, usable: bool) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.unusable.fetch_add(u64::from(!usable), Ordering::Relaxed);
    }

    /// Counts a look that nothing called for.
    pub fn saved_one(&self) {
        self.saved.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks taken.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Looks left out because nothing called for them.
    pub fn saved(&self) -> u64 {
        self.saved.load(Ordering::Relaxed)
    }

    /// Looks taken of a view that could not be judged.
    pub fn unusable(&self) -> u64 {
        self.unusable.load(Ordering::Relaxed)
    }

    fn declared(&self) -> MutexGuard<'_, Option<(Option<Fault>, CaptureTime)>> {
        // Plain data: a thread that died while holding the lock left nothing half-done that matters.
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One camera on the board.
#[derive(Debug)]
pub struct CameraHealth {
    /// How its pictures come.
    pub link: Arc<Link>,
    /// What they show.
    pub sights: Arc<Sights>,
}

impl CameraHealth {
    /// Id of the camera.
    pub fn camera(&self) -> &str {
        self.link.camera()
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        let link = self.link.state();
        let trouble = |zh: &str| {
            let said = link.reason.clone();
            said.map(|reason| (format!("{zh}：{reason}"), reason))
        };
        let plain = |state| Health { state, since: link.since, reason: None };
        match link.phase {
            Phase::Connecting => plain(HealthState::Connecting),
            Phase::Lost => {
                Health { reason: trouble("没有画面，正在重新连接"), ..plain(HealthState::Stalled) }
            }
            Phase::Ended => Health { reason: trouble("录像中断"), ..plain(HealthState::Ended) },
            Phase::Live => match *self.sights.declared() {
                Some((Some(fault), since)) => {
                    let (zh, en) = fault.reason();
                    Health { state: fault.into(), since, reason: Some((zh.to_owned(), en.to_owned())) }
                }
                Some((None, since)) => Health {
                    since: since.max(link.since),
                    reason: trouble("画面无法使用"),
                    ..plain(HealthState::Streaming)
                },
                None => Health { reason: trouble("画面无法使用"), ..plain(HealthState::Streaming) },
            },
        }
    }
}

/// The cameras of the box. Clones share it; cameras come and go.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard(Arc<Mutex<Vec<Arc<CameraHealth>>>>);

impl HealthBoard {
    /// Adds a camera, in the place of one of the same id.
    pub fn add(&self, link: Arc<Link>, sights: Arc<Sights>) {
        let mut cameras = self.lock();
        cameras.retain(|known| known.camera() != link.camera());
        cameras.push(Arc::new(CameraHealth { link, sights }));
    }

    /// Takes the camera called `id` off.
    pub fn remove(&self, id: &str) {
        self.lock().retain(|known| known.camera() != id);
    }

    /// All cameras, in the order in which they came.
    pub fn all(&self) -> Vec<Arc<CameraHealth>> {
        self.lock().clone()
    }

    /// Whether capture times of the camera called `id` keep to the box's wall clock, as far as is known.
    pub fn keeps_time(&self, id: &str) -> bool {
        self.lock().iter().find(|known| known.camera() == id).is_none_or(|known| known.link.keeps_time())
    }

    /// A number that changes when the health of any camera does.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for camera in self.all() {
            (camera.camera(), camera.health()).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<CameraHealth>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::View;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::default().plus_seconds(seconds)
    }

    fn verdict(fault: Option<Fault>, since: f64) -> Verdict {
        let view = fault.map_or(View::Clear, Fault::view);
        Verdict { view, fault, since: at(since), changed: true }
    }

    #[test]
    fn what_ails_a_camera_most_is_its_health() {
        let board = HealthBoard::default();
        let (link, sights) = (Arc::new(Link::new("gate", at(0.0))), Arc::new(Sights::default()));
        board.add(link.clone(), sights.clone());
        let health = || board.all()[0].health();
        assert_eq!((health().state, health().since), (HealthState::Connecting, at(0.0)));
        link.playing(at(1.0), (640, 360));
        sights.note("gate", &verdict(None, 1.5));
        assert_eq!((health().state, health().since), (HealthState::Streaming, at(1.5)));
        let before = board.fingerprint();
        sights.note("gate", &verdict(Some(Fault::Covered), 20.0));
        assert_eq!((health().state, health().since), (HealthState::Covered, at(20.0)));
        assert!(health().reason.is_some_and(|(zh, en)| zh.contains("遮挡") && en.contains("covers")));
        assert_ne!(board.fingerprint(), before);
        link.ended(at(30.0), None);
        assert_eq!((health().state, health().since), (HealthState::Ended, at(30.0)), "no picture, no fault");
        assert!(board.keeps_time("gate"));
        board.remove("gate");
        assert!(board.all().is_empty());
        assert!(board.keeps_time("gate"), "of one that is gone nothing is known");
    }
}
