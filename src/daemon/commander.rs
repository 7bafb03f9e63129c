//! Carries out what a checked command asks of the box.
//!
//! # Invariants
//! - A name in a command is looked up, never used to build a path: a picture is read only when the outbox lists it
//!   under a case of its own.
//! - No picture leaves but one that the evidence path has redacted; when that failed, or pictures are off, the answer
//!   says so.

use std::io::Read as _;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::SharedThrottle;
use super::roster::Reloader;
use crate::case::CaseId;
use crate::case::catalog::CATALOG;
use crate::case::throttle::{HushedRule, VerdictOutcome};
use crate::clock::{CaptureTime, Clock};
use crate::error::{Error, Result};
use crate::evidence::{Evidence, Role, Store, file_name};
use crate::mqtt::answer::{Done, Outcome, Photo, PictureNote};
use crate::mqtt::command::{Code, Order, Refused, RuleName};
use crate::mqtt::{CaseEvent, Commander, topic};
use crate::outbox::{Matter, Message, Outbox};
use crate::pipeline::{Snapshot, Snapshots};
use crate::place::GridId;
use crate::plan::CurrentPlan;
use crate::shutdown::Shutdown;

/// How long a snapshot waits for the camera's next look.
const LOOK_PATIENCE: Duration = Duration::from_secs(30);
/// How often a wait looks whether the box is to stop.
const NAP: Duration = Duration::from_millis(200);
/// Seconds for which a broker keeps a picture for a subscriber that is away.
const EXPIRY_S: u32 = 24 * 3600;

/// What commands work on.
pub(super) struct BoxCommander {
    pub(super) plan: CurrentPlan,
    /// Reads the configuration again, once it can be.
    pub(super) reloads: Arc<OnceLock<Reloader>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) throttle: Arc<SharedThrottle>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) store: Store,
    pub(super) snapshots: Snapshots,
    pub(super) shutdown: Shutdown,
}

impl std::fmt::Debug for BoxCommander {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoxCommander").field("box", &self.plan.get().box_id).finish_non_exhaustive()
    }
}

impl Commander for BoxCommander {
    fn now(&self) -> CaptureTime {
        self.clock.now()
    }

    fn carry_out(&self, order: &Order) -> Outcome {
        let now = self.now();
        match order {
            Order::Verdict { case, verdict, reason, remark } => {
                self.known_kind(remark.corrected_kind.as_deref())?;
                settled(self.throttle.verdict(case, *verdict, reason, remark, now))
            }
            Order::ResumeCase(case) => settled(self.throttle.resume(case, now)),
            Order::Quiet { rule, minutes, reason } => self.quiet(rule, *minutes, reason, now),
            Order::ResumeRule(rule) => {
                self.known(rule)?;
                settled(self.throttle.unhush((&rule.camera, &rule.zone, &rule.kind), now))
            }
            Order::Evidence { case, role } => self.evidence(case, *role, now),
            Order::Snapshot { camera } => self.snapshot(camera),
            Order::Reload => self.reload(),
        }
    }
}

impl BoxCommander {
    /// Refuses a rule that the plan does not have.
    fn known(&self, rule: &RuleName) -> std::result::Result<(), Refused> {
        let plan = self.plan.get();
        let Some(camera) = plan.camera(&rule.camera) else {
            return Err(Refused::new(Code::UnknownCamera, "this box has no such camera"));
        };
        let is_it = camera.rules.iter().any(|known| known.zone == rule.zone && known.kind.slug == rule.kind);
        is_it.then_some(()).ok_or_else(|| Refused::new(Code::UnknownRule, "the camera has no such rule"))
    }

    /// Refuses a kind that is in no catalogue of the box: what is learnt from a verdict must be about one.
    fn known_kind(&self, slug: Option<&str>) -> std::result::Result<(), Refused> {
        let Some(slug) = slug else { return Ok(()) };
        let plan = self.plan.get();
        let is_known = CATALOG.kind(slug).is_some()
            || plan.cameras.iter().any(|camera| camera.catalog.kind(slug).is_some());
        let what = "corrected_kind is no kind that this box knows; `gridpatrol kinds` lists them";
        is_known.then_some(()).ok_or_else(|| Refused::new(Code::UnknownKind, what))
    }

    /// Reads the configuration again.
    fn reload(&self) -> Outcome {
        let Some(reloader) = self.reloads.get() else {
            return Err(Refused::new(Code::Unsupported, "this box has no configuration file to read again"));
        };
        match reloader.reload() {
            Ok(changes) => Ok(Done { reason: Some(changes.to_string()), ..Done::new(Code::Done) }),
            Err(e) => Err(failed(&e)),
        }
    }

    fn quiet(&self, rule: &RuleName, minutes: u32, reason: &str, now: CaptureTime) -> Outcome {
        self.known(rule)?;
        let RuleName { camera, zone, kind } = rule.clone();
        let until = now.plus_seconds(60.0 * f64::from(minutes));
        let rule = HushedRule { camera, zone, kind, reason: reason.to_owned(), since: now, until };
        match self.throttle.hush(rule) {
            Ok(Some(until)) => Ok(Done { until: Some(until), ..Done::new(Code::Quiet) }),
            Ok(None) => Err(Refused::new(Code::Busy, "too many rules are quiet already")),
            Err(e) => Err(failed(&e)),
        }
    }

    /// Puts a stored picture into the outbox once more.
    fn evidence(&self, case: &CaseId, role: Role, now: CaptureTime) -> Outcome {
        let plan = self.plan.get();
        if plan.redaction.is_none() {
            return Err(Refused::new(Code::Withheld, "pictures are off (privacy.pictures = false)"));
        }
        let event = self.outbox.event_of(case).map_err(|e| failed(&e))?;
        let Some(event) = event.and_then(|text| serde_json::from_str::<CaseEvent>(&text).ok()) else {
            return Err(Refused::new(Code::UnknownCase, "the case is not known, or no more"));
        };
        let none = || Refused::new(Code::NoPicture, "there is no such picture of this case, or no more");
        let file = file_name(case, role);
        if !self.outbox.lists_picture(&file).map_err(|e| failed(&e))? {
            return Err(none());
        }
        let bytes = read(&self.store, &file, role).map_err(|_| none())?;
        let grid = GridId::parse(&event.data.grid.id, plan.grid_profile).map_err(|_| none())?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let properties = [
            ("source", event.source.as_str()),
            ("subject", event.subject.as_str()),
            ("event", event.id.as_str()),
            ("sha256", sha256.as_str()),
        ];
        let message = Message {
            case: case.clone(),
            matter: Matter::Picture(role),
            recorded: now,
            topic: topic::evidence(&plan, &grid, &event.data.kind, case, role),
            payload: bytes,
            content_type: role.media().to_owned(),
            expiry_s: EXPIRY_S,
            properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            notes: Vec::new(),
        };
        self.outbox.accept_with(&[], |_| Ok(vec![message])).map_err(|e| failed(&e))?;
        Ok(Done::new(Code::Done))
    }

    /// A picture of the camera's next look.
    fn snapshot(&self, camera: &str) -> Outcome {
        let plan = self.plan.get();
        if plan.camera(camera).is_none() {
            return Err(Refused::new(Code::UnknownCamera, "this box has no such camera"));
        }
        if plan.redaction.is_none() {
            return Err(Refused::new(Code::Withheld, "pictures are off (privacy.pictures = false)"));
        }
        let receiver = self.snapshots.ask(camera);
        let deadline = Instant::now() + LOOK_PATIENCE;
        let Snapshot { at, evidence } = loop {
            match receiver.recv_timeout(NAP) {
                Ok(snapshot) => break snapshot,
                Err(RecvTimeoutError::Timeout)
                    if Instant::now() < deadline && !self.shutdown.is_requested() => {}
                Err(_) => return Err(Refused::new(Code::NoPicture, "the camera gives no picture now")),
            }
        };
        match evidence {
            Evidence::Taken { pictures, redaction } => {
                let Some(picture) = pictures.into_iter().next() else {
                    return Err(Refused::new(Code::NoPicture, "the camera gives no picture now"));
                };
                let topic = topic::snapshot(&plan, camera);
                let note = PictureNote {
                    uri: format!("mqtt:{topic}"),
                    sha256: picture.sha256,
                    bytes: picture.bytes.len() as u64,
                    captured: at.rfc3339(&plan.zone),
                    persons: redaction.persons,
                    vehicles: redaction.vehicles,
                };
                let photo = Photo { topic, jpeg: picture.bytes, note };
                Ok(Done { picture: Some(photo), ..Done::new(Code::Done) })
            }
            Evidence::Withheld { reason } => Err(Refused::new(Code::Withheld, reason)),
            Evidence::NoView => Err(Refused::new(Code::NoPicture, "the camera's input has no pictures")),
        }
    }
}

/// A file of the evidence folder, up to the size that a picture may have.
fn read(store: &Store, file: &str, role: Role) -> std::io::Result<Vec<u8>> {
    let (mut bytes, most) = (Vec::new(), role.max_bytes() as u64);
    std::fs::File::open(store.folder().join(file))?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(error: &Error) -> Refused {
    tracing::error!(%error, "A command could not be carried out.");
    Refused::new(Code::Failed, "it went wrong on the box; see its log")
}

fn settled(outcome: Result<VerdictOutcome>) -> Outcome {
    let noted = |reason: &str| Ok(Done { reason: Some(reason.to_owned()), ..Done::new(Code::Noted) });
    match outcome {
        Ok(VerdictOutcome::Noted) => Ok(Done::new(Code::Noted)),
        Ok(VerdictOutcome::Repeated) => noted("the same was said of the case before"),
        Ok(VerdictOutcome::Quiet(until)) => Ok(Done { until: Some(until), ..Done::new(Code::Quiet) }),
        Ok(VerdictOutcome::Resumed) => Ok(Done::new(Code::Resumed)),
        Ok(VerdictOutcome::Unknown) => {
            Err(Refused::new(Code::UnknownCase, "the case is not known, or no more"))
        }
        Err(e) => Err(failed(&e)),
    }
}
