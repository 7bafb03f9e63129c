//! Where the cases of a zone belong: the grid that is responsible and the point on the ground.
//!
//! # Invariants
//! - Every case gets a grid: a site that could leave one without is refused when it is made.
//! - The same boxes get the same grid; ground that two grids share belongs to the smaller one.

use std::sync::Arc;

use geo::{Area as _, Distance as _, Euclidean, Intersects as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::grids::Grid;
use super::ground::Footing;
use super::{GridId, Ground, Polygon, Position};
use crate::detect::BBox;

/// A case outside of all polygons belongs to the nearest one up to this many metres away: grids are drawn along
/// kerbs and walls, and a foot is off by a metre or two.
const NEAR_M: f64 = 30.0;
/// A zone is judged by points on a raster of this many rows and columns over it.
const RASTER: usize = 40;

/// What decided which grid a case belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GridBasis {
    /// The grid that the configuration gives to the zone.
    #[default]
    Zone,
    /// The grid polygon in which the case stands on the ground.
    Polygon,
    /// The nearest grid polygon: the case stands in none, and its zone names no grid.
    Nearest,
    /// The grid that most of the zone lies in: there is no polygon near the case, and its zone names no grid.
    ZoneMajority,
}

/// Where one case is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot {
    /// The grid that is responsible.
    pub(crate) grid: GridId,
    /// What decided so.
    pub(crate) basis: GridBasis,
    /// Where its objects stand, where the camera's ground is known.
    pub(crate) position: Option<Position>,
}

/// The ground of one camera with the grids around it, shared by its zones.
#[derive(Clone, Debug, PartialEq)]
pub struct Terrain {
    ground: Ground,
    /// In metres of the ground's plane, the smallest first.
    grids: Vec<Grid>,
}

impl Terrain {
    /// `ground` with `grids` in metres of its plane.
    pub fn new(ground: Ground, mut grids: Vec<Grid>) -> Self {
        grids.sort_by(|a, b| a.area.unsigned_area().total_cmp(&b.area.unsigned_area()));
        Self { ground, grids }
    }

    /// The ground.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The grids around, in metres of the ground's plane.
    pub fn grids(&self) -> &[Grid] {
        &self.grids
    }

    /// The grid whose polygon holds `at`.
    pub(crate) fn holding(&self, at: [f64; 2]) -> Option<&GridId> {
        let point = geo::Point::from(at);
        self.grids.iter().find(|grid| grid.area.intersects(&point)).map(|grid| &grid.id)
    }

    /// The grid nearest to `at` and how far away it is in metres.
    fn nearest(&self, at: [f64; 2]) -> Option<(&GridId, f64)> {
        let point = geo::Point::from(at);
        self.grids
            .iter()
            .map(|grid| (&grid.id, Euclidean.distance(&point, &grid.area)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

/// How much of a zone, as it shows in the picture, lies where.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// The grids with their shares, 0-1, the largest first.
    pub grids: Vec<(GridId, f64)>,
    /// The share on the ground of no grid.
    pub outside: f64,
    /// The share at or above the horizon, or out of reach.
    pub off_ground: f64,
}

/// Why a zone cannot be given a grid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SiteFault {
    /// The zone names none and there are no polygons to look in.
    #[error("the zone names no grid, and there is no ground with grids to find it on")]
    NoGrid,
    /// The zone names none and none lies under it.
    #[error("the zone names no grid, and no grid lies within {NEAR_M} m of it on the ground: {0}")]
    OutsideAll(String),
}

/// How a zone's cases get their place.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The grid of what lies in no polygon.
    fallback: GridId,
    /// What that is.
    basis: GridBasis,
    terrain: Option<Arc<Terrain>>,
    coverage: Coverage,
}

impl Site {
    /// A zone whose cases all belong to `grid`.
    pub fn of_zone(grid: GridId) -> Self {
        Self { fallback: grid, basis: GridBasis::Zone, terrain: None, coverage: Coverage::default() }
    }

    /// The site of `zone`, to which the configuration gives `grid`, on `terrain`.
    ///
    /// # Errors
    /// [`SiteFault`] when a case in the zone could be left without a grid.
    pub fn new(
        zone: &Polygon,
        grid: Option<GridId>,
        terrain: Option<Arc<Terrain>>,
    ) -> Result<Self, SiteFault> {
        let coverage = terrain.as_deref().map(|terrain| terrain.cover(zone)).unwrap_or_default();
        let (fallback, basis) = match (grid, &terrain) {
            (Some(grid), _) => (grid, GridBasis::Zone),
            (None, Some(terrain)) if !terrain.grids.is_empty() => match coverage.grids.first() {
                Some((most, _)) => (most.clone(), GridBasis::ZoneMajority),
                None => (terrain.near_zone(zone)?, GridBasis::ZoneMajority),
            },
            (None, _) => return Err(SiteFault::NoGrid),
        };
        Ok(Self { fallback, basis, terrain, coverage })
    }

    /// The grid of cases that lie in no grid's polygon, or of all cases where there are no polygons.
    pub fn grid(&self) -> &GridId {
        &self.fallback
    }

    /// The camera's ground, where it is known.
    pub fn ground(&self) -> Option<&Ground> {
        self.terrain.as_deref().map(Terrain::ground)
    }

    /// How much of the zone lies in which grid; empty where the ground or the grids are not known.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Where a case is whose objects have these boxes in the picture. Several boxes count as one at the median of
    /// their feet.
    pub(crate) fn locate(&self, boxes: impl IntoIterator<Item = BBox>) -> Spot {
        let fallback = |position| Spot { grid: self.fallback.clone(), basis: self.basis, position };
        let Some(terrain) = self.terrain.as_deref() else { return fallback(None) };
        let footings: Vec<Footing> =
            boxes.into_iter().filter_map(|bbox| terrain.ground.footing(&bbox)).collect();
        let Some(footing) = median(&footings) else { return fallback(None) };
        let position = terrain.ground.position(footing);
        if let Some(grid) = terrain.holding(footing.at) {
            return Spot { grid: grid.clone(), basis: GridBasis::Polygon, position };
        }
        match terrain.nearest(footing.at) {
            Some((grid, away_m)) if self.basis != GridBasis::Zone && away_m <= NEAR_M => {
                Spot { grid: grid.clone(), basis: GridBasis::Nearest, position }
            }
            _ => fallback(position),
        }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.basis, self.coverage.grids.as_slice()) {
            (GridBasis::Zone, []) => write!(f, "grid {}", self.fallback),
            (GridBasis::Zone, _) => write!(f, "{}, otherwise {}", self.coverage, self.fallback),
            (_, []) => write!(f, "the grid nearest to each case, such as {}", self.fallback),
            _ => write!(f, "{}", self.coverage),
        }
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        // A corner that sticks out is not worth a word.
        let tells = |share: f64| share >= 0.005;
        let mut parts: Vec<String> = self
            .grids
            .iter()
            .filter(|(_, share)| tells(*share))
            .map(|(grid, share)| format!("grid {grid} ({})", percent(*share)))
            .collect();
        for (what, share) in [("no grid", self.outside), ("above the horizon", self.off_ground)] {
            if tells(share) {
                parts.push(format!("{what} ({})", percent(share)));
            }
        }
        f.write_str(&parts.join(", "))
    }
}

impl Terrain {
    /// How much of `zone` lies in which grid.
    fn cover(&self, zone: &Polygon) -> Coverage {
        if self.grids.is_empty() {
            return Coverage::default();
        }
        let mut counts: Vec<(GridId, usize)> = Vec::new();
        let (mut all, mut outside, mut off_ground) = (0, 0, 0);
        for picture in raster(zone) {
            all += 1;
            match self.ground.point(picture).map(|at| self.holding(at)) {
                None => off_ground += 1,
                Some(None) => outside += 1,
                Some(Some(grid)) => match counts.iter_mut().find(|(id, _)| id == grid) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((grid.clone(), 1)),
                },
            }
        }
        let share = |count: usize| count as f64 / all.max(1) as f64;
        counts.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        Coverage {
            grids: counts.into_iter().map(|(id, count)| (id, share(count))).collect(),
            outside: share(outside),
            off_ground: share(off_ground),
        }
    }

    /// The grid that is nearest to any point of `zone`, which lies in none.
    fn near_zone(&self, zone: &Polygon) -> Result<GridId, SiteFault> {
        let points: Vec<[f64; 2]> = raster(zone).filter_map(|picture| self.ground.point(picture)).collect();
        let best = points
            .iter()
            .filter_map(|&at| self.nearest(at).map(|(grid, away_m)| (at, grid, away_m)))
            .min_by(|(_, _, a), (_, _, b)| a.total_cmp(b));
        match best {
            Some((_, grid, away_m)) if away_m <= NEAR_M => Ok(grid.clone()),
            Some((at, grid, away_m)) => {
                let [x, y] = self.ground.plane().map(at);
                Err(SiteFault::OutsideAll(format!(
                    "at [{x:.6}, {y:.6}] the nearest is {grid}, {away_m:.0} m away"
                )))
            }
            None => {
                Err(SiteFault::OutsideAll("all of it shows above the horizon or out of reach".to_owned()))
            }
        }
    }
}

/// Points of `zone` in the picture, 0-1: its corners, and a raster over it.
fn raster(zone: &Polygon) -> impl Iterator<Item = [f64; 2]> + '_ {
    let corners = zone.corners();
    let span = |axis: usize| {
        let low = corners.iter().map(|c| c[axis]).fold(f32::MAX, f32::min);
        let high = corners.iter().map(|c| c[axis]).fold(f32::MIN, f32::max);
        move |step: usize| low + (high - low) * (step as f32 + 0.5) / RASTER as f32
    };
    let (across, down) = (span(0), span(1));
    let inner = (0..RASTER * RASTER)
        .map(move |at| (across(at % RASTER), down(at / RASTER)))
        .filter(|&point| zone.contains(point));
    corners.iter().map(|&[x, y]| (x, y)).chain(inner).map(|(x, y)| [f64::from(x), f64::from(y)])
}

/// The median footing in each direction; `None` of none.
fn median(footings: &[Footing]) -> Option<Footing> {
    let middle = |of: fn(&Footing) -> f64| {
        let mut values: Vec<f64> = footings.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        let half = values.len() / 2;
        // Of an even number the mean of the two in the middle, so that mirrored boxes get the mirrored median.
        match values.len() {
            0 => None,
            n if n % 2 == 1 => Some(values[half]),
            _ => Some((values[half - 1] + values[half]) / 2.0),
        }
    };
    Some(Footing { at: [middle(|f| f.at[0])?, middle(|f| f.at[1])?], spread_m: middle(|f| f.spread_m)? })
}

#[cfg(test)]
mod tests;
