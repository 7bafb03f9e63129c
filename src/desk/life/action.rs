//! What people want to do with a case: in words with all that belongs to it.

use serde::{Deserialize, Serialize};

use super::reason::{NoPhoto, RejectReason};
use super::step::Step;

/// What somebody wants to do with a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// It is one.
    Accept,
    /// It is none.
    Reject {
        /// Why.
        reason: RejectReason,
        /// More of it; may be empty.
        #[serde(default)]
        note: String,
    },
    /// It is the same as another case.
    Merge {
        /// The desk's id of the case that goes on.
        into: i64,
    },
    /// On my way.
    Start,
    /// It is done, as a photo shows.
    Dispose {
        /// What was done.
        #[serde(default)]
        note: String,
        /// Why there is no photo, where there is none.
        #[serde(default)]
        no_photo: Option<NoPhoto>,
    },
    /// It was checked that it is done.
    Verify {
        /// How; may be empty.
        #[serde(default)]
        note: String,
    },
    /// It is not done: back to the grid.
    Refuse {
        /// What is missing.
        note: String,
    },
    /// It is over.
    Close {
        /// May be empty.
        #[serde(default)]
        note: String,
    },
    /// The grid cannot solve it.
    Escalate {
        /// Why.
        note: String,
    },
    /// A department is to solve it.
    Assign {
        /// The department's id.
        department: String,
        /// What it is to do; may be empty.
        #[serde(default)]
        note: String,
    },
    /// It is not the department's.
    Return {
        /// Why.
        note: String,
    },
    /// The grid is to solve it after all.
    SendBack {
        /// Why.
        note: String,
    },
    /// It is not over.
    Reopen {
        /// Why.
        note: String,
    },
    /// Takes back the answer that this person has just given.
    Undo,
    /// Says something and changes nothing.
    Note {
        /// What.
        note: String,
    },
}

impl Action {
    /// Its name.
    pub fn step(&self) -> Step {
        match self {
            Self::Accept => Step::Accept,
            Self::Reject { .. } => Step::Reject,
            Self::Merge { .. } => Step::Merge,
            Self::Start => Step::Start,
            Self::Dispose { .. } => Step::Dispose,
            Self::Verify { .. } => Step::Verify,
            Self::Refuse { .. } => Step::Refuse,
            Self::Close { .. } => Step::Close,
            Self::Escalate { .. } => Step::Escalate,
            Self::Assign { .. } => Step::Assign,
            Self::Return { .. } => Step::Return,
            Self::SendBack { .. } => Step::SendBack,
            Self::Reopen { .. } => Step::Reopen,
            Self::Undo => Step::Undo,
            Self::Note { .. } => Step::Note,
        }
    }

    /// Its words; empty where it has none.
    pub fn note(&self) -> &str {
        match self {
            Self::Reject { note, .. }
            | Self::Dispose { note, .. }
            | Self::Verify { note }
            | Self::Refuse { note }
            | Self::Close { note }
            | Self::Escalate { note }
            | Self::Assign { note, .. }
            | Self::Return { note }
            | Self::SendBack { note }
            | Self::Reopen { note }
            | Self::Note { note } => note,
            Self::Accept | Self::Merge { .. } | Self::Start | Self::Undo => "",
        }
    }

    /// Whether it lacks the photo that its step needs, or a reason for having none that fits a case whose camera has
    /// (`camera_cleared`) or has not seen the place clear. `photos` come with it.
    pub fn lacks_photo(&self, photos: usize, camera_cleared: bool) -> bool {
        let is_excused = match self {
            Self::Dispose { no_photo, .. } => no_photo.is_some_and(|reason| reason.fits(camera_cleared)),
            _ => false,
        };
        self.step().needs_photo() && photos == 0 && !is_excused
    }
}
