//! The inner loops without vector instructions of our own: the reference, and what runs where there is no
//! other kernel.

use super::colour::{Affine, Colour};
use super::columns::Columns;

/// See [`Kernel::gather`](super::Kernel).
#[inline]
pub(super) fn gather(columns: &Columns, [upper, lower]: [&[u8]; 2], weight: f32, out: &mut [f32]) {
    for ((bytes, weights), value) in columns.bytes.iter().zip(&columns.weights).zip(out) {
        let pair = |row: &[u8]| {
            let sample = |at: u32| row.get(at as usize).map_or(0, |sample| i32::from(*sample));
            sample(bytes[0]) * i32::from(weights[0]) + sample(bytes[1]) * i32::from(weights[1])
        };
        let (top, bottom) = (pair(upper) as f32, pair(lower) as f32);
        *value = top + (bottom - top) * weight;
    }
}

/// See [`Kernel::convert`](super::Kernel).
pub(super) fn convert(colour: &Colour, samples: [&[f32]; 3], out: [&mut [f32]; 3], affine: Affine) {
    colour.convert(samples, out, affine);
}
