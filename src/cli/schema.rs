//! `gridpatrol schema`: the JSON Schemas of what goes in and what comes out.

use std::io::Write as _;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::metrics::Metrics;
use crate::mqtt::{Answer, CaseEvent, Status};

/// Print a JSON Schema (draft 2020-12).
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
    /// What a box answers to a command.
    Answer,
    /// What a box counts.
    Metrics,
}

/// The schema of `subject`.
pub fn of(subject: Subject) -> Schema {
    match subject {
        // What may be left out when reading, and what is always there when writing, differ.
        Subject::Config => generate::<Config>(SchemaSettings::draft2020_12()),
        Subject::Event => generate::<CaseEvent>(SchemaSettings::draft2020_12().for_serialize()),
        Subject::Answer => generate::<Answer>(SchemaSettings::draft2020_12().for_serialize()),
        Subject::Metrics => generate::<Metrics>(SchemaSettings::draft2020_12().for_serialize()),
        Subject::Status => generate::<Status>(SchemaSettings::draft2020_12().for_serialize()),
    }
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    settings.into_generator().into_root_schema_for::<T>()
}

/// Prints the schema.
///
/// # Errors
/// [`Kind::System`] when standard output cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let text = serde_json::to_string_pretty(&of(args.subject))
        .map_err(|e| Error::new(Kind::System, "cannot write the schema as JSON").caused_by(e))?;
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}
