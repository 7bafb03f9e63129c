//! What becomes of a look: the core's state and what it decided go into the outbox, and pictures into the evidence folder.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tracing::{error, info, warn};

use super::clips::Clips;
use super::shared_throttle::SharedThrottle;
use super::{Progress, STORE_AGAIN, STORE_EVERY_S, view_key};
use crate::case::Happening;
use crate::case::throttle::{Dispatch, Throttle};
use crate::clock::{CaptureTime, Clock};
use crate::detect::{ModelIdentity, Vocabulary};
use crate::error::Result;
use crate::evidence::{Evidence, Store};
use crate::health::HealthBoard;
use crate::mqtt::{self, Report as EventReport};
use crate::outbox::{BOX, Message, Outbox};
use crate::pipeline::{Chain, Moment, Pulse, Report};
use crate::plan::{CurrentPlan, Input};
use crate::shutdown::Shutdown;
use crate::upload::Uploads;

/// Keeps what the workers bring: pictures in the evidence folder, events and state in the outbox.
pub(super) struct Keeper {
    pub(super) plan: CurrentPlan,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) throttle: Arc<SharedThrottle>,
    pub(super) store: Store,
    pub(super) uploads: Option<Uploads>,
    /// What clips are made of; `None` where nothing makes them.
    pub(super) clips: Option<Clips>,
    pub(super) progress: Arc<Progress>,
    pub(super) model: ModelIdentity,
    pub(super) shutdown: Shutdown,
    pub(super) board: HealthBoard,
    /// Waiting for a disk is no sign of a hung worker.
    pub(super) pulse: Pulse,
    /// When each camera's state was last stored.
    pub(super) stored: Mutex<HashMap<String, CaptureTime>>,
}

impl Keeper {
    pub(super) fn keep(&self, chain: &mut Chain, moment: Moment, reports: &mut Vec<Report>) -> Result<()> {
        let Some(at) = chain.judge.last_look() else { return Ok(()) };
        if moment == Moment::Look {
            self.progress.looks.fetch_add(1, Ordering::Relaxed);
            self.progress.captured.store(at.nanos().cast_unsigned(), Ordering::Relaxed);
            let stored = self.stored().get(&chain.camera.id).copied();
            let fresh = stored.is_some_and(|stored| at.seconds_since(stored) < STORE_EVERY_S);
            if fresh && reports.is_empty() {
                self.throttle.ask(chain, at);
                return Ok(());
            }
        }
        let state = chain.judge.save()?;
        let told = if reports.is_empty() {
            let memory = chain.view_memory(moment == Moment::End)?;
            let key = view_key(&chain.camera.id);
            let view = memory.as_ref().map(|memory| (key.as_str(), memory.as_slice()));
            let states: Vec<_> =
                std::iter::once((chain.camera.id.as_str(), state.as_slice())).chain(view).collect();
            self.put(chain, &states, &[], reports)?;
            self.throttle.tell(at);
            Vec::new()
        } else {
            self.throttle.change(at, |throttle| self.tell(chain, at, &state, throttle, reports))?
        };
        self.progress.cases.fetch_add(told.len() as u64, Ordering::Relaxed);
        let plan = self.plan.get();
        for dispatch in told {
            if let Some(clips) = &self.clips {
                clips.order(&plan, &dispatch, &self.model);
            }
            let Dispatch { happening: Happening { case, change, .. }, camera, .. } = dispatch;
            let rule = plan.camera(&camera).and_then(|camera| camera.rules.get(case.rule.0));
            info!(
                camera,
                zone = rule.map(|rule| rule.zone.as_str()),
                kind = rule.map(|rule| rule.kind.slug.as_str()),
                case = case.id.as_str(),
                "Case {change:?}."
            );
        }
        reports.clear();
        self.stored().insert(chain.camera.id.clone(), at);
        self.throttle.ask(chain, at);
        Ok(())
    }

    /// Puts what `throttle` lets through into the outbox, with the states that led to it.
    fn tell(
        &self,
        chain: &Chain,
        at: CaptureTime,
        state: &[u8],
        throttle: &mut Throttle,
        reports: &mut [Report],
    ) -> Result<Vec<Dispatch>> {
        let happenings: Vec<Happening> = reports.iter().map(|report| report.happening.clone()).collect();
        let dispatches = throttle.look(&chain.camera, at, &happenings, chain.judge.vocabulary());
        self.write_pictures(&dispatches, reports);
        let box_state = throttle.save()?;
        self.put(chain, &[(&chain.camera.id, state), (BOX, &box_state)], &dispatches, reports)?;
        Ok(dispatches)
    }

    /// Stores the states and what is told. The core has moved on, so going on without these rows would lose a
    /// case: nothing is looked at until they are kept. After a restart the stored state leads to the same
    /// decision again.
    fn put(
        &self,
        chain: &Chain,
        states: &[(&str, &[u8])],
        dispatches: &[Dispatch],
        reports: &[Report],
    ) -> Result<()> {
        while let Err(e) = self.accept(chain, states, dispatches, reports) {
            error!(camera = chain.camera.id, "A case cannot be stored, trying again: {e}.");
            if e.is_disk_full() {
                self.make_room();
            }
            self.pulse.beat();
            if self.shutdown.wait_for(STORE_AGAIN) {
                return Err(e);
            }
        }
        Ok(())
    }

    fn stored(&self) -> MutexGuard<'_, HashMap<String, CaptureTime>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(
        &self,
        chain: &Chain,
        states: &[(&str, &[u8])],
        dispatches: &[Dispatch],
        reports: &[Report],
    ) -> Result<Vec<Message>> {
        let plan = self.plan.get();
        self.outbox.accept_with(states, |sequence| {
            let mut messages = Vec::new();
            for dispatch in dispatches {
                let labels = dispatch.labels.clone().map(Vocabulary::new);
                messages.extend(mqtt::messages(&EventReport {
                    plan: &plan,
                    camera: plan.camera(&dispatch.camera).unwrap_or(&chain.camera),
                    happening: &dispatch.happening,
                    evidence: &reports[dispatch.of].evidence,
                    note: &dispatch.note,
                    vocabulary: labels.as_ref().unwrap_or(chain.judge.vocabulary()),
                    model: Some(&self.model),
                    sequence: sequence.next_number(),
                    recorded: self.clock.now(),
                    clock_synced: self.clock_synced(&dispatch.camera),
                })?);
            }
            Ok(messages)
        })
    }

    /// Whether what `camera` saw was stamped by a clock that is kept right; nothing is known of recordings.
    fn clock_synced(&self, camera: &str) -> Option<bool> {
        let plan = self.plan.get();
        plan.camera(camera).filter(|camera| matches!(camera.input, Input::Live(_)))?;
        self.clock.is_synced().map(|synced| synced && self.board.keeps_time(camera))
    }

    /// Gives up old pictures for a case on a disk that is full.
    fn make_room(&self) {
        match self.store.make_room(SystemTime::now()) {
            Ok(swept) if swept.crowded_out > 0 => {
                warn!("The disk is full: {} old evidence pictures were deleted.", swept.crowded_out);
            }
            Ok(_) => error!("The disk is full, and there is no evidence left to delete: free some space."),
            Err(e) => error!("The disk is full, and evidence cannot be deleted: {e}."),
        }
    }

    /// A picture that cannot be written still goes out as a message; only the page lacks it. With a store, a picture
    /// is written down for it before the event is accepted that names its address.
    fn write_pictures(&self, dispatches: &[Dispatch], reports: &mut [Report]) {
        for dispatch in dispatches {
            let case = &dispatch.happening.case.id;
            let Evidence::Taken { pictures, .. } = &mut reports[dispatch.of].evidence else { continue };
            for picture in pictures {
                if let Err(e) = self.store.write(case, picture) {
                    warn!("An evidence picture is missing on the page: {e}.");
                }
                let Some(uploads) = &self.uploads else { continue };
                match uploads.put(case, picture) {
                    Ok(url) => picture.url = Some(url),
                    Err(e) => {
                        warn!("A picture goes to the broker, since it cannot wait for the store: {e}.");
                    }
                }
            }
        }
    }
}
