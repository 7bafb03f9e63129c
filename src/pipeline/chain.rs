//! The chain of one camera: gate, detector, core, evidence.

use jiff::tz::TimeZone;

use super::views::Views;
use crate::case::{Change, Happening};
use crate::clock::CaptureTime;
use crate::detect::score_map::ScoreMap;
use crate::detect::{Detection, Detector, Vocabulary};
use crate::error::Result;
use crate::evidence::{self, Evidence, Facts, Pictures, Role};
use crate::frame::Frame;
use crate::gate::Gate;
use crate::judge::Judge;
use crate::look::{Look, View};
use crate::plan::{CameraPlan, Plan};

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
    scores: Option<ScoreMap>,
    zone: TimeZone,
    views: Views,
    pictures: Pictures,
    detections: Vec<Detection>,
    happenings: Vec<Happening>,
    looks: u64,
}

impl Chain {
    /// The chain of `camera` on the box of `plan`, for detections labelled by `vocabulary`, with `pictures` of its
    /// cases.
    pub fn new(plan: &Plan, camera: &CameraPlan, vocabulary: Vocabulary, pictures: Pictures) -> Self {
        Self {
            scores: camera.scores.as_ref().map(|scores| scores.map(&vocabulary)),
            judge: Judge::new(&plan.source(), camera, vocabulary),
            gate: Gate::new(camera.look_interval_s),
            zone: plan.zone.clone(),
            views: Views::new(camera),
            pictures,
            camera: camera.clone(),
            detections: Vec::new(),
            happenings: Vec::new(),
            looks: 0,
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

    /// Looks taken so far.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Looks at `frame` if the gate lets it through and adds what changed to `reports`. Returns whether it was
    /// looked at.
    ///
    /// # Errors
    /// When inference fails. The frame then counts as not seen.
    pub fn frame(
        &mut self,
        frame: &Frame,
        detector: &mut dyn Detector,
        reports: &mut Vec<Report>,
    ) -> Result<bool> {
        if !self.gate.admit(frame.captured) {
            return Ok(false);
        }
        let least = self.judge.least_score();
        // Rules speak of probabilities, the detector of raw scores: it is asked for all that may get there.
        let floor = self.scores.as_ref().map_or(least, |scores| scores.floor(least));
        self.views.look(frame, detector, floor, &mut self.detections)?;
        if let Some(scores) = &self.scores {
            scores.apply(&mut self.detections, least);
        }
        self.looks += 1;
        let look = Look { at: frame.captured, view: View::Clear, detections: &self.detections };
        self.judge.look(&look, &mut self.happenings);
        for index in 0..self.happenings.len() {
            let happening = self.happenings[index].clone();
            let evidence = self.evidence(frame, &happening, detector);
            reports.push(Report { happening, evidence });
        }
        self.happenings.clear();
        Ok(true)
    }

    /// The pictures of what happened on `frame`.
    fn evidence(&self, frame: &Frame, happening: &Happening, detector: &mut dyn Detector) -> Evidence {
        let rule = &self.camera.rules[happening.case.rule.0];
        let model = detector.identity().clone();
        let view = evidence::View {
            zone: &rule.polygon,
            objects: &happening.case.objects,
            look: &self.detections,
            vocabulary: self.judge.vocabulary(),
            facts: Facts {
                time: &happening.at.rfc3339(&self.zone),
                camera: &self.camera.name,
                grid: happening.case.grid.as_str(),
                kind_zh: &rule.kind.name_zh,
                kind_en: &rule.kind.name_en,
                dwell_s: happening.case.dwell_s(),
                model: &model,
                case: happening.case.id.as_str(),
            },
        };
        let roles: &[Role] = match happening.change {
            Change::Opened => &[Role::Overview, Role::Closeup],
            Change::Updated => &[Role::Overview],
            Change::Cleared => &[Role::After],
        };
        self.pictures.take(frame, roles, &view, detector)
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
        self.judge.look(&Look { at, view, detections }, &mut self.happenings);
        reports.extend(
            self.happenings.drain(..).map(|happening| Report { happening, evidence: Evidence::NoView }),
        );
    }
}
