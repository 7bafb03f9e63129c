//! The JSON of commands. Every object is closed: a member that is not known is a mistake of the sender, and a
//! command that is half understood is not carried out.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, MAX_NAME, MAX_QUIET_MIN, MAX_REASON, Order, Refused, RuleName, Verb};
use crate::case::CaseId;
use crate::case::throttle::{Remark, Verdict};
use crate::clock::CaptureTime;
use crate::evidence::Role;

/// What every command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) at: CaptureTime,
}

/// `cmd/verdict`: what a reviewer says of a case. Names no reviewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "gridpatrol verdict command")]
pub struct VerdictCommand {
    /// Id of the command, 1-64 of `0-9A-Za-z._-`; good once.
    pub id: String,
    /// When it was written, RFC 3339; good for seven days.
    pub at: String,
    /// The case.
    pub case_id: String,
    /// `confirmed`, `rejected`, `duplicate` or `unclear`.
    #[schemars(extend("enum" = ["confirmed", "rejected", "duplicate", "unclear"]))]
    pub verdict: String,
    /// Why, at most 200 characters.
    #[serde(default)]
    pub reason: String,
    /// The kind that it is, where the box named a wrong one; one that `gridpatrol kinds` lists. Kept with the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_kind: Option<String>,
    /// What the reviewer does, e.g. `grid-worker`, and never who it is. Kept with the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer_role: Option<String>,
}

/// `cmd/quiet`: makes a rule quiet. What it would have told is counted, and told in full if it outlasts the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "gridpatrol quiet command")]
pub struct QuietCommand {
    /// Id of the command, 1-64 of `0-9A-Za-z._-`; good once.
    pub id: String,
    /// When it was written, RFC 3339; good for five minutes.
    pub at: String,
    /// The rule's camera.
    pub camera: String,
    /// The rule's zone.
    pub zone: String,
    /// The rule's kind of case.
    pub kind: String,
    /// For so many minutes, 1-1440.
    #[schemars(range(min = 1, max = 1440))]
    pub minutes: u32,
    /// Why, at most 200 characters.
    #[serde(default)]
    pub reason: String,
}

/// `cmd/resume`: ends a quiet time, of a rule (`camera`, `zone`, `kind`) or of the place of a rejected case
/// (`case_id`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "gridpatrol resume command")]
pub struct ResumeCommand {
    /// Id of the command, 1-64 of `0-9A-Za-z._-`; good once.
    pub id: String,
    /// When it was written, RFC 3339; good for five minutes.
    pub at: String,
    /// The case that was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<String>,
    /// The rule's camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// The rule's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The rule's kind of case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// `cmd/evidence`: sends a stored picture of a case again, on the topic on which it was sent first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "gridpatrol evidence command")]
pub struct EvidenceCommand {
    /// Id of the command, 1-64 of `0-9A-Za-z._-`; good once.
    pub id: String,
    /// When it was written, RFC 3339; good for five minutes.
    pub at: String,
    /// The case.
    pub case_id: String,
    /// Which picture.
    pub role: Role,
}

/// `cmd/snapshot`: sends a redacted picture of what a camera sees now, on `camera/{camera}/snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "gridpatrol snapshot command")]
pub struct SnapshotCommand {
    /// Id of the command, 1-64 of `0-9A-Za-z._-`; good once.
    pub id: String,
    /// When it was written, RFC 3339; good for five minutes.
    pub at: String,
    /// The camera.
    pub camera: String,
}

/// `cmd/reload`: reads the configuration again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "gridpatrol reload command")]
pub struct ReloadCommand {
    /// Id of the command, 1-64 of `0-9A-Za-z._-`; good once.
    pub id: String,
    /// When it was written, RFC 3339; good for five minutes.
    pub at: String,
}

/// Reads the payload of a command of `verb`.
pub(super) fn read(verb: Verb, payload: &[u8]) -> Result<(Head, Order), Refused> {
    match verb {
        Verb::Verdict => {
            let said: VerdictCommand = json(payload)?;
            for (name, value) in
                [("corrected_kind", &said.corrected_kind), ("reviewer_role", &said.reviewer_role)]
            {
                value.as_deref().map_or(Ok(()), |value| is_name(name, value).map(drop))?;
            }
            let verdict = match said.verdict.as_str() {
                "confirmed" => Verdict::Confirmed,
                "rejected" => Verdict::Rejected,
                "duplicate" => Verdict::Duplicate,
                "unclear" => Verdict::Unclear,
                _ => return Err(malformed("verdict is none of confirmed, rejected, duplicate, unclear")),
            };
            let remark = Remark { corrected_kind: said.corrected_kind, reviewer_role: said.reviewer_role };
            let (case, reason) = (case(&said.case_id)?, reason(said.reason)?);
            let order = Order::Verdict { case, verdict, reason, remark };
            Ok((head(said.id, &said.at)?, order))
        }
        Verb::Quiet => {
            let said: QuietCommand = json(payload)?;
            if !(1..=MAX_QUIET_MIN).contains(&said.minutes) {
                return Err(malformed(format!("minutes is not from 1 to {MAX_QUIET_MIN}")));
            }
            let rule = rule(said.camera, said.zone, said.kind)?;
            let order = Order::Quiet { rule, minutes: said.minutes, reason: reason(said.reason)? };
            Ok((head(said.id, &said.at)?, order))
        }
        Verb::Resume => {
            let said: ResumeCommand = json(payload)?;
            let order = match (said.case_id, said.camera, said.zone, said.kind) {
                (Some(id), None, None, None) => Order::ResumeCase(case(&id)?),
                (None, Some(camera), Some(zone), Some(kind)) => Order::ResumeRule(rule(camera, zone, kind)?),
                _ => return Err(malformed("expected either case_id, or camera, zone and kind")),
            };
            Ok((head(said.id, &said.at)?, order))
        }
        Verb::Evidence => {
            let said: EvidenceCommand = json(payload)?;
            let order = Order::Evidence { case: case(&said.case_id)?, role: said.role };
            Ok((head(said.id, &said.at)?, order))
        }
        Verb::Snapshot => {
            let said: SnapshotCommand = json(payload)?;
            Ok((
                head(said.id, &said.at)?,
                Order::Snapshot { camera: is_name("camera", &said.camera)?.to_owned() },
            ))
        }
        Verb::Reload => {
            let said: ReloadCommand = json(payload)?;
            Ok((head(said.id, &said.at)?, Order::Reload))
        }
    }
}

fn malformed(reason: impl Into<String>) -> Refused {
    Refused::new(Code::Malformed, reason)
}

fn json<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Refused> {
    // What the reader says may hold what was sent, which belongs neither in the log nor in an answer: where it is
    // says enough.
    serde_json::from_slice(payload).map_err(|e| {
        let what = match e.classify() {
            serde_json::error::Category::Data => {
                "a member is unknown, missing, twice there or of the wrong type"
            }
            _ => "it is not JSON",
        };
        malformed(format!("{what}, at line {} column {}", e.line(), e.column()))
    })
}

fn head(id: String, at: &str) -> Result<Head, Refused> {
    is_name("id", &id)?;
    let at: Timestamp = (at.len() <= 40)
        .then(|| at.parse().ok())
        .flatten()
        .ok_or_else(|| malformed("at is not an RFC 3339 time with an offset"))?;
    Ok(Head { id, at: CaptureTime::from_timestamp(at) })
}

/// Whether `value` is 1 to 64 of the characters that ids are made of. Dots alone would be a way out of a folder.
fn is_name<'a>(name: &str, value: &'a str) -> Result<&'a str, Refused> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_one = (1..=MAX_NAME).contains(&value.len()) && value.chars().all(known) && !value.starts_with('.');
    is_one.then_some(value).ok_or_else(|| malformed(format!("{name} is not 1 to 64 of 0-9A-Za-z._-")))
}

fn case(id: &str) -> Result<CaseId, Refused> {
    CaseId::parse(id).ok_or_else(|| malformed("case_id is not a UUID in lower case"))
}

fn rule(camera: String, zone: String, kind: String) -> Result<RuleName, Refused> {
    for (name, value) in [("camera", &camera), ("zone", &zone), ("kind", &kind)] {
        is_name(name, value)?;
    }
    Ok(RuleName { camera, zone, kind })
}

/// A sentence for people: short, and on one line, since it stands in the log and on the page.
fn reason(text: String) -> Result<String, Refused> {
    if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(malformed(format!("reason is not one line of at most {MAX_REASON} characters")));
    }
    Ok(text)
}
