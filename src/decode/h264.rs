//! H.264 in process. Keeps `rusty_h264-decoder` and `h264-reader` to itself.
//!
//! The decoder library ignores the colour description, so the sequence parameter sets are read here for it,
//! and for the picture size, which is checked before the library allocates for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};
use rusty_h264_decoder::Decoder as Library;

use super::nal::next_nal;
use super::{Decoder, fits, resize};
use crate::error::{Error, Kind, Result};
use crate::frame::{Frame, Layout, Matrix};

/// NAL unit type of a sequence parameter set (ITU-T H.264 Table 7-1).
const SPS: u8 = 7;
/// Four-byte Annex B start code.
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Decodes H.264 access units, 8-bit 4:2:0, progressive. One picture an access unit, in decoding order: the
/// source puts them in the order of showing, for only the container knows the times.
pub struct H264 {
    library: Library,
    /// Bytes before each NAL unit that give its length.
    length_size: usize,
    /// Parameter sets of the container, as Annex B, for a library that had to be made anew.
    parameters: Vec<u8>,
    annex_b: Vec<u8>,
    matrix: Option<Matrix>,
    full_range: bool,
    primed: bool,
}

impl H264 {
    /// A decoder for units whose NAL units each have `length_size` bytes of length in front (1 to 4), as MP4
    /// stores them. `parameter_sets` are the sequence and picture parameter sets, without start codes.
    ///
    /// # Errors
    /// [`Kind::Camera`] when a parameter set is broken or asks for what cannot be decoded here: more than
    /// 8 bits, another chroma format than 4:2:0, interlacing, or more than
    /// [`MAX_PIXELS`](super::MAX_PIXELS).
    pub fn with_lengths<'a>(
        length_size: usize,
        parameter_sets: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self> {
        let mut decoder = Self {
            library: Library::new(),
            length_size: length_size.clamp(1, 4),
            parameters: Vec::new(),
            annex_b: Vec::new(),
            matrix: None,
            full_range: false,
            primed: false,
        };
        for set in parameter_sets {
            decoder.inspect(set)?;
            decoder.parameters.extend_from_slice(&START_CODE);
            decoder.parameters.extend_from_slice(set);
        }
        Ok(decoder)
    }

    /// Reads what is needed from a NAL unit before the library sees it.
    fn inspect(&mut self, nal: &[u8]) -> Result<()> {
        if nal.first().is_none_or(|first| first & 31 != SPS) {
            return Ok(());
        }
        let bytes = decode_nal(nal).map_err(|e| fault("a sequence parameter set is broken").caused_by(e))?;
        let sps = SeqParameterSet::from_bits(BitReader::new(&*bytes))
            .map_err(|e| fault(format!("a sequence parameter set is broken: {e:?}")))?;
        let chroma = &sps.chroma_info;
        if !matches!(chroma.chroma_format, ChromaFormat::YUV420)
            || chroma.bit_depth_luma_minus8 != 0
            || chroma.bit_depth_chroma_minus8 != 0
        {
            return Err(fault("the video is not 8-bit 4:2:0").help("encode it with `-pix_fmt yuv420p`"));
        }
        if !matches!(sps.frame_mbs_flags, FrameMbsFlags::Frames) {
            return Err(fault("the video is interlaced").help("encode it progressive, e.g. with `-vf yadif`"));
        }
        let (width, height) = sps
            .pixel_dimensions()
            .map_err(|e| fault(format!("a sequence parameter set has no picture size: {e:?}")))?;
        // The coded size is what the library allocates; cropping can make the shown size as small as one likes.
        let coded =
            (sps.pic_width_in_mbs().saturating_mul(16), sps.pic_height_in_map_units().saturating_mul(16));
        if !fits(width as usize, height as usize) || !fits(coded.0 as usize, coded.1 as usize) {
            return Err(fault(format!("the picture size {width}x{height} is out of bounds")));
        }
        let signal = sps.vui_parameters.as_ref().and_then(|vui| vui.video_signal_type.as_ref());
        self.full_range = signal.is_some_and(|signal| signal.video_full_range_flag);
        // ITU-T H.264 Table E-5: 1 is BT.709; 4, 5 and 6 are BT.601 or next to it.
        self.matrix = match signal.and_then(|s| s.colour_description.as_ref()).map(|c| c.matrix_coefficients)
        {
            Some(1) => Some(Matrix::Bt709),
            Some(4..=6) => Some(Matrix::Bt601),
            _ => None,
        };
        Ok(())
    }

    fn run(&mut self, unit: &[u8], frame: &mut Frame) -> Result<bool> {
        let mut annex_b = std::mem::take(&mut self.annex_b);
        annex_b.clear();
        if !self.primed {
            annex_b.extend_from_slice(&self.parameters);
        }
        let mut rest = unit;
        let split = loop {
            match next_nal(&mut rest, self.length_size) {
                Ok(Some(nal)) => {
                    if let Err(e) = self.inspect(nal) {
                        break Err(e);
                    }
                    annex_b.extend_from_slice(&START_CODE);
                    annex_b.extend_from_slice(nal);
                }
                Ok(None) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        // The library says that it never panics; on hostile bytes that is taken with care, not on trust.
        let decoded = split.map(|()| catch_unwind(AssertUnwindSafe(|| self.library.decode(&annex_b))));
        self.annex_b = annex_b;
        let picture = match decoded? {
            Ok(Ok(picture)) => picture,
            Ok(Err(e)) => return Err(fault(format!("a picture could not be decoded: {e}"))),
            Err(_) => {
                self.library = Library::new();
                self.primed = false;
                return Err(fault("the H.264 decoder gave up on a picture"));
            }
        };
        self.primed = true;
        let Some(picture) = picture else { return Ok(false) };
        let (width, height) = (picture.width, picture.height);
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        if !fits(width, height)
            || picture.y.len() != width * height
            || picture.u.len() != chroma
            || picture.v.len() != chroma
        {
            return Err(fault(format!("the decoder gave a broken {width}x{height} picture")));
        }
        (frame.width, frame.height) = (width & !1, height & !1);
        if frame.width == width && frame.height == height {
            // The library hands its buffers over; taking them is cheaper than copying into ours.
            (frame.y, frame.u, frame.v) = (picture.y, picture.u, picture.v);
        } else {
            crop(&picture.y, width, &mut frame.y, frame.width, frame.height);
            crop(&picture.u, width.div_ceil(2), &mut frame.u, frame.width / 2, frame.height / 2);
            crop(&picture.v, width.div_ceil(2), &mut frame.v, frame.width / 2, frame.height / 2);
        }
        frame.layout = Layout::I420;
        frame.full_range = self.full_range;
        // Video that does not say is BT.601 up to standard definition and BT.709 above, as players take it.
        frame.matrix = self.matrix.unwrap_or(if height > 576 { Matrix::Bt709 } else { Matrix::Bt601 });
        Ok(true)
    }
}

impl Decoder for H264 {
    fn decode(&mut self, unit: &[u8], frame: &mut Frame) -> Result<bool> {
        self.run(unit, frame)
    }
}

fn crop(from: &[u8], stride: usize, to: &mut Vec<u8>, width: usize, height: usize) {
    resize(to, width * height);
    for (row, source) in to.chunks_exact_mut(width).zip(from.chunks_exact(stride)) {
        row.copy_from_slice(&source[..width]);
    }
}

fn fault(message: impl Into<String>) -> Error {
    Error::new(Kind::Camera, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nal_unit_longer_than_its_picture_is_an_error_and_no_panic() {
        let mut decoder = H264::with_lengths(4, []).unwrap();
        let mut frame = Frame::default();
        for unit in [&[0, 0, 0, 9, 0x65][..], &[0, 0], &[0xff; 8]] {
            let error = decoder.decode(unit, &mut frame).unwrap_err();
            assert!(error.to_string().contains("NAL unit"), "{error}");
        }
    }

    #[test]
    fn a_slice_without_parameter_sets_is_an_error_and_no_panic() {
        let mut decoder = H264::with_lengths(4, []).unwrap();
        let error = decoder.decode(&[0, 0, 0, 3, 0x65, 0x88, 0x84], &mut Frame::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Camera);
    }

    #[test]
    fn a_parameter_set_that_asks_for_an_enormous_picture_is_refused() {
        // Baseline, level 5.2; pic_width_in_mbs_minus1 = pic_height_in_map_units_minus1 = 4095, 65536 pixels each.
        // ue(0) ue(0) ue(0) ue(0) ue(1) u(0) ue(4095) ue(4095) u(1) u(1) u(0) u(0) + stop bit.
        let bits = "1 1 1 1 010 0 0000000000001000000000000 0000000000001000000000000 1 1 0 0 1";
        let mut nal = vec![0x67, 66, 0, 52];
        let bits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        nal.extend(
            bits.chunks(8)
                .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | bit << (7 - at))),
        );
        let error = H264::with_lengths(4, [&nal[..]]).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Camera);
        assert!(error.to_string().contains("parameter set"), "{error}");
    }
}
