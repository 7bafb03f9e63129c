//! What tests share: a real broker, and the program itself as a user starts it.

pub mod mosquitto;
pub mod onnx_graph;
pub mod packet;
pub mod program;
