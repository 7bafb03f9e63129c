//! A camera that is asked for one picture at a time over HTTP, a JPEG for each look. Keeps `ureq` and `http-auth` to
//! itself.
//!
//! The answer is bounded in size and time, TLS is verified, redirects are not followed: they could carry a
//! password elsewhere.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use http_auth::{PasswordClient, PasswordParams};
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};

use super::{Next, Source};
use crate::clock::{Clock as _, SystemClock};
use crate::decode::{Decoder as _, Jpeg};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Secret;
use crate::shutdown::Shutdown;
use crate::tls;

/// How long a picture may take, connection and all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest picture.
const MAX_BYTES: u64 = 32 << 20;
/// Broken pictures in a row before the camera counts as lost.
const MAX_BROKEN: u32 = 5;

/// A camera that gives single pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCamera {
    /// Address of the picture, without credentials.
    pub url: String,
    /// User name, and where its password lies.
    pub login: Option<(String, Secret)>,
    /// The certificate authority to trust, or the certificate itself; `None` for the system's.
    pub ca: Option<PathBuf>,
}

/// Pictures of a [`SnapshotCamera`]. A frame's capture time is that at which the answer began.
pub(super) struct SnapshotSource {
    agent: Agent,
    url: String,
    path: String,
    login: Option<(String, String)>,
    /// How the camera wants to be logged in to, once it has said so.
    client: Option<PasswordClient>,
    every: Duration,
    due: Instant,
    shutdown: Shutdown,
    jpeg: Jpeg,
    broken: u32,
    skipped: u64,
}

impl SnapshotSource {
    /// Watches `camera`, a picture each `every_s` seconds; whether it is there shows with the first. Ends when
    /// `shutdown` is asked for.
    ///
    /// # Errors
    /// [`Kind::Camera`] when the password or the certificates cannot be read.
    pub(super) fn open(camera: &SnapshotCamera, every_s: f64, shutdown: Shutdown) -> Result<Self> {
        let login = match &camera.login {
            Some((name, secret)) => Some((name.clone(), secret.read()?)),
            None => None,
        };
        let mut config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_response_header_size(32 << 10)
            .user_agent(concat!("gridpatrol/", env!("CARGO_PKG_VERSION")));
        if camera.url.starts_with("https://") {
            config = config.tls_config(tls::trusting(camera.ca.as_deref(), Kind::Camera, "camera.ca_file")?);
        }
        let rest = camera.url.split_once("://").map_or("", |(_, rest)| rest);
        let path = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            agent: config.build().new_agent(),
            url: camera.url.clone(),
            path: path.split('#').next().unwrap_or("/").to_owned(),
            login,
            client: None,
            every: Duration::from_secs_f64(every_s.clamp(0.001, 3600.0)),
            due: Instant::now(),
            shutdown,
            jpeg: Jpeg::default(),
            broken: 0,
            skipped: 0,
        })
    }

    fn fault(&self, what: impl std::fmt::Display) -> Error {
        Error::new(Kind::Camera, format!("{} {what}", self.url))
    }

    /// Asks for the picture; logs in if that is asked for.
    fn fetch(&mut self, frame: &mut Frame) -> Result<Vec<u8>> {
        for attempt in 0..2 {
            let mut request = self.agent.get(&self.url);
            if let (Some(client), Some((name, password))) = (&mut self.client, &self.login) {
                let parameters = PasswordParams {
                    username: name,
                    password,
                    uri: &self.path,
                    method: "GET",
                    body: Some(&[]),
                };
                let answer = client.respond(&parameters).map_err(|what| {
                    Error::new(
                        Kind::Camera,
                        format!("{} asks for a login that is not known here: {what}", self.url),
                    )
                })?;
                request = request.header(AUTHORIZATION, answer);
            }
            let mut response = request.call().map_err(|e| self.fault("does not answer").caused_by(e))?;
            frame.captured = SystemClock.now();
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED {
                if self.login.is_none() {
                    let error = Error::new(Kind::Config, format!("{} wants a login", self.url));
                    return Err(error.help("set username and password_file (or password_env) of the camera"));
                }
                // A second refusal is about the password, unless the camera has only grown tired of its nonce.
                if attempt > 0 {
                    break;
                }
                let mut offers = PasswordClient::builder();
                for offer in response.headers().get_all(WWW_AUTHENTICATE) {
                    offers = offers.challenges(offer.to_str().unwrap_or_default());
                }
                let client = offers.build().map_err(|what| {
                    self.fault(format_args!("asks for a login that is not known here: {what}"))
                })?;
                self.client = Some(client);
                continue;
            }
            if status.is_redirection() {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("?");
                let to: String = to.chars().filter(|c| !c.is_control()).take(200).collect();
                return Err(self
                    .fault(format_args!("has moved to {to}"))
                    .help("redirects are not followed; set the camera's source to that address"));
            }
            if status != StatusCode::OK {
                return Err(self.fault(format_args!("answers {status}")));
            }
            return response
                .body_mut()
                .with_config()
                .limit(MAX_BYTES)
                .read_to_vec()
                .map_err(|e| self.fault("gives no whole picture").caused_by(e));
        }
        self.client = None;
        Err(Error::new(Kind::Config, format!("{} refuses the login", self.url)).help(
            "check username and password of the camera; it is tried again slowly, since cameras lock out",
        ))
    }
}

impl Source for SnapshotSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        loop {
            if self.shutdown.wait_for(self.due.saturating_duration_since(Instant::now())) {
                return Ok(Next::End);
            }
            // What was missed is not made up for.
            self.due = (self.due + self.every).max(Instant::now());
            let bytes = self.fetch(frame)?;
            match self.jpeg.decode(&bytes, frame) {
                Ok(_) => {
                    self.broken = 0;
                    return Ok(Next::Frame);
                }
                Err(e) => {
                    self.broken += 1;
                    self.skipped += 1;
                    if self.broken >= MAX_BROKEN {
                        return Err(self.fault("gives no pictures that can be decoded").caused_by(e));
                    }
                }
            }
        }
    }

    fn duration_s(&self) -> Option<f64> {
        None
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
