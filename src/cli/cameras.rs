//! `gridpatrol cameras`: which USB and CSI cameras are plugged in, and does this camera give pictures?

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::{Clock as _, SystemClock};
use crate::config::ConfigFile;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::{Input, Plan};
use crate::shutdown::Shutdown;
use crate::source::{self, Link, LinkState, Next};

/// List the cameras of this box, or watch one of a configuration without judging its pictures.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol cameras                                  USB and CSI cameras, and what they can send
  gridpatrol cameras --watch cam-05 --config edge.toml --seconds 30

--watch says once a second how the camera is doing, and reconnects as `run` does. It ends with 1 when no picture
came.")]
pub struct Args {
    /// Print JSON: a list of cameras, or with --watch one object a line.
    #[arg(long)]
    json: bool,
    /// Id of a live camera of the configuration to watch.
    #[arg(long, value_name = "ID", requires = "config")]
    watch: Option<String>,
    /// The configuration.
    #[arg(long, value_name = "FILE", requires = "watch")]
    config: Option<PathBuf>,
    /// How long to watch.
    #[arg(long, default_value_t = 10.0, requires = "watch")]
    seconds: f64,
}

/// Lists or watches.
///
/// # Errors
/// When the configuration is at fault, or no picture came.
pub fn run(args: &Args) -> Result<()> {
    match (&args.watch, &args.config) {
        (Some(id), Some(config)) => watch(args, id, config),
        _ => list(args.json),
    }
}

#[cfg(not(feature = "usb"))]
fn list(_: bool) -> Result<()> {
    Err(Error::new(Kind::Usage, "this program was built without USB cameras")
        .help("build it with the cargo feature `usb`"))
}

/// How long a camera may take to say what it can send.
#[cfg(feature = "usb")]
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(feature = "usb")]
fn list(json: bool) -> Result<()> {
    use crate::source::usb::{Found, device_files, look_at};
    let mut found: Vec<Found> = Vec::new();
    for device in device_files() {
        // A driver can hang. The thread is left behind then, and ends with this process.
        let (say, hear) = std::sync::mpsc::channel();
        let asked = device.clone();
        std::thread::spawn(move || say.send(look_at(&asked)));
        match hear.recv_timeout(PATIENCE) {
            Ok(Ok(Some(camera))) => found.push(camera),
            Ok(Ok(None)) => {}
            Ok(Err(e)) => tracing::warn!("{}", super::in_one_line(&e)),
            Err(_) => tracing::warn!("{} does not answer.", device.display()),
        }
    }
    if json {
        return print(&serde_json::to_string(&found).map_err(unprintable)?);
    }
    if found.is_empty() {
        return print("There is no USB or CSI camera on this box.");
    }
    for camera in found {
        print(&format!("usb:{}  {}", camera.device.display(), camera.name))?;
        if let Some(stable) = camera.stable {
            print(&format!("  or, however it is plugged in: usb:{}", stable.display()))?;
        }
        if camera.modes.is_empty() {
            print(
                "  nothing in YUYV, NV12 or MJPEG at a whole rate; try ffmpeg:DEVICE with ffmpeg = [\"-f\", \"v4l2\"]",
            )?;
        }
        for same in
            camera.modes.chunk_by(|a, b| (a.format, a.width, a.height) == (b.format, b.width, b.height))
        {
            let rates: Vec<String> = same.iter().map(|mode| mode.fps.to_string()).collect();
            let mode = same[0];
            print(&format!(
                "  {:5} {}x{}  {} fps",
                mode.format.to_string(),
                mode.width,
                mode.height,
                rates.join(", ")
            ))?;
        }
    }
    Ok(())
}

/// What the watched camera has given so far.
#[derive(Debug, Default)]
struct Given {
    frames: AtomicU64,
}

fn watch(args: &Args, id: &str, config: &std::path::Path) -> Result<()> {
    if !(args.seconds.is_finite() && (0.1..=1e7).contains(&args.seconds)) {
        return Err(Error::new(Kind::Usage, format!("--seconds {}: expected 0.1 or more", args.seconds)));
    }
    let plan = Plan::new(&ConfigFile::read(config)?)?;
    let Some(camera) = plan.camera(id) else {
        let known: Vec<&str> = plan.cameras.iter().map(|camera| camera.id.as_str()).collect();
        return Err(Error::new(Kind::Usage, format!("{} has no camera `{id}`", config.display()))
            .help(format!("give one of its cameras: {}", known.join(", "))));
    };
    let Input::Live(input) = &camera.input else {
        return Err(Error::new(Kind::Usage, format!("camera `{id}` is a recording: expected a live camera"))
            .help("play it with `gridpatrol replay`"));
    };
    let shutdown = Shutdown::default();
    let _signals = super::run::stop_on_signals(&shutdown)?;
    let start = SystemClock.now();
    let link = Arc::new(Link::new(id, start));
    let given = Arc::new(Given::default());
    let mut source = source::live(camera, input, start, link.clone(), shutdown.clone())?;
    let thread = {
        let given = given.clone();
        std::thread::Builder::new().name(format!("capture {id}")).spawn(move || {
            let mut frame = Frame::default();
            while let Next::Frame = source.next(&mut frame)? {
                given.frames.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    };
    let thread = thread.map_err(|e| Error::new(Kind::System, "cannot start a thread").caused_by(e))?;
    let began = Instant::now();
    let mut before = 0;
    let mut second = 0_u32;
    while began.elapsed().as_secs_f64() < args.seconds && !thread.is_finished() {
        second += 1;
        let due = Duration::from_secs(u64::from(second)).min(Duration::from_secs_f64(args.seconds));
        if shutdown.wait_for(due.saturating_sub(began.elapsed())) {
            break;
        }
        let frames = given.frames.load(Ordering::Relaxed);
        say(args.json, began.elapsed().as_secs_f64(), frames - before, &link.state())?;
        before = frames;
    }
    shutdown.request();
    thread.join().unwrap_or_else(|_| Err(Error::new(Kind::System, "the capture thread ended in a panic")))?;
    if given.frames.load(Ordering::Relaxed) == 0 {
        let why = link.state().reason.unwrap_or_else(|| "it was not watched for long enough".to_owned());
        return Err(Error::new(Kind::Camera, format!("camera `{id}` gave no picture: {why}")));
    }
    Ok(())
}

/// One line on how the camera is doing.
fn say(json: bool, t: f64, frames: u64, state: &LinkState) -> Result<()> {
    if json {
        let line = serde_json::json!({"t": (t * 10.0).round() / 10.0, "frames": frames, "link": state});
        return print(&line.to_string());
    }
    let size = state.size.map(|(width, height)| format!("{width}x{height}")).unwrap_or_default();
    let reason = state.reason.as_deref().unwrap_or_default();
    print(&format!(
        "{t:6.1} s  {:10} {frames:3} pictures  {size} {reason}",
        format!("{:?}", state.phase).to_lowercase()
    ))
}

fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(unprintable)
}

fn unprintable(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::System, "cannot write to standard output").caused_by(e)
}
