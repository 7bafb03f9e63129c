//! Evidence files on disk: `<case id>-<role>.jpg`, readable by the program's own user only, written whole or
//! not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Picture, Role};
use crate::case::CaseId;
use crate::error::{Error, Result};

/// The folder of evidence files.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
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
        Ok(Self { folder: folder.to_owned() })
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

/// The name of the file of `role` of `case`. A case id is a UUID, so it is safe as a file name.
pub fn file_name(case: &CaseId, role: Role) -> String {
    format!("{}-{}.jpg", case.as_str(), role.as_str())
}
