//! Photos that people send: taken only if they are JPEG or PNG, there to their end, that can be decoded within bounds;
//! turned upright, made smaller, and written anew without anything but the picture: no place, no time, no name of a
//! phone, no tail.

mod whole;

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};

use super::denied::{Answer, Denied};

/// Most pixels of a side.
const MAX_SIDE: u32 = 12_000;
/// Most memory that decoding may take, in bytes: 48 million pixels of three bytes, and half as much again.
const MAX_MEMORY: u64 = 216 << 20;
/// Longest side of what is kept.
const KEPT_SIDE: u32 = 1920;
/// Quality of what is kept.
const QUALITY: u8 = 82;

/// A photo that may be kept.
#[derive(Debug)]
pub(super) struct Photo {
    /// The JPEG file.
    pub(super) jpeg: Vec<u8>,
    /// Its width in pixels.
    pub(super) width: u32,
    /// Its height in pixels.
    pub(super) height: u32,
}

/// Makes of `upload`, of at most `most` bytes, a photo that may be kept.
///
/// # Errors
/// [`Denied::Invalid`] for anything that is no picture of a sound size.
pub(super) fn take(upload: &[u8], most: usize) -> Answer<Photo> {
    if upload.len() > most {
        let mb = most >> 20;
        return Err(Denied::invalid(
            "photo",
            format!("照片不能超过 {mb} MB"),
            format!("A photo may have {mb} MB"),
        ));
    }
    let (format, is_whole) = match upload {
        [0xff, 0xd8, 0xff, ..] => (ImageFormat::Jpeg, whole::jpeg(upload)),
        [0x89, b'P', b'N', b'G', ..] => (ImageFormat::Png, whole::png(upload)),
        _ => return Err(not_a_picture()),
    };
    if !is_whole {
        return Err(Denied::invalid(
            "photo",
            "照片不完整，请重新拍摄或上传",
            "The photo is cut off: take or send it again",
        ));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(upload), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| not_a_picture())?;
    let (width, height) = decoder.dimensions();
    // 16 bits a channel and alpha would pass the bound on memory with far fewer pixels than it was meant for.
    if u64::from(width) * u64::from(height) > 48_000_000 || width < 16 || height < 16 {
        return Err(not_a_picture());
    }
    let upright = decoder.orientation().map_err(|_| not_a_picture())?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| not_a_picture())?;
    if width.max(height) > KEPT_SIDE {
        picture = picture.thumbnail(KEPT_SIDE, KEPT_SIDE);
    }
    picture.apply_orientation(upright);
    let plain = picture.into_rgb8();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&plain).map_err(|_| not_a_picture())?;
    Ok(Photo { jpeg, width: plain.width(), height: plain.height() })
}

fn not_a_picture() -> Denied {
    Denied::invalid(
        "photo",
        "只接受可正常打开的 JPEG 或 PNG 照片",
        "Only JPEG and PNG photos that can be opened are taken",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
        JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        bytes
    }

    /// `jpeg` with an APP1 segment that says the camera was on its side and where it was.
    fn with_exif(jpeg: &[u8]) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        exif.extend(b"GPS 34.7466N 113.6253E");
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..], b"<script>tail</script>"].concat()
    }

    #[test]
    fn a_photo_is_turned_upright_made_smaller_and_stripped() {
        let photo = take(&with_exif(&jpeg(2400, 1200)), 12 << 20).unwrap();
        assert_eq!((photo.width, photo.height), (960, 1920), "on its side, and at most 1920 long");
        let has = |word: &[u8]| photo.jpeg.windows(word.len()).any(|window| window == word);
        assert!(!has(b"GPS") && !has(b"Exif") && !has(b"script"));
        let again = image::load_from_memory(&photo.jpeg).unwrap();
        assert_eq!((again.width(), again.height()), (960, 1920));
    }

    #[test]
    fn what_is_not_a_picture_is_refused() {
        let real = jpeg(64, 64);
        let mut gif = b"GIF89a".to_vec();
        gif.extend([0; 100]);
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
        let html = b"\xff\xd8\xff<html><script>alert(1)</script>".to_vec();
        let mut png = Vec::new();
        image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, (x * y) as u8, 90]))
            .write_with_encoder(image::codecs::png::PngEncoder::new(&mut png))
            .unwrap();
        assert!(take(&png, 12 << 20).is_ok());
        let cut = |file: &[u8], percent: usize| file[..file.len() * percent / 100].to_vec();
        let mut cuts: Vec<Vec<u8>> = [33, 50, 95].map(|percent| cut(&real, percent)).into();
        cuts.extend([33, 50, 95].map(|percent| cut(&png, percent)));
        // Its data is not there, whatever else is.
        cuts.push([&png[..8], &png[png.len() - 12..]].concat());
        cuts.extend([Vec::new(), gif, svg, html, jpeg(8, 8)]);
        for bad in cuts {
            assert!(
                matches!(take(&bad, 12 << 20), Err(Denied::Invalid(_))),
                "{:?}",
                &bad[..bad.len().min(12)]
            );
        }
        assert!(take(&real, real.len() - 1).is_err(), "one byte too large");
    }

    #[test]
    fn a_bomb_is_not_decoded() {
        // A PNG that says it has 60,000 by 60,000 pixels.
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        png.extend(60_000_u32.to_be_bytes());
        png.extend(60_000_u32.to_be_bytes());
        png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert!(take(&png, 12 << 20).is_err());
    }
}
