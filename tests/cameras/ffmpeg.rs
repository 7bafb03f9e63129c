//! The ffmpeg program as a source, killed and frozen under the program's hands.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::snapshot_server::{Answer, Login, SnapshotServer, well};
use crate::support::program::{CLIP, KERB};

const PATIENCE: Duration = Duration::from_secs(60);

/// `gridpatrol cameras --watch` at work; killed on drop.
struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    folder: tempfile::TempDir,
}

impl Watch {
    fn start(source: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("edge.toml");
        let text = format!(
            "edge = {{ street = \"410102007\", box = \"box-1\", grid_profile = \"gb-t-47678.3\" }}\n\
             [[camera]]\nid = \"gate\"\nsource = {source:?}\n{settings}\n{KERB}"
        );
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
            .args(["cameras", "--watch", "gate", "--json", "--seconds", "600", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (output, heard) = (child.stdout.take().unwrap(), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                heard.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines, folder }
    }

    /// Waits for a line of which `done` holds.
    fn until(&self, done: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            if let Some(line) = self.lines.lock().unwrap().iter().rev().find(|line| done(line)) {
                return line.clone();
            }
            assert!(began.elapsed() < PATIENCE, "{:?}\n{}", self.lines.lock().unwrap().last(), self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until pictures come over connection number `connection`.
    fn until_live(&self, connection: u64) -> Value {
        self.until(|line| line["frames"].as_u64() > Some(0) && line["link"]["connections"] == connection)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Process id and command line of its ffmpeg, which may be just starting again after a film's end.
    fn ffmpeg(&self) -> (u32, String) {
        let began = Instant::now();
        loop {
            if let Some(found) = self.children().into_iter().find(|(_, line)| line.starts_with("ffmpeg ")) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "there is no ffmpeg\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Process id and command line of each process that it has started and that still runs.
    fn children(&self) -> Vec<(u32, String)> {
        let own = self.child.id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap();
        processes
            .filter_map(|entry| {
                let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
                let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
                (parent == own).then(|| (pid, line.replace('\0', " ")))
            })
            .collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn is_gone(pid: u32) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        // A zombie, which somebody else has to reap, has no command line.
        if std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
            std::thread::sleep(Duration::from_millis(50));
        } else {
            return true;
        }
    }
    false
}

fn clip() -> String {
    format!("ffmpeg:{}", Path::new(CLIP).canonicalize().unwrap().display())
}

#[test]
fn ffmpeg_that_is_killed_or_frozen_is_started_again_and_none_is_left_behind() {
    let mut watch = Watch::start(&clip(), "fps = 5");
    let line = watch.until_live(1);
    assert_eq!(line["link"]["size"], serde_json::json!([768, 576]));

    signal("-KILL", watch.ffmpeg().0);
    watch.until_live(2);

    let (frozen, _) = watch.ffmpeg();
    signal("-STOP", frozen);
    watch.until_live(3);
    assert!(is_gone(frozen), "the frozen one is still there");
    assert!(watch.log().contains("gave no picture in time"), "{}", watch.log());

    let (last, _) = watch.ffmpeg();
    watch.child.kill().unwrap();
    watch.child.wait().unwrap();
    assert!(is_gone(last), "ffmpeg outlived a program that was killed");
}

#[test]
fn interlaced_video_and_codecs_that_are_not_decoded_in_process_come_through_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let interlaced = ["-c:v", "libx264", "-flags", "+ildct+ilme", "-x264opts", "tff=1"];
    for (name, codec) in [("interlaced.mp4", &interlaced[..]), ("odd.mkv", &["-c:v", "msmpeg4v2"][..])] {
        let path = folder.path().join(name);
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10", "-t", "5"])
            .args(codec)
            .arg(&path)
            .status();
        assert!(made.unwrap().success(), "{name}");
        let watch = Watch::start(&format!("ffmpeg:{}", path.display()), "");
        assert_eq!(watch.until_live(1)["link"]["size"], serde_json::json!([320, 240]), "{name}");
    }
}

#[test]
fn a_password_for_ffmpeg_is_on_no_command_line_and_in_no_log() {
    // A broken stream, so that ffmpeg complains about the address, with the password in it.
    let broken = Answer { login: Login::Basic("s3cret"), ..well(b"no video".to_vec()) };
    let server = SnapshotServer::start(broken, None);
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "s3cret\n").unwrap();
    let login = format!("username = \"viewer\"\npassword_file = {:?}", password.path());
    let watch = Watch::start(&format!("ffmpeg:http://127.0.0.1:{}/film.mp4", server.port), &login);
    watch.until(|line| !line["link"]["reason"].is_null());
    let sent = |request: &String| request.contains("Basic dmlld2VyOnMzY3JldA==");
    assert!(server.asked.lock().unwrap().iter().any(sent), "ffmpeg did log in");
    let log = watch.log();
    assert!(log.contains("//***@127.0.0.1") && !log.contains("s3cret"), "{log}");

    let film = std::fs::read(CLIP).unwrap();
    *server.answer.lock().unwrap() = Answer { login: Login::Basic("s3cret"), ..well(film) };
    watch.until(|line| line["frames"].as_u64() > Some(0));
    let (_, line) = watch.ffmpeg();
    assert!(line.contains("-i pipe:0") && !line.contains("s3cret") && !line.contains("viewer"), "{line}");
}

#[test]
fn without_the_ffmpeg_program_the_camera_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("edge.toml");
    let text = format!(
        "edge = {{ street = \"410102007\", box = \"box-1\", grid_profile = \"gb-t-47678.3\" }}\n\
         [[camera]]\nid = \"gate\"\nsource = {:?}\n{KERB}",
        clip()
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
        .args(["cameras", "--watch", "gate", "--seconds", "2", "--config"])
        .arg(&config)
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("ffmpeg is not installed"), "{said}");
}
