//! What was held back and has not been told of yet.

use serde::{Deserialize, Serialize};

use super::place::{Key, Place, Subject};
use crate::case::CaseId;
use crate::clock::CaptureTime;
use crate::place::GridId;

/// Most ids that are listed of one tally; the number is exact all the same.
const MOST_LISTED: usize = 16;
/// Most tallies that one message carries; the others wait for the next.
const MOST_CARRIED: usize = 4;

/// Why a case was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// One of this kind has cleared in this place just before.
    CoolDown,
    /// There were too many of this kind in this grid.
    Rate,
    /// There were too many on this camera.
    CameraRate,
    /// A reviewer has rejected this kind in this place.
    Quiet,
    /// Verdicts on other cases say that it is likely wrong.
    Doubtful,
}

/// Cases of one grid, kind and camera that were held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Their grid.
    pub grid: GridId,
    /// Their kind.
    pub kind: String,
    /// The camera that saw them.
    pub camera: String,
    /// When the first of them was held back.
    pub since: CaptureTime,
    /// How many were held back because of a cool-down.
    pub cool_down: u32,
    /// Because of the limit of the grid and kind.
    pub rate: u32,
    /// Because of the limit of the camera.
    pub camera_rate: u32,
    /// Because of a rejected verdict.
    pub quiet: u32,
    /// Because of what verdicts on others have taught.
    #[serde(default)]
    pub doubtful: u32,
    /// The first of them.
    pub cases: Vec<CaseId>,
    /// Tells this tally from an earlier one that has been carried.
    batch: u64,
}

impl Tally {
    /// How many cases were held back.
    pub fn number(&self) -> u32 {
        self.cool_down + self.rate + self.camera_rate + self.quiet + self.doubtful
    }

    fn count_of(&mut self, reason: Reason) -> &mut u32 {
        match reason {
            Reason::CoolDown => &mut self.cool_down,
            Reason::Rate => &mut self.rate,
            Reason::CameraRate => &mut self.camera_rate,
            Reason::Quiet => &mut self.quiet,
            Reason::Doubtful => &mut self.doubtful,
        }
    }

    fn is_of(&self, place: &Place) -> bool {
        self.camera == place.camera && self.is_about(&place.key)
    }

    fn is_about(&self, key: &Key) -> bool {
        self.grid == key.grid && self.kind == key.kind
    }
}

/// All that waits to be carried.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tallies {
    waiting: Vec<Tally>,
    batches: u64,
}

impl Tallies {
    /// Counts `case` of `subject`, held back at `now` for `reason`. Returns the batch it is counted in.
    pub(super) fn add(&mut self, subject: &Subject, case: &CaseId, reason: Reason, now: CaptureTime) -> u64 {
        let place = &subject.place;
        let index = self.waiting.iter().position(|tally| tally.is_of(place)).unwrap_or_else(|| {
            self.batches += 1;
            self.waiting.push(Tally {
                grid: place.key.grid.clone(),
                kind: place.key.kind.clone(),
                camera: place.camera.clone(),
                since: now,
                cool_down: 0,
                rate: 0,
                camera_rate: 0,
                quiet: 0,
                doubtful: 0,
                cases: Vec::new(),
                batch: self.batches,
            });
            self.waiting.len() - 1
        });
        let tally = &mut self.waiting[index];
        *tally.count_of(reason) += 1;
        if tally.cases.len() < MOST_LISTED {
            tally.cases.push(case.clone());
        }
        tally.batch
    }

    /// Takes `case` back out of `batch`, where it was counted for `reason`, unless that was carried already:
    /// the case is now told itself.
    pub(super) fn withdraw(&mut self, case: &CaseId, reason: Reason, batch: u64) {
        let Some(index) = self.waiting.iter().position(|tally| tally.batch == batch) else { return };
        let tally = &mut self.waiting[index];
        let count = tally.count_of(reason);
        *count = count.saturating_sub(1);
        tally.cases.retain(|listed| listed != case);
        if tally.number() == 0 {
            self.waiting.remove(index);
        }
    }

    /// From now on the case `old` in `batch` goes by the id `new`.
    pub(super) fn rename(&mut self, old: &CaseId, new: &CaseId, batch: u64) {
        let tally = self.waiting.iter_mut().filter(|tally| tally.batch == batch);
        for listed in tally.flat_map(|tally| &mut tally.cases).filter(|listed| *listed == old) {
            listed.clone_from(new);
        }
    }

    /// Whether something of the grid and kind of `place` waits.
    pub(super) fn has_any(&self, place: &Place) -> bool {
        self.waiting.iter().any(|tally| tally.is_about(&place.key))
    }

    /// Takes out what a message about `key` from `camera` carries: what was held back of the same grid and
    /// kind; by the limit of the same camera; and whatever has waited for `patience_s` for a better fit.
    pub(super) fn take(&mut self, key: &Key, camera: &str, now: CaptureTime, patience_s: f64) -> Vec<Tally> {
        let mut taken = Vec::new();
        let mut carry = |fits: &dyn Fn(&Tally) -> bool| {
            self.waiting.retain(|tally| {
                let take = taken.len() < MOST_CARRIED && fits(tally);
                if take {
                    taken.push(tally.clone());
                }
                !take
            });
        };
        carry(&|tally| tally.is_about(key));
        carry(&|tally| tally.camera == camera && tally.camera_rate > 0);
        carry(&|tally| now.seconds_since(tally.since) >= patience_s);
        taken
    }

    /// What waits, oldest first.
    pub(super) fn waiting(&self) -> &[Tally] {
        &self.waiting
    }
}
