//! The ground before a camera and the grids on it, from the files that the configuration names.

use std::sync::Arc;

use super::build::existing;
use crate::calibrate::ground_file::GroundFile;
use crate::config::{CameraConfig, ConfigFile, ZoneConfig};
use crate::error::Result;
use crate::place::{GridId, Grids, Polygon, REACH_M, Site, SiteFault, Terrain};

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
    let near = match grids {
        Some(grids) if grids.coordinates() != ground.plane().coordinates() => {
            let what = format!(
                "the ground is in {} coordinates and the grids {} are in {} coordinates",
                ground.plane().coordinates(),
                grids.path().display(),
                grids.coordinates()
            );
            return Err(file
                .fault("camera.ground", path.span(), what)
                .help("set the points in the system of the grids, or export the grids in WGS 84"));
        }
        Some(grids) => grids.around(ground.plane(), REACH_M),
        None => Vec::new(),
    };
    Ok(Some(Arc::new(Terrain::new(ground, near))))
}

/// How the cases of `zone` get their grid and position.
pub(super) fn site(
    file: &ConfigFile,
    zone: &ZoneConfig,
    polygon: &Polygon,
    terrain: Option<&Arc<Terrain>>,
) -> Result<Site> {
    let grid = match &zone.grid {
        None => None,
        Some(grid) => Some(
            GridId::parse(grid.get_ref(), file.config.edge.grid_profile)
                .map_err(|e| file.fault("camera.zone.grid", grid.span(), e.to_string()))?,
        ),
    };
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
