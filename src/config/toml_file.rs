//! A TOML file that is read strictly and whose faults point at a line.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// A configuration with the text it was read from, kept so that later errors can point at a line.
#[derive(Debug)]
pub struct TomlFile<C> {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub config: C,
}

impl<C: serde::de::DeserializeOwned> TomlFile<C> {
    /// Reads and parses `path`.
    ///
    /// # Errors
    /// [`Kind::Config`] when the file cannot be read, is not TOML, or has an unknown, missing or mistyped key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(Kind::Config, format!("cannot read the configuration {}", path.display()))
                .help(
                    "give the path of an existing TOML file with --config; the README has one to start from",
                )
                .caused_by(e)
        })?;
        Self::parse(path, text)
    }

    /// Parses `text` as if it had been read from `path`.
    ///
    /// # Errors
    /// As [`TomlFile::read`].
    pub fn parse(path: &Path, text: String) -> Result<Self> {
        match toml::from_str::<C>(&text) {
            Ok(config) => Ok(Self { path: path.to_owned(), text, config }),
            Err(e) => {
                let span = e.span().unwrap_or(0..0);
                let line = line_of(&text, span.start);
                let message = e.message().lines().next().unwrap_or("not valid TOML").to_owned();
                Err(Error::new(Kind::Config, format!("{}, line {line}: {message}", path.display()))
                    .at(path, &text, span, message)
                    .help("`gridpatrol schema config` prints every key with its meaning and default"))
            }
        }
    }
}

impl<C> TomlFile<C> {
    /// An error that points at `span` of this file. `key` is the key at fault, such as `camera.zone.polygon`.
    pub fn fault(&self, key: &str, span: std::ops::Range<usize>, what: impl Into<String>) -> Error {
        let line = line_of(&self.text, span.start);
        let what = what.into();
        Error::new(Kind::Config, format!("{}, line {line}, {key}: {what}", self.path.display()))
            .at(&self.path, &self.text, span, what)
    }

    /// As [`TomlFile::fault`], but without showing the line: it holds a secret, and errors end up in logs.
    pub fn secret_fault(&self, key: &str, span: std::ops::Range<usize>, what: &str) -> Error {
        let line = line_of(&self.text, span.start);
        Error::new(Kind::Config, format!("{}, line {line}, {key}: {what}", self.path.display()))
    }

    /// `path` as the operator meant it: relative to the folder of this file.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// The number, from 1, of the line that byte `at` of `text` is on.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}
