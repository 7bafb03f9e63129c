//! Positions on the earth, and the plane that touches it around a camera.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Equatorial radius of the WGS 84 ellipsoid in metres (NIMA TR8350.2). CGCS2000's is the same.
const EQUATOR_M: f64 = 6_378_137.0;
/// First eccentricity of the WGS 84 ellipsoid, squared (NIMA TR8350.2).
const ECCENTRICITY_2: f64 = 6.694_379_990_14e-3;

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
    /// Metres to `other` on a plane that touches the earth between the two: right to a decimetre over a
    /// kilometre.
    pub fn distance_m(&self, other: &Self) -> f64 {
        let (east, north) = metres_per_degree((self.lat + other.lat) / 2.0);
        ((other.lon - self.lon) * east).hypot((other.lat - self.lat) * north)
    }
}

/// Metres for a degree of longitude and one of latitude at latitude `lat` (degrees): the radii of curvature of the
/// prime vertical and of the meridian (Torge and Müller, Geodesy, 4th edition, section 4.1.1).
fn metres_per_degree(lat: f64) -> (f64, f64) {
    let (sin, cos) = lat.to_radians().sin_cos();
    let q = 1.0 - ECCENTRICITY_2 * sin * sin;
    let prime_vertical = EQUATOR_M / q.sqrt();
    let meridian = prime_vertical * (1.0 - ECCENTRICITY_2) / q;
    ((prime_vertical * cos).to_radians(), meridian.to_radians())
}

/// What a pair of map coordinates means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coordinates {
    /// Longitude and latitude in degrees, WGS 84. CGCS2000 (GB 22021) differs from it by less than a metre.
    #[default]
    Wgs84,
    /// East and north in metres, in a projected system that grids and points share.
    Planar,
}

impl std::fmt::Display for Coordinates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wgs84 => "wgs84",
            Self::Planar => "planar",
        })
    }
}

impl Coordinates {
    /// Why `at` cannot be such coordinates, if it cannot.
    pub(crate) fn fault(self, [x, y]: [f64; 2]) -> Option<String> {
        let bound = match self {
            Self::Wgs84 => (180.0, 90.0),
            // The widest of the usual projections counts to some 40,000 km, with a zone number before it.
            Self::Planar => (1e8, 1e8),
        };
        (!(x.abs() <= bound.0 && y.abs() <= bound.1)).then(|| match self {
            Self::Wgs84 => format!("[{x}, {y}] is not a longitude and a latitude in degrees"),
            Self::Planar => format!("[{x}, {y}] is not an east and a north coordinate in metres"),
        })
    }
}

/// A plane in metres, east and north of an origin. For WGS 84 it touches the ellipsoid there: at 1 km from the
/// origin it is off by less than 0.2 m anywhere below 60 degrees of latitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    coordinates: Coordinates,
    origin: [f64; 2],
}

impl Plane {
    /// The plane around `origin`, given in `coordinates`.
    pub fn new(coordinates: Coordinates, origin: [f64; 2]) -> Self {
        Self { coordinates, origin }
    }

    /// What its map coordinates mean.
    pub fn coordinates(&self) -> Coordinates {
        self.coordinates
    }

    /// Its origin in map coordinates.
    pub fn origin(&self) -> [f64; 2] {
        self.origin
    }

    fn scale(&self) -> (f64, f64) {
        match self.coordinates {
            Coordinates::Wgs84 => metres_per_degree(self.origin[1]),
            Coordinates::Planar => (1.0, 1.0),
        }
    }

    /// Metres east and north of the origin of a point in map coordinates.
    pub fn metres(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (east, north) = self.scale();
        [(x - self.origin[0]) * east, (y - self.origin[1]) * north]
    }

    /// The map coordinates of a point in metres east and north of the origin.
    pub fn map(&self, [e, n]: [f64; 2]) -> [f64; 2] {
        let (east, north) = self.scale();
        [self.origin[0] + e / east, self.origin[1] + n / north]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Zhengzhou; figures from the series for the length of a degree (Bowditch 2019, volume 2, table 7).
    #[test]
    fn a_thousandth_of_a_degree_in_zhengzhou_is_111_m_north_and_92_m_east() {
        let here = Position { lon: 113.6, lat: 34.75, accuracy_m: None };
        let north = Position { lat: 34.751, ..here };
        let east = Position { lon: 113.601, ..here };
        assert!((here.distance_m(&north) - 110.94).abs() < 0.02, "{}", here.distance_m(&north));
        assert!((here.distance_m(&east) - 91.56).abs() < 0.02, "{}", here.distance_m(&east));
        assert_eq!(here.distance_m(&here), 0.0);
    }

    #[test]
    fn a_plane_leads_back_to_where_it_came_from() {
        for coordinates in [Coordinates::Wgs84, Coordinates::Planar] {
            let plane = Plane::new(coordinates, [113.6, 34.75]);
            let there = [113.605, 34.745];
            let back = plane.map(plane.metres(there));
            assert!((back[0] - there[0]).hypot(back[1] - there[1]) < 1e-12, "{back:?}");
        }
    }
}
