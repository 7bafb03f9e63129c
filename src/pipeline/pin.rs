//! Keeping a thread on one core.

use core_affinity::CoreId;
use tracing::warn;

/// The cores that this process may use, highest number first: the first core is where a small box does its
/// interrupts, so it is the last to get a worker. Empty, with a warning, where the system does not tell.
pub(super) fn cores() -> Vec<CoreId> {
    let mut cores = core_affinity::get_core_ids().unwrap_or_default();
    if cores.is_empty() {
        warn!("Workers cannot be pinned: the system does not tell which cores there are.");
    }
    cores.sort_unstable_by_key(|core| std::cmp::Reverse(core.id));
    cores
}

/// Keeps the calling thread on `core`.
pub(super) fn to(core: CoreId) {
    if !core_affinity::set_for_current(core) {
        warn!(core = core.id, "A worker cannot be pinned to its core.");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_use_its_core_only() {
        let last = *cores().first().unwrap();
        let after = std::thread::spawn(move || {
            to(last);
            cores()
        });
        assert_eq!(after.join().unwrap(), [last]);
    }
}
