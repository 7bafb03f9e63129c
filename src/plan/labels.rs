//! Whether a model can see what the rules ask for, and whether its scores are those that were calibrated.

use std::collections::BTreeMap;

use super::{Plan, RulePlan};
use crate::detect::{ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};

impl Plan {
    /// Makes the rules fit the labels of the model called `model`. Labels that the configuration writes must
    /// exist. Of a rule's default labels those that the model lacks are dropped, and logged; a rule that is left
    /// without any is off, unless the configuration names it or its zone would have no rule left.
    ///
    /// # Errors
    /// [`Kind::Config`] that names camera, zone, rule and label, when a label of the configuration does not
    /// exist or a rule that is wanted has no label left.
    pub fn check_labels(&mut self, vocabulary: &Vocabulary, model: &str) -> Result<()> {
        for camera in &mut self.cameras {
            let id = &camera.id;
            for rule in &mut camera.rules {
                fit(rule, id, vocabulary, model)?;
            }
            let works: Vec<String> = camera
                .rules
                .iter()
                .filter(|rule| !rule.labels.is_empty())
                .map(|rule| rule.zone.clone())
                .collect();
            let mut off: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for rule in camera.rules.iter().filter(|rule| rule.labels.is_empty()) {
                if !works.contains(&rule.zone) {
                    return Err(unseen(rule, id, vocabulary, model));
                }
                off.entry(&rule.zone).or_default().push(&rule.kind.slug);
            }
            for (zone, kinds) in off {
                tracing::info!(
                    "camera `{id}`, zone `{zone}`: off, since the model {model} does not know their labels: {}",
                    kinds.join(", ")
                );
            }
            camera.rules.retain(|rule| !rule.labels.is_empty());
        }
        Ok(())
    }

    /// Checks that every score map was fitted on the model `model`. Without this a map's probabilities mean
    /// nothing, so it comes before the first look.
    ///
    /// # Errors
    /// [`Kind::Config`] that names the file of the map and both models.
    pub fn check_scores(&self, model: &ModelIdentity) -> Result<()> {
        self.cameras.iter().filter_map(|camera| camera.scores.as_ref()).try_for_each(|s| s.check_model(model))
    }
}

/// Takes from `rule` what the model does not know: labels that may be missing, and company that nobody can see.
fn fit(rule: &mut RulePlan, camera: &str, vocabulary: &Vocabulary, model: &str) -> Result<()> {
    let kind = &rule.kind.slug;
    let subject = format!("camera `{camera}`, zone `{}`, rule `{kind}`", rule.zone);
    let known = |label: &String| vocabulary.find(label).is_some();
    let mut judged = true;
    for company in &mut rule.company {
        let lacking = company.labels.iter().find(|label| !known(label));
        if let (true, Some(lacking)) = (rule.is_named, lacking) {
            let key = if company.wanted { "with" } else { "without" };
            let what =
                format!("{subject}: the model {model} has no label `{lacking}`, which `{key}` asks for");
            return Err(Error::new(Kind::Config, what).help(format!(
                "set camera.zone.rule.{kind}.{key} to labels of the model, or to [] to do without"
            )));
        }
        company.labels.retain(known);
        judged &= !company.labels.is_empty();
    }
    if !judged {
        rule.labels.clear();
        return Ok(());
    }
    let lacking: Vec<&String> = rule.labels.iter().filter(|label| !known(label)).collect();
    let Some(first) = lacking.first() else { return Ok(()) };
    if rule.labels_are_given {
        let what = format!("{subject}: the model {model} has no label `{first}`");
        let names = vocabulary.names().join(", ");
        return Err(Error::new(Kind::Config, what)
            .help(format!("set camera.zone.rule.{kind}.labels to some of: {names}")));
    }
    if lacking.len() == rule.labels.len() && rule.is_named {
        return Err(unseen(rule, camera, vocabulary, model));
    }
    if lacking.len() < rule.labels.len() {
        let dropped = lacking.iter().map(|label| label.as_str()).collect::<Vec<_>>().join(", ");
        tracing::info!("{subject}: goes without {dropped}, which the model {model} does not know");
    }
    rule.labels.retain(known);
    Ok(())
}

/// That the model cannot see what a rule is about.
fn unseen(rule: &RulePlan, camera: &str, vocabulary: &Vocabulary, model: &str) -> Error {
    let kind = &rule.kind;
    let labels = rule.kind.rule.terms().labels.join(", ");
    let what = format!(
        "camera `{camera}`, zone `{}`, rule `{}`: the model {model} has none of the labels {labels}",
        rule.zone, kind.slug
    );
    Error::new(Kind::Config, what).help(format!(
        "name the model's own in camera.zone.rule.{slug}.labels ({known}), rename them in [classes] of its \
         model.toml, or set camera.zone.rule.{slug}.enabled = false",
        slug = kind.slug,
        known = vocabulary.names().join(", ")
    ))
}
