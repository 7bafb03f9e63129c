//! A camera's picture at the size of a clip.

use crate::frame::{Frame, Layout};

/// Largest picture of a clip, in pixels, without its caption. A picture that is larger in either direction is scaled
/// down to fit.
pub const MAX_SIZE: (usize, usize) = (960, 540);

/// `frame` in three planes and no larger than [`MAX_SIZE`], each sample the mean of those that it stands for. `None` for
/// a frame whose planes do not have the lengths that its size asks for.
pub(super) fn small(frame: &Frame) -> Option<Frame> {
    let (from, to) = ((frame.width, frame.height), fitted((frame.width, frame.height))?);
    let half = |(width, height): (usize, usize)| (width / 2, height / 2);
    let (from_half, to_half) = (half(from), half(to));
    let chroma = from_half.0 * from_half.1;
    let (u, v, step) = match frame.layout {
        Layout::I420 => (frame.u.as_slice(), frame.v.as_slice(), 1),
        Layout::Nv12 => (frame.u.as_slice(), frame.u.get(1..)?, 2),
    };
    let is_whole = frame.y.len() == from.0 * from.1
        && match frame.layout {
            Layout::I420 => u.len() == chroma && v.len() == chroma,
            Layout::Nv12 => u.len() == 2 * chroma,
        };
    is_whole.then(|| Frame {
        width: to.0,
        height: to.1,
        layout: Layout::I420,
        matrix: frame.matrix,
        full_range: frame.full_range,
        y: shrunk(&frame.y, 1, from, to),
        u: shrunk(u, step, from_half, to_half),
        v: shrunk(v, step, from_half, to_half),
        captured: frame.captured,
    })
}

/// The size at which a picture of `size` pixels is kept; `None` for one that is no picture of 4:2:0.
fn fitted((width, height): (usize, usize)) -> Option<(usize, usize)> {
    let even = |side: usize| side > 0 && side.is_multiple_of(2);
    if !even(width) || !even(height) {
        return None;
    }
    if width <= MAX_SIZE.0 && height <= MAX_SIZE.1 {
        return Some((width, height));
    }
    let scale = (MAX_SIZE.0 as f64 / width as f64).min(MAX_SIZE.1 as f64 / height as f64);
    let side = |n: usize| ((n as f64 * scale / 2.0).round() as usize * 2).max(2);
    Some((side(width), side(height)))
}

/// A plane of `from` samples, `step` bytes apart, as one of `to` samples, which is no larger.
fn shrunk(plane: &[u8], step: usize, from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    if from == to {
        return plane.iter().step_by(step).copied().collect();
    }
    let bound = |n: usize, to: usize, from: usize| n * from / to;
    let columns: Vec<(usize, usize)> =
        (0..to.0).map(|x| (bound(x, to.0, from.0), bound(x + 1, to.0, from.0))).collect();
    let mut out = Vec::with_capacity(to.0 * to.1);
    let mut sums = vec![0_u32; to.0];
    for y in 0..to.1 {
        let rows = bound(y, to.1, from.1)..bound(y + 1, to.1, from.1);
        let height = rows.len();
        sums.fill(0);
        for row in rows.map(|row| &plane[row * from.0 * step..]) {
            for (sum, &(left, right)) in sums.iter_mut().zip(&columns) {
                *sum += (left..right).map(|x| u32::from(row[x * step])).sum::<u32>();
            }
        }
        out.extend(sums.iter().zip(&columns).map(|(sum, (left, right))| {
            let area = ((right - left) * height) as u32;
            ((sum + area / 2) / area) as u8
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame whose luma is its column, halved, and whose chroma its row and column.
    fn drawn(width: usize, height: usize) -> Frame {
        let at = |f: fn(usize, usize) -> usize, w: usize, h: usize| {
            (0..h).flat_map(|y| (0..w).map(move |x| (f(x, y) % 256) as u8)).collect::<Vec<u8>>()
        };
        Frame {
            width,
            height,
            y: at(|x, _| x / 8, width, height),
            u: at(|_, y| y / 4, width / 2, height / 2),
            v: at(|x, _| x / 4, width / 2, height / 2),
            ..Frame::default()
        }
    }

    #[test]
    fn a_large_picture_is_scaled_down_and_keeps_its_shape() {
        for (from, to) in [
            ((1920, 1080), (960, 540)),
            ((2560, 1440), (960, 540)),
            ((768, 576), (720, 540)),
            ((640, 360), (640, 360)),
            ((1080, 1920), (304, 540)),
        ] {
            let frame = small(&drawn(from.0, from.1)).unwrap();
            assert_eq!((frame.width, frame.height), to, "{from:?}");
            assert_eq!(frame.y.len(), to.0 * to.1);
            assert_eq!((frame.u.len(), frame.v.len()), (frame.y.len() / 4, frame.y.len() / 4));
            // In the middle of the picture is what was there before.
            let middle = |plane: &[u8], w: usize, h: usize| plane[h / 2 * w + w / 2];
            let drawn = drawn(from.0, from.1);
            for (a, b, by) in [(&frame.y, &drawn.y, 1), (&frame.u, &drawn.u, 2), (&frame.v, &drawn.v, 2)] {
                let (was, is) = (middle(b, from.0 / by, from.1 / by), middle(a, to.0 / by, to.1 / by));
                assert!(was.abs_diff(is) <= 1, "{from:?}: {was} became {is}");
            }
        }
    }

    #[test]
    fn both_layouts_give_the_same_picture() {
        let planar = drawn(1920, 1080);
        let pairs = planar.u.iter().zip(&planar.v).flat_map(|(u, v)| [*u, *v]).collect();
        let pairs = Frame { layout: Layout::Nv12, u: pairs, v: Vec::new(), ..planar.clone() };
        let (a, b) = (small(&planar).unwrap(), small(&pairs).unwrap());
        assert_eq!((a.y, a.u, a.v), (b.y, b.u, b.v));
    }

    #[test]
    fn a_broken_frame_is_not_taken() {
        let whole = drawn(64, 48);
        assert!(small(&Frame { y: vec![0; 10], ..whole.clone() }).is_none());
        assert!(small(&Frame { v: Vec::new(), ..whole.clone() }).is_none());
        assert!(small(&Frame { width: 63, ..whole.clone() }).is_none());
        assert!(small(&Frame::default()).is_none());
        assert!(small(&Frame { layout: Layout::Nv12, u: Vec::new(), v: Vec::new(), ..whole }).is_none());
    }
}
