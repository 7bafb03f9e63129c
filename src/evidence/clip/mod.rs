//! The seconds around the opening of a case as a short film: two pictures a second from 7 s before to 3 s after,
//! redacted and captioned as pictures are, H.264 in an MP4 file.
//!
//! ```text
//!  capture ─► reel (a dozen seconds, small) ─► take (from before to after) ─► queue ─► film ─► store, outbox
//!              one per camera                   one per case                   few      redacted
//! ```
//!
//! # Why what is small need not be redacted at full size
//!
//! A clip is at most 960 x 540, and what is not hidden in it must not be readable. The search for heads, faces and
//! plates runs on the very pixels that leave, and no larger version of them leaves with the clip: what it hides it
//! hides of all that there is to see. It is the search that pictures get, which shows faces and plates to their models
//! three times as large; a face that the scaling has made smaller than the 7 pixels at which the model still finds one
//! has lost what a person or a matcher would know it by (they need a dozen and more), and a plate on a vehicle less than
//! 64 pixels wide has characters of 4 pixels and less. What is larger is found as in a picture of that size.
//!
//! A film shows the same head many times, so it is stricter than a picture in two ways. What was found in one picture is
//! hidden at the same place in the one before and the one after too: who stands still and is missed once is still
//! hidden. And the blocks of its mosaics are twice as large: from many fine mosaics of one head more could be worked out
//! than from one.
//!
//! # Invariants
//! - E1 and E2 hold as for pictures: nothing leaves that was not searched and redacted, and if that fails for one
//!   picture there is no clip, and a reason instead (`a_clip_whose_redaction_fails_is_none` in tests/film.rs).
//! - Nothing waits for a clip: not capture, not looks, not pictures, not the outbox. What finds no room is counted.

mod film;
mod mp4;
mod queue;
mod reel;
mod small;
mod video;

use std::sync::Arc;

use jiff::tz::TimeZone;

pub use film::{Clip, film};
pub use queue::{Count, Queue};
pub use reel::Reel;
pub use small::MAX_SIZE;

use crate::case::Case;
use crate::case::catalog::Kind;
use crate::clock::CaptureTime;
use crate::detect::ModelIdentity;
use crate::frame::Frame;
use crate::place::Polygon;

/// Seconds before the opening that a clip shows.
pub const BEFORE_S: f64 = 7.0;
/// Seconds after it.
pub const AFTER_S: f64 = 3.0;
/// Most bytes of a clip: below the megabyte that brokers take in a message if nobody has tuned them.
pub const MAX_CLIP_BYTES: usize = 900_000;

/// The clip of a case that is wanted.
#[derive(Clone, Debug)]
pub struct Order {
    /// The case as it opened.
    pub case: Case,
    /// Capture time of the look on which that was told.
    pub at: CaptureTime,
    /// The camera.
    pub camera: String,
    /// Where it stands, in words.
    pub camera_name: String,
    /// The kind of case.
    pub kind: Arc<Kind>,
    /// The zone.
    pub zone: Polygon,
    /// Time zone of captions.
    pub time_zone: TimeZone,
    /// The model that looked.
    pub model: ModelIdentity,
}

/// The pictures of a clip, not redacted yet. They are in memory only.
#[derive(Clone, Debug)]
pub struct Take {
    /// What it is for.
    pub order: Order,
    /// The pictures in the order of capture, small.
    pub(in crate::evidence) frames: Vec<Arc<Frame>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::catalog::CATALOG;
    use crate::case::{CaseId, RuleIndex};
    use crate::place::{GridBasis, GridId};

    /// The clip of a case that opens `at`.
    pub(super) fn order(at: CaptureTime) -> Order {
        Order {
            case: Case {
                id: CaseId::derive(&[b"clip"]),
                rule: RuleIndex(0),
                first_seen: at.plus_seconds(-20.0),
                opened: at,
                last_seen: at,
                looks: 100,
                hits: 100,
                objects: Vec::new(),
                grid: GridId::unknown(),
                grid_basis: GridBasis::default(),
                position: None,
            },
            at,
            camera: "gate".to_owned(),
            camera_name: "北门".to_owned(),
            kind: CATALOG.kind("illegal_parking").unwrap().clone(),
            zone: Polygon::new(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).unwrap(),
            time_zone: TimeZone::UTC,
            model: ModelIdentity { name: "model".to_owned(), sha256: "0".repeat(64) },
        }
    }
}
