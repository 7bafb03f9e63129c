//! Platt's sigmoid (Platt 1999), over the log-odds of the score, so that a score that is a probability already
//! comes out as it is. Two numbers are fitted: it does with few examples, and takes one shape only.

use super::scores::Example;
use crate::detect::score_map::{Curve, logit};

const MAX_STEPS: usize = 100;
/// Kept on the diagonal of the Hessian, so that it can be inverted.
const RIDGE: f64 = 1e-12;

/// Fits slope and offset by Newton's method with backtracking (Lin, Lin & Weng 2007). The targets are not 0
/// and 1 but Platt's (N+ + 1)/(N+ + 2) and 1/(N- + 2), which keeps a small sample that falls apart cleanly
/// from looking certain. `None` when a higher score is not more often right.
pub fn fit(examples: &[Example]) -> Option<Curve> {
    let right = examples.iter().filter(|example| example.right).count() as f64;
    let wrong = examples.len() as f64 - right;
    let targets = ((right + 1.0) / (right + 2.0), 1.0 / (wrong + 2.0));
    let data: Vec<(f64, f64)> = examples
        .iter()
        .map(|e| (logit(f64::from(e.score)), if e.right { targets.0 } else { targets.1 }))
        .collect();
    let (mut slope, mut offset) = (0.0, ((right + 1.0) / (wrong + 1.0)).ln());
    let mut loss = log_loss(&data, slope, offset);
    for _ in 0..MAX_STEPS {
        let (mut g, mut h) = ([0.0; 2], [RIDGE, 0.0, RIDGE]);
        for &(x, target) in &data {
            let p = 1.0 / (1.0 + (-(slope * x + offset)).exp());
            let (d, w) = (p - target, p * (1.0 - p));
            g = [g[0] + d * x, g[1] + d];
            h = [h[0] + w * x * x, h[1] + w * x, h[2] + w];
        }
        if g[0].abs() < 1e-7 && g[1].abs() < 1e-7 {
            break;
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [-(h[2] * g[0] - h[1] * g[1]) / determinant, -(h[0] * g[1] - h[1] * g[0]) / determinant];
        let downhill = g[0] * step[0] + g[1] * step[1];
        let mut size = 1.0;
        loop {
            let (a, b) = (slope + size * step[0], offset + size * step[1]);
            let tried = log_loss(&data, a, b);
            if tried < loss + 1e-4 * size * downhill {
                (slope, offset, loss) = (a, b, tried);
                break;
            }
            size /= 2.0;
            // Nothing nearer is better: this is the least, to the last digit.
            if size < 1e-10 || !size.is_finite() {
                return accepted(slope, offset);
            }
        }
    }
    accepted(slope, offset)
}

fn accepted(slope: f64, offset: f64) -> Option<Curve> {
    let curve = Curve::Sigmoid { slope, offset };
    (slope > 1e-3 && curve.check().is_ok()).then_some(curve)
}

fn log_loss(data: &[(f64, f64)], slope: f64, offset: f64) -> f64 {
    data.iter()
        .map(|&(x, target)| {
            let z = slope * x + offset;
            // -t ln p - (1 - t) ln (1 - p), without overflow.
            z.max(0.0) - z * target + (-z.abs()).exp().ln_1p()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples whose share of right ones at each score is that of a sigmoid.
    fn drawn(slope: f64, offset: f64, each: u32) -> Vec<Example> {
        let mut examples = Vec::new();
        for score in (1..20).map(|n| n as f32 / 20.0) {
            let p = 1.0 / (1.0 + (-(slope * logit(f64::from(score)) + offset)).exp());
            let right = (p * f64::from(each)).round() as u32;
            examples.extend((0..each).map(|n| Example { score, right: n < right }));
        }
        examples
    }

    #[test]
    fn the_truth_behind_many_examples_is_found() {
        for (slope, offset) in [(1.0, 0.0), (2.0, -0.7), (0.6, 1.5)] {
            let Some(Curve::Sigmoid { slope: a, offset: b }) = fit(&drawn(slope, offset, 2000)) else {
                panic!()
            };
            assert!((a - slope).abs() < 0.02 && (b - offset).abs() < 0.02, "{a} {b} for {slope} {offset}");
        }
    }

    #[test]
    fn the_prior_correction_keeps_a_clean_sample_from_being_certain() {
        let four = [(0.3, false), (0.3, false), (0.7, true), (0.7, true)];
        let curve = fit(&four.map(|(score, right)| Example { score, right })).unwrap();
        // With two of each the targets are 3/4 and 1/4, which a sigmoid through two scores meets exactly.
        assert!((curve.probability(0.7) - 0.75).abs() < 1e-4 && (curve.probability(0.3) - 0.25).abs() < 1e-4);
    }

    #[test]
    fn scores_that_say_nothing_give_no_curve() {
        let upside_down: Vec<Example> =
            drawn(1.0, 0.0, 50).iter().map(|e| Example { score: 1.0 - e.score, ..*e }).collect();
        assert_eq!(fit(&upside_down), None);
        assert_eq!(fit(&[]), None);
    }
}
