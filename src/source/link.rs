//! How a live camera is doing. The capture thread writes it; status, health and pages read it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tracing::{info, warn};

use crate::clock::CaptureTime;

/// Capture times further off than this from the wall clock, in seconds, are not called synchronous. NTP slews what is
/// less, and a case is told in seconds.
const OFF_S: f64 = 2.0;

/// Whether pictures come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No picture has come yet since the start.
    #[default]
    Connecting,
    /// They come.
    Live,
    /// They came, or the camera answered with a refusal; it is tried again for ever.
    Lost,
    /// They came from a recording, which is at its end.
    Ended,
}

/// How one live camera is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LinkState {
    /// Whether pictures come.
    pub phase: Phase,
    /// Since when.
    pub since: CaptureTime,
    /// Why there are none, or what is wrong although there are.
    pub reason: Option<String>,
    /// `H.264` or `H.265`.
    pub codec: Option<&'static str>,
    /// Width and height in pixels of the last picture that was decoded.
    pub size: Option<(usize, usize)>,
    /// Whether only key pictures are decoded at the moment.
    pub key_only: bool,
    /// Seconds between the last two key pictures.
    pub key_interval_s: Option<f64>,
    /// Whether capture times are the camera's own (RTCP sender reports) rather than times of arrival.
    pub camera_clock: bool,
    /// Seconds by which the box's wall clock was set since the start. Capture times go on as before.
    pub clock_step_s: f64,
    /// Seconds by which the box's wall clock is ahead of the clock that stamps what arrives.
    pub clock_off_s: f64,
    /// Connections that gave pictures.
    pub connections: u64,
    /// Coded pictures received: each is counted below as decoded, spared, broken or late.
    pub received: u64,
    /// Pictures decoded.
    pub decoded: u64,
    /// Pictures left out because nothing needed them.
    pub spared: u64,
    /// Pictures left out because they were damaged, or needed one that was.
    pub broken: u64,
    /// Pictures left out because decoding them fell behind the camera.
    pub late: u64,
    /// Parts of the stream that came damaged and did not make a picture.
    pub damaged: u64,
}

/// The state of one live camera, shared. Each change of phase or reason is logged once.
#[derive(Debug)]
pub struct Link {
    camera: String,
    state: Mutex<LinkState>,
    is_silent: bool,
}

impl Link {
    /// The link of the camera `camera`, connecting since `now`.
    pub fn new(camera: &str, now: CaptureTime) -> Self {
        let state = LinkState { since: now, ..LinkState::default() };
        Self { camera: camera.to_owned(), state: Mutex::new(state), is_silent: false }
    }

    /// The same, without a word in the log: for a connection beside that of the camera's looks.
    pub(super) fn silent(camera: &str, now: CaptureTime) -> Self {
        Self { is_silent: true, ..Self::new(camera, now) }
    }

    /// Id of the camera.
    pub fn camera(&self) -> &str {
        &self.camera
    }

    /// How it is doing.
    pub fn state(&self) -> LinkState {
        self.lock().clone()
    }

    /// Whether its capture times keep to the box's wall clock, as far as is known.
    pub fn keeps_time(&self) -> bool {
        self.lock().clock_off_s.abs() < OFF_S
    }

    /// Changes counters and the like, which needs no word in the log.
    pub(super) fn update(&self, change: impl FnOnce(&mut LinkState)) {
        change(&mut self.lock());
    }

    /// A picture came through.
    pub(super) fn live(&self, now: CaptureTime) {
        let mut state = self.lock();
        if state.phase == Phase::Live {
            return;
        }
        let away_s = now.seconds_since(state.since);
        let back = state.phase == Phase::Lost && state.connections > 0;
        let (codec, size) = (state.codec.unwrap_or("video"), state.size.unwrap_or_default());
        (state.phase, state.since, state.reason) = (Phase::Live, now, None);
        state.connections += 1;
        drop(state);
        if self.is_silent {
            return;
        }
        let what = if back { format!("is back after {away_s:.0} s") } else { "gives pictures".to_owned() };
        info!(camera = self.camera, "The camera {what}: {codec}, {}x{}.", size.0, size.1);
    }

    /// There are no pictures, for `reason`.
    pub(super) fn lost(&self, now: CaptureTime, reason: String, help: Option<&str>) {
        let mut state = self.lock();
        if state.phase != Phase::Live && state.reason.as_ref() == Some(&reason) {
            drop(state);
            tracing::debug!(camera = self.camera, "Still no pictures: {reason}.");
            return;
        }
        if state.phase != Phase::Lost {
            (state.phase, state.since) = (Phase::Lost, now);
        }
        state.reason = Some(reason.clone());
        drop(state);
        if self.is_silent {
            return;
        }
        warn!(
            camera = self.camera,
            help, "The camera is lost: {reason}. It is tried again until it is back."
        );
    }

    /// A picture of a recording, of this width and height, is shown at `at`.
    pub fn playing(&self, at: CaptureTime, size: (usize, usize)) {
        let mut state = self.lock();
        state.size = Some(size);
        if state.phase != Phase::Live {
            (state.phase, state.since, state.reason) = (Phase::Live, at, None);
        }
    }

    /// A recording is at its end since `at`, for `reason` if that is not its own.
    pub fn ended(&self, at: CaptureTime, reason: Option<String>) {
        let mut state = self.lock();
        (state.phase, state.since, state.reason) = (Phase::Ended, at, reason);
    }

    /// Pictures come, but something is wrong with them. `None` when it is over.
    pub(super) fn remark(&self, reason: Option<String>) {
        let mut state = self.lock();
        if state.phase != Phase::Live || state.reason == reason {
            return;
        }
        state.reason.clone_from(&reason);
        drop(state);
        match reason {
            Some(reason) => warn!(camera = self.camera, "The camera's pictures cannot be used: {reason}."),
            None => info!(camera = self.camera, "The camera's pictures can be used again."),
        }
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        // Plain data: a thread that died while holding the lock left nothing half-done that matters.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::default().plus_seconds(seconds)
    }

    #[test]
    fn a_camera_is_lost_since_its_last_picture_and_not_since_the_last_attempt() {
        let link = Link::new("gate", at(0.0));
        link.live(at(1.0));
        link.lost(at(5.0), "it fell silent".to_owned(), None);
        link.lost(at(9.0), "it cannot be reached".to_owned(), None);
        let state = link.state();
        assert_eq!((state.phase, state.since), (Phase::Lost, at(5.0)));
        assert_eq!(state.reason.as_deref(), Some("it cannot be reached"));
        link.live(at(12.0));
        let state = link.state();
        assert_eq!((state.phase, state.since, state.reason), (Phase::Live, at(12.0), None));
        assert_eq!(state.connections, 2);
    }

    #[test]
    fn a_camera_keeps_time_unless_its_clock_is_known_to_be_off() {
        for (off_s, keeps_time) in [(0.3, true), (-3600.0, false)] {
            let link = Link::new("gate", at(0.0));
            link.update(|state| state.clock_off_s = off_s);
            assert_eq!(link.keeps_time(), keeps_time, "{off_s} s off");
        }
    }
}
