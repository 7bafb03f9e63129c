//! How far one detector's boxes are those of another: the F1 of boxes.

use crate::detect::{BBox, Detection};

/// Boxes of two detectors on the same pictures, matched one to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Boxes that both gave.
    pub both: usize,
    /// Boxes that only the reference gave.
    pub only_reference: usize,
    /// Boxes that only the other gave.
    pub only_other: usize,
}

impl Agreement {
    /// Adds one picture. Best score first, each box of `other` takes the free box of `reference` of its class
    /// group that it overlaps most, if the intersection over union is at least `iou`. `group` gives a
    /// detection's class group.
    pub fn add<G: PartialEq>(
        &mut self,
        reference: &[Detection],
        other: &[Detection],
        iou: f32,
        group: impl Fn(&Detection) -> G,
    ) {
        let mut order: Vec<&Detection> = other.iter().collect();
        order.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut free: Vec<(G, BBox)> = reference.iter().map(|d| (group(d), d.bbox)).collect();
        for detection in order {
            let of = group(detection);
            let best = free
                .iter()
                .enumerate()
                .filter(|(_, (group, _))| *group == of)
                .map(|(at, (_, bbox))| (detection.bbox.iou(bbox), at))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            match best {
                Some((overlap, at)) if overlap >= iou => {
                    free.swap_remove(at);
                    self.both += 1;
                }
                _ => self.only_other += 1,
            }
        }
        self.only_reference += free.len();
    }

    /// Twice the shared boxes over all boxes of both, 0-1; `None` when neither gave a box.
    pub fn f1(&self) -> Option<f64> {
        let all = 2 * self.both + self.only_reference + self.only_other;
        (all > 0).then(|| 2.0 * self.both as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Label;

    fn at(label: u16, score: f32, x: f32) -> Detection {
        Detection { label: Label(label), score, bbox: BBox { x1: x, y1: 0.0, x2: x + 0.1, y2: 0.1 } }
    }

    fn compared(reference: &[Detection], other: &[Detection]) -> Agreement {
        let mut agreement = Agreement::default();
        // Labels 1 and 2 are one group.
        agreement.add(reference, other, 0.5, |d| d.label.0.min(1));
        agreement
    }

    #[test]
    fn the_same_boxes_agree_wholly_whatever_their_scores_and_labels_of_one_group() {
        let agreement = compared(&[at(0, 0.9, 0.0), at(1, 0.5, 0.5)], &[at(2, 0.8, 0.5), at(0, 0.46, 0.01)]);
        assert_eq!(agreement, Agreement { both: 2, only_reference: 0, only_other: 0 });
        assert_eq!(agreement.f1(), Some(1.0));
    }

    #[test]
    fn a_lost_a_new_and_a_relabelled_box_each_count() {
        let reference = [at(0, 0.9, 0.0), at(0, 0.9, 0.3), at(0, 0.9, 0.6)];
        let other = [at(0, 0.9, 0.0), at(1, 0.9, 0.3), at(0, 0.9, 0.85)];
        let agreement = compared(&reference, &other);
        assert_eq!(agreement, Agreement { both: 1, only_reference: 2, only_other: 2 });
        assert_eq!(agreement.f1(), Some(1.0 / 3.0));
    }

    #[test]
    fn one_box_is_matched_once_and_no_boxes_are_no_figure() {
        let agreement = compared(&[at(0, 0.9, 0.0)], &[at(0, 0.9, 0.0), at(0, 0.8, 0.0)]);
        assert_eq!(agreement, Agreement { both: 1, only_reference: 0, only_other: 1 });
        assert_eq!(compared(&[], &[]).f1(), None);
        assert_eq!(compared(&[], &[at(0, 0.9, 0.0)]).f1(), Some(0.0));
    }
}
