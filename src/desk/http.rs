//! How the desk asks others over HTTP: within a time, without following where it is sent, through no proxy.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::error::{Error, Kind, Result};
use crate::text_file;

/// Largest file of a token, in bytes.
const MAX_TOKEN: u64 = 4096;

/// Asks within `patience`, over `tls` where that is given. A redirect is an answer like any other: followed, it could
/// carry a token elsewhere, or lead to where the desk must not go.
pub(super) fn agent(patience: Duration, tls: Option<TlsConfig>) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .max_response_header_size(32 << 10)
        .user_agent(concat!("gridpatrol/", env!("CARGO_PKG_VERSION")));
    if let Some(tls) = tls {
        config = config.tls_config(tls);
    }
    config.build().new_agent()
}

/// The header value for the token in the first line of `file`, which the configuration names with `key`. Read each
/// time, so that it can be changed while the desk runs.
pub(super) fn bearer(file: &Path, key: &str) -> Result<String> {
    let fault = |what: &str| {
        Error::new(Kind::Config, format!("{key}: the token in {} {what}", file.display()))
            .help("it must be a file of this user whose first line is the token")
    };
    let text = text_file::read(file, MAX_TOKEN).map_err(|e| fault("cannot be read").caused_by(e))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() && line.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(format!("Bearer {line}"))
        }
        _ => Err(fault("is no line of plain characters")),
    }
}
