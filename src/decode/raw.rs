//! Uncompressed pictures of USB and CSI cameras to planes. BT.601, limited range: what such cameras send unless
//! they say otherwise, which the capture library does not pass on.

use super::{fits, resize};
use crate::error::{Error, Kind, Result};
use crate::frame::{Frame, Layout, Matrix};

/// Fills `frame`, all but its capture time, from packed Y0 U Y1 V with `stride` bytes from row to row. Chroma is
/// the mean of two rows. An odd last column or row is cut off.
///
/// # Errors
/// [`Kind::Camera`] when `bytes` are too few for the size, or the size is out of bounds.
pub fn from_yuyv(bytes: &[u8], width: usize, height: usize, stride: usize, frame: &mut Frame) -> Result<()> {
    let (width, height) = (width & !1, height & !1);
    check(bytes, width, height, width * 2, stride, height)?;
    shape(frame, width, height, Layout::I420);
    let half = width / 2;
    for pair in 0..height / 2 {
        let upper = &bytes[pair * 2 * stride..][..width * 2];
        let lower = &bytes[(pair * 2 + 1) * stride..][..width * 2];
        let (luma0, luma1) = frame.y[pair * 2 * width..][..width * 2].split_at_mut(width);
        let u = &mut frame.u[pair * half..][..half];
        let v = &mut frame.v[pair * half..][..half];
        let mean = |a: u8, b: u8| (u16::from(a) + u16::from(b)).div_ceil(2) as u8;
        let rows = upper.chunks_exact(4).zip(lower.chunks_exact(4));
        let luma = luma0.chunks_exact_mut(2).zip(luma1.chunks_exact_mut(2));
        for (((a, b), (y0, y1)), (u, v)) in rows.zip(luma).zip(u.iter_mut().zip(v)) {
            (y0[0], y0[1]) = (a[0], a[2]);
            (y1[0], y1[1]) = (b[0], b[2]);
            *u = mean(a[1], b[1]);
            *v = mean(a[3], b[3]);
        }
    }
    Ok(())
}

/// Fills `frame`, all but its capture time, from a Y plane and the UV plane right behind it, both with `stride`
/// bytes from row to row. An odd last column or row is cut off.
///
/// # Errors
/// As [`from_yuyv`].
pub fn from_nv12(bytes: &[u8], width: usize, height: usize, stride: usize, frame: &mut Frame) -> Result<()> {
    let chroma = height;
    let (width, height) = (width & !1, height & !1);
    check(bytes, width, height, width, stride, chroma + height / 2)?;
    shape(frame, width, height, Layout::Nv12);
    for (row, to) in frame.y.chunks_exact_mut(width).enumerate() {
        to.copy_from_slice(&bytes[row * stride..][..width]);
    }
    for (row, to) in frame.u.chunks_exact_mut(width).enumerate() {
        to.copy_from_slice(&bytes[(chroma + row) * stride..][..width]);
    }
    Ok(())
}

/// Whether `bytes` hold `rows` rows of `row` bytes each at `stride`.
fn check(bytes: &[u8], width: usize, height: usize, row: usize, stride: usize, rows: usize) -> Result<()> {
    if !fits(width, height) {
        let what = format!("the picture size {width}x{height} is out of bounds");
        return Err(Error::new(Kind::Camera, what));
    }
    let needed = (rows - 1).checked_mul(stride).and_then(|bytes| bytes.checked_add(row));
    if stride < row || needed.is_none_or(|needed| bytes.len() < needed) {
        let what = format!("{} bytes are not a picture of {width}x{height}", bytes.len());
        return Err(Error::new(Kind::Camera, what));
    }
    Ok(())
}

fn shape(frame: &mut Frame, width: usize, height: usize, layout: Layout) {
    (frame.width, frame.height, frame.layout) = (width, height, layout);
    (frame.matrix, frame.full_range) = (Matrix::Bt601, false);
    let (u, v) = match layout {
        Layout::I420 => (width * height / 4, width * height / 4),
        Layout::Nv12 => (width * height / 2, 0),
    };
    resize(&mut frame.y, width * height);
    resize(&mut frame.u, u);
    resize(&mut frame.v, v);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn yuyv_becomes_planes_and_padding_is_left_out() {
        // 4x2 at a stride of 10: the last two bytes of a row are padding.
        let bytes = [
            [1, 100, 2, 200, 3, 110, 4, 210, 99, 99], //
            [5, 104, 6, 204, 7, 110, 8, 211, 99, 99],
        ]
        .concat();
        let mut frame = Frame::default();
        from_yuyv(&bytes, 4, 2, 10, &mut frame).unwrap();
        assert_eq!((frame.width, frame.height, frame.layout, frame.full_range), (4, 2, Layout::I420, false));
        assert_eq!(frame.y, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((&frame.u[..], &frame.v[..]), (&[102, 110][..], &[202, 211][..]));
    }

    #[test]
    fn nv12_becomes_planes_and_padding_is_left_out() {
        let bytes = [[1, 2, 3, 4, 99], [5, 6, 7, 8, 99], [10, 20, 11, 21, 99]].concat();
        let mut frame = Frame::default();
        from_nv12(&bytes, 4, 2, 5, &mut frame).unwrap();
        assert_eq!((frame.width, frame.height, frame.layout), (4, 2, Layout::Nv12));
        assert_eq!(frame.y, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((&frame.u[..], frame.v.len()), (&[10, 20, 11, 21][..], 0));
    }

    #[test]
    fn the_chroma_plane_of_an_odd_height_is_found_behind_all_rows() {
        let bytes = [[1, 2], [3, 4], [5, 6], [10, 20], [11, 21]].concat();
        let mut frame = Frame::default();
        from_nv12(&bytes, 2, 3, 2, &mut frame).unwrap();
        assert_eq!((&frame.y[..], &frame.u[..]), (&[1, 2, 3, 4][..], &[10, 20][..]));
    }

    proptest! {
        #[test]
        fn no_size_and_no_length_make_it_panic(
            width in 0_usize..40, height in 0_usize..40, stride in 0_usize..100, length in 0_usize..4000,
        ) {
            let bytes = vec![7; length];
            let mut frame = Frame::default();
            if from_yuyv(&bytes, width, height, stride, &mut frame).is_ok() {
                prop_assert_eq!(frame.y.len(), frame.width * frame.height);
                prop_assert_eq!(frame.u.len() * 4, frame.y.len());
            }
            if from_nv12(&bytes, width, height, stride, &mut frame).is_ok() {
                prop_assert_eq!(frame.u.len() * 2, frame.y.len());
            }
        }
    }
}
