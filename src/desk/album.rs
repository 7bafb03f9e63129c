//! The files of pictures, named by their SHA-256: what lies under a name is what the name says, and a picture that
//! comes twice lies there once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::keys::{hex, sha256};
use super::store::make_private;
use crate::error::{Error, Result};

/// The folder of pictures.
#[derive(Debug)]
pub(super) struct Album {
    folder: PathBuf,
}

impl Album {
    /// Opens `folder`, making it if it is not there.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        make_private(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where the picture `sha256` lies. It is lower-case hex wherever it comes from: the desk makes it, or the reading
    /// of an event has checked it.
    fn path(&self, sha256: &str) -> PathBuf {
        let shelf: String = sha256.chars().take(2).collect();
        self.folder.join(shelf).join(format!("{sha256}.jpg"))
    }

    /// Stores `jpeg`, on disk when this returns, and returns its SHA-256.
    pub(super) fn keep(&self, jpeg: &[u8]) -> Result<String> {
        let name = hex(&sha256(jpeg));
        let path = self.path(&name);
        if path.is_file() {
            return Ok(name);
        }
        let shelf = path.parent().unwrap_or(&self.folder);
        make_private(shelf)?;
        let fault = |e| Error::disk(&path, "write the picture", e);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(fault)?;
        file.write_all(jpeg).map_err(fault)?;
        file.as_file().sync_all().map_err(fault)?;
        file.persist(&path).map_err(|e| fault(e.error))?;
        File::open(shelf).and_then(|folder| folder.sync_all()).map_err(fault)?;
        Ok(name)
    }

    /// The bytes of the picture `sha256`; `None` if there is none, or what lies there is something else.
    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) if hex(&sha256(&bytes)) == name => Ok(Some(bytes)),
            Ok(_) => {
                tracing::error!(path = %path.display(), "A picture is damaged and is not shown.");
                Ok(None)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::disk(&path, "read the picture", e)),
        }
    }

    /// Removes pictures that nothing needs any more. What cannot be removed is logged.
    pub(super) fn drop_all(&self, names: &[String]) {
        for name in names {
            let path = self.path(name);
            if let Err(e) = fs::remove_file(&path)
                && e.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), error = %e, "A picture cannot be removed.");
            }
        }
    }

    /// Names of all files, for a search for those that nothing needs: a crash between a file and its row leaves one.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        entries(&self.folder)
            .filter(|shelf| shelf.path().is_dir())
            .flat_map(|shelf| entries(&shelf.path()).collect::<Vec<_>>())
            .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".jpg")?.to_owned()))
            .collect()
    }
}
