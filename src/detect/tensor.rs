//! The network's input in memory: one buffer of the element type that the graph takes, kept from look to look.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::input::{Dtype, InputSpec};

/// The numbers of a network's input, in the order of its axes.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// IEEE 754 single precision.
    Float32(Vec<f32>),
    /// IEEE 754 half precision.
    Float16(Vec<f16>),
    /// Whole numbers 0-255.
    Uint8(Vec<u8>),
}

impl Tensor {
    /// The input of `spec`, all zero.
    pub fn new(spec: &InputSpec) -> Self {
        let length = spec.shape().iter().product();
        match spec.dtype {
            Dtype::Float32 => Self::Float32(vec![0.0; length]),
            Dtype::Float16 => Self::Float16(vec![f16::ZERO; length]),
            Dtype::Uint8 => Self::Uint8(vec![0; length]),
        }
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Float32(numbers) => numbers.len(),
            Self::Float16(numbers) => numbers.len(),
            Self::Uint8(numbers) => numbers.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Float32(_) => Dtype::Float32,
            Self::Float16(_) => Dtype::Float16,
            Self::Uint8(_) => Dtype::Uint8,
        }
    }

    /// Its numbers as single precision; for tests and tools, not for the hot path.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::Float32(numbers) => numbers.clone(),
            Self::Float16(numbers) => numbers.to_f32_vec(),
            Self::Uint8(numbers) => numbers.iter().copied().map(f32::from).collect(),
        }
    }
}

/// An element type of an input.
pub(super) trait Element: Copy {
    /// The nearest to `value`.
    fn nearest(value: f32) -> Self;

    /// The nearest to each of `values`.
    fn row(values: &[f32], out: &mut [Self]) {
        for (value, out) in values.iter().zip(out) {
            *out = Self::nearest(*value);
        }
    }
}

impl Element for f32 {
    fn nearest(value: f32) -> Self {
        value
    }
}

impl Element for f16 {
    fn nearest(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn row(values: &[f32], out: &mut [Self]) {
        let length = values.len().min(out.len());
        out[..length].convert_from_f32_slice(&values[..length]);
    }
}

impl Element for u8 {
    fn nearest(value: f32) -> Self {
        // The cast cuts to 0-255 and takes the whole part.
        (value + 0.5) as Self
    }
}
