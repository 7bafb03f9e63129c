//! A store that takes pictures by PUT, as well or badly as wanted.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use gridpatrol::upload::{SignedRequest, Signer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::hash;
use crate::support::mosquitto::Authority;

/// What it does with a picture.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Takes it.
    Take,
    /// Takes it if the login is right: this token, password of `box-1`, or secret key of `AKIDEXAMPLE`.
    Guarded(&'static str),
    /// Takes all but the one of this path, which it finds bad.
    Refuse(String),
    /// Says this, with these header lines.
    Status(&'static str, &'static str),
    /// Says that the clock of the box is wrong, as S3 does.
    Skewed,
    /// Reads it and says nothing.
    HangUp,
}

/// The server, and what it was sent.
pub(super) struct Store {
    port: u16,
    inside: Arc<Inside>,
}

struct Inside {
    answer: Mutex<Answer>,
    requests: Mutex<Vec<String>>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

/// A certificate for `name` that ends with the year `until`.
pub(super) fn tls(authority: &Authority, name: &str, until: i32) -> Arc<rustls::ServerConfig> {
    let (certificate, key) = authority.sign(name, until);
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            );
    Arc::new(config.unwrap())
}

impl Store {
    pub(super) fn start(answer: Answer, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        Self::start_at(0, answer, tls)
    }

    pub(super) fn start_at(port: u16, answer: Answer, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Arc::new(Inside {
            answer: Mutex::new(answer),
            requests: Mutex::default(),
            objects: Mutex::default(),
        });
        let shared = inside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (inside, tls) = (shared.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &inside),
                    Some(tls) => {
                        let connection = rustls::ServerConnection::new(tls).unwrap();
                        serve(rustls::StreamOwned::new(connection, stream), &inside);
                    }
                });
            }
        });
        Self { port, inside }
    }

    /// Its address, with a bucket.
    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/bucket", self.port)
    }

    pub(super) fn answer(&self, answer: Answer) {
        *self.inside.answer.lock().unwrap() = answer;
    }

    /// The heads of all requests.
    pub(super) fn requests(&self) -> Vec<String> {
        self.inside.requests.lock().unwrap().clone()
    }

    /// What lies at `path`.
    pub(super) fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.inside.objects.lock().unwrap().get(path).cloned()
    }
}

/// Answers until the other side hangs up.
fn serve(stream: impl Read + Write, inside: &Inside) {
    let mut reader = BufReader::new(stream);
    // The first byte of TLS, on a port that speaks none.
    if reader.fill_buf().is_ok_and(|bytes| bytes.first() == Some(&0x16)) {
        let _ = reader.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        return;
    }
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.by_ref().take(65_536).read_line(&mut head), Ok(n) if n > 0) {
                return;
            }
        }
        let length = header(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        inside.requests.lock().unwrap().push(head.clone());
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let answer = inside.answer.lock().unwrap().clone();
        let denied = "HTTP/1.1 403 Forbidden\r\nContent-Length: 49\r\n\r\n<Error><Code>SignatureDoesNotMatch</Code></Error>";
        let skewed = "HTTP/1.1 403 Forbidden\r\nContent-Length: 48\r\n\r\n<Error><Code>RequestTimeTooSkewed</Code></Error>";
        let take = || {
            assert!(head.starts_with("PUT "), "{head}");
            inside.objects.lock().unwrap().insert(path.clone(), body.clone());
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        let said = match answer {
            Answer::Take => take(),
            Answer::Guarded(secret) if is_authorised(&head, &path, &body, secret) => take(),
            Answer::Guarded(_) => denied.to_owned(),
            Answer::Refuse(bad) if bad == path => {
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            Answer::Refuse(_) => take(),
            Answer::Status(status, lines) => format!("HTTP/1.1 {status}\r\n{lines}Content-Length: 0\r\n\r\n"),
            Answer::Skewed => skewed.to_owned(),
            Answer::HangUp => return,
        };
        let stream = reader.get_mut();
        if stream.write_all(said.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim().to_owned())
}

fn is_authorised(head: &str, path: &str, body: &[u8], secret: &str) -> bool {
    let Some(given) = header(head, "authorization") else { return false };
    if let Some(token) = given.strip_prefix("Bearer ") {
        return token == secret;
    }
    if let Some(pair) = given.strip_prefix("Basic ") {
        // box-1:s3cret-4fe1c2
        return secret == super::SECRET && pair == "Ym94LTE6czNjcmV0LTRmZTFjMg==";
    }
    let value = |name: &str| header(head, name).unwrap_or_default();
    let (host, time) = (value("host"), value("x-amz-date"));
    let body_sha256 = hash(body);
    let signer = Signer { access_key: "AKIDEXAMPLE", secret, region: "cn-north-1", service: "s3" };
    let expected = signer.authorization(&SignedRequest {
        method: "PUT",
        path,
        query: "",
        headers: &[
            ("content-type", &value("content-type")),
            ("host", &host),
            ("x-amz-content-sha256", &value("x-amz-content-sha256")),
            ("x-amz-date", &time),
        ],
        body_sha256: &body_sha256,
        time: &time,
    });
    given == expected
}
