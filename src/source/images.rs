//! A folder of pictures as a source.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::{ImageFormat, ImageReader, Limits};

use super::{Next, Source, about, unusable};
use crate::clock::CaptureTime;
use crate::decode::{Decoder, Jpeg, MAX_PIXELS, from_rgb};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;

/// Largest picture file.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Reads JPEG and PNG files into frames, known by their content, not by their names.
#[derive(Default)]
pub struct PictureReader {
    jpeg: Jpeg,
    file: Vec<u8>,
}

impl PictureReader {
    /// Reads the picture at `path` into `frame`, all but its capture time. An odd last row or column is cut
    /// off; an alpha channel is ignored.
    ///
    /// # Errors
    /// [`Kind::Camera`], with the path, when the file cannot be read, is neither JPEG nor PNG, is broken, or
    /// has more than [`MAX_PIXELS`] pixels.
    pub fn read(&mut self, path: &Path, frame: &mut Frame) -> Result<()> {
        self.file.clear();
        fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut self.file))
            .map_err(|e| unusable(path, "cannot be read").caused_by(e))?;
        if self.file.len() as u64 > MAX_FILE_BYTES {
            return Err(unusable(path, "the file is larger than 256 MiB"));
        }
        match image::guess_format(&self.file) {
            Ok(ImageFormat::Jpeg) => {
                self.jpeg.decode(&self.file, frame).map_err(|e| about(path, &e))?;
                Ok(())
            }
            Ok(ImageFormat::Png) => png(&self.file, path, frame),
            _ => Err(unusable(path, "this is neither a JPEG nor a PNG picture")),
        }
    }
}

fn png(file: &[u8], path: &Path, frame: &mut Frame) -> Result<()> {
    let broken = |e| unusable(path, format!("the PNG is broken: {e}"));
    let size =
        ImageReader::with_format(Cursor::new(file), ImageFormat::Png).into_dimensions().map_err(broken)?;
    let (width, height) = (size.0 as usize, size.1 as usize);
    if width < 2 || height < 2 || width.saturating_mul(height) > MAX_PIXELS {
        return Err(unusable(path, format!("the picture size {width}x{height} is out of bounds")));
    }
    let mut limits = Limits::default();
    // 16-bit RGBA, and as much again for the decoder's own buffers.
    limits.max_alloc = Some(MAX_PIXELS as u64 * 16);
    let mut reader = ImageReader::with_format(Cursor::new(file), ImageFormat::Png);
    reader.limits(limits);
    let pixels = reader.decode().map_err(broken)?.into_rgb8();
    from_rgb(pixels.as_raw(), width, height, frame);
    Ok(())
}

/// A folder of JPEG and PNG pictures in the order of their names, a fixed time apart. A picture that cannot
/// be decoded is skipped and counted; its time passes all the same.
pub struct PicturesSource {
    folder: PathBuf,
    files: Vec<PathBuf>,
    at: usize,
    start: CaptureTime,
    fps: f64,
    reader: PictureReader,
    shown: u64,
    skipped: u64,
    first_fault: Option<Error>,
}

impl PicturesSource {
    /// Opens `folder`, whose first picture is taken to be captured at `start`, the others `1/fps` seconds
    /// apart. Files with other extensions than `.jpg`, `.jpeg` and `.png` are left alone.
    ///
    /// # Errors
    /// [`Kind::Camera`] when the folder cannot be read or holds no picture; [`Kind::Usage`] when `fps` is not
    /// a rate.
    pub fn open(folder: &Path, start: CaptureTime, fps: f64) -> Result<Self> {
        if !(fps.is_finite() && (0.000_1..=1000.0).contains(&fps)) {
            return Err(Error::new(
                Kind::Usage,
                format!("{fps} pictures a second for {}: expected 0.0001 to 1000", folder.display()),
            )
            .help("give the rate with --fps"));
        }
        let unreadable = |e| unusable(folder, "the folder cannot be read").caused_by(e);
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
            if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) && path.is_file() {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(unusable(folder, "there is no .jpg, .jpeg or .png picture in the folder"));
        }
        files.sort_unstable();
        Ok(Self {
            folder: folder.to_owned(),
            files,
            at: 0,
            start,
            fps,
            reader: PictureReader::default(),
            shown: 0,
            skipped: 0,
            first_fault: None,
        })
    }
}

impl Source for PicturesSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        while let Some(path) = self.files.get(self.at) {
            let captured = self.start.plus_seconds(self.at as f64 / self.fps);
            self.at += 1;
            match self.reader.read(path, frame) {
                Ok(()) => {
                    frame.captured = captured;
                    self.shown += 1;
                    return Ok(Next::Frame);
                }
                Err(e) => {
                    tracing::debug!(error = %e, "Skipped a picture.");
                    self.skipped += 1;
                    self.first_fault.get_or_insert(e);
                }
            }
        }
        if self.shown > 0 {
            return Ok(Next::End);
        }
        let what = format!("none of its {} pictures can be decoded", self.files.len());
        let error = unusable(&self.folder, what);
        Err(match self.first_fault.take() {
            Some(fault) => error.caused_by(fault),
            None => error,
        })
    }

    fn duration_s(&self) -> Option<f64> {
        Some(self.files.len() as f64 / self.fps)
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}
