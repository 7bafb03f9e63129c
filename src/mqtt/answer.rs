//! What a box answers to a command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::{Code, Refused};
use crate::clock::CaptureTime;

/// What came of a command, on its response topic or on `cmd/{verb}/ack`, with its correlation data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "gridpatrol answer to a command")]
pub struct Answer {
    /// The command's id; absent when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The command's verb; `unknown` for one that there is not.
    pub verb: String,
    /// Whether it was carried out.
    pub ok: bool,
    /// What came of it, for programs.
    pub code: Code,
    /// More of it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was answered, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Until when the place or rule is quiet, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// What was answered to the command of this id before; with `replayed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Code>,
    /// The picture that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PictureNote>,
}

/// A picture that was taken for a command; it comes as a message of its own, before the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PictureNote {
    /// Where it is: `mqtt:` and the topic.
    pub uri: String,
    /// Lower-case hex SHA-256 of the file.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was captured, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub captured: String,
    /// Persons whose heads were hidden.
    pub persons: u32,
    /// Vehicles whose plate area was hidden.
    pub vehicles: u32,
}

/// What carrying out a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What came of it.
    pub code: Code,
    /// More of it.
    pub reason: Option<String>,
    /// Until when something is quiet.
    pub until: Option<CaptureTime>,
    /// A picture that is to be sent before the answer.
    pub picture: Option<Photo>,
}

impl Done {
    /// Nothing but `code`.
    pub fn new(code: Code) -> Self {
        Self { code, reason: None, until: None, picture: None }
    }
}

/// A redacted picture that a command asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Where it goes.
    pub topic: String,
    /// The JPEG file.
    pub jpeg: Vec<u8>,
    /// What the answer says of it.
    pub note: PictureNote,
}

/// What a command came to, or why it was not carried out.
pub type Outcome = Result<Done, Refused>;
