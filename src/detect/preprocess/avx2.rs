//! The inner loops with AVX2: samples are picked by byte shuffles of whole windows of a row, which costs less
//! than a gather instruction on every processor.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, _MM_HINT_T0, _mm_loadu_si128, _mm_or_si128, _mm_prefetch, _mm_setzero_si128, _mm_shuffle_epi8,
    _mm256_add_ps, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::colour::{Affine, Colour};
use super::columns::{Columns, LANES, MAX_WINDOWS, WINDOW};
use super::scalar;

/// Bytes that the processor fetches at once.
const CACHE_LINE: usize = 64;

/// See [`Kernel::gather`](super::Kernel).
pub(super) fn gather(columns: &Columns, rows: [&[u8]; 2], weight: f32, out: &mut [f32]) {
    const { assert!(MAX_WINDOWS == 4) };
    // SAFETY: the kernel is chosen only after AVX2 was found on this processor.
    unsafe {
        match columns.windows {
            1 => shuffled::<1>(columns, rows, weight, out),
            2 => shuffled::<2>(columns, rows, weight, out),
            3 => shuffled::<3>(columns, rows, weight, out),
            4 => shuffled::<4>(columns, rows, weight, out),
            _ => scalar::gather(columns, rows, weight, out),
        }
    }
}

/// See [`Kernel::prefetch`](super::Kernel).
pub(super) fn prefetch(row: &[u8]) {
    for line in row.chunks(CACHE_LINE) {
        // SAFETY: a prefetch reads nothing that the program sees and faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
}

/// See [`Kernel::convert`](super::Kernel).
pub(super) fn convert(colour: &Colour, samples: [&[f32]; 3], out: [&mut [f32]; 3], affine: Affine) {
    // SAFETY: the kernel is chosen only after AVX2 was found on this processor.
    unsafe { convert_wide(colour, samples, out, affine) }
}

/// The safe loop, compiled for AVX2: the compiler makes eight lanes of it.
#[target_feature(enable = "avx2")]
fn convert_wide(colour: &Colour, samples: [&[f32]; 3], out: [&mut [f32]; 3], affine: Affine) {
    colour.convert(samples, out, affine);
}

#[target_feature(enable = "avx2")]
fn shuffled<const WINDOWS: usize>(
    columns: &Columns,
    [upper, lower]: [&[u8]; 2],
    weight: f32,
    out: &mut [f32],
) {
    let weight = _mm256_set1_ps(weight);
    let starts = columns.starts.as_chunks::<WINDOWS>().0;
    let shuffles = columns.shuffles.as_chunks::<WINDOWS>().0;
    let weights = columns.weights.as_chunks::<LANES>().0;
    let out = out.as_chunks_mut::<LANES>().0;
    for (((starts, shuffles), weights), out) in starts.iter().zip(shuffles).zip(weights).zip(out) {
        // SAFETY: `weights` is 8 pairs of `i16`, 32 bytes; the load needs no alignment.
        let weights = unsafe { _mm256_loadu_si256(weights.as_ptr().cast()) };
        let pairs = |row: &[u8]| {
            let mut picked = _mm_setzero_si128();
            for (start, shuffle) in starts.iter().zip(shuffles) {
                picked = _mm_or_si128(picked, _mm_shuffle_epi8(window(row, *start), bytes(shuffle)));
            }
            _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_cvtepu8_epi16(picked), weights))
        };
        let (top, bottom) = (pairs(upper), pairs(lower));
        let value = _mm256_add_ps(top, _mm256_mul_ps(_mm256_sub_ps(bottom, top), weight));
        // SAFETY: `out` is 8 `f32`, 32 bytes; the store needs no alignment.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), value) };
    }
}

/// The 16 bytes of `row` from `start`; zeroes if they are not all there.
#[inline]
#[target_feature(enable = "avx2")]
fn window(row: &[u8], start: u32) -> __m128i {
    match row.get(start as usize..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
        Some(window) => bytes(window),
        None => _mm_setzero_si128(),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn bytes(bytes: &[u8; WINDOW]) -> __m128i {
    // SAFETY: the reference is to 16 bytes; the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
