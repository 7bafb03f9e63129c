//! Files as sources: every picture as ffmpeg decodes it, in the order of showing, and no ghosts after damage.

use std::path::Path;

use gridpatrol::clock::CaptureTime;
use gridpatrol::frame::Frame;
use gridpatrol::source::{Mp4Source, Next, Source as _};

use super::media::{clip, decoded_by_ffmpeg};

/// A clip with B-frames and open groups of pictures: leading pictures follow its later key pictures.
const HEVC: &str = "-f lavfi -i testsrc2=size=322x182:rate=25 -t 4 -c:v libx265 -pix_fmt yuv420p \
    -x265-params log-level=error:keyint=20:min-keyint=20:open-gop=1:bframes=3";

fn hevc() -> std::path::PathBuf {
    clip("open-gop-hevc.mp4", HEVC)
}

/// All pictures of `path`, one after the other, and how many were skipped.
fn played(path: &Path) -> (Vec<u8>, Vec<CaptureTime>, u64) {
    let mut source = Mp4Source::open(path, CaptureTime::default()).unwrap();
    let (mut frame, mut all, mut times) = (Frame::default(), Vec::new(), Vec::new());
    while source.next(&mut frame).unwrap() == Next::Frame {
        for plane in [&frame.y, &frame.u, &frame.v] {
            all.extend_from_slice(plane);
        }
        times.push(frame.captured);
    }
    (all, times, source.skipped())
}

#[test]
fn h265_is_decoded_bit_for_bit_as_ffmpeg_does_and_in_the_order_of_showing() {
    let path = hevc();
    let (ours, times, skipped) = played(&path);
    assert_eq!((times.len(), skipped), (100, 0));
    assert!(times.is_sorted(), "{times:?}");
    assert!(ours == decoded_by_ffmpeg(&path), "pictures differ");
}

#[test]
fn h265_of_ten_bits_comes_out_with_eight() {
    let path = clip(
        "ten-bit-hevc.mp4",
        "-f lavfi -i testsrc2=size=320x180:rate=25 -t 0.4 -c:v libx265 -pix_fmt yuv420p10le \
         -x265-params log-level=error",
    );
    let (ours, times, _) = played(&path);
    assert_eq!(times.len(), 10);
    let theirs = decoded_by_ffmpeg(&path);
    assert_eq!(ours.len(), theirs.len());
    // ffmpeg dithers on the way to 8 bits.
    let worst = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst.is_some_and(|worst| worst <= 2), "{worst:?}");
}

#[test]
fn a_damaged_picture_of_h265_is_left_out_with_all_that_need_it() {
    let whole = std::fs::read(hevc()).unwrap();
    let reference = decoded_by_ffmpeg(&hevc());
    let size = 322 * 182 * 3 / 2;
    let known: std::collections::HashSet<&[u8]> = reference.chunks_exact(size).collect();
    let mdat = whole.windows(4).position(|name| name == b"mdat").unwrap();
    // Damage in the coded pictures, at several places.
    for share in [3, 5, 7, 11] {
        let mut bytes = whole.clone();
        let at = mdat + (bytes.len() - mdat) / share;
        for byte in &mut bytes[at..at + 24] {
            *byte ^= 0x5a;
        }
        let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let (ours, times, skipped) = played(file.path());
        assert!(skipped > 0 && times.len() + skipped as usize == 100, "{} {skipped}", times.len());
        let ghosts = ours.chunks_exact(size).filter(|picture| !known.contains(*picture)).count();
        assert_eq!(ghosts, 0, "damage at 1/{share}");
    }
}
