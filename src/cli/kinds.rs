//! `gridpatrol kinds`: the kinds of case, with their codes, zones and rules.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::case::catalog::{CATALOG, Catalog, Kind as CaseKind, TEXT};
use crate::config::ConfigFile;
use crate::error::{Error, Kind, Result};
use crate::plan::Plan;

/// List the kinds of case, with their codes, the kinds of zone that bring them, and their rules.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol kinds                       what there is
  gridpatrol kinds --config edge.toml    with the site's own kinds (edge.catalog)
  gridpatrol kinds --toml                the built-in catalogue, to write a site's own after")]
pub struct Args {
    /// The configuration whose `edge.catalog` is taken in.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print them as JSON.
    #[arg(long)]
    pub json: bool,
    /// Print the built-in catalogue as it is written.
    #[arg(long, conflicts_with_all = ["config", "json"])]
    pub toml: bool,
}

/// Prints the kinds.
///
/// # Errors
/// When the configuration or its catalogue is at fault, or standard output cannot be written.
pub fn run(args: &Args) -> Result<()> {
    if args.toml {
        return print(TEXT.trim_end());
    }
    let catalog = match &args.config {
        None => Arc::clone(&CATALOG),
        Some(path) => Plan::catalog(&ConfigFile::read(path)?)?,
    };
    if args.json {
        let text = serde_json::to_string_pretty(&serde_json::json!({
            "standard": catalog.standard.current,
            "kinds": catalog.kinds().iter().map(|kind| kind.as_ref()).collect::<Vec<_>>(),
        }));
        return print(
            &text.map_err(|e| Error::new(Kind::System, "cannot write the kinds as JSON").caused_by(e))?,
        );
    }
    print(&as_text(&catalog))
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

fn as_text(catalog: &Catalog) -> String {
    catalog.kinds().iter().map(|kind| paragraph(kind)).collect::<Vec<_>>().join("\n")
}

/// Three lines about one kind.
fn paragraph(kind: &CaseKind) -> String {
    let CaseKind { slug, name_zh, name_en, .. } = kind;
    let terms = kind.rule.terms();
    let code = kind.code.as_deref().unwrap_or("no code");
    let zones = match kind.zones.as_slice() {
        [] => "any, by its name".to_owned(),
        zones => zones.join(", "),
    };
    let mut rule = format!("{}, {} s, clears after {} s", kind.rule.name(), terms.dwell_s, terms.clear_s);
    if let Some(count) = terms.count {
        rule.push_str(&format!(", from {count}"));
    }
    for (word, labels) in [("of", &terms.labels), ("with", &terms.with), ("without", &terms.without)] {
        if !labels.is_empty() {
            rule.push_str(&format!("; {word} {}", labels.join(", ")));
        }
    }
    format!("{slug}  {name_zh}  {name_en}  [{code}]\n    zones: {zones}\n    rule: {rule}")
}
