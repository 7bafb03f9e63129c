//! The desk: a small, complete case platform for one street. Camera cases come in over MQTT, residents, patrols and
//! callers report theirs; grid workers review and dispose of them, the operations centre and departments take what a
//! grid cannot solve, and who reported is asked whether it was solved.
//!
//! It is an ordinary client of the broker: nothing but the public messages of a box ([`crate::mqtt::topic`],
//! [`crate::mqtt::envelope`], [`crate::mqtt::command`]) ties the two together.
//!
//! # Layout
//! - [`config`] what the operator wrote, [`plan`] what it means;
//! - [`life`] the life of a case as a pure table; [`model`] cases as people see them;
//! - [`viewer`] who looks and what they may see, [`denied`] what is answered otherwise;
//! - `store` the database, the only place with SQL.
//!
//! # Invariants
//! - A message is acknowledged to the broker only after what it says is on disk; one that comes twice changes nothing.
//! - A picture is shown only if its SHA-256 is the one that its event names.
//! - Every question about cases takes a [`Viewer`]: a worker can neither see nor change a case of another grid.
//! - All that happens to a case stands in its timeline, which is only added to.

pub mod config;
pub mod denied;
pub mod life;
pub mod model;
pub mod plan;
mod store;
pub mod viewer;

pub use denied::{Answer, Denied, Invalid};
pub use plan::DeskPlan;
pub use viewer::{Scope, Viewer};
