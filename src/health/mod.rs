//! Whether a camera can be believed: its picture, and what it says of itself.
//!
//! A picture that is black, covered, frozen, out of focus or of another place shows no empty street. Looks at it are
//! unusable, which changes nothing, and the camera's health says so until it is over.

mod board;
mod fault;
mod registration;
mod signs;
mod view;

pub use board::{CameraHealth, Health, HealthBoard, HealthState, Sights};
pub use fault::Fault;
pub use view::{Verdict, ViewHealth, ViewPlan};
