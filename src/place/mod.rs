//! Where things are: zones on a camera's picture and the grid that each belongs to.

mod grid;
mod zone;

pub(crate) use grid::is_slug;
pub use grid::{GridFault, GridId};
pub use zone::{Polygon, PolygonFault};
