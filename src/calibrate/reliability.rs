//! How far scores are from being probabilities: calibration error, Brier score, and the reliability diagram
//! that shows both.

use super::scores::Example;

/// Bins of a diagram, of equal width.
pub const BINS: usize = 10;

/// The examples whose scores fall into one tenth of 0-1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: usize,
    /// Their mean score.
    pub score: f64,
    /// Share of right ones.
    pub right: f64,
}

/// The examples by tenths of their score.
pub fn bins(examples: &[Example]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for example in examples {
        let bin = &mut bins[((example.score * BINS as f32) as usize).min(BINS - 1)];
        bin.count += 1;
        bin.score += f64::from(example.score);
        bin.right += f64::from(u8::from(example.right));
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        bin.score /= bin.count as f64;
        bin.right /= bin.count as f64;
    }
    bins
}

/// Expected calibration error (Naeini, Cooper & Hauskrecht 2015): the mean distance between score and share of
/// right ones over the [`BINS`], weighted by their counts. 0 without examples.
pub fn expected_error(examples: &[Example]) -> f64 {
    let distance = |bin: &Bin| bin.count as f64 * (bin.score - bin.right).abs();
    bins(examples).iter().map(distance).sum::<f64>() / examples.len().max(1) as f64
}

/// Mean squared distance between score and outcome (Brier 1950). 0 without examples.
pub fn brier(examples: &[Example]) -> f64 {
    let squared = |e: &Example| (f64::from(e.score) - f64::from(u8::from(e.right))).powi(2);
    examples.iter().map(squared).sum::<f64>() / examples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measures_are_as_by_hand() {
        let pairs = [(0.25, false), (0.25, true), (0.95, true), (1.0, true)];
        let examples = pairs.map(|(score, right)| Example { score, right });
        // Bins 2 and 9: |0.25 - 0.5| and |0.975 - 1|, half of the examples each.
        assert!((expected_error(&examples) - (0.25 + 0.025) / 2.0).abs() < 1e-7);
        assert!((brier(&examples) - (0.0625 + 0.5625 + 0.0025) / 4.0).abs() < 1e-7);
        assert_eq!((expected_error(&[]), brier(&[])), (0.0, 0.0));
    }
}
