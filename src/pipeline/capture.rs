//! The capture thread of one camera: decodes and posts, at the pace that the input has.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info};

use super::bell::Bell;
use super::mailbox::Mailbox;
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::{CameraPlan, Input, LiveInput};
use crate::shutdown::Shutdown;
use crate::source::{self, Link, Next};

/// Pictures a second in a folder of pictures.
const PICTURES_PER_SECOND: f64 = 1.0;
/// How long a live camera rests after a fault of the program, so that a fault that repeats does not eat the box.
const RESTART: Duration = Duration::from_secs(2);

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
    stop: Shutdown,
}

impl Capture {
    /// Starts watching `camera` from capture time `start`. Frames go to `mailbox`; `bell` rings for each
    /// one. A recording ends; a live camera goes on until it is stopped, and says in `link` how it is doing.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        camera: &CameraPlan,
        start: CaptureTime,
        pace: Pace,
        (mailbox, bell): (Arc<Mailbox>, Arc<Bell>),
        link: Arc<Link>,
    ) -> Result<Self> {
        let camera = camera.clone();
        let stop = Shutdown::default();
        let shutdown = stop.clone();
        let thread = std::thread::Builder::new()
            .name(format!("capture {}", camera.id))
            .spawn(move || {
                let _end = EndOnDrop { mailbox: &mailbox, bell: &bell };
                let post = |frame: &mut Frame| {
                    mailbox.post(frame);
                    bell.ring();
                };
                let played = match &camera.input {
                    Input::Live(live) => watch(&camera, live, start, &link, post, &shutdown),
                    _ => play(&camera, start, pace, &link, post, &shutdown),
                };
                match played {
                    Ok(()) if shutdown.is_requested() => {}
                    Ok(()) => info!(camera = camera.id, "The input is at its end."),
                    // One camera is lost, the others go on.
                    Err(e) => error!(camera = camera.id, "The camera gives no more pictures: {}", chain(&e)),
                }
            })
            .map_err(|e| Error::new(Kind::System, "cannot start a capture thread").caused_by(e))?;
        Ok(Self { thread, stop })
    }

    /// Asks it to stop; it does so as soon as its source lets it.
    pub fn request_stop(&self) {
        self.stop.request();
    }

    /// Stops it, and waits until the thread has ended.
    pub fn stop(self) {
        self.stop.request();
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

/// Plays a recording.
fn play(
    camera: &CameraPlan,
    start: CaptureTime,
    pace: Pace,
    link: &Link,
    post: impl Fn(&mut Frame),
    shutdown: &Shutdown,
) -> Result<()> {
    let last = Cell::new(start);
    let played = (|| {
        let mut source = source::recorded(camera, start, PICTURES_PER_SECOND)?;
        let mut frame = Frame::default();
        let began = Instant::now();
        while source.next(&mut frame)? == Next::Frame {
            let due = Duration::from_secs_f64((frame.captured.seconds_since(start) / pace.speed).max(0.0));
            if shutdown.wait_for(due.saturating_sub(began.elapsed())) {
                break;
            }
            last.set(frame.captured);
            link.playing(frame.captured, (frame.width, frame.height));
            post(&mut frame);
        }
        Ok(())
    })();
    if !shutdown.is_requested() {
        link.ended(last.get(), played.as_ref().err().map(chain));
    }
    played
}

/// Watches a live camera until stopping is asked for, whatever happens.
fn watch(
    camera: &CameraPlan,
    live: &LiveInput,
    start: CaptureTime,
    link: &Arc<Link>,
    post: impl Fn(&mut Frame),
    shutdown: &Shutdown,
) -> Result<()> {
    let began = Instant::now();
    let last = Cell::new(start);
    loop {
        // The next source's time goes on where that of the last one was, should there be more than one.
        let start = start.plus_seconds(began.elapsed().as_secs_f64()).max(last.get().plus_seconds(0.001));
        let mut source = source::live(camera, live, start, link.clone(), shutdown.clone())?;
        let ended = catch_unwind(AssertUnwindSafe(|| -> Result<()> {
            let mut frame = Frame::default();
            while source.next(&mut frame)? == Next::Frame {
                last.set(frame.captured);
                post(&mut frame);
            }
            Ok(())
        }));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                error!(camera = camera.id, "The camera's source failed and starts anew: {}", chain(&e))
            }
            Err(_) => error!(
                camera = camera.id,
                "The camera's source panicked and starts anew; this is a fault of the program."
            ),
        }
        if shutdown.wait_for(RESTART) {
            return Ok(());
        }
    }
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
