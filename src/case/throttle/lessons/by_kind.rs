//! What was learnt, camera by camera and kind by kind, for people to see.

use super::{DoubtfulPlace, Lessons, Line, Sample, Spot, chance, fresh};
use crate::clock::CaptureTime;

/// Halvings of the interval in which the least score is looked for: to the fourth decimal.
const HALVINGS: usize = 14;

/// What was learnt of one kind of case on one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct KindLessons {
    /// The camera.
    pub camera: String,
    /// The kind.
    pub kind: String,
    /// Reviewed cases that are remembered: confirmed or duplicate, and rejected.
    pub verdicts: (u32, u32),
    /// Cases that are remembered, reviewed or not.
    pub cases: u32,
    /// Share of true cases among all that are remembered, and among those that would be told now (`None` when none
    /// would), as estimated.
    pub precision: (f64, Option<f64>),
    /// Share of the true cases that would be told now, as estimated; `None` without any.
    pub recall: Option<f64>,
    /// What scores are worth: natural log-odds for each unit of score, and the score that says nothing; `None` while
    /// too little is known, so that all scores count the same.
    pub map: Option<(f64, f64)>,
    /// Cases of lower scores are held back in a place of which nothing is known; `None` when none are.
    pub least_score: Option<f64>,
    /// The places that a reviewer has said something of.
    pub places: Vec<PlaceLessons>,
}

/// What was learnt of one place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceLessons {
    /// What is known of it.
    pub place: DoubtfulPlace,
    /// Whether cases such as the latest are held back there.
    pub is_held_back: bool,
    /// When a case was last told there: since then they are held back.
    pub told_at: CaptureTime,
}

impl Lessons {
    /// What was learnt of each camera and kind that something was said of, in the order of their names.
    pub(super) fn by_kind(&self) -> Vec<KindLessons> {
        let mut found: Vec<(&str, &str)> = self
            .spots
            .iter()
            .filter(|spot| spot.shares.is_some())
            .map(|spot| (spot.place.camera.as_str(), spot.place.key.kind.as_str()))
            .collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|(camera, kind)| self.of_kind(camera, kind)).collect()
    }

    fn of_kind(&self, camera: &str, kind: &str) -> KindLessons {
        let is_here = |spot: &&Spot| spot.place.camera == camera && spot.place.key.kind == kind;
        let here: Vec<&Spot> = self.spots.iter().filter(is_here).collect();
        let of = |sample: &&Sample| here.iter().any(|spot| spot.number == sample.spot);
        let samples: Vec<&Sample> = self.samples.iter().filter(of).collect();
        let count = |right: bool| samples.iter().filter(|s| s.right == Some(right)).count() as u32;
        let (mut all, mut told) = ((0.0, 0.0), (0.0, 0.0));
        for (chance, truth) in samples.iter().filter_map(|sample| self.judged(sample)) {
            all = (all.0 + 1.0, all.1 + truth);
            if chance >= self.cut {
                told = (told.0 + 1.0, told.1 + truth);
            }
        }
        let share = |(n, of): (f64, f64)| (n > 0.0).then(|| of / n);
        let line = here.first().map_or(Line::FLAT, |spot| self.line(&spot.place));
        KindLessons {
            camera: camera.to_owned(),
            kind: kind.to_owned(),
            verdicts: (count(true), count(false)),
            cases: samples.len() as u32,
            precision: (share(all).unwrap_or_default(), share(told)),
            recall: share((all.1, told.1)),
            map: (line.slope > 0.0).then_some((line.slope, line.middle)),
            least_score: self.least_score(line),
            places: here
                .iter()
                .filter(|spot| spot.shares.is_some())
                .map(|spot| PlaceLessons {
                    place: self.doubtful(spot),
                    is_held_back: self.is_doubtful(spot),
                    told_at: spot.told_at,
                })
                .collect(),
        }
    }

    /// The score below which `line` and the cut hold back a case in a place of which nothing is known.
    fn least_score(&self, line: Line) -> Option<f64> {
        let places = self.places.unwrap_or(fresh());
        let is_told = |score: f64| chance(&places, line.odds(score)) >= self.cut;
        if self.cut <= 0.0 || is_told(0.0) {
            return None;
        }
        let (mut held, mut told) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(held, told);
            *(if is_told(middle) { &mut told } else { &mut held }) = middle;
        }
        Some(told)
    }
}
