//! The inner loops with NEON, which every 64-bit Arm processor has. Samples are picked by table look-ups in
//! whole windows of a row; an index outside of the window gives 0.

#![allow(unsafe_code)]

use std::arch::aarch64::{
    float32x4_t, uint8x16_t, vaddq_f32, vcvtq_f32_u32, vdupq_n_f32, vdupq_n_u8, vget_high_u16, vget_low_u8,
    vget_low_u16, vld1q_u8, vld2q_u16, vmlal_u16, vmovl_u8, vmull_u16, vmulq_f32, vorrq_u8, vqtbl1q_u8,
    vst1q_f32, vsubq_f32, vuzp1q_u8, vuzp2q_u8,
};

use super::columns::{Columns, LANES, MAX_WINDOWS, WINDOW};
use super::scalar;

/// See [`Kernel::gather`](super::Kernel).
pub(super) fn gather(columns: &Columns, rows: [&[u8]; 2], weight: f32, out: &mut [f32]) {
    const { assert!(MAX_WINDOWS == 4) };
    match columns.windows {
        1 => shuffled::<1>(columns, rows, weight, out),
        2 => shuffled::<2>(columns, rows, weight, out),
        3 => shuffled::<3>(columns, rows, weight, out),
        4 => shuffled::<4>(columns, rows, weight, out),
        _ => scalar::gather(columns, rows, weight, out),
    }
}

fn shuffled<const WINDOWS: usize>(
    columns: &Columns,
    [upper, lower]: [&[u8]; 2],
    weight: f32,
    out: &mut [f32],
) {
    let starts = columns.starts.as_chunks::<WINDOWS>().0;
    let shuffles = columns.shuffles.as_chunks::<WINDOWS>().0;
    let weights = columns.weights.as_chunks::<LANES>().0;
    let out = out.as_chunks_mut::<LANES>().0;
    for (((starts, shuffles), weights), out) in starts.iter().zip(shuffles).zip(weights).zip(out) {
        let (upper, lower) = (pick(upper, starts, shuffles), pick(lower, starts, shuffles));
        let values = blend(upper, lower, weights, weight);
        // SAFETY: NEON is part of every aarch64 processor; `out` is 8 `f32`, two times 4.
        unsafe {
            vst1q_f32(out.as_mut_ptr(), values[0]);
            vst1q_f32(out.as_mut_ptr().add(4), values[1]);
        }
    }
}

/// The 8 pairs of samples of one group: first, second, first, second …
#[inline(always)]
fn pick<const WINDOWS: usize>(
    row: &[u8],
    starts: &[u32; WINDOWS],
    shuffles: &[[u8; WINDOW]; WINDOWS],
) -> uint8x16_t {
    // SAFETY: NEON is part of every aarch64 processor.
    let mut picked = unsafe { vdupq_n_u8(0) };
    for (start, shuffle) in starts.iter().zip(shuffles) {
        if let Some(window) = row.get(*start as usize..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
            // SAFETY: NEON is part of every aarch64 processor; both loads are of 16 bytes that are there.
            unsafe {
                let bytes = vqtbl1q_u8(vld1q_u8(window.as_ptr()), vld1q_u8(shuffle.as_ptr()));
                picked = vorrq_u8(picked, bytes);
            }
        }
    }
    picked
}

/// The 8 pixels out of the pairs of the upper and the lower row.
#[inline(always)]
fn blend(upper: uint8x16_t, lower: uint8x16_t, weights: &[[i16; 2]; LANES], weight: f32) -> [float32x4_t; 2] {
    // SAFETY: NEON is part of every aarch64 processor; `weights` is 16 numbers of 16 bits, none below 0.
    unsafe {
        let weights = vld2q_u16(weights.as_ptr().cast());
        let sums = |pairs: uint8x16_t| {
            let first = vmovl_u8(vget_low_u8(vuzp1q_u8(pairs, pairs)));
            let second = vmovl_u8(vget_low_u8(vuzp2q_u8(pairs, pairs)));
            let low = vmlal_u16(
                vmull_u16(vget_low_u16(first), vget_low_u16(weights.0)),
                vget_low_u16(second),
                vget_low_u16(weights.1),
            );
            let high = vmlal_u16(
                vmull_u16(vget_high_u16(first), vget_high_u16(weights.0)),
                vget_high_u16(second),
                vget_high_u16(weights.1),
            );
            [vcvtq_f32_u32(low), vcvtq_f32_u32(high)]
        };
        let (top, bottom) = (sums(upper), sums(lower));
        let weight = vdupq_n_f32(weight);
        let mix = |top, bottom| vaddq_f32(top, vmulq_f32(vsubq_f32(bottom, top), weight));
        [mix(top[0], bottom[0]), mix(top[1], bottom[1])]
    }
}
