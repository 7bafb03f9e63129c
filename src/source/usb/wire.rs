//! How the capture process hands pictures to the box: a header of fixed size, then the picture's bytes, over a
//! pipe.
//!
//! The other end has a camera driver in it, so nothing is taken on trust: every field is bounded and checked
//! against the others, and a header that is not exactly what [`Header::bytes`] writes is refused.
//!
//! | bytes | what (integers are little-endian) |
//! |---|---|
//! | 0..4 | `GPF1` |
//! | 4 | 0 YUYV, 1 NV12, 2 MJPEG, 255 a fault said in words |
//! | 5..8 | 0 |
//! | 8..12, 12..16 | width and height in pixels; 0 for a fault |
//! | 16..20 | bytes from row to row; 0 for MJPEG and a fault |
//! | 20..24 | bytes that follow |
//! | 24..32 | capture time, nanoseconds since the Unix epoch |

use std::fmt;

use crate::clock::CaptureTime;

/// Bytes of a header.
pub(crate) const LENGTH: usize = 32;

const MAGIC: [u8; 4] = *b"GPF1";
/// Most pixels on a side.
const MAX_SIDE: u32 = 16_384;
/// Most bytes of a picture: a raw one of 8K, or a JPEG of any sense.
const MAX_BYTES: u32 = 128 << 20;
/// Longest fault in words, in bytes.
pub(crate) const MAX_WORDS: u32 = 1024;
/// Most bytes of padding at the end of a row.
const MAX_PADDING: u32 = 4096;

/// How the pixels of a USB or CSI camera come.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// Y and UV planes, 4:2:0.
    Nv12,
    /// Y0 U Y1 V, 4:2:2.
    Yuyv,
    /// One JPEG a picture.
    Mjpeg,
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nv12 => "nv12",
            Self::Yuyv => "yuyv",
            Self::Mjpeg => "mjpeg",
        })
    }
}

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A picture.
    Picture {
        /// How its pixels come.
        format: PixelFormat,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Bytes from row to row of the first plane; 0 for MJPEG.
        stride: u32,
    },
    /// Words that say why there will be no more pictures.
    Fault,
}

/// The head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// What follows.
    pub(crate) content: Content,
    /// How many bytes of it.
    pub(crate) size: u32,
    /// When it was captured.
    pub(crate) captured: CaptureTime,
}

impl Header {
    /// The header as it goes over the pipe.
    #[cfg(any(feature = "usb", test))]
    pub(crate) fn bytes(&self) -> [u8; LENGTH] {
        let (code, [width, height, stride]) = match self.content {
            Content::Picture { format, width, height, stride } => {
                let code = match format {
                    PixelFormat::Yuyv => 0,
                    PixelFormat::Nv12 => 1,
                    PixelFormat::Mjpeg => 2,
                };
                (code, [width, height, stride])
            }
            Content::Fault => (u8::MAX, [0; 3]),
        };
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = code;
        for (at, value) in [width, height, stride, self.size].into_iter().enumerate() {
            bytes[8 + at * 4..][..4].copy_from_slice(&value.to_le_bytes());
        }
        bytes[24..].copy_from_slice(&self.captured.nanos().to_le_bytes());
        bytes
    }

    /// Reads a header; `Err` says in what way it is none.
    pub(crate) fn parse(bytes: &[u8; LENGTH]) -> Result<Self, &'static str> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..4] != MAGIC {
            return Err("it does not begin with GPF1");
        }
        if bytes[5..8] != [0; 3] {
            return Err("a reserved byte is set");
        }
        let mut time = [0; 8];
        time.copy_from_slice(&bytes[24..]);
        let time = i64::from_le_bytes(time);
        if time < 0 {
            return Err("the capture time is before 1970");
        }
        let [width, height, stride, size] = [number(8), number(12), number(16), number(20)];
        let format = match bytes[4] {
            0 => PixelFormat::Yuyv,
            1 => PixelFormat::Nv12,
            2 => PixelFormat::Mjpeg,
            u8::MAX => {
                if (width, height, stride) != (0, 0, 0) {
                    return Err("a fault has a size in pixels");
                }
                if size > MAX_WORDS {
                    return Err("a fault has too many words");
                }
                let captured = CaptureTime::from_nanos(time);
                return Ok(Self { content: Content::Fault, size, captured });
            }
            _ => return Err("the pixel format is unknown"),
        };
        if !(2..=MAX_SIDE).contains(&width) || !(2..=MAX_SIDE).contains(&height) {
            return Err("the picture size is out of bounds");
        }
        if size > MAX_BYTES {
            return Err("there are too many bytes");
        }
        // All below 2^14 times 2^16: no product overflows 64 bits.
        let (row, rows2) = match format {
            PixelFormat::Yuyv => (width.div_ceil(2) * 4, height * 2),
            PixelFormat::Nv12 => (width, height * 2 + height.div_ceil(2) * 2),
            PixelFormat::Mjpeg if stride == 0 && size >= 4 => {
                let content = Content::Picture { format, width, height, stride };
                return Ok(Self { content, size, captured: CaptureTime::from_nanos(time) });
            }
            PixelFormat::Mjpeg => return Err("a JPEG is too short, or has rows"),
        };
        if !(row..=row + MAX_PADDING).contains(&stride) {
            return Err("the rows have the wrong length");
        }
        if u64::from(size) * 2 != u64::from(stride) * u64::from(rows2) {
            return Err("the number of bytes is not that of the rows");
        }
        let content = Content::Picture { format, width, height, stride };
        Ok(Self { content, size, captured: CaptureTime::from_nanos(time) })
    }
}

/// Bytes of a raw picture of `height` rows at `stride`; `None` when a header could not say so, and for MJPEG,
/// whose size is its own.
#[cfg(any(feature = "usb", test))]
pub(crate) fn raw_size(format: PixelFormat, height: u32, stride: u32) -> Option<u32> {
    let rows = match format {
        PixelFormat::Yuyv => height,
        PixelFormat::Nv12 => height.checked_add(height.div_ceil(2))?,
        PixelFormat::Mjpeg => return None,
    };
    stride.checked_mul(rows).filter(|size| *size <= MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(format: PixelFormat, width: u32, height: u32, padding: u32, jpeg: u32, time: i64) -> Header {
        let stride = match format {
            PixelFormat::Yuyv => width.div_ceil(2) * 4 + padding,
            PixelFormat::Nv12 => width + padding,
            PixelFormat::Mjpeg => 0,
        };
        let size = raw_size(format, height, stride).unwrap_or(jpeg);
        let content = Content::Picture { format, width, height, stride };
        Header { content, size, captured: CaptureTime::from_nanos(time) }
    }

    const FORMATS: [PixelFormat; 3] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Mjpeg];

    proptest! {
        #[test]
        fn a_header_that_was_written_is_read(
            format in 0_usize..3, width in 2_u32..4000, height in 2_u32..3000, padding in 0_u32..4096,
            jpeg in 4_u32..1_000_000, time in 0_i64..i64::MAX,
        ) {
            let header = header(FORMATS[format], width, height, padding, jpeg, time);
            prop_assert_eq!(Header::parse(&header.bytes()), Ok(header));
        }

        #[test]
        fn a_header_that_is_read_is_exactly_what_would_be_written(
            // Near a sound header, or nothing would get past the first checks.
            format in 0_usize..3, width in 2_u32..200, height in 2_u32..200,
            changes in proptest::collection::vec((0_usize..LENGTH, any::<u8>()), 0..4),
        ) {
            let mut bytes = header(FORMATS[format], width, height, 0, 1000, 1).bytes();
            for (at, value) in changes {
                bytes[at] = value;
            }
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert_eq!(header.bytes(), bytes);
                prop_assert!(header.size <= MAX_BYTES);
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: [u8; LENGTH], magic: bool) {
            let mut bytes = bytes;
            if magic {
                let code = bytes[4] % 4;
                bytes[..8].copy_from_slice(&[b'G', b'P', b'F', b'1', code, 0, 0, 0]);
            }
            let _ = Header::parse(&bytes);
        }
    }

    #[test]
    fn sizes_that_do_not_fit_their_picture_are_refused() {
        let sound = header(PixelFormat::Yuyv, 640, 480, 0, 0, 1);
        assert_eq!(sound.size, 640 * 480 * 2);
        let refused = |at: usize, value: u32| {
            let mut bytes = sound.bytes();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            Header::parse(&bytes).unwrap_err()
        };
        assert_eq!(refused(20, 640 * 480), "the number of bytes is not that of the rows");
        assert_eq!(refused(16, 640), "the rows have the wrong length");
        assert_eq!(refused(8, 0), "the picture size is out of bounds");
        assert_eq!(refused(8, u32::MAX), "the picture size is out of bounds");
        assert_eq!(refused(20, u32::MAX), "there are too many bytes");
        assert_eq!(refused(0, 7), "it does not begin with GPF1");
    }

    #[test]
    fn a_fault_in_words_is_bounded() {
        let fault = Header { content: Content::Fault, size: 10, captured: CaptureTime::default() };
        assert_eq!(Header::parse(&fault.bytes()), Ok(fault));
        assert!(Header::parse(&Header { size: MAX_WORDS + 1, ..fault }.bytes()).is_err());
    }
}
