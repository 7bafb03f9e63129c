//! One picture as the camera's decoder left it: YUV planes and a capture time. A frame is never turned into
//! RGB as a whole; the detector's preprocessing and the evidence renderer read the planes where they need them.

use crate::clock::CaptureTime;

/// How the chroma samples lie in memory. Both are 8-bit 4:2:0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Three planes: Y, U, V.
    #[default]
    I420,
    /// Two planes: Y and interleaved UV.
    Nv12,
}

/// Which YUV to RGB matrix the samples were made with (ITU-T H.264 Table E-5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601, standard definition and JPEG.
    #[default]
    Bt601,
    /// ITU-R BT.709, high definition.
    Bt709,
}

/// One picture. The buffers are reused from frame to frame, so a source that is warm allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Width in pixels; even.
    pub width: usize,
    /// Height in pixels; even.
    pub height: usize,
    /// How chroma is laid out.
    pub layout: Layout,
    /// Colour matrix.
    pub matrix: Matrix,
    /// Whether luma spans 0..=255 (JPEG) rather than 16..=235.
    pub full_range: bool,
    /// Luma, `height` rows of `width` bytes, no padding.
    pub y: Vec<u8>,
    /// I420: U, `height/2` rows of `width/2` bytes. NV12: UV pairs, `height/2` rows of `width` bytes.
    pub u: Vec<u8>,
    /// I420: V, `height/2` rows of `width/2` bytes. NV12: empty.
    pub v: Vec<u8>,
    /// When it was captured.
    pub captured: CaptureTime,
}
