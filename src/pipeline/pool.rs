//! The workers: each owns a detector, and together they serve all cameras.
//!
//! # Invariants
//! - A camera is with one worker at a time, so its frames are looked at in order.
//! - Of the cameras that wait, the one whose look is most overdue is served first: a camera that is looked at
//!   often never starves one that is looked at seldom.
//! - A look that fails or is slow holds up no other camera as long as another worker is free.
//! - With a prover, the pictures of a case hold up no other camera: they are made on a thread of their own, and
//!   only the camera of the case waits for them.
//! - An error in handing on stops all workers and is returned.
//! - Cameras come and go while the workers run: one leaves between two of its looks, and no other notices.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::bell::Bell;
use super::chain::{Chain, Report};
use super::mailbox::Mailbox;
use super::pin;
use super::proofs::{Proof, Proofs};
use super::pulse::Pulse;
use crate::detect::Detector;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::shutdown::Shutdown;

/// How long a worker sleeps at most before it looks whether to stop.
const NAP: Duration = Duration::from_millis(200);

/// When a worker hands something on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After a look.
    Look,
    /// When no more looks are taken.
    End,
}

/// One camera as the workers see it.
#[derive(Debug)]
pub struct WorkerCamera {
    /// The camera's chain.
    pub chain: Chain,
    /// Where its frames come from.
    pub mailbox: Arc<Mailbox>,
    /// When its next look is due; `None` before the first.
    due: Option<Instant>,
    /// When it was taken last, counted in takings; breaks ties.
    taken: u64,
}

impl WorkerCamera {
    /// A camera whose frames come through `mailbox`.
    pub fn new(chain: Chain, mailbox: Arc<Mailbox>) -> Self {
        Self { chain, mailbox, due: None, taken: 0 }
    }
}

/// All cameras that share the workers.
#[derive(Debug)]
pub struct Pool {
    board: Mutex<Board>,
    /// Wakes who waits for a camera to come back.
    back: Condvar,
    bell: Arc<Bell>,
    proofs: Option<Proofs>,
    pulse: Pulse,
    stays: bool,
}

#[derive(Debug)]
struct Board {
    seats: Vec<Seat>,
    takings: u64,
    /// Why all have to stop before their time.
    failure: Option<Error>,
    stopped: bool,
}

/// A camera's seat. Workers know it by its number, so an empty one stays and is given to the next camera.
#[derive(Debug)]
struct Seat {
    /// The camera's id.
    id: String,
    /// The camera; `None` while it is with a worker, and on an empty seat.
    camera: Option<WorkerCamera>,
    holder: Holder,
}

/// Whose a seat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// The camera's.
    Camera,
    /// The camera's, but no worker is to take it again: somebody waits for it.
    Leaving,
    /// Nobody's.
    Nobody,
}

impl Seat {
    fn new(camera: WorkerCamera) -> Self {
        Self { id: camera.chain.camera.id.clone(), camera: Some(camera), holder: Holder::Camera }
    }

    /// Whether nothing more will come of this seat.
    fn is_over(&self) -> bool {
        match &self.camera {
            Some(camera) => camera.mailbox.is_drained(),
            None => self.holder == Holder::Nobody,
        }
    }
}

/// What a worker is to do next.
// Made and taken apart once a look: to box it would cost a heap allocation a look.
#[expect(clippy::large_enum_variant, reason = "lives on the stack for a moment")]
enum Next {
    Serve(usize, WorkerCamera),
    Wait,
    Stop,
}

impl Pool {
    /// A pool for `cameras`, whose capture threads ring `bell`.
    pub fn new(cameras: Vec<WorkerCamera>, bell: Arc<Bell>) -> Self {
        let seats = cameras.into_iter().map(Seat::new).collect();
        Self {
            board: Mutex::new(Board { seats, takings: 0, failure: None, stopped: false }),
            back: Condvar::new(),
            bell,
            proofs: None,
            pulse: Pulse::default(),
            stays: false,
        }
    }

    /// With `prover`, which finds what to hide in the pictures of cases on a thread of its own. Without one, the
    /// worker that took the look makes them, and looks at nothing meanwhile.
    pub fn with_prover(self, prover: Box<dyn Detector>) -> Self {
        Self { proofs: Some(Proofs::new(prover)), ..self }
    }

    /// A pool whose workers stay when all inputs are at their end, since cameras may still be added.
    pub fn that_stays(self) -> Self {
        Self { stays: true, ..self }
    }

    /// The sign of life of its threads.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Adds `camera`, which is looked at from now on. Gives it back when the workers have stopped.
    pub fn add(&self, camera: WorkerCamera) -> std::result::Result<(), Box<WorkerCamera>> {
        let mut board = self.lock();
        if board.stopped {
            return Err(Box::new(camera));
        }
        let seat = Seat::new(camera);
        match board.seats.iter_mut().find(|seat| seat.holder == Holder::Nobody) {
            Some(empty) => *empty = seat,
            None => board.seats.push(seat),
        }
        drop(board);
        self.bell.ring();
        Ok(())
    }

    /// Takes the camera called `id` away, as soon as the worker that may have it gives it back. `None` when there
    /// is none, or when the workers have stopped.
    pub fn remove(&self, id: &str) -> Option<WorkerCamera> {
        let mut board = self.lock();
        let at = board.seats.iter().position(|seat| seat.id == id && seat.holder == Holder::Camera)?;
        board.seats[at].holder = Holder::Leaving;
        while board.seats[at].camera.is_none() {
            if board.stopped {
                return None;
            }
            let waited = self.back.wait_timeout(board, NAP).unwrap_or_else(PoisonError::into_inner);
            board = waited.0;
        }
        board.seats[at].holder = Holder::Nobody;
        board.seats[at].id.clear();
        board.seats[at].camera.take()
    }

    /// Looks at frames, one worker for each of `detectors`, until stopping is asked for or, in a pool that does not
    /// stay, all inputs are at their end. To be called once. With `pinned`, each worker keeps to a core of its own. After each look `done` gets the chain
    /// and what changed (often nothing), and once more for each camera at the end; when it cannot keep a report
    /// all workers stop with its error, since to go on would lose a case. For one camera it is never called
    /// twice at once.
    ///
    /// # Errors
    /// The error of `done`; [`Kind::System`] when a worker cannot be started or panics.
    pub fn run(
        &self,
        detectors: &mut [Box<dyn Detector>],
        pinned: bool,
        shutdown: &Shutdown,
        done: impl Fn(&mut Chain, Moment, &mut Vec<Report>) -> Result<()> + Sync,
    ) -> Result<()> {
        let (pool, done) = (self, &done);
        let cores = if pinned { pin::cores() } else { Vec::new() };
        std::thread::scope(|scope| {
            let prover = pool.proofs.as_ref().and_then(|proofs| {
                let started =
                    std::thread::Builder::new().name("pictures".to_owned()).spawn_scoped(scope, move || {
                        let _stop = StopOnPanic(pool);
                        pool.prove(proofs, done);
                    });
                let failed =
                    |e| Error::new(Kind::System, "cannot start the thread of the pictures").caused_by(e);
                started.map_err(|e| pool.fail(failed(e))).ok()
            });
            let mut workers = Vec::new();
            for (index, detector) in detectors.iter_mut().enumerate() {
                let core = (!cores.is_empty()).then(|| cores[index % cores.len()]);
                let started = std::thread::Builder::new().name(format!("worker {index}")).spawn_scoped(
                    scope,
                    move || {
                        // However this worker ends early, the others are not left waiting for its camera.
                        let _stop = StopOnPanic(pool);
                        if let Some(core) = core {
                            pin::to(core);
                        }
                        pool.work(detector.as_mut(), shutdown, done);
                    },
                );
                match started {
                    Ok(worker) => workers.push(worker),
                    Err(e) => {
                        pool.fail(Error::new(Kind::System, "cannot start a worker thread").caused_by(e));
                    }
                }
            }
            for worker in workers {
                if worker.join().is_err() {
                    let what = "a worker thread ended in a panic; this is a fault of the program";
                    pool.fail(Error::new(Kind::System, what));
                }
            }
            // The workers bring nothing more; what they brought is still proved.
            pool.proofs.iter().for_each(Proofs::end);
            if prover.is_some_and(|prover| prover.join().is_err()) {
                let what = "the thread that makes pictures ended in a panic; this is a fault of the program";
                pool.fail(Error::new(Kind::System, what));
            }
        });
        let mut board = self.lock();
        board.stopped = true;
        if let Some(failure) = board.failure.take() {
            return Err(failure);
        }
        let mut reports = Vec::new();
        let mut cameras = board.seats.iter_mut().filter_map(|seat| seat.camera.as_mut());
        cameras.try_for_each(|camera| done(&mut camera.chain, Moment::End, &mut reports))
    }

    /// The loop of one worker.
    fn work(
        &self,
        detector: &mut dyn Detector,
        shutdown: &Shutdown,
        done: &(impl Fn(&mut Chain, Moment, &mut Vec<Report>) -> Result<()> + Sync),
    ) {
        let mut frame = Frame::default();
        let mut reports = Vec::new();
        while !shutdown.is_requested() {
            let heard = self.bell.heard();
            let (seat, mut camera) = match self.next() {
                Next::Serve(seat, camera) => (seat, camera),
                Next::Wait => {
                    self.pulse.rest();
                    self.bell.wait(heard, NAP);
                    continue;
                }
                Next::Stop => break,
            };
            self.pulse.beat();
            let mut kept = Ok(());
            if camera.mailbox.take(&mut frame) {
                let began = Instant::now();
                reports.clear();
                let looked = camera.chain.look(&frame, detector);
                if !matches!(looked, Ok(false)) {
                    let interval = Duration::from_secs_f64(camera.chain.camera.look_interval_s.max(0.0));
                    camera.due = Some(began + interval);
                }
                if let Some(proofs) = &self.proofs
                    && camera.chain.has_news()
                {
                    proofs.bring(Proof { seat, camera, frame: std::mem::take(&mut frame) });
                    continue;
                }
                camera.chain.prove(&frame, detector, &mut reports);
                match looked {
                    Ok(true) => kept = done(&mut camera.chain, Moment::Look, &mut reports),
                    Ok(false) => {}
                    // A look that failed is a look that was not taken: the core is not told, so nothing clears.
                    Err(e) => warn!(camera = camera.chain.camera.id, "A look failed: {e}."),
                }
            }
            if let Err(e) = self.give_back(seat, camera, kept) {
                self.fail(e);
                break;
            }
        }
        self.pulse.rest();
    }

    /// The loop of the thread that makes pictures, until the workers bring no more.
    fn prove(
        &self,
        proofs: &Proofs,
        done: &(impl Fn(&mut Chain, Moment, &mut Vec<Report>) -> Result<()> + Sync),
    ) {
        let mut reports = Vec::new();
        while let Some(Proof { seat, mut camera, frame }) = proofs.next() {
            self.pulse.beat();
            reports.clear();
            proofs.with(|prover| camera.chain.prove(&frame, prover, &mut reports));
            let kept = done(&mut camera.chain, Moment::Look, &mut reports);
            self.pulse.rest();
            if let Err(e) = self.give_back(seat, camera, kept) {
                self.fail(e);
                return;
            }
        }
    }

    /// Puts `camera` back on its seat, and gives `kept` back.
    fn give_back(&self, seat: usize, camera: WorkerCamera, kept: Result<()>) -> Result<()> {
        // A frame may have come meanwhile, or the input may have ended; others may wait for just that.
        let waited_for = camera.mailbox.is_fresh() || camera.mailbox.is_drained();
        let mut board = self.lock();
        let seat = &mut board.seats[seat];
        seat.camera = Some(camera);
        let leaves = seat.holder == Holder::Leaving;
        drop(board);
        if leaves {
            self.back.notify_all();
        }
        if kept.is_ok() && waited_for {
            self.bell.ring();
        }
        kept
    }

    /// Of the cameras with a fresh frame that are with no worker, the one whose look is most overdue.
    fn next(&self) -> Next {
        let mut board = self.lock();
        if board.stopped {
            return Next::Stop;
        }
        let waiting = board.seats.iter().enumerate().filter_map(|(number, seat)| {
            let camera = seat.camera.as_ref().filter(|_| seat.holder == Holder::Camera)?;
            camera.mailbox.is_fresh().then_some((camera.due, camera.taken, number))
        });
        // No look yet sorts before any time.
        if let Some((_, _, seat)) = waiting.min()
            && let Some(mut camera) = board.seats[seat].camera.take()
        {
            board.takings += 1;
            camera.taken = board.takings;
            return Next::Serve(seat, camera);
        }
        let over = !self.stays && board.seats.iter().all(Seat::is_over);
        if over { Next::Stop } else { Next::Wait }
    }

    /// Stops all workers; the first reason is the one that counts.
    fn fail(&self, error: Error) {
        let mut board = self.lock();
        board.stopped = true;
        board.failure.get_or_insert(error);
        drop(board);
        self.back.notify_all();
        self.bell.ring();
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Cameras are moved in and out whole; a thread that died while holding the lock left nothing half-done.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the pool when its worker panics: the camera it had is lost, and with it the right to go on.
struct StopOnPanic<'a>(&'a Pool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().stopped = true;
            self.0.bell.ring();
        }
    }
}

#[cfg(test)]
mod tests;
