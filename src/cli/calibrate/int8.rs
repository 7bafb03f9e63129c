//! `gridpatrol calibrate int8`: a smaller, faster copy of a model, judged before it is kept.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::TempDir;

use crate::calibrate::folder::{complete, int8_file, int8_name};
use crate::calibrate::judge::{Bounds, Judgement, Labelled, judge};
use crate::calibrate::labelled;
use crate::calibrate::labels::Labels;
use crate::calibrate::quantise::{Environment, Job, Outcome};
use crate::calibrate::recording::{self, MIN_FRAMES, Sampled};
use crate::calibrate::report::Report;
use crate::calibrate::sample::Thumbnail;
use crate::config::ConfigFile;
use crate::detect::model::Model;
use crate::error::{Error, Kind, Result};
use crate::plan::{Input, Plan};

/// Most frames: each takes a network input on disk, 2 MB at 416 x 416.
const MAX_FRAMES: usize = 2000;

/// Quantise a model to INT8 and judge the result against it, on frames that the calibration never saw.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol calibrate int8 --model models/mine-fp32 --from monday.mp4 --from photos
  gridpatrol calibrate int8 --model models/mine-fp32 --config edge.toml --camera cam-05 --out models/mine-int8
  gridpatrol calibrate int8 --model models/mine-fp32 --from monday.mp4 --judge models/mine-int8 --json

A model that loses more than the bounds allow is not kept: exit code 1, and the report stays in OUT-refused.
The quantiser runs in a Python environment of pinned packages that is made the first time (--env).")]
pub struct Args {
    /// Folder of the FP32 model.
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// A video (.mp4) or a folder of pictures; may be given several times.
    #[arg(long, value_name = "PATH", num_args = 1.., required_unless_present = "config")]
    pub from: Vec<PathBuf>,
    /// A configuration, for the recording of one of its cameras.
    #[arg(long, value_name = "FILE", requires = "camera")]
    pub config: Option<PathBuf>,
    /// The camera of the configuration.
    #[arg(long, value_name = "ID", requires = "config")]
    pub camera: Option<String>,
    /// What is on pictures or frames of the recordings: COCO JSON, a folder in YOLO form, or JSON of numbered
    /// frames. They are never calibrated on; AP50 is judged on them.
    #[arg(long, value_name = "PATH")]
    pub labels: Option<PathBuf>,
    /// Most frames to use; a quarter of them is held out for judging.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub frames: usize,
    /// Folder to write. Default: beside the model, its name with -int8.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Do not quantise: judge this INT8 model instead.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "keep"])]
    pub judge: Option<PathBuf>,
    /// Most that the F1 of its boxes against the FP32 model's may be below 1.
    #[arg(long, value_name = "LOSS", default_value_t = 0.03)]
    pub max_f1_loss: f64,
    /// Most that its AP50 on the labels may be below the FP32 model's.
    #[arg(long, value_name = "LOSS", default_value_t = 0.02)]
    pub max_ap_loss: f64,
    /// Nodes of the graph whose names begin so stay FP32, besides normalisation and decoding.
    #[arg(long, value_name = "NAME")]
    pub keep: Vec<String>,
    /// Folder of the quantiser's Python environment; made if need be.
    #[arg(long, value_name = "DIR", default_value = ".setup/quantise")]
    pub env: PathBuf,
    /// The Python to make it with, 3.11 or later.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub python: String,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Quantises, judges, and keeps what is good enough.
///
/// # Errors
/// When the model, a recording, the labels or Python is at fault; [`Kind::System`] when the quantised model loses
/// more than is allowed.
pub fn run(args: &Args) -> Result<()> {
    check(args)?;
    let model = Model::load(&args.model)?;
    let (inputs, runtime) = inputs(args)?;
    let labelled = match &args.labels {
        Some(path) => labelled::load(&Labels::read(path)?, &inputs, path)?,
        None => Vec::new(),
    };
    let work = Work { args, model, inputs, runtime, labelled };
    match &args.judge {
        Some(folder) => work.judge_only(&Model::load(folder)?),
        None => work.quantise(),
    }
}

fn check(args: &Args) -> Result<()> {
    let wrong = |what: String| Err(Error::new(Kind::Usage, what));
    for (key, loss) in [("--max-f1-loss", args.max_f1_loss), ("--max-ap-loss", args.max_ap_loss)] {
        if !(0.0..=1.0).contains(&loss) {
            return wrong(format!("{key} {loss}: expected 0 to 1"));
        }
    }
    if !(MIN_FRAMES..=MAX_FRAMES).contains(&args.frames) {
        return wrong(format!("--frames {}: expected {MIN_FRAMES} to {MAX_FRAMES}", args.frames));
    }
    Ok(())
}

/// What is to be looked at, and the ONNX Runtime that a configuration names.
fn inputs(args: &Args) -> Result<(Vec<Input>, Option<PathBuf>)> {
    let mut inputs = Vec::new();
    for path in &args.from {
        match Input::at(path) {
            Some(input @ (Input::Video(_) | Input::Pictures(_))) => inputs.push(input),
            _ => {
                let what =
                    format!("--from {}: expected an .mp4 file or a folder of pictures", path.display());
                return Err(Error::new(Kind::Usage, what)
                    .help("check the path; other video formats can be turned into H.264 MP4 with ffmpeg"));
            }
        }
    }
    let (Some(config), Some(id)) = (&args.config, &args.camera) else { return Ok((inputs, None)) };
    let plan = Plan::new(&ConfigFile::read(config)?)?;
    let Some(camera) = plan.camera(id) else {
        let known: Vec<&str> = plan.cameras.iter().map(|camera| camera.id.as_str()).collect();
        let what = format!("--camera {id}: {} has no such camera", config.display());
        return Err(Error::new(Kind::Usage, what).help(format!("its cameras are {}", known.join(", "))));
    };
    inputs.push(camera.input.clone());
    Ok((inputs, plan.runtime.clone()))
}

/// One call of the command.
struct Work<'a> {
    args: &'a Args,
    model: Model,
    inputs: Vec<Input>,
    runtime: Option<PathBuf>,
    labelled: Vec<Labelled>,
}

impl Work<'_> {
    fn judge_only(&self, quantised: &Model) -> Result<()> {
        let scratch = scratch(&std::env::temp_dir())?;
        let sampled = self.sample(scratch.path())?;
        let report = self.report(quantised, &sampled, None, self.judged(quantised, &sampled)?);
        self.print(&report)?;
        verdict(&report, None)
    }

    fn quantise(&self) -> Result<()> {
        let out = self.out()?;
        let environment = Environment::set_up(&self.args.env, &self.args.python, &mut say)?;
        // Beside the target, so that what is good enough only has to be renamed.
        let beside = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(beside).map_err(|e| Error::disk(beside, "make the folder", e))?;
        let scratch = scratch(beside)?;
        let folder = scratch.path().join("model");
        fs::create_dir(&folder).map_err(|e| Error::disk(&folder, "make the folder", e))?;
        let sampled = self.sample(scratch.path())?;
        let input = &self.model.manifest.input;
        let file = int8_file(&self.model.manifest.file);
        let job = Job {
            model: self.model.weights(),
            out: folder.join(&file),
            result: scratch.path().join("result.json"),
            tensors: scratch.path().to_owned(),
            count: sampled.calibrated,
            input: input.name.clone(),
            shape: [1, 3, input.height, input.width],
            keep: self.args.keep.clone(),
        };
        let outcome = environment.quantise(&job, scratch.path(), &mut say)?;
        complete(&folder, &self.model, &file, outcome.opset, &self.provenance(&sampled))?;
        let quantised = Model::load(&folder)?;
        say("judging it");
        let judgement = self.judged(&quantised, &sampled)?;
        let report = self.report(&quantised, &sampled, Some(outcome), judgement);
        self.print(&report)?;
        let target = if report.judgement.passed { out } else { refused(&out) };
        if report.judgement.passed {
            report.save(&folder)?;
            fs::rename(&folder, &target).map_err(|e| Error::disk(&target, "write the folder", e))?;
            say(&format!("wrote {}", target.display()));
        } else {
            report.save(&target)?;
        }
        verdict(&report, Some(&target))
    }

    /// The folder to write, once it is certain that nothing is there.
    fn out(&self) -> Result<PathBuf> {
        let out = self.args.out.clone().unwrap_or_else(|| {
            self.args
                .model
                .with_file_name(int8_name(&self.args.model.file_name().unwrap_or_default().to_string_lossy()))
        });
        if fs::symlink_metadata(&out).is_ok() {
            return Err(Error::new(Kind::Usage, format!("{} is there already", out.display()))
                .help("name another folder with --out, or remove that one"));
        }
        Ok(out)
    }

    fn sample(&self, folder: &Path) -> Result<Sampled> {
        let labelled: Vec<Thumbnail> = self.labelled.iter().map(|l| Thumbnail::of(&l.frame)).collect();
        recording::sample(&self.inputs, &self.model, &labelled, self.args.frames, folder, &mut say)
    }

    fn judged(&self, quantised: &Model, sampled: &Sampled) -> Result<Judgement> {
        let bounds = Bounds { f1_loss: self.args.max_f1_loss, ap_loss: self.args.max_ap_loss };
        let runtime = self.runtime.as_deref();
        judge(&self.model, quantised, &sampled.held_out, &self.labelled, bounds, runtime)
    }

    fn sources(&self) -> Vec<String> {
        self.inputs.iter().map(|input| recording::place(input).display().to_string()).collect()
    }

    fn provenance(&self, sampled: &Sampled) -> String {
        format!(
            "quantised to INT8 by gridpatrol {} on {}, calibrated on {} frames of {}",
            env!("CARGO_PKG_VERSION"),
            Timestamp::now().strftime("%Y-%m-%d"),
            sampled.calibrated,
            self.sources().join(", ")
        )
    }

    fn report(
        &self,
        quantised: &Model,
        sampled: &Sampled,
        outcome: Option<Outcome>,
        judgement: Judgement,
    ) -> Report {
        let (reference, quantised) = (self.model.identity(), quantised.identity());
        Report {
            reference: reference.name,
            reference_sha256: reference.sha256,
            quantised: quantised.name,
            quantised_sha256: quantised.sha256,
            date: Timestamp::now(),
            sources: self.sources(),
            frames_played: sampled.played,
            frames_calibrated: outcome.map_or(0, |_| sampled.calibrated),
            nodes_kept_of: outcome.map(|outcome| (outcome.kept, outcome.nodes)),
            judgement,
        }
    }

    fn print(&self, report: &Report) -> Result<()> {
        let text = if self.args.json { report.json()? + "\n" } else { report.markdown() };
        write!(std::io::stdout().lock(), "{text}")
            .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
    }
}

/// Where the report of a model goes that was to be written to `out` and is not.
fn refused(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push("-refused");
    out.with_file_name(name)
}

fn verdict(report: &Report, kept: Option<&Path>) -> Result<()> {
    let judgement = &report.judgement;
    if judgement.passed {
        return Ok(());
    }
    let what = format!("{} is refused: {}", report.quantised, judgement.reasons.join("; "));
    let kept = kept.map_or(String::new(), |folder| format!("; the report is in {}", folder.display()));
    Err(Error::new(Kind::System, what).help(format!(
        "calibrate on more frames of the real cameras, or keep layers in FP32 with --keep{kept}"
    )))
}

fn scratch(beside: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(".calibrate-int8-")
        .tempdir_in(beside)
        .map_err(|e| Error::disk(beside, "make a folder in", e))
}

fn say(line: &str) {
    tracing::info!("{line}");
}
