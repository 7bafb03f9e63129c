//! Close-ups of reviewed cases as a training set in COCO form, for whoever trains a detector on what this one got wrong.
//! Only what the box has kept is exported: close-ups that were redacted before they were ever written.
//!
//! # Invariants
//! - A picture is exported only if its bytes are those that were noted when it was made: its SHA-256, width and height
//!   (`a_picture_that_is_not_the_one_that_was_noted_is_left_out`).
//! - Boxes lie within their picture; ids are given from 1 in the order of the cases (tests/training_set.rs).

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};
use crate::evidence::{CropNote, MAX_BYTES};
use crate::outbox::ReviewedCase;

/// Name of the folder of pictures in a set, and of the file that says what they show.
pub const IMAGES: &str = "images";
const ANNOTATIONS: &str = "annotations.json";
const README: &str = "README.md";

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Pictures in the set.
    pub images: usize,
    /// Boxes in it.
    pub annotations: usize,
    /// The labels, in the order of their ids.
    pub categories: Vec<String>,
    /// Cases of the verdicts asked for.
    pub cases: usize,
    /// Of these: without a close-up, or of whose close-up the box has not noted what is where.
    pub without_note: usize,
    /// Of these: whose close-up is no longer kept.
    pub gone: usize,
    /// Of these: whose close-up is not the one that was noted.
    pub changed: usize,
}

#[derive(Debug, Serialize)]
struct Coco {
    info: Info,
    licenses: [License; 1],
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Debug, Serialize)]
struct Info {
    description: String,
    version: &'static str,
    year: i16,
    contributor: String,
    date_created: String,
    url: &'static str,
}

#[derive(Debug, Serialize)]
struct License {
    id: u32,
    name: &'static str,
    url: &'static str,
}

#[derive(Debug, Serialize)]
struct Image {
    id: usize,
    file_name: String,
    width: u32,
    height: u32,
    date_captured: String,
    license: u32,
    case_id: String,
    verdict: String,
    reason: String,
    reviewed: String,
    kind: String,
    camera: String,
    zone: String,
    grid: String,
    model: Option<String>,
}

#[derive(Debug, Serialize)]
struct Annotation {
    id: usize,
    image_id: usize,
    category_id: usize,
    bbox: [f32; 4],
    area: f32,
    segmentation: [[f32; 8]; 1],
    iscrowd: u8,
    score: f32,
    verdict: String,
    kind: String,
}

#[derive(Debug, Serialize)]
struct Category {
    id: usize,
    name: String,
    supercategory: &'static str,
}

/// Where a set comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// `{street}/{box}`.
    pub source: &'a str,
    /// The verdicts that were asked for.
    pub verdicts: &'a [&'a str],
    /// When it is exported.
    pub now: Timestamp,
}

/// Writes the close-ups of `cases` that lie in `evidence` into the new folder `out`, readable by this user only;
/// `progress` is told how many cases of how many are done.
///
/// # Errors
/// [`Kind::Usage`] when `out` is there and not empty, [`Kind::Disk`] when it cannot be written.
pub fn export(
    cases: &[ReviewedCase],
    evidence: &Path,
    out: &Path,
    origin: &Origin<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Result<Exported> {
    let wanted: Vec<&ReviewedCase> =
        cases.iter().filter(|case| origin.verdicts.contains(&case.verdict.as_str())).collect();
    let images = out.join(IMAGES);
    make_empty(out)?;
    make_folder(&images)?;
    let mut done = Exported { cases: wanted.len(), ..Exported::default() };
    let mut found = Vec::new();
    for (index, case) in wanted.iter().enumerate() {
        match picture(case, evidence)? {
            Found::Picture(note, jpeg) => {
                let name = format!("{}.jpg", case.case);
                write(&images.join(&name), &jpeg)?;
                found.push((*case, *note, name));
            }
            Found::NotNoted => done.without_note += 1,
            Found::Gone => done.gone += 1,
            Found::Changed => done.changed += 1,
        }
        progress(index + 1, wanted.len());
    }
    let coco = coco(&found, origin);
    done.images = coco.images.len();
    done.annotations = coco.annotations.len();
    done.categories = coco.categories.iter().map(|category| category.name.clone()).collect();
    let json = serde_json::to_vec_pretty(&coco)
        .map_err(|e| Error::new(Kind::System, "cannot write the annotations as JSON").caused_by(e))?;
    write(&out.join(README), readme(origin, &done).as_bytes())?;
    // Last, so that a set with annotations is whole.
    write(&out.join(ANNOTATIONS), &json)?;
    Ok(done)
}

enum Found {
    Picture(Box<CropNote>, Vec<u8>),
    NotNoted,
    Gone,
    Changed,
}

/// The close-up of `case`, if it is the one that was noted.
fn picture(case: &ReviewedCase, evidence: &Path) -> Result<Found> {
    let note = case.note.as_deref().and_then(|note| serde_json::from_str::<CropNote>(note).ok());
    let (Some(file), Some(note)) = (&case.file, note) else { return Ok(Found::NotNoted) };
    let path = evidence.join(file);
    // The name comes from the database; what lies there must still be a file of ours.
    let data = match path.symlink_metadata() {
        Ok(data) => data,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Gone),
        Err(e) => return Err(Error::disk(&path, "read the picture", e)),
    };
    if !data.is_file() || data.len() > MAX_BYTES as u64 {
        return Ok(Found::Changed);
    }
    let jpeg = match std::fs::read(&path) {
        Ok(jpeg) => jpeg,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Gone),
        Err(e) => return Err(Error::disk(&path, "read the picture", e)),
    };
    let sha256: String = Sha256::digest(&jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
    let size = image::ImageReader::with_format(std::io::Cursor::new(&jpeg), image::ImageFormat::Jpeg)
        .into_dimensions();
    if sha256 != note.sha256 || size.ok() != Some((note.width, note.height)) {
        return Ok(Found::Changed);
    }
    Ok(Found::Picture(Box::new(note), jpeg))
}

fn coco(found: &[(&ReviewedCase, CropNote, String)], origin: &Origin<'_>) -> Coco {
    let labels: BTreeSet<&str> =
        found.iter().flat_map(|(_, note, _)| &note.objects).map(|object| object.label.as_str()).collect();
    let labels: Vec<&str> = labels.into_iter().collect();
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    for (index, (case, note, name)) in found.iter().enumerate() {
        images.push(Image {
            id: index + 1,
            file_name: name.clone(),
            width: note.width,
            height: note.height,
            date_captured: note.captured.clone(),
            license: 1,
            case_id: case.case.clone(),
            verdict: case.verdict.clone(),
            reason: case.reason.clone(),
            reviewed: case.at.rfc3339(&jiff::tz::TimeZone::UTC),
            kind: note.kind.clone(),
            camera: note.camera.clone(),
            zone: note.zone.clone(),
            grid: note.grid.clone(),
            model: note.model.clone(),
        });
        for object in &note.objects {
            let Ok(category) = labels.binary_search(&object.label.as_str()) else { continue };
            let [x, y, w, h] = object.bbox;
            annotations.push(Annotation {
                id: annotations.len() + 1,
                image_id: index + 1,
                category_id: category + 1,
                bbox: object.bbox,
                area: w * h,
                segmentation: [[x, y, x + w, y, x + w, y + h, x, y + h]],
                iscrowd: 0,
                score: object.score,
                verdict: case.verdict.clone(),
                kind: note.kind.clone(),
            });
        }
    }
    let category = |(index, label): (usize, &&str)| Category {
        id: index + 1,
        name: (*label).to_owned(),
        supercategory: "object",
    };
    Coco {
        info: Info {
            description: format!("Reviewed close-ups of the box {}", origin.source),
            version: "1.0",
            year: jiff::tz::TimeZone::UTC.to_datetime(origin.now).year(),
            contributor: origin.source.to_owned(),
            date_created: origin.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            url: "",
        },
        licenses: [License {
            id: 1,
            name: "Pictures of public cameras: for training by their operator only",
            url: "",
        }],
        images,
        annotations,
        categories: labels.iter().enumerate().map(category).collect(),
    }
}

fn readme(origin: &Origin<'_>, done: &Exported) -> String {
    format!(
        "# Reviewed close-ups of the box {source}\n\n\
         {images} pictures with {annotations} boxes, of {cases} cases with the verdict {verdicts}, exported {now} by gridpatrol\n\
         {version}. Left out: {without_note} without a noted close-up, {gone} no longer kept, {changed} changed.\n\n\
         `annotations.json` is COCO: `bbox` is left, top, width, height in pixels of the picture in `images/`. A box is what the\n\
         detector took for an object of its category, with its `score`. The `verdict` is that of a reviewer on the case, and\n\
         the `reason` is theirs: with `rejected`, the thing may be no such object (then the picture is a negative), or be one that\n\
         is allowed there. Read the reason, or look, before a box is trained as true or as false.\n\n\
         ## Privacy 隐私\n\n\
         Heads, faces and plates were covered by blocks of one flat colour before the box wrote these pictures; nothing of what is\n\
         below can be brought back. They are still pictures of a public place: keep them where only those who train can read them,\n\
         delete them when the training is done, and do not publish them. What no model found is not covered: look before you hand on.\n\
         图片在写入前已遮挡人头、人脸和车牌，但仍是公共场所的影像：仅供训练，限定人员查看，用后删除，不得公开；遮挡可能有遗漏，交出前请人工检查。\n",
        source = origin.source,
        images = done.images,
        annotations = done.annotations,
        cases = done.cases,
        verdicts = origin.verdicts.join(" or "),
        now = origin.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        version = env!("CARGO_PKG_VERSION"),
        without_note = done.without_note,
        gone = done.gone,
        changed = done.changed,
    )
}

/// Makes `out`, or takes it if it is an empty folder.
fn make_empty(out: &Path) -> Result<()> {
    match std::fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::new(Kind::Usage, format!("{} is not empty", out.display())).help(
                "give a folder that is not there yet: a set is written whole, and nothing is overwritten",
            )),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => make_folder(out),
        Err(e) => {
            Err(Error::new(Kind::Usage, format!("{} is no folder to write to", out.display())).caused_by(e))
        }
    }
}

fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::disk(path, "make the folder of the set", e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|e| Error::disk(path, "write the set", e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CaptureTime;

    fn case(n: u32, note: Option<String>) -> ReviewedCase {
        let case = format!("01934f6e-5c1a-8b3e-9a54-{n:012x}");
        ReviewedCase {
            file: Some(format!("{case}-closeup.jpg")),
            case,
            verdict: "rejected".to_owned(),
            reason: "影子".to_owned(),
            at: CaptureTime::from_nanos(0),
            note,
        }
    }

    #[test]
    fn a_picture_that_is_not_the_one_that_was_noted_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut jpeg = Vec::new();
        let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([90, 90, 90]));
        image::codecs::jpeg::JpegEncoder::new(&mut jpeg).encode_image(&picture).unwrap();
        let note = |sha256: String| {
            let note = CropNote {
                sha256,
                width: 40,
                height: 30,
                captured: "2026-11-26T10:00:00+08:00".to_owned(),
                kind: "illegal_parking".to_owned(),
                camera: "cam-05".to_owned(),
                zone: "kerb".to_owned(),
                grid: "g".to_owned(),
                model: None,
                objects: Vec::new(),
            };
            Some(serde_json::to_string(&note).unwrap())
        };
        let right: String = Sha256::digest(&jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
        let cases = [
            case(1, note(right.clone())),
            case(2, note("0".repeat(64))),
            case(3, note(right.clone())),
            case(4, None),
            case(5, note(right)),
        ];
        for n in [0, 1, 3] {
            std::fs::write(folder.path().join(cases[n].file.as_ref().unwrap()), &jpeg).unwrap();
        }
        // A link to elsewhere is not evidence.
        let (from, to) = (&cases[0], &cases[4]);
        let path = |of: &ReviewedCase| folder.path().join(of.file.as_ref().unwrap());
        std::os::unix::fs::symlink(path(from), path(to)).unwrap();
        let out = folder.path().join("set");
        let origin = Origin { source: "1/b", verdicts: &["rejected"], now: Timestamp::UNIX_EPOCH };
        let mut steps = Vec::new();
        let done = export(&cases, folder.path(), &out, &origin, |n, of| steps.push((n, of))).unwrap();
        let expected =
            Exported { images: 1, cases: 5, without_note: 1, gone: 1, changed: 2, ..Exported::default() };
        assert_eq!(done, expected);
        assert_eq!(steps.last(), Some(&(5, 5)));
        let again = export(&cases, folder.path(), &out, &origin, |_, _| ()).unwrap_err();
        assert!(again.to_string().contains("is not empty"), "{again}");
    }
}
