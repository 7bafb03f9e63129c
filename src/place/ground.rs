//! The ground before a camera: where what its boxes stand on is, and how large it is there.

use super::{Coordinates, Homography, Plane, Position};
use crate::detect::BBox;

/// Standard deviation of a box's foot sideways, as a share of its width: detectors are no steadier than this.
const FOOT_ACROSS: f64 = 0.03;
/// The same up and down, as a share of its height. Ground contact is only known to about a sixth of a box, which
/// is taken for three deviations.
const FOOT_ALONG: f64 = 0.05;
/// A foot whose place is less sure than this, in metres, is too near the horizon to say where it stands.
const MOST_SPREAD_M: f64 = 25.0;
/// Nothing further than this from the calibration's origin is taken to be seen, in metres.
pub(crate) const REACH_M: f64 = 1_000.0;

/// What a camera's calibration knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    homography: Homography,
    plane: Plane,
    accuracy_m: Option<f64>,
}

/// Where a box stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Footing {
    /// Metres east and north of the plane's origin.
    pub(crate) at: [f64; 2],
    /// Standard deviation in metres that comes of the box, not of the calibration.
    pub(crate) spread_m: f64,
}

impl Ground {
    /// Ground that `homography` maps the picture to, in metres of `plane`; `accuracy_m` is the standard deviation
    /// of the calibration, where known.
    pub fn new(homography: Homography, plane: Plane, accuracy_m: Option<f64>) -> Self {
        Self { homography, plane, accuracy_m }
    }

    /// The map from the picture to the plane.
    pub fn homography(&self) -> &Homography {
        &self.homography
    }

    /// The plane.
    pub fn plane(&self) -> &Plane {
        &self.plane
    }

    /// The point that shows at `picture` (0-1), in metres of the plane; `None` at or above the horizon or out of
    /// reach.
    pub(crate) fn point(&self, picture: [f64; 2]) -> Option<[f64; 2]> {
        self.homography.to_ground(picture).filter(|at| at[0].hypot(at[1]) <= REACH_M)
    }

    /// Where `bbox` stands: the middle of its bottom edge. `None` where that is too near the horizon to tell.
    pub(crate) fn footing(&self, bbox: &BBox) -> Option<Footing> {
        let (x, y) = bbox.foot();
        let foot = [f64::from(x), f64::from(y)];
        let at = self.point(foot)?;
        let [e, n] = self.homography.slope(foot)?;
        let (across, along) = (FOOT_ACROSS * f64::from(bbox.width()), FOOT_ALONG * f64::from(bbox.height()));
        let spread_m =
            [e, n].iter().map(|d| (d[0] * across).powi(2) + (d[1] * along).powi(2)).sum::<f64>().sqrt();
        (spread_m <= MOST_SPREAD_M).then_some(Footing { at, spread_m })
    }

    /// Width of `bbox` in metres at the line on which it stands; `None` where that cannot be told.
    pub fn width_m(&self, bbox: &BBox) -> Option<f64> {
        let corner = |x: f32| self.point([f64::from(x), f64::from(bbox.y2)]);
        let (left, right) = (corner(bbox.x1)?, corner(bbox.x2)?);
        Some((left[0] - right[0]).hypot(left[1] - right[1]))
    }

    /// `footing` on the earth; `None` for ground in a projected system.
    pub(crate) fn position(&self, footing: Footing) -> Option<Position> {
        if self.plane.coordinates() != Coordinates::Wgs84 {
            return None;
        }
        let [lon, lat] = self.plane.map(footing.at);
        Some(Position { lon, lat, accuracy_m: self.accuracy_m.map(|of_map| of_map.hypot(footing.spread_m)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ground seen from straight above: the picture is 40 m wide and 20 m high, north is up.
    fn from_above() -> Ground {
        let homography = Homography::new([[40.0, 0.0, 0.0], [0.0, -20.0, 0.0], [0.0, 0.0, 1.0]]).unwrap();
        Ground::new(homography, Plane::new(Coordinates::Wgs84, [113.6, 34.75]), Some(0.3))
    }

    fn bbox(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    #[test]
    fn a_box_is_as_wide_as_its_bottom_edge_on_the_ground() {
        let width = from_above().width_m(&bbox(0.5, 0.4, 0.6, 0.5)).unwrap();
        assert!((width - 4.0).abs() < 1e-5, "{width}");
    }

    #[test]
    fn a_position_is_as_sure_as_the_calibration_and_the_box_together() {
        let ground = from_above();
        let footing = ground.footing(&bbox(0.45, 0.3, 0.55, 0.5)).unwrap();
        assert!((footing.at[0] - 20.0).abs() < 1e-5 && (footing.at[1] + 10.0).abs() < 1e-5, "{footing:?}");
        // 3 % of 4 m across and 5 % of 4 m along.
        assert!((footing.spread_m - 0.12_f64.hypot(0.2)).abs() < 1e-5, "{footing:?}");
        let position = ground.position(footing).unwrap();
        assert!((position.accuracy_m.unwrap() - 0.3_f64.hypot(footing.spread_m)).abs() < 1e-9);
        let origin = Position { lon: 113.6, lat: 34.75, accuracy_m: None };
        assert!((position.distance_m(&origin) - 20_f64.hypot(10.0)).abs() < 1e-3);
    }

    #[test]
    fn what_stands_at_the_horizon_or_out_of_reach_has_no_footing() {
        // The horizon lies at a third of the picture's height.
        let homography = Homography::new([[20.0, 0.0, -10.0], [0.0, 0.0, 6.0], [0.0, 3.0, -1.0]]).unwrap();
        let ground = Ground::new(homography, Plane::new(Coordinates::Wgs84, [113.6, 34.75]), None);
        assert!(ground.footing(&bbox(0.4, 0.1, 0.6, 0.3)).is_none());
        assert!(ground.footing(&bbox(0.4, 0.1, 0.6, 0.335)).is_none(), "some hundred metres away, or more");
        assert!(ground.footing(&bbox(0.4, 0.6, 0.6, 0.9)).is_some());
        assert!(ground.width_m(&bbox(0.4, 0.1, 0.6, 0.3)).is_none());
    }

    #[test]
    fn ground_in_a_projected_system_has_no_longitude() {
        let planar =
            Ground { plane: Plane::new(Coordinates::Planar, [463_000.0, 3_847_000.0]), ..from_above() };
        let footing = planar.footing(&bbox(0.45, 0.3, 0.55, 0.5)).unwrap();
        assert_eq!(planar.position(footing), None);
    }
}
