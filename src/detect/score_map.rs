//! From a detector's raw score to the probability that the detection is right, class by class, as
//! `gridpatrol calibrate scores` has fitted it.
//!
//! The map is applied after non-maximum suppression. Which of two boxes on one object stays is a question of
//! which fits better, and the raw scores of one look rank that; maps of two classes of one group, fitted on
//! different pictures, would make a car lose to a worse truck box. So boxes and labels are the same with a map
//! and without, and only what their scores mean differs.
//!
//! Invariants, each with a test of its name:
//! - a higher raw score never gives a lower probability;
//! - whatever reaches a probability reaches the raw floor of that probability;
//! - a class without a curve keeps its score bit for bit.

use super::{Detection, Label, Vocabulary};

/// A monotone curve from a raw score to a probability, both 0-1.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// Platt's sigmoid over the log-odds of the score: `1 / (1 + exp(-(slope * logit(s) + offset)))`. Slope 1,
    /// offset 0 leaves a score as it is. The slope is more than 0.
    Sigmoid {
        /// Steepness over the log-odds.
        slope: f64,
        /// Log-odds at the score 0.5.
        offset: f64,
    },
    /// Straight lines between points `(score, probability)`, level beyond the first and the last. Scores
    /// ascend, probabilities do not descend.
    Points(Vec<(f32, f32)>),
}

/// How near to 0 and 1 a score is taken to come: log-odds have no end there.
const EDGE: f64 = 1e-6;
/// Taken off an inverted score, so that rounding never loses a detection: the map itself decides.
const SLACK: f32 = 1e-4;

/// The log-odds of a score, 0-1.
pub fn logit(score: f64) -> f64 {
    let score = score.clamp(EDGE, 1.0 - EDGE);
    (score / (1.0 - score)).ln()
}

impl Curve {
    /// The probability that a detection with the raw score `score` is right. Takes no memory.
    pub fn probability(&self, score: f32) -> f32 {
        match self {
            Self::Sigmoid { slope, offset } => sigmoid(slope * logit(f64::from(score)) + offset) as f32,
            Self::Points(points) => {
                let after = points.partition_point(|&(at, _)| at <= score);
                match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
                    (Some(&(x1, y1)), Some(&(x2, y2))) => {
                        // Rounding must not step over the next point.
                        (y1 + (y2 - y1) * ((score - x1) / (x2 - x1))).clamp(y1, y2)
                    }
                    (Some(&(_, y)), None) | (None, Some(&(_, y))) => y,
                    (None, None) => score,
                }
            }
        }
    }

    /// A raw score below which no detection reaches `probability`; a little lower than the least that does.
    /// More than 1 when none does.
    pub fn floor(&self, probability: f32) -> f32 {
        match self {
            Self::Sigmoid { slope, offset } => {
                if probability <= 0.0 {
                    return 0.0;
                }
                let log_odds = (logit(f64::from(probability)) - offset) / slope;
                (sigmoid(log_odds) as f32 - SLACK).max(0.0)
            }
            Self::Points(points) => {
                let at = points.partition_point(|&(_, y)| y < probability);
                match (at.checked_sub(1).and_then(|before| points.get(before)), points.get(at)) {
                    (Some(&(x1, y1)), Some(&(x2, y2))) => {
                        (x1 + (x2 - x1) * ((probability - y1) / (y2 - y1)) - SLACK).max(0.0)
                    }
                    (None, Some(_)) => 0.0,
                    (Some(_), None) => 2.0,
                    (None, None) => probability,
                }
            }
        }
    }

    /// Whether the numbers are a rising curve.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Sigmoid { slope, offset } => {
                if !(slope.is_finite() && *slope > 0.0 && *slope <= 1e3 && offset.abs() <= 1e3) {
                    return Err(format!("slope {slope}, offset {offset}: expected a slope above 0"));
                }
            }
            Self::Points(points) => {
                let part = |value: f32| (0.0..=1.0).contains(&value);
                if points.is_empty() || points.len() > 1000 || !points.iter().all(|p| part(p.0) && part(p.1))
                {
                    return Err("points: expected 1 to 1000 pairs of numbers of 0 to 1".to_owned());
                }
                if points.windows(2).any(|pair| pair[0].0 >= pair[1].0 || pair[0].1 > pair[1].1) {
                    return Err(
                        "points: expected scores that rise and probabilities that do not fall".to_owned()
                    );
                }
            }
        }
        Ok(())
    }
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The curves of a model's classes, by label number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreMap {
    curves: Vec<Option<Curve>>,
    /// Lowest raw score that the curves were fitted on.
    sampled_from: f32,
}

impl ScoreMap {
    /// The map with the `curves` (label, curve) for the labels of `vocabulary`, fitted on detections of at
    /// least the raw score `sampled_from`. Labels that are not in the vocabulary are left out.
    pub fn new<'a>(
        curves: impl IntoIterator<Item = (&'a str, &'a Curve)>,
        sampled_from: f32,
        vocabulary: &Vocabulary,
    ) -> Self {
        let mut map = Self { curves: vec![None; vocabulary.names().len()], sampled_from };
        for (name, curve) in curves {
            if let Some(Label(number)) = vocabulary.find(name) {
                map.curves[usize::from(number)] = Some(curve.clone());
            }
        }
        map
    }

    /// The least raw score to ask a detector for, so that nothing that reaches `probability` is missed. Not
    /// below what the curves were fitted on: what they say there is a guess, and proposals become many.
    pub fn floor(&self, probability: f32) -> f32 {
        let of = |curve: &Option<Curve>| match curve {
            Some(curve) => curve.floor(probability).max(self.sampled_from),
            None => probability,
        };
        self.curves.iter().map(of).reduce(f32::min).unwrap_or(probability).min(1.0)
    }

    /// Puts probabilities in the place of raw scores and drops what is then below `least`. The order stays.
    /// Takes no memory.
    pub fn apply(&self, detections: &mut Vec<Detection>, least: f32) {
        detections.retain_mut(|detection| {
            if let Some(Some(curve)) = self.curves.get(usize::from(detection.label.0)) {
                detection.score = curve.probability(detection.score);
            }
            detection.score >= least
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::BBox;

    fn curves() -> impl Strategy<Value = Curve> {
        let points = prop::collection::vec((0.0_f32..=1.0, 0.0_f32..=1.0), 1..20).prop_map(|pairs| {
            let (mut scores, mut chances): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            scores.sort_by(f32::total_cmp);
            chances.sort_by(f32::total_cmp);
            let mut points: Vec<(f32, f32)> = scores.into_iter().zip(chances).collect();
            points.dedup_by_key(|point| point.0);
            Curve::Points(points)
        });
        let sigmoid =
            (0.05_f64..8.0, -6.0_f64..6.0).prop_map(|(slope, offset)| Curve::Sigmoid { slope, offset });
        prop_oneof![points, sigmoid]
    }

    proptest! {
        #[test]
        fn a_higher_raw_score_never_gives_a_lower_probability(curve in curves(), a in 0.0_f32..=1.0, b in 0.0_f32..=1.0) {
            prop_assert_eq!(curve.check(), Ok(()));
            let (low, high) = (curve.probability(a.min(b)), curve.probability(a.max(b)));
            prop_assert!(low <= high, "{} above {}", low, high);
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
        }

        #[test]
        fn whatever_reaches_a_probability_reaches_the_raw_floor_of_that_probability(
            curve in curves(), score in 0.0_f32..=1.0, wanted in 0.0_f32..=1.0,
        ) {
            if curve.probability(score) >= wanted {
                prop_assert!(curve.floor(wanted) <= score, "floor {}", curve.floor(wanted));
            }
        }
    }

    #[test]
    fn a_class_without_a_curve_keeps_its_score_bit_for_bit() {
        let vocabulary = Vocabulary::new(vec!["person".to_owned(), "car".to_owned()]);
        let curve = Curve::Sigmoid { slope: 1.0, offset: 1.0 };
        let map = ScoreMap::new([("person", &curve), ("stranger", &curve)], 0.05, &vocabulary);
        let seen = |label, score| Detection { label: Label(label), score, bbox: BBox::default() };
        let mut look = vec![seen(1, 0.612_345_6), seen(0, 0.5), seen(1, 0.3), seen(0, 0.2), seen(7, 0.55)];
        map.apply(&mut look, 0.4);
        assert_eq!(look[0], seen(1, 0.612_345_6));
        assert_eq!(look.iter().map(|d| d.label.0).collect::<Vec<_>>(), [1, 0, 0, 7]);
        assert!((look[1].score - 0.731_058_6).abs() < 1e-6, "the sigmoid of 1");
        assert!((look[2].score - 0.404_6).abs() < 1e-3, "the odds of 0.2 times e");
        assert!((map.floor(0.4) - 0.197).abs() < 1e-3, "{}", map.floor(0.4));
    }

    #[test]
    fn numbers_that_are_no_rising_curve_are_refused() {
        let points = |points: &[(f32, f32)]| Curve::Points(points.to_vec()).check();
        assert!(points(&[(0.1, 0.2), (0.5, 0.2)]).is_ok());
        for wrong in [&[][..], &[(0.1, 0.5), (0.2, 0.4)], &[(0.2, 0.4), (0.2, 0.5)], &[(0.2, f32::NAN)]] {
            assert!(points(wrong).is_err(), "{wrong:?}");
        }
        for (slope, offset) in [(0.0, 0.0), (-1.0, 0.0), (f64::NAN, 0.0), (1.0, f64::INFINITY)] {
            assert!(Curve::Sigmoid { slope, offset }.check().is_err());
        }
    }
}
