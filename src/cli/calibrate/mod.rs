//! `gridpatrol calibrate`: fit a model to the streets that it will watch.

pub mod int8;

use clap::Subcommand;

use crate::error::Result;

/// Fit a model to the streets that it will watch.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  gridpatrol calibrate int8 --model models/my-model-fp32 --from recordings/gate.mp4

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
}

/// Fits.
///
/// # Errors
/// That of the action.
pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Int8(args) => int8::run(args),
    }
}
