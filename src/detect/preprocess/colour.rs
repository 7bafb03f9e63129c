//! YUV to RGB, clamped and normalised, a row at a time.

use super::columns::ONE;
use crate::frame::{Frame, Matrix};

/// YUV to RGB for one frame's matrix and range, from samples in units of 1/[`ONE`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Colour {
    black: f32,
    grey: f32,
    y: f32,
    red_v: f32,
    green_u: f32,
    green_v: f32,
    blue_u: f32,
}

/// Factor and offset that normalise a value 0-255, for red, green and blue.
pub(super) type Affine = [(f32, f32); 3];

impl Colour {
    pub(super) fn new(frame: &Frame) -> Self {
        // Luma weights of red and blue; everything else follows from them (ITU-T H.273, 8.3).
        let (kr, kb) = match frame.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let kg = 1.0 - kr - kb;
        let (black, y, c) =
            if frame.full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
        // The unit of the samples is a power of two, so that folding it in here rounds nothing.
        let one = ONE as f32;
        Self {
            black: black * one,
            grey: 128.0 * one,
            y: y / one,
            red_v: c * 2.0 * (1.0 - kr) / one,
            green_u: c * -2.0 * (1.0 - kb) * kb / kg / one,
            green_v: c * -2.0 * (1.0 - kr) * kr / kg / one,
            blue_u: c * 2.0 * (1.0 - kb) / one,
        }
    }

    /// Converts and normalises one row of samples. `affine` and the output are in the order red, green, blue.
    #[inline(always)]
    pub(super) fn convert(&self, samples: [&[f32]; 3], out: [&mut [f32]; 3], affine: Affine) {
        // Many graphs normalise by themselves; the values are the same without the arithmetic.
        if affine == [(1.0, 0.0); 3] {
            self.rows(samples, out, |value, _| value);
        } else {
            self.rows(samples, out, |value, at| value * affine[at].0 + affine[at].1);
        }
    }

    #[inline(always)]
    fn rows(
        &self,
        [y, u, v]: [&[f32]; 3],
        [r, g, b]: [&mut [f32]; 3],
        normalise: impl Fn(f32, usize) -> f32,
    ) {
        let source = y.iter().zip(u).zip(v);
        let target = r.iter_mut().zip(g).zip(b);
        for (((y, u), v), ((r, g), b)) in source.zip(target) {
            let y = (y - self.black) * self.y;
            let (u, v) = (u - self.grey, v - self.grey);
            let red = (y + v * self.red_v).clamp(0.0, 255.0);
            let green = (y + u * self.green_u + v * self.green_v).clamp(0.0, 255.0);
            let blue = (y + u * self.blue_u).clamp(0.0, 255.0);
            *r = normalise(red, 0);
            *g = normalise(green, 1);
            *b = normalise(blue, 2);
        }
    }
}
