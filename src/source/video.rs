//! An MP4 file as a source.
//!
//! Invariants, each with a test of its name:
//! - frames come in the order of showing: the pictures of a stream with B-frames are put in order by the
//!   container's times;
//! - a corrupt picture is skipped and counted, and with it those predicted from it: a ghost of half-decoded
//!   pictures could make a standing car look gone.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::mp4::{self, Track};
use super::{Next, Source, about, unusable};
use crate::clock::CaptureTime;
use crate::decode::{self, Access, Decoder};
use crate::error::{Error, Result};
use crate::frame::Frame;

/// Most pictures waiting for an earlier one to be decoded: the largest picture buffer of H.264 (ITU-T H.264
/// A.3.1) and of H.265 (ITU-T H.265 A.4.2). A file that needs more is broken; its pictures are then shown early.
const MAX_WAITING: usize = 16;

/// An H.264 or H.265 MP4 file. A frame's capture time is the start given to [`Mp4Source::open`] plus the time at which
/// the file shows it.
pub struct Mp4Source {
    path: PathBuf,
    file: File,
    track: Track,
    decoder: Box<dyn Decoder>,
    start: CaptureTime,
    /// The next sample to decode.
    at: usize,
    /// For each sample, the earliest time shown from it to the end.
    earliest: Vec<i64>,
    /// Decoded pictures that may not be shown yet, with their times.
    waiting: Vec<(i64, Frame)>,
    /// Frames whose buffers can be used again.
    spare: Vec<Frame>,
    unit: Vec<u8>,
    shown: u64,
    last_shown: i64,
    skipped: u64,
    first_fault: Option<Error>,
    /// A picture that others are predicted from was lost: nothing is to be trusted until the next key picture.
    broken: bool,
    /// The last key picture came after such a loss, so the pictures that are shown before it cannot be decoded.
    leading_lost: bool,
}

impl Mp4Source {
    /// Opens the file at `path`, whose first picture is taken to be captured at `start`. Its picture data is
    /// read as it is needed.
    ///
    /// # Errors
    /// [`Kind::Camera`](crate::error::Kind::Camera), with the path, when the file is empty, cut short or no MP4
    /// file, or has no H.264 or H.265 track of 4:2:0 progressive video that can be decoded here.
    pub fn open(path: &Path, start: CaptureTime) -> Result<Self> {
        let (file, track) = mp4::read(path)?;
        let sets = track.parameter_sets.iter().map(Vec::as_slice);
        let decoder = decode::video(track.codec, track.length_size, sets).map_err(|e| about(path, &e))?;
        let mut earliest: Vec<i64> = track.samples.iter().map(|sample| sample.shown).collect();
        for at in (1..earliest.len()).rev() {
            earliest[at - 1] = earliest[at - 1].min(earliest[at]);
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            track,
            decoder,
            start,
            at: 0,
            earliest,
            waiting: Vec::with_capacity(MAX_WAITING + 1),
            spare: Vec::new(),
            unit: Vec::new(),
            shown: 0,
            last_shown: i64::MIN,
            skipped: 0,
            first_fault: None,
            broken: true,
            leading_lost: true,
        })
    }

    /// Pictures in the file.
    pub fn frames(&self) -> usize {
        self.track.samples.len()
    }

    /// Decodes the next sample; its picture, if any, waits to be shown.
    fn advance(&mut self) -> Result<()> {
        let sample = self.track.samples[self.at];
        self.at += 1;
        self.unit.resize(sample.size, 0);
        self.file
            .seek(SeekFrom::Start(sample.offset))
            .and_then(|_| self.file.read_exact(&mut self.unit))
            .map_err(|e| unusable(&self.path, "cannot be read further").caused_by(e))?;
        let access = Access::of(self.track.codec, &self.unit, self.track.length_size);
        // The file's own word counts too: it marks what this program does not know as a key picture.
        let key = sample.key || access.is_some_and(|access| access.key);
        let leading = access.is_some_and(|access| access.leading);
        if self.broken && !key || self.leading_lost && leading {
            self.skipped += 1;
            return Ok(());
        }
        if key {
            self.leading_lost = self.broken;
            if self.broken {
                self.decoder.restart();
            }
        }
        let mut frame = self.spare.pop().unwrap_or_default();
        match self.decoder.decode(&self.unit, &mut frame) {
            Ok(true) => {
                self.broken = false;
                self.waiting.push((sample.shown, frame));
            }
            Ok(false) => self.spare.push(frame),
            Err(e) => {
                self.spare.push(frame);
                self.skipped += 1;
                // A unit that cannot be read counts as one that others need.
                self.broken |= key || access.is_none_or(|access| !access.disposable);
                tracing::debug!(path = %self.path.display(), sample = self.at - 1, error = %e, "Skipped a picture.");
                self.first_fault.get_or_insert(e);
            }
        }
        Ok(())
    }

    /// The waiting picture to be shown now: the earliest, once nothing earlier can follow.
    fn ready(&mut self) -> Option<(i64, Frame)> {
        let (at, shown) = self.waiting.iter().map(|(shown, _)| *shown).enumerate().min_by_key(|w| w.1)?;
        let follows = self.earliest.get(self.at).is_some_and(|earliest| *earliest < shown);
        (!follows || self.waiting.len() > MAX_WAITING).then(|| self.waiting.swap_remove(at))
    }
}

impl Source for Mp4Source {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        loop {
            if let Some((shown, mut picture)) = self.ready() {
                if shown <= self.last_shown {
                    // Two pictures at one time, or one that came too late: time does not go back.
                    self.skipped += 1;
                    self.spare.push(picture);
                    continue;
                }
                self.last_shown = shown;
                self.shown += 1;
                picture.captured = self.start.plus_seconds(shown as f64 / self.track.timescale);
                std::mem::swap(frame, &mut picture);
                self.spare.push(picture);
                return Ok(Next::Frame);
            }
            if self.at == self.track.samples.len() {
                if self.shown == 0 {
                    let what = format!("none of its {} pictures can be decoded", self.frames());
                    let error = unusable(&self.path, what);
                    return Err(match self.first_fault.take() {
                        Some(fault) => error.caused_by(fault),
                        None => error,
                    });
                }
                return Ok(Next::End);
            }
            self.advance()?;
        }
    }

    fn duration_s(&self) -> Option<f64> {
        Some(self.track.duration_s)
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
