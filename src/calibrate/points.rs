//! The points that a person sets for a camera's calibration: in the picture and on the map, from TOML or CSV.

use std::path::Path;

use serde::Deserialize;

use super::ground_file::{Given, PictureSize};
use crate::error::{Error, Kind, Result};
use crate::place::Coordinates;
use crate::place::homography::MOST_PAIRS;
use crate::text_file;

/// Largest file.
const MAX_BYTES: u64 = 1 << 20;

/// What a file of points says.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// What map coordinates mean.
    pub coordinates: Coordinates,
    points: Vec<Raw>,
}

/// One point with its place in the picture as written.
#[derive(Clone, Debug, PartialEq)]
struct Raw {
    name: Option<String>,
    picture: InPicture,
    ground: [f64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum InPicture {
    /// 0-1.
    Share([f64; 2]),
    /// Pixels from the top left corner.
    Pixel([f64; 2]),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    #[serde(default)]
    coordinates: Coordinates,
    #[serde(default)]
    point: Vec<TomlPoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlPoint {
    name: Option<String>,
    picture: Option<[f64; 2]>,
    pixel: Option<[f64; 2]>,
    ground: [f64; 2],
}

impl Points {
    /// Reads the file at `path`: TOML, or CSV where its name ends in `.csv`.
    ///
    /// # Errors
    /// [`Kind::Usage`] that names the file and the point, column or key at fault.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            text_file::read(path, MAX_BYTES).map_err(|e| wrong(path, "cannot be read").caused_by(e))?;
        let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let text = text.trim_start_matches('\u{feff}');
        let points = if is_csv { from_csv(text) } else { from_toml(text) };
        let points = points.map_err(|what| wrong(path, what))?;
        if points.points.len() > MOST_PAIRS {
            return Err(wrong(
                path,
                format!("{} points: expected at most {MOST_PAIRS}", points.points.len()),
            ));
        }
        Ok(points)
    }

    /// Reads `text` both ways.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn hostile(text: &str) {
        for points in [from_csv(text), from_toml(text)].into_iter().flatten() {
            let _ = points.on(PictureSize { width: 1920, height: 1080 });
        }
    }

    /// The points on a picture of `size`.
    pub fn on(&self, size: PictureSize) -> Vec<Given> {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        let given = |raw: &Raw| Given {
            name: raw.name.clone(),
            picture: match raw.picture {
                InPicture::Share(at) => at,
                InPicture::Pixel([x, y]) => [x / width, y / height],
            },
            ground: raw.ground,
        };
        self.points.iter().map(given).collect()
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Usage, format!("the points {}: {what}", path.display()))
        .help("calibration/README.md describes the file")
}

fn from_toml(text: &str) -> Result<Points, String> {
    let file: Toml = toml::from_str(text).map_err(|e| e.to_string())?;
    let mut points = Vec::with_capacity(file.point.len());
    for (index, point) in file.point.into_iter().enumerate() {
        let picture = match (point.picture, point.pixel) {
            (Some(at), None) => InPicture::Share(at),
            (None, Some(at)) => InPicture::Pixel(at),
            _ => return Err(format!("point {}: expected either `picture` or `pixel`", index + 1)),
        };
        points.push(Raw { name: point.name, picture, ground: point.ground });
    }
    Ok(Points { coordinates: file.coordinates, points })
}

/// The columns of a CSV file, known by its first line.
struct Columns {
    name: Option<usize>,
    picture: [usize; 2],
    pixels: bool,
    ground: [usize; 2],
    coordinates: Coordinates,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, String> {
        let find = |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
        let both = |x: &str, y: &str| Some([find(x)?, find(y)?]);
        let known = ["name", "x", "y", "px", "py", "lon", "lat", "east", "north"];
        if let Some(other) =
            header.iter().find(|column| !known.contains(&column.trim().to_ascii_lowercase().as_str()))
        {
            return Err(format!(
                "the column `{}` is not known: expected some of {}",
                other.trim(),
                known.join(", ")
            ));
        }
        let (picture, pixels) = match (both("x", "y"), both("px", "py")) {
            (Some(at), None) => (at, false),
            (None, Some(at)) => (at, true),
            _ => return Err("expected the columns x and y (0-1), or px and py (pixels)".to_owned()),
        };
        let (ground, coordinates) = match (both("lon", "lat"), both("east", "north")) {
            (Some(at), None) => (at, Coordinates::Wgs84),
            (None, Some(at)) => (at, Coordinates::Planar),
            _ => {
                return Err(
                    "expected the columns lon and lat (degrees), or east and north (metres)".to_owned()
                );
            }
        };
        Ok(Self { name: find("name"), picture, pixels, ground, coordinates })
    }
}

fn from_csv(text: &str) -> Result<Points, String> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let columns = Columns::of(reader.headers().map_err(|e| e.to_string())?)?;
    let mut points = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let number = points.len() + 1;
        let pair = |at: [usize; 2]| -> Result<[f64; 2], String> {
            let value = |column: usize| {
                let text = record.get(column).unwrap_or_default().trim();
                text.parse::<f64>().map_err(|_| format!("point {number}: `{text}` is not a number"))
            };
            Ok([value(at[0])?, value(at[1])?])
        };
        let at = pair(columns.picture)?;
        let name = columns.name.and_then(|column| record.get(column)).map(str::trim);
        points.push(Raw {
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
            picture: if columns.pixels { InPicture::Pixel(at) } else { InPicture::Share(at) },
            ground: pair(columns.ground)?,
        });
    }
    Ok(Points { coordinates: columns.coordinates, points })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: PictureSize = PictureSize { width: 1920, height: 1080 };

    #[test]
    fn toml_and_csv_in_pixels_or_shares_say_the_same() {
        let toml = "[[point]]\nname = \"井盖\"\npixel = [480, 810]\nground = [113.6, 34.75]\n";
        let csv = "name, px, py, lon, lat\n# the manhole\n井盖, 480, 810, 113.6, 34.75\n";
        let shares = "x,y,lon,lat\n0.25,0.75,113.6,34.75\n";
        let read = from_toml(toml).unwrap();
        assert_eq!(from_csv(csv).unwrap(), read);
        let given = read.on(SIZE);
        assert_eq!((given[0].picture, given[0].ground), ([0.25, 0.75], [113.6, 34.75]));
        assert_eq!(given[0].name.as_deref(), Some("井盖"));
        assert_eq!(from_csv(shares).unwrap().on(SIZE)[0].picture, given[0].picture);
        assert_eq!(from_csv("x,y,east,north\n").unwrap().coordinates, Coordinates::Planar);
    }

    #[test]
    fn what_is_not_a_list_of_points_says_why() {
        for (text, part) in [
            ("x,y\n", "lon and lat"),
            ("lon,lat\n", "x and y"),
            ("x,y,px,py,lon,lat\n", "x and y"),
            ("x,y,lon,lat,height\n", "`height` is not known"),
            ("x,y,lon,lat\n0.1,0.2,113.6,up\n", "point 1: `up` is not a number"),
            ("x,y,lon,lat\n0.1,0.2\n", "fields"),
        ] {
            let said = from_csv(text).unwrap_err();
            assert!(said.contains(part), "`{said}` does not say `{part}`");
        }
        for (text, part) in [
            ("[[point]]\nground = [1, 2]\n", "either `picture` or `pixel`"),
            ("[[point]]\npicture = [0, 0]\npixel = [0, 0]\nground = [1, 2]\n", "either `picture` or `pixel`"),
            ("[[point]]\npicture = [0, 0]\n", "ground"),
            ("[[points]]\n", "points"),
        ] {
            let said = from_toml(text).unwrap_err();
            assert!(said.contains(part), "`{said}` does not say `{part}`");
        }
    }
}
