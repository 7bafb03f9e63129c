//! The page's few routes and the headers that keep a browser from doing more with them than showing them.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header, uri::Authority};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::{learnt, page};
use crate::error::{Error, Kind, Result};
use crate::health::{CameraHealth, HealthBoard};
use crate::metrics::Meter;
use crate::outbox::{CaseRecord, Outbox};

/// Cases on the page.
const SHOWN: usize = 200;

/// Answers every response comes with: nothing is loaded from elsewhere, guessed at, framed or kept.
const HEADERS: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

#[derive(Clone, Debug)]
struct Site {
    outbox: Arc<Outbox>,
    evidence_dir: Arc<PathBuf>,
    title: Arc<str>,
    about: Arc<str>,
    board: HealthBoard,
    meter: Option<Arc<Meter>>,
}

/// Serves the page on `listener` until `shutdown` resolves. `evidence_dir` holds the pictures by the names that
/// the outbox lists; `title` heads the page, `about` says at its foot what the box looks with, and after it stands how
/// the cameras of `board` are doing. What `meter` counts is at `/metrics`.
///
/// # Errors
/// [`Kind::System`] when the listener fails.
pub async fn serve(
    listener: TcpListener,
    outbox: Arc<Outbox>,
    evidence_dir: PathBuf,
    (title, about): (&str, &str),
    board: HealthBoard,
    meter: Option<Arc<Meter>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let site = Site {
        outbox,
        evidence_dir: Arc::new(evidence_dir),
        title: title.into(),
        about: about.into(),
        board,
        meter,
    };
    let routes = Router::new()
        .route("/", get(list))
        .route("/cases.json", get(cases_json))
        .route("/cameras.json", get(cameras_json))
        .route("/metrics", get(metrics))
        .route("/style.css", get(style))
        .route("/picture/{file}", get(picture))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(from_fn(guard))
        .with_state(site);
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(|e| Error::new(Kind::System, "the page cannot be served any more").caused_by(e))
}

/// Refuses requests that were made to another name and adds the headers.
///
/// A page elsewhere can have its own name resolve to 127.0.0.1 and so read what a browser on this machine can
/// reach; such a request bears that name.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let mut response = match host.map(is_local) {
        Some(true) => next.run(request).await,
        _ => {
            (StatusCode::MISDIRECTED_REQUEST, "this page is for 127.0.0.1 and localhost only").into_response()
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn list(State(site): State<Site>) -> Response {
    match cases(&site).await {
        Ok(cases) => Html(page::render(&site.title, (&site.learnt(), &site.foot()), &cases)).into_response(),
        Err(e) => failed(&e),
    }
}

impl Site {
    /// What the box has learnt from verdicts and what is quiet; empty where there is none of it.
    fn learnt(&self) -> String {
        let throttle = self.meter.as_ref().and_then(|meter| meter.throttle.as_ref());
        throttle.map(|throttle| learnt::section(&throttle.borrow())).unwrap_or_default()
    }

    /// What the box looks with, and how its cameras are doing.
    fn foot(&self) -> String {
        let mut foot = self.about.to_string();
        for camera in &self.board.all() {
            let health = camera.health();
            let (zh, en) = health.state.names();
            foot += &format!(" · {} {zh} {en}", camera.camera());
            if let Some((zh, en)) = health.reason {
                // What a camera itself says comes in one language.
                let both = if zh.ends_with(&en) { zh } else { format!("{zh} {en}") };
                foot += &format!(": {both}");
            }
        }
        foot
    }
}

async fn cameras_json(State(site): State<Site>) -> Response {
    let cameras = site.board.all();
    let state = |camera: &Arc<CameraHealth>| {
        let health = camera.health();
        let (name, name_en) = health.state.names();
        let (reason, reason_en) = health.reason.unzip();
        serde_json::json!({
            "camera": camera.camera(),
            "health": {
                "state": health.state, "name": name, "name_en": name_en, "since": health.since,
                "reason": reason, "reason_en": reason_en,
            },
            "link": camera.link.state(),
            "looks": camera.sights.looks(),
            "looks_saved": camera.sights.saved(),
            "looks_unusable": camera.sights.unusable(),
        })
    };
    axum::Json(cameras.iter().map(state).collect::<Vec<_>>()).into_response()
}

async fn cases_json(State(site): State<Site>) -> Response {
    match cases(&site).await {
        Ok(cases) => axum::Json(page::json(&cases)).into_response(),
        Err(e) => failed(&e),
    }
}

/// For Prometheus; 404 where nothing is counted.
async fn metrics(State(site): State<Site>) -> Response {
    let Some(meter) = site.meter.clone() else { return StatusCode::NOT_FOUND.into_response() };
    match on_disk(&site, move |_| meter.read()).await {
        Ok(metrics) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], metrics.prometheus()).into_response()
        }
        Err(e) => failed(&e),
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE).into_response()
}

async fn picture(State(site): State<Site>, Path(file): Path<String>) -> Response {
    let name = file.clone();
    match on_disk(&site, move |outbox| outbox.lists_picture(&name)).await {
        Ok(true) => {}
        Ok(false) => return StatusCode::NOT_FOUND.into_response(),
        Err(e) => return failed(&e),
    }
    let media = if file.ends_with(".mp4") { "video/mp4" } else { "image/jpeg" };
    match tokio::fs::read(site.evidence_dir.join(file)).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, media)], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn cases(site: &Site) -> Result<Vec<CaseRecord>> {
    on_disk(site, |outbox| outbox.cases(SHOWN)).await
}

async fn on_disk<T: Send + 'static>(
    site: &Site,
    call: impl FnOnce(&Outbox) -> Result<T> + Send + 'static,
) -> Result<T> {
    let outbox = Arc::clone(&site.outbox);
    tokio::task::spawn_blocking(move || call(&outbox))
        .await
        .unwrap_or_else(|e| Err(Error::new(Kind::System, "the database thread failed").caused_by(e)))
}

fn failed(error: &Error) -> Response {
    tracing::warn!(%error, "The page cannot be shown.");
    (StatusCode::INTERNAL_SERVER_ERROR, "the database cannot be read; see the program's log").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for local in ["127.0.0.1:8642", "localhost:8642", "LOCALHOST", "[::1]:8642", "127.0.0.1"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in
            ["evil.example:8642", "192.168.1.4", "localhost.evil.example", "", "127.0.0.1.evil.example"]
        {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
