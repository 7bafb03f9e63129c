//! What goes out, and what it says beside the case itself.

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::case::{CaseId, Happening};

/// One message that is to go out.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// Number of the happening that led to it; its pictures go with it.
    pub of: usize,
    /// What is told.
    pub happening: Happening,
    /// The camera whose case it is. It is not the one that looked when the case of one camera clears because
    /// another has seen the place empty too.
    pub camera: String,
    /// Names of the labels in the happening; `None` when they are those of the camera that looked.
    pub labels: Option<Vec<String>>,
    /// What else it says.
    pub note: Note,
}

/// What a message says beside the case itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// Seconds for which the opening was held back.
    pub waited_s: Option<f64>,
    /// What was held back since the last message that could have said so.
    pub held_back: Vec<Tally>,
    /// How often this has happened here.
    pub recurrence: Recurrence,
    /// Other cameras of the box that see, or have seen, the same violation.
    pub also_seen_by: Vec<Seen>,
}

/// How often cases of one kind open in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// Cases of this kind in this place in the seven days up to the opening of this one, itself included; 0
    /// when that is not known.
    pub count_7d: u32,
    /// The latest one before that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<CaseId>,
}

/// Another camera's view of the same violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The camera's id.
    pub camera: String,
    /// The case as that camera's core knows it. It is never told on its own.
    pub case: CaseId,
}
