//! `gridpatrol demo`: the whole thing on the bundled clip, with nothing else needed: a broker inside the
//! process, the daemon, a subscriber that knows only what comes over MQTT, and a page.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{Clock as _, SystemClock};
use crate::config::ConfigFile;
use crate::daemon::{Daemon, Options};
use crate::demo::{Broker, Counts, Subscriber};
use crate::error::{Error, Kind, Result};
use crate::pipeline::Pace;
use crate::plan::{BrokerPlan, Input, Plan};
use crate::shutdown::Shutdown;
use crate::source;

/// How often the progress line is drawn on a terminal, and written to anything else.
const PROGRESS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How long the last messages may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Show the whole thing on the bundled clip, with a broker of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol demo                       at the clip's own speed, until Ctrl-C
  gridpatrol demo --speed 4             four times as fast
  gridpatrol demo --headless --for 30s  the first half minute, then a summary")]
pub struct Args {
    /// The configuration to show.
    #[arg(long, value_name = "FILE", default_value = "tests/media/demo.toml")]
    pub config: PathBuf,
    /// End after the clip with a summary instead of keeping the page up.
    #[arg(long)]
    pub headless: bool,
    /// End after this time at the latest, such as 30s or 2m.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub at_most: Option<Duration>,
    /// How many times as fast as it was filmed the clip is played.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub speed: f64,
    /// Folder for the demo's database and pictures, emptied at the start. Default: a new temporary folder.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Address of the page.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

fn duration(text: &str) -> std::result::Result<Duration, String> {
    let length: jiff::SignedDuration =
        text.parse().map_err(|e| format!("{e}; expected such as 30s or 2m"))?;
    Duration::try_from(length).map_err(|_| "expected a time above 0".to_owned())
}

/// Runs the demo.
///
/// # Errors
/// When the configuration, the model or the clip is at fault, or a case did not arrive.
pub fn run(args: &Args) -> Result<()> {
    if !(0.1..=50.0).contains(&args.speed) {
        return Err(Error::new(Kind::Usage, format!("--speed {}: expected 0.1 to 50", args.speed)));
    }
    if !args.listen.ip().is_loopback() {
        let message = format!("--listen {}: expected a loopback address", args.listen);
        return Err(Error::new(Kind::Usage, message));
    }
    let mut plan = Plan::new(&ConfigFile::read(&args.config)?)?;
    let detectors = super::detectors(&mut plan)?;
    let folder = Folder::new(args.dir.as_deref())?;
    let broker = Broker::start()?;
    let address = broker.address();
    plan.broker = BrokerPlan::plain(address.ip().to_string(), address.port());
    plan.storage = folder.path.join("box");
    plan.web = Some(free_port(args.listen)?);
    introduce(&plan, &detectors.workers[0].identity().name)?;
    let length_s = length_s(&plan);
    let subscriber = Subscriber::start(address, folder.path.join("platform"), std::io::stdout())?;
    let shutdown = Shutdown::default();
    let _signals = super::run::stop_on_signals(&shutdown)?;
    let options = Options { pace: Pace { speed: args.speed }, ..Options::default() };
    let daemon = Daemon::start(plan, detectors, Arc::new(SystemClock), options, shutdown.clone())?;
    watch(args, &daemon, &shutdown, length_s)?;
    let (looks, open) = (daemon.progress.looks(), daemon.progress.cases());
    daemon.stop()?;
    let counts = subscriber.finish(ARRIVAL)?;
    summary(looks, open, &counts, &folder)
}

/// Waits for the end of the clip, of the time given, or for Ctrl-C, and shows how far the demo is.
fn watch(args: &Args, daemon: &Daemon, shutdown: &Shutdown, length_s: Option<f64>) -> Result<()> {
    let began = Instant::now();
    let started = SystemClock.now();
    let terminal = std::io::stderr().is_terminal();
    let every = if terminal { PROGRESS.0 } else { PROGRESS.1 };
    let mut shown = Instant::now();
    let mut told_of_end = false;
    loop {
        if shutdown.wait_for(Duration::from_millis(100)) {
            return Ok(());
        }
        if args.at_most.is_some_and(|at_most| began.elapsed() >= at_most) {
            return Ok(());
        }
        if daemon.is_idle() {
            if args.headless {
                return Ok(());
            }
            if !told_of_end {
                say("The clip is at its end. The page stays up; Ctrl-C ends the demo.")?;
                told_of_end = true;
            }
        } else if shown.elapsed() >= every {
            shown = Instant::now();
            let seconds = daemon.progress.captured().map_or(0.0, |at| at.seconds_since(started));
            let of = length_s.map_or(String::new(), |length| format!(" of {length:.0} s"));
            let end = if terminal { "\r" } else { "\n" };
            let line = format!("  watched {seconds:.0} s{of}, {} looks{end}", daemon.progress.looks());
            // Progress is a courtesy: a terminal that has gone away is no reason to stop.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

fn introduce(plan: &Plan, model: &str) -> Result<()> {
    say(&format!("gridpatrol 巡格 demo: box {} in street {}, model {model}", plan.box_id, plan.street))?;
    for camera in &plan.cameras {
        for rule in &camera.rules {
            say(&format!(
                "  {} watches {} in {} for {} {} from {} s on",
                camera.id, rule.zone, rule.site, rule.kind.name_zh, rule.kind.name_en, rule.dwell_s
            ))?;
        }
    }
    say(&format!("  broker  mqtt://{}:{} (topic patrol/v1/#)", plan.broker.host, plan.broker.port))?;
    if let Some(address) = plan.web {
        say(&format!("  page    http://{address}/"))?;
    }
    say("Cases as a subscriber receives them:")
}

fn summary(looks: u64, accepted: u64, counts: &Counts, folder: &Folder) -> Result<()> {
    say(&format!(
        "Summary: {looks} looks, {accepted} case events accepted; received {} opened, {} cleared, {} pictures.",
        counts.opened, counts.cleared, counts.pictures
    ))?;
    say(&format!("Pictures are in {}.", folder.path.join("platform").display()))?;
    let received = counts.opened + counts.updated + counts.cleared;
    let lost = counts.pictures_missing + counts.pictures_wrong + counts.not_understood;
    if received != accepted || lost > 0 {
        return Err(Error::new(
            Kind::Broker,
            format!(
                "{accepted} events were accepted and {received} received; {lost} pictures or messages are missing or damaged"
            ),
        ));
    }
    Ok(())
}

/// Length of the longest recorded input, in seconds.
fn length_s(plan: &Plan) -> Option<f64> {
    let lengths = plan.cameras.iter().filter_map(|camera| match &camera.input {
        Input::Video(_) => source::open(&camera.input, SystemClock.now(), 1.0).ok()?.duration_s(),
        Input::Live(_) | Input::Pictures(_) | Input::Detections(_) => None,
    });
    lengths.reduce(f64::max)
}

/// `address` with a port that is free now, if it leaves the port open.
fn free_port(address: SocketAddr) -> Result<SocketAddr> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| listener.local_addr());
    bound.map_err(|e| {
        Error::new(Kind::System, format!("the page cannot listen on {address}"))
            .help("give a free port with --listen, or port 0 for any")
            .caused_by(e)
    })
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

/// The demo's folder, empty at the start.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new(given: Option<&Path>) -> Result<Self> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir().join(format!("gridpatrol-demo-{}", std::process::id())),
        };
        for part in ["box", "platform"] {
            let part = path.join(part);
            match std::fs::remove_dir_all(&part) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::disk(&part, "empty the demo's folder", e));
                }
                _ => std::fs::create_dir_all(&part).map_err(|e| Error::disk(&part, "make the folder", e))?,
            }
        }
        Ok(Self { path })
    }
}
