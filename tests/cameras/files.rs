//! Files as sources: every picture as ffmpeg decodes it, in the order of showing, and no ghosts after damage.

use std::path::Path;

use gridpatrol::clock::CaptureTime;
use gridpatrol::frame::Frame;
use gridpatrol::source::{self, Mp4Source, Next, Source as _};

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
    let slices = slices(&whole);
    for at in [1, 7, 30, 63].map(|n| slices[n]) {
        let mut bytes = whole.clone();
        // The header of the slice.
        bytes[at + 2..at + 12].fill(0x5a);
        let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let (ours, times, skipped) = played(file.path());
        assert!(skipped > 0 && times.len() > 50, "{} shown, {skipped} skipped", times.len());
        assert_eq!(times.len() + skipped as usize, 100);
        let ghosts = ours.chunks_exact(size).filter(|picture| !known.contains(*picture)).count();
        assert_eq!(ghosts, 0, "damage at byte {at}");
    }
}

#[test]
fn h264_of_open_groups_leaves_no_ghosts_after_damage_either() {
    let path = clip(
        "open-gop-h264.mp4",
        "-f lavfi -i testsrc2=size=320x180:rate=25 -t 4 -c:v libx264 -pix_fmt yuv420p -g 20 -bf 3 \
         -x264-params open-gop=1:scenecut=0",
    );
    let reference = decoded_by_ffmpeg(&path);
    let size = 320 * 180 * 3 / 2;
    let (whole, _, skipped) = played(&path);
    assert_eq!((whole.len() / size, skipped), (100, 0));
    assert!(whole == reference, "pictures differ");
    let known: std::collections::HashSet<&[u8]> = reference.chunks_exact(size).collect();
    let bytes = std::fs::read(&path).unwrap();
    let nals = nals(&bytes);
    let slices: Vec<usize> = nals.into_iter().filter(|at| (1..=5).contains(&(bytes[*at] & 31))).collect();
    for at in [1, 7, 30, 63].map(|n| slices[n]) {
        let mut bytes = bytes.clone();
        bytes[at + 1..at + 12].fill(0xff);
        let file = tempfile::Builder::new().suffix(".mp4").tempfile().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let (ours, times, skipped) = played(file.path());
        assert_eq!(times.len() + skipped as usize, 100, "damage at byte {at}");
        let ghosts = ours.chunks_exact(size).filter(|picture| !known.contains(*picture)).count();
        assert_eq!(ghosts, 0, "damage at byte {at}: {} shown, {skipped} skipped", times.len());
        assert!(skipped > 0 && times.len() > 50, "{} shown, {skipped} skipped", times.len());
    }
}

/// Where the coded slices of H.265 in the MP4 file `bytes` begin.
fn slices(bytes: &[u8]) -> Vec<usize> {
    nals(bytes).into_iter().filter(|at| bytes[*at] >> 1 & 63 < 32).collect()
}

/// Where the NAL units in the MP4 file `bytes` begin.
fn nals(bytes: &[u8]) -> Vec<usize> {
    let mdat = bytes.windows(4).position(|name| name == b"mdat").unwrap();
    let end = mdat - 4 + u32::from_be_bytes(bytes[mdat - 4..mdat].try_into().unwrap()) as usize;
    let (mut at, mut nals) = (mdat + 4, Vec::new());
    while at < end {
        nals.push(at + 4);
        at += 4 + u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    }
    nals
}

#[test]
fn motion_jpeg_in_avi_is_played_at_its_own_rate() {
    let path = clip("motion-jpeg.avi", "-f lavfi -i testsrc2=size=320x180:rate=25 -t 2 -c:v mjpeg -q:v 3");
    let input = gridpatrol::plan::Input::at(&path).unwrap();
    let mut source = source::open(&input, CaptureTime::default(), 1.0).unwrap();
    let (mut frame, mut times, mut pictures) = (Frame::default(), Vec::new(), Vec::new());
    while source.next(&mut frame).unwrap() == Next::Frame {
        assert_eq!((frame.width, frame.height, frame.full_range), (320, 180, true));
        times.push(frame.captured.nanos());
        pictures.push(frame.y.clone());
    }
    assert_eq!(times, (0..50).map(|n| n * 40_000_000).collect::<Vec<_>>());
    assert!(pictures.windows(2).all(|pair| pair[0] != pair[1]), "the test picture moves");
    assert_eq!((source.skipped(), source.duration_s()), (0, Some(2.0)));
}
