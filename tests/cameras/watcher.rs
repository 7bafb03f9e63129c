//! A camera as the daemon watches it, and a note of every frame that comes through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gridpatrol::clock::{CaptureTime, Clock as _, SystemClock};
use gridpatrol::config::ConfigFile;
use gridpatrol::frame::Frame;
use gridpatrol::pipeline::{Bell, Capture, Mailbox, Pace};
use gridpatrol::plan::Plan;
use gridpatrol::source::{Link, LinkState, Phase};

/// How long anything may take before a test fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A running capture thread; stopped on drop.
pub(super) struct Watcher {
    mailbox: Arc<Mailbox>,
    bell: Arc<Bell>,
    link: Arc<Link>,
    capture: Option<Capture>,
    frame: Frame,
    /// When it was started.
    pub(super) started: Instant,
}

/// One frame that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) captured: CaptureTime,
    pub(super) size: (usize, usize),
}

impl Watcher {
    /// Watches the camera at `url`; `settings` are further lines of its configuration.
    pub(super) fn start(url: &str, settings: &str) -> Self {
        let text = format!(
            "edge = {{ street = \"410102007\", box = \"box-1\" }}\n[[camera]]\nid = \"gate\"\nsource = \"{url}\"\n\
             {settings}\n[[camera.zone]]\nid = \"kerb\"\nkind = \"no_parking\"\ngrid = \"g1\"\n\
             polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]\n"
        );
        let file = ConfigFile::parse("edge.toml".as_ref(), text).unwrap();
        let camera = Plan::new(&file).unwrap().cameras.remove(0);
        let now = SystemClock.now();
        let (mailbox, bell) = (Arc::new(Mailbox::default()), Arc::new(Bell::default()));
        let link = Arc::new(Link::new(&camera.id, now));
        let started = Instant::now();
        let post = (mailbox.clone(), bell.clone());
        let capture = Capture::start(&camera, now, Pace { speed: 1.0 }, post, link.clone()).unwrap();
        Self { mailbox, bell, link, capture: Some(capture), frame: Frame::default(), started }
    }

    /// The next frame, if one comes within `patience`.
    pub(super) fn within(&mut self, patience: Duration) -> Option<Seen> {
        let began = Instant::now();
        while !self.mailbox.take(&mut self.frame) {
            let left = patience.checked_sub(began.elapsed())?;
            let heard = self.bell.heard();
            if !self.mailbox.is_fresh() {
                self.bell.wait(heard, left.min(Duration::from_millis(50)));
            }
        }
        Some(Seen { captured: self.frame.captured, size: (self.frame.width, self.frame.height) })
    }

    /// The next frame; the test fails if none comes.
    pub(super) fn next(&mut self) -> Seen {
        self.within(PATIENCE).unwrap_or_else(|| panic!("no frame came: {:?}", self.state()))
    }

    /// Forgets a frame that waits.
    pub(super) fn forget(&mut self) {
        self.mailbox.take(&mut self.frame);
    }

    /// How the camera is doing.
    pub(super) fn state(&self) -> LinkState {
        self.link.state()
    }

    /// Waits until `done` holds of the state, and returns how long that took.
    pub(super) fn until(&self, done: impl Fn(&LinkState) -> bool) -> Duration {
        let began = Instant::now();
        while !done(&self.state()) {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.state());
            std::thread::sleep(Duration::from_millis(10));
        }
        began.elapsed()
    }

    /// Waits until it is lost.
    pub(super) fn until_lost(&self) -> Duration {
        self.until(|state| state.phase == Phase::Lost)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(capture) = self.capture.take() {
            capture.stop();
        }
    }
}
