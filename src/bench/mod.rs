//! Measuring this program on the box it runs on: frames to measure with, the loop, the machine, the counter of
//! heap allocations. `gridpatrol bench` prints what comes out.

pub mod allocator;
pub mod camera_server;
pub mod cameras;
pub mod frames;
pub mod machine;
pub mod measure;

pub use allocator::{CountingAllocator, keep_large_blocks_apart};
pub use measure::{LoopUnderTest, Measured, Timings};
