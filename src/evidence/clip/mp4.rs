//! An MP4 file (ISO/IEC 14496-12 and -15) of one H.264 track: the index first, so that a browser plays it while it
//! comes. A function of its input: the same pictures are the same file.

use super::video::Video;

/// Units of time in a second.
const TIMESCALE: u32 = 1000;
/// The unit matrix of a track that is shown as it is, in 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// The file of `video`, whose pictures of `size` pixels are shown for `durations` milliseconds each.
pub(super) fn file(video: &Video, (width, height): (u16, u16), durations: &[u32]) -> Vec<u8> {
    let brand = boxed(b"ftyp", &[b"isom", &be(0x200), b"isom", b"iso2", b"avc1", b"mp41"]);
    // Where the pictures lie depends on how long the index is, which does not depend on where they lie.
    let index = |offset: u32| moov(video, (width, height), durations, offset);
    let offset = brand.len() + index(0).len() + 8;
    let mut file = brand;
    file.extend(index(offset as u32));
    file.extend(be((8 + video.bytes()) as u32));
    file.extend(b"mdat");
    video.pictures.iter().for_each(|picture| file.extend_from_slice(&picture.unit));
    file
}

fn be(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

/// A box called `name` that holds `parts`.
fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend(be(length as u32));
    out.extend(name);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Numbers of 32 bits.
fn words(values: impl IntoIterator<Item = u32>) -> Vec<u8> {
    values.into_iter().flat_map(be).collect()
}

fn moov(video: &Video, size: (u16, u16), durations: &[u32], offset: u32) -> Vec<u8> {
    let duration = durations.iter().sum();
    let matrix = words(MATRIX);
    let mvhd = boxed(
        b"mvhd",
        // Version, made, changed, timescale, duration; rate 1, volume 1, reserved; matrix; preview …; next track.
        &[
            &words([0, 0, 0, TIMESCALE, duration, 0x1_0000, 0x100_0000, 0, 0]),
            &matrix,
            &words([0; 6]),
            &be(2),
        ],
    );
    let side = |n: u16| u32::from(n) << 16;
    let tkhd = boxed(
        b"tkhd",
        // Flags 3: enabled, in the film. Made, changed, id 1, reserved, duration; reserved, layer, group, volume.
        &[&words([3, 0, 0, 1, 0, duration, 0, 0, 0, 0]), &matrix, &words([side(size.0), side(size.1)])],
    );
    // `und`: no language.
    let mdhd = boxed(b"mdhd", &[&words([0, 0, 0, TIMESCALE, duration, 0x55c4_0000])]);
    let hdlr = boxed(b"hdlr", &[&words([0, 0]), b"vide", &words([0; 3]), b"video\0"]);
    let vmhd = boxed(b"vmhd", &[&words([1, 0, 0])]);
    let url = boxed(b"url ", &[&be(1)]);
    let dinf = boxed(b"dinf", &[&boxed(b"dref", &[&words([0, 1]), &url])]);
    let minf = boxed(b"minf", &[&vmhd, &dinf, &stbl(video, size, durations, offset)]);
    let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &minf]);
    boxed(b"moov", &[&mvhd, &boxed(b"trak", &[&tkhd, &mdia])])
}

/// The tables of the pictures.
fn stbl(video: &Video, (width, height): (u16, u16), durations: &[u32], offset: u32) -> Vec<u8> {
    let count = video.pictures.len() as u32;
    let (sps, pps) = (&video.sps, &video.pps);
    let length = |set: &[u8]| (set.len() as u16).to_be_bytes();
    let avcc = boxed(
        b"avcC",
        // Version, profile, what it is compatible with, level; four bytes of length; one set of each kind.
        &[&[1, sps[1], sps[2], sps[3], 0xff, 0xe1], &length(sps), sps, &[1], &length(pps), pps],
    );
    // BT.601 throughout (ITU-T H.273: 6), limited range.
    let colr = boxed(b"colr", &[b"nclx", &[0, 6, 0, 6, 0, 6, 0]]);
    let avc1 = boxed(
        b"avc1",
        &[
            // Reserved, data reference 1, reserved.
            &words([0, 1]),
            &words([0; 4]),
            &width.to_be_bytes(),
            &height.to_be_bytes(),
            // 72 dots an inch, reserved, one picture a sample; no name of the encoder; 24 bits deep; no colour table.
            &words([0x48_0000, 0x48_0000, 0]),
            &[0, 1],
            &[0; 32],
            &[0, 24, 0xff, 0xff],
            &avcc,
            &colr,
        ],
    );
    let stsd = boxed(b"stsd", &[&words([0, 1]), &avc1]);
    let times = durations.iter().flat_map(|&duration| [1, duration]);
    let stts = boxed(b"stts", &[&words([0, durations.len() as u32]), &words(times)]);
    let keys: Vec<u32> =
        (1..).zip(&video.pictures).filter(|(_, picture)| picture.key).map(|(n, _)| n).collect();
    let stss = boxed(b"stss", &[&words([0, keys.len() as u32]), &words(keys)]);
    // All of them lie in one piece.
    let stsc = boxed(b"stsc", &[&words([0, 1, 1, count, 1])]);
    let sizes = video.pictures.iter().map(|picture| picture.unit.len() as u32);
    let stsz = boxed(b"stsz", &[&words([0, 0, count]), &words(sizes)]);
    let stco = boxed(b"stco", &[&words([0, 1, offset])]);
    boxed(b"stbl", &[&stsd, &stts, &stss, &stsc, &stsz, &stco])
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::clock::CaptureTime;
    use crate::evidence::Canvas;
    use crate::frame::Frame;
    use crate::source::{Mp4Source, Next, Source as _};

    /// A picture of a ramp with a square that moves with `n`.
    fn drawn(n: u32, (width, height): (u32, u32)) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let inside = (20 + 9 * n..60 + 9 * n).contains(&x) && (30..70).contains(&y);
            if inside { Rgb([200, 40, 30]) } else { Rgb([(x % 200) as u8, (y % 180) as u8, 90]) }
        })
    }

    #[test]
    fn what_was_written_is_what_a_reader_sees_at_the_times_that_it_was_given() {
        // Neither side of the second is a multiple of the 16 pixels that H.264 codes in.
        for size in [(320, 240), (252, 142)] {
            let pictures: Vec<RgbImage> = (0..6).map(|n| drawn(n, size)).collect();
            let video = Video::code(pictures.len(), |n| Ok(pictures[n].clone()), 24).unwrap();
            let durations = [500, 500, 900, 500, 500, 500];
            let bytes = file(&video, (size.0 as u16, size.1 as u16), &durations);
            assert_eq!(bytes, file(&video, (size.0 as u16, size.1 as u16), &durations));
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("clip.mp4");
            std::fs::write(&path, &bytes).unwrap();
            let mut source = Mp4Source::open(&path, CaptureTime::from_nanos(0)).unwrap();
            let (mut frame, mut at) = (Frame::default(), 0.0);
            for (n, (picture, duration)) in pictures.iter().zip(durations).enumerate() {
                assert_eq!(source.next(&mut frame).unwrap(), Next::Frame, "{size:?} {n}");
                assert_eq!((frame.width as u32, frame.height as u32), size);
                let seconds = frame.captured.seconds_since(CaptureTime::from_nanos(0));
                assert!((seconds - at).abs() < 1e-3, "picture {n} at {seconds}, expected {at}");
                at += f64::from(duration) / 1000.0;
                let shown = Canvas::render(&frame).unwrap();
                let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
                let (a, b) = (shown.pixels().as_raw(), picture.as_raw());
                let error = a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64;
                let psnr = 10.0 * (255.0_f64.powi(2) / error).log10();
                assert!(psnr > 30.0, "{size:?} picture {n}: {psnr:.1} dB");
            }
            assert_eq!(source.next(&mut frame).unwrap(), Next::End);
        }
    }
}
