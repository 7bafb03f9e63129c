//! One PUT of one picture. Keeps `ureq` to itself.
//!
//! The answer is bounded in size and time, TLS is verified, and redirects are not followed: they could carry a token or
//! a picture elsewhere. A token or a password is sent over TLS only (the plan sees to that); a signature says nothing
//! of the secret that it was made with.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use ureq::Agent;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};

use super::sigv4::{Request, Signer, sha256_hex};
use super::{Login, UploadPlan};
use crate::error::{Error, Kind, Result};
use crate::text_file;
use crate::tls;

/// How long a picture may take, connection and all: 250 kB, or a clip of 900 kB, over a slow mobile link.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest part of an answer that is read, in bytes.
const MAX_ANSWER: u64 = 4096;
/// Largest file of a secret, in bytes.
const MAX_SECRET: u64 = 8192;
/// Longest wait that a store may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Puts pictures into the store.
#[derive(Debug)]
pub struct Client {
    plan: UploadPlan,
    agent: Agent,
    /// Host and path of the address, for signatures.
    host: String,
    path: String,
}

/// Why a picture is not in the store.
#[derive(Debug)]
pub enum Trouble {
    /// The store cannot be reached, or has too much to do; it may say after which time to come again.
    Away(Error, Option<Duration>),
    /// Only a person can mend it: a login, a certificate, an address, a file of the box.
    Settings(Error),
    /// The store will not have this picture, for what it is.
    Picture(Error),
}

impl Trouble {
    /// What went wrong.
    pub fn error(&self) -> &Error {
        match self {
            Self::Away(error, _) | Self::Settings(error) | Self::Picture(error) => error,
        }
    }
}

impl Client {
    /// A client for the store of `plan`; whether it is there shows with the first picture.
    ///
    /// # Errors
    /// [`Kind::Config`] when the certificates cannot be read.
    pub fn new(plan: &UploadPlan) -> Result<Self> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_response_header_size(32 << 10)
            .user_agent(concat!("gridpatrol/", env!("CARGO_PKG_VERSION")));
        if plan.url.starts_with("https://") {
            config = config.tls_config(tls::trusting(
                plan.ca.as_deref(),
                Kind::Config,
                "evidence.upload.ca_file",
            )?);
        }
        let rest = plan.url.split_once("://").map_or("", |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The usual port is not said (RFC 9110, section 7.2).
        let usual = if plan.url.starts_with("https://") { ":443" } else { ":80" };
        let host = host.strip_suffix(usual).unwrap_or(host);
        Ok(Self {
            plan: plan.clone(),
            agent: config.build().new_agent(),
            host: host.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Looks whether the secret can be read; asks nobody.
    ///
    /// # Errors
    /// [`Kind::Config`] when it cannot.
    pub fn check(&self) -> Result<()> {
        let file = match &self.plan.login {
            Login::None => return Ok(()),
            Login::Token(file) | Login::Password { file, .. } | Login::S3 { secret: file, .. } => file,
        };
        match secret(file) {
            Ok(_) => Ok(()),
            Err(Trouble::Away(error, _) | Trouble::Settings(error) | Trouble::Picture(error)) => Err(error),
        }
    }

    /// Puts `file` of the type `media`, whose name in the store is `key`, there at `now`, the wall clock.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn put(
        &self,
        key: &str,
        (file, media): (&[u8], &str),
        now: Timestamp,
    ) -> std::result::Result<(), Trouble> {
        let mut request = self.agent.put(format!("{}/{key}", self.plan.url)).header(CONTENT_TYPE, media);
        match &self.plan.login {
            Login::None => {}
            Login::Token(token) => {
                request = request.header(AUTHORIZATION, format!("Bearer {}", secret(token)?));
            }
            Login::Password { user, file: password } => {
                let pair = base64(format!("{user}:{}", secret(password)?).as_bytes());
                request = request.header(AUTHORIZATION, format!("Basic {pair}"));
            }
            Login::S3 { region, access_key, secret: key_file } => {
                let secret = secret(key_file)?;
                let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
                let hash = sha256_hex(file);
                let signer = Signer { access_key, secret: &secret, region, service: "s3" };
                let authorization = signer.authorization(&Request {
                    method: "PUT",
                    path: &format!("{}/{key}", self.path),
                    query: "",
                    headers: &[
                        ("content-type", media),
                        ("host", &self.host),
                        ("x-amz-content-sha256", &hash),
                        ("x-amz-date", &time),
                    ],
                    body_sha256: &hash,
                    time: &time,
                });
                request = request
                    .header("x-amz-content-sha256", hash)
                    .header("x-amz-date", time)
                    .header(AUTHORIZATION, authorization);
            }
        }
        match request.send(file) {
            Ok(response) => self.judge(response),
            Err(e) => Err(self.explain(e)),
        }
    }

    fn judge(&self, mut response: ureq::http::Response<ureq::Body>) -> std::result::Result<(), Trouble> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let url = &self.plan.url;
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("?");
            let error = Error::new(Kind::Config, format!("the store at {url} has moved to {}", plain(to)));
            return Err(Trouble::Settings(
                error.help("redirects are not followed; set evidence.upload.url to that address"),
            ));
        }
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|after| after.to_str().ok()?.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST_ASKED));
        let answer = response.body_mut().with_config().limit(MAX_ANSWER).lossy_utf8(true).read_to_string();
        let code =
            answer.ok().and_then(|text| s3_code(&text)).map(|code| format!(" ({code})")).unwrap_or_default();
        let said = format!("{}{code}", status.as_u16());
        Err(match status.as_u16() {
            403 if code.contains("RequestTimeTooSkewed") => Trouble::Settings(
                Error::new(Kind::Config, format!("the store at {url} finds the clock of this box wrong: {said}"))
                    .help("set the clock of this box, best by NTP"),
            ),
            401 | 403 => Trouble::Settings(
                Error::new(Kind::Config, format!("the store at {url} refuses the login: {said}")).help(
                    "check what evidence.upload says of token, password or keys, and whether they may write there",
                ),
            ),
            404 | 405 | 410 | 501 => Trouble::Settings(
                Error::new(Kind::Config, format!("the store at {url} takes no pictures there: {said}"))
                    .help("check the path, or the bucket, in evidence.upload.url"),
            ),
            408 | 425 | 429 | 500.. => Trouble::Away(
                Error::new(Kind::System, format!("the store at {url} cannot take pictures now: {said}")),
                wait,
            ),
            _ => Trouble::Picture(Error::new(Kind::System, format!("the store at {url} refuses a picture: {said}"))),
        })
    }

    /// What is wrong when there is no answer.
    fn explain(&self, error: ureq::Error) -> Trouble {
        use rustls::{CertificateError as Certificate, Error as Fault};
        let url = &self.plan.url;
        let Some(fault) = tls_fault(&error) else {
            let what = match &error {
                ureq::Error::HostNotFound => "its host name is not known",
                ureq::Error::Timeout(_) => "it takes too long",
                _ => "the connection fails",
            };
            let said = Error::new(Kind::System, format!("the store at {url} cannot be reached: {what}"));
            return Trouble::Away(said.caused_by(error), None);
        };
        let (what, help) = match fault {
            Fault::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => (
                "was not signed by an authority that this box trusts",
                "set evidence.upload.ca_file to the PEM file of the authority that signed it",
            ),
            Fault::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
                ("has expired", "renew it; if it has not expired, the clock of this box is wrong")
            }
            Fault::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
                ("is not valid yet", "set the clock of this box, or see from when it is valid")
            }
            Fault::InvalidCertificate(
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
            ) => ("is for another host name", "use a host name that it bears in evidence.upload.url"),
            _ => {
                let said = Error::new(Kind::Config, format!("no TLS connection to the store at {url}"))
                    .help("check that the port of evidence.upload.url is the store's TLS port");
                return Trouble::Settings(said.caused_by(error));
            }
        };
        Trouble::Settings(
            Error::new(Kind::Config, format!("the certificate of the store at {url} {what}")).help(help),
        )
    }
}

/// What TLS has found wrong, wherever the library hides it.
fn tls_fault(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(fault) => Some(fault),
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// The first line of the secret in `file`, read for each picture, so that it can be changed while the program runs.
fn secret(file: &Path) -> std::result::Result<String, Trouble> {
    let fault = |what: &str| {
        Error::new(Kind::Config, format!("the secret in {} {what}", file.display()))
            .help("evidence.upload needs a file of this user whose first line it is")
    };
    let text = text_file::read(file, MAX_SECRET)
        .map_err(|e| Trouble::Settings(fault("cannot be read").caused_by(e)))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() && line.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
            Ok(line.to_owned())
        }
        Some(line) if !line.is_empty() => {
            Err(Trouble::Settings(fault("has characters that no header can carry")))
        }
        _ => Err(Trouble::Settings(fault("is empty"))),
    }
}

/// The code in an error answer of S3, which is for programs and no longer than a few words.
fn s3_code(answer: &str) -> Option<String> {
    let code = answer.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let is_code = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}

/// What a stranger has written, fit for a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= three.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }

    #[test]
    fn of_an_error_answer_only_the_code_is_taken() {
        let answer = "<Error><Code>SignatureDoesNotMatch</Code><Message>x</Message></Error>";
        assert_eq!(s3_code(answer).as_deref(), Some("SignatureDoesNotMatch"));
        assert_eq!(s3_code("<Code><script>alert(1)</script></Code>"), None);
        assert_eq!(s3_code("<html>"), None);
    }
}
