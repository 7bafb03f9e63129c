//! The folder of a quantised model: the weights, the labels, and the manifest of the model that it was made of,
//! with what differs.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use crate::detect::model::{Labels, MANIFEST, Model};
use crate::error::{Error, Kind, Result};

/// The name of what is quantised from a model called `name`: `-int8` in place of `-fp32` at its end.
pub fn int8_name(name: &str) -> String {
    format!("{}-int8", name.strip_suffix("-fp32").unwrap_or(name))
}

/// Name of the weights file of what is quantised from `weights`.
pub fn int8_file(weights: &Path) -> PathBuf {
    let stem = weights.file_stem().unwrap_or(weights.as_os_str()).to_string_lossy();
    format!("{}_int8.onnx", stem.strip_suffix("_fp32").unwrap_or(&stem)).into()
}

/// Completes `folder`, which holds the quantised weights `file`, with labels and manifest. The manifest says what
/// that of `reference` says, but for name, file, hash, operator set and, added to, the provenance.
///
/// # Errors
/// [`Kind::Disk`] when a file cannot be read or written, [`Kind::Model`] when the manifest cannot be read.
pub fn complete(folder: &Path, reference: &Model, file: &Path, opset: u32, provenance: &str) -> Result<()> {
    let weights = folder.join(file);
    let bytes = fs::read(&weights).map_err(|e| Error::disk(&weights, "read", e))?;
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let source = reference.folder.join(MANIFEST);
    let text = fs::read_to_string(&source).map_err(|e| Error::disk(&source, "read", e))?;
    let mut manifest: Table = text.parse().map_err(|e: toml::de::Error| {
        Error::new(Kind::Model, format!("{} is not valid TOML", source.display())).caused_by(e)
    })?;
    let mut set = |key: &str, value: Value| drop(manifest.insert(key.to_owned(), value));
    set("name", Value::String(int8_name(&reference.manifest.name)));
    set("file", Value::String(file.display().to_string()));
    set("sha256", Value::String(sha256));
    set("opset", Value::Integer(opset.into()));
    set("provenance", Value::String(format!("{}; {provenance}", reference.manifest.provenance)));
    let text = toml::to_string(&manifest).map_err(|e| {
        Error::new(Kind::System, format!("cannot write the manifest of {}", weights.display())).caused_by(e)
    })?;
    let path = folder.join(MANIFEST);
    let text = format!(
        "# Written by `gridpatrol calibrate int8`; report.md beside it says how it was judged.\n{text}"
    );
    fs::write(&path, text).map_err(|e| Error::disk(&path, "write", e))?;
    if let Labels::File(labels) = &reference.manifest.labels {
        let from = reference.folder.join(labels);
        fs::copy(&from, folder.join(labels)).map_err(|e| Error::disk(&from, "copy", e))?;
    }
    Ok(())
}
