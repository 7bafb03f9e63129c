//! A model's folder: weights, labels and `model.toml`, the manifest that says how to feed the network and how
//! to read what it gives. Nothing about a model is guessed: what the manifest leaves open is an error.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::heads::{Classes, Head, HeadSpec, InputSize};
use super::input::InputSpec;
use super::onnx_file::OnnxFile;
use super::{ModelIdentity, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::text_file;

/// Name of the manifest in a model's folder.
pub const MANIFEST: &str = "model.toml";
/// Largest manifest or labels file.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// Largest ONNX file: what one Protocol Buffers message can hold.
const MAX_WEIGHTS_BYTES: u64 = 1 << 31;

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
    /// What some of the labels are called here. Several may have one name; one without a name is ignored.
    #[serde(default)]
    pub classes: BTreeMap<String, String>,
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
    /// The names of what it finds, as its manifest calls them here.
    pub vocabulary: Vocabulary,
    /// The vocabulary's number for each class of the network.
    pub classes: Classes,
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
        let (vocabulary, classes) = class_map(&names, &manifest.classes).map_err(|what| {
            wrong(what).help(format!("the labels of the network are: {}", names.join(", ")))
        })?;
        let model = Self { folder: folder.to_owned(), manifest, vocabulary, classes };
        model.check_weights()?;
        Ok(model)
    }

    /// Its head, ready to read outputs.
    pub fn head(&self) -> Head {
        Head::new(self.manifest.head.clone(), self.manifest.input_size(), self.classes.clone())
    }

    /// The ONNX file.
    pub fn weights(&self) -> PathBuf {
        self.folder.join(&self.manifest.file)
    }

    /// Name and hash, for messages.
    pub fn identity(&self) -> ModelIdentity {
        ModelIdentity { name: self.manifest.name.clone(), sha256: self.manifest.sha256.clone() }
    }

    /// Reads the weights once: are they those of the manifest, and what the manifest says of them?
    fn check_weights(&self) -> Result<()> {
        let path = self.weights();
        let (bytes, actual) = read_weights(&path)?;
        if actual != self.manifest.sha256 {
            return Err(fault(format!(
                "the weights {} are not those of the manifest: expected sha256 {}, found {actual}",
                path.display(),
                self.manifest.sha256
            ))
            .help(
                "check out the file again; after a rebuild that is meant, put the new sha256 into model.toml",
            ));
        }
        let file = inspect_weights(&path, &bytes)?;
        if file.opset != u64::from(self.manifest.opset) {
            return Err(fault(format!(
                "the weights {} are of operator set {}, the manifest says opset = {}",
                path.display(),
                file.opset,
                self.manifest.opset
            ))
            .help(format!("set opset = {} in model.toml, or correct the file", file.opset)));
        }
        Ok(())
    }
}

/// The bytes of the ONNX file `path` and their lower-case hex SHA-256.
///
/// # Errors
/// [`Kind::Model`] when it cannot be read or is larger than an ONNX file can be.
pub fn read_weights(path: &Path) -> Result<(Vec<u8>, String)> {
    let unreadable = |e| {
        fault(format!("the weights {} cannot be read", path.display()))
            .help("check out the file again, or rebuild it as models/README.md says")
            .caused_by(e)
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_WEIGHTS_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_WEIGHTS_BYTES {
        return Err(fault(format!("the weights {} are larger than 2 GiB", path.display())));
    }
    let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, hash))
}

/// What the ONNX file `path`, whose content is `bytes`, says of itself.
///
/// # Errors
/// [`Kind::Model`] when it is no sound ONNX file, or takes weights from another file.
pub fn inspect_weights(path: &Path, bytes: &[u8]) -> Result<OnnxFile> {
    let file = OnnxFile::read(bytes).map_err(|what| {
        fault(format!("{} {what}", path.display())).help("export or download the model again")
    })?;
    file.check_external(&path.display().to_string())?;
    Ok(file)
}

impl Manifest {
    /// Width and height of the network's input.
    pub fn input_size(&self) -> InputSize {
        InputSize { width: self.input.width, height: self.input.height }
    }

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
        self.head.check(self.input_size())
    }
}

/// The vocabulary that follows from the network's `labels` and their names here, and where each class went.
fn class_map(labels: &[String], renamed: &BTreeMap<String, String>) -> Result<(Vocabulary, Classes), String> {
    if let Some(unknown) = renamed.keys().find(|label| !labels.contains(label)) {
        return Err(format!("classes: the network has no label `{unknown}`"));
    }
    let mut vocabulary = Vocabulary::default();
    let numbers = labels.iter().map(|label| {
        let name = renamed.get(label).unwrap_or(label).trim();
        if name.is_empty() { None } else { vocabulary.intern(name).map(|label| label.0) }
    });
    let classes = Classes::new(numbers.collect());
    if vocabulary.names().is_empty() {
        return Err("classes: every label is ignored, so that nothing could be found".to_owned());
    }
    Ok((vocabulary, classes))
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
    text_file::read(path, MAX_TEXT_BYTES).map_err(unreadable)
}

pub(super) fn fault(message: impl Into<String>) -> Error {
    Error::new(Kind::Model, message)
}
