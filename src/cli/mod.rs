//! The command line, one verb a file.

pub mod bench;
pub mod calibrate;
pub mod cameras;
#[cfg(feature = "usb")]
pub mod capture_usb;
pub mod check;
pub mod demo;
#[cfg(feature = "desk")]
pub mod desk;
pub mod detect;
pub mod evidence;
pub mod kinds;
pub mod models;
pub mod replay;
pub mod run;
pub mod run_child;
pub mod schema;

use clap::{Parser, Subcommand};

use tracing::info;

use crate::daemon::Detectors;
use crate::detect::{Detector, OnnxDetector, SeldomDetector, Setup};
use crate::error::{Error, Result};
use crate::plan::Plan;

/// Turns street cameras into grid-tagged case candidates: one case per real violation. 巡格：一处违规，一个案件。
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// Log more, to standard error. The environment variable GRIDPATROL_LOG takes a filter instead.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  gridpatrol demo                          watch the bundled clip become cases
  gridpatrol check --config edge.toml      is this configuration sound?
  gridpatrol run --config edge.toml        watch the cameras and publish cases
  gridpatrol replay --config edge.toml --camera cam-05 --input clip.mp4 --events -

Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Watch the cameras of a configuration and publish their cases.
    Run(run::Args),
    /// Play a recording through one camera's zones and write down the events.
    Replay(replay::Args),
    /// Show the whole thing on the bundled clip, with a broker of its own.
    Demo(demo::Args),
    /// The desk of a street: review, dispose, escalate and follow up cases.
    #[cfg(feature = "desk")]
    Desk(desk::Args),
    /// List the cameras of this box, or watch one of a configuration.
    Cameras(cameras::Args),
    /// Check a configuration, its model and its inputs without running it.
    Check(check::Args),
    /// Detect objects in pictures.
    Detect(detect::Args),
    /// Export evidence that the box has kept, for training.
    Evidence(evidence::Args),
    /// Fit a model to the streets that it will watch.
    Calibrate(calibrate::Args),
    /// List or verify models.
    Models(models::Args),
    /// Measure what a look costs on this box, and how many cameras that makes.
    Bench(bench::Args),
    /// List the kinds of case, with their codes, zones and rules.
    Kinds(kinds::Args),
    /// Print a JSON Schema.
    Schema(schema::Args),
    /// Become a program that ends with this one.
    #[command(hide = true)]
    RunChild(run_child::Args),
    #[cfg(feature = "usb")]
    #[command(hide = true)]
    /// Capture from one camera, for the program itself.
    CaptureUsb(capture_usb::Args),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// That of the verb.
    pub fn run(self) -> Result<()> {
        match self.verb {
            Verb::Run(args) => run::run(&args),
            Verb::Replay(args) => replay::run(&args),
            Verb::Demo(args) => demo::run(&args),
            #[cfg(feature = "desk")]
            Verb::Desk(args) => desk::run(&args),
            Verb::Cameras(args) => cameras::run(&args),
            Verb::Check(args) => check::run(&args),
            Verb::Detect(args) => detect::run(&args),
            Verb::Evidence(args) => evidence::run(&args),
            Verb::Calibrate(args) => calibrate::run(&args),
            Verb::Models(args) => models::run(&args),
            Verb::Bench(args) => bench::run(&args),
            Verb::Kinds(args) => kinds::run(&args),
            Verb::Schema(args) => schema::run(&args),
            Verb::RunChild(args) => run_child::run(&args),
            #[cfg(feature = "usb")]
            Verb::CaptureUsb(args) => capture_usb::run(&args),
        }
    }
}

/// A detector for each worker of `plan` and one for the pictures of cases, if there are to be any; said in the log.
///
/// # Errors
/// When the model is at fault, or does not know the labels of the plan.
fn detectors(plan: &mut Plan) -> Result<Detectors> {
    let pictures = usize::from(plan.redaction.is_some());
    let opened = OnnxDetector::several(&plan.model, &plan.setup(), plan.workers + pictures)?;
    if let Some(first) = opened.first() {
        plan.check_labels(first.vocabulary(), &first.identity().name)?;
        plan.check_scores(first.identity())?;
        info!(
            model = first.identity().name,
            workers = plan.workers,
            "Runs on {}.",
            first.session().runtime()
        );
    }
    let mut workers: Vec<_> =
        opened.into_iter().map(|detector| Box::new(detector) as Box<dyn Detector>).collect();
    let prover = if plan.redaction.is_some() { workers.pop() } else { None };
    let clips = match plan.cameras.iter().any(|camera| camera.clip) {
        // Open only while it makes a clip.
        true => {
            let setup = Setup { threads: 1, ..plan.setup() };
            Some(Box::new(SeldomDetector::new(&plan.model, &setup)?) as Box<dyn Detector>)
        }
        false => None,
    };
    Ok(Detectors { workers, prover, clips })
}

/// An error with everything underneath it and its help, in one line.
fn in_one_line(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if let Some(help) = miette::Diagnostic::help(error) {
        text.push_str(&format!(" ({help})"));
    }
    text
}
