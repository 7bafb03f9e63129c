//! Reading of messages: what is to the contract, or why not.

use super::super::life::Millis;
use super::super::model::SeenObject;
use super::super::plan::picture_url;
use super::super::store::BoxRow;
use super::{
    Event, MAX_CLIP, MAX_EVENT, MAX_OBJECTS, MAX_PICTURE, MAX_STATUS, MAX_TEXT, Message, SeenNote, ToldClip,
    evidence_topic,
};
use crate::config::GridProfile;
use crate::evidence::Role;
use crate::mqtt::envelope::{CaseEvent, EvidenceRef, RedactionNote};
use crate::mqtt::{Answer, ClipNote};
use crate::place::GridId;

/// Whether `level` is a plain name: of a topic that becomes a part of nothing else.
pub(super) fn is_level(level: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    // Dots alone would be a way out of a folder.
    (1..=64).contains(&level.len()) && level.bytes().all(known) && !level.starts_with('.')
}

pub(super) fn read_event(
    source: String,
    grid: &str,
    kind: &str,
    payload: &[u8],
) -> std::result::Result<Message, &'static str> {
    if payload.len() > MAX_EVENT {
        return Err("the event is too large");
    }
    let event: CaseEvent = serde_json::from_slice(payload).map_err(|_| "it is not a case event")?;
    let data = &event.data;
    let says_the_same =
        event.source == format!("/patrol/{source}") && data.grid.id == grid && data.kind == kind;
    if !says_the_same {
        return Err("the event says something else than its topic");
    }
    let names = [&data.case_id, &data.kind, &data.place.camera, &data.place.zone, &event.id];
    if !names.into_iter().all(|name| is_level(name)) || GridId::parse(grid, GridProfile::Opaque).is_err() {
        return Err("a name in the event is not one");
    }
    let texts = [&data.name, &data.name_en, &data.place.text];
    let is_text = |text: &&String| text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
    if !texts.iter().all(is_text) || data.standard.code.as_ref().is_some_and(|code| !is_level(code)) {
        return Err("a text in the event is too long or not a text");
    }
    let is_own = |named: &EvidenceRef| {
        let topic = named.uri.strip_prefix("mqtt:");
        topic.map_or_else(
            || picture_url(&named.uri).is_some(),
            |topic| topic == evidence_topic(&source, data, named.role),
        )
    };
    let is_sound = |named: &EvidenceRef| is_hash(&named.sha256) && is_own(named);
    if !data.evidence.iter().all(is_sound) {
        return Err("a picture in the event is not one of its case");
    }
    let time = |text: &str| -> std::result::Result<Millis, &'static str> {
        if text.len() > 40 {
            return Err("a time in the event is not one");
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| "a time in the event is not one")?;
        Ok(parsed.as_millisecond())
    };
    let observed = &data.observed;
    let is_number = |n: f64| n.is_finite();
    let objects: Vec<SeenObject> = data
        .objects
        .iter()
        .take(MAX_OBJECTS)
        .filter(|object| is_level(&object.label.replace(' ', "_")))
        .filter(|object| is_number(object.score) && object.bbox.iter().all(|n| is_number(*n)))
        .map(|object| SeenObject { label: object.label.clone(), score: object.score, bbox: object.bbox })
        .collect();
    if !is_number(observed.dwell_s) {
        return Err("a number in the event is not one");
    }
    if let Some(position) = &data.place.position
        && !((-180.0..=180.0).contains(&position.lon) && (-90.0..=90.0).contains(&position.lat))
    {
        return Err("the position in the event is not on the earth");
    }
    let seen = SeenNote {
        first_seen: time(&observed.first_seen)?,
        last_seen: time(&observed.last_seen)?,
        cleared_at: observed.cleared_at.as_deref().map(time).transpose()?,
        dwell_s: observed.dwell_s,
        objects,
        withheld: match &data.redaction {
            Some(RedactionNote::Withheld { withheld }) => Some(withheld.chars().take(MAX_TEXT).collect()),
            _ => None,
        },
    };
    let is_sequence = (12..=18).contains(&event.sequence.len());
    let sequence: Option<i64> = event.sequence.parse().ok().filter(|n| is_sequence && *n >= 0);
    let sequence = sequence.ok_or("the sequence of the event is not a number")?;
    Ok(Message::Event(Box::new(Event { source, seen, sequence, event })))
}

/// What is told of the clip of a case; `None` where there is none. `levels` are grid, kind and case of its topic.
pub(super) fn read_clip(
    source: String,
    [grid, kind, case]: [&str; 3],
    payload: &[u8],
) -> std::result::Result<Option<ToldClip>, &'static str> {
    if payload.len() > MAX_EVENT {
        return Err("what is told of a clip is too long");
    }
    let note: ClipNote = serde_json::from_slice(payload).map_err(|_| "it does not tell of a clip")?;
    if note.case_id != case {
        return Err("what is told of a clip says something else than its topic");
    }
    let Some(clip) = note.clip else { return Ok(None) };
    let topic = format!("patrol/v1/{source}/case/{grid}/{kind}/evidence/{case}/{}", Role::Clip.as_str());
    let is_own = match clip.uri.strip_prefix("mqtt:") {
        Some(named) => named == topic,
        None => picture_url(&clip.uri).is_some(),
    };
    let is_clip = clip.role == Role::Clip && clip.media == Role::Clip.media();
    if !is_own || !is_clip || !is_hash(&clip.sha256) {
        return Err("the clip is not one of its case");
    }
    if clip.bytes > MAX_CLIP as u64 {
        return Err("the clip is too large");
    }
    Ok(Some(ToldClip { source, case_id: note.case_id, topic, clip }))
}

/// Whether `file` may be evidence of `role`: its size, and how it begins.
pub(in crate::desk) fn check_file(role: &str, file: &[u8]) -> std::result::Result<(), &'static str> {
    if role == Role::Clip.as_str() {
        if file.len() > MAX_CLIP {
            return Err("the clip is too large");
        }
        return if file.get(4..8) == Some(b"ftyp") { Ok(()) } else { Err("the clip is not an MP4 file") };
    }
    if file.len() > MAX_PICTURE {
        return Err("the picture is too large");
    }
    if file.starts_with(&[0xff, 0xd8, 0xff]) { Ok(()) } else { Err("the picture is not a JPEG file") }
}

pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub(super) fn read_status(
    source: String,
    payload: &[u8],
    now: Millis,
) -> std::result::Result<Message, &'static str> {
    if payload.len() > MAX_STATUS {
        return Err("the status is too large");
    }
    let value: serde_json::Value = serde_json::from_slice(payload).map_err(|_| "the status is not JSON")?;
    let state = value.get("state").and_then(|state| state.as_str());
    let state = state.filter(|state| ["online", "stopped", "offline"].contains(state));
    let state = state.ok_or("the status has no state that there is")?.to_owned();
    let status = String::from_utf8_lossy(payload).into_owned();
    Ok(Message::Status(BoxRow { source, state, at: now, status }))
}

pub(super) fn read_answer(source: String, payload: &[u8]) -> std::result::Result<Message, &'static str> {
    if payload.len() > MAX_STATUS {
        return Err("the answer is too large");
    }
    let answer: Answer = serde_json::from_slice(payload).map_err(|_| "it is not an answer to a command")?;
    Ok(Message::Answer { source, answer: Box::new(answer) })
}
