//! `gridpatrol models`: which models there are, whether they are what their manifests say, and adding one.

mod add;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use crate::detect::model::Model;
use crate::detect::{OnnxDetector, RuntimeReport};
use crate::error::{Error, Kind, Result};
use crate::telemetry;

/// List, verify or add models.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gridpatrol models list\n  gridpatrol models verify models/nanodet-g-416\n  \
                  gridpatrol models add rubbish.onnx --labels rubbish.txt --head yolo_v8 --licence Apache-2.0"
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the models below a folder.
    List {
        /// The folder whose folders hold models.
        #[arg(default_value = "models")]
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check file hashes, and that ONNX Runtime opens each model as its manifest says.
    Verify {
        /// Folders of models. Default: all below `models`.
        folders: Vec<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a model's folder from an ONNX file: look at the graph, write model.toml, open it once.
    Add(Box<add::Args>),
}

/// Lists, verifies or adds.
///
/// # Errors
/// When there is no model, or, on verify, when one is not what it should be.
pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        Action::List { folder, json } => {
            for model in found(folder)? {
                print(&line(&model, &Model::load(&model), None, *json))?;
            }
            Ok(())
        }
        Action::Add(args) => {
            let (folder, assumed) = add::add(args)?;
            print(&format!("wrote and opened {}", folder.display()))?;
            assumed.iter().try_for_each(|what| print(&format!("  assumed {what}")))?;
            print("check a picture with `gridpatrol detect --help` before you rely on it")
        }
        Action::Verify { folders, json } => {
            let folders = if folders.is_empty() { found(Path::new("models"))? } else { folders.clone() };
            let mut bad = 0;
            for folder in &folders {
                let mut runtime = None;
                let opened = Model::load(folder).and_then(|model| {
                    let detector = OnnxDetector::new(&model, None, 1)?;
                    runtime = Some(detector.session().runtime().clone());
                    Ok(model)
                });
                print(&line(folder, &opened, runtime.as_ref(), *json))?;
                if let Err(error) = &opened {
                    bad += 1;
                    telemetry::print_error(error);
                }
            }
            if bad == 0 {
                return Ok(());
            }
            Err(Error::new(
                Kind::Model,
                format!("{bad} of {} models are not what they should be", folders.len()),
            ))
        }
    }
}

/// The folders below `folder` that hold a model, sorted.
pub(super) fn found(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| {
        Error::new(Kind::Model, format!("cannot read the folder of models {}", folder.display()))
            .help("run it where the folder `models` is, or name a folder")
            .caused_by(e)
    })?;
    let mut models: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("model.toml").is_file())
        .collect();
    models.sort_unstable();
    if models.is_empty() {
        let message = format!("no folder below {} holds a model.toml", folder.display());
        return Err(Error::new(Kind::Model, message));
    }
    Ok(models)
}

fn line(folder: &Path, model: &Result<Model>, runtime: Option<&RuntimeReport>, as_json: bool) -> String {
    match (model, as_json) {
        (Ok(model), false) => {
            let m = &model.manifest;
            let labels = model.vocabulary.names().len();
            format!(
                "ok  {}  {}  {}x{}  {labels} labels  {}  sha256 {}{}",
                folder.display(),
                m.name,
                m.input.width,
                m.input.height,
                m.licence,
                &model.identity().sha256[..8],
                runtime.map_or_else(String::new, |runtime| format!("  {runtime}")),
            )
        }
        (Ok(model), true) => {
            let m = &model.manifest;
            json!({
                "folder": folder.display().to_string(),
                "ok": true,
                "name": m.name,
                "width": m.input.width,
                "height": m.input.height,
                "labels": model.vocabulary.names(),
                "licence": m.licence,
                "sha256": model.identity().sha256,
                "runtime": runtime,
            })
            .to_string()
        }
        (Err(error), false) => format!("BAD {}  {error}", folder.display()),
        (Err(error), true) => {
            json!({"folder": folder.display().to_string(), "ok": false, "error": error.to_string()})
                .to_string()
        }
    }
}

fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}
