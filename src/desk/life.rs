//! The life of a case: which step may follow which, who may take it, and what it changes. Pure: time, role and case
//! are parameters; nothing here reads a clock, a file or a database.
//!
//! ```text
//!  candidate ─► accepted ─► in_progress ─► disposed ─► verified ─► closed
//!     │  │         │  ▲          │            │ refuse    │           │
//!     ▼  ▼         ▼  │          ▼            ▼           ▼           ▼
//!  rejected     escalated ─► assigned ─► disposed      reopen ─► accepted
//!  merged          ▲ └ send back  └ return ─► returned ─► assigned, or back to the grid
//! ```
//!
//! # Invariants
//! - A step is taken from the states and by the roles of [`TABLE`] only, and everything else is refused
//!   (`only_the_steps_of_the_table_are_taken`).
//! - Who says that a case is done does not verify it alone: another person does, or the camera that saw the place
//!   empty (`who_disposed_does_not_verify_alone`).
//! - An answer of one tap can be taken back by who gave it, for a short time, and leaves the case as it was
//!   (`an_answer_is_taken_back_by_who_gave_it_and_in_time_only`).

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC: the time of the desk.
pub type Millis = i64;

/// Where a case is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was reported and nobody has answered yet.
    Candidate,
    /// A person has confirmed it.
    Accepted,
    /// A grid worker is on it.
    InProgress,
    /// Somebody says that it is done.
    Disposed,
    /// It was checked that it is done.
    Verified,
    /// It is over.
    Closed,
    /// It was none.
    Rejected,
    /// The grid cannot solve it: it is with the street operations centre.
    Escalated,
    /// The operations centre has given it to a department.
    Assigned,
    /// The department has given it back to the operations centre.
    Returned,
    /// It is the same as another case, which goes on in its place.
    Merged,
}

impl State {
    /// All of them, in the order of a case's life.
    pub const ALL: [Self; 11] = [
        Self::Candidate,
        Self::Accepted,
        Self::InProgress,
        Self::Escalated,
        Self::Assigned,
        Self::Returned,
        Self::Disposed,
        Self::Verified,
        Self::Closed,
        Self::Rejected,
        Self::Merged,
    ];

    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Accepted => "accepted",
            Self::InProgress => "in_progress",
            Self::Disposed => "disposed",
            Self::Verified => "verified",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Escalated => "escalated",
            Self::Assigned => "assigned",
            Self::Returned => "returned",
            Self::Merged => "merged",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Candidate => ("待核实", "To review"),
            Self::Accepted => ("已受理", "Accepted"),
            Self::InProgress => ("处置中", "In progress"),
            Self::Disposed => ("已处置", "Done"),
            Self::Verified => ("已核查", "Verified"),
            Self::Closed => ("已结案", "Closed"),
            Self::Rejected => ("不立案", "Rejected"),
            Self::Escalated => ("已上报城运中心", "With the operations centre"),
            Self::Assigned => ("已派遣部门", "With a department"),
            Self::Returned => ("部门退回", "Returned by the department"),
            Self::Merged => ("已合并", "Merged"),
        }
    }

    /// The state that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether somebody still has to do something.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Rejected | Self::Merged)
    }

    /// Whether the matter itself still stands, so that its time runs.
    pub fn is_pending(self) -> bool {
        self.is_open() && !matches!(self, Self::Disposed | Self::Verified)
    }
}

/// What a person is to the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A grid worker (网格员): sees and acts on their grids only.
    Worker,
    /// Takes calls and watches the whole street (坐席).
    Operator,
    /// The street operations centre (城运中心).
    Centre,
    /// A department: sees the cases that were given to it.
    Department,
    /// Looks after the desk and may do all of it.
    Admin,
    /// The resident who reported the case, through a link of their own.
    Resident,
    /// The desk itself: a camera's message, a timer.
    System,
}

impl Role {
    /// Those that an account can have.
    pub const OF_ACCOUNTS: [Self; 5] =
        [Self::Worker, Self::Operator, Self::Centre, Self::Department, Self::Admin];

    /// As the store, JSON and the command line spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Centre => "centre",
            Self::Department => "department",
            Self::Admin => "admin",
            Self::Resident => "resident",
            Self::System => "system",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Worker => ("网格员", "Grid worker"),
            Self::Operator => ("坐席", "Operator"),
            Self::Centre => ("城运中心", "Operations centre"),
            Self::Department => ("职能部门", "Department"),
            Self::Admin => ("管理员", "Administrator"),
            Self::Resident => ("居民", "Resident"),
            Self::System => ("系统", "System"),
        }
    }

    /// The role that `text` spells.
    pub fn parse(text: &str) -> Option<Self> {
        Self::OF_ACCOUNTS.into_iter().chain([Self::Resident, Self::System]).find(|role| role.as_str() == text)
    }
}

/// Why a candidate is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// There was nothing.
    NotThere,
    /// There was something, and it is allowed there.
    NotAViolation,
    /// Somebody has a permit for it.
    Permitted,
    /// The picture does not show it.
    PictureUnclear,
    /// It is known already.
    Duplicate,
}

impl RejectReason {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] =
        [Self::NotThere, Self::NotAViolation, Self::Permitted, Self::PictureUnclear, Self::Duplicate];

    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotThere => "not_there",
            Self::NotAViolation => "not_a_violation",
            Self::Permitted => "permitted",
            Self::PictureUnclear => "picture_unclear",
            Self::Duplicate => "duplicate",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::NotThere => ("现场没有", "Not there"),
            Self::NotAViolation => ("不违规", "Not a violation"),
            Self::Permitted => ("已获许可", "Permitted"),
            Self::PictureUnclear => ("图片不清", "Picture unclear"),
            Self::Duplicate => ("重复案件", "Duplicate"),
        }
    }
}

/// What somebody wants to do with a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// It is one.
    Accept,
    /// It is none.
    Reject {
        /// Why.
        reason: RejectReason,
        /// More of it; may be empty.
        #[serde(default)]
        note: String,
    },
    /// It is the same as another case.
    Merge {
        /// The desk's id of the case that goes on.
        into: i64,
    },
    /// On my way.
    Start,
    /// It is done.
    Dispose {
        /// What was done.
        #[serde(default)]
        note: String,
    },
    /// It was checked that it is done.
    Verify {
        /// How; may be empty.
        #[serde(default)]
        note: String,
    },
    /// It is not done: back to the grid.
    Refuse {
        /// What is missing.
        note: String,
    },
    /// It is over.
    Close {
        /// May be empty.
        #[serde(default)]
        note: String,
    },
    /// The grid cannot solve it.
    Escalate {
        /// Why.
        note: String,
    },
    /// A department is to solve it.
    Assign {
        /// The department's id.
        department: String,
        /// What it is to do; may be empty.
        #[serde(default)]
        note: String,
    },
    /// It is not the department's.
    Return {
        /// Why.
        note: String,
    },
    /// The grid is to solve it after all.
    SendBack {
        /// Why.
        note: String,
    },
    /// It is not over.
    Reopen {
        /// Why.
        note: String,
    },
    /// Takes back the answer that this person has just given.
    Undo,
    /// Says something and changes nothing.
    Note {
        /// What.
        note: String,
    },
}

/// The name of an [`Action`], which is what the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// See [`Action::Accept`].
    Accept,
    /// See [`Action::Reject`].
    Reject,
    /// See [`Action::Merge`].
    Merge,
    /// See [`Action::Start`].
    Start,
    /// See [`Action::Dispose`].
    Dispose,
    /// See [`Action::Verify`].
    Verify,
    /// See [`Action::Refuse`].
    Refuse,
    /// See [`Action::Close`].
    Close,
    /// See [`Action::Escalate`].
    Escalate,
    /// See [`Action::Assign`].
    Assign,
    /// See [`Action::Return`].
    Return,
    /// See [`Action::SendBack`].
    SendBack,
    /// See [`Action::Reopen`].
    Reopen,
    /// See [`Action::Undo`].
    Undo,
    /// See [`Action::Note`].
    Note,
}

impl Step {
    /// As the store and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Merge => "merge",
            Self::Start => "start",
            Self::Dispose => "dispose",
            Self::Verify => "verify",
            Self::Refuse => "refuse",
            Self::Close => "close",
            Self::Escalate => "escalate",
            Self::Assign => "assign",
            Self::Return => "return",
            Self::SendBack => "send_back",
            Self::Reopen => "reopen",
            Self::Undo => "undo",
            Self::Note => "note",
        }
    }

    /// In Chinese and in English, for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Accept => ("确认", "Confirm"),
            Self::Reject => ("不立案", "Reject"),
            Self::Merge => ("合并", "Merge"),
            Self::Start => ("开始处置", "Start"),
            Self::Dispose => ("处置完成", "Done"),
            Self::Verify => ("核查通过", "Verify"),
            Self::Refuse => ("核查不通过", "Not done"),
            Self::Close => ("结案", "Close"),
            Self::Escalate => ("上报城运中心", "Escalate"),
            Self::Assign => ("派遣部门", "Assign"),
            Self::Return => ("退回", "Return"),
            Self::SendBack => ("退回网格", "Send back to the grid"),
            Self::Reopen => ("重新打开", "Reopen"),
            Self::Undo => ("撤销", "Undo"),
            Self::Note => ("备注", "Note"),
        }
    }

    /// Whether it cannot be taken without words.
    pub fn needs_note(self) -> bool {
        matches!(
            self,
            Self::Refuse | Self::Escalate | Self::Return | Self::SendBack | Self::Reopen | Self::Note
        )
    }

    /// Whether it is one tap that [`Action::Undo`] takes back.
    pub fn can_be_undone(self) -> bool {
        matches!(self, Self::Accept | Self::Reject | Self::Merge)
    }
}

impl Action {
    /// Its name.
    pub fn step(&self) -> Step {
        match self {
            Self::Accept => Step::Accept,
            Self::Reject { .. } => Step::Reject,
            Self::Merge { .. } => Step::Merge,
            Self::Start => Step::Start,
            Self::Dispose { .. } => Step::Dispose,
            Self::Verify { .. } => Step::Verify,
            Self::Refuse { .. } => Step::Refuse,
            Self::Close { .. } => Step::Close,
            Self::Escalate { .. } => Step::Escalate,
            Self::Assign { .. } => Step::Assign,
            Self::Return { .. } => Step::Return,
            Self::SendBack { .. } => Step::SendBack,
            Self::Reopen { .. } => Step::Reopen,
            Self::Undo => Step::Undo,
            Self::Note { .. } => Step::Note,
        }
    }

    /// Its words; empty where it has none.
    pub fn note(&self) -> &str {
        match self {
            Self::Reject { note, .. }
            | Self::Dispose { note }
            | Self::Verify { note }
            | Self::Refuse { note }
            | Self::Close { note }
            | Self::Escalate { note }
            | Self::Assign { note, .. }
            | Self::Return { note }
            | Self::SendBack { note }
            | Self::Reopen { note }
            | Self::Note { note } => note,
            Self::Accept | Self::Merge { .. } | Self::Start | Self::Undo => "",
        }
    }
}

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

#[cfg(test)]
mod tests;
