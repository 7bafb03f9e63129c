//! Where a JPEG ends in a buffer that is longer than it: the capture library hands out the whole of it, with the
//! end of an earlier, longer picture behind the present one.

/// The JPEG at the beginning of `buffer`, from its SOI to its EOI marker; `None` when it is not whole. Walks
/// the marker segments (ITU-T T.81 B.1.1): an EOI in a thumbnail is inside of a segment and does not count.
pub(crate) fn whole(buffer: &[u8]) -> Option<&[u8]> {
    const SOI: u8 = 0xd8;
    const EOI: u8 = 0xd9;
    const SOS: u8 = 0xda;
    if buffer.get(..2)? != [0xff, SOI] {
        return None;
    }
    let mut at = 2;
    loop {
        if *buffer.get(at)? != 0xff {
            return None;
        }
        let marker = *buffer.get(at + 1)?;
        at += 2;
        match marker {
            // A fill byte: the marker follows.
            0xff => at -= 1,
            EOI => return buffer.get(..at),
            // Markers that stand alone: TEM and restarts.
            0x01 | 0xd0..=0xd7 => {}
            0x00 | SOI => return None,
            _ => {
                let length = u16::from_be_bytes([*buffer.get(at)?, *buffer.get(at + 1)?]);
                if length < 2 {
                    return None;
                }
                at += usize::from(length);
                if marker == SOS {
                    // Entropy-coded data: up to the next marker that is neither a stuffed byte nor a restart.
                    let rest = buffer.get(at..)?;
                    at += rest
                        .windows(2)
                        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7))?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(value: u8) -> Vec<u8> {
        use image::ImageEncoder as _;
        let mut file = Vec::new();
        let pixels: Vec<u8> = (0..64 * 64 * 3).map(|n| value.wrapping_mul((n % 251) as u8)).collect();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 80)
            .write_image(&pixels, 64, 64, image::ExtendedColorType::Rgb8)
            .unwrap();
        file
    }

    #[test]
    fn the_rest_of_an_earlier_picture_is_cut_off() {
        let (short, long) = (picture(1), picture(77));
        assert!(long.len() > short.len());
        let mut buffer = long.clone();
        buffer[..short.len()].copy_from_slice(&short);
        assert_eq!(whole(&buffer), Some(&short[..]));
        buffer.extend([0; 5000]);
        assert_eq!(whole(&buffer), Some(&short[..]));
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_the_picture() {
        let (file, thumbnail) = (picture(77), picture(1));
        let mut with = file[..2].to_vec();
        with.extend([0xff, 0xe1]);
        with.extend(u16::try_from(thumbnail.len() + 2).unwrap().to_be_bytes());
        with.extend(&thumbnail);
        with.extend(&file[2..]);
        assert_eq!(whole(&with), Some(&with[..]));
    }

    #[test]
    fn a_picture_without_its_end_is_left_out() {
        let file = picture(77);
        for length in 0..file.len() {
            assert_eq!(whole(&file[..length]), None, "{length} of {} bytes", file.len());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..200)) {
            if bytes.len() > 1 {
                (bytes[0], bytes[1]) = (0xff, 0xd8);
            }
            if let Some(found) = whole(&bytes) {
                prop_assert!(found.ends_with(&[0xff, 0xd9]));
            }
        }
    }
}
