//! Where frames come from.

mod avi;
mod detections;
mod ffmpeg;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod images;
mod link;
pub(crate) mod mask;
pub(crate) mod mp4;
mod process;
mod reopen;
mod retry;
mod rtsp;
mod snapshots;
mod steady;
mod still;
pub mod usb;
mod video;
mod y4m;

pub use avi::AviSource;
pub use detections::DetectionsFile;
pub use ffmpeg::FfmpegCamera;
pub use images::{PictureReader, PicturesSource};
pub use link::{Link, LinkState, Phase};
pub use mask::Mask;
pub use rtsp::RtspSource;
pub use snapshots::SnapshotCamera;
pub use still::Still;
pub use video::Mp4Source;

use std::sync::Arc;

use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::{CameraPlan, Input, LiveInput};
use crate::shutdown::Shutdown;

/// This very program, also after its file was replaced by a newer one.
const SELF: &str = "/proc/self/exe";

/// What a source has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The frame was filled.
    Frame,
    /// The input is at its end; there will be no more.
    End,
}

/// A stream of frames in capture order. The seam between cameras, files and tests.
pub trait Source: Send {
    /// Blocks until there is a frame and writes it into `frame`, reusing its buffers. Runs as fast as the
    /// input allows: pacing a file at its own speed is the caller's business.
    ///
    /// # Errors
    /// [`Kind::Camera`] when the input cannot be read further.
    fn next(&mut self, frame: &mut Frame) -> Result<Next>;

    /// Length of the input in seconds, if it has an end.
    fn duration_s(&self) -> Option<f64>;

    /// Frames so far that the input had but that could not be decoded and were left out.
    fn skipped(&self) -> u64 {
        0
    }

    /// Whether it plays at the pace of the world, so that the caller must not slow it down.
    fn is_live(&self) -> bool {
        false
    }
}

/// Opens a video file or a folder of pictures, whose first frame is taken to be captured at `start`. `fps` is
/// the rate of a folder of pictures; a video carries its own times.
///
/// # Errors
/// [`Kind::Camera`] when the input is not there or not usable; [`Kind::Usage`] for a file of detections, which
/// holds no frames, and for a live camera, which [`live`] opens.
pub fn open(input: &Input, start: CaptureTime, fps: f64) -> Result<Box<dyn Source>> {
    match input {
        Input::Live(live) => Err(Error::new(Kind::Usage, format!("{live} is live, not recorded"))
            .help("give an .mp4 or .avi file or a folder of JPEG or PNG pictures")),
        Input::Video(path) if AviSource::is_one(path) => Ok(Box::new(AviSource::open(path, start)?)),
        Input::Video(path) => Ok(Box::new(Mp4Source::open(path, start)?)),
        Input::Pictures(folder) => Ok(Box::new(PicturesSource::open(folder, start, fps)?)),
        Input::Detections(path) => {
            Err(Error::new(Kind::Usage, format!("{} holds detections, not pictures", path.display()))
                .help("give an .mp4 file or a folder of JPEG or PNG pictures"))
        }
    }
}

/// The recorded input of `camera` as [`open`] does, under the camera's mask.
///
/// # Errors
/// As [`open`].
pub fn recorded(camera: &CameraPlan, start: CaptureTime, fps: f64) -> Result<Box<dyn Source>> {
    Ok(mask::Masked::over(open(&camera.input, start, fps)?, camera.mask()))
}

/// The live camera `input` of `camera`, under its mask, whose capture times begin at `start`, the time now. It says in `link` how
/// it is doing and is tried again for ever: its frames end when `shutdown` is requested.
///
/// # Errors
/// [`Kind::System`] when what it needs of the machine cannot be had.
pub fn live(
    camera: &CameraPlan,
    input: &LiveInput,
    start: CaptureTime,
    link: Arc<Link>,
    shutdown: Shutdown,
) -> Result<Box<dyn Source>> {
    let source: Box<dyn Source> = match input.clone() {
        LiveInput::Rtsp(live) => Box::new(RtspSource::new(camera, &live, start, link, shutdown)?),
        LiveInput::Usb(usb) => {
            let what = "USB";
            Box::new(reopen::Reopening::new(what, start, link, shutdown, move |shutdown| {
                Ok(Box::new(usb::UsbSource::open(&usb, shutdown)?))
            }))
        }
        LiveInput::Ffmpeg(ffmpeg) => {
            let what = "ffmpeg";
            Box::new(reopen::Reopening::new(what, start, link, shutdown, move |shutdown| {
                Ok(Box::new(ffmpeg::FfmpegSource::open(&ffmpeg, shutdown)?))
            }))
        }
        LiveInput::Snapshots(snapshots) => {
            let (what, every_s) = ("JPEG", camera.look_interval_s);
            Box::new(reopen::Reopening::new(what, start, link, shutdown, move |shutdown| {
                Ok(Box::new(snapshots::SnapshotSource::open(&snapshots, every_s, shutdown)?))
            }))
        }
    };
    Ok(mask::Masked::over(source, camera.mask()))
}

/// The input at `path` cannot be used.
fn unusable(path: &std::path::Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Camera, format!("{}: {what}", path.display()))
}

/// `fault`, which does not know the file, said of the input at `path`.
fn about(path: &std::path::Path, fault: &Error) -> Error {
    let error = unusable(path, fault);
    match miette::Diagnostic::help(fault) {
        Some(help) => error.help(help.to_string()),
        None => error,
    }
}
