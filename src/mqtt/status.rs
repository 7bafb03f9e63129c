//! The retained status of a box: the birth, the death and the last will of its session.

use std::fmt;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Verb;
use super::envelope::ModelRef;
use crate::case::throttle::{DoubtfulPlace, HushedRule, LessonsStatus, QuietStatus, ThrottleStatus};
use crate::detect::RuntimeReport;

/// Most quiet places that a status lists.
const MOST_QUIET: usize = 16;

/// Whether the box is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Connected.
    Online,
    /// Stopped on purpose.
    Stopped,
    /// Gone without a word; the broker says so on the box's behalf.
    Offline,
}

/// What `…/status` carries, retained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Whether the box is there.
    pub state: State,
    /// Number of the connection, higher each time the box connects, over restarts too. An `offline` with a
    /// lower number than the latest `online` is the late will of an earlier connection: ignore it.
    pub session: u64,
    /// When the program started, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Version of the program.
    pub version: String,
    /// Version of MQTT that box and broker speak. In 3.1.1 the broker cannot say that nobody takes a case, so none is
    /// held for a subscriber, and commands do not wait for a box that is away.
    #[serde(default)]
    #[schemars(extend("enum" = ["5", "3.1.1"]))]
    pub mqtt: String,
    /// The model that looks; absent when the input is detections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// What the model runs on; absent when the input is detections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeRef>,
    /// Ids of the cameras.
    pub cameras: Vec<String>,
    /// Whether the box's clock is kept right, by NTP or the like; absent when that is not known, and when `offline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_synced: Option<bool>,
    /// Messages that wait for the broker or for a subscriber; unknown, thus absent, when `offline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
    /// More of what waits, and of what was given up; absent when `offline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxRef>,
    /// Pictures for the store on the network; absent where there is none, and when `offline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadRef>,
    /// What may be asked of the box on `cmd/{verb}`; absent when it takes no commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Verb>,
    /// What the box holds back; unknown, thus absent, when `offline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<HeldBackStatus>,
}

/// What waits on the box and what was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxRef {
    /// When the oldest message that waits was written down, RFC 3339; absent when none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub oldest: Option<String>,
    /// Messages that wait because nobody subscribes to their topic.
    pub unheard: u64,
    /// Messages that the broker refused for good; they are offered again when the box next starts.
    pub set_aside: u64,
    /// Bytes that the messages take up on the box.
    pub bytes: u64,
    /// Events that were given up for want of room, ever.
    pub lost_events: u64,
    /// Pictures that were given up for want of room, ever.
    pub lost_pictures: u64,
}

/// Pictures that wait for the store on the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UploadRef {
    /// Pictures that wait.
    pub waiting: u64,
    /// Pictures that were given up since the program started, for want of room or because their time was over.
    pub lost: u64,
    /// What keeps them from getting there; absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What the box holds back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldBackStatus {
    /// Cases that stand and are held back.
    pub held_back: u64,
    /// Cases that were held back, standing or not, and of which no message has told yet.
    pub untold: u64,
    /// Places and kinds that a rejected verdict has made quiet; at most 16, the first to end first.
    pub quiet: Vec<QuietNote>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quiet_left_out: u64,
    /// Rules that a command has made quiet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet_rules: Vec<QuietRuleNote>,
    /// What verdicts have taught; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<LearntNote>,
}

/// What verdicts have taught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LearntNote {
    /// Reviewed cases that are remembered and were confirmed, or found to be duplicates.
    pub confirmed: u32,
    /// Reviewed cases that are remembered and were rejected.
    pub rejected: u32,
    /// Cases whose chance of being true is less than this are held back, in percent; 0 holds back none.
    pub cut_percent: u32,
    /// True cases among all that are remembered, in percent, as far as is known.
    pub precision_before_percent: u32,
    /// True cases among those that would be told now, in percent, as estimated.
    pub precision_percent: u32,
    /// True cases that would be told now, of all, in percent, as estimated.
    pub recall_percent: u32,
    /// Places whose cases are held back for it; at most 16, the most doubtful first. `resume` with the case of one
    /// forgets what was learnt there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<DoubtfulNote>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub doubtful_left_out: u64,
}

/// A place whose cases are held back for what verdicts have taught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoubtfulNote {
    /// The camera.
    pub camera: String,
    /// The zone.
    pub zone: String,
    /// The kind.
    pub kind: String,
    /// Id of the latest case there.
    pub case_id: String,
    /// The chance that a case there is true, in percent.
    pub chance_percent: u32,
    /// Verdicts there that confirmed.
    pub confirmed: u32,
    /// Verdicts there that rejected.
    pub rejected: u32,
    /// Cases held back there since one was last told.
    pub held_back: u32,
}

impl LearntNote {
    /// `lessons` as messages say them; `None` before the first verdict.
    fn new(lessons: &LessonsStatus) -> Option<Self> {
        let (confirmed, rejected) = lessons.verdicts;
        let ((before, now), recall) =
            lessons.precision.zip(lessons.recall).filter(|_| confirmed + rejected > 0)?;
        let mut places: Vec<&DoubtfulPlace> = lessons.places.iter().collect();
        places.sort_by(|a, b| a.chance.total_cmp(&b.chance));
        let left_out = places.len().saturating_sub(MOST_QUIET) as u64;
        places.truncate(MOST_QUIET);
        let doubtful = |place: &DoubtfulPlace| DoubtfulNote {
            camera: place.camera.clone(),
            zone: place.zone.clone(),
            kind: place.kind.clone(),
            case_id: place.case.to_string(),
            chance_percent: percent(place.chance),
            confirmed: place.verdicts.0,
            rejected: place.verdicts.1,
            held_back: place.held,
        };
        Some(Self {
            confirmed,
            rejected,
            cut_percent: percent(lessons.cut),
            precision_before_percent: percent(before),
            precision_percent: percent(now),
            recall_percent: percent(recall),
            doubtful: places.into_iter().map(doubtful).collect(),
            doubtful_left_out: left_out,
        })
    }
}

/// `share`, 0-1, in whole percent.
fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}

/// A rule that a command has made quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuietRuleNote {
    /// Its camera.
    pub camera: String,
    /// Its zone.
    pub zone: String,
    /// Its kind.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Until when.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A place and kind that a rejected verdict has made quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuietNote {
    /// Its grid.
    pub grid: String,
    /// The kind.
    pub kind: String,
    /// The camera.
    pub camera: String,
    /// The zone.
    pub zone: String,
    /// Id of the case that was rejected last. To resume it is to end the quiet time.
    pub case_id: String,
    /// Why it was rejected.
    pub reason: String,
    /// How often this place was rejected.
    pub rejections: u32,
    /// Since when it is quiet.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// Until when.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// Cases that were held back here since the first rejection.
    pub held_back: u32,
}

impl HeldBackStatus {
    /// `status` as messages say it, with the times of `zone`.
    pub fn new(status: &ThrottleStatus, zone: &TimeZone) -> Self {
        let mut quiet: Vec<&QuietStatus> = status.quiet.iter().collect();
        quiet.sort_by_key(|quiet| quiet.until);
        let left_out = quiet.len().saturating_sub(MOST_QUIET) as u64;
        quiet.truncate(MOST_QUIET);
        let note = |quiet: &QuietStatus| QuietNote {
            grid: quiet.grid.to_string(),
            kind: quiet.kind.clone(),
            camera: quiet.camera.clone(),
            zone: quiet.zone.clone(),
            case_id: quiet.case.to_string(),
            reason: quiet.reason.clone(),
            rejections: quiet.rejections,
            since: quiet.since.rfc3339(zone),
            until: quiet.until.rfc3339(zone),
            held_back: quiet.held_back,
        };
        let rule = |rule: &HushedRule| QuietRuleNote {
            camera: rule.camera.clone(),
            zone: rule.zone.clone(),
            kind: rule.kind.clone(),
            reason: rule.reason.clone(),
            since: rule.since.rfc3339(zone),
            until: rule.until.rfc3339(zone),
        };
        Self {
            held_back: status.held_back.len() as u64,
            untold: status.untold.iter().map(|tally| u64::from(tally.number())).sum(),
            quiet: quiet.into_iter().map(note).collect(),
            quiet_left_out: left_out,
            quiet_rules: status.hushed.iter().map(rule).collect(),
            learnt: status.lessons.as_ref().and_then(LearntNote::new),
        }
    }
}

/// What the model runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeRef {
    /// The session of one worker; all are alike.
    #[serde(flatten)]
    pub session: RuntimeReport,
    /// How many workers there are, each with a session of its own.
    pub workers: u32,
}

impl RuntimeRef {
    /// `workers` workers, each with a session such as `session`.
    pub fn new(session: &RuntimeReport, workers: usize) -> Self {
        Self { session: session.clone(), workers: u32::try_from(workers).unwrap_or(u32::MAX) }
    }
}

impl fmt::Display for RuntimeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} worker(s), {}", self.workers, self.session)
    }
}
