//! Changes as they happen, for pages that are open (server-sent events). What comes names a case and its version only;
//! the page asks for what it shows anew, as who is signed in.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::Instant;

use super::context::{Cx, Reply};
use crate::desk::Denied;

/// After this the browser asks anew, so that somebody whose account was closed does not listen on.
const TURN: Duration = Duration::from_secs(300);
/// A word in between, so that proxies do not think that it is over.
const BEAT: Duration = Duration::from_secs(20);

/// Where a page stands that begins to listen.
#[derive(Debug, Deserialize)]
pub(super) struct From {
    /// The revision that it was read at, which it carries.
    since: Option<u64>,
}

pub(super) async fn live(cx: Cx, from: Result<Query<From>, QueryRejection>) -> Reply {
    let Some(session) = &cx.session else { return Err(cx.fail(Denied::NotSignedIn)) };
    let Ok(place) = std::sync::Arc::clone(&cx.site.live).try_acquire_owned() else {
        return Err(cx.fail(Denied::TooMany { retry_after_s: 30 }));
    };
    // One that cannot be read is as old as can be: the page loads anew.
    let since = from.map_or(Some(0), |Query(from)| from.since);
    let watch = cx.site.desk.watch(&session.viewer, since);
    let (stopping, until) = (cx.site.stopping.clone(), Instant::now() + TURN);
    let events =
        stream::unfold((watch, stopping, place), move |(mut watch, mut stopping, place)| async move {
            let changed = tokio::select! {
                changed = watch.next() => changed?,
                _ = stopping.wait_for(|stops| *stops) => return None,
                () = tokio::time::sleep_until(until) => return None,
            };
            let data =
                serde_json::json!({ "id": changed.id, "version": changed.version, "what": changed.what });
            let event = Event::default().event("changed").data(data.to_string());
            Some((Ok::<_, Infallible>(event), (watch, stopping, place)))
        });
    let beat = KeepAlive::new().interval(BEAT);
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(beat)).into_response())
}
