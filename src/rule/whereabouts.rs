//! Where something that moves is, also while it is missed: what walks behind a bus was last seen beside it, and in
//! part at that.

use serde::{Deserialize, Serialize};

use super::scene::Scene;
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};

/// What is left of the usual size from one sighting to the next: something that goes away gets smaller by degrees,
/// something that goes behind something else at once.
const USUAL: f32 = 0.98;
/// How near to the edge of the picture a box touches it.
const EDGE: f32 = 0.01;

/// Where one thing is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Whereabouts {
    /// The latest sighting.
    pub(super) latest: Detection,
    /// When that was.
    pub(super) seen: CaptureTime,
    /// Class group.
    pub(super) group: u16,
    /// The track that it went by.
    pub(super) track: Option<u64>,
    /// All of it, where it is believed to be: below the head that was seen, in its usual size.
    pub(super) place: BBox,
    /// Width and height.
    size: (f32, f32),
}

impl Whereabouts {
    /// Of detection number `index`.
    pub(super) fn new(scene: &Scene<'_>, index: usize) -> Self {
        let latest = scene.detections[index];
        Self {
            latest,
            seen: scene.at,
            group: scene.groups[index],
            track: scene.tracker.track_of(index).map(|track| track.number),
            place: latest.bbox,
            size: (latest.bbox.width(), latest.bbox.height()),
        }
    }

    /// It was found in detection number `index`.
    pub(super) fn locate(&mut self, scene: &Scene<'_>, index: usize) {
        let seen = scene.detections[index].bbox;
        self.latest = scene.detections[index];
        self.seen = scene.at;
        self.track = scene.tracker.track_of(index).map(|track| track.number).or(self.track);
        self.size = (seen.width().max(self.size.0 * USUAL), seen.height().max(self.size.1 * USUAL));
        let (x, half) = (seen.centre().0, self.size.0 / 2.0);
        self.place = BBox { x1: x - half, y1: seen.y1, x2: x + half, y2: seen.y1 + self.size.1 };
    }

    /// Whether it cannot be seen on this look, on which it was not found: something is in front of where it is, or of
    /// where it went on to.
    pub(super) fn is_hidden(&mut self, scene: &Scene<'_>) -> bool {
        self.coast(scene);
        scene.hides(&self.place, self.group, self.seen)
    }

    /// The same, by something of another class group.
    pub(super) fn is_hidden_by_other_kind(&mut self, scene: &Scene<'_>) -> bool {
        self.coast(scene);
        scene.hides_behind_other_kind(&self.place, self.group, self.seen)
    }

    /// Moves the place on to where its track is believed to have gone.
    fn coast(&mut self, scene: &Scene<'_>) {
        if let Some(coasted) = scene.coasts(self.track) {
            let by = coasted.centre().0 - self.place.centre().0;
            self.place.x1 += by;
            self.place.x2 += by;
        }
    }

    /// Gives it its label and group by `renumber`. False when it has none any more.
    pub(super) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) -> bool {
        let new = renumber(&mut self.latest);
        self.group = new.unwrap_or(self.group);
        new.is_some()
    }
}

/// Whether a box touches a side of the picture: what is lost there has gone out, and what is new there has come in.
pub(super) fn touches_edge(bbox: &BBox) -> bool {
    bbox.x1 <= EDGE || bbox.x2 >= 1.0 - EDGE || bbox.y1 <= EDGE || bbox.y2 >= 1.0 - EDGE
}
