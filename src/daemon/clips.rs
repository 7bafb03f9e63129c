//! The thread that makes clips: one at a time, at low priority, with a detector of its own, so that looks and pictures
//! do not wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::case::Change;
use crate::case::throttle::Dispatch;
use crate::clock::Clock;
use crate::detect::{Detector, ModelIdentity};
use crate::error::{Error, Kind, Result};
use crate::evidence::clip::{Clip, Order, Queue, Reel, Take, film};
use crate::evidence::{Pictures, Store};
use crate::mqtt;
use crate::outbox::Outbox;
use crate::plan::{CurrentPlan, Plan};
use crate::shutdown::Shutdown;
use crate::upload::Uploads;

/// By how much the thread steps back behind all others (`nice`).
const NICE: i32 = 10;
/// How often, and after which wait, it tries again to store a clip on a disk that will not take it.
const TRIES: u32 = 5;
const AGAIN: Duration = Duration::from_secs(2);

/// The clips of a box: what they are made of, and how many wait. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Clips {
    pub(super) queue: Arc<Queue>,
    reels: Arc<Mutex<HashMap<String, Arc<Reel>>>>,
}

impl Clips {
    /// A reel for the camera called `id`, in place of one that it had.
    pub(super) fn reel(&self, id: &str) -> Arc<Reel> {
        let reel = Arc::new(Reel::new(self.queue.clone()));
        self.lock().insert(id.to_owned(), reel.clone());
        reel
    }

    /// Forgets the reel of a camera that is watched no more.
    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Has the clip of `dispatch` made, if it opens a case of a camera that has clips.
    pub(super) fn order(&self, plan: &Plan, dispatch: &Dispatch, model: &ModelIdentity) {
        if dispatch.happening.change != Change::Opened {
            return;
        }
        let Some(reel) = self.lock().get(&dispatch.camera).cloned() else { return };
        let case = &dispatch.happening.case;
        let Some(camera) = plan.camera(&dispatch.camera) else { return };
        let Some(rule) = camera.rules.get(case.rule.0) else { return };
        reel.film(Order {
            case: case.clone(),
            at: dispatch.happening.at,
            camera: camera.id.clone(),
            camera_name: camera.name.clone(),
            kind: rule.kind.clone(),
            zone: rule.polygon.clone(),
            time_zone: plan.zone.clone(),
            model: model.clone(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Reel>>> {
        self.reels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes clips and hands them on.
pub(super) struct Maker {
    pub(super) clips: Clips,
    pub(super) pictures: Pictures,
    pub(super) plan: CurrentPlan,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) store: Store,
    pub(super) uploads: Option<Uploads>,
    pub(super) shutdown: Shutdown,
}

impl Maker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(self, mut detector: Box<dyn Detector>) -> Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("clips".to_owned())
            .spawn(move || {
                // On Linux the priority is the thread's own. Without it clips are made all the same.
                if let Err(e) = rustix::process::setpriority_process(None, NICE) {
                    warn!("Clips are made at the priority of everything else: {e}.");
                }
                detector.rest();
                while let Some(take) = self.clips.queue.next() {
                    self.make(&take, detector.as_mut());
                }
            })
            .map_err(|e| Error::new(Kind::System, "cannot start the thread of the clips").caused_by(e))
    }

    fn make(&self, take: &Take, detector: &mut dyn Detector) {
        let made = film(take, &self.pictures, detector, || !self.shutdown.is_requested());
        let (camera, case) = (take.order.camera.as_str(), take.order.case.id.as_str());
        if made.is_err() && self.shutdown.is_requested() {
            warn!(camera, case, "No clip of this case: the box is stopping.");
            return self.clips.queue.settle(|count| count.lost += 1);
        }
        let reason = made.as_ref().err().map(ToString::to_string);
        if let Some(reason) = &reason {
            error!(camera, case, reason, "No clip of this case.");
        }
        match self.tell(take, made) {
            Ok(()) => self.clips.queue.settle(|count| match reason {
                None => count.made += 1,
                Some(_) => count.withheld += 1,
            }),
            Err(e) => {
                error!(camera, case, "A clip cannot be stored and is given up: {e}.");
                self.clips.queue.settle(|count| count.lost += 1);
            }
        }
    }

    /// Writes the clip down, puts it on its way to a store if there is one, and queues what is told of it.
    fn tell(&self, take: &Take, made: Result<Clip>) -> Result<()> {
        let (order, plan) = (&take.order, self.plan.get());
        let made = made.map_err(|e| e.to_string()).map(|mut clip| {
            if let Err(e) = self.store.write(&order.case.id, &clip.picture) {
                warn!("A clip is missing on the page: {e}.");
            }
            if let Some(uploads) = &self.uploads {
                match uploads.put(&order.case.id, &clip.picture) {
                    Ok(url) => clip.picture.url = Some(url),
                    Err(e) => warn!("A clip goes to the broker, since it cannot wait for the store: {e}."),
                }
            }
            info!(
                camera = order.camera,
                case = order.case.id.as_str(),
                frames = clip.frames,
                bytes = clip.picture.bytes.len(),
                "A clip was made."
            );
            clip
        });
        let told = made.as_ref().map_err(String::as_str);
        let messages = mqtt::clip_messages(&plan, order, told, self.clock.now())?;
        let mut tries = 0;
        loop {
            match self.outbox.accept_with(&[], |_| Ok(messages.clone())) {
                Ok(_) => return Ok(()),
                Err(e) => {
                    tries += 1;
                    if tries >= TRIES || self.shutdown.wait_for(AGAIN) {
                        return Err(e);
                    }
                }
            }
        }
    }
}
