//! Uploads to an S3 store that others wrote and that checks each signature: moto's, see `s3_server.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use gridpatrol::upload::Login;

use super::{Box1, picture, secret, wait};

/// A store with one bucket and one user, who may write there and read; gone with this.
struct S3 {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u64,
    access_key: String,
    secret_key: String,
}

impl S3 {
    fn start() -> Self {
        let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new("python3")
            .arg(home.join("tests/upload/s3_server.py"))
            .env("PYTHONPATH", home.join(".setup/s3-server"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is there");
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let said: serde_json::Value =
            serde_json::from_str(&line).expect("the S3 store starts; `scripts/setup.sh test` brings it");
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Self {
            child,
            input,
            output,
            port: said["port"].as_u64().unwrap(),
            access_key: text("access_key"),
            secret_key: text("secret_key"),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/bucket{path}", self.port)
    }

    fn login(&self, access_key: &str, secret: PathBuf) -> Login {
        let (region, access_key) = ("cn-north-1".to_owned(), access_key.to_owned());
        Login::S3 { region, access_key, secret }
    }

    /// The object at the path of its address, as the store's own client reads it.
    fn object(&mut self, path: &str) -> Option<Vec<u8>> {
        writeln!(self.input, "{}", path.strip_prefix("/bucket/").unwrap()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let line = line.trim();
        if line == "none" {
            return None;
        }
        let byte = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap_or_else(|_| panic!("{line}"));
        Some((0..line.len()).step_by(2).map(byte).collect())
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_s3_store_that_checks_signatures_has_the_picture_byte_for_byte() {
    let mut store = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let login = store.login(&store.access_key, secret(folder.path(), &store.secret_key));
    // The last is 街道 (what is below a bucket) as an address spells it, with every other character that stays as it is.
    for path in ["", "/evidence", "/a.b_c~d-e/%E8%A1%97%E9%81%93"] {
        let one = Box1::new(&store.url(path), login.clone(), None);
        let at = one.put(1);
        assert_eq!(store.object(&at), None, "not yet");
        one.start();
        one.wait_until_empty();
        assert_eq!(store.object(&at).unwrap(), picture(1).bytes, "{path}");
        assert_eq!(std::fs::read_dir(one.folder.path()).unwrap().count(), 0, "nothing is left on the disk");
    }
}

#[test]
fn an_s3_store_that_refuses_the_keys_says_why_and_the_picture_waits_for_the_right_ones() {
    let mut store = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let wrong = "not-the-secret-7c31";
    let one = Box1::new(&store.url(""), store.login(&store.access_key, secret(folder.path(), wrong)), None);
    let at = one.put(1);
    one.start();
    let trouble = one.trouble();
    assert!(trouble.contains("refuses the login: 403 (SignatureDoesNotMatch)"), "{trouble}");
    assert!(!trouble.contains(wrong) && !trouble.contains(&store.secret_key), "{trouble}");
    assert_eq!((one.uploads.count().waiting, store.object(&at)), (1, None), "it is kept");
    // Mended while the box runs.
    secret(folder.path(), &store.secret_key);
    one.wait_until_empty();
    assert_eq!(store.object(&at).unwrap(), picture(1).bytes);

    let stranger = store.login("AKIAIOSFODNN7EXAMPLE", secret(folder.path(), &store.secret_key));
    let one = Box1::new(&store.url(""), stranger, None);
    one.put(2);
    one.start();
    let unknown = one.trouble();
    assert!(unknown.contains("refuses the login: 403 (InvalidAccessKeyId)"), "{unknown}");

    let missing = format!("http://127.0.0.1:{}/no-such-bucket", store.port);
    let one =
        Box1::new(&missing, store.login(&store.access_key, secret(folder.path(), &store.secret_key)), None);
    one.put(3);
    one.start();
    wait(|| one.uploads.count().trouble.is_some(), || "it says nothing".to_owned());
    assert_eq!(one.uploads.count().waiting, 1);
}
