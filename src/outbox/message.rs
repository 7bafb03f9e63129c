//! The rows of the queue.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::case::CaseId;
use crate::evidence::Role;

/// The number of a row; rising, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A case event; the payload is its JSON.
    Event,
    /// An evidence picture; the payload is the JPEG file.
    Picture(Role),
}

/// A message that is to be published with QoS 1, not retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The case it is about.
    pub case: CaseId,
    /// What it is.
    pub matter: Matter,
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
        Matter::Event => None,
        Matter::Picture(role) => Some(role.as_str()),
    };
    let properties = serde_json::to_string(&message.properties)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    tx.prepare_cached(
        "INSERT INTO outbox (case_id, role, topic, payload, content_type, expiry_s, properties)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        message.case.as_str(),
        role,
        message.topic,
        message.payload,
        message.content_type,
        message.expiry_s,
        properties
    ])?;
    Ok(())
}

/// Rows that may be offered: not held back, and no event of the same case before them.
pub(super) fn due(db: &Connection, now: i64, limit: usize) -> rusqlite::Result<Vec<Offer>> {
    db.prepare_cached(
        "SELECT o.id, o.role IS NULL, o.topic, o.payload, o.content_type, o.expiry_s,
                o.properties
         FROM outbox o LEFT JOIN temp.held h ON h.row = o.id
         WHERE (h.until IS NULL OR h.until <= ?1)
           AND NOT EXISTS (SELECT 1 FROM outbox e
                           WHERE e.case_id = o.case_id AND e.role IS NULL AND e.id < o.id)
         ORDER BY o.id LIMIT ?2",
    )?
    .query_map(params![now, limit as i64], |row| {
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

/// Holds `row` back until `until`.
pub(super) fn hold(tx: &Transaction<'_>, row: RowId, since: i64, until: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO temp.held (row, since, until, times) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (row) DO UPDATE SET until = excluded.until, times = times + 1",
    )?
    .execute(params![row.0, since, until])?;
    Ok(())
}

/// Takes `row` out.
pub(super) fn remove(tx: &Transaction<'_>, row: RowId) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([row.0])?;
    tx.prepare_cached("DELETE FROM temp.held WHERE row = ?1")?.execute([row.0])?;
    Ok(())
}
