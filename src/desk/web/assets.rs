//! Style, script and icon: in the program, so that the desk needs nothing from elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Path of the style.
pub(super) const STYLE: &str = "/static/desk.css";
/// Path of the script.
pub(super) const SCRIPT: &str = "/static/desk.js";

pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("assets/desk.css"))
}

pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("assets/desk.js"))
}

pub(super) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("assets/icon.svg"))
}

fn asset(media: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "public, max-age=600")], text).into_response()
}
