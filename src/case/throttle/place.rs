//! Where a case is, as far as the throttle is concerned.

use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::detect::BBox;
use crate::place::{GridId, Position};
use crate::plan::{CameraPlan, Condition};

/// The grid and kind of a case: what a grid worker is responsible for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) grid: GridId,
    pub(super) kind: String,
}

/// A spot in a zone for rules about what stands there; the zone itself for all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    #[serde(flatten)]
    pub(super) key: Key,
    pub(super) camera: String,
    pub(super) zone: String,
    /// Where the object stands in the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) spot: Option<BBox>,
}

impl Place {
    /// Whether this is the same place as `other`: the same zone and kind and, if both have a spot, boxes whose
    /// intersection over union is at least `overlap`.
    pub(super) fn is_same(&self, other: &Self, overlap: f32) -> bool {
        let together = match (&self.spot, &other.spot) {
            (Some(a), Some(b)) => a.iou(b) >= overlap,
            _ => true,
        };
        self.camera == other.camera && self.zone == other.zone && self.key == other.key && together
    }
}

/// The box around both.
fn around(a: BBox, b: BBox) -> BBox {
    BBox { x1: a.x1.min(b.x1), y1: a.y1.min(b.y1), x2: a.x2.max(b.x2), y2: a.y2.max(b.y2) }
}

/// What the throttle needs to know of a case.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) place: Place,
    pub(super) position: Option<Position>,
    pub(super) cool_down_s: f64,
    /// Mean score of the objects of the latest sighting, 0-1.
    pub(super) score: f32,
    /// Objects of the latest sighting.
    pub(super) count: usize,
}

impl Subject {
    /// What is to be known of `case` of `camera`; `None` when the camera has no such rule.
    pub(super) fn of(camera: &CameraPlan, case: &Case) -> Option<Self> {
        let rule = camera.rules.get(case.rule.0)?;
        let boxes = case.objects.iter().map(|object| object.bbox);
        let spot = match rule.condition {
            Condition::Standing | Condition::Cluster { near: Some(_), .. } => boxes.reduce(around),
            Condition::Count(_)
            | Condition::Presence
            | Condition::Loitering
            | Condition::Cluster { near: None, .. } => None,
        };
        let key = Key { grid: case.grid.clone(), kind: rule.kind.slug.clone() };
        Some(Self {
            place: Place { key, camera: camera.id.clone(), zone: rule.zone.clone(), spot },
            position: case.position,
            cool_down_s: rule.cool_down_s,
            score: case.objects.iter().map(|object| object.score).sum::<f32>()
                / case.objects.len().max(1) as f32,
            count: case.objects.len(),
        })
    }
}
