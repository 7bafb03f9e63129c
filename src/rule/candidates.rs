//! Which of the things seen on a look may stand in a place, and which are about to.
//!
//! # Invariants
//! - What is found inside of something else, and ends at the same line on the ground, is a part of it and no object.
//! - What is found behind something that hides it was not seen, unless a case of it is open, or what hid it is not found on
//!   this look and it is found just where it was.
//! - What moves stands in no place, unless it is where something is known to stand.

use super::dwell::SAME_PLACE;
use super::scene::{Scene, Terms, WEAK};
use crate::case::{Slot, shows_part};
use crate::detect::{BBox, Detection};

/// IoU from which a detection is the object of a slot, though its track seems to move: at few looks a second a track goes
/// over from one of two neighbours to the other and back, and what moves is not seen so exactly in a place.
const IN_PLACE: f32 = 0.65;
/// Detections of one look, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    /// Those that could stand in a slot.
    pub(super) standing: Vec<usize>,
    /// Those of what moves and has all but come to a stand.
    pub(super) stopping: Vec<usize>,
    /// Those of a part of what another one shows all of.
    pub(super) parts: Vec<usize>,
}

impl Candidates {
    /// Finds those of `scene` that are what the rule is about; `anchors` are those of `slots`.
    pub(super) fn find(&mut self, scene: &Scene<'_>, terms: &Terms, slots: &[Slot], anchors: &[BBox]) {
        self.standing.clear();
        self.stopping.clear();
        self.parts.clear();
        for (index, Detection { label, score, bbox }) in scene.detections.iter().enumerate() {
            let is_about = terms.is_about(*label) && *score >= WEAK * terms.score && bbox.is_sound();
            if !is_about {
                continue;
            }
            if is_part_of_another(scene, index) {
                self.parts.push(index);
                continue;
            }
            let is_in = |anchor: &BBox, overlap: f32| anchor.meets(bbox) && anchor.iou(bbox) >= overlap;
            let is_known = || slots.iter().any(|slot| slot.case.is_some() && is_in(&slot.anchor, SAME_PLACE));
            // What hid it and is not found any more has driven off if it is found just where it was.
            let is_back = || {
                !scene.is_surely_seen_through(index) && anchors.iter().any(|anchor| is_in(anchor, IN_PLACE))
            };
            if scene.is_seen_through(index) && !is_known() && !is_back() {
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

/// Whether detection number `index` is of a part of what another one shows all of.
fn is_part_of_another(scene: &Scene<'_>, index: usize) -> bool {
    let (part, group) = (&scene.detections[index].bbox, scene.groups[index]);
    scene.detections.iter().zip(scene.groups).any(|(whole, &of)| of == group && shows_part(part, &whole.bbox))
}
