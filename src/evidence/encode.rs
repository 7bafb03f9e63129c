//! JPEG files small enough for the message path.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, RgbImage};
use sha2::{Digest as _, Sha256};

use super::{Picture, Role};
use crate::error::{Error, Kind, Result};

/// Most bytes of one picture.
pub const MAX_BYTES: usize = 250_000;
const BEST_QUALITY: u8 = 85;
/// Below this, JPEG's own blocks begin to hide what a picture is to prove; it is made smaller instead.
const LEAST_QUALITY: u8 = 50;
/// Sizes that are tried, as shares of the first.
const SCALES: [f32; 6] = [1.0, 0.85, 0.7, 0.55, 0.42, 0.3];

/// Encodes what `compose` makes, and the rows of the whole view in it ([`Picture::view_height`]), at a scale of 1, or less where it does not fit [`MAX_BYTES`] at a quality of 50
/// or more; the quality is the best that fits, at most 85.
///
/// # Errors
/// [`Kind::System`] when no scale fits or the encoder refuses the picture.
pub(super) fn encode(role: Role, compose: impl Fn(f32) -> (RgbImage, Option<u32>)) -> Result<Picture> {
    for scale in SCALES {
        let (picture, view_height) = compose(scale);
        if let Some(jpeg) = best_fit(&picture)? {
            let sha256 = Sha256::digest(&jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
            let (width, height) = picture.dimensions();
            let (captured, url, part) = (None, None, None);
            return Ok(Picture {
                role,
                bytes: jpeg,
                sha256,
                width,
                height,
                view_height,
                captured,
                url,
                part,
            });
        }
    }
    Err(Error::new(Kind::System, format!("a picture does not fit into {MAX_BYTES} bytes at any size")))
}

/// The file of the best quality that fits, if any does.
fn best_fit(picture: &RgbImage) -> Result<Option<Vec<u8>>> {
    let fitting =
        |quality| Ok::<_, Error>(Some(jpeg(picture, quality)?).filter(|jpeg| jpeg.len() <= MAX_BYTES));
    if let Some(best) = fitting(BEST_QUALITY)? {
        return Ok(Some(best));
    }
    let Some(mut best) = fitting(LEAST_QUALITY)? else { return Ok(None) };
    // `fits` is known to fit, `over` is known not to.
    let (mut fits, mut over) = (LEAST_QUALITY, BEST_QUALITY);
    while over - fits > 1 {
        let quality = fits + (over - fits) / 2;
        match fitting(quality)? {
            Some(jpeg) => (best, fits) = (jpeg, quality),
            None => over = quality,
        }
    }
    Ok(Some(best))
}

fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(picture.as_raw(), width, height, ExtendedColorType::Rgb8)
        .map_err(|e| {
            Error::new(Kind::System, format!("cannot encode a {width}x{height} JPEG")).caused_by(e)
        })?;
    Ok(bytes)
}
