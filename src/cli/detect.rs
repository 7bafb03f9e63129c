//! `gridpatrol detect`: what the model sees in single pictures.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::json;

use crate::detect::model::Model;
use crate::detect::{Detection, Detector as _, OnnxDetector, Provider, Setup, Vocabulary};
use crate::error::{Error, Kind, Result};
use crate::evidence::{Canvas, draw};
use crate::frame::Frame;
use crate::source::PictureReader;

/// Detect objects in pictures.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol detect street.jpg
  gridpatrol detect *.jpg --json --draw marked

--draw writes the pictures as they are: nothing is redacted. It is a tool for whoever sets up a camera.")]
pub struct Args {
    /// JPEG or PNG pictures.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Folder of the model.
    #[arg(long, value_name = "DIR", default_value = "models/nanodet-g-416")]
    pub model: PathBuf,
    /// Execution providers, best first; the first that works is taken.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "cpu")]
    pub providers: Vec<Provider>,
    /// Least score, 0-1. Default: the model's own.
    #[arg(long, value_name = "S")]
    pub score: Option<f32>,
    /// Print one JSON object a picture.
    #[arg(long)]
    pub json: bool,
    /// Folder for copies of the pictures with the boxes drawn in.
    #[arg(long, value_name = "DIR")]
    pub draw: Option<PathBuf>,
}

/// Detects and prints.
///
/// # Errors
/// When the model or a picture is at fault.
pub fn run(args: &Args) -> Result<()> {
    if let Some(score) = args.score.filter(|score| !(0.0..=1.0).contains(score)) {
        return Err(Error::new(Kind::Usage, format!("--score {score}: expected 0 to 1")));
    }
    let mut detector = {
        let setup = Setup { providers: args.providers.clone(), ..Setup::default() };
        OnnxDetector::with(&Model::load(&args.model)?, &setup)?
    };
    let score = args.score.unwrap_or(detector.threshold());
    let mut reader = PictureReader::default();
    let mut frame = Frame::default();
    let mut detections = Vec::new();
    for path in &args.images {
        reader.read(path, &mut frame)?;
        detector.detect(&frame, score, &mut detections)?;
        detections.sort_by(|a, b| b.score.total_cmp(&a.score));
        let text = if args.json {
            as_json(path, &frame, &detections, detector.vocabulary())
        } else {
            as_text(path, &detections, detector.vocabulary())
        };
        writeln!(std::io::stdout().lock(), "{text}")
            .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))?;
        if let Some(folder) = &args.draw {
            write_marked(folder, path, &frame, &detections, detector.vocabulary())?;
        }
    }
    Ok(())
}

fn as_text(path: &Path, detections: &[Detection], vocabulary: &Vocabulary) -> String {
    let mut lines = vec![format!("{}: {} objects", path.display(), detections.len())];
    lines.extend(detections.iter().map(|d| {
        let b = d.bbox;
        let name = vocabulary.name(d.label);
        format!("  {name:<14}{:.2}  [{:.3}, {:.3}, {:.3}, {:.3}]", d.score, b.x1, b.y1, b.x2, b.y2)
    }));
    lines.join("\n")
}

fn as_json(path: &Path, frame: &Frame, detections: &[Detection], vocabulary: &Vocabulary) -> String {
    let objects: Vec<serde_json::Value> = detections
        .iter()
        .map(|d| json!({"label": vocabulary.name(d.label), "score": d.score, "box": d.bbox}))
        .collect();
    json!({
        "image": path.display().to_string(),
        "width": frame.width,
        "height": frame.height,
        "detections": objects,
    })
    .to_string()
}

fn write_marked(
    folder: &Path,
    path: &Path,
    frame: &Frame,
    detections: &[Detection],
    vocabulary: &Vocabulary,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::disk(folder, "make the folder", e))?;
    let mut marked: RgbImage = Canvas::render(frame)?.pixels().clone();
    draw::objects(&mut marked, detections, vocabulary);
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let target = folder.join(name).with_extension("png");
    marked.save(&target).map_err(|e| {
        Error::new(Kind::Disk, format!("cannot write the picture {}", target.display())).caused_by(e)
    })
}
