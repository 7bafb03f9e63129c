//! What can be done with a case, by name.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::action::Action;

/// The name of an [`Action`], which is what the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// See [`Action::Accept`].
    Accept,
    /// See [`Action::Reject`].
    Reject,
    /// See [`Action::Merge`].
    Merge,
    /// See [`Action::Start`].
    Start,
    /// See [`Action::Dispose`].
    Dispose,
    /// See [`Action::Verify`].
    Verify,
    /// See [`Action::Refuse`].
    Refuse,
    /// See [`Action::Close`].
    Close,
    /// See [`Action::Escalate`].
    Escalate,
    /// See [`Action::Assign`].
    Assign,
    /// See [`Action::Return`].
    Return,
    /// See [`Action::SendBack`].
    SendBack,
    /// See [`Action::Reopen`].
    Reopen,
    /// See [`Action::Undo`].
    Undo,
    /// See [`Action::Note`].
    Note,
}

impl Step {
    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Merge => "merge",
            Self::Start => "start",
            Self::Dispose => "dispose",
            Self::Verify => "verify",
            Self::Refuse => "refuse",
            Self::Close => "close",
            Self::Escalate => "escalate",
            Self::Assign => "assign",
            Self::Return => "return",
            Self::SendBack => "send_back",
            Self::Reopen => "reopen",
            Self::Undo => "undo",
            Self::Note => "note",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Accept => ("确认", "Confirm"),
            Self::Reject => ("不立案", "Reject"),
            Self::Merge => ("合并", "Merge"),
            Self::Start => ("开始处置", "Start"),
            Self::Dispose => ("处置完成", "Done"),
            Self::Verify => ("核查通过", "Verify"),
            Self::Refuse => ("核查不通过", "Not done"),
            Self::Close => ("结案", "Close"),
            Self::Escalate => ("上报城运中心", "Escalate"),
            Self::Assign => ("派遣部门", "Assign"),
            Self::Return => ("退回", "Return"),
            Self::SendBack => ("退回网格", "Send back to the grid"),
            Self::Reopen => ("重新打开", "Reopen"),
            Self::Undo => ("撤销", "Undo"),
            Self::Note => ("备注", "Note"),
        }
    }

    /// Whether it cannot be taken without words.
    pub fn needs_note(self) -> bool {
        matches!(
            self,
            Self::Refuse | Self::Escalate | Self::Return | Self::SendBack | Self::Reopen | Self::Note
        )
    }

    /// Whether photos can come with it.
    pub fn takes_photos(self) -> bool {
        matches!(self, Self::Dispose | Self::Verify | Self::Refuse | Self::Note | Self::Return)
    }

    /// Whether it cannot be taken without a photo, or a reason for having none.
    pub fn needs_photo(self) -> bool {
        matches!(self, Self::Dispose)
    }

    /// Whether it is one tap that [`Action::Undo`] takes back.
    pub fn can_be_undone(self) -> bool {
        matches!(self, Self::Accept | Self::Reject | Self::Merge)
    }
}
