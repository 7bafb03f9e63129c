//! `gridpatrol capture-usb`: the child process that captures from one USB or CSI camera. Hidden: the program
//! starts it itself. Pictures go to standard output as `crate::source::usb::wire` says.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::source::usb::wire::{Content, Header, MAX_WORDS};
use crate::source::usb::{PixelFormat, Stream, Wanted};

/// Capture from one camera for the program that started this.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    /// The camera's device file.
    #[arg(long, value_name = "FILE")]
    device: PathBuf,
    /// Width in pixels.
    #[arg(long)]
    width: Option<u32>,
    /// Height in pixels.
    #[arg(long)]
    height: Option<u32>,
    /// Pictures a second to hand on.
    #[arg(long)]
    fps: u32,
    /// How the pixels come.
    #[arg(long)]
    format: Option<PixelFormat>,
    /// Id of the process that started this, with which it ends.
    #[arg(long, value_name = "PID")]
    parent: i32,
}

/// Captures until the camera is gone or the reader is.
///
/// # Errors
/// [`Kind::Camera`] when the camera cannot be used and that could not be said on standard output.
pub fn run(args: &Args) -> Result<()> {
    super::run_child::end_with(args.parent)?;
    let Err(error) = capture(args);
    let mut words = super::in_one_line(&error);
    words.truncate(words.floor_char_boundary(MAX_WORDS as usize));
    let header = Header {
        content: Content::Fault,
        size: u32::try_from(words.len()).unwrap_or(0),
        captured: CaptureTime::default(),
    };
    // Said where it is heard: once is enough.
    match output().and_then(|mut output| send(&mut output, &header, words.as_bytes())) {
        Ok(()) => Ok(()),
        Err(_) => Err(error),
    }
}

fn capture(args: &Args) -> Result<std::convert::Infallible> {
    let fps = args.fps.max(1);
    let wanted = Wanted { width: args.width, height: args.height, fps, format: args.format };
    // Not through the standard library's handle, which looks for the ends of lines.
    let mut output = output()?;
    let mut stream = Stream::start(&args.device, &wanted)?;
    let mode = stream.mode();
    tracing::debug!("{} sends {mode}.", args.device.display());
    let content = Content::Picture {
        format: mode.format,
        width: mode.width,
        height: mode.height,
        stride: stream.stride(),
    };
    // A tenth of the interval early is taken: time stamps tremble.
    let interval_s = Duration::from_secs(1).as_secs_f64() / f64::from(fps) * 0.9;
    let mut last: Option<CaptureTime> = None;
    loop {
        let taken = stream.next(|picture| {
            // A clock that was set back does not stop the pictures.
            let since = last.map(|last| picture.captured.seconds_since(last));
            if since.is_some_and(|since| (0.0..interval_s).contains(&since)) {
                return Ok(());
            }
            last = Some(picture.captured);
            let size = u32::try_from(picture.bytes.len()).unwrap_or(u32::MAX);
            send(&mut output, &Header { content, size, captured: picture.captured }, picture.bytes)
        });
        if let Err(error) = taken {
            // Stopping the stream of a camera that is gone can panic; this process ends here anyway.
            std::mem::forget(stream);
            return Err(error);
        }
    }
}

fn output() -> Result<File> {
    std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map(File::from)
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

fn send(output: &mut File, header: &Header, bytes: &[u8]) -> Result<()> {
    output
        .write_all(&header.bytes())
        .and_then(|()| output.write_all(bytes))
        .map_err(|e| Error::new(Kind::System, "nobody reads the pictures").caused_by(e))
}
