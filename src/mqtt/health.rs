//! The retained health of a camera.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::health::{CameraHealth, HealthState};
use crate::plan::Plan;

/// What `…/camera/{camera}/health` carries, retained: the latest state only. It is said at each change and whenever the
/// box has connected, and not kept for a broker that is away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "gridpatrol camera health")]
pub struct Health {
    /// Id of the camera.
    pub camera: String,
    /// Where it stands, in words.
    pub place: String,
    /// What it is doing. Cases open and clear while it is `streaming`, and on nothing else.
    pub state: HealthState,
    /// The state in Chinese.
    pub name: String,
    /// The state in English.
    pub name_en: String,
    /// Since when, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Why and what to do, in Chinese; absent when all is well. What a camera itself said stands behind it as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why and what to do, in English; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_en: Option<String>,
}

/// Longest reason, in characters.
const MAX_REASON: usize = 300;

impl Health {
    /// The health of `camera` on the box of `plan`.
    pub fn new(plan: &Plan, camera: &CameraHealth) -> Self {
        let health = camera.health();
        let (name, name_en) = health.state.names();
        let (reason, reason_en) = health.reason.unzip();
        let bounded = |text: String| text.chars().take(MAX_REASON).collect();
        let id = camera.camera();
        Self {
            camera: id.to_owned(),
            place: plan.camera(id).map_or_else(|| id.to_owned(), |camera| camera.name.clone()),
            state: health.state,
            name: name.to_owned(),
            name_en: name_en.to_owned(),
            since: health.since.rfc3339(&plan.zone),
            reason: reason.map(bounded),
            reason_en: reason_en.map(bounded),
        }
    }
}
