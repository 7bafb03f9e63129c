//! The ground before a camera and the grids on it, from the files that the configuration names.

use std::sync::Arc;

use std::path::PathBuf;

use super::build::{detector, existing, input, runtime, slug};
use super::{Input, RedactionPlan, mask, model, privacy};
use crate::calibrate::ground_file::GroundFile;
use crate::config::{CameraConfig, ConfigFile, ZoneConfig};
use crate::detect::Setup;
use crate::error::{Error, Kind, Result};
use crate::place::{GridId, Grids, Ground, Polygon, REACH_M, Site, SiteFault, Terrain};
use crate::source::Mask;

/// The property that holds a grid's ID where the configuration does not say.
const GRID_KEY: &str = "grid";

/// The grids of `edge.grids`, if there are any.
pub(crate) fn grids(file: &ConfigFile) -> Result<Option<Grids>> {
    let edge = &file.config.edge;
    let Some(path) = &edge.grids else { return Ok(None) };
    let found = existing(file, "edge.grids", path)?;
    let key = edge.grid_key.as_deref().unwrap_or(GRID_KEY);
    Grids::read(&found, key, edge.grid_profile).map(Some)
}

/// The ground of `camera` with the grids around it, if it is calibrated.
pub(super) fn terrain(
    file: &ConfigFile,
    camera: &CameraConfig,
    grids: Option<&Grids>,
) -> Result<Option<Arc<Terrain>>> {
    let Some(path) = &camera.ground else { return Ok(None) };
    let found = existing(file, "camera.ground", path)
        .map_err(|e| e.help("make it with `gridpatrol calibrate camera`, or leave the key out"))?;
    let ground = GroundFile::read(&found)?.ground(&found, camera.id.get_ref())?;
    match with_grids(ground, grids) {
        Ok(terrain) => Ok(Some(terrain)),
        Err(what) => Err(file.fault("camera.ground", path.span(), what).help(ONE_SYSTEM)),
    }
}

/// What to do where ground and grids do not meet.
const ONE_SYSTEM: &str = "set the points and export the grids in one system, best WGS 84 or CGCS2000: coordinates of web maps \
     (GCJ-02, BD-09) are off by hundreds of metres";

/// `ground` with those of `grids` that are within its reach.
fn with_grids(ground: Ground, grids: Option<&Grids>) -> Result<Arc<Terrain>, String> {
    let near = match grids {
        Some(grids) if grids.coordinates() != ground.plane().coordinates() => {
            return Err(format!(
                "the ground is in {} coordinates and the grids {} are in {} coordinates",
                ground.plane().coordinates(),
                grids.path().display(),
                grids.coordinates()
            ));
        }
        Some(grids) => grids.around(ground.plane(), REACH_M),
        None => Vec::new(),
    };
    if let (Some(grids), []) = (grids, near.as_slice()) {
        let [x, y] = ground.plane().origin();
        return Err(format!(
            "no grid of {} lies within {REACH_M} m of the ground at [{x:.6}, {y:.6}]",
            grids.path().display()
        ));
    }
    Ok(Arc::new(Terrain::new(ground, near)))
}

/// How the cases of `zone` get their grid and position.
pub(super) fn site(
    file: &ConfigFile,
    zone: &ZoneConfig,
    polygon: &Polygon,
    terrain: Option<&Arc<Terrain>>,
) -> Result<Site> {
    let grid = zone_grid(file, zone)?;
    let fault = |fault: SiteFault| {
        let help = match fault {
            SiteFault::NoGrid => "give the zone a `grid`, or the camera a `ground` and `edge` its `grids`",
            SiteFault::OutsideAll(_) => {
                "give the zone a `grid`, or check that grids and calibration points are in the same system: \
                 coordinates of web maps (GCJ-02, BD-09) are off by hundreds of metres"
            }
        };
        file.fault("camera.zone.grid", zone.id.span(), fault.to_string()).help(help)
    };
    Site::new(polygon, grid, terrain.cloned()).map_err(fault)
}

/// The grid that the configuration gives to `zone`, if any.
fn zone_grid(file: &ConfigFile, zone: &ZoneConfig) -> Result<Option<GridId>> {
    let Some(grid) = &zone.grid else { return Ok(None) };
    GridId::parse(grid.get_ref(), file.config.edge.grid_profile)
        .map(Some)
        .map_err(|e| file.fault("camera.zone.grid", grid.span(), e.to_string()))
}

/// What is known of a camera before its ground is: to calibrate it, and to see the result on its picture.
pub(crate) struct Viewpoint<'a> {
    file: &'a ConfigFile,
    camera: &'a CameraConfig,
    grids: Option<Grids>,
    /// Its zones.
    pub(crate) zones: Vec<ZoneView>,
    /// How a session of the model is to be run.
    pub(crate) setup: Setup,
}

/// One zone in the picture.
pub(crate) struct ZoneView {
    /// Its name.
    pub(crate) id: String,
    /// Its outline.
    pub(crate) polygon: Polygon,
    /// The grid that the configuration gives to it.
    pub(crate) grid: Option<GridId>,
}

impl<'a> Viewpoint<'a> {
    /// The camera `id` of `file`.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is none; [`Kind::Config`] when what is said of it is wrong.
    pub(crate) fn of(file: &'a ConfigFile, id: &str) -> Result<Self> {
        let cameras = &file.config.cameras;
        let Some(camera) = cameras.iter().find(|camera| camera.id.get_ref() == id) else {
            let known: Vec<&str> = cameras.iter().map(|camera| camera.id.get_ref().as_str()).collect();
            return Err(Error::new(Kind::Usage, format!("{} has no camera `{id}`", file.path.display()))
                .help(format!("give one of its cameras with --camera: {}", known.join(", "))));
        };
        // It becomes a file name.
        slug(file, "camera.id", &camera.id)?;
        let zone_view = |zone: &ZoneConfig| {
            let polygon = Polygon::new(zone.polygon.get_ref().clone())
                .map_err(|e| file.fault("camera.zone.polygon", zone.polygon.span(), e.to_string()))?;
            Ok(ZoneView {
                id: slug(file, "camera.zone.id", &zone.id)?,
                polygon,
                grid: zone_grid(file, zone)?,
            })
        };
        Ok(Self {
            file,
            camera,
            grids: grids(file)?,
            zones: camera.zones.iter().map(zone_view).collect::<Result<_>>()?,
            setup: Setup {
                library: runtime(file)?,
                providers: model::providers(file)?,
                threads: model::threads(file)?,
            },
        })
    }

    /// What of its picture nobody may see.
    pub(crate) fn mask(&self) -> Result<Mask> {
        mask::polygons(self.file, self.camera).map(Mask::new)
    }

    /// What the camera watches.
    pub(crate) fn input(&self) -> Result<Input> {
        input(self.file, self.camera)
    }

    /// Folder of the detector's model.
    pub(crate) fn model(&self) -> Result<PathBuf> {
        detector(self.file, true)
    }

    /// How pictures are redacted; `None` when the configuration wants none.
    pub(crate) fn redaction(&self) -> Result<Option<RedactionPlan>> {
        privacy::redaction(self.file)
    }

    /// `ground` with the grids around the camera.
    ///
    /// # Errors
    /// [`Kind::Usage`] when the two are in different systems of coordinates.
    pub(crate) fn terrain(&self, ground: Ground) -> Result<Arc<Terrain>> {
        with_grids(ground, self.grids.as_ref()).map_err(|what| Error::new(Kind::Usage, what).help(ONE_SYSTEM))
    }
}
