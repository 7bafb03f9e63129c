//! Which of the things seen on a look may stand in a place, and which are about to.
//!
//! # Invariants
//! - What is found inside of something else, and ends at the same line on the ground, is a part of it and no object.
//! - What is found behind something that hides it was not seen, unless a case of it is open.
//! - What moves stands in no place, unless it is where something is known to stand.

use super::dwell::{SAME_PLACE, is_part};
use super::scene::{Scene, Terms, WEAK};
use crate::case::Slot;
use crate::detect::{BBox, Detection};

/// IoU from which a detection is the object of a slot, though its track seems to move: at few looks a second a track goes
/// over from one of two neighbours to the other and back, and what moves is not seen so exactly in a place.
const IN_PLACE: f32 = 0.65;
/// What is found inside of something else is a part of it if it is no larger than this share of it; what is larger is the
/// same thing found twice, and either box will do.
const LARGEST_PART: f32 = 0.75;

/// Detections of one look, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    /// Those that could stand in a slot.
    pub(super) standing: Vec<usize>,
    /// Those of what moves and has all but come to a stand.
    pub(super) stopping: Vec<usize>,
}

impl Candidates {
    /// Finds those of `scene` that are what the rule is about; `anchors` are those of `slots`.
    pub(super) fn find(&mut self, scene: &Scene<'_>, terms: &Terms, slots: &[Slot], anchors: &[BBox]) {
        self.standing.clear();
        self.stopping.clear();
        for (index, Detection { label, score, bbox }) in scene.detections.iter().enumerate() {
            let is_about = terms.is_about(*label) && *score >= WEAK * terms.score && bbox.is_sound();
            if !is_about || is_part_of_another(scene, index) {
                continue;
            }
            let is_in = |anchor: &BBox, overlap: f32| anchor.meets(bbox) && anchor.iou(bbox) >= overlap;
            let is_known = || slots.iter().any(|slot| slot.case.is_some() && is_in(&slot.anchor, SAME_PLACE));
            if scene.is_seen_through(index) && !is_known() {
                continue;
            }
            if !scene.is_moving(index) || anchors.iter().any(|anchor| is_in(anchor, IN_PLACE)) {
                self.standing.push(index);
            } else if scene.is_stopping(index) {
                self.stopping.push(index);
            }
        }
    }
}

/// Whether detection number `index` is of a part of what another one shows all of: detectors take the front of a car for
/// one now and then. What stands in front of something ends further down, and what is behind it shows beside it.
fn is_part_of_another(scene: &Scene<'_>, index: usize) -> bool {
    let (part, group) = (&scene.detections[index].bbox, scene.groups[index]);
    scene.detections.iter().zip(scene.groups).any(|(Detection { bbox: whole, .. }, &of)| {
        of == group && whole.meets(part) && is_part(part, whole) && part.area() < LARGEST_PART * whole.area()
    })
}
