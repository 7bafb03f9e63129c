//! Chance and secrets: tokens of sessions, and links that nobody can guess. Links are not stored: each is made of what
//! it is for and a key that only this desk has, so a copy of the database without its key opens none of them by
//! guessing, and a link can be shown again.

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};

use crate::error::{Error, Kind, Result};

/// Length of the key in bytes.
const KEY_BYTES: usize = 32;
/// Digits of a link's seal: 100 bits.
const SEAL_DIGITS: usize = 20;
/// Crockford's alphabet in lower case: no i, l, o, u, which are misread and misheard.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The desk's key.
pub(super) struct Keys {
    key: hmac::Key,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Of the stored key.
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The seal of `what`.
    pub(super) fn seal(&self, what: &str) -> String {
        base32(hmac::sign(&self.key, what.as_bytes()).as_ref()).chars().take(SEAL_DIGITS).collect()
    }

    /// Whether `seal` is that of `what`, in a time that does not tell how much of it is right.
    pub(super) fn fits(&self, what: &str, seal: &str) -> bool {
        let (a, b) = (self.seal(what), seal.as_bytes());
        a.len() == b.len() && a.bytes().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }

    /// A link to the case `id` for `purpose`.
    pub(super) fn case_link(&self, purpose: &str, id: i64, round: i64) -> String {
        format!("{id}-{}", self.seal(&format!("{purpose}:{id}:{round}")))
    }
}

/// The case that a link is about, and its seal, which is still to be checked.
pub(super) fn parse_case_link(token: &str) -> Option<(i64, &str)> {
    let (id, seal) = token.split_once('-')?;
    let is_number = (1..=15).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
    (is_number && seal.len() == SEAL_DIGITS).then(|| id.parse().ok().map(|id| (id, seal))).flatten()
}

/// A new key.
pub(super) fn new_key() -> Result<Vec<u8>> {
    random::<KEY_BYTES>().map(|bytes| bytes.to_vec())
}

/// Bytes of chance from the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::new(Kind::System, "the system gives no random numbers"))?;
    Ok(bytes)
}

/// A token that nobody can guess: 160 bits.
pub(super) fn new_token() -> Result<String> {
    random::<20>().map(|bytes| base32(&bytes))
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[((held >> bits) & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_what_it_was_made_for_and_nothing_else() {
        let keys = Keys::new(b"key");
        let link = keys.case_link("status", 42, 1);
        let (id, seal) = parse_case_link(&link).unwrap();
        assert_eq!(id, 42);
        assert!(keys.fits("status:42:1", seal));
        for other in ["status:43:1", "status:42:2", "followup:42:1"] {
            assert!(!keys.fits(other, seal), "{other}");
        }
        assert!(!Keys::new(b"another").fits("status:42:1", seal));
        for bad in [
            "",
            "42",
            "-",
            "42-",
            "x-00000000000000000000",
            "-1-00000000000000000000",
            "42-é0000000000000000000",
        ] {
            assert_eq!(
                parse_case_link(bad).filter(|(_, seal)| keys.fits("status:42:1", seal)),
                None,
                "{bad}"
            );
        }
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (a, b) = (new_token().unwrap(), new_token().unwrap());
        assert_eq!(a.len(), 32);
        assert_ne!(a, b);
        assert_eq!(base32(&[0xff, 0, 0xff]), "zw0f", "24 bits make four digits and drop four bits");
    }
}
