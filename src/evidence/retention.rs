//! How long evidence stays on the box, and how much room it may take (E4).
//!
//! # Invariants
//! - A picture older than its time is deleted, and the deletion is checked
//!   (`e4_a_picture_goes_when_its_time_is_over_and_not_before`).
//! - The folder takes up no more than its quota; the oldest go first (`e4_the_oldest_go_when_the_quota_is_reached`).
//! - Nothing but evidence is deleted: a file of another name, a folder or a link stays
//!   (`e4_what_is_not_evidence_is_left_alone`).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::store::is_evidence;
use crate::error::{Error, Result};

/// What evidence may take up, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long a picture is kept.
    pub keep: Duration,
    /// Most bytes of pictures.
    pub bytes: u64,
}

impl Default for Retention {
    /// 30 days, as the rules for public video ask of those who keep it longest, and 4 GiB.
    fn default() -> Self {
        Self { keep: Duration::from_secs(30 * 24 * 3600), bytes: 4 << 30 }
    }
}

/// What one pass deleted and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pictures whose time was over.
    pub expired: u64,
    /// Pictures that made room for newer ones.
    pub crowded_out: u64,
    /// Bytes of the pictures that are left.
    pub bytes: u64,
}

struct Picture {
    path: PathBuf,
    written: SystemTime,
    bytes: u64,
}

/// Deletes from `folder` what is past its time at `now`, and then the oldest until `limit.bytes` are not exceeded.
///
/// # Errors
/// [`Kind::Disk`](crate::error::Kind::Disk) when the folder cannot be read or a picture cannot be deleted: that is a
/// breach of what was promised and must be seen.
pub fn sweep(folder: &Path, now: SystemTime, limit: &Retention) -> Result<Swept> {
    let mut pictures = pictures(folder).map_err(|e| Error::disk(folder, "list the evidence", e))?;
    pictures.sort_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
    let mut swept = Swept { bytes: pictures.iter().map(|picture| picture.bytes).sum(), ..Swept::default() };
    for picture in &pictures {
        // A clock that was set back makes no picture old.
        let expired = now.duration_since(picture.written).is_ok_and(|age| age > limit.keep);
        if !expired && swept.bytes <= limit.bytes {
            break;
        }
        delete(&picture.path)?;
        swept.bytes -= picture.bytes;
        *if expired { &mut swept.expired } else { &mut swept.crowded_out } += 1;
    }
    Ok(swept)
}

fn pictures(folder: &Path) -> std::io::Result<Vec<Picture>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_evidence) {
            continue;
        }
        // Of the name itself: a link to somewhere else is not evidence.
        let data = match entry.path().symlink_metadata() {
            Ok(data) if data.is_file() => data,
            _ => continue,
        };
        found.push(Picture { path: entry.path(), written: data.modified()?, bytes: data.len() });
    }
    Ok(found)
}

/// Deletes a picture and sees that it is gone.
fn delete(path: &Path) -> Result<()> {
    let fault =
        |e| Error::disk(path, "delete the evidence", e).help("check the owner of the evidence folder");
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fault(e)),
        _ => {}
    }
    match path.symlink_metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(fault(e)),
        Ok(_) => Err(fault(std::io::Error::other("it is still there"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn put(folder: &Path, name: &str, bytes: usize, age: Duration) {
        let path = folder.join(name);
        fs::write(&path, vec![0; bytes]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    fn evidence(n: u32) -> String {
        format!("01934f6e-5c1a-8b3e-9a54-{n:012x}-overview.jpg")
    }

    fn left(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn e4_a_picture_goes_when_its_time_is_over_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &evidence(1), 10, DAY * 31);
        put(folder.path(), &evidence(2), 10, DAY * 29);
        let now = SystemTime::now();
        let swept = sweep(folder.path(), now, &Retention::default()).unwrap();
        assert_eq!(swept, Swept { expired: 1, crowded_out: 0, bytes: 10 });
        assert_eq!(left(folder.path()), [evidence(2)]);
        let set_back = sweep(folder.path(), now - DAY * 400, &Retention::default()).unwrap();
        assert_eq!(set_back.expired, 0);
    }

    #[test]
    fn e4_the_oldest_go_when_the_quota_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..10 {
            put(folder.path(), &evidence(n), 100, DAY * (10 - n));
        }
        let limit = Retention { bytes: 350, ..Retention::default() };
        let swept = sweep(folder.path(), SystemTime::now(), &limit).unwrap();
        assert_eq!(swept, Swept { expired: 0, crowded_out: 7, bytes: 300 });
        assert_eq!(left(folder.path()), [evidence(7), evidence(8), evidence(9)]);
    }

    #[test]
    fn e4_what_is_not_evidence_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        put(elsewhere.path(), "holiday.jpg", 100, DAY * 900);
        put(folder.path(), "holiday.jpg", 100, DAY * 900);
        fs::create_dir(folder.path().join(evidence(3))).unwrap();
        let target = elsewhere.path().join("holiday.jpg");
        std::os::unix::fs::symlink(&target, folder.path().join(evidence(4))).unwrap();
        let limit = Retention { bytes: 0, ..Retention::default() };
        assert_eq!(sweep(folder.path(), SystemTime::now(), &limit).unwrap(), Swept::default());
        assert_eq!(left(folder.path()).len(), 3);
        assert!(target.exists());
    }
}
