//! What has stood in its place for long tells when the view has changed: it does not leave at one moment with all others.

use super::scene::Scene;
use crate::case::Slot;
use crate::case::occupancy::{KNOWN_LATE_S, Occupancy};
use crate::clock::CaptureTime;

/// How many things must be lost at one moment for the view to have changed …
const LANDMARKS: usize = 2;
/// … which have been there for so long, in seconds: others come and go …
const LANDMARK_S: f64 = 10.0;
/// … within so many seconds, as some are missed just before …
const MOMENT_S: f64 = 0.5;
/// … and for how long that may explain it, in seconds: a camera that was turned says so within about five.
const JOLT_S: f64 = 6.0;

/// Whether all that was in its place until a moment ago is out of it in plain view: two cars do not leave at once, so
/// the camera was turned or nudged, and has yet to say so. `found` says of each slot whether it was found on this look.
pub(super) fn are_all_lost(scene: &Scene<'_>, slots: &[Slot], found: &[bool]) -> bool {
    let mut landmarks = 0;
    let mut lost: Option<(CaptureTime, CaptureTime)> = None;
    for (slot, &found) in slots.iter().zip(found) {
        let Slot { occupancy, .. } = slot;
        if occupancy.dwell_s() < LANDMARK_S {
            continue;
        }
        if found {
            return false;
        }
        if scene.hides(&slot.anchor, slot.group, slot.last_whole) {
            continue;
        }
        if scene.at.seconds_since(occupancy.last_seen) > JOLT_S {
            return false;
        }
        landmarks += 1;
        let (first, last) = lost.unwrap_or((occupancy.last_seen, occupancy.last_seen));
        lost = Some((first.min(occupancy.last_seen), last.max(occupancy.last_seen)));
    }
    landmarks >= LANDMARKS && lost.is_some_and(|(first, last)| last.seconds_since(first) <= MOMENT_S)
}

/// When the camera began to be turned away, as it has turned out to be at `at`: when the first of what had stood in its
/// place for long was last found there.
pub(super) fn first_lost(slots: &[Slot], at: CaptureTime) -> Option<CaptureTime> {
    let lately = |occupancy: &&Occupancy| {
        occupancy.dwell_s() >= LANDMARK_S && at.seconds_since(occupancy.last_seen) <= KNOWN_LATE_S
    };
    slots.iter().map(|slot| &slot.occupancy).filter(lately).map(|place| place.last_seen).min()
}
