//! Pictures with what their events mark on them: the zone, and the boxes of its objects. They lie over the picture and
//! can be taken off, so that nothing is hidden by them.

use maud::{Markup, html};

use super::context::Cx;
use crate::desk::model::{Marks, PictureInfo};

/// The marks of `picture`, to lie over it where it fills a box as `object-fit: cover` does.
pub(super) fn marks(picture: &PictureInfo) -> Markup {
    let Some(marks) = &picture.marks else { return html! {} };
    let (width, rows) = (f64::from(picture.width), f64::from(marks.view_height));
    let x = |side: f64| format!("{:.1}", side * width);
    let y = |side: f64| format!("{:.1}", side * rows);
    let corners: Vec<String> =
        marks.outline.iter().map(|[across, down]| format!("{},{}", x(*across), y(*down))).collect();
    html! {
        svg.marks viewBox=(format!("0 0 {} {}", picture.width, picture.height)) preserveAspectRatio="xMidYMid slice"
            aria-hidden="true" focusable="false" {
            @if !corners.is_empty() { polygon.zone points=(corners.join(" ")) {} }
            @for [left, top, right, bottom] in &marks.boxes {
                rect.object x=(x(*left)) y=(y(*top)) width=(x((right - left).max(0.0))) height=(y((bottom - top).max(0.0))) {}
            }
        }
    }
}

/// Takes the marks of all pictures of the page off and puts them on again; nothing where none has any.
pub(super) fn switch(cx: &Cx, pictures: &[PictureInfo]) -> Markup {
    let has_some = |marks: &Marks| !(marks.outline.is_empty() && marks.boxes.is_empty());
    let any = pictures.iter().any(|picture| picture.is_here && picture.marks.as_ref().is_some_and(has_some));
    html! {
        @if any {
            label.choice.small {
                input #marks type="checkbox" checked;
                (cx.t("标出区域和目标", "Mark the zone and the objects"))
            }
        }
    }
}

/// Why a picture that an event names is not there.
pub(super) fn absent(cx: &Cx, picture: &PictureInfo) -> &'static str {
    if picture.is_awaited {
        cx.t("图片传输中", "The picture is on its way")
    } else {
        cx.t("图片无法取得", "The picture cannot be had")
    }
}
