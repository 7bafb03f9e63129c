//! What reviewers say of cases.

use serde::{Deserialize, Serialize};

use super::{HushedRule, Throttle};
use crate::case::CaseId;
use crate::clock::CaptureTime;

/// What a reviewer says of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is one.
    Confirmed,
    /// It is none.
    Rejected,
    /// It is one that is already known.
    Duplicate,
    /// The pictures do not show it.
    Unclear,
}

impl Verdict {
    /// As messages spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Unclear => "unclear",
        }
    }
}

/// What a reviewer may add to a verdict. It is kept with the verdict and changes nothing of what that teaches: a case
/// that is rejected as being of another kind was wrong for the kind that it was told as, and one that is confirmed as
/// being of another was worth the walk. All reviewers count alike, whatever their role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The kind that it is, where the box named a wrong one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_kind: Option<String>,
    /// What the reviewer does, e.g. `grid-worker`; never who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer_role: Option<String>,
}

/// The latest verdict on a case, as it is kept for as long as the case is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review<'a> {
    /// The case.
    pub case: &'a CaseId,
    /// Its kind, as the box named it.
    pub kind: &'a str,
    /// The camera that saw it.
    pub camera: &'a str,
    /// The zone in which it saw it.
    pub zone: &'a str,
    /// What the reviewer says.
    pub verdict: Verdict,
    /// What the reviewer added.
    pub remark: &'a Remark,
}

/// How many verdicts there were, each case's latest counted once for each change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictCounts {
    /// Confirmed.
    pub confirmed: u64,
    /// Rejected.
    pub rejected: u64,
    /// Duplicate.
    pub duplicate: u64,
    /// Unclear.
    pub unclear: u64,
}

/// What came of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictOutcome {
    /// It was noted and changes nothing.
    Noted,
    /// The case's place and kind are quiet until then.
    Quiet(CaptureTime),
    /// The case's place and kind were quiet and are no longer.
    Resumed,
    /// The same was said of the case before; a message that comes twice counts once.
    Repeated,
    /// The case is not known, or no more: it is over a week since it cleared.
    Unknown,
}

impl Throttle {
    /// Takes in what a reviewer said of `case`, `at` by the box's own clock. A rejection quiets the case's
    /// place and kind, longer each time, up to the bound; a confirmation ends that and forgets the rejections.
    pub fn verdict(
        &mut self,
        case: &CaseId,
        verdict: Verdict,
        reason: &str,
        at: CaptureTime,
    ) -> VerdictOutcome {
        let Some((place, before)) = self.state.past.find(case) else { return VerdictOutcome::Unknown };
        if before == Some(verdict) {
            return VerdictOutcome::Repeated;
        }
        let place = place.clone();
        self.state.past.judge(case, verdict);
        let counts = &mut self.state.verdicts;
        *match verdict {
            Verdict::Confirmed => &mut counts.confirmed,
            Verdict::Rejected => &mut counts.rejected,
            Verdict::Duplicate => &mut counts.duplicate,
            Verdict::Unclear => &mut counts.unclear,
        } += 1;
        let now = self.state.now.max(at);
        let right = match verdict {
            Verdict::Confirmed | Verdict::Duplicate => Some(true),
            Verdict::Rejected => Some(false),
            Verdict::Unclear => None,
        };
        let goal = self.goal();
        self.state.lessons.verdict(case, right, now, goal);
        // One mistake in a place that is mostly right is no reason to look away from it.
        let trusted = self.learns() && self.state.lessons.trusts(&place);
        let quiets = &mut self.state.quiets;
        match verdict {
            Verdict::Rejected if trusted => VerdictOutcome::Noted,
            Verdict::Rejected => {
                VerdictOutcome::Quiet(quiets.reject(&place, case, reason, now, &self.limits))
            }
            // Who takes a rejection back takes back what it did.
            _ if verdict == Verdict::Confirmed || before == Some(Verdict::Rejected) => {
                if quiets.lift(&place, now) { VerdictOutcome::Resumed } else { VerdictOutcome::Noted }
            }
            _ => VerdictOutcome::Noted,
        }
    }

    /// Keeps `remark` with the verdict on `case`; one that says nothing leaves what was said before.
    pub fn remark(&mut self, case: &CaseId, remark: &Remark) {
        if *remark != Remark::default() {
            self.state.past.remark(case, remark.clone());
        }
    }

    /// The latest verdict on each case that has one, in the order in which the cases opened.
    pub fn reviews(&self) -> impl Iterator<Item = Review<'_>> {
        self.state.past.reviews()
    }

    /// Ends the quiet time of the place and kind of `case`, and forgets its rejections and what they taught. What was held back there
    /// and still stands is told on its camera's next look.
    pub fn resume(&mut self, case: &CaseId) -> VerdictOutcome {
        let Some((place, _)) = self.state.past.find(case) else { return VerdictOutcome::Unknown };
        let place = place.clone();
        let (now, goal) = (self.state.now, self.goal());
        let doubted = self.state.lessons.forget(&place, now, goal);
        if self.state.quiets.lift(&place, now) || doubted {
            VerdictOutcome::Resumed
        } else {
            VerdictOutcome::Noted
        }
    }

    /// Makes `rule` quiet from its `since` to its `until`, for a day at most: its cases are held back as those of a
    /// rejected place are. Returns until when; `None` when too many rules are quiet already.
    pub fn hush(&mut self, rule: HushedRule) -> Option<CaptureTime> {
        self.state.hushed.add(HushedRule { since: self.state.now.max(rule.since), ..rule })
    }

    /// Ends the quiet time of the rule (camera, zone, kind) that [`Throttle::hush`] began.
    pub fn unhush(&mut self, rule: (&str, &str, &str), at: CaptureTime) -> VerdictOutcome {
        if self.state.hushed.lift(rule, self.state.now.max(at)) {
            VerdictOutcome::Resumed
        } else {
            VerdictOutcome::Noted
        }
    }
}
