//! `gridpatrol calibrate`: fit a model and a camera to the streets that they will watch.

pub mod camera;
pub mod int8;
mod lessons;
pub mod scores;

use clap::Subcommand;

use crate::error::Result;

/// Fit a model and a camera to the streets that they will watch.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol calibrate int8 --model models/my-model-fp32 --from recordings/gate.mp4
  gridpatrol calibrate camera --config edge.toml --camera cam-05 --points points.csv
  gridpatrol calibrate scores --labels labels.json --pictures photos --out calibration/scores.toml

calibration/README.md describes what is measured and what is written.")]
pub struct Args {
    /// What to fit.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be fitted.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Find out where on the ground things are that show in a camera's picture.
    Camera(camera::Args),
    /// Quantise a model to INT8 and judge the result.
    Int8(int8::Args),
    /// Fit what scores are worth, and recommend thresholds; or report what verdicts have taught a box.
    Scores(scores::Args),
}

/// Fits.
///
/// # Errors
/// That of the action.
pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Camera(args) => camera::run(args),
        Action::Int8(args) => int8::run(args),
        Action::Scores(args) => scores::run(args),
    }
}
