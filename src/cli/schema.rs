//! `gridpatrol schema`: the JSON Schemas of what goes in and what comes out, and all of the contract in one document.

use std::io::Write as _;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::metrics::Metrics;
use crate::mqtt::command::{
    EvidenceCommand, QuietCommand, ReloadCommand, ResumeCommand, SnapshotCommand, VerdictCommand,
};
use crate::mqtt::{Answer, CaseEvent, ClipNote, Health, Status, contract};

/// Print a JSON Schema (draft 2020-12), or the contract as an AsyncAPI 3.0 document.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to describe.
    #[arg(value_enum)]
    pub subject: Subject,
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// The configuration file.
    Config,
    /// A case event as it is published.
    Event,
    /// The retained status of a box.
    Status,
    /// The retained health of a camera.
    Health,
    /// What a box answers to a command.
    Answer,
    /// What a box counts.
    Metrics,
    /// What is known of the clip of a case.
    Clip,
    /// The command `cmd/verdict`.
    Verdict,
    /// The command `cmd/quiet`.
    Quiet,
    /// The command `cmd/resume`.
    Resume,
    /// The command `cmd/evidence`.
    Evidence,
    /// The command `cmd/snapshot`.
    Snapshot,
    /// The command `cmd/reload`.
    Reload,
    /// All topics and messages, as an AsyncAPI 3.0 document in JSON.
    Asyncapi,
}

/// The schema of `subject`; for [`Subject::Asyncapi`] the document, which holds those of all messages.
///
/// # Errors
/// As [`contract::document`].
pub fn of(subject: Subject) -> Result<Value> {
    // What may be left out when reading, and what is always there when writing, differ.
    let read = SchemaSettings::draft2020_12;
    let written = || SchemaSettings::draft2020_12().for_serialize();
    let schema = match subject {
        Subject::Config => generate::<Config>(read()),
        Subject::Event => generate::<CaseEvent>(written()),
        Subject::Answer => generate::<Answer>(written()),
        Subject::Metrics => generate::<Metrics>(written()),
        Subject::Clip => generate::<ClipNote>(written()),
        Subject::Health => generate::<Health>(written()),
        Subject::Status => generate::<Status>(written()),
        Subject::Verdict => generate::<VerdictCommand>(read()),
        Subject::Quiet => generate::<QuietCommand>(read()),
        Subject::Resume => generate::<ResumeCommand>(read()),
        Subject::Evidence => generate::<EvidenceCommand>(read()),
        Subject::Snapshot => generate::<SnapshotCommand>(read()),
        Subject::Reload => generate::<ReloadCommand>(read()),
        Subject::Asyncapi => return contract::document(),
    };
    Ok(schema.to_value())
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    settings.into_generator().into_root_schema_for::<T>()
}

/// Prints the schema.
///
/// # Errors
/// As [`of`].
/// [`Kind::System`] when standard output cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let text = serde_json::to_string_pretty(&of(args.subject)?)
        .map_err(|e| Error::new(Kind::System, "cannot write the schema as JSON").caused_by(e))?;
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}
