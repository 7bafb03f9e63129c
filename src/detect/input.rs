//! What a network takes, as its manifest says: size, colour order, normalisation, element type.

use serde::{Deserialize, Serialize};

/// Largest side of a network's input.
const MAX_SIDE: usize = 4096;

/// What the network takes: one picture.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Name of the graph's input.
    pub name: String,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Order of the three planes.
    pub colour: ColourOrder,
    /// How a picture of another shape is fitted in.
    pub resize: Resize,
    /// Grey value 0-255 of the bars beside a letterboxed picture.
    #[serde(default)]
    pub pad: f32,
    /// A pixel value 0-255 enters the network as `(value * scale - mean) / std`.
    pub scale: f32,
    /// By plane, in the order of `colour`.
    pub mean: [f32; 3],
    /// By plane, in the order of `colour`.
    pub std: [f32; 3],
    /// Element type.
    pub dtype: Dtype,
    /// Order of the axes. Default `nchw`.
    #[serde(default)]
    pub layout: TensorLayout,
}

/// Order of the colour planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How a picture is fitted into the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Keep the ratio, centre, fill the bars with `pad`.
    Letterbox,
    /// Fill the input, whatever the ratio.
    Stretch,
}

/// Element type of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 half precision.
    Float16,
    /// Whole numbers 0-255; normalised values are rounded and cut to that.
    Uint8,
}

/// Order of the axes of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorLayout {
    /// `[1, 3, height, width]`: one colour plane after the other.
    #[default]
    Nchw,
    /// `[1, height, width, 3]`: the three colours of a pixel together.
    Nhwc,
}

impl InputSpec {
    /// An RGB float32 input called `name` that takes values 0-255, letterboxed with black bars.
    pub fn plain(name: &str, width: usize, height: usize) -> Self {
        Self {
            name: name.to_owned(),
            width,
            height,
            colour: ColourOrder::Rgb,
            resize: Resize::Letterbox,
            pad: 0.0,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            dtype: Dtype::Float32,
            layout: TensorLayout::Nchw,
        }
    }

    /// Shape of the input.
    pub fn shape(&self) -> [usize; 4] {
        match self.layout {
            TensorLayout::Nchw => [1, 3, self.height, self.width],
            TensorLayout::Nhwc => [1, self.height, self.width, 3],
        }
    }

    /// Checks sizes and numbers.
    ///
    /// # Errors
    /// The key at fault, its value and what was expected.
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, side) in [("input.width", self.width), ("input.height", self.height)] {
            if !(8..=MAX_SIDE).contains(&side) {
                return Err(format!("{key} = {side}: expected 8 to {MAX_SIDE}"));
            }
        }
        if !(0.0..=255.0).contains(&self.pad) {
            return Err(format!("input.pad = {}: expected 0 to 255", self.pad));
        }
        if !self.scale.is_finite() || !self.mean.iter().all(|mean| mean.is_finite()) {
            return Err("input.scale and input.mean: expected finite numbers".to_owned());
        }
        if !self.std.iter().all(|std| std.is_finite() && *std > 0.0) {
            return Err(format!("input.std = {:?}: expected numbers above 0", self.std));
        }
        Ok(())
    }
}
