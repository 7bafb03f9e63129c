//! The cameras of a running box: how each is put to work and taken off it, alone.
//!
//! # Invariants
//! - A camera that comes, goes or changes takes no other with it: theirs is not touched.
//! - What a camera has seen is stored before it goes. A camera that changes goes on from there: dwell and open cases
//!   of rules that are still planned are kept.
//! - A reload is all of what was asked for or, when the new configuration is at fault, nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{error, info, warn};

use super::{Keeper, ReadPlan, resumed, start_time};
use crate::detect::Vocabulary;
use crate::error::{Error, Kind, Result};
use crate::evidence::Pictures;
use crate::health::HealthBoard;
use crate::pipeline::{Bell, Capture, Mailbox, Moment, Pace, Pool, Snapshots, WorkerCamera};
use crate::plan::{CameraPlan, Changes, Plan};
use crate::shutdown::Shutdown;
use crate::source::Link;

/// What cameras are put to work with.
pub(super) struct Roster {
    pub(super) keeper: Arc<Keeper>,
    pub(super) pool: Arc<Pool>,
    pub(super) bell: Arc<Bell>,
    pub(super) board: HealthBoard,
    pub(super) vocabulary: Vocabulary,
    pub(super) pictures: Pictures,
    pub(super) snapshots: Snapshots,
    pub(super) pace: Pace,
    pub(super) shutdown: Shutdown,
    /// What captures, by camera. Held while cameras come and go, so that they do so one after another.
    pub(super) captures: Mutex<BTreeMap<String, Capture>>,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cameras: Vec<String> = self.lock().keys().cloned().collect();
        f.debug_struct("Roster").field("cameras", &cameras).finish_non_exhaustive()
    }
}

/// Reads the configuration again and puts its cameras in force.
pub(super) struct Reloader {
    pub(super) roster: Arc<Roster>,
    pub(super) read: Box<ReadPlan>,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.roster.fmt(f)
    }
}

impl Reloader {
    /// As [`Roster::reload`], with what is read.
    pub(super) fn reload(&self) -> Result<Changes> {
        self.roster.reload((self.read)()?)
    }
}

impl Roster {
    /// Puts all cameras of the plan to work.
    ///
    /// # Errors
    /// When a saved state cannot be read or a thread cannot be started.
    pub(super) fn start_all(&self) -> Result<()> {
        let plan = self.keeper.plan.get();
        let mut captures = self.lock();
        plan.cameras.iter().try_for_each(|camera| self.start(&mut captures, &plan, camera))
    }

    fn start(
        &self,
        captures: &mut BTreeMap<String, Capture>,
        plan: &Plan,
        camera: &CameraPlan,
    ) -> Result<()> {
        let Keeper { outbox, throttle, clock, .. } = &*self.keeper;
        let mut chain = resumed(plan, camera, (self.vocabulary.clone(), self.pictures.clone()), outbox)?;
        chain.snapshots = self.snapshots.clone();
        throttle.reconcile(&chain);
        let start = start_time(&chain, clock.now());
        throttle.ask(&mut chain, start);
        let link = Arc::new(Link::new(&camera.id, clock.now()));
        let reel = match &self.keeper.clips {
            Some(clips) if camera.clip => Some(clips.reel(&camera.id)),
            None if camera.clip => {
                warn!(camera = camera.id, "Clips of this camera are made from the next start of the box on.");
                None
            }
            _ => None,
        };
        let mailbox = Arc::new(Mailbox::with_reel(reel));
        let post = (mailbox.clone(), self.bell.clone());
        let sights = chain.sights().clone();
        let capture = Capture::start(camera, start, self.pace, post, link.clone())?;
        if self.pool.add(WorkerCamera::new(chain, mailbox)).is_err() {
            capture.stop();
            return Err(Error::new(Kind::System, "the workers have stopped; no camera can be added"));
        }
        self.board.add(link, sights);
        captures.insert(camera.id.clone(), capture);
        Ok(())
    }

    /// Takes the camera called `id` off its work, with what it has seen stored.
    fn stop(&self, captures: &mut BTreeMap<String, Capture>, id: &str) -> Result<()> {
        if let Some(capture) = captures.remove(id) {
            capture.stop();
        }
        self.board.remove(id);
        if let Some(clips) = &self.keeper.clips {
            clips.forget(id);
        }
        match self.pool.remove(id) {
            Some(mut camera) => self.keeper.keep(&mut camera.chain, Moment::End, &mut Vec::new()),
            None => Ok(()),
        }
    }

    /// Puts the cameras of `new` in force, touching none that is watched as before; what concerns the box as a whole
    /// stays as it is. Returns what changed.
    ///
    /// # Errors
    /// When `new` asks for what the model cannot give, and then nothing changes; or when a camera could not be put to
    /// work, while all others are.
    pub(super) fn reload(&self, mut new: Plan) -> Result<Changes> {
        new.check_labels(&self.vocabulary, &self.keeper.model.name)?;
        new.check_scores(&self.keeper.model)?;
        let mut captures = self.lock();
        if self.shutdown.is_requested() {
            return Err(Error::new(
                Kind::System,
                "the box is stopping; its configuration is not read any more",
            ));
        }
        let changes = self.keeper.plan.get().changes(&new);
        let mut failed = None;
        for id in changes.removed.iter().chain(&changes.changed) {
            if let Err(e) = self.stop(&mut captures, id) {
                error!(camera = id, "What the camera has seen since its last case cannot be stored: {e}.");
            }
        }
        self.keeper.plan.set_cameras(new.cameras);
        let plan = self.keeper.plan.get();
        self.keeper.throttle.keep_cameras(&plan.cameras, self.keeper.clock.now())?;
        for id in changes.changed.iter().chain(&changes.added) {
            let Some(camera) = plan.camera(id) else { continue };
            if let Err(e) = self.start(&mut captures, &plan, camera) {
                error!(camera = id, "The camera is not watched: {e}.");
                failed = Some(e);
            }
        }
        if changes.waiting.is_empty() {
            info!("The configuration was read again: {changes}.");
        } else {
            warn!("The configuration was read again: {changes}.");
        }
        match failed {
            Some(e) => Err(e),
            None => Ok(changes),
        }
    }

    /// Stops all captures and waits until they have ended.
    pub(super) fn stop_captures(&self) {
        let captures = std::mem::take(&mut *self.lock());
        captures.values().for_each(Capture::request_stop);
        captures.into_values().for_each(Capture::stop);
    }

    /// Asks all captures to stop.
    pub(super) fn request_stop(&self) {
        self.lock().values().for_each(Capture::request_stop);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Capture>> {
        self.captures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
