//! From a report to the messages that go out for it: the event, then its pictures.

use super::contract::{self, Channel};
use super::{CaseEvent, Report, topic};
use crate::case::Change;
use crate::error::{Error, Kind, Result};
use crate::evidence::{CropNote, CropObject, Evidence, Role};
use crate::outbox::{Matter, Message};
use crate::plan::RulePlan;

/// The messages of one happening in the order in which they go out: the event first, so that a subscriber
/// knows what a picture belongs to when it comes.
///
/// # Errors
/// As [`CaseEvent::new`].
pub fn messages(report: &Report<'_>) -> Result<Vec<Message>> {
    let event = CaseEvent::new(report)?;
    let rule = report.rule()?;
    let (case, grid) = (&report.happening.case.id, &report.happening.case.grid);
    // The attributes that a broker's rules route on, repeated outside the payload as the binding allows.
    let properties = |extra: [(&str, &str); 2]| {
        let shared = [("source", event.source.as_str()), ("subject", event.subject.as_str())];
        shared.iter().chain(&extra).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let mut messages = vec![Message {
        case: case.clone(),
        matter: match report.happening.change {
            Change::Opened => Matter::Opened,
            Change::Updated => Matter::Updated,
            Change::Cleared => Matter::Cleared,
        },
        recorded: report.recorded,
        topic: topic::case(report.plan, grid, &rule.kind.slug),
        payload: event.to_json()?,
        content_type: contract::CASE.content_type.to_owned(),
        expiry_s: expiry_s(&contract::CASE),
        properties: properties([("id", &event.id), ("type", event.event_type.as_str())]),
        notes: notes(report, rule)?,
    }];
    if let Evidence::Taken { pictures, .. } = report.evidence {
        let sent = pictures.iter().filter(|picture| picture.url.is_none());
        messages.extend(sent.map(|picture| Message {
            case: case.clone(),
            matter: Matter::Picture(picture.role),
            recorded: report.recorded,
            topic: topic::evidence(report.plan, grid, &rule.kind.slug, case, picture.role),
            payload: picture.bytes.clone(),
            content_type: picture.role.media().to_owned(),
            expiry_s: expiry_s(&contract::EVIDENCE),
            properties: properties([("event", &event.id), ("sha256", &picture.sha256)]),
            notes: Vec::new(),
        }));
    }
    Ok(messages)
}

/// What is kept of the pictures that show a part of the view: what is where in them.
fn notes(report: &Report<'_>, rule: &RulePlan) -> Result<Vec<(Role, String)>> {
    let Evidence::Taken { pictures, .. } = report.evidence else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    for (picture, part) in pictures.iter().filter_map(|picture| Some((picture, picture.part?))) {
        let captured = picture.captured.unwrap_or(report.happening.at);
        let note = CropNote {
            sha256: picture.sha256.clone(),
            width: picture.width,
            height: picture.height,
            captured: captured.rfc3339(&report.plan.zone),
            kind: rule.kind.slug.clone(),
            camera: report.camera.id.clone(),
            zone: rule.zone.clone(),
            grid: report.happening.case.grid.to_string(),
            model: report.model.map(|model| model.name.clone()),
            objects: CropObject::all(&report.happening.case.objects, report.vocabulary, picture, part),
        };
        let json = serde_json::to_string(&note).map_err(|e| {
            Error::new(Kind::System, "cannot write the note of a picture as JSON").caused_by(e)
        })?;
        notes.push((picture.role, json));
    }
    Ok(notes)
}

/// Seconds for which a broker keeps messages of `row`; as long as there are where the row has no bound.
pub(super) fn expiry_s(row: &Channel) -> u32 {
    row.expiry_s.unwrap_or(u32::MAX)
}
