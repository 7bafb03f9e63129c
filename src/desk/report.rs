//! Cases that people bring in: residents through a grid's QR code, workers on patrol, operators for who calls. They
//! live the same life as those of cameras.
//!
//! A stranger's report is bounded before anything is done with it: by address, by grid, by length of words, by number
//! and size of photos.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::act::{Doer, Kept, sound_text};
use super::denied::{Answer, Denied};
use super::keys;
use super::life::{Actor, Millis, Role, State};
use super::model::{CaseDetail, Origin};
use super::notify::{Audience, Notice};
use super::plan::Grid;
use super::rates::day_of;
use super::service::Desk;
use super::store::{self, NewCase, NewEntry, Trouble, Tx};
use super::viewer::Viewer;

/// Longest description and place, in characters.
const MAX_DESCRIPTION: usize = 1000;
const MAX_PLACE: usize = 120;
/// Longest way to reach somebody, in characters.
const MAX_CONTACT: usize = 60;
/// Most photos of a resident.
const RESIDENT_PHOTOS: usize = 3;

/// What a resident reports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidentReport {
    /// The kind, one of the plan's.
    pub kind: String,
    /// Where, in words.
    pub place: String,
    /// What.
    pub description: String,
    /// How to reach them, e.g. a telephone number; may be empty.
    #[serde(default)]
    pub contact: String,
}

/// What a worker or an operator reports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffReport {
    /// The grid.
    pub grid: String,
    /// The kind, one of the plan's.
    pub kind: String,
    /// Where, in words.
    pub place: String,
    /// What.
    pub description: String,
    /// How to reach who called; may be empty.
    #[serde(default)]
    pub contact: String,
}

/// That a report has come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Its number, for people.
    pub number: String,
    /// Where its status can be seen.
    pub status_url: String,
    /// The last part of that address.
    pub status_token: String,
}

/// The link of a grid, for its QR code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GridLink {
    /// The grid.
    pub grid: String,
    /// Its name.
    pub grid_name: String,
    /// Its community.
    pub community: String,
    /// The address that the code holds.
    pub url: String,
}

/// What a resident is told of their report: neither names nor notes of the people who work on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PublicStatus {
    /// Its number.
    pub number: String,
    /// Its kind in Chinese.
    pub name_zh: String,
    /// Its kind in English.
    pub name_en: String,
    /// Where.
    pub place: String,
    /// Where it is in its life.
    pub state: State,
    /// The same in Chinese and English.
    pub state_names: (&'static str, &'static str),
    /// When it came.
    pub received_at: Millis,
    /// The states that it has been in, and since when.
    pub steps: Vec<(Millis, State)>,
    /// Where to say whether it was solved, once that is asked.
    pub followup_url: Option<String>,
}

/// A report that is sound, whoever it is from.
struct Sound<'a> {
    origin: Origin,
    grid: &'a Grid,
    kind: &'a str,
    place: &'a str,
    description: &'a str,
    contact: &'a str,
}

impl Desk {
    /// The grid whose QR code holds `token`.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for none.
    pub fn grid_of_link(&self, token: &str) -> Answer<Grid> {
        let found = self.store.read(|db| {
            for grid in &self.plan.grids {
                let round = store::link_round(db, &grid.id)?;
                if self.keys.fits(&format!("grid:{}:{round}", grid.id), token) {
                    return Ok(Some(grid.clone()));
                }
            }
            Ok(None)
        })?;
        found.ok_or(Denied::NotFound)
    }

    /// Takes in what a resident reports through the QR code with `token`.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for a code of no grid, [`Denied::TooMany`] for a flood, [`Denied::Invalid`] for words or
    /// photos that are not right.
    pub fn report(
        &self,
        token: &str,
        report: &ResidentReport,
        photos: &[Vec<u8>],
        address: IpAddr,
    ) -> Answer<Receipt> {
        let grid = self.grid_of_link(token)?;
        let sound = Sound {
            origin: Origin::Resident,
            grid: &grid,
            kind: &report.kind,
            place: report.place.trim(),
            description: report.description.trim(),
            contact: report.contact.trim(),
        };
        self.check(&sound)?;
        if photos.len() > RESIDENT_PHOTOS {
            return Err(Denied::invalid(
                "photo",
                format!("最多 {RESIDENT_PHOTOS} 张照片"),
                format!("At most {RESIDENT_PHOTOS} photos"),
            ));
        }
        let now = self.now();
        let wait = {
            let mut floods = self.floods();
            let by_address = floods.report_address.take(address, now);
            by_address.and_then(|()| floods.report_grid.take(grid.id.clone(), now))
        };
        if let Err(retry_after_s) = wait {
            return Err(Denied::TooMany { retry_after_s });
        }
        let kept = self.keep(photos)?;
        let (id, number) = self.store.write(|tx| {
            let added = self.add_report(tx, &sound, Doer::RESIDENT, State::Candidate, &kept, now)?;
            Ok::<_, Trouble<Denied>>(added)
        })?;
        self.notices.notify_one();
        let status_token = self.keys.case_link("status", id, 1);
        let status_url = format!("{}/s/{status_token}", self.plan.web.public_url);
        Ok(Receipt { number, status_url, status_token })
    }

    /// Takes in what somebody has found on patrol. It is accepted at once: a person has seen it.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for a grid that is not theirs, [`Denied::Forbidden`] for departments, [`Denied::Invalid`]
    /// for words or photos that are not right.
    pub fn report_patrol(
        &self,
        viewer: &Viewer,
        report: &StaffReport,
        photos: &[Vec<u8>],
    ) -> Answer<CaseDetail> {
        if viewer.role() == Role::Department {
            return Err(Denied::Forbidden);
        }
        self.report_by(viewer, Origin::Patrol, report, photos)
    }

    /// Takes in what a caller reports.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for all but operators, the operations centre and administrators; else as
    /// [`Desk::report_patrol`].
    pub fn report_telephone(
        &self,
        viewer: &Viewer,
        report: &StaffReport,
        photos: &[Vec<u8>],
    ) -> Answer<CaseDetail> {
        if !matches!(viewer.role(), Role::Operator | Role::Centre | Role::Admin) {
            return Err(Denied::Forbidden);
        }
        self.report_by(viewer, Origin::Telephone, report, photos)
    }

    fn report_by(
        &self,
        viewer: &Viewer,
        origin: Origin,
        report: &StaffReport,
        photos: &[Vec<u8>],
    ) -> Answer<CaseDetail> {
        let grid = self.plan.grid(&report.grid).filter(|grid| viewer.sees_grid(&grid.id));
        let sound = Sound {
            origin,
            grid: grid.ok_or(Denied::NotFound)?,
            kind: &report.kind,
            place: report.place.trim(),
            description: report.description.trim(),
            contact: report.contact.trim(),
        };
        self.check(&sound)?;
        let kept = self.keep(photos)?;
        let doer = Doer {
            actor: Actor { role: viewer.role(), account: Some(viewer.account()) },
            who: viewer.name(),
        };
        let state = if origin == Origin::Patrol { State::Accepted } else { State::Candidate };
        let now = self.now();
        let (id, _) = self.store.write(|tx| {
            let added = self.add_report(tx, &sound, doer, state, &kept, now)?;
            Ok::<_, Trouble<Denied>>(added)
        })?;
        self.notices.notify_one();
        self.case(viewer, id)
    }

    fn check(&self, report: &Sound<'_>) -> Answer<()> {
        if self.plan.kind(report.kind).is_none() {
            return Err(Denied::invalid("kind", "请选择问题类别", "Choose what it is about"));
        }
        if report.place.is_empty() {
            return Err(Denied::invalid("place", "请填写地点", "Say where it is"));
        }
        sound_text("place", report.place, MAX_PLACE)?;
        sound_text("description", report.description, MAX_DESCRIPTION)?;
        sound_text("contact", report.contact, MAX_CONTACT)?;
        if report.contact.contains(['\n', '\r', '\t']) {
            return Err(Denied::invalid("contact", "联系方式应为一行", "One line to reach you by"));
        }
        Ok(())
    }

    fn add_report(
        &self,
        tx: &mut Tx<'_>,
        report: &Sound<'_>,
        doer: Doer<'_>,
        state: State,
        photos: &[Kept],
        now: Millis,
    ) -> rusqlite::Result<(i64, String)> {
        let class = self.plan.class_of(report.kind);
        let (name_zh, name_en, code) = match self.plan.kind(report.kind) {
            Some(kind) => (kind.name_zh.as_str(), kind.name_en.as_str(), kind.code.as_deref()),
            None => (report.kind, report.kind, None),
        };
        let day = day_of(now, &self.plan.zone).replace('-', "");
        let id = tx.add_case(&NewCase {
            origin: report.origin,
            source: None,
            case_id: None,
            kind: report.kind,
            name_zh,
            name_en,
            code,
            grid: &report.grid.id,
            place: report.place,
            camera: None,
            zone: None,
            spot: None,
            position: None,
            description: report.description,
            class: &class.id,
            severity: if class.id == "urgent" { 2 } else { 1 },
            state,
            observed_at: now,
            received_at: now,
            respond_due_at: now + class.respond_ms,
            due_at: now + class.dispose_ms,
            recurrence: None,
            reporter: doer.actor.account,
            contact: (!report.contact.is_empty()).then_some(report.contact),
            day: &day,
        })?;
        for (n, photo) in photos.iter().enumerate() {
            let picture = self.add_photo(tx, id, photo, "report", now)?;
            if n == 0 {
                tx.set_thumb(id, picture)?;
            }
        }
        tx.note(
            id,
            &NewEntry {
                at: now,
                account: doer.actor.account,
                role: doer.actor.role,
                who: doer.who,
                what: "opened",
                from: None,
                to: Some(state),
                note: "",
            },
        )?;
        let row = store::cases::by_id(tx, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        if report.origin != Origin::Patrol {
            let to = Audience::Grid(report.grid.id.clone());
            self.tell(tx, &Notice::case(to, &row, "新上报案件", "A new report"), now)?;
        }
        Ok((id, row.number))
    }

    /// The links of all grids that `viewer` may see, for a sheet of QR codes.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for departments.
    pub fn grid_links(&self, viewer: &Viewer) -> Answer<Vec<GridLink>> {
        if viewer.role() == Role::Department {
            return Err(Denied::Forbidden);
        }
        let grids = self.grids(viewer);
        Ok(self.store.read(|db| {
            grids.iter().map(|grid| Ok(self.grid_link(grid, store::link_round(db, &grid.id)?))).collect()
        })?)
    }

    /// Gives a grid another link; codes with the one before open nothing any more.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for all but administrators, [`Denied::NotFound`] for no grid of the street.
    pub fn renew_grid_link(&self, viewer: &Viewer, grid: &str) -> Answer<GridLink> {
        if !viewer.is_admin() {
            return Err(Denied::Forbidden);
        }
        let grid = self.plan.grid(grid).ok_or(Denied::NotFound)?;
        let now = self.now();
        let round = self.store.put(|tx| {
            tx.log(now, viewer.login(), "", "link_renewed", &grid.id)?;
            tx.renew_link(&grid.id)
        })?;
        Ok(self.grid_link(grid, round))
    }

    fn grid_link(&self, grid: &Grid, round: i64) -> GridLink {
        let token = self.keys.seal(&format!("grid:{}:{round}", grid.id));
        GridLink {
            grid: grid.id.clone(),
            grid_name: grid.name.clone(),
            community: grid.community.clone(),
            url: format!("{}/r/{token}", self.plan.web.public_url),
        }
    }

    /// What became of a report, for who has the link to it.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for a link that is not one.
    pub fn status(&self, token: &str) -> Answer<PublicStatus> {
        let (id, seal) = keys::parse_case_link(token).ok_or(Denied::NotFound)?;
        if !self.keys.fits(&format!("status:{id}:1"), seal) {
            return Err(Denied::NotFound);
        }
        let now = self.now();
        let read = self.store.read(|db| {
            let Some(row) = store::cases::by_id(db, id)? else { return Ok(None) };
            Ok(Some((row, store::cases::timeline(db, id)?, store::followup(db, id)?)))
        })?;
        let (row, timeline, followup) = read.ok_or(Denied::NotFound)?;
        let is_asked =
            followup.filter(|f| row.state == State::Closed && f.answered_at.is_none() && now < f.until);
        Ok(PublicStatus {
            number: row.number,
            name_zh: row.name_zh,
            name_en: row.name_en,
            place: row.place,
            state: row.state,
            state_names: row.state.names(),
            received_at: row.received_at,
            steps: timeline.iter().filter_map(|entry| Some((entry.at, entry.to?))).collect(),
            followup_url: is_asked.map(|followup| self.followup_link(id, followup.round)),
        })
    }
}
