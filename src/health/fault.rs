//! What can be wrong with a view.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::look::View;

/// Why a view cannot be judged, in the order in which they are looked for: a dark picture is also a
/// featureless one, and one out of focus lies over no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing in the picture is lit.
    Dark,
    /// Nothing in the picture has an edge.
    Covered,
    /// The same picture comes again and again.
    Frozen,
    /// Edges are far softer than they are in a picture in focus.
    Blurred,
    /// The camera points elsewhere than its zones were drawn for.
    Moved,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dark, Self::Covered, Self::Frozen, Self::Blurred, Self::Moved];

    /// What a look at such a view says.
    pub fn view(self) -> View {
        match self {
            Self::Dark => View::Dark,
            Self::Covered => View::Covered,
            Self::Frozen => View::Frozen,
            Self::Moved => View::Moved,
            Self::Blurred => View::Blurred,
        }
    }

    /// What is wrong and what to do, in Chinese and in English.
    pub fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Dark => (
                "画面全黑：请检查补光灯、镜头盖和曝光设置",
                "the picture is black: check the lamps, the lens cap and the exposure",
            ),
            Self::Covered => (
                "画面被遮挡：请检查并清洁镜头",
                "something covers the lens: see what it is and clean the lens",
            ),
            Self::Frozen => (
                "画面静止不变：请重启摄像机或其视频服务",
                "the same picture comes again and again: restart the camera or what relays it",
            ),
            Self::Moved => (
                "镜头方向已改变：请调回摄像机，或重新绘制区域",
                "the camera was turned: turn it back, or draw its zones anew",
            ),
            Self::Blurred => {
                ("画面模糊：请清洁镜头并调整焦距", "the picture is out of focus: clean the lens and focus it")
            }
        }
    }
}
