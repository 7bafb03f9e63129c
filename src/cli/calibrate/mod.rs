//! `gridpatrol calibrate`: fit a model to the streets that it will watch.

pub mod int8;
pub mod scores;

use clap::Subcommand;

use crate::error::Result;

/// Fit a model to the streets that it will watch.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol calibrate int8 --model models/my-model-fp32 --from recordings/gate.mp4
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
    /// Quantise a model to INT8 and judge the result.
    Int8(int8::Args),
    /// Fit what scores are worth, and recommend thresholds.
    Scores(scores::Args),
}

/// Fits.
///
/// # Errors
/// That of the action.
pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Int8(args) => int8::run(args),
        Action::Scores(args) => scores::run(args),
    }
}
