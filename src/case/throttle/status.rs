//! What the throttle holds back, for people to see.

use super::standing::State;
use super::tally::Tally;
use super::verdict::VerdictCounts;
use super::{HushedRule, LessonsStatus, Reason, Throttle};
use crate::case::CaseId;
use crate::clock::CaptureTime;
use crate::detect::BBox;
use crate::place::GridId;

/// What the throttle holds back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThrottleStatus {
    /// Cases that stand and were told.
    pub standing: usize,
    /// Cases that stand and are held back, with the reason at the time.
    pub held_back: Vec<(CaseId, Reason)>,
    /// What was held back and waits for a message to carry it.
    pub untold: Vec<Tally>,
    /// Places that are quiet.
    pub quiet: Vec<QuietStatus>,
    /// Rules that a person has made quiet.
    pub hushed: Vec<HushedRule>,
    /// Verdicts so far.
    pub verdicts: VerdictCounts,
    /// What they taught; `None` when nothing is to be learnt.
    pub lessons: Option<LessonsStatus>,
}

/// A place and kind that a rejected verdict has made quiet.
#[derive(Clone, Debug, PartialEq)]
pub struct QuietStatus {
    /// Its grid.
    pub grid: GridId,
    /// The kind.
    pub kind: String,
    /// The camera.
    pub camera: String,
    /// The zone.
    pub zone: String,
    /// Where in the picture, 0-1; `None` for the whole zone.
    pub spot: Option<BBox>,
    /// The case that was rejected last.
    pub case: CaseId,
    /// Why.
    pub reason: String,
    /// How often it was rejected.
    pub rejections: u32,
    /// Since when.
    pub since: CaptureTime,
    /// Until when.
    pub until: CaptureTime,
    /// Cases that were held back here.
    pub held_back: u32,
}

impl Throttle {
    /// What is held back at `at`.
    pub fn status(&self, at: CaptureTime) -> ThrottleStatus {
        let state = &self.state;
        let held = |standing: &super::Standing| match standing.state {
            State::Held { reason, .. } => Some((standing.case.clone(), reason)),
            State::Told { .. } => None,
        };
        ThrottleStatus {
            standing: state.standing.iter().filter(|standing| standing.is_told()).count(),
            held_back: state.standing.iter().filter_map(held).collect(),
            untold: state.tallies.waiting().to_vec(),
            quiet: state.quiets.active(state.now.max(at)).map(QuietStatus::of).collect(),
            hushed: state.hushed.active(state.now.max(at)).cloned().collect(),
            verdicts: state.verdicts,
            lessons: self.learns().then(|| state.lessons.status()),
        }
    }
}

impl QuietStatus {
    fn of(quiet: &super::quiet::Quiet) -> Self {
        let place = &quiet.place;
        Self {
            grid: place.key.grid.clone(),
            kind: place.key.kind.clone(),
            camera: place.camera.clone(),
            zone: place.zone.clone(),
            spot: place.spot,
            case: quiet.case.clone(),
            reason: quiet.reason.clone(),
            rejections: quiet.rejections,
            since: quiet.since,
            until: quiet.until,
            held_back: quiet.held_back,
        }
    }
}
