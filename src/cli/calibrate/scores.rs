//! `gridpatrol calibrate scores`: what a model's scores are worth on labelled pictures, and with `--report`, what
//! verdicts have taught a box (`lessons`).

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::calibrate::diagram::{self, Panel};
use crate::calibrate::labels::{LabelledPicture, Labels, PictureName};
use crate::calibrate::score_file::{CurveKind, FittedClass, FittedModel, Sample, ScoreFile, VERSION};
use crate::calibrate::scores::{self, Example, Fitted, MATCH_IOU, Method, Object, Wanted};
use crate::case::catalog::CATALOG;
use crate::clock::CaptureTime;
use crate::detect::score_map::Curve;
use crate::detect::{Detection, Detector as _, Label, OnnxDetector};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Input;
use crate::source::{self, Next, PictureReader};

/// Least raw score of a detection that is judged. Below it there are hundreds on every picture, and no rule
/// makes use of them.
const LEAST_SCORE: f32 = 0.05;

/// Fit, per class, a map from raw score to probability, and recommend thresholds; or report what verdicts have taught.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol calibrate scores --labels labels.json --pictures photos --diagram reliability.png
  gridpatrol calibrate scores --labels tests/data/vtest_person_labels.json --input tests/media/vtest.mp4 \\
      --out calibration/campus.toml
  gridpatrol calibrate scores --report --config edge.toml

Then, in the configuration:  model.scores = \"calibration/campus.toml\"
The map belongs to the weights that it was fitted on; another model refuses it. A class with too few
detections, or whose map does not help on pictures that it has not seen, gets none, and that is said.

--report says for each camera and kind what reviewers' verdicts have taught the box, what is held back for it and
how to undo that. The box may be running; nothing of it is changed.")]
pub struct Args {
    /// Folder of the model.
    #[arg(long, value_name = "DIR", default_value = "models/nanodet-g-416")]
    pub model: PathBuf,
    /// What is on the pictures: COCO JSON, a folder in YOLO form, or JSON of numbered frames.
    #[arg(long, value_name = "PATH", required_unless_present = "report")]
    pub labels: Option<PathBuf>,
    /// Folder of the labelled pictures.
    #[arg(long, value_name = "DIR", conflicts_with = "input", required_unless_present_any = ["input", "report"])]
    pub pictures: Option<PathBuf>,
    /// The video whose frames are labelled by number.
    #[arg(long, value_name = "VIDEO")]
    pub input: Option<PathBuf>,
    /// How to fit. `auto` is Platt below 200 detections of a class, isotonic from there.
    #[arg(long, value_enum, default_value = "auto")]
    pub method: Method,
    /// Precision that a recommended threshold has to reach, 0-1.
    #[arg(long, value_name = "P", default_value_t = 0.8)]
    pub precision: f64,
    /// Recall that it has to keep, 0-1.
    #[arg(long, value_name = "R", default_value_t = 0.5)]
    pub min_recall: f64,
    /// File to write the map to. Default: none, only the report.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// PNG file for the reliability diagram.
    #[arg(long, value_name = "FILE")]
    pub diagram: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Report what verdicts have taught the box of --config instead.
    #[arg(long, requires = "config", conflicts_with_all = ["labels", "pictures", "input", "out", "diagram"])]
    pub report: bool,
    /// The box's configuration, for --report.
    #[arg(long, value_name = "FILE", requires = "report")]
    pub config: Option<PathBuf>,
}

/// The examples of one class, picture by picture, and how many objects there were to find.
#[derive(Default)]
struct Class {
    pictures: Vec<Vec<Example>>,
    objects: usize,
}

/// Fits, judges, and writes what was asked for.
///
/// # Errors
/// When an argument, the labels, the model or a picture is at fault, or a file cannot be written.
pub fn run(args: &Args) -> Result<()> {
    if let (true, Some(config)) = (args.report, &args.config) {
        return print(&super::lessons::run(config, args.json)?);
    }
    let Some(path) = &args.labels else {
        return Err(Error::new(Kind::Usage, "--labels is missing"));
    };
    for (name, value) in [("precision", args.precision), ("min-recall", args.min_recall)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::new(Kind::Usage, format!("--{name} {value}: expected 0 to 1")));
        }
    }
    let labels = Labels::read(path)?;
    let mut detector = OnnxDetector::open(&args.model, None, 1)?;
    let classes = judge(args, (path, &labels), &mut detector)?;
    let wanted = Wanted { precision: args.precision, min_recall: args.min_recall };
    let (mut fitted, mut left_out) = (BTreeMap::new(), BTreeMap::new());
    for (label, class) in &classes {
        match scores::fit_class(&class.pictures, class.objects, args.method, wanted) {
            Ok(fit) => {
                fitted.insert(label.clone(), fit);
            }
            Err(reason) => {
                left_out.insert(label.clone(), reason);
            }
        }
    }
    let identity = detector.identity();
    let file = ScoreFile {
        version: VERSION,
        model: FittedModel { name: identity.name.clone(), sha256: identity.sha256.clone() },
        sample: Sample {
            made: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            labels: path.display().to_string(),
            pictures: labels.pictures.len(),
            boxes: labels.boxes(),
            least_score: LEAST_SCORE,
            iou: MATCH_IOU,
            precision: args.precision,
            min_recall: args.min_recall,
        },
        class: fitted.iter().map(|(label, fit)| (label.clone(), of_class(&classes[label], fit))).collect(),
        left_out,
    };
    if let Some(path) = &args.out {
        save(path, &file)?;
    }
    if let Some(path) = &args.diagram {
        draw(path, &classes, &fitted)?;
    }
    let text = if args.json { as_json(&file)? } else { as_text(args, &file) };
    print(&text)
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

/// Runs the detector over every labelled picture and sorts its detections into right and wrong, by label.
fn judge(
    args: &Args,
    (path, labels): (&Path, &Labels),
    detector: &mut OnnxDetector,
) -> Result<BTreeMap<String, Class>> {
    let vocabulary = detector.vocabulary().clone();
    let groups: Vec<&str> = labels.classes.iter().map(|name| CATALOG.group(name)).collect();
    let group_of = |label: Label| {
        let group = CATALOG.group(vocabulary.name(label));
        groups.iter().position(|known| *known == group)
    };
    let known = vocabulary.names().iter().any(|name| groups.contains(&CATALOG.group(name)));
    if !known {
        return Err(Error::new(
            Kind::Usage,
            format!(
                "the labels {}: the model {} knows none of their classes: {}",
                path.display(),
                detector.identity().name,
                labels.classes.join(", ")
            ),
        )
        .help("name the classes as the model's labels file does"));
    }
    let mut classes: BTreeMap<String, Class> = BTreeMap::new();
    for bbox in labels.pictures.iter().flat_map(|picture| &picture.boxes).filter(|bbox| !bbox.ignore) {
        // An object is looked for under the name it was given: recall is of that class.
        let name = labels.classes.get(bbox.class).map(String::as_str).unwrap_or_default();
        if vocabulary.find(name).is_some() {
            classes.entry(name.to_owned()).or_default().objects += 1;
        }
    }
    let (mut detections, mut done) = (Vec::new(), 0);
    let mut pictures = Pictures::open(args, (path, labels))?;
    let mut frame = Frame::default();
    while let Some(picture) = pictures.next(&mut frame)? {
        detector.detect(&frame, LEAST_SCORE, &mut detections)?;
        let objects: Vec<Object> = picture.boxes.iter().map(|b| object(&groups, b)).collect();
        let mut here: BTreeMap<Label, Vec<Example>> = BTreeMap::new();
        for (label, example) in scores::matched(&detections as &Vec<Detection>, &objects, group_of) {
            here.entry(label).or_default().push(example);
        }
        for (label, examples) in here {
            classes.entry(vocabulary.name(label).to_owned()).or_default().pictures.push(examples);
        }
        done += 1;
        progress(done, labels.pictures.len());
    }
    Ok(classes)
}

fn object(groups: &[&str], labelled: &crate::calibrate::labels::LabelledBox) -> Object {
    let name = groups.get(labelled.class);
    let group = groups.iter().position(|known| Some(known) == name).unwrap_or(usize::MAX);
    Object { group, bbox: labelled.bbox, ignore: labelled.ignore }
}

/// The labelled pictures, one after the other.
enum Pictures<'a> {
    Files {
        folder: &'a Path,
        left: std::slice::Iter<'a, LabelledPicture>,
        reader: Box<PictureReader>,
    },
    Frames {
        video: &'a Path,
        source: Box<dyn source::Source>,
        at: usize,
        left: std::slice::Iter<'a, LabelledPicture>,
    },
}

impl<'a> Pictures<'a> {
    fn open(args: &'a Args, (path, labels): (&Path, &'a Labels)) -> Result<Self> {
        let wrong = |what: &str, help: &str| {
            Err(Error::new(Kind::Usage, format!("the labels {} {what}", path.display())).help(help))
        };
        let numbered = labels.pictures.iter().filter(|p| matches!(p.picture, PictureName::Frame(_))).count();
        let left = labels.pictures.iter();
        match (&args.pictures, &args.input) {
            (Some(folder), _) if numbered == 0 => Ok(Self::Files { folder, left, reader: Box::default() }),
            (None, Some(video)) if numbered == labels.pictures.len() => {
                let input = Input::Video(video.clone());
                let source = source::open(&input, CaptureTime::default(), 1.0)?;
                Ok(Self::Frames { video, source, at: 0, left })
            }
            (Some(_), _) => wrong("number the frames of a video", "give the video with --input"),
            _ => wrong("name pictures, not frames", "give their folder with --pictures"),
        }
    }

    /// Reads the next labelled picture into `frame`.
    fn next(&mut self, frame: &mut Frame) -> Result<Option<&'a LabelledPicture>> {
        match self {
            Self::Files { folder, left, reader } => {
                let Some(picture) = left.next() else { return Ok(None) };
                let Some(path) = picture.picture.find(folder) else {
                    let what = format!("there is no picture {} in {}", picture.picture, folder.display());
                    return Err(
                        Error::new(Kind::Usage, what).help("give the folder of the labelled pictures")
                    );
                };
                reader.read(&path, frame)?;
                Ok(Some(picture))
            }
            Self::Frames { video, source, at, left } => {
                let Some(picture) = left.next() else { return Ok(None) };
                while source.next(frame)? == Next::Frame {
                    if source.skipped() > 0 {
                        let what = format!(
                            "{}: a frame cannot be decoded, so numbers do not count",
                            video.display()
                        );
                        return Err(Error::new(Kind::Camera, what).help("label pictures instead"));
                    }
                    *at += 1;
                    if picture.picture == PictureName::Frame(*at - 1) {
                        return Ok(Some(picture));
                    }
                }
                let what = format!("{} has {at} frames; {} is labelled", video.display(), picture.picture);
                Err(Error::new(Kind::Usage, what).help("give the video that the labels are of"))
            }
        }
    }
}

fn progress(done: usize, of: usize) {
    let mut stderr = std::io::stderr().lock();
    if stderr.is_terminal() {
        // A courtesy: a terminal that has gone away is no reason to stop.
        let _ = write!(stderr, "\r{done} of {of} pictures{}", if done == of { "\n" } else { "  " });
    }
}

fn of_class(class: &Class, fit: &Fitted) -> FittedClass {
    let (slope, offset, points) = match &fit.curve {
        Curve::Sigmoid { slope, offset } => (Some(*slope), Some(*offset), None),
        Curve::Points(points) => (None, None, Some(points.clone())),
    };
    let examples = || class.pictures.iter().flatten();
    FittedClass {
        method: if points.is_some() { CurveKind::Isotonic } else { CurveKind::Platt },
        slope,
        offset,
        points,
        threshold: fit.threshold.met.then_some(fit.threshold.probability),
        precision: fit.threshold.precision,
        recall: fit.threshold.recall,
        detections: examples().count(),
        right: examples().filter(|example| example.right).count(),
        folds: fit.folds,
        ece_before: fit.before.ece,
        ece_after: fit.after.ece,
        brier_before: fit.before.brier,
        brier_after: fit.after.brier,
    }
}

fn save(path: &Path, file: &ScoreFile) -> Result<()> {
    let body = toml::to_string(file)
        .map_err(|e| Error::new(Kind::System, "cannot write the score map as TOML").caused_by(e))?;
    let text = format!(
        "# Written by `gridpatrol calibrate scores`; calibration/README.md says what it means.\n{body}"
    );
    let folder = path.parent().unwrap_or(Path::new(""));
    let part = path.with_extension("part");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&part, text))
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|e| Error::disk(path, "write the score map", e))
}

fn draw(path: &Path, classes: &BTreeMap<String, Class>, fitted: &BTreeMap<String, Fitted>) -> Result<()> {
    if fitted.is_empty() {
        let what = format!("there is nothing to draw in {}: no class got a map", path.display());
        tracing::warn!("{what}");
        return Ok(());
    }
    let raw: BTreeMap<&str, Vec<Example>> = fitted
        .keys()
        .map(|label| (label.as_str(), classes[label].pictures.iter().flatten().copied().collect()))
        .collect();
    let panels: Vec<Panel<'_>> =
        fitted.iter().map(|(label, fitted)| Panel { label, raw: &raw[label.as_str()], fitted }).collect();
    diagram::draw(&panels).save_with_format(path, image::ImageFormat::Png).map_err(|e| {
        Error::new(Kind::Disk, format!("cannot write the diagram {}", path.display())).caused_by(e)
    })
}

fn as_json(file: &ScoreFile) -> Result<String> {
    serde_json::to_string(file)
        .map_err(|e| Error::new(Kind::System, "cannot write the result as JSON").caused_by(e))
}

fn as_text(args: &Args, file: &ScoreFile) -> String {
    let sample = &file.sample;
    let mut lines =
        vec![format!("{}: {} pictures, {} objects", file.model.name, sample.pictures, sample.boxes)];
    for (label, class) in &file.class {
        let how = match class.method {
            CurveKind::Isotonic => "isotonic",
            CurveKind::Platt => "Platt",
        };
        lines.push(format!(
            "  {label}: {how}, {} detections, {} right; ECE {:.3} to {:.3}, Brier {:.3} to {:.3} on unseen pictures",
            class.detections, class.right, class.ece_before, class.ece_after, class.brier_before, class.brier_after
        ));
        let figures = format!("precision {:.3}, recall {:.3}", class.precision, class.recall);
        lines.push(match class.threshold {
            Some(threshold) => format!("    recommended least probability {threshold:.4}: {figures}"),
            None => format!(
                "    no threshold reaches precision {} with recall {}; the best gives {figures}",
                sample.precision, sample.min_recall
            ),
        });
    }
    lines.extend(file.left_out.iter().map(|(label, reason)| format!("  {label}: no map. {reason}")));
    lines.extend(args.out.iter().map(|path| format!("written: {}", path.display())));
    lines.extend(
        args.diagram
            .iter()
            .filter(|_| !file.class.is_empty())
            .map(|path| format!("drawn: {}", path.display())),
    );
    lines.join("\n")
}
