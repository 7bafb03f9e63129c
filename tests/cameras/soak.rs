//! Half an hour in the life of a box: eight cameras whose servers are killed and frozen. `make soak` runs it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::rtsp::camera;
use super::server::Server;
use crate::support::program::KERB;

const CAMERAS: usize = 8;
/// How often something happens to a server.
const EVERY: Duration = Duration::from_secs(20);

/// The page's `path`.
fn get(port: u16, path: &str) -> Option<Value> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Megabytes that the process `pid` holds.
fn rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Least squares: by how much `points` rise in a unit of their first number.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mx) * (y - my);
        below += (x - mx) * (x - mx);
    }
    above / below
}

#[test]
#[ignore = "takes half an hour: make soak"]
fn eight_cameras_live_through_kills_and_freezes_without_a_leak() {
    let minutes: f64 = std::env::var("SOAK_MINUTES").map_or(30.0, |text| text.parse().unwrap());
    let files = [
        ("h264-720", camera("h264", "1280x720")),
        ("h264-1080", camera("h264", "1920x1080")),
        ("h265-720", camera("hevc", "1280x720")),
        ("h265-1080", camera("hevc", "1920x1080")),
    ];
    let streams: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_path())).collect();
    let mut servers: Vec<Server> = (0..CAMERAS / 2).map(|_| Server::start(&streams)).collect();
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut text = format!(
        "edge = {{ street = \"410102007\", box = \"soak\" }}\nweb.listen = \"127.0.0.1:{port}\"\n\
         model.path = {:?}\n",
        std::path::Path::new("models/nanodet-g-416").canonicalize().unwrap()
    );
    for number in 0..CAMERAS {
        let url = servers[number / 2].url(files[number % 4].0);
        text += &format!("[[camera]]\nid = \"cam-{number}\"\nsource = \"{url}\"\n{KERB}");
    }
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_gridpatrol"))
        .args(["run", "--config", config.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let (mut memory, mut dice, mut blows) = (Vec::new(), 7_u64, 0);
    while began.elapsed().as_secs_f64() < minutes * 60.0 {
        std::thread::sleep(EVERY);
        let at = began.elapsed().as_secs_f64() / 60.0;
        memory.push((at, rss_mb(program.id())));
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let server = &mut servers[(dice >> 40) as usize % (CAMERAS / 2)];
        if dice >> 63 == 0 {
            server.kill();
            std::thread::sleep(Duration::from_secs(2));
            server.run();
        } else {
            server.freeze();
            std::thread::sleep(Duration::from_secs(6));
            server.thaw();
        }
        blows += 1;
        println!("{at:.1} min: {:.1} MB, {blows} blows", memory.last().unwrap().1);
    }
    // All cameras are to be back, each with its pictures accounted for.
    let waited = Instant::now();
    let states = loop {
        let states = get(port, "/cameras.json").expect("the page answers");
        let states = states.as_array().unwrap().clone();
        if states.iter().all(|state| state["link"]["phase"] == "live") {
            break states;
        }
        assert!(waited.elapsed() < Duration::from_secs(30), "{states:?}");
        std::thread::sleep(Duration::from_secs(1));
    };
    assert_eq!(states.len(), CAMERAS);
    for state in &states {
        println!("{state}");
        let count = |key: &str| state["link"][key].as_u64().unwrap();
        assert_eq!(count("received"), ["decoded", "spared", "broken", "late"].map(count).iter().sum::<u64>());
        assert!(count("received") > 0);
    }
    assert!(Command::new("kill").arg(program.id().to_string()).status().unwrap().success());
    assert_eq!(program.wait().unwrap().code(), Some(0));
    let settled: Vec<_> = memory.iter().copied().filter(|(at, _)| *at >= minutes / 6.0).collect();
    let rise = slope(&settled);
    let (low, high) =
        settled.iter().fold((f64::MAX, 0.0_f64), |(low, high), p| (low.min(p.1), high.max(p.1)));
    println!("{minutes} min, {blows} blows: memory {low:.1} to {high:.1} MB, {rise:+.3} MB a minute");
    // What it goes up and down by from look to look is far above this; a leak of a picture a minute is not.
    assert!(rise < 1.0, "memory rises by {rise:.2} MB a minute");
}
