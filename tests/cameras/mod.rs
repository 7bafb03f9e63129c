//! Cameras: decoders against ffmpeg, and RTSP against a real server on loopback.

mod files;
mod media;
mod program;
mod proxy;
mod rtsp;
mod server;
mod watcher;
