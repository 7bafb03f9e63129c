//! Evidence files on disk: `<case id>-<role>.jpg`, readable by the program's own user only, written whole or
//! not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::retention::{Retention, Swept, sweep};
use super::{Picture, Role};
use crate::case::CaseId;
use crate::error::{Error, Result};

/// The folder of evidence files.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    limit: Retention,
    /// Bytes of evidence in the folder, as far as it is known.
    bytes: Arc<AtomicU64>,
}

impl Store {
    /// Opens the folder, and makes it (mode 0700, parents too) if it is not there.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when it cannot be made.
    pub fn open(folder: &Path) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
            Error::disk(folder, "create the evidence folder", e).help("Check the path and its owner.")
        })?;
        Ok(Self { folder: folder.to_owned(), limit: Retention::default(), bytes: Arc::default() })
    }

    /// The same, with other limits.
    #[must_use]
    pub fn with_limit(mut self, limit: Retention) -> Self {
        self.limit = limit;
        self
    }

    /// Deletes what is past its time at `now` and what no longer fits.
    ///
    /// # Errors
    /// As [`sweep`].
    pub fn sweep(&self, now: SystemTime) -> Result<Swept> {
        let swept = sweep(&self.folder, now, &self.limit)?;
        self.bytes.store(swept.bytes, Ordering::Relaxed);
        if swept.expired + swept.crowded_out > 0 {
            let Swept { expired, crowded_out, bytes } = swept;
            tracing::info!(expired, crowded_out, bytes, "Old evidence was deleted.");
        }
        Ok(swept)
    }

    /// Deletes the oldest half of what is there, for a disk that is full: a case that can be told without its old
    /// pictures is worth more than they are.
    ///
    /// # Errors
    /// As [`sweep`].
    pub fn make_room(&self, now: SystemTime) -> Result<Swept> {
        let bytes = sweep(&self.folder, now, &self.limit)?.bytes;
        sweep(&self.folder, now, &Retention { bytes: bytes / 2, ..self.limit })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes `picture` (mode 0600) and returns its file name. The bytes are on disk under that name when this
    /// returns; a crash before leaves the former file, if there was one, whole.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when the file cannot be written.
    pub fn write(&self, case: &CaseId, picture: &Picture) -> Result<String> {
        let bytes = picture.jpeg.len() as u64;
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit.bytes {
            let room = Retention { bytes: self.limit.bytes.saturating_sub(bytes), ..self.limit };
            let left = sweep(&self.folder, SystemTime::now(), &room)?.bytes;
            self.bytes.store(left + bytes, Ordering::Relaxed);
        }
        let name = file_name(case, picture.role);
        let path = self.folder.join(&name);
        let part = self.folder.join(format!(".{name}.part"));
        let written = write_new(&part, &picture.jpeg).and_then(|()| fs::rename(&part, &path));
        // The new name itself is on disk only once the folder is.
        written.and_then(|()| File::open(&self.folder)?.sync_all()).map_err(|e| {
            // Left in place it would only take room; the next try makes it anew either way.
            let _ = fs::remove_file(&part);
            Error::disk(&path, "write the evidence file", e)
                .help("Check that the disk has room and the folder's owner.")
        })?;
        Ok(name)
    }
}

/// Writes a file of mode 0600 to disk; a part left by a crash is replaced.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether `name` is one that this module gives a file.
pub(super) fn is_evidence(name: &str) -> bool {
    let parts = name.strip_suffix(".jpg").and_then(|stem| Some((stem.get(..36)?, stem.get(36..)?)));
    parts.is_some_and(|(case, role)| {
        let roles = [Role::First, Role::Overview, Role::Closeup, Role::After];
        let role = role.strip_prefix('-').unwrap_or_default();
        CaseId::parse(case).is_some() && roles.iter().any(|known| known.as_str() == role)
    })
}

/// The name of the file of `role` of `case`. A case id is a UUID, so it is safe as a file name.
pub fn file_name(case: &CaseId, role: Role) -> String {
    format!("{}-{}.jpg", case.as_str(), role.as_str())
}
