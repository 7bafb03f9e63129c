//! Frames to measure with: from a clip or a picture, enlarged to the size of a street camera, or drawn.

use std::io::Write as _;
use std::path::Path;

use crate::clock::CaptureTime;
use crate::error::{Error, Result};
use crate::frame::{Frame, Layout};
use crate::plan::Input;
use crate::source::{self, Next, PictureReader};

/// Most frames that are kept; 120 MB at 1080p.
const MOST_FRAMES: usize = 40;
/// Of a clip each fifth frame is taken, so that the scene changes.
const EACH: usize = 5;

/// Frames of `width` by `height` (even), I420: up to 40 from the clip at `input`, one from the picture there, or
/// a drawn scene without an input.
///
/// # Errors
/// [`Kind::Camera`](crate::error::Kind::Camera) when `input` cannot be read.
pub fn load(input: Option<&Path>, width: usize, height: usize) -> Result<Vec<Frame>> {
    let Some(path) = input else { return Ok(vec![drawn(width, height)]) };
    let is_picture = path.extension().is_some_and(|e| {
        ["jpg", "jpeg", "png"].iter().any(|known| e.to_string_lossy().eq_ignore_ascii_case(known))
    });
    let mut frame = Frame::default();
    if is_picture {
        PictureReader::default().read(path, &mut frame)?;
        return Ok(vec![scaled(&frame, width, height)]);
    }
    let input = if path.is_dir() { Input::Pictures(path.into()) } else { Input::Video(path.into()) };
    let mut source = source::open(&input, CaptureTime::default(), 1.0)?;
    let mut kept = Vec::new();
    let mut at = 0_usize;
    while kept.len() < MOST_FRAMES && source.next(&mut frame)? == Next::Frame {
        if at.is_multiple_of(EACH) {
            kept.push(scaled(&frame, width, height));
        }
        at += 1;
    }
    if kept.is_empty() {
        return Err(Error::new(
            crate::error::Kind::Camera,
            format!("{} holds no frame that can be decoded", path.display()),
        )
        .help("give an H.264 .mp4 file, a JPEG or PNG picture, or a folder of them"));
    }
    Ok(kept)
}

/// Writes the planes of `frames` one after the other: Y, U, V, as `ffplay -f rawvideo -pix_fmt yuv420p` reads
/// them.
///
/// # Errors
/// [`Kind::Disk`](crate::error::Kind::Disk) when `path` cannot be written.
pub fn dump(frames: &[Frame], path: &Path) -> Result<()> {
    let failed = |e| Error::disk(path, "write the frames to", e);
    let mut file = std::fs::File::create(path).map_err(failed)?;
    for frame in frames {
        for plane in [&frame.y, &frame.u, &frame.v] {
            file.write_all(plane).map_err(failed)?;
        }
    }
    Ok(())
}

/// `frame` as I420 at `width` by `height` (even): each plane on its own, bilinear with pixel centres at half
/// integers.
pub fn scaled(frame: &Frame, width: usize, height: usize) -> Frame {
    let (w, h) = (frame.width, frame.height);
    let (u, v) = match frame.layout {
        Layout::I420 => (frame.u.clone(), frame.v.clone()),
        Layout::Nv12 => frame.u.as_chunks::<2>().0.iter().map(|[u, v]| (*u, *v)).unzip(),
    };
    Frame {
        width,
        height,
        layout: Layout::I420,
        y: plane(&frame.y, (w, h), (width, height)),
        u: plane(&u, (w / 2, h / 2), (width / 2, height / 2)),
        v: plane(&v, (w / 2, h / 2), (width / 2, height / 2)),
        ..frame.clone()
    }
}

fn plane(from: &[u8], (w, h): (usize, usize), (width, height): (usize, usize)) -> Vec<u8> {
    let tap = |at: usize, to: usize, samples: usize| {
        let centre = ((at as f64 + 0.5) * samples as f64 / to as f64 - 0.5).clamp(0.0, (samples - 1) as f64);
        let first = centre.floor() as usize;
        (first, (first + 1).min(samples - 1), (centre - first as f64) as f32)
    };
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let (upper, lower, down) = tap(y, height, h);
        out.extend((0..width).map(|x| {
            let (left, right, across) = tap(x, width, w);
            let row = |row: usize| {
                let (a, b) = (f32::from(from[row * w + left]), f32::from(from[row * w + right]));
                a + (b - a) * across
            };
            let (a, b) = (row(upper), row(lower));
            (a + (b - a) * down).round() as u8
        }));
    }
    out
}

/// A grey scene with some boxes in it: enough for timing, since the network's time does not depend on what it
/// sees.
fn drawn(width: usize, height: usize) -> Frame {
    let mut y = vec![110; width * height];
    for (at, value) in y.iter_mut().enumerate() {
        let (column, row) = (at % width, at / width);
        if (column / 160) % 3 == 1 && (row / 240) % 2 == 1 {
            *value = 40 + (column % 160) as u8;
        }
    }
    let quarter = width * height / 4;
    Frame { width, height, y, u: vec![128; quarter], v: vec![128; quarter], ..Frame::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_that_is_enlarged_keeps_its_values_and_its_middle() {
        let small = Frame {
            width: 4,
            height: 2,
            y: vec![0, 0, 200, 200, 0, 0, 200, 200],
            u: vec![10, 20],
            v: vec![30, 30],
            ..Frame::default()
        };
        let large = scaled(&small, 8, 4);
        assert_eq!((large.y.len(), large.u.len(), large.v.len()), (32, 8, 8));
        assert_eq!(large.y[..8], [0, 0, 0, 50, 150, 200, 200, 200]);
        assert_eq!(large.v, [30; 8]);
        assert_eq!(scaled(&small, 4, 2).y, small.y);
    }

    #[test]
    fn interleaved_chroma_is_taken_apart() {
        let nv12 = Frame {
            width: 4,
            height: 2,
            layout: Layout::Nv12,
            y: vec![9; 8],
            u: vec![1, 2, 3, 4],
            ..Frame::default()
        };
        let frame = scaled(&nv12, 4, 2);
        assert_eq!((frame.u, frame.v, frame.layout), (vec![1, 3], vec![2, 4], Layout::I420));
    }
}
