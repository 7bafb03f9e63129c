//! What a case looks like on the wire: CloudEvents 1.0, structured JSON. [`Report`](super::Report) says how one
//! is made.
//!
//! Consumers ignore members that they do not know; a change that breaks them gets a new major version in
//! `type` and `dataschema`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::Change;
use crate::error::{Error, Kind, Result};
use crate::evidence::Role;
use crate::place::{GridBasis, Position};

/// A case that opened, changed or cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "gridpatrol case event")]
pub struct CaseEvent {
    /// CloudEvents version.
    #[schemars(extend("const" = "1.0"))]
    pub specversion: String,
    /// Id of this event, a UUID; the same when it is sent again. `source` and `id` together are unique.
    #[schemars(extend("format" = "uuid"))]
    pub id: String,
    /// The box: `/patrol/{street}/{box}`.
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// `{grid}/{camera}`.
    pub subject: String,
    /// Capture time of the look on which it was decided, RFC 3339 with offset.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// When the event was written down.
    #[schemars(extend("format" = "date-time"))]
    pub recordedtime: String,
    /// After this the event no longer calls for action; it is still true.
    #[schemars(extend("format" = "date-time"))]
    pub expirytime: String,
    /// Number of the event, 12 digits, rising per `source`.
    #[schemars(extend("pattern" = "^[0-9]{12,20}$"))]
    pub sequence: String,
    /// The grid: events of one grid belong together.
    pub partitionkey: String,
    /// How urgent it is.
    #[schemars(extend("enum" = ["INFO", "WARN", "ERROR"]))]
    pub severitytext: String,
    /// Media type of `data`.
    #[schemars(extend("const" = "application/json"))]
    pub datacontenttype: String,
    /// Names the shape of `data`.
    #[schemars(extend("const" = "urn:patrol:case:1"))]
    pub dataschema: String,
    /// The case after the change.
    pub data: CaseData,
}

/// What happened to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// There is a case.
    #[serde(rename = "cn.patrol.case.opened.v1")]
    Opened,
    /// The case stands and something about it changed.
    #[serde(rename = "cn.patrol.case.updated.v1")]
    Updated,
    /// The place was seen empty for long enough.
    #[serde(rename = "cn.patrol.case.cleared.v1")]
    Cleared,
}

impl EventType {
    /// As the `type` attribute spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "cn.patrol.case.opened.v1",
            Self::Updated => "cn.patrol.case.updated.v1",
            Self::Cleared => "cn.patrol.case.cleared.v1",
        }
    }
}

impl From<Change> for EventType {
    fn from(change: Change) -> Self {
        match change {
            Change::Opened => Self::Opened,
            Change::Updated => Self::Updated,
            Change::Cleared => Self::Cleared,
        }
    }
}

/// The case after the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseData {
    /// Id of the case, a UUID; the same from opened to cleared.
    pub case_id: String,
    /// Kind of case, e.g. `fire_lane_blocked`.
    pub kind: String,
    /// Its Chinese name as the standard writes it.
    pub name: String,
    /// Its English name.
    pub name_en: String,
    /// Its place in the national standard.
    pub standard: Standard,
    /// The grid that is responsible.
    pub grid: Grid,
    /// Where it was seen.
    pub place: PlaceSeen,
    /// When, how long and how surely.
    pub observed: Observed,
    /// The objects of the latest sighting.
    pub objects: Vec<Object>,
    /// How many further objects are not listed; absent when all are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub objects_left_out: u64,
    /// The pictures.
    pub evidence: Vec<EvidenceRef>,
    /// What was hidden in the pictures, or why there are none; absent when there was no picture to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction: Option<RedactionNote>,
    /// The model that looked; absent when the input was detections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// What was held back before this message; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<ThrottleNote>,
    /// How often this has happened here; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<RecurrenceNote>,
    /// Other cameras of this box that see, or have seen, the same violation; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_seen_by: Vec<SeenNote>,
    /// What a person has to do.
    pub review: Review,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A place in the national standard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standard {
    /// The standard in force.
    #[serde(rename = "ref")]
    pub reference: String,
    /// 管理事项: codes are unique only together with this.
    pub matter_kind: String,
    /// Code in the standard in force; `null` where it has none.
    pub code: Option<String>,
    /// Code in the standard of 2013; `null` where it has none or it was not verified.
    pub code_2013: Option<String>,
}

/// A grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grid {
    /// Its id.
    pub id: String,
    /// How the id is built.
    #[schemars(extend("enum" = ["opaque", "gb-t-47678.3", "cj-t-349"]))]
    pub scheme: String,
    /// Code of the street or town.
    pub street: String,
    /// What decided which grid it is.
    #[serde(default)]
    pub decided_by: GridBasis,
}

/// Where a case was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceSeen {
    /// The camera's id.
    pub camera: String,
    /// Where the camera stands, in words.
    pub text: String,
    /// The zone's id.
    pub zone: String,
    /// Corners of the zone, 0-1 in the picture; 0,0 is the top left. Absent for one of more than 64 corners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub outline: Vec<[f64; 2]>,
    /// The point on the ground where it stood when it opened; absent where the camera's ground is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// When, how long and how surely a case was seen. Times are capture times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// First look on which the condition held.
    #[schemars(extend("format" = "date-time"))]
    pub first_seen: String,
    /// Look on which the case opened.
    #[schemars(extend("format" = "date-time"))]
    pub confirmed_at: String,
    /// Last look on which the condition held.
    #[schemars(extend("format" = "date-time"))]
    pub last_seen: String,
    /// Look on which the case cleared; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub cleared_at: Option<String>,
    /// Seconds from the first to the last sighting.
    pub dwell_s: f64,
    /// Looks since `first_seen` in which the place could be judged.
    pub samples: u32,
    /// Of these, looks in which the condition held.
    pub hits: u32,
    /// Whether the box's clock was known to be right; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_synced: Option<bool>,
}

/// One object of the latest sighting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Object {
    /// What it is.
    pub label: String,
    /// Confidence, 0-1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub score: f64,
    /// Left, top, right, bottom, 0-1 in the picture; 0,0 is the top left.
    #[serde(rename = "box")]
    pub bbox: [f64; 4],
}

/// One picture, sent as a message of its own or uploaded to a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceRef {
    /// What it shows.
    pub role: Role,
    /// Where it is: `mqtt:` and the topic on which it is sent, or its `https:` or `http:` address in a store. There it
    /// may come later than this event: ask again after a 404.
    pub uri: String,
    /// Lower-case hex SHA-256 of the file.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Media type.
    pub media: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Width in pixels, caption included.
    pub width: u32,
    /// Height in pixels, caption included.
    pub height: u32,
    /// Rows of it, from the top, that show the camera's whole view: `box` and `outline` are of these. Below them is the
    /// caption. Absent where it shows a part of the view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_height: Option<u32>,
    /// When it was captured; absent where that is the time of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub captured: Option<String>,
}

/// What was hidden in the pictures, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RedactionNote {
    /// The pictures are redacted.
    Done {
        /// Persons whose heads were hidden.
        persons: u32,
        /// Vehicles whose plate area was hidden.
        vehicles: u32,
        /// Faces that the face model found, most of them on these persons.
        #[serde(default)]
        faces: u32,
        /// Plates that the plate model found, most of them on these vehicles.
        #[serde(default)]
        plates: u32,
        /// How: `pixelate`, blocks of one flat colour.
        method: String,
    },
    /// There is no picture: redaction could not run, or pictures are off.
    Withheld {
        /// Why.
        withheld: String,
    },
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRef {
    /// Name in its manifest.
    pub name: String,
    /// Lower-case hex SHA-256 of the weights.
    pub sha256: String,
}

/// What was held back before a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottleNote {
    /// Seconds for which this very case was held back before it was told; absent when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_s: Option<f64>,
    /// Cases that were held back since the last message that could have said so. Each is counted once; one that
    /// outlasts what holds it back is told later in a message of its own.
    pub held_back: u64,
    /// The same by grid, kind and camera.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<HeldBackNote>,
}

/// Cases of one grid, kind and camera that were held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldBackNote {
    /// Their grid.
    pub grid: String,
    /// Their kind.
    pub kind: String,
    /// The camera that saw them.
    pub camera: String,
    /// When the first of them was held back.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// How many because one had just cleared in the same place.
    #[serde(default, skip_serializing_if = "is_none")]
    pub cool_down: u32,
    /// How many because of the limit of the grid and kind.
    #[serde(default, skip_serializing_if = "is_none")]
    pub rate: u32,
    /// How many because of the limit of the camera.
    #[serde(default, skip_serializing_if = "is_none")]
    pub camera_rate: u32,
    /// How many because a reviewer has rejected this kind in this place.
    #[serde(default, skip_serializing_if = "is_none")]
    pub quiet: u32,
    /// How many because verdicts on other cases say that they are likely wrong.
    #[serde(default, skip_serializing_if = "is_none")]
    pub doubtful: u32,
    /// Ids of the first of them.
    pub cases: Vec<String>,
}

fn is_none(n: &u32) -> bool {
    *n == 0
}

/// How often cases of one kind open in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecurrenceNote {
    /// Cases of this kind in this place in the seven days up to the opening of this one, itself included.
    pub count_7d: u32,
    /// Id of the latest one before that was told; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_case: Option<String>,
}

/// Another camera's view of the same violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenNote {
    /// The camera's id.
    pub camera: String,
    /// The id that the violation has there. No message is sent under it.
    pub case_id: String,
}

/// What a person has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// Always true: what the box sends is a candidate until a person confirms it.
    pub required: bool,
}

impl CaseEvent {
    /// As JSON on one line, members always in the same order.
    ///
    /// # Errors
    /// [`Kind::System`] when it cannot be written as JSON, which its types rule out.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| {
            Error::new(Kind::System, format!("cannot write event {} as JSON", self.id)).caused_by(e)
        })
    }
}
