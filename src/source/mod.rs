//! Where frames come from.

mod detections;
mod images;
mod link;
mod mp4;
mod rtsp;
mod video;

pub use detections::DetectionsFile;
pub use images::{PictureReader, PicturesSource};
pub use link::{Link, LinkState, Phase};
pub use rtsp::RtspSource;
pub use video::Mp4Source;

use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Input;

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
/// holds no frames, and for a live camera, which is an [`RtspSource`].
pub fn open(input: &Input, start: CaptureTime, fps: f64) -> Result<Box<dyn Source>> {
    match input {
        Input::Live(live) => Err(Error::new(Kind::Usage, format!("{} is live, not recorded", live.url))
            .help("give an .mp4 file or a folder of JPEG or PNG pictures")),
        Input::Video(path) => Ok(Box::new(Mp4Source::open(path, start)?)),
        Input::Pictures(folder) => Ok(Box::new(PicturesSource::open(folder, start, fps)?)),
        Input::Detections(path) => {
            Err(Error::new(Kind::Usage, format!("{} holds detections, not pictures", path.display()))
                .help("give an .mp4 file or a folder of JPEG or PNG pictures"))
        }
    }
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
