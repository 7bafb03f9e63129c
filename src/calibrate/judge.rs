//! Judging a quantised model against the model that it was made of, on frames that the calibration never saw.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::agreement::{Agreement, Terms};
use super::average_precision::{Found, Truth, average_precision};
use crate::case::catalog::CATALOG;
use crate::detect::model::Model;
use crate::detect::{Detection, Detector as _, OnnxDetector};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// Overlap (intersection over union) at which two boxes are one, as AP50 has it.
const IOU: f32 = 0.5;
/// How far below the threshold a model may give a box of the other without having lost it, in score.
const MARGIN: f32 = 0.05;
/// Least score of a box that enters average precision.
const LEAST_SCORE: f32 = 0.05;
/// Inferences by each model for its speed.
const RUNS: usize = 60;

/// How much a quantised model may lose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Most that the F1 of its boxes against the reference's may be below 1.
    pub f1_loss: f64,
    /// Most that its AP50 may be below the reference's.
    pub ap_loss: f64,
}

/// A picture whose objects are known.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    /// The picture.
    pub frame: Frame,
    /// Label name and box in 0-1 of the picture.
    pub objects: Vec<(String, Truth)>,
}

/// Average precision of both models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApComparison {
    /// Labelled pictures.
    pub pictures: usize,
    /// By label.
    pub labels: BTreeMap<String, ApPair>,
    /// Mean over the labels.
    pub mean: ApPair,
    /// How much the mean is lower for the quantised model; below 0 when it is better.
    pub loss: f64,
}

/// AP50 of the two models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ApPair {
    /// Labelled objects that count.
    pub objects: usize,
    /// Of the reference, 0-1.
    pub reference: f64,
    /// Of the quantised model, 0-1.
    pub quantised: f64,
}

/// How long the networks alone take, and how large they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Median inference of the reference on one thread, milliseconds.
    pub reference_ms: f64,
    /// Median inference of the quantised model, milliseconds, measured in turns with the other.
    pub quantised_ms: f64,
    /// How many times faster the quantised model is.
    pub speed_up: f64,
    /// Weights of the reference.
    pub reference_bytes: u64,
    /// Weights of the quantised model.
    pub quantised_bytes: u64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Whether every bound is kept.
    pub passed: bool,
    /// Each bound that is not, in words.
    pub reasons: Vec<String>,
    /// The bounds.
    pub bounds: Bounds,
    /// Frames that were held out.
    pub frames: usize,
    /// Score at which boxes are compared: the reference's threshold.
    pub score: f32,
    /// Boxes that the reference gave.
    pub boxes_reference: usize,
    /// Boxes of the reference that the quantised model does not give, not even `margin` below `score`.
    pub boxes_lost: usize,
    /// Boxes that the quantised model gave.
    pub boxes_quantised: usize,
    /// Boxes of the quantised model that the reference does not give, not even `margin` below `score`.
    pub boxes_new: usize,
    /// How far below `score` a box of the other is still looked for.
    pub margin: f32,
    /// F1 of the boxes with that margin, 0-1: what the bound is about.
    pub f1: f64,
    /// F1 of the boxes without a margin, 0-1: boxes that merely cross the threshold count as lost and new.
    pub f1_strict: f64,
    /// On the labelled pictures, where there are any.
    pub average_precision: Option<ApComparison>,
    /// Speed and size.
    pub cost: Cost,
}

/// Judges the model `quantised` against `reference`, both run on one thread of the ONNX Runtime that `runtime`
/// names or that is found.
///
/// # Errors
/// [`Kind::Model`] when a model cannot be opened or the two have different labels; [`Kind::Usage`] when the
/// reference finds nothing in `held_out`, for then nothing can be said, or when no label is one of the model's.
pub fn judge(
    reference: &Model,
    quantised: &Model,
    held_out: &[Frame],
    labelled: &[Labelled],
    bounds: Bounds,
    runtime: Option<&Path>,
) -> Result<Judgement> {
    if reference.vocabulary != quantised.vocabulary {
        let (a, b) = (&reference.manifest.name, &quantised.manifest.name);
        return Err(Error::new(Kind::Model, format!("{a} and {b} do not have the same labels"))
            .help("compare a model with one that was quantised from it"));
    }
    let mut one = OnnxDetector::new(reference, runtime, 1)?;
    let mut other = OnnxDetector::new(quantised, runtime, 1)?;
    let score = one.threshold();
    let (agreement, strict) = agreements(&mut one, &mut other, held_out, score)?;
    if agreement.reference == 0 {
        let frames = held_out.len();
        let name = &reference.manifest.name;
        return Err(Error::new(
            Kind::Usage,
            format!(
                "{name} finds nothing in the {frames} frames held out for judging, so nothing can be said"
            ),
        )
        .help("give recordings in which there is something to see"));
    }
    let f1 = agreement.f1().unwrap_or_default();
    let average_precision =
        if labelled.is_empty() { None } else { Some(compare_ap(&mut one, &mut other, labelled)?) };
    let cost = Cost {
        reference_bytes: size(&reference.weights())?,
        quantised_bytes: size(&quantised.weights())?,
        ..speed(&mut one, &mut other)?
    };
    let mut reasons = Vec::new();
    // A hair of tolerance: the bounds are decimal fractions.
    if 1.0 - f1 > bounds.f1_loss + 1e-9 {
        let loss = 1.0 - f1;
        reasons.push(format!("box F1 is {f1:.4}, {loss:.4} below 1; at most {} may be lost", bounds.f1_loss));
    }
    if let Some(ap) = average_precision.as_ref().filter(|ap| ap.loss > bounds.ap_loss + 1e-9) {
        let (loss, most) = (ap.loss, bounds.ap_loss);
        reasons.push(format!("AP50 is {loss:.4} lower; at most {most} may be lost"));
    }
    Ok(Judgement {
        passed: reasons.is_empty(),
        reasons,
        bounds,
        frames: held_out.len(),
        score,
        boxes_reference: agreement.reference,
        boxes_lost: agreement.reference - agreement.reference_shared,
        boxes_quantised: agreement.other,
        boxes_new: agreement.other - agreement.other_shared,
        margin: MARGIN,
        f1,
        f1_strict: strict.f1().unwrap_or_default(),
        average_precision,
        cost,
    })
}

/// How far the boxes agree with the margin, and without.
fn agreements(
    one: &mut OnnxDetector,
    other: &mut OnnxDetector,
    frames: &[Frame],
    score: f32,
) -> Result<(Agreement, Agreement)> {
    let vocabulary = one.vocabulary().clone();
    let group = |detection: &Detection| CATALOG.group(vocabulary.name(detection.label));
    let terms = Terms { score, margin: MARGIN, iou: IOU };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let (mut lenient, mut strict) = (Agreement::default(), Agreement::default());
    for frame in frames {
        one.detect(frame, (score - MARGIN).max(0.0), &mut a)?;
        other.detect(frame, (score - MARGIN).max(0.0), &mut b)?;
        lenient.add(&a, &b, terms, group);
        strict.add(&a, &b, Terms { margin: 0.0, ..terms }, group);
    }
    Ok((lenient, strict))
}

/// What one detector finds in the labelled pictures, by label.
fn found(detector: &mut OnnxDetector, labelled: &[Labelled]) -> Result<BTreeMap<String, Vec<Found>>> {
    let (mut by_label, mut detections) = (BTreeMap::<String, Vec<Found>>::new(), Vec::new());
    for (picture, Labelled { frame, .. }) in labelled.iter().enumerate() {
        detector.detect(frame, LEAST_SCORE, &mut detections)?;
        for detection in &detections {
            let name = detector.vocabulary().name(detection.label).to_owned();
            let found = Found { picture, score: detection.score, bbox: detection.bbox };
            by_label.entry(name).or_default().push(found);
        }
    }
    Ok(by_label)
}

fn compare_ap(
    one: &mut OnnxDetector,
    other: &mut OnnxDetector,
    labelled: &[Labelled],
) -> Result<ApComparison> {
    let (of_one, of_other) = (found(one, labelled)?, found(other, labelled)?);
    let mut labels = BTreeMap::new();
    for name in one.vocabulary().names() {
        let truth: Vec<Vec<Truth>> = labelled
            .iter()
            .map(|picture| {
                picture.objects.iter().filter(|(label, _)| label == name).map(|(_, t)| *t).collect()
            })
            .collect();
        let ap = |found: &BTreeMap<String, Vec<Found>>| {
            average_precision(found.get(name).map_or(&[][..], Vec::as_slice), &truth, IOU)
        };
        if let (Some(reference), Some(quantised)) = (ap(&of_one), ap(&of_other)) {
            let objects = truth.iter().flatten().filter(|label| !label.ignore).count();
            labels.insert(name.clone(), ApPair { objects, reference, quantised });
        }
    }
    if labels.is_empty() {
        return Err(Error::new(Kind::Usage, "no labelled object has a label that the model knows")
            .help(format!("the model's labels are {}", one.vocabulary().names().join(", "))));
    }
    let mean = |of: fn(&ApPair) -> f64| labels.values().map(of).sum::<f64>() / labels.len() as f64;
    let mean = ApPair {
        objects: labels.values().map(|pair| pair.objects).sum(),
        reference: mean(|pair| pair.reference),
        quantised: mean(|pair| pair.quantised),
    };
    let loss = mean.reference - mean.quantised;
    Ok(ApComparison { pictures: labelled.len(), labels, mean, loss })
}

/// Median of the bare networks on what they last saw, in turns, so that both meet the same machine.
fn speed(one: &mut OnnxDetector, other: &mut OnnxDetector) -> Result<Cost> {
    let (mut ones, mut others) = (Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
    for _ in 0..RUNS {
        ones.push(timed(one)?);
        others.push(timed(other)?);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    let (reference_ms, quantised_ms) = (median(&mut ones), median(&mut others));
    let speed_up = reference_ms / quantised_ms.max(1e-6);
    Ok(Cost { reference_ms, quantised_ms, speed_up, reference_bytes: 0, quantised_bytes: 0 })
}

fn timed(detector: &mut OnnxDetector) -> Result<Duration> {
    let began = Instant::now();
    detector.session_mut().run(|_, outputs| std::hint::black_box(outputs.len()))?;
    Ok(began.elapsed())
}

fn size(path: &Path) -> Result<u64> {
    fs::metadata(path).map(|data| data.len()).map_err(|e| Error::disk(path, "read", e))
}
