//! Reading a catalogue: the built-in one, and a site's own on top of it.
//!
//! A site's file has the same form. A kind whose slug is new needs all of its keys but `code`, `code_2013`,
//! `severity`, `visible`, `zones` and `cool_down_s`; one that is known changes the keys that it gives. An empty code takes a
//! code away.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Catalog, Kind, RuleDefaults, Severity, Standard};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::place::is_slug;
use crate::text_file;

/// Longest dwell, a year: beyond it a rule is a mistake.
pub(crate) const MAX_DWELL_S: f64 = 366.0 * 86_400.0;
/// Longest time to clear, a day.
pub(crate) const MAX_CLEAR_S: f64 = 86_400.0;
/// Longest absence, a week.
pub(crate) const MAX_ABSENCE_S: f64 = 7.0 * 86_400.0;
/// Longest cool-down: as long as the throttle remembers a case.
pub(crate) const MAX_COOL_DOWN_S: f64 = 7.0 * 86_400.0;
/// Most objects that a rule can ask for.
pub(crate) const MAX_COUNT: u32 = 1000;
/// How far away "near" can be, in box heights.
pub(crate) const NEAR: std::ops::RangeInclusive<f32> = 0.0..=20.0;
/// Scores that a rule can ask for.
pub(crate) const SCORE: std::ops::RangeInclusive<f32> = 0.05..=1.0;
/// Longest name, in characters.
const LONGEST_NAME: usize = 40;
/// Largest file.
const MAX_BYTES: u64 = 1 << 20;

/// A catalogue as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    standard: Option<Standard>,
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    #[serde(default, rename = "kind")]
    kinds: Vec<WrittenKind>,
}

/// A kind as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKind {
    slug: Spanned<String>,
    name_zh: Option<Spanned<String>>,
    name_en: Option<Spanned<String>>,
    code: Option<Spanned<String>>,
    code_2013: Option<Spanned<String>>,
    severity: Option<Severity>,
    visible: Option<bool>,
    zones: Option<Spanned<Vec<String>>>,
    cool_down_s: Option<Spanned<f64>>,
    rule: Option<Spanned<RuleDefaults>>,
}

/// The file that is read, for errors.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn fault(&self, key: &str, span: Range<usize>, what: impl Into<String>) -> Error {
        let what = what.into();
        let line = self.text.bytes().take(span.start).filter(|&byte| byte == b'\n').count() + 1;
        let message = format!("{}, line {line}, {key}: {what}", self.path.display());
        Error::new(ErrorKind::Config, message).at(self.path, self.text, span, what)
    }
}

impl Catalog {
    /// Reads the site catalogue at `path` on top of this one.
    ///
    /// # Errors
    /// As [`Catalog::extended`], and when the file cannot be read.
    pub fn extended_by(self, path: &Path) -> Result<Self> {
        let text = text_file::read(path, MAX_BYTES).map_err(|e| {
            Error::new(ErrorKind::Config, format!("cannot read the catalogue {}", path.display()))
                .help("set edge.catalog to the path of a TOML file, relative to the configuration")
                .caused_by(e)
        })?;
        self.extended(path, &text)
    }

    /// Takes in the kinds and groups of `text`, the content of `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with file, line and key when the text is not a catalogue, a key is unknown, a kind
    /// that is new lacks a key, a slug is given twice, a code is not one, or a number is out of its range.
    pub fn extended(mut self, path: &Path, text: &str) -> Result<Self> {
        let source = Source { path, text };
        let written: Written = toml::from_str(text).map_err(|e| {
            let message = e.message().lines().next().unwrap_or("not valid TOML").to_owned();
            source.fault("catalogue", e.span().unwrap_or(0..0), message)
        })?;
        if let Some(standard) = written.standard {
            self.standard = standard;
        }
        for (group, labels) in written.groups {
            // A label is in one group: what the site says goes.
            self.groups.values_mut().for_each(|known| known.retain(|label| !labels.contains(label)));
            self.groups.entry(group).or_default().extend(labels);
        }
        let mut given: Vec<&str> = Vec::new();
        for kind in &written.kinds {
            let slug = kind.slug.get_ref().as_str();
            if given.contains(&slug) {
                let what = format!("the kind `{slug}` is given twice");
                return Err(source.fault("kind.slug", kind.slug.span(), what));
            }
            given.push(slug);
            let at = self.kinds.iter().position(|known| known.slug == slug);
            let read = Arc::new(kind.over(at.map(|at| &*self.kinds[at]), &source)?);
            match at {
                Some(at) => self.kinds[at] = read,
                None => self.kinds.push(read),
            }
        }
        Ok(self)
    }
}

impl WrittenKind {
    /// The kind that this makes of the `known` one, or of nothing.
    fn over(&self, known: Option<&Kind>, source: &Source<'_>) -> Result<Kind> {
        let slug = self.slug.get_ref().as_str();
        let fault = |key: &str, span: Range<usize>, what: String| {
            source.fault(&format!("kind.{slug}.{key}"), span, what)
        };
        if !is_slug(slug) {
            let what = format!("`{slug}` is not a name: expected 1 to 32 characters of 0-9 A-Z a-z . _ -");
            return Err(source.fault("kind.slug", self.slug.span(), what));
        }
        let lacks = |key: &str| {
            let what = format!("the new kind `{slug}` has no {key}");
            fault(key, self.slug.span(), what).help("a new kind needs slug, name_zh, name_en and rule")
        };
        let name = |key: &str, given: &Option<Spanned<String>>, known: Option<&String>| match given {
            Some(name)
                if name.get_ref().trim().is_empty() || name.get_ref().chars().count() > LONGEST_NAME =>
            {
                let what = format!("a name of no or more than {LONGEST_NAME} characters");
                Err(fault(key, name.span(), what))
            }
            Some(name) => Ok(name.get_ref().clone()),
            None => known.cloned().ok_or_else(|| lacks(key)),
        };
        let code =
            |key: &str, given: &Option<Spanned<String>>, form: &str, known: Option<&String>| match given {
                None => Ok(known.cloned()),
                Some(code) if code.get_ref().is_empty() => Ok(None),
                Some(code) if has_form(code.get_ref(), form) => Ok(Some(code.get_ref().clone())),
                Some(code) => {
                    let what = format!("`{}` is not a code: expected the form {form}", code.get_ref());
                    Err(fault(key, code.span(), what).help("leave it out where the standard has none"))
                }
            };
        let zones = match &self.zones {
            None => known.map(|known| known.zones.clone()).unwrap_or_default(),
            Some(zones) => match zones.get_ref().iter().find(|zone| !is_slug(zone)) {
                Some(bad) => {
                    let what =
                        format!("`{bad}` is not a name: expected 1 to 32 characters of 0-9 A-Z a-z . _ -");
                    return Err(fault("zones", zones.span(), what));
                }
                None => zones.get_ref().clone(),
            },
        };
        let rule = match &self.rule {
            None => known.map(|known| known.rule.clone()).ok_or_else(|| lacks("rule"))?,
            Some(rule) => {
                let checked = check(rule.get_ref());
                checked.map_err(|(key, what)| fault(&format!("rule.{key}"), rule.span(), what))?;
                rule.get_ref().clone()
            }
        };
        let cool_down_s = match &self.cool_down_s {
            None => known.map_or(0.0, |known| known.cool_down_s),
            Some(given) if (0.0..=MAX_COOL_DOWN_S).contains(given.get_ref()) => *given.get_ref(),
            Some(given) => {
                let what = format!("{} seconds: expected 0 to {MAX_COOL_DOWN_S}", given.get_ref());
                return Err(fault("cool_down_s", given.span(), what));
            }
        };
        Ok(Kind {
            slug: slug.to_owned(),
            name_zh: name("name_zh", &self.name_zh, known.map(|known| &known.name_zh))?,
            name_en: name("name_en", &self.name_en, known.map(|known| &known.name_en))?,
            code: code("code", &self.code, "00000", known.and_then(|known| known.code.as_ref()))?,
            code_2013: code(
                "code_2013",
                &self.code_2013,
                "00-00",
                known.and_then(|known| known.code_2013.as_ref()),
            )?,
            severity: self.severity.or(known.map(|known| known.severity)).unwrap_or(Severity::Warn),
            visible: self.visible.or(known.map(|known| known.visible)).unwrap_or(false),
            zones,
            cool_down_s,
            rule,
        })
    }
}

/// Whether `code` has a digit where `form` has a 0, and is the same elsewhere.
fn has_form(code: &str, form: &str) -> bool {
    let fits = |(c, f): (u8, u8)| if f == b'0' { c.is_ascii_digit() } else { c == f };
    code.len() == form.len() && code.bytes().zip(form.bytes()).all(fits)
}

/// Checks a rule's terms. `Err` names the key at fault and what is wrong with it.
fn check(rule: &RuleDefaults) -> Result<(), (&'static str, String)> {
    let terms = rule.terms();
    let seconds = |key: &'static str, value: f64, max: f64| {
        let sound = value > 0.0 && value <= max;
        let what = || format!("{value} seconds: expected more than 0 and at most {max}");
        if sound { Ok(()) } else { Err((key, what())) }
    };
    seconds("dwell_s", terms.dwell_s, MAX_DWELL_S)?;
    seconds("clear_s", terms.clear_s, MAX_CLEAR_S)?;
    if let Some(absence_s) = terms.absence_s {
        seconds("absence_s", absence_s, MAX_ABSENCE_S)?;
    }
    if !SCORE.contains(&terms.score) {
        return Err(("score", format!("a score of {}: expected 0.05 to 1", terms.score)));
    }
    match (rule, terms.count) {
        (RuleDefaults::Count(_), None) => {
            return Err(("count", "a rule that counts needs the least number of objects".to_owned()));
        }
        (RuleDefaults::Count(_) | RuleDefaults::Cluster(_), Some(count)) => {
            if !(1..=MAX_COUNT).contains(&count) {
                return Err(("count", format!("a count of {count}: expected 1 to {MAX_COUNT}")));
            }
        }
        (_, Some(_)) => return Err(("count", format!("a {} rule does not count objects", rule.name()))),
        (_, None) => {}
    }
    let stands = matches!(rule, RuleDefaults::Dwell(_) | RuleDefaults::Cluster(_));
    if terms.absence_s.is_some() && !stands {
        return Err(("absence_s", format!("a {} rule has no absence", rule.name())));
    }
    match terms.near {
        Some(near) if !NEAR.contains(&near) => {
            Err(("near", format!("{near} box heights: expected {} to {}", NEAR.start(), NEAR.end())))
        }
        None if !(terms.with.is_empty() && terms.without.is_empty()) => {
            Err(("near", "`with` and `without` need it: how near, in box heights".to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CATALOG;
    use super::*;

    fn extended(text: &str) -> Result<Catalog> {
        Catalog::clone(&CATALOG).extended(Path::new("site.toml"), text)
    }

    const GEESE: &str = r#"
[[kind]]
slug = "geese"
name_zh = "鹅群"
name_en = "Geese"
zones = ["pond"]
rule = { count = { labels = ["goose"], count = 3, dwell_s = 60, clear_s = 10, score = 0.4 } }
"#;

    #[test]
    fn a_site_adds_a_kind_and_with_it_a_kind_of_zone() {
        let catalog = extended(GEESE).unwrap();
        let geese = catalog.kind("geese").unwrap();
        assert_eq!((geese.code.as_deref(), geese.severity), (None, Severity::Warn));
        assert!(catalog.zone_kinds().contains(&"pond"));
        assert_eq!(catalog.kinds().len(), CATALOG.kinds().len() + 1);
    }

    #[test]
    fn a_site_changes_only_the_keys_that_it_gives() {
        let text = "[[kind]]\nslug = \"illegal_parking\"\nseverity = \"ERROR\"\ncode_2013 = \"\"\n";
        let catalog = extended(text).unwrap();
        let (now, then) =
            (catalog.kind("illegal_parking").unwrap(), CATALOG.kind("illegal_parking").unwrap());
        assert_eq!((now.severity, now.code_2013.as_deref()), (Severity::Error, None));
        assert_eq!(
            (&now.code, &now.rule, &now.zones, &now.name_zh),
            (&then.code, &then.rule, &then.zones, &then.name_zh)
        );
    }

    #[test]
    fn a_site_puts_labels_into_groups() {
        let catalog = extended("[groups]\nvehicle = [\"tricycle\"]\n").unwrap();
        assert_eq!(catalog.group("tricycle"), catalog.group("car"));
    }

    #[test]
    fn what_is_wrong_with_a_site_catalogue_is_said_with_file_line_and_key() {
        let wrong = |from: &str, to: &str, parts: &[&str]| {
            let error = extended(&GEESE.replace(from, to)).unwrap_err().to_string();
            for part in ["site.toml, line"].iter().chain(parts) {
                assert!(error.contains(part), "expected {part:?} in: {error}");
            }
        };
        wrong("zones =", "places =", &["line 6", "unknown field `places`"]);
        wrong("name_en = \"Geese\"", "", &["kind.geese.name_en", "has no name_en"]);
        wrong("[\"pond\"]", "[\"pond\"]\ncode = \"9009\"", &["line 7", "kind.geese.code", "00000"]);
        wrong("[\"pond\"]", "[\"a/b\"]", &["kind.geese.zones", "`a/b` is not a name"]);
        wrong("slug = \"geese\"", "slug = \"gänse\"", &["kind.slug", "`gänse` is not a name"]);
        wrong("dwell_s = 60", "dwell_s = 0", &["line 7", "kind.geese.rule.dwell_s", "more than 0"]);
        wrong("score = 0.4", "score = 4", &["kind.geese.rule.score", "0.05 to 1"]);
        wrong("count = 3, ", "", &["kind.geese.rule.count", "least number"]);
        wrong("count = {", "presence = {", &["kind.geese.rule.count", "does not count"]);
        wrong("score = 0.4", "score = 0.4, with = [\"dog\"]", &["kind.geese.rule.near", "how near"]);
        wrong("count = {", "sum = {", &["unknown variant `sum`"]);
        let twice = extended(&format!("{GEESE}{GEESE}")).unwrap_err().to_string();
        assert!(twice.contains("the kind `geese` is given twice"), "{twice}");
    }
}
