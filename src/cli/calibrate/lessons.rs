//! `gridpatrol calibrate scores --report`: what reviewers' verdicts have taught a box, and how to undo it. Read from
//! the box's storage folder, whether it runs or not; nothing is written there.

use std::path::Path;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::case::CaseId;
use crate::case::catalog::CATALOG;
use crate::case::throttle::{
    HushedRule, KindLessons, PlaceLessons, QuietStatus, Throttle, ThrottleStatus, VerdictCounts,
};
use crate::clock::{CaptureTime, Clock as _, SystemClock};
use crate::config::ConfigFile;
use crate::error::{Error, Kind, Result};
use crate::outbox::{BOX, Snapshot};
use crate::plan::Plan;

/// All that was learnt. Shares are 0-1, times RFC 3339.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(rename = "box")]
    source: String,
    wanted: Wanted,
    verdicts: VerdictCounts,
    /// Cases less likely true than this are held back.
    cut: f64,
    precision_before: Option<f64>,
    precision: Option<f64>,
    recall: Option<f64>,
    kinds: Vec<KindReport>,
    quiet: Vec<QuietReport>,
    quiet_rules: Vec<RuleReport>,
    /// Topic of the command that takes it back.
    resume_topic: String,
}

#[derive(Debug, Serialize)]
struct Wanted {
    /// 0 learns nothing.
    precision: f64,
    recall: f64,
}

#[derive(Debug, Serialize)]
struct KindReport {
    camera: String,
    kind: String,
    name: String,
    name_en: String,
    cases: u32,
    confirmed: u32,
    rejected: u32,
    precision_before: f64,
    precision: Option<f64>,
    recall: Option<f64>,
    map: Option<Map>,
    least_score: Option<f64>,
    places: Vec<PlaceReport>,
}

/// Natural log-odds for each unit of score, and the score that says nothing.
#[derive(Debug, Serialize)]
struct Map {
    slope: f64,
    middle: f64,
}

#[derive(Debug, Serialize)]
struct PlaceReport {
    zone: String,
    confirmed: u32,
    rejected: u32,
    /// The chance that a case such as the latest there is true.
    chance: f64,
    is_held_back: bool,
    held_back: u32,
    /// When a case was last told there.
    told_at: String,
    resume: Resume,
}

#[derive(Debug, Serialize)]
struct QuietReport {
    camera: String,
    zone: String,
    kind: String,
    reason: String,
    rejections: u32,
    held_back: u32,
    since: String,
    until: String,
    resume: Resume,
}

#[derive(Debug, Serialize)]
struct RuleReport {
    camera: String,
    zone: String,
    kind: String,
    reason: String,
    since: String,
    until: String,
    resume: Resume,
}

/// What `cmd/resume` has to carry beside `id` and `at`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Resume {
    Case { case_id: String },
    Rule { camera: String, zone: String, kind: String },
}

/// Prints what the box of the configuration at `config` has learnt.
///
/// # Errors
/// When the configuration is at fault, or the database is not there or cannot be read.
pub(super) fn run(config: &Path, json: bool) -> Result<String> {
    let plan = Plan::new(&ConfigFile::read(config)?)?;
    let snapshot = Snapshot::take(&plan.storage)?;
    let throttle = match snapshot.outbox.core_state(BOX)? {
        Some(saved) => Throttle::restore(plan.limits, &saved)?,
        None => Throttle::new(plan.limits),
    };
    let report = Report::new(&plan, &throttle.status(SystemClock.now()));
    if json {
        serde_json::to_string_pretty(&report)
            .map_err(|e| Error::new(Kind::System, "cannot write the report as JSON").caused_by(e))
    } else {
        Ok(report.as_text())
    }
}

impl Report {
    fn new(plan: &Plan, status: &ThrottleStatus) -> Self {
        let lessons = status.lessons.as_ref();
        let (before, after) = lessons.and_then(|lessons| lessons.precision).unzip();
        Self {
            source: format!("{}/{}", plan.street, plan.box_id),
            wanted: Wanted { precision: plan.limits.precision, recall: plan.limits.recall },
            verdicts: status.verdicts,
            cut: lessons.map_or(0.0, |lessons| lessons.cut),
            precision_before: before,
            precision: after,
            recall: lessons.and_then(|lessons| lessons.recall),
            kinds: lessons
                .map(|lessons| lessons.kinds.iter().map(|kind| KindReport::new(plan, kind)).collect())
                .unwrap_or_default(),
            quiet: status.quiet.iter().map(|quiet| QuietReport::new(&plan.zone, quiet)).collect(),
            quiet_rules: status.hushed.iter().map(|rule| RuleReport::new(&plan.zone, rule)).collect(),
            resume_topic: format!("patrol/v1/{}/{}/cmd/resume", plan.street, plan.box_id),
        }
    }

    fn as_text(&self) -> String {
        let Self { verdicts, wanted, .. } = self;
        let mut lines = vec![format!(
            "Box {}: {} confirmed, {} rejected, {} duplicate, {} unclear verdicts so far.",
            self.source, verdicts.confirmed, verdicts.rejected, verdicts.duplicate, verdicts.unclear
        )];
        if wanted.precision <= 0.0 {
            lines.push("Nothing is learnt from them: limits.precision is 0.".to_owned());
        } else if self.kinds.is_empty() {
            lines.push("Nothing has been learnt from verdicts yet 尚未从核实结果中学到内容.".to_owned());
        } else {
            let percent = |share: Option<f64>| share.map_or("unknown".to_owned(), percent);
            lines.push(format!(
                "Precision 准确率 {} before learning, {} now, {} wanted; recall 召回率 {}, floor {}.",
                percent(self.precision_before),
                percent(self.precision),
                percent(Some(wanted.precision)),
                percent(self.recall),
                percent(Some(wanted.recall)),
            ));
            lines.push(if self.cut > 0.0 {
                format!("Cases less likely true than {} are held back.", percent(Some(self.cut)))
            } else {
                "No case is held back for it.".to_owned()
            });
        }
        lines.extend(self.kinds.iter().flat_map(KindReport::lines));
        for quiet in &self.quiet {
            lines.push(format!(
                "Quiet after rejection 驳回后静默: {} {} {}, since {} until {}, rejected {} times ({}), {} held back",
                quiet.camera,
                quiet.zone,
                quiet.kind,
                quiet.since,
                quiet.until,
                quiet.rejections,
                or_none(&quiet.reason),
                quiet.held_back
            ));
            lines.push(format!("  undo 撤销: {}", quiet.resume));
        }
        for rule in &self.quiet_rules {
            lines.push(format!(
                "Quiet by command 指令静默: {} {} {}, since {} until {} ({})",
                rule.camera,
                rule.zone,
                rule.kind,
                rule.since,
                rule.until,
                or_none(&rule.reason)
            ));
            lines.push(format!("  undo 撤销: {}", rule.resume));
        }
        let undoes = self.kinds.iter().any(|kind| kind.places.iter().any(|place| place.is_held_back));
        if undoes || !self.quiet.is_empty() || !self.quiet_rules.is_empty() {
            lines.push(format!(
                "To undo, publish to {} (QoS 1) with an id and the time:\n  \
                 {{\"id\":\"undo-1\",\"at\":\"{}\",…}}",
                self.resume_topic,
                SystemClock.now().rfc3339(&TimeZone::UTC)
            ));
        }
        lines.join("\n")
    }
}

impl KindReport {
    fn new(plan: &Plan, kind: &KindLessons) -> Self {
        let camera = plan.cameras.iter().find(|camera| camera.id == kind.camera);
        let catalog = camera.map_or(&*CATALOG, |camera| &camera.catalog);
        let known = catalog.kind(&kind.kind);
        let name = |pick: fn(&crate::case::catalog::Kind) -> &String| {
            known.map_or_else(|| kind.kind.clone(), |known| pick(known).clone())
        };
        Self {
            camera: kind.camera.clone(),
            kind: kind.kind.clone(),
            name: name(|kind| &kind.name_zh),
            name_en: name(|kind| &kind.name_en),
            cases: kind.cases,
            confirmed: kind.verdicts.0,
            rejected: kind.verdicts.1,
            precision_before: kind.precision.0,
            precision: kind.precision.1,
            recall: kind.recall,
            map: kind.map.map(|(slope, middle)| Map { slope, middle }),
            least_score: kind.least_score,
            places: kind.places.iter().map(|place| PlaceReport::new(&plan.zone, place)).collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} {} {} {}", self.camera, self.kind, self.name, self.name_en),
            format!(
                "  {} cases remembered, {} confirmed 属实, {} rejected 不属实; precision 准确率 {} before, {} now; recall {}",
                self.cases,
                self.confirmed,
                self.rejected,
                percent(self.precision_before),
                self.precision.map_or("none told".to_owned(), percent),
                self.recall.map_or("unknown".to_owned(), percent),
            ),
        ];
        let map = match &self.map {
            Some(Map { slope, middle }) => {
                format!("score {middle:.3} says nothing, {slope:.2} log-odds a unit")
            }
            None => "none, all scores count the same".to_owned(),
        };
        let least = match self.least_score {
            Some(least) => format!("{least:.3} in places of which nothing is known"),
            None => "none".to_owned(),
        };
        lines.push(format!("  map of scores: {map}; least score 阈值: {least}"));
        for place in &self.places {
            let state = if place.is_held_back {
                format!("held back since {}, {} cases 已静默", place.told_at, place.held_back)
            } else {
                "told 上报".to_owned()
            };
            lines.push(format!(
                "  zone {}: {} confirmed, {} rejected, likely true {}: {state}",
                place.zone,
                place.confirmed,
                place.rejected,
                percent(place.chance)
            ));
            if place.is_held_back {
                lines.push(format!("    undo 撤销: {}", place.resume));
            }
        }
        lines
    }
}

impl PlaceReport {
    fn new(zone: &TimeZone, of: &PlaceLessons) -> Self {
        let place = &of.place;
        Self {
            zone: place.zone.clone(),
            confirmed: place.verdicts.0,
            rejected: place.verdicts.1,
            chance: place.chance,
            is_held_back: of.is_held_back,
            held_back: place.held,
            told_at: of.told_at.rfc3339(zone),
            resume: Resume::case(&place.case),
        }
    }
}

impl QuietReport {
    fn new(zone: &TimeZone, quiet: &QuietStatus) -> Self {
        let at = |time: CaptureTime| time.rfc3339(zone);
        Self {
            camera: quiet.camera.clone(),
            zone: quiet.zone.clone(),
            kind: quiet.kind.clone(),
            reason: quiet.reason.clone(),
            rejections: quiet.rejections,
            held_back: quiet.held_back,
            since: at(quiet.since),
            until: at(quiet.until),
            resume: Resume::case(&quiet.case),
        }
    }
}

impl RuleReport {
    fn new(zone: &TimeZone, rule: &HushedRule) -> Self {
        let (camera, place, kind) = (rule.camera.clone(), rule.zone.clone(), rule.kind.clone());
        Self {
            reason: rule.reason.clone(),
            since: rule.since.rfc3339(zone),
            until: rule.until.rfc3339(zone),
            resume: Resume::Rule { camera: camera.clone(), zone: place.clone(), kind: kind.clone() },
            camera,
            zone: place,
            kind,
        }
    }
}

impl Resume {
    fn case(case: &CaseId) -> Self {
        Self::Case { case_id: case.to_string() }
    }
}

impl std::fmt::Display for Resume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Case { case_id } => write!(f, "cmd/resume with \"case_id\":\"{case_id}\""),
            Self::Rule { camera, zone, kind } => {
                write!(f, "cmd/resume with \"camera\":\"{camera}\",\"zone\":\"{zone}\",\"kind\":\"{kind}\"")
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "no reason given" } else { text }
}
