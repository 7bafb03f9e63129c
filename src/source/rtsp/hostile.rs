//! What a camera on the network sends, as a function of bytes; see [`crate::hostile`].

use super::connection;
use super::pick::Picker;
use super::timing::Timing;
use crate::clock::CaptureTime;
use crate::config::Decode;
use crate::decode::{Access, Codec};

/// Pictures: of each a byte of flags, its time in the stream (8 bytes), when it arrived after the one before
/// (2 bytes, milliseconds), its length (2 bytes) and itself. Then what a camera calls an error.
pub(crate) fn read(data: &[u8]) {
    let (mut picker, mut timing) = (Picker::new(Decode::Auto), Timing::default());
    let mut arrival = CaptureTime::from_nanos(1_795_420_038_250_000_000);
    let mut last = None;
    let mut rest = data;
    while let Some((head, after)) = rest.split_first_chunk::<13>() {
        let [flags, time @ .., a, b, c, d] = *head;
        let time: [u8; 8] = time;
        // 146 years either way: RTP time has 32 bits, so no camera comes near what saturates.
        let media = i64::from_be_bytes(time).clamp(-(1 << 62), 1 << 62);
        arrival = arrival.plus_seconds(f64::from(u16::from_be_bytes([a, b])) / 1e3);
        let length = usize::from(u16::from_be_bytes([c, d])).min(after.len());
        let (unit, after) = after.split_at(length);
        rest = after;
        let codec = if flags & 1 == 0 { Codec::H264 } else { Codec::H265 };
        match flags >> 5 {
            0 => timing.begin(),
            1 => timing.report(media, arrival),
            2 => timing.accept_delay(arrival),
            3 => picker.begin(),
            4 => picker.lost(),
            _ => {}
        }
        let stamp = timing.stamp(media, arrival);
        if let Some(at) = stamp.at {
            assert!(last.is_none_or(|last| last < at), "capture time went back");
            last = Some(at);
        }
        let _ = timing.camera_clock();
        if let Some(access) = Access::of(codec, unit, usize::from(flags >> 1 & 3) + 1) {
            let _ = picker.pick(access, media as f64 / 1e9, flags & 8 == 0, flags & 16 == 0);
        }
    }
    if let Ok(text) = std::str::from_utf8(rest) {
        assert!(
            connection::printable(text).chars().all(|c| !c.is_control()),
            "a control character in the log"
        );
    }
}
