//! A slot: a place in a zone where something can stay, known by its position and class group and never by a
//! track.
//!
//! # Invariants
//! - The anchor is the mean of whole views of one object; a half-hidden view does not move it.
//! - When something is found in a place that was believed empty, it is on trial: its boxes are kept apart until
//!   there are enough to tell whether it is the same object or another one that took the place.

use serde::{Deserialize, Serialize};

use super::lifecycle::Case;
use super::occupancy::Occupancy;
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};

/// The anchor is the mean of at most so many latest boxes: it settles, and then follows a slow change of view.
const ANCHOR_MEMORY: u32 = 20;
/// Boxes that a trial takes. Their median stands up to three that something in front still cut short.
const TRIAL_BOXES: usize = 7;
/// Least deviation of a box edge, as a share of the box: detectors are no steadier than this.
const LEAST_SPREAD: f32 = 0.02;
/// Another object: its mean box differs from the anchor by this many deviations in the root mean square of the
/// four edges. For normal noise the chance of 3 is that of a chi-square of 36 with 4 degrees of freedom, 3e-7.
const OTHER_DEVIATIONS: f32 = 3.0;
/// Another object differs in some edge by at least this share of the box, whatever the deviations say: light and
/// shade move an edge by as much as a steady detector's noise.
const OTHER_SHARE: f32 = 0.05;

/// How far apart the lower edges of two boxes of one object may be, in heights of the higher one.
const SAME_FOOT: f32 = 0.15;

/// One place and what is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// Number in order of creation, unique on its camera.
    pub(crate) serial: u64,
    /// Where the object stands, 0-1.
    pub(crate) anchor: BBox,
    /// Class group of what stands there.
    pub(crate) group: u16,
    /// Whether it is occupied.
    pub(crate) occupancy: Occupancy,
    /// The latest sighting.
    pub(crate) latest: Detection,
    /// The last time that all of the object was seen, not only what something in front left over.
    pub(crate) last_whole: CaptureTime,
    /// The open case, once the dwell was reached.
    pub(crate) case: Option<Case>,
    boxes: u32,
    /// Variance of each edge about the anchor, in box sizes.
    variance: [f32; 4],
    /// Since when something stands where nothing was believed to be, until a whole view starts its trial.
    suspect: Option<CaptureTime>,
    trial: Option<Trial>,
}

/// Something found where nothing was believed to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Trial {
    since: CaptureTime,
    boxes: Vec<BBox>,
}

impl Trial {
    /// The median of each edge.
    fn median(&self) -> BBox {
        let edge = |of: fn(&BBox) -> f32| {
            let mut values: Vec<f32> = self.boxes.iter().map(of).collect();
            values.sort_unstable_by(f32::total_cmp);
            values[values.len() / 2]
        };
        BBox { x1: edge(|b| b.x1), y1: edge(|b| b.y1), x2: edge(|b| b.x2), y2: edge(|b| b.y2) }
    }
}

/// What a whole view says about who stands in the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The object that stood there before, or no reason to think otherwise.
    Same,
    /// Another one, there since this time.
    Other(CaptureTime),
}

impl Slot {
    /// A place where `detection` was seen at `at`, standing there since `since`.
    pub(crate) fn new(
        serial: u64,
        detection: Detection,
        group: u16,
        at: CaptureTime,
        since: CaptureTime,
    ) -> Self {
        Self {
            serial,
            anchor: detection.bbox,
            group,
            occupancy: Occupancy::new(at, since),
            latest: detection,
            last_whole: at,
            case: None,
            boxes: 1,
            variance: [0.0; 4],
            suspect: None,
            trial: None,
        }
    }

    /// Something was found at `at` in this place, which was believed empty: it will have to stand trial.
    pub(crate) fn suspect(&mut self, at: CaptureTime) {
        self.suspect = Some(at);
        self.trial = None;
    }

    /// Takes a whole view into the anchor, or into the trial of what stands here.
    pub(crate) fn settle(&mut self, seen: &BBox) -> Identity {
        if let Some(since) = self.suspect.take() {
            self.trial = Some(Trial { since, boxes: vec![*seen] });
            return Identity::Same;
        }
        let Some(trial) = &mut self.trial else {
            self.follow(seen);
            return Identity::Same;
        };
        trial.boxes.push(*seen);
        if trial.boxes.len() < TRIAL_BOXES {
            return Identity::Same;
        }
        let (since, median) = (trial.since, trial.median());
        self.trial = None;
        if self.is_other(&median) {
            return Identity::Other(since);
        }
        self.follow(&median);
        Identity::Same
    }

    /// Whether it is not known yet if what stands here is what stood here before.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.suspect.is_some() || self.trial.is_some()
    }

    /// Takes `seen` as the first whole view of an object of which only a part was known.
    pub(crate) fn uncover(&mut self, seen: &BBox) {
        self.anchor = *seen;
        self.boxes = 1;
        self.variance = [0.0; 4];
        self.suspect = None;
        self.trial = None;
    }

    /// Starts the place anew for another object, there since `since` and last seen at `at`.
    pub(crate) fn hand_over(&mut self, serial: u64, at: CaptureTime, since: CaptureTime) {
        let mut next = Self::new(serial, self.latest, self.group, at, since);
        // The boxes of the trial were sightings.
        next.occupancy.count_hits(TRIAL_BOXES as u32);
        *self = next;
    }

    fn follow(&mut self, seen: &BBox) {
        self.boxes = (self.boxes + 1).min(ANCHOR_MEMORY);
        let weight = 1.0 / self.boxes as f32;
        for (variance, off) in self.variance.iter_mut().zip(offsets(&self.anchor, seen)) {
            *variance += weight * (off * off - *variance);
        }
        blend(&mut self.anchor, seen, weight);
    }

    fn is_other(&self, median: &BBox) -> bool {
        let off = offsets(&self.anchor, median);
        // A median of n normal values varies as a mean of 2n/pi.
        let share = 1.0 / self.boxes as f32 + std::f32::consts::FRAC_PI_2 / TRIAL_BOXES as f32;
        let squares = off
            .iter()
            .zip(&self.variance)
            .map(|(off, variance)| off * off / (variance.max(LEAST_SPREAD * LEAST_SPREAD) * share));
        let deviations = (squares.sum::<f32>() / 4.0).sqrt();
        let most = off.iter().fold(0.0f32, |most, off| most.max(off.abs()));
        deviations >= OTHER_DEVIATIONS && most >= OTHER_SHARE
    }
}

/// Whether both boxes end at the same line on the ground, as a part of an object and the whole of it do.
pub(crate) fn same_foot(a: &BBox, b: &BBox) -> bool {
    (a.y2 - b.y2).abs() <= SAME_FOOT * a.height().max(b.height())
}

/// How far the edges of `seen` lie from those of `anchor`, in widths and heights of `anchor`.
fn offsets(anchor: &BBox, seen: &BBox) -> [f32; 4] {
    let (w, h) = (anchor.width().max(f32::EPSILON), anchor.height().max(f32::EPSILON));
    [
        (seen.x1 - anchor.x1) / w,
        (seen.y1 - anchor.y1) / h,
        (seen.x2 - anchor.x2) / w,
        (seen.y2 - anchor.y2) / h,
    ]
}

/// Moves `mean` towards `seen` by `weight`.
fn blend(mean: &mut BBox, seen: &BBox, weight: f32) {
    mean.x1 += weight * (seen.x1 - mean.x1);
    mean.y1 += weight * (seen.y1 - mean.y1);
    mean.x2 += weight * (seen.x2 - mean.x2);
    mean.y2 += weight * (seen.y2 - mean.y2);
}
