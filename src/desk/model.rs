//! Cases as people see them: what lists, pages and JSON are made of. Times are milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

use super::life::{Action, Millis, Role, State, Step};

/// Who brought a case in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A camera saw it.
    Camera,
    /// A resident reported it through a grid's QR code.
    Resident,
    /// A grid worker found it.
    Patrol,
    /// Somebody called.
    Telephone,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Camera, Self::Resident, Self::Patrol, Self::Telephone];

    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Resident => "resident",
            Self::Patrol => "patrol",
            Self::Telephone => "telephone",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Camera => ("摄像头", "Camera"),
            Self::Resident => ("居民上报", "Resident"),
            Self::Patrol => ("网格巡查", "Patrol"),
            Self::Telephone => ("电话", "Telephone"),
        }
    }

    /// The origin that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == text)
    }
}

/// One case in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseSummary {
    /// The desk's id.
    pub id: i64,
    /// Its number for people, e.g. `20261126-00042`.
    pub number: String,
    /// Rises with every change; sent back with an action so that two people do not act on each other's case.
    pub version: i64,
    /// Who brought it in.
    pub origin: Origin,
    /// Its kind.
    pub kind: String,
    /// Name of the kind in Chinese.
    pub name_zh: String,
    /// Name of the kind in English.
    pub name_en: String,
    /// Code of the kind in the standard.
    pub code: Option<String>,
    /// Its grid.
    pub grid: String,
    /// Name of the grid.
    pub grid_name: String,
    /// Where, in words.
    pub place: String,
    /// The camera's id.
    pub camera: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Its class of times.
    pub class: String,
    /// 0 for information, 1 to be looked at, 2 to be looked at now.
    pub severity: u8,
    /// When it was first seen or reported.
    pub observed_at: Millis,
    /// When the desk took it in; its times run from then.
    pub received_at: Millis,
    /// When a person has first answered.
    pub responded_at: Option<Millis>,
    /// When somebody said last that it is done.
    pub disposed_at: Option<Millis>,
    /// When it was closed, rejected or merged.
    pub ended_at: Option<Millis>,
    /// Until when a person has to have answered.
    pub respond_due_at: Millis,
    /// Until when it has to be disposed of.
    pub due_at: Millis,
    /// Whether that is over and it still stands.
    pub overdue: bool,
    /// Somebody said that it is done, and the camera still sees it.
    pub still_seen: bool,
    /// The camera has since seen the place empty; its after-picture can verify the disposal.
    pub camera_cleared: bool,
    /// How often it was reopened.
    pub reopened: u32,
    /// Cases of this kind in this place in seven days, as the box counts them.
    pub recurrence_7d: Option<u32>,
    /// The department it is with, or was last.
    pub department: Option<String>,
    /// The case that goes on in its place.
    pub merged_into: Option<i64>,
    /// The picture for a list.
    pub thumb: Option<i64>,
}

/// Everything about one case that its viewer may know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseDetail {
    /// As in lists.
    #[serde(flatten)]
    pub case: CaseSummary,
    /// What the reporter wrote.
    pub description: String,
    /// What the camera saw.
    pub seen: Option<Seen>,
    /// Longitude and latitude in WGS 84, and metres of uncertainty.
    pub position: Option<(f64, f64, Option<f64>)>,
    /// The pictures, oldest first.
    pub pictures: Vec<PictureInfo>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// Earlier cases of this kind at this spot, newest first; of those that the viewer may see.
    pub earlier: Vec<CaseSummary>,
    /// What the viewer may do now.
    pub may: Vec<Step>,
    /// Until when the viewer can take back their last answer.
    pub undo_until: Option<Millis>,
    /// What became of the verdict for the box.
    pub verdict: Option<VerdictInfo>,
    /// The follow-up, once there is one.
    pub followup: Option<FollowupInfo>,
    /// How to reach who reported it; for operators, the operations centre and administrators only.
    pub contact: Option<String>,
}

/// What a camera saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// The box: `{street}/{box}`.
    pub source: String,
    /// The box's id of the case.
    pub case_id: String,
    /// The zone.
    pub zone: String,
    /// First look on which the condition held.
    pub first_seen: Millis,
    /// Last look on which it held.
    pub last_seen: Millis,
    /// Look on which it cleared.
    pub cleared_at: Option<Millis>,
    /// Seconds from the first to the last sighting.
    pub dwell_s: f64,
    /// Label, confidence and box (left, top, right, bottom, 0-1) of each object.
    pub objects: Vec<SeenObject>,
    /// Why there are no pictures, in the box's words.
    pub withheld: Option<String>,
}

/// One object of the latest sighting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenObject {
    /// What it is.
    pub label: String,
    /// Confidence, 0-1.
    pub score: f64,
    /// Left, top, right, bottom, 0-1.
    #[serde(rename = "box")]
    pub bbox: [f64; 4],
}

/// One picture of a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureInfo {
    /// Id for [`super::Desk::picture`].
    pub id: i64,
    /// `first`, `overview`, `closeup`, `after`, `clip` of a camera; `report`, `disposal`, `verification` of a person.
    pub role: String,
    /// `image/jpeg`, or `video/mp4` of a clip.
    pub media: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether it is there: one that an event has named may still be on its way.
    pub is_here: bool,
    /// Whether it can still come: a store may not be listed in `evidence.hosts`, or may have had it for too short a time.
    pub is_awaited: bool,
    /// What its event marks on it.
    pub marks: Option<Marks>,
    /// Lower-case hex SHA-256.
    pub sha256: String,
    /// When it came, or was named.
    pub at: Millis,
}

impl PictureInfo {
    /// Whether it is a film.
    pub(in crate::desk) fn is_clip(&self) -> bool {
        self.media == crate::evidence::Role::Clip.media()
    }
}

/// What an event marks on a picture of a whole view. Coordinates are 0-1 of the view, which is the upper part of the
/// picture: a caption may be below it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Marks {
    /// Rows of the picture that show the view.
    pub view_height: u32,
    /// Corners of the zone.
    pub outline: Vec<[f64; 2]>,
    /// Left, top, right, bottom of each object.
    pub boxes: Vec<[f64; 4]>,
}

/// One entry of a timeline. Entries are added and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number within the desk.
    pub id: i64,
    /// When.
    pub at: Millis,
    /// Role of who did it.
    pub role: Role,
    /// Name of who did it; empty for residents and the desk itself.
    pub who: String,
    /// What: a [`Step`], or `opened`, `updated`, `cleared`, `still_seen`, `overdue`, `reminded`, `followup`.
    pub what: String,
    /// The state before.
    pub from: Option<State>,
    /// The state after.
    pub to: Option<State>,
    /// Words, a reason, a department: as they were at the time.
    pub note: String,
}

/// A verdict on its way to a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictInfo {
    /// `confirmed`, `rejected`, `duplicate`, `unclear`.
    pub verdict: String,
    /// `waiting`, `sent`, `done`, `refused`, `expired`.
    pub status: String,
    /// The box's answer code.
    pub code: Option<String>,
    /// What it means for people: until when a place is quiet, or why it was refused.
    pub detail: String,
}

/// A follow-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FollowupInfo {
    /// The link to it; for operators, the operations centre and administrators only.
    pub link: Option<String>,
    /// When it was asked.
    pub asked_at: Millis,
    /// When it was answered.
    pub answered_at: Option<Millis>,
    /// Whether the matter was solved.
    pub solved: Option<bool>,
    /// How satisfied they are, 1 to 5.
    pub satisfaction: Option<u8>,
    /// What they wrote.
    pub comment: String,
}

/// Which cases a list is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Which part of the work.
    pub tab: Tab,
    /// Of this grid only.
    pub grid: Option<String>,
    /// Of this kind only.
    pub kind: Option<String>,
    /// Of this origin only.
    pub origin: Option<Origin>,
}

/// A part of the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tab {
    /// To be reviewed: the inbox.
    #[default]
    Inbox,
    /// Accepted or in progress in the grid.
    Doing,
    /// With the operations centre or a department.
    Escalated,
    /// Disposed of, to be verified or closed.
    Done,
    /// Overdue, whatever its state.
    Overdue,
    /// All that are open.
    Open,
    /// Over.
    Ended,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page {
    /// The cases: most urgent first, then newest.
    pub cases: Vec<CaseSummary>,
    /// Give it back for the next part; `None` at the end.
    pub next: Option<String>,
}

/// How many cases there are in each part of the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// See [`Tab::Inbox`].
    pub inbox: u64,
    /// See [`Tab::Doing`].
    pub doing: u64,
    /// See [`Tab::Escalated`].
    pub escalated: u64,
    /// See [`Tab::Done`].
    pub done: u64,
    /// See [`Tab::Overdue`].
    pub overdue: u64,
}

/// What somebody sends with an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
    /// The version of the case that they saw; an action on an older one is refused. `None` does not ask.
    #[serde(default)]
    pub version: Option<i64>,
}

/// That a case has changed; for live pages. Comes through [`super::Desk::watch`], for cases that the viewer may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The case.
    pub id: i64,
    /// Its version.
    pub version: i64,
    /// Its grid.
    pub grid: String,
    /// Its state.
    pub state: State,
    /// What happened, as [`Entry::what`].
    pub what: String,
    #[serde(skip)]
    pub(super) departments: Vec<String>,
}

impl Changed {
    /// That there were more changes than can be told.
    pub(super) fn lagged() -> Self {
        Self {
            id: 0,
            version: 0,
            grid: String::new(),
            state: State::Candidate,
            what: "lagged".to_owned(),
            departments: Vec::new(),
        }
    }
}
