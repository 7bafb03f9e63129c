//! Whether a picture is there to its end. Decoders fill up what is missing with grey and say nothing, so that half a
//! photo, as a phone's network leaves it, would pass for a whole one.

/// Whether `file`, a JPEG (ITU-T T.81, annex B), has its end-of-image marker. What comes after that is not looked at:
/// phones put previews, films and depth maps there.
pub(super) fn jpeg(file: &[u8]) -> bool {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut has_scan = false;
    let mut at = 0;
    loop {
        // As decoders do, stray bytes between segments are passed over.
        let Some(marker) = next_marker(file, &mut at) else { return false };
        match marker {
            END => return has_scan,
            // Markers that stand alone: restarts (of a scan that was damaged), start, and a private one.
            0xd0..=0xd7 | START | 0x01 => {}
            _ => {
                let Some(&[high, low]) = file.get(at..at + 2) else { return false };
                let length = usize::from(u16::from_be_bytes([high, low]));
                if length < 2 || at + length > file.len() {
                    return false;
                }
                at += length;
                if marker == SCAN {
                    has_scan = true;
                    skip_coded(file, &mut at);
                }
            }
        }
    }
}

/// The code of the next marker from `at` on, which is left behind it.
fn next_marker(file: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += file.get(*at..)?.iter().position(|&byte| byte == 0xff)?;
        // Any number of FF may stand before a code.
        *at += file[*at..].iter().position(|&byte| byte != 0xff)?;
        let code = file[*at];
        *at += 1;
        if code != 0 {
            return Some(code);
        }
    }
}

/// Leaves `at` at the marker that ends the entropy-coded data there, or at the end of `file`. In such data FF is
/// followed by 00, or by the code of a restart.
fn skip_coded(file: &[u8], at: &mut usize) {
    while let Some(found) = file.get(*at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        *at += found;
        match file.get(*at + 1) {
            Some(0 | 0xd0..=0xd7) => *at += 2,
            Some(0xff) => *at += 1,
            _ => return,
        }
    }
    *at = file.len();
}

/// Whether `file`, a PNG (ISO/IEC 15948, clause 5), has all its chunks to the last.
pub(super) fn png(file: &[u8]) -> bool {
    /// Length of what every PNG file begins with.
    const SIGNATURE: usize = 8;
    /// Of a chunk: its length, its type, its checksum.
    const AROUND: usize = 12;
    let mut at = SIGNATURE;
    loop {
        let Some(&[a, b, c, d, ref kind @ ..]) = file.get(at..at + 8) else { return false };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let Some(end) = at.checked_add(length).and_then(|end| end.checked_add(AROUND)) else { return false };
        if end > file.len() {
            return false;
        }
        if kind == b"IEND" {
            return true;
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::codecs::png::PngEncoder;

    use super::*;

    fn picture() -> image::RgbImage {
        // Noise, so that coded data holds every byte.
        let mut noise = 1_u32;
        image::RgbImage::from_fn(64, 40, |_, _| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb([(noise >> 24) as u8, (noise >> 16) as u8, (noise >> 8) as u8])
        })
    }

    fn a_jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&picture()).unwrap();
        bytes
    }

    fn a_png() -> Vec<u8> {
        let mut bytes = Vec::new();
        picture().write_with_encoder(PngEncoder::new(&mut bytes)).unwrap();
        bytes
    }

    #[test]
    fn a_file_is_whole_with_its_last_byte_and_not_before() {
        let (whole_jpeg, whole_png) = (a_jpeg(), a_png());
        assert!(
            whole_jpeg.windows(2).filter(|two| two == &[0xff, 0]).count() > 10,
            "data with stuffed bytes"
        );
        assert!(jpeg(&whole_jpeg) && png(&whole_png));
        for length in 0..whole_jpeg.len() {
            assert!(!jpeg(&whole_jpeg[..length]), "{length} of {}", whole_jpeg.len());
        }
        for length in 0..whole_png.len() {
            assert!(!png(&whole_png[..length]), "{length} of {}", whole_png.len());
        }
    }

    #[test]
    fn what_phones_add_is_passed_over() {
        let whole = a_jpeg();
        // A preview of its own in a segment, which ends before the picture does.
        let preview = &a_jpeg()[..600];
        let preview = [preview, &[0xff, 0xd9]].concat();
        let segment = [&[0xff, 0xe1][..], &(preview.len() as u16 + 2).to_be_bytes(), &preview].concat();
        let with_preview = [&whole[..2], &segment, &whole[2..]].concat();
        assert!(jpeg(&with_preview));
        assert!(!jpeg(&with_preview[..with_preview.len() - 40]), "the preview's end is not the picture's");
        // A film behind it, and a filled marker in front of its end.
        let tail = [&whole[..whole.len() - 2], &[0xff, 0xff, 0xff, 0xd9], b"ftypmp42 a film"].concat();
        assert!(jpeg(&tail));
        let restarts = [&whole[..whole.len() - 2], &[0xff, 0xd3, 0x12, 0xff, 0xd9]].concat();
        assert!(jpeg(&restarts));
    }

    #[test]
    fn no_bytes_lead_astray() {
        for bad in [
            &b""[..],
            b"\xff\xd8",
            b"\xff\xd8\xff\xd9",
            b"\xff\xd8\xff\xe0\xff\xff\xff\xd9",
            b"\xff\xd8\xff\xe0\0\0\xff\xd9",
            b"\xff\xd8\xff\xda",
            b"\xff\xff\xff\xff",
        ] {
            assert!(!jpeg(bad), "{bad:x?}");
        }
        for bad in [&b""[..], b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIEND"] {
            assert!(!png(bad), "{bad:x?}");
        }
    }
}
