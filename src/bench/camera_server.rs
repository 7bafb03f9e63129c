//! An RTSP server on loopback that plays a file to all who ask, over and over, as so many cameras would. For
//! measuring only: it serves one stream over TCP, to anybody.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{Clock as _, SystemClock};
use crate::decode::{Codec, next_nal};
use crate::error::{Error, Kind, Result};
use crate::source::mp4;

/// RTP clock of video (RFC 6184, section 5.1).
const CLOCK: f64 = 90_000.0;
/// Largest payload of a packet: an Ethernet frame's, as cameras send them.
const PAYLOAD: usize = 1400;
/// Seconds between sender reports.
const REPORT_S: f64 = 5.0;
/// Seconds from 1900 to 1970 (RFC 868).
const EPOCH_1900: i64 = 2_208_988_800;
/// Longest line and most lines of a request.
const MAX_LINE: u64 = 8192;
const MAX_LINES: usize = 64;

/// What is served.
struct Film {
    codec: Codec,
    /// In the order of decoding: NAL units, and when each picture is shown, in ticks of [`CLOCK`].
    pictures: Vec<(Vec<Vec<u8>>, i64)>,
    /// Which of them are key pictures.
    keys: Vec<bool>,
    /// Parameter sets, sent before each key picture.
    sets: Vec<Vec<u8>>,
    length_s: f64,
}

/// Serves the MP4 file at `path` on a free loopback port, for as long as the process lives. Returns the port.
///
/// # Errors
/// When the file cannot be read or no port be had.
pub fn serve(path: &Path) -> Result<u16> {
    let film = Arc::new(film(path)?);
    let fault = |e| Error::new(Kind::System, "cannot serve on loopback").caused_by(e);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fault)?;
    let port = listener.local_addr().map_err(fault)?.port();
    thread::Builder::new()
        .name("serve".to_owned())
        .spawn(move || {
            for client in listener.incoming().flatten() {
                let film = film.clone();
                let told = thread::Builder::new().name("client".to_owned()).spawn(move || {
                    // A client that leaves is no fault.
                    let _ = answer(client, &film);
                });
                drop(told);
            }
        })
        .map_err(fault)?;
    Ok(port)
}

fn film(path: &Path) -> Result<Film> {
    let (_, track) = mp4::read(path)?;
    let bytes = std::fs::read(path).map_err(|e| Error::disk(path, "read", e))?;
    let mut pictures = Vec::with_capacity(track.samples.len());
    for sample in &track.samples {
        let start = sample.offset as usize;
        let mut rest = bytes.get(start..start + sample.size).unwrap_or_default();
        let mut nals = Vec::new();
        while let Ok(Some(nal)) = next_nal(&mut rest, track.length_size) {
            nals.push(nal.to_vec());
        }
        pictures.push((nals, (sample.shown as f64 / track.timescale * CLOCK) as i64));
    }
    Ok(Film {
        codec: track.codec,
        keys: track.samples.iter().map(|sample| sample.key).collect(),
        pictures,
        sets: track.parameter_sets,
        length_s: track.duration_s.max(0.04),
    })
}

/// Answers one client until it leaves.
fn answer(client: TcpStream, film: &Arc<Film>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let out = Arc::new(Mutex::new(client.try_clone()?));
    let mut lines = BufReader::new(client);
    loop {
        let mut request = Vec::new();
        loop {
            let mut line = String::new();
            if std::io::Read::take(&mut lines, MAX_LINE).read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if line.is_empty() || request.len() > MAX_LINES {
                break;
            }
            request.push(line.to_owned());
        }
        let Some(first) = request.first() else { continue };
        let method = first.split(' ').next().unwrap_or_default().to_owned();
        let header = |name: &str| {
            request.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let cseq = header("CSeq").unwrap_or_default();
        let mut reply = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n");
        match method.as_str() {
            "DESCRIBE" => {
                let sdp = sdp(film);
                reply +=
                    &format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
            }
            "SETUP" => {
                reply += "Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
            }
            _ => reply += "Session: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
        }
        out.lock().unwrap_or_else(PoisonError::into_inner).write_all(reply.as_bytes())?;
        if method == "PLAY" {
            let (out, film) = (out.clone(), film.clone());
            thread::spawn(move || {
                let _ = play(&out, &film);
            });
        }
    }
}

fn sdp(film: &Film) -> String {
    let (name, parameters) = match film.codec {
        Codec::H264 => ("H264", "a=fmtp:96 packetization-mode=1\r\n"),
        Codec::H265 => ("H265", ""),
    };
    format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
         a=rtpmap:96 {name}/90000\r\n{parameters}a=control:video\r\n"
    )
}

/// Sends the film over and over, at its own pace.
fn play(out: &Mutex<TcpStream>, film: &Film) -> std::io::Result<()> {
    let mut sender = Sender { out, sequence: 0, buffer: Vec::new() };
    let began = Instant::now();
    let mut reported: Option<f64> = None;
    for round in 0.. {
        let start_s = f64::from(round) * film.length_s;
        for (at, ((nals, shown), key)) in film.pictures.iter().zip(&film.keys).enumerate() {
            // Pictures leave evenly, in the order of decoding.
            let due_s = start_s + film.length_s * at as f64 / film.pictures.len() as f64;
            thread::sleep(Duration::from_secs_f64(due_s).saturating_sub(began.elapsed()));
            let ticks = ((start_s * CLOCK) as i64 + shown) as u32;
            if reported.is_none_or(|last| due_s - last > REPORT_S) {
                reported = Some(due_s);
                sender.report(ticks);
            }
            let sets = if *key { film.sets.as_slice() } else { &[] };
            let all: Vec<&[u8]> = sets.iter().chain(nals).map(Vec::as_slice).collect();
            for (number, nal) in all.iter().enumerate() {
                sender.nal(film.codec, nal, ticks, number + 1 == all.len());
            }
            sender.flush()?;
        }
    }
    Ok(())
}

/// Makes packets.
struct Sender<'a> {
    out: &'a Mutex<TcpStream>,
    sequence: u16,
    buffer: Vec<u8>,
}

impl Sender<'_> {
    /// One NAL unit, whole or in fragments (RFC 6184, section 5.8; RFC 7798, section 4.4.3).
    fn nal(&mut self, codec: Codec, nal: &[u8], ticks: u32, last: bool) {
        let header = match codec {
            Codec::H264 => 1,
            Codec::H265 => 2,
        };
        if nal.len() <= PAYLOAD || nal.len() <= header {
            self.packet(&[], nal, ticks, last);
            return;
        }
        let pieces = nal[header..].chunks(PAYLOAD - 3);
        let count = pieces.len();
        for (at, piece) in pieces.enumerate() {
            let flags = u8::from(at == 0) << 7 | u8::from(at + 1 == count) << 6;
            let last = last && at + 1 == count;
            match codec {
                Codec::H264 => self.packet(&[nal[0] & 0xe0 | 28, flags | nal[0] & 31], piece, ticks, last),
                Codec::H265 => {
                    let head = [nal[0] & 0x81 | 49 << 1, nal[1], flags | nal[0] >> 1 & 63];
                    self.packet(&head, piece, ticks, last);
                }
            }
        }
    }

    /// One RTP packet (RFC 3550, section 5.1) on channel 0.
    fn packet(&mut self, head: &[u8], body: &[u8], ticks: u32, last: bool) {
        let length = (12 + head.len() + body.len()) as u16;
        self.buffer.extend([b'$', 0]);
        self.buffer.extend(length.to_be_bytes());
        self.buffer.extend([0x80, u8::from(last) << 7 | 96]);
        self.buffer.extend(self.sequence.to_be_bytes());
        self.buffer.extend(ticks.to_be_bytes());
        self.buffer.extend(1_u32.to_be_bytes());
        self.buffer.extend(head);
        self.buffer.extend(body);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// A sender report (RFC 3550, section 6.4.1) on channel 1.
    fn report(&mut self, ticks: u32) {
        let now = SystemClock.now().nanos();
        let seconds = (now.div_euclid(1_000_000_000) + EPOCH_1900) as u32;
        let fraction = ((i128::from(now.rem_euclid(1_000_000_000)) << 32) / 1_000_000_000) as u32;
        self.buffer.extend([b'$', 1, 0, 28, 0x80, 200, 0, 6]);
        for word in [1, seconds, fraction, ticks, 0, 0] {
            self.buffer.extend(word.to_be_bytes());
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let sent = self.out.lock().unwrap_or_else(PoisonError::into_inner).write_all(&self.buffer);
        self.buffer.clear();
        sent
    }
}
