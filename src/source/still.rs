//! One picture of a camera's main stream, when a case needs one: looks are taken on a smaller stream.
//!
//! # Invariants
//! - It takes at most [`PATIENCE`]; a stream that failed is left alone for [`REST`], so that the pictures of other
//!   cameras do not wait for it again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::{Link, Next};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Decode;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::{CameraPlan, LiveInput, LivePlan};
use crate::shutdown::Shutdown;

/// How long a picture is waited for. Cameras send a key picture each 1 to 4 s, and take part of a second to answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long a stream that gave none is left alone.
const REST: Duration = Duration::from_secs(60);

/// A camera's main stream.
#[derive(Debug)]
pub struct Still {
    camera: CameraPlan,
    live: LivePlan,
    failed: Option<Instant>,
}

impl Still {
    /// The main stream `live` of `camera`.
    pub fn new(camera: &CameraPlan, live: &LivePlan) -> Self {
        let camera = CameraPlan { decode: Decode::Key, ..camera.clone() };
        Self { camera, live: live.clone(), failed: None }
    }

    /// A picture of now; `None` when there is none to be had, which is logged.
    pub fn take(&mut self) -> Option<Frame> {
        if self.failed.is_some_and(|failed| failed.elapsed() < REST) {
            return None;
        }
        match self.fetch() {
            Ok(frame) => {
                if self.failed.take().is_some() {
                    info!(camera = self.camera.id, "The main stream gives pictures for evidence again.");
                }
                Some(frame)
            }
            Err(e) => {
                warn!(camera = self.camera.id, "Evidence is of the stream that is looked at: {e}.");
                self.failed = Some(Instant::now());
                None
            }
        }
    }

    fn fetch(&self) -> Result<Frame> {
        let now = SystemClock.now();
        // How this connection does is nobody's business but this picture's.
        let link = Arc::new(Link::silent(&self.camera.id, now));
        let over = Shutdown::default();
        // Masks hold on this stream as on the other.
        let input = LiveInput::Rtsp(self.live.clone());
        let mut source = super::live(&self.camera, &input, now, link.clone(), over.clone())?;
        let done = Shutdown::default();
        std::thread::scope(|scope| {
            let (over, finished) = (over.clone(), done.clone());
            scope.spawn(move || {
                finished.wait_for(PATIENCE);
                over.request();
            });
            let mut frame = Frame::default();
            let next = source.next(&mut frame);
            done.request();
            match next? {
                Next::Frame => Ok(frame),
                Next::End => {
                    let reason = link.state().reason.unwrap_or_else(|| "it sent no key picture".to_owned());
                    let what = format!(
                        "the main stream {} gave no picture within {} s",
                        self.live.url,
                        PATIENCE.as_secs()
                    );
                    Err(Error::new(Kind::Camera, format!("{what}: {reason}")))
                }
            }
        })
    }
}
