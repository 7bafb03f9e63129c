//! Zones and their rules: the catalogue's defaults for the zone's kind, changed as the configuration says.

use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::build::slug;
use super::{Condition, RulePlan, ground};
use crate::calibrate::score_file::Scores;
use crate::case::catalog::{CATALOG, Kind, RuleDefaults};
use crate::config::{ConfigFile, RuleConfig, ZoneConfig};
use crate::error::Result;
use crate::place::{Polygon, Terrain};
use crate::rule::{Calendar, Schedule};

/// Longest dwell, a year: beyond it a rule is a mistake.
const MAX_DWELL_S: f64 = 366.0 * 86_400.0;
/// Longest time to clear, a day.
const MAX_CLEAR_S: f64 = 86_400.0;

/// All rules that are on in `zone`. Where the configuration sets no score, the threshold that `scores`
/// recommends takes the place of the catalogue's.
pub(super) fn plans(
    file: &ConfigFile,
    zone: &ZoneConfig,
    calendar: &(Calendar, TimeZone),
    scores: Option<&Scores>,
    terrain: Option<&Arc<Terrain>>,
) -> Result<Vec<RulePlan>> {
    let id = slug(file, "camera.zone.id", &zone.id)?;
    let zone_kind = zone.kind.get_ref();
    let known = CATALOG.zone_kinds();
    if !known.contains(&zone_kind.as_str()) {
        return Err(file
            .fault("camera.zone.kind", zone.kind.span(), format!("`{zone_kind}` is not a kind of zone"))
            .help(format!("expected one of {}", known.join(", "))));
    }
    let polygon = Polygon::new(zone.polygon.get_ref().clone())
        .map_err(|e| file.fault("camera.zone.polygon", zone.polygon.span(), e.to_string()))?;
    let site = ground::site(file, zone, &polygon, terrain)?;
    let mut kinds: Vec<&'static Kind> = CATALOG.kinds_for_zone(zone_kind).collect();
    for named in zone.rules.keys() {
        let Some(kind) = CATALOG.kind(named.get_ref()) else {
            let all: Vec<&str> = CATALOG.kinds().iter().map(|k| k.slug.as_str()).collect();
            return Err(file
                .fault(
                    "camera.zone.rule",
                    named.span(),
                    format!("`{}` is not a kind of case", named.get_ref()),
                )
                .help(format!("expected one of {}", all.join(", "))));
        };
        if !kinds.iter().any(|k| k.slug == kind.slug) {
            kinds.push(kind);
        }
    }
    let untouched = RuleConfig::default();
    let mut plans = Vec::new();
    for kind in kinds {
        let change = zone.rules.iter().find(|(slug, _)| *slug.get_ref() == kind.slug);
        let change = change.map_or(&untouched, |(_, change)| change);
        if change.enabled != Some(false) {
            let checked = Checked { file, kind, change, scores };
            plans.push(RulePlan {
                zone: id.clone(),
                site: site.clone(),
                polygon: polygon.clone(),
                kind,
                labels: checked.labels()?,
                labels_are_given: change.labels.is_some(),
                score: checked.score()?,
                dwell_s: checked.dwell_s()?,
                clear_s: checked.clear_s()?,
                condition: checked.condition()?,
                schedule: checked.schedule(calendar)?,
            });
        }
    }
    Ok(plans)
}

/// One kind's defaults and what the configuration changes about them.
struct Checked<'a> {
    file: &'a ConfigFile,
    kind: &'static Kind,
    change: &'a RuleConfig,
    scores: Option<&'a Scores>,
}

impl Checked<'_> {
    /// An error about the rule's key `name`.
    fn fault<T>(&self, name: &str, value: &Spanned<T>, what: impl Into<String>) -> crate::error::Error {
        self.file.fault(&format!("camera.zone.rule.{}.{name}", self.kind.slug), value.span(), what)
    }

    fn labels(&self) -> Result<Vec<String>> {
        let (RuleDefaults::Dwell { labels, .. } | RuleDefaults::Count { labels, .. }) = &self.kind.rule;
        match &self.change.labels {
            None => Ok(labels.clone()),
            Some(given) if given.get_ref().is_empty() => {
                Err(self.fault("labels", given, "no labels: expected at least one"))
            }
            Some(given) => Ok(given.get_ref().clone()),
        }
    }

    fn score(&self) -> Result<f32> {
        let (RuleDefaults::Dwell { score, .. } | RuleDefaults::Count { score, .. }) = &self.kind.rule;
        match &self.change.score {
            None => {
                let recommended = match self.scores {
                    Some(scores) => scores.threshold(&self.labels()?),
                    None => None,
                };
                Ok(recommended.map_or(*score, |recommended| recommended.clamp(0.05, 1.0)))
            }
            Some(given) if (0.05..=1.0).contains(given.get_ref()) => Ok(*given.get_ref()),
            Some(given) => {
                Err(self.fault("score", given, format!("a score of {}: expected 0.05 to 1", given.get_ref())))
            }
        }
    }

    fn dwell_s(&self) -> Result<f64> {
        let (RuleDefaults::Dwell { dwell_s, .. } | RuleDefaults::Count { dwell_s, .. }) = &self.kind.rule;
        self.seconds("dwell_s", self.change.dwell_s.as_ref(), *dwell_s, MAX_DWELL_S)
    }

    fn clear_s(&self) -> Result<f64> {
        let (RuleDefaults::Dwell { clear_s, .. } | RuleDefaults::Count { clear_s, .. }) = &self.kind.rule;
        self.seconds("clear_s", self.change.clear_s.as_ref(), *clear_s, MAX_CLEAR_S)
    }

    fn seconds(&self, name: &str, given: Option<&Spanned<f64>>, default: f64, max: f64) -> Result<f64> {
        match given {
            None => Ok(default),
            Some(s) if *s.get_ref() > 0.0 && *s.get_ref() <= max => Ok(*s.get_ref()),
            Some(s) => {
                let what = format!("{} seconds: expected more than 0 and at most {max}", s.get_ref());
                Err(self.fault(name, s, what))
            }
        }
    }

    fn schedule(&self, (calendar, zone): &(Calendar, TimeZone)) -> Result<Option<Schedule>> {
        let Some(given) = &self.change.schedule else { return Ok(None) };
        match Schedule::parse(given.get_ref(), calendar, zone) {
            Ok(schedule) => Ok(Some(schedule)),
            Err(what) => Err(self.fault("schedule", given, what)),
        }
    }

    fn condition(&self) -> Result<Condition> {
        match (&self.kind.rule, &self.change.count) {
            (RuleDefaults::Dwell { .. }, None) => Ok(Condition::Standing),
            (RuleDefaults::Dwell { .. }, Some(given)) => {
                let what = format!("{} does not count objects", self.kind.slug);
                Err(self.fault("count", given, what).help("leave the key out"))
            }
            (RuleDefaults::Count { count, .. }, None) => Ok(Condition::Count(*count)),
            (RuleDefaults::Count { .. }, Some(given)) if (1..=1000).contains(given.get_ref()) => {
                Ok(Condition::Count(*given.get_ref()))
            }
            (RuleDefaults::Count { .. }, Some(given)) => {
                Err(self.fault("count", given, format!("a count of {}: expected 1 to 1000", given.get_ref())))
            }
        }
    }
}
