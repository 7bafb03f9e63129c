//! From what happened to the event that says so.
//!
//! An event is a function of its [`Report`] alone: no wall clock, no random id. A replay of the same input is the
//! same byte for byte, and an event that is sent again carries the id it had the first time.

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::envelope::{
    CaseData, CaseEvent, EventType, EvidenceRef, Grid, HeldBackNote, ModelRef, Object, Observed, PlaceSeen,
    RecurrenceNote, RedactionNote, Review, SeenNote, Standard, ThrottleNote,
};
use super::topic;
use crate::case::catalog::CATALOG;
use crate::case::throttle::{Note, Tally};
use crate::case::{Case, Change, Happening};
use crate::clock::CaptureTime;
use crate::config::GridProfile;
use crate::detect::{Detection, ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::evidence::{Evidence, Picture, Redaction};
use crate::place::{Polygon, Position};
use crate::plan::{CameraPlan, Plan, RulePlan};

/// The payload stays below this many bytes, so that no broker or gateway has to be tuned for it.
pub const MAX_BYTES: usize = 16 * 1024;
/// Most objects listed in one event; the number of the others is given.
const MAX_OBJECTS: usize = 32;
/// Most corners of a zone in an event: what an installer draws has a dozen.
const MAX_CORNERS: usize = 64;
/// Longest free text, in characters: a camera's name, a label, a reason.
const MAX_TEXT: usize = 200;
/// Seconds after which an event no longer calls for action. Well above the longest outage that the outbox is meant to
/// bridge: a case that comes late is still a case.
const USEFUL_S: f64 = 7.0 * 24.0 * 3600.0;

/// All that a case event is made from.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The box.
    pub plan: &'a Plan,
    /// The camera that saw it.
    pub camera: &'a CameraPlan,
    /// What happened.
    pub happening: &'a Happening,
    /// The pictures.
    pub evidence: &'a Evidence,
    /// What the throttle has to say with it.
    pub note: &'a Note,
    /// Names of the labels in the happening.
    pub vocabulary: &'a Vocabulary,
    /// The model that looked; `None` when the input is detections.
    pub model: Option<&'a ModelIdentity>,
    /// Number of the event, without gaps per box.
    pub sequence: u64,
    /// When the event was written down.
    pub recorded: CaptureTime,
    /// Whether the box's clock was right and capture times kept to it; `None` when that is not known.
    pub clock_synced: Option<bool>,
}

impl<'a> Report<'a> {
    /// The rule that the case broke.
    ///
    /// # Errors
    /// [`Kind::System`] when the case names a rule that the camera does not have.
    pub fn rule(&self) -> Result<&'a RulePlan> {
        let index = self.happening.case.rule.0;
        self.camera.rules.get(index).ok_or_else(|| {
            let has = self.camera.rules.len();
            Error::new(
                Kind::System,
                format!("camera {}: a case names rule {index}, expected less than {has}", self.camera.id),
            )
            .help("the zones were changed under stored cases: start with a new storage folder")
        })
    }
}

impl CaseEvent {
    /// The event of a report.
    ///
    /// # Errors
    /// As [`Report::rule`].
    pub fn new(report: &Report<'_>) -> Result<Self> {
        let rule = report.rule()?;
        let Report { plan, camera, happening, recorded, .. } = *report;
        let at = |time: CaptureTime| time.rfc3339(&plan.zone);
        let event_type = EventType::from(happening.change);
        let source = plan.source();
        let mut event = Self {
            specversion: "1.0".to_owned(),
            id: event_id(&source, happening.case.id.as_str(), event_type, happening.at),
            source,
            event_type,
            subject: format!("{}/{}", happening.case.grid, camera.id),
            time: at(happening.at),
            recordedtime: at(recorded),
            expirytime: at(recorded.plus_seconds(USEFUL_S)),
            sequence: format!("{:012}", report.sequence),
            partitionkey: happening.case.grid.to_string(),
            severitytext: rule.kind.severity.as_str().to_owned(),
            datacontenttype: "application/json".to_owned(),
            dataschema: "urn:patrol:case:1".to_owned(),
            data: case_data(report, rule),
        };
        // The cap on objects keeps real events far below the limit; labels from a detections file may be long.
        while event.to_json()?.len() >= MAX_BYTES && event.data.objects.pop().is_some() {
            event.data.objects_left_out += 1;
        }
        Ok(event)
    }
}

impl From<&ModelIdentity> for ModelRef {
    fn from(model: &ModelIdentity) -> Self {
        Self { name: bounded(&model.name), sha256: bounded(&model.sha256) }
    }
}

fn case_data(report: &Report<'_>, rule: &RulePlan) -> CaseData {
    let Report { plan, camera, happening, .. } = *report;
    let case = &happening.case;
    let at = |time: CaptureTime| time.rfc3339(&plan.zone);
    let kind = &rule.kind;
    let listed = case.objects.len().min(MAX_OBJECTS);
    CaseData {
        case_id: case.id.as_str().to_owned(),
        kind: kind.slug.clone(),
        name: kind.name_zh.clone(),
        name_en: kind.name_en.clone(),
        standard: Standard {
            reference: CATALOG.standard.current.clone(),
            matter_kind: "管理事项".to_owned(),
            code: kind.code.clone(),
            code_2013: kind.code_2013.clone(),
        },
        grid: Grid {
            id: case.grid.to_string(),
            scheme: match plan.grid_profile {
                GridProfile::Opaque => "opaque",
                GridProfile::GbT47678 => "gb-t-47678.3",
                GridProfile::CjT349 => "cj-t-349",
            }
            .to_owned(),
            street: plan.street.clone(),
            decided_by: case.grid_basis,
        },
        place: PlaceSeen {
            camera: camera.id.clone(),
            text: bounded(&camera.name),
            zone: rule.zone.clone(),
            outline: outline(&rule.polygon),
            position: case.position.map(position),
        },
        observed: Observed {
            first_seen: at(case.first_seen),
            confirmed_at: at(case.opened),
            last_seen: at(case.last_seen),
            cleared_at: (happening.change == Change::Cleared).then(|| at(happening.at)),
            dwell_s: rounded(case.dwell_s(), 1e3),
            samples: case.looks,
            hits: case.hits,
            clock_synced: report.clock_synced,
        },
        objects: case.objects[..listed].iter().map(|seen| object(seen, report.vocabulary)).collect(),
        objects_left_out: (case.objects.len() - listed) as u64,
        evidence: evidence_refs(report, rule),
        redaction: match report.evidence {
            Evidence::Taken { redaction, .. } => Some(redaction.into()),
            Evidence::Withheld { reason } => Some(RedactionNote::Withheld { withheld: bounded(reason) }),
            Evidence::NoView => None,
        },
        model: report.model.map(ModelRef::from),
        throttle: throttle(report.note, plan),
        recurrence: recurrence(report.note),
        also_seen_by: report
            .note
            .also_seen_by
            .iter()
            .map(|seen| SeenNote { camera: seen.camera.clone(), case_id: seen.case.to_string() })
            .collect(),
        review: Review { required: true },
    }
}

fn throttle(note: &Note, plan: &Plan) -> Option<ThrottleNote> {
    let group = |tally: &Tally| HeldBackNote {
        grid: tally.grid.to_string(),
        kind: tally.kind.clone(),
        camera: tally.camera.clone(),
        since: tally.since.rfc3339(&plan.zone),
        cool_down: tally.cool_down,
        rate: tally.rate,
        camera_rate: tally.camera_rate,
        quiet: tally.quiet,
        doubtful: tally.doubtful,
        cases: tally.cases.iter().map(ToString::to_string).collect(),
    };
    let held_back: u64 = note.held_back.iter().map(|tally| u64::from(tally.number())).sum();
    (note.waited_s.is_some() || held_back > 0).then(|| ThrottleNote {
        waited_s: note.waited_s.map(|s| rounded(s, 1e3)),
        held_back,
        groups: note.held_back.iter().map(group).collect(),
    })
}

fn recurrence(note: &Note) -> Option<RecurrenceNote> {
    let known = &note.recurrence;
    (known.count_7d > 0).then(|| RecurrenceNote {
        count_7d: known.count_7d,
        previous_case: known.previous.as_ref().map(ToString::to_string),
    })
}

fn evidence_refs(report: &Report<'_>, rule: &RulePlan) -> Vec<EvidenceRef> {
    let Evidence::Taken { pictures, .. } = report.evidence else { return Vec::new() };
    let Case { id, grid, .. } = &report.happening.case;
    let refer = |picture: &Picture| {
        let topic = topic::evidence(report.plan, grid, &rule.kind.slug, id, picture.role);
        EvidenceRef::new(picture, &topic, &report.plan.zone)
    };
    pictures.iter().map(refer).collect()
}

impl EvidenceRef {
    /// Refers to `picture`, which is sent on `topic` unless a store has it; times are said in `zone`.
    pub(super) fn new(picture: &Picture, topic: &str, zone: &TimeZone) -> Self {
        Self {
            role: picture.role,
            uri: picture.url.clone().unwrap_or_else(|| format!("mqtt:{topic}")),
            sha256: picture.sha256.clone(),
            media: picture.role.media().to_owned(),
            bytes: picture.bytes.len() as u64,
            width: picture.width,
            height: picture.height,
            view_height: picture.view_height,
            captured: picture.captured.map(|at| at.rfc3339(zone)),
        }
    }
}

impl From<&Redaction> for RedactionNote {
    fn from(redaction: &Redaction) -> Self {
        Self::Done {
            persons: redaction.persons,
            vehicles: redaction.vehicles,
            faces: redaction.faces,
            plates: redaction.plates,
            method: "pixelate".to_owned(),
        }
    }
}

/// The corners of a zone to the fourth decimal, a fifth of a pixel of 1920; none of one with too many.
fn outline(zone: &Polygon) -> Vec<[f64; 2]> {
    let corners = zone.corners();
    if corners.len() > MAX_CORNERS {
        return Vec::new();
    }
    corners.iter().map(|corner| corner.map(|side| rounded(f64::from(side), 1e4))).collect()
}

/// Degrees to the seventh decimal, a centimetre; metres to the first.
fn position(at: Position) -> Position {
    Position {
        lon: rounded(at.lon, 1e7),
        lat: rounded(at.lat, 1e7),
        accuracy_m: at.accuracy_m.map(|m| rounded(m, 10.0)),
    }
}

fn object(seen: &Detection, vocabulary: &Vocabulary) -> Object {
    let unit = |v: f32| rounded(f64::from(v.clamp(0.0, 1.0)), 1e4);
    let b = seen.bbox;
    Object {
        label: bounded(vocabulary.name(seen.label)),
        score: unit(seen.score),
        bbox: [unit(b.x1), unit(b.y1), unit(b.x2), unit(b.y2)],
    }
}

/// `value` to the nearest `1 / parts`; 0 for what is not a number, which JSON cannot say.
fn rounded(value: f64, parts: f64) -> f64 {
    if value.is_finite() { (value * parts).round() / parts } else { 0.0 }
}

/// The first [`MAX_TEXT`] characters of `text`.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// The id of an event: a UUID of version 8 (RFC 9562, section 5.8) whose bits are a SHA-256 over what makes the
/// event the one it is.
pub(super) fn event_id(source: &str, case: &str, event_type: EventType, at: CaptureTime) -> String {
    let mut hash = Sha256::new();
    for part in [source, case, event_type.as_str()] {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(at.nanos().to_be_bytes());
    let digest = hash.finalize();
    let mut bits = [0; 16];
    bits.copy_from_slice(&digest[..16]);
    let mut bits = u128::from_be_bytes(bits);
    bits = (bits & !(0xf << 76)) | (0x8 << 76);
    bits = (bits & !(0b11 << 62)) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
