//! Which step may follow which, and who may take it.

use serde::Serialize;

use super::Millis;
#[cfg(doc)]
use super::action::Action;
use super::role::Role;
use super::state::State;
use super::step::Step;

/// One row of the table: from these states, by these roles, to that state.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The step.
    pub step: Step,
    /// The states in which it may be taken.
    pub from: &'static [State],
    /// The roles that may take it. Which cases a person sees at all is another matter.
    pub by: &'static [Role],
    /// The state after it; `None` leaves it as it is, or as it was before for an undo.
    pub to: Option<State>,
}

use Role::{Admin, Centre, Department, Operator, Resident, System, Worker};
use State::{
    Accepted, Assigned, Candidate, Closed, Disposed, Escalated, InProgress, Merged, Rejected, Returned,
    Verified,
};

const STREET: &[Role] = &[Worker, Operator, Centre, Admin];
const STAFF: &[Role] = &[Worker, Operator, Centre, Department, Admin];
const COORDINATORS: &[Role] = &[Centre, Admin];

/// What may be done, by whom and when. A rejected case that is reopened is accepted: who reopens it says that it is one.
pub const TABLE: &[Rule] = &[
    Rule { step: Step::Accept, from: &[Candidate], by: STREET, to: Some(Accepted) },
    Rule { step: Step::Reject, from: &[Candidate], by: STREET, to: Some(Rejected) },
    Rule { step: Step::Merge, from: &[Candidate, Accepted, InProgress], by: STREET, to: Some(Merged) },
    Rule { step: Step::Start, from: &[Accepted], by: &[Worker, Centre, Admin], to: Some(InProgress) },
    Rule {
        step: Step::Dispose,
        from: &[Accepted, InProgress],
        by: &[Worker, Centre, Admin],
        to: Some(Disposed),
    },
    Rule { step: Step::Dispose, from: &[Assigned], by: &[Department, Centre, Admin], to: Some(Disposed) },
    Rule { step: Step::Verify, from: &[Disposed], by: STREET, to: Some(Verified) },
    Rule { step: Step::Refuse, from: &[Disposed], by: STREET, to: Some(Accepted) },
    Rule {
        step: Step::Close,
        from: &[Verified],
        by: &[Worker, Operator, Centre, Admin, System],
        to: Some(Closed),
    },
    Rule { step: Step::Escalate, from: &[Accepted, InProgress], by: STREET, to: Some(Escalated) },
    Rule { step: Step::Assign, from: &[Escalated, Returned], by: COORDINATORS, to: Some(Assigned) },
    Rule { step: Step::Return, from: &[Assigned], by: &[Department, Centre, Admin], to: Some(Returned) },
    Rule { step: Step::SendBack, from: &[Escalated, Returned], by: COORDINATORS, to: Some(Accepted) },
    Rule {
        step: Step::Reopen,
        from: &[Closed, Verified, Rejected, Merged],
        by: &[Operator, Centre, Admin],
        to: Some(Accepted),
    },
    Rule { step: Step::Reopen, from: &[Closed], by: &[Resident], to: Some(Accepted) },
    Rule { step: Step::Undo, from: &[Accepted, Rejected, Merged], by: STREET, to: None },
    Rule { step: Step::Note, from: &State::ALL, by: STAFF, to: None },
];

/// What of a case decides what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it is.
    pub state: State,
    /// Whether a camera that saw it has since seen the place empty.
    pub camera_cleared: bool,
    /// Who said last that it is done; `None` for nobody, or somebody without an account.
    pub disposed_by: Option<i64>,
    /// The last step that changed its state, if [`Action::Undo`] may take it back.
    pub last: Option<Taken>,
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// The state before it.
    pub from: State,
    /// By which account.
    pub by: Option<i64>,
    /// When.
    pub at: Millis,
}

/// Who wants to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What they are.
    pub role: Role,
    /// Their account; `None` for a resident and for the desk itself.
    pub account: Option<i64>,
}

/// Why a step is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The case is in a state in which nobody can do that.
    NotNow,
    /// Others may do that, this role may not.
    NotYours,
    /// Who said that it is done does not verify it too.
    OwnWork,
    /// It is too late to take it back, or it was somebody else's answer.
    TooLate,
}

impl Refusal {
    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::NotNow => {
                ("案件当前状态不能执行此操作", "The case is in a state in which that cannot be done")
            }
            Self::NotYours => ("您的角色不能执行此操作", "Your role may not do that"),
            Self::OwnWork => ("处置人不能核查自己的处置结果", "Who disposed of it cannot verify it"),
            Self::TooLate => ("已超过可撤销时间", "It is too late to take that back"),
        }
    }
}

/// The state that `step` by `actor` at `now` leads to, if it may be taken. `undo_ms` is how long an answer can be
/// taken back.
///
/// # Errors
/// Why it may not.
pub fn next(
    case: &Standing,
    step: Step,
    actor: Actor,
    now: Millis,
    undo_ms: Millis,
) -> Result<State, Refusal> {
    let fitting = || TABLE.iter().filter(|rule| rule.step == step && rule.from.contains(&case.state));
    if fitting().next().is_none() {
        return Err(Refusal::NotNow);
    }
    let Some(rule) = fitting().find(|rule| rule.by.contains(&actor.role)) else {
        return Err(Refusal::NotYours);
    };
    if step == Step::Verify
        && !case.camera_cleared
        && case.disposed_by.is_some()
        && case.disposed_by == actor.account
    {
        return Err(Refusal::OwnWork);
    }
    if step == Step::Undo {
        let is_own = |last: &Taken| {
            last.step.can_be_undone()
                && last.by.is_some()
                && last.by == actor.account
                && (0..=undo_ms).contains(&(now - last.at))
        };
        return case.last.filter(is_own).map(|last| last.from).ok_or(Refusal::TooLate);
    }
    Ok(rule.to.unwrap_or(case.state))
}

/// The steps that `actor` may take at `now`, in the order of the table.
pub fn offered(case: &Standing, actor: Actor, now: Millis, undo_ms: Millis) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for rule in TABLE {
        if !steps.contains(&rule.step) && next(case, rule.step, actor, now, undo_ms).is_ok() {
            steps.push(rule.step);
        }
    }
    steps
}
