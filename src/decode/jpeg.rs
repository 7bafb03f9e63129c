//! JPEG, and the one way from interleaved pixels to planes. Keeps `zune-jpeg` to itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoder, fits, resize};
use crate::error::{Error, Kind, Result};
use crate::frame::{Frame, Layout, Matrix};

/// Decodes JPEG files to I420, BT.601 full range as JFIF defines it. The last column or row of an odd size is
/// cut off.
#[derive(Default)]
pub struct Jpeg {
    pixels: Vec<u8>,
    /// A picture of a Motion JPEG stream, with what such streams leave out.
    completed: Vec<u8>,
}

/// An application segment that says "Motion JPEG in AVI" and no more. The library then takes the Huffman tables
/// that such streams leave out from ITU-T T.81 Annex K.
const MOTION_JPEG: [u8; 18] = *b"\xff\xe0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

impl Decoder for Jpeg {
    fn decode(&mut self, unit: &[u8], frame: &mut Frame) -> Result<bool> {
        let unit = if lacks_tables(unit) {
            self.completed.clear();
            self.completed.extend_from_slice(&unit[..2]);
            self.completed.extend_from_slice(&MOTION_JPEG);
            self.completed.extend_from_slice(&unit[2..]);
            &self.completed
        } else {
            unit
        };
        let pixels = &mut self.pixels;
        let decoded = catch_unwind(AssertUnwindSafe(|| interleaved(unit, pixels)));
        let (width, height, colours) =
            decoded.unwrap_or_else(|_| Err(fault("the JPEG decoder gave up on the picture")))?;
        match colours {
            ColorSpace::Luma => from_luma(&self.pixels, width, height, frame),
            ColorSpace::YCbCr => from_triples(&self.pixels, width, height, frame, |ycc| ycc),
            _ => from_rgb(&self.pixels, width, height, frame),
        }
        Ok(true)
    }
}

/// Whether the picture has no Huffman tables, as those of many cameras have not: they are always the same. Walks
/// the segments before the first scan.
fn lacks_tables(unit: &[u8]) -> bool {
    const SOS: u8 = 0xda;
    const DHT: u8 = 0xc4;
    let mut rest = match unit {
        [0xff, 0xd8, rest @ ..] => rest,
        _ => return false,
    };
    loop {
        match rest {
            [0xff, SOS, ..] => return true,
            [0xff, DHT, ..] => return false,
            [0xff, marker, high, low, ..] if *marker >= 0xc0 && *marker != 0xff => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                match rest.get(2 + length..) {
                    Some(behind) if length >= 2 => rest = behind,
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
}

/// Decodes into `pixels`, with as few colour conversions as the file allows.
fn interleaved(unit: &[u8], pixels: &mut Vec<u8>) -> Result<(usize, usize, ColorSpace)> {
    let broken = |e| fault(format!("the JPEG is broken: {e}"));
    let bounds =
        DecoderOptions::default().set_max_width(1 << 16).set_max_height(1 << 16).set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(unit), bounds);
    decoder.decode_headers().map_err(broken)?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    if !fits(width, height) {
        return Err(fault(format!("the picture size {width}x{height} is out of bounds")));
    }
    let colours = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(ColorSpace::YCbCr) => ColorSpace::YCbCr,
        _ => ColorSpace::RGB,
    };
    decoder.set_options(bounds.jpeg_set_out_colorspace(colours));
    resize(pixels, width * height * colours.num_components());
    decoder.decode_into(pixels).map_err(broken)?;
    Ok((width, height, colours))
}

/// Fills `frame` from interleaved 8-bit R, G, B by the JFIF equations (BT.601, full range).
pub(crate) fn from_rgb(pixels: &[u8], width: usize, height: usize, frame: &mut Frame) {
    from_triples(pixels, width, height, frame, |[r, g, b]| {
        let [r, g, b] = [i32::from(r), i32::from(g), i32::from(b)];
        // The JFIF coefficients in 16-bit fixed point; each row sums to 65536 or to 0.
        let y = 19_595 * r + 38_470 * g + 7_471 * b;
        let cb = -11_058 * r - 21_710 * g + 32_768 * b;
        let cr = 32_768 * r - 27_439 * g - 5_329 * b;
        let round = |v: i32, offset: i32| (((v + 32_768) >> 16) + offset).clamp(0, 255) as u8;
        [round(y, 0), round(cb, 128), round(cr, 128)]
    });
}

/// Fills `frame` from interleaved triples that `ycc` turns into Y, Cb, Cr. Chroma is the mean of each 2 by 2.
fn from_triples(
    pixels: &[u8],
    width: usize,
    height: usize,
    frame: &mut Frame,
    ycc: impl Fn([u8; 3]) -> [u8; 3],
) {
    shape(frame, width, height);
    let half = frame.width / 2;
    let row_bytes = width * 3;
    for (row, pair) in pixels.chunks_exact(row_bytes * 2).enumerate().take(frame.height / 2) {
        let (upper, lower) = pair.split_at(row_bytes);
        let (luma0, luma1) = frame.y[row * 2 * frame.width..][..frame.width * 2].split_at_mut(frame.width);
        let u = &mut frame.u[row * half..][..half];
        let v = &mut frame.v[row * half..][..half];
        for at in 0..half {
            let (mut cb, mut cr) = (2_u16, 2_u16);
            for (line, luma) in [(upper, &mut *luma0), (lower, &mut *luma1)] {
                for x in [at * 2, at * 2 + 1] {
                    let [y, b, r] = ycc([line[x * 3], line[x * 3 + 1], line[x * 3 + 2]]);
                    luma[x] = y;
                    cb += u16::from(b);
                    cr += u16::from(r);
                }
            }
            (u[at], v[at]) = ((cb / 4) as u8, (cr / 4) as u8);
        }
    }
}

fn from_luma(pixels: &[u8], width: usize, height: usize, frame: &mut Frame) {
    shape(frame, width, height);
    for (row, source) in frame.y.chunks_exact_mut(frame.width).zip(pixels.chunks_exact(width)) {
        row.copy_from_slice(&source[..row.len()]);
    }
    frame.u.fill(128);
    frame.v.fill(128);
}

fn shape(frame: &mut Frame, width: usize, height: usize) {
    (frame.width, frame.height) = (width & !1, height & !1);
    (frame.layout, frame.matrix, frame.full_range) = (Layout::I420, Matrix::Bt601, true);
    resize(&mut frame.y, frame.width * frame.height);
    resize(&mut frame.u, frame.width * frame.height / 4);
    resize(&mut frame.v, frame.width * frame.height / 4);
}

fn fault(message: impl Into<String>) -> Error {
    Error::new(Kind::Camera, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    fn encode(pixels: &[u8], width: u32, height: u32, kind: ExtendedColorType) -> Vec<u8> {
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, 95).write_image(pixels, width, height, kind).unwrap();
        file
    }

    #[test]
    fn a_red_picture_of_odd_size_is_cut_to_even_and_stays_red() {
        let file = encode(&[255, 0, 0].repeat(33 * 17), 33, 17, ExtendedColorType::Rgb8);
        let mut frame = Frame::default();
        assert!(Jpeg::default().decode(&file, &mut frame).unwrap());
        assert_eq!((frame.width, frame.height, frame.full_range), (32, 16, true));
        assert_eq!((frame.y.len(), frame.u.len(), frame.v.len()), (512, 128, 128));
        let near = |plane: &[u8], wanted: u8| plane.iter().all(|v| v.abs_diff(wanted) <= 2);
        assert!(near(&frame.y, 76) && near(&frame.u, 85) && near(&frame.v, 255), "{:?}", &frame.u[..4]);
    }

    #[test]
    fn a_grey_jpeg_has_neutral_chroma() {
        let file = encode(&[90; 16 * 16], 16, 16, ExtendedColorType::L8);
        let mut frame = Frame::default();
        Jpeg::default().decode(&file, &mut frame).unwrap();
        assert!(frame.u.iter().chain(&frame.v).all(|v| *v == 128));
        assert!(frame.y.iter().all(|v| v.abs_diff(90) <= 1));
    }

    #[test]
    fn a_jpeg_cut_short_or_not_a_jpeg_is_an_error() {
        let file = encode(&[10, 200, 30].repeat(64 * 64), 64, 64, ExtendedColorType::Rgb8);
        for bad in [&file[..0], &file[..40], &file[..file.len() / 2], b"GIF89a"] {
            assert!(Jpeg::default().decode(bad, &mut Frame::default()).is_err(), "{} bytes", bad.len());
        }
    }

    #[test]
    fn a_picture_without_its_huffman_tables_is_decoded_by_the_usual_ones() {
        let pixels: Vec<u8> = (0..64 * 64 * 3).map(|n| (n % 253) as u8).collect();
        let file = encode(&pixels, 64, 64, ExtendedColorType::Rgb8);
        let mut without = file[..2].to_vec();
        let mut at = 2;
        while file[at + 1] != 0xda {
            let length = 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
            if file[at + 1] != 0xc4 {
                without.extend(&file[at..at + length]);
            }
            at += length;
        }
        without.extend(&file[at..]);
        assert!(without.len() + 400 < file.len(), "the tables were there");
        let (mut whole, mut bare) = (Frame::default(), Frame::default());
        let mut jpeg = Jpeg::default();
        jpeg.decode(&file, &mut whole).unwrap();
        jpeg.decode(&without, &mut bare).unwrap();
        assert!(whole.y == bare.y && whole.u == bare.u && whole.v == bare.v);
    }

    #[test]
    fn primary_colours_become_the_jfif_values() {
        let mut frame = Frame::default();
        for (rgb, wanted) in [
            ([255, 255, 255], [255, 128, 128]),
            ([0, 0, 0], [0, 128, 128]),
            ([0, 0, 255], [29, 255, 107]),
            ([0, 255, 0], [150, 44, 21]),
        ] {
            from_rgb(&rgb.repeat(4), 2, 2, &mut frame);
            assert_eq!([frame.y[0], frame.u[0], frame.v[0]], wanted, "{rgb:?}");
        }
    }
}
