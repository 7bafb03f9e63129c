//! What may be asked of a box on `cmd/{verb}`: a strict, bounded reading of messages that anybody with a login to
//! the broker may have written. Pure: the clock and the key are parameters.
//!
//! # Invariants
//! - No input makes it panic (`no_bytes_make_the_reader_panic`), and what it takes is bounded: [`MAX_BYTES`] of
//!   payload, names of the length and alphabet of ids.
//! - A command names things (a case, a camera, a rule) and never a path, an address or a program
//!   (`no_name_in_a_command_can_be_a_path`).
//! - A command is good for a short time only, so an old recording of it does nothing ([`Verb::lifetime_s`]); that it
//!   is carried out once is for the outbox, which remembers the ids.

use ring::hmac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::CaseId;
use crate::case::throttle::{Remark, Verdict};
use crate::clock::CaptureTime;
use crate::evidence::Role;

/// Largest payload that is read, in bytes.
pub const MAX_BYTES: usize = 4096;
/// Longest id of a command, of a camera, zone or kind, in characters.
const MAX_NAME: usize = 64;
/// Longest reason, in characters.
const MAX_REASON: usize = 200;
/// Longest that a rule can be made quiet by one command, in minutes.
pub const MAX_QUIET_MIN: u32 = 24 * 60;
/// How far the clock that wrote a command may be ahead of the box's, in seconds.
const AHEAD_S: f64 = 300.0;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// A reviewer's verdict on a case.
    Verdict,
    /// Make a rule quiet for some time.
    Quiet,
    /// End a quiet time early.
    Resume,
    /// Send a stored picture of a case again.
    Evidence,
    /// Send a redacted picture of what a camera sees now.
    Snapshot,
    /// Read the configuration again.
    Reload,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Verdict, Self::Quiet, Self::Resume, Self::Evidence, Self::Snapshot, Self::Reload];
    /// Those that a box takes unless its configuration says otherwise: all but the snapshot, since a look through
    /// a camera without a case is more than the box is there for.
    pub const USUAL: [Self; 5] = [Self::Verdict, Self::Quiet, Self::Resume, Self::Evidence, Self::Reload];

    /// As topics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Quiet => "quiet",
            Self::Resume => "resume",
            Self::Evidence => "evidence",
            Self::Snapshot => "snapshot",
            Self::Reload => "reload",
        }
    }

    /// The verb that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }

    /// Seconds after its `at` for which a command is good: a verdict waits for a box that is off for a week, and no
    /// other command is worth carrying out late.
    pub fn lifetime_s(self) -> f64 {
        match self {
            Self::Verdict => 7.0 * 86_400.0,
            _ => 300.0,
        }
    }
}

/// Why a command was not carried out. The codes are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// It was carried out.
    Done,
    /// It was taken in and changes nothing: the same was said before, or there was nothing to end.
    Noted,
    /// The place or rule is quiet now.
    Quiet,
    /// The place or rule was quiet and no longer is.
    Resumed,
    /// No such verb.
    UnknownCommand,
    /// The payload is larger than a box reads.
    TooLarge,
    /// The payload is not what the verb asks for.
    Malformed,
    /// It is too old, from the future, or retained.
    Stale,
    /// A command of this id was carried out before.
    Replayed,
    /// The box does not take this verb, or the signature is missing or wrong.
    Unauthorized,
    /// The response topic is one that the box does not answer on.
    BadResponseTopic,
    /// The case is not known, or no more.
    UnknownCase,
    /// The box has no such camera.
    UnknownCamera,
    /// The camera has no such rule.
    UnknownRule,
    /// The box knows no such kind of case.
    UnknownKind,
    /// There is no picture.
    NoPicture,
    /// There is a picture, but it could not be redacted and stays where it is.
    Withheld,
    /// This box or version cannot do it.
    Unsupported,
    /// Too much is asked at once.
    Busy,
    /// It went wrong on the box; its log says how.
    Failed,
}

/// A refusal: its code and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, for programs.
    pub code: Code,
    /// Why, for people.
    pub reason: String,
}

impl Refused {
    /// For `reason`.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// A rule of a camera by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    /// The camera.
    pub camera: String,
    /// The zone.
    pub zone: String,
    /// The kind of case.
    pub kind: String,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A reviewer's verdict.
    Verdict {
        /// On this case.
        case: CaseId,
        /// It says this.
        verdict: Verdict,
        /// Why; may be empty.
        reason: String,
        /// What the reviewer added, for those who learn from verdicts.
        remark: Remark,
    },
    /// Make a rule quiet.
    Quiet {
        /// The rule.
        rule: RuleName,
        /// For so many minutes from now.
        minutes: u32,
        /// Why; may be empty.
        reason: String,
    },
    /// End the quiet time that a rejected verdict on this case began.
    ResumeCase(CaseId),
    /// End the quiet time of this rule.
    ResumeRule(RuleName),
    /// Send a stored picture again.
    Evidence {
        /// Of this case.
        case: CaseId,
        /// That shows this.
        role: Role,
    },
    /// Send a picture of what this camera sees now.
    Snapshot {
        /// The camera.
        camera: String,
    },
    /// Read the configuration again.
    Reload,
}

/// A command that may be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id, which is good once.
    pub id: String,
    /// What is asked.
    pub order: Order,
    /// From then on it is no longer good.
    pub until: CaptureTime,
}

/// What came in.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The last level of its topic.
    pub verb: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
    /// Whether the broker had kept it.
    pub retained: bool,
    /// Its user property `signature`.
    pub signature: Option<&'a str>,
}

/// What a box lets be asked.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'a> {
    /// The verbs it takes.
    pub allowed: &'a [Verb],
    /// The key that commands are signed with; `None` leaves it to the broker's rules who may send them.
    pub key: Option<&'a [u8]>,
    /// The box, `{street}/{box}`: a part of what is signed, so that a command for one box is none for another.
    pub target: &'a str,
}

/// The signature of a command, lower-case hex: HMAC-SHA256 (RFC 2104) under `key` over
/// `{street}/{box}/{verb}`, a line feed and the payload. `target` is `{street}/{box}`.
pub fn sign(key: &[u8], target: &str, verb: &str, payload: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed(target, verb, payload));
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signed(target: &str, verb: &str, payload: &[u8]) -> Vec<u8> {
    [target.as_bytes(), b"/", verb.as_bytes(), b"\n", payload].concat()
}

/// Whether `signature` is the one that [`sign`] gives, in constant time.
fn is_signed(key: &[u8], target: &str, verb: &str, payload: &[u8], signature: &str) -> bool {
    let digits: Option<Vec<u32>> = signature.chars().take(65).map(|c| c.to_digit(16)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 64) else { return false };
    let tag: Vec<u8> = digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed(target, verb, payload), &tag).is_ok()
}

/// Reads `packet` at `now` by the box's clock.
///
/// # Errors
/// The reason why it is not to be carried out.
pub fn read(packet: &Packet<'_>, rights: &Rights<'_>, now: CaptureTime) -> Result<Request, Refused> {
    let Some(verb) = Verb::parse(packet.verb) else {
        return Err(Refused::new(Code::UnknownCommand, "there is no such command"));
    };
    if packet.payload.len() > MAX_BYTES {
        return Err(Refused::new(Code::TooLarge, format!("more than {MAX_BYTES} bytes")));
    }
    if !rights.allowed.contains(&verb) {
        return Err(Refused::new(Code::Unauthorized, "this box does not take this command"));
    }
    if let Some(key) = rights.key {
        let is_right = |text: &str| is_signed(key, rights.target, packet.verb, packet.payload, text);
        if !packet.signature.is_some_and(is_right) {
            return Err(Refused::new(Code::Unauthorized, "the signature is missing or wrong"));
        }
    }
    if packet.retained {
        // It would come again with every connection.
        return Err(Refused::new(Code::Stale, "commands must not be retained"));
    }
    let (head, order) = wire::read(verb, packet.payload)?;
    let age = now.seconds_since(head.at);
    let until = head.at.plus_seconds(verb.lifetime_s());
    // From then on its id may be forgotten, so at that very moment it is no longer good either.
    if until <= now {
        let reason =
            format!("written {age:.0} s ago by this box's clock, good for {:.0} s", verb.lifetime_s());
        return Err(Refused::new(Code::Stale, reason));
    }
    if age < -AHEAD_S {
        return Err(Refused::new(
            Code::Stale,
            format!("written {:.0} s in the future by this box's clock", -age),
        ));
    }
    Ok(Request { id: head.id, order, until })
}

mod wire;

pub use wire::{
    EvidenceCommand, QuietCommand, ReloadCommand, ResumeCommand, SnapshotCommand, VerdictCommand,
};

#[cfg(test)]
mod tests;
