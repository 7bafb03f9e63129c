//! A Motion JPEG AVI file as a source. The file is a tree of RIFF chunks; the pictures lie in the list `movi` in the
//! order of showing, at one rate. Files above 1 GiB continue in further RIFF segments (OpenDML), which are read on.
//!
//! Invariants, each with a test of its name:
//! - no chunk reaches out of the file or of the chunk around it; a recording that was cut off plays up to the cut;
//! - a broken picture is skipped and counted, and its time passes all the same.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Next, Source, unusable};
use crate::clock::CaptureTime;
use crate::decode::{Decoder as _, Jpeg};
use crate::error::{Error, Result};
use crate::frame::Frame;

/// Largest compressed picture.
const MAX_PICTURE: u32 = 64 << 20;
/// Most pictures: over 22 hours at 50 a second.
const MAX_PICTURES: usize = 4_000_000;
/// Deepest nesting of lists: RIFF, movi, rec.
const MAX_DEPTH: u32 = 4;

/// Where the pictures of a file lie.
#[derive(Debug, Default, PartialEq)]
struct Index {
    /// The stream's number, its pictures a second, and what they are coded as.
    stream: Option<(usize, f64, [u8; 4])>,
    /// Streams seen so far.
    streams: usize,
    /// First byte and bytes of each picture; no bytes where the one before is shown again.
    pictures: Vec<(u64, u32)>,
    /// Whether a chunk reached over the end.
    cut: bool,
}

/// A Motion JPEG AVI file. A frame's capture time is the start given to [`AviSource::open`] plus the time at which
/// the file shows it.
pub struct AviSource {
    path: PathBuf,
    file: File,
    pictures: Vec<(u64, u32)>,
    fps: f64,
    at: usize,
    start: CaptureTime,
    jpeg: Jpeg,
    bytes: Vec<u8>,
    shown: u64,
    skipped: u64,
    first_fault: Option<Error>,
}

impl AviSource {
    /// Whether the file at `path` begins as an AVI file does.
    pub fn is_one(path: &Path) -> bool {
        let mut head = [0; 12];
        File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
            && head.starts_with(b"RIFF")
            && head.ends_with(b"AVI ")
    }

    /// Opens the file at `path`, whose first picture is taken to be captured at `start`.
    ///
    /// # Errors
    /// [`Kind::Camera`](crate::error::Kind::Camera), with the path, when the file cannot be read, is no AVI file,
    /// or has no Motion JPEG stream.
    pub fn open(path: &Path, start: CaptureTime) -> Result<Self> {
        let unreadable = |e| unusable(path, "cannot be read").caused_by(e);
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let index = index(&mut BufReader::new(&file), size).map_err(unreadable)?;
        let Some((_, fps, codec)) = index.stream else {
            return Err(unusable(path, "there is no video in the file: expected a Motion JPEG AVI file"));
        };
        if ![b"MJPG", b"JPEG", b"AVRN", b"DMB1"].iter().any(|known| codec.eq_ignore_ascii_case(*known)) {
            let codec: String = codec
                .iter()
                .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' })
                .collect();
            return Err(unusable(path, format!("the video is coded as {codec}: expected Motion JPEG"))
                .help("convert it with ffmpeg to H.264 in MP4"));
        }
        if index.pictures.is_empty() {
            return Err(unusable(path, "there is no picture in the file"));
        }
        if index.cut {
            tracing::warn!(path = %path.display(), "The file is cut off; it is played up to there.");
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            pictures: index.pictures,
            fps,
            at: 0,
            start,
            jpeg: Jpeg::default(),
            bytes: Vec::new(),
            shown: 0,
            skipped: 0,
            first_fault: None,
        })
    }

    fn picture(&mut self, offset: u64, size: u32, frame: &mut Frame) -> Result<()> {
        self.bytes.resize(size as usize, 0);
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(&mut self.bytes))
            .map_err(|e| unusable(&self.path, "cannot be read further").caused_by(e))?;
        self.jpeg.decode(&self.bytes, frame).map(drop)
    }
}

impl Source for AviSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        while let Some(&(offset, size)) = self.pictures.get(self.at) {
            let captured = self.start.plus_seconds(self.at as f64 / self.fps);
            self.at += 1;
            if size == 0 {
                continue;
            }
            match self.picture(offset, size, frame) {
                Ok(()) => {
                    frame.captured = captured;
                    self.shown += 1;
                    return Ok(Next::Frame);
                }
                Err(e) => {
                    tracing::debug!(path = %self.path.display(), picture = self.at - 1, error = %e, "Skipped a picture.");
                    self.skipped += 1;
                    self.first_fault.get_or_insert(e);
                }
            }
        }
        if self.shown > 0 {
            return Ok(Next::End);
        }
        let error =
            unusable(&self.path, format!("none of its {} pictures can be decoded", self.pictures.len()));
        Err(match self.first_fault.take() {
            Some(fault) => error.caused_by(fault),
            None => error,
        })
    }

    fn duration_s(&self) -> Option<f64> {
        Some(self.pictures.len() as f64 / self.fps)
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

/// Finds the pictures in a file of `size` bytes.
fn index(file: &mut (impl Read + Seek), size: u64) -> std::io::Result<Index> {
    let mut index = Index::default();
    walk(file, 0, size, 0, &mut index)?;
    Ok(index)
}

/// Finds the pictures of a file that anybody may have written.
#[cfg(any(test, fuzzing))]
pub(super) fn hostile(data: &[u8]) {
    let size = data.len() as u64;
    if let Ok(index) = index(&mut std::io::Cursor::new(data), size) {
        let inside = |(offset, length): &(u64, u32)| offset + u64::from(*length) <= size;
        assert!(index.pictures.iter().all(inside), "a picture lies outside of the file");
    }
}

/// Walks the chunks from byte `at` to byte `end`.
fn walk(
    file: &mut (impl Read + Seek),
    mut at: u64,
    end: u64,
    depth: u32,
    index: &mut Index,
) -> std::io::Result<()> {
    while at + 8 <= end && index.pictures.len() < MAX_PICTURES {
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut head)?;
        let ([a, b, c, d, rest @ ..], body) = (head, at + 8);
        let (name, length) = ([a, b, c, d], u64::from(u32::from_le_bytes(rest)));
        let whole = body + length <= end;
        let body_end = if whole { body + length } else { end };
        index.cut |= !whole;
        match &name {
            b"RIFF" | b"LIST" if depth < MAX_DEPTH && body + 4 <= body_end => {
                let mut kind = [0; 4];
                file.read_exact(&mut kind)?;
                let wanted = match &kind {
                    b"AVI " | b"AVIX" => depth == 0,
                    b"hdrl" | b"strl" | b"movi" | b"rec " => depth > 0,
                    _ => false,
                };
                if kind == *b"strl" {
                    index.streams += 1;
                }
                if wanted {
                    walk(file, body + 4, body_end, depth + 1, index)?;
                }
            }
            b"strh" if whole && length >= 32 && index.stream.is_none() => {
                let mut header = [0; 32];
                file.read_exact(&mut header)?;
                let number = |at: usize| {
                    f64::from(u32::from_le_bytes([
                        header[at],
                        header[at + 1],
                        header[at + 2],
                        header[at + 3],
                    ]))
                };
                let fps = number(24) / number(20);
                if header.starts_with(b"vids") && (0.000_1..=1000.0).contains(&fps) {
                    let codec = [header[4], header[5], header[6], header[7]];
                    index.stream = Some((index.streams.saturating_sub(1), fps, codec));
                }
            }
            // Some writers leave the codec to the format that follows.
            b"strf" if whole && length >= 20 => {
                let mut format = [0; 20];
                file.read_exact(&mut format)?;
                if let Some((stream, _, codec)) = &mut index.stream
                    && *stream + 1 == index.streams
                    && codec == &[0; 4]
                {
                    codec.copy_from_slice(&format[16..]);
                }
            }
            [tens, units, b'd', b'c' | b'b'] if whole && length <= u64::from(MAX_PICTURE) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as usize);
                let stream = digit(tens).zip(digit(units)).map(|(tens, units)| tens * 16 + units);
                if stream.is_some() && stream == index.stream.map(|(stream, _, _)| stream) {
                    index.pictures.push((body, length as u32));
                }
            }
            _ => {}
        }
        // Chunks begin at even bytes.
        at = body_end + (body_end & 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = name.to_vec();
        chunk.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        chunk.extend(body);
        if body.len() % 2 == 1 {
            chunk.push(0);
        }
        chunk
    }

    fn list(name: &[u8; 4], kind: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
        chunk(name, &[&kind[..], &parts.concat()].concat())
    }

    fn header(kind: &[u8; 4], codec: &[u8; 4], scale: u32, rate: u32) -> Vec<u8> {
        let mut body = [&kind[..], codec, &[0; 12]].concat();
        body.extend(scale.to_le_bytes());
        body.extend(rate.to_le_bytes());
        body.extend([0; 28]);
        list(b"LIST", b"strl", &[chunk(b"strh", &body)])
    }

    fn jpeg(luma: u8) -> Vec<u8> {
        let mut file = Vec::new();
        image::ImageEncoder::write_image(
            image::codecs::jpeg::JpegEncoder::new(&mut file),
            &[luma; 256],
            16,
            16,
            image::ExtendedColorType::L8,
        )
        .unwrap();
        file
    }

    /// A file with sound first, a video of 12.5 pictures a second, and its second half in an OpenDML segment.
    fn film(pictures: &[Vec<u8>]) -> Vec<u8> {
        let streams = [header(b"auds", &[0; 4], 1, 8000), header(b"vids", b"MJPG", 2, 25)];
        let movi = |pictures: &[Vec<u8>]| {
            let chunks: Vec<Vec<u8>> = pictures
                .iter()
                .flat_map(|picture| [chunk(b"00wb", b"sound"), chunk(b"01dc", picture)])
                .collect();
            list(b"LIST", b"movi", &chunks)
        };
        let (first, second) = pictures.split_at(pictures.len() / 2);
        let rec = list(b"LIST", b"rec ", &[chunk(b"01dc", b"")]);
        [
            list(b"RIFF", b"AVI ", &[list(b"LIST", b"hdrl", &streams), movi(first), chunk(b"idx1", b"???")]),
            list(b"RIFF", b"AVIX", &[movi(second), list(b"LIST", b"movi", &[rec])]),
        ]
        .concat()
    }

    fn source(bytes: &[u8]) -> Result<(AviSource, tempfile::NamedTempFile)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Ok((AviSource::open(file.path(), CaptureTime::from_nanos(1000))?, file))
    }

    #[test]
    fn pictures_are_found_in_all_segments_at_the_files_own_rate() {
        let (mut source, _file) = source(&film(&[jpeg(10), jpeg(20), jpeg(30), jpeg(40)])).unwrap();
        assert_eq!(source.duration_s(), Some(5.0 / 12.5));
        let mut frame = Frame::default();
        for (n, luma) in [(0, 10_u8), (1, 20), (2, 30), (3, 40)] {
            assert_eq!(source.next(&mut frame).unwrap(), Next::Frame);
            assert_eq!(frame.captured.nanos(), 1000 + n * 80_000_000);
            assert!(frame.y.iter().all(|y| y.abs_diff(luma) <= 1), "{}", frame.y[0]);
        }
        assert_eq!(source.next(&mut frame).unwrap(), Next::End);
    }

    #[test]
    fn a_broken_picture_is_skipped_and_counted_and_its_time_passes() {
        let (mut source, _file) = source(&film(&[jpeg(10), b"no picture".to_vec(), jpeg(30)])).unwrap();
        let mut frame = Frame::default();
        source.next(&mut frame).unwrap();
        source.next(&mut frame).unwrap();
        assert_eq!((frame.captured.nanos(), source.skipped()), (1000 + 160_000_000, 1));
    }

    #[test]
    fn a_recording_that_was_cut_off_plays_up_to_the_cut() {
        let film = film(&[jpeg(10), jpeg(20), jpeg(30), jpeg(40)]);
        let mut whole = 0;
        for length in (0..film.len()).step_by(7) {
            let found = index(&mut Cursor::new(&film[..length]), length as u64).unwrap();
            assert!(found.pictures.len() >= whole, "a longer part has fewer pictures");
            whole = found.pictures.len();
        }
        assert!(whole >= 3);
        let (mut source, _file) = source(&film[..film.len() - 200]).unwrap();
        let mut frame = Frame::default();
        while source.next(&mut frame).unwrap() == Next::Frame {}
        assert_eq!((source.shown, source.skipped), (3, 0));
    }

    #[test]
    fn other_codecs_and_other_files_are_refused_by_name() {
        let other = list(b"RIFF", b"AVI ", &[list(b"LIST", b"hdrl", &[header(b"vids", b"XVID", 1, 25)])]);
        assert!(source(&other).err().unwrap().to_string().contains("coded as XVID"));
        assert!(source(b"RIFF").err().unwrap().to_string().contains("no video"));
        let sound = list(b"RIFF", b"AVI ", &[list(b"LIST", b"hdrl", &[header(b"auds", b"MJPG", 1, 25)])]);
        assert!(source(&sound).err().unwrap().to_string().contains("no video"));
    }

    proptest! {
        #[test]
        fn no_chunk_reaches_out_of_the_file(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            let mut film = film(&[vec![1; 11], vec![2; 30], vec![3; 8]]);
            for (at, value) in changes {
                let at = at.index(film.len());
                film[at] = value;
            }
            let found = index(&mut Cursor::new(&film), film.len() as u64).unwrap();
            for (offset, size) in found.pictures {
                prop_assert!(offset + u64::from(size) <= film.len() as u64);
            }
        }

        #[test]
        fn no_bytes_make_the_walk_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            index(&mut Cursor::new(&bytes), bytes.len() as u64).unwrap();
            let inside = list(b"RIFF", b"AVI ", &[bytes]);
            index(&mut Cursor::new(&inside), inside.len() as u64).unwrap();
        }
    }
}
