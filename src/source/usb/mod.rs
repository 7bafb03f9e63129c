//! USB and CSI cameras.
//!
//! Capture runs in a child process of this program, the hidden verb `capture-usb`, because the capture library can
//! wait for ever inside of a driver. The child hands pictures over a pipe (`wire`); it is killed when it is
//! silent for 3 s, and started again by whoever opens the source again.
//!
//! Invariants, each with a test of its name:
//! - a child that sends what is not a picture is killed, and nothing of it is used;
//! - a broken picture is skipped and counted; a camera that sends nothing else is lost.

#[cfg(feature = "usb")]
mod device;
#[cfg(any(feature = "usb", test, fuzzing))]
pub(crate) mod jpeg;
mod modes;
pub(crate) mod wire;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

#[cfg(feature = "usb")]
pub(crate) use device::Stream;
#[cfg(feature = "usb")]
pub use device::{Found, device_files, look_at};
pub use modes::{Mode, Wanted};
pub use wire::PixelFormat;

use self::wire::{Content, Header};
use super::process::Process;
use super::reopen::SILENCE;
use super::{Next, Source};
use crate::decode::{Decoder as _, Jpeg, from_nv12, from_yuyv};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::shutdown::Shutdown;

/// How long it may take to the first picture: a driver loads its firmware, exposure settles.
const START: Duration = Duration::from_secs(10);

/// A USB or CSI camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbCamera {
    /// Its device file, or a link to it.
    pub device: PathBuf,
    /// What is asked of it.
    pub wanted: Wanted,
}

/// Pictures of a [`UsbCamera`]. A frame's capture time is the driver's.
pub struct UsbSource {
    process: Process,
    name: String,
    jpeg: Jpeg,
    bytes: Vec<u8>,
    shown: u64,
    skipped: u64,
}

impl UsbSource {
    /// Starts capturing from `camera`; whether it is there shows with the first frame. Ends when `shutdown` is
    /// asked for.
    ///
    /// # Errors
    /// [`Kind::Camera`] when this program was built without USB support; when the child process cannot be started.
    pub fn open(camera: &UsbCamera, shutdown: Shutdown) -> Result<Self> {
        if cfg!(not(feature = "usb")) {
            let what = format!("{}: this program was built without USB cameras", camera.device.display());
            return Err(Error::new(Kind::Camera, what).help("build it with the cargo feature `usb`"));
        }
        let wanted = &camera.wanted;
        let mut command = Command::new(super::SELF);
        command.arg("capture-usb").arg("--device").arg(&camera.device);
        command.args(["--fps", &wanted.fps.to_string(), "--parent", &std::process::id().to_string()]);
        for (key, value) in [("--width", wanted.width), ("--height", wanted.height)] {
            if let Some(value) = value {
                command.args([key, &value.to_string()]);
            }
        }
        if let Some(format) = wanted.format {
            command.args(["--format", &format.to_string()]);
        }
        Self::from(&mut command, camera.device.display().to_string(), shutdown)
    }

    fn from(command: &mut Command, name: String, shutdown: Shutdown) -> Result<Self> {
        let about = format!("the capture process of {name}");
        let mut process = Process::start(&about, command.stdin(Stdio::null()), Vec::new(), shutdown)?;
        process.expect(START);
        Ok(Self { process, name, jpeg: Jpeg::default(), bytes: Vec::new(), shown: 0, skipped: 0 })
    }

    /// The next message: its header, with what follows in `bytes`.
    fn message(&mut self) -> Result<Option<Header>> {
        let mut head = [0; wire::LENGTH];
        if let Err(e) = self.process.read_exact(&mut head) {
            return self.stopped(&e);
        }
        let header = Header::parse(&head).map_err(|what| {
            let what = format!("{}: the capture process sent what is no picture: {what}", self.name);
            Error::new(Kind::Camera, what)
        })?;
        self.bytes.resize(header.size as usize, 0);
        if let Err(e) = self.process.read_exact(&mut self.bytes) {
            return self.stopped(&e);
        }
        Ok(Some(header))
    }

    fn stopped(&mut self, fault: &std::io::Error) -> Result<Option<Header>> {
        if self.process.is_stopping() { Ok(None) } else { Err(self.process.lost(fault)) }
    }
}

impl Source for UsbSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        if self.shown > 0 {
            self.process.expect(SILENCE);
        }
        loop {
            let Some(header) = self.message()? else { return Ok(Next::End) };
            let decoded = match header.content {
                Content::Fault => {
                    // The words come from our own child, but through a driver.
                    let words: String =
                        String::from_utf8_lossy(&self.bytes).chars().filter(|c| !c.is_control()).collect();
                    return Err(Error::new(Kind::Camera, words));
                }
                Content::Picture { format, width, height, stride } => {
                    let [width, height, stride] = [width, height, stride].map(|value| value as usize);
                    match format {
                        PixelFormat::Yuyv => from_yuyv(&self.bytes, width, height, stride, frame),
                        PixelFormat::Nv12 => from_nv12(&self.bytes, width, height, stride, frame),
                        PixelFormat::Mjpeg => self.jpeg.decode(&self.bytes, frame).map(drop),
                    }
                }
            };
            match decoded {
                Ok(()) => {
                    frame.captured = header.captured;
                    self.shown += 1;
                    return Ok(Next::Frame);
                }
                Err(e) => {
                    tracing::debug!(camera = self.name, error = %e, "Skipped a picture.");
                    self.skipped += 1;
                }
            }
        }
    }

    fn duration_s(&self) -> Option<f64> {
        None
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CaptureTime;
    use std::time::Instant;

    fn message(format: PixelFormat, stride: u32, bytes: &[u8], time: i64) -> Vec<u8> {
        let content = Content::Picture { format, width: 4, height: 2, stride };
        let size = u32::try_from(bytes.len()).unwrap();
        let mut all = Header { content, size, captured: CaptureTime::from_nanos(time) }.bytes().to_vec();
        all.extend(bytes);
        all
    }

    /// A source whose child sends `bytes` and then does as `script` says.
    fn source(bytes: &[u8], script: &str) -> (UsbSource, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("cat \"$0\"; {script}")]).arg(file.path());
        (UsbSource::from(&mut command, "/dev/video7".to_owned(), Shutdown::default()).unwrap(), file)
    }

    #[test]
    fn pictures_of_each_format_become_frames() {
        let mut jpeg = Vec::new();
        image::ImageEncoder::write_image(
            image::codecs::jpeg::JpegEncoder::new(&mut jpeg),
            &[90; 8],
            4,
            2,
            image::ExtendedColorType::L8,
        )
        .unwrap();
        let bytes = [
            message(PixelFormat::Yuyv, 8, &[50; 16], 1),
            message(PixelFormat::Nv12, 4, &[60; 12], 2),
            message(PixelFormat::Mjpeg, 0, &jpeg, 3),
        ]
        .concat();
        let (mut source, _file) = source(&bytes, "sleep 600");
        let mut frame = Frame::default();
        for (time, luma) in [(1, 50), (2, 60), (3, 90)] {
            assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
            assert_eq!((frame.width, frame.height, frame.captured.nanos()), (4, 2, time));
            assert!(frame.y.iter().all(|y| y.abs_diff(luma) <= 1), "{:?}", frame.y);
        }
    }

    #[test]
    fn a_child_that_sends_what_is_not_a_picture_is_killed_and_nothing_of_it_is_used() {
        let mut bytes = message(PixelFormat::Yuyv, 8, &[50; 16], 1);
        bytes.extend(b"thread 'main' panicked at a driver");
        let (mut source, _file) = source(&bytes, "sleep 600");
        let mut frame = Frame::default();
        assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
        let error = source.next(&mut frame).unwrap_err().to_string();
        assert!(error.contains("/dev/video7") && error.contains("no picture"), "{error}");
    }

    #[test]
    fn a_broken_picture_is_skipped_and_counted_and_a_camera_that_sends_nothing_else_is_lost() {
        let bytes = [
            message(PixelFormat::Mjpeg, 0, b"\xff\xd8nojpeg", 1),
            message(PixelFormat::Yuyv, 8, &[50; 16], 2),
        ]
        .concat();
        let (mut source, _file) = source(&bytes, "while :; do cat \"$0\" | head -c 40; sleep 0.1; done");
        let mut frame = Frame::default();
        assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
        assert_eq!((source.skipped(), frame.captured.nanos()), (1, 2));
        let began = Instant::now();
        let error = source.next(&mut frame).unwrap_err().to_string();
        assert!(error.contains("gave no picture in time"), "{error}");
        assert!(source.skipped() > 5 && began.elapsed() >= SILENCE);
    }

    #[test]
    fn the_childs_own_words_reach_the_log() {
        let words = b"the camera /dev/video7 cannot be opened";
        let size = u32::try_from(words.len()).unwrap();
        let header = Header { content: Content::Fault, size, captured: CaptureTime::default() };
        let (mut source, _file) = source(&[&header.bytes()[..], words].concat(), "exit 1");
        let error = source.next(&mut Frame::default()).unwrap_err();
        assert_eq!((error.to_string().as_bytes(), error.kind()), (&words[..], Kind::Camera));
    }
}
