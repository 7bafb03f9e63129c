//! Pictures that wait on disk until the store has them: one file each, `{case id}-{role}-{sha256}.jpg`, of mode 0600 in
//! a folder of mode 0700. The name is all there is to know of a picture, so there is nothing beside the files that
//! could disagree with them.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::case::CaseId;
use crate::error::{Error, Result};
use crate::evidence::{MAX_BYTES, Picture, Retention, Role};
use crate::text_file;

/// A picture that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its case.
    pub case: CaseId,
    /// What it shows.
    pub role: Role,
    /// Lower-case hex SHA-256 of its file.
    pub sha256: String,
    /// When it was put here.
    pub since: SystemTime,
    /// Length of its file.
    pub bytes: u64,
}

impl Waiting {
    fn file(&self) -> String {
        file_name(&self.case, self.role, &self.sha256)
    }
}

/// The pictures that wait, oldest first.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Most bytes that may wait.
    quota: u64,
    inside: Mutex<Inside>,
    /// Rings when there is more.
    more: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    waiting: VecDeque<Waiting>,
    bytes: u64,
    lost: u64,
}

impl Spool {
    /// Opens the folder, makes it if it is not there, and takes up what waits in it. At most `quota` bytes may wait.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when it cannot be made or read.
    pub fn open(folder: &Path, quota: u64) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
            Error::disk(folder, "create the folder of pictures that wait for the store", e)
                .help("check the path and its owner")
        })?;
        let mut waiting =
            list(folder).map_err(|e| Error::disk(folder, "list the pictures that wait for the store", e))?;
        waiting.sort_by(|a, b| (a.since, &a.sha256).cmp(&(b.since, &b.sha256)));
        let bytes = waiting.iter().map(|picture| picture.bytes).sum();
        let inside = Inside { waiting: waiting.into(), bytes, lost: 0 };
        Ok(Self { folder: folder.to_owned(), quota, inside: Mutex::new(inside), more: Condvar::new() })
    }

    /// Writes `picture` of `case` down; it is on disk when this returns. When there is no room the oldest are given up.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when it cannot be written.
    pub fn put(&self, case: &CaseId, picture: &Picture) -> Result<()> {
        let waiting = Waiting {
            case: case.clone(),
            role: picture.role,
            sha256: picture.sha256.clone(),
            since: SystemTime::now(),
            bytes: picture.bytes.len() as u64,
        };
        let name = waiting.file();
        let path = self.folder.join(&name);
        let part = self.folder.join(format!(".{name}.part"));
        let mut inside = self.lock();
        if inside.waiting.iter().any(|known| known.file() == name) {
            return Ok(());
        }
        write_new(&part, &picture.bytes, waiting.since)
            .and_then(|()| fs::rename(&part, &path))
            .and_then(|()| File::open(&self.folder)?.sync_all())
            .map_err(|e| {
                // Left in place it would only take room; the next try makes it anew either way.
                let _ = fs::remove_file(&part);
                Error::disk(&path, "write a picture for the store to", e)
                    .help("check that the disk has room and the folder's owner")
            })?;
        inside.bytes += waiting.bytes;
        inside.waiting.push_back(waiting);
        let before = inside.lost;
        while inside.bytes > self.quota && inside.waiting.len() > 1 {
            let Some(oldest) = inside.waiting.pop_front() else { break };
            inside.bytes -= oldest.bytes;
            inside.lost += 1;
            if let Err(e) = delete(&self.folder.join(oldest.file())) {
                tracing::error!("A picture that was given up is still there: {e}.");
            }
        }
        if inside.lost > before {
            tracing::error!(
                pictures = inside.lost - before,
                "Too many pictures wait for the store: the oldest were given up. They are still in the evidence folder."
            );
        }
        drop(inside);
        self.more.notify_all();
        Ok(())
    }

    /// The oldest that waits and is not among `passed_over`, by SHA-256.
    pub fn next(&self, passed_over: &HashSet<String>) -> Option<Waiting> {
        self.lock().waiting.iter().find(|waiting| !passed_over.contains(&waiting.sha256)).cloned()
    }

    /// The file of a picture that waits.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when it cannot be read.
    pub fn read(&self, waiting: &Waiting) -> Result<Vec<u8>> {
        let path = self.folder.join(waiting.file());
        text_file::read_bytes(&path, MAX_BYTES as u64)
            .map_err(|e| Error::disk(&path, "read a picture for the store from", e))
    }

    /// The store has it, or it can never be sent: it no longer waits.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when its file cannot be deleted. It no longer waits all the same; the
    /// next start takes it up again.
    pub fn settle(&self, waiting: &Waiting) -> Result<()> {
        let mut inside = self.lock();
        let name = waiting.file();
        if let Some(at) = inside.waiting.iter().position(|known| known.file() == name) {
            inside.waiting.remove(at);
            inside.bytes -= waiting.bytes;
        }
        drop(inside);
        delete(&self.folder.join(name))
    }

    /// Gives up what waits for longer than `limit` allows at `now`; the pictures of `rejected` cases have less time.
    /// Returns how many.
    ///
    /// # Errors
    /// [`Kind::Disk`](crate::error::Kind::Disk) when a file cannot be deleted.
    pub fn expire(&self, now: SystemTime, limit: &Retention, rejected: &HashSet<CaseId>) -> Result<u64> {
        let is_over = |waiting: &Waiting| {
            let keep = if rejected.contains(&waiting.case) { limit.keep_rejected } else { limit.keep };
            now.duration_since(waiting.since).is_ok_and(|age| age > keep)
        };
        let over: Vec<Waiting> = self.lock().waiting.iter().filter(|one| is_over(one)).cloned().collect();
        over.iter().try_for_each(|waiting| self.settle(waiting))?;
        self.lock().lost += over.len() as u64;
        Ok(over.len() as u64)
    }

    /// Waits for up to `most`, or until there is more than before.
    pub fn wait(&self, most: Duration) {
        let inside = self.lock();
        drop(self.more.wait_timeout(inside, most));
    }

    /// How many wait, their bytes, since when the oldest does, and how many were given up since the program started.
    pub fn count(&self) -> (u64, u64, Option<SystemTime>, u64) {
        let inside = self.lock();
        let oldest = inside.waiting.front().map(|oldest| oldest.since);
        (inside.waiting.len() as u64, inside.bytes, oldest, inside.lost)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // The files are what counts; a thread that died while holding the lock left at most a number wrong.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_name(case: &CaseId, role: Role, sha256: &str) -> String {
    format!("{}-{}-{sha256}.{}", case.as_str(), role.as_str(), role.extension())
}

/// Case, role and hash of the picture whose file is called `name`; `None` when it is no name of ours.
fn parse(name: &str) -> Option<(CaseId, Role, String)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let case = CaseId::parse(stem.get(..36)?)?;
    let (role, sha256) = stem.get(36..)?.strip_prefix('-')?.split_once('-')?;
    let role =
        Role::ALL.into_iter().find(|known| known.as_str() == role && known.extension() == extension)?;
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| (case, role, sha256.to_owned()))
}

fn list(folder: &Path) -> std::io::Result<Vec<Waiting>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // Of the name itself: a link to somewhere else is not ours.
        let data = entry.path().symlink_metadata()?;
        if !data.is_file() {
            continue;
        }
        if name.starts_with('.') && name.ends_with(".part") {
            // Half written when the power went; the event that would have named it was never accepted.
            fs::remove_file(entry.path())?;
        } else if let Some((case, role, sha256)) = parse(name) {
            found.push(Waiting { case, role, sha256, since: data.modified()?, bytes: data.len() });
        }
    }
    Ok(found)
}

fn write_new(path: &Path, bytes: &[u8], since: SystemTime) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    // The kernel's own stamps are milliseconds apart, and after a restart they are the order.
    file.set_modified(since)?;
    file.sync_all()
}

fn delete(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::disk(path, "delete a picture that no longer waits", e))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::sigv4::sha256_hex;

    fn case(n: u32) -> CaseId {
        CaseId::parse(&format!("01934f6e-5c1a-8b3e-9a54-{n:012x}")).unwrap()
    }

    fn picture(bytes: &[u8]) -> Picture {
        Picture {
            role: Role::Overview,
            bytes: bytes.to_vec(),
            sha256: sha256_hex(bytes),
            width: 1,
            height: 1,
            view_height: None,
            captured: None,
            url: None,
            part: None,
        }
    }

    #[test]
    fn a_picture_waits_on_disk_until_the_store_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let none = HashSet::new();
        let spool = Spool::open(folder.path(), 1000).unwrap();
        spool.put(&case(1), &picture(b"one")).unwrap();
        spool.put(&case(2), &picture(b"two")).unwrap();
        // Told again by a restart in between: it waits once.
        spool.put(&case(1), &picture(b"one")).unwrap();
        drop(spool);
        fs::write(folder.path().join(".half.part"), "x").unwrap();
        fs::write(folder.path().join("holiday.jpg"), "x").unwrap();
        let spool = Spool::open(folder.path(), 1000).unwrap();
        assert_eq!(spool.count().0, 2);
        let first = spool.next(&none).unwrap();
        assert_eq!((first.case.clone(), spool.read(&first).unwrap()), (case(1), b"one".to_vec()));
        spool.settle(&first).unwrap();
        drop(spool);
        let spool = Spool::open(folder.path(), 1000).unwrap();
        assert_eq!((spool.count().0, spool.count().1), (1, 3));
        let passed = [spool.next(&none).unwrap().sha256].into();
        assert_eq!(spool.next(&passed), None);
        assert!(folder.path().join("holiday.jpg").exists(), "what is not ours is left alone");
        spool.put(&case(3), &Picture { role: Role::Clip, ..picture(b"film") }).unwrap();
        drop(spool);
        let spool = Spool::open(folder.path(), 1000).unwrap();
        assert_eq!(spool.count().0, 2, "a clip waits as pictures do");
    }

    #[test]
    fn the_oldest_are_given_up_when_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 25).unwrap();
        for n in 0..5 {
            spool.put(&case(n), &picture(format!("ten bytes{n}").as_bytes())).unwrap();
        }
        let (waiting, bytes, _, lost) = spool.count();
        assert_eq!((waiting, bytes, lost), (2, 20, 3));
        assert_eq!(spool.next(&HashSet::new()).unwrap().case, case(3));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_waits_for_too_long_is_given_up_like_all_evidence() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1000).unwrap();
        spool.put(&case(1), &picture(b"one")).unwrap();
        spool.put(&case(2), &picture(b"two")).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let (limit, rejected) = (Retention::default(), [case(2)].into());
        assert_eq!(spool.expire(SystemTime::now() + 6 * day, &limit, &rejected).unwrap(), 0);
        assert_eq!(spool.expire(SystemTime::now() + 8 * day, &limit, &rejected).unwrap(), 1);
        assert_eq!(spool.next(&HashSet::new()).unwrap().case, case(1));
        assert_eq!(spool.expire(SystemTime::now() + 31 * day, &limit, &rejected).unwrap(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
