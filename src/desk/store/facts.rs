//! What the rates are made of, from the rows of cases.

use rusqlite::{Connection, OptionalExtension as _};

use crate::desk::life::State;
use crate::desk::model::Origin;
use crate::desk::rates::{Fact, Facts};

const QUERY: &str =
    "SELECT c.id, c.grid, c.kind, c.camera, c.source, c.department, c.origin, c.state, c.verdict,
        c.received_at, c.respond_due_at, c.responded_at, c.due_at, c.first_disposed_at, c.ended_at,
        f.solved, f.satisfaction
     FROM cases c LEFT JOIN followup f ON f.case_ = c.id";

/// All of them.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Facts> {
    let mut facts = Facts::default();
    let mut statement = db.prepare(QUERY)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, fact) = read(&mut facts, row)?;
        facts.set(id, fact);
    }
    Ok(facts)
}

/// Those of one case anew.
pub(super) fn refresh(db: &Connection, facts: &mut Facts, id: i64) -> rusqlite::Result<()> {
    let read = db
        .prepare_cached(&format!("{QUERY} WHERE c.id = ?1"))?
        .query_row([id], |row| read(facts, row))
        .optional()?;
    if let Some((id, fact)) = read {
        facts.set(id, fact);
    }
    Ok(())
}

fn read(facts: &mut Facts, row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Fact)> {
    let text = |at: usize| row.get_ref(at).and_then(|value| value.as_str_or_null().map_err(Into::into));
    let camera = match (text(3)?, text(4)?) {
        (Some(camera), Some(source)) => Some(facts.name(&format!("{source}/{camera}"))),
        _ => None,
    };
    let fact = Fact {
        grid: facts.name(text(1)?.unwrap_or_default()),
        kind: facts.name(text(2)?.unwrap_or_default()),
        camera,
        department: text(5)?.map(|name| facts.name(name)),
        origin: text(6)?.and_then(Origin::parse).unwrap_or(Origin::Camera),
        state: text(7)?.and_then(State::parse).unwrap_or(State::Candidate),
        was_right: match text(8)? {
            Some("confirmed") => Some(true),
            Some("rejected") => Some(false),
            _ => None,
        },
        received_at: row.get(9)?,
        respond_due_at: row.get(10)?,
        responded_at: row.get(11)?,
        due_at: row.get(12)?,
        disposed_at: row.get(13)?,
        ended_at: row.get(14)?,
        solved: row.get(15)?,
        satisfaction: row.get(16)?,
    };
    Ok((row.get(0)?, fact))
}
