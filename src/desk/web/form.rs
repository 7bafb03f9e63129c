//! What people send: fields and photos, of forms with and without files, within bounds, and only with the token that
//! the form was given.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;

use super::context::{Cx, Fail};
use crate::desk::Denied;

/// Most bytes of a form without files, and of one field.
const MAX_TEXT: usize = 64 << 10;
/// Most fields and files.
const MAX_FIELDS: usize = 400;
/// How long a form may take to come.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(3);

/// A form that was sent from a page of this desk.
#[derive(Debug, Default)]
pub(super) struct Posted {
    fields: Vec<(String, String)>,
    /// The photos, in the order in which they came.
    pub(super) photos: Vec<Vec<u8>>,
}

impl Posted {
    /// The field `name`; empty where it did not come.
    pub(super) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The field `name`, if it came.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Adds a field, for a form that is filled in before it is shown.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.fields.push((name.to_owned(), value));
    }

    /// All fields `name`.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = axum::response::Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        use axum::RequestPartsExt as _;
        use axum::response::IntoResponse as _;
        let (mut parts, body) = request.into_parts();
        let cx = parts.extract::<Cx>().await?;
        let read = read(&cx, Request::from_parts(parts, body), state);
        let posted = match tokio::time::timeout(PATIENCE, read).await {
            Ok(posted) => posted,
            Err(_) => Err(Denied::invalid("", "上传超时，请重试", "The upload took too long: try again")),
        };
        posted.map_err(|denied| Fail(cx, denied).into_response())
    }
}

async fn read<S: Send + Sync>(cx: &Cx, request: Request<Body>, state: &S) -> Result<Posted, Denied> {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        let turns = if cx.session.is_some() { &cx.site.staff_uploads } else { &cx.site.public_uploads };
        let _turn = match tokio::time::timeout(TURN, turns.acquire()).await {
            Ok(Ok(turn)) => turn,
            _ => return Err(Denied::TooMany { retry_after_s: 10 }),
        };
        return read_parts(cx, request, state).await;
    }
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Denied::invalid("", "不支持的表单格式", "A form of this type is not taken"));
    }
    let bytes = to_bytes(request.into_body(), MAX_TEXT).await.map_err(|_| too_large())?;
    let mut posted = Posted::default();
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        if posted.fields.len() >= MAX_FIELDS {
            return Err(too_large());
        }
        posted.fields.push((name.into_owned(), value.into_owned()));
    }
    if !is_right(cx, posted.get("csrf")) {
        return Err(stale());
    }
    Ok(posted)
}

async fn read_parts<S: Send + Sync>(cx: &Cx, request: Request, state: &S) -> Result<Posted, Denied> {
    let mut parts = Multipart::from_request(request, state).await.map_err(|_| broken())?;
    let mut posted = Posted::default();
    let mut is_let_in = false;
    let mut count = 0;
    while let Some(mut part) = parts.next_field().await.map_err(|e| refused(&e))? {
        count += 1;
        if count > MAX_FIELDS {
            return Err(too_large());
        }
        let name = part.name().unwrap_or_default().to_owned();
        if part.file_name().is_some() {
            // The token stands first in every form, so no photo is read for a stranger.
            if !is_let_in {
                return Err(stale());
            }
            let bytes = part.bytes().await.map_err(|e| refused(&e))?;
            // A field in which no file was chosen comes as an empty one.
            if !bytes.is_empty() {
                posted.photos.push(bytes.to_vec());
            }
            continue;
        }
        let mut text = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(|e| refused(&e))? {
            if text.len() + chunk.len() > MAX_TEXT {
                return Err(too_large());
            }
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).map_err(|_| broken())?;
        if name == "csrf" {
            is_let_in = is_right(cx, &text);
            if !is_let_in {
                return Err(stale());
            }
        }
        posted.fields.push((name, text));
    }
    if is_let_in { Ok(posted) } else { Err(stale()) }
}

/// Whether `token` is that of the page, in a time that does not tell how much of it is right.
fn is_right(cx: &Cx, token: &str) -> bool {
    let (a, b) = (cx.csrf.as_bytes(), token.as_bytes());
    !a.is_empty() && a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn refused(e: &axum::extract::multipart::MultipartError) -> Denied {
    if e.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE { too_large() } else { broken() }
}

fn stale() -> Denied {
    Denied::invalid(
        "csrf",
        "页面已过期，请返回刷新后重试",
        "This page is out of date: go back, reload it and try again",
    )
}

fn too_large() -> Denied {
    Denied::invalid("size", "提交的内容太大", "What was sent is too large")
}

fn broken() -> Denied {
    Denied::invalid("", "提交的内容不完整，请重试", "What was sent is not complete: try again")
}
