//! What a handler knows of its request, and how it asks the desk.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, watch};

use super::layout;
use crate::desk::bucket::Buckets;
use crate::desk::life::{Millis, Role};
use crate::desk::people::Session;
use crate::desk::{Answer, Denied, Desk, Viewer};
use crate::error::{Error, Kind};

/// Uploads that are read at a time from people who are signed in.
const STAFF_UPLOADS: usize = 8;
/// The same from residents.
const PUBLIC_UPLOADS: usize = 4;
/// Pages that are live at a time.
const LIVE: usize = 500;

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// Of the two, the one in this language.
    pub(super) fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// The same of a pair.
    pub(super) fn of<'a>(self, (zh, en): (&'a str, &'a str)) -> &'a str {
        self.t(zh, en)
    }

    /// As HTML names it.
    pub(super) fn tag(self) -> &'static str {
        self.t("zh-CN", "en")
    }
}

/// What all requests share.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) desk: Arc<Desk>,
    /// Whether people come over TLS, so that cookies are for TLS only.
    pub(super) is_secure: bool,
    /// Requests of an address.
    pub(super) requests: Mutex<Buckets<IpAddr>>,
    /// Forms that an address sends without being signed in.
    pub(super) posts: Mutex<Buckets<IpAddr>>,
    pub(super) staff_uploads: Semaphore,
    pub(super) public_uploads: Semaphore,
    pub(super) live: Arc<Semaphore>,
    /// Becomes true when the desk stops.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Site {
    pub(super) fn new(desk: Arc<Desk>, stopping: watch::Receiver<bool>) -> Self {
        let web = &desk.plan().web;
        Self {
            is_secure: web.tls.is_some() || web.public_url.starts_with("https://"),
            // A page is some 10 requests with its pictures; an office is often one address.
            requests: Mutex::new(Buckets::new(1200, 60_000, 20_000)),
            posts: Mutex::new(Buckets::new(30, 60_000, 20_000)),
            staff_uploads: Semaphore::new(STAFF_UPLOADS),
            public_uploads: Semaphore::new(PUBLIC_UPLOADS),
            live: Arc::new(Semaphore::new(LIVE)),
            stopping,
            desk,
        }
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) site: Arc<Site>,
    pub(super) lang: Lang,
    pub(super) session: Option<Session>,
    /// The cookie of the session.
    pub(super) token: Option<String>,
    /// What the forms of the page must carry.
    pub(super) csrf: String,
    pub(super) address: IpAddr,
    /// Path and query.
    pub(super) here: String,
    /// Of the desk before anything was read for the answer.
    pub(super) revision: u64,
    pub(super) now: Millis,
}

/// One request, to hand on.
#[derive(Clone, Debug)]
pub(super) struct Cx(pub(super) Arc<Inner>);

impl std::ops::Deref for Cx {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Cx {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        // The gate puts it there; a handler without a gate is not reachable.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// What a handler answers.
pub(super) type Reply = Result<Response, Fail>;

/// Something that was denied, with the request that it was asked in.
#[derive(Debug)]
pub(super) struct Fail(pub(super) Cx, pub(super) Denied);

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        layout::denied(&self.0, &self.1)
    }
}

impl From<Infallible> for Fail {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Cx {
    /// The role of who asks; `None` without a session.
    pub(super) fn role(&self) -> Option<Role> {
        self.session.as_ref().map(|session| session.viewer.role())
    }

    /// `zh` or `en`, as the page is.
    pub(super) fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        self.lang.t(zh, en)
    }

    pub(super) fn fail(&self, denied: Denied) -> Fail {
        Fail(self.clone(), denied)
    }

    /// Asks the desk, which blocks, without a viewer.
    pub(super) async fn ask_open<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Desk) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let desk = Arc::clone(&self.site.desk);
        match tokio::task::spawn_blocking(move || question(&desk)).await {
            Ok(answer) => answer,
            Err(e) => {
                Err(Denied::Fault(Error::new(Kind::System, "a question to the desk broke off").caused_by(e)))
            }
        }
    }

    /// Asks the desk as who is signed in.
    pub(super) async fn try_ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Desk, &Viewer) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let Some(session) = &self.session else { return Err(Denied::NotSignedIn) };
        let viewer = session.viewer.clone();
        self.ask_open(move |desk| question(desk, &viewer)).await
    }

    /// The same, with the page that says what was denied.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Desk, &Viewer) -> Answer<T> + Send + 'static,
    ) -> Result<T, Fail> {
        self.try_ask(question).await.map_err(|denied| self.fail(denied))
    }
}
