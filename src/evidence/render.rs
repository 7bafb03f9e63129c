//! From a frame's planes to an RGB picture. This is the only place where a whole frame becomes RGB, and it
//! does so only for evidence.

use image::RgbImage;

use crate::error::{Error, Kind, Result};
use crate::frame::{Frame, Layout, Matrix};

/// Widest and highest frame that is rendered, in pixels; twice the side of 8K video.
const MAX_SIDE: usize = 16_384;

/// A frame as RGB at its own resolution, **not yet redacted**. Nothing encodes a `Canvas`: the way to a file
/// leads through [`redact`](super::redact()).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    pub(super) pixels: RgbImage,
}

impl Canvas {
    /// Draws `frame`. Chroma samples are repeated over their 2x2 pixels.
    ///
    /// # Errors
    /// [`Kind::Camera`] when the planes do not have the lengths that the frame's size asks for.
    pub fn render(frame: &Frame) -> Result<Self> {
        let (width, height) = (frame.width, frame.height);
        check_planes(frame)?;
        let convert = Conversion::of(frame);
        let mut rgb = vec![0; width * height * 3];
        for (row, out) in rgb.chunks_exact_mut(width * 3).enumerate() {
            let luma = &frame.y[row * width..][..width];
            // Step 1: U and V in planes of their own; step 2: in pairs.
            let (u, v, step) = match frame.layout {
                Layout::I420 => {
                    let at = row / 2 * (width / 2);
                    (&frame.u[at..][..width / 2], &frame.v[at..][..width / 2], 1)
                }
                Layout::Nv12 => {
                    let pairs = &frame.u[row / 2 * width..][..width];
                    (pairs, &pairs[1..], 2)
                }
            };
            for (column, (&y, pixel)) in luma.iter().zip(out.chunks_exact_mut(3)).enumerate() {
                let chroma = column / 2 * step;
                pixel.copy_from_slice(&convert.rgb(y, u[chroma], v[chroma]));
            }
        }
        let pixels = RgbImage::from_raw(width as u32, height as u32, rgb)
            .ok_or_else(|| Error::new(Kind::System, "a frame's RGB buffer does not fit its size"))?;
        Ok(Self { pixels })
    }

    /// The unredacted picture, for looking at it in memory.
    pub fn pixels(&self) -> &RgbImage {
        &self.pixels
    }
}

impl From<RgbImage> for Canvas {
    fn from(pixels: RgbImage) -> Self {
        Self { pixels }
    }
}

/// Refuses a frame whose planes do not match its size.
fn check_planes(frame: &Frame) -> Result<()> {
    let (width, height) = (frame.width, frame.height);
    let fault = |what: String| {
        Err(Error::new(Kind::Camera, format!("cannot draw a frame of {width}x{height} pixels: {what}"))
            .help("The source gave a broken frame. Check the camera's stream or the input file."))
    };
    let even = |n: usize| n > 0 && n <= MAX_SIDE && n.is_multiple_of(2);
    if !(even(width) && even(height)) {
        return fault(format!("expected even sides from 2 to {MAX_SIDE}"));
    }
    let quarter = width / 2 * (height / 2);
    let (u, v) = match frame.layout {
        Layout::I420 => (quarter, quarter),
        Layout::Nv12 => (2 * quarter, 0),
    };
    let (got, expected) = ([frame.y.len(), frame.u.len(), frame.v.len()], [width * height, u, v]);
    if got == expected {
        Ok(())
    } else {
        fault(format!("its planes have {got:?} bytes, expected {expected:?}"))
    }
}

/// YUV to RGB in 16.16 fixed point.
struct Conversion {
    black: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl Conversion {
    /// Equations of ITU-T H.273 section 8.3 solved for RGB: with the luma weights Kr, Kg, Kb,
    /// `R = Y + 2(1-Kr)V`, `B = Y + 2(1-Kb)U`, `G = Y - 2(1-Kb)Kb/Kg U - 2(1-Kr)Kr/Kg V`. Limited range spans
    /// 219 steps of luma from 16 and 224 steps of chroma.
    fn of(frame: &Frame) -> Self {
        let (kr, kb) = match frame.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let kg = 1.0 - kr - kb;
        let (black, luma, chroma) =
            if frame.full_range { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let fixed = |v: f64| (v * 65_536.0).round() as i32;
        Self {
            black,
            luma: fixed(luma),
            red_v: fixed(2.0 * (1.0 - kr) * chroma),
            green_u: fixed(2.0 * (1.0 - kb) * kb / kg * chroma),
            green_v: fixed(2.0 * (1.0 - kr) * kr / kg * chroma),
            blue_u: fixed(2.0 * (1.0 - kb) * chroma),
        }
    }

    fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let y = (i32::from(y) - self.black) * self.luma + 32_768;
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let byte = |value: i32| (value >> 16).clamp(0, 255) as u8;
        [byte(y + self.red_v * v), byte(y - self.green_u * u - self.green_v * v), byte(y + self.blue_u * u)]
    }
}
