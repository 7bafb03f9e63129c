//! How far one detector's boxes are those of another: the F1 of boxes.
//!
//! With a margin, a box that one gives counts as shared when the other gives it a little below the threshold:
//! whatever changes scores by a hundredth moves boxes across a threshold, and that alone loses nothing.

use crate::detect::Detection;

/// Boxes of two detectors on the same pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Boxes of the reference.
    pub reference: usize,
    /// Boxes of the reference that the other gave too.
    pub reference_shared: usize,
    /// Boxes of the other.
    pub other: usize,
    /// Boxes of the other that the reference gave too.
    pub other_shared: usize,
}

/// What counts as a box, and as the same box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Least score of a box, 0-1.
    pub score: f32,
    /// How far below `score` the other detector may give it.
    pub margin: f32,
    /// Least overlap (intersection over union) of two boxes that are one.
    pub iou: f32,
}

impl Agreement {
    /// Adds one picture; both lists hold all boxes of at least `score - margin`. Best score first, each box of one
    /// list takes the free box of the other of its class group that it overlaps most, if that is enough. `group`
    /// gives a detection's class group.
    pub fn add<G: PartialEq>(
        &mut self,
        reference: &[Detection],
        other: &[Detection],
        terms: Terms,
        group: impl Fn(&Detection) -> G,
    ) {
        for (from, to, boxes, shared) in [
            (reference, other, &mut self.reference, &mut self.reference_shared),
            (other, reference, &mut self.other, &mut self.other_shared),
        ] {
            let mut order: Vec<&Detection> = from.iter().filter(|d| d.score >= terms.score).collect();
            order.sort_by(|a, b| b.score.total_cmp(&a.score));
            *boxes += order.len();
            let mut free: Vec<&Detection> =
                to.iter().filter(|d| d.score >= terms.score - terms.margin).collect();
            for detection in order {
                let of_group = free.iter().enumerate().filter(|(_, d)| group(d) == group(detection));
                let best = of_group
                    .map(|(at, d)| (detection.bbox.iou(&d.bbox), at))
                    .max_by(|a, b| a.0.total_cmp(&b.0));
                if let Some((_, at)) = best.filter(|(overlap, _)| *overlap >= terms.iou) {
                    free.swap_remove(at);
                    *shared += 1;
                }
            }
        }
    }

    /// The harmonic mean of both shares of shared boxes, 0-1; `None` when neither gave a box.
    pub fn f1(&self) -> Option<f64> {
        let share = |shared: usize, all: usize| if all == 0 { 0.0 } else { shared as f64 / all as f64 };
        let recall = share(self.reference_shared, self.reference);
        let precision = share(self.other_shared, self.other);
        if self.reference + self.other == 0 {
            None
        } else if recall + precision == 0.0 {
            Some(0.0)
        } else {
            Some(2.0 * recall * precision / (recall + precision))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{BBox, Label};

    fn at(label: u16, score: f32, x: f32) -> Detection {
        Detection { label: Label(label), score, bbox: BBox { x1: x, y1: 0.0, x2: x + 0.1, y2: 0.1 } }
    }

    fn compared(reference: &[Detection], other: &[Detection], margin: f32) -> Agreement {
        let mut agreement = Agreement::default();
        // Labels 1 and 2 are one group.
        let terms = Terms { score: 0.45, margin, iou: 0.5 };
        agreement.add(reference, other, terms, |d| d.label.0.min(1));
        agreement
    }

    fn counts(a: Agreement) -> [usize; 4] {
        [a.reference, a.reference_shared, a.other, a.other_shared]
    }

    #[test]
    fn the_same_boxes_agree_wholly_whatever_their_scores_and_labels_of_one_group() {
        let other = [at(2, 0.8, 0.5), at(0, 0.46, 0.01)];
        let agreement = compared(&[at(0, 0.9, 0.0), at(1, 0.5, 0.5)], &other, 0.0);
        assert_eq!(counts(agreement), [2, 2, 2, 2]);
        assert_eq!(agreement.f1(), Some(1.0));
    }

    #[test]
    fn a_lost_a_new_and_a_relabelled_box_each_count() {
        let reference = [at(0, 0.9, 0.0), at(0, 0.9, 0.3), at(0, 0.9, 0.6)];
        let other = [at(0, 0.9, 0.0), at(1, 0.9, 0.3), at(0, 0.9, 0.85)];
        let agreement = compared(&reference, &other, 0.05);
        assert_eq!(counts(agreement), [3, 1, 3, 1]);
        assert!((agreement.f1().unwrap() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_box_just_below_the_threshold_is_shared_with_a_margin_and_lost_without() {
        let (reference, other) = ([at(0, 0.46, 0.0), at(0, 0.9, 0.5)], [at(0, 0.42, 0.0), at(0, 0.9, 0.5)]);
        assert_eq!(counts(compared(&reference, &other, 0.05)), [2, 2, 1, 1]);
        assert_eq!(compared(&reference, &other, 0.05).f1(), Some(1.0));
        assert_eq!(counts(compared(&reference, &other, 0.0)), [2, 1, 1, 1]);
        // Recall 1/2, precision 1.
        assert!((compared(&reference, &other, 0.0).f1().unwrap() - 2.0 / 3.0).abs() < 1e-12);
        let gone = [at(0, 0.39, 0.0), at(0, 0.9, 0.5)];
        assert_eq!(counts(compared(&reference, &gone, 0.05)), [2, 1, 1, 1]);
    }

    #[test]
    fn one_box_is_matched_once_and_no_boxes_are_no_figure() {
        let agreement = compared(&[at(0, 0.9, 0.0)], &[at(0, 0.9, 0.0), at(0, 0.8, 0.0)], 0.0);
        assert_eq!(counts(agreement), [1, 1, 2, 1]);
        assert_eq!(compared(&[], &[], 0.0).f1(), None);
        assert_eq!(compared(&[], &[at(0, 0.9, 0.0)], 0.0).f1(), Some(0.0));
    }
}
