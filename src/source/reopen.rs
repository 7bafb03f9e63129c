//! A live camera that is opened again whenever it is lost.
//!
//! Invariants, each with a test of its name:
//! - a camera that is lost is tried again for ever, at growing intervals;
//! - capture times never go back, whatever happens to the wall clock.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link::Link;
use super::retry::{Failure, Retry};
use super::steady::Steady;
use super::{Next, Source};
use crate::clock::{CaptureTime, Clock as _, SystemClock};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::shutdown::Shutdown;

/// A picture that says it is older than this lies.
const OLDEST_S: f64 = 5.0;

/// Opens the inner source; what it opens ends when the request to stop is made.
type Open = dyn Fn(Shutdown) -> Result<Box<dyn Source>> + Send;

/// A source that comes back. The inner source's capture times are on the wall clock.
pub(super) struct Reopening {
    what: &'static str,
    open: Box<Open>,
    link: Arc<Link>,
    shutdown: Shutdown,
    steady: Steady,
    last: CaptureTime,
    retry: Retry,
    inner: Option<Inner>,
    skipped_before: u64,
}

struct Inner {
    source: Box<dyn Source>,
    /// When its first picture came.
    live: Option<Instant>,
}

impl Reopening {
    /// A camera that `open` opens, whose capture times begin at `start`, the time now. `what` it is, for the log.
    pub(super) fn new(
        what: &'static str,
        start: CaptureTime,
        link: Arc<Link>,
        shutdown: Shutdown,
        open: impl Fn(Shutdown) -> Result<Box<dyn Source>> + Send + 'static,
    ) -> Self {
        link.update(|state| state.codec = Some(what));
        Self {
            what,
            open: Box::new(open),
            link,
            shutdown,
            steady: Steady::new(start),
            last: start,
            retry: Retry::default(),
            inner: None,
            skipped_before: 0,
        }
    }

    /// Opens the inner source after the wait that is due. Returns whether stopping was asked for.
    fn connect(&mut self) -> bool {
        // The standard library's hasher keys are its only source of chance, and chance is all that is needed.
        let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        if self.shutdown.wait_for(self.retry.wait(chance)) {
            return true;
        }
        match (self.open)(self.shutdown.clone()) {
            Ok(source) => self.inner = Some(Inner { source, live: None }),
            Err(e) => self.lost(&e),
        }
        false
    }

    fn lost(&mut self, error: &Error) {
        let inner = self.inner.take();
        let live = inner.as_ref().and_then(|inner| inner.live);
        self.skipped_before += inner.map_or(0, |inner| inner.source.skipped());
        match live {
            Some(since) => self.retry.ended(since.elapsed()),
            // What somebody must set right first is not asked for each second.
            None if error.kind() == Kind::Config => self.retry.failed(Failure::Refused),
            None => self.retry.failed(Failure::Other),
        }
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            reason.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        let help = miette::Diagnostic::help(error).map(|help| help.to_string());
        self.link.lost(self.steady.now(), reason, help.as_deref());
    }

    /// The capture time of a picture that the wall clock puts at `wall`, on the steady clock.
    fn stamp(&mut self, wall: CaptureTime) -> CaptureTime {
        let age_s = SystemClock.now().seconds_since(wall);
        let age_s = if (0.0..OLDEST_S).contains(&age_s) { age_s } else { 0.0 };
        let at = self.steady.now().plus_seconds(-age_s);
        // Two pictures of one time would be one.
        self.last = at.max(self.last.plus_seconds(1e-6));
        self.last
    }
}

impl Source for Reopening {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        loop {
            if self.shutdown.is_requested() {
                return Ok(Next::End);
            }
            let Some(inner) = &mut self.inner else {
                if self.connect() {
                    return Ok(Next::End);
                }
                continue;
            };
            match inner.source.next(frame) {
                Ok(Next::Frame) => {
                    inner.live.get_or_insert_with(Instant::now);
                    let broken = self.skipped_before + inner.source.skipped();
                    frame.captured = self.stamp(frame.captured);
                    let size = (frame.width, frame.height);
                    self.link.update(|state| {
                        state.decoded += 1;
                        state.received = state.decoded + broken;
                        (state.size, state.broken) = (Some(size), broken);
                    });
                    self.link.live(self.steady.now());
                    self.steady.watch(&self.link);
                    return Ok(Next::Frame);
                }
                Ok(Next::End) if self.shutdown.is_requested() => return Ok(Next::End),
                Ok(Next::End) => self.lost(&Error::new(Kind::Camera, format!("{} ended", self.what))),
                Err(e) => self.lost(&e),
            }
        }
    }

    fn duration_s(&self) -> Option<f64> {
        None
    }

    fn skipped(&self) -> u64 {
        self.skipped_before + self.inner.as_ref().map_or(0, |inner| inner.source.skipped())
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// The longest that a picture is waited for when it is not the first.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Phase;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Gives so many pictures, at the wall clock's time less `age_s`, and is then lost.
    struct Few(u32, f64);

    impl Source for Few {
        fn next(&mut self, frame: &mut Frame) -> Result<Next> {
            if self.0 == 0 {
                return Err(Error::new(Kind::Camera, "the cable is out"));
            }
            self.0 -= 1;
            frame.captured = SystemClock.now().plus_seconds(-self.1);
            Ok(Next::Frame)
        }

        fn duration_s(&self) -> Option<f64> {
            None
        }

        fn skipped(&self) -> u64 {
            1
        }
    }

    #[test]
    fn a_camera_that_is_lost_is_tried_again_for_ever_at_growing_intervals() {
        let start = SystemClock.now();
        let link = Arc::new(Link::new("gate", start));
        let attempts = Arc::new(AtomicU32::new(0));
        let counted = attempts.clone();
        let mut source = Reopening::new("USB", start, link.clone(), Shutdown::default(), move |_| {
            match counted.fetch_add(1, Ordering::Relaxed) {
                1 => Err(Error::new(Kind::Camera, "nobody is there").caused_by(std::fmt::Error)),
                _ => Ok(Box::new(Few(2, 0.0))),
            }
        });
        let mut frame = Frame::default();
        for _ in 0..4 {
            assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
        }
        let state = link.state();
        assert_eq!((attempts.load(Ordering::Relaxed), state.phase), (3, Phase::Live));
        assert_eq!((state.connections, state.decoded, state.broken, source.skipped()), (2, 4, 2, 2));
        source.shutdown.request();
        assert_eq!(source.next(&mut frame).unwrap(), Next::End);
    }

    #[test]
    fn capture_times_never_go_back_whatever_happens_to_the_wall_clock() {
        let start = CaptureTime::default().plus_seconds(1e9);
        let link = Arc::new(Link::new("gate", start));
        let ages = [0.0, 0.5, -86_400.0, 86_400.0, 0.1];
        let at = AtomicU32::new(0);
        let mut source = Reopening::new("USB", start, link, Shutdown::default(), move |_| {
            Ok(Box::new(Few(1, ages[at.fetch_add(1, Ordering::Relaxed) as usize % ages.len()])))
        });
        let mut frame = Frame::default();
        let mut last = start;
        for _ in 0..3 {
            source.next(&mut frame).unwrap();
            assert!(frame.captured > last, "{:?} after {last:?}", frame.captured);
            assert!(frame.captured.seconds_since(start) < 60.0, "the wall clock's date is not taken over");
            last = frame.captured;
        }
    }
}
