//! What a camera on the network costs: so many streams watched at once, from the packets to the cases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{ConfigFile, Decode};
use crate::detect::{Detector, OnnxDetector};
use crate::error::{Error, Kind, Result};
use crate::evidence::Pictures;
use crate::health::Sights;
use crate::pipeline::{Bell, Capture, Chain, Mailbox, Pace, Pool, WorkerCamera};
use crate::plan::Plan;
use crate::shutdown::Shutdown;
use crate::source::{Link, LinkState, Phase};

/// How long all cameras may take to give pictures.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long they run at most before anything is measured, so that buffers are warm.
const WARM: Duration = Duration::from_secs(5);

/// The same where the gate must learn what is usual: it takes a few key pictures.
const LEARN: Duration = Duration::from_secs(30);

/// What is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// What stays: key pictures only, each looked at.
    Key,
    /// What moves, and the usual way of other programs: every picture is decoded, five a second are looked at.
    All,
    /// What stays, while nothing happens: key pictures only, and a look where something calls for one.
    Idle,
}

/// What `cameras` cameras cost together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// How they were watched.
    pub mode: Mode,
    /// How many.
    pub cameras: usize,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Cores that a camera takes: receiving and decoding.
    pub capture_cores: f64,
    /// Cores that a camera takes: looks, tracking, rules.
    pub look_cores: f64,
    /// Cores that a camera takes, all told.
    pub cores: f64,
    /// Looks a second at a camera.
    pub looks_per_s: f64,
    /// Looks a second that nothing called for.
    pub saved_per_s: f64,
    /// Pictures a second that a camera sent, and that were decoded.
    pub received_per_s: f64,
    /// Of them, decoded.
    pub decoded_per_s: f64,
    /// Share of pictures left out because the box could not keep up.
    pub late_share: f64,
    /// Memory of the whole process at the end.
    pub rss_bytes: Option<u64>,
}

/// Watches `cameras` cameras at `url` for `seconds` with the model of `setup`.
///
/// # Errors
/// When the model is at fault, or a camera gives no pictures.
pub fn watch(mode: Mode, cameras: usize, url: &str, model: &str, seconds: f64) -> Result<Cost> {
    let text = configuration(cameras, url, model);
    let mut plan = Plan::new(&ConfigFile::parse("bench.toml".as_ref(), text)?)?;
    for camera in &mut plan.cameras {
        (camera.decode, camera.gate.enabled) = match mode {
            // What a look costs is not to hang on what the stream shows.
            Mode::Key => (Decode::Key, false),
            Mode::All => (Decode::All, false),
            Mode::Idle => (Decode::Key, true),
        };
    }
    let opened = OnnxDetector::several(&plan.model, &plan.setup(), plan.workers)?;
    let mut detectors: Vec<Box<dyn Detector>> = Vec::new();
    for detector in opened {
        detectors.push(Box::new(detector));
    }
    let Some(vocabulary) = detectors.first().map(|detector| detector.vocabulary().clone()) else {
        return Err(Error::new(Kind::System, "there is no detector to measure with"));
    };
    plan.check_labels(&vocabulary, model)?;
    let pictures = Pictures::open(&plan)?;
    let (bell, shutdown) = (Arc::new(Bell::default()), Shutdown::default());
    let (mut seats, mut captures, mut links, mut sights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for camera in &plan.cameras {
        let now = SystemClock.now();
        let (mailbox, link) = (Arc::new(Mailbox::default()), Arc::new(Link::new(&camera.id, now)));
        let post = (mailbox.clone(), bell.clone());
        captures.push(Capture::start(camera, now, Pace { speed: 1.0 }, post, link.clone())?);
        let chain = Chain::new(&plan, camera, vocabulary.clone(), pictures.clone());
        sights.push(chain.sights().clone());
        seats.push(WorkerCamera::new(chain, mailbox));
        links.push(link);
    }
    let pool = Pool::new(seats, bell);
    let cost = std::thread::scope(|scope| {
        let stop = shutdown.clone();
        let working = scope.spawn(move || {
            pool.run(&mut detectors, false, &stop, |_, _, reports| {
                reports.clear();
                Ok(())
            })
        });
        let cost = measure(mode, &links, seconds, || {
            let all = |count: fn(&Sights) -> u64| sights.iter().map(|sights| count(sights)).sum();
            (all(Sights::looks), all(Sights::saved))
        });
        shutdown.request();
        match working.join() {
            Ok(Ok(())) => cost,
            Ok(Err(e)) => Err(e),
            Err(_) => Err(Error::new(Kind::System, "the workers panicked; this is a fault of the program")),
        }
    });
    captures.into_iter().for_each(Capture::stop);
    cost
}

/// A configuration of `cameras` cameras, each with a zone over half of the picture.
fn configuration(cameras: usize, url: &str, model: &str) -> String {
    let mut text = format!(
        "edge = {{ street = \"bench\", box = \"bench\" }}\nmodel = {{ path = {} }}\n",
        toml::Value::from(model)
    );
    for number in 1..=cameras {
        text += &format!(
            "[[camera]]\nid = \"{number}\"\nsource = \"{url}\"\n[[camera.zone]]\nid = \"zone\"\n\
             kind = \"no_parking\"\ngrid = \"g1\"\npolygon = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.0, 1.0]]\n"
        );
    }
    text
}

/// Measures once all cameras give pictures.
fn measure(mode: Mode, links: &[Arc<Link>], seconds: f64, looks: impl Fn() -> (u64, u64)) -> Result<Cost> {
    let began = Instant::now();
    while let Some(link) = links.iter().find(|link| link.state().phase != Phase::Live) {
        if began.elapsed() > PATIENCE {
            let reason = link.state().reason.unwrap_or_default();
            return Err(Error::new(
                Kind::Camera,
                format!("camera {} gives no pictures: {reason}", link.camera()),
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let warm = if mode == Mode::Idle { LEARN } else { WARM };
    std::thread::sleep(warm.min(Duration::from_secs_f64(2.0 * seconds)));
    let totals = |count: fn(&LinkState) -> u64| links.iter().map(|link| count(&link.state())).sum::<u64>();
    let counts = || {
        let pictures =
            [|s: &LinkState| s.received, |s: &LinkState| s.decoded, |s: &LinkState| s.late].map(totals);
        let cpu = ["capture", "worker"].map(|name| machine::threads_cpu_s(name).unwrap_or(f64::NAN));
        (Instant::now(), machine::cpu_s(), cpu, pictures, looks())
    };
    let before = counts();
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let after = counts();
    let passed = (after.0 - before.0).as_secs_f64();
    let each = passed * links.len() as f64;
    let pictures = [0, 1, 2].map(|at| (after.3[at] - before.3[at]) as f64);
    Ok(Cost {
        mode,
        cameras: links.len(),
        seconds: passed,
        capture_cores: (after.2[0] - before.2[0]) / each,
        look_cores: (after.2[1] - before.2[1]) / each,
        cores: (after.1 - before.1) / each,
        looks_per_s: (after.4.0 - before.4.0) as f64 / each,
        saved_per_s: (after.4.1 - before.4.1) as f64 / each,
        received_per_s: pictures[0] / each,
        decoded_per_s: pictures[1] / each,
        late_share: pictures[2] / pictures[0].max(1.0),
        rss_bytes: machine::rss_bytes(),
    })
}
