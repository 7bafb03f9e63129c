//! `gridpatrol calibrate camera`: where on the ground things are that show in a camera's picture.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;
use jiff::Timestamp;
use serde::Serialize;

use crate::calibrate::ground_file::{self, GroundFile, PictureSize};
use crate::calibrate::ground_view::{self, Marks};
use crate::calibrate::points::Points;
use crate::clock::CaptureTime;
use crate::config::ConfigFile;
use crate::detect::OnnxDetector;
use crate::detect::model::Model;
use crate::error::{Error, Kind, Result};
use crate::evidence::{self, Eyes};
use crate::frame::Frame;
use crate::place::homography::{Fit, HomographyFault};
use crate::place::{Coverage, Ground, Homography, Site, Terrain};
use crate::plan::ground::{Viewpoint, ZoneView};
use crate::source::{self, Next, PictureReader};

/// Find out where on the ground things are that show in a camera's picture.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol calibrate camera --config edge.toml --camera cam-05 --points points.csv
  gridpatrol calibrate camera --config edge.toml --camera cam-05 --points p.csv --draw v.jpg

Points are things on the ground that show in the picture and on the map: corners of markings,
manholes, posts at their foot. Four are needed, six or more show if one is wrong. Longitude and
latitude are WGS 84 or CGCS2000; those of web maps (GCJ-02, BD-09) are off by hundreds of metres.
Heads and plates are hidden in the drawing.
calibration/README.md describes the files.")]
pub struct Args {
    /// The configuration that has the camera.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The camera.
    #[arg(long, value_name = "ID")]
    pub camera: String,
    /// The points, as TOML or CSV.
    #[arg(long, value_name = "FILE")]
    pub points: PathBuf,
    /// A picture of the view, JPEG or PNG. Default: the first frame of the camera's source.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// File to write. Default: calibration/CAMERA.toml beside the configuration.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// JPEG or PNG file for the view with raster, grids, zones and points drawn over it.
    #[arg(long, value_name = "FILE")]
    pub draw: Option<PathBuf>,
    /// Largest root mean square of the residuals, in metres; nothing is written above it.
    #[arg(long, value_name = "METRES", default_value_t = 1.0)]
    pub max_error: f64,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What came out.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    file: GroundFile,
    /// Points, from 1, without which all others agree far better.
    suspects: Vec<usize>,
    /// Whether the picture shows the ground mirrored.
    mirrored: bool,
    zones: Vec<ZoneOutcome>,
    written: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn: Option<PathBuf>,
}

/// Where the ground of a zone lies.
#[derive(Debug, Serialize)]
struct ZoneOutcome {
    zone: String,
    #[serde(flatten)]
    coverage: Option<Coverage>,
    /// Why the zone cannot do without a grid of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// Fits, writes and draws.
///
/// # Errors
/// When an argument, the configuration, the points or the picture is at fault, the points disagree, or a file
/// cannot be written.
pub fn run(args: &Args) -> Result<()> {
    if args.max_error.is_nan() || args.max_error <= 0.0 {
        let what = format!("--max-error {}: expected metres above 0", args.max_error);
        return Err(Error::new(Kind::Usage, what));
    }
    let config = ConfigFile::read(&args.config)?;
    let view = Viewpoint::of(&config, &args.camera)?;
    let points = Points::read(&args.points)?;
    let frame = look(args, &view)?;
    let size = PictureSize { width: frame.width as u32, height: frame.height as u32 };
    let given = points.on(size);
    let (plane, pairs) = ground_file::pairs(points.coordinates, &given).map_err(|what| wrong(args, what))?;
    let fit = Homography::fit(&pairs).map_err(|fault: HomographyFault| wrong(args, fault))?;
    agree(args, &fit)?;
    let made = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let file = GroundFile::new(&args.camera, made, size, &plane, &given, &fit);
    let terrain = view.terrain(Ground::new(fit.homography, plane, fit.accuracy_m()))?;
    // Before anything is written: a picture that cannot be redacted must leave nothing half done.
    let picture = args.draw.as_ref().map(|_| hidden(&view, &frame)).transpose()?;
    let written = args
        .out
        .clone()
        .unwrap_or_else(|| config.resolve(Path::new("calibration")).join(format!("{}.toml", args.camera)));
    save(&written, &file)?;
    let outcome = Outcome {
        suspects: fit.suspects.iter().map(|index| index + 1).collect(),
        mirrored: given.iter().any(|point| fit.homography.is_mirrored(point.picture)),
        zones: view.zones.iter().map(|zone| zone_outcome(zone, &terrain)).collect(),
        written,
        drawn: args.draw.clone(),
        file,
    };
    if let (Some(path), Some(picture)) = (&args.draw, picture) {
        let zones: Vec<_> = view.zones.iter().map(|zone| (zone.id.clone(), zone.polygon.clone())).collect();
        let title = format!("{}, rms {:.2} m", args.camera, fit.rms_m);
        let marks = Marks { title: &title, terrain: &terrain, zones: &zones, given: &given, pairs: &pairs };
        draw(path, picture, &marks)?;
    }
    let text = if args.json {
        serde_json::to_string(&outcome)
            .map_err(|e| Error::new(Kind::System, "cannot write the result as JSON").caused_by(e))?
    } else {
        as_text(args, &outcome)
    };
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

fn wrong(args: &Args, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Usage, format!("the points {}: {what}", args.points.display()))
}

/// The view: the picture that was given, or the first frame of the camera's source.
fn look(args: &Args, view: &Viewpoint) -> Result<Frame> {
    let mut frame = Frame::default();
    if let Some(path) = &args.picture {
        PictureReader::default().read(path, &mut frame)?;
        view.mask()?.apply(&mut frame);
        return Ok(frame);
    }
    let mut source = source::open(&view.input()?, CaptureTime::default(), 1.0)
        .map_err(|e| e.help("give a picture of the view with --picture"))?;
    match source.next(&mut frame)? {
        Next::Frame => {
            view.mask()?.apply(&mut frame);
            Ok(frame)
        }
        Next::End => Err(Error::new(Kind::Camera, format!("the camera {} has no frame", args.camera))
            .help("give a picture of the view with --picture")),
    }
}

/// Refuses points that disagree.
fn agree(args: &Args, fit: &Fit) -> Result<()> {
    if fit.rms_m <= args.max_error {
        return Ok(());
    }
    let worst = (0..fit.residuals_m.len())
        .max_by(|&a, &b| fit.residuals_m[a].total_cmp(&fit.residuals_m[b]))
        .unwrap_or_default();
    let point = fit.suspects.first().copied().unwrap_or(worst) + 1;
    let why = if fit.suspects.is_empty() { "is the furthest off" } else { "fits none of the others" };
    Err(Error::new(
        Kind::Camera,
        format!(
            "the points {} disagree by {:.2} m (root mean square), more than --max-error {}; point {point} {why}",
            args.points.display(),
            fit.rms_m,
            args.max_error
        ),
    )
    .help("check that point in the picture and on the map. A lens that bends straight lines does not fit"))
}

fn zone_outcome(zone: &ZoneView, terrain: &Arc<Terrain>) -> ZoneOutcome {
    let site = Site::new(&zone.polygon, zone.grid.clone(), Some(terrain.clone()));
    let (coverage, fault) = match site {
        Ok(site) => (Some(site.coverage().clone()), None),
        Err(fault) => (None, Some(fault.to_string())),
    };
    ZoneOutcome { zone: zone.id.clone(), coverage, fault }
}

fn save(path: &Path, file: &GroundFile) -> Result<()> {
    let body = toml::to_string(file)
        .map_err(|e| Error::new(Kind::System, "cannot write the calibration as TOML").caused_by(e))?;
    let text = format!(
        "# Written by `gridpatrol calibrate camera`; calibration/README.md says what it means.\n{body}"
    );
    let folder = path.parent().unwrap_or(Path::new(""));
    let part = path.with_extension("part");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&part, text))
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|e| Error::disk(path, "write the calibration", e))
}

/// The view with heads and plates hidden; there is no other way to a picture.
fn hidden(view: &Viewpoint, frame: &Frame) -> Result<RgbImage> {
    let Some(redaction) = view.redaction()? else {
        let what = "--draw makes a picture, and pictures are off (privacy.pictures = false)";
        return Err(Error::new(Kind::Usage, what).help("leave --draw out; the calibration does without"));
    };
    let mut detector = OnnxDetector::with(&Model::load(&view.model()?)?, &view.setup)?;
    let mut eyes = Eyes::open(&redaction, &view.setup)?;
    let (redacted, _) = evidence::hide(frame, &[], &mut detector, &mut eyes)?;
    Ok(redacted.pixels().clone())
}

fn draw(path: &Path, mut picture: RgbImage, marks: &Marks<'_>) -> Result<()> {
    ground_view::draw(&mut picture, marks);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::disk(folder, "make the folder", e))?;
    }
    picture.save(path).map_err(|e| {
        Error::new(Kind::Disk, format!("cannot write the picture {}", path.display()))
            .help("give a name that ends in .jpg or .png")
            .caused_by(e)
    })
}

fn as_text(args: &Args, outcome: &Outcome) -> String {
    let file = &outcome.file;
    let count = file.point.len();
    let mut lines = vec![format!(
        "{}: {count} points on a picture of {}x{}, {} coordinates",
        file.camera, file.picture.width, file.picture.height, file.coordinates
    )];
    lines.push(format!(
        "  {:>3}  {:<24}{:>7}{:>7}{:>10}{:>12}",
        "no.", "point", "x", "y", "off", "without it"
    ));
    for (index, point) in file.point.iter().enumerate() {
        let name: String = point.name.as_deref().unwrap_or_default().chars().take(22).collect();
        let left_out = point.left_out_m.map_or("-".to_owned(), |m| format!("{m:.2} m"));
        let suspect =
            if outcome.suspects.contains(&(index + 1)) { "  <- does not fit the others" } else { "" };
        lines.push(format!(
            "  {:>3}  {name:<24}{:>7.3}{:>7.3}{:>10}{left_out:>12}{suspect}",
            index + 1,
            point.picture[0],
            point.picture[1],
            format!("{:.2} m", point.residual_m),
        ));
    }
    lines.push(match file.accuracy_m {
        Some(accuracy) => format!("rms {:.2} m, accuracy {accuracy:.2} m", file.rms_m),
        None => "Four points always fit: give six or more to find out how good this is.".to_owned(),
    });
    if outcome.mirrored {
        lines.push(
            "The picture shows the ground mirrored, as no camera sees it: are two points mixed up, or is the picture flipped?"
                .to_owned(),
        );
    }
    for zone in &outcome.zones {
        let said = match (&zone.coverage, &zone.fault) {
            (Some(coverage), _) => coverage.to_string(),
            (None, fault) => fault.clone().unwrap_or_default(),
        };
        if !said.is_empty() {
            lines.push(format!("zone {}: {said}", zone.zone));
        }
    }
    lines.push(format!("written: {}; name it as the camera's `ground`", outcome.written.display()));
    lines.extend(args.draw.iter().map(|path| format!("drawn: {}", path.display())));
    lines.join("\n")
}
