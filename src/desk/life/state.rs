//! Where a case is in its life.

use serde::{Deserialize, Serialize};

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was reported and nobody has answered yet.
    Candidate,
    /// A person has confirmed it.
    Accepted,
    /// A grid worker is on it.
    InProgress,
    /// Somebody says that it is done.
    Disposed,
    /// It was checked that it is done.
    Verified,
    /// It is over.
    Closed,
    /// It was none.
    Rejected,
    /// The grid cannot solve it: it is with the street operations centre.
    Escalated,
    /// The operations centre has given it to a department.
    Assigned,
    /// The department has given it back to the operations centre.
    Returned,
    /// It is the same as another case, which goes on in its place.
    Merged,
}

impl State {
    /// All of them, in the order of a case's life.
    pub const ALL: [Self; 11] = [
        Self::Candidate,
        Self::Accepted,
        Self::InProgress,
        Self::Escalated,
        Self::Assigned,
        Self::Returned,
        Self::Disposed,
        Self::Verified,
        Self::Closed,
        Self::Rejected,
        Self::Merged,
    ];

    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Accepted => "accepted",
            Self::InProgress => "in_progress",
            Self::Disposed => "disposed",
            Self::Verified => "verified",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Escalated => "escalated",
            Self::Assigned => "assigned",
            Self::Returned => "returned",
            Self::Merged => "merged",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Candidate => ("待核实", "To review"),
            Self::Accepted => ("已受理", "Accepted"),
            Self::InProgress => ("处置中", "In progress"),
            Self::Disposed => ("已处置", "Done"),
            Self::Verified => ("已核查", "Verified"),
            Self::Closed => ("已结案", "Closed"),
            Self::Rejected => ("不立案", "Rejected"),
            Self::Escalated => ("已上报城运中心", "With the operations centre"),
            Self::Assigned => ("已派遣部门", "With a department"),
            Self::Returned => ("部门退回", "Returned by the department"),
            Self::Merged => ("已合并", "Merged"),
        }
    }

    /// The state that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether somebody still has to do something.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Rejected | Self::Merged)
    }

    /// Whether the matter itself still stands, so that its time runs.
    pub fn is_pending(self) -> bool {
        self.is_open() && !matches!(self, Self::Disposed | Self::Verified)
    }
}
