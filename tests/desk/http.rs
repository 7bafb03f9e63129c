//! A small HTTP server that a test answers for, with or without TLS; it keeps what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::mosquitto::Authority;

/// What somebody asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// E.g. `GET /a.jpg HTTP/1.1`.
    pub(super) line: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// Status, further header lines, and body; by how many requests came before this one, and the request.
type Answer = dyn Fn(usize, &Asked) -> (u16, String, Vec<u8>) + Send + Sync;

/// The server; ends when it is dropped.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    pub(super) fn start(
        tls: Option<Arc<rustls::ServerConfig>>,
        answer: impl Fn(usize, &Asked) -> (u16, String, Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let server = Self { port, asked: Arc::clone(&asked), is_over: Arc::clone(&is_over) };
        std::thread::spawn(move || {
            let answer: &Answer = &answer;
            for stream in listener.incoming().map_while(Result::ok) {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up, as one does that does not trust this certificate, is no fault of the server.
                let _ = match &tls {
                    None => talk(stream, &asked, answer),
                    Some(tls) => rustls::ServerConnection::new(Arc::clone(tls))
                        .map_err(std::io::Error::other)
                        .and_then(|tls| talk(rustls::StreamOwned::new(tls, stream), &asked, answer)),
                };
            }
        });
        server
    }

    /// All that it was asked, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn talk(stream: impl Read + Write, asked: &Mutex<Vec<Asked>>, answer: &Answer) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let request = Asked { line: line.trim_end().to_owned(), headers, body };
    let before = {
        let mut asked = asked.lock().unwrap();
        asked.push(request.clone());
        asked.len() - 1
    };
    let (status, more, body) = answer(before, &request);
    let head =
        format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n", body.len());
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    stream.flush()
}

/// A certificate for `name` that `authority` signed.
pub(super) fn tls(authority: &Authority, name: &str) -> Arc<rustls::ServerConfig> {
    let (certificate, key) = authority.sign(name, 2050);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        );
    Arc::new(config.unwrap())
}
