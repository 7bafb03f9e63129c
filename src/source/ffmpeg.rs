//! The ffmpeg program as a source: whatever it can read, this can watch. For codecs, containers and interlaced
//! video that are not decoded in process, and for hardware decoders. It runs as a child process, is killed when it
//! is silent for 3 s, and any end of it is a lost stream, whatever its exit code: it says 0 when a server goes away.
//!
//! A password is put into the address that ffmpeg opens, for it knows no other way; the address goes to it over a
//! pipe as a play list of one entry (its `concat` demuxer), so that no list of processes shows it.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::Process;
use super::reopen::SILENCE;
use super::y4m::Header;
use super::{Next, Source};
use crate::clock::{Clock as _, SystemClock};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Secret;
use crate::shutdown::Shutdown;

/// How long ffmpeg may take to the first picture: it reads 5 s of a stream that does not say what it is.
const START: Duration = Duration::from_secs(15);
/// What a play list from a pipe may refer to.
const PROTOCOLS: &str = "pipe,fd,file,tcp,udp,rtp,rtsp,rtsps,tls,http,https,httpproxy,crypto,rtmp,rtmps,srt";

/// What the ffmpeg program is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfmpegCamera {
    /// What it takes after `-i`, without credentials.
    pub address: String,
    /// Whether that is a file, which is then played at its own speed.
    pub is_file: bool,
    /// What stands before `-i`.
    pub arguments: Vec<String>,
    /// Most pictures a second.
    pub fps: u32,
    /// User name, and where its password lies.
    pub login: Option<(String, Secret)>,
}

impl FfmpegCamera {
    /// The arguments, and what is to be written to standard input.
    fn command(&self) -> Result<(Vec<String>, Option<String>, Vec<String>)> {
        let mut arguments: Vec<String> =
            ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"].map(str::to_owned).into();
        let rtsp = self.address.starts_with("rtsp://") || self.address.starts_with("rtsps://");
        if self.is_file {
            arguments.push("-re".to_owned());
        }
        let mut hidden = Vec::new();
        let list = match &self.login {
            None => {
                if rtsp {
                    arguments.extend(["-rtsp_transport", "tcp"].map(str::to_owned));
                }
                arguments.extend(self.arguments.iter().cloned());
                arguments.extend(["-i".to_owned(), self.address.clone()]);
                None
            }
            Some((name, secret)) => {
                let password = secret.read()?;
                let (scheme, rest) = self.address.split_once("://").unwrap_or(("", &self.address));
                let (name, encoded) = (percent_encoded(name), percent_encoded(&password));
                hidden.extend([password, encoded.clone()]);
                arguments.extend(self.arguments.iter().cloned());
                arguments.extend(
                    ["-f", "concat", "-safe", "0", "-protocol_whitelist", PROTOCOLS].map(str::to_owned),
                );
                arguments.extend(["-i", "pipe:0"].map(str::to_owned));
                let option = if rtsp { "option rtsp_transport tcp\n" } else { "" };
                let address = format!("{scheme}://{name}:{encoded}@{rest}").replace('\'', "%27");
                Some(format!("ffconcat version 1.0\nfile '{address}'\n{option}"))
            }
        };
        // Only interlaced pictures are touched by yadif. A tenth of the interval early is taken: time stamps tremble.
        let filters = format!(
            "yadif=deint=interlaced,select='isnan(prev_selected_t)+gte(t-prev_selected_t,{:.4})\
             +lt(t,prev_selected_t)',scale=trunc(iw/2)*2:trunc(ih/2)*2",
            0.9 / f64::from(self.fps.max(1))
        );
        arguments.extend(["-map", "0:v:0", "-an", "-sn", "-dn", "-vf", &filters].map(str::to_owned));
        arguments.extend(["-fps_mode", "passthrough", "-pix_fmt", "yuv420p"].map(str::to_owned));
        arguments.extend(["-f", "yuv4mpegpipe", "pipe:1"].map(str::to_owned));
        Ok((arguments, list, hidden))
    }
}

/// Pictures that the ffmpeg program decodes. A frame's capture time is that of its arrival.
pub(super) struct FfmpegSource {
    process: Process,
    header: Option<Header>,
    shown: u64,
}

impl FfmpegSource {
    /// Starts ffmpeg on `camera`; whether it can read it shows with the first frame. Ends when `shutdown` is asked
    /// for.
    ///
    /// # Errors
    /// [`Kind::Camera`] when the password cannot be read or the child process cannot be started.
    pub(super) fn open(camera: &FfmpegCamera, shutdown: Shutdown) -> Result<Self> {
        let (arguments, list, hidden) = camera.command()?;
        let mut command = Command::new(super::SELF);
        command
            .args(["run-child", "--parent", &std::process::id().to_string(), "--", "ffmpeg"])
            .args(arguments);
        command.stdin(if list.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut process = Process::start("ffmpeg", &mut command, hidden, shutdown)?;
        if let (Some(list), Some(mut input)) = (list, process.take_input()) {
            // Shorter than a pipe, so this never waits.
            input
                .write_all(list.as_bytes())
                .map_err(|e| Error::new(Kind::Camera, "ffmpeg does not take the address").caused_by(e))?;
        }
        process.expect(START);
        Ok(Self { process, header: None, shown: 0 })
    }

    fn read(&mut self, frame: &mut Frame) -> std::io::Result<()> {
        let header = match self.header {
            Some(header) => header,
            None => *self.header.insert(Header::read(&mut self.process)?),
        };
        header.picture(&mut self.process, frame)
    }
}

impl Source for FfmpegSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        if self.shown > 0 {
            self.process.expect(SILENCE);
        }
        match self.read(frame) {
            Ok(()) => {
                frame.captured = SystemClock.now();
                self.shown += 1;
                Ok(Next::Frame)
            }
            Err(_) if self.process.is_stopping() => Ok(Next::End),
            Err(e) => Err(self.process.lost(&e)),
        }
    }

    fn duration_s(&self) -> Option<f64> {
        None
    }
}

/// `text` for the user part of an address (RFC 3986 section 2.1).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(login: bool) -> FfmpegCamera {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "p@ss'w/rd\n").unwrap();
        // Kept: the test reads it after this returns.
        let path = file.into_temp_path().keep().unwrap();
        FfmpegCamera {
            address: "rtsp://10.0.0.7/main".to_owned(),
            is_file: false,
            arguments: vec!["-hwaccel".to_owned(), "vaapi".to_owned()],
            fps: 10,
            login: login.then(|| ("admin".to_owned(), Secret::File(path))),
        }
    }

    #[test]
    fn the_users_arguments_stand_before_the_input() {
        let (arguments, list, _) = camera(false).command().unwrap();
        let text = arguments.join(" ");
        assert!(text.contains("-rtsp_transport tcp -hwaccel vaapi -i rtsp://10.0.0.7/main -map"), "{text}");
        assert_eq!(list, None);
    }

    #[test]
    fn a_password_is_never_an_argument() {
        let (arguments, list, hidden) = camera(true).command().unwrap();
        let text = arguments.join(" ");
        assert!(!text.contains("p@ss") && !text.contains("p%40ss") && !text.contains("admin"), "{text}");
        assert!(text.contains("-hwaccel vaapi") && text.contains("-i pipe:0"), "{text}");
        let list = list.unwrap();
        assert!(list.contains("file 'rtsp://admin:p%40ss%27w%2Frd@10.0.0.7/main'\n"), "{list}");
        assert!(list.contains("option rtsp_transport tcp"), "{list}");
        assert_eq!(hidden, ["p@ss'w/rd", "p%40ss%27w%2Frd"]);
    }
}
