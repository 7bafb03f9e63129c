//! The box's throttle, shared by its workers and whoever brings verdicts, and its place in the outbox.
//!
//! # Invariants
//! - What the throttle decides takes hold only when it is stored. Work goes on a copy that takes the place of the
//!   original once the transaction is through; if that fails, it is as if nothing had been decided, and after a
//!   restart the stored states of the cameras lead to the same decision again.
//! - Decisions are taken one after another, and stored in that order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::case::CaseId;
use crate::case::throttle::{HushedRule, Remark, Throttle, ThrottleStatus, Verdict, VerdictOutcome};
use crate::clock::CaptureTime;
use crate::error::Result;
use crate::outbox::{BOX, Outbox};
use crate::pipeline::Chain;
use crate::plan::{CameraPlan, Plan};

/// The box's throttle.
#[derive(Debug)]
pub struct SharedThrottle {
    throttle: Mutex<Throttle>,
    outbox: Arc<Outbox>,
    status: watch::Sender<ThrottleStatus>,
}

impl SharedThrottle {
    /// The throttle as it was stored in `outbox`, or a fresh one.
    ///
    /// # Errors
    /// When the database or the stored state cannot be read.
    pub fn open(plan: &Plan, outbox: Arc<Outbox>) -> Result<Self> {
        let mut throttle = match outbox.core_state(BOX)? {
            Some(saved) => Throttle::restore(plan.limits, &saved)?,
            None => Throttle::new(plan.limits),
        };
        throttle.keep_cameras(&plan.cameras);
        Ok(Self { throttle: Mutex::new(throttle), outbox, status: watch::Sender::default() })
    }

    /// Follows what is held back.
    pub fn watch(&self) -> watch::Receiver<ThrottleStatus> {
        self.status.subscribe()
    }

    /// Takes in what a reviewer said of `case` and added to it, `at` by the box's own clock; it is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be stored; it then counts as not said.
    pub fn verdict(
        &self,
        case: &CaseId,
        verdict: Verdict,
        reason: &str,
        remark: &Remark,
        at: CaptureTime,
    ) -> Result<VerdictOutcome> {
        // First, since said again after a crash it changes nothing more: the pictures of a case that was forgotten
        // are there for longer than its place is remembered.
        if self.outbox.event_of(case)?.is_some() {
            self.outbox.reviewed(case, verdict == Verdict::Rejected, at)?;
            self.outbox.judged(case, verdict.as_str(), reason, at)?;
        }
        self.store(at, |throttle| {
            let outcome = throttle.verdict(case, verdict, reason, at);
            throttle.remark(case, remark);
            outcome
        })
    }

    /// Ends the quiet time of the place and kind of `case`, `at` by the box's own clock; it is on disk when this
    /// returns.
    ///
    /// # Errors
    /// When it cannot be stored; it then goes on.
    pub fn resume(&self, case: &CaseId, at: CaptureTime) -> Result<VerdictOutcome> {
        self.store(at, |throttle| throttle.resume(case))
    }

    /// Makes `rule` quiet; it is on disk when this returns. `None` when too many rules are quiet already.
    ///
    /// # Errors
    /// When it cannot be stored; it is then not quiet.
    pub fn hush(&self, rule: HushedRule) -> Result<Option<CaptureTime>> {
        self.store(rule.since, |throttle| throttle.hush(rule))
    }

    /// Ends the quiet time of the rule (camera, zone, kind), `at` by the box's own clock; it is on disk when this
    /// returns.
    ///
    /// # Errors
    /// When it cannot be stored; it then goes on.
    pub fn unhush(&self, rule: (&str, &str, &str), at: CaptureTime) -> Result<VerdictOutcome> {
        self.store(at, |throttle| throttle.unhush(rule, at))
    }

    fn store<T>(&self, at: CaptureTime, work: impl FnOnce(&mut Throttle) -> T) -> Result<T> {
        self.change(at, |throttle| {
            let done = work(throttle);
            self.outbox.accept_with(&[(BOX, &throttle.save()?)], |_| Ok(Vec::new()))?;
            Ok(done)
        })
    }

    /// Has `work` change a copy, and keeps that if it succeeds.
    pub(super) fn change<T>(
        &self,
        at: CaptureTime,
        work: impl FnOnce(&mut Throttle) -> Result<T>,
    ) -> Result<T> {
        let mut throttle = self.lock();
        let mut next = throttle.clone();
        let done = work(&mut next)?;
        *throttle = next;
        drop(throttle);
        self.tell(at);
        Ok(done)
    }

    /// Brings it in line with what `chain` has open after a restart.
    pub(super) fn reconcile(&self, chain: &Chain) {
        self.lock().reconcile(&chain.camera, chain.judge.open_cases());
    }

    /// Drops what stands on cameras that are not among `cameras`.
    pub(super) fn keep_cameras(&self, cameras: &[CameraPlan], at: CaptureTime) -> Result<()> {
        self.store(at, |throttle| throttle.keep_cameras(cameras))
    }

    /// Lets those who follow know what is held back at `at`.
    pub(super) fn tell(&self, at: CaptureTime) {
        let status = self.lock().status(at);
        self.status.send_if_modified(|told| {
            let changed = *told != status;
            if changed {
                *told = status;
            }
            changed
        });
    }

    /// Asks `chain` for what is wanted on its next look, unless the throttle is being changed: then the look
    /// after that will do.
    pub(super) fn ask(&self, chain: &mut Chain, at: CaptureTime) {
        if let Ok(throttle) = self.throttle.try_lock() {
            let wanted = throttle.wanted(&chain.camera, at, chain.judge.open_cases());
            drop(throttle);
            chain.ask(wanted);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Throttle> {
        // Changes are made on a copy, so a thread that died while holding the lock left nothing half-done.
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
