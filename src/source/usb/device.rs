//! The camera itself. Keeps `nokhwa`, which captures, and `v4l`, which it stands on, to itself.
//!
//! `nokhwa` waits for ever for a camera that has stalled, hands out the whole buffer whatever the camera wrote
//! into it, and refuses a camera whose rate is not a whole number when it finds it. So it runs in a process of
//! its own that is killed when it falls silent, a JPEG is cut where it ends, and the rate is made whole first.
//! What a camera can send is asked of `v4l`, without disturbing whoever else uses it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nokhwa::Camera as Nokhwa;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use v4l::capability::Flags;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture as _;
use v4l::video::capture::Parameters;
use v4l::{Device as Node, FourCC};

use super::modes::{Mode, Wanted};
use super::wire::{PixelFormat, raw_size};
use crate::clock::{CaptureTime, Clock as _, SystemClock};
use crate::error::{Error, Kind, Result};

/// Sizes looked for where a camera takes any size in a range.
const USUAL_SIZES: [(u32, u32); 6] =
    [(3840, 2160), (1920, 1080), (1280, 720), (800, 600), (640, 480), (320, 240)];
/// Rates looked for where a camera takes any rate in a range.
const USUAL_RATES: [u32; 7] = [60, 30, 25, 20, 15, 10, 5];
/// A driver's time stamp is believed if it is at most this old.
const OLDEST: Duration = Duration::from_secs(2);

const FORMATS: [(PixelFormat, FrameFormat, &[u8; 4]); 3] = [
    (PixelFormat::Nv12, FrameFormat::NV12, b"NV12"),
    (PixelFormat::Yuyv, FrameFormat::YUYV, b"YUYV"),
    (PixelFormat::Mjpeg, FrameFormat::MJPEG, b"MJPG"),
];

/// A camera that is plugged in.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Found {
    /// Its device file.
    pub device: PathBuf,
    /// A name of the device file that stays the same when the camera is plugged in elsewhere or after others.
    pub stable: Option<PathBuf>,
    /// What it calls itself.
    pub name: String,
    /// What it can send.
    pub modes: Vec<Mode>,
}

/// The device files of cameras, in the order of their numbers. Some are not cameras: a webcam has one for
/// metadata too.
pub fn device_files() -> Vec<PathBuf> {
    let mut numbers: Vec<u32> = fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("video")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| PathBuf::from(format!("/dev/video{number}"))).collect()
}

/// What is at `device`; `None` when it is no camera. Blocks as long as the driver does.
///
/// # Errors
/// [`Kind::Camera`] when it cannot be opened or asked.
pub fn look_at(device: &Path) -> Result<Option<Found>> {
    let node = open(device)?;
    let about = node.query_caps().map_err(|e| fault(device, "cannot be asked what it is").caused_by(e))?;
    if !about.capabilities.contains(Flags::VIDEO_CAPTURE) {
        return Ok(None);
    }
    let modes = modes(&node, device)?;
    Ok(Some(Found { device: device.to_owned(), stable: stable_name(device), name: about.card, modes }))
}

/// The link below /dev/v4l/by-id or by-path that leads to `device`.
fn stable_name(device: &Path) -> Option<PathBuf> {
    let device = fs::canonicalize(device).ok()?;
    ["/dev/v4l/by-id", "/dev/v4l/by-path"].iter().find_map(|folder| {
        let links = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        links.into_iter().find(|link| fs::canonicalize(link).is_ok_and(|to| to == device))
    })
}

fn open(device: &Path) -> Result<Node> {
    Node::with_path(device).map_err(|e| {
        let help = match e.kind() {
            std::io::ErrorKind::NotFound => "plug the camera in; `gridpatrol cameras` lists those there are",
            std::io::ErrorKind::PermissionDenied => "let the program's user into the group `video`",
            _ => "`gridpatrol cameras` lists the cameras there are",
        };
        fault(device, "cannot be opened").help(help).caused_by(e)
    })
}

/// What `node` can send, of what can be read here.
fn modes(node: &Node, device: &Path) -> Result<Vec<Mode>> {
    let formats =
        node.enum_formats().map_err(|e| fault(device, "cannot be asked for its formats").caused_by(e))?;
    let mut modes = Vec::new();
    for (format, _, code) in FORMATS {
        let code = FourCC::new(code);
        if !formats.iter().any(|described| described.fourcc == code) {
            continue;
        }
        for size in node.enum_framesizes(code).unwrap_or_default() {
            let sizes: Vec<(u32, u32)> = match size.size {
                FrameSizeEnum::Discrete(size) => vec![(size.width, size.height)],
                FrameSizeEnum::Stepwise(range) => USUAL_SIZES
                    .into_iter()
                    .chain([(range.max_width, range.max_height)])
                    .filter(|(width, height)| {
                        on_step(*width, range.min_width, range.max_width, range.step_width)
                            && on_step(*height, range.min_height, range.max_height, range.step_height)
                    })
                    .collect(),
            };
            for (width, height) in sizes {
                let rates = node.enum_frameintervals(code, width, height).unwrap_or_default();
                for fps in rates.into_iter().flat_map(|rate| whole_rates(&rate.interval)) {
                    modes.push(Mode { format, width, height, fps });
                }
            }
        }
    }
    modes.sort_unstable_by_key(|mode| {
        (mode.format, std::cmp::Reverse((u64::from(mode.width) * u64::from(mode.height), mode.fps)))
    });
    modes.dedup();
    Ok(modes)
}

fn on_step(value: u32, least: u32, most: u32, step: u32) -> bool {
    (least..=most).contains(&value) && (value - least).is_multiple_of(step.max(1))
}

/// The whole rates of `interval`, which is in seconds a picture.
fn whole_rates(interval: &FrameIntervalEnum) -> Vec<u32> {
    match interval {
        FrameIntervalEnum::Discrete(seconds) => {
            let whole = seconds.numerator > 0
                && seconds.denominator >= seconds.numerator
                && seconds.denominator.is_multiple_of(seconds.numerator);
            whole.then(|| seconds.denominator / seconds.numerator).into_iter().collect()
        }
        FrameIntervalEnum::Stepwise(range) => {
            let seconds = |f: &v4l::Fraction| f64::from(f.numerator) / f64::from(f.denominator.max(1));
            let (least, most) = (seconds(&range.min), seconds(&range.max));
            USUAL_RATES.into_iter().filter(|fps| (least..=most).contains(&(1.0 / f64::from(*fps)))).collect()
        }
    }
}

/// A camera that is sending.
pub(crate) struct Stream {
    camera: Nokhwa,
    device: PathBuf,
    mode: Mode,
    stride: u32,
}

/// A picture of a [`Stream`].
pub(crate) struct Picture<'a> {
    /// Its pixels.
    pub(crate) bytes: &'a [u8],
    /// When it was captured.
    pub(crate) captured: CaptureTime,
}

impl Stream {
    /// Starts the camera at `device` in the mode that fits `wanted` best.
    ///
    /// # Errors
    /// [`Kind::Camera`] when it is not there, is used by another program or has no such mode.
    pub(crate) fn start(device: &Path, wanted: &Wanted) -> Result<Self> {
        let node = open(device)?;
        let mode = wanted
            .best(&modes(&node, device)?)
            .map_err(|what| fault(device, &what).help("change width, height and format of the camera"))?;
        let (_, format, code) = FORMATS[match mode.format {
            PixelFormat::Nv12 => 0,
            PixelFormat::Yuyv => 1,
            PixelFormat::Mjpeg => 2,
        }];
        // nokhwa reads the mode that it finds, and gives up on a rate such as 30000/1001.
        let busy = |e| {
            fault(device, "cannot be set to its mode")
                .help("another program may be using the camera; a camera has one user at a time")
                .caused_by(e)
        };
        node.set_format(&v4l::Format::new(mode.width, mode.height, FourCC::new(code))).map_err(busy)?;
        node.set_params(&Parameters::with_fps(mode.fps)).map_err(busy)?;
        let refused = |what: &str, e| fault(device, what).caused_by(e);
        let asked = CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.fps);
        let formats = [format];
        let request = RequestedFormat::with_formats(RequestedFormatType::Exact(asked), &formats);
        let mut camera = Nokhwa::with_backend(number(device)?, request, ApiBackend::Video4Linux)
            .map_err(|e| refused("cannot be used", e))?;
        let got = node.format().map_err(busy)?;
        camera.open_stream().map_err(|e| refused("cannot be started", e))?;
        Ok(Self { camera, device: device.to_owned(), mode, stride: got.stride })
    }

    /// How it sends.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Bytes from row to row of a raw picture; 0 for MJPEG.
    pub(crate) fn stride(&self) -> u32 {
        match self.mode.format {
            PixelFormat::Mjpeg => 0,
            PixelFormat::Nv12 => self.stride.max(self.mode.width),
            PixelFormat::Yuyv => self.stride.max(self.mode.width.div_ceil(2) * 4),
        }
    }

    /// Waits for the next picture, for ever if need be, and gives it to `take`. A picture that is not whole is
    /// left out.
    ///
    /// # Errors
    /// [`Kind::Camera`] when the camera is gone; that of `take`.
    pub(crate) fn next(&mut self, take: impl FnOnce(Picture<'_>) -> Result<()>) -> Result<()> {
        let frame =
            self.camera.frame().map_err(|e| fault(&self.device, "gives no more pictures").caused_by(e))?;
        let now = SystemClock.now();
        let captured = frame
            .capture_timestamp()
            .and_then(|at| i64::try_from(at.as_nanos()).ok())
            .map(CaptureTime::from_nanos)
            .filter(|at| (0.0..OLDEST.as_secs_f64()).contains(&now.seconds_since(*at)))
            .unwrap_or(now);
        let bytes = match raw_size(self.mode.format, self.mode.height, self.stride()) {
            Some(size) => frame.buffer().get(..size as usize),
            None => super::jpeg::whole(frame.buffer()),
        };
        match bytes {
            Some(bytes) => take(Picture { bytes, captured }),
            None => Ok(()),
        }
    }
}

/// The number of the device file that `device` is or links to.
fn number(device: &Path) -> Result<CameraIndex> {
    fs::canonicalize(device)
        .ok()
        .and_then(|path| path.to_str()?.strip_prefix("/dev/video")?.parse().ok())
        .map(CameraIndex::Index)
        .ok_or_else(|| fault(device, "is not /dev/videoN, nor a link to one"))
}

fn fault(device: &Path, what: &str) -> Error {
    Error::new(Kind::Camera, format!("the camera {} {what}", device.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_rates_are_offered() {
        let rate = |numerator, denominator| {
            whole_rates(&FrameIntervalEnum::Discrete(v4l::Fraction { numerator, denominator }))
        };
        assert_eq!((rate(1, 30), rate(2, 50), rate(1001, 30000)), (vec![30], vec![25], vec![]));
        assert_eq!((rate(0, 30), rate(1, 0)), (vec![], vec![]));
    }

    #[test]
    fn a_device_that_is_not_there_says_what_to_do() {
        let error = look_at(Path::new("/dev/video-none")).unwrap_err();
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(
            error.to_string().contains("/dev/video-none") && help.contains("plug the camera in"),
            "{help}"
        );
    }
}
