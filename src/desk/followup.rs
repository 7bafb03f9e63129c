//! After a reported case is closed, who reported it is asked whether it was solved and how satisfied they are. "Not
//! solved" opens the case again; every answer counts in the rates. One answer for each closing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::act::{Doer, sound_text};
use super::denied::{Answer, Denied};
use super::keys;
use super::life::{Action, Millis, Role, State};
use super::service::Desk;
use super::store::{self, FollowupRow, NewEntry, Row, Trouble};

/// Longest comment, in characters.
const MAX_COMMENT: usize = 500;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The case's number.
    pub number: String,
    /// Its kind in Chinese.
    pub name_zh: String,
    /// Its kind in English.
    pub name_en: String,
    /// Where.
    pub place: String,
    /// Whether it was answered.
    pub answered: bool,
    /// Until when it can be.
    pub until: Millis,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowupAnswer {
    /// Whether the matter was solved.
    pub solved: bool,
    /// How satisfied they are, 1 to 5.
    pub satisfaction: u8,
    /// More of it; may be empty.
    #[serde(default)]
    pub comment: String,
}

impl Desk {
    pub(super) fn followup_link(&self, case: i64, round: i64) -> String {
        format!("{}/f/{}", self.plan.web.public_url, self.keys.case_link("followup", case, round))
    }

    /// The case and the follow-up that `token` is for.
    fn followup_of(&self, token: &str) -> Answer<(Row, FollowupRow)> {
        let (id, seal) = keys::parse_case_link(token).ok_or(Denied::NotFound)?;
        let read = self.store.read(|db| Ok(store::cases::by_id(db, id)?.zip(store::followup(db, id)?)))?;
        let (row, followup) = read.ok_or(Denied::NotFound)?;
        if self.keys.fits(&format!("followup:{id}:{}", followup.round), seal) {
            Ok((row, followup))
        } else {
            Err(Denied::NotFound)
        }
    }

    /// What the link with `token` asks.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for a link that is not one, or that is over.
    pub fn followup(&self, token: &str) -> Answer<Question> {
        let now = self.now();
        let (row, followup) = self.followup_of(token)?;
        let answered = followup.answered_at.is_some();
        if !answered && now >= followup.until {
            return Err(Denied::NotFound);
        }
        Ok(Question {
            number: row.number,
            name_zh: row.name_zh,
            name_en: row.name_en,
            place: row.place,
            answered,
            until: followup.until,
        })
    }

    /// Takes the answer to the link with `token`.
    ///
    /// # Errors
    /// [`Denied::NotFound`] as [`Desk::followup`], [`Denied::Changed`] when it was answered before,
    /// [`Denied::Invalid`] for an answer that is not right, [`Denied::TooMany`] for a flood.
    pub fn answer_followup(&self, token: &str, answer: &FollowupAnswer, address: IpAddr) -> Answer<()> {
        if !(1..=5).contains(&answer.satisfaction) {
            return Err(Denied::invalid("satisfaction", "请选择 1 至 5", "Choose 1 to 5"));
        }
        sound_text("comment", &answer.comment, MAX_COMMENT)?;
        let now = self.now();
        if let Err(retry_after_s) = self.floods().link_address.take(address, now) {
            return Err(Denied::TooMany { retry_after_s });
        }
        let (row, asked) = self.followup_of(token)?;
        if asked.answered_at.is_none() && now >= asked.until {
            return Err(Denied::NotFound);
        }
        self.store.write(|tx| {
            let current = store::followup(tx, row.id)?;
            let is_open = current.is_some_and(|f| f.round == asked.round && f.answered_at.is_none());
            let row = store::cases::by_id(tx, row.id)?.filter(|_| is_open);
            let Some(row) = row else { return Err(Trouble::Other(Denied::Changed)) };
            let comment = answer.comment.trim();
            tx.answer(row.id, now, answer.solved, answer.satisfaction, comment)?;
            let (zh, en) = if answer.solved { ("已解决", "solved") } else { ("未解决", "not solved") };
            let dash = if comment.is_empty() { "" } else { " · " };
            let note = format!("{zh} {en} · {}/5{dash}{comment}", answer.satisfaction);
            tx.note(
                row.id,
                &NewEntry {
                    at: now,
                    account: None,
                    role: Role::Resident,
                    who: "",
                    what: "followup",
                    from: None,
                    to: None,
                    note: &note,
                },
            )?;
            if !answer.solved && row.state == State::Closed {
                let action = Action::Reopen { note };
                self.take(tx, &row, Doer::RESIDENT, &action, &[], now)?;
            }
            Ok(())
        })?;
        self.notices.notify_one();
        Ok(())
    }
}
