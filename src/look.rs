//! A look: one examination of a camera's zones. Evidence is counted in looks and in seconds of capture time,
//! never in frames.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;
use crate::detect::Detection;

/// Whether the camera's view can be judged at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// It can.
    #[default]
    Clear,
    /// Too dark to see.
    Dark,
    /// Something covers the lens.
    Covered,
    /// The camera no longer points where its zones were drawn.
    Moved,
    /// The same picture comes again and again.
    Frozen,
    /// Too far out of focus to see.
    Blurred,
}

/// What one look gave.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Capture time of the frame.
    pub at: CaptureTime,
    /// Whether the view could be judged. On any but [`View::Clear`] the detections mean nothing.
    pub view: View,
    /// What was seen.
    pub detections: &'a [Detection],
}
