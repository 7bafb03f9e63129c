//! One binary for all tests of the whole program. A test that needs a broker, a file or a process goes into the
//! module of its subject here; a test of one function stays beside the function.

// A test that unwraps has already said what it expects, and prints what it measured.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod bench;
mod calibrate;
mod calibrate_camera;
mod calibrate_scores;
mod cameras;
mod cases;
mod cli;
mod clip;
mod delivery;
#[cfg(feature = "desk")]
mod desk;
mod detect;
mod element_types;
mod evidence;
mod film;
mod grids;
mod halves;
mod heads;
mod privacy;
mod providers;
mod redaction;
mod rules;
mod scenarios;
mod scene;
mod support;
mod throttle;
mod tracking;
mod training_set;
mod upload;
