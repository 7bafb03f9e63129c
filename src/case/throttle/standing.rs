//! A violation that stands, as one camera or several see it.

use serde::{Deserialize, Serialize};

use super::note::{Recurrence, Seen};
use super::own_labels;
use super::place::{Key, Place, Subject};
use super::tally::Reason;
use crate::case::{Case, CaseId};
use crate::clock::CaptureTime;
use crate::detect::Vocabulary;
use crate::place::Position;

/// A count has grown when it is so many times what was told …
const GROWN_TIMES: f64 = 1.5;
/// … and at least so many more.
const GROWN_BY: usize = 3;
/// Dwell at which a case that stands is worth a word, in seconds: four hours, a day, then every week. A case
/// that is seen to within a day thus makes three messages.
const MILESTONES_S: [f64; 2] = [4.0 * 3600.0, 24.0 * 3600.0];
/// Dwell from which on, and after which again, it is worth a word.
const WEEK_S: f64 = 7.0 * 86_400.0;
/// Most other cameras that are listed.
const MOST_SEEN: usize = 8;

/// A violation that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// The id it is told under: that of the first camera's case.
    pub(super) case: CaseId,
    /// That camera.
    pub(super) camera: String,
    pub(super) key: Key,
    pub(super) state: State,
    /// The cases of those who see it still.
    pub(super) members: Vec<Member>,
    pub(super) also_seen_by: Vec<Seen>,
    pub(super) recurrence: Recurrence,
    /// The case when its own camera saw it clear, while another still sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_word: Option<LastWord>,
}

/// Whether it was told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Not yet.
    Held {
        /// Why it was held back at first.
        reason: Reason,
        /// The batch it is counted in.
        batch: u64,
    },
    /// It was; this is what the last message said.
    Told { at: CaptureTime, count: usize, milestone: u32, seen_by: usize },
}

/// One camera's view of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) case: CaseId,
    pub(super) place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
}

/// A case that cannot change any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LastWord {
    pub(super) case: Case,
    /// Names of the labels in `case`.
    pub(super) labels: Vec<String>,
}

impl State {
    /// `case` is told at `at`.
    pub(super) fn told(case: &Case, at: CaptureTime, seen_by: usize) -> Self {
        Self::Told { at, count: case.objects.len(), milestone: milestone(case.dwell_s()), seen_by }
    }
}

impl Standing {
    /// `case` of `subject`, not told yet.
    pub(super) fn new(subject: &Subject, case: &Case, state: State, recurrence: Recurrence) -> Self {
        Self {
            case: case.id.clone(),
            camera: subject.place.camera.clone(),
            key: subject.place.key.clone(),
            state,
            members: vec![Member::new(subject, case)],
            also_seen_by: Vec::new(),
            recurrence,
            last_word: None,
        }
    }

    pub(super) fn is_told(&self) -> bool {
        matches!(self.state, State::Told { .. })
    }

    /// The view of `camera` whose case is `case`.
    pub(super) fn member(&self, camera: &str, case: &CaseId) -> Option<&Member> {
        self.members.iter().find(|member| member.case == *case && member.place.camera == camera)
    }

    /// Whether enough time has gone by since the last message for an update.
    pub(super) fn is_due(&self, at: CaptureTime, update_s: f64) -> bool {
        matches!(self.state, State::Told { at: told, .. } if at.seconds_since(told) >= update_s)
    }

    /// Whether the case differs from what was told so much that it is worth a message.
    pub(super) fn has_news(&self, subject: &Subject, case: &Case) -> bool {
        let State::Told { count, milestone: told, seen_by, .. } = self.state else { return false };
        has_grown(count, subject.count)
            || milestone(case.dwell_s()) > told
            || self.also_seen_by.len() > seen_by
    }

    /// `case` is told at `at`, as it now is.
    pub(super) fn tell(&mut self, case: &Case, at: CaptureTime) {
        self.state = State::told(case, at, self.also_seen_by.len());
    }

    /// Takes in another camera's view.
    pub(super) fn attach(&mut self, subject: &Subject, case: &Case) {
        self.members.push(Member::new(subject, case));
        let camera = &subject.place.camera;
        let listed = *camera == self.camera || self.also_seen_by.iter().any(|seen| seen.camera == *camera);
        if !listed && self.also_seen_by.len() < MOST_SEEN {
            self.also_seen_by.push(Seen { camera: camera.clone(), case: case.id.clone() });
        }
    }

    /// Goes on under the id of the camera that still sees it. Only before anything was told.
    pub(super) fn promote(&mut self) {
        if let Some(first) = self.members.first() {
            self.case = first.case.clone();
            self.camera = first.place.camera.clone();
            self.also_seen_by.retain(|seen| seen.camera != self.camera);
        }
    }

    /// Keeps `case`, whose own camera has seen it clear, for the message when the others have too.
    pub(super) fn keep_last_word(&mut self, case: &Case, names: &Vocabulary) {
        let mut case = case.clone();
        let labels = own_labels(&mut case, names);
        self.last_word = Some(LastWord { case, labels });
    }

    /// Metres on the ground to `subject`, if that can be another camera's view of this. A camera that sees two
    /// things apart is right about that.
    pub(super) fn distance_m(&self, subject: &Subject) -> Option<f64> {
        let here = subject.position?;
        let own = self.members.iter().any(|member| member.place.camera == subject.place.camera);
        if own || self.key != subject.place.key {
            return None;
        }
        let positions = self.members.iter().filter_map(|member| member.position);
        positions.map(|there| there.distance_m(&here)).min_by(f64::total_cmp)
    }
}

impl Member {
    fn new(subject: &Subject, case: &Case) -> Self {
        Self { case: case.id.clone(), place: subject.place.clone(), position: subject.position }
    }
}

/// Whether `now` objects are so many more than `told` that it is worth a message.
pub(super) fn has_grown(told: usize, now: usize) -> bool {
    now >= told.saturating_add(GROWN_BY) && now as f64 >= GROWN_TIMES * told as f64
}

/// How many milestones lie within `dwell_s`.
fn milestone(dwell_s: f64) -> u32 {
    let passed = MILESTONES_S.iter().filter(|at| dwell_s >= **at).count() as u32;
    passed + (dwell_s.max(0.0) / WEEK_S) as u32
}
