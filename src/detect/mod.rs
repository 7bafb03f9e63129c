//! From planes to detections: preprocessing, the ONNX session, the model's head, non-maximum suppression.

mod detection;
mod detector;
pub mod graph;
pub mod heads;
pub mod input;
pub mod model;
pub mod nms;
mod onnx;
pub mod onnx_file;
pub mod preprocess;
pub mod provider;
pub mod score_map;
mod seldom;
pub mod session;
pub mod tensor;

pub use detection::{BBox, Detection, Label, Vocabulary};
pub use detector::{Detector, ModelIdentity};
pub use onnx::OnnxDetector;
pub use provider::{Provider, RuntimeReport, Setup};
pub use seldom::SeldomDetector;
