//! Labelled pictures: what a person says is on them. Three forms are read, and each strictly:
//!
//! - COCO JSON: `images`, `annotations`, `categories`; boxes `[x, y, width, height]` in pixels; `iscrowd` boxes
//!   are to be ignored;
//! - a YOLO folder: `classes.txt` with one name a line, and for each picture `NAME.txt` with a line
//!   `class centre_x centre_y width height`, 0-1, for each box;
//! - numbered frames of one video: `class`, `width`, `height`, and `frames`, from a frame's number to its
//!   boxes `[left, top, right, bottom]` in pixels, as in this project's `tests/data/vtest_person_labels.json`.
//!
//! Everything comes out in one form, with boxes in 0-1 of the picture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::detect::BBox;
use crate::error::{Error, Kind, Result};
use crate::text_file;

/// Largest file of labels.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Largest `.txt` of a YOLO folder.
const MAX_TEXT_BYTES: u64 = 1 << 20;
/// Most pictures, and most boxes on one picture.
const MAX_PICTURES: usize = 1_000_000;
const MAX_BOXES: usize = 10_000;
/// Largest side of a picture, in pixels.
const MAX_SIDE: f64 = 65_536.0;
/// How far outside of its picture a box may reach, 0-1, before it is a mistake: annotators round.
const OUTSIDE: f32 = 0.02;
/// Names of the classes of a YOLO folder.
const CLASSES: &str = "classes.txt";

/// What people say is on pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// All classes that the labeller looked for, whether or not there is one. A detection of another class can
    /// be neither right nor wrong.
    pub classes: Vec<String>,
    /// The pictures that were labelled, those without a box included; sorted and each named once.
    pub pictures: Vec<LabelledPicture>,
}

/// One picture and all that is on it.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledPicture {
    /// Which picture.
    pub picture: PictureName,
    /// What is on it.
    pub boxes: Vec<LabelledBox>,
}

/// How a file of labels says which picture it means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PictureName {
    /// A frame of a video, from 0, in the order of showing.
    Frame(usize),
    /// A file with this path below the folder of pictures.
    File(PathBuf),
    /// A `.jpg`, `.jpeg` or `.png` file with this name before its extension.
    Stem(String),
}

/// One labelled object.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBox {
    /// Position in [`Labels::classes`].
    pub class: usize,
    /// Where it is: 0-1 of the picture.
    pub bbox: BBox,
    /// Whether finding it is neither right nor wrong: a crowd, or hidden too far to be asked for.
    pub ignore: bool,
}

impl Labels {
    /// Reads the labels at `path`: a folder in YOLO form, or a JSON file in COCO form or of numbered frames.
    ///
    /// # Errors
    /// [`Kind::Usage`] that names the file, and the line or the object at fault.
    pub fn read(path: &Path) -> Result<Self> {
        let labels = if path.is_dir() { yolo(path)? } else { json(path)? };
        if labels.pictures.is_empty() {
            return Err(wrong(path, "there is no labelled picture"));
        }
        if labels.pictures.len() > MAX_PICTURES {
            return Err(wrong(path, format!("more than {MAX_PICTURES} pictures")));
        }
        if let Some(crowded) = labels.pictures.iter().find(|picture| picture.boxes.len() > MAX_BOXES) {
            return Err(wrong(path, format!("{:?} has more than {MAX_BOXES} boxes", crowded.picture)));
        }
        Ok(labels)
    }

    /// How many boxes there are that have to be found.
    pub fn boxes(&self) -> usize {
        self.pictures.iter().flat_map(|picture| &picture.boxes).filter(|bbox| !bbox.ignore).count()
    }
}

impl PictureName {
    /// The file that this names below `folder`; `None` for a frame of a video or when there is none.
    pub fn find(&self, folder: &Path) -> Option<PathBuf> {
        match self {
            Self::Frame(_) => None,
            Self::File(path) => Some(folder.join(path)).filter(|file| file.is_file()),
            Self::Stem(stem) => ["jpg", "jpeg", "png", "JPG", "JPEG", "PNG"]
                .iter()
                .map(|extension| folder.join(format!("{stem}.{extension}")))
                .find(|file| file.is_file()),
        }
    }
}

impl std::fmt::Display for PictureName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Frame(number) => write!(f, "frame {number}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stem(stem) => f.write_str(stem),
        }
    }
}

/// The labels at `path` are not what they should be.
fn wrong(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Usage, format!("the labels {}: {what}", path.display())).help(
        "expected COCO JSON, a folder in YOLO form with classes.txt, or JSON of numbered frames; \
         calibration/README.md describes them",
    )
}

fn text(path: &Path, most: u64) -> Result<String> {
    text_file::read(path, most).map_err(|e| wrong(path, "cannot be read as text").caused_by(e))
}

/// `corners` (left, top, right, bottom, 0-1), cut to the picture.
fn inside(corners: [f64; 4]) -> std::result::Result<BBox, String> {
    let bbox = BBox::from(corners.map(|side| side as f32));
    let near = |side: f32| (-OUTSIDE..=1.0 + OUTSIDE).contains(&side);
    if <[f32; 4]>::from(bbox).into_iter().all(near) && bbox.clamped().is_sound() {
        Ok(bbox.clamped())
    } else {
        Err(format!("a box {corners:?} of the picture: expected an area inside of 0 to 1"))
    }
}

fn is_side(pixels: f64) -> bool {
    (1.0..=MAX_SIDE).contains(&pixels)
}

// --- JSON ---------------------------------------------------------------------------------------------------

/// COCO has many more keys; those that do not matter here are left alone.
#[derive(Deserialize)]
struct Coco {
    images: Vec<CocoImage>,
    annotations: Vec<CocoBox>,
    categories: Vec<CocoCategory>,
}

#[derive(Deserialize)]
struct CocoImage {
    id: u64,
    file_name: PathBuf,
    width: f64,
    height: f64,
}

#[derive(Deserialize)]
struct CocoBox {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct CocoCategory {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
struct Frames {
    class: String,
    width: f64,
    height: f64,
    frames: BTreeMap<usize, Vec<FrameBox>>,
}

#[derive(Deserialize)]
struct FrameBox {
    #[serde(rename = "box")]
    corners: [f64; 4],
    #[serde(default)]
    ignore: u8,
}

fn json(path: &Path) -> Result<Labels> {
    let text = text(path, MAX_FILE_BYTES)?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| wrong(path, format!("not JSON: {e}")))?;
    // Which form it is, is known from its keys, so that a fault is told of that form.
    if value.get("frames").is_some() {
        from_frames(path, serde_json::from_value(value).map_err(|e| wrong(path, e))?)
    } else {
        from_coco(path, serde_json::from_value(value).map_err(|e| wrong(path, e))?)
    }
}

fn from_coco(path: &Path, coco: Coco) -> Result<Labels> {
    let mut classes = Vec::new();
    let mut class_of = BTreeMap::new();
    for category in coco.categories {
        if class_of.insert(category.id, classes.len()).is_some() {
            return Err(wrong(path, format!("the category {} is there twice", category.id)));
        }
        classes.push(category.name);
    }
    let mut images: BTreeMap<u64, (CocoImage, Vec<LabelledBox>)> = BTreeMap::new();
    for image in coco.images {
        let id = image.id;
        if !is_side(image.width) || !is_side(image.height) {
            return Err(wrong(path, format!("the image {id} is {}x{}", image.width, image.height)));
        }
        let down = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
        if !image.file_name.components().all(down) {
            let name = image.file_name.display();
            return Err(wrong(path, format!("the image {id}: `{name}` leaves the folder of pictures")));
        }
        if images.insert(id, (image, Vec::new())).is_some() {
            return Err(wrong(path, format!("the image {id} is there twice")));
        }
    }
    for (at, annotation) in coco.annotations.into_iter().enumerate() {
        let CocoBox { image_id, category_id, bbox: [x, y, width, height], iscrowd } = annotation;
        let Some((image, boxes)) = images.get_mut(&image_id) else {
            return Err(wrong(
                path,
                format!("annotation {at} is on the image {image_id}, which is not there"),
            ));
        };
        let Some(&class) = class_of.get(&category_id) else {
            let what = format!("annotation {at} has the category {category_id}, which is not there");
            return Err(wrong(path, what));
        };
        let (w, h) = (image.width, image.height);
        let bbox = inside([x / w, y / h, (x + width) / w, (y + height) / h])
            .map_err(|e| wrong(path, format!("annotation {at}: {e}")))?;
        boxes.push(LabelledBox { class, bbox, ignore: iscrowd != 0 });
    }
    let named = images.into_values().map(|(image, boxes)| (PictureName::File(image.file_name), boxes));
    sorted(path, classes, named.collect())
}

fn from_frames(path: &Path, labels: Frames) -> Result<Labels> {
    let (w, h) = (labels.width, labels.height);
    if !is_side(w) || !is_side(h) {
        return Err(wrong(path, format!("the frames are {w}x{h}")));
    }
    let mut pictures = Vec::new();
    for (number, found) in labels.frames {
        let mut boxes = Vec::new();
        for FrameBox { corners: [x1, y1, x2, y2], ignore } in found {
            let bbox = inside([x1 / w, y1 / h, x2 / w, y2 / h])
                .map_err(|e| wrong(path, format!("frame {number}: {e}")))?;
            boxes.push(LabelledBox { class: 0, bbox, ignore: ignore != 0 });
        }
        pictures.push((PictureName::Frame(number), boxes));
    }
    sorted(path, vec![labels.class], pictures)
}

fn sorted(path: &Path, classes: Vec<String>, named: Vec<(PictureName, Vec<LabelledBox>)>) -> Result<Labels> {
    let mut pictures: Vec<LabelledPicture> =
        named.into_iter().map(|(picture, boxes)| LabelledPicture { picture, boxes }).collect();
    pictures.sort_by(|a, b| a.picture.cmp(&b.picture));
    if let Some(twice) = pictures.windows(2).find(|pair| pair[0].picture == pair[1].picture) {
        return Err(wrong(path, format!("{} is there twice", twice[0].picture)));
    }
    if let Some(nameless) = classes.iter().position(|name| name.trim().is_empty()) {
        return Err(wrong(path, format!("class {nameless} has no name")));
    }
    Ok(Labels { classes, pictures })
}

// --- YOLO ---------------------------------------------------------------------------------------------------

fn yolo(folder: &Path) -> Result<Labels> {
    let names = folder.join(CLASSES);
    if !names.is_file() {
        return Err(wrong(folder, format!("there is no {CLASSES} in the folder")));
    }
    let classes: Vec<String> =
        text(&names, MAX_TEXT_BYTES)?.lines().map(|name| name.trim().to_owned()).collect();
    let mut pictures = Vec::new();
    let entries = fs::read_dir(folder).map_err(|e| wrong(folder, "cannot be read").caused_by(e))?;
    for entry in entries {
        let path = entry.map_err(|e| wrong(folder, "cannot be read").caused_by(e))?.path();
        if path.extension().is_none_or(|extension| extension != "txt") || path == names {
            continue;
        }
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            return Err(wrong(&path, "the name is not UTF-8"));
        };
        let boxes = yolo_boxes(&path, classes.len())?;
        pictures.push((PictureName::Stem(stem.to_owned()), boxes));
        if pictures.len() > MAX_PICTURES {
            return Err(wrong(folder, format!("more than {MAX_PICTURES} pictures")));
        }
    }
    sorted(folder, classes, pictures)
}

fn yolo_boxes(path: &Path, classes: usize) -> Result<Vec<LabelledBox>> {
    let text = text(path, MAX_TEXT_BYTES)?;
    let mut boxes = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fault = |what: String| wrong(path, format!("line {}: {what}", at + 1));
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [class, numbers @ ..] = fields.as_slice() else { continue };
        let class = class.parse::<usize>().ok().filter(|class| *class < classes).ok_or_else(|| {
            fault(format!(
                "the class `{class}`: expected 0 to {}, as in {CLASSES}",
                classes.saturating_sub(1)
            ))
        })?;
        let numbers: Option<Vec<f64>> = numbers.iter().map(|number| number.parse().ok()).collect();
        let Some(&[x, y, width, height]) = numbers.as_deref() else {
            return Err(fault("expected `class centre_x centre_y width height`".to_owned()));
        };
        let (w, h) = (width / 2.0, height / 2.0);
        let bbox = inside([x - w, y - h, x + w, y + h]).map_err(fault)?;
        boxes.push(LabelledBox { class, bbox, ignore: false });
    }
    Ok(boxes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    const COCO: &str = r#"{"info": {}, "images": [
        {"id": 7, "file_name": "b.jpg", "width": 200, "height": 100},
        {"id": 3, "file_name": "a/a.jpg", "width": 100, "height": 100}],
      "annotations": [
        {"image_id": 7, "category_id": 9, "bbox": [20, 10, 100, 50], "area": 1, "id": 1},
        {"image_id": 7, "category_id": 2, "bbox": [0, 0, 200, 100], "iscrowd": 1}],
      "categories": [{"id": 2, "name": "person"}, {"id": 9, "name": "car"}]}"#;

    #[test]
    fn coco_boxes_come_in_shares_of_their_picture_and_crowds_are_ignored() {
        let (_folder, path) = written("labels.json", COCO);
        let labels = Labels::read(&path).unwrap();
        assert_eq!(labels.classes, ["person", "car"]);
        let [a, b] = labels.pictures.as_slice() else { panic!("{labels:?}") };
        assert_eq!((a.picture.to_string(), a.boxes.len()), ("a/a.jpg".to_owned(), 0));
        assert_eq!(b.boxes[0].bbox, BBox { x1: 0.1, y1: 0.1, x2: 0.6, y2: 0.6 });
        assert_eq!((b.boxes[0].class, b.boxes[0].ignore, b.boxes[1].ignore), (1, false, true));
        assert_eq!(labels.boxes(), 1);
    }

    #[test]
    fn the_lines_of_a_yolo_folder_are_centres_and_sizes() {
        let (folder, _) = written("classes.txt", "person\ncar\n");
        fs::write(folder.path().join("x.txt"), "1 0.5 0.5 0.2 0.4\n\n").unwrap();
        fs::write(folder.path().join("empty.txt"), "").unwrap();
        fs::write(folder.path().join("x.png"), "").unwrap();
        let labels = Labels::read(folder.path()).unwrap();
        let [empty, x] = labels.pictures.as_slice() else { panic!("{labels:?}") };
        assert!(empty.boxes.is_empty() && empty.picture.find(folder.path()).is_none());
        assert_eq!(x.picture.find(folder.path()).unwrap(), folder.path().join("x.png"));
        let b = x.boxes[0].bbox;
        for (side, wanted) in [(b.x1, 0.4), (b.y1, 0.3), (b.x2, 0.6), (b.y2, 0.7)] {
            assert!((side - wanted).abs() < 1e-6, "{b:?}");
        }
    }

    #[test]
    fn the_frames_of_the_bundled_clip_are_read() {
        let labels = Labels::read(Path::new("tests/data/vtest_person_labels.json")).unwrap();
        assert_eq!((labels.classes, labels.pictures.len()), (vec!["person".to_owned()], 12));
        assert_eq!(labels.pictures[0].picture, PictureName::Frame(30));
        assert_eq!(labels.pictures[0].boxes.iter().filter(|b| b.ignore).count(), 1);
    }

    #[test]
    fn a_fault_in_labels_is_told_with_file_and_place() {
        let change = |from: &str, to: &str| COCO.replacen(from, to, 1);
        for (text, part) in [
            ("{".to_owned(), "not JSON"),
            ("[1]".to_owned(), "labels.json"),
            (change("\"image_id\": 7", "\"image_id\": 8"), "annotation 0 is on the image 8"),
            (change("\"category_id\": 9", "\"category_id\": 1"), "category 1"),
            (change("[20, 10, 100, 50]", "[20, 10, 1000, 50]"), "annotation 0: a box"),
            (change("[20, 10, 100, 50]", "[20, 10, 0, 50]"), "annotation 0: a box"),
            (change("a/a.jpg", "../a.jpg"), "leaves the folder"),
            (change("a/a.jpg", "b.jpg"), "b.jpg is there twice"),
            (change("\"width\": 200", "\"width\": 0"), "the image 7 is 0x100"),
            (change("\"width\": 200,", ""), "missing field `width`"),
            (r#"{"class": "person", "frames": {"1": []}}"#.to_owned(), "missing field `width`"),
            (r#"{"images": [], "annotations": [], "categories": []}"#.to_owned(), "no labelled picture"),
        ] {
            let (_folder, path) = written("labels.json", &text);
            let error = Labels::read(&path).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains(part), "`{error}` does not say `{part}`");
        }
        for (line, part) in [
            ("2 0.5 0.5 0.2 0.4", "x.txt: line 1: the class `2`"),
            ("1 0.5 0.5 0.2", "expected `class centre_x"),
            ("1 0.5 0.5 0.2 0.4 0.9", "expected `class centre_x"),
            ("1 0.5 nan 0.2 0.4", "a box"),
            ("1 0.5 0.5 2 0.4", "a box"),
        ] {
            let (folder, _) = written("classes.txt", "person\ncar");
            fs::write(folder.path().join("x.txt"), line).unwrap();
            let error = Labels::read(folder.path()).unwrap_err();
            assert!(error.to_string().contains(part), "`{error}` does not say `{part}`");
        }
    }
}
