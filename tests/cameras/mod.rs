//! Cameras: decoders against ffmpeg, RTSP against a real server on loopback, pictures over HTTP, and the ffmpeg
//! program. USB cameras are tested against a real driver by scripts/vm_camera.sh.

mod ffmpeg;
mod files;
mod main_stream;
mod media;
mod program;
mod proxy;
mod reload;
mod rtsp;
mod server;
mod snapshot_server;
mod snapshots;
mod soak;
mod watcher;
