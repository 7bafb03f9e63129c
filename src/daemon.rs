//! The running box: capture threads, the workers, and the tokio side that delivers and serves, started and
//! stopped together.
//!
//! # Invariants
//! - What the core decides is in the outbox, in one transaction with the core's state, before anything else
//!   happens to it. A crash at any moment loses no event and makes none twice.
//! - One camera that fails takes no other with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::{error, info, warn};

use crate::clock::{CaptureTime, Clock};
use crate::detect::{Detector, ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::evidence::{Pictures, Store};
use crate::health::HealthBoard;
use crate::metrics::Meter;
use crate::mqtt::{self, RuntimeRef, Tuning};
use crate::outbox::Outbox;
use crate::pipeline::{Bell, Chain, Pace, Pool, Snapshots};
use crate::plan::{CameraPlan, Changes, CurrentPlan, Plan};
use crate::service;
use crate::shutdown::Shutdown;
use crate::upload::{Delays, Spool, Uploads};
use crate::web;

mod clips;
mod commander;
mod expiry;
mod keeper;
mod roster;
mod shared_throttle;

use clips::{Clips, Maker};
use commander::BoxCommander;
pub use expiry::expire;
use expiry::expire_now_and_then;
use keeper::Keeper;
use roster::{Reloader, Roster};
pub use shared_throttle::SharedThrottle;

/// Seconds of capture time after which a camera's state is stored although nothing happened. A crash loses at
/// most this much of a dwell's latest sightings, never its beginning; a clean stop loses nothing.
const STORE_EVERY_S: f64 = 10.0;
/// How long the worker waits before it tries again to store what it could not.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// How a daemon is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pace of recorded inputs.
    pub pace: Pace,
    /// Delays of the MQTT session.
    pub tuning: Tuning,
    /// Delays of uploads after trouble.
    pub uploads: Delays,
    /// Whether it goes on when all inputs are at their end, since cameras may be added.
    pub stays: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pace: Pace { speed: 1.0 },
            tuning: Tuning::default(),
            uploads: Delays::default(),
            stays: false,
        }
    }
}

/// Reads and checks the configuration again.
pub type ReadPlan = dyn Fn() -> Result<Plan> + Send + Sync;

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

/// What finds things in pictures; all of one model.
pub struct Detectors {
    /// One for each worker; at least one.
    pub workers: Vec<Box<dyn Detector>>,
    /// One for the pictures of cases. Without it the workers make them, and look at nothing meanwhile.
    pub prover: Option<Box<dyn Detector>>,
    /// One for the clips of cases. Without it there are none.
    pub clips: Option<Box<dyn Detector>>,
}

/// A running box.
#[derive(Debug)]
pub struct Daemon {
    shutdown: Shutdown,
    worker: JoinHandle<Result<()>>,
    roster: Arc<Roster>,
    reloads: Arc<OnceLock<Reloader>>,
    runtime: Runtime,
    session: tokio::task::JoinHandle<()>,
    clips: Clips,
    maker: Option<JoinHandle<()>>,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Its outbox.
    pub outbox: Arc<Outbox>,
    /// How its cameras are doing.
    pub board: HealthBoard,
    /// Its throttle, which takes verdicts.
    pub throttle: Arc<SharedThrottle>,
}

impl Daemon {
    /// Starts watching with `detectors`, which know the labels of `plan`.
    ///
    /// # Errors
    /// When there is no detector, when the storage folder or the page's port cannot be used, a saved state cannot be read, or a thread
    /// cannot be started.
    pub fn start(
        plan: Plan,
        detectors: Detectors,
        clock: Arc<dyn Clock>,
        options: Options,
        shutdown: Shutdown,
    ) -> Result<Self> {
        let Some(detector) = detectors.workers.first() else {
            return Err(Error::new(Kind::System, "a daemon needs at least one detector; there is none"));
        };
        let runtime_ref = detector.runtime().map(|runtime| RuntimeRef::new(runtime, detectors.workers.len()));
        let identity = detector.identity().clone();
        let vocabulary = detector.vocabulary().clone();
        let pictures = Pictures::open(&plan)?;
        let current = CurrentPlan::new(plan);
        let plan = current.get();
        let outbox = Arc::new(Outbox::open(&plan.storage)?.with_quota(plan.outbox_bytes));
        let throttle = Arc::new(SharedThrottle::open(&plan, outbox.clone())?);
        let store = Store::open(&plan.storage.join("evidence"))?.with_limit(plan.evidence_limit());
        let spool = spool(&plan)?;
        expire(&store, &outbox, spool.as_deref(), SystemTime::now())?;
        let uploads = match (&plan.upload, &spool) {
            (Some(upload), Some(spool)) => Some(Uploads::new(upload.clone(), spool.clone())),
            _ => None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("delivery")
            .enable_all()
            .build()
            .map_err(|e| Error::new(Kind::System, "cannot start the delivery threads").caused_by(e))?;
        let snapshots = Snapshots::default();
        let reloads = Arc::new(OnceLock::new());
        let commander = Arc::new(BoxCommander {
            plan: current.clone(),
            reloads: reloads.clone(),
            clock: clock.clone(),
            throttle: throttle.clone(),
            outbox: outbox.clone(),
            store: store.clone(),
            snapshots: snapshots.clone(),
            shutdown: shutdown.clone(),
        });
        let context = mqtt::Context {
            plan: plan.clone(),
            current: current.clone(),
            model: Some(identity.clone()),
            runtime: runtime_ref.clone(),
            started: clock.now(),
            throttle: Some(throttle.watch()),
            commander: Some(commander),
            meter: None,
            board: None,
            tuning: options.tuning,
        };
        let clips = Clips::default();
        let about = about(&identity, runtime_ref.as_ref());
        let board = HealthBoard::default();
        let progress = Arc::new(Progress::default());
        let meter = Arc::new(Meter {
            outbox: outbox.clone(),
            progress: progress.clone(),
            throttle: Some(throttle.watch()),
            board: board.clone(),
            store: Some(store.clone()),
            uploads: uploads.clone(),
            clips: detectors.clips.as_ref().map(|_| clips.queue.clone()),
            clock: clock.clone(),
            started: context.started,
        });
        let context = mqtt::Context { meter: Some(meter.clone()), board: Some(board.clone()), ..context };
        serve_page(&runtime, &plan, (about, board.clone(), meter), &outbox, &store, &shutdown)?;
        let bell = Arc::new(Bell::default());
        let Detectors { workers, prover, clips: filmer } = detectors;
        let pool = Pool::new(Vec::new(), bell.clone());
        let pool = match prover {
            Some(prover) => pool.with_prover(prover),
            None => pool,
        };
        let pool = Arc::new(if options.stays { pool.that_stays() } else { pool });
        let keeper = Arc::new(Keeper {
            plan: current,
            clock,
            outbox: outbox.clone(),
            throttle: throttle.clone(),
            store,
            uploads: uploads.clone(),
            clips: filmer.as_ref().map(|_| clips.clone()),
            progress: progress.clone(),
            model: identity,
            shutdown: shutdown.clone(),
            board: board.clone(),
            pulse: pool.pulse().clone(),
            stored: Mutex::new(HashMap::new()),
        });
        let roster = Arc::new(Roster {
            keeper: keeper.clone(),
            pool: pool.clone(),
            bell,
            board: board.clone(),
            vocabulary,
            pictures,
            snapshots,
            pace: options.pace,
            shutdown: shutdown.clone(),
            captures: Mutex::default(),
        });
        if let Err(e) = roster.start_all() {
            roster.stop_captures();
            return Err(e);
        }
        let maker = filmer
            .map(|detector| {
                let maker = Maker {
                    clips: clips.clone(),
                    pictures: roster.pictures.clone(),
                    plan: keeper.plan.clone(),
                    clock: keeper.clock.clone(),
                    outbox: outbox.clone(),
                    store: keeper.store.clone(),
                    uploads: uploads.clone(),
                    shutdown: shutdown.clone(),
                };
                maker.start(detector)
            })
            .transpose()?;
        if let Some(uploads) = &uploads {
            uploads.start(options.uploads, shutdown.clone())?;
        }
        let kept = (keeper.store.clone(), outbox.clone(), spool);
        runtime.spawn(expire_now_and_then(kept, shutdown.clone()));
        runtime.spawn(service::keep_alive(pool.pulse().clone()));
        let worker = start_workers(pool, workers, plan.pin, keeper, shutdown.clone())?;
        let session = {
            let shutdown = shutdown.clone();
            let outbox = outbox.clone();
            runtime.spawn(async move { mqtt::run(context, outbox, shutdown.requested()).await })
        };
        Ok(Self {
            shutdown,
            worker,
            roster,
            reloads,
            runtime,
            session,
            clips,
            maker,
            progress,
            outbox,
            board,
            throttle,
        })
    }

    /// Whether all inputs are at their end and looked at, and all clips made, or the worker failed.
    pub fn is_idle(&self) -> bool {
        self.worker.is_finished() && self.clips.queue.is_idle()
    }

    /// Has [`Daemon::reload`] and the command of that name read the configuration with `read`.
    pub fn reloads_from(&self, read: Box<ReadPlan>) {
        // Said once; a second time would change nothing.
        let _ = self.reloads.set(Reloader { roster: self.roster.clone(), read });
    }

    /// Reads the configuration again and puts its cameras in force; none that is configured as before is touched.
    /// Returns what changed. What concerns the box as a whole waits for the next start.
    ///
    /// # Errors
    /// When the configuration is at fault or asks for what the model cannot give, and then nothing changes; when a
    /// camera could not be put to work, while all others are; when there is no configuration to read again.
    pub fn reload(&self) -> Result<Changes> {
        match self.reloads.get() {
            Some(reloader) => reloader.reload(),
            None => Err(Error::new(Kind::System, "this box has no configuration file to read again")),
        }
    }

    /// Asks everything to stop and waits until it has: the worker, the capture threads, and the delivery of
    /// what the broker takes within the flush time.
    ///
    /// # Errors
    /// The worker's, when it could not keep a case.
    pub fn stop(self) -> Result<()> {
        self.shutdown.request();
        self.roster.request_stop();
        let worked = self.worker.join().unwrap_or_else(|_| {
            Err(Error::new(
                Kind::System,
                "the worker thread ended in a panic; this is a fault of the program",
            ))
        });
        self.roster.stop_captures();
        self.clips.queue.end();
        if let Some(maker) = self.maker
            && maker.join().is_err()
        {
            error!("The thread that makes clips ended in a panic; this is a fault of the program.");
        }
        if self.runtime.block_on(self.session).is_err() {
            warn!("The delivery task ended before its time.");
        }
        worked
    }
}

/// The pictures that wait for a store. Where the configuration names none (any more), those that are left are only
/// deleted when their time is over.
fn spool(plan: &Plan) -> Result<Option<Arc<Spool>>> {
    let folder = plan.storage.join("upload");
    if plan.upload.is_none() && !folder.is_dir() {
        return Ok(None);
    }
    let spool = Spool::open(&folder, plan.upload_bytes())?;
    let (left, ..) = spool.count();
    if plan.upload.is_none() && left > 0 {
        warn!(
            "{left} pictures in {} wait for a store, and the configuration names none (evidence.upload).",
            folder.display()
        );
    }
    Ok(Some(Arc::new(spool)))
}

/// Serves the page, if the plan has one.
fn serve_page(
    runtime: &Runtime,
    plan: &Plan,
    (about, board, meter): (String, HealthBoard, Arc<Meter>),
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
            web::serve(listener, outbox, folder, (&title, &about), board, Some(meter), async move {
                shutdown.requested().await
            })
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
    if let Some(memory) = outbox.core_state(&view_key(&camera.id))?
        && !chain.remember_view(&memory)
    {
        info!(camera = camera.id, "The zones have changed: the view's reference picture is taken anew.");
    }
    Ok(chain)
}

/// What the reference of the view of `camera` is stored as; no id of a camera looks like it.
fn view_key(camera: &str) -> String {
    format!("@view/{camera}")
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

/// The model and what it runs on, for the page.
fn about(model: &ModelIdentity, runtime: Option<&RuntimeRef>) -> String {
    match runtime {
        Some(runtime) => format!("{} · {runtime}", model.name),
        None => model.name.clone(),
    }
}

fn start_workers(
    pool: Arc<Pool>,
    mut detectors: Vec<Box<dyn Detector>>,
    pinned: bool,
    keeper: Arc<Keeper>,
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
