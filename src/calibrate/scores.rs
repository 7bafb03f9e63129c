//! What a score is worth: from examples (score, right or wrong) to a curve, its figures and a threshold. Pure:
//! the examples may come from labels, or from people's verdicts on cases.

use super::reliability::{brier, expected_error};
use super::{isotonic, platt};
use crate::detect::score_map::Curve;
use crate::detect::{BBox, Detection, Label};

/// One detection and whether it was right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example {
    /// Raw score of the detector, 0-1.
    pub score: f32,
    /// Whether there was such an object.
    pub right: bool,
}

/// How a curve is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// Steps that rise; wants hundreds of examples.
    Isotonic,
    /// A sigmoid; does with tens.
    Platt,
    /// Platt below 200 examples, isotonic from there; they count as twice the scarcer outcome.
    Auto,
}

/// Where `auto` changes over.
const ISOTONIC_FROM: usize = 200;
/// Least examples for a curve, and least right and wrong ones among them.
pub const MIN_EXAMPLES: usize = 20;
const MIN_EACH: usize = 5;
/// Most parts that the pictures are put into for cross-validation.
const FOLDS: usize = 5;
/// Least overlap (intersection over union) of a detection with the object that it found.
pub const MATCH_IOU: f32 = 0.5;

impl Method {
    /// What `auto` means for these examples. They count as twice the scarcer outcome: many hundreds of wrong
    /// detections with low scores say nothing of where scores begin to be right.
    pub fn resolved(self, examples: &[Example]) -> Self {
        let right = examples.iter().filter(|example| example.right).count();
        match self {
            Self::Auto if 2 * right.min(examples.len() - right) < ISOTONIC_FROM => Self::Platt,
            Self::Auto => Self::Isotonic,
            chosen => chosen,
        }
    }
}

/// Fits a curve. `None` when the examples do not carry one: too few, or higher scores are not more often right.
pub fn fit(examples: &[Example], method: Method) -> Option<Curve> {
    let right = examples.iter().filter(|example| example.right).count();
    if examples.len() < MIN_EXAMPLES || right < MIN_EACH || examples.len() - right < MIN_EACH {
        return None;
    }
    match method.resolved(examples) {
        Method::Isotonic => isotonic::fit(examples),
        Method::Platt | Method::Auto => platt::fit(examples),
    }
}

/// How good probabilities are; less is better in both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Expected calibration error over ten bins (Naeini et al. 2015).
    pub ece: f64,
    /// Mean squared error (Brier 1950).
    pub brier: f64,
}

impl Figures {
    fn of(examples: &[Example]) -> Self {
        Self { ece: expected_error(examples), brier: brier(examples) }
    }
}

/// A threshold and what it gives on the examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Least probability.
    pub probability: f32,
    /// Share of right ones among the detections that reach it.
    pub precision: f64,
    /// Share of the labelled objects that are then found.
    pub recall: f64,
    /// Whether precision and recall are what was wanted. If not, this is the most precise threshold that keeps
    /// the recall, or, where no threshold does, the one with the most recall.
    pub met: bool,
}

/// One class, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The curve.
    pub curve: Curve,
    /// Isotonic or Platt.
    pub method: Method,
    /// Figures of the raw scores.
    pub before: Figures,
    /// Figures of mapped scores on pictures that the curve had not seen.
    pub after: Figures,
    /// How many parts the cross-validation had.
    pub folds: usize,
    /// The mapped scores of cross-validation, one for each example, for a diagram.
    pub held_out: Vec<Example>,
    /// The recommended threshold.
    pub threshold: Threshold,
}

/// What a threshold has to give.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Least precision, 0-1.
    pub precision: f64,
    /// Least recall, 0-1.
    pub min_recall: f64,
}

/// Fits the examples of one class, picture by picture, and judges the result by cross-validation over the
/// pictures: two detections on one picture are not independent. `objects` is how many objects were there to be
/// found.
///
/// # Errors
/// Why the class gets no curve, in words.
pub fn fit_class(
    pictures: &[Vec<Example>],
    objects: usize,
    method: Method,
    wanted: Wanted,
) -> Result<Fitted, String> {
    let all: Vec<Example> = pictures.iter().flatten().copied().collect();
    let right = all.iter().filter(|example| example.right).count();
    let method = method.resolved(&all);
    let Some(curve) = fit(&all, method) else {
        return Err(format!(
            "{} detections, {right} of them right: expected at least {MIN_EXAMPLES}, {MIN_EACH} right and \
             {MIN_EACH} wrong, and higher scores more often right",
            all.len()
        ));
    };
    let folds = FOLDS.min(pictures.iter().filter(|examples| !examples.is_empty()).count());
    if folds < 2 {
        return Err("detections on one picture only: expected at least two".to_owned());
    }
    // Pictures without a detection would make for empty parts.
    let seen: Vec<&Vec<Example>> = pictures.iter().filter(|examples| !examples.is_empty()).collect();
    let (mut raw, mut held_out) = (Vec::new(), Vec::new());
    for fold in 0..folds {
        let part = |inside: bool| {
            let here = seen.iter().enumerate().filter(move |(at, _)| (at % folds == fold) == inside);
            here.flat_map(|(_, examples)| examples.iter().copied()).collect::<Vec<Example>>()
        };
        let Some(partial) = fit(&part(false), method) else {
            return Err(format!("too few detections for cross-validation: {} in all", all.len()));
        };
        let held = part(true);
        held_out.extend(mapped(&held, &partial));
        raw.extend(held);
    }
    let (before, after) = (Figures::of(&raw), Figures::of(&held_out));
    if after.brier > before.brier || after.ece > before.ece {
        return Err(format!(
            "the curve does not help on pictures that it has not seen: ECE {:.3} to {:.3}, Brier {:.3} to {:.3}",
            before.ece, after.ece, before.brier, after.brier
        ));
    }
    let threshold = threshold(&mapped(&all, &curve), objects, wanted);
    Ok(Fitted { curve, method, before, after, folds, held_out, threshold })
}

/// The examples with probabilities in place of raw scores.
pub fn mapped(examples: &[Example], curve: &Curve) -> Vec<Example> {
    examples.iter().map(|e| Example { score: curve.probability(e.score), right: e.right }).collect()
}

/// The least probability whose detections are as precise as wanted, if it finds enough.
pub fn threshold(examples: &[Example], objects: usize, wanted: Wanted) -> Threshold {
    let mut sorted: Vec<Example> = examples
        .iter()
        // Rounded down, so that the figure in the file is the one that was judged.
        .map(|e| Example { score: (e.score * 1e4).floor() / 1e4, right: e.right })
        .collect();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let (mut right, mut count) = (0, 0);
    let mut all = Vec::new();
    for tied in sorted.chunk_by(|a, b| a.score == b.score) {
        right += tied.iter().filter(|example| example.right).count();
        count += tied.len();
        all.push(Threshold {
            probability: tied[0].score,
            precision: right as f64 / count as f64,
            recall: right as f64 / objects.max(1) as f64,
            met: false,
        });
    }
    let lowest = all.iter().rfind(|t| t.precision >= wanted.precision && t.recall >= wanted.min_recall);
    if let Some(found) = lowest {
        return Threshold { met: true, ..*found };
    }
    let enough = all.iter().filter(|t| t.recall >= wanted.min_recall);
    let precise = enough.max_by(|a, b| a.precision.total_cmp(&b.precision));
    let none = Threshold { probability: 1.0, precision: 0.0, recall: 0.0, met: false };
    precise.or(all.last()).copied().unwrap_or(none)
}

/// A labelled object, for matching.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// Number of its class group.
    pub group: usize,
    /// Where it is, 0-1.
    pub bbox: BBox,
    /// Whether finding it is neither right nor wrong.
    pub ignore: bool,
}

/// Which of `detections` on one picture are right: in the order of their scores, each takes the free object of
/// its group that it overlaps most, at least by [`MATCH_IOU`]. `group` gives a label's group, `None` for one
/// that was not labelled. What falls on an ignored object is left out.
pub fn matched(
    detections: &[Detection],
    objects: &[Object],
    group: impl Fn(Label) -> Option<usize>,
) -> Vec<(Label, Example)> {
    let mut order: Vec<&Detection> = detections.iter().collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut taken = vec![false; objects.len()];
    let mut examples = Vec::new();
    for detection in order {
        let Some(group) = group(detection.label) else { continue };
        let overlaps = |(at, object): (usize, &Object)| {
            let iou = object.bbox.iou(&detection.bbox);
            // A crowd may be found more than once.
            let free = object.ignore || !taken[at];
            (object.group == group && free && iou >= MATCH_IOU).then_some((at, iou, object.ignore))
        };
        let found = objects.iter().enumerate().filter_map(overlaps);
        // One that has to be found goes before one that is ignored.
        let best = found.max_by(|a, b| b.2.cmp(&a.2).then(a.1.total_cmp(&b.1)));
        match best {
            Some((_, _, true)) => {}
            Some((at, ..)) => {
                taken[at] = true;
                examples.push((detection.label, Example { score: detection.score, right: true }));
            }
            None => examples.push((detection.label, Example { score: detection.score, right: false })),
        }
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(label: u16, score: f32, x: f32) -> Detection {
        Detection { label: Label(label), score, bbox: BBox { x1: x, y1: 0.0, x2: x + 0.1, y2: 0.1 } }
    }

    fn there(group: usize, x: f32, ignore: bool) -> Object {
        Object { group, bbox: BBox { x1: x, y1: 0.0, x2: x + 0.1, y2: 0.1 }, ignore }
    }

    #[test]
    fn each_object_is_found_once_by_the_best_detection_of_its_group() {
        // Labels 0 and 1 are one group, label 2 another, label 3 was not labelled.
        let group = |label: Label| [Some(0), Some(0), Some(1), None][usize::from(label.0)];
        let objects = [there(0, 0.0, false), there(0, 0.5, true), there(1, 0.8, false)];
        let look = [
            seen(0, 0.6, 0.01),
            seen(1, 0.9, 0.0),
            seen(0, 0.5, 0.5),
            seen(0, 0.4, 0.5),
            seen(0, 0.3, 0.8),
            seen(3, 0.9, 0.3),
        ];
        let examples: Vec<_> =
            matched(&look, &objects, group).into_iter().map(|(l, e)| (l.0, e.score, e.right)).collect();
        assert_eq!(examples, [(1, 0.9, true), (0, 0.6, false), (0, 0.3, false)]);
    }

    #[test]
    fn the_threshold_is_the_least_that_is_precise_enough_or_says_that_there_is_none() {
        let pairs =
            [(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.5, true), (0.4, false), (0.3, false)];
        let examples = pairs.map(|(score, right)| Example { score, right });
        let found = threshold(&examples, 5, Wanted { precision: 0.8, min_recall: 0.5 });
        assert_eq!((found.probability, found.precision, found.recall, found.met), (0.5, 0.8, 0.8, true));
        let strict = threshold(&examples, 5, Wanted { precision: 0.9, min_recall: 0.5 });
        assert_eq!((strict.probability, strict.precision, strict.met), (0.5, 0.8, false));
        assert!(!threshold(&examples, 5, Wanted { precision: 0.5, min_recall: 0.9 }).met);
        assert!(!threshold(&[], 5, Wanted { precision: 0.5, min_recall: 0.5 }).met);
    }

    /// Pictures on which a score is worth less than it says, with a fixed pseudo-random draw.
    fn overconfident(pictures: usize, each: usize) -> Vec<Vec<Example>> {
        let mut state = 7_u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut one = || {
            let score = draw();
            Example { score, right: draw() < score * score }
        };
        (0..pictures).map(|_| (0..each).map(|_| one()).collect()).collect()
    }

    #[test]
    fn scores_that_promise_too_much_are_put_right_by_both_methods() {
        let pictures = overconfident(40, 40);
        let objects = pictures.iter().flatten().filter(|e| e.right).count();
        for method in [Method::Isotonic, Method::Platt] {
            let wanted = Wanted { precision: 0.6, min_recall: 0.2 };
            let fitted = fit_class(&pictures, objects, method, wanted).unwrap();
            assert!(fitted.before.ece > 0.12 && fitted.after.ece < 0.06, "{method:?} {fitted:?}");
            assert!(fitted.threshold.met && fitted.threshold.precision >= 0.6);
        }
    }

    #[test]
    fn too_few_examples_give_a_reason_instead_of_a_curve() {
        let wanted = Wanted { precision: 0.8, min_recall: 0.5 };
        let reason = fit_class(&overconfident(3, 4), 5, Method::Auto, wanted).unwrap_err();
        assert!(reason.contains("12 detections"), "{reason}");
        let one = fit_class(&overconfident(1, 400), 100, Method::Auto, wanted).unwrap_err();
        assert!(one.contains("one picture"), "{one}");
    }
}
