//! Pictures that a store on the network keeps: they are put there over HTTP, and events name their address.
//!
//! ```text
//!  evidence ─► spool (disk) ─► event in the outbox, with the picture's address ─► broker
//!                 └──────────► PUT, again and again until it is taken ─────────► store
//! ```
//!
//! The two ways are independent: the address is known before anything is sent, so an event never waits for its
//! pictures. A reader that comes to the address too early is told 404 and asks again; the SHA-256 in the event says
//! whether what it gets then is whole.
//!
//! # Invariants
//! - A picture is on disk (fsync) before an event that names its address is accepted, and leaves the disk only when
//!   the store has answered that it has it (`a_picture_waits_on_disk_until_the_store_has_it`).
//! - An address is a function of box, case, role and content: sent twice, a picture is the same object
//!   (`the_address_follows_from_what_it_is`).
//! - What waits is bounded; what is given up is the oldest, and counted
//!   (`the_oldest_are_given_up_when_there_is_no_room`).
//! - No secret is in an address, an error or a log.

mod client;
mod sigv4;
mod spool;
mod worker;

pub use client::{Client, Trouble};
pub use sigv4::{Request as SignedRequest, Signer};
pub use spool::{Spool, Waiting};
pub use worker::{Count, Delays, Uploads};

use std::path::PathBuf;

use crate::case::CaseId;
use crate::evidence::Role;

/// Where pictures go, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPlan {
    /// Address under which they are put: `http` or `https`, host, path; no slash at its end, no user name, no query.
    pub url: String,
    /// How the box proves who it is.
    pub login: Login,
    /// The certificate authority to trust, or the certificate itself; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// First part of all their names: `{street}/{box}`.
    pub prefix: String,
}

/// How the box proves who it is. Knows where secrets lie and never what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    None,
    /// By a token (RFC 6750), the first line of the file.
    Token(PathBuf),
    /// By name and password (RFC 7617), the first line of the file.
    Password {
        /// The name.
        user: String,
        /// Where the password lies.
        file: PathBuf,
    },
    /// By a signature (AWS Signature Version 4), as S3 and what is compatible with it ask for.
    S3 {
        /// The region, e.g. `cn-north-1`.
        region: String,
        /// The access key, which is no secret.
        access_key: String,
        /// Where the secret key lies: the first line of the file.
        secret: PathBuf,
    },
}

impl UploadPlan {
    /// The name of a picture in the store: `{street}/{box}/{case}/{role}-{sha256}.jpg`, that of a clip `.mp4`.
    pub fn key(&self, case: &CaseId, role: Role, sha256: &str) -> String {
        format!("{}/{}/{}-{sha256}.{}", self.prefix, case.as_str(), role.as_str(), role.extension())
    }

    /// The address of a picture.
    pub fn address(&self, case: &CaseId, role: Role, sha256: &str) -> String {
        format!("{}/{}", self.url, self.key(case, role, sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_follows_from_what_it_is() {
        let plan = UploadPlan {
            url: "https://store.example/evidence".to_owned(),
            login: Login::None,
            ca: None,
            prefix: "410102007/box-1".to_owned(),
        };
        let case = CaseId::parse("01934f6e-5c1a-8b3e-9a54-000000000001").unwrap();
        let sha = "ab".repeat(32);
        assert_eq!(
            plan.address(&case, Role::Closeup, &sha),
            format!("https://store.example/evidence/410102007/box-1/{}/closeup-{sha}.jpg", case.as_str())
        );
        assert!(plan.address(&case, Role::Clip, &sha).ends_with(&format!("/clip-{sha}.mp4")));
    }
}
