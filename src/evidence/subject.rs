//! What has to be hidden in a picture, and where: the head of a person, the plate of a vehicle, and faces and plates
//! that were found by themselves.
//!
//! Boxes come from a detector and are imprecise, cut off by the picture or by the tile that was looked at, and
//! may hold only a part of the person or vehicle. Every rule here errs towards hiding more.

use crate::detect::{BBox, Detection, Vocabulary};

/// Labels of persons.
pub(super) const PERSONS: [&str; 1] = ["person"];
/// Labels of vehicles that carry plates.
pub(super) const VEHICLES: [&str; 4] = ["car", "truck", "bus", "motorcycle"];

/// Share of a standing person's box that is hidden from its top. A head is about 1/7.5 of the height; the
/// rest is for stooping, hats and boxes that start too high.
const HEAD_SHARE: f32 = 0.30;
/// Persons lower than this many pixels: their boxes are off by a large part of a head, so half is hidden.
const SMALL_PERSON_PX: f32 = 60.0;
/// Share hidden of small persons, and of persons that the edge cuts off below: less body, more head.
const UPPER_HALF: f32 = 0.5;
/// A box wider than this share of its height is no standing person in full (shoulders are 1/4 of the height,
/// a long stride or a bag makes it 0.45): sitting, lying, or only head and shoulders.
const STANDING_ASPECT: f32 = 0.45;
/// Of such a box this much of its width is hidden from the top. A head alone is 3/4 as wide as it is high, so
/// a head never reaches further down than 1.35 box widths, whatever part of the body the box holds.
const HEAD_HEIGHT_PER_WIDTH: f32 = 1.35;
/// Heads are extended by this share of the box to each side and upwards.
const HEAD_MARGIN: (f32, f32) = (0.15, 0.10);

/// Share of a vehicle's box that is hidden from its bottom. Front plates hang on the bumper, but rear plates
/// of saloons, hatchbacks and vans sit on the boot lid or tail gate, their upper edge up to 1 m above the
/// ground on a body of 1.45 to 1.9 m.
const PLATE_SHARE: f32 = 0.65;
/// Plates are extended by this share of the box to each side and downwards.
const PLATE_MARGIN: (f32, f32) = (0.04, 0.06);
/// Vehicles lower and narrower than these pixels carry no legible plate. A character on a plate is 90 mm high
/// on a body of 1.45 m (GA 36), 6 % of the box: 2 pixels at a height of 32, where reading needs 7 or more. The
/// width counts for vehicles of which only a low part is to be seen.
const LEGIBLE_VEHICLE_PX: (f32, f32) = (64.0, 32.0);

/// Faces are extended by this share of their box to each side, upwards and downwards: the box ends at the brow, the
/// ears and the chin.
const FACE_MARGIN: (f32, f32, f32) = (0.30, 0.45, 0.25);
/// Plates found by themselves are extended by this share of their width and height on each side.
const FOUND_PLATE_MARGIN: (f32, f32) = (0.12, 0.35);

/// A box this near to the edge of the window it was found in counts as cut off by it; share of the window.
const CUT: f32 = 0.02;
/// Least margin in pixels, whatever the box.
const LEAST_MARGIN_PX: f32 = 3.0;

/// Whose privacy is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person: the head is hidden.
    Person,
    /// A vehicle with a plate: the plate area is hidden.
    Vehicle,
    /// A face: it is hidden whole, with what is around it.
    Face,
    /// A plate: it is hidden whole, with its rim.
    Plate,
}

/// One person, vehicle, face or plate in a picture, with boxes 0-1 in the whole picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subject {
    /// Whose privacy is at stake.
    pub who: Who,
    /// Where it is.
    pub bbox: BBox,
    /// The part of the picture that was looked at when it was found; what lies on its edge is cut off.
    pub window: BBox,
}

/// A rectangle of pixels, `x1` and `y1` included, `x2` and `y2` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelRect {
    /// Left.
    pub x1: u32,
    /// Top.
    pub y1: u32,
    /// One past the right.
    pub x2: u32,
    /// One past the bottom.
    pub y2: u32,
}

impl Subject {
    /// The subject behind `detection`; `None` when its label is neither a person nor a vehicle with a plate.
    pub fn of(detection: &Detection, vocabulary: &Vocabulary, window: BBox) -> Option<Self> {
        let name = vocabulary.name(detection.label);
        let who = if PERSONS.contains(&name) {
            Who::Person
        } else if VEHICLES.contains(&name) {
            Who::Vehicle
        } else {
            return None;
        };
        Some(Self { who, bbox: detection.bbox, window })
    }

    /// The pixels to hide in a picture of `width` x `height`; `None` when nothing of it is in the picture, or
    /// when it is a vehicle too small for a legible plate.
    pub fn region(&self, width: u32, height: u32) -> Option<PixelRect> {
        let (w, h) = (self.bbox.width() * width as f32, self.bbox.height() * height as f32);
        let (left, right) = (self.bbox.x1 * width as f32, self.bbox.x2 * width as f32);
        let (top, bottom) = (self.bbox.y1 * height as f32, self.bbox.y2 * height as f32);
        let slack = CUT * self.window.height();
        let cut_above = self.bbox.y1 <= self.window.y1 + slack;
        let cut_below = self.bbox.y2 >= self.window.y2 - slack;
        let margin = |share: f32, of: f32| (share * of).max(LEAST_MARGIN_PX);
        let (x1, y1, x2, y2) = match self.who {
            Who::Person => {
                let mut head = if cut_below || h < SMALL_PERSON_PX { UPPER_HALF * h } else { HEAD_SHARE * h };
                if w > STANDING_ASPECT * h {
                    head = head.max((HEAD_HEIGHT_PER_WIDTH * w).min(h));
                }
                let (side, above) = (margin(HEAD_MARGIN.0, w), margin(HEAD_MARGIN.1, h));
                (left - side, top - above, right + side, top + head)
            }
            Who::Vehicle => {
                let small = w < LEGIBLE_VEHICLE_PX.0 && h < LEGIBLE_VEHICLE_PX.1;
                if small && !cut_above && !cut_below {
                    return None;
                }
                // What is cut off above may be all roof: then the plate may be anywhere in the box.
                let plate = if cut_above { h } else { PLATE_SHARE * h };
                let (side, below) = (margin(PLATE_MARGIN.0, w), margin(PLATE_MARGIN.1, h));
                (left - side, bottom - plate, right + side, bottom + below)
            }
            Who::Face => {
                let side = margin(FACE_MARGIN.0, w);
                let (above, below) = (margin(FACE_MARGIN.1, h), margin(FACE_MARGIN.2, h));
                self.grown_where_cut((left - side, top - above, right + side, bottom + below), (w, h))
            }
            Who::Plate => {
                let (side, above) = (margin(FOUND_PLATE_MARGIN.0, w), margin(FOUND_PLATE_MARGIN.1, h));
                self.grown_where_cut((left - side, top - above, right + side, bottom + above), (w, h))
            }
        };
        // A float that is out of range or not a number becomes the nearest bound, or 0.
        let (low, high) = (|v: f32| v.floor().max(0.0) as u32, |v: f32| v.ceil().max(0.0) as u32);
        let rect = PixelRect { x1: low(x1), y1: low(y1), x2: high(x2).min(width), y2: high(y2).min(height) };
        (rect.x1 < rect.x2 && rect.y1 < rect.y2).then_some(rect)
    }

    /// `sides` (left, top, right, bottom), with each side at which the window cuts the box moved outwards by the
    /// box's own size: no more than half of a thing is found where the rest is out of sight.
    fn grown_where_cut(&self, sides: (f32, f32, f32, f32), (w, h): (f32, f32)) -> (f32, f32, f32, f32) {
        let (bbox, window) = (&self.bbox, &self.window);
        let (dx, dy) = (CUT * window.width(), CUT * window.height());
        let grown = |cut: bool, by: f32| if cut { by } else { 0.0 };
        (
            sides.0 - grown(bbox.x1 <= window.x1 + dx, w),
            sides.1 - grown(bbox.y1 <= window.y1 + dy, h),
            sides.2 + grown(bbox.x2 >= window.x2 - dx, w),
            sides.3 + grown(bbox.y2 >= window.y2 - dy, h),
        )
    }

    /// Whether both boxes are of one and the same thing: they share half their area, or one lies
    /// mostly within the other, as the boxes of a whole view and of a tile do.
    pub fn same_as(&self, other: &Self) -> bool {
        self.who == other.who
            && (self.bbox.iou(&other.bbox) > 0.5
                || self.bbox.covered_by(&other.bbox) > 0.7
                || other.bbox.covered_by(&self.bbox) > 0.7)
    }
}
