//! A real RTSP server on a free loopback port.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The server; killed on drop.
pub(super) struct Server {
    port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// A running server of `streams`, each a name and a file.
    pub(super) fn start(streams: &[(&str, &Path)]) -> Self {
        Self::with(&[], streams)
    }

    /// A running server that sends parameter sets in the session's description only.
    pub(super) fn with_sets_in_sdp(streams: &[(&str, &Path)]) -> Self {
        Self::with(&["--sets-in-sdp"], streams)
    }

    /// A running server that wants a `login`: `METHOD:USER:PASSWORD`.
    pub(super) fn with_login(login: &str, streams: &[(&str, &Path)]) -> Self {
        Self::with(&["--login", login], streams)
    }

    fn with(options: &[&str], streams: &[(&str, &Path)]) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut arguments: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        arguments.extend(streams.iter().map(|(name, file)| format!("{name}={}", file.display())));
        let mut server = Self { port, arguments, child: None };
        server.run();
        server
    }

    /// Starts it, on the port it had before, and waits until it listens.
    pub(super) fn run(&mut self) {
        // Debian's Python: others have no GStreamer.
        let mut child = Command::new("/usr/bin/python3")
            .arg("tests/support/rtsp_server.py")
            .arg(self.port.to_string())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "the RTSP server does not start: run `make test-setup`");
        self.child = Some(child);
    }

    /// Kills it, as a power cut would.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it from running without ending it: connections stay open and nothing comes.
    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it run again.
    pub(super) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Its port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The address of the stream `name`.
    pub(super) fn url(&self, name: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
