//! Sources that read what others wrote, as functions of bytes; see [`crate::hostile`].

use std::io::Cursor;

use super::{avi, y4m};
use crate::frame::Frame;

pub(crate) use super::rtsp::hostile as rtsp;

/// Most pictures of one input that are read.
const PICTURES: usize = 4;

/// The chunks of an AVI file.
pub(crate) fn avi(data: &[u8]) {
    avi::hostile(data);
}

/// Uncompressed video. Large pictures that are not there are left alone: to reserve them takes all the time.
pub(crate) fn y4m(data: &[u8]) {
    let mut from = Cursor::new(data);
    let Ok(header) = y4m::Header::read(&mut from) else { return };
    if header.bytes() > 1 << 20 {
        return;
    }
    let mut frame = Frame::default();
    for _ in 0..PICTURES {
        if header.picture(&mut from, &mut frame).is_err() {
            return;
        }
        assert_eq!(frame.y.len(), frame.width * frame.height);
    }
}
