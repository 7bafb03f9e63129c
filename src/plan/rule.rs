//! Zones and their rules: the catalogue's defaults for the zone's kind, changed as the configuration says.

use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::build::slug;
use super::{CompanyPlan, Condition, RulePlan, ground, size};
use crate::calibrate::score_file::Scores;
use crate::case::catalog::{
    Catalog, Kind, MAX_ABSENCE_S, MAX_CLEAR_S, MAX_COOL_DOWN_S, MAX_COUNT, MAX_DWELL_S, NEAR, RuleDefaults,
    RuleTerms, SCORE,
};
use crate::config::{ConfigFile, RuleConfig, ZoneConfig};
use crate::error::Result;
use crate::place::{Polygon, Terrain};
use crate::rule::{Calendar, Schedule};

/// All rules that are on in `zone`. Where the configuration sets no score, the threshold that `scores`
/// recommends takes the place of the catalogue's.
pub(super) fn plans(
    file: &ConfigFile,
    zone: &ZoneConfig,
    catalog: &Catalog,
    calendar: &(Calendar, TimeZone),
    scores: Option<&Scores>,
    terrain: Option<&Arc<Terrain>>,
) -> Result<Vec<RulePlan>> {
    let id = slug(file, "camera.zone.id", &zone.id)?;
    let zone_kind = zone.kind.get_ref();
    super::banned::check(file, &zone.kind)?;
    let known = catalog.zone_kinds();
    if !known.contains(&zone_kind.as_str()) {
        return Err(file
            .fault("camera.zone.kind", zone.kind.span(), format!("`{zone_kind}` is not a kind of zone"))
            .help(format!("expected one of {}", known.join(", "))));
    }
    let polygon = Polygon::new(zone.polygon.get_ref().clone())
        .map_err(|e| file.fault("camera.zone.polygon", zone.polygon.span(), e.to_string()))?;
    let site = ground::site(file, zone, &polygon, terrain)?;
    let mut kinds: Vec<&Arc<Kind>> = catalog.kinds_for_zone(zone_kind).collect();
    for named in zone.rules.keys() {
        let Some(kind) = catalog.kind(named.get_ref()) else {
            let all: Vec<&str> = catalog.kinds().iter().map(|k| k.slug.as_str()).collect();
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
        let is_named = zone.rules.keys().any(|slug| *slug.get_ref() == kind.slug);
        if change.enabled != Some(false) {
            let checked = Checked { file, kind, change, scores };
            let labels = checked.labels()?;
            if labels.is_empty() {
                // A kind that is about no label of its own: only a configuration that names it gets this far.
                let key = zone.rules.keys().find(|slug| *slug.get_ref() == kind.slug);
                let what = format!("the rule `{}` has no labels: expected labels = [\"...\"]", kind.slug);
                let span = key.map_or(0..0, Spanned::span);
                return Err(file.fault(&format!("camera.zone.rule.{}.labels", kind.slug), span, what));
            }
            plans.push(RulePlan {
                zone: id.clone(),
                site: site.clone(),
                polygon: polygon.clone(),
                kind: kind.clone(),
                labels,
                labels_are_given: change.labels.is_some(),
                is_named,
                score: checked.score()?,
                size: size::limits(file, &kind.slug, change, site.ground().is_some())?,
                dwell_s: checked.dwell_s()?,
                clear_s: checked.clear_s()?,
                absence_s: checked.absence_s()?,
                cool_down_s: checked.cool_down_s()?,
                condition: checked.condition()?,
                company: checked.company()?,
                schedule: checked.schedule(calendar)?,
            });
        }
    }
    Ok(plans)
}

/// One kind's defaults and what the configuration changes about them.
struct Checked<'a> {
    file: &'a ConfigFile,
    kind: &'a Kind,
    change: &'a RuleConfig,
    scores: Option<&'a Scores>,
}

impl Checked<'_> {
    /// An error about the rule's key `name`.
    fn fault<T>(&self, name: &str, value: &Spanned<T>, what: impl Into<String>) -> crate::error::Error {
        self.file.fault(&format!("camera.zone.rule.{}.{name}", self.kind.slug), value.span(), what)
    }

    /// The catalogue's terms.
    fn terms(&self) -> &RuleTerms {
        self.kind.rule.terms()
    }

    fn labels(&self) -> Result<Vec<String>> {
        self.list("labels", self.change.labels.as_ref(), &self.terms().labels)
    }

    /// A list of labels, which may not be empty where it is written.
    fn list(
        &self,
        name: &str,
        given: Option<&Spanned<Vec<String>>>,
        default: &[String],
    ) -> Result<Vec<String>> {
        match given {
            None => Ok(default.to_vec()),
            Some(given) if given.get_ref().is_empty() => {
                Err(self.fault(name, given, "no labels: expected at least one"))
            }
            Some(given) => Ok(given.get_ref().clone()),
        }
    }

    fn score(&self) -> Result<f32> {
        let RuleTerms { score, .. } = self.terms();
        match &self.change.score {
            None => {
                let recommended = match self.scores {
                    Some(scores) => scores.threshold(&self.labels()?),
                    None => None,
                };
                Ok(recommended.map_or(*score, |recommended| recommended.clamp(0.05, 1.0)))
            }
            Some(given) if SCORE.contains(given.get_ref()) => Ok(*given.get_ref()),
            Some(given) => {
                Err(self.fault("score", given, format!("a score of {}: expected 0.05 to 1", given.get_ref())))
            }
        }
    }

    fn dwell_s(&self) -> Result<f64> {
        let RuleTerms { dwell_s, .. } = self.terms();
        self.seconds("dwell_s", self.change.dwell_s.as_ref(), *dwell_s, MAX_DWELL_S)
    }

    fn clear_s(&self) -> Result<f64> {
        let RuleTerms { clear_s, .. } = self.terms();
        self.seconds("clear_s", self.change.clear_s.as_ref(), *clear_s, MAX_CLEAR_S)
    }

    fn cool_down_s(&self) -> Result<f64> {
        match &self.change.cool_down_s {
            // The one time that may be 0: no cool-down.
            Some(given) if *given.get_ref() == 0.0 => Ok(0.0),
            given => self.seconds("cool_down_s", given.as_ref(), self.kind.cool_down_s, MAX_COOL_DOWN_S),
        }
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

    fn absence_s(&self) -> Result<Option<f64>> {
        let stands = matches!(self.kind.rule, RuleDefaults::Dwell(_) | RuleDefaults::Cluster(_));
        match &self.change.absence_s {
            Some(given) if !stands => {
                let what = format!("{} is not about one thing that stands", self.kind.slug);
                Err(self.fault("absence_s", given, what).help("leave the key out"))
            }
            given => {
                let default = self.terms().absence_s;
                let seconds =
                    self.seconds("absence_s", given.as_ref(), default.unwrap_or(0.0), MAX_ABSENCE_S)?;
                Ok((given.is_some() || default.is_some()).then_some(seconds))
            }
        }
    }

    fn near(&self) -> Result<Option<f32>> {
        match &self.change.near {
            None => Ok(self.terms().near),
            Some(given) if NEAR.contains(given.get_ref()) => Ok(Some(*given.get_ref())),
            Some(given) => {
                let (low, high) = (NEAR.start(), NEAR.end());
                Err(self.fault(
                    "near",
                    given,
                    format!("{} box heights: expected {low} to {high}", given.get_ref()),
                ))
            }
        }
    }

    /// What must be near, and what must not.
    fn company(&self) -> Result<Vec<CompanyPlan>> {
        let mut company = Vec::new();
        for (name, given, default, wanted) in [
            ("with", &self.change.with, &self.terms().with, true),
            ("without", &self.change.without, &self.terms().without, false),
        ] {
            // An empty list is how a configuration takes a default away.
            let labels = given.as_ref().map_or(default, |given| given.get_ref());
            if labels.is_empty() {
                continue;
            }
            let near = match (self.near()?, given) {
                (Some(near), _) => near,
                (None, Some(given)) => {
                    let what = "no `near` beside it: expected how near, in box heights";
                    return Err(self.fault(name, given, what).help("add for example near = 2"));
                }
                // The catalogue is checked to have both.
                (None, None) => continue,
            };
            company.push(CompanyPlan { labels: labels.clone(), near, wanted });
        }
        Ok(company)
    }

    fn condition(&self) -> Result<Condition> {
        if let Some(near) = &self.change.near {
            let company = !self.company()?.is_empty();
            if !company && !matches!(self.kind.rule, RuleDefaults::Cluster(_)) {
                let what = format!("{} has no `with` or `without` that it could be about", self.kind.slug);
                return Err(self.fault("near", near, what).help("leave the key out"));
            }
        }
        let counted = match (&self.kind.rule, &self.change.count) {
            (_, None) => self.terms().count.unwrap_or(1),
            (RuleDefaults::Count(_) | RuleDefaults::Cluster(_), Some(given)) => {
                if !(1..=MAX_COUNT).contains(given.get_ref()) {
                    let what = format!("a count of {}: expected 1 to {MAX_COUNT}", given.get_ref());
                    return Err(self.fault("count", given, what));
                }
                *given.get_ref()
            }
            (_, Some(given)) => {
                let what = format!("{} does not count objects", self.kind.slug);
                return Err(self.fault("count", given, what).help("leave the key out"));
            }
        };
        Ok(match &self.kind.rule {
            RuleDefaults::Dwell(_) => Condition::Standing,
            RuleDefaults::Count(_) => Condition::Count(counted),
            RuleDefaults::Presence(_) => Condition::Presence,
            RuleDefaults::Loitering(_) => Condition::Loitering,
            RuleDefaults::Cluster(_) => Condition::Cluster { count: counted, near: self.near()? },
        })
    }
}
