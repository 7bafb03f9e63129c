//! What the desk answers when it does not do what was asked.

use serde::Serialize;

use super::life::Refusal;
use crate::error::Error;

/// What a question or an action comes to.
pub type Answer<T> = std::result::Result<T, Denied>;

/// Why something was not done.
#[derive(Debug)]
pub enum Denied {
    /// There is no such thing, or none that this viewer may see. HTTP 404.
    NotFound,
    /// Nobody is signed in, the session is over, or name and password do not fit. HTTP 401.
    NotSignedIn,
    /// This role may not do that at all. HTTP 403.
    Forbidden,
    /// The case does not allow it now. HTTP 409.
    Refused(Refusal),
    /// Somebody else has changed the case since this viewer looked. HTTP 409.
    Changed,
    /// Something that was sent is not right. HTTP 422, or 413 and 415 for uploads.
    Invalid(Invalid),
    /// Too much is asked at once. HTTP 429.
    TooMany {
        /// Worth trying again after so many seconds.
        retry_after_s: u32,
    },
    /// It went wrong here. HTTP 500; the error is for the log and not for people.
    Fault(Error),
}

/// What is not right with something that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invalid {
    /// The field.
    pub field: &'static str,
    /// What is expected, in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
}

impl Denied {
    /// Something about `field`.
    pub fn invalid(field: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Invalid(Invalid { field, zh: zh.into(), en: en.into() })
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
