//! How large something must be, and may be, for a rule to be about it.

use crate::detect::BBox;
use crate::place::Ground;

/// Limits on the size of an object. What has none is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SizeLimits {
    /// Least height in the picture, 0-1.
    pub min_height: Option<f32>,
    /// Most height in the picture, 0-1.
    pub max_height: Option<f32>,
    /// Least width in metres at the line on which it stands.
    pub min_width_m: Option<f64>,
    /// Most width in metres there.
    pub max_width_m: Option<f64>,
}

impl SizeLimits {
    /// Whether they ask for metres, which only a camera with known ground has.
    pub fn are_metric(&self) -> bool {
        self.min_width_m.is_some() || self.max_width_m.is_some()
    }

    /// Whether `bbox` keeps them, on the camera's `ground`. What stands where metres cannot be told, at the horizon
    /// or beyond reach, keeps no limit in metres.
    pub fn allow(&self, bbox: &BBox, ground: Option<&Ground>) -> bool {
        let height = bbox.height();
        if self.min_height.is_some_and(|least| height < least)
            || self.max_height.is_some_and(|most| height > most)
        {
            return false;
        }
        if !self.are_metric() {
            return true;
        }
        ground.and_then(|ground| ground.width_m(bbox)).is_some_and(|width| {
            self.min_width_m.is_none_or(|least| width >= least)
                && self.max_width_m.is_none_or(|most| width <= most)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Coordinates, Homography, Plane};

    /// Ground of 40 m by 20 m from straight above.
    fn ground() -> Ground {
        let homography = Homography::new([[40.0, 0.0, 0.0], [0.0, -20.0, 0.0], [0.0, 0.0, 1.0]]).unwrap();
        Ground::new(homography, Plane::new(Coordinates::Wgs84, [113.6, 34.75]), None)
    }

    /// A box 4 m wide and 0.1 of the picture high.
    const CAR: BBox = BBox { x1: 0.5, y1: 0.4, x2: 0.6, y2: 0.5 };

    #[test]
    fn limits_hold_on_both_sides_in_the_picture_and_in_metres() {
        let none = SizeLimits::default();
        for (limits, expected) in [
            (none, true),
            (SizeLimits { min_height: Some(0.09), max_height: Some(0.11), ..none }, true),
            (SizeLimits { min_height: Some(0.11), ..none }, false),
            (SizeLimits { max_height: Some(0.09), ..none }, false),
            (SizeLimits { min_width_m: Some(3.9), max_width_m: Some(4.1), ..none }, true),
            (SizeLimits { min_width_m: Some(4.1), ..none }, false),
            (SizeLimits { max_width_m: Some(3.9), ..none }, false),
        ] {
            assert_eq!(limits.allow(&CAR, Some(&ground())), expected, "{limits:?}");
        }
    }

    #[test]
    fn where_metres_cannot_be_told_no_limit_in_metres_is_kept() {
        let limits = SizeLimits { min_width_m: Some(1.0), ..SizeLimits::default() };
        assert!(!limits.allow(&CAR, None));
        assert!(SizeLimits::default().allow(&CAR, None));
    }
}
