//! Whether what a camera shows can be judged: a function of its thumbnails and their capture times.
//!
//! # Invariants
//! - A look with a sign of a fault is unusable at once, before the fault is declared: a case must not clear in the
//!   seconds in which it is not yet certain that the lens is covered.
//! - A fault is declared after its signs have lasted, and is over after they have been away for a while.
//! - What is slow, such as dusk and fog, and what is short, such as a headlight, is no fault.
//! - The reference is of the zones as they are: with other zones it is taken anew.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::registration::Registration;
use super::signs::{Reader, Signs};
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::look::View;
use crate::thumbnail::Thumbnail;

/// Looks with its sign that a fault needs at least, however far apart they are.
const FAULT_LOOKS: u32 = 3;
/// Looks without a sign that the end of one needs at least.
const CLEAR_LOOKS: u32 = 2;
/// Looks further apart than this, in seconds, say nothing of what was between them: signs are counted anew.
const LONGEST_GAP_S: f64 = 20.0;
/// Sharpness below which a picture is out of focus whatever it was before. The better edges of a street in focus have
/// 3.0 to 3.7 by day and 1.4 to 1.6 in fog and at night; a lens whose blur has a standard deviation of a hundredth of
/// the picture's width leaves 0.8, and of 1.5 hundredths 0.6. Drawn streets and a clip of a real one agree.
const BLURRED: f32 = 0.75;
/// The same as a share of what is usual for this camera, for one that never was sharp.
const BLURRED_SHARE: f32 = 0.5;
/// What is usual is the mean of about so many seconds.
const USUAL_S: f64 = 3600.0;

/// What is looked for, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewPlan {
    /// What is looked for.
    pub faults: Vec<Fault>,
    /// Seconds for which the signs of a fault must last.
    pub fault_s: f64,
    /// Seconds without a sign after which it is over.
    pub recover_s: f64,
    /// Seconds for which the same picture may come again and again.
    pub frozen_s: f64,
}

impl ViewPlan {
    /// Nothing is looked for.
    pub fn off() -> Self {
        Self { faults: Vec::new(), ..Self::default() }
    }
}

impl Default for ViewPlan {
    fn default() -> Self {
        Self { faults: Fault::ALL.to_vec(), fault_s: 5.0, recover_s: 3.0, frozen_s: 15.0 }
    }
}

/// What one look says of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the look can be used.
    pub view: View,
    /// The declared fault, if there is one.
    pub fault: Option<Fault>,
    /// Since when that is so.
    pub since: CaptureTime,
    /// Whether the fault was declared, or its end, by this look.
    pub changed: bool,
}

/// A run of looks that say the same.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Run {
    sign: Option<Fault>,
    since: CaptureTime,
    looks: u32,
}

/// The view of one camera.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ViewHealth {
    #[serde(skip)]
    plan: ViewPlan,
    zones: u64,
    reader: Reader,
    registration: Registration,
    /// Since when the picture has been the same, while it is.
    same_since: Option<CaptureTime>,
    usual_sharpness: Option<f32>,
    run: Option<Run>,
    declared: Option<Fault>,
    since: Option<CaptureTime>,
    last: Option<CaptureTime>,
}

impl ViewHealth {
    /// The view of a camera of which nothing is known yet. `zones` tells its zones from others.
    pub fn new(plan: ViewPlan, zones: u64) -> Self {
        Self {
            plan,
            zones,
            reader: Reader::default(),
            registration: Registration::default(),
            same_since: None,
            usual_sharpness: None,
            run: None,
            declared: None,
            since: None,
            last: None,
        }
    }

    /// Whether there is anything to look for.
    pub fn is_on(&self) -> bool {
        !self.plan.faults.is_empty()
    }

    /// Judges `small`, captured at `at`.
    pub fn look(&mut self, small: &Thumbnail, at: CaptureTime) -> Verdict {
        let step_s = self.last.map_or(0.0, |last| at.seconds_since(last).max(0.0));
        self.last = Some(at);
        let signs = self.reader.read(small);
        self.note_same(signs.repeated, at, step_s);
        let sign = self.sign(&signs, small, at);
        if sign.is_none() && !signs.repeated && !signs.featureless && !signs.dark {
            self.learn(&signs, at, step_s);
        }
        let changed = self.decide(sign, at, step_s);
        Verdict {
            view: sign.or(self.declared).map_or(View::Clear, Fault::view),
            fault: self.declared,
            since: *self.since.get_or_insert(at),
            changed,
        }
    }

    fn note_same(&mut self, repeated: bool, at: CaptureTime, step_s: f64) {
        if !repeated || step_s > LONGEST_GAP_S.max(self.plan.frozen_s) {
            self.same_since = None;
        }
        self.same_since = self.same_since.or(Some(at));
    }

    /// The first fault of which there is a sign.
    fn sign(&mut self, signs: &Signs, small: &Thumbnail, at: CaptureTime) -> Option<Fault> {
        let same_s = self.same_since.map_or(0.0, |since| at.seconds_since(since));
        // What cannot be seen is in no other place and out of no focus.
        let shown = !signs.dark && !signs.featureless;
        let blurred = shown && signs.sharpness.is_some_and(|sharpness| self.is_blurred(sharpness));
        let moved =
            shown && !blurred && self.looks_for(Fault::Moved) && self.registration.is_moved(small, at);
        let found = |fault: &Fault| match fault {
            Fault::Dark => signs.dark,
            Fault::Covered => signs.featureless && !signs.dark,
            Fault::Frozen => signs.repeated && same_s >= self.plan.frozen_s,
            Fault::Moved => moved,
            Fault::Blurred => blurred,
        };
        Fault::ALL.into_iter().find(|fault| self.looks_for(*fault) && found(fault))
    }

    fn looks_for(&self, fault: Fault) -> bool {
        self.plan.faults.contains(&fault)
    }

    fn is_blurred(&self, sharpness: f32) -> bool {
        let usual = self.usual_sharpness.map_or(f32::INFINITY, |usual| BLURRED_SHARE * usual);
        sharpness < BLURRED.min(usual)
    }

    /// Learns what is usual from a look without signs.
    fn learn(&mut self, signs: &Signs, at: CaptureTime, step_s: f64) {
        if self.looks_for(Fault::Moved) {
            self.registration.follow(at, step_s);
        }
        if let Some(sharpness) = signs.sharpness {
            let share = (step_s / USUAL_S).clamp(0.0, 0.1) as f32;
            let usual = self.usual_sharpness.get_or_insert(sharpness);
            *usual += share * (sharpness - *usual);
        }
    }

    /// Declares what has lasted. Returns whether that is news.
    fn decide(&mut self, sign: Option<Fault>, at: CaptureTime, step_s: f64) -> bool {
        let run = match self.run {
            Some(run) if run.sign == sign && step_s <= LONGEST_GAP_S => Run { looks: run.looks + 1, ..run },
            _ => Run { sign, since: at, looks: 1 },
        };
        self.run = Some(run);
        if sign == self.declared {
            return false;
        }
        let (lasting_s, looks) = match (sign, self.declared) {
            // It has lasted for long before it shows.
            (Some(Fault::Frozen), _) => (0.0, FAULT_LOOKS),
            (Some(_), _) => (self.plan.fault_s, FAULT_LOOKS),
            (None, _) => (self.plan.recover_s, CLEAR_LOOKS),
        };
        let lasted = at.seconds_since(run.since) >= lasting_s && run.looks >= looks;
        if lasted {
            self.declared = sign;
            self.since = Some(if sign == Some(Fault::Frozen) {
                self.same_since.unwrap_or(run.since)
            } else {
                run.since
            });
        }
        lasted
    }

    /// Whether there is a reference to keep over a restart.
    pub fn has_reference(&self) -> bool {
        self.registration.has_reference()
    }

    /// What to give to [`ViewHealth::restore`] after a restart. Of the pictures it holds edges only, at 80 by 44, as a
    /// mean of many.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault of this program.
    pub fn save(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::new(Kind::System, "cannot write down the view of a camera").caused_by(e))
    }

    /// Goes on from what [`ViewHealth::save`] gave. False, and nothing changed, when it is of other zones, or of
    /// another version of this program: the reference is then taken anew.
    pub fn restore(&mut self, saved: &[u8]) -> bool {
        serde_json::from_slice::<Self>(saved).is_ok_and(|saved| self.resume(saved))
    }

    /// Goes on as `saved` did, under its own plan. False, and nothing changed, when that is of other zones.
    pub fn resume(&mut self, saved: Self) -> bool {
        let same = saved.zones == self.zones;
        if same {
            *self = Self { plan: self.plan.clone(), ..saved };
        }
        same
    }
}

#[cfg(test)]
mod tests;
