//! The file that holds a camera's ground: `calibration/CAMERA.toml`, as `gridpatrol calibrate camera` writes it and
//! the runtime reads it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::place::homography::{Fit, HomographyFault, Matrix, Pair};
use crate::place::{Coordinates, Ground, Homography, Plane};
use crate::text_file;

/// Largest file.
const MAX_BYTES: u64 = 1 << 20;
/// Version of the format.
pub const VERSION: u32 = 1;
/// A homography may be off its own points by this many metres more than the file says: the last digits of a
/// decimal number.
const SLACK_M: f64 = 0.01;
/// A point further than this from the median of all, in metres, is a typing error.
const WIDEST_M: f64 = 1_000.0;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroundFile {
    /// Version of the format, 1.
    pub version: u32,
    /// The camera that it is of.
    pub camera: String,
    /// When it was made, RFC 3339.
    pub made: String,
    /// What map coordinates mean.
    pub coordinates: Coordinates,
    /// Map coordinates of the origin of the plane: the mean of the points.
    pub origin: [f64; 2],
    /// From `[x, y, 1]` in the picture (0-1) to `[e w, n w, w]`, metres east and north of the origin.
    pub homography: Matrix,
    /// Root mean square of the residuals, in metres.
    pub rms_m: f64,
    /// Standard deviation of a point on the ground, in metres; absent with four points, which always fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// The picture that the points were set on.
    pub picture: PictureSize,
    /// The points.
    pub point: Vec<Point>,
}

/// The size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSize {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// One point in the picture and on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In the picture, 0-1.
    pub picture: [f64; 2],
    /// Map coordinates: longitude and latitude, or east and north.
    pub ground: [f64; 2],
    /// Metres from there to where the homography puts it.
    pub residual_m: f64,
    /// Metres from there to where a fit without it puts it; absent where the others do not fix one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out_m: Option<f64>,
}

/// One point as a person gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// What it is, in words.
    pub name: Option<String>,
    /// In the picture, 0-1.
    pub picture: [f64; 2],
    /// Map coordinates.
    pub ground: [f64; 2],
}

/// The plane around `given`, and the pairs in its metres.
///
/// # Errors
/// What is wrong with a point, which is numbered from 1.
pub fn pairs(coordinates: Coordinates, given: &[Given]) -> Result<(Plane, Vec<Pair>), String> {
    for (index, point) in given.iter().enumerate() {
        if let Some(what) = coordinates.fault(point.ground) {
            return Err(format!("point {}: {what}", index + 1));
        }
    }
    let count = given.len().max(1) as f64;
    let mean = [0, 1].map(|axis| given.iter().map(|point| point.ground[axis]).sum::<f64>() / count);
    let plane = Plane::new(coordinates, mean);
    let pairs: Vec<Pair> = given
        .iter()
        .map(|point| Pair { picture: point.picture, ground: plane.metres(point.ground) })
        .collect();
    // From the median, which one wrong point among many does not move.
    let middle = [0, 1].map(|axis| {
        let mut values: Vec<f64> = pairs.iter().map(|pair| pair.ground[axis]).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    });
    let away = |pair: &Pair| (pair.ground[0] - middle[0]).hypot(pair.ground[1] - middle[1]);
    let furthest = (0..pairs.len()).max_by(|&a, &b| away(&pairs[a]).total_cmp(&away(&pairs[b])));
    if let Some(index) = furthest.filter(|&index| away(&pairs[index]) > WIDEST_M) {
        let [x, y] = given[index].ground;
        return Err(format!(
            "point {} at [{x}, {y}] is {:.0} m from the middle of all points: expected at most {WIDEST_M}",
            index + 1,
            away(&pairs[index])
        ));
    }
    Ok((plane, pairs))
}

impl GroundFile {
    /// The file of `camera` for `fit`, which was made at `made` of `given` on `plane`.
    pub fn new(
        camera: &str,
        made: String,
        picture: PictureSize,
        plane: &Plane,
        given: &[Given],
        fit: &Fit,
    ) -> Self {
        let millimetres = |m: f64| (m * 1e3).round() / 1e3;
        let point = given
            .iter()
            .zip(fit.residuals_m.iter().zip(&fit.left_out_m))
            .map(|(given, (residual_m, left_out_m))| Point {
                name: given.name.clone(),
                picture: given.picture,
                ground: given.ground,
                residual_m: millimetres(*residual_m),
                left_out_m: left_out_m.map(millimetres),
            })
            .collect();
        Self {
            version: VERSION,
            camera: camera.to_owned(),
            made,
            coordinates: plane.coordinates(),
            origin: plane.origin(),
            homography: *fit.homography.matrix(),
            rms_m: millimetres(fit.rms_m),
            accuracy_m: fit.accuracy_m().map(millimetres),
            picture,
            point,
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Kind::Config`] that names the file and the key at fault.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            text_file::read(path, MAX_BYTES).map_err(|e| wrong(path, "cannot be read").caused_by(e))?;
        Self::parse(path, &text)
    }

    /// Parses `text` as if it had been read from `path`.
    ///
    /// # Errors
    /// As [`GroundFile::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let file: Self = toml::from_str(text).map_err(|e| wrong(path, e.message()))?;
        if file.version != VERSION {
            return Err(wrong(path, format!("version {}: expected {VERSION}", file.version)));
        }
        Ok(file)
    }

    /// The ground of `camera` that it holds, read from `path`.
    ///
    /// # Errors
    /// [`Kind::Config`] when it is another camera's, or when its homography does not put its points where they are:
    /// then somebody has changed one of the two.
    pub fn ground(&self, path: &Path, camera: &str) -> Result<Ground> {
        if self.camera != camera {
            let what = format!("camera = `{}`: it is not of the camera `{camera}`", self.camera);
            return Err(wrong(path, what));
        }
        let given: Vec<Given> = self
            .point
            .iter()
            .map(|point| Given { name: None, picture: point.picture, ground: point.ground })
            .collect();
        let (_, pairs) = pairs(self.coordinates, &given).map_err(|what| wrong(path, what))?;
        Homography::fit(&pairs).map_err(|fault: HomographyFault| wrong(path, fault))?;
        let homography = Homography::new(self.homography)
            .ok_or_else(|| wrong(path, "homography: expected a matrix of numbers that has an inverse"))?;
        if let Some(what) = self.coordinates.fault(self.origin) {
            return Err(wrong(path, format!("origin: {what}")));
        }
        let plane = Plane::new(self.coordinates, self.origin);
        for (index, point) in self.point.iter().enumerate() {
            let [e, n] = plane.metres(point.ground);
            let off = homography.to_ground(point.picture).map(|at| (at[0] - e).hypot(at[1] - n));
            if !off.is_some_and(|off| off <= point.residual_m + SLACK_M) {
                let off = off.map_or("nowhere on the ground".to_owned(), |off| format!("{off:.2} m off"));
                let what = format!("homography: it puts point {} {off}", index + 1);
                return Err(wrong(path, what));
            }
        }
        if let Some(accuracy) = self.accuracy_m.filter(|accuracy| !(0.0..=1e3).contains(accuracy)) {
            return Err(wrong(path, format!("accuracy_m = {accuracy}: expected metres, 0 to 1000")));
        }
        Ok(Ground::new(homography, plane, self.accuracy_m))
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("{}: {what}", path.display()))
        .help("make it with `gridpatrol calibrate camera`, or take the key `ground` out")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Five points of ground seen from straight above, 40 m by 20 m, the last one a metre off.
    fn text() -> String {
        let at = |e: f64, n: f64| [113.6 + e / 91_564.9, 34.75 + n / 110_936.0];
        let given: Vec<Given> = [
            ([0.1, 0.1], at(4.0, -2.0)),
            ([0.9, 0.1], at(36.0, -2.0)),
            ([0.9, 0.9], at(36.0, -18.0)),
            ([0.1, 0.9], at(4.0, -18.0)),
            ([0.5, 0.4], at(20.0, -9.0)),
        ]
        .map(|(picture, ground)| Given { name: Some("corner".to_owned()), picture, ground })
        .to_vec();
        let (plane, pairs) = pairs(Coordinates::Wgs84, &given).unwrap();
        let fit = Homography::fit(&pairs).unwrap();
        let size = PictureSize { width: 1920, height: 1080 };
        let made = "2026-11-24T10:00:00Z".to_owned();
        toml::to_string(&GroundFile::new("cam-05", made, size, &plane, &given, &fit)).unwrap()
    }

    fn ground(text: &str) -> Result<Ground> {
        let path = Path::new("cam-05.toml");
        GroundFile::parse(path, text)?.ground(path, "cam-05")
    }

    #[test]
    fn a_camera_comes_back_from_its_file_as_it_went_in() {
        let ground = ground(&text()).unwrap();
        let [lon, lat] = ground.plane().map(ground.point([0.5, 0.9]).unwrap());
        let (e, n) = ((lon - 113.6) * 91_564.9, (lat - 34.75) * 110_936.0);
        assert!((e - 20.0).hypot(n + 18.0) < 0.5, "{e} {n}");
    }

    #[test]
    fn a_file_that_is_not_the_cameras_or_was_changed_is_refused() {
        let text = text();
        for (from, to, part) in [
            ("camera = \"cam-05\"", "camera = \"cam-06\"", "not of the camera `cam-05`"),
            ("version = 1", "version = 2", "version 2"),
            ("version = 1", "version = 1\ntilt = 3", "tilt"),
            ("picture = [0.9, 0.9]", "picture = [0.8, 0.9]", "homography: it puts point 3"),
            ("picture = [0.9, 0.9]", "picture = [0.9, 1.9]", "point 3 is [0.9, 1.9]"),
            ("coordinates = \"wgs84\"", "coordinates = \"gcj02\"", "gcj02"),
            ("accuracy_m = ", "accuracy_m = -", "accuracy_m"),
            ("homography = [[", "homography = [[nan, 0, 0], [", ""),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let said = ground(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(said.contains("cam-05.toml") && said.contains(part), "`{said}` does not say `{part}`");
        }
        let moved = text.lines().map(|line| {
            if line.starts_with("origin") { "origin = [113.7, 34.75]".to_owned() } else { line.to_owned() }
        });
        let said = ground(&moved.collect::<Vec<_>>().join("\n")).unwrap_err().to_string();
        assert!(said.contains("homography: it puts point 1"), "{said}");
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_or_refused_and_never_a_panic(
            at in 0.0..1.0_f64, length in 0..24_usize, put in "[-0-9eEnaif.,\\[\\]= \n]{0,8}",
        ) {
            let mut text = text().into_bytes();
            let at = (at * text.len() as f64) as usize;
            let end = (at + length).min(text.len());
            text.splice(at..end, put.into_bytes());
            let _ = ground(&String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn a_point_on_the_other_side_of_the_town_is_a_typing_error() {
        let given = |ground| Given { name: None, picture: [0.1, 0.1], ground };
        let far = [given([113.6, 34.75]), given([113.601, 34.75]), given([113.6, 34.85])];
        let said = pairs(Coordinates::Wgs84, &far).unwrap_err();
        assert!(said.contains("point 3") && said.contains("34.85"), "{said}");
        let swapped = pairs(Coordinates::Wgs84, &[given([34.75, 113.6])]).unwrap_err();
        assert!(swapped.contains("point 1") && swapped.contains("longitude"), "{swapped}");
    }
}
