//! Where the cases of a zone belong: the grid that is responsible and the point on the ground.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GridId, Position};
use crate::detect::BBox;

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

/// How a zone's cases get their place.
#[derive(Clone, Debug)]
pub struct Site {
    grid: GridId,
}

impl Site {
    /// A zone whose cases all belong to `grid`.
    pub fn of_zone(grid: GridId) -> Self {
        Self { grid }
    }

    /// The grid that the configuration gives to the zone.
    pub fn grid(&self) -> &GridId {
        &self.grid
    }

    /// Where a case is whose objects have these boxes in the picture.
    pub(crate) fn locate(&self, _boxes: impl IntoIterator<Item = BBox>) -> Spot {
        Spot { grid: self.grid.clone(), basis: GridBasis::Zone, position: None }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "grid {}", self.grid)
    }
}
