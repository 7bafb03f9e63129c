//! How long evidence stays on the box, and how much room it may take (E4).
//!
//! # Invariants
//! - A picture older than its time is deleted, and the deletion is checked
//!   (`e4_a_picture_goes_when_its_time_is_over_and_not_before`); that of a case that a reviewer has rejected goes earlier
//!   (`e4_the_pictures_of_a_rejected_case_go_earlier`).
//! - What cannot be deleted is reported and counted, and keeps nothing else from being deleted
//!   (`e4_what_cannot_be_deleted_is_counted_and_holds_up_nothing`).
//! - The folder takes up no more than its quota; the oldest go first (`e4_the_oldest_go_when_the_quota_is_reached`).
//! - Nothing but evidence is deleted: a file of another name, a folder or a link stays
//!   (`e4_what_is_not_evidence_is_left_alone`).

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::store::case_of;
use crate::case::CaseId;
use crate::error::{Error, Result};

/// What evidence may take up, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long a picture is kept.
    pub keep: Duration,
    /// How long the picture of a case that a reviewer has rejected is kept.
    pub keep_rejected: Duration,
    /// Most bytes of pictures.
    pub bytes: u64,
}

impl Default for Retention {
    /// 30 days, as the rules for public video ask of those who keep it longest; 7 days where there was nothing to
    /// prove; and 4 GiB.
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        Self { keep: days(30), keep_rejected: days(7), bytes: 4 << 30 }
    }
}

/// What one pass deleted and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pictures whose time was over.
    pub expired: u64,
    /// Pictures that made room for newer ones.
    pub crowded_out: u64,
    /// Pictures that should have been deleted and could not be.
    pub undeleted: u64,
    /// Bytes of the pictures that are left.
    pub bytes: u64,
}

struct Picture {
    path: PathBuf,
    case: CaseId,
    written: SystemTime,
    bytes: u64,
}

/// Deletes from `folder` what is past its time at `now`, and then the oldest until `limit.bytes` are not exceeded.
/// `rejected` has the ids of cases that a reviewer has rejected. What cannot be deleted is a breach of what was
/// promised: it is an error in the log, and counted.
///
/// # Errors
/// [`Kind::Disk`](crate::error::Kind::Disk) when the folder cannot be read.
pub fn sweep(folder: &Path, now: SystemTime, limit: &Retention, rejected: &HashSet<CaseId>) -> Result<Swept> {
    let mut pictures = pictures(folder).map_err(|e| Error::disk(folder, "list the evidence", e))?;
    pictures.sort_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
    let mut swept = Swept { bytes: pictures.iter().map(|picture| picture.bytes).sum(), ..Swept::default() };
    let is_over = |picture: &Picture| {
        let keep = if rejected.contains(&picture.case) { limit.keep_rejected } else { limit.keep };
        // A clock that was set back makes no picture old.
        now.duration_since(picture.written).is_ok_and(|age| age > keep)
    };
    let (over, others): (Vec<_>, Vec<_>) = pictures.iter().partition(|picture| is_over(picture));
    for picture in over {
        swept.delete(picture, |swept| &mut swept.expired);
    }
    for picture in others {
        if swept.bytes <= limit.bytes {
            break;
        }
        swept.delete(picture, |swept| &mut swept.crowded_out);
    }
    Ok(swept)
}

impl Swept {
    /// Deletes `picture` and counts it.
    fn delete(&mut self, picture: &Picture, counter: impl FnOnce(&mut Self) -> &mut u64) {
        match delete(&picture.path) {
            Ok(()) => {
                self.bytes -= picture.bytes;
                *counter(self) += 1;
            }
            Err(e) => {
                tracing::error!("A picture that should be gone is still there: {e}.");
                self.undeleted += 1;
            }
        }
    }
}

fn pictures(folder: &Path) -> std::io::Result<Vec<Picture>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(case) = entry.file_name().to_str().and_then(case_of) else { continue };
        // Of the name itself: a link to somewhere else is not evidence.
        let data = match entry.path().symlink_metadata() {
            Ok(data) if data.is_file() => data,
            _ => continue,
        };
        found.push(Picture { path: entry.path(), case, written: data.modified()?, bytes: data.len() });
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

    fn none() -> HashSet<CaseId> {
        HashSet::new()
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
        let swept = sweep(folder.path(), now, &Retention::default(), &none()).unwrap();
        assert_eq!(swept, Swept { expired: 1, bytes: 10, ..Swept::default() });
        assert_eq!(left(folder.path()), [evidence(2)]);
        let set_back = sweep(folder.path(), now - DAY * 400, &Retention::default(), &none()).unwrap();
        assert_eq!(set_back.expired, 0);
    }

    #[test]
    fn e4_clips_go_as_pictures_do() {
        let folder = tempfile::tempdir().unwrap();
        let clip = |n: u32| evidence(n).replace("overview.jpg", "clip.mp4");
        put(folder.path(), &clip(1), 10, DAY * 31);
        put(folder.path(), &clip(2), 10, DAY * 8);
        put(folder.path(), &clip(3), 10, DAY * 29);
        // No name of ours: a clip is an MP4 file, a picture is none.
        for other in ["clip.jpg", "overview.mp4"] {
            put(folder.path(), &evidence(4).replace("overview.jpg", other), 10, DAY * 900);
        }
        let rejected = [CaseId::parse(&clip(2)[..36]).unwrap()].into();
        let swept = sweep(folder.path(), SystemTime::now(), &Retention::default(), &rejected).unwrap();
        assert_eq!(swept, Swept { expired: 2, bytes: 10, ..Swept::default() });
        assert_eq!(left(folder.path()).len(), 3);
        assert!(folder.path().join(clip(3)).exists());
    }

    #[test]
    fn e4_the_oldest_go_when_the_quota_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..10 {
            put(folder.path(), &evidence(n), 100, DAY * (10 - n));
        }
        let limit = Retention { bytes: 350, ..Retention::default() };
        let swept = sweep(folder.path(), SystemTime::now(), &limit, &none()).unwrap();
        assert_eq!(swept, Swept { crowded_out: 7, bytes: 300, ..Swept::default() });
        assert_eq!(left(folder.path()), [evidence(7), evidence(8), evidence(9)]);
    }

    #[test]
    fn e4_the_pictures_of_a_rejected_case_go_earlier() {
        let folder = tempfile::tempdir().unwrap();
        for (n, days) in [(1, 8), (2, 8), (3, 6)] {
            put(folder.path(), &evidence(n), 10, DAY * days);
        }
        let rejected = [1, 3].map(|n| CaseId::parse(&evidence(n)[..36]).unwrap()).into();
        let swept = sweep(folder.path(), SystemTime::now(), &Retention::default(), &rejected).unwrap();
        assert_eq!(swept, Swept { expired: 1, bytes: 20, ..Swept::default() });
        assert_eq!(left(folder.path()), [evidence(2), evidence(3)]);
    }

    #[test]
    fn e4_what_cannot_be_deleted_is_counted_and_holds_up_nothing() {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &evidence(1), 10, DAY * 31);
        // Gone between the listing and the deletion is as good as deleted.
        let gone = Picture {
            path: folder.path().join(evidence(9)),
            case: CaseId::parse(&evidence(9)[..36]).unwrap(),
            written: SystemTime::now(),
            bytes: 10,
        };
        let mut swept = Swept { bytes: 20, ..Swept::default() };
        swept.delete(&gone, |swept| &mut swept.expired);
        assert_eq!((swept.expired, swept.undeleted, swept.bytes), (1, 0, 10));
        // A folder in the place of the file is what even root cannot unlink.
        let stuck = Picture { path: folder.path().join("stuck"), ..gone };
        fs::create_dir(&stuck.path).unwrap();
        swept.delete(&stuck, |swept| &mut swept.expired);
        assert_eq!((swept.expired, swept.undeleted, swept.bytes), (1, 1, 10));
        let swept = sweep(folder.path(), SystemTime::now(), &Retention::default(), &none()).unwrap();
        assert_eq!(swept.expired, 1);
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
        assert_eq!(sweep(folder.path(), SystemTime::now(), &limit, &none()).unwrap(), Swept::default());
        assert_eq!(left(folder.path()).len(), 3);
        assert!(target.exists());
    }
}
