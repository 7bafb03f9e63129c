//! Pictures that a box has put into a store: the desk asks there until they have come, or it is too late.
//!
//! # Invariants
//! - Only hosts that `evidence.hosts` lists are asked, when a picture is named and again each time it is asked for, and
//!   redirects are not followed: a message, or a store, cannot send the desk elsewhere (tests/desk/fetch.rs).
//! - A picture is taken only if its SHA-256 is the one that its event names (tests/desk/fetch.rs).
//! - The token goes over TLS only.

use std::collections::HashSet;
use std::time::Duration;

use ureq::Agent;
use ureq::http::StatusCode;

use super::http;
use super::intake::{MAX_PICTURE, check_file, sha256_of};
use super::life::Millis;
use super::plan::picture_url;
use super::service::Desk;
use super::store::{self, DuePicture};
use crate::error::{Error, Kind, Result};
use crate::evidence::Role;
use crate::tls;

/// How long a picture may take, connection and all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pictures that are asked for in one go; between two of them the desk can stop.
const AT_A_TIME: u32 = 4;
/// Until a picture that was not there is asked for again; doubles with each time, to an hour.
const FIRST_WAIT: Millis = 5_000;
const LONGEST_WAIT: Millis = 3_600_000;
/// How long a store that cannot be reached is left alone.
const AWAY_FOR: Millis = 30_000;

/// Why a picture has not come.
enum Trouble {
    /// The store does not have it yet.
    NotYet,
    /// The store has something else, or refuses.
    Refused(String),
    /// The store cannot be reached.
    Away(Error),
}

impl Desk {
    /// Whether the picture at `uri` may be asked for.
    pub(super) fn may_fetch(&self, uri: &str) -> bool {
        picture_url(uri).is_some_and(|url| self.plan.evidence.lists(&url))
    }

    /// Asks for some of the pictures that are due. Returns how many it has seen to; none when there is no more to do now.
    ///
    /// # Errors
    /// When the database or the disk cannot be read or written, or `evidence.ca_file` or `evidence.token_file` cannot
    /// be used. What a store has against it is logged and tried again.
    pub fn fetch_pictures(&self) -> Result<usize> {
        let due = self.store.read(|db| store::due_pictures(db, self.now(), AT_A_TIME))?;
        if due.is_empty() {
            return Ok(0);
        }
        let evidence = &self.plan.evidence;
        let is_tls = due.iter().any(|picture| picture.url.starts_with("https:"));
        let tls = is_tls
            .then(|| tls::trusting(evidence.ca.as_deref(), Kind::Config, "evidence.ca_file"))
            .transpose()?;
        let token =
            evidence.token.as_deref().map(|file| http::bearer(file, "evidence.token_file")).transpose()?;
        let agent = http::agent(PATIENCE, tls);
        let mut away: HashSet<String> = HashSet::new();
        let mut seen_to = 0;
        for picture in due {
            let listed = picture_url(&picture.url).filter(|url| evidence.lists(url));
            let Some((url, host)) =
                listed.and_then(|url| Some((url.to_string(), url.host_str()?.to_owned())))
            else {
                // It was listed when the picture was named.
                self.store.put(|tx| tx.picture_missed(picture.id, None))?;
                continue;
            };
            if away.contains(&host) {
                continue;
            }
            seen_to += 1;
            match ask(&agent, &url, (&picture.role, &picture.sha256), token.as_deref()) {
                Ok(file) => self.fetched(&picture, &file)?,
                Err(trouble) => {
                    let (id, tries) = (picture.id, picture.tries);
                    match &trouble {
                        Trouble::NotYet => {
                            tracing::debug!(picture = id, host, tries, "A store does not have a picture yet.")
                        }
                        Trouble::Refused(why) => {
                            tracing::warn!(picture = id, host, tries, why, "A store does not give a picture.")
                        }
                        Trouble::Away(e) => {
                            let cause = std::error::Error::source(e).map(ToString::to_string);
                            tracing::warn!(host, error = %e, cause, "A store of pictures cannot be reached.");
                            // A store that is away is asked once in a while and not once a picture, so that it does
                            // not hold up another.
                            let until = self.now() + AWAY_FOR;
                            self.store.put(|tx| tx.postpone_pictures(origin(&picture.url), until))?;
                            away.insert(host);
                        }
                    }
                    self.missed(&picture)?;
                }
            }
        }
        Ok(seen_to)
    }

    fn fetched(&self, picture: &DuePicture, file: &[u8]) -> Result<()> {
        self.album.keep(file)?;
        let now = self.now();
        self.store.put(|tx| {
            if tx.picture_is_here(picture.id, now)? {
                self.picture_is_here(tx, picture.case, picture.id, &picture.role)?;
            }
            Ok(())
        })
    }

    fn missed(&self, picture: &DuePicture) -> Result<()> {
        let now = self.now();
        let wait = (FIRST_WAIT << picture.tries.min(10)).min(LONGEST_WAIT);
        let is_late = now - picture.at > Millis::from(self.plan.pictures_days) * 86_400_000;
        if is_late {
            tracing::warn!(
                picture = picture.id,
                case = picture.case,
                "A picture is given up: its store never had it."
            );
        }
        self.store.put(|tx| tx.picture_missed(picture.id, (!is_late).then_some(now + wait)))
    }

    /// Has the pictures fetched that nobody has asked for, because their store was not listed: it may be now.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn seek_pictures(&self) -> Result<usize> {
        let now = self.now();
        let since = now - Millis::from(self.plan.pictures_days) * 86_400_000;
        let mut lost = self.store.read(|db| store::lost_pictures(db, since))?;
        lost.retain(|picture| self.may_fetch(&picture.url));
        if !lost.is_empty() {
            self.store.put(|tx| lost.iter().try_for_each(|picture| tx.await_picture(picture.id, now)))?;
        }
        Ok(lost.len())
    }
}

/// Scheme, host and port of `url`, as it spells them.
fn origin(url: &str) -> &str {
    let path = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    &url[..path]
}

/// The picture of this role and SHA-256 as its store gives it. `url` is spelt as it was read when it was found to be listed, so that
/// nobody reads another host in it.
fn ask(
    agent: &Agent,
    url: &str,
    (role, sha256): (&str, &str),
    token: Option<&str>,
) -> std::result::Result<Vec<u8>, Trouble> {
    let away = |e: ureq::Error| {
        // The address stays out of the log: a store may put a signature into it.
        let what = match &e {
            ureq::Error::HostNotFound => "its host name is not known",
            ureq::Error::Timeout(_) => "it takes too long",
            _ => "the connection fails",
        };
        let error = Error::new(Kind::System, format!("the store of pictures cannot be asked: {what}"))
            .help("check the network, evidence.hosts and evidence.ca_file");
        Trouble::Away(error.caused_by(e))
    };
    let mut request = agent
        .get(url)
        .header("accept", if role == Role::Clip.as_str() { Role::Clip.media() } else { "image/jpeg" });
    if let Some(token) = token.filter(|_| url.starts_with("https:")) {
        request = request.header("authorization", token);
    }
    let mut answer = request.call().map_err(away)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(Trouble::NotYet),
        other => return Err(Trouble::Refused(format!("it answers with status {}", other.as_u16()))),
    }
    let most = MAX_PICTURE as u64;
    let file = answer.body_mut().with_config().limit(most).read_to_vec().map_err(|e| match e {
        ureq::Error::BodyExceedsLimit(_) => Trouble::Refused(format!("it is larger than {most} bytes")),
        e => away(e),
    })?;
    if sha256_of(&file) != sha256 {
        return Err(Trouble::Refused("what it has is not the picture of the event (SHA-256)".to_owned()));
    }
    check_file(role, &file).map_err(|why| Trouble::Refused(why.to_owned()))?;
    Ok(file)
}
