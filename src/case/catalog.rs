//! The kinds of case, with their national codes and default rules. Codes are data (`catalog.toml`), never
//! constants: three generations of them are live in the field.

mod file;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

pub(crate) use self::file::{
    MAX_ABSENCE_S, MAX_CLEAR_S, MAX_COOL_DOWN_S, MAX_COUNT, MAX_DWELL_S, NEAR, SCORE,
};

/// The catalogue built into the program, as it is written.
pub const TEXT: &str = include_str!("catalog.toml");

/// The catalogue built into the program.
pub static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let parsed = Catalog::default().extended(Path::new("catalog.toml"), TEXT);
    Arc::new(parsed.expect("the built-in catalogue is tested to parse"))
});

/// All kinds of case, and which labels count as one class group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    /// Names of the standards that the codes are from.
    pub standard: Standard,
    groups: BTreeMap<String, Vec<String>>,
    kinds: Vec<Arc<Kind>>,
}

/// Names of the standards that the codes are from.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// The standard in force.
    pub current: String,
    /// The one it replaced.
    pub former: String,
}

/// One kind of case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kind {
    /// Its name in topics, messages and configuration.
    pub slug: String,
    /// Its Chinese name as the standard writes it.
    pub name_zh: String,
    /// Its English name.
    pub name_en: String,
    /// Its code in the standard in force; `None` where that has none.
    pub code: Option<String>,
    /// Its code in the former standard, where known.
    pub code_2013: Option<String>,
    /// How urgent it is.
    pub severity: Severity,
    /// Whether it counts as visible (显见性): to be disposed of within 3 hours.
    pub visible: bool,
    /// The zone kinds that bring this rule by default.
    pub zones: Vec<String>,
    /// Seconds after a clear for which a new case in the same place is held back. 0, if left out, for kinds whose
    /// every case is a new violation.
    pub cool_down_s: f64,
    /// The rule and its default parameters.
    pub rule: RuleDefaults,
}

/// The CloudEvents `severitytext` of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// For information.
    Info,
    /// Should be looked at.
    Warn,
    /// Must be looked at now.
    Error,
}

impl Severity {
    /// As the `severitytext` attribute spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A rule with its default terms: what is judged, and by which numbers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleDefaults {
    /// One still object in one place for so long.
    Dwell(RuleTerms),
    /// So many objects in the zone at once for so long.
    Count(RuleTerms),
    /// Anything in the zone, moving or not.
    Presence(RuleTerms),
    /// One object that stays in the zone for so long, moving or not.
    Loitering(RuleTerms),
    /// Still objects that stand together, as one case.
    Cluster(RuleTerms),
}

/// The default terms of a rule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTerms {
    /// Labels the rule is about. A rule without any is off until the configuration names some.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Seconds until a case opens.
    pub dwell_s: f64,
    /// Seconds of clear view without the condition until it clears.
    pub clear_s: f64,
    /// Least score.
    pub score: f32,
    /// Least number of objects; for `count` and `cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Seconds for which an object that has no case yet may be seen missing and still be the same; for `dwell`
    /// and `cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absence_s: Option<f64>,
    /// Labels of which one must be near.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Labels of which none may be near.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// How near that is, in heights of the taller box. For `cluster` also how near the parts of one case stand;
    /// left out there, the whole zone is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<f32>,
}

impl RuleDefaults {
    /// Its terms.
    pub fn terms(&self) -> &RuleTerms {
        match self {
            Self::Dwell(terms)
            | Self::Count(terms)
            | Self::Presence(terms)
            | Self::Loitering(terms)
            | Self::Cluster(terms) => terms,
        }
    }

    /// What is judged, as the catalogue and the configuration spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dwell(_) => "dwell",
            Self::Count(_) => "count",
            Self::Presence(_) => "presence",
            Self::Loitering(_) => "loitering",
            Self::Cluster(_) => "cluster",
        }
    }
}

impl Catalog {
    /// All kinds, in the catalogue's order.
    pub fn kinds(&self) -> &[Arc<Kind>] {
        &self.kinds
    }

    /// The kind called `slug`.
    pub fn kind(&self, slug: &str) -> Option<&Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.slug == slug)
    }

    /// The kinds that a zone of kind `zone` has rules for.
    pub fn kinds_for_zone<'a>(&'a self, zone: &str) -> impl Iterator<Item = &'a Arc<Kind>> + use<'a> {
        let zone = zone.to_owned();
        self.kinds.iter().filter(move |kind| kind.zones.contains(&zone))
    }

    /// The names of all zone kinds, sorted.
    pub fn zone_kinds(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.kinds.iter().flat_map(|k| k.zones.iter().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The class group of a label: the group that lists it, otherwise the label itself.
    pub fn group<'a>(&'a self, label: &'a str) -> &'a str {
        let listed = self.groups.iter().find(|(_, labels)| labels.iter().any(|known| known == label));
        listed.map_or(label, |(group, _)| group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_is_sound() {
        let mut slugs: Vec<_> = CATALOG.kinds().iter().map(|k| k.slug.as_str()).collect();
        let count = slugs.len();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), count, "every slug is used once");
        for kind in CATALOG.kinds() {
            if let Some(code) = &kind.code {
                assert!(code.len() == 5 && code.bytes().all(|b| b.is_ascii_digit()), "{}: {code}", kind.slug);
            }
            let labels = &kind.rule.terms().labels;
            assert_eq!(
                kind.zones.is_empty(),
                labels.is_empty(),
                "{}: zones without labels, or none",
                kind.slug
            );
        }
    }

    #[test]
    fn car_truck_and_bus_are_one_group_and_a_person_is_its_own() {
        assert_eq!(CATALOG.group("truck"), CATALOG.group("car"));
        assert_eq!(CATALOG.group("person"), "person");
    }

    #[test]
    fn a_kind_without_a_national_code_carries_none() {
        assert_eq!(CATALOG.kind("crowd").unwrap().code, None);
        assert_eq!(CATALOG.kind("illegal_parking").unwrap().code.as_deref(), Some("09009"));
    }
}
