//! `gridpatrol replay`: a recording through one camera's zones, as fast as it can, on capture time.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::case::throttle::Throttle;
use crate::case::{Change, Happening};
use crate::clock::CaptureTime;
use crate::config::ConfigFile;
use crate::detect::model::Model;
use crate::detect::{Detector, ModelIdentity, OnnxDetector, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::evidence::{Evidence, Pictures, Store};
use crate::frame::Frame;
use crate::mqtt::{CaseEvent, Report as EventReport};
use crate::pipeline::{Chain, Report};
use crate::plan::{Input, Plan};
use crate::source::{self, DetectionsFile, Next};

mod verdicts;

#[cfg(any(test, fuzzing))]
pub(crate) use verdicts::hostile as hostile_verdicts;

use verdicts::Verdicts;

/// Play a recording through one camera's zones and write down the events that would be published.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol replay --config edge.toml --camera cam-05 --input clip.mp4 --events events.jsonl --evidence out
  gridpatrol replay --config edge.toml --camera cam-05 --input looks.jsonl --start 2026-11-24T08:00:00+08:00
  gridpatrol replay --config edge.toml --camera cam-05 --input looks.jsonl --verdicts reviewed.jsonl

The same input gives the same events, byte for byte. With --state a recording may come in parts: two replays
over two halves give the events of one over the whole.")]
pub struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The camera whose zones and rules are used.
    #[arg(long, value_name = "ID")]
    pub camera: String,
    /// A video (.mp4), a folder of pictures, or a .jsonl file of detections with one look a line.
    #[arg(long, value_name = "PATH")]
    pub input: PathBuf,
    /// Capture time of the first frame, RFC 3339 with offset.
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    pub start: Timestamp,
    /// Pictures a second in a folder of pictures.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub fps: f64,
    /// Where the events go, one CloudEvents JSON a line; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub events: PathBuf,
    /// Folder for the evidence pictures. Without it none are written.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Folder that keeps dwell, open cases and numbering from one replay to the next.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// What reviewers say meanwhile, one JSON a line in order of time: {"t": SECONDS, "case": ID, "verdict":
    /// "confirmed|rejected|duplicate|unclear", "reason": TEXT}, or "resume": true in place of the verdict.
    #[arg(long, value_name = "FILE")]
    pub verdicts: Option<PathBuf>,
}

/// Replays the input.
///
/// # Errors
/// When the configuration, the model or the input is at fault, or a file cannot be written.
pub fn run(args: &Args) -> Result<()> {
    if !(args.fps.is_finite() && args.fps > 0.0) {
        return Err(Error::new(Kind::Usage, format!("--fps {}: expected a number above 0", args.fps)));
    }
    let input = Input::at(&args.input).ok_or_else(|| {
        Error::new(
            Kind::Usage,
            format!(
                "--input {}: expected an .mp4 file, a folder of pictures or a .jsonl file",
                args.input.display()
            ),
        )
        .help("check the path; other video formats can be turned into H.264 MP4 with ffmpeg")
    })?;
    let mut plan = Plan::for_replay(&ConfigFile::read(&args.config)?, &args.camera, input)?;
    let mut replay = Replay::start(args, &mut plan)?;
    match &replay.plan.cameras[0].input {
        Input::Detections(path) => replay.detections(path)?,
        Input::Live(_) | Input::Video(_) | Input::Pictures(_) => replay.frames(args.fps)?,
    }
    replay.finish()
}

/// A replay under way.
struct Replay<'a> {
    plan: &'a Plan,
    start: CaptureTime,
    chain: Chain,
    throttle: Throttle,
    verdicts: Verdicts,
    detector: Option<OnnxDetector>,
    events: BufWriter<Box<dyn Write>>,
    events_name: PathBuf,
    evidence: Option<Store>,
    state: Option<PathBuf>,
    sequence: u64,
    opened: u32,
    updated: u32,
    cleared: u32,
    reports: Vec<Report>,
}

/// What is kept between two replays.
#[derive(Serialize, Deserialize)]
struct Kept {
    sequence: u64,
    judge: Box<RawValue>,
    /// Absent in what was kept by a version that had no throttle.
    throttle: Option<Box<RawValue>>,
    /// What is known of the view; absent for detections, and in what was kept by a version that did not look at it.
    #[serde(default)]
    watch: Option<Box<RawValue>>,
}

impl<'a> Replay<'a> {
    fn start(args: &Args, plan: &'a mut Plan) -> Result<Self> {
        let detector = match &plan.cameras[0].input {
            Input::Detections(_) => None,
            Input::Live(_) | Input::Video(_) | Input::Pictures(_) => {
                let detector = OnnxDetector::with(&Model::load(&plan.model)?, &plan.setup())?;
                plan.check_labels(detector.vocabulary(), &detector.identity().name)?;
                plan.check_scores(detector.identity())?;
                Some(detector)
            }
        };
        let plan: &'a Plan = plan;
        let camera = &plan.cameras[0];
        let vocabulary = detector.as_ref().map_or_else(Vocabulary::default, |d| d.vocabulary().clone());
        let mut chain = Chain::new(plan, camera, vocabulary, Pictures::open(plan)?);
        let state = args.state.as_ref().map(|folder| folder.join(format!("{}.json", camera.id)));
        let start = CaptureTime::from_timestamp(args.start);
        let mut throttle = Throttle::new(plan.limits);
        let mut sequence = 0;
        if let Some(kept) = state.as_deref().map(read_state).transpose()?.flatten() {
            sequence = kept.sequence;
            chain.restore(kept.judge.get().as_bytes())?;
            if let Some(kept) = kept.watch.filter(|_| detector.is_some()) {
                chain.restore_watch(kept.get().as_bytes())?;
            }
            if let Some(kept) = kept.throttle {
                throttle = Throttle::restore(plan.limits, kept.get().as_bytes())?;
            }
            throttle.reconcile(camera, chain.judge.open_cases());
            if let Some(last) = chain.judge.last_look() {
                chain.ask(throttle.wanted(camera, last, chain.judge.open_cases()));
            }
        }
        let out: Box<dyn Write> = if args.events == Path::new("-") {
            Box::new(std::io::stdout())
        } else {
            let file = File::create(&args.events);
            Box::new(file.map_err(|e| Error::disk(&args.events, "write the events to", e))?)
        };
        Ok(Self {
            plan,
            start,
            chain,
            throttle,
            verdicts: args
                .verdicts
                .as_deref()
                .map_or_else(|| Ok(Verdicts::default()), |path| Verdicts::read(path, start))?,
            detector,
            events: BufWriter::new(out),
            events_name: args.events.clone(),
            evidence: args.evidence.as_deref().map(Store::open).transpose()?,
            state,
            sequence,
            opened: 0,
            updated: 0,
            cleared: 0,
            reports: Vec::new(),
        })
    }

    fn frames(&mut self, fps: f64) -> Result<()> {
        let camera = &self.plan.cameras[0];
        let mut source = source::recorded(camera, self.start, fps)?;
        let duration_s = source.duration_s();
        let mut progress = Progress::new();
        let mut frame = Frame::default();
        while source.next(&mut frame)? == Next::Frame {
            self.verdicts.say(frame.captured, &mut self.throttle);
            if let Some(detector) = &mut self.detector
                && self.chain.frame(&frame, detector, &mut self.reports)?
            {
                self.write_reports(frame.captured)?;
            }
            progress.at(frame.captured.seconds_since(self.start), duration_s);
        }
        progress.done();
        if source.skipped() > 0 {
            tracing::warn!(frames = source.skipped(), "Some frames could not be decoded and were left out.");
        }
        Ok(())
    }

    fn detections(&mut self, path: &Path) -> Result<()> {
        let mut file = DetectionsFile::open(path, self.start)?;
        let mut detections = Vec::new();
        loop {
            let judge = &mut self.chain.judge;
            let Some((at, view)) = file.next_look(|name| judge.intern(name), &mut detections)? else {
                return Ok(());
            };
            self.verdicts.say(at, &mut self.throttle);
            self.chain.detections(at, view, &detections, &mut self.reports);
            self.write_reports(at)?;
        }
    }

    /// Writes what is told of the look at `at`, and asks for what is wanted on the next.
    fn write_reports(&mut self, at: CaptureTime) -> Result<()> {
        let reports = std::mem::take(&mut self.reports);
        let happenings: Vec<Happening> = reports.iter().map(|report| report.happening.clone()).collect();
        let names = self.chain.judge.vocabulary();
        for dispatch in self.throttle.look(&self.chain.camera, at, &happenings, names) {
            self.sequence += 1;
            match dispatch.happening.change {
                Change::Opened => self.opened += 1,
                Change::Cleared => self.cleared += 1,
                Change::Updated => self.updated += 1,
            }
            let evidence = &reports[dispatch.of].evidence;
            let model: Option<&ModelIdentity> = self.detector.as_ref().map(|d| d.identity());
            let event = CaseEvent::new(&EventReport {
                plan: self.plan,
                camera: &self.chain.camera,
                happening: &dispatch.happening,
                evidence,
                note: &dispatch.note,
                vocabulary: self.chain.judge.vocabulary(),
                model,
                sequence: self.sequence,
                // The wall clock stays out, so that a replay can be repeated byte for byte.
                recorded: dispatch.happening.at,
                // A recording says nothing of the clock that it was made by.
                clock_synced: None,
            })?;
            let mut line = event.to_json()?;
            line.push(b'\n');
            self.events
                .write_all(&line)
                .map_err(|e| Error::disk(&self.events_name, "write the events to", e))?;
            if let (Some(store), Evidence::Taken { pictures, .. }) = (&self.evidence, evidence) {
                for picture in pictures {
                    store.write(&dispatch.happening.case.id, picture)?;
                }
            }
        }
        let Chain { camera, judge, .. } = &self.chain;
        let wanted = self.throttle.wanted(camera, at, judge.open_cases());
        self.chain.ask(wanted);
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.events.flush().map_err(|e| Error::disk(&self.events_name, "write the events to", e))?;
        if let Some(path) = &self.state {
            let watch = self.detector.as_ref().map(|_| self.chain.save_watch()).transpose()?;
            write_state(path, self.sequence, &self.chain, (&self.throttle, watch))?;
        }
        tracing::info!(
            looks = self.chain.looks(),
            looks_saved = self.chain.sights().saved(),
            looks_unusable = self.chain.sights().unusable(),
            opened = self.opened,
            updated = self.updated,
            cleared = self.cleared,
            still_open = self.chain.judge.open_cases().count(),
            held_back = self.throttle.status(self.start).held_back.len(),
            "The replay is done."
        );
        Ok(())
    }
}

fn read_state(path: &Path) -> Result<Option<Kept>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::new(Kind::Disk, format!("{} is not a saved state", path.display()))
                .help("remove the file to start afresh")
                .caused_by(e)
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::disk(path, "read the state", e)),
    }
}

fn write_state(
    path: &Path,
    sequence: u64,
    chain: &Chain,
    (throttle, watch): (&Throttle, Option<Vec<u8>>),
) -> Result<()> {
    let unwritable = |e: serde_json::Error| {
        Error::new(Kind::System, format!("cannot write the state {}", path.display())).caused_by(e)
    };
    let raw =
        |json: &[u8]| RawValue::from_string(String::from_utf8_lossy(json).into_owned()).map_err(unwritable);
    let kept = Kept {
        sequence,
        judge: raw(&chain.judge.save()?)?,
        throttle: Some(raw(&throttle.save()?)?),
        watch: watch.as_deref().map(raw).transpose()?,
    };
    let bytes = serde_json::to_vec(&kept).map_err(unwritable)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let part = path.with_extension("part");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&part, bytes))
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|e| Error::disk(path, "write the state", e))
}

/// A line on a terminal that says how far the replay is.
struct Progress {
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: None, terminal: std::io::stderr().is_terminal() }
    }

    fn at(&mut self, seconds: f64, of: Option<f64>) {
        if !self.terminal || self.shown.is_some_and(|shown| shown.elapsed() < Duration::from_millis(500)) {
            return;
        }
        self.shown = Some(Instant::now());
        let share = of.filter(|of| *of > 0.0).map_or(String::new(), |of| format!(" of {of:.0} s"));
        // Progress is a courtesy: a terminal that has gone away is no reason to stop.
        let _ = write!(std::io::stderr().lock(), "\rreplayed {seconds:.0} s{share}  ");
    }

    fn done(&self) {
        if self.shown.is_some() {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}
