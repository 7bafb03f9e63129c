//! Whether a model can see what the rules ask for, and whether its scores are those that were calibrated.

use super::Plan;
use crate::detect::{ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};

impl Plan {
    /// Makes the rules fit the labels of the model called `model`. Labels that the configuration writes must
    /// exist. Of a rule's default labels those that the model lacks are dropped, and logged.
    ///
    /// # Errors
    /// [`Kind::Config`] that names camera, zone, rule and label, when a label of the configuration does not
    /// exist or a rule has no label left.
    pub fn check_labels(&mut self, vocabulary: &Vocabulary, model: &str) -> Result<()> {
        for camera in &mut self.cameras {
            for rule in &mut camera.rules {
                let kind = &rule.kind.slug;
                let subject = format!("camera `{}`, zone `{}`, rule `{kind}`", camera.id, rule.zone);
                let missing = |label: &&String| vocabulary.find(label).is_none();
                let lacking: Vec<&String> = rule.labels.iter().filter(missing).collect();
                let Some(first) = lacking.first() else { continue };
                let known = vocabulary.names().join(", ");
                if rule.labels_are_given {
                    let what = format!("{subject}: the model {model} has no label `{first}`");
                    return Err(Error::new(Kind::Config, what)
                        .help(format!("set camera.zone.rule.{kind}.labels to some of: {known}")));
                }
                let dropped = lacking.iter().map(|label| label.as_str()).collect::<Vec<_>>().join(", ");
                if lacking.len() == rule.labels.len() {
                    let what = format!("{subject}: the model {model} has none of the labels {dropped}");
                    return Err(Error::new(Kind::Config, what).help(format!(
                        "name the model's own in camera.zone.rule.{kind}.labels ({known}), rename them in \
                         [classes] of its model.toml, or set camera.zone.rule.{kind}.enabled = false"
                    )));
                }
                tracing::info!("{subject}: goes without {dropped}, which the model {model} does not know");
                rule.labels.retain(|label| vocabulary.find(label).is_some());
            }
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
