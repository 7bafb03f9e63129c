//! The grids of a street as polygons: a GeoJSON FeatureCollection (RFC 7946), read strictly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use geo::{Area as _, BooleanOps as _, BoundingRect as _, Validation as _};
use serde::Serialize;

use geojson::{Feature, GeoJson, GeometryValue, JsonValue};

use super::{Coordinates, GridId, Plane};
use crate::config::GridProfile;
use crate::error::{Error, Kind, Result};
use crate::text_file;

/// Largest file.
const MAX_BYTES: u64 = 16 << 20;
/// Most features. A street has some hundred grids.
const MAX_FEATURES: usize = 5_000;
/// Most corners of one ring, and of all rings together.
const MAX_CORNERS: (usize, usize) = (5_000, 200_000);
/// Two grids overlap when they share more than this, in square metres: borders drawn twice never match exactly.
const OVERLAP_M2: f64 = 1.0;
/// Names of the systems that are WGS 84, or agree with it to a metre, in the `crs` member of GeoJSON of 2008.
const DEGREES: [&str; 3] = ["CRS84", "4326", "4490"];

/// The grids of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Grids {
    path: PathBuf,
    coordinates: Coordinates,
    grids: Vec<Grid>,
}

/// One grid: all polygons that name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Its ID.
    pub id: GridId,
    /// Its ground, in the coordinates of the file.
    pub area: geo::MultiPolygon<f64>,
}

/// Two grids that share ground.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overlap {
    /// One.
    pub first: GridId,
    /// The other.
    pub second: GridId,
    /// How much, in square metres.
    pub area_m2: f64,
}

impl Grids {
    /// Reads the file at `path`, whose features name their grid in the property `key`, under `profile`.
    ///
    /// # Errors
    /// [`Kind::Config`] that names the file, the feature and the key at fault.
    pub fn read(path: &Path, key: &str, profile: GridProfile) -> Result<Self> {
        let text =
            text_file::read(path, MAX_BYTES).map_err(|e| config(path, "cannot be read").caused_by(e))?;
        Self::parse(path, &text, key, profile)
    }

    /// Parses `text` as if it had been read from `path`.
    ///
    /// # Errors
    /// As [`Grids::read`].
    pub fn parse(path: &Path, text: &str, key: &str, profile: GridProfile) -> Result<Self> {
        // Some editors begin a file with a byte order mark.
        let text = text.trim_start_matches('\u{feff}');
        let parsed: GeoJson = text.parse().map_err(|e: geojson::Error| {
            config(path, format!("is not GeoJSON: {e}")).help("export a FeatureCollection of polygons")
        })?;
        let GeoJson::FeatureCollection(collection) = parsed else {
            return Err(config(path, "is not a FeatureCollection")
                .help("export the grids as GeoJSON with one feature for each"));
        };
        if !(1..=MAX_FEATURES).contains(&collection.features.len()) {
            let what = format!("has {} features: expected 1 to {MAX_FEATURES}", collection.features.len());
            return Err(config(path, what));
        }
        let named = collection.foreign_members.as_ref().and_then(|members| members.get("crs"));
        let coordinates = system(named).map_err(|what| config(path, what))?;
        let mut areas: BTreeMap<GridId, Vec<geo::Polygon<f64>>> = BTreeMap::new();
        let mut order: Vec<GridId> = Vec::new();
        let mut corners = 0;
        for (index, feature) in collection.features.iter().enumerate() {
            let reader = FeatureReader { path, number: index + 1, key, coordinates };
            let id = reader.id(feature, profile)?;
            let polygons = reader.polygons(feature, &mut corners)?;
            if !areas.contains_key(&id) {
                order.push(id.clone());
            }
            areas.entry(id).or_default().extend(polygons);
        }
        let grids: Vec<Grid> = order
            .into_iter()
            .filter_map(|id| areas.remove(&id).map(|area| Grid { id, area: geo::MultiPolygon::new(area) }))
            .collect();
        if coordinates == Coordinates::Planar && grids.iter().all(|grid| looks_like_degrees(&grid.area)) {
            return Err(config(path, "its `crs` names a system that is not WGS 84, but its coordinates look like degrees")
                .help("export it in WGS 84 or CGCS2000; coordinates of web maps in GCJ-02 or BD-09 are off by hundreds of metres"));
        }
        Ok(Self { path: path.to_owned(), coordinates, grids })
    }

    /// Where they were read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What their coordinates mean.
    pub fn coordinates(&self) -> Coordinates {
        self.coordinates
    }

    /// All grids, in the order in which the file first names them.
    pub fn grids(&self) -> &[Grid] {
        &self.grids
    }

    /// The grids that come within `reach_m` metres of the origin of `plane`, in its metres.
    pub fn around(&self, plane: &Plane, reach_m: f64) -> Vec<Grid> {
        let mut near = Vec::new();
        for grid in &self.grids {
            let polygons: Vec<_> = grid
                .area
                .iter()
                .map(|polygon| in_metres(polygon, plane))
                .filter(|polygon| {
                    polygon.bounding_rect().is_some_and(|bounds| {
                        let (low, high) = (bounds.min(), bounds.max());
                        low.x <= reach_m && low.y <= reach_m && high.x >= -reach_m && high.y >= -reach_m
                    })
                })
                .collect();
            if !polygons.is_empty() {
                near.push(Grid { id: grid.id.clone(), area: geo::MultiPolygon::new(polygons) });
            }
        }
        near
    }

    /// The pairs of grids that share ground, in the order of the file.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let bounds: Vec<_> = self.grids.iter().map(|grid| grid.area.bounding_rect()).collect();
        // By their western edge: a grid can only overlap those that begin before it ends.
        let mut order: Vec<usize> = (0..self.grids.len()).filter(|&at| bounds[at].is_some()).collect();
        let west = |at: usize| bounds[at].map_or(f64::MAX, |b| b.min().x);
        order.sort_by(|&a, &b| west(a).total_cmp(&west(b)));
        let mut pairs = Vec::new();
        for (place, &one) in order.iter().enumerate() {
            let Some(b) = bounds[one] else { continue };
            for &other in &order[place + 1..] {
                if west(other) >= b.max().x {
                    break;
                }
                let apart = bounds[other].is_none_or(|o| o.min().y >= b.max().y || o.max().y <= b.min().y);
                if !apart {
                    pairs.push((one.min(other), one.max(other)));
                }
            }
        }
        pairs.sort_unstable();
        pairs.into_iter().filter_map(|(one, other)| self.overlap(one, other)).collect()
    }

    fn overlap(&self, one: usize, other: usize) -> Option<Overlap> {
        let (first, second) = (&self.grids[one], &self.grids[other]);
        let corner = first.area.bounding_rect()?.center();
        let plane = Plane::new(self.coordinates, [corner.x, corner.y]);
        let metres = |area: &geo::MultiPolygon<f64>| {
            geo::MultiPolygon::new(area.iter().map(|polygon| in_metres(polygon, &plane)).collect())
        };
        let area_m2 = metres(&first.area).intersection(&metres(&second.area)).unsigned_area();
        (area_m2 > OVERLAP_M2).then(|| Overlap {
            first: first.id.clone(),
            second: second.id.clone(),
            area_m2,
        })
    }
}

fn config(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("the grids {}: {what}", path.display()))
}

fn looks_like_degrees(area: &geo::MultiPolygon<f64>) -> bool {
    area.bounding_rect()
        .is_some_and(|b| [b.min(), b.max()].iter().all(|c| Coordinates::Wgs84.fault([c.x, c.y]).is_none()))
}

fn in_metres(polygon: &geo::Polygon<f64>, plane: &Plane) -> geo::Polygon<f64> {
    let ring = |ring: &geo::LineString<f64>| -> geo::LineString<f64> {
        ring.coords().map(|c| <(f64, f64)>::from(plane.metres([c.x, c.y]))).collect()
    };
    geo::Polygon::new(ring(polygon.exterior()), polygon.interiors().iter().map(ring).collect())
}

/// What the `crs` member says. GeoJSON of 2016 has none: it is always WGS 84.
fn system(named: Option<&JsonValue>) -> Result<Coordinates, String> {
    let Some(named) = named.filter(|value| !value.is_null()) else { return Ok(Coordinates::Wgs84) };
    let Some(name) = named.pointer("/properties/name").and_then(JsonValue::as_str) else {
        return Err("has a `crs` without a name: expected properties.name, or no crs for WGS 84".to_owned());
    };
    let code = name.rsplit([':', '/']).next().unwrap_or(name);
    Ok(if DEGREES.contains(&code) { Coordinates::Wgs84 } else { Coordinates::Planar })
}

/// Reads one feature.
struct FeatureReader<'a> {
    path: &'a Path,
    /// From 1, as editors count.
    number: usize,
    key: &'a str,
    coordinates: Coordinates,
}

impl FeatureReader<'_> {
    fn fault(&self, what: impl std::fmt::Display) -> Error {
        config(self.path, format!("feature {}: {what}", self.number))
    }

    fn id(&self, feature: &Feature, profile: GridProfile) -> Result<GridId> {
        let key = self.key;
        let text = match feature.properties.as_ref().and_then(|properties| properties.get(key)) {
            Some(JsonValue::String(text)) => text.clone(),
            // A number that JSON readers keep exactly: 20 digits would have been rounded by whoever wrote them.
            Some(JsonValue::Number(number)) if number.as_u64().is_some_and(|n| n < 1 << 53) => {
                number.to_string()
            }
            Some(other) => {
                let what =
                    format!("properties.{key} is {}: expected the grid's ID as a string", short(other));
                return Err(self.fault(what).help("a number loses leading zeros and its last digits"));
            }
            None => {
                let has: Vec<String> = feature
                    .properties
                    .iter()
                    .flat_map(|properties| {
                        properties.keys().take(8).map(|name| format!("`{}`", short_text(name)))
                    })
                    .collect();
                let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
                return Err(self
                    .fault(format!("it has no property `{key}` with the grid's ID; its properties: {has}"))
                    .help("name the property that holds the ID with edge.grid_key"));
            }
        };
        let text = short_text(&text);
        GridId::parse(&text, profile).map_err(|e| {
            self.fault(format!("properties.{key}: {e}"))
                .help("correct the file, or set edge.grid_profile to what the street uses")
        })
    }

    fn polygons(&self, feature: &Feature, corners: &mut usize) -> Result<Vec<geo::Polygon<f64>>> {
        let polygons = match feature.geometry.as_ref().map(|geometry| &geometry.value) {
            Some(GeometryValue::Polygon { coordinates }) => std::slice::from_ref(coordinates),
            Some(GeometryValue::MultiPolygon { coordinates }) => coordinates,
            Some(other) => {
                let what =
                    format!("its geometry is a {}: expected a Polygon or MultiPolygon", other.type_name());
                return Err(self.fault(what));
            }
            None => return Err(self.fault("it has no geometry: expected a Polygon or MultiPolygon")),
        };
        if polygons.is_empty() {
            return Err(self.fault("its MultiPolygon is empty"));
        }
        polygons.iter().map(|rings| self.polygon(rings, corners)).collect()
    }

    fn polygon(&self, rings: &[Vec<geojson::Position>], corners: &mut usize) -> Result<geo::Polygon<f64>> {
        let mut read = Vec::with_capacity(rings.len());
        for ring in rings {
            *corners += ring.len();
            if ring.len() > MAX_CORNERS.0 || *corners > MAX_CORNERS.1 {
                let (one, all) = MAX_CORNERS;
                let what =
                    format!("too many corners: expected at most {one} in a ring and {all} in the file");
                return Err(self.fault(what).help("simplify the polygons; a metre is near enough"));
            }
            read.push(self.ring(ring)?);
        }
        let mut read = read.into_iter();
        let Some(exterior) = read.next() else { return Err(self.fault("a polygon has no ring")) };
        let polygon = geo::Polygon::new(exterior, read.collect());
        if !polygon.is_valid() {
            let why = polygon.validation_errors().first().map_or(String::new(), |e| format!(": {e}"));
            return Err(self.fault(format!("a polygon is not valid{why}")).help(
                "its sides must not cross, and holes must lie inside; `Fix geometries` of QGIS mends most",
            ));
        }
        if polygon.unsigned_area() <= 0.0 {
            return Err(self.fault("a polygon has no area"));
        }
        Ok(polygon)
    }

    fn ring(&self, ring: &[geojson::Position]) -> Result<geo::LineString<f64>> {
        let mut points = Vec::with_capacity(ring.len());
        for position in ring {
            let [x, y, ..] = position.as_slice() else {
                return Err(self.fault("a corner has fewer than two coordinates"));
            };
            if let Some(what) = self.coordinates.fault([*x, *y]) {
                let what = format!("corner {what}");
                return Err(self.fault(what).help(
                    "GeoJSON has longitude and latitude in WGS 84; for a projected system name it in a `crs` member",
                ));
            }
            points.push((*x, *y));
        }
        if points.len() < 4 || points.first() != points.last() {
            return Err(
                self.fault("a ring is not closed: expected four or more corners, the last as the first")
            );
        }
        Ok(points.into())
    }
}

/// A value for a message, not too long.
fn short(value: &JsonValue) -> String {
    short_text(&value.to_string())
}

fn short_text(text: &str) -> String {
    const MOST: usize = 64;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let cut: String = text.chars().take(MOST).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests;
