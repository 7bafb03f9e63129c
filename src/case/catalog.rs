//! The kinds of case, with their national codes and default rules. Codes are data (`catalog.toml`), never
//! constants: three generations of them are live in the field.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The catalogue built into the program.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(include_str!("catalog.toml")).expect("the built-in catalogue is tested to parse")
});

/// All kinds of case, and which labels count as one class group.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// Names of the standards that the codes are from.
    pub standard: Standard,
    groups: BTreeMap<String, Vec<String>>,
    #[serde(rename = "kind")]
    kinds: Vec<Kind>,
}

/// Names of the standards that the codes are from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// The standard in force.
    pub current: String,
    /// The one it replaced.
    pub former: String,
}

/// One kind of case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// A rule with its default parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleDefaults {
    /// One still object in one place for so long.
    Dwell {
        /// Labels the rule is about.
        labels: Vec<String>,
        /// Seconds until a case opens.
        dwell_s: f64,
        /// Seconds of clear view of the empty place until it clears.
        clear_s: f64,
        /// Least score.
        score: f32,
    },
    /// So many objects in the zone at once for so long.
    Count {
        /// Labels the rule is about.
        labels: Vec<String>,
        /// Least number of objects.
        count: u32,
        /// Seconds until a case opens.
        dwell_s: f64,
        /// Seconds below the number until it clears.
        clear_s: f64,
        /// Least score.
        score: f32,
    },
}

impl Catalog {
    /// Reads a catalogue from TOML.
    ///
    /// # Errors
    /// When the text is not a catalogue.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// All kinds, in the catalogue's order.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The kind called `slug`.
    pub fn kind(&self, slug: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.slug == slug)
    }

    /// The kinds that a zone of kind `zone` has rules for.
    pub fn kinds_for_zone<'a>(&'a self, zone: &str) -> impl Iterator<Item = &'a Kind> + use<'a> {
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
            assert!(!kind.zones.is_empty(), "{} is in no zone", kind.slug);
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
