//! H.265 (HEVC), in process. Keeps `rust_h265` to itself.
//!
//! The library fills what a damaged picture lacks with grey and goes on. Grey where a car stands would be taken
//! for an empty place, so a picture of which any part failed is an error here, and the source waits for the next
//! key picture. Damage inside a slice that still decodes to something cannot be told: H.265 carries no checksum of
//! its own, and leaves that to the transport.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rust_h265::{Decoder as Library, Frame as Picture, PixelData, parse_nal};

use super::nal::next_nal;
use super::{Decoder, fits, resize};
use crate::error::{Error, Kind, Result};
use crate::frame::{Frame, Layout, Matrix};

/// End of sequence (ITU-T H.265 Table 7-1, type 36), layer 0: the next picture starts anew.
const END_OF_SEQUENCE: [u8; 2] = [36 << 1, 1];
/// Most NAL units in one picture: 600 slices are the most of level 6.2 (Table A.8), and some room for the rest.
const MAX_NALS: usize = 1024;

/// Decodes H.265 access units, 4:2:0 of 8 to 12 bits; more than 8 are brought down to 8. One picture an access
/// unit, in decoding order: the source puts them in the order of showing.
pub struct H265 {
    library: Library,
    /// Bytes before each NAL unit that give its length.
    length_size: usize,
    /// Parameter sets of the container, for a library that had to be made anew.
    parameters: Vec<Vec<u8>>,
    primed: bool,
}

impl H265 {
    /// A decoder for units whose NAL units each have `length_size` bytes of length in front (1 to 4), as MP4
    /// stores them. `parameter_sets` are the video, sequence and picture parameter sets, without start codes.
    ///
    /// # Errors
    /// [`Kind::Camera`] when a parameter set is broken or asks for what cannot be decoded here: another chroma
    /// format than 4:2:0, more than 12 bits, or a picture above the largest of level 6.2.
    pub fn with_lengths<'a>(
        length_size: usize,
        parameter_sets: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self> {
        let mut decoder = Self {
            library: Library::new(),
            length_size: length_size.clamp(1, 4),
            parameters: parameter_sets.into_iter().map(<[u8]>::to_vec).collect(),
            primed: false,
        };
        decoder.fenced(Self::prime)?;
        Ok(decoder)
    }

    /// Gives the library the container's parameter sets, once.
    fn prime(&mut self) -> Result<()> {
        if !self.primed {
            for set in &self.parameters {
                feed(&mut self.library, set)?;
            }
            self.primed = true;
        }
        Ok(())
    }

    /// Runs `call`; a panic of the library becomes an error and a new library.
    fn fenced<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(|| call(&mut *self))).unwrap_or_else(|_| {
            self.library = Library::new();
            self.primed = false;
            Err(fault("the H.265 decoder gave up on a picture"))
        })
    }

    fn run(&mut self, unit: &[u8]) -> Result<Option<Picture>> {
        self.prime()?;
        let mut rest = unit;
        let mut outcome = Ok(None);
        for _ in 0..MAX_NALS {
            let nal = match next_nal(&mut rest, self.length_size) {
                Ok(Some(nal)) => nal,
                Ok(None) => break,
                Err(e) => {
                    outcome = Err(e);
                    break;
                }
            };
            match (feed(&mut self.library, nal), &mut outcome) {
                (Ok(Some(picture)), Ok(found)) => *found = Some(picture),
                (Err(e), Ok(_)) => outcome = Err(e),
                _ => {}
            }
        }
        // The unit is at its end, and so is its picture: nothing of it is to come out of a later call.
        while let Some(picture) = self.library.flush() {
            if let Ok(found) = &mut outcome {
                *found = Some(picture);
            }
        }
        if !rest.is_empty() && outcome.is_ok() {
            return Err(fault(format!("a picture has more than {MAX_NALS} NAL units")));
        }
        outcome
    }
}

impl Decoder for H265 {
    fn decode(&mut self, unit: &[u8], frame: &mut Frame) -> Result<bool> {
        match self.fenced(|decoder| decoder.run(unit))? {
            Some(picture) => fill(picture, frame).map(|()| true),
            None => Ok(false),
        }
    }

    fn restart(&mut self) {
        // Without it a random access picture in mid-stream would be taken to continue what was left out.
        let told = self.fenced(|decoder| feed(&mut decoder.library, &END_OF_SEQUENCE).map(|_| ()));
        if told.is_err() {
            self.library = Library::new();
            self.primed = false;
        }
    }
}

/// Gives one NAL unit to the library.
fn feed(library: &mut Library, nal: &[u8]) -> Result<Option<Picture>> {
    let Some(nal) = parse_nal(nal) else {
        return Err(fault("a NAL unit has no proper header"));
    };
    library.decode_nal(&nal).map_err(|e| fault(format!("a picture could not be decoded: {e}")))
}

/// Hands the planes over.
fn fill(picture: Picture, frame: &mut Frame) -> Result<()> {
    if picture.chroma_format_idc != 1 {
        return Err(fault("the video is not 4:2:0").help("set the camera or encoder to 4:2:0, 8 bits"));
    }
    let (width, height) = (picture.width as usize, picture.height as usize);
    let depth = u32::from(picture.bit_depth);
    if !fits(width, height) || width % 2 == 1 || height % 2 == 1 {
        return Err(fault(format!("the picture size {width}x{height} is out of bounds")));
    }
    for (plane, to, length) in [
        (picture.y, &mut frame.y, width * height),
        (picture.u, &mut frame.u, width * height / 4),
        (picture.v, &mut frame.v, width * height / 4),
    ] {
        match plane {
            PixelData::U8(samples) => *to = samples,
            PixelData::U16(samples) => {
                resize(to, samples.len());
                let shift = depth.saturating_sub(8);
                for (to, sample) in to.iter_mut().zip(samples) {
                    *to = (sample >> shift).min(255) as u8;
                }
            }
        }
        if to.len() != length {
            return Err(fault(format!("the decoder gave a broken {width}x{height} picture")));
        }
    }
    (frame.width, frame.height, frame.layout) = (width, height, Layout::I420);
    // Video that does not say is BT.601 up to standard definition and BT.709 above, as players take it.
    frame.matrix = if height > 576 { Matrix::Bt709 } else { Matrix::Bt601 };
    frame.full_range = false;
    Ok(())
}

fn fault(message: impl Into<String>) -> Error {
    Error::new(Kind::Camera, message)
}
