//! H.264 Constrained Baseline, which every player and browser shows. Keeps `rusty_h264-encoder` and
//! `rusty_h264-common` to itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::RgbImage;
use rusty_h264_common::YuvFrame;
use rusty_h264_encoder::{Encoder, EncoderConfig};

use crate::error::{Error, Kind, Result};

/// NAL unit types of parameter sets and of a picture that needs no other (ITU-T H.264 Table 7-1).
const SPS: u8 = 7;
const PPS: u8 = 8;
const IDR: u8 = 5;

/// A coded sequence of pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Video {
    /// The sequence parameter set, without start code.
    pub(super) sps: Vec<u8>,
    /// The picture parameter set, without start code.
    pub(super) pps: Vec<u8>,
    /// The pictures in the order of showing, which is that of decoding.
    pub(super) pictures: Vec<Coded>,
}

/// One coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coded {
    /// Its NAL units, each with four bytes of length in front, as MP4 stores them.
    pub(super) unit: Vec<u8>,
    /// Whether it can be decoded without any other.
    pub(super) key: bool,
}

impl Video {
    /// Codes what `picture` gives for 0 to `count`, all of one size with even sides, at the quantiser `qp` (0 to 51,
    /// lower is better). Colours are BT.601 in limited range.
    ///
    /// # Errors
    /// That of `picture`; [`Kind::System`] when there is no picture, sizes differ or are odd, or the encoder fails.
    pub(super) fn code(count: usize, picture: impl Fn(usize) -> Result<RgbImage>, qp: u8) -> Result<Self> {
        if count == 0 {
            return Err(fault("there is no picture in it"));
        }
        // The library is young: a panic in it costs the clip and nothing else.
        catch_unwind(AssertUnwindSafe(|| run(count, picture, qp)))
            .unwrap_or_else(|_| Err(fault("the encoder panicked; this is a fault of the program")))
    }

    /// Bytes of all its pictures.
    pub(super) fn bytes(&self) -> usize {
        self.pictures.iter().map(|picture| picture.unit.len()).sum()
    }
}

fn fault(what: &str) -> Error {
    Error::new(Kind::System, format!("a clip cannot be coded: {what}"))
}

fn run(count: usize, picture: impl Fn(usize) -> Result<RgbImage>, qp: u8) -> Result<Video> {
    let first = picture(0)?;
    let size = first.dimensions();
    let even = |side: u32| side > 0 && side.is_multiple_of(2);
    let unlike = || fault("its pictures are not all of one size with even sides");
    if !even(size.0) || !even(size.1) {
        return Err(unlike());
    }
    let mut config = EncoderConfig::baseline(size.0 as usize, size.1 as usize);
    config.qp = qp;
    // One key picture: a clip is a few seconds long and is decoded from its start.
    config.gop_size = count.max(2) as u32;
    config.min_keyint = config.gop_size;
    let broken = |e| fault(&format!("{e:?}"));
    let mut encoder = Encoder::new(config).map_err(broken)?;
    let mut video = Video::default();
    let mut next = Some(first);
    for n in 0..count {
        let picture = next.take().map_or_else(|| picture(n), Ok)?;
        if picture.dimensions() != size {
            return Err(unlike());
        }
        let access_unit = encoder.try_encode(&planes(&picture)).map_err(broken)?;
        let mut coded = Coded { unit: Vec::with_capacity(access_unit.len() + 8), key: false };
        for nal in nal_units(&access_unit) {
            match nal[0] & 31 {
                SPS => video.sps = nal.to_vec(),
                PPS => video.pps = nal.to_vec(),
                kind => {
                    coded.key |= kind == IDR;
                    coded.unit.extend_from_slice(&(nal.len() as u32).to_be_bytes());
                    coded.unit.extend_from_slice(nal);
                }
            }
        }
        if coded.unit.is_empty() {
            return Err(fault("the encoder gave nothing for a picture"));
        }
        video.pictures.push(coded);
    }
    if video.sps.len() < 4 || video.pps.is_empty() || !video.pictures.first().is_some_and(|first| first.key) {
        return Err(fault("the encoder gave no parameter sets or no key picture"));
    }
    Ok(video)
}

/// The NAL units of an Annex B stream (ITU-T H.264 Annex B.1), without start codes; none is empty.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> =
        (0..stream.len().saturating_sub(2)).filter(|&at| stream[at..at + 3] == [0, 0, 1]).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([stream.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(move |(start, end)| {
            let nal = &stream[start + 3..end];
            // A unit never ends in a zero byte: those belong to the start code of the next.
            let length = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            &nal[..length]
        })
        .filter(|nal| !nal.is_empty())
}

/// `picture` as planes: BT.601 in limited range (ITU-R BT.601-7 section 2.5), the chroma of four pixels as their mean.
fn planes(picture: &RgbImage) -> YuvFrame {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.as_raw();
    let quarter = width / 2 * (height / 2);
    let (mut y, mut u, mut v) =
        (Vec::with_capacity(width * height), Vec::with_capacity(quarter), Vec::with_capacity(quarter));
    for pixel in pixels.chunks_exact(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
        y.push((16 + ((16_829 * r + 33_039 * g + 6_416 * b + 32_768) >> 16)) as u8);
    }
    for rows in pixels.chunks_exact(width * 3 * 2) {
        let (upper, lower) = rows.split_at(width * 3);
        for (a, b) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            let sum = |at: usize| [a[at], a[at + 3], b[at], b[at + 3]].map(i32::from).iter().sum::<i32>();
            let [r, g, b] = [sum(0), sum(1), sum(2)];
            // Four times the sum of the weights below; 131072 rounds.
            u.push((128 + ((-9_714 * r - 19_071 * g + 28_784 * b + 131_072) >> 18)).clamp(16, 240) as u8);
            v.push((128 + ((28_784 * r - 24_103 * g - 4_681 * b + 131_072) >> 18)).clamp(16, 240) as u8);
        }
    }
    YuvFrame { width, height, y, u, v }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::evidence::Canvas;
    use crate::frame::Frame;

    #[test]
    fn colours_are_those_that_a_player_of_bt_601_shows() {
        for colour in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 120, 200]] {
            let picture = RgbImage::from_pixel(4, 2, Rgb(colour));
            let YuvFrame { width, height, y, u, v } = planes(&picture);
            let frame = Frame { width, height, y, u, v, ..Frame::default() };
            let shown = Canvas::render(&frame).unwrap();
            let pixel = shown.pixels().get_pixel(1, 1).0;
            assert!(pixel.iter().zip(colour).all(|(&a, b)| a.abs_diff(b) <= 3), "{colour:?} is {pixel:?}");
        }
    }

    #[test]
    fn nal_units_are_told_apart_by_long_and_short_start_codes() {
        let stream = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 3, 0, 0, 3, 4];
        let found: Vec<&[u8]> = nal_units(&stream).collect();
        assert_eq!(found, [&[0x67, 1][..], &[0x68, 2], &[0x65, 3, 0, 0, 3, 4]]);
        assert_eq!(nal_units(&[1, 2]).count(), 0);
    }

    #[test]
    fn what_is_no_clip_is_refused() {
        let said = |count, picture: fn(usize) -> Result<RgbImage>| {
            Video::code(count, picture, 28).unwrap_err().to_string()
        };
        assert!(said(0, |_| Ok(RgbImage::new(32, 32))).contains("no picture"));
        assert!(said(2, |n| Ok(RgbImage::new(32, 32 + 2 * n as u32))).contains("not all of one size"));
        assert!(said(1, |_| Ok(RgbImage::new(33, 32))).contains("even sides"));
        assert_eq!(said(1, |_| Err(Error::new(Kind::System, "not redacted"))), "not redacted");
    }
}
