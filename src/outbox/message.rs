//! The rows of the queue.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::case::CaseId;
use crate::clock::CaptureTime;
use crate::evidence::Role;

/// The number of a row; rising, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A case opened; the payload is the event's JSON.
    Opened,
    /// A case that stands changed; the payload is the event's JSON.
    Updated,
    /// A case cleared; the payload is the event's JSON.
    Cleared,
    /// An evidence picture; the payload is the JPEG file, or the MP4 file of a clip.
    Picture(Role),
    /// What is known of a clip; the payload is JSON. It goes the way of pictures: it waits for the event before it,
    /// holds up nothing, and is given up with them.
    Clip,
}

impl Matter {
    /// What leaves first when much waits: that a case opened or cleared, then pictures, then updates.
    fn rank(self) -> Rank {
        match self {
            Self::Opened | Self::Cleared => Rank::CASE,
            Self::Picture(_) | Self::Clip => Rank::PICTURE,
            Self::Updated => Rank::UPDATE,
        }
    }
}

/// How early a row leaves, as it is stored; lower is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rank(pub(super) i64);

/// In place of a role, for what is known of a clip.
const CLIP_NOTE: &str = "clip_note";

impl Rank {
    pub(super) const CASE: Self = Self(0);
    pub(super) const PICTURE: Self = Self(1);
    pub(super) const UPDATE: Self = Self(2);
}

/// A message that is to be published with QoS 1, not retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The case it is about.
    pub case: CaseId,
    /// What it is.
    pub matter: Matter,
    /// When it was written down.
    pub recorded: CaptureTime,
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// MQTT 5 content type.
    pub content_type: String,
    /// Seconds for which a broker keeps it for a subscriber that is away.
    pub expiry_s: u32,
    /// MQTT 5 user properties.
    pub properties: Vec<(String, String)>,
    /// What is kept on the box of the pictures that an event names, beside what it says of them: a
    /// [`CropNote`](crate::evidence::CropNote) as JSON for each that has one. It is not sent.
    pub notes: Vec<(Role, String)>,
}

/// A stored message that may be published now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its row.
    pub row: RowId,
    /// Whether the payload is UTF-8 text.
    pub is_text: bool,
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// MQTT 5 content type.
    pub content_type: String,
    /// Seconds for which a broker keeps it for a subscriber that is away.
    pub expiry_s: u32,
    /// MQTT 5 user properties.
    pub properties: Vec<(String, String)>,
}

pub(super) fn insert(tx: &Transaction<'_>, message: &Message) -> rusqlite::Result<()> {
    let role = match message.matter {
        Matter::Opened | Matter::Updated | Matter::Cleared => None,
        Matter::Picture(role) => Some(role.as_str()),
        Matter::Clip => Some(CLIP_NOTE),
    };
    let properties = serde_json::to_string(&message.properties)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    tx.prepare_cached(
        "INSERT INTO outbox (case_id, role, topic, payload, content_type, expiry_s, properties, rank, recorded, size)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        message.case.as_str(),
        role,
        message.topic,
        message.payload,
        message.content_type,
        message.expiry_s,
        properties,
        message.matter.rank().0,
        message.recorded.nanos(),
        (message.payload.len() + message.topic.len() + properties.len()) as i64,
    ])?;
    Ok(())
}

/// Rows that may be offered: not held back, not set aside, and no event of the same case before them that may yet be
/// offered.
pub(super) fn due(db: &Connection, now: i64, limit: usize) -> rusqlite::Result<Vec<Offer>> {
    db.prepare_cached(
        "SELECT o.id, o.role IS NULL OR o.role = ?3, o.topic, o.payload, o.content_type, o.expiry_s,
                o.properties
         FROM outbox o LEFT JOIN temp.held h ON h.row = o.id
         WHERE o.set_aside IS NULL AND (h.until IS NULL OR h.until <= ?1)
           AND NOT EXISTS (SELECT 1 FROM outbox e
                           WHERE e.case_id = o.case_id AND e.role IS NULL AND e.set_aside IS NULL
                             AND e.id < o.id)
         ORDER BY o.rank, o.id LIMIT ?2",
    )?
    .query_map(params![now, limit as i64, CLIP_NOTE], |row| {
        let properties: String = row.get(6)?;
        Ok(Offer {
            row: RowId(row.get(0)?),
            is_text: row.get(1)?,
            topic: row.get(2)?,
            payload: row.get(3)?,
            content_type: row.get(4)?,
            expiry_s: row.get(5)?,
            properties: serde_json::from_str(&properties).map_err(|e| {
                rusqlite::Error::FromSqlConversionFailure(6, rusqlite::types::Type::Text, e.into())
            })?,
        })
    })?
    .collect()
}

/// Whether `row` is a picture.
pub(super) fn is_picture(tx: &Transaction<'_>, row: RowId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT count(role) FROM outbox WHERE id = ?1")?.query_row([row.0], |r| r.get(0))
}

/// Since when and how often `row` has been held back.
pub(super) fn held(tx: &Transaction<'_>, row: RowId) -> rusqlite::Result<Option<(i64, u32)>> {
    tx.prepare_cached("SELECT since, times FROM temp.held WHERE row = ?1")?
        .query_row([row.0], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()
}

/// Holds `row` back until `until`; `unheard` says that it is for want of a subscriber.
pub(super) fn hold(
    tx: &Transaction<'_>,
    row: RowId,
    since: i64,
    until: i64,
    unheard: bool,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO temp.held (row, since, until, times, unheard) VALUES (?1, ?2, ?3, 1, ?4)
         ON CONFLICT (row) DO UPDATE SET until = excluded.until, times = times + 1, unheard = excluded.unheard",
    )?
    .execute(params![row.0, since, until, unheard])?;
    Ok(())
}

/// Sets `row` aside for `reason`: it stays on disk and is not offered until the program starts again.
pub(super) fn set_aside(tx: &Transaction<'_>, row: RowId, reason: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE outbox SET set_aside = ?2 WHERE id = ?1")?.execute(params![row.0, reason])?;
    tx.prepare_cached("DELETE FROM temp.held WHERE row = ?1")?.execute([row.0])?;
    Ok(())
}

/// Takes `row` out.
pub(super) fn remove(tx: &Transaction<'_>, row: RowId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([row.0])?;
    tx.prepare_cached("DELETE FROM temp.held WHERE row = ?1")?.execute([row.0])?;
    Ok(())
}
