//! The two inner loops of preprocessing, and which code runs them on this processor. Every kernel gives the
//! same numbers bit for bit: all do the same operations in the same order, none fuses a multiplication with
//! an addition.

#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::colour::{Affine, Colour};
use super::columns::Columns;
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::scalar;

/// Which code runs the inner loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Code);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Kernel {
    /// The code that runs anywhere; the reference for the others.
    pub const SCALAR: Self = Self(Code::Scalar);

    /// The fastest that this processor can run.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self(Code::Avx2);
        }
        #[cfg(target_arch = "aarch64")]
        return Self(Code::Neon);
        #[cfg(not(target_arch = "aarch64"))]
        Self::SCALAR
    }

    /// Its name: `scalar`, `avx2` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Code::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Code::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Code::Neon => "neon",
        }
    }

    /// One output row of one plane out of two input rows, the second with `weight` (0-1), in units of
    /// 1/[`ONE`](super::columns::ONE) of a sample. `out` has a place for each of the padded columns.
    pub(super) fn gather(self, columns: &Columns, rows: [&[u8]; 2], weight: f32, out: &mut [f32]) {
        match self.0 {
            Code::Scalar => scalar::gather(columns, rows, weight, out),
            #[cfg(target_arch = "x86_64")]
            Code::Avx2 => avx2::gather(columns, rows, weight, out),
            #[cfg(target_arch = "aarch64")]
            Code::Neon => neon::gather(columns, rows, weight, out),
        }
    }

    /// Asks for `row` to be brought into the near caches. Changes nothing else, and may do nothing.
    pub(super) fn prefetch(self, row: &[u8]) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Code::Avx2 => avx2::prefetch(row),
            // On ARM no instruction for it is stable in Rust.
            _ => {
                let _ = row;
            }
        }
    }

    /// Converts one row of Y, U and V to red, green and blue.
    pub(super) fn convert(self, colour: &Colour, samples: [&[f32]; 3], out: [&mut [f32]; 3], affine: Affine) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Code::Avx2 => avx2::convert(colour, samples, out, affine),
            _ => scalar::convert(colour, samples, out, affine),
        }
    }
}
