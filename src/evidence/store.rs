//! Evidence files on disk: `<case id>-<role>.jpg`, a clip `.mp4`, readable by the program's own user only, written whole or
//! not at all.

use std::collections::HashSet;
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
    counts: Arc<Counts>,
}

/// What the folder holds and what became of the rest.
#[derive(Debug, Default)]
struct Counts {
    /// Bytes of evidence in the folder, as far as it is known.
    bytes: AtomicU64,
    expired: AtomicU64,
    crowded_out: AtomicU64,
    undeleted: AtomicU64,
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
        Ok(Self { folder: folder.to_owned(), limit: Retention::default(), counts: Arc::default() })
    }

    /// The same, with other limits.
    #[must_use]
    pub fn with_limit(mut self, limit: Retention) -> Self {
        self.limit = limit;
        self
    }

    /// How long pictures are kept.
    pub fn limit(&self) -> &Retention {
        &self.limit
    }

    /// Deletes what is past its time at `now` and what no longer fits; the pictures of `rejected` cases have less time.
    ///
    /// # Errors
    /// As [`sweep`].
    pub fn sweep(&self, now: SystemTime, rejected: &HashSet<CaseId>) -> Result<Swept> {
        self.sweep_to(now, &self.limit, rejected)
    }

    fn sweep_to(&self, now: SystemTime, limit: &Retention, rejected: &HashSet<CaseId>) -> Result<Swept> {
        let swept = sweep(&self.folder, now, limit, rejected)?;
        let Swept { expired, crowded_out, undeleted, bytes } = swept;
        self.counts.bytes.store(bytes, Ordering::Relaxed);
        self.counts.expired.fetch_add(expired, Ordering::Relaxed);
        self.counts.crowded_out.fetch_add(crowded_out, Ordering::Relaxed);
        self.counts.undeleted.store(undeleted, Ordering::Relaxed);
        if expired + crowded_out > 0 {
            tracing::info!(expired, crowded_out, bytes, "Old evidence was deleted.");
        }
        Ok(swept)
    }

    /// Pictures deleted since the program started, and bytes left; `undeleted` is of the last time.
    pub fn swept(&self) -> Swept {
        let Counts { bytes, expired, crowded_out, undeleted } = &*self.counts;
        let [bytes, expired, crowded_out, undeleted] =
            [bytes, expired, crowded_out, undeleted].map(|count| count.load(Ordering::Relaxed));
        Swept { expired, crowded_out, undeleted, bytes }
    }

    /// Deletes the oldest half of what is there, for a disk that is full: a case that can be told without its old
    /// pictures is worth more than they are.
    ///
    /// # Errors
    /// As [`sweep`].
    pub fn make_room(&self, now: SystemTime) -> Result<Swept> {
        let none = HashSet::new();
        let bytes = self.sweep_to(now, &self.limit, &none)?.bytes;
        self.sweep_to(now, &Retention { bytes: bytes / 2, ..self.limit }, &none)
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
        let bytes = picture.bytes.len() as u64;
        if self.counts.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit.bytes {
            let room = Retention { bytes: self.limit.bytes.saturating_sub(bytes), ..self.limit };
            self.sweep_to(SystemTime::now(), &room, &HashSet::new())?;
            self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        let name = file_name(case, picture.role);
        let path = self.folder.join(&name);
        let part = self.folder.join(format!(".{name}.part"));
        let written = write_new(&part, &picture.bytes).and_then(|()| fs::rename(&part, &path));
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

/// The case whose picture the file `name` is; `None` when it is not a name that this module gives a file.
pub(super) fn case_of(name: &str) -> Option<CaseId> {
    let (stem, extension) = name.rsplit_once('.')?;
    let role = stem.get(36..)?.strip_prefix('-')?;
    Role::ALL.iter().find(|known| known.as_str() == role && known.extension() == extension)?;
    CaseId::parse(stem.get(..36)?)
}

/// The name of the file of `role` of `case`. A case id is a UUID, so it is safe as a file name.
pub fn file_name(case: &CaseId, role: Role) -> String {
    format!("{}-{}.{}", case.as_str(), role.as_str(), role.extension())
}
