//! Zones: simple polygons on a camera's picture, in 0-1 coordinates.

use geo::Validation as _;

/// A simple polygon of three or more corners inside the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon {
    corners: Vec<[f32; 2]>,
}

/// Why a list of corners is not a zone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PolygonFault {
    /// Fewer than three corners.
    #[error("a zone needs at least 3 corners [x, y], this one has {0}")]
    TooFew(usize),
    /// More corners than a hand-drawn zone has.
    #[error("a zone may have at most {max} corners, this one has {0}", max = Polygon::MAX_CORNERS)]
    TooMany(usize),
    /// A corner outside the picture.
    #[error("corner {index} is [{x}, {y}], outside the picture: expected values from 0 to 1")]
    Outside {
        /// Which corner, from 0.
        index: usize,
        /// Its x.
        x: f32,
        /// Its y.
        y: f32,
    },
    /// Sides that cross, or corners on one line.
    #[error(
        "the corners do not make a simple polygon (sides cross or all corners lie on a line): expected the corners in order around the zone"
    )]
    NotSimple,
}

impl Polygon {
    /// The most corners a zone may have.
    pub const MAX_CORNERS: usize = 256;

    /// A polygon with these corners, in order around it.
    ///
    /// # Errors
    /// [`PolygonFault`] when there are too few or too many, one lies outside 0-1, or sides cross.
    pub fn new(corners: Vec<[f32; 2]>) -> Result<Self, PolygonFault> {
        match corners.len() {
            0..=2 => return Err(PolygonFault::TooFew(corners.len())),
            n if n > Self::MAX_CORNERS => return Err(PolygonFault::TooMany(n)),
            _ => {}
        }
        for (index, &[x, y]) in corners.iter().enumerate() {
            if !((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)) {
                return Err(PolygonFault::Outside { index, x, y });
            }
        }
        let ring: geo::LineString<f64> = corners.iter().map(|&[x, y]| (f64::from(x), f64::from(y))).collect();
        if geo::Polygon::new(ring, Vec::new()).is_valid() && area(&corners) > 0.0 {
            Ok(Self { corners })
        } else {
            Err(PolygonFault::NotSimple)
        }
    }

    /// Its corners, in order.
    pub fn corners(&self) -> &[[f32; 2]] {
        &self.corners
    }

    /// Whether the point lies inside (even-odd rule: count how often a ray to the right crosses a side).
    pub fn contains(&self, (x, y): (f32, f32)) -> bool {
        let mut inside = false;
        let mut from = self.corners[self.corners.len() - 1];
        for &to in &self.corners {
            if (from[1] > y) != (to[1] > y) {
                let cross = from[0] + (y - from[1]) / (to[1] - from[1]) * (to[0] - from[0]);
                inside ^= x < cross;
            }
            from = to;
        }
        inside
    }

    /// How far the point is from the nearest side, inside or out, where `unit` is one along either axis.
    pub(crate) fn distance_to_side(&self, (x, y): (f32, f32), unit: (f32, f32)) -> f32 {
        let scaled = |[x, y]: [f32; 2]| (x / unit.0, y / unit.1);
        let (x, y) = scaled([x, y]);
        let mut from = scaled(self.corners[self.corners.len() - 1]);
        let mut nearest = f32::INFINITY;
        for &to in &self.corners {
            let to = scaled(to);
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
            let along = (((x - from.0) * dx + (y - from.1) * dy) / length).clamp(0.0, 1.0);
            nearest = nearest.min(f32::hypot(x - from.0 - along * dx, y - from.1 - along * dy));
            from = to;
        }
        nearest
    }
}

/// Area by the shoelace formula.
fn area(corners: &[[f32; 2]]) -> f32 {
    let next = corners.iter().cycle().skip(1);
    let twice: f32 = corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concave_zone_contains_what_is_inside_its_sides() {
        let l = Polygon::new(vec![[0.1, 0.1], [0.9, 0.1], [0.9, 0.4], [0.4, 0.4], [0.4, 0.9], [0.1, 0.9]])
            .unwrap();
        assert!(l.contains((0.2, 0.8)));
        assert!(l.contains((0.8, 0.2)));
        assert!(!l.contains((0.8, 0.8)), "the notch is outside");
        assert!(!l.contains((0.05, 0.2)));
    }

    #[test]
    fn the_nearest_side_is_told_in_units_of_either_axis() {
        let l = Polygon::new(vec![[0.1, 0.1], [0.9, 0.1], [0.9, 0.4], [0.4, 0.4], [0.4, 0.9], [0.1, 0.9]])
            .unwrap();
        let is = |point, unit, expected: f32| {
            let distance = l.distance_to_side(point, unit);
            assert!((distance - expected).abs() < 1e-5, "{distance} for {expected}");
        };
        is((0.3, 0.6), (1.0, 1.0), 0.1);
        is((0.3, 0.6), (0.1, 1.0), 0.3);
        is((0.5, 0.5), (1.0, 1.0), 0.1);
        is((0.3, 0.3), (1.0, 1.0), f32::hypot(0.1, 0.1));
    }

    #[test]
    fn what_is_not_a_polygon_says_why() {
        assert_eq!(Polygon::new(vec![[0.1, 0.1], [0.2, 0.2]]), Err(PolygonFault::TooFew(2)));
        assert_eq!(
            Polygon::new(vec![[0.1, 0.1], [1.2, 0.2], [0.3, 0.9]]),
            Err(PolygonFault::Outside { index: 1, x: 1.2, y: 0.2 })
        );
        let bow_tie = vec![[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]];
        assert_eq!(Polygon::new(bow_tie), Err(PolygonFault::NotSimple));
        assert_eq!(Polygon::new(vec![[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]), Err(PolygonFault::NotSimple));
        let nan = vec![[f32::NAN, 0.1], [0.2, 0.2], [0.3, 0.9]];
        assert!(matches!(Polygon::new(nan), Err(PolygonFault::Outside { index: 0, .. })));
    }
}
