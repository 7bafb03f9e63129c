//! From a take to a film: search every picture, hide, caption, code.

use std::sync::Arc;

use image::RgbImage;
use sha2::{Digest as _, Sha256};

use super::video::Video;
use super::{MAX_CLIP_BYTES, Take, mp4};
use crate::detect::Detector;
use crate::error::{Error, Kind, Result};
use crate::evidence::caption::{self, Facts};
use crate::evidence::redact::{counted, redact_film};
use crate::evidence::subject::Subject;
use crate::evidence::windows::WHOLE;
use crate::evidence::{Canvas, Picture, Pictures, Redaction, Role, draw};
use crate::frame::Frame;

/// Quantisers that are tried until the file fits, the best first. At 26 a street is told from its source by looking
/// twice; above 42 the blocks of the coding hide what a clip is to show.
const QUANTISERS: [u8; 5] = [26, 30, 34, 38, 42];
/// How long the last picture is shown, in milliseconds; the others are shown until the next.
const LAST_MS: u32 = 500;
/// Longest that one is shown: a camera that was away leaves a gap, and nobody waits for it.
const LONGEST_MS: u32 = 5_000;

/// A film of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The file, as [`Role::Clip`]; `captured` is the time of its first picture.
    pub picture: Picture,
    /// Pictures in it.
    pub frames: u32,
    /// How long it is, in milliseconds.
    pub duration_ms: u32,
    /// What was hidden, in the picture with the most.
    pub redaction: Redaction,
}

/// Makes the film of `take`. Persons and vehicles are searched with `detector`, faces and plates with the models of
/// `pictures`, which between two pictures of the film others may use. It costs as many searches as there are pictures;
/// `go_on` is asked before each.
///
/// # Errors
/// Why there is none: nothing was captured, redaction cannot run on one of its pictures, it does not fit
/// [`MAX_CLIP_BYTES`], or it was to stop. Then no picture of it may leave.
pub fn film(
    take: &Take,
    pictures: &Pictures,
    detector: &mut dyn Detector,
    go_on: impl Fn() -> bool,
) -> Result<Clip> {
    let (Some(first), Some(last)) = (take.frames.first(), take.frames.last()) else {
        return Err(Error::new(Kind::Camera, "the camera gave no picture in the seconds around the opening"));
    };
    // A camera whose picture changes its size in these seconds has changed its view: the later one counts.
    let same = |frame: &&Arc<Frame>| (frame.width, frame.height) == (last.width, last.height);
    let frames: Vec<&Frame> = take.frames.iter().filter(same).map(|frame| &**frame).collect();
    let first = frames.first().copied().unwrap_or(first);
    let searched = search(take, &frames, pictures, detector, go_on)?;
    let (width, view_height) = (last.width as u32, last.height as u32);
    let mut redaction = Redaction::default();
    for subjects in &searched {
        redaction.include(&counted(subjects, (width, view_height)));
    }
    // All pictures of a film are of one size; captions differ by a line where a number grows by a digit.
    let strips = frames.iter().map(|frame| with_facts(take, frame, |facts| caption::height(width, facts)));
    let strip = strips.max().unwrap_or(0);
    let strip = (view_height + strip).next_multiple_of(2) - view_height;
    let height = view_height + strip;
    let video = code(frames.len(), |n| {
        // What was found just before and just after is hidden here too.
        let around = &searched[n.saturating_sub(1)..(n + 2).min(searched.len())];
        let subjects: Vec<Subject> = around.iter().flatten().copied().collect();
        let mut view = redact_film(Canvas::render(frames[n])?, &subjects);
        draw::zone(&mut view, &take.order.zone);
        Ok(with_facts(take, frames[n], |facts| caption::add_within(&view, facts, strip)))
    })?;
    let durations = durations(&frames);
    let bytes = mp4::file(&video, (width as u16, height as u16), &durations);
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Clip {
        picture: Picture {
            role: Role::Clip,
            bytes,
            sha256,
            width,
            height,
            view_height: Some(view_height),
            captured: Some(first.captured),
            url: None,
            part: None,
        },
        frames: frames.len() as u32,
        duration_ms: durations.iter().sum(),
        redaction,
    })
}

/// What is to be hidden in each of `frames`.
fn search(
    take: &Take,
    frames: &[&Frame],
    pictures: &Pictures,
    detector: &mut dyn Detector,
    go_on: impl Fn() -> bool,
) -> Result<Vec<Vec<Subject>>> {
    let vocabulary = detector.vocabulary().clone();
    // What the case is about was seen on the look, at its full size.
    let known: Vec<Subject> =
        take.order.case.objects.iter().filter_map(|object| Subject::of(object, &vocabulary, WHOLE)).collect();
    let each = frames.iter().map(|frame| {
        if !go_on() {
            return Err(Error::new(Kind::System, "the box is stopping"));
        }
        pictures.search(frame, &known, detector)
    });
    let searched = each.collect();
    detector.rest();
    searched
}

/// The best coding of `count` pictures that fits.
fn code(count: usize, picture: impl Fn(usize) -> Result<RgbImage>) -> Result<Video> {
    // The index of 22 pictures is below two kilobytes.
    const INDEX: usize = 4096;
    for qp in QUANTISERS {
        let video = Video::code(count, &picture, qp)?;
        if video.bytes() + INDEX <= MAX_CLIP_BYTES {
            return Ok(video);
        }
    }
    Err(Error::new(Kind::System, format!("a clip does not fit into {MAX_CLIP_BYTES} bytes at any quality")))
}

/// How long each picture is shown, in milliseconds.
fn durations(frames: &[&Frame]) -> Vec<u32> {
    let until_next = frames.windows(2).map(|pair| {
        let ms = pair[1].captured.seconds_since(pair[0].captured) * 1000.0;
        (ms.round() as u32).clamp(1, LONGEST_MS)
    });
    until_next.chain([LAST_MS]).collect()
}

/// What `make` makes of what the caption of `frame` says.
fn with_facts<T>(take: &Take, frame: &Frame, make: impl FnOnce(&Facts<'_>) -> T) -> T {
    let order = &take.order;
    let time = frame.captured.rfc3339(&order.time_zone);
    make(&Facts {
        time: &time,
        camera: &order.camera_name,
        grid: order.case.grid.as_str(),
        kind_zh: &order.kind.name_zh,
        kind_en: &order.kind.name_en,
        dwell_s: frame.captured.seconds_since(order.case.first_seen).max(0.0),
        model: &order.model,
        case: order.case.id.as_str(),
    })
}
