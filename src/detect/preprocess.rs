//! From a frame's planes to the network's input in one pass: crop, scale, colour, normalise. The frame is
//! never RGB as a whole; only the pixels that the network sees are computed, a row at a time.
//!
//! Scaling is bilinear between the four nearest samples with pixel centres at half integers, as OpenCV's
//! `INTER_LINEAR` does it, without smoothing first: the models here were trained and calibrated on that.
//! Chroma samples are taken to lie in the middle of their four luma samples.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod colour;
mod columns;
mod geometry;
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use self::colour::{Affine, Colour};
use self::columns::{LANES, Row, Tables};
use self::geometry::sound;
pub use self::geometry::{Crop, Mapping};
pub use self::kernel::Kernel;
use super::input::{ColourOrder, InputSpec, TensorLayout};
use super::tensor::{Element, Tensor};
use crate::frame::{Frame, Layout};

/// Fills the network's input from frames. Keeps its tables and rows, so a run with the geometry of the last
/// one takes no memory.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    spec: InputSpec,
    kernel: Kernel,
    mapping: Mapping,
    layout: Layout,
    tables: Tables,
    /// One row of Y, U and V at the width of the input's picture, padded for the kernels.
    rows: [Vec<f32>; 3],
    /// One row of red, green and blue, for inputs that are not planes of single precision.
    colours: [Vec<f32>; 3],
}

impl Preprocessor {
    /// For a network that takes `spec`, with the fastest code that this processor can run.
    pub fn new(spec: InputSpec) -> Self {
        Self::with_kernel(spec, Kernel::best())
    }

    /// For a network that takes `spec`, with `kernel`. The numbers are the same with every kernel.
    pub fn with_kernel(spec: InputSpec, kernel: Kernel) -> Self {
        Self {
            spec,
            kernel,
            mapping: Mapping::default(),
            layout: Layout::default(),
            tables: Tables::default(),
            rows: Default::default(),
            colours: Default::default(),
        }
    }

    /// Writes `crop` of `frame` into `input`, bars included, and gives the way back for boxes. `None`, and
    /// `input` as it was, when it is not the [`Tensor`] of the specification, when the frame's planes are not
    /// of its size, or when `crop` does not lie in it on even coordinates.
    pub fn run(&mut self, frame: &Frame, crop: Crop, input: &mut Tensor) -> Option<Mapping> {
        let numbers = self.spec.shape().iter().product::<usize>();
        if input.len() != numbers || input.dtype() != self.spec.dtype || !sound(frame, crop) {
            return None;
        }
        let mapping = Mapping::new(frame, crop, &self.spec);
        self.prepare(frame, mapping);
        match (input, self.spec.layout) {
            (Tensor::Float32(input), TensorLayout::Nchw) => self.fill_planes(frame, input),
            (Tensor::Float32(input), TensorLayout::Nhwc) => self.fill(frame, input),
            (Tensor::Float16(input), _) => self.fill(frame, input),
            (Tensor::Uint8(input), _) => self.fill(frame, input),
        }
        Some(mapping)
    }

    /// Fills planes of single precision, the most usual input, straight from the kernel.
    fn fill_planes(&mut self, frame: &Frame, input: &mut [f32]) {
        let affine = self.affine();
        self.fill_bars(affine, input);
        let colour = Colour::new(frame);
        let (first, rest) = input.split_at_mut(self.spec.width * self.spec.height);
        let (second, third) = rest.split_at_mut(self.spec.width * self.spec.height);
        let (r, g, b) = match self.spec.colour {
            ColourOrder::Rgb => (first, second, third),
            ColourOrder::Bgr => (third, second, first),
        };
        let ((width, height), (left, top)) = (self.mapping.size, self.mapping.offset);
        for row in 0..height {
            self.announce(frame, row + 1);
            self.sample(frame, row);
            let at = (top + row) * self.spec.width + left;
            let [y, u, v] = &self.rows;
            self.kernel.convert(
                &colour,
                [&y[..width], &u[..width], &v[..width]],
                [&mut r[at..at + width], &mut g[at..at + width], &mut b[at..at + width]],
                affine,
            );
        }
    }

    /// Fills an input of any element type and order of axes, by way of one row of single precision.
    fn fill<T: Element>(&mut self, frame: &Frame, input: &mut [T]) {
        let affine = self.affine();
        self.fill_bars(affine, input);
        let colour = Colour::new(frame);
        let ((width, height), (left, top)) = (self.mapping.size, self.mapping.offset);
        for row in 0..height {
            self.announce(frame, row + 1);
            self.sample(frame, row);
            let [y, u, v] = &self.rows;
            let [r, g, b] = &mut self.colours;
            self.kernel.convert(
                &colour,
                [&y[..width], &u[..width], &v[..width]],
                [&mut r[..width], &mut g[..width], &mut b[..width]],
                affine,
            );
            let [r, g, b] = &self.colours;
            let ordered = match self.spec.colour {
                ColourOrder::Rgb => [&r[..width], &g[..width], &b[..width]],
                ColourOrder::Bgr => [&b[..width], &g[..width], &r[..width]],
            };
            let at = (top + row) * self.spec.width + left;
            match self.spec.layout {
                TensorLayout::Nchw => {
                    let planes = input.chunks_exact_mut(self.spec.width * self.spec.height);
                    for (plane, values) in planes.zip(ordered) {
                        T::row(values, &mut plane[at..at + width]);
                    }
                }
                TensorLayout::Nhwc => {
                    let pixels = input[at * 3..(at + width) * 3].as_chunks_mut::<3>().0;
                    let [first, second, third] = ordered;
                    for (((pixel, first), second), third) in
                        pixels.iter_mut().zip(first).zip(second).zip(third)
                    {
                        *pixel = [T::nearest(*first), T::nearest(*second), T::nearest(*third)];
                    }
                }
            }
        }
    }

    /// Makes the tables, unless they are those of the last run.
    fn prepare(&mut self, frame: &Frame, mapping: Mapping) {
        if mapping == self.mapping && frame.layout == self.layout {
            return;
        }
        (self.mapping, self.layout) = (mapping, frame.layout);
        let chroma = match frame.layout {
            Layout::I420 => Row { length: frame.width / 2, step: 1 },
            // V is read from the second byte on, so its rows are a byte shorter.
            Layout::Nv12 => Row { length: frame.width - 1, step: 2 },
        };
        self.tables.fill(mapping.size, mapping.crop, Row { length: frame.width, step: 1 }, chroma);
        let padded = mapping.size.0.next_multiple_of(LANES);
        self.rows.iter_mut().chain(&mut self.colours).for_each(|row| row.resize(padded, 0.0));
    }

    /// Lets the processor fetch what [`Preprocessor::sample`] will read for `row`. A frame comes from a decoder on
    /// another core and is larger than the near caches, and the rows that are read lie too far apart for the
    /// processor to guess them.
    fn announce(&self, frame: &Frame, row: usize) {
        let (Some(luma), Some(chroma)) = (self.tables.luma_rows.get(row), self.tables.chroma_rows.get(row))
        else {
            return;
        };
        let half = frame.width / 2;
        let [y, u, v] = match frame.layout {
            Layout::I420 => [(&frame.y, frame.width), (&frame.u, half), (&frame.v, half)],
            Layout::Nv12 => [(&frame.y, frame.width), (&frame.u, frame.width), (&frame.v, frame.width)],
        };
        for ((plane, stride), tap) in [(y, luma), (u, chroma), (v, chroma)] {
            self.kernel.prefetch(line(plane, stride, 0, tap.first));
            self.kernel.prefetch(line(plane, stride, 0, tap.second));
        }
    }

    /// Samples the planes for one row of the input's picture into `self.rows`.
    fn sample(&mut self, frame: &Frame, row: usize) {
        let tables = &self.tables;
        let (Some(luma), Some(chroma)) = (tables.luma_rows.get(row), tables.chroma_rows.get(row)) else {
            return;
        };
        let [y, u, v] = &mut self.rows;
        let two = |plane, stride, lane, tap: &columns::Tap| {
            [line(plane, stride, lane, tap.first), line(plane, stride, lane, tap.second)]
        };
        let kernel = self.kernel;
        let half = frame.width / 2;
        kernel.gather(&tables.luma, two(&frame.y, frame.width, 0, luma), luma.weight, y);
        let (us, vs) = match frame.layout {
            Layout::I420 => (two(&frame.u, half, 0, chroma), two(&frame.v, half, 0, chroma)),
            Layout::Nv12 => (two(&frame.u, frame.width, 0, chroma), two(&frame.u, frame.width, 1, chroma)),
        };
        kernel.gather(&tables.chroma, us, chroma.weight, u);
        kernel.gather(&tables.chroma, vs, chroma.weight, v);
    }

    /// Factor and offset that normalise a value 0-255, for red, green and blue.
    fn affine(&self) -> Affine {
        let by_plane =
            |at: usize| (self.spec.scale / self.spec.std[at], -self.spec.mean[at] / self.spec.std[at]);
        match self.spec.colour {
            ColourOrder::Rgb => [by_plane(0), by_plane(1), by_plane(2)],
            ColourOrder::Bgr => [by_plane(2), by_plane(1), by_plane(0)],
        }
    }

    /// Greys the part of the input that the picture does not cover.
    fn fill_bars<T: Element>(&self, affine: Affine, input: &mut [T]) {
        let ((left, top), (width, height)) = (self.mapping.offset, self.mapping.size);
        if (width, height) == (self.spec.width, self.spec.height) {
            return;
        }
        let order = match self.spec.colour {
            ColourOrder::Rgb => [0, 1, 2],
            ColourOrder::Bgr => [2, 1, 0],
        };
        let grey = order.map(|at| T::nearest(self.spec.pad * affine[at].0 + affine[at].1));
        let bar = |y: usize| !(top..top + height).contains(&y);
        match self.spec.layout {
            TensorLayout::Nchw => {
                let planes = input.chunks_exact_mut(self.spec.width * self.spec.height);
                for (plane, grey) in planes.zip(grey) {
                    for (y, row) in plane.chunks_exact_mut(self.spec.width).enumerate() {
                        if bar(y) {
                            row.fill(grey);
                        } else {
                            row[..left].fill(grey);
                            row[left + width..].fill(grey);
                        }
                    }
                }
            }
            TensorLayout::Nhwc => {
                let pixels = input.as_chunks_mut::<3>().0;
                for (y, row) in pixels.chunks_exact_mut(self.spec.width).enumerate() {
                    if bar(y) {
                        row.fill(grey);
                    } else {
                        row[..left].fill(grey);
                        row[left + width..].fill(grey);
                    }
                }
            }
        }
    }
}

/// Row `row` of a plane, from its byte `lane` on.
fn line(plane: &[u8], stride: usize, lane: usize, row: usize) -> &[u8] {
    plane.get(row * stride + lane..(row + 1) * stride).unwrap_or_default()
}

#[cfg(test)]
mod tests;
