//! Non-maximum suppression: of several boxes on one object, the one with the best score stays.
//!
//! Classes that detectors confuse on one object are one group: a van that is both "car" and "truck" is one
//! detection, with the label that scored higher.
//!
//! Invariants, each with a test of its name:
//! - the same candidates in any order give the same result, bit for bit;
//! - boxes that are apart never suppress each other;
//! - a box that is not a number neither stays nor suppresses.

use super::heads::Candidate;
use super::{BBox, Vocabulary};
use crate::case::catalog::Catalog;

/// Most candidates that are looked at, best first; the usual bound of detectors of this kind.
const MAX_CANDIDATES: usize = 1000;
/// Most boxes that stay.
const MAX_KEPT: usize = 300;

/// Non-maximum suppression within class groups.
#[derive(Clone, Debug)]
pub struct Nms {
    /// For each class, its group's number.
    groups: Vec<u16>,
    iou: f32,
}

impl Nms {
    /// Suppression above the overlap `iou` (0-1) for the classes of `vocabulary`, grouped as `catalog` says.
    pub fn new(vocabulary: &Vocabulary, catalog: &Catalog, iou: f32) -> Self {
        let mut names: Vec<&str> = Vec::new();
        let groups = vocabulary.names().iter().map(|label| {
            let group = catalog.group(label);
            let at = names.iter().position(|known| *known == group).unwrap_or_else(|| {
                names.push(group);
                names.len() - 1
            });
            at as u16
        });
        Self { groups: groups.collect(), iou }
    }

    /// Drops from `candidates` all that a better one of the same group covers, and sorts them best first. At
    /// most 300 stay. Takes no memory.
    pub fn run(&self, candidates: &mut Vec<Candidate>) {
        candidates.retain(|c| c.score.is_finite() && corners(c).is_sound());
        // Ties are decided by class and proposal, so that the order in which candidates came cannot matter.
        candidates.sort_unstable_by(|a, b| {
            b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)).then(a.anchor.cmp(&b.anchor))
        });
        candidates.truncate(MAX_CANDIDATES);
        let mut kept = 0;
        for at in 0..candidates.len() {
            let candidate = candidates[at];
            let (group, bbox) = (self.group(candidate), corners(&candidate));
            let covered = candidates[..kept]
                .iter()
                .any(|better| self.group(*better) == group && corners(better).iou(&bbox) > self.iou);
            if !covered {
                candidates[kept] = candidate;
                kept += 1;
                if kept == MAX_KEPT {
                    break;
                }
            }
        }
        candidates.truncate(kept);
    }

    fn group(&self, candidate: Candidate) -> u16 {
        self.groups.get(usize::from(candidate.class)).copied().unwrap_or(u16::MAX)
    }
}

fn corners(candidate: &Candidate) -> BBox {
    candidate.corners.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::catalog::CATALOG;

    const PERSON: u16 = 0;
    const CAR: u16 = 1;
    const TRUCK: u16 = 2;

    fn nms() -> Nms {
        let names = ["person", "car", "truck", "bus"].map(str::to_owned).to_vec();
        Nms::new(&Vocabulary::new(names), &CATALOG, 0.6)
    }

    fn at(class: u16, score: f32, anchor: u32, corners: [f32; 4]) -> Candidate {
        Candidate { class, score, corners, anchor }
    }

    fn anchors(mut candidates: Vec<Candidate>) -> Vec<u32> {
        nms().run(&mut candidates);
        candidates.iter().map(|c| c.anchor).collect()
    }

    #[test]
    fn boxes_that_are_apart_never_suppress_each_other() {
        // Apart in both axes: a careless intersection multiplies two negative sides into a large area.
        let far = [at(CAR, 0.9, 0, [0., 0., 10., 10.]), at(CAR, 0.8, 1, [100., 100., 110., 110.])];
        assert_eq!(anchors(far.to_vec()), [0, 1]);
        let touching = [at(CAR, 0.9, 0, [0., 0., 10., 10.]), at(CAR, 0.8, 1, [10., 0., 20., 10.])];
        assert_eq!(anchors(touching.to_vec()), [0, 1]);
    }

    #[test]
    fn the_best_of_identical_boxes_stays() {
        let same = [0.5, 0.9, 0.7].iter().zip(0..).map(|(s, n)| at(PERSON, *s, n, [5., 5., 20., 40.]));
        assert_eq!(anchors(same.collect()), [1]);
    }

    #[test]
    fn a_small_box_inside_a_large_one_stays() {
        let nested = [at(PERSON, 0.9, 0, [0., 0., 100., 100.]), at(PERSON, 0.8, 1, [40., 40., 60., 60.])];
        assert_eq!(anchors(nested.to_vec()), [0, 1]);
    }

    #[test]
    fn a_van_seen_as_car_and_as_truck_is_one_detection_with_the_better_label() {
        let van = vec![at(TRUCK, 0.46, 0, [10., 10., 60., 40.]), at(CAR, 0.45, 1, [11., 10., 60., 41.])];
        assert_eq!(anchors(van), [0]);
        let rider = vec![at(PERSON, 0.6, 0, [10., 10., 60., 40.]), at(CAR, 0.5, 1, [10., 10., 60., 40.])];
        assert_eq!(anchors(rider), [0, 1]);
    }

    #[test]
    fn a_box_that_is_not_a_number_neither_stays_nor_suppresses() {
        let bad = vec![
            at(CAR, 0.9, 0, [f32::NAN, 0., 10., 10.]),
            at(CAR, f32::NAN, 1, [0., 0., 10., 10.]),
            at(CAR, 0.8, 2, [0., 0., f32::INFINITY, 10.]),
            at(CAR, 0.8, 3, [10., 10., 0., 0.]),
            at(CAR, 0.5, 4, [0., 0., 10., 10.]),
        ];
        assert_eq!(anchors(bad), [4]);
    }

    #[test]
    fn the_same_candidates_in_any_order_give_the_same_result_bit_for_bit() {
        let mut candidates: Vec<Candidate> = (0..60)
            .map(|n| {
                let x = (n % 7) as f32 * 3.0;
                at((n % 3) as u16, 0.5 + (n % 4) as f32 * 0.1, n, [x, 0., x + 10., 10.])
            })
            .collect();
        let wanted = anchors(candidates.clone());
        for turn in 1..60 {
            candidates.rotate_left(turn % 11);
            candidates.reverse();
            assert_eq!(anchors(candidates.clone()), wanted);
        }
    }

    #[test]
    fn a_flood_of_candidates_is_bounded() {
        let flood = (0..5000).map(|n| at(CAR, 0.9, n, [n as f32 * 20., 0., n as f32 * 20. + 10., 10.]));
        assert_eq!(anchors(flood.collect()).len(), MAX_KEPT);
    }
}
