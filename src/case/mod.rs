//! One case per real violation: the catalogue of kinds, the places that remember, the life of a case, and what of
//! it is told.

pub mod catalog;
mod drift;
mod hidden;
mod lifecycle;
pub(crate) mod occupancy;
mod part;
mod shift;
mod slot;
mod spread;
mod stretch;
pub mod throttle;
mod trial;

pub use lifecycle::{Case, CaseId, Change, Happening, RuleIndex};
pub(crate) use occupancy::LONGEST_STEP_S;
pub(crate) use part::{extends, same_foot, shares_ground, shows_part};
pub(crate) use shift::{Sign, aside, common, others};
pub(crate) use slot::{Identity, Slot};
pub use throttle::Throttle;
