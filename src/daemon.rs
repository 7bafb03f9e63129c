//! The running box: capture threads, the workers, and the tokio side that delivers and serves, started and
//! stopped together.
//!
//! # Invariants
//! - What the core decides is in the outbox, in one transaction with the core's state, before anything else
//!   happens to it. A crash at any moment loses no event and makes none twice.
//! - One camera that fails takes no other with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::{error, info, warn};

use crate::clock::{CaptureTime, Clock};
use crate::detect::{Detector, ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::evidence::{Evidence, Pictures, Store};
use crate::mqtt::{self, Report as EventReport, RuntimeRef, Tuning};
use crate::outbox::{Message, Outbox};
use crate::pipeline::{Bell, Capture, Chain, Mailbox, Moment, Pace, Pool, Report, WorkerCamera};
use crate::plan::{CameraPlan, Input, Plan};
use crate::shutdown::Shutdown;
use crate::source::Link;
use crate::web;

/// Seconds of capture time after which a camera's state is stored although nothing happened. A crash loses at
/// most this much of a dwell's latest sightings, never its beginning; a clean stop loses nothing.
const STORE_EVERY_S: f64 = 10.0;
/// How long the worker waits before it tries again to store what it could not.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// How often old evidence is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How a daemon is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pace of recorded inputs.
    pub pace: Pace,
    /// Delays of the MQTT session.
    pub tuning: Tuning,
}

impl Default for Options {
    fn default() -> Self {
        Self { pace: Pace { speed: 1.0 }, tuning: Tuning::default() }
    }
}

/// How far the daemon is; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    looks: AtomicU64,
    cases: AtomicU64,
    captured: AtomicU64,
}

impl Progress {
    /// Looks taken, all cameras together.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Case events accepted.
    pub fn cases(&self) -> u64 {
        self.cases.load(Ordering::Relaxed)
    }

    /// Capture time of the latest look; `None` before the first.
    pub fn captured(&self) -> Option<CaptureTime> {
        match self.captured.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(CaptureTime::from_nanos(nanos.cast_signed())),
        }
    }
}

/// A running box.
#[derive(Debug)]
pub struct Daemon {
    shutdown: Shutdown,
    worker: JoinHandle<Result<()>>,
    captures: Vec<Capture>,
    runtime: Runtime,
    session: tokio::task::JoinHandle<()>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Its outbox.
    pub outbox: Arc<Outbox>,
    /// How its live cameras are doing.
    pub links: Vec<Arc<Link>>,
}

impl Daemon {
    /// Starts watching with one worker for each of `detectors`, of which there is at least one; all are of the
    /// same model and know the labels of `plan`.
    ///
    /// # Errors
    /// When there is no detector, when the storage folder or the page's port cannot be used, a saved state cannot be read, or a thread
    /// cannot be started.
    pub fn start(
        plan: Plan,
        detectors: Vec<Box<dyn Detector>>,
        clock: Arc<dyn Clock>,
        options: Options,
        shutdown: Shutdown,
    ) -> Result<Self> {
        let Some(detector) = detectors.first() else {
            return Err(Error::new(Kind::System, "a daemon needs at least one detector; there is none"));
        };
        let runtime_ref = detector.runtime().map(|runtime| RuntimeRef::new(runtime, detectors.len()));
        let identity = detector.identity().clone();
        let vocabulary = detector.vocabulary().clone();
        let pictures = Pictures::open(&plan)?;
        let plan = Arc::new(plan);
        let outbox = Arc::new(Outbox::open(&plan.storage)?.with_quota(plan.outbox_bytes));
        let store = Store::open(&plan.storage.join("evidence"))?.with_limit(plan.retention);
        store.sweep(SystemTime::now())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("delivery")
            .enable_all()
            .build()
            .map_err(|e| Error::new(Kind::System, "cannot start the delivery threads").caused_by(e))?;
        let context = mqtt::Context {
            plan: plan.clone(),
            model: Some(identity.clone()),
            runtime: runtime_ref.clone(),
            started: clock.now(),
            tuning: options.tuning,
        };
        let about = about(&identity, runtime_ref.as_ref());
        serve_page(&runtime, &plan, about, &outbox, &store, &shutdown)?;
        let bell = Arc::new(Bell::default());
        let mut cameras = Vec::new();
        let mut captures = Vec::new();
        let mut links = Vec::new();
        for camera in &plan.cameras {
            let chain = resumed(&plan, camera, (vocabulary.clone(), pictures.clone()), &outbox)?;
            let start = start_time(&chain, clock.now());
            let mailbox = Arc::new(Mailbox::default());
            let link = Arc::new(Link::new(&camera.id, start));
            if matches!(camera.input, Input::Live(_)) {
                links.push(link.clone());
            }
            let (post, shutdown) = ((mailbox.clone(), bell.clone()), shutdown.clone());
            captures.push(Capture::start(camera, start, options.pace, post, link, shutdown)?);
            cameras.push(WorkerCamera::new(chain, mailbox));
        }
        let progress = Arc::new(Progress::default());
        let pinned = plan.pin;
        let keeper = Keeper {
            plan,
            clock,
            outbox: outbox.clone(),
            store,
            progress: progress.clone(),
            model: identity,
            shutdown: shutdown.clone(),
            stored: Mutex::new(HashMap::new()),
        };
        runtime.spawn(sweep_now_and_then(keeper.store.clone(), shutdown.clone()));
        let worker = start_workers(Pool::new(cameras, bell), detectors, pinned, keeper, shutdown.clone())?;
        let session = {
            let shutdown = shutdown.clone();
            let outbox = outbox.clone();
            runtime.spawn(async move { mqtt::run(context, outbox, shutdown.requested()).await })
        };
        Ok(Self { shutdown, worker, captures, runtime, session, progress, outbox, links })
    }

    /// Whether all inputs are at their end and looked at, or the worker failed.
    pub fn is_idle(&self) -> bool {
        self.worker.is_finished()
    }

    /// Asks everything to stop and waits until it has: the worker, the capture threads, and the delivery of
    /// what the broker takes within the flush time.
    ///
    /// # Errors
    /// The worker's, when it could not keep a case.
    pub fn stop(self) -> Result<()> {
        self.shutdown.request();
        let worked = self.worker.join().unwrap_or_else(|_| {
            Err(Error::new(
                Kind::System,
                "the worker thread ended in a panic; this is a fault of the program",
            ))
        });
        self.captures.into_iter().for_each(Capture::join);
        if self.runtime.block_on(self.session).is_err() {
            warn!("The delivery task ended before its time.");
        }
        worked
    }
}

/// Serves the page, if the plan has one.
fn serve_page(
    runtime: &Runtime,
    plan: &Plan,
    about: String,
    outbox: &Arc<Outbox>,
    store: &Store,
    shutdown: &Shutdown,
) -> Result<()> {
    let Some(address) = plan.web else { return Ok(()) };
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(|e| {
        Error::new(Kind::System, format!("the page cannot listen on {address}"))
            .help("another program may use the port; set web.listen to a free one")
            .caused_by(e)
    })?;
    if let Ok(address) = listener.local_addr() {
        info!("The page is at http://{address}/.");
    }
    let title = format!("{} {}", plan.street, plan.box_id);
    let (outbox, folder, shutdown) = (outbox.clone(), store.folder().to_owned(), shutdown.clone());
    runtime.spawn(async move {
        if let Err(e) =
            web::serve(listener, outbox, folder, &title, &about, async move { shutdown.requested().await })
                .await
        {
            error!("The page is gone: {e}.");
        }
    });
    Ok(())
}

/// The chain of `camera`, gone on from where the last run stopped.
fn resumed(
    plan: &Plan,
    camera: &CameraPlan,
    (vocabulary, pictures): (Vocabulary, Pictures),
    outbox: &Outbox,
) -> Result<Chain> {
    let mut chain = Chain::new(plan, camera, vocabulary, pictures);
    if let Some(saved) = outbox.core_state(&camera.id)? {
        chain.restore(&saved)?;
        let open = chain.judge.open_cases().count();
        info!(camera = camera.id, open_cases = open, "Going on where the last run stopped.");
    }
    Ok(chain)
}

/// When the camera's new input starts: now, but after everything it has seen.
fn start_time(chain: &Chain, now: CaptureTime) -> CaptureTime {
    match chain.judge.last_look() {
        Some(last) if last >= now => {
            warn!(
                camera = chain.camera.id,
                "The clock is {:.0} s behind the last look of the run before; going on from that look.",
                last.seconds_since(now)
            );
            last.plus_seconds(0.001)
        }
        _ => now,
    }
}

/// Deletes evidence whose time is over, until the box stops.
async fn sweep_now_and_then(store: Store, shutdown: Shutdown) {
    let mut stop = std::pin::pin!(shutdown.requested());
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        let store = store.clone();
        if let Ok(Err(e)) = tokio::task::spawn_blocking(move || store.sweep(SystemTime::now())).await {
            error!("Old evidence is still there: {e}.");
        }
    }
}

/// The model and what it runs on, for the page.
fn about(model: &ModelIdentity, runtime: Option<&RuntimeRef>) -> String {
    match runtime {
        Some(runtime) => format!("{} · {runtime}", model.name),
        None => model.name.clone(),
    }
}

fn start_workers(
    pool: Pool,
    mut detectors: Vec<Box<dyn Detector>>,
    pinned: bool,
    keeper: Keeper,
    shutdown: Shutdown,
) -> Result<JoinHandle<Result<()>>> {
    std::thread::Builder::new()
        .name("workers".to_owned())
        .spawn(move || {
            pool.run(&mut detectors, pinned, &shutdown, |chain, moment, reports| {
                keeper.keep(chain, moment, reports)
            })
        })
        .map_err(|e| Error::new(Kind::System, "cannot start the thread of the workers").caused_by(e))
}

/// Keeps what the workers bring: pictures in the evidence folder, events and state in the outbox.
struct Keeper {
    plan: Arc<Plan>,
    clock: Arc<dyn Clock>,
    outbox: Arc<Outbox>,
    store: Store,
    progress: Arc<Progress>,
    model: ModelIdentity,
    shutdown: Shutdown,
    /// When each camera's state was last stored.
    stored: Mutex<HashMap<String, CaptureTime>>,
}

impl Keeper {
    fn keep(&self, chain: &Chain, moment: Moment, reports: &mut Vec<Report>) -> Result<()> {
        let Some(at) = chain.judge.last_look() else { return Ok(()) };
        if moment == Moment::Look {
            self.progress.looks.fetch_add(1, Ordering::Relaxed);
            self.progress.captured.store(at.nanos().cast_unsigned(), Ordering::Relaxed);
            let stored = self.stored().get(&chain.camera.id).copied();
            let fresh = stored.is_some_and(|stored| at.seconds_since(stored) < STORE_EVERY_S);
            if fresh && reports.is_empty() {
                return Ok(());
            }
        }
        self.write_pictures(reports);
        let state = chain.judge.save()?;
        // The core has moved on, so going on without these rows would lose a case. Nothing is looked at until
        // they are kept; after a restart the stored state leads to the same decision again.
        while let Err(e) = self.accept(chain, &state, reports) {
            error!(camera = chain.camera.id, "A case cannot be stored, trying again: {e}.");
            if e.is_disk_full() {
                self.make_room();
            }
            if self.shutdown.wait_for(STORE_AGAIN) {
                return Err(e);
            }
        }
        self.progress.cases.fetch_add(reports.len() as u64, Ordering::Relaxed);
        for report in reports.drain(..) {
            let rule = &chain.camera.rules[report.happening.case.rule.0];
            info!(
                camera = chain.camera.id,
                zone = rule.zone,
                kind = rule.kind.slug,
                case = report.happening.case.id.as_str(),
                "Case {:?}.",
                report.happening.change
            );
        }
        self.stored().insert(chain.camera.id.clone(), at);
        Ok(())
    }

    fn stored(&self) -> MutexGuard<'_, HashMap<String, CaptureTime>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, chain: &Chain, state: &[u8], reports: &[Report]) -> Result<Vec<Message>> {
        self.outbox.accept(&chain.camera.id, Some(state), |sequence| {
            let mut messages = Vec::new();
            for report in reports {
                messages.extend(mqtt::messages(&EventReport {
                    plan: &self.plan,
                    camera: &chain.camera,
                    happening: &report.happening,
                    evidence: &report.evidence,
                    vocabulary: chain.judge.vocabulary(),
                    model: Some(&self.model),
                    sequence: sequence.next_number(),
                    recorded: self.clock.now(),
                })?);
            }
            Ok(messages)
        })
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

    /// A picture that cannot be written still goes out as a message; only the page lacks it.
    fn write_pictures(&self, reports: &[Report]) {
        for report in reports {
            let Evidence::Taken { pictures, .. } = &report.evidence else { continue };
            for picture in pictures {
                if let Err(e) = self.store.write(&report.happening.case.id, picture) {
                    warn!("An evidence picture is missing on the page: {e}.");
                }
            }
        }
    }
}
