//! What part of a picture a look examines: the whole of it, or crops around the zones at up to the camera's own
//! resolution, in which far and small things are large enough for the model.
//!
//! Invariants, each with a test of its name:
//! - every crop lies in the picture and holds its zone;
//! - no crop is smaller than the model's input where the picture is larger;
//! - a thing that two crops show is one detection.

use crate::case::catalog::CATALOG;
use crate::config::LookAt;
use crate::detect::{BBox, Detection, Detector, Vocabulary};
use crate::error::Result;
use crate::frame::Frame;
use crate::plan::CameraPlan;

/// Margin of a crop around its zone on each side, as a part of the zone's size: what stands on the edge of a
/// zone reaches out of it.
const MARGIN: f32 = 0.15;
/// Two crops that share this part of the smaller one become one.
const MERGED_FROM: f32 = 0.5;
/// A crop that covers this part of the picture shows nothing larger than the whole picture does.
const USELESS_FROM: f32 = 0.8;
/// Of two boxes of one class group that overlap by more than this (intersection over union), the lower score is
/// dropped.
const SAME_IOU: f32 = 0.6;
/// A cut box is dropped when a whole one covers this part of it.
const SAME_COVER: f32 = 0.7;
/// How near to a crop's edge, as a part of the crop's side, a box counts as cut by it.
const CUT_WITHIN: f32 = 0.01;

/// The views of one camera.
#[derive(Debug)]
pub(super) struct Views {
    look_at: LookAt,
    /// Bounding boxes of the zones.
    zones: Vec<BBox>,
    /// Sizes of frame and model's input that `crops` are for.
    sizes: [(usize, usize); 2],
    crops: Vec<BBox>,
    marks: Marks,
    crops_next: bool,
}

/// What is known about each detection of the look in hand; kept so that a look takes no memory.
#[derive(Debug, Default)]
struct Marks {
    /// Which crop shows it.
    origins: Vec<usize>,
    /// Whether an inner edge of that crop cuts it.
    cut: Vec<bool>,
    /// Whether it gives way to another.
    dropped: Vec<bool>,
}

impl Marks {
    /// Leaves one detection of each thing. A box that an inner edge of its crop cuts gives way to a whole one
    /// that covers it; else, of two that overlap, the better score stays.
    fn merge(&mut self, found: &mut Vec<Detection>, crops: &[BBox], vocabulary: &Vocabulary) {
        let group = |seen: &Detection| CATALOG.group(vocabulary.name(seen.label));
        let Self { origins, cut, dropped } = self;
        cut.clear();
        cut.extend(found.iter().zip(&*origins).map(|(seen, origin)| is_cut(&seen.bbox, &crops[*origin])));
        let gives_way = |at: usize, other: usize| {
            let (seen, rival) = (&found[at], &found[other]);
            if origins[at] == origins[other] || group(seen) != group(rival) {
                return false;
            }
            if cut[at] != cut[other] {
                return cut[at] && seen.bbox.covered_by(&rival.bbox) > SAME_COVER;
            }
            let better = rival.score > seen.score || (rival.score == seen.score && other < at);
            better && seen.bbox.iou(&rival.bbox) > SAME_IOU
        };
        dropped.clear();
        dropped.extend((0..found.len()).map(|at| (0..found.len()).any(|other| gives_way(at, other))));
        let mut dropped = dropped.iter();
        found.retain(|_| !dropped.next().is_some_and(|dropped| *dropped));
    }
}

impl Views {
    /// The views of `camera`.
    pub(super) fn new(camera: &CameraPlan) -> Self {
        let mut zones = Vec::new();
        for rule in &camera.rules {
            let bounds = bounds(rule.polygon.corners());
            if !zones.contains(&bounds) {
                zones.push(bounds);
            }
        }
        Self {
            look_at: camera.look_at,
            zones,
            sizes: Default::default(),
            crops: Vec::new(),
            marks: Marks::default(),
            crops_next: false,
        }
    }

    /// Looks at `frame` and replaces the contents of `out` with what was found, at least `min_score`; boxes are
    /// 0-1 in the whole picture.
    ///
    /// # Errors
    /// When inference fails.
    pub(super) fn look(
        &mut self,
        frame: &Frame,
        detector: &mut dyn Detector,
        min_score: f32,
        out: &mut Vec<Detection>,
    ) -> Result<()> {
        let at_crops = match self.look_at {
            LookAt::Whole => false,
            LookAt::Zones => true,
            LookAt::Alternate => self.crops_next,
        };
        self.crops_next = !at_crops;
        if !at_crops {
            return detector.detect(frame, min_score, out);
        }
        let sizes = [(frame.width, frame.height), detector.input_size()];
        if sizes != self.sizes {
            self.sizes = sizes;
            self.crops = crops(&self.zones, sizes[0], sizes[1]);
        }
        out.clear();
        self.marks.origins.clear();
        for (origin, crop) in self.crops.iter().enumerate() {
            detector.detect_region(frame, *crop, min_score, out)?;
            self.marks.origins.resize(out.len(), origin);
        }
        if self.crops.len() > 1 {
            self.marks.merge(out, &self.crops, detector.vocabulary());
        }
        Ok(())
    }
}

fn bounds(corners: &[[f32; 2]]) -> BBox {
    let start = BBox { x1: 1.0, y1: 1.0, x2: 0.0, y2: 0.0 };
    corners.iter().fold(start, |b, [x, y]| BBox {
        x1: b.x1.min(*x),
        y1: b.y1.min(*y),
        x2: b.x2.max(*x),
        y2: b.y2.max(*y),
    })
}

fn union(a: &BBox, b: &BBox) -> BBox {
    BBox { x1: a.x1.min(b.x1), y1: a.y1.min(b.y1), x2: a.x2.max(b.x2), y2: a.y2.max(b.y2) }
}

/// The crops of a picture of `frame` pixels that show `zones` to a model that takes `input` pixels; the whole
/// picture where a crop would show nothing larger.
fn crops(zones: &[BBox], frame: (usize, usize), input: (usize, usize)) -> Vec<BBox> {
    let mut crops: Vec<BBox> = zones.iter().map(|zone| around(zone, frame, input)).collect();
    while let Some((a, b)) = together(&crops) {
        let second = crops.swap_remove(b);
        crops[a] = shaped(union(&crops[a], &second), frame, input);
    }
    if crops.is_empty() || crops.iter().any(|crop| crop.area() >= USELESS_FROM) {
        return vec![BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 }];
    }
    crops
}

/// The first two crops, the lower position first, that overlap enough to be one.
fn together(crops: &[BBox]) -> Option<(usize, usize)> {
    (0..crops.len()).flat_map(|b| (0..b).map(move |a| (a, b))).find(|(a, b)| {
        let smaller = crops[*a].area().min(crops[*b].area());
        crops[*a].intersection(&crops[*b]) >= MERGED_FROM * smaller
    })
}

fn around(zone: &BBox, frame: (usize, usize), input: (usize, usize)) -> BBox {
    let (x, y) = (zone.width() * MARGIN, zone.height() * MARGIN);
    let padded = BBox { x1: zone.x1 - x, y1: zone.y1 - y, x2: zone.x2 + x, y2: zone.y2 + y };
    shaped(padded.clamped(), frame, input)
}

/// `crop` grown to the model's input, so that no pixel is shown enlarged, and to the input's shape, so that the
/// input has no bars; as far as the picture reaches.
fn shaped(crop: BBox, frame: (usize, usize), input: (usize, usize)) -> BBox {
    let pixels = |part: f32, whole: usize| part * whole as f32;
    let (width, height) = (pixels(crop.width(), frame.0), pixels(crop.height(), frame.1));
    let (least_width, least_height) = (input.0 as f32, input.1 as f32);
    let scale = (width / least_width).max(height / least_height).max(1.0);
    let grown = |from: f32, to: f32, wanted: f32, whole: usize| {
        let length = (wanted / whole as f32).min(1.0);
        let start = ((from + to - length) / 2.0).clamp(0.0, 1.0 - length);
        (start.min(from), (start + length).max(to))
    };
    let (x1, x2) = grown(crop.x1, crop.x2, least_width * scale, frame.0);
    let (y1, y2) = grown(crop.y1, crop.y2, least_height * scale, frame.1);
    BBox { x1, y1, x2, y2 }
}

/// Whether an edge of `crop` that is not an edge of the picture cuts `bbox`.
fn is_cut(bbox: &BBox, crop: &BBox) -> bool {
    let (x, y) = (crop.width() * CUT_WITHIN, crop.height() * CUT_WITHIN);
    (crop.x1 > 0.0 && bbox.x1 < crop.x1 + x)
        || (crop.y1 > 0.0 && bbox.y1 < crop.y1 + y)
        || (crop.x2 < 1.0 && bbox.x2 > crop.x2 - x)
        || (crop.y2 < 1.0 && bbox.y2 > crop.y2 - y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Label;

    const FRAME: (usize, usize) = (1920, 1080);
    const INPUT: (usize, usize) = (416, 416);

    fn zone(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    fn holds(outer: &BBox, inner: &BBox) -> bool {
        let e = 1e-5;
        outer.x1 <= inner.x1 + e
            && outer.y1 <= inner.y1 + e
            && outer.x2 >= inner.x2 - e
            && outer.y2 >= inner.y2 - e
    }

    fn zones() -> [BBox; 5] {
        [
            zone(0.0, 0.0, 0.1, 0.05),
            zone(0.45, 0.4, 0.46, 0.42),
            zone(0.9, 0.9, 1.0, 1.0),
            zone(0.0, 0.5, 0.6, 0.55),
            zone(0.7, 0.1, 0.75, 0.6),
        ]
    }

    #[test]
    fn every_crop_lies_in_the_picture_and_holds_its_zone() {
        for frame in [FRAME, (3840, 2160), (640, 360), (320, 1000)] {
            for zone in zones() {
                let crops = crops(&[zone], frame, INPUT);
                assert!(crops.len() == 1 && holds(&crops[0], &zone), "{zone:?} {crops:?}");
                assert!(holds(&BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 }, &crops[0]), "{crops:?}");
            }
        }
    }

    #[test]
    fn no_crop_is_smaller_than_the_models_input_where_the_picture_is_larger() {
        for zone in zones() {
            let crop = crops(&[zone], FRAME, INPUT)[0];
            let (width, height) = (crop.width() * 1920.0, crop.height() * 1080.0);
            assert!(width > 415.9 && height > 415.9, "{width}x{height}");
        }
        assert_eq!(crops(&[zones()[1]], (400, 300), INPUT), [zone(0.0, 0.0, 1.0, 1.0)]);
    }

    #[test]
    fn zones_that_lie_together_share_a_crop_and_those_apart_do_not() {
        let near = [zone(0.1, 0.1, 0.2, 0.2), zone(0.12, 0.12, 0.22, 0.25)];
        assert_eq!(crops(&near, FRAME, INPUT).len(), 1);
        let apart = [zone(0.1, 0.1, 0.2, 0.2), zone(0.8, 0.7, 0.9, 0.8)];
        assert_eq!(crops(&apart, FRAME, INPUT).len(), 2);
        let all = crops(&[zone(0.02, 0.02, 0.95, 0.97)], FRAME, INPUT);
        assert_eq!(all, [zone(0.0, 0.0, 1.0, 1.0)], "a crop of nearly all is the whole picture");
    }

    #[test]
    fn a_thing_that_two_crops_show_is_one_detection() {
        let vocabulary = Vocabulary::new(vec!["person".to_owned(), "car".to_owned(), "truck".to_owned()]);
        let crops = [zone(0.0, 0.0, 0.5, 0.5), zone(0.4, 0.0, 0.9, 0.5)];
        let seen = |label, score, bbox| Detection { label: Label(label), score, bbox };
        // A car seen by both, a truck whose left end only the first crop has, a person in front of the car.
        let found = [
            (0, seen(1, 0.6, zone(0.41, 0.1, 0.49, 0.2))),
            (0, seen(2, 0.9, zone(0.43, 0.3, 0.5, 0.4))),
            (0, seen(0, 0.5, zone(0.41, 0.1, 0.49, 0.2))),
            (1, seen(1, 0.7, zone(0.41, 0.1, 0.492, 0.2))),
            (1, seen(2, 0.8, zone(0.43, 0.3, 0.62, 0.4))),
        ];
        let (origins, mut found): (Vec<usize>, Vec<Detection>) = found.into_iter().unzip();
        Marks { origins, ..Marks::default() }.merge(&mut found, &crops, &vocabulary);
        let left: Vec<_> = found.iter().map(|seen| (seen.label.0, seen.score)).collect();
        assert_eq!(left, [(0, 0.5), (1, 0.7), (2, 0.8)]);
    }

    /// `picture` shrunk `by` times and laid at `at` into a grey picture of 1080p.
    fn far_away(picture: &Frame, by: usize, at: (usize, usize)) -> Frame {
        let paste = |from: &[u8], width: usize, to: &mut [u8], stride: usize, at: (usize, usize)| {
            for y in 0..from.len() / width / by {
                for x in 0..width / by {
                    let block = (0..by * by).map(|n| from[(y * by + n / by) * width + x * by + n % by]);
                    let mean = block.map(usize::from).sum::<usize>() / (by * by);
                    to[(at.1 + y) * stride + at.0 + x] = mean as u8;
                }
            }
        };
        let mut frame = Frame { width: FRAME.0, height: FRAME.1, ..picture.clone() };
        let area = FRAME.0 * FRAME.1;
        (frame.y, frame.u, frame.v) = (vec![120; area], vec![128; area / 4], vec![128; area / 4]);
        let half = (at.0 / 2, at.1 / 2);
        paste(&picture.y, picture.width, &mut frame.y, FRAME.0, at);
        paste(&picture.u, picture.width / 2, &mut frame.u, FRAME.0 / 2, half);
        paste(&picture.v, picture.width / 2, &mut frame.v, FRAME.0 / 2, half);
        frame
    }

    #[test]
    fn a_far_person_is_found_in_the_crop_and_not_in_the_whole_picture() {
        let mut picture = Frame::default();
        let reader = &mut crate::source::PictureReader::default();
        reader.read("tests/data/people.jpg".as_ref(), &mut picture).unwrap();
        let mut detector =
            crate::detect::OnnxDetector::open("models/nanodet-g-416".as_ref(), None, 1).unwrap();
        // The person in front is 32 by 104 pixels, so about 6 by 21 here.
        let frame = far_away(&picture, 5, (1200, 400));
        let person = BBox {
            x1: (1200.0 + 617.0 / 5.0) / 1920.0,
            y1: (400.0 + 264.0 / 5.0) / 1080.0,
            x2: (1200.0 + 650.0 / 5.0) / 1920.0,
            y2: (400.0 + 368.0 / 5.0) / 1080.0,
        };
        let mut views = Views {
            look_at: LookAt::Alternate,
            zones: vec![zone(0.66, 0.40, 0.72, 0.50)],
            sizes: Default::default(),
            crops: Vec::new(),
            marks: Marks::default(),
            crops_next: false,
        };
        let (label, mut found) = (detector.vocabulary().find("person").unwrap(), Vec::new());
        let mut best = || {
            views.look(&frame, &mut detector, 0.35, &mut found).unwrap();
            let persons = found.iter().filter(|seen| seen.label == label);
            persons.map(|seen| seen.bbox.iou(&person)).fold(0.0, f32::max)
        };
        assert!(best() < 0.3, "the whole picture shows the person at 5 pixels");
        assert!(best() > 0.6, "the crop shows the person at its own size");
        assert!(best() < 0.3, "the views take turns");
    }
}
