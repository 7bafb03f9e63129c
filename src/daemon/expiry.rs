//! Deletes evidence whose time is over, wherever the box keeps it: files, the rows that list them, and the copies that
//! wait for the broker.

use std::time::{Duration, SystemTime};

use tracing::{error, warn};

use crate::clock::CaptureTime;
use crate::error::Result;
use crate::evidence::{Store, Swept};
use crate::outbox::Outbox;
use crate::shutdown::Shutdown;

/// How often old evidence is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Deletes once what is past its time at `now` (the wall clock) in `store` and `outbox`.
///
/// # Errors
/// When the folder or the database cannot be read or written.
pub fn expire(store: &Store, outbox: &Outbox, now: SystemTime) -> Result<Swept> {
    let rejected = outbox.rejected()?;
    let swept = store.sweep(now, &rejected)?;
    if swept.undeleted > 0 {
        error!(
            pictures = swept.undeleted,
            "Evidence is past its time and cannot be deleted; see the lines before. It is tried again each hour."
        );
    }
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let before = |keep: Duration| {
        let then = since_1970.saturating_sub(keep).as_nanos();
        CaptureTime::from_nanos(i64::try_from(then).unwrap_or(i64::MAX))
    };
    let limit = store.limit();
    let expired = outbox.expire_pictures(before(limit.keep), before(limit.keep_rejected))?;
    if expired > 0 {
        warn!(
            pictures = expired,
            "Pictures that the broker never took are past their time and were deleted."
        );
    }
    outbox.forget_missing_pictures(|file| store.folder().join(file).is_file())?;
    Ok(swept)
}

/// Deletes evidence whose time is over now and then, until the box stops.
pub(super) async fn expire_now_and_then(store: Store, outbox: std::sync::Arc<Outbox>, shutdown: Shutdown) {
    let mut stop = std::pin::pin!(shutdown.requested());
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        let (store, outbox) = (store.clone(), outbox.clone());
        let expired = tokio::task::spawn_blocking(move || expire(&store, &outbox, SystemTime::now())).await;
        if let Ok(Err(e)) = expired {
            error!("Old evidence is still there: {e}.");
        }
    }
}
