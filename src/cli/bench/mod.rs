//! `gridpatrol bench`: what a look costs on this box, and how many cameras that makes.

pub mod cameras;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::models;
use crate::bench::machine::{self, Machine};
use crate::bench::measure::{LOOKS_PER_S, UTILISATION, measure};
use crate::bench::{LoopUnderTest, Measured, frames};
use crate::detect::model::Model;
use crate::detect::{Detector as _, OnnxDetector};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// Size of the frames, that of most street cameras.
const FRAME: (usize, usize) = (1920, 1080);

/// Measure what a look costs on this box, and how many cameras that makes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol bench
  gridpatrol bench --model models/nanodet-g-416 --input tests/media/vtest.mp4 --seconds 20
  gridpatrol bench cameras --input 1080p25.mp4
  taskset -c 1 gridpatrol bench --json | jq '.models[] | [.name, .overhead, .cameras_per_core]'

A look goes from the planes of a 1920x1080 frame to tracked detections; decoding is not in it. The bare network and
the whole look are timed in turns on the same frames. Cameras a core = 0.7 * looks per CPU second / 5 looks a second.")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to measure, if not looks.
    #[command(subcommand)]
    pub what: Option<What>,
    /// Folder of a model; may be given more than once. Default: all below `models`.
    #[arg(long, value_name = "DIR")]
    pub model: Vec<PathBuf>,
    /// A clip, a picture or a folder of pictures to look at, enlarged to 1920x1080. Default: a drawn scene.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Threads for one inference.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
    /// How long each model is measured.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    pub seconds: f64,
    /// Least score, 0-1. Default: the model's own.
    #[arg(long, value_name = "S")]
    pub score: Option<f32>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Write the frames there, raw I420, for measuring another program on them.
    #[arg(long, value_name = "FILE")]
    pub dump_frames: Option<PathBuf>,
    /// Write what was seen on each frame there, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub dump_detections: Option<PathBuf>,
}

/// What else can be measured.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Measure what a camera on the network costs, by the number of cameras.
    Cameras(cameras::Args),
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Row {
    folder: String,
    name: String,
    provider: String,
    threads: u16,
    width: usize,
    height: usize,
    #[serde(flatten)]
    measured: Measured,
    /// Most memory that the process held while this model was measured.
    peak_rss_bytes: Option<u64>,
}

/// Measures and prints.
///
/// # Errors
/// When a model or the input is at fault.
pub fn run(args: &Args) -> Result<()> {
    if let Some(What::Cameras(cameras)) = &args.what {
        return cameras::run(cameras);
    }
    if !(args.seconds.is_finite() && (0.0..=3600.0).contains(&args.seconds)) {
        return Err(Error::new(Kind::Usage, format!("--seconds {}: expected 0 to 3600", args.seconds)));
    }
    if let Some(score) = args.score.filter(|score| !(0.0..=1.0).contains(score)) {
        return Err(Error::new(Kind::Usage, format!("--score {score}: expected 0 to 1")));
    }
    let folders =
        if args.model.is_empty() { models::found(Path::new("models"))? } else { args.model.clone() };
    let frames = frames::load(args.input.as_deref(), FRAME.0, FRAME.1)?;
    if let Some(path) = &args.dump_frames {
        frames::dump(&frames, path)?;
    }
    let mut seen = String::new();
    let mut rows = Vec::new();
    for folder in &folders {
        progress(&format!("measuring {} for {} s", folder.display(), args.seconds));
        rows.push(row(args, folder, &frames, &mut seen)?);
    }
    if let Some(path) = &args.dump_detections {
        std::fs::write(path, seen).map_err(|e| Error::disk(path, "write the detections to", e))?;
    }
    let machine = Machine::this();
    let input = args.input.as_deref().map_or("drawn".to_owned(), |path| path.display().to_string());
    let text = if args.json {
        json!({
            "machine": machine,
            "frames": {"input": input, "count": frames.len(), "width": FRAME.0, "height": FRAME.1},
            "looks_per_s": LOOKS_PER_S,
            "utilisation": UTILISATION,
            "models": rows,
        })
        .to_string()
    } else {
        table(&machine, &input, &rows)
    };
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

fn row(args: &Args, folder: &Path, frames: &[Frame], seen: &mut String) -> Result<Row> {
    machine::reset_peak_rss();
    let model = Model::load(folder)?;
    let detector = OnnxDetector::new(&model, None, args.threads)?;
    let score = args.score.unwrap_or(detector.threshold());
    let (width, height) = detector.input_size();
    let provider = detector.session().runtime().provider.to_string();
    let mut under_test = LoopUnderTest::new(detector, score);
    let measured = measure(&mut under_test, frames, args.seconds)?;
    if args.dump_detections.is_some() {
        for (at, frame) in frames.iter().enumerate() {
            under_test.look(frame)?;
            let line =
                json!({"model": model.manifest.name, "frame": at, "detections": under_test.detections()});
            // Writing to a string cannot fail.
            let _ = writeln!(seen, "{line}");
        }
    }
    Ok(Row {
        folder: folder.display().to_string(),
        name: model.manifest.name,
        provider,
        threads: args.threads,
        width,
        height,
        measured,
        peak_rss_bytes: machine::peak_rss_bytes(),
    })
}

fn table(machine: &Machine, input: &str, rows: &[Row]) -> String {
    let mut lines = vec![
        format!("{} · {} cores · {}", machine.cpu, machine.cores, machine.flags.join(" ")),
        format!(
            "frames 1920x1080 from {input}; times in ms, bare is the network alone, look is planes to tracks"
        ),
        String::new(),
        format!(
            "{:<18}{:<10}{:>9}{:>4}{:>9}{:>8}{:>9}{:>8}{:>7}{:>7}{:>8}{:>9}",
            "model",
            "provider",
            "input",
            "thr",
            "bare p50",
            "p99",
            "look p50",
            "p99",
            "ratio",
            "alloc",
            "RSS MB",
            "cam/core"
        ),
    ];
    lines.extend(rows.iter().map(|row| {
        let m = &row.measured;
        let or_dash = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        format!(
            "{:<18}{:<10}{:>9}{:>4}{:>9.2}{:>8.2}{:>9.2}{:>8.2}{:>7.3}{:>7}{:>8}{:>9.1}",
            row.name,
            row.provider,
            format!("{}x{}", row.width, row.height),
            row.threads,
            m.bare_ms.p50,
            m.bare_ms.p99,
            m.whole_ms.p50,
            m.whole_ms.p99,
            m.overhead,
            or_dash(m.allocations),
            or_dash(row.peak_rss_bytes.map(|bytes| bytes / 1_000_000)),
            m.cameras_per_core,
        )
    }));
    lines.push(String::new());
    lines.push(format!(
        "cam/core = {UTILISATION} * looks per CPU second / {LOOKS_PER_S} looks a second; decoding comes on top"
    ));
    lines.join("\n")
}

/// A line for whoever waits. A terminal that is gone is no reason to stop.
fn progress(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
