//! A look into a box's database from outside, while the box may be running. The file is locked for the box alone, so
//! that its numbers are given out once; a copy is looked at instead, and nothing of the box's is written.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::{FILE_NAME, Outbox};
use crate::error::{Error, Kind, Result};

/// How often a copy is tried that the box has written into meanwhile, and the pause after each. A box writes some times
/// a minute, and a copy takes milliseconds.
const TRIES: (u32, Duration) = (40, Duration::from_millis(50));
/// The files that a database consists of: SQLite's journal holds what has not come into the file yet.
const SUFFIXES: [&str; 2] = ["", "-wal"];

/// The database as it was at one moment. The copy goes when this is dropped.
#[derive(Debug)]
pub struct Snapshot {
    /// What is in it. What is written there changes nothing of the box.
    pub outbox: Outbox,
    _folder: TempDir,
}

/// Length and time of the last change of each file; `None` for one that is not there.
type State = [Option<(u64, SystemTime)>; SUFFIXES.len()];

impl Snapshot {
    /// Looks at the database in the folder `storage`.
    ///
    /// # Errors
    /// [`Kind::Disk`] when there is none, when it cannot be read or copied, or when the box does not stop writing.
    pub fn take(storage: &Path) -> Result<Self> {
        let path = storage.join(FILE_NAME);
        if !path.is_file() {
            return Err(Error::new(Kind::Disk, format!("there is no database {}", path.display())).help(
                "it is made when the box first runs; storage.dir of the configuration names its folder",
            ));
        }
        let folder = tempfile::Builder::new()
            .prefix("gridpatrol-")
            .tempdir()
            .map_err(|e| Error::disk(&std::env::temp_dir(), "make a folder for a copy of the database", e))?;
        for _ in 0..TRIES.0 {
            let before = state(&path)?;
            copy(&path, folder.path())?;
            if state(&path)? == before {
                return Ok(Self { outbox: Outbox::open(folder.path())?, _folder: folder });
            }
            std::thread::sleep(TRIES.1);
        }
        Err(Error::new(Kind::Disk, format!("the database {} changes all the time", path.display()))
            .help("try again when the box has less to do"))
    }
}

fn part(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn state(path: &Path) -> Result<State> {
    let mut all = State::default();
    for (of, suffix) in all.iter_mut().zip(SUFFIXES) {
        let file = part(path, suffix);
        *of = match std::fs::metadata(&file).and_then(|data: Metadata| Ok((data.len(), data.modified()?))) {
            Ok(found) => Some(found),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::disk(&file, "look at the database", e)),
        };
    }
    Ok(all)
}

fn copy(path: &Path, folder: &Path) -> Result<()> {
    for suffix in SUFFIXES {
        let (from, to) = (part(path, suffix), part(&folder.join(FILE_NAME), suffix));
        match std::fs::copy(&from, &to) {
            Err(e) if !suffix.is_empty() && e.kind() == std::io::ErrorKind::NotFound => {
                match std::fs::remove_file(&to) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::disk(&to, "remove an older copy", e));
                    }
                    _ => {}
                }
            }
            Err(e) => {
                return Err(Error::disk(&from, "copy the database to look at it", e).help(format!(
                    "this user must be able to read it, and {} have room for it",
                    folder.display()
                )));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::BOX;

    #[test]
    fn a_running_box_is_looked_at_and_not_touched() {
        let storage = tempfile::tempdir().unwrap();
        let said = Snapshot::take(storage.path()).unwrap_err().to_string();
        assert!(said.contains("there is no database") && said.contains(FILE_NAME), "{said}");
        let running = Outbox::open(storage.path()).unwrap();
        running.accept_with(&[(BOX, b"one")], |_| Ok(Vec::new())).unwrap();
        let files = || {
            let read = |suffix| std::fs::read(part(&storage.path().join(FILE_NAME), suffix)).unwrap();
            SUFFIXES.map(read)
        };
        let before = files();
        let snapshot = Snapshot::take(storage.path()).unwrap();
        assert_eq!(snapshot.outbox.core_state(BOX).unwrap().unwrap(), b"one");
        snapshot.outbox.accept_with(&[(BOX, b"other")], |_| Ok(Vec::new())).unwrap();
        assert!(files() == before, "nothing of the box has changed");
        running.accept_with(&[(BOX, b"two")], |_| Ok(Vec::new())).unwrap();
        let later = Snapshot::take(storage.path()).unwrap();
        assert_eq!(later.outbox.core_state(BOX).unwrap().unwrap(), b"two");
    }
}
