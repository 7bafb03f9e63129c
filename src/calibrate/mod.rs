//! Fitting a model to the streets that it will watch, and proving the result.
//!
//! To INT8: [`recording`] takes frames that differ ([`sample`]) out of recordings, [`quantise`] has ONNX Runtime's
//! quantiser make the smaller graph, [`judge`] compares it with the graph it came from by [`agreement`] of boxes
//! and [`average_precision`] ([`labels`], [`labelled`]), [`folder`] makes a model of it, and [`report`] says what was done.
//!
//! Scores: [`scores`] matches detections with [`labels`] and fits a curve to them by [`isotonic`] regression or
//! [`platt`]'s sigmoid, [`reliability`] measures how good it is, [`diagram`] draws that, [`score_file`] keeps it for the runtime.
//!
//! What reviewers found: [`training_set`] exports close-ups of reviewed cases, to train with.

pub mod agreement;
pub mod average_precision;
pub mod diagram;
pub mod folder;
pub mod ground_file;
pub mod ground_view;
pub mod isotonic;
pub mod judge;
pub mod labelled;
pub mod labels;
pub mod platt;
pub mod points;
pub mod quantise;
pub mod recording;
pub mod reliability;
pub mod report;
pub mod sample;
pub mod score_file;
pub mod scores;
pub mod training_set;
