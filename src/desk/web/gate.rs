//! What every request passes before its handler: is it for this name, not too often, from the same site, by somebody
//! who may ask. And the headers that every answer gets.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::context::{Cx, Fail, Inner, Lang, Site};
use super::layout;
use super::table::Access;
use crate::desk::keys::new_token;
use crate::desk::service::lock;
use crate::desk::{Denied, Desk};

/// Nothing is loaded from elsewhere, no script is written into a page, nobody frames it, nothing is kept.
const HEADERS: [(header::HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    // Not less: with no-referrer at all, browsers send their own forms as from nowhere.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        header::HeaderName::from_static("permissions-policy"),
        "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];
/// Path to change a password that somebody else has chosen.
pub(super) const PASSWORD: &str = "/password";

/// Adds the headers, and refuses requests that were made to another name.
///
/// A page elsewhere can have its own name resolve to this machine and so read what a browser here can reach; such a
/// request bears that name.
pub(super) async fn headers(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let mut response = match is_for_us(&site.desk, request.headers()) {
        true => next.run(request).await,
        false => {
            (StatusCode::MISDIRECTED_REQUEST, "this desk has another name (web.public_url)\n").into_response()
        }
    };
    let answer = response.headers_mut();
    for (name, value) in HEADERS {
        answer.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if site.is_secure {
        answer.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn is_for_us(desk: &Desk, headers: &HeaderMap) -> bool {
    let web = &desk.plan().web;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(Ok(authority)) = host.map(str::parse::<Authority>) else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let public = url::Url::parse(&web.public_url).ok();
    let is_public = public
        .as_ref()
        .and_then(url::Url::host_str)
        .is_some_and(|known| known.trim_start_matches('[').trim_end_matches(']').eq_ignore_ascii_case(name));
    let address = name.parse::<IpAddr>().ok();
    is_public
        || name.eq_ignore_ascii_case("localhost")
        || address.is_some_and(|address| address.is_loopback() || address == web.listen.ip())
        // A desk that listens on all addresses is reached under each of them; a number cannot be pointed elsewhere.
        || (web.listen.ip().is_unspecified() && address.is_some())
}

/// What a route asks of its visitors.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) site: Arc<Site>,
    pub(super) access: Access,
}

/// Lets a request in, or answers it.
pub(super) async fn gate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let site = &gate.site;
    let is_post = *request.method() == Method::POST;
    let address = address(&request, &site.desk.plan().web.proxies);
    let now = site.desk.now();
    if let Err(wait) = lock(&site.requests).take(address, now) {
        return too_many(wait);
    }
    let headers = request.headers();
    let lang = match cookie(headers, "desk_lang") {
        Some("en") => Lang::En,
        _ => Lang::Zh,
    };
    let token = cookie(headers, session_cookie(site)).map(str::to_owned);
    let form =
        cookie(headers, form_cookie(site)).filter(|form| (8..=64).contains(&form.len())).map(str::to_owned);
    let is_cross = headers.get("sec-fetch-site").is_some_and(|from| from == "cross-site");
    let is_foreign = is_cross || headers.get(header::ORIGIN).is_some_and(|origin| !is_own(origin, headers));
    let here = request.uri().path_and_query().map_or("/", |here| here.as_str()).to_owned();
    let mut inner = Inner {
        site: Arc::clone(site),
        lang,
        session: None,
        token: None,
        csrf: String::new(),
        address,
        here,
        revision: site.desk.revision(),
        now,
    };
    if let Some(token) = token {
        let desk = Arc::clone(&site.desk);
        let asked = token.clone();
        let session = tokio::task::spawn_blocking(move || desk.viewer(&asked)).await;
        match session {
            Ok(Ok(session)) => {
                inner.csrf = session.csrf.clone();
                inner.session = Some(session);
                inner.token = Some(token);
            }
            Ok(Err(Denied::NotSignedIn)) => {}
            Ok(Err(denied)) => return layout::denied(&Cx(Arc::new(inner)), &denied),
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
    let mut fresh = None;
    if inner.session.is_none() {
        // Forms of people who are not signed in carry what a cookie of theirs says.
        inner.csrf = match (form, new_token()) {
            (Some(form), _) => form,
            (None, Ok(token)) => {
                fresh = (!is_post).then(|| token.clone());
                token
            }
            (None, Err(e)) => return layout::denied(&Cx(Arc::new(inner)), &Denied::Fault(e)),
        };
    }
    let session = inner.session.clone();
    let cx = Cx(Arc::new(inner));
    if is_post && is_foreign {
        return layout::denied(&cx, &Denied::Forbidden);
    }
    if is_post
        && session.is_none()
        && let Err(retry_after_s) = lock(&site.posts).take(address, now)
    {
        return too_many(retry_after_s);
    }
    match (&gate.access, &session) {
        (Access::Open, _) => {}
        (_, None) if is_post => return layout::denied(&cx, &Denied::NotSignedIn),
        // The cookie does not come along with a link from elsewhere; it does when the page asks again by itself.
        (Access::Page(_), None) if is_cross => return layout::again(&cx),
        (Access::Page(_), None) => {
            let to: String = url::form_urlencoded::byte_serialize(cx.here.as_bytes()).collect();
            return Redirect::to(&format!("/login?to={to}")).into_response();
        }
        (Access::Data(_), None) => return layout::denied(&cx, &Denied::NotSignedIn),
        (Access::Page(roles) | Access::Data(roles), Some(session)) => {
            if !roles.contains(&session.viewer.role()) {
                return layout::denied(&cx, &Denied::Forbidden);
            }
            if session.must_change && !matches!(request.uri().path(), PASSWORD | "/logout") {
                return Redirect::to(PASSWORD).into_response();
            }
        }
    }
    request.extensions_mut().insert(cx);
    let mut response = next.run(request).await;
    if let Some(token) = fresh
        && let Ok(value) = HeaderValue::from_str(&cookie_of(site, form_cookie(site), &token, 86_400))
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Whether `origin` is where the request went to.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(_, own)| own == host)
}

fn too_many(retry_after_s: u32) -> Response {
    let text = "请求过于频繁，请稍后再试。Too many requests: try again later.\n";
    let headers =
        [(header::RETRY_AFTER, retry_after_s.to_string()), (header::CONNECTION, "close".to_owned())];
    (StatusCode::TOO_MANY_REQUESTS, headers, text).into_response()
}

/// Who asks: the other end, or who a declared proxy says it asks for.
fn address(request: &Request, proxies: &[IpAddr]) -> IpAddr {
    let peer = request.extensions().get::<SocketAddr>().map_or(IpAddr::from([0, 0, 0, 0]), SocketAddr::ip);
    let peer = peer.to_canonical();
    if !proxies.contains(&peer) {
        return peer;
    }
    // Each proxy adds at the end whom it heard; the last one that is no proxy of ours is as far as we can believe it.
    let chain = request.headers().get_all("x-forwarded-for");
    let chain: Vec<&str> =
        chain.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
    let known = chain.iter().rev().map_while(|entry| entry.trim().parse::<IpAddr>().ok());
    known.map(|address| address.to_canonical()).find(|address| !proxies.contains(address)).unwrap_or(peer)
}

/// The value of the cookie `name`.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// Name of the cookie that holds a session.
pub(super) fn session_cookie(site: &Site) -> &'static str {
    if site.is_secure { "__Host-desk" } else { "desk" }
}

fn form_cookie(site: &Site) -> &'static str {
    if site.is_secure { "__Host-desk_form" } else { "desk_form" }
}

/// A cookie for this desk only, that no script reads and no other site sends.
pub(super) fn cookie_of(site: &Site, name: &str, value: &str, seconds: i64) -> String {
    let secure = if site.is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// What is answered where no route is.
pub(super) async fn nothing(cx: Cx) -> Fail {
    Fail(cx, Denied::NotFound)
}
