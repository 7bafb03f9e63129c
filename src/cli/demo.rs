//! `gridpatrol demo`: the whole thing on the bundled clip, with nothing else needed: a broker inside the
//! process, the daemon with its page, a subscriber that knows only what comes over MQTT, and the desk, where the cases
//! can be walked to their end.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::{Clock as _, SystemClock};
use crate::config::ConfigFile;
use crate::daemon::{Daemon, Detectors, Options};
#[cfg(feature = "desk")]
use crate::demo::desk::{DemoDesk, TakenIn};
use crate::demo::{Broker, Counts, Subscriber};
use crate::error::{Error, Kind, Result};
use crate::pipeline::Pace;
use crate::plan::{BrokerPlan, Input, Plan};
use crate::shutdown::Shutdown;
use crate::source;

#[cfg(feature = "desk")]
mod browser;

/// How often the progress line is drawn on a terminal, and written to anything else.
const PROGRESS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// The parts of the demo's folder …
const PARTS: [&str; 3] = ["box", "desk", PICTURES];
/// … and the one that holds the pictures that a subscriber received.
const PICTURES: &str = "platform";
/// How long the last messages may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Show the whole thing on the bundled clip, with a broker and a desk of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol demo                       at the clip's own speed, until Ctrl-C; opens the desk in a browser
  gridpatrol demo --speed 4             four times as fast
  gridpatrol demo --headless --for 30s  the first half minute, then a summary")]
pub struct Args {
    /// The configuration to show.
    #[arg(long, value_name = "FILE", default_value = "tests/media/demo.toml")]
    pub config: PathBuf,
    /// End after the clip with a summary instead of keeping the pages up.
    #[arg(long)]
    pub headless: bool,
    /// Do not open a browser.
    #[arg(long)]
    pub no_browser: bool,
    /// End after this time at the latest, such as 30s or 2m.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub at_most: Option<Duration>,
    /// How many times as fast as it was filmed the clip is played.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub speed: f64,
    /// Folder for the demo's databases and pictures, emptied at the start and kept. Default: a temporary folder, of
    /// which only the pictures of --headless are kept.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Address of the box's page, on this machine. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Address of the desk, on this machine. Port 0 takes a free one.
    #[cfg(feature = "desk")]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub desk_listen: SocketAddr,
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
    let shown = show(args, plan, detectors, &folder.path);
    folder.tidy(args.headless);
    shown
}

fn show(args: &Args, mut plan: Plan, detectors: Detectors, folder: &Path) -> Result<()> {
    let shutdown = Shutdown::default();
    let _signals = super::run::stop_on_signals(&shutdown)?;
    let broker = Broker::start()?;
    let address = broker.address();
    plan.broker = BrokerPlan::plain(address.ip().to_string(), address.port());
    plan.storage = folder.join("box");
    plan.web = Some(free_port(args.listen)?);
    let model = detectors.workers.first().map(|detector| detector.identity().name.clone());
    introduce(&plan, &model.unwrap_or_default())?;
    let length_s = length_s(&plan);
    let subscriber = Subscriber::start(address, folder.join(PICTURES), std::io::stdout())?;
    // It hears the broker before the box says anything: this broker keeps nothing for who comes later.
    #[cfg(feature = "desk")]
    let desk = DemoDesk::start(&plan, address, &folder.join("desk"), args.desk_listen)?;
    #[cfg(feature = "desk")]
    walk(args, &desk)?;
    say("Cases as a subscriber receives them:")?;
    let options = Options { pace: Pace { speed: args.speed }, ..Options::default() };
    let daemon = Daemon::start(plan, detectors, Arc::new(SystemClock), options, shutdown.clone())?;
    watch(args, &daemon, &shutdown, length_s)?;
    let (looks, accepted) = (daemon.progress.looks(), daemon.progress.cases());
    daemon.stop()?;
    let counts = subscriber.finish(ARRIVAL)?;
    #[cfg(feature = "desk")]
    let taken = desk.finish(counts.opened, counts.pictures, ARRIVAL)?;
    summary(looks, accepted, &counts)?;
    if args.headless || args.dir.is_some() {
        say(&format!("Pictures are in {}.", folder.join(PICTURES).display()))?;
    }
    #[cfg(feature = "desk")]
    desk_summary(&taken, &counts)?;
    complete(accepted, &counts)
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
                say(
                    "The clip is at its end. The pages stay up; Ctrl-C ends the demo. 片段播放完毕，按 Ctrl-C 结束。",
                )?;
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
        say(&format!("  page    http://{address}/ of the box 盒子"))?;
    }
    Ok(())
}

fn summary(looks: u64, accepted: u64, counts: &Counts) -> Result<()> {
    say(&format!(
        "Summary: {looks} looks, {accepted} case events accepted; received {} opened, {} cleared, {} pictures.",
        counts.opened, counts.cleared, counts.pictures
    ))
}

fn complete(accepted: u64, counts: &Counts) -> Result<()> {
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

/// What the desk took in, beside what the subscriber received.
#[cfg(feature = "desk")]
fn desk_summary(taken: &TakenIn, counts: &Counts) -> Result<()> {
    let TakenIn { cases, pictures, missing } = *taken;
    say(&format!("The desk 工作台 took in {cases} cases 案件 and verified {pictures} pictures 图片."))?;
    if cases != counts.opened || pictures != counts.pictures || missing > 0 {
        return Err(Error::new(
            Kind::Broker,
            format!(
                "the desk holds {cases} cases and {pictures} pictures ({missing} are missing); {} and {} were received",
                counts.opened, counts.pictures
            ),
        ));
    }
    Ok(())
}

/// Says where the desk is and what to do there, and opens it.
#[cfg(feature = "desk")]
fn walk(args: &Args, desk: &DemoDesk) -> Result<()> {
    let Some(worker) = desk.entrances.first() else { return Ok(()) };
    say(&format!("  desk    {}/ 工作台", desk.url()))?;
    if args.headless {
        return Ok(());
    }
    say("")?;
    say(&format!("Open the desk as a grid worker 以网格员身份打开工作台:  {}", worker.url))?;
    say("The link opens once 链接仅可使用一次. Accounts 账号:")?;
    for entrance in &desk.entrances {
        let (zh, en) = entrance.role.names();
        say(&format!("  {:<6} {} {zh} {en}", entrance.login, entrance.url))?;
    }
    say(&format!("  password of all 统一密码: {}", desk.password))?;
    say(&format!("  a resident reports here 居民扫码上报: {}", desk.report_url))?;
    say(WALK)?;
    if !args.no_browser && browser::open(&worker.url) {
        say("A browser opens 正在打开浏览器.\n")?;
    }
    Ok(())
}

/// What to press, in which order.
#[cfg(feature = "desk")]
const WALK: &str = "
Two minutes 两分钟走完全流程 (cases arrive from 20 s on 约 20 秒后出现案件):
  1 li     confirm a case 确认; open it, choose a photo, Done 打开案件，选照片，处置完成
  2 li     confirm another 再确认一件, escalate it with a note 上报城运中心并说明
  3 zhang  on the board 看板: assign it to the department 派遣部门; verify the first and close it 核查并结案第一件
  4 chen   the department disposes of it 部门处置
  5 anyone report as a resident 居民上报; li confirms and disposes, zhang verifies and closes 处置、核查、结案
  6 anyone the resident's status page now asks how it was 居民在进度页回访评价; rates 统计: /rates
One browser is one person at a time: use private windows for several 一个浏览器同时只能登录一人，可用隐私窗口.
";

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
    is_temporary: bool,
}

impl Folder {
    fn new(given: Option<&Path>) -> Result<Self> {
        let path = match given {
            Some(path) => path.to_owned(),
            // Of this user alone: the desk keeps what residents write.
            None => tempfile::Builder::new()
                .prefix("gridpatrol-demo-")
                .tempdir()
                .map_err(|e| Error::disk(&std::env::temp_dir(), "make the demo's folder", e))?
                .keep(),
        };
        for part in PARTS {
            let part = path.join(part);
            match std::fs::remove_dir_all(&part) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::disk(&part, "empty the demo's folder", e));
                }
                _ => std::fs::create_dir_all(&part).map_err(|e| Error::disk(&part, "make the folder", e))?,
            }
        }
        Ok(Self { path, is_temporary: given.is_none() })
    }

    /// Removes what nobody has asked to keep: all of a temporary folder, but the pictures where `keeps_pictures`.
    fn tidy(&self, keeps_pictures: bool) {
        if !self.is_temporary {
            return;
        }
        for part in PARTS.into_iter().filter(|part| !(keeps_pictures && *part == PICTURES)) {
            let part = self.path.join(part);
            if let Err(e) = std::fs::remove_dir_all(&part) {
                tracing::warn!("{} cannot be removed: {e}.", part.display());
            }
        }
        // Folders that are empty now, as after a demo that did not come to begin; others stay.
        for empty in [self.path.join(PICTURES), self.path.clone()] {
            let _ = std::fs::remove_dir(empty);
        }
    }
}
