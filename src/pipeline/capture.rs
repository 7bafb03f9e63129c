//! The capture thread of one camera: decodes and posts, at the pace that the input has.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info};

use super::bell::Bell;
use super::mailbox::Mailbox;
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::CameraPlan;
use crate::shutdown::Shutdown;
use crate::source::{self, Next};

/// Pictures a second in a folder of pictures.
const PICTURES_PER_SECOND: f64 = 1.0;

/// How fast a recorded input is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds of capture time in a second: 1 plays a file at its own speed.
    pub speed: f64,
}

/// A running capture thread.
#[derive(Debug)]
pub struct Capture {
    thread: JoinHandle<()>,
}

impl Capture {
    /// Starts watching `camera` from capture time `start`. Frames go to `mailbox`; `bell` rings for each
    /// one.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        camera: &CameraPlan,
        start: CaptureTime,
        pace: Pace,
        mailbox: Arc<Mailbox>,
        bell: Arc<Bell>,
        shutdown: Shutdown,
    ) -> Result<Self> {
        let camera = camera.clone();
        let thread = std::thread::Builder::new()
            .name(format!("capture {}", camera.id))
            .spawn(move || {
                let _end = EndOnDrop { mailbox: &mailbox, bell: &bell };
                match play(&camera, start, pace, &mailbox, &bell, &shutdown) {
                    Ok(()) if shutdown.is_requested() => {}
                    Ok(()) => info!(camera = camera.id, "The input is at its end."),
                    // One camera is lost, the others go on.
                    Err(e) => error!(camera = camera.id, "The camera gives no more pictures: {}", chain(&e)),
                }
            })
            .map_err(|e| Error::new(Kind::System, "cannot start a capture thread").caused_by(e))?;
        Ok(Self { thread })
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if self.thread.join().is_err() {
            error!("A capture thread ended in a panic.");
        }
    }
}

/// Says that no more frames will come, however the thread ends.
struct EndOnDrop<'a> {
    mailbox: &'a Mailbox,
    bell: &'a Bell,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.mailbox.end();
        self.bell.ring();
    }
}

fn play(
    camera: &CameraPlan,
    start: CaptureTime,
    pace: Pace,
    mailbox: &Mailbox,
    bell: &Bell,
    shutdown: &Shutdown,
) -> Result<()> {
    let mut source = source::open(&camera.input, start, PICTURES_PER_SECOND)?;
    let mut frame = Frame::default();
    let began = Instant::now();
    while source.next(&mut frame)? == Next::Frame {
        let due = Duration::from_secs_f64((frame.captured.seconds_since(start) / pace.speed).max(0.0));
        if shutdown.wait_for(due.saturating_sub(began.elapsed())) {
            return Ok(());
        }
        mailbox.post(&mut frame);
        bell.ring();
    }
    Ok(())
}

/// An error with everything underneath it, in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
