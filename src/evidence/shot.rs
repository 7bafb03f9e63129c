//! Takes the pictures of all cases of one look: search and redact once, then draw, caption, encode for each case.
//!
//! # Invariants
//! - E1: no unredacted head or plate reaches an encoded picture.
//! - E2: if anything on the way fails there is no picture at all, and a reason instead.

use image::RgbImage;

use super::caption::{self, Facts};
use super::encode::encode;
use super::eyes::Eyes;
use super::redact::scaled;
use super::redact::{Redacted, redact};
use super::render::Canvas;
use super::search::{Redactor, collect};
use super::subject::{PixelRect, Subject};
use super::windows::WHOLE;
use super::{Evidence, FirstView, Part, Picture, Redaction, Role, draw};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection, Detector, Vocabulary};
use crate::error::Result;
use crate::frame::Frame;
use crate::place::Polygon;

/// Widest picture, in pixels. Wider ones are scaled down.
pub const MAX_WIDTH: u32 = 1920;
/// What a close-up shows around its object, as a share of the object's width and height on each side.
const CLOSEUP_MARGIN: f32 = 0.25;

/// What the pictures of one event are to show.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The zone of the case.
    pub zone: &'a Polygon,
    /// The objects of the case.
    pub objects: &'a [Detection],
    /// The labels of `objects`.
    pub vocabulary: &'a Vocabulary,
    /// What the caption says.
    pub facts: Facts<'a>,
}

/// One frame with everything hidden that must not be seen. All cases of a look have their pictures from one shot:
/// the search is what takes time.
#[derive(Debug)]
pub struct Shot {
    /// The redacted frame, or why there is none.
    outcome: std::result::Result<(Redacted, Redaction), String>,
}

impl Shot {
    /// Searches `frame` and hides what is found.
    ///
    /// Persons and vehicles are searched with `detector` on the whole frame and on tiles of it: on 1920x1080 and
    /// a model of 416x416 that is 25 inferences. What the look has `seen`, the objects of its cases among it, is
    /// hidden too; `seen` has the labels of `vocabulary`. Then `eyes` search the whole, tiles, and the
    /// surroundings of all those persons and vehicles for faces and plates.
    ///
    /// Never fails: what goes wrong is a line in the log, and the reason why no picture leaves.
    pub fn take<'a>(
        frame: &Frame,
        seen: impl IntoIterator<Item = &'a [Detection]>,
        vocabulary: &Vocabulary,
        detector: &mut dyn Detector,
        eyes: &mut Eyes,
    ) -> Self {
        let outcome = try_take(frame, seen, vocabulary, detector, eyes).map_err(|error| {
            tracing::error!(%error, "No picture: evidence could not be redacted.");
            error.to_string()
        });
        Self { outcome }
    }

    /// A shot that was not taken.
    pub(super) fn withheld(reason: &str) -> Self {
        Self { outcome: Err(reason.to_owned()) }
    }

    /// One picture for each of `roles`:
    ///
    /// - `Overview` and `First`: the whole view with zone, object boxes and caption;
    /// - `After`: the same without object boxes;
    /// - `Closeup`: the objects' surroundings at full resolution, unmarked. Left out when there are no objects.
    ///
    /// `view` must be of the look that the shot was taken of. Never fails: what goes wrong becomes
    /// [`Evidence::Withheld`] and a line in the log.
    pub fn pictures(&self, roles: &[Role], view: &View<'_>) -> Evidence {
        let (redacted, redaction) = match &self.outcome {
            Ok(taken) => taken,
            Err(reason) => return Evidence::Withheld { reason: reason.clone() },
        };
        match compose(redacted, roles, view) {
            Ok(pictures) => Evidence::Taken { pictures, redaction: *redaction },
            Err(error) => {
                tracing::error!(case = view.facts.case, %error, "No picture: evidence could not be encoded.");
                Evidence::Withheld { reason: error.to_string() }
            }
        }
    }

    /// The redacted view as it is kept until a case opens in it; `None` when it could not be redacted or encoded,
    /// which is a line in the log.
    pub fn keep(&self, at: CaptureTime) -> Option<FirstView> {
        match self.plain() {
            Evidence::Taken { pictures, redaction } => {
                let jpeg = pictures.into_iter().next()?.bytes;
                Some(FirstView { at, jpeg, redaction })
            }
            Evidence::Withheld { .. } | Evidence::NoView => None,
        }
    }

    /// The whole view, without marks and caption. Never fails: what goes wrong becomes [`Evidence::Withheld`] and a
    /// line in the log.
    pub fn plain(&self) -> Evidence {
        let (redacted, redaction) = match &self.outcome {
            Ok(taken) => taken,
            Err(reason) => return Evidence::Withheld { reason: reason.clone() },
        };
        let fit = (MAX_WIDTH as f32 / redacted.pixels().width() as f32).min(1.0);
        match encode(Role::Overview, |scale| {
            let view = redacted.scaled(scale * fit);
            let height = view.height();
            (view, Some(height))
        }) {
            Ok(picture) => Evidence::Taken { pictures: vec![picture], redaction: *redaction },
            Err(error) => {
                tracing::error!(%error, "No picture: a snapshot could not be encoded.");
                Evidence::Withheld { reason: error.to_string() }
            }
        }
    }
}

/// The picture of a kept `first` view, marked and captioned as `view` says. `None`, with a line in the log, when it
/// cannot be made.
pub fn first_picture(first: &FirstView, view: &View<'_>) -> Option<Picture> {
    let made = first.picture().and_then(|kept| {
        encode(Role::First, |scale| {
            let mut picture = scaled(&kept, scale);
            draw::zone(&mut picture, view.zone);
            draw::objects(&mut picture, view.objects, view.vocabulary);
            captioned(&picture, &view.facts)
        })
    });
    match made {
        Ok(picture) => Some(Picture { captured: Some(first.at), ..picture }),
        Err(error) => {
            tracing::error!(case = view.facts.case, %error, "No first view: it could not be encoded.");
            None
        }
    }
}

fn try_take<'a>(
    frame: &Frame,
    seen: impl IntoIterator<Item = &'a [Detection]>,
    vocabulary: &Vocabulary,
    detector: &mut dyn Detector,
    eyes: &mut Eyes,
) -> Result<(Redacted, Redaction)> {
    let mut known = Vec::new();
    for detections in seen {
        collect(detections, vocabulary, WHOLE, &mut known)?;
    }
    hide(frame, &known, detector, eyes)
}

/// `frame` with everyone hidden that `detector` and `eyes` find, and those who are `known`.
///
/// # Errors
/// When anything on the way fails: there is no picture then.
pub fn hide(
    frame: &Frame,
    known: &[Subject],
    detector: &mut dyn Detector,
    eyes: &mut Eyes,
) -> Result<(Redacted, Redaction)> {
    let canvas = Canvas::render(frame)?;
    let mut subjects = Redactor::new(detector)?.search(frame)?;
    subjects.extend_from_slice(known);
    eyes.search(frame, &mut subjects)?;
    Ok(redact(canvas, &subjects))
}

fn compose(redacted: &Redacted, roles: &[Role], view: &View<'_>) -> Result<Vec<Picture>> {
    let mut pictures = Vec::with_capacity(roles.len());
    for &role in roles {
        match role {
            Role::Closeup => pictures.extend(closeup(redacted, view)?),
            Role::First | Role::Overview => pictures.push(whole(redacted, role, view, view.objects)?),
            Role::After => pictures.push(whole(redacted, role, view, &[])?),
            // Made of many frames, by `clip`.
            Role::Clip => {}
        }
    }
    Ok(pictures)
}

/// The whole view, marked and captioned.
fn whole(redacted: &Redacted, role: Role, view: &View<'_>, objects: &[Detection]) -> Result<Picture> {
    let fit = (MAX_WIDTH as f32 / redacted.pixels().width() as f32).min(1.0);
    encode(role, |scale| {
        let mut picture = redacted.scaled(scale * fit);
        draw::zone(&mut picture, view.zone);
        draw::objects(&mut picture, objects, view.vocabulary);
        captioned(&picture, &view.facts)
    })
}

/// The whole view with its caption below, and how many rows it has itself.
fn captioned(view: &RgbImage, facts: &Facts<'_>) -> (RgbImage, Option<u32>) {
    (caption::add(view, facts), Some(view.height()))
}

/// The surroundings of all objects of the case.
fn closeup(redacted: &Redacted, view: &View<'_>) -> Result<Option<Picture>> {
    let sound = view.objects.iter().map(|object| object.bbox.clamped()).filter(BBox::is_sound);
    let Some(around) = sound.reduce(|a, b| BBox {
        x1: a.x1.min(b.x1),
        y1: a.y1.min(b.y1),
        x2: a.x2.max(b.x2),
        y2: a.y2.max(b.y2),
    }) else {
        return Ok(None);
    };
    let (width, height) = redacted.pixels().dimensions();
    let (dx, dy) = (CLOSEUP_MARGIN * around.width(), CLOSEUP_MARGIN * around.height());
    let low = |v: f32, side: u32| ((v.max(0.0) * side as f32) as u32).min(side - 1);
    let high = |v: f32, side: u32| ((v * side as f32).ceil() as u32).min(side);
    let (x1, y1) = (low(around.x1 - dx, width), low(around.y1 - dy, height));
    let rect = PixelRect {
        x1,
        y1,
        x2: high(around.x2 + dx, width).max(x1 + 1),
        y2: high(around.y2 + dy, height).max(y1 + 1),
    };
    let part = redacted.cropped(rect);
    let fit = (MAX_WIDTH as f32 / part.pixels().width() as f32).min(1.0);
    let picture = encode(Role::Closeup, |scale| (part.scaled(scale * fit), None))?;
    Ok(Some(Picture { part: Some(Part { rect, width, height }), ..picture }))
}
