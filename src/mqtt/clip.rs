//! What is told of a clip, and the clip itself.
//!
//! A clip ends after its case has opened, so the event of the opening cannot name it, and an event of its own would count
//! against what a case may say. So it has a message beside the events: what is known of the clip, or why there is none,
//! with SHA-256 and address, before the clip itself. Who does not ask for it misses nothing else: it waits for the
//! event of its opening, and nothing waits for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::{self, Channel};
use super::envelope::{EventType, EvidenceRef, RedactionNote};
use super::message::expiry_s;
use super::report::{bounded, event_id};
use super::topic;
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::evidence::Role;
use crate::evidence::clip::{Clip, Order};
use crate::outbox::{Matter, Message};
use crate::plan::Plan;

/// What is known of the clip of a case, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "gridpatrol clip")]
pub struct ClipNote {
    /// Id of the case.
    pub case_id: String,
    /// Id of the event with which it opened.
    #[schemars(extend("format" = "uuid"))]
    pub event: String,
    /// The clip; absent when there is none. `captured` is the time of its first picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<EvidenceRef>,
    /// Pictures in it.
    #[serde(default)]
    pub frames: u32,
    /// How long it is, in milliseconds.
    #[serde(default)]
    pub duration_ms: u32,
    /// What was hidden in it, in the picture with the most; or why there is none.
    pub redaction: RedactionNote,
}

/// The messages of the clip of `order`, written down at `recorded`: what is known of it, then the clip, unless a store
/// has it. `made` is the clip, or why there is none.
///
/// # Errors
/// [`Kind::System`] when the note cannot be written as JSON, which its types rule out.
pub fn clip_messages(
    plan: &Plan,
    order: &Order,
    made: std::result::Result<&Clip, &str>,
    recorded: CaptureTime,
) -> Result<Vec<Message>> {
    let (case, grid, slug) = (&order.case.id, &order.case.grid, order.kind.slug.as_str());
    let source = plan.source();
    let event = event_id(&source, case.as_str(), EventType::Opened, order.at);
    let subject = format!("{grid}/{}", order.camera);
    let topic = topic::evidence(plan, grid, slug, case, Role::Clip);
    let note = ClipNote {
        case_id: case.to_string(),
        event: event.clone(),
        clip: made.ok().map(|clip| EvidenceRef::new(&clip.picture, &topic, &plan.zone)),
        frames: made.map_or(0, |clip| clip.frames),
        duration_ms: made.map_or(0, |clip| clip.duration_ms),
        redaction: match made {
            Ok(clip) => RedactionNote::from(&clip.redaction),
            Err(why) => RedactionNote::Withheld { withheld: bounded(why) },
        },
    };
    let payload = serde_json::to_vec(&note)
        .map_err(|e| Error::new(Kind::System, "cannot write what is known of a clip as JSON").caused_by(e))?;
    let shared = [("source", source.as_str()), ("subject", &subject), ("event", &event)];
    let properties = |more: &[(&str, &str)]| {
        shared.iter().chain(more).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let message = |matter, row: &Channel, topic, payload, properties| Message {
        case: case.clone(),
        matter,
        recorded,
        topic,
        payload,
        content_type: row.content_type.to_owned(),
        expiry_s: expiry_s(row),
        properties,
        notes: Vec::new(),
    };
    let told = topic::clip(plan, grid, slug, case);
    let mut messages = vec![message(Matter::Clip, &contract::CLIP, told, payload, properties(&[]))];
    if let Some(picture) = made.ok().map(|clip| &clip.picture).filter(|picture| picture.url.is_none()) {
        let matter = Matter::Picture(Role::Clip);
        let properties = properties(&[("sha256", &picture.sha256)]);
        messages.push(message(matter, &contract::CLIP_FILE, topic, picture.bytes.clone(), properties));
    }
    Ok(messages)
}
