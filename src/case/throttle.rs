//! What is told and what is held back, for the whole box. Every change of a case, from any camera, comes
//! through here before it becomes a message.
//!
//! A [`Throttle`] is a function of its state, its input and time: it reads no clock and does no I/O. Its state
//! is stored in one transaction with the messages it let through, so neither is ever ahead of the other.
//!
//! # Invariants
//! - **I6** A case makes at most an opened, a cleared and one updated message in each update interval
//!   (`i6_a_case_makes_an_opened_a_cleared_and_one_update_in_each_interval`).
//! - **I7** The same input gives the same messages (`i7_two_halves_with_the_state_between_give_the_same_as_one_whole`).
//! - **T1** Nothing is lost: a case that is held back is counted, carried by the next message that fits, and
//!   told in full, with its true first sighting and opening time, if it outlasts what held it back
//!   (`t1_every_case_is_told_carried_or_still_waiting`).
//! - **T2** Limits are for each pair of grid and kind, and for each camera
//!   (`t2_a_limit_of_one_grid_and_kind_holds_back_no_other`).
//! - **T3** A rejected verdict quiets its place and kind for a bounded time, visibly and reversibly; a confirmed
//!   one never does (`t3_…`). A place that was confirmed three times, and more often than rejected, is not quieted by one
//!   mistake. What verdicts teach beyond that is held back as `Doubtful`, within bounds of its own (`lessons`).
//!
//! Cool-down is about kinds that flicker: a crowd of ten that is nine for a minute. A rule of one standing
//! object has none by default, since a new object must serve the whole dwell again before there is a case, and
//! then it is a new violation that somebody has to see to now.

use serde::{Deserialize, Serialize};

use crate::case::{Case, CaseId, Change, Happening};
use crate::clock::CaptureTime;
use crate::detect::{Label, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::plan::CameraPlan;

mod hush;
mod lessons;
mod note;
mod past;
mod place;
mod quiet;
mod rate;
mod standing;
mod status;
mod tally;
mod verdict;

pub use hush::HushedRule;
pub use lessons::{DoubtfulPlace, KindLessons, LessonsStatus, PlaceLessons};
pub use note::{Dispatch, Note, Recurrence, Seen};
pub use rate::Limits;
pub use status::{QuietStatus, ThrottleStatus};
pub use tally::{Reason, Tally};
pub use verdict::{Remark, Review, Verdict, VerdictCounts, VerdictOutcome};

use hush::Hushed;
use lessons::{Goal, Lessons};
use past::{Past, Told};
use place::Subject;
use quiet::Quiets;
use rate::Rates;
use standing::{Member, Standing, State as CaseState};
use tally::Tallies;

/// Version of the saved state; a state of another version is not taken.
const STATE_VERSION: u32 = 1;

/// The whole box's throttle.
#[derive(Clone, Debug)]
pub struct Throttle {
    limits: Limits,
    state: State,
}

/// What is kept from one run to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    version: u32,
    /// The latest time of any look, over all cameras: it never runs backwards.
    now: CaptureTime,
    /// Cases that stand, in the order in which they opened.
    standing: Vec<Standing>,
    past: Past,
    rates: Rates,
    quiets: Quiets,
    #[serde(default)]
    hushed: Hushed,
    #[serde(default)]
    lessons: Lessons,
    tallies: Tallies,
    verdicts: VerdictCounts,
}

/// A case that is to be shown once more, with pictures, on its camera's next look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The case.
    pub case: CaseId,
    /// [`Change::Opened`] when it was held back so far, otherwise [`Change::Updated`].
    pub change: Change,
}

impl Throttle {
    /// A throttle that has seen nothing yet.
    pub fn new(limits: Limits) -> Self {
        let state = State { version: STATE_VERSION, ..State::default() };
        Self { limits, state }
    }

    /// Goes on where a saved state stopped, under the limits that hold now.
    ///
    /// # Errors
    /// When `saved` is not a state of this version.
    pub fn restore(limits: Limits, saved: &[u8]) -> Result<Self> {
        let bad = |e: &dyn std::fmt::Display| {
            Error::new(Kind::Disk, format!("the saved state of the throttle cannot be read: {e}"))
                .help("move the database away to start afresh; open cases are then reported once more")
        };
        let state: State = serde_json::from_slice(saved).map_err(|e| bad(&e))?;
        if state.version != STATE_VERSION {
            return Err(bad(&format!("it is of version {}, expected {STATE_VERSION}", state.version)));
        }
        Ok(Self { limits, state })
    }

    /// The state as JSON, to be given to [`Throttle::restore`] later.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault of this program.
    pub fn save(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.state)
            .map_err(|e| Error::new(Kind::System, "cannot write down the state of the throttle").caused_by(e))
    }

    /// Brings the state of `camera` in line with `open`, the cases that its core has open after a restart. A
    /// case that the core no longer knows, because its rule is gone, stands no more; one that is new here was
    /// told by a version of this program that had no throttle.
    pub fn reconcile<'a>(&mut self, camera: &CameraPlan, open: impl Iterator<Item = &'a Case>) {
        let open: Vec<&Case> = open.collect();
        self.drop_members(|member| {
            member.place.camera != camera.id || open.iter().any(|case| case.id == member.case)
        });
        for case in open {
            let known = self.state.standing.iter().any(|s| s.member(&camera.id, &case.id).is_some());
            if let (false, Some(subject)) = (known, Subject::of(camera, case)) {
                self.state.past.add(&subject, case, Told::Published);
                let told = CaseState::told(case, case.opened, 0);
                self.state.standing.push(Standing::new(&subject, case, told, Recurrence::default()));
            }
        }
    }

    /// Drops what stands on cameras that are not among `cameras`.
    pub fn keep_cameras(&mut self, cameras: &[CameraPlan]) {
        self.drop_members(|member| cameras.iter().any(|camera| camera.id == member.place.camera));
    }

    fn drop_members(&mut self, keep: impl Fn(&Member) -> bool) {
        let now = self.state.now;
        let Self { state, .. } = self;
        state.standing.retain_mut(|standing| {
            for member in standing.members.iter().filter(|member| !keep(member)) {
                state.past.clear(&member.case, now);
            }
            standing.members.retain(&keep);
            hand_on(standing, &mut state.tallies, &mut state.past);
            !standing.members.is_empty()
        });
    }

    /// Which cases of `camera` are to be shown on its next look, given what its core has open after the look at
    /// `at`.
    pub fn wanted<'a>(
        &self,
        camera: &CameraPlan,
        at: CaptureTime,
        open: impl Iterator<Item = &'a Case>,
    ) -> Vec<Wanted> {
        let due = |standing: &Standing| {
            standing.camera == camera.id && (!standing.is_told() || standing.is_due(at, self.limits.update_s))
        };
        if !self.state.standing.iter().any(due) {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        for case in open {
            let Some(standing) = self.state.standing.iter().find(|s| due(s) && s.case == case.id) else {
                continue;
            };
            let Some(subject) = Subject::of(camera, case) else { continue };
            let change = match &standing.state {
                CaseState::Held { .. } if self.blocked(&subject, at).is_none() => Change::Opened,
                CaseState::Told { .. } if self.has_news(standing, &subject, case, at) => Change::Updated,
                _ => continue,
            };
            wanted.push(Wanted { case: case.id.clone(), change });
        }
        wanted
    }

    /// Takes what happened on one look of `camera`, whose labels are those of `names`, and says what is told.
    pub fn look(
        &mut self,
        camera: &CameraPlan,
        at: CaptureTime,
        happenings: &[Happening],
        names: &Vocabulary,
    ) -> Vec<Dispatch> {
        self.state.now = self.state.now.max(at);
        let mut out = Vec::new();
        for (of, happening) in happenings.iter().enumerate() {
            // A camera's core names only rules of its camera.
            let Some(subject) = Subject::of(camera, &happening.case) else { continue };
            let input = Input { of, happening, subject: &subject, names };
            match happening.change {
                Change::Opened | Change::Updated => self.stands(&input, &mut out),
                Change::Cleared => self.cleared(&input, &mut out),
            }
        }
        out
    }

    fn stands(&mut self, input: &Input<'_>, out: &mut Vec<Dispatch>) {
        let Input { happening, subject, .. } = *input;
        let case = &happening.case;
        let Some(index) = self.position(subject, case) else {
            if happening.change == Change::Opened {
                self.opened(input, out);
            }
            return;
        };
        let standing = &self.state.standing[index];
        // What only another camera's case carries has nothing to say of its own.
        if standing.case != case.id {
            return;
        }
        match standing.state {
            CaseState::Held { .. } if self.blocked(subject, self.state.now).is_none() => {
                self.publish(index, input, out);
            }
            CaseState::Told { .. } if self.has_news(standing, subject, case, happening.at) => {
                self.state.standing[index].tell(case, happening.at);
                let note = self.note(index, None);
                out.push(input.dispatch(Change::Updated, note));
            }
            _ => {}
        }
    }

    /// A case that was not known before.
    fn opened(&mut self, input: &Input<'_>, out: &mut Vec<Dispatch>) {
        let Input { happening, subject, .. } = *input;
        let case = &happening.case;
        if let Some(standing) = self.same_violation(subject) {
            standing.attach(subject, case);
            self.state.past.add(subject, case, Told::Merged);
            return;
        }
        let recurrence = self.state.past.recurrence(subject, case.opened);
        let blocked = self.blocked(subject, self.state.now);
        let state = &mut self.state;
        state.past.add(subject, case, Told::HeldBack);
        if !matches!(blocked, Some(Reason::Quiet | Reason::CoolDown)) {
            // What is doubted is judged as such; what only waits its turn is not.
            state.lessons.opened(subject, &case.id, state.now, blocked != Some(Reason::Doubtful));
        }
        let told = match blocked {
            None => CaseState::told(case, happening.at, 0),
            Some(reason) => {
                if reason == Reason::Quiet {
                    state.quiets.count(subject, state.now);
                }
                let batch = state.tallies.add(subject, &case.id, reason, state.now);
                CaseState::Held { reason, batch }
            }
        };
        state.standing.push(Standing::new(subject, case, told, recurrence));
        if blocked.is_none() {
            self.publish(self.state.standing.len() - 1, input, out);
        }
    }

    /// Tells the held or new case at `index`.
    fn publish(&mut self, index: usize, input: &Input<'_>, out: &mut Vec<Dispatch>) {
        let Input { happening: Happening { case, at, .. }, subject, .. } = *input;
        let state = &mut self.state;
        let standing = &mut state.standing[index];
        if let CaseState::Held { reason, batch } = standing.state {
            state.tallies.withdraw(&standing.case, reason, batch);
            state.lessons.told(subject, state.now);
        }
        standing.tell(case, *at);
        state.rates.count(subject, state.now);
        state.past.publish(&case.id, subject.count);
        let waited_s = at.seconds_since(case.opened);
        let note = self.note(index, (waited_s > 0.0).then_some(waited_s));
        out.push(input.dispatch(Change::Opened, note));
    }

    fn cleared(&mut self, input: &Input<'_>, out: &mut Vec<Dispatch>) {
        let Input { happening: Happening { case, at, .. }, subject, names, .. } = *input;
        let Some(index) = self.position(subject, case) else {
            // Not known here, so nothing says that its opening was held back.
            out.push(input.dispatch(Change::Cleared, Note::default()));
            return;
        };
        self.state.past.clear(&case.id, *at);
        let standing = &mut self.state.standing[index];
        standing.members.retain(|member| member.case != case.id);
        if !standing.members.is_empty() {
            // Another camera still sees it.
            if standing.case == case.id && standing.is_told() {
                standing.keep_last_word(case, names);
            }
            hand_on(standing, &mut self.state.tallies, &mut self.state.past);
            return;
        }
        if standing.is_told() {
            let last_word = standing.last_word.take();
            let own = standing.case == case.id;
            let camera = standing.camera.clone();
            let note = self.note(index, None);
            let mut dispatch = input.dispatch(Change::Cleared, note);
            match last_word {
                _ if own => out.push(dispatch),
                Some(word) => {
                    dispatch.camera = camera;
                    dispatch.happening.case = word.case;
                    dispatch.labels = Some(word.labels);
                    out.push(dispatch);
                }
                // Its camera was taken out of the plan, and with it all that could be said of the case.
                None => {}
            }
        }
        self.state.standing.remove(index);
    }

    /// Why a case of `subject` may not be told at `now`.
    fn blocked(&self, subject: &Subject, now: CaptureTime) -> Option<Reason> {
        if self.state.quiets.is_quiet(subject, now) || self.state.hushed.is_quiet(subject, now) {
            Some(Reason::Quiet)
        } else if self.state.past.is_cooling(subject, now) {
            Some(Reason::CoolDown)
        } else if self.learns() && self.state.lessons.hold(subject, now) {
            Some(Reason::Doubtful)
        } else {
            self.state.rates.exceeded(subject, now, &self.limits)
        }
    }

    /// Whether verdicts teach it anything.
    fn learns(&self) -> bool {
        self.limits.precision > 0.0
    }

    /// What learning aims at.
    fn goal(&self) -> Goal {
        Goal { precision: self.limits.precision, recall: self.limits.recall }
    }

    /// Whether a case that was told has something new to say.
    fn has_news(&self, standing: &Standing, subject: &Subject, case: &Case, at: CaptureTime) -> bool {
        standing.is_due(at, self.limits.update_s)
            && !self.state.past.is_rejected(&standing.case)
            && (standing.has_news(subject, case) || self.state.tallies.has_any(&subject.place))
    }

    /// What goes with the next message of the case at `index`; what was held back is then carried.
    fn note(&mut self, index: usize, waited_s: Option<f64>) -> Note {
        let State { standing, tallies, now, .. } = &mut self.state;
        let standing = &standing[index];
        Note {
            waited_s,
            held_back: tallies.take(&standing.key, &standing.camera, *now, self.limits.update_s),
            recurrence: standing.recurrence.clone(),
            also_seen_by: standing.also_seen_by.clone(),
        }
    }

    /// The standing case that `case` of `subject` belongs to.
    fn position(&self, subject: &Subject, case: &Case) -> Option<usize> {
        let camera = &subject.place.camera;
        self.state.standing.iter().position(|standing| standing.member(camera, &case.id).is_some())
    }

    /// The standing case, seen by another camera, that is the same violation: of the same grid and kind, and
    /// the nearest within the distance.
    fn same_violation(&mut self, subject: &Subject) -> Option<&mut Standing> {
        let most_m = self.limits.same_violation_m;
        let near =
            |standing: &Standing| standing.distance_m(subject).filter(|m| most_m > 0.0 && *m <= most_m);
        let nearest = self.state.standing.iter_mut().filter_map(|standing| Some((near(standing)?, standing)));
        nearest.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, standing)| standing)
    }
}

/// One happening as it is worked on.
#[derive(Clone, Copy)]
struct Input<'a> {
    of: usize,
    happening: &'a Happening,
    subject: &'a Subject,
    names: &'a Vocabulary,
}

impl Input<'_> {
    fn dispatch(&self, change: Change, note: Note) -> Dispatch {
        Dispatch {
            of: self.of,
            happening: Happening { change, ..self.happening.clone() },
            camera: self.subject.place.camera.clone(),
            labels: None,
            note,
        }
    }
}

/// If `standing` was not told yet and its own camera no longer sees it, another that does goes on with it.
fn hand_on(standing: &mut Standing, tallies: &mut Tallies, past: &mut Past) {
    let own = standing.members.iter().any(|member| member.case == standing.case);
    if let (false, CaseState::Held { batch, .. }, Some(next)) =
        (own, standing.state, standing.members.first())
    {
        tallies.rename(&standing.case, &next.case, batch);
        past.promote(&standing.case, &next.case);
        standing.promote();
    }
}

/// The names of the labels of `case`, whose objects are then numbered by their place in that list.
fn own_labels(case: &mut Case, names: &Vocabulary) -> Vec<String> {
    let mut own = Vocabulary::default();
    for object in &mut case.objects {
        object.label = own.intern(names.name(object.label)).unwrap_or(Label(0));
    }
    own.names().to_vec()
}

#[cfg(test)]
mod tests;
