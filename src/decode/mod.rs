//! From compressed pictures to planes. Each decoder library is young or has sharp edges, so each stays behind
//! [`Decoder`] in one file, which bounds what it is fed and turns its panics into errors.

mod h264;
mod h265;
mod jpeg;
mod nal;
mod raw;

pub use h264::H264;
pub use h265::H265;
pub use jpeg::Jpeg;
pub(crate) use jpeg::from_rgb;
pub(crate) use nal::next_nal;
pub use nal::{Access, Codec};
pub use raw::{from_nv12, from_yuyv};

use crate::error::Result;
use crate::frame::Frame;

/// Most pixels in one picture, 64 Mi: twice 8K. A header that asks for more is hostile or broken.
pub const MAX_PIXELS: usize = 64 << 20;

/// Turns one compressed unit at a time into planes.
pub trait Decoder: Send {
    /// Decodes `unit` (one access unit, one JPEG file) and writes the picture into `frame`, all but its
    /// capture time. Says whether there was a picture: a unit may hold parameters only.
    ///
    /// # Errors
    /// [`Kind::Camera`](crate::error::Kind::Camera) when the unit cannot be decoded; `frame` is then not to be
    /// used. The next unit may be decoded all the same.
    fn decode(&mut self, unit: &[u8], frame: &mut Frame) -> Result<bool>;

    /// Says that units were left out: the next one is a key picture, and nothing before it may be used.
    fn restart(&mut self) {}
}

/// A decoder of `codec` for units whose NAL units have `length_size` bytes of length in front; `parameter_sets` are
/// those that the units do not carry.
///
/// # Errors
/// As [`H264::with_lengths`] and [`H265::with_lengths`].
pub fn video<'a>(
    codec: Codec,
    length_size: usize,
    parameter_sets: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Box<dyn Decoder>> {
    Ok(match codec {
        Codec::H264 => Box::new(H264::with_lengths(length_size, parameter_sets)?),
        Codec::H265 => Box::new(H265::with_lengths(length_size, parameter_sets)?),
    })
}

/// Whether a picture of `width` by `height` can become a [`Frame`]: at least 2 by 2, at most [`MAX_PIXELS`].
fn fits(width: usize, height: usize) -> bool {
    width >= 2 && height >= 2 && width.checked_mul(height).is_some_and(|pixels| pixels <= MAX_PIXELS)
}

/// Makes `plane` exactly `length` bytes; allocates only when it has never been that long.
fn resize(plane: &mut Vec<u8>, length: usize) {
    plane.resize(length, 0);
}
