//! What people do with a case: the table of [`super::life`] says whether, this says what follows from it.

use super::denied::{Answer, Denied};
use super::keys::new_token;
use super::life::{self, Action, Actor, Millis, RejectReason, Role, State, Step};
use super::model::{CaseDetail, Order, Origin};
use super::notify::{Audience, Notice};
use super::photo;
use super::service::Desk;
use super::store::{self, Change, NewEntry, NewPicture, NewVerdict, Row, Trouble, Tx};
use super::viewer::Viewer;

/// Longest note, in characters.
const MAX_NOTE: usize = 1000;
/// Longest reason that a box takes, in characters.
const MAX_REASON: usize = 200;
/// Most photos of one step.
const MAX_PHOTOS: usize = 6;
/// After the end of the time in which an answer can be taken back, so that taking it back in the last moment is in time.
const GRACE_MS: Millis = 500;

/// Who does something, for the timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doer<'a> {
    pub(super) actor: Actor,
    pub(super) who: &'a str,
}

impl Doer<'_> {
    /// The desk itself.
    pub(super) const DESK: Doer<'static> =
        Doer { actor: Actor { role: Role::System, account: None }, who: "" };
    /// The resident who reported it.
    pub(super) const RESIDENT: Doer<'static> =
        Doer { actor: Actor { role: Role::Resident, account: None }, who: "" };
}

/// A photo that lies in the album.
pub(super) struct Kept {
    sha256: String,
    width: u32,
    height: u32,
}

type Step1<T> = std::result::Result<T, Trouble<Denied>>;

impl Desk {
    /// Does with the case `id` what `order` says. `photos` are uploads, for a disposal, a verification or a note.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for a case that there is not, or not for this viewer; [`Denied::Refused`] when it may not
    /// be done; [`Denied::Changed`] when somebody else was faster; [`Denied::Invalid`] for words or photos that are
    /// not right.
    pub fn act(&self, viewer: &Viewer, id: i64, order: Order, photos: Vec<Vec<u8>>) -> Answer<CaseDetail> {
        // Asked before anything is decoded, and again within the transaction.
        if self.store.read(|db| store::cases::seen_by(db, viewer, id))?.is_none() {
            return Err(Denied::NotFound);
        }
        let step = order.action.step();
        sound_note(order.action.note(), step.needs_note())?;
        if !photos.is_empty() && !step.takes_photos() {
            return Err(Denied::invalid("photo", "此操作不需要照片", "No photo belongs to this"));
        }
        let kept = self.keep(&photos)?;
        let doer = Doer { actor: viewer.actor(), who: viewer.name() };
        let now = self.now();
        self.store.write(|tx| {
            let row = store::cases::seen_by(tx, viewer, id)?.ok_or(Trouble::Other(Denied::NotFound))?;
            if order.version.is_some_and(|version| version != row.version) {
                return Err(Trouble::Other(Denied::Changed));
            }
            if order.action.lacks_photo(kept.len(), row.camera_cleared) {
                // What may not be done at all is said first.
                let standing = store::cases::standing(tx, &row)?;
                life::next(&standing, step, doer.actor, now, self.plan.times.undo_ms)?;
                return Err(Trouble::Other(Denied::invalid(
                    "no_photo",
                    "请拍摄处置后的照片；没有照片的，请选择原因",
                    "Take a photo of how it is now, or choose why there is none",
                )));
            }
            if let Action::Merge { into } = &order.action {
                let target = store::cases::seen_by(tx, viewer, *into)?.filter(|target| target.id != id);
                let is_sound = target.is_some_and(|target| target.state.is_open() && target.grid == row.grid);
                if !is_sound {
                    return Err(Trouble::Other(Denied::invalid(
                        "into",
                        "只能合并到同一网格的未结案件",
                        "Only an open case of the same grid can be merged into",
                    )));
                }
            }
            self.take(tx, &row, doer, &order.action, &kept, now)
        })?;
        self.verdicts.notify_one();
        self.notices.notify_one();
        self.case(viewer, id)
    }

    /// Makes of uploads photos in the album.
    pub(super) fn keep(&self, uploads: &[Vec<u8>]) -> Answer<Vec<Kept>> {
        if uploads.len() > MAX_PHOTOS {
            return Err(Denied::invalid(
                "photo",
                format!("最多 {MAX_PHOTOS} 张照片"),
                format!("At most {MAX_PHOTOS} photos"),
            ));
        }
        let mut kept = Vec::new();
        for upload in uploads {
            let _one = super::service::lock(&self.decoding);
            let photo = photo::take(upload, self.plan.reports.photo_bytes)?;
            kept.push(Kept {
                sha256: self.album.keep(&photo.jpeg)?,
                width: photo.width,
                height: photo.height,
            });
        }
        Ok(kept)
    }

    /// Takes a step within a transaction, with all that follows from it.
    pub(super) fn take(
        &self,
        tx: &mut Tx<'_>,
        row: &Row,
        doer: Doer<'_>,
        action: &Action,
        photos: &[Kept],
        now: Millis,
    ) -> Step1<()> {
        let step = action.step();
        let standing = store::cases::standing(tx, row)?;
        let to = life::next(&standing, step, doer.actor, now, self.plan.times.undo_ms)?;
        let mut change = Change { state: (to != row.state).then_some(to), ..Change::default() };
        let is_person = doer.actor.account.is_some();
        if is_person && row.responded_at.is_none() && step != Step::Note {
            change.responded_at = Some(Some(now));
        }
        let mut note = action.note().trim().to_owned();
        match action {
            Action::Accept => {
                change.accepted_at = Some(Some(now));
                self.judge(tx, row, doer, "confirmed", "", now, &mut change)?;
            }
            Action::Reject { reason, .. } => {
                change.ended_at = Some(Some(now));
                let verdict = match reason {
                    RejectReason::NotThere | RejectReason::NotAViolation | RejectReason::Permitted => {
                        "rejected"
                    }
                    RejectReason::PictureUnclear => "unclear",
                    RejectReason::Duplicate => "duplicate",
                };
                let (zh, en) = reason.names();
                note = format!("{zh} {en}{}{note}", if note.is_empty() { "" } else { " · " });
                self.judge(tx, row, doer, verdict, reason.as_str(), now, &mut change)?;
            }
            Action::Merge { into } => {
                change.ended_at = Some(Some(now));
                change.merged_into = Some(Some(*into));
                note = self.note_merge(tx, row, doer, *into, now)?;
                self.judge(tx, row, doer, "duplicate", "merged", now, &mut change)?;
            }
            Action::Dispose { no_photo, .. } => {
                if let Some(reason) = no_photo.filter(|_| photos.is_empty()) {
                    let (zh, en) = reason.names();
                    note = format!(
                        "{note}{}未拍照：{zh} No photo: {en}",
                        if note.is_empty() { "" } else { " · " }
                    );
                }
                change.disposed = Some(Some((now, doer.actor.account)));
                change.still_seen = Some(false);
            }
            Action::Refuse { .. } => {
                change.disposed = Some(None);
                change.still_seen = Some(false);
            }
            Action::Close { .. } => {
                change.ended_at = Some(Some(now));
                self.ask(tx, row, now)?;
            }
            Action::Escalate { .. } => {
                self.tell(
                    tx,
                    &Notice::case(Audience::Centre, row, "案件上报城运中心", "A case was escalated"),
                    now,
                )?;
            }
            Action::Assign { department, .. } => {
                let Some(found) = self.plan.department(department) else {
                    return Err(Trouble::Other(Denied::invalid(
                        "department",
                        "没有这个部门",
                        "No such department",
                    )));
                };
                change.department = Some(Some(found.id.clone()));
                note = format!("{}{}{note}", found.name, if note.is_empty() { "" } else { " · " });
                let to = Audience::Department(found.id.clone());
                self.tell(tx, &Notice::case(to, row, "新派遣案件", "A case was assigned to you"), now)?;
            }
            Action::Return { .. } => {
                self.tell(
                    tx,
                    &Notice::case(Audience::Centre, row, "部门退回案件", "A case was returned"),
                    now,
                )?;
            }
            Action::SendBack { .. } => {
                let to = Audience::Grid(row.grid.clone());
                self.tell(tx, &Notice::case(to, row, "案件退回网格", "A case came back to the grid"), now)?;
            }
            Action::Reopen { .. } => {
                let was_none = matches!(row.state, State::Rejected | State::Merged);
                change.is_reopened = true;
                change.ended_at = Some(None);
                change.disposed = Some(None);
                change.merged_into = Some(None);
                change.still_seen = Some(false);
                change.due_at = Some(now + self.plan.class(&row.class).dispose_ms);
                change.reminded = Some(0);
                if was_none {
                    change.accepted_at = Some(Some(now));
                    self.judge(tx, row, doer, "confirmed", "reopened", now, &mut change)?;
                }
                let to = Audience::Grid(row.grid.clone());
                self.tell(tx, &Notice::case(to, row, "案件重新打开", "A case was reopened"), now)?;
            }
            Action::Undo => {
                change.ended_at = Some(None);
                change.merged_into = Some(None);
                if row.responded_at.is_some() && row.responded_at == standing.last.map(|last| last.at) {
                    change.responded_at = Some(None);
                }
                change.accepted_at = Some((to != State::Candidate).then_some(now));
                self.unjudge(tx, row, doer, to, now, &mut change)?;
            }
            Action::Start | Action::Verify { .. } | Action::Note { .. } => {}
        }
        tx.change(row.id, &change, step.as_str())?;
        for photo in photos {
            let role = match step {
                Step::Dispose => "disposal",
                Step::Verify | Step::Refuse => "verification",
                _ => "report",
            };
            self.add_photo(tx, row.id, photo, role, now)?;
        }
        let moved = to != row.state;
        tx.note(
            row.id,
            &NewEntry {
                at: now,
                account: doer.actor.account,
                role: doer.actor.role,
                who: doer.who,
                what: step.as_str(),
                from: moved.then_some(row.state),
                to: moved.then_some(to),
                note: &note,
            },
        )?;
        Ok(())
    }

    /// Adds a photo of a person to a case.
    pub(super) fn add_photo(
        &self,
        tx: &mut Tx<'_>,
        case: i64,
        photo: &Kept,
        role: &str,
        now: Millis,
    ) -> rusqlite::Result<i64> {
        let (id, _) = tx.add_picture(
            case,
            &NewPicture {
                role,
                sha256: &photo.sha256,
                media: "image/jpeg",
                topic: None,
                url: None,
                not_before: None,
                marks: None,
                width: photo.width,
                height: photo.height,
                is_here: true,
                at: now,
            },
        )?;
        Ok(id)
    }

    /// Says in the timeline of the case `into` that `row` is merged into it, and returns the words for that of `row`.
    fn note_merge(
        &self,
        tx: &mut Tx<'_>,
        row: &Row,
        doer: Doer<'_>,
        into: i64,
        now: Millis,
    ) -> rusqlite::Result<String> {
        let target = store::cases::by_id(tx, into)?.map_or(String::new(), |target| target.number);
        tx.note(
            into,
            &NewEntry {
                at: now,
                account: doer.actor.account,
                role: doer.actor.role,
                who: doer.who,
                what: "merged_in",
                from: None,
                to: None,
                note: &row.number,
            },
        )?;
        tx.stir(into, "merged_in")?;
        Ok(target)
    }

    /// Notes what the reviewer says of a camera's case, and queues it for the box, to leave when it can no longer be
    /// taken back.
    #[expect(clippy::too_many_arguments, reason = "one verdict, said whole")]
    fn judge(
        &self,
        tx: &mut Tx<'_>,
        row: &Row,
        doer: Doer<'_>,
        verdict: &'static str,
        reason: &str,
        now: Millis,
        change: &mut Change,
    ) -> Step1<()> {
        if row.origin != Origin::Camera {
            return Ok(());
        }
        change.verdict = Some(Some(verdict));
        self.queue(tx, row, doer, verdict, reason, now, now + self.plan.times.undo_ms + GRACE_MS)
    }

    #[expect(clippy::too_many_arguments, reason = "one verdict, said whole")]
    fn queue(
        &self,
        tx: &mut Tx<'_>,
        row: &Row,
        doer: Doer<'_>,
        verdict: &str,
        reason: &str,
        now: Millis,
        not_before: Millis,
    ) -> Step1<()> {
        let (Some(source), Some(case_id)) = (&row.source, &row.case_id) else { return Ok(()) };
        let id = format!("desk-{}", new_token().map_err(|e| Trouble::Other(e.into()))?);
        tx.queue_verdict(&NewVerdict {
            id: &id,
            case: row.id,
            source,
            case_id,
            verdict,
            reason: &reason.chars().take(MAX_REASON).collect::<String>(),
            role: doer.actor.role.as_str(),
            at: now,
            not_before,
        })?;
        Ok(())
    }

    /// Takes a verdict back: one that has not left is withdrawn, one that has is corrected. `to` is the state that the
    /// case is in again.
    fn unjudge(
        &self,
        tx: &mut Tx<'_>,
        row: &Row,
        doer: Doer<'_>,
        to: State,
        now: Millis,
        change: &mut Change,
    ) -> Step1<()> {
        if row.origin != Origin::Camera {
            return Ok(());
        }
        // A case that was merged after it was confirmed is confirmed again.
        let before = (to != State::Candidate).then_some("confirmed");
        change.verdict = Some(before);
        tx.withdraw_verdict(row.id)?;
        let sent = tx.sent_verdict(row.id)?;
        let right = before.unwrap_or("unclear");
        if sent.as_deref().is_some_and(|sent| sent != right) {
            self.queue(tx, row, doer, right, "taken back", now, now)?;
        }
        Ok(())
    }

    /// Asks the reporter of a case that is closed whether it was solved, if somebody reported it.
    fn ask(&self, tx: &mut Tx<'_>, row: &Row, now: Millis) -> rusqlite::Result<()> {
        if !matches!(row.origin, Origin::Resident | Origin::Telephone) {
            return Ok(());
        }
        let round = tx.ask(row.id, now, now + self.plan.times.followup_ms)?;
        if let Some(contact) = &row.contact {
            let notice = Notice {
                link: self.followup_link(row.id, round),
                ..Notice::case(
                    Audience::Contact(contact.clone()),
                    row,
                    "您反映的问题已办结，请评价是否解决、是否满意",
                    "What you reported is closed: was it solved, and are you satisfied?",
                )
            };
            self.tell(tx, &notice, now)?;
        }
        Ok(())
    }
}

/// Whether words are short enough and there where they are needed.
pub(super) fn sound_note(note: &str, is_needed: bool) -> Answer<()> {
    if is_needed && note.trim().is_empty() {
        return Err(Denied::invalid("note", "请填写说明", "Say why"));
    }
    sound_text("note", note, MAX_NOTE)
}

/// Whether `text` is at most `most` characters of text.
pub(super) fn sound_text(field: &'static str, text: &str, most: usize) -> Answer<()> {
    let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().count() > most || text.chars().any(is_bad) {
        return Err(Denied::invalid(
            field,
            format!("最多 {most} 个字"),
            format!("At most {most} characters"),
        ));
    }
    Ok(())
}
