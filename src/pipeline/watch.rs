//! What comes before a look: whether the view can be judged, and whether anything calls for a look at all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::gate::MotionGate;
use crate::health::{Sights, ViewHealth};
use crate::look::View;
use crate::place::Polygon;
use crate::plan::CameraPlan;
use crate::thumbnail::Thumbnail;

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Look at it.
    Look,
    /// Nothing calls for a look.
    Nothing,
    /// It shows nothing that can be judged, for this reason.
    Unusable(View),
}

/// The view and the gate of one camera.
#[derive(Debug)]
pub(super) struct Watch {
    camera: String,
    small: Thumbnail,
    view: ViewHealth,
    gate: MotionGate,
    sights: Arc<Sights>,
}

/// What is kept between two parts of a recording.
#[derive(Serialize, Deserialize)]
struct Kept {
    view: ViewHealth,
    gate: MotionGate,
}

#[derive(Serialize)]
struct KeptRef<'a> {
    view: &'a ViewHealth,
    gate: &'a MotionGate,
}

impl Watch {
    pub(super) fn new(camera: &CameraPlan) -> Self {
        let bounds: Vec<[f32; 4]> = zones(camera).map(|polygon| bounds(polygon.corners())).collect();
        Self {
            camera: camera.id.clone(),
            small: Thumbnail::default(),
            view: ViewHealth::new(camera.view.clone(), fingerprint(camera)),
            gate: MotionGate::new(camera.gate, &bounds),
            sights: Arc::default(),
        }
    }

    /// What the looks have shown, for others to read.
    pub(super) fn sights(&self) -> &Arc<Sights> {
        &self.sights
    }

    /// Judges `frame`. `at_rest` says that neither a rule nor anybody else waits for a look.
    pub(super) fn see(&mut self, frame: &Frame, at_rest: bool) -> Sight {
        // A frame without samples has nothing to compare; what the model makes of it is its business.
        if !(self.view.is_on() || self.gate.is_on()) || !self.small.take(frame) {
            return Sight::Look;
        }
        if self.view.is_on() {
            let verdict = self.view.look(&self.small, frame.captured);
            self.sights.note(&self.camera, &verdict);
            if verdict.view != View::Clear {
                return Sight::Unusable(verdict.view);
            }
        }
        self.gate.see(&self.small, frame.captured, at_rest);
        if self.gate.admit(frame.captured, at_rest) { Sight::Look } else { Sight::Nothing }
    }

    /// The reference of the view, for a restart; `None` before there is one.
    pub(super) fn memory(&self) -> Result<Option<Vec<u8>>> {
        if self.view.is_on() && self.view.has_reference() { self.view.save().map(Some) } else { Ok(None) }
    }

    /// Takes what [`Watch::memory`] gave. False when it is of other zones.
    pub(super) fn remember(&mut self, memory: &[u8]) -> bool {
        self.view.restore(memory)
    }

    /// Everything, for the next part of a recording.
    pub(super) fn save(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&KeptRef { view: &self.view, gate: &self.gate })
            .map_err(|e| Error::new(Kind::System, "cannot write down the view of a camera").caused_by(e))
    }

    /// Goes on as [`Watch::save`] left off, unless it is of other zones.
    pub(super) fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let kept: Kept = serde_json::from_slice(saved).map_err(|e| {
            Error::new(Kind::Disk, "the saved view of the camera cannot be read")
                .help("remove the state to start afresh")
                .caused_by(e)
        })?;
        self.view.resume(kept.view);
        self.gate.resume(kept.gate);
        Ok(())
    }
}

/// The zones of `camera`, each once.
fn zones(camera: &CameraPlan) -> impl Iterator<Item = &Polygon> {
    camera.rules.iter().enumerate().filter_map(|(at, rule)| {
        let known = camera.rules[..at].iter().any(|earlier| earlier.zone == rule.zone);
        (!known).then_some(&rule.polygon)
    })
}

/// A number that tells the zones of `camera` from those it had before: FNV-1a over their corners.
fn fingerprint(camera: &CameraPlan) -> u64 {
    let corners = zones(camera).flat_map(|polygon| polygon.corners().iter().flatten());
    let bytes = corners.flat_map(|corner| corner.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn bounds(corners: &[[f32; 2]]) -> [f32; 4] {
    corners.iter().fold([1.0, 1.0, 0.0, 0.0], |[left, top, right, bottom], &[x, y]| {
        [left.min(x), top.min(y), right.max(x), bottom.max(y)]
    })
}

#[cfg(test)]
mod tests;
