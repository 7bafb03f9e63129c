//! The door of the demo's desk: links that sign in once. It is a small server of its own beside the desk, so that the
//! desk itself has no way in but its sign-in page, in the demo as elsewhere.
//!
//! # Invariants
//! - A link opens once, and only for who was given it: 160 bits of chance (`a_link_opens_once`).
//! - It listens on loopback only; [`super::desk`] binds it there.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::desk::Desk;
use crate::error::{Error, Kind, Result};

/// A link that has not been used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) token: String,
    pub(super) login: String,
}

#[derive(Debug)]
pub(super) struct Door {
    pub(super) desk: Arc<Desk>,
    /// The links that are left.
    pub(super) keys: Mutex<Vec<Key>>,
    /// The password of all accounts of the demo.
    pub(super) password: String,
}

/// Answers on `listener` until `shutdown` resolves.
pub(super) async fn serve(
    door: Arc<Door>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let routes = Router::new().route("/{token}", get(open)).with_state(door);
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(|e| Error::new(Kind::System, "the demo's links cannot be served any more").caused_by(e))
}

async fn open(State(door): State<Arc<Door>>, method: Method, Path(token): Path<String>) -> Response {
    // Programs that only want to know what a link is ask with HEAD.
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let desk = door.desk.plan().web.public_url.clone();
    let answer = tokio::task::spawn_blocking(move || door.cookie_for(&token)).await;
    let quiet = [
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static("referrer-policy"), "no-referrer".to_owned()),
    ];
    match answer {
        Ok(Some(cookie)) => {
            let to = [(header::LOCATION, format!("{desk}/")), (header::SET_COOKIE, cookie)];
            (StatusCode::SEE_OTHER, quiet, to).into_response()
        }
        // Who comes back with a used link is signed in still, or can be with the password.
        Ok(None) => {
            (StatusCode::SEE_OTHER, quiet, [(header::LOCATION, format!("{desk}/login"))]).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Door {
    /// Takes the link with `token` and begins a session for whom it is. `None` when there is no such link (any more).
    fn cookie_for(&self, token: &str) -> Option<String> {
        let login = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let at = keys.iter().position(|key| key.token == token)?;
            keys.remove(at).login
        };
        match self.desk.sign_in(&login, &self.password, IpAddr::V4(Ipv4Addr::LOCALHOST)) {
            // As the desk's own page sets it. A cookie is for all ports of a host.
            Ok(signed) => Some(format!("desk={}; Path=/; HttpOnly; SameSite=Strict", signed.token)),
            Err(denied) => {
                tracing::warn!("The demo's link of {login} does not sign in: {denied:?}.");
                None
            }
        }
    }
}
