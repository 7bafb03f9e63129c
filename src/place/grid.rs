//! Grid IDs. A street's platform may use its own numbering, so an ID is opaque unless a profile is asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::GridProfile;

/// The ID of the governance unit that a case belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GridId(String);

/// Why a string is not a grid ID under a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{id}` is not a grid ID under the profile {profile}: expected {expected}")]
pub struct GridFault {
    id: String,
    profile: &'static str,
    expected: &'static str,
}

impl GridId {
    /// `id` checked under `profile`.
    ///
    /// # Errors
    /// [`GridFault`] with what the profile expects. Sources: GB/T 47678.3 (15 digits: county 6, street 3,
    /// community 3, sequence 3) and CJ/T 349-2010 (20 digits: object 6, county 6, street 3, community 3,
    /// sequence 2).
    pub fn parse(id: &str, profile: GridProfile) -> Result<Self, GridFault> {
        let digits = |n: usize| id.len() == n && id.bytes().all(|b| b.is_ascii_digit());
        let (sound, profile, expected) = match profile {
            GridProfile::Opaque => (is_slug(id), "opaque", "1 to 32 characters of 0-9 A-Z a-z . _ -"),
            GridProfile::GbT47678 => (
                digits(15),
                "gb-t-47678.3",
                "15 digits (county 6, street 3, community 3, sequence 3), such as 410102007003012",
            ),
            GridProfile::CjT349 => {
                (digits(20), "cj-t-349", "20 digits (object 6, county 6, street 3, community 3, sequence 2)")
            }
        };
        if sound { Ok(Self(id.to_owned())) } else { Err(GridFault { id: id.to_owned(), profile, expected }) }
    }

    /// Stands for the grid of a case that was saved before cases kept their grid. No profile accepts it.
    pub(crate) fn unknown() -> Self {
        Self(String::new())
    }

    /// Whether this is [`GridId::unknown`].
    pub(crate) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The ID as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GridId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `name` can stand in a topic, a file name and a message: 1 to 32 of `0-9 A-Z a-z . _ -`, and not
/// only dots.
pub(crate) fn is_slug(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !name.bytes().all(|b| b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opaque_id_may_not_reach_other_topics_or_files() {
        for bad in ["", "a/b", "a+b", "#", "..", "网格", "x".repeat(33).as_str()] {
            assert!(GridId::parse(bad, GridProfile::Opaque).is_err(), "{bad:?} was accepted");
        }
        assert!(GridId::parse("41010293-2.A_7", GridProfile::Opaque).is_ok());
    }

    #[test]
    fn strict_profiles_want_their_number_of_digits() {
        assert!(GridId::parse("410102007003012", GridProfile::GbT47678).is_ok());
        assert!(GridId::parse("41010200700301A", GridProfile::GbT47678).is_err());
        assert!(GridId::parse("410102007003012", GridProfile::CjT349).is_err());
        assert!(GridId::parse("01000041010200700301", GridProfile::CjT349).is_ok());
    }
}
