//! A model's folder: weights, labels and `model.toml`, the manifest that says how to feed the network and how
//! to read what it gives. Nothing about a model is guessed: what the manifest leaves open is an error.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::heads::HeadSpec;
use super::input::InputSpec;
use super::{ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};

/// Name of the manifest in a model's folder.
pub const MANIFEST: &str = "model.toml";
/// Largest manifest or labels file.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// What `model.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the model in messages.
    pub name: String,
    /// The ONNX file, in the folder of the manifest.
    pub file: PathBuf,
    /// Lower-case hex SHA-256 of that file.
    pub sha256: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Where the weights come from, in words.
    pub provenance: String,
    /// ONNX operator set that the graph needs.
    pub opset: u32,
    /// What the network takes.
    pub input: InputSpec,
    /// What the network gives.
    pub head: HeadSpec,
    /// Where a detection begins.
    pub threshold: Threshold,
    /// The labels in the order of the network's classes.
    pub labels: Labels,
}

/// Where a detection begins.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Least score, 0-1.
    pub score: f32,
    /// Of two boxes of one class group that overlap by more than this (intersection over union), the lower
    /// score is dropped.
    pub iou: f32,
}

/// The labels, or the file that has them, one a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Labels {
    /// Written in the manifest.
    List(Vec<String>),
    /// A text file in the folder of the manifest.
    File(PathBuf),
}

/// A model whose files are there and are what the manifest says.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its folder.
    pub folder: PathBuf,
    /// What its manifest says.
    pub manifest: Manifest,
    /// Its labels; as many as the head has classes.
    pub vocabulary: Vocabulary,
}

impl Model {
    /// Reads `folder/model.toml`, the labels, and the weights once for their hash.
    ///
    /// # Errors
    /// [`Kind::Model`] that names the file, what was expected and what was found.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text = read_text(&path)?;
        let manifest: Manifest = toml::from_str(&text).map_err(|e| {
            let span = e.span().unwrap_or(0..0);
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            let message = e.message().lines().next().unwrap_or("not valid TOML").to_owned();
            fault(format!("{}, line {line}: {message}", path.display()))
                .at(&path, &text, span, message)
                .help("models/README.md describes every key of a manifest")
        })?;
        let wrong = |what: String| fault(format!("{}: {what}", path.display()));
        manifest.check().map_err(wrong)?;
        let names = match &manifest.labels {
            Labels::List(names) => names.clone(),
            Labels::File(file) => {
                let text = read_text(&folder.join(inside(file).map_err(wrong)?))?;
                text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
            }
        };
        let classes = manifest.head.classes();
        if names.len() != classes {
            return Err(wrong(format!("{} labels for a head of {classes} classes", names.len()))
                .help("give one label for each class, in the order in which the network was trained"));
        }
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(wrong(format!("the label `{}` is there twice", twice.1)));
        }
        let model = Self { folder: folder.to_owned(), manifest, vocabulary: Vocabulary::new(names) };
        model.check_hash()?;
        Ok(model)
    }

    /// The ONNX file.
    pub fn weights(&self) -> PathBuf {
        self.folder.join(&self.manifest.file)
    }

    /// Name and hash, for messages.
    pub fn identity(&self) -> ModelIdentity {
        ModelIdentity { name: self.manifest.name.clone(), sha256: self.manifest.sha256.clone() }
    }

    fn check_hash(&self) -> Result<()> {
        let path = self.weights();
        let mut file = fs::File::open(&path).map_err(|e| {
            fault(format!("the weights {} cannot be read", path.display()))
                .help("check out the file again, or rebuild it as models/README.md says")
                .caused_by(e)
        })?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => hash.update(&buffer[..length]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    return Err(fault(format!("the weights {} cannot be read", path.display())).caused_by(e));
                }
            }
        }
        let actual: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if actual == self.manifest.sha256 {
            return Ok(());
        }
        Err(fault(format!(
            "the weights {} are not those of the manifest: expected sha256 {}, found {actual}",
            path.display(),
            self.manifest.sha256
        ))
        .help("check out the file again; after a rebuild that is meant, put the new sha256 into model.toml"))
    }
}

impl Manifest {
    fn check(&self) -> Result<(), String> {
        let unit = |key: &str, value: f32| {
            if (0.0..=1.0).contains(&value) {
                Ok(())
            } else {
                Err(format!("{key} = {value}: expected 0 to 1"))
            }
        };
        inside(&self.file)?;
        if self.name.trim().is_empty() {
            return Err("name is empty".to_owned());
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("sha256 = \"{}\": expected 64 lower-case hex digits", self.sha256));
        }
        self.input.check()?;
        unit("threshold.score", self.threshold.score)?;
        unit("threshold.iou", self.threshold.iou)?;
        self.head.check()
    }
}

/// `path` if it stays inside the model's folder.
fn inside(path: &Path) -> Result<&Path, String> {
    if path.file_name().is_some_and(|name| name == path.as_os_str()) {
        Ok(path)
    } else {
        Err(format!("`{}`: expected the name of a file in the folder of the manifest", path.display()))
    }
}

fn read_text(path: &Path) -> Result<String> {
    let unreadable = |e| {
        fault(format!("cannot read {}", path.display()))
            .help(
                "give the folder of a model: model.toml, its labels and its ONNX file; see models/README.md",
            )
            .caused_by(e)
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(fault(format!("{} is larger than 1 MiB", path.display())));
    }
    Ok(text)
}

pub(super) fn fault(message: impl Into<String>) -> Error {
    Error::new(Kind::Model, message)
}
