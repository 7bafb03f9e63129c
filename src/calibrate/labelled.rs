//! Labelled pictures, found in the recordings that were given.

use std::collections::BTreeMap;
use std::path::Path;

use super::average_precision::Truth;
use super::judge::Labelled;
use super::labels::{LabelledPicture, Labels, PictureName};
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Input;
use crate::source::{self, Next, PictureReader};

/// Most labelled pictures; they are all kept in memory, 3 MB each at 1080p.
const MAX_PICTURES: usize = 1000;

/// Reads the pictures of `labels`: a numbered frame from the one video of `inputs`, a file from any folder of
/// pictures among them. `path` is where the labels are, for messages.
///
/// # Errors
/// [`Kind::Usage`] when a picture is not there, there is not exactly one video for numbered frames, or there are
/// too many pictures; [`Kind::Camera`] when one cannot be read.
pub fn load(labels: &Labels, inputs: &[Input], path: &Path) -> Result<Vec<Labelled>> {
    let wrong = |what: String| Error::new(Kind::Usage, format!("the labels {}: {what}", path.display()));
    if labels.pictures.len() > MAX_PICTURES {
        let count = labels.pictures.len();
        return Err(wrong(format!("{count} pictures; at most {MAX_PICTURES} are judged on")));
    }
    let objects = |picture: &LabelledPicture| {
        let boxes = picture.boxes.iter();
        boxes
            .filter_map(|b| {
                let name = labels.classes.get(b.class)?.clone();
                Some((name, Truth { bbox: b.bbox, ignore: b.ignore }))
            })
            .collect::<Vec<_>>()
    };
    let (mut labelled, mut numbered, mut reader) = (Vec::new(), BTreeMap::new(), PictureReader::default());
    for picture in &labels.pictures {
        if let PictureName::Frame(number) = picture.picture {
            numbered.insert(number, objects(picture));
            continue;
        }
        let file = inputs.iter().find_map(|input| match input {
            Input::Pictures(folder) => picture.picture.find(folder),
            Input::Live(_) | Input::Video(_) | Input::Detections(_) => None,
        });
        let file = file.ok_or_else(|| {
            wrong(format!("the picture {} is in no folder that --from names", picture.picture))
        })?;
        let mut frame = Frame::default();
        reader.read(&file, &mut frame)?;
        labelled.push(Labelled { frame, objects: objects(picture) });
    }
    let Some(last) = numbered.keys().next_back().copied() else { return Ok(labelled) };
    let videos: Vec<&Input> = inputs.iter().filter(|input| matches!(input, Input::Video(_))).collect();
    let [video] = videos[..] else {
        let count = videos.len();
        return Err(wrong(format!("its frames are numbered, so --from must name one video, not {count}")));
    };
    let mut source = source::open(video, CaptureTime::default(), 1.0)?;
    let (mut frame, mut at) = (Frame::default(), 0);
    while at <= last && source.next(&mut frame)? == Next::Frame {
        if let Some(objects) = numbered.remove(&at) {
            labelled.push(Labelled { frame: frame.clone(), objects });
        }
        at += 1;
    }
    match numbered.keys().next() {
        Some(missing) => Err(wrong(format!("frame {missing} is labelled, but the video has {at}"))),
        None => Ok(labelled),
    }
}
