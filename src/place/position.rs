//! Positions on the ground.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mean radius of the earth in metres (IUGG: (2a + b) / 3 of WGS 84).
pub(crate) const EARTH_M: f64 = 6_371_008.8;

/// A point on the ground in WGS 84, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// Longitude in degrees, east positive.
    #[schemars(range(min = -180.0, max = 180.0))]
    pub lon: f64,
    /// Latitude in degrees, north positive.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub lat: f64,
    /// Standard deviation in metres, from the camera's calibration and the size of the object in the picture;
    /// absent when not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub accuracy_m: Option<f64>,
}

impl Position {
    /// Metres to `other` on a plane that touches the earth between the two: better than 0.1 % over some
    /// kilometres.
    pub fn distance_m(&self, other: &Self) -> f64 {
        let east = (other.lon - self.lon).to_radians() * ((self.lat + other.lat) / 2.0).to_radians().cos();
        let north = (other.lat - self.lat).to_radians();
        east.hypot(north) * EARTH_M
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousandth_of_a_degree_in_zhengzhou_is_111_m_north_and_91_m_east() {
        let here = Position { lon: 113.6, lat: 34.75, accuracy_m: None };
        let north = Position { lat: 34.751, ..here };
        let east = Position { lon: 113.601, ..here };
        assert!((here.distance_m(&north) - 111.2).abs() < 0.1, "{}", here.distance_m(&north));
        assert!((here.distance_m(&east) - 91.36).abs() < 0.1, "{}", here.distance_m(&east));
        assert_eq!(here.distance_m(&here), 0.0);
    }
}
