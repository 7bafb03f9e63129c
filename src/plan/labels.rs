//! Whether a model can see what the rules ask for.

use super::Plan;
use crate::detect::Vocabulary;
use crate::error::{Error, Kind, Result};

impl Plan {
    /// Checks that the model called `model` knows every label of every rule.
    ///
    /// # Errors
    /// [`Kind::Config`] that names camera, zone, rule and label.
    pub fn check_labels(&self, vocabulary: &Vocabulary, model: &str) -> Result<()> {
        for camera in &self.cameras {
            for rule in &camera.rules {
                if let Some(label) = rule.labels.iter().find(|label| vocabulary.find(label).is_none()) {
                    let kind = &rule.kind.slug;
                    return Err(Error::new(
                        Kind::Config,
                        format!(
                            "camera `{}`, zone `{}`, rule `{kind}`: the model {model} has no label `{label}`",
                            camera.id, rule.zone
                        ),
                    )
                    .help(format!(
                        "set camera.zone.rule.{kind}.labels to some of: {}",
                        vocabulary.names().join(", ")
                    )));
                }
            }
        }
        Ok(())
    }
}
