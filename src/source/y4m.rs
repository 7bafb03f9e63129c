//! Uncompressed video with its size in front (YUV4MPEG2), as the ffmpeg program writes it: 8-bit 4:2:0 only, which
//! is what it is asked for. Read straight into the planes of a frame.
//!
//! Errors are those of reading, and [`io::ErrorKind::InvalidData`] for what is no such video.

use std::io::{self, Read};

use crate::decode::MAX_PIXELS;
use crate::frame::{Frame, Layout, Matrix};

/// Longest line of text.
const LONGEST_LINE: usize = 256;

/// What the first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    width: usize,
    height: usize,
    full_range: bool,
}

impl Header {
    /// Reads the first line.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let line = line(from)?;
        let mut words = line.split(|byte| *byte == b' ');
        if words.next() != Some(b"YUV4MPEG2") {
            return Err(invalid("it does not begin with YUV4MPEG2"));
        }
        let (mut width, mut height, mut full_range) = (0_usize, 0_usize, false);
        for word in words {
            let (key, value) = word.split_first().map_or((b' ', &[][..]), |(key, value)| (*key, value));
            let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            match key {
                b'W' => width = number(),
                b'H' => height = number(),
                b'C' if !matches!(value, b"420" | b"420jpeg" | b"420mpeg2" | b"420paldv") => {
                    return Err(invalid("the pixels are not 8-bit 4:2:0"));
                }
                b'X' if value == b"COLORRANGE=FULL" => full_range = true,
                _ => {}
            }
        }
        let sound = width >= 2 && height >= 2 && width % 2 == 0 && height % 2 == 0;
        if !sound || width.checked_mul(height).is_none_or(|pixels| pixels > MAX_PIXELS) {
            return Err(invalid("the picture size is missing, odd or out of bounds"));
        }
        Ok(Self { width, height, full_range })
    }

    /// Bytes of a picture.
    #[cfg(any(test, fuzzing))]
    pub(super) fn bytes(&self) -> usize {
        self.width * self.height * 3 / 2
    }

    /// Reads the next picture into `frame`, all but its capture time.
    pub(super) fn picture(&self, from: &mut impl Read, frame: &mut Frame) -> io::Result<()> {
        let line = line(from)?;
        if line != b"FRAME" && !line.starts_with(b"FRAME ") {
            return Err(invalid("there is no FRAME where one should begin"));
        }
        let pixels = self.width * self.height;
        (frame.width, frame.height, frame.layout) = (self.width, self.height, Layout::I420);
        // What the video says of its matrix is not passed on. This is the usual one for the size.
        frame.matrix = if self.height > 576 { Matrix::Bt709 } else { Matrix::Bt601 };
        frame.full_range = self.full_range;
        for (plane, length) in
            [(&mut frame.y, pixels), (&mut frame.u, pixels / 4), (&mut frame.v, pixels / 4)]
        {
            plane.resize(length, 0);
            from.read_exact(plane)?;
        }
        Ok(())
    }
}

/// A line without its end.
fn line(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(64);
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => return Ok(line),
            _ if line.len() == LONGEST_LINE => return Err(invalid("a line is too long")),
            other => line.push(other),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("what it sends is no video: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> io::Result<(Header, Vec<Frame>)> {
        let mut bytes = bytes;
        let header = Header::read(&mut bytes)?;
        let mut frames = Vec::new();
        while !bytes.is_empty() && frames.len() < 10 {
            let mut frame = Frame::default();
            header.picture(&mut bytes, &mut frame)?;
            frames.push(frame);
        }
        Ok((header, frames))
    }

    #[test]
    fn pictures_come_plane_by_plane() {
        let video = b"YUV4MPEG2 W4 H2 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL\n\
                      FRAME\n\x01\x02\x03\x04\x05\x06\x07\x08\x0a\x0b\x14\x15FRAME Ip\n\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09";
        let (header, frames) = read(video).unwrap();
        assert_eq!(header, Header { width: 4, height: 2, full_range: true });
        assert_eq!(frames.len(), 2);
        assert_eq!((&frames[0].y[..], &frames[0].u[..]), (&[1, 2, 3, 4, 5, 6, 7, 8][..], &[10, 11][..]));
        assert_eq!((&frames[0].v[..], frames[1].y[7]), (&[20, 21][..], 9));
    }

    #[test]
    fn what_is_no_such_video_is_refused() {
        for (bad, why) in [
            (&b"RIFF...\n"[..], "YUV4MPEG2"),
            (b"YUV4MPEG2 W4 F25:1\n", "size"),
            (b"YUV4MPEG2 W3 H2\n", "odd"),
            (b"YUV4MPEG2 W99999999999 H2\n", "size"),
            (b"YUV4MPEG2 W40000 H40000\n", "out of bounds"),
            (b"YUV4MPEG2 W4 H2 C420p10\n", "8-bit"),
            (b"YUV4MPEG2 W4 H2 C420\nFRAMES\n", "FRAME"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.to_string().contains(why), "{error} for {why}");
        }
        assert_eq!(read(b"YUV4MPEG2 W4 H2\nFRAME\nab").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(&[b'Y'; 1000]).unwrap_err().to_string().contains("too long"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            width in 0_u32..20, height in 0_u32..20, tail in proptest::collection::vec(any::<u8>(), 0..600),
            words in "[ A-Z0-9=a-z:]{0,40}",
        ) {
            let mut video = format!("YUV4MPEG2 W{width} H{height} {words}\nFRAME\n").into_bytes();
            video.extend(&tail);
            let _ = read(&video);
            let _ = read(&tail);
        }
    }
}
