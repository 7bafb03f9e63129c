//! Reasons that are chosen and not written.

use serde::{Deserialize, Serialize};

/// Why a candidate is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// There was nothing.
    NotThere,
    /// There was something, and it is allowed there.
    NotAViolation,
    /// Somebody has a permit for it.
    Permitted,
    /// The picture does not show it.
    PictureUnclear,
    /// It is known already.
    Duplicate,
}

impl RejectReason {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] =
        [Self::NotThere, Self::NotAViolation, Self::Permitted, Self::PictureUnclear, Self::Duplicate];

    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotThere => "not_there",
            Self::NotAViolation => "not_a_violation",
            Self::Permitted => "permitted",
            Self::PictureUnclear => "picture_unclear",
            Self::Duplicate => "duplicate",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::NotThere => ("现场没有", "Not there"),
            Self::NotAViolation => ("不违规", "Not a violation"),
            Self::Permitted => ("已获许可", "Permitted"),
            Self::PictureUnclear => ("图片不清", "Picture unclear"),
            Self::Duplicate => ("重复案件", "Duplicate"),
        }
    }
}

/// Why somebody says that it is done and shows no photo of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoPhoto {
    /// There is nothing that a photo would show: somebody was talked to, and has gone.
    NothingToShow,
    /// A photo would show people, or the inside of a home.
    Privacy,
    /// It was not safe to take one.
    NotSafe,
    /// The phone could not.
    Device,
    /// The camera that saw it has seen the place clear since.
    CameraSaw,
}

impl NoPhoto {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] =
        [Self::CameraSaw, Self::NothingToShow, Self::Privacy, Self::NotSafe, Self::Device];

    /// As JSON and forms spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingToShow => "nothing_to_show",
            Self::Privacy => "privacy",
            Self::NotSafe => "not_safe",
            Self::Device => "device",
            Self::CameraSaw => "camera_saw",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::NothingToShow => {
                ("现场已无可拍（如口头劝离）", "Nothing left to show, as after a word with somebody")
            }
            Self::Privacy => ("涉及隐私，不便拍摄", "It would show people or a home"),
            Self::NotSafe => ("现场拍照不安全", "Not safe to take one"),
            Self::Device => ("手机无法拍照", "The phone could not"),
            Self::CameraSaw => ("摄像头已看到清空", "The camera saw it clear"),
        }
    }

    /// The reason that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether it can be said of a case whose camera has (`camera_cleared`) or has not seen the place clear.
    pub fn fits(self, camera_cleared: bool) -> bool {
        self != Self::CameraSaw || camera_cleared
    }
}
