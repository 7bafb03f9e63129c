//! `gridpatrol models add`: makes a model's folder from an ONNX file. What follows from the graph is filled in,
//! what is a convention of the head is assumed and printed, and what could be either is refused with the option
//! that decides it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::detect::OnnxDetector;
use crate::detect::graph::{Element, Port, listed};
use crate::detect::heads::{Corners, HeadSpec, InputSize, Unit};
use crate::detect::model::{MANIFEST, Model, inspect_weights, read_weights};
use crate::detect::session::inspect;
use crate::error::{Error, Kind, Result};

/// What is known of the model.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ONNX file; it is copied.
    pub file: PathBuf,
    /// Text file with one label a line, in the order of the classes.
    #[arg(long)]
    pub labels: PathBuf,
    /// How the outputs are read; models/README.md describes each.
    #[arg(long, value_enum)]
    pub head: HeadKind,
    /// Name of the model. Default: the name of the file.
    #[arg(long)]
    pub name: Option<String>,
    /// SPDX expression of the weights' licence.
    #[arg(long, default_value = "LicenseRef-unknown")]
    pub licence: String,
    /// Where the weights come from, in words. Default: the path of the file.
    #[arg(long)]
    pub provenance: Option<String>,
    /// The folder of all models.
    #[arg(long, default_value = "models")]
    pub folder: PathBuf,
    /// Width and height of the input, where the graph leaves them open, as 640x640.
    #[arg(long, value_parser = size)]
    pub size: Option<InputSize>,
    /// How pixels enter the network.
    #[arg(long, value_enum)]
    pub pixels: Option<Pixels>,
    /// Order of the colour planes.
    #[arg(long, value_parser = ["rgb", "bgr"])]
    pub colour: Option<String>,
    /// How a picture of another shape is fitted in.
    #[arg(long, value_parser = ["letterbox", "stretch"])]
    pub resize: Option<String>,
    /// Which output is which, as KEY=NAME with a key of the head, such as `boxes=dets`.
    #[arg(long = "output", value_parser = pair)]
    pub outputs: Vec<(String, String)>,
    /// How many rows the outputs have at most, where the graph leaves it open.
    #[arg(long)]
    pub proposals: Option<usize>,
    /// Order of the corners of a box (head ssd).
    #[arg(long, value_enum)]
    pub corners: Option<Corners>,
    /// What corners are measured in (head ssd).
    #[arg(long, value_enum)]
    pub unit: Option<Unit>,
    /// The class number of the first label (head ssd).
    #[arg(long)]
    pub first_class: Option<u16>,
    /// Least score of a detection.
    #[arg(long, default_value_t = 0.4)]
    pub score: f32,
    /// Overlap above which the lower of two boxes is dropped.
    #[arg(long, default_value_t = 0.6)]
    pub iou: f32,
}

/// The heads by their names in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum HeadKind {
    BoxesScores,
    Yolox,
    #[value(name = "yolo_v5")]
    YoloV5,
    #[value(name = "yolo_v8")]
    YoloV8,
    EndToEnd,
    Detr,
    Ssd,
}

/// How pixels enter the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pixels {
    /// 0 to 255, as they are.
    Byte,
    /// 0 to 1.
    Unit,
    /// 0 to 1, less the mean and over the deviation of ImageNet.
    Imagenet,
}

fn size(text: &str) -> Result<InputSize, String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let (width, height) = sides.ok_or("expected WIDTHxHEIGHT, such as 640x640")?;
    Ok(InputSize { width, height })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, name) = text.split_once('=').ok_or("expected KEY=NAME, such as boxes=dets")?;
    Ok((key.to_owned(), name.to_owned()))
}

fn refused(what: impl Into<String>, option: &str) -> Error {
    Error::new(Kind::Usage, what).help(format!("say it with {option}"))
}

/// Writes the folder, opens the model once, and returns the folder and what was assumed. A folder whose model
/// does not open is removed again.
///
/// # Errors
/// [`Kind::Usage`] with the option that decides what is open; [`Kind::Model`] when the file is not sound;
/// [`Kind::Disk`] when the folder cannot be written or is there already.
pub(super) fn add(args: &Args) -> Result<(PathBuf, Vec<String>)> {
    let stem = args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or(stem);
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(sound) {
        let what = format!("`{name}` cannot name a folder: expected letters, digits, `-`, `_` and `.`");
        return Err(refused(what, "--name"));
    }
    let text =
        std::fs::read_to_string(&args.labels).map_err(|e| Error::disk(&args.labels, "read the labels", e))?;
    let labels = text.lines().filter(|line| !line.trim().is_empty()).count();
    let (bytes, sha256) = read_weights(&args.file)?;
    let opset = inspect_weights(&args.file, &bytes)?.opset;
    let (inputs, outputs) = inspect(&args.file, None)?;
    let mut draft = Draft { args, labels, outputs: &outputs, assumed: Vec::new() };
    let (input_name, input, elements) = draft.input(&inputs)?;
    let head = draft.head(input)?;
    let spec: HeadSpec =
        toml::from_str(&head).map_err(|e| Error::new(Kind::System, e.message().to_owned()))?;
    spec.check(input).map_err(|what| Error::new(Kind::Usage, format!("{}: {what}", args.file.display())))?;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let provenance = args.provenance.clone().unwrap_or_else(|| format!("added from {}", args.file.display()));
    let pixels = draft.pixels()?;
    let manifest = format!(
        "name = {}\nfile = \"model.onnx\"\nsha256 = \"{sha256}\"\nlicence = {}\nprovenance = {}\n\
         opset = {opset}\nlabels = \"labels.txt\"\n\n[input]\nname = {}\nwidth = {}\nheight = {}\n{pixels}\
         {elements}\n[head]\n{head}\n[threshold]\nscore = {}\niou = {}\n",
        quoted(&name),
        quoted(&args.licence),
        quoted(&provenance),
        quoted(&input_name),
        input.width,
        input.height,
        args.score,
        args.iou,
    );
    let folder = args.folder.join(&name);
    std::fs::create_dir_all(&args.folder).map_err(|e| Error::disk(&args.folder, "create", e))?;
    std::fs::create_dir(&folder)
        .map_err(|e| Error::disk(&folder, "create", e).help("remove it first, or choose another --name"))?;
    let written = write(&folder, &bytes, &text, &manifest)
        .and_then(|()| Model::load(&folder))
        .and_then(|model| OnnxDetector::new(&model, None, 1).map(|_| ()));
    if let Err(error) = written {
        let _ = std::fs::remove_dir_all(&folder);
        return Err(error);
    }
    Ok((folder, draft.assumed))
}

fn write(folder: &Path, weights: &[u8], labels: &str, manifest: &str) -> Result<()> {
    for (name, content) in
        [("model.onnx", weights), ("labels.txt", labels.as_bytes()), (MANIFEST, manifest.as_bytes())]
    {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|e| Error::disk(&path, "write", e))?;
    }
    Ok(())
}

struct Draft<'a> {
    args: &'a Args,
    labels: usize,
    outputs: &'a [Port],
    assumed: Vec<String>,
}

impl Draft<'_> {
    /// The name of the input, its size, and the lines on its elements and layout.
    fn input(&self, inputs: &[Port]) -> Result<(String, InputSize, &'static str)> {
        let file = self.args.file.display();
        let [Port { name, shape, element }] = inputs else {
            let what = format!("{file}: expected one input, found {}", listed(inputs));
            return Err(
                Error::new(Kind::Model, what).help("export the model with the picture as its only input")
            );
        };
        let (height, width, planes_first) = match shape[..] {
            [1 | -1, 3, height, width] => (height, width, true),
            [1 | -1, height, width, 3] => (height, width, false),
            _ => {
                let what = format!(
                    "{file}: expected an input [1, 3, height, width] or [1, height, width, 3], found {}",
                    listed(inputs)
                );
                return Err(
                    Error::new(Kind::Model, what).help("export the model with one colour picture as input")
                );
            }
        };
        let lines = match (element, planes_first) {
            (Element::Float32, true) => "dtype = \"float32\"\n",
            (Element::Float32, false) => "dtype = \"float32\"\nlayout = \"nhwc\"\n",
            (Element::Float16, true) => "dtype = \"float16\"\n",
            (Element::Float16, false) => "dtype = \"float16\"\nlayout = \"nhwc\"\n",
            (Element::Uint8, true) => "dtype = \"uint8\"\n",
            (Element::Uint8, false) => "dtype = \"uint8\"\nlayout = \"nhwc\"\n",
            (other, _) => {
                let what = format!("{file}: expected an input float32, float16 or uint8, found {other}");
                return Err(Error::new(Kind::Model, what).help("export the model with such an input"));
            }
        };
        let side = |side: i64| usize::try_from(side).ok();
        match (self.args.size, side(width), side(height)) {
            (None, Some(width), Some(height)) => Ok((name.clone(), InputSize { width, height }, lines)),
            (Some(size), ..) => Ok((name.clone(), size, lines)),
            _ => Err(refused(format!("{file}: the graph leaves the size of its input open"), "--size WxH")),
        }
    }

    /// What stands in `[input]` on pixels.
    fn pixels(&mut self) -> Result<String> {
        let (pixels, colour, resize) = match self.args.head {
            HeadKind::Yolox => (Some(Pixels::Byte), Some("bgr"), Some("letterbox")),
            HeadKind::YoloV5 | HeadKind::YoloV8 | HeadKind::EndToEnd => {
                (Some(Pixels::Unit), Some("rgb"), Some("letterbox"))
            }
            HeadKind::Detr => (None, Some("rgb"), Some("stretch")),
            HeadKind::BoxesScores | HeadKind::Ssd => (None, None, None),
        };
        let open = |what: &str, option: &str| {
            refused(format!("{what} does not follow from the graph or the head"), option)
        };
        let given = self.args.pixels;
        let pixels =
            given.or(pixels).ok_or_else(|| open("how pixels enter", "--pixels byte|unit|imagenet"))?;
        let mut choose = |given: &Option<String>, usual: Option<&str>, what: &str, option: &str| match usual {
            _ if given.is_some() => Ok(given.clone().unwrap_or_default()),
            Some(usual) => {
                self.assumed.push(format!("{what}: {usual}, as is usual for this head (else {option})"));
                Ok(usual.to_owned())
            }
            None => Err(open(what, option)),
        };
        let colour = choose(&self.args.colour, colour, "the order of colours", "--colour rgb|bgr")?;
        let resize =
            choose(&self.args.resize, resize, "how pictures are fitted in", "--resize letterbox|stretch")?;
        if given.is_none() {
            let range = if pixels == Pixels::Byte { "0 to 255" } else { "0 to 1" };
            self.assumed.push(format!("pixels: {range}, as is usual for this head (else --pixels)"));
        }
        let (scale, mean, std) = match pixels {
            Pixels::Byte => ("1.0", "[0.0, 0.0, 0.0]", "[1.0, 1.0, 1.0]"),
            Pixels::Unit => ("0.003921569", "[0.0, 0.0, 0.0]", "[1.0, 1.0, 1.0]"),
            Pixels::Imagenet if colour == "bgr" => {
                ("0.003921569", "[0.406, 0.456, 0.485]", "[0.225, 0.224, 0.229]")
            }
            Pixels::Imagenet => ("0.003921569", "[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"),
        };
        let pad = if resize == "letterbox" { "pad = 114.0\n" } else { "" };
        Ok(format!(
            "colour = \"{colour}\"\nresize = \"{resize}\"\n{pad}scale = {scale}\nmean = {mean}\nstd = {std}\n"
        ))
    }

    /// The output for the head's `key`: the one that was named, or the only one for which `fits` holds.
    fn output(&self, key: &str, expected: &str, fits: impl Fn(&Port) -> bool) -> Result<&Port> {
        let file = self.args.file.display();
        if let Some((_, name)) = self.args.outputs.iter().find(|(known, _)| known == key) {
            let named = self.outputs.iter().find(|port| port.name == *name);
            return named.ok_or_else(|| {
                Error::new(
                    Kind::Usage,
                    format!("{file} has no output `{name}`, only {}", listed(self.outputs)),
                )
            });
        }
        let mut fitting = self.outputs.iter().filter(|port| fits(port));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::new(
                Kind::Usage,
                format!("{file}: expected an output {expected}, found {}", listed(self.outputs)),
            )
            .help("choose another --head, or give the labels that the network was trained on")),
            _ => Err(refused(
                format!("{file}: more than one output could be {expected}: {}", listed(self.outputs)),
                &format!("--output {key}=NAME"),
            )),
        }
    }

    fn rows(&self, side: Option<&i64>) -> Result<usize> {
        match side.and_then(|side| usize::try_from(*side).ok()).or(self.args.proposals) {
            Some(rows) => Ok(rows),
            None => Err(refused("the graph leaves open how many rows it gives", "--proposals N")),
        }
    }

    /// What stands in `[head]`.
    fn head(&mut self, input: InputSize) -> Result<String> {
        let classes = self.labels as i64;
        let side = |port: &Port, back: usize| port.shape.iter().rev().nth(back).copied();
        let ends_in = |last: i64| move |port: &Port| port.shape.len() >= 2 && side(port, 0) == Some(last);
        let quoted = |port: &Port| toml::Value::String(port.name.clone()).to_string();
        let mut text = format!("classes = {classes}\n");
        let proposals = match self.args.head {
            HeadKind::BoxesScores => {
                let boxes = self.output("boxes", "of boxes [1, N, 4]", ends_in(4))?;
                let expected = format!("of scores [1, N, {classes}]");
                let scores = self.output("scores", &expected, ends_in(classes))?;
                let _ = write!(
                    text,
                    "kind = \"boxes_scores\"\nboxes = {}\nscores = {}\n",
                    quoted(boxes),
                    quoted(scores)
                );
                self.rows(side(boxes, 1).as_ref())?
            }
            HeadKind::Yolox | HeadKind::YoloV5 => {
                let expected = format!("[1, N, {}], 5 and one for each label", 5 + classes);
                let port = self.output("output", &expected, ends_in(5 + classes))?;
                let (kind, per_cell) = match self.args.head {
                    HeadKind::Yolox => ("yolox", 1),
                    _ => ("yolo_v5", 3),
                };
                let _ = write!(text, "kind = \"{kind}\"\noutput = {}\n", quoted(port));
                self.rows(side(port, 1).as_ref()).unwrap_or_else(|_| on_grid(input) * per_cell)
            }
            HeadKind::YoloV8 => {
                let expected = format!("[1, {}, N], 4 and one for each label", 4 + classes);
                let fits = |port: &Port| port.shape.len() >= 2 && side(port, 1) == Some(4 + classes);
                let port = self.output("output", &expected, fits)?;
                let _ = write!(text, "kind = \"yolo_v8\"\noutput = {}\n", quoted(port));
                self.rows(side(port, 0).as_ref()).unwrap_or_else(|_| on_grid(input))
            }
            HeadKind::EndToEnd => {
                let port = self.output("output", "[1, N, 6]", ends_in(6))?;
                let _ = write!(text, "kind = \"end_to_end\"\noutput = {}\n", quoted(port));
                self.rows(side(port, 1).as_ref())?
            }
            HeadKind::Detr => {
                let boxes = self.output("boxes", "of boxes [1, N, 4]", ends_in(4))?;
                let expected = format!("of logits [1, N, {classes}] or [1, N, {}]", classes + 1);
                let columns =
                    |port: &Port| side(port, 0).is_some_and(|last| last == classes || last == classes + 1);
                let logits =
                    self.output("logits", &expected, |port| columns(port) && port.name != boxes.name)?;
                let scores = if side(logits, 0) == Some(classes) { "sigmoid" } else { "softmax" };
                let _ = write!(
                    text,
                    "kind = \"detr\"\nlogits = {}\nboxes = {}\nscores = \"{scores}\"\n",
                    quoted(logits),
                    quoted(boxes)
                );
                self.rows(side(boxes, 1).as_ref())?
            }
            HeadKind::Ssd => {
                let named = |port: &Port, words: [&str; 2]| {
                    let name = port.name.to_lowercase();
                    words.iter().any(|word| name.contains(word))
                };
                let boxes = self.output("boxes", "of boxes [1, N, 4]", ends_in(4))?;
                let ids =
                    self.output("class_ids", "of class numbers", |port| named(port, ["class", "label"]))?;
                let scores = self.output("scores", "of scores", |port| named(port, ["score", "conf"]))?;
                let count = self.output("count", "of a count", |port| named(port, ["num", "count"])).ok();
                let corners = match self.args.corners {
                    Some(Corners::Xyxy) => "xyxy",
                    Some(Corners::Yxyx) => "yxyx",
                    None => {
                        return Err(refused(
                            "the graph does not say in which order corners stand",
                            "--corners xyxy|yxyx",
                        ));
                    }
                };
                let unit = match self.args.unit {
                    Some(Unit::Normalised) => "normalised",
                    Some(Unit::Pixels) => "pixels",
                    None => {
                        return Err(refused(
                            "the graph does not say what corners are measured in",
                            "--unit normalised|pixels",
                        ));
                    }
                };
                let Some(first) = self.args.first_class else {
                    let what = "the graph does not say whether class 0 is the first label or the background";
                    return Err(refused(what, "--first-class 0|1"));
                };
                let _ = write!(
                    text,
                    "kind = \"ssd\"\nboxes = {}\nclass_ids = {}\nscores = {}\ncorners = \"{corners}\"\n\
                     unit = \"{unit}\"\nfirst_class = {first}\n",
                    quoted(boxes),
                    quoted(ids),
                    quoted(scores)
                );
                if let Some(count) = count {
                    let _ = writeln!(text, "count = {}", quoted(count));
                }
                self.rows(side(boxes, 1).as_ref())?
            }
        };
        let _ = writeln!(text, "proposals = {proposals}");
        let found: Vec<&str> = text.lines().collect();
        self.assumed.push(format!("the head: {}", found.join(", ")));
        Ok(text)
    }
}

/// Cells of the usual three levels.
fn on_grid(input: InputSize) -> usize {
    [8, 16, 32].iter().map(|stride| (input.width / stride) * (input.height / stride)).sum()
}
