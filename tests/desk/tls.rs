//! The desk's own TLS, looked at with curl, which shares no code with it.

use std::net::TcpListener;
use std::process::{Command, Output};

use gridpatrol::desk::web;
use tokio::sync::oneshot;

use super::*;
use crate::support::mosquitto::Authority;

/// A desk that listens with a certificate for `localhost`.
struct Secure {
    street: Street,
    port: u16,
    folder: TempDir,
    runtime: Option<tokio::runtime::Runtime>,
    stop: Option<oneshot::Sender<()>>,
}

impl Secure {
    fn start() -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.sign("localhost", 2050);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        file("ca.pem", &authority.pem);
        let other = rcgen::generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
        file("other.pem", &other.cert.pem());
        let (certificate, key) = (file("desk.pem", &certificate), file("desk.key", &key));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let street = Street::with(&format!(
            "[web]\npublic_url = \"https://localhost:{port}\"\ncert_file = {certificate:?}\nkey_file = {key:?}\n"
        ));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let desk = Arc::clone(&street.desk);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            web::serve(desk, listener, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        Self { street, port, folder, runtime: Some(runtime), stop: Some(stop) }
    }

    /// What curl says, trusting the authority in `ca` and keeping cookies.
    fn curl(&self, ca: &str, more: &[&str]) -> Output {
        let file = |name: &str| self.folder.path().join(name);
        Command::new("curl")
            .args(["--silent", "--show-error", "--include", "--max-time", "30", "--noproxy", "*"])
            .args(["--resolve", &format!("localhost:{}:127.0.0.1", self.port)])
            .arg("--cacert")
            .arg(file(ca))
            .arg("--cookie")
            .arg(file("jar"))
            .arg("--cookie-jar")
            .arg(file("jar"))
            .args(more)
            .output()
            .expect("curl is there; scripts/setup.sh test installs it")
    }

    /// Head and body of what is answered.
    #[track_caller]
    fn ask(&self, path: &str, more: &[&str]) -> (String, String) {
        let url = format!("https://localhost:{}{path}", self.port);
        let output = self.curl("ca.pem", &[more, &[url.as_str()]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn cookies(head: &str) -> Vec<&str> {
    head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).collect()
}

#[test]
fn over_tls_the_browser_is_held_to_tls() {
    let secure = Secure::start();
    secure.street.person("li", Role::Worker, &[SOUTH]);
    let (head, page) = secure.ask("/login", &[]);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("\nstrict-transport-security: max-age=31536000"), "{head}");
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let form = format!("csrf={csrf}");
    let (head, body) = secure.ask(
        "/login",
        &[
            "--data-urlencode",
            &form,
            "--data-urlencode",
            "login=li",
            "--data-urlencode",
            &format!("password={PASSWORD}"),
        ],
    );
    assert!(head.starts_with("http/1.1 303"), "{head}\n{body}");
    let set = cookies(&head);
    // The prefix has browsers take it over TLS only, for this host only, for all of it.
    let session = set.iter().find(|cookie| cookie.starts_with("__host-desk=")).expect("a session");
    for part in ["; path=/", "; httponly", "; samesite=strict", "; secure"] {
        assert!(session.contains(part), "{session}");
    }
    assert!(!session.contains("domain"), "{session}");
    let (head, page) = secure.ask("/inbox", &[]);
    assert!(head.starts_with("http/1.1 200") && page.contains("没有待核实的案件"), "{head}");
    // The same over the line that others can read does not exist.
    let plain = secure.curl("ca.pem", &[&format!("http://localhost:{}/login", secure.port)]);
    assert!(!plain.status.success(), "{}", String::from_utf8_lossy(&plain.stdout));
}

#[test]
fn who_does_not_trust_the_certificate_or_speaks_old_tls_is_not_talked_to() {
    let secure = Secure::start();
    let url = format!("https://localhost:{}/login", secure.port);
    let stranger = secure.curl("other.pem", &[&url]);
    // curl's exit codes: 60 for a certificate that cannot be verified, 35 for a greeting that fails.
    assert_eq!(stranger.status.code(), Some(60), "{}", String::from_utf8_lossy(&stranger.stderr));
    let other_name = secure.curl("ca.pem", &[&format!("https://127.0.0.1:{}/login", secure.port)]);
    assert_eq!(other_name.status.code(), Some(60), "{}", String::from_utf8_lossy(&other_name.stderr));
    let old = secure.curl("ca.pem", &["--tls-max", "1.1", &url]);
    assert_eq!(old.status.code(), Some(35), "{}", String::from_utf8_lossy(&old.stderr));
    for version in ["1.2", "1.3"] {
        let (head, _) = secure.ask("/login", &["--tls-max", version, &format!("--tlsv{version}")]);
        assert!(head.starts_with("http/1.1 200"), "{version}: {head}");
    }
    // A connection that never greets does not keep others out.
    let _silent: Vec<std::net::TcpStream> =
        (0..20).map(|_| std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, secure.port)).unwrap()).collect();
    assert!(secure.ask("/login", &[]).0.starts_with("http/1.1 200"));
}

#[test]
fn a_key_that_does_not_fit_its_certificate_stops_the_start() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ((certificate, _), (_, key)) = (authority.sign("localhost", 2050), authority.sign("localhost", 2050));
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (file("desk.pem", &certificate), file("desk.key", &key));
    let street = Street::with(&format!("[web]\ncert_file = {certificate:?}\nkey_file = {key:?}\n"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        web::serve(Arc::clone(&street.desk), listener, std::future::pending()).await.unwrap_err()
    });
    assert!(error.to_string().contains("desk.pem"), "{error}");
}
