//! How much room the box may take on its disk.

use std::time::Duration;

use toml::Spanned;

use crate::config::ConfigFile;
use crate::error::Result;
use crate::evidence::Retention;
use crate::outbox;

const MIB: u64 = 1 << 20;
const SECONDS_A_DAY: u64 = 24 * 3600;

/// Most bytes of messages that wait.
pub(super) fn outbox_bytes(file: &ConfigFile) -> Result<u64> {
    megabytes(file, "outbox_mb", file.config.storage.outbox_mb.as_ref(), outbox::DEFAULT_QUOTA)
}

/// Limits of the evidence folder.
pub(super) fn retention(file: &ConfigFile) -> Result<Retention> {
    let storage = &file.config.storage;
    let default = Retention::default();
    let bytes = megabytes(file, "evidence_mb", storage.evidence_mb.as_ref(), default.bytes)?;
    let keep = match &storage.evidence_days {
        None => default.keep,
        Some(given) => days(file, "evidence_days", given, 3650)?,
    };
    let keep_rejected = match &storage.rejected_days {
        None => default.keep_rejected.min(keep),
        Some(given) => days(file, "rejected_days", given, keep.as_secs() / SECONDS_A_DAY)?,
    };
    Ok(Retention { keep, keep_rejected, bytes })
}

fn days(file: &ConfigFile, key: &str, given: &Spanned<u64>, most: u64) -> Result<Duration> {
    let days = *given.get_ref();
    if (1..=most).contains(&days) {
        return Ok(Duration::from_secs(days * SECONDS_A_DAY));
    }
    let what = format!("{days} days: expected 1 to {most}");
    Err(file.fault(&format!("storage.{key}"), given.span(), what))
}

fn megabytes(file: &ConfigFile, key: &str, given: Option<&Spanned<u64>>, default: u64) -> Result<u64> {
    match given {
        None => Ok(default),
        Some(mb) if (16..=1_000_000).contains(mb.get_ref()) => Ok(mb.get_ref() * MIB),
        Some(mb) => {
            let what = format!("{} MB: expected 16 to 1000000", mb.get_ref());
            Err(file.fault(&format!("storage.{key}"), mb.span(), what))
        }
    }
}
