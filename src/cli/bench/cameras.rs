//! `gridpatrol bench cameras`: what a camera on the network costs on this box.
//!
//! Each row is measured in a process of its own, so that no row has the memory of the one before; the streams are
//! served by another one, whose cost is not counted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Serialize;
use serde_json::json;

use crate::bench::camera_server;
use crate::bench::cameras::{Cost, Mode, watch};
use crate::bench::machine::Machine;
use crate::error::{Error, Kind, Result};

/// Measure what a camera on the network costs, by the number of cameras.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gridpatrol bench cameras --input 1080p25.mp4
  gridpatrol bench cameras --input 1080p25.mp4 --streams 1,8 --seconds 30 --json
  gridpatrol bench cameras --input main.mp4 --input sub.mp4
  gridpatrol bench cameras --input 1080p25.mp4 --idle still.mp4

The file is served over RTSP on loopback. `key`: rules about what stays, key pictures only. `all`: every picture is
decoded and five a second are looked at, for rules that need movement, and as other programs do for all. With a second
file, such as the sub-stream's, both are in one table. `idle`: key pictures of a street where nothing happens, with
looks saved. Clips to measure with:
  ffmpeg -stream_loop 3 -i tests/media/vtest.mp4 -vf scale=1920:1080,fps=25 -c:v libx264 -preset veryfast \\
      -tune zerolatency -b:v 4M -g 50 1080p25.mp4
  ffmpeg -loop 1 -i street.png -t 60 -vf scale=1920:1080,noise=alls=6:allf=t,fps=25,format=yuv420p -c:v libx264 \\
      -preset veryfast -tune zerolatency -b:v 4M -g 50 still.mp4")]
pub struct Args {
    /// The H.264 or H.265 .mp4 file that the cameras send.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["watch", "idle"])]
    pub input: Vec<PathBuf>,
    /// The same of a street where nothing moves, for the rows `idle`.
    #[arg(long, value_name = "FILE")]
    pub idle: Vec<PathBuf>,
    /// Numbers of cameras.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 4, 8, 16], value_parser = clap::value_parser!(u16).range(1..=256))]
    pub streams: Vec<u16>,
    /// How long each row is measured.
    #[arg(long, value_name = "S", default_value_t = 15.0)]
    pub seconds: f64,
    /// Folder of the model.
    #[arg(long, value_name = "DIR", default_value = "models/nanodet-g-416")]
    pub model: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Serve the input and print its port: a child of this command.
    #[arg(long, hide = true)]
    pub serve: bool,
    /// Measure one row, `key`, `all` or `idle`, of cameras at this address: a child of this command.
    #[arg(long, hide = true, num_args = 2)]
    pub watch: Option<Vec<String>>,
}

/// Measures and prints.
///
/// # Errors
/// When the model or the input is at fault.
pub fn run(args: &Args) -> Result<()> {
    if !(args.seconds.is_finite() && (0.1..=3600.0).contains(&args.seconds)) {
        return Err(Error::new(Kind::Usage, format!("--seconds {}: expected 0.1 to 3600", args.seconds)));
    }
    if let Some(row) = &args.watch {
        return one_row(args, row);
    }
    if args.serve {
        let Some(input) = args.input.first() else {
            return Err(Error::new(Kind::Usage, "--input is missing").help("give an .mp4 file"));
        };
        say(&camera_server::serve(input)?.to_string())?;
        loop {
            std::thread::park();
        }
    }
    let mut rows = Vec::new();
    let busy = args.input.iter().map(|input| (input, &[Mode::Key, Mode::All][..]));
    let idle = args.idle.iter().map(|input| (input, &[Mode::Idle][..]));
    for (input, modes) in busy.chain(idle) {
        let server = Server::start(input)?;
        let name = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for &mode in modes {
            for cameras in &args.streams {
                let _ = writeln!(std::io::stderr().lock(), "measuring {cameras} of {name}, {}", word(mode));
                rows.push(Row { input: name.clone(), cost: row(args, mode, *cameras, &server.url)? });
            }
        }
    }
    let machine = Machine::this();
    if args.json {
        say(&json!({"machine": machine, "model": args.model, "rows": rows}).to_string())
    } else {
        say(&table(&machine, &rows))
    }
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    /// Name of the file that the cameras sent, without its ending.
    input: String,
    #[serde(flatten)]
    cost: Cost,
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Key => "key",
        Mode::All => "all",
        Mode::Idle => "idle",
    }
}

/// Measures one row and prints it as JSON.
fn one_row(args: &Args, row: &[String]) -> Result<()> {
    let (mode, url) = match row {
        [mode, url] if mode == "key" => (Mode::Key, url),
        [mode, url] if mode == "all" => (Mode::All, url),
        [mode, url] if mode == "idle" => (Mode::Idle, url),
        _ => return Err(Error::new(Kind::Usage, "--watch: expected `key`, `all` or `idle`, and an address")),
    };
    let cameras = args.streams.first().copied().unwrap_or(1);
    let model = args.model.canonicalize().map_err(|e| Error::disk(&args.model, "find the model", e))?;
    let cost = watch(mode, cameras.into(), url, &model.display().to_string(), args.seconds)?;
    say(&json!(cost).to_string())
}

/// Has one row measured by another process.
fn row(args: &Args, mode: Mode, cameras: u16, url: &str) -> Result<Cost> {
    let output = Command::new(program()?)
        .args(["bench", "cameras", "--watch", word(mode), url, "--streams", &cameras.to_string()])
        .args(["--seconds", &args.seconds.to_string()])
        .arg("--model")
        .arg(&args.model)
        .env("GRIDPATROL_LOG", "error")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Error::new(Kind::System, "cannot start a process to measure with").caused_by(e))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| Error::new(Kind::System, format!("measuring {cameras} camera(s) failed, see above")))
}

fn program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|e| Error::new(Kind::System, "cannot find this program's file").caused_by(e))
}

/// The process that serves; ended on drop.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(input: &std::path::Path) -> Result<Self> {
        let mut child = Command::new(program()?)
            .args(["bench", "cameras", "--serve", "--input"])
            .arg(input)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::new(Kind::System, "cannot start a process to serve with").caused_by(e))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            // Nothing is read when the input is at fault; the child has said why.
            let _ = BufReader::new(out).read_line(&mut line);
        }
        let mut server = Self { child, url: String::new() };
        let port: u16 = line.trim().parse().map_err(|_| {
            Error::new(Kind::Camera, format!("{} cannot be served, see above", input.display()))
        })?;
        server.url = format!("rtsp://127.0.0.1:{port}/camera");
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn table(machine: &Machine, rows: &[Row]) -> String {
    let mut lines = vec![
        format!("{} · {} cores · {}", machine.cpu, machine.cores, machine.flags.join(" ")),
        "cores and rates are of one camera, memory of the whole program".to_owned(),
        String::new(),
        format!(
            "{:<16}{:<6}{:>8}{:>8}{:>9}{:>7}{:>9}{:>9}{:>10}{:>11}{:>7}{:>9}",
            "stream",
            "mode",
            "cameras",
            "cores",
            "capture",
            "looks",
            "looks/s",
            "saved/s",
            "sent/s",
            "decoded/s",
            "late",
            "RSS MB"
        ),
    ];
    lines.extend(rows.iter().map(|Row { input, cost: row }| {
        format!(
            "{:<16}{:<6}{:>8}{:>8.3}{:>9.3}{:>7.3}{:>9.2}{:>9.2}{:>10.1}{:>11.1}{:>6.0}%{:>9}",
            input,
            word(row.mode),
            row.cameras,
            row.cores,
            row.capture_cores,
            row.look_cores,
            row.looks_per_s,
            row.saved_per_s,
            row.received_per_s,
            row.decoded_per_s,
            row.late_share * 100.0,
            row.rss_bytes.map_or("-".to_owned(), |bytes| (bytes / 1_000_000).to_string()),
        )
    }));
    lines.join("\n")
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}
