//! A real mosquitto on a free loopback port, and `mosquitto_sub` as a client that shares no code with ours.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gridpatrol::plan::BrokerPlan;
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate authority.
pub(crate) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        // Two certificates of one name would look like one that signed itself.
        ca.distinguished_name.push(rcgen::DnType::CommonName, "the test's authority");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = ca.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(ca, key), pem }
    }

    /// A certificate for `name` that ends with the year `until`, and its key, both in PEM.
    pub(crate) fn sign(&self, name: &str, until: i32) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A broker without persistence; killed on drop.
pub(crate) struct Mosquitto {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    /// What its configuration says of TLS and passwords.
    pub(crate) tls_settings: String,
    /// How its clients have to connect.
    pub(crate) client_args: Vec<String>,
}

impl Mosquitto {
    /// A broker that is not running yet. `settings` are further lines of its configuration.
    pub(crate) fn prepare(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mosquitto =
            Self { folder, port, child: None, tls_settings: String::new(), client_args: Vec::new() };
        mosquitto.configure(settings);
        mosquitto
    }

    /// A running broker that lets anyone in.
    pub(crate) fn start() -> Self {
        let mut mosquitto = Self::prepare("allow_anonymous true\n");
        mosquitto.run();
        mosquitto
    }

    /// A broker, not running yet, that wants TLS and the password of `box-1`, and how a box is to reach it.
    pub(crate) fn with_tls_and_password() -> (Self, BrokerPlan) {
        Self::with_certificate(&Authority::new(), "localhost", 2050)
    }

    /// The same with a certificate for `name` that `authority` signed and that ends with the year `until`.
    pub(crate) fn with_certificate(authority: &Authority, name: &str, until: i32) -> (Self, BrokerPlan) {
        let (certificate, key) = authority.sign(name, until);
        let mut broker = Self::prepare("");
        let certificate = broker.file("server.pem", &certificate);
        let key = broker.file("server.key", &key);
        let ca = broker.file("ca.pem", &authority.pem);
        let password = broker.file("password", "secret\n");
        let users = broker.file("users", "box-1:secret\nplatform:secret\n");
        assert!(Command::new("mosquitto_passwd").args(["-U", &users]).status().unwrap().success());
        broker.tls_settings =
            format!("certfile {certificate}\nkeyfile {key}\nallow_anonymous false\npassword_file {users}\n");
        broker.configure(&broker.tls_settings);
        broker.client_args = ["--cafile", &ca, "-u", "platform", "-P", "secret"].map(str::to_owned).to_vec();
        let plan = BrokerPlan {
            tls_ca: Some(ca.into()),
            login: Some(("box-1".to_owned(), password.into())),
            ..BrokerPlan::plain("localhost", broker.port)
        };
        (broker, plan)
    }

    /// Sends `payload` to `topic` as a request, and returns the answers on `answers` (topic, correlation data, JSON).
    pub(crate) fn ask(
        &self,
        topic: &str,
        answers: &str,
        payload: &str,
        more: &[&str],
    ) -> (String, serde_json::Value) {
        let output = Command::new(program("mosquitto_rr"))
            .args(["-h", "localhost", "-p", &self.port.to_string(), "-q", "1", "-W", "40"])
            .args(&self.client_args)
            .args(["-t", topic, "-e", answers, "-m", payload, "-F", "%t\\t%D\\t%p"])
            .args(["-D", "publish", "correlation-data", "c-17"])
            .args(more)
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let mut fields = text.trim_end().splitn(3, '\t');
        let mut field =
            || fields.next().unwrap_or_else(|| panic!("no answer to {payload} on {topic}: {text:?}"));
        let (on, correlation, json) = (field(), field(), field());
        assert_eq!(on, answers);
        (correlation.to_owned(), serde_json::from_str(json).unwrap())
    }

    /// Replaces the further lines of the configuration; holds from the next [`Self::run`].
    pub(crate) fn configure(&self, settings: &str) {
        // As root it would change to a user that cannot read the temporary folder.
        let kept = if settings.contains("persistence ") { "" } else { "persistence false\n" };
        let text = format!("listener {} 127.0.0.1\nuser root\n{kept}{settings}", self.port);
        std::fs::write(self.folder.path().join("mosquitto.conf"), text).unwrap();
    }

    /// Writes a file beside the configuration and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Starts it and waits until it listens.
    pub(crate) fn run(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let child = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(found(child, "mosquitto"));
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "mosquitto does not listen on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it from running without ending it: it takes bytes and answers nothing.
    pub(crate) fn freeze(&self) {
        signal(self.child.as_ref().unwrap(), "-STOP");
    }

    /// Lets it run on.
    pub(crate) fn thaw(&self) {
        signal(self.child.as_ref().unwrap(), "-CONT");
    }

    /// The folder that its files are in.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A client that has subscribed to `filter`.
    pub(crate) fn subscribe(&self, filter: &str) -> Subscriber {
        Subscriber::start(self.port, filter, 1, &self.client_args)
    }

    /// A client that has subscribed to `filter` and reads all that the broker passed on to it before it died. With
    /// quality of service 1 `mosquitto_sub` would leave unread what has already arrived, once it cannot acknowledge.
    pub(crate) fn witness(&self, filter: &str) -> Subscriber {
        Subscriber::start(self.port, filter, 0, &self.client_args)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
}

/// Where Debian puts the server is not on every user's path.
fn program(name: &str) -> String {
    let beside = format!("/usr/sbin/{name}");
    if std::path::Path::new(&beside).is_file() { beside } else { name.to_owned() }
}

fn found(child: std::io::Result<Child>, name: &str) -> Child {
    match child {
        Ok(child) => child,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            panic!(
                "{name} is not installed: run `make setup`, or apt-get install mosquitto mosquitto-clients"
            )
        }
        Err(e) => panic!("cannot start {name}: {e}"),
    }
}

/// One message as `mosquitto_sub` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) topic: String,
    pub(crate) retained: bool,
    pub(crate) content_type: String,
    /// Seconds; empty where there is none.
    pub(crate) expiry: String,
    pub(crate) properties: String,
    pub(crate) payload: Vec<u8>,
    /// With which the broker delivered it.
    pub(crate) qos: String,
}

impl Received {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

/// A running `mosquitto_sub`; killed on drop.
pub(crate) struct Subscriber {
    child: Child,
    messages: Receiver<Received>,
}

impl Subscriber {
    fn start(port: u16, filter: &str, qos: u8, args: &[String]) -> Self {
        // The broker's version is retained, so its arrival shows that the subscriptions stand.
        const READY: &str = "$SYS/broker/version";
        let child = Command::new(program("mosquitto_sub"))
            .args(["-h", "localhost", "-p", &port.to_string(), "-V", "5", "-q", &qos.to_string()])
            .args(args)
            .args(["-t", filter, "-t", READY, "-F", "%t\\t%r\\t%C\\t%E\\t%P\\t%x\\t%q"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = found(child, "mosquitto_sub");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, messages) = channel();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let message = parse(&line);
                if message.topic == READY {
                    let _ = ready.send(());
                } else if sender.send(message).is_err() {
                    return;
                }
            }
        });
        is_ready.recv_timeout(PATIENCE).expect("mosquitto_sub did not connect");
        Self { child, messages }
    }

    /// The next message; the test fails if none comes.
    pub(crate) fn next(&self) -> Received {
        self.next_within(PATIENCE)
    }

    /// The next message, for what takes long; the test fails if none comes.
    pub(crate) fn next_within(&self, patience: Duration) -> Received {
        self.messages.recv_timeout(patience).expect("no message came")
    }

    /// What has come and was not taken yet.
    pub fn rest(&self) -> Vec<Received> {
        self.messages.try_iter().collect()
    }

    /// What comes until nothing does for a while.
    pub(crate) fn soon(&self) -> Vec<Received> {
        let mut all = Vec::new();
        while let Ok(message) = self.messages.recv_timeout(Duration::from_millis(400)) {
            all.push(message);
        }
        all
    }

    /// All that a broker, which is gone, had passed on; of a [`Mosquitto::witness`] however slow it is.
    pub(crate) fn last_words(mut self) -> Vec<Received> {
        let began = Instant::now();
        // It closes its connection when it has read to the end, and tries again only a second later.
        while self.has_connection() {
            assert!(began.elapsed() < PATIENCE, "mosquitto_sub does not notice that the broker is gone");
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its output ends with it.
        self.messages.iter().collect()
    }

    /// Whether it holds its end of a connection, be it a broken one; the sockets by which it wakes itself are of
    /// another kind.
    fn has_connection(&self) -> bool {
        let process = format!("/proc/{}", self.child.id());
        // Over TLS it ends with the connection, and there is nothing to be read.
        let Ok(table) = std::fs::read_to_string(format!("{process}/net/unix")) else { return false };
        let own: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().nth(6)).collect();
        let Ok(files) = std::fs::read_dir(format!("{process}/fd")) else { return false };
        files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()).any(|target| {
            let target = target.display().to_string();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            inode.is_some_and(|inode| !own.contains(&inode))
        })
    }

    /// Stops it from reading without ending it.
    pub(crate) fn freeze(&self) {
        signal(&self.child, "-STOP");
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Messages up to the first for which `is_last` holds, that one included.
    pub(crate) fn until(&self, mut is_last: impl FnMut(&Received) -> bool) -> Vec<Received> {
        let mut all = Vec::new();
        loop {
            let message = self.next();
            let last = is_last(&message);
            all.push(message);
            if last {
                return all;
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Received {
    let mut fields = line.split('\t');
    let mut field = || fields.next().unwrap_or_else(|| panic!("too few fields: {line}")).to_owned();
    let (topic, retained, content_type, expiry, properties, hex, qos) =
        (field(), field() == "1", field(), field(), field(), field(), field());
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let payload = (0..hex.len()).step_by(2).map(digit).collect();
    Received { topic, retained, content_type, expiry, properties, payload, qos }
}
