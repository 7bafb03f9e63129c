//! A camera that gives single pictures over HTTP, as badly as wanted.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// How it asks for a login; name `viewer`, password as given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Login {
    None,
    Basic(&'static str),
    Digest(&'static str),
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) header: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) login: Login,
    /// Whether it stops in the middle of the body and says no more.
    pub(super) stalls: bool,
}

/// The server, and what it was asked for.
pub(super) struct SnapshotServer {
    pub(super) port: u16,
    pub(super) answer: Arc<Mutex<Answer>>,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

/// A grey JPEG of 64x48.
pub(super) fn jpeg() -> Vec<u8> {
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut file)
        .encode(&[90; 64 * 48], 64, 48, image::ExtendedColorType::L8)
        .unwrap();
    file
}

/// `body` with all well.
pub(super) fn well(body: Vec<u8>) -> Answer {
    Answer { status: "200 OK", header: "", body, login: Login::None, stalls: false }
}

impl SnapshotServer {
    /// Serves `answer` to whatever is asked for; over TLS with `tls`.
    pub(super) fn start(answer: Answer, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, asked) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let (answers, asks) = (answer.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, asks, tls) = (answers.clone(), asks.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &answers, &asks),
                    Some(tls) => {
                        let connection = rustls::ServerConnection::new(tls).unwrap();
                        serve(rustls::StreamOwned::new(connection, stream), &answers, &asks);
                    }
                });
            }
        });
        Self { port, answer, asked }
    }

    /// The address of the picture.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/shot.jpg?channel=1", self.port)
    }
}

/// Answers until the other side hangs up.
fn serve(mut stream: impl std::io::Read + Write, answer: &Mutex<Answer>, asked: &Mutex<Vec<String>>) {
    loop {
        let mut request = String::new();
        let mut reader = BufReader::new(&mut stream);
        while !request.ends_with("\r\n\r\n") {
            if !matches!(reader.by_ref().take(65_536).read_line(&mut request), Ok(n) if n > 0) {
                return;
            }
        }
        drop(reader);
        asked.lock().unwrap().push(request.clone());
        let answer = answer.lock().unwrap().clone();
        let head = match (answer.login, authorised(&request, answer.login)) {
            (Login::Basic(_), false) => {
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"cam\"\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            (Login::Digest(_), false) => "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cam\", \
                 qop=\"auth\", algorithm=SHA-256, nonce=\"n0nce\"\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            _ => {
                let length = answer.body.len();
                format!("HTTP/1.1 {}\r\n{}Content-Length: {length}\r\n\r\n", answer.status, answer.header)
            }
        };
        let body = if head.contains(" 401 ") { &[][..] } else { &answer.body[..] };
        let sent = if answer.stalls { body.len() / 2 } else { body.len() };
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent])).is_err() {
            return;
        }
        let _ = stream.flush();
        if answer.stalls {
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
    }
}

/// Whether `request` carries the right login (RFC 7617, RFC 7616 with SHA-256).
fn authorised(request: &str, login: Login) -> bool {
    let Some(line) = request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "))
    else {
        return false;
    };
    match login {
        Login::None => true,
        // dmlld2VyOnMzY3JldA== is viewer:s3cret.
        Login::Basic(_) => line.ends_with("Basic dmlld2VyOnMzY3JldA=="),
        Login::Digest(password) => {
            let value = |key: &str| {
                let at = line.find(&format!("{key}=")).unwrap() + key.len() + 1;
                line[at..].split(',').next().unwrap().trim().trim_matches('"').to_owned()
            };
            let hash = |text: String| -> String {
                Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
            };
            let (ours, what) =
                (hash(format!("viewer:cam:{password}")), hash(format!("GET:{}", value("uri"))));
            let wanted = hash(format!("{ours}:n0nce:{}:{}:auth:{what}", value(" nc"), value("cnonce")));
            value("uri") == request.split(' ').nth(1).unwrap() && value("response") == wanted
        }
    }
}
