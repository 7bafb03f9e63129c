//! Which pictures belong to which case. The files are named by their SHA-256 and lie beside the database.

use rusqlite::{Connection, OptionalExtension as _};

use super::Tx;
use crate::desk::life::Millis;
use crate::desk::model::PictureInfo;

/// A picture that a case is to have.
#[derive(Clone, Debug)]
pub(in crate::desk) struct NewPicture<'a> {
    pub(in crate::desk) role: &'a str,
    pub(in crate::desk) sha256: &'a str,
    /// Its media type.
    pub(in crate::desk) media: &'a str,
    /// The topic on which it comes, or would come; `None` for what a person has sent.
    pub(in crate::desk) topic: Option<&'a str>,
    /// Its address in a store.
    pub(in crate::desk) url: Option<&'a str>,
    /// When it is to be fetched from there; `None` for never.
    pub(in crate::desk) not_before: Option<Millis>,
    /// What is marked on it, as JSON.
    pub(in crate::desk) marks: Option<&'a str>,
    pub(in crate::desk) width: u32,
    pub(in crate::desk) height: u32,
    pub(in crate::desk) is_here: bool,
    pub(in crate::desk) at: Millis,
}

/// A picture as it lies in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct PictureRow {
    pub(in crate::desk) case: i64,
    pub(in crate::desk) sha256: String,
    pub(in crate::desk) media: String,
    pub(in crate::desk) is_here: bool,
}

/// A picture that is to be fetched now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct DuePicture {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) case: i64,
    pub(in crate::desk) role: String,
    pub(in crate::desk) sha256: String,
    pub(in crate::desk) url: String,
    pub(in crate::desk) tries: u32,
    /// When its event named it.
    pub(in crate::desk) at: Millis,
}

impl DuePicture {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            case: row.get(1)?,
            role: row.get(2)?,
            sha256: row.get(3)?,
            url: row.get(4)?,
            tries: row.get(5)?,
            at: row.get(6)?,
        })
    }
}

impl Tx<'_> {
    /// Adds a picture to `case` unless it has it. One that came before its event is found. Returns its id and whether
    /// it is here.
    pub(in crate::desk) fn add_picture(
        &mut self,
        case: i64,
        picture: &NewPicture<'_>,
    ) -> rusqlite::Result<(i64, bool)> {
        let known = self
            .prepare_cached("SELECT id, is_here FROM picture WHERE case_ = ?1 AND role = ?2 AND sha256 = ?3")?
            .query_row((case, picture.role, picture.sha256), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        let came_early = match picture.topic {
            None => false,
            Some(topic) => {
                self.prepare_cached("DELETE FROM early_picture WHERE topic = ?1 AND sha256 = ?2")?
                    .execute((topic, picture.sha256))?
                    > 0
            }
        };
        let is_here = picture.is_here || came_early;
        self.prepare_cached(
            "INSERT INTO picture (case_, role, sha256, topic, media, width, height, is_here, at, url, not_before, marks)
             VALUES (?1, ?2, ?3, ?4, ?12, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            case,
            picture.role,
            picture.sha256,
            picture.topic,
            picture.width,
            picture.height,
            is_here,
            picture.at,
            picture.url,
            picture.not_before.filter(|_| !is_here),
            picture.marks,
            picture.media,
        ))?;
        Ok((self.last_insert_rowid(), is_here))
    }

    /// Notes that the picture on `topic` has come. Returns the cases that it was waited for in; none for one that
    /// came before its event, which is kept until that comes.
    pub(in crate::desk) fn picture_came(
        &mut self,
        topic: &str,
        sha256: &str,
        at: Millis,
    ) -> rusqlite::Result<Vec<(i64, i64, String)>> {
        let waiting: Vec<(i64, i64, String)> = self
            .prepare_cached(
                "SELECT id, case_, role FROM picture WHERE topic = ?1 AND sha256 = ?2 AND is_here = 0",
            )?
            .query_map((topic, sha256), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, _, _) in &waiting {
            self.picture_is_here(*id, at)?;
        }
        if waiting.is_empty() {
            let is_known: bool = self
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM picture WHERE sha256 = ?2 AND topic = ?1 AND is_here = 1)",
                )?
                .query_row((topic, sha256), |row| row.get(0))?;
            if !is_known {
                self.prepare_cached(
                    "INSERT OR IGNORE INTO early_picture (topic, sha256, at) VALUES (?1, ?2, ?3)",
                )?
                .execute((topic, sha256, at))?;
            }
        }
        Ok(waiting)
    }

    /// Notes that the picture `id` is in the album. Returns whether that is news.
    pub(in crate::desk) fn picture_is_here(&mut self, id: i64, at: Millis) -> rusqlite::Result<bool> {
        self.prepare_cached(
            "UPDATE picture SET is_here = 1, not_before = NULL, at = ?2 WHERE id = ?1 AND is_here = 0",
        )?
        .execute((id, at))
        .map(|rows| rows > 0)
    }

    /// Notes that the picture `id` could not be fetched, and when it is tried again; `None` gives it up.
    pub(in crate::desk) fn picture_missed(&mut self, id: i64, again: Option<Millis>) -> rusqlite::Result<()> {
        self.prepare_cached(
            "UPDATE picture SET tries = tries + 1, not_before = ?2 WHERE id = ?1 AND is_here = 0",
        )?
        .execute((id, again))?;
        Ok(())
    }

    /// Has no picture whose address begins with `origin` fetched before `until`.
    pub(in crate::desk) fn postpone_pictures(&mut self, origin: &str, until: Millis) -> rusqlite::Result<()> {
        self.prepare_cached(
            "UPDATE picture SET not_before = ?2 WHERE not_before < ?2 AND substr(url, 1, length(?1)) = ?1",
        )?
        .execute((origin, until))?;
        Ok(())
    }

    /// Has the picture `id` fetched from `now` on.
    pub(in crate::desk) fn await_picture(&mut self, id: i64, now: Millis) -> rusqlite::Result<()> {
        self.prepare_cached("UPDATE picture SET not_before = ?2 WHERE id = ?1 AND is_here = 0")?
            .execute((id, now))?;
        Ok(())
    }

    /// Forgets what came before `before` for an event that never did, all but the newest `keep`. Returns the files
    /// that nothing needs any more.
    pub(in crate::desk) fn forget_early(
        &mut self,
        before: Millis,
        keep: u32,
    ) -> rusqlite::Result<Vec<String>> {
        let gone: Vec<String> = self
            .prepare_cached(
                "DELETE FROM early_picture WHERE at < ?1 OR (topic, sha256) NOT IN
                    (SELECT topic, sha256 FROM early_picture ORDER BY at DESC LIMIT ?2) RETURNING sha256",
            )?
            .query_map((before, keep), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        self.unneeded(gone)
    }

    /// Takes from cases that ended before `before` up to `limit` pictures. Returns the files that nothing needs any
    /// more.
    pub(in crate::desk) fn forget_pictures(
        &mut self,
        before: Millis,
        limit: u32,
    ) -> rusqlite::Result<Vec<String>> {
        let gone: Vec<(i64, String)> = self
            .prepare_cached(
                "SELECT p.id, p.sha256 FROM cases c JOIN picture p ON p.case_ = c.id
                 WHERE c.ended_at IS NOT NULL AND c.ended_at < ?1 LIMIT ?2",
            )?
            .query_map((before, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, _) in &gone {
            self.prepare_cached("UPDATE cases SET thumb = NULL WHERE thumb = ?1")?.execute([id])?;
            self.prepare_cached("DELETE FROM picture WHERE id = ?1")?.execute([id])?;
        }
        self.unneeded(gone.into_iter().map(|(_, sha256)| sha256).collect())
    }

    fn unneeded(&self, mut files: Vec<String>) -> rusqlite::Result<Vec<String>> {
        files.sort_unstable();
        files.dedup();
        let mut unneeded = Vec::new();
        for file in files {
            if !is_needed(self, &file)? {
                unneeded.push(file);
            }
        }
        Ok(unneeded)
    }
}

/// Whether anything refers to the file of `sha256`.
pub(in crate::desk) fn is_needed(db: &Connection, sha256: &str) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM picture WHERE sha256 = ?1)
             OR EXISTS (SELECT 1 FROM early_picture WHERE sha256 = ?1)",
    )?
    .query_row([sha256], |row| row.get(0))
}

/// The picture `id`.
pub(in crate::desk) fn picture(db: &Connection, id: i64) -> rusqlite::Result<Option<PictureRow>> {
    db.prepare_cached("SELECT case_, sha256, media, is_here FROM picture WHERE id = ?1")?
        .query_row([id], |row| {
            Ok(PictureRow {
                case: row.get(0)?,
                sha256: row.get(1)?,
                media: row.get(2)?,
                is_here: row.get(3)?,
            })
        })
        .optional()
}

/// The pictures of `case`, oldest first.
pub(in crate::desk) fn pictures(db: &Connection, case: i64) -> rusqlite::Result<Vec<PictureInfo>> {
    db.prepare_cached(
        "SELECT id, role, media, width, height, is_here, sha256, at,
             is_here = 0 AND (url IS NULL OR not_before IS NOT NULL), marks
         FROM picture WHERE case_ = ?1 ORDER BY id",
    )?
    .query_map([case], |row| {
        let marks: Option<String> = row.get(9)?;
        Ok(PictureInfo {
            id: row.get(0)?,
            role: row.get(1)?,
            media: row.get(2)?,
            width: row.get(3)?,
            height: row.get(4)?,
            is_here: row.get(5)?,
            sha256: row.get(6)?,
            at: row.get(7)?,
            is_awaited: row.get(8)?,
            // Written by the desk itself.
            marks: marks.and_then(|json| serde_json::from_str(&json).ok()),
        })
    })?
    .collect()
}

/// Up to `limit` pictures that are to be fetched at `now`, the one that has waited longest first.
pub(in crate::desk) fn due_pictures(
    db: &Connection,
    now: Millis,
    limit: u32,
) -> rusqlite::Result<Vec<DuePicture>> {
    db.prepare_cached(
        "SELECT id, case_, role, sha256, url, tries, at FROM picture
         WHERE not_before <= ?1 AND url IS NOT NULL ORDER BY not_before, id LIMIT ?2",
    )?
    .query_map((now, limit), DuePicture::read)?
    .collect()
}

/// Pictures in stores that were named after `since` and that nobody asks for.
pub(in crate::desk) fn lost_pictures(db: &Connection, since: Millis) -> rusqlite::Result<Vec<DuePicture>> {
    db.prepare_cached(
        "SELECT id, case_, role, sha256, url, tries, at FROM picture
         WHERE is_here = 0 AND url IS NOT NULL AND not_before IS NULL AND at > ?1 ORDER BY id",
    )?
    .query_map([since], DuePicture::read)?
    .collect()
}

/// How many pictures are named and not here, how many of these nobody asks for, and how many are here and not named.
pub(in crate::desk) fn missing(db: &Connection) -> rusqlite::Result<(u64, u64, u64)> {
    db.query_row(
        "SELECT (SELECT count(*) FROM picture WHERE is_here = 0),
                (SELECT count(*) FROM picture WHERE is_here = 0 AND url IS NOT NULL AND not_before IS NULL),
                (SELECT count(*) FROM early_picture)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}
