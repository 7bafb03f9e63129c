//! Rules: what is judged on each look, and the places that remember it.
//!
//! A rule is a function of its state and a look. It asks no clock and keeps no picture.

mod candidates;
mod cluster;
mod company;
mod count;
mod dwell;
mod landmarks;
mod loitering;
mod meeting;
mod pace;
mod passage;
mod places;
mod presence;
mod scene;
mod schedule;
mod size;
mod stay;
mod whereabouts;

pub(crate) use cluster::{Cluster, Together};
pub(crate) use company::Company;
pub(crate) use count::Count;
pub(crate) use dwell::Dwell;
pub(crate) use loitering::Loitering;
pub(crate) use pace::Pace;
pub(crate) use presence::Presence;
pub(crate) use scene::{Scene, Terms, WEAK};
pub use schedule::{Calendar, Schedule};
pub use size::SizeLimits;
