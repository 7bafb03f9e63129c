//! Time as the program sees it: capture time, which the pure core is given, and the wall clock, which only
//! the shell may read.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// When a frame was captured: nanoseconds since the Unix epoch.
///
/// Every decision of the core is taken on this time and never on the time of processing, so a replay at any
/// speed decides the same and dwell is not stretched by dropped frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaptureTime(i64);

impl CaptureTime {
    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From a wall-clock timestamp. Times outside the years 1678 to 2262 are clamped to that range.
    pub fn from_timestamp(at: Timestamp) -> Self {
        Self(at.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// This time moved by `seconds` (rounded to a nanosecond; saturates at the ends of the range).
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1e9).round() as i64))
    }

    /// Seconds from `earlier` to `self`; negative when `earlier` is later.
    #[inline]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e9
    }

    /// As a wall-clock timestamp.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_nanosecond(self.0.into()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// RFC 3339 with milliseconds and the zone's offset, as messages and captions show it.
    pub fn rfc3339(self, zone: &TimeZone) -> String {
        self.timestamp().to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string()
    }
}

/// Where the shell reads the wall clock. Tests give their own; the core takes time as a parameter instead.
pub trait Clock: Send + Sync {
    /// The wall-clock time now.
    fn now(&self) -> CaptureTime;

    /// Whether it is kept right, by NTP or the like; `None` when that is not known.
    fn is_synced(&self) -> Option<bool> {
        None
    }
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> CaptureTime {
        CaptureTime::from_timestamp(Timestamp::now())
    }

    fn is_synced(&self) -> Option<bool> {
        kernel_is_synced()
    }
}

/// What the kernel knows of its clock: chrony, ntpd and systemd-timesyncd tell it (adjtimex(2), `STA_UNSYNC`).
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the only way to ask the kernel; no safe wrapper is among the dependencies")]
fn kernel_is_synced() -> Option<bool> {
    // SAFETY: timex is plain integers, for which all bits zero is a value.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of our own, and modes 0 has the kernel fill it and change nothing.
    match unsafe { libc::adjtimex(&raw mut state) } {
        -1 => None,
        _ => Some(state.status & libc::STA_UNSYNC == 0),
    }
}

#[cfg(not(target_os = "linux"))]
fn kernel_is_synced() -> Option<bool> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_knows_of_its_clock_is_asked_and_nothing_is_set() {
        let before = SystemClock.now();
        let synced = SystemClock.is_synced();
        assert!(synced.is_some(), "Linux always says");
        assert_eq!(synced, SystemClock.is_synced());
        let passed_s = SystemClock.now().seconds_since(before);
        assert!((0.0..60.0).contains(&passed_s), "{passed_s}");
    }
}
