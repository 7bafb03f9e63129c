//! The chain of one camera: gate, detector, core, evidence.
//!
//! # Invariants
//! - A look at a view that cannot be judged opens and clears nothing.
//! - A look that the gate saves is not an empty look: the core does not hear of it.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::snapshot::{Snapshot, Snapshots};
use super::views::Views;
use super::watch::{Sight, Watch};
use crate::case::throttle::Wanted;
use crate::case::{Change, Happening};
use crate::clock::CaptureTime;
use crate::detect::score_map::ScoreMap;
use crate::detect::{Detection, Detector, ModelIdentity, Vocabulary};
use crate::error::Result;
use crate::evidence::{self, Evidence, Facts, Pictures, Role, Shot};
use crate::frame::Frame;
use crate::gate::Gate;
use crate::health::Sights;
use crate::judge::Judge;
use crate::look::{Look, View};
use crate::plan::{CameraPlan, Plan};
use crate::source::Still;

/// Seconds between two times at which the reference of a view is kept: it follows the light of the day.
const REMEMBER_EVERY_S: f64 = 600.0;

/// A change of a case with the pictures that prove it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What changed.
    pub happening: Happening,
    /// Its pictures, or why there are none.
    pub evidence: Evidence,
}

/// One camera at work.
#[derive(Debug)]
pub struct Chain {
    /// What the camera is to do.
    pub camera: CameraPlan,
    /// Its core.
    pub judge: Judge,
    gate: Gate,
    watch: Watch,
    /// When the reference of the view was last handed out to be kept.
    remembered: Option<CaptureTime>,
    scores: Option<ScoreMap>,
    zone: TimeZone,
    views: Views,
    pictures: Pictures,
    still: Option<Still>,
    detections: Vec<Detection>,
    happenings: Vec<Happening>,
    wanted: Vec<Wanted>,
    looks: u64,
    /// Who waits for a picture of this camera.
    pub snapshots: Snapshots,
    /// Whether somebody waited for one when the last look was taken.
    snapshot_due: bool,
}

impl Chain {
    /// The chain of `camera` on the box of `plan`, for detections labelled by `vocabulary`, with `pictures` of its
    /// cases.
    pub fn new(plan: &Plan, camera: &CameraPlan, vocabulary: Vocabulary, pictures: Pictures) -> Self {
        Self {
            scores: camera.scores.as_ref().map(|scores| scores.map(&vocabulary)),
            judge: Judge::new(&plan.source(), camera, vocabulary),
            gate: Gate::new(camera.look_interval_s),
            watch: Watch::new(camera),
            remembered: None,
            zone: plan.zone.clone(),
            views: Views::new(camera),
            still: camera.evidence_input.as_ref().map(|live| Still::new(camera, live)),
            pictures,
            camera: camera.clone(),
            detections: Vec::new(),
            happenings: Vec::new(),
            wanted: Vec::new(),
            looks: 0,
            snapshots: Snapshots::default(),
            snapshot_due: false,
        }
    }

    /// Goes on where a saved state stopped.
    ///
    /// # Errors
    /// As [`Judge::restore`].
    pub fn restore(&mut self, saved: &[u8]) -> Result<()> {
        self.judge.restore(saved)?;
        if let Some(last) = self.judge.last_look() {
            self.gate.resume_after(last);
        }
        Ok(())
    }

    /// What the looks have shown, for others to read.
    pub fn sights(&self) -> &Arc<Sights> {
        self.watch.sights()
    }

    /// The reference of the view, to be kept over a restart; `None` before there is one, and for a while after it was
    /// given, unless this is the `last` chance.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault of this program.
    pub fn view_memory(&mut self, last: bool) -> Result<Option<Vec<u8>>> {
        let Some(at) = self.judge.last_look() else { return Ok(None) };
        let fresh = self.remembered.is_some_and(|then| at.seconds_since(then) < REMEMBER_EVERY_S);
        if fresh && !last {
            return Ok(None);
        }
        let memory = self.watch.memory()?;
        if memory.is_some() {
            self.remembered = Some(at);
        }
        Ok(memory)
    }

    /// Takes what [`Chain::view_memory`] gave. False when it is of other zones: the reference is then taken anew.
    pub fn remember_view(&mut self, memory: &[u8]) -> bool {
        self.watch.remember(memory)
    }

    /// All that is known of the view and of what is usual before the camera, for the next part of a recording.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault of this program.
    pub fn save_watch(&self) -> Result<Vec<u8>> {
        self.watch.save()
    }

    /// Goes on as [`Chain::save_watch`] left off.
    ///
    /// # Errors
    /// When `saved` cannot be read.
    pub fn restore_watch(&mut self, saved: &[u8]) -> Result<()> {
        self.watch.restore(saved)
    }

    /// Asks for `wanted` to be reported, with pictures, on the next look that shows them; what was asked for
    /// before and not reported yet no longer is.
    pub fn ask(&mut self, wanted: Vec<Wanted>) {
        self.wanted = wanted;
    }

    /// Has `judge` take `look`. What was asked for comes before what is new: it has waited.
    fn take(judge: &mut Judge, wanted: &mut Vec<Wanted>, look: &Look<'_>, out: &mut Vec<Happening>) {
        judge.look(look, out);
        if wanted.is_empty() {
            return;
        }
        let seen = judge.open_cases().filter(|case| case.last_seen == look.at);
        let asked: Vec<Happening> = seen
            .filter_map(|case| {
                let index = wanted.iter().position(|wanted| wanted.case == case.id)?;
                let change = wanted.swap_remove(index).change;
                Some(Happening { change, at: look.at, case: case.clone() })
            })
            .collect();
        out.splice(0..0, asked);
    }

    /// Looks taken so far.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Looks at `frame` if the gate lets it through and adds what changed to `reports`, with its pictures. Returns
    /// whether it was looked at.
    ///
    /// # Errors
    /// When inference fails. The frame then counts as not seen.
    pub fn frame(
        &mut self,
        frame: &Frame,
        detector: &mut dyn Detector,
        reports: &mut Vec<Report>,
    ) -> Result<bool> {
        let looked = self.look(frame, detector)?;
        self.prove(frame, detector, reports);
        Ok(looked)
    }

    /// Looks at `frame` if the gate lets it through. Returns whether it was looked at; a view that cannot be judged
    /// was, and the core knows that nothing could be seen. What changed waits for [`Chain::prove`], which must come
    /// before the next look.
    ///
    /// # Errors
    /// When inference fails. The frame then counts as not seen.
    pub fn look(&mut self, frame: &Frame, detector: &mut dyn Detector) -> Result<bool> {
        if !self.gate.admit(frame.captured) {
            return Ok(false);
        }
        let asked = self.snapshots.are_wanted(&self.camera.id);
        let at_rest = !asked && self.wanted.is_empty() && self.judge.is_at_rest();
        let view = match self.watch.see(frame, at_rest) {
            Sight::Nothing => {
                self.sights().saved_one();
                return Ok(false);
            }
            Sight::Look => {
                self.detect(frame, detector)?;
                View::Clear
            }
            Sight::Unusable(view) => {
                self.detections.clear();
                view
            }
        };
        self.looks += 1;
        self.sights().looked(view == View::Clear);
        let look = Look { at: frame.captured, view, detections: &self.detections };
        Self::take(&mut self.judge, &mut self.wanted, &look, &mut self.happenings);
        self.snapshot_due = asked;
        Ok(true)
    }

    /// Fills `detections` with what is in `frame`.
    fn detect(&mut self, frame: &Frame, detector: &mut dyn Detector) -> Result<()> {
        let least = self.judge.least_score();
        // Rules speak of probabilities, the detector of raw scores: it is asked for all that may get there.
        let floor = self.scores.as_ref().map_or(least, |scores| scores.floor(least));
        self.views.look(frame, detector, floor, &mut self.detections)?;
        if let Some(scores) = &self.scores {
            scores.apply(&mut self.detections, least);
        }
        Ok(())
    }

    /// Whether the last look changed anything that is not proved yet, or somebody waits for a picture of it.
    pub fn has_news(&self) -> bool {
        !self.happenings.is_empty() || self.snapshot_due
    }

    /// Adds what the last look changed to `reports`, with pictures out of `frame`, the one it was at. To hide what
    /// is private takes many times as long as a look.
    pub fn prove(&mut self, frame: &Frame, detector: &mut dyn Detector, reports: &mut Vec<Report>) {
        self.give_snapshots(frame, detector);
        if self.happenings.is_empty() {
            return;
        }
        let shot = match self.main_picture() {
            // Who walks has walked on since: heads are searched for in this picture, and hidden where they are now.
            Some(main) => self.shot(&main, &[], detector),
            None => self.shot(frame, &self.detections, detector),
        };
        let model = detector.identity();
        for happening in &self.happenings {
            let evidence = self.evidence(&shot, happening, model);
            reports.push(Report { happening: happening.clone(), evidence });
        }
        self.happenings.clear();
    }

    /// Takes the picture that somebody waits for.
    fn give_snapshots(&mut self, frame: &Frame, detector: &mut dyn Detector) {
        if !std::mem::take(&mut self.snapshot_due) {
            return;
        }
        let waiting = self.snapshots.waiting(&self.camera.id);
        let cases = self.judge.open_cases().map(|case| case.objects.as_slice());
        let seen = std::iter::once(self.detections.as_slice()).chain(cases);
        let shot = self.pictures.shot(frame, seen, self.judge.vocabulary(), detector);
        let snapshot = Snapshot { at: frame.captured, evidence: shot.plain() };
        for waiter in waiting {
            // One that has given up waiting is gone.
            let _ = waiter.try_send(snapshot.clone());
        }
    }

    /// A picture of the camera's main stream, if there is one and what happened is about things that stand: they
    /// are still where they were.
    fn main_picture(&mut self) -> Option<Frame> {
        let stands = |happening: &Happening| !self.camera.rules[happening.case.rule.0].needs_motion();
        if !matches!(self.pictures, Pictures::Redacted(_)) || !self.happenings.iter().all(stands) {
            return None;
        }
        self.still.as_mut()?.take()
    }

    /// `frame`, in which `seen` was detected, redacted for the pictures of all that happened on it.
    fn shot(&self, frame: &Frame, seen: &[Detection], detector: &mut dyn Detector) -> Shot {
        let objects = self.happenings.iter().map(|happening| happening.case.objects.as_slice());
        let seen = std::iter::once(seen).chain(objects);
        self.pictures.shot(frame, seen, self.judge.vocabulary(), detector)
    }

    /// The pictures of `happening`.
    fn evidence(&self, shot: &Shot, happening: &Happening, model: &ModelIdentity) -> Evidence {
        let rule = &self.camera.rules[happening.case.rule.0];
        let view = evidence::View {
            zone: &rule.polygon,
            objects: &happening.case.objects,
            vocabulary: self.judge.vocabulary(),
            facts: Facts {
                time: &happening.at.rfc3339(&self.zone),
                camera: &self.camera.name,
                grid: happening.case.grid.as_str(),
                kind_zh: &rule.kind.name_zh,
                kind_en: &rule.kind.name_en,
                dwell_s: happening.case.dwell_s(),
                model,
                case: happening.case.id.as_str(),
            },
        };
        let roles: &[Role] = match happening.change {
            Change::Opened => &[Role::Overview, Role::Closeup],
            Change::Updated => &[Role::Overview],
            Change::Cleared => &[Role::After],
        };
        shot.pictures(roles, &view)
    }

    /// Takes a look that comes as detections, without a picture, and adds what changed to `reports`.
    pub fn detections(
        &mut self,
        at: CaptureTime,
        view: View,
        detections: &[Detection],
        reports: &mut Vec<Report>,
    ) {
        self.looks += 1;
        let look = Look { at, view, detections };
        Self::take(&mut self.judge, &mut self.wanted, &look, &mut self.happenings);
        reports.extend(
            self.happenings.drain(..).map(|happening| Report { happening, evidence: Evidence::NoView }),
        );
    }
}
