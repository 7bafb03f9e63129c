//! Isotonic regression: the rising steps that fit best, by pooling adjacent violators (Ayer et al. 1955; for
//! calibration Zadrozny & Elkan 2002). It takes any rising shape, and needs hundreds of examples for it.

use super::scores::Example;
use crate::detect::score_map::Curve;

/// Most points that a curve keeps.
const MAX_POINTS: usize = 24;

/// Examples next to each other by score that are given one probability.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Block {
    /// Sum of the scores.
    scores: f64,
    /// How many were right.
    right: f64,
    /// How many.
    weight: f64,
}

impl Block {
    fn chance(self) -> f64 {
        self.right / self.weight
    }

    fn join(&mut self, other: Self) {
        self.scores += other.scores;
        self.right += other.right;
        self.weight += other.weight;
    }
}

/// Fits a curve through the mean score and the share of right ones of each pooled block. No probability is
/// nearer to 0 or 1 than 1 / (n + 2): no finite sample proves certainty. `None` without examples.
pub fn fit(examples: &[Example]) -> Option<Curve> {
    let blocks = thinned(pooled(examples));
    let least = 1.0 / (examples.len() as f64 + 2.0);
    let mut points: Vec<(f32, f32)> = blocks
        .iter()
        .map(|block| {
            let chance = block.chance().clamp(least, 1.0 - least);
            ((block.scores / block.weight) as f32, chance as f32)
        })
        .collect();
    points.dedup_by_key(|point| point.0);
    (!points.is_empty()).then_some(Curve::Points(points))
}

/// The blocks of the least-squares fit, by rising score; their chances rise strictly.
fn pooled(examples: &[Example]) -> Vec<Block> {
    let mut sorted = examples.to_vec();
    sorted.sort_by(|a, b| a.score.total_cmp(&b.score));
    let mut blocks: Vec<Block> = Vec::new();
    for tied in sorted.chunk_by(|a, b| a.score == b.score) {
        let right = tied.iter().filter(|example| example.right).count() as f64;
        let weight = tied.len() as f64;
        let mut block = Block { scores: f64::from(tied[0].score) * weight, right, weight };
        while let Some(last) = blocks.last().copied().filter(|last| last.chance() >= block.chance()) {
            block.join(last);
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
}

/// Joins the neighbours that differ least until there are few.
fn thinned(mut blocks: Vec<Block>) -> Vec<Block> {
    while blocks.len() > MAX_POINTS {
        let cost = |pair: &[Block]| {
            let (a, b) = (pair[0], pair[1]);
            // What joining adds to the squared error.
            a.weight * b.weight / (a.weight + b.weight) * (a.chance() - b.chance()).powi(2)
        };
        let pairs = blocks.windows(2).map(cost).enumerate();
        let Some((at, _)) = pairs.min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        let next = blocks.remove(at + 1);
        blocks[at].join(next);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(pairs: &[(f32, u8)]) -> Vec<Example> {
        pairs.iter().map(|&(score, right)| Example { score, right: right == 1 }).collect()
    }

    #[test]
    fn violators_are_pooled_as_by_hand() {
        let seen =
            examples(&[(0.1, 0), (0.2, 1), (0.3, 0), (0.4, 0), (0.5, 1), (0.6, 1), (0.7, 0), (0.8, 1)]);
        let chances: Vec<f64> = pooled(&seen).iter().map(|block| block.chance()).collect();
        // 0 | 1 0 0 | 1 1 0 | 1
        let wanted = [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0];
        assert_eq!(chances.len(), 4);
        assert!(chances.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{chances:?}");
        let Some(Curve::Points(points)) = fit(&seen) else { panic!() };
        assert!((points[1].0 - 0.3).abs() < 1e-6 && (points[0].1 - 0.1).abs() < 1e-6, "{points:?}");
    }

    #[test]
    fn few_points_are_kept_and_they_rise() {
        let seen: Vec<Example> = (0..4000)
            .map(|n| {
                let score = n as f32 / 4000.0;
                // A share of right ones that rises with the score, without chance.
                Example { score, right: (n * 7919 % 4000) as f32 / 4000.0 < score }
            })
            .collect();
        let curve = fit(&seen).unwrap();
        assert_eq!(curve.check(), Ok(()));
        let Curve::Points(points) = &curve else { panic!() };
        assert!((5..=MAX_POINTS).contains(&points.len()), "{}", points.len());
        for score in [0.1, 0.3, 0.5, 0.7, 0.9] {
            assert!((curve.probability(score) - score).abs() < 0.07, "{score}: {}", curve.probability(score));
        }
    }

    #[test]
    fn no_examples_give_no_curve() {
        assert_eq!(fit(&[]), None);
    }
}
