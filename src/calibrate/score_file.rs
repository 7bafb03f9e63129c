//! The file that holds a model's score map: `calibration/NAME.toml`, as `gridpatrol calibrate scores` writes it
//! and the runtime reads it. It is bound to the SHA-256 of the weights that it was fitted on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::detect::score_map::{Curve, ScoreMap};
use crate::detect::{ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::text_file;

/// Largest file.
const MAX_BYTES: u64 = 1 << 20;
/// Version of the format.
pub const VERSION: u32 = 1;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreFile {
    /// Version of the format, 1.
    pub version: u32,
    /// The model that it belongs to.
    pub model: FittedModel,
    /// What it was fitted on.
    pub sample: Sample,
    /// The classes with a curve, by label.
    #[serde(default)]
    pub class: BTreeMap<String, FittedClass>,
    /// The classes that were labelled and got no curve, by label, and why.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
}

/// Which model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedModel {
    /// Its name.
    pub name: String,
    /// Lower-case hex SHA-256 of its weights.
    pub sha256: String,
}

/// What a map was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// When, RFC 3339.
    pub made: String,
    /// File or folder of the labels.
    pub labels: String,
    /// How many pictures.
    pub pictures: usize,
    /// How many objects were labelled on them, without the ignored ones.
    pub boxes: usize,
    /// Least raw score of the detections that were judged.
    pub least_score: f32,
    /// Least overlap of a right detection with its object.
    pub iou: f32,
    /// Precision that the thresholds were to reach.
    pub precision: f64,
    /// Recall that they had to keep.
    pub min_recall: f64,
}

/// The curve of one class and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedClass {
    /// `isotonic` or `platt`.
    pub method: CurveKind,
    /// Platt: slope over the log-odds of the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slope: Option<f64>,
    /// Platt: log-odds at the score 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// Isotonic: pairs of score and probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Vec<(f32, f32)>>,
    /// Recommended least probability; absent when no threshold reached what was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Precision and recall at the best threshold, on the sample.
    pub precision: f64,
    /// See `precision`.
    pub recall: f64,
    /// Detections that were judged, and how many of them were right.
    pub detections: usize,
    /// See `detections`.
    pub right: usize,
    /// Parts of the cross-validation.
    pub folds: usize,
    /// Expected calibration error of the raw scores.
    pub ece_before: f64,
    /// The same of mapped scores, on pictures that the curve had not seen.
    pub ece_after: f64,
    /// Brier score of the raw scores.
    pub brier_before: f64,
    /// The same of mapped scores, on pictures that the curve had not seen.
    pub brier_after: f64,
}

/// Which curve it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CurveKind {
    /// Points.
    Isotonic,
    /// A sigmoid.
    Platt,
}

impl FittedClass {
    /// Its curve.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn curve(&self) -> Result<Curve, String> {
        let curve = match (self.method, self.slope, self.offset, &self.points) {
            (CurveKind::Platt, Some(slope), Some(offset), None) => Curve::Sigmoid { slope, offset },
            (CurveKind::Isotonic, None, None, Some(points)) => Curve::Points(points.clone()),
            (CurveKind::Platt, ..) => return Err("expected slope and offset".to_owned()),
            (CurveKind::Isotonic, ..) => return Err("expected points".to_owned()),
        };
        curve.check().map(|()| curve)
    }
}

/// A score map that was read and checked, not yet bound to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    path: PathBuf,
    file: ScoreFile,
    curves: Vec<(String, Curve)>,
}

impl Scores {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`Kind::Config`] that names the file and the key at fault.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            text_file::read(path, MAX_BYTES).map_err(|e| wrong(path, "cannot be read").caused_by(e))?;
        Self::parse(path, &text)
    }

    /// Parses `text` as if it had been read from `path`.
    ///
    /// # Errors
    /// As [`Scores::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let file: ScoreFile = toml::from_str(text).map_err(|e| wrong(path, e.message()))?;
        if file.version != VERSION {
            return Err(wrong(path, format!("version {}: expected {VERSION}", file.version)));
        }
        if !(0.001..=0.9).contains(&file.sample.least_score) {
            return Err(wrong(
                path,
                format!("sample.least_score = {}: expected 0.001 to 0.9", file.sample.least_score),
            ));
        }
        let mut curves = Vec::new();
        for (label, class) in &file.class {
            let curve = class.curve().map_err(|e| wrong(path, format!("class.{label}: {e}")))?;
            if let Some(threshold) = class.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
                return Err(wrong(path, format!("class.{label}.threshold = {threshold}: expected 0 to 1")));
            }
            curves.push((label.clone(), curve));
        }
        Ok(Self { path: path.to_owned(), file, curves })
    }

    /// Checks that it was fitted on `model`.
    ///
    /// # Errors
    /// [`Kind::Config`] that names both models.
    pub fn check_model(&self, model: &ModelIdentity) -> Result<()> {
        let fitted = &self.file.model;
        if fitted.sha256 == model.sha256 {
            return Ok(());
        }
        let short = |sha: &str| sha.chars().take(12).collect::<String>();
        Err(wrong(
            &self.path,
            format!(
                "the score map is of the model {} (sha256 {}…), but the model is {} (sha256 {}…)",
                fitted.name,
                short(&fitted.sha256),
                model.name,
                short(&model.sha256)
            ),
        ))
    }

    /// The map for the labels of `vocabulary`.
    pub fn map(&self, vocabulary: &Vocabulary) -> ScoreMap {
        let curves = self.curves.iter().map(|(label, curve)| (label.as_str(), curve));
        ScoreMap::new(curves, self.file.sample.least_score, vocabulary)
    }

    /// The recommended threshold of a rule about `labels`: the highest of theirs. `None` when one of them has
    /// none: its score means something else, and one number would not do for both.
    pub fn threshold(&self, labels: &[String]) -> Option<f32> {
        let each = labels.iter().map(|label| self.file.class.get(label).and_then(|class| class.threshold));
        each.collect::<Option<Vec<f32>>>()?.into_iter().reduce(f32::max)
    }

    /// The classes that have a curve.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.curves.iter().map(|(label, _)| label.as_str())
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("{}: {what}", path.display())).help(
        "make it with `gridpatrol calibrate scores` for the model that runs, or take the key `scores` out",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{BBox, Detection, Label};

    const TEXT: &str = r#"
version = 1
[model]
name = "a"
sha256 = "00ff"
[sample]
made = "2026-11-24T10:00:00Z"
labels = "labels.json"
pictures = 12
boxes = 71
least_score = 0.05
iou = 0.5
precision = 0.8
min_recall = 0.5
[class.car]
method = "isotonic"
points = [[0.1, 0.02], [0.4, 0.6], [0.9, 0.97]]
threshold = 0.6
precision = 0.8
recall = 0.7
detections = 300
right = 150
folds = 5
ece_before = 0.1
ece_after = 0.05
brier_before = 0.2
brier_after = 0.1
[class.truck]
method = "platt"
slope = 1.5
offset = -0.25
precision = 0.7
recall = 0.7
detections = 100
right = 50
folds = 5
ece_before = 0.1
ece_after = 0.05
brier_before = 0.2
brier_after = 0.1
[left_out]
bus = "3 detections"
"#;

    fn parse(text: &str) -> Result<Scores> {
        Scores::parse(Path::new("cal.toml"), text)
    }

    #[test]
    fn a_map_comes_back_from_its_file_as_it_went_in() {
        let read = parse(TEXT).unwrap();
        let written = toml::to_string(&read.file).unwrap();
        assert_eq!(parse(&written).unwrap(), read);
        let vocabulary = Vocabulary::new(vec!["car".to_owned(), "truck".to_owned()]);
        let mut look = vec![Detection { label: Label(0), score: 0.4, bbox: BBox::default() }];
        read.map(&vocabulary).apply(&mut look, 0.0);
        assert!((look[0].score - 0.6).abs() < 1e-6);
    }

    #[test]
    fn another_models_map_is_refused_and_both_are_named() {
        let model = |sha256: &str| ModelIdentity { name: "b".to_owned(), sha256: sha256.to_owned() };
        let scores = parse(TEXT).unwrap();
        assert!(scores.check_model(&model("00ff")).is_ok());
        let error = scores.check_model(&model("11ee")).unwrap_err();
        let said = error.to_string();
        assert_eq!((error.kind(), error.exit_code()), (Kind::Config, 2));
        assert!(
            ["cal.toml", "a (sha256 00ff", "b (sha256 11ee"].iter().all(|part| said.contains(part)),
            "{said}"
        );
    }

    #[test]
    fn a_rule_takes_a_recommendation_only_if_all_its_labels_have_one() {
        let scores = parse(TEXT).unwrap();
        assert_eq!(scores.threshold(&["car".to_owned()]), Some(0.6));
        assert_eq!(scores.threshold(&["car".to_owned(), "truck".to_owned()]), None);
        assert_eq!(scores.threshold(&["bus".to_owned()]), None);
    }

    #[test]
    fn a_file_that_is_no_score_map_is_refused_with_the_key_at_fault() {
        for (from, to, part) in [
            ("version = 1", "version = 2", "version 2"),
            ("version = 1", "version = 1\nmood = 3", "mood"),
            ("[0.4, 0.6]", "[0.4, 0.01]", "class.car: points"),
            ("slope = 1.5", "slope = -1.5", "class.truck: slope"),
            ("slope = 1.5\n", "", "class.truck: expected slope"),
            ("threshold = 0.6", "threshold = 6.0", "class.car.threshold"),
            ("least_score = 0.05", "least_score = nan", "sample.least_score"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let said = parse(&TEXT.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(said.contains("cal.toml") && said.contains(part), "`{said}` does not say `{part}`");
        }
    }
}
