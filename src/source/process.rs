//! A program that gives pictures on its standard output, watched.
//!
//! Invariants, each with a test of its name:
//! - a program that is silent for too long is an error, never a wait without end;
//! - no program outlives its handle: it is killed with all it started, and reaped;
//! - what it complains about is bounded, and no secret of ours is in it.

use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;

/// How long a wait lasts at most before it is looked whether to stop.
const NAP: Duration = Duration::from_millis(100);
/// Lines of complaint that are logged of one run of a program.
const MOST_LINES: usize = 20;
/// How much of a line of complaint is read, in bytes, and how much of that is shown, in characters.
const LONGEST_LINE: u64 = 4096;
const SHOWN: usize = 300;

/// A running program. Reading from it gives its standard output; after [`Process::expect`], a read that takes
/// longer than allowed fails with [`io::ErrorKind::TimedOut`], and one during which the box is asked to stop with
/// [`io::ErrorKind::ConnectionAborted`].
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    output: ChildStdout,
    shutdown: Shutdown,
    deadline: Instant,
    complaints: Arc<Mutex<Complaints>>,
    listener: JoinHandle<()>,
}

/// What a program has said on standard error.
#[derive(Debug, Default)]
struct Complaints {
    lines: usize,
    last: Option<String>,
}

impl Process {
    /// Starts `command`, called `name` in messages, in a process group of its own. Its standard input is what the
    /// caller set; `hidden` are texts that are masked in what it says.
    ///
    /// # Errors
    /// [`Kind::Camera`] when it cannot be started.
    pub(super) fn start(
        name: &str,
        command: &mut Command,
        hidden: Vec<String>,
        shutdown: Shutdown,
    ) -> Result<Self> {
        let fault = |what: &str| Error::new(Kind::Camera, format!("{name} {what}"));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| fault("cannot be started").caused_by(e))?;
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            kill(&mut child);
            return Err(fault("has no output to read"));
        };
        let complaints = Arc::new(Mutex::new(Complaints::default()));
        let listener = {
            let (complaints, name) = (complaints.clone(), name.to_owned());
            std::thread::Builder::new()
                .name(format!("log {name}"))
                .spawn(move || listen(&name, errors, &hidden, &complaints))
        };
        let listener = match listener {
            Ok(listener) => listener,
            Err(e) => {
                kill(&mut child);
                return Err(fault("cannot be listened to").caused_by(e));
            }
        };
        let deadline = Instant::now();
        let name = name.to_owned();
        Ok(Self { name, child, output, shutdown, deadline, complaints, listener })
    }

    /// The standard input, if it was piped and not taken yet.
    pub(super) fn take_input(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// The process id, which is that of its group too.
    #[cfg(test)]
    fn id(&self) -> u32 {
        self.child.id()
    }

    /// What comes next, a picture as a whole, has to come within `time`.
    pub(super) fn expect(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// Whether stopping was asked for.
    pub(super) fn is_stopping(&self) -> bool {
        self.shutdown.is_requested()
    }

    /// The error for a read that failed with `fault`: what became of the program, and its last complaint. Kills
    /// it.
    pub(super) fn lost(&mut self, fault: &io::Error) -> Error {
        let what = match fault.kind() {
            io::ErrorKind::TimedOut => "gave no picture in time and was stopped".to_owned(),
            io::ErrorKind::UnexpectedEof => match self.ended() {
                Some(status) => format!("ended ({status})"),
                None => "closed its output".to_owned(),
            },
            _ => format!("cannot be read: {fault}"),
        };
        self.kill();
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let said = complaints.last.as_deref().map(|last| format!(": {last}")).unwrap_or_default();
        Error::new(Kind::Camera, format!("{} {what}{said}", self.name))
    }

    /// Waits a moment for the exit status of a program that has closed its output.
    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        for _ in 0..10 {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Kills the program and what it started, and waits a moment for its last words: a process that has left the
    /// group may still hold the pipe, and is not waited for.
    fn kill(&mut self) {
        kill(&mut self.child);
        for _ in 0..10 {
            if self.listener.is_finished() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Read for Process {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.shutdown.is_requested() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            let nap = Timespec::try_from(left.min(NAP)).unwrap_or_default();
            let mut ready = [PollFd::new(&self.output, PollFlags::IN)];
            match poll(&mut ready, Some(&nap)) {
                Ok(0) if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return self.output.read(buffer),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills the group of `child`, itself first, and reaps it.
fn kill(child: &mut Child) {
    // Until it is reaped its id cannot be given to another process.
    if let Ok(None) = child.try_wait() {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // A group that is gone already is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.kill();
    }
    let _ = child.wait();
}

/// Reads what a program says until it ends: a bounded part of it goes to the log.
fn listen(name: &str, errors: ChildStderr, hidden: &[String], complaints: &Mutex<Complaints>) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    loop {
        line.clear();
        let whole = match (&mut errors).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => line.ends_with(b"\n"),
        };
        if !whole && errors.skip_until(b'\n').is_err() {
            break;
        }
        // Masked before it is cut: half a secret is one too.
        let text: String = mask(String::from_utf8_lossy(&line).trim(), hidden).chars().take(SHOWN).collect();
        if text.is_empty() {
            continue;
        }
        let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.lines += 1;
        if complaints.lines <= MOST_LINES {
            tracing::info!("{name}: {text}");
        }
        complaints.last = Some(text);
    }
    let complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
    if complaints.lines > MOST_LINES {
        tracing::info!("{name}: {} more lines were left out.", complaints.lines - MOST_LINES);
    }
}

/// `text` without control characters, without the `hidden` words and without user names and passwords in
/// addresses.
fn mask(text: &str, hidden: &[String]) -> String {
    let mut masked: String = text.chars().filter(|c| !c.is_control()).collect();
    for word in hidden.iter().filter(|word| !word.is_empty()) {
        masked = masked.replace(word.as_str(), "***");
    }
    let mut shown = String::with_capacity(masked.len());
    let mut rest = masked.as_str();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let authority = after.find(['/', ' ', '\'', '"', '?']).unwrap_or(after.len());
        rest = match after[..authority].rfind('@') {
            Some(at) => {
                shown.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, hidden: &[&str]) -> Process {
        let hidden = hidden.iter().map(|word| (*word).to_owned()).collect();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("the test program", &mut command, hidden, Shutdown::default()).unwrap()
    }

    fn is_alive(pid: u32) -> bool {
        // A zombie is dead: its command line is empty.
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    #[test]
    fn a_program_that_is_silent_for_too_long_is_an_error() {
        let mut process = shell("printf abc; sleep 600", &[]);
        process.expect(Duration::from_millis(300));
        let mut bytes = [0; 4];
        let fault = process.read_exact(&mut bytes).unwrap_err();
        assert_eq!((fault.kind(), &bytes[..3]), (io::ErrorKind::TimedOut, &b"abc"[..]));
        assert!(process.lost(&fault).to_string().contains("gave no picture in time"));
    }

    #[test]
    fn no_program_outlives_its_handle() {
        let mut process = shell("sleep 600 & echo $!; sleep 600", &[]);
        process.expect(Duration::from_secs(10));
        let mut line = [0; 32];
        let length = process.read(&mut line).unwrap();
        let grandchild: u32 = std::str::from_utf8(&line[..length]).unwrap().trim().parse().unwrap();
        let child = process.id();
        assert!(is_alive(child) && is_alive(grandchild));
        drop(process);
        for _ in 0..100 {
            if !is_alive(grandchild) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!is_alive(child), "the program");
        assert!(!is_alive(grandchild), "what the program had started");
    }

    #[test]
    fn what_it_complains_about_is_bounded_and_without_secrets() {
        let script = "i=0; while [ $i -lt 500 ]; do echo \"$i hunter2 rtsp://me:pw@cam/1 \
                      $(printf %0400d 7)\" >&2; i=$((i+1)); done; exit 3";
        let mut process = shell(script, &["hunter2"]);
        process.expect(Duration::from_secs(30));
        let fault = process.read_exact(&mut [0]).unwrap_err();
        let text = process.lost(&fault).to_string();
        assert!(text.contains("exit status: 3"), "{text}");
        assert!(text.len() < 500 && !text.contains("hunter2") && !text.contains("pw"), "{text}");
        let complaints = process.complaints.lock().unwrap();
        assert!(complaints.lines >= 500);
    }

    #[test]
    fn addresses_lose_their_user_and_password() {
        let shown = mask("a rtsp://u:p@ss@h:554/x?y=1@2, http://ok/a@b and rtsps://v:w@z", &[]);
        assert_eq!(shown, "a rtsp://***@h:554/x?y=1@2, http://ok/a@b and rtsps://***@z");
    }

    #[test]
    fn a_request_to_stop_ends_a_read() {
        let mut process = shell("sleep 600", &[]);
        process.expect(Duration::from_secs(600));
        process.shutdown.request();
        assert_eq!(process.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert!(process.is_stopping());
    }
}
