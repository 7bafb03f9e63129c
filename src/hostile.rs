//! Everything here that reads what others wrote, as functions of bytes: what `make fuzz` and its short form in the
//! tests feed. Not a part of the program.
//!
//! A reader may refuse what it is given, and must not panic, run for ever or take memory without bound. What it makes
//! of sound input is for the tests beside it.

use std::io::Write as _;
use std::path::Path;

use crate::calibrate::ground_file::GroundFile;
use crate::calibrate::points::Points;
use crate::calibrate::score_file::Scores;
use crate::case::catalog::{CATALOG, Catalog};
use crate::cli::replay::hostile_verdicts;
use crate::clock::CaptureTime;
use crate::config::{ConfigFile, GridProfile};
use crate::decode::{Codec, Decoder as _, Jpeg, video};
use crate::detect::{BBox, Label};
use crate::frame::Frame;
use crate::mqtt::command::{self, Packet, Rights, Verb};
use crate::place::{Grids, Plane};
use crate::plan::Plan;
use crate::source::{self, DetectionsFile, usb};

/// Reads bytes that anybody may have written.
pub type Reader = fn(&[u8]);

/// All of them, under the names of their fuzz targets and corpora.
pub const READERS: [(&str, Reader); 16] = [
    ("avi", source::hostile::avi),
    ("catalogue", catalogue),
    ("commands", commands),
    ("config", config),
    ("detections", detections),
    ("grids", grids),
    ("ground", ground),
    ("jpeg", jpeg),
    ("mp4", mp4),
    ("points", points),
    ("rtsp", source::hostile::rtsp),
    ("scores", scores),
    ("usb_wire", usb_wire),
    ("verdicts", verdicts),
    ("video", coded_video),
    ("y4m", source::hostile::y4m),
];

/// Gives `data` to the reader called `name`.
///
/// # Panics
/// When there is none, and when the reader does what it must not.
pub fn read(name: &str, data: &[u8]) {
    let found = READERS.iter().find(|(known, _)| *known == name);
    let Some((_, reader)) = found else { panic!("there is no reader called {name}") };
    reader(data);
}

/// A moment in November 2026.
const NOW: CaptureTime = CaptureTime::from_nanos(1_795_420_038_250_000_000);

/// Gives `take` the path of a file that holds `data`.
fn in_file(data: &[u8], take: impl FnOnce(&Path)) {
    // Without room in the temporary folder there is nothing to learn from the input.
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(data).is_ok() {
        take(file.path());
    }
}

/// libFuzzer ends at every panic, also at one of a library that is caught as it should be. One that is not caught ends
/// it all the same.
fn quiet() {
    #[cfg(fuzzing)]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    }
}

fn text(data: &[u8], take: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        take(text);
    }
}

/// The configuration, and what it means.
fn config(data: &[u8]) {
    text(data, |text| {
        if let Ok(file) = ConfigFile::parse(Path::new("/nowhere/edge.toml"), text.to_owned()) {
            let _ = Plan::new(&file);
        }
    });
}

/// A site's catalogue of kinds.
fn catalogue(data: &[u8]) {
    text(data, |text| {
        let _ = Catalog::clone(&CATALOG).extended(Path::new("kinds.toml"), text);
    });
}

/// A command. The first byte chooses the verb.
fn commands(data: &[u8]) {
    let Some((first, payload)) = data.split_first() else { return };
    let verb = Verb::ALL.get(usize::from(*first) % 8).map_or("format-disk", |verb| verb.as_str());
    let packet = Packet { verb, payload, retained: *first & 0x80 != 0, signature: None };
    let rights = Rights { allowed: &Verb::ALL, key: None, target: "410102007/box-1" };
    let _ = command::read(&packet, &rights, NOW);
    let signature = std::str::from_utf8(payload).ok();
    let rights = Rights { key: Some(b"key"), ..rights };
    let _ = command::read(&Packet { signature, ..packet }, &rights, NOW);
}

/// A file of verdicts for a replay.
fn verdicts(data: &[u8]) {
    text(data, |text| text.lines().for_each(hostile_verdicts));
}

/// A file of detections.
fn detections(data: &[u8]) {
    in_file(data, |path| {
        let Ok(mut file) = DetectionsFile::open(path, NOW) else { return };
        let mut out = Vec::new();
        while let Ok(Some(_)) = file.next_look(|_| Ok(Label(0)), &mut out) {
            assert!(out.iter().all(|seen| BBox::is_sound(&seen.bbox)), "a box without an area came through");
        }
    });
}

/// GeoJSON grids.
fn grids(data: &[u8]) {
    text(data, |text| {
        for profile in [GridProfile::Opaque, GridProfile::GbT47678] {
            if let Ok(grids) = Grids::parse(Path::new("grids.geojson"), text, "id", profile) {
                let _ = grids.around(&Plane::new(grids.coordinates(), [113.6, 34.75]), 200.0);
                let _ = grids.overlaps();
            }
        }
    });
}

/// What a camera sees of the ground.
fn ground(data: &[u8]) {
    text(data, |text| {
        let path = Path::new("cam-05.toml");
        if let Ok(file) = GroundFile::parse(path, text) {
            let _ = file.ground(path, "cam-05");
        }
    });
}

/// Points in a picture and on the map, as CSV and as TOML.
fn points(data: &[u8]) {
    text(data, Points::hostile);
}

/// A map of scores.
fn scores(data: &[u8]) {
    text(data, |text| {
        let _ = Scores::parse(Path::new("scores.toml"), text);
    });
}

/// A JPEG file, and where one ends in a buffer.
fn jpeg(data: &[u8]) {
    if let Some(whole) = usb::jpeg::whole(data) {
        assert!(data.starts_with(whole));
    }
    let mut frame = Frame::default();
    let _ = Jpeg::default().decode(data, &mut frame);
}

/// The tables of an MP4 file.
fn mp4(data: &[u8]) {
    quiet();
    in_file(data, |path| {
        if let Ok((_, track)) = source::mp4::read(path) {
            let size = data.len() as u64;
            let inside = |sample: &source::mp4::Sample| sample.offset + sample.size as u64 <= size;
            assert!(track.samples.iter().all(inside), "a picture lies outside of the file");
        }
    });
}

/// The pipe from the process that captures from a USB camera.
fn usb_wire(data: &[u8]) {
    for header in data.chunks_exact(usb::wire::LENGTH) {
        let Ok(header) = <&[u8; usb::wire::LENGTH]>::try_from(header) else { continue };
        if let Ok(parsed) = usb::wire::Header::parse(header) {
            assert!(parsed.size <= 128 << 20, "more bytes than a picture may have");
        }
    }
}

/// Coded pictures. The first byte chooses the codec and the length of lengths.
fn coded_video(data: &[u8]) {
    quiet();
    let Some((first, unit)) = data.split_first() else { return };
    let codec = if *first & 4 == 0 { Codec::H264 } else { Codec::H265 };
    let length_size = usize::from(*first & 3) + 1;
    let Ok(mut decoder) = video(codec, length_size, []) else { return };
    let mut frame = Frame::default();
    let _ = decoder.decode(unit, &mut frame);
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// How often each input of the corpus is changed and read again.
    const CHANGES: u32 = 100;

    /// Numbers that follow from the seed alone (xorshift, Marsaglia 2003).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % n.max(1) as u64) as usize
        }
    }

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} is empty", folder.display());
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    fn change(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
        const NUMBERS: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'-', b'9'];
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(7) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
                1 if !bytes.is_empty() => bytes[at] = NUMBERS[dice.below(NUMBERS.len())],
                2 => bytes.truncate(at),
                3 => bytes.insert(at, NUMBERS[dice.below(NUMBERS.len())]),
                4 => {
                    let end = (at + 1 + dice.below(8)).min(bytes.len());
                    bytes.drain(at.min(end)..end);
                }
                5 => {
                    let part = &other[dice.below(other.len()).min(other.len())..];
                    let part = &part[..part.len().min(1 + dice.below(64))];
                    bytes.splice(at..at, part.iter().copied());
                }
                _ => {
                    let number = (dice.below(usize::MAX) as u32) >> dice.below(32);
                    for (place, byte) in bytes.iter_mut().skip(at).zip(number.to_be_bytes()) {
                        *place = byte;
                    }
                }
            }
        }
    }

    #[test]
    fn no_input_of_the_corpus_nor_a_change_of_it_makes_a_reader_panic_or_run_for_ever() {
        for (name, reader) in READERS {
            let corpus = corpus(name);
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
            for input in &corpus {
                reader(input);
                for _ in 0..CHANGES {
                    let mut changed = input.clone();
                    change(&mut changed, &corpus[dice.below(corpus.len())], &mut dice);
                    reader(&changed);
                }
            }
        }
    }

    #[test]
    fn every_reader_has_a_fuzz_target() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for (name, _) in READERS {
            let target = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
            assert!(target.contains(&format!("read(\"{name}\"")), "{name}");
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        }
    }
}
