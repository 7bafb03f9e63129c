//! Where things are: zones on a camera's picture, the ground before it, and the grid that each case belongs to.

mod grid;
pub mod grids;
mod ground;
pub mod homography;
mod position;
mod site;
mod zone;

pub(crate) use grid::is_slug;
pub use grid::{GridFault, GridId};
pub use grids::Grids;
pub use ground::Ground;
pub(crate) use ground::REACH_M;
pub use homography::Homography;
pub use position::{Coordinates, Plane, Position};
pub use site::{Coverage, GridBasis, Site, SiteFault, Terrain};
pub use zone::{Polygon, PolygonFault};
