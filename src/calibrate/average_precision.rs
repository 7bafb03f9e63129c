//! Average precision: how well scored boxes find labelled ones, as one number.

use crate::detect::BBox;

/// A box that a detector gave, of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Number of the picture: its position in the truth.
    pub picture: usize,
    /// Score, 0-1.
    pub score: f32,
    /// Where, in the units of the truth.
    pub bbox: BBox,
}

/// A labelled box of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// Where, in the units of what was found.
    pub bbox: BBox,
    /// Whether finding it or not counts neither way, as for what is heavily hidden.
    pub ignore: bool,
}

/// Average precision of `found` against `truth` (one list for each picture), 0-1: the area under precision over
/// recall, where precision at a recall is the best that is reached at that recall or beyond, as PASCAL VOC has
/// it since 2010 (Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", 2015, 2.2).
///
/// Best score first, each box takes the free label of its picture that it overlaps most, if the intersection
/// over union is at least `iou`; a label can be taken once. Boxes of equal score keep their order. `None` when
/// no label counts.
pub fn average_precision(found: &[Found], truth: &[Vec<Truth>], iou: f32) -> Option<f64> {
    let total = truth.iter().flatten().filter(|label| !label.ignore).count();
    if total == 0 {
        return None;
    }
    let mut order: Vec<&Found> = found.iter().collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut taken: Vec<Vec<bool>> = truth.iter().map(|labels| vec![false; labels.len()]).collect();
    let (mut hits, mut boxes) = (0_usize, 0_usize);
    let mut curve = Vec::with_capacity(order.len());
    for found in order {
        let labels = truth.get(found.picture).map_or(&[][..], Vec::as_slice);
        let free = labels.iter().enumerate().filter(|(at, _)| !taken[found.picture][*at]);
        let best =
            free.map(|(at, label)| (found.bbox.iou(&label.bbox), at)).max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((overlap, at)) if overlap >= iou => {
                taken[found.picture][at] = true;
                if labels[at].ignore {
                    continue;
                }
                hits += 1;
            }
            _ => {}
        }
        boxes += 1;
        curve.push((hits as f64 / total as f64, hits as f64 / boxes as f64));
    }
    let (mut area, mut best) = (0.0, 0.0_f64);
    for at in (0..curve.len()).rev() {
        let (recall, precision) = curve[at];
        best = best.max(precision);
        let before = if at == 0 { 0.0 } else { curve[at - 1].0 };
        area += (recall - before) * best;
    }
    Some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f32) -> BBox {
        BBox { x1: x, y1: 0.0, x2: x + 10.0, y2: 10.0 }
    }

    fn found(picture: usize, score: f32, x: f32) -> Found {
        Found { picture, score, bbox: square(x) }
    }

    fn label(x: f32) -> Truth {
        Truth { bbox: square(x), ignore: false }
    }

    fn ap(found: &[Found], truth: &[Vec<Truth>]) -> f64 {
        average_precision(found, truth, 0.5).unwrap()
    }

    #[test]
    fn every_label_found_and_nothing_else_is_one_and_nothing_found_is_nought() {
        let truth = [vec![label(0.0), label(50.0)], vec![label(20.0)]];
        let all = [found(0, 0.9, 0.0), found(0, 0.5, 51.0), found(1, 0.7, 20.0)];
        assert!((ap(&all, &truth) - 1.0).abs() < 1e-12);
        assert_eq!(ap(&[], &truth), 0.0);
        assert_eq!(ap(&[found(0, 0.9, 200.0)], &truth), 0.0);
    }

    #[test]
    fn a_false_box_before_a_true_one_costs_what_it_costs_by_hand() {
        let truth = [vec![label(0.0), label(50.0)]];
        // Right, wrong, right: precision 1 up to recall 1/2, then 2/3.
        let mixed = [found(0, 0.9, 0.0), found(0, 0.8, 200.0), found(0, 0.7, 50.0)];
        assert!((ap(&mixed, &truth) - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        // Wrong, right: precision 1/2 at recall 1/2, and the second label is never found.
        let late = [found(0, 0.9, 200.0), found(0, 0.8, 0.0)];
        assert!((ap(&late, &truth) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_second_box_on_one_label_is_false_and_one_on_an_ignored_label_does_not_count() {
        let twice = [found(0, 0.9, 0.0), found(0, 0.8, 0.0), found(0, 0.7, 50.0)];
        let truth = [vec![label(0.0), label(50.0)]];
        assert!((ap(&twice, &truth) - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        let hidden = Truth { ignore: true, ..label(100.0) };
        let truth = [vec![label(0.0), hidden]];
        let over_hidden = [found(0, 0.9, 100.0), found(0, 0.8, 0.0)];
        assert!((ap(&over_hidden, &truth) - 1.0).abs() < 1e-12);
        assert_eq!(average_precision(&over_hidden, &[vec![hidden]], 0.5), None);
    }

    #[test]
    fn a_box_that_overlaps_too_little_or_lies_in_another_picture_is_false() {
        let truth = [vec![label(0.0)], vec![]];
        // Shifted by 4 of 10: 6 shared of 14.
        assert_eq!(ap(&[found(0, 0.9, 4.0)], &truth), 0.0);
        assert_eq!(ap(&[found(1, 0.9, 0.0)], &truth), 0.0);
        assert_eq!(ap(&[found(7, 0.9, 0.0)], &truth), 0.0);
        // Shifted by 3: 7 of 13.
        assert!((ap(&[found(0, 0.9, 3.0)], &truth) - 1.0).abs() < 1e-12);
    }
}
