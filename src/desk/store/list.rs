//! Lists of cases. Each reads along an index what it shows and no more: for several grids or states it takes the head
//! of each and merges them.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::cases::{COLUMNS, Row};
use crate::desk::life::{Millis, State};
use crate::desk::model::{Filter, Tab};
use crate::desk::viewer::{Scope, Viewer};

/// Where a list goes on: the key of its last row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::desk) struct Cursor(pub(in crate::desk) i64, pub(in crate::desk) i64, pub(in crate::desk) i64);

impl Cursor {
    /// As it was given out.
    pub(in crate::desk) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '_').map(|part| part.parse().ok());
        Some(Self(parts.next()??, parts.next()??, parts.next()??))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}_{}", self.0, self.1, self.2)
    }
}

/// The states of a tab.
fn states(tab: Tab) -> &'static [State] {
    match tab {
        Tab::Inbox => &[State::Candidate],
        Tab::Doing => &[State::Accepted, State::InProgress],
        Tab::Escalated => &[State::Escalated, State::Assigned, State::Returned],
        Tab::Done => &[State::Disposed, State::Verified],
        Tab::Overdue => &[
            State::Candidate,
            State::Accepted,
            State::InProgress,
            State::Escalated,
            State::Assigned,
            State::Returned,
        ],
        Tab::Open => &[
            State::Candidate,
            State::Accepted,
            State::InProgress,
            State::Escalated,
            State::Assigned,
            State::Returned,
            State::Disposed,
            State::Verified,
        ],
        Tab::Ended => &[State::Closed, State::Rejected, State::Merged],
    }
}

/// Up to `limit` cases that `viewer` may see, after `after`.
pub(in crate::desk) fn list(
    db: &Connection,
    viewer: &Viewer,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
    now: Millis,
) -> rusqlite::Result<Vec<Row>> {
    if filter.tab == Tab::Overdue || filter.tab == Tab::Ended {
        return by_time(db, viewer, filter, after, limit, now);
    }
    let mut rows: Vec<Row> = Vec::new();
    let grids: Vec<Option<&str>> = match (&filter.grid, viewer.scope()) {
        (Some(grid), Scope::Grids(own)) if !own.contains(grid) => return Ok(Vec::new()),
        (Some(grid), _) => vec![Some(grid)],
        (None, Scope::Grids(own)) => own.iter().map(|grid| Some(grid.as_str())).collect(),
        (None, Scope::Street | Scope::Department(_)) => vec![None],
    };
    for grid in grids {
        for state in states(filter.tab) {
            let mut query = Query::new(viewer, filter);
            query.and("c.state = ", state.as_str().to_owned());
            if let Some(grid) = grid {
                query.and("c.grid = ", grid.to_owned());
            }
            if let Some(Cursor(severity, received, id)) = after {
                query.text.push_str(" AND (c.severity, c.received_at, c.id) < (?, ?, ?)");
                query.values.extend([Value::from(severity), Value::from(received), Value::from(id)]);
            }
            query.text.push_str(" ORDER BY c.severity DESC, c.received_at DESC, c.id DESC LIMIT ?");
            query.values.push(Value::from(limit as i64));
            rows.extend(query.run(db)?);
        }
    }
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.severity, row.received_at, row.id)));
    rows.truncate(limit);
    Ok(rows)
}

/// The key by which `row` stands in the list of `tab`.
pub(in crate::desk) fn key(row: &Row, tab: Tab) -> Cursor {
    match tab {
        Tab::Overdue => Cursor(row.due_at, row.id, 0),
        Tab::Ended => Cursor(row.ended_at.unwrap_or(0), row.id, 0),
        _ => Cursor(i64::from(row.severity), row.received_at, row.id),
    }
}

/// Overdue cases, the longest first, or ended ones, the latest first.
fn by_time(
    db: &Connection,
    viewer: &Viewer,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
    now: Millis,
) -> rusqlite::Result<Vec<Row>> {
    let mut query = Query::new(viewer, filter);
    if let Scope::Grids(own) = viewer.scope() {
        let marks = vec!["?"; own.len()].join(", ");
        // The plus keeps SQLite from collecting whole grids to sort them: along the order it reads the head only.
        query.text.push_str(&format!(" AND +c.grid IN ({marks})"));
        query.values.extend(own.iter().cloned().map(Value::from));
    }
    if let Some(grid) = &filter.grid {
        query.and("c.grid = ", grid.clone());
    }
    if filter.tab == Tab::Overdue {
        let words: Vec<String> = states(Tab::Overdue).iter().map(|s| format!("'{}'", s.as_str())).collect();
        // The plus here too: by state SQLite would collect and sort all that are overdue.
        query
            .text
            .push_str(&format!(" AND c.is_open = 1 AND +c.state IN ({}) AND c.due_at < ?", words.join(", ")));
        query.values.push(Value::from(now));
        if let Some(Cursor(due, id, _)) = after {
            query.text.push_str(" AND (c.due_at, c.id) > (?, ?)");
            query.values.extend([Value::from(due), Value::from(id)]);
        }
        query.text.push_str(" ORDER BY c.due_at, c.id LIMIT ?");
    } else {
        query.text.push_str(" AND c.ended_at IS NOT NULL");
        if let Some(Cursor(ended, id, _)) = after {
            query.text.push_str(" AND (c.ended_at, c.id) < (?, ?)");
            query.values.extend([Value::from(ended), Value::from(id)]);
        }
        query.text.push_str(" ORDER BY c.ended_at DESC, c.id DESC LIMIT ?");
    }
    query.values.push(Value::from(limit as i64));
    query.run(db)
}

/// Open cases of `kind` in `grid` that `case` could be the same as, newest first.
pub(in crate::desk) fn alike(db: &Connection, case: &Row, limit: usize) -> rusqlite::Result<Vec<Row>> {
    let mut query =
        Query { text: format!("SELECT {COLUMNS} FROM cases c WHERE c.is_open = 1"), values: Vec::new() };
    query.and("c.grid = ", case.grid.clone());
    query.and("c.id <> ", case.id);
    query.text.push_str(" ORDER BY c.kind <> ?, c.received_at DESC LIMIT ?");
    query.values.extend([Value::from(case.kind.clone()), Value::from(limit as i64)]);
    query.run(db)
}

/// Cases of the same kind at the same spot before `case`, newest first.
pub(in crate::desk) fn earlier(db: &Connection, case: &Row, limit: usize) -> rusqlite::Result<Vec<Row>> {
    let Some(spot) = &case.spot else { return Ok(Vec::new()) };
    let mut query = Query { text: format!("SELECT {COLUMNS} FROM cases c WHERE 1"), values: Vec::new() };
    query.and("c.spot = ", spot.clone());
    query.and("c.kind = ", case.kind.clone());
    query.and("c.received_at <= ", case.received_at);
    query.and("c.id < ", case.id);
    query.text.push_str(" ORDER BY c.received_at DESC LIMIT ?");
    query.values.push(Value::from(limit as i64));
    query.run(db)
}

/// A query with its values. Words of a caller are values and never part of the text.
struct Query {
    text: String,
    values: Vec<Value>,
}

impl Query {
    fn new(viewer: &Viewer, filter: &Filter) -> Self {
        let mut query = match viewer.scope() {
            Scope::Department(department) => Self {
                text: format!(
                    "SELECT {COLUMNS} FROM case_department d JOIN cases c ON c.id = d.case_ WHERE d.department = ?"
                ),
                values: vec![Value::from(department.clone())],
            },
            Scope::Street | Scope::Grids(_) => {
                Self { text: format!("SELECT {COLUMNS} FROM cases c WHERE 1"), values: Vec::new() }
            }
        };
        if let Some(kind) = &filter.kind {
            query.and("c.kind = ", kind.clone());
        }
        if let Some(origin) = filter.origin {
            query.and("c.origin = ", origin.as_str().to_owned());
        }
        query
    }

    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.text.push('?');
        self.values.push(value.into());
    }

    fn run(self, db: &Connection) -> rusqlite::Result<Vec<Row>> {
        db.prepare_cached(&self.text)?.query_map(params_from_iter(self.values), Row::read)?.collect()
    }
}

/// State and time of every open case of a department.
pub(in crate::desk) fn states_of(db: &Connection, viewer: &Viewer) -> rusqlite::Result<Vec<(State, Millis)>> {
    let Scope::Department(department) = viewer.scope() else { return Ok(Vec::new()) };
    db.prepare_cached(
        "SELECT c.state, c.due_at FROM case_department d JOIN cases c ON c.id = d.case_
         WHERE d.department = ?1 AND c.is_open = 1",
    )?
    .query_map([department], |row| {
        let state: String = row.get(0)?;
        Ok((State::parse(&state).unwrap_or(State::Candidate), row.get(1)?))
    })?
    .collect()
}
