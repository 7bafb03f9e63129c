//! The contract between a box and its platform: one row for each topic, with what it carries and how it is sent.
//! The topics, the session, `gridpatrol schema` and the AsyncAPI document are all made from these rows.
//!
//! A change that breaks a consumer gets a new version in the root of the topics and in the type of the events.

use schemars::{JsonSchema, SchemaGenerator};

use super::answer::Answer;
use super::clip::ClipNote;
use super::command::{
    EvidenceCommand, QuietCommand, ReloadCommand, ResumeCommand, SnapshotCommand, Verb, VerdictCommand,
};
use super::envelope::CaseEvent;
use super::health::Health;
use super::status::Status;
use crate::metrics::Metrics;

mod asyncapi;

pub use asyncapi::document;

/// Everything below one box. The version stands near the root.
pub const ROOT: &str = "patrol/v1/{street}/{box}";
/// Seconds for which a broker keeps a case or a picture for a subscriber that is away.
const CASE_EXPIRY_S: u32 = 24 * 3600;
/// How long an answer is worth keeping for who asked, in seconds.
const ANSWER_EXPIRY_S: u32 = 300;
/// How often what is counted is said, in seconds.
pub const METRICS_EVERY_S: u32 = 60;

/// How often the health of a camera is said although nothing has changed, in seconds …
pub const HEALTH_AGAIN_S: u32 = 300;
/// … and how long a broker keeps it when it hears nothing more.
const HEALTH_EXPIRY_S: u32 = 3 * HEALTH_AGAIN_S;

const JSON: &str = "application/json";
const JPEG: &str = "image/jpeg";
const MP4: &str = "video/mp4";

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The box.
    FromBox,
    /// The platform, to the box.
    ToBox,
}

/// How surely a message arrives. Numbers as MQTT has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Qos {
    /// Lost on the way it is not missed.
    AtMostOnce = 0,
    /// It arrives, perhaps twice.
    AtLeastOnce = 1,
}

/// What a message carries.
#[derive(Clone, Copy)]
pub enum Payload {
    /// JSON of one shape, that of the type under this name in `gridpatrol schema`.
    Json(&'static str, fn(&mut SchemaGenerator) -> schemars::Schema),
    /// A file of the row's content type.
    File,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(name, _) => write!(f, "Json({name})"),
            Self::File => f.write_str("File"),
        }
    }
}

/// One topic: a row of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// Names the row.
    pub name: &'static str,
    /// What stands below [`ROOT`], with `{parameters}`.
    pub below: &'static str,
    /// For people, English and Chinese.
    pub title: &'static str,
    /// More of it.
    pub about: &'static str,
    /// Who sends.
    pub direction: Direction,
    /// How surely.
    pub qos: Qos,
    /// Whether the broker keeps the latest for who comes later.
    pub retained: bool,
    /// Seconds for which a broker keeps it for a subscriber that is away; `None` for as long as it likes.
    pub expiry_s: Option<u32>,
    /// MQTT 5 content type.
    pub content_type: &'static str,
    /// MQTT 5 user properties and what each says; all are always there.
    pub properties: &'static [(&'static str, &'static str)],
    /// What it carries.
    pub payload: Payload,
    /// The name of the row on which it is answered.
    pub answered_on: Option<&'static str>,
}

/// A row from which others differ in a few places.
const PLAIN: Channel = Channel {
    name: "",
    below: "",
    title: "",
    about: "",
    direction: Direction::FromBox,
    qos: Qos::AtLeastOnce,
    retained: false,
    expiry_s: None,
    content_type: JSON,
    properties: &[],
    payload: Payload::File,
    answered_on: None,
};

/// Whether the box is there.
pub const STATUS: Channel = Channel {
    name: "status",
    below: "status",
    title: "Status of a box 边缘盒状态",
    about: "`online` when the box has connected and hears commands, `stopped` when it was stopped, `offline` as its \
            last will. An `offline` with a lower `session` than the latest `online` is the late will of an earlier \
            connection: ignore it.",
    retained: true,
    payload: Payload::Json("status", schema::<Status>),
    ..PLAIN
};

/// How cameras are.
pub const HEALTH: Channel = Channel {
    name: "health",
    below: "camera/{camera}/health",
    title: "Health of a camera 摄像机健康",
    about: "The latest state of a camera: at each change, whenever the box has connected, and each five minutes. Cases \
            open and clear while it is `streaming` and on nothing else. What changed while the box had no connection is \
            not told later. An empty message takes back the health of a camera that is no longer watched.",
    retained: true,
    expiry_s: Some(HEALTH_EXPIRY_S),
    payload: Payload::Json("health", schema::<Health>),
    ..PLAIN
};

/// What the box counts.
pub const METRICS: Channel = Channel {
    name: "metrics",
    below: "metrics",
    title: "What a box counts 运行指标",
    about: "Once a minute. Totals count since the program started unless they say otherwise.",
    qos: Qos::AtMostOnce,
    // The next comes soon; one that is older than two of them says nothing about now.
    expiry_s: Some(2 * METRICS_EVERY_S),
    payload: Payload::Json("metrics", schema::<Metrics>),
    ..PLAIN
};

/// Cases.
pub const CASE: Channel = Channel {
    name: "case",
    below: "case/{grid}/{kind}",
    title: "Case events 案件事件",
    about: "CloudEvents 1.0, structured JSON: a case opened, was updated, or cleared. Never retained, as a late \
            subscriber would open cleared cases again. Per case, events come in order; one may come twice, and \
            `source` with `id` tells.",
    expiry_s: Some(CASE_EXPIRY_S),
    content_type: "application/cloudevents+json; charset=utf-8",
    properties: &[
        ("source", "The box, as in the event."),
        ("subject", "Grid and camera, as in the event."),
        ("id", "Id of the event."),
        ("type", "Type of the event."),
    ],
    payload: Payload::Json("event", schema::<CaseEvent>),
    ..PLAIN
};

/// Pictures of cases.
pub const EVIDENCE: Channel = Channel {
    name: "evidence",
    below: "case/{grid}/{kind}/evidence/{case}/{role}",
    title: "Evidence pictures 证据图片",
    about: "A redacted JPEG that an event lists under `data.evidence` with its SHA-256. It comes after its event.",
    expiry_s: Some(CASE_EXPIRY_S),
    content_type: JPEG,
    properties: &[
        ("source", "The box, as in the event."),
        ("subject", "Grid and camera, as in the event."),
        ("event", "Id of the event that lists the picture."),
        ("sha256", "Lower-case hex SHA-256 of the payload."),
    ],
    ..PLAIN
};

/// What is known of clips.
pub const CLIP: Channel = Channel {
    name: "clip",
    below: "case/{grid}/{kind}/clip/{case}",
    title: "Clip of a case 案件短视频",
    about: "Where `evidence.clip` of the box is on: what is known of the clip of the seconds around the opening of a case, \
            with SHA-256 and size, or why there is none. It comes once, after the opened event and usually before the clip, \
            and is no case event: it has no sequence number, and no event waits for it.",
    expiry_s: Some(CASE_EXPIRY_S),
    properties: &[
        ("source", "The box, as in the event."),
        ("subject", "Grid and camera, as in the event."),
        ("event", "Id of the event with which the case opened."),
    ],
    payload: Payload::Json("clip", schema::<ClipNote>),
    ..PLAIN
};

/// Clips of cases.
pub const CLIP_FILE: Channel = Channel {
    name: "clip_file",
    below: "case/{grid}/{kind}/evidence/{case}/clip",
    title: "Clip, the file 短视频文件",
    about: "The clip that was told of on `clip/{case}`: a redacted MP4, H.264 Constrained Baseline without sound, below a \
            megabyte. Not sent where a store has it.",
    expiry_s: Some(CASE_EXPIRY_S),
    content_type: MP4,
    properties: &[
        ("source", "The box, as in the event."),
        ("subject", "Grid and camera, as in the event."),
        ("event", "Id of the event with which the case opened; sent again, of the latest."),
        ("sha256", "Lower-case hex SHA-256 of the payload."),
    ],
    ..PLAIN
};

/// A picture that a command asked for.
pub const SNAPSHOT_PICTURE: Channel = Channel {
    name: "snapshot_picture",
    below: "camera/{camera}/snapshot",
    title: "Snapshot 抓拍图片",
    about: "A redacted JPEG of what a camera sees, asked for on `cmd/snapshot`. It comes before the answer, which has \
            its SHA-256, and carries the command's correlation data.",
    expiry_s: Some(ANSWER_EXPIRY_S),
    content_type: JPEG,
    ..PLAIN
};

/// Answers to commands.
pub const ANSWER: Channel = Channel {
    name: "answer",
    below: "cmd/{verb}/ack",
    title: "Answer to a command 指令应答",
    about: "What came of a command, with its correlation data. It comes here, or on the command's response topic if that \
            is this topic or one level below it; a command that asks for any other place is refused.",
    expiry_s: Some(ANSWER_EXPIRY_S),
    payload: Payload::Json("answer", schema::<Answer>),
    ..PLAIN
};

/// A command; its rows differ in name and payload.
const COMMAND: Channel = Channel { direction: Direction::ToBox, answered_on: Some(ANSWER.name), ..PLAIN };

/// `cmd/verdict`.
pub const VERDICT: Channel = Channel {
    name: "verdict",
    below: "cmd/verdict",
    title: "A reviewer's verdict 审核结论",
    about: "What a reviewer says of a case. Waits up to seven days for a box that is off.",
    expiry_s: Some(7 * 24 * 3600),
    payload: Payload::Json("verdict", schema::<VerdictCommand>),
    ..COMMAND
};

/// `cmd/quiet`.
pub const QUIET: Channel = Channel {
    name: "quiet",
    below: "cmd/quiet",
    title: "Make a rule quiet 规则静默",
    about: "What the rule would have told is counted, and told in full if it outlasts the time.",
    expiry_s: Some(300),
    payload: Payload::Json("quiet", schema::<QuietCommand>),
    ..COMMAND
};

/// `cmd/resume`.
pub const RESUME: Channel = Channel {
    name: "resume",
    below: "cmd/resume",
    title: "End a quiet time 恢复上报",
    about: "Of a rule (`camera`, `zone`, `kind`) or of the place of a rejected case (`case_id`).",
    expiry_s: Some(300),
    payload: Payload::Json("resume", schema::<ResumeCommand>),
    ..COMMAND
};

/// `cmd/evidence`.
pub const EVIDENCE_AGAIN: Channel = Channel {
    name: "evidence_again",
    below: "cmd/evidence",
    title: "Send a picture again 重发证据图片",
    about: "Sends a stored picture of a case again, on the topic on which it was sent first.",
    expiry_s: Some(300),
    payload: Payload::Json("evidence", schema::<EvidenceCommand>),
    ..COMMAND
};

/// `cmd/snapshot`.
pub const SNAPSHOT: Channel = Channel {
    name: "snapshot",
    below: "cmd/snapshot",
    title: "Take a picture 抓拍",
    about: "Only where `mqtt.commands` of the box lists it.",
    expiry_s: Some(300),
    payload: Payload::Json("snapshot", schema::<SnapshotCommand>),
    ..COMMAND
};

/// `cmd/reload`.
pub const RELOAD: Channel = Channel {
    name: "reload",
    below: "cmd/reload",
    title: "Read the configuration again 重新加载配置",
    about: "Answered before the box reads it.",
    expiry_s: Some(300),
    payload: Payload::Json("reload", schema::<ReloadCommand>),
    ..COMMAND
};

/// The contract, in the order in which a reader wants it.
pub const TABLE: [&Channel; 15] = [
    &STATUS,
    &HEALTH,
    &CASE,
    &EVIDENCE,
    &CLIP,
    &CLIP_FILE,
    &METRICS,
    &SNAPSHOT_PICTURE,
    &VERDICT,
    &QUIET,
    &RESUME,
    &EVIDENCE_AGAIN,
    &SNAPSHOT,
    &RELOAD,
    &ANSWER,
];

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}

impl Channel {
    /// The row of the command `verb`.
    pub fn of(verb: Verb) -> &'static Self {
        match verb {
            Verb::Verdict => &VERDICT,
            Verb::Quiet => &QUIET,
            Verb::Resume => &RESUME,
            Verb::Evidence => &EVIDENCE_AGAIN,
            Verb::Snapshot => &SNAPSHOT,
            Verb::Reload => &RELOAD,
        }
    }

    /// The topic with `{parameters}`.
    pub fn address(&self) -> String {
        format!("{ROOT}/{}", self.below)
    }

    /// The names of its parameters, those of [`ROOT`] first.
    pub fn parameters(&self) -> Vec<String> {
        let address = self.address();
        let parts = address.split('/').filter_map(|level| level.strip_prefix('{')?.strip_suffix('}'));
        parts.map(ToOwned::to_owned).collect()
    }

    /// The topic with `values` for its parameters. Values are checked names (see [`super::topic`]): one that holds a
    /// slash or a wildcard would be another topic.
    pub fn topic(&self, values: &[(&str, &str)]) -> String {
        let value = |level: &str| {
            let name = level.strip_prefix('{')?.strip_suffix('}')?;
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let levels: Vec<String> =
            self.address().split('/').map(|level| value(level).unwrap_or_else(|| level.to_owned())).collect();
        levels.join("/")
    }

    /// The filter for it of every box, with a wildcard for each parameter.
    pub fn filter(&self) -> String {
        let address = self.address();
        let level = |level| if str::starts_with(level, '{') { "+" } else { level };
        address.split('/').map(level).collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_and_a_topic_of_its_own_and_is_reached() {
        let names: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        let topics: BTreeSet<_> = TABLE.iter().map(|row| row.address()).collect();
        assert_eq!((names.len(), topics.len()), (TABLE.len(), TABLE.len()));
        for verb in Verb::ALL {
            let row = Channel::of(verb);
            assert!(names.contains(row.name), "{verb:?}");
            assert_eq!(row.below, format!("cmd/{}", verb.as_str()));
            assert_eq!(row.expiry_s.map(f64::from), Some(verb.lifetime_s()), "{verb:?}");
        }
        for row in TABLE.iter().filter_map(|row| row.answered_on) {
            assert!(names.contains(row));
        }
    }

    #[test]
    fn a_topic_takes_its_values_by_name() {
        let values = [("box", "b"), ("street", "s"), ("grid", "g"), ("kind", "k")];
        assert_eq!(CASE.topic(&values), "patrol/v1/s/b/case/g/k");
        assert_eq!(CASE.filter(), "patrol/v1/+/+/case/+/+");
        assert_eq!(EVIDENCE.parameters(), ["street", "box", "grid", "kind", "case", "role"]);
    }
}
