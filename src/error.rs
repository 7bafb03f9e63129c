//! What can go wrong, sorted by who can mend it. Every message names the file, key or camera it is about and
//! says what was expected; the help line says what to do.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who can mend the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whoever typed the command.
    Usage,
    /// Whoever wrote the configuration.
    Config,
    /// Whoever installed the model files or the runtime library.
    Model,
    /// Whoever looks after the camera or the input file.
    Camera,
    /// Whoever looks after the box's disk.
    Disk,
    /// Whoever runs the broker.
    Broker,
    /// The machine or this program: a port in use, a thread that could not start.
    System,
}

/// An error that says what is wrong, where, and what to do about it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    help: Option<String>,
    place: Option<Box<Place>>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The place in a text file that is at fault.
#[derive(Debug)]
struct Place {
    text: NamedSource<String>,
    span: std::ops::Range<usize>,
    label: String,
}

impl Error {
    /// An error of `kind` with a message that names its subject.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, place: None, source: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Points at the bytes `span` of `text`, the content of the file `name`.
    #[must_use]
    pub fn at(
        mut self,
        name: &Path,
        text: &str,
        span: std::ops::Range<usize>,
        label: impl Into<String>,
    ) -> Self {
        let text = NamedSource::new(name.display().to_string(), text.to_owned()).with_language("toml");
        self.place = Some(Box::new(Place { text, span, label: label.into() }));
        self
    }

    /// A file or folder that could not be read or written.
    pub fn disk(path: &Path, doing: &str, source: std::io::Error) -> Self {
        Self::new(Kind::Disk, format!("cannot {doing} {}", path.display())).caused_by(source)
    }

    /// Whether it is for want of room on the disk.
    pub fn is_disk_full(&self) -> bool {
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            let io = source.downcast_ref::<std::io::Error>();
            let database =
                source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
            if io.is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull)
                || database == Some(rusqlite::ErrorCode::DiskFull)
            {
                return true;
            }
            next = source.source();
        }
        false
    }

    /// Who can mend it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process exit code: 2 for wrong usage or configuration, 1 for what failed while running.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage | Kind::Config | Kind::Model => 2,
            Kind::Camera | Kind::Disk | Kind::Broker | Kind::System => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.text as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let span = LabeledSpan::new_with_span(Some(place.label.clone()), place.span.clone());
        Some(Box::new(std::iter::once(span)))
    }
}
