//! Pictures that prove a case: rendered from the frame's planes, redacted before they leave memory, captioned
//! outside the picture, and named in the message by role and SHA-256.

pub mod caption;
pub mod clip;
mod crop;
pub mod draw;
mod encode;
mod eyes;
pub mod first;
mod pictures;
mod redact;
mod render;
mod retention;
mod search;
mod shot;
mod store;
mod subject;
pub(crate) mod text;
mod windows;

pub use caption::Facts;
pub use crop::{CropNote, CropObject};
pub use encode::MAX_BYTES;
pub use eyes::Eyes;
pub use first::{FirstView, Firsts, Standing};
pub use pictures::Pictures;
pub use redact::{LEAST_BLOCK_PX, Redacted, redact};
pub use render::Canvas;
pub use retention::{Retention, Swept, sweep};
pub use search::Redactor;
pub use shot::{MAX_WIDTH, Shot, View, first_picture, hide};
pub use store::{Store, file_name};
pub use subject::{PixelRect, Subject, Who};
pub use windows::windows;

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The view in which the object was first seen standing.
    First,
    /// The whole view with the zone and the object marked.
    Overview,
    /// The object at full resolution, unmarked.
    Closeup,
    /// The same view after the place was seen empty.
    After,
    /// The seconds around the opening, as a film.
    Clip,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::First, Self::Overview, Self::Closeup, Self::After, Self::Clip];

    /// As file names, topics and messages spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Overview => "overview",
            Self::Closeup => "closeup",
            Self::After => "after",
            Self::Clip => "clip",
        }
    }

    /// Media type of its files.
    pub fn media(self) -> &'static str {
        match self {
            Self::First | Self::Overview | Self::Closeup | Self::After => "image/jpeg",
            Self::Clip => "video/mp4",
        }
    }

    /// How names of its files end, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::First | Self::Overview | Self::Closeup | Self::After => "jpg",
            Self::Clip => "mp4",
        }
    }

    /// Most bytes of its files.
    pub fn max_bytes(self) -> usize {
        match self {
            Self::First | Self::Overview | Self::Closeup | Self::After => MAX_BYTES,
            Self::Clip => clip::MAX_CLIP_BYTES,
        }
    }
}

/// One redacted picture, encoded; or a clip of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it shows.
    pub role: Role,
    /// The file's bytes, of the media type of its role.
    pub bytes: Vec<u8>,
    /// Lower-case hex SHA-256 of `bytes`.
    pub sha256: String,
    /// Width in pixels, caption included.
    pub width: u32,
    /// Height in pixels, caption included.
    pub height: u32,
    /// Rows of it, from the top, that show the whole view; below them is the caption. `None` for a part of the view.
    pub view_height: Option<u32>,
    /// When it was captured, where that is not the time of the event.
    pub captured: Option<CaptureTime>,
    /// Address at which a store will have it; `None` for a picture that is sent as a message.
    pub url: Option<String>,
    /// What part of the camera's view it shows, where it shows a part and nothing else: neither caption nor marks.
    pub part: Option<Part>,
}

/// A part of a camera's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The pixels.
    pub rect: PixelRect,
    /// Width of the whole view in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
}

/// What was hidden in the pictures of one event; where they show different moments, in the one with the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Redaction {
    /// Persons whose heads were hidden.
    pub persons: u32,
    /// Vehicles whose plate area was hidden.
    pub vehicles: u32,
    /// Faces that the face model found; most are of the persons that count already.
    pub faces: u32,
    /// Plates that the plate model found; most are of the vehicles that count already.
    pub plates: u32,
}

impl Redaction {
    /// Takes in what was hidden in another picture of the same event: much of it is the same persons and vehicles, so
    /// the larger number of each is the one that is known.
    pub fn include(&mut self, other: &Self) {
        self.persons = self.persons.max(other.persons);
        self.vehicles = self.vehicles.max(other.vehicles);
        self.faces = self.faces.max(other.faces);
        self.plates = self.plates.max(other.plates);
    }
}

/// The pictures of one event, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Redacted pictures.
    Taken {
        /// The pictures.
        pictures: Vec<Picture>,
        /// What was hidden in them.
        redaction: Redaction,
    },
    /// Redaction could not run, so no picture leaves the process (invariant E2); or pictures are off.
    Withheld {
        /// Why, for the message.
        reason: String,
    },
    /// There is no picture to take: the input is a file of detections.
    NoView,
}
