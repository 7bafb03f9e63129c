//! How well the work goes, in numbers: response, disposal, satisfaction, times, and how often the cameras are right.
//! Counting is pure: facts and a time in, rates out.
//!
//! What is counted:
//! - *response rate* 响应率: of the cases whose time to answer is over or that were answered, those that were answered
//!   in time;
//! - *disposal rate* 处置率: of the cases that turned out to be one and whose time is over or that were disposed of,
//!   those that were disposed of;
//! - *on-time share* 按时处置率: of the same, those that were disposed of in time;
//! - *satisfaction rate* 满意率: of the answered follow-ups, those with 4 or 5 of 5 that say it was solved;
//! - *precision* of cameras: of their cases that were confirmed or rejected, those that were confirmed. Duplicates and
//!   unclear pictures say nothing about that.
//!
//! A merged case is counted with the one that goes on, so not by itself.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::denied::Answer;
use super::life::{Millis, Role, State};
use super::model::{Counts, Origin};
use super::service::Desk;
use super::viewer::{Scope, Viewer};
use crate::error::{Error, Kind};

/// Most days that are listed one by one.
const MAX_DAYS: usize = 400;

/// A word of the facts: a grid, a kind, a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u32);

/// What of one case is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its grid.
    pub grid: Name,
    /// Its kind.
    pub kind: Name,
    /// Its camera, `{street}/{box}/{camera}`.
    pub camera: Option<Name>,
    /// The department it is with, or was last.
    pub department: Option<Name>,
    /// Who brought it in.
    pub origin: Origin,
    /// Where it is.
    pub state: State,
    /// What the reviewer said of a camera's case: confirmed or rejected.
    pub was_right: Option<bool>,
    /// When it came.
    pub received_at: Millis,
    /// Until when it had to be answered.
    pub respond_due_at: Millis,
    /// When it was.
    pub responded_at: Option<Millis>,
    /// Until when it had to be disposed of.
    pub due_at: Millis,
    /// When it first was.
    pub disposed_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// What the reporter said: solved or not.
    pub solved: Option<bool>,
    /// What the reporter said: 1 to 5.
    pub satisfaction: Option<u8>,
}

/// The facts of all cases, by id.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    names: Vec<String>,
    numbers: HashMap<String, Name>,
    facts: Vec<Option<Fact>>,
}

impl Facts {
    /// The number of a word; a new one for a word that is new.
    pub fn name(&mut self, word: &str) -> Name {
        if let Some(name) = self.numbers.get(word) {
            return *name;
        }
        let name = Name(self.names.len() as u32);
        self.names.push(word.to_owned());
        self.numbers.insert(word.to_owned(), name);
        name
    }

    /// The word of a number.
    pub fn word(&self, name: Name) -> &str {
        self.names.get(name.0 as usize).map_or("", String::as_str)
    }

    /// Sets the facts of case `id`. Ids count from 1.
    pub fn set(&mut self, id: i64, fact: Fact) {
        let Ok(at) = usize::try_from(id - 1) else { return };
        if self.facts.len() <= at {
            self.facts.resize(at + 1, None);
        }
        self.facts[at] = Some(fact);
    }

    /// Those of all cases.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().flatten()
    }

    /// With words instead of numbers, to compare.
    #[cfg(test)]
    pub(super) fn spelled(&self) -> Vec<(String, String, Option<String>, Fact)> {
        let word = |name: Name| self.word(name).to_owned();
        let none = Name(0);
        self.iter()
            .map(|fact| {
                let plain = Fact { grid: none, kind: none, camera: None, department: None, ..fact.clone() };
                (word(fact.grid), word(fact.kind), fact.camera.map(word), plain)
            })
            .collect()
    }

    /// Which of them `viewer` may see.
    fn seen_by(&self, viewer: &Viewer) -> Seen {
        let number = |word: &String| self.numbers.get(word).copied();
        match viewer.scope() {
            Scope::Street => Seen::All,
            Scope::Grids(grids) => {
                let mut own = vec![false; self.names.len()];
                for name in grids.iter().filter_map(number) {
                    own[name.0 as usize] = true;
                }
                Seen::Grids(own)
            }
            Scope::Department(id) => Seen::Department(number(id)),
        }
    }
}

/// The facts that somebody may see.
enum Seen {
    All,
    Grids(Vec<bool>),
    Department(Option<Name>),
}

impl Seen {
    fn has(&self, fact: &Fact) -> bool {
        match self {
            Self::All => true,
            Self::Grids(own) => own.get(fact.grid.0 as usize).copied().unwrap_or(false),
            Self::Department(id) => id.is_some() && fact.department == *id,
        }
    }
}

/// Which cases are counted: those that came within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// From then on.
    pub from: Option<Millis>,
    /// Before then.
    pub to: Option<Millis>,
    /// Of this grid only.
    pub grid: Option<String>,
}

/// A share: how many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// So many.
    pub part: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    fn add(&mut self, is_part: bool) {
        self.of += 1;
        self.part += u64::from(is_part);
    }

    /// As a number from 0 to 1; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.part as f64 / self.of as f64)
    }
}

/// The rates of a group of cases.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// What the group is: a grid, a day, a kind, a camera; empty for all.
    pub key: String,
    /// Its name, for people.
    pub name: String,
    /// Cases that came, merged ones left out.
    pub cases: u64,
    /// Of them, by who brought them in: camera, resident, patrol, telephone.
    pub by_origin: [u64; 4],
    /// Of them, open.
    pub open: u64,
    /// Of them, overdue now.
    pub overdue: u64,
    /// Response rate.
    pub response: Share,
    /// Disposal rate.
    pub disposal: Share,
    /// On-time share.
    pub on_time: Share,
    /// Satisfaction rate.
    pub satisfaction: Share,
    /// Mean of the answers, 1 to 5.
    pub satisfaction_mean: Option<f64>,
    /// Precision of the cameras.
    pub precision: Share,
    /// Median milliseconds from the report to the answer.
    pub median_response_ms: Option<Millis>,
    /// Median milliseconds from the report to the first disposal.
    pub median_disposal_ms: Option<Millis>,
}

/// All rates of a period.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Of all cases.
    pub all: Group,
    /// By grid.
    pub grids: Vec<Group>,
    /// By kind.
    pub kinds: Vec<Group>,
    /// By camera; cases of cameras only.
    pub cameras: Vec<Group>,
    /// By day of arrival, `YYYY-MM-DD`, oldest first.
    pub days: Vec<Group>,
}

#[derive(Default)]
struct Tally {
    group: Group,
    response: Vec<Millis>,
    disposal: Vec<Millis>,
    score: u64,
}

impl Tally {
    fn add(&mut self, fact: &Fact, now: Millis) {
        let group = &mut self.group;
        group.cases += 1;
        group.by_origin[fact.origin as usize] += 1;
        group.open += u64::from(fact.state.is_open());
        group.overdue += u64::from(fact.state.is_pending() && fact.due_at < now);
        match fact.responded_at {
            Some(at) => {
                group.response.add(at <= fact.respond_due_at);
                self.response.push(at - fact.received_at);
            }
            None if fact.respond_due_at < now => group.response.add(false),
            None => {}
        }
        if fact.state != State::Rejected {
            match fact.disposed_at {
                Some(at) => {
                    group.disposal.add(true);
                    group.on_time.add(at <= fact.due_at);
                    self.disposal.push(at - fact.received_at);
                }
                None if fact.due_at < now => {
                    group.disposal.add(false);
                    group.on_time.add(false);
                }
                None => {}
            }
        }
        if let (Some(solved), Some(score)) = (fact.solved, fact.satisfaction) {
            group.satisfaction.add(solved && score >= 4);
            self.score += u64::from(score);
        }
        if let Some(was_right) = fact.was_right.filter(|_| fact.origin == Origin::Camera) {
            group.precision.add(was_right);
        }
    }

    fn finish(mut self, key: String, name: String) -> Group {
        let answered = self.group.satisfaction.of;
        self.group.satisfaction_mean = (answered > 0).then(|| self.score as f64 / answered as f64);
        self.group.median_response_ms = median(&mut self.response);
        self.group.median_disposal_ms = median(&mut self.disposal);
        Group { key, name, ..self.group }
    }
}

/// The middle one; the lower of the two in the middle of an even number.
fn median(values: &mut [Millis]) -> Option<Millis> {
    if values.is_empty() {
        return None;
    }
    let middle = (values.len() - 1) / 2;
    Some(*values.select_nth_unstable(middle).1)
}

/// Counts the facts that `viewer` may see at `now`. Days are those of `zone`. Names are filled in by the caller.
fn count(facts: &Facts, viewer: &Viewer, period: &Period, zone: &TimeZone, now: Millis) -> Rates {
    let seen = facts.seen_by(viewer);
    let only = period.grid.as_ref().map(|grid| facts.numbers.get(grid).copied());
    let (from, to) = (period.from.unwrap_or(Millis::MIN), period.to.unwrap_or(Millis::MAX));
    let mut all = Tally::default();
    let mut grids: BTreeMap<Name, Tally> = BTreeMap::new();
    let mut kinds: BTreeMap<Name, Tally> = BTreeMap::new();
    let mut cameras: BTreeMap<Name, Tally> = BTreeMap::new();
    let mut days: BTreeMap<i64, Tally> = BTreeMap::new();
    let mut today = Day::default();
    for fact in facts.iter() {
        let is_counted = fact.state != State::Merged
            && (from..to).contains(&fact.received_at)
            && only.is_none_or(|grid| grid == Some(fact.grid))
            && seen.has(fact);
        if !is_counted {
            continue;
        }
        all.add(fact, now);
        grids.entry(fact.grid).or_default().add(fact, now);
        kinds.entry(fact.kind).or_default().add(fact, now);
        if let Some(camera) = fact.camera {
            cameras.entry(camera).or_default().add(fact, now);
        }
        days.entry(today.of(fact.received_at, zone)).or_default().add(fact, now);
    }
    let named = |groups: BTreeMap<Name, Tally>| {
        let mut groups: Vec<Group> = groups
            .into_iter()
            .map(|(name, tally)| tally.finish(facts.word(name).to_owned(), facts.word(name).to_owned()))
            .collect();
        groups.sort_unstable_by(|a, b| b.cases.cmp(&a.cases).then_with(|| a.key.cmp(&b.key)));
        groups
    };
    let skipped = days.len().saturating_sub(MAX_DAYS);
    Rates {
        all: all.finish(String::new(), String::new()),
        grids: named(grids),
        kinds: named(kinds),
        cameras: named(cameras),
        days: days
            .into_iter()
            .skip(skipped)
            .map(|(start, tally)| {
                let day = day_of(start, zone);
                tally.finish(day.clone(), day)
            })
            .collect(),
    }
}

/// The day that was asked for last: cases come in the order of time, so it is nearly always the same.
#[derive(Default)]
struct Day {
    start: Millis,
    end: Millis,
}

impl Day {
    /// When the day of `at` began.
    fn of(&mut self, at: Millis, zone: &TimeZone) -> Millis {
        if !(self.start..self.end).contains(&at) {
            let zoned = timestamp(at).to_zoned_datetime(zone.clone());
            let start = zoned.start_of_day().unwrap_or(zoned);
            let end = start.tomorrow().and_then(|next| next.start_of_day());
            self.start = start.timestamp().as_millisecond();
            self.end = end.map_or(self.start + 86_400_000, |end| end.timestamp().as_millisecond());
        }
        self.start
    }
}

/// `at` as the library has it.
pub(super) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The day of `at`, `YYYY-MM-DD`.
pub(super) fn day_of(at: Millis, zone: &TimeZone) -> String {
    timestamp(at).to_zoned_datetime(zone.clone()).date().to_string()
}

impl Desk {
    /// The rates of `period`, of the cases that `viewer` may see.
    ///
    /// # Errors
    /// None at present.
    pub fn rates(&self, viewer: &Viewer, period: &Period) -> Answer<Rates> {
        let now = self.now();
        let mut rates = count(&self.store.facts(), viewer, period, &self.plan.zone, now);
        for group in &mut rates.grids {
            group.name = self.plan.grid_name(&group.key).to_owned();
        }
        for group in &mut rates.kinds {
            if let Some(kind) = self.plan.kind(&group.key) {
                group.name = format!("{} {}", kind.name_zh, kind.name_en);
            }
        }
        Ok(rates)
    }

    /// The same as a table: one row for each group of each division.
    ///
    /// # Errors
    /// As [`Desk::rates`].
    pub fn rates_csv(&self, viewer: &Viewer, period: &Period) -> Answer<String> {
        let rates = self.rates(viewer, period)?;
        let fault = |e| Error::new(Kind::System, "cannot write the table of rates").caused_by(e);
        let mut table = csv::Writer::from_writer(Vec::new());
        let head = [
            "division",
            "key",
            "name",
            "cases",
            "camera",
            "resident",
            "patrol",
            "telephone",
            "open",
            "overdue",
            "response_in_time",
            "response_of",
            "disposed",
            "disposed_on_time",
            "disposal_of",
            "satisfied",
            "satisfied_of",
            "satisfaction_mean",
            "confirmed",
            "confirmed_of",
            "median_response_min",
            "median_disposal_min",
        ];
        table.write_record(head).map_err(fault)?;
        let minutes =
            |ms: Option<Millis>| ms.map_or(String::new(), |ms| format!("{:.1}", ms as f64 / 60_000.0));
        let all = std::slice::from_ref(&rates.all);
        let divisions: [(&str, &[Group]); 5] = [
            ("all", all),
            ("grid", &rates.grids),
            ("kind", &rates.kinds),
            ("camera", &rates.cameras),
            ("day", &rates.days),
        ];
        for (division, groups) in divisions {
            for group in groups {
                let mut record = vec![division.to_owned(), cell(&group.key), cell(&group.name)];
                record.push(group.cases.to_string());
                record.extend(group.by_origin.iter().map(u64::to_string));
                let counts = [
                    group.open,
                    group.overdue,
                    group.response.part,
                    group.response.of,
                    group.disposal.part,
                    group.on_time.part,
                    group.disposal.of,
                    group.satisfaction.part,
                    group.satisfaction.of,
                ];
                record.extend(counts.iter().map(u64::to_string));
                record.push(group.satisfaction_mean.map_or(String::new(), |mean| format!("{mean:.2}")));
                record.extend([group.precision.part.to_string(), group.precision.of.to_string()]);
                record.extend([minutes(group.median_response_ms), minutes(group.median_disposal_ms)]);
                table.write_record(record).map_err(fault)?;
            }
        }
        let bytes = table.into_inner().map_err(|e| {
            Error::new(Kind::System, "cannot write the table of rates").caused_by(e.into_error())
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How many cases there are in each part of the work, of those that `viewer` may see.
    ///
    /// # Errors
    /// [`super::Denied::Fault`] when the database cannot be read.
    pub fn counts(&self, viewer: &Viewer) -> Answer<Counts> {
        if viewer.role() == Role::Department {
            // A department also sees what it has given back, which the facts do not know.
            return self.counts_of_department(viewer);
        }
        let (facts, now) = (self.store.facts(), self.now());
        let seen = facts.seen_by(viewer);
        let mut counts = Counts::default();
        for fact in facts.iter().filter(|fact| fact.state.is_open() && seen.has(fact)) {
            counts.add(fact.state, fact.due_at, now);
        }
        Ok(counts)
    }
}

impl Counts {
    /// Counts a case in `state` that is due at `due_at`.
    pub(super) fn add(&mut self, state: State, due_at: Millis, now: Millis) {
        match state {
            State::Candidate => self.inbox += 1,
            State::Accepted | State::InProgress => self.doing += 1,
            State::Escalated | State::Assigned | State::Returned => self.escalated += 1,
            State::Disposed | State::Verified => self.done += 1,
            State::Closed | State::Rejected | State::Merged => {}
        }
        self.overdue += u64::from(state.is_pending() && due_at < now);
    }
}

/// `text` as a cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
