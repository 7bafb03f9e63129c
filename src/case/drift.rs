//! How far the mean box of one thing wanders by itself: with light, shade and focus, and since a detector errs by the same
//! way for a while on a picture that hardly changes.
//!
//! # Invariants
//! - What is not known yet is taken to be as usual; nothing is taken to wander less than a quarter of that.
//! - Only boxes that are far apart in time tell: a detector that errs for seconds is not steady for that.

use serde::{Deserialize, Serialize};

use crate::clock::CaptureTime;

/// How far a mean box wanders as a rule, as a deviation of an edge in box sizes …
pub(super) const USUAL: f32 = 0.015;
/// … which counts as much as so many differences that were measured.
const USUAL_COUNTS: f32 = 4.0;
/// And at least so far.
const LEAST: f32 = 0.004;
/// A mean is over so many boxes at least …
const BOXES: u32 = 8;
/// … and so many seconds.
const SPAN_S: f64 = 16.0;
/// Differences beyond so many count as so many: it follows a change of weather.
const MEMORY: f32 = 20.0;
/// A difference that is larger than so many usual deviations is of something else: a nudge, a part.
const CLIP: f32 = 4.0;

/// What the means of one thing's boxes, taken one after another, say of how far they wander.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Drift {
    /// Of the mean that is being taken.
    boxes: u32,
    sum: [f32; 4],
    since: CaptureTime,
    /// The one before.
    before: Option<[f32; 4]>,
    /// How many differences were measured, and the mean of what they say of the variance of a step.
    steps: f32,
    step: f32,
}

impl Drift {
    /// All of it was seen at `at` with these `edges`; `size` is its own along each, and `variance` that of each edge in
    /// box sizes.
    pub(super) fn hear(&mut self, at: CaptureTime, edges: &[f32; 4], size: [f32; 4], variance: &[f32; 4]) {
        if self.boxes == 0 {
            self.since = at;
        }
        self.boxes += 1;
        self.sum.iter_mut().zip(edges).for_each(|(sum, edge)| *sum += edge);
        if self.boxes < BOXES || at.seconds_since(self.since) < SPAN_S {
            return;
        }
        let mean = self.sum.map(|sum| sum / self.boxes as f32);
        if let Some(before) = self.before {
            // By noise alone the square of the difference of two means is twice the variance of one.
            let noise = 2.0 / self.boxes as f32;
            let square = |edge: usize| ((mean[edge] - before[edge]) / size[edge]).powi(2);
            let most = (CLIP * USUAL).powi(2);
            let step = (0..4).map(|edge| square(edge).min(most) - noise * variance[edge]).sum::<f32>() / 4.0;
            self.steps = (self.steps + 1.0).min(MEMORY);
            self.step += (step - self.step) / self.steps;
        }
        *self = Self { before: Some(mean), steps: self.steps, step: self.step, ..Self::default() };
    }

    /// The place is another one from now on, or is seen elsewhere.
    pub(super) fn restart(&mut self) {
        *self = Self { steps: self.steps, step: self.step, ..Self::default() };
    }

    /// The variance of an edge of the mean box after so many seconds, in box sizes: the longer, the larger.
    pub(super) fn variance(&self, after_s: f64) -> f32 {
        let usual = USUAL * USUAL;
        let learnt = (usual * USUAL_COUNTS + self.step / 2.0 * self.steps) / (USUAL_COUNTS + self.steps);
        let growth = (after_s / SPAN_S).max(1.0) as f32;
        (learnt.max(LEAST * LEAST) * growth).min(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [f32; 4] = [0.12, 0.1, 0.12, 0.1];
    const VARIANCE: [f32; 4] = [1e-4; 4];

    /// What is known after `boxes` of them, `step_s` seconds apart, of something that stands `aside` in box sizes at a
    /// time.
    fn known(boxes: u32, step_s: f64, aside: impl Fn(f64) -> f32) -> Drift {
        let mut drift = Drift::default();
        for n in 0..boxes {
            let t = step_s * f64::from(n);
            // A deviation of a hundredth.
            let noise = 0.01 * [1.2, -1.2, 0.4, -0.4, 1.3, -1.3, 0.8, -0.8][n as usize % 8];
            let off = aside(t) + noise;
            let edges = std::array::from_fn(|edge| [0.4, 0.5, 0.52, 0.6][edge] + off * SIZE[edge]);
            drift.hear(CaptureTime::default().plus_seconds(t), &edges, SIZE, &VARIANCE);
        }
        drift
    }

    #[test]
    fn what_is_not_known_yet_is_taken_to_be_as_usual() {
        assert_eq!(known(0, 1.0, |_| 0.0).variance(10.0), USUAL * USUAL);
        assert!(known(17, 1.0, |_| 0.0).variance(10.0) > 0.9 * USUAL * USUAL);
        let steady = known(400, 1.0, |_| 0.0);
        assert!(steady.variance(10.0) < 0.2 * USUAL * USUAL, "{}", steady.variance(10.0));
        assert!(steady.variance(10.0) >= LEAST * LEAST);
        assert!(steady.variance(100.0) > 3.0 * steady.variance(10.0), "it wanders further in a longer time");
        assert_eq!(steady.variance(10_000.0), USUAL * USUAL);
    }

    #[test]
    fn what_wanders_is_not_taken_to_be_steady() {
        let wanders = known(400, 1.0, |t| 0.02 * (t / 8.0).sin() as f32);
        assert!(wanders.variance(10.0) > 0.5 * USUAL * USUAL, "{}", wanders.variance(10.0));
    }

    #[test]
    fn only_boxes_that_are_far_apart_in_time_tell() {
        // As many boxes within eight seconds.
        assert_eq!(known(400, 0.02, |_| 0.0).variance(10.0), USUAL * USUAL);
    }
}
