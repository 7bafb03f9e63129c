//! Where things are: zones on a camera's picture and the grid that each belongs to.

mod grid;
pub mod grids;
pub mod homography;
mod position;
mod site;
mod zone;

pub(crate) use grid::is_slug;
pub use grid::{GridFault, GridId};
pub use position::{Coordinates, Plane, Position};
pub use site::{GridBasis, Site};
pub use zone::{Polygon, PolygonFault};
