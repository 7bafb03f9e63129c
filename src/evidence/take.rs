//! Takes the pictures of one event: search, redact, draw, caption, encode, in this order.
//!
//! # Invariants
//! - E1: no unredacted head or plate reaches an encoded picture.
//! - E2: if anything on the way fails there is no picture at all, and a reason instead.

use super::caption::{self, Facts};
use super::encode::encode;
use super::eyes::Eyes;
use super::redact::{Redacted, redact};
use super::render::Canvas;
use super::search::{Redactor, collect};
use super::subject::PixelRect;
use super::windows::WHOLE;
use super::{Evidence, Picture, Redaction, Role, draw};
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
    /// Everything that was detected on this look; it is hidden along with what the search finds.
    pub look: &'a [Detection],
    /// The labels of `objects` and `look`.
    pub vocabulary: &'a Vocabulary,
    /// What the caption says.
    pub facts: Facts<'a>,
}

/// Takes one picture of `frame` for each of `roles`:
///
/// - `Overview` and `First`: the whole view with zone, object boxes and caption;
/// - `After`: the same without object boxes;
/// - `Closeup`: the objects' surroundings at full resolution, unmarked. Left out when there are no objects.
///
/// `frame` must be the look that `view` speaks of. Persons and vehicles are searched once, with `detector`, on
/// the whole frame and on tiles of it: on 1920x1080 and a model of 416x416 that is 25 inferences. Then `eyes`
/// search the whole, tiles, and the surroundings of those persons and vehicles for faces and plates.
///
/// Never fails: what goes wrong becomes [`Evidence::Withheld`] and a line in the log.
pub fn take(
    frame: &Frame,
    roles: &[Role],
    view: &View<'_>,
    detector: &mut dyn Detector,
    eyes: &mut Eyes,
) -> Evidence {
    match try_take(frame, roles, view, detector, eyes) {
        Ok((pictures, redaction)) => Evidence::Taken { pictures, redaction },
        Err(error) => {
            tracing::error!(case = view.facts.case, %error, "No picture: evidence could not be redacted or encoded.");
            Evidence::Withheld { reason: error.to_string() }
        }
    }
}

fn try_take(
    frame: &Frame,
    roles: &[Role],
    view: &View<'_>,
    detector: &mut dyn Detector,
    eyes: &mut Eyes,
) -> Result<(Vec<Picture>, Redaction)> {
    let canvas = Canvas::render(frame)?;
    let mut subjects = Redactor::new(detector)?.search(frame)?;
    collect(view.look, view.vocabulary, WHOLE, &mut subjects)?;
    collect(view.objects, view.vocabulary, WHOLE, &mut subjects)?;
    eyes.search(frame, &mut subjects)?;
    let (redacted, redaction) = redact(canvas, &subjects);
    let mut pictures = Vec::with_capacity(roles.len());
    for &role in roles {
        match role {
            Role::Closeup => pictures.extend(closeup(&redacted, view)?),
            Role::First | Role::Overview => pictures.push(whole(&redacted, role, view, view.objects)?),
            Role::After => pictures.push(whole(&redacted, role, view, &[])?),
        }
    }
    Ok((pictures, redaction))
}

/// The whole view, marked and captioned.
fn whole(redacted: &Redacted, role: Role, view: &View<'_>, objects: &[Detection]) -> Result<Picture> {
    let fit = (MAX_WIDTH as f32 / redacted.pixels().width() as f32).min(1.0);
    encode(role, |scale| {
        let mut picture = redacted.scaled(scale * fit);
        draw::zone(&mut picture, view.zone);
        draw::objects(&mut picture, objects, view.vocabulary);
        caption::add(&picture, &view.facts)
    })
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
    encode(Role::Closeup, |scale| part.scaled(scale * fit)).map(Some)
}
