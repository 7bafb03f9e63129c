//! Cameras on the network: address and login of a `[[camera]]`.

use super::build::existing;
use super::{Input, LivePlan, Secret};
use crate::config::{CameraConfig, ConfigFile};
use crate::error::{Error, Kind, Result};

/// Longest password, in bytes.
const MAX_PASSWORD: u64 = 1024;

const RTSP_HELP: &str = "write it as rtsp://host/path or rtsp://host:port/path";

/// The key that an address stands under, and where that is in the file.
pub(super) type At<'a> = (&'a str, std::ops::Range<usize>);

/// Where the source of `camera` stands.
pub(super) fn source_of(camera: &CameraConfig) -> At<'static> {
    ("camera.source", camera.source.span())
}

/// Checks the address and the login of an RTSP `camera`.
pub(super) fn plan(file: &ConfigFile, camera: &CameraConfig) -> Result<LivePlan> {
    let text = camera.source.get_ref();
    check_address(file, source_of(camera), text, &["rtsp"], RTSP_HELP)?;
    Ok(LivePlan { url: text.clone(), login: login(file, camera)? })
}

/// The main stream of `camera`, if it has one beside that which is looked at.
pub(super) fn evidence(file: &ConfigFile, camera: &CameraConfig, input: &Input) -> Result<Option<LivePlan>> {
    let Some(address) = &camera.evidence_source else { return Ok(None) };
    let key = "camera.evidence_source";
    if !matches!(input, Input::Live(_)) {
        return Err(file.fault(key, address.span(), "is for live cameras: the source is a recording"));
    }
    let text = address.get_ref();
    if camera.source.get_ref() == text {
        return Err(file
            .fault(key, address.span(), "is the same stream as camera.source")
            .help("leave it out, or give the camera's smaller stream as the source"));
    }
    check_address(file, (key, address.span()), text, &["rtsp"], RTSP_HELP)?;
    Ok(Some(LivePlan { url: text.clone(), login: login(file, camera)? }))
}

/// Refuses an address `text` that holds credentials: they end up in logs and process lists, so they are not
/// taken from there.
pub(super) fn no_credentials(file: &ConfigFile, (key, span): At<'_>, text: &str) -> Result<()> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // Multicast addresses begin with an @, with nobody before it.
    if authority.rfind('@').is_some_and(|at| at > 0) || has_secret(path) {
        let what = "user name and password do not belong in the address";
        return Err(file
            .secret_fault(key, span, what)
            .help("set username and password_file (or password_env) of the camera"));
    }
    Ok(())
}

/// Refuses what is no address `scheme://host[:port][/path]` with one of `schemes`, and one that holds credentials.
pub(super) fn check_address(
    file: &ConfigFile,
    (key, span): At<'_>,
    text: &str,
    schemes: &[&str],
    help: &str,
) -> Result<()> {
    no_credentials(file, (key, span.clone()), text)?;
    let fault = |what: String| file.fault(key, span.clone(), what).help(help);
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    if !schemes.contains(&scheme) {
        return Err(fault(format!("`{scheme}` sources are not supported in this version")));
    }
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (host, port) = match authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(""))),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let bad = |c: char| c.is_whitespace() || c.is_control() || "<>\"\\^`{|}".contains(c);
    if host.is_empty() || host.contains('@') || text.contains(bad) {
        return Err(fault("expected a host name or address".to_owned()));
    }
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err(fault("the port is not a number from 1 to 65535".to_owned()));
    }
    Ok(())
}

/// Whether a query of the address looks like some cameras' way to log in, such as `?user=a&password=b`.
fn has_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let names = ["password=", "passwd=", "pwd=", "pass="];
    names
        .iter()
        .any(|name| path.match_indices(name).any(|(at, _)| path[..at].ends_with(['?', '&', '/', '_'])))
}

/// The login of `camera`, if it has one.
pub(super) fn login(file: &ConfigFile, camera: &CameraConfig) -> Result<Option<(String, Secret)>> {
    let id = camera.id.span();
    let secret = match (&camera.password_file, &camera.password_env) {
        (Some(path), None) => Some(Secret::File(existing(file, "camera.password_file", path)?)),
        (None, Some(name)) if name.get_ref().is_empty() || name.get_ref().contains(['=', '\0']) => {
            return Err(file.fault("camera.password_env", name.span(), "is not the name of a variable"));
        }
        (None, Some(name)) => Some(Secret::Environment(name.get_ref().clone())),
        (Some(_), Some(name)) => {
            let what = "is set beside password_file: expected one of them";
            return Err(file.fault("camera.password_env", name.span(), what));
        }
        (None, None) => None,
    };
    // It stands in a header line.
    if camera.username.as_ref().is_some_and(|name| {
        name.is_empty() || name.len() > 128 || !name.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"')
    }) {
        let what = "expected 1 to 128 printable ASCII characters";
        return Err(file.fault("camera.username", id, what));
    }
    match (&camera.username, secret) {
        (Some(name), Some(secret)) => Ok(Some((name.clone(), secret))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(file
            .fault("camera.username", id, "is set without a password")
            .help("set password_file to a file whose first line is the password, or password_env")),
        (None, Some(_)) => Err(file.fault("camera.username", id, "is missing beside the password")),
    }
}

/// Refuses a login where there is nobody to log in to.
pub(super) fn no_login(file: &ConfigFile, camera: &CameraConfig) -> Result<()> {
    if camera.username.is_some() || camera.password_file.is_some() || camera.password_env.is_some() {
        let what = "username and password are for cameras on the network, but the source is none";
        return Err(file.fault("camera.username", camera.id.span(), what).help("leave them out"));
    }
    Ok(())
}

impl Secret {
    /// Reads it.
    ///
    /// # Errors
    /// [`Kind::Camera`], without a word of what was read, when it is not there or not usable as a password.
    pub fn read(&self) -> Result<String> {
        let fault = |what: &str| match self {
            Self::File(path) => {
                Error::new(Kind::Camera, format!("the password file {} {what}", path.display()))
            }
            Self::Environment(name) => {
                Error::new(Kind::Camera, format!("the environment variable {name}, for the password, {what}"))
            }
        };
        let text = match self {
            Self::File(path) => {
                if std::fs::metadata(path).is_ok_and(|file| file.len() > MAX_PASSWORD) {
                    return Err(fault("is too long: expected a password on its first line"));
                }
                std::fs::read_to_string(path).map_err(|e| fault("cannot be read").caused_by(e))?
            }
            Self::Environment(name) => std::env::var(name).map_err(|_| fault("is not set"))?,
        };
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(line.to_owned()),
            _ => Err(fault("is empty")),
        }
    }
}
