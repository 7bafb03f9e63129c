//! What people are to the desk.

use serde::{Deserialize, Serialize};

/// What a person is to the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A grid worker (网格员): sees and acts on their grids only.
    Worker,
    /// Takes calls and watches the whole street (坐席).
    Operator,
    /// The street operations centre (城运中心).
    Centre,
    /// A department: sees the cases that were given to it.
    Department,
    /// Looks after the desk and may do all of it.
    Admin,
    /// The resident who reported the case, through a link of their own.
    Resident,
    /// The desk itself: a camera's message, a timer.
    System,
}

impl Role {
    /// Those that an account can have.
    pub const OF_ACCOUNTS: [Self; 5] =
        [Self::Worker, Self::Operator, Self::Centre, Self::Department, Self::Admin];

    /// As the store, JSON and the command line spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Centre => "centre",
            Self::Department => "department",
            Self::Admin => "admin",
            Self::Resident => "resident",
            Self::System => "system",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Worker => ("网格员", "Grid worker"),
            Self::Operator => ("坐席", "Operator"),
            Self::Centre => ("城运中心", "Operations centre"),
            Self::Department => ("职能部门", "Department"),
            Self::Admin => ("管理员", "Administrator"),
            Self::Resident => ("居民", "Resident"),
            Self::System => ("系统", "System"),
        }
    }

    /// The role that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::OF_ACCOUNTS.into_iter().chain([Self::Resident, Self::System]).find(|role| role.as_str() == text)
    }
}
