//! A case from opened to cleared, and what the core says when one changes.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::CaptureTime;
use crate::detect::Detection;
use crate::place::{GridBasis, GridId, Position, Site};

/// Number of a rule in its camera's plan: `plan.rules[RuleIndex]` has its zone and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleIndex(pub usize);

/// The id of a case: a UUID in its usual text form, stable from opened to cleared and over restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(String);

impl CaseId {
    /// The id that follows from `parts` and nothing else: the same violation seen by the same rule has the same
    /// id in every replay. A UUID of version 8 (RFC 9562, section 5.8) over their SHA-256.
    pub(crate) fn derive(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists of parts run together to the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        Self(format!("{a}-{b}-{c}-{d}-{e}"))
    }

    /// The id written as `text`: a UUID in lower case. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let dash = |at: usize| [8, 13, 18, 23].contains(&at);
        let is_uuid = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| {
                if dash(at) { byte == b'-' } else { matches!(byte, b'0'..=b'9' | b'a'..=b'f') }
            });
        is_uuid.then(|| Self(text.to_owned()))
    }

    /// The id in its text form: 36 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One real violation as the camera knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// The rule it broke.
    pub rule: RuleIndex,
    /// First look at which the condition held.
    pub first_seen: CaptureTime,
    /// Look at which the case opened.
    pub opened: CaptureTime,
    /// Last look at which the condition held.
    pub last_seen: CaptureTime,
    /// Looks since `first_seen` in which the place could be judged.
    pub looks: u32,
    /// Of these, looks in which the condition held.
    pub hits: u32,
    /// The objects of the latest sighting: one for a dwell rule, all counted ones for a count rule.
    pub objects: Vec<Detection>,
    /// The grid that is responsible. Decided when the case opened; it keeps it to the end.
    #[serde(default = "GridId::unknown")]
    pub grid: GridId,
    /// What decided which grid that is.
    #[serde(default)]
    pub grid_basis: GridBasis,
    /// Where it stood on the ground when it opened; `None` where the camera's ground is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

impl Case {
    /// Gives a case that was saved before cases kept their grid the one that it has by `site`.
    pub(crate) fn settle(&mut self, site: &Site) {
        if self.grid.is_unknown() {
            let spot = site.locate(self.objects.iter().map(|object| object.bbox));
            (self.grid, self.grid_basis, self.position) = (spot.grid, spot.basis, spot.position);
        }
    }

    /// Seconds that the condition has held.
    pub fn dwell_s(&self) -> f64 {
        self.last_seen.seconds_since(self.first_seen)
    }
}

/// What happened to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The dwell is reached: there is a case.
    Opened,
    /// The case stands and something about it is worth telling.
    Updated,
    /// The place was seen empty for long enough.
    Cleared,
}

/// A change of a case, as the core hands it to the shell.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// What happened.
    pub change: Change,
    /// The look on which it was decided.
    pub at: CaptureTime,
    /// The case after the change.
    pub case: Case,
}
