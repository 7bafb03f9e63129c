//! `gridpatrol evidence`: what the box has kept of its cases, for those who train.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;

use crate::calibrate::training_set::{self, Exported, Origin};
use crate::config::ConfigFile;
use crate::error::{Error, Kind, Result};
use crate::outbox::Snapshot;
use crate::plan::Plan;

/// Export evidence that the box has kept.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with evidence.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Write redacted close-ups of reviewed cases as a training set in COCO form.
    Export(ExportArgs),
}

/// Which pictures, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol evidence export --rejected --config edge.toml --out rejected
  gridpatrol evidence export --rejected --confirmed --config edge.toml --out reviewed --json

The folder then holds images/, annotations.json (COCO; boxes in pixels of each picture) and a README.md with where
they are from and what may be done with them. The box may be running; nothing of it is changed.")]
pub struct ExportArgs {
    /// The box's configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Folder to write to; made, or empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Cases that a reviewer has rejected.
    #[arg(long, required_unless_present = "confirmed")]
    pub rejected: bool,
    /// Cases that a reviewer has confirmed.
    #[arg(long)]
    pub confirmed: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Does what was asked for.
///
/// # Errors
/// When the configuration is at fault, the database cannot be read, or the folder cannot be written.
pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::Export(args) => export(args),
    }
}

fn export(args: &ExportArgs) -> Result<()> {
    let plan = Plan::new(&ConfigFile::read(&args.config)?)?;
    let cases = Snapshot::take(&plan.storage)?.outbox.reviewed_cases()?;
    let asked = [("rejected", args.rejected), ("confirmed", args.confirmed)];
    let verdicts: Vec<&str> = asked.iter().filter(|(_, asked)| *asked).map(|(verdict, _)| *verdict).collect();
    let source = format!("{}/{}", plan.street, plan.box_id);
    let origin = Origin { source: &source, verdicts: &verdicts, now: Timestamp::now() };
    let done = training_set::export(&cases, &plan.storage.join("evidence"), &args.out, &origin, progress)?;
    let text = if args.json {
        serde_json::to_string(&done)
            .map_err(|e| Error::new(Kind::System, "cannot write the summary as JSON").caused_by(e))?
    } else {
        as_text(args, &done)
    };
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

fn as_text(args: &ExportArgs, done: &Exported) -> String {
    let Exported { images, annotations, categories, cases, without_note, gone, changed } = done;
    let mut text = format!(
        "{}: {images} pictures with {annotations} boxes of {cases} cases ({}).",
        args.out.display(),
        if categories.is_empty() { "no label".to_owned() } else { categories.join(", ") }
    );
    for (number, why) in [
        (without_note, "have no close-up, or one of which it was not noted what is where"),
        (gone, "have a close-up that is no longer kept (storage.rejected_days, storage.evidence_days)"),
        (changed, "have a close-up that is not the one that was noted"),
    ] {
        if *number > 0 {
            text.push_str(&format!("\n  {number} {why}"));
        }
    }
    text
}

fn progress(done: usize, of: usize) {
    let mut stderr = std::io::stderr().lock();
    if stderr.is_terminal() {
        // A courtesy: a terminal that has gone away is no reason to stop.
        let _ = write!(stderr, "\r{done} of {of} cases{}", if done == of { "\n" } else { "  " });
    }
}
