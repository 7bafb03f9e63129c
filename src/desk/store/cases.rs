//! Rows of cases and their timelines.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, named_params};

use super::Tx;
use crate::desk::life::{Millis, Role, Standing, State, Step, Taken};
use crate::desk::model::{CaseSummary, Changed, Entry, Origin};
use crate::desk::viewer::{Scope, Viewer};

/// Declares [`Row`] with the columns that it is read from, so that their order is written once.
macro_rules! row {
    ($first:ident: $first_type:ty, $($name:ident: $type:ty,)*) => {
        /// A case as it lies in the database.
        #[derive(Clone, Debug, PartialEq)]
        pub(in crate::desk) struct Row {
            pub(in crate::desk) $first: $first_type,
            $(pub(in crate::desk) $name: $type,)*
        }

        /// Columns of [`Row`], in its order, of the table `c`.
        pub(super) const COLUMNS: &str =
            concat!("c.", stringify!($first) $(, ", c.", stringify!($name))*);

        impl Row {
            pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut columns = 0_usize..;
                // Fields are read in the order in which they stand here.
                let mut next = move || columns.next().unwrap_or_default();
                Ok(Self { $first: row.get(next())?, $($name: row.get(next())?,)* })
            }
        }
    };
}

row! {
    id: i64,
    number: String,
    version: i64,
    origin: Origin,
    source: Option<String>,
    case_id: Option<String>,
    kind: String,
    name_zh: String,
    name_en: String,
    code: Option<String>,
    grid: String,
    place: String,
    camera: Option<String>,
    zone: Option<String>,
    spot: Option<String>,
    lon: Option<f64>,
    lat: Option<f64>,
    accuracy_m: Option<f64>,
    description: String,
    seen: Option<String>,
    sequence: i64,
    class: String,
    severity: u8,
    state: State,
    observed_at: Millis,
    received_at: Millis,
    respond_due_at: Millis,
    due_at: Millis,
    responded_at: Option<Millis>,
    disposed_at: Option<Millis>,
    disposed_by: Option<i64>,
    ended_at: Option<Millis>,
    verdict: Option<String>,
    still_seen: bool,
    camera_cleared: bool,
    reopened: u32,
    recurrence: Option<u32>,
    department: Option<String>,
    merged_into: Option<i64>,
    contact: Option<String>,
    thumb: Option<i64>,
}

impl Row {
    /// Longitude, latitude and metres of uncertainty.
    pub(in crate::desk) fn position(&self) -> Option<(f64, f64, Option<f64>)> {
        self.lon.zip(self.lat).map(|(lon, lat)| (lon, lat, self.accuracy_m))
    }

    /// As lists show it at `now`; `grid_name` is the grid's.
    pub(in crate::desk) fn summary(self, grid_name: &str, now: Millis) -> CaseSummary {
        CaseSummary {
            id: self.id,
            number: self.number,
            version: self.version,
            origin: self.origin,
            kind: self.kind,
            name_zh: self.name_zh,
            name_en: self.name_en,
            code: self.code,
            grid_name: grid_name.to_owned(),
            grid: self.grid,
            place: self.place,
            camera: self.camera,
            state: self.state,
            class: self.class,
            severity: self.severity,
            observed_at: self.observed_at,
            received_at: self.received_at,
            responded_at: self.responded_at,
            disposed_at: self.disposed_at,
            ended_at: self.ended_at,
            respond_due_at: self.respond_due_at,
            due_at: self.due_at,
            overdue: self.state.is_pending() && self.due_at < now,
            still_seen: self.still_seen,
            camera_cleared: self.camera_cleared,
            reopened: self.reopened,
            recurrence_7d: self.recurrence,
            department: self.department,
            merged_into: self.merged_into,
            thumb: self.thumb,
        }
    }
}

/// `word` as what `parse` takes it for.
fn known<T>(word: ValueRef<'_>, parse: impl FnOnce(&str) -> Option<T>) -> FromSqlResult<T> {
    let word = word.as_str()?;
    parse(word).ok_or_else(|| FromSqlError::Other(format!("unknown word {word:?}").into()))
}

impl FromSql for State {
    fn column_result(word: ValueRef<'_>) -> FromSqlResult<Self> {
        known(word, Self::parse)
    }
}

impl FromSql for Origin {
    fn column_result(word: ValueRef<'_>) -> FromSqlResult<Self> {
        known(word, Self::parse)
    }
}

/// What a new case is made of.
#[derive(Clone, Debug)]
pub(in crate::desk) struct NewCase<'a> {
    pub(in crate::desk) origin: Origin,
    pub(in crate::desk) source: Option<&'a str>,
    pub(in crate::desk) case_id: Option<&'a str>,
    pub(in crate::desk) kind: &'a str,
    pub(in crate::desk) name_zh: &'a str,
    pub(in crate::desk) name_en: &'a str,
    pub(in crate::desk) code: Option<&'a str>,
    pub(in crate::desk) grid: &'a str,
    pub(in crate::desk) place: &'a str,
    pub(in crate::desk) camera: Option<&'a str>,
    pub(in crate::desk) zone: Option<&'a str>,
    pub(in crate::desk) spot: Option<&'a str>,
    pub(in crate::desk) position: Option<(f64, f64, Option<f64>)>,
    pub(in crate::desk) description: &'a str,
    pub(in crate::desk) class: &'a str,
    pub(in crate::desk) severity: u8,
    pub(in crate::desk) state: State,
    pub(in crate::desk) observed_at: Millis,
    pub(in crate::desk) received_at: Millis,
    pub(in crate::desk) respond_due_at: Millis,
    pub(in crate::desk) due_at: Millis,
    pub(in crate::desk) recurrence: Option<u32>,
    pub(in crate::desk) reporter: Option<i64>,
    pub(in crate::desk) contact: Option<&'a str>,
    /// The day of its number, `YYYYMMDD`.
    pub(in crate::desk) day: &'a str,
}

/// What a step changes in a row. `None` leaves a column as it is; `Some(None)` empties it.
#[derive(Clone, Debug, Default)]
pub(in crate::desk) struct Change {
    pub(in crate::desk) state: Option<State>,
    pub(in crate::desk) responded_at: Option<Option<Millis>>,
    pub(in crate::desk) accepted_at: Option<Option<Millis>>,
    pub(in crate::desk) disposed: Option<Option<(Millis, Option<i64>)>>,
    pub(in crate::desk) ended_at: Option<Option<Millis>>,
    pub(in crate::desk) due_at: Option<Millis>,
    pub(in crate::desk) verdict: Option<Option<&'static str>>,
    pub(in crate::desk) still_seen: Option<bool>,
    pub(in crate::desk) camera_cleared: Option<bool>,
    pub(in crate::desk) severity: Option<u8>,
    pub(in crate::desk) is_reopened: bool,
    pub(in crate::desk) department: Option<Option<String>>,
    pub(in crate::desk) merged_into: Option<Option<i64>>,
    pub(in crate::desk) seen: Option<(String, i64)>,
    pub(in crate::desk) recurrence: Option<u32>,
    pub(in crate::desk) reminded: Option<u8>,
}

/// An entry for a timeline.
#[derive(Clone, Debug)]
pub(in crate::desk) struct NewEntry<'a> {
    pub(in crate::desk) at: Millis,
    pub(in crate::desk) account: Option<i64>,
    pub(in crate::desk) role: Role,
    pub(in crate::desk) who: &'a str,
    pub(in crate::desk) what: &'a str,
    pub(in crate::desk) from: Option<State>,
    pub(in crate::desk) to: Option<State>,
    pub(in crate::desk) note: &'a str,
}

impl Tx<'_> {
    /// Stores a new case and returns its id.
    pub(in crate::desk) fn add_case(&mut self, case: &NewCase<'_>) -> rusqlite::Result<i64> {
        let counter = format!("number:{}", case.day);
        let nth: i64 = self
            .prepare_cached(
                "INSERT INTO counter (name, value) VALUES (?1, 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            )?
            .query_row([counter], |row| row.get(0))?;
        let (lon, lat, accuracy) = match case.position {
            Some((lon, lat, accuracy)) => (Some(lon), Some(lat), accuracy),
            None => (None, None, None),
        };
        let responded = (case.state != State::Candidate).then_some(case.received_at);
        self.prepare_cached(
            "INSERT INTO cases (number, origin, source, case_id, kind, name_zh, name_en, code, grid, place, camera,
                zone, spot, lon, lat, accuracy_m, description, class, severity, state, observed_at, received_at,
                respond_due_at, due_at, responded_at, accepted_at, recurrence, reporter, contact)
             VALUES (:number, :origin, :source, :case_id, :kind, :name_zh, :name_en, :code, :grid, :place, :camera,
                :zone, :spot, :lon, :lat, :accuracy, :description, :class, :severity, :state, :observed, :received,
                :respond_due, :due, :responded, :responded, :recurrence, :reporter, :contact)",
        )?
        .execute(named_params! {
            ":number": format!("{}-{nth:05}", case.day),
            ":origin": case.origin.as_str(),
            ":source": case.source,
            ":case_id": case.case_id,
            ":kind": case.kind,
            ":name_zh": case.name_zh,
            ":name_en": case.name_en,
            ":code": case.code,
            ":grid": case.grid,
            ":place": case.place,
            ":camera": case.camera,
            ":zone": case.zone,
            ":spot": case.spot,
            ":lon": lon,
            ":lat": lat,
            ":accuracy": accuracy,
            ":description": case.description,
            ":class": case.class,
            ":severity": case.severity,
            ":state": case.state.as_str(),
            ":observed": case.observed_at,
            ":received": case.received_at,
            ":respond_due": case.respond_due_at,
            ":due": case.due_at,
            ":responded": responded,
            ":recurrence": case.recurrence,
            ":reporter": case.reporter,
            ":contact": case.contact,
        })?;
        let id = self.last_insert_rowid();
        self.touch(id, "opened");
        Ok(id)
    }

    /// Changes the row of `case`; its version rises.
    pub(in crate::desk) fn change(&mut self, case: i64, change: &Change, what: &str) -> rusqlite::Result<()> {
        self.prepare_cached(
            "UPDATE cases SET
                version = version + 1,
                state = coalesce(:state, state),
                is_open = coalesce(:is_open, is_open),
                responded_at = CASE WHEN :has_responded THEN :responded ELSE responded_at END,
                accepted_at = CASE WHEN :has_accepted THEN :accepted ELSE accepted_at END,
                disposed_at = CASE WHEN :has_disposed THEN :disposed ELSE disposed_at END,
                first_disposed_at = CASE WHEN :has_disposed THEN coalesce(first_disposed_at, :disposed)
                                         ELSE first_disposed_at END,
                disposed_by = CASE WHEN :has_disposed THEN :disposed_by ELSE disposed_by END,
                ended_at = CASE WHEN :has_ended THEN :ended ELSE ended_at END,
                due_at = coalesce(:due, due_at),
                verdict = CASE WHEN :has_verdict THEN :verdict ELSE verdict END,
                still_seen = coalesce(:still_seen, still_seen),
                camera_cleared = coalesce(:cleared, camera_cleared),
                severity = coalesce(:severity, severity),
                reopened = reopened + :reopened,
                department = CASE WHEN :has_department THEN :department ELSE department END,
                merged_into = CASE WHEN :has_merged THEN :merged ELSE merged_into END,
                seen = coalesce(:seen, seen),
                sequence = coalesce(:sequence, sequence),
                recurrence = coalesce(:recurrence, recurrence),
                reminded = coalesce(:reminded, reminded)
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":state": change.state.map(State::as_str),
            ":is_open": change.state.map(State::is_open),
            ":has_responded": change.responded_at.is_some(),
            ":responded": change.responded_at.flatten(),
            ":has_accepted": change.accepted_at.is_some(),
            ":accepted": change.accepted_at.flatten(),
            ":has_disposed": change.disposed.is_some(),
            ":disposed": change.disposed.flatten().map(|(at, _)| at),
            ":disposed_by": change.disposed.flatten().and_then(|(_, by)| by),
            ":has_ended": change.ended_at.is_some(),
            ":ended": change.ended_at.flatten(),
            ":due": change.due_at,
            ":has_verdict": change.verdict.is_some(),
            ":verdict": change.verdict.flatten(),
            ":still_seen": change.still_seen,
            ":cleared": change.camera_cleared,
            ":severity": change.severity,
            ":reopened": change.is_reopened,
            ":has_department": change.department.is_some(),
            ":department": change.department.as_ref().and_then(Option::as_ref),
            ":has_merged": change.merged_into.is_some(),
            ":merged": change.merged_into.flatten(),
            ":seen": change.seen.as_ref().map(|(json, _)| json),
            ":sequence": change.seen.as_ref().map(|(_, sequence)| sequence),
            ":recurrence": change.recurrence,
            ":reminded": change.reminded,
            ":id": case,
        })?;
        if let Some(Some(department)) = &change.department {
            self.prepare_cached("INSERT OR IGNORE INTO case_department (department, case_) VALUES (?1, ?2)")?
                .execute((department, case))?;
        }
        self.touch(case, what);
        Ok(())
    }

    /// Adds an entry to the timeline of `case`.
    pub(in crate::desk) fn note(&mut self, case: i64, entry: &NewEntry<'_>) -> rusqlite::Result<()> {
        self.prepare_cached(
            "INSERT INTO timeline (case_, at, account, role, who, what, before, after, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            case,
            entry.at,
            entry.account,
            entry.role.as_str(),
            entry.who,
            entry.what,
            entry.from.map(State::as_str),
            entry.to.map(State::as_str),
            entry.note,
        ))?;
        Ok(())
    }

    /// Notes that `case` has changed otherwise than in its row, for live pages.
    pub(in crate::desk) fn stir(&mut self, case: i64, what: &str) -> rusqlite::Result<()> {
        self.prepare_cached("UPDATE cases SET version = version + 1 WHERE id = ?1")?.execute([case])?;
        self.touch(case, what);
        Ok(())
    }

    /// The picture that lists show for `case`.
    pub(in crate::desk) fn set_thumb(&mut self, case: i64, picture: i64) -> rusqlite::Result<()> {
        self.prepare_cached("UPDATE cases SET thumb = ?2 WHERE id = ?1")?.execute((case, picture))?;
        Ok(())
    }
}

/// The case `id` if `viewer` may see it.
pub(in crate::desk) fn seen_by(db: &Connection, viewer: &Viewer, id: i64) -> rusqlite::Result<Option<Row>> {
    let Some(row) = by_id(db, id)? else { return Ok(None) };
    let departments = match viewer.scope() {
        Scope::Department(_) => departments(db, id)?,
        Scope::Street | Scope::Grids(_) => Vec::new(),
    };
    Ok(viewer.sees(&row.grid, &departments).then_some(row))
}

/// The case `id`, for the desk itself.
pub(in crate::desk) fn by_id(db: &Connection, id: i64) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM cases c WHERE c.id = ?1"))?
        .query_row([id], Row::read)
        .optional()
}

/// The case that the box `source` calls `case_id`.
pub(in crate::desk) fn of_box(db: &Connection, source: &str, case_id: &str) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM cases c WHERE c.source = ?1 AND c.case_id = ?2"))?
        .query_row((source, case_id), Row::read)
        .optional()
}

/// The departments that `case` was ever given to.
fn departments(db: &Connection, case: i64) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached("SELECT department FROM case_department WHERE case_ = ?1")?
        .query_map([case], |row| row.get(0))?
        .collect()
}

/// What live pages are told of `id`.
pub(super) fn changed(db: &Connection, id: i64, what: String) -> rusqlite::Result<Option<Changed>> {
    let departments = departments(db, id)?;
    db.prepare_cached("SELECT version, grid, state FROM cases WHERE id = ?1")?
        .query_row([id], |row| {
            Ok(Changed { id, version: row.get(0)?, grid: row.get(1)?, state: row.get(2)?, what, departments })
        })
        .optional()
}

/// The timeline of `case`, oldest first.
pub(in crate::desk) fn timeline(db: &Connection, case: i64) -> rusqlite::Result<Vec<Entry>> {
    db.prepare_cached(
        "SELECT id, at, role, who, what, before, after, note FROM timeline WHERE case_ = ?1 ORDER BY id",
    )?
    .query_map([case], |row| {
        let role: String = row.get(2)?;
        Ok(Entry {
            id: row.get(0)?,
            at: row.get(1)?,
            role: Role::parse(&role).unwrap_or(Role::System),
            who: row.get(3)?,
            what: row.get(4)?,
            from: row.get(5)?,
            to: row.get(6)?,
            note: row.get(7)?,
        })
    })?
    .collect()
}

/// What of `row` decides what may be done with it.
pub(in crate::desk) fn standing(db: &Connection, row: &Row) -> rusqlite::Result<Standing> {
    let last = db
        .prepare_cached(
            "SELECT what, before, account, at FROM timeline
             WHERE case_ = ?1 AND before IS NOT NULL AND before <> after ORDER BY id DESC LIMIT 1",
        )?
        .query_row([row.id], |row| {
            let (what, before): (String, String) = (row.get(0)?, row.get(1)?);
            let step = [Step::Accept, Step::Reject, Step::Merge].into_iter().find(|s| s.as_str() == what);
            let (by, at) = (row.get(2)?, row.get(3)?);
            Ok(step.zip(State::parse(&before)).map(|(step, from)| Taken { step, from, by, at }))
        })
        .optional()?
        .flatten();
    Ok(Standing { state: row.state, camera_cleared: row.camera_cleared, disposed_by: row.disposed_by, last })
}
