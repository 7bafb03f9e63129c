//! Preprocessing against answers worked out by hand.

use proptest::prelude::*;

use super::*;
use crate::detect::input::{Dtype, Resize};
use crate::frame::Matrix;

fn spec(width: usize, height: usize, resize: Resize) -> InputSpec {
    InputSpec { resize, pad: 114.0, ..InputSpec::plain("images", width, height) }
}

fn frame(width: usize, height: usize, at: impl Fn(usize, usize) -> [u8; 3]) -> Frame {
    let chroma = |lane: usize| {
        let half = (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (x * 2, y * 2)));
        half.map(|(x, y)| at(x, y)[lane]).collect()
    };
    let luma = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    Frame {
        width,
        height,
        full_range: true,
        y: luma.map(|(x, y)| at(x, y)[0]).collect(),
        u: chroma(1),
        v: chroma(2),
        ..Frame::default()
    }
}

fn run(spec: InputSpec, frame: &Frame, crop: Crop) -> (Vec<f32>, Mapping) {
    let mut preprocessor = Preprocessor::new(spec);
    let mut input = unwritten(&preprocessor);
    let mapping = preprocessor.run(frame, crop, &mut input).unwrap();
    let input = input.to_f32();
    assert!(input.iter().all(|v| v.is_finite()), "every number is written");
    (input, mapping)
}

/// A float32 input full of numbers that no picture gives.
fn unwritten(preprocessor: &Preprocessor) -> Tensor {
    Tensor::Float32(vec![f32::NAN; preprocessor.spec.shape().iter().product()])
}

fn near(got: &[f32], wanted: f32, tolerance: f32) -> bool {
    got.iter().all(|v| (v - wanted).abs() <= tolerance)
}

#[test]
fn a_picture_of_one_colour_is_that_colour_under_every_matrix_and_range() {
    // Y, U, V of pure red by ITU-R BT.601 and BT.709, rounded to 8 bits.
    for (matrix, full_range, yuv) in [
        (Matrix::Bt601, true, [76, 85, 255]),
        (Matrix::Bt601, false, [81, 90, 240]),
        (Matrix::Bt709, true, [54, 99, 255]),
        (Matrix::Bt709, false, [63, 102, 240]),
    ] {
        let frame = Frame { matrix, full_range, ..frame(20, 12, |_, _| yuv) };
        let (input, _) = run(spec(8, 8, Resize::Stretch), &frame, Crop::whole(&frame));
        let (red, rest) = input.split_at(64);
        assert!(near(red, 254.5, 1.6) && near(rest, 0.0, 1.6), "{matrix:?} {full_range} {input:?}");
    }
}

#[test]
fn planes_come_in_the_order_of_the_manifest_and_normalised_by_plane() {
    let frame = frame(8, 8, |_, _| [76, 85, 255]);
    let normal = InputSpec {
        colour: ColourOrder::Bgr,
        scale: 1.0 / 255.0,
        mean: [0.5, 0.25, 0.0],
        std: [0.5, 1.0, 2.0],
        ..spec(8, 8, Resize::Stretch)
    };
    let (input, _) = run(normal, &frame, Crop::whole(&frame));
    assert!(near(&input[..64], -1.0, 0.02), "blue 0: {}", input[0]);
    assert!(near(&input[64..128], -0.25, 0.02), "green 0: {}", input[64]);
    assert!(near(&input[128..], 0.5, 0.02), "red 1: {}", input[128]);
}

#[test]
fn a_gradient_is_sampled_at_pixel_centres() {
    let frame = frame(32, 16, |x, y| [(x * 4 + y * 8) as u8, 128, 128]);
    let (input, _) = run(spec(8, 8, Resize::Stretch), &frame, Crop::whole(&frame));
    for y in 0..8 {
        for x in 0..8 {
            // Output pixel x covers input 4x to 4x+3, centre 4x+1.5; y covers 2y and 2y+1.
            let wanted = (4.0 * x as f32 + 1.5) * 4.0 + (2.0 * y as f32 + 0.5) * 8.0;
            assert!((input[y * 8 + x] - wanted).abs() < 0.01, "{x},{y}: {} {wanted}", input[y * 8 + x]);
        }
    }
}

#[test]
fn enlarging_holds_the_edge_and_never_leaves_the_range_of_the_picture() {
    let frame = frame(4, 4, |x, _| [if x < 2 { 10 } else { 250 }, 128, 128]);
    let (input, _) = run(spec(16, 16, Resize::Stretch), &frame, Crop::whole(&frame));
    assert!(input.iter().all(|v| (10.0..=250.0).contains(v)));
    assert_eq!((input[0], input[15]), (10.0, 250.0));
}

#[test]
fn letterbox_bars_are_the_pad_value_and_also_after_another_geometry() {
    let mut preprocessor = Preprocessor::new(spec(16, 16, Resize::Letterbox));
    let mut input = unwritten(&preprocessor);
    let (wide, tall) = (frame(32, 16, |_, _| [200, 128, 128]), frame(16, 32, |_, _| [50, 128, 128]));
    for (frame, value) in [(&wide, 200.0), (&tall, 50.0), (&wide, 200.0)] {
        preprocessor.run(frame, Crop::whole(frame), &mut input).unwrap();
        for (at, got) in input.to_f32().iter().enumerate() {
            let (x, y) = (at % 16, at / 16 % 16);
            let across = if frame.width > frame.height { y } else { x };
            let wanted = if (4..12).contains(&across) { value } else { 114.0 };
            assert!((got - wanted).abs() < 0.01, "{x},{y}: {got}");
        }
    }
}

#[test]
fn a_crop_gives_what_a_frame_of_only_that_part_gives() {
    let pattern = |x: usize, y: usize| [(x * 5 + y * 3) as u8, (x * 2 + 40) as u8, (200 - y * 2) as u8];
    let whole = frame(48, 36, pattern);
    let crop = Crop { x: 10, y: 6, width: 24, height: 20 };
    let part = frame(24, 20, |x, y| pattern(x + 10, y + 6));
    let (from_crop, mapping) = run(spec(16, 16, Resize::Letterbox), &whole, crop);
    let (from_part, _) = run(spec(16, 16, Resize::Letterbox), &part, Crop::whole(&part));
    assert_eq!(from_crop, from_part);
    let whole_input = mapping.to_frame([0.0, 0.0, 16.0, 16.0]);
    let wanted = [10.0 / 48.0, 6.0 / 36.0, 34.0 / 48.0, 26.0 / 36.0];
    for (got, wanted) in <[f32; 4]>::from(whole_input).iter().zip(wanted) {
        assert!((got - wanted).abs() < 1e-6, "{whole_input:?}");
    }
}

#[test]
fn nv12_gives_what_i420_gives_bit_for_bit() {
    let planar = frame(38, 22, |x, y| [(x * 7 + y) as u8, (x * 3 + y * 5) as u8, (255 - x * 6) as u8]);
    let pairs = planar.u.iter().zip(&planar.v).flat_map(|(u, v)| [*u, *v]).collect();
    let paired = Frame { layout: Layout::Nv12, u: pairs, v: Vec::new(), ..planar.clone() };
    for crop in [Crop::whole(&planar), Crop { x: 4, y: 2, width: 30, height: 20 }] {
        let (from_planar, _) = run(spec(24, 24, Resize::Letterbox), &planar, crop);
        assert_eq!(from_planar, run(spec(24, 24, Resize::Letterbox), &paired, crop).0);
    }
}

#[test]
fn a_box_comes_back_to_where_it_was_in_the_frame() {
    let frame = frame(32, 16, |_, _| [0, 128, 128]);
    let (_, mapping) = run(spec(16, 16, Resize::Letterbox), &frame, Crop::whole(&frame));
    // The picture is the middle 8 rows of the 16.
    assert_eq!(mapping.to_frame([4.0, 6.0, 8.0, 8.0]), [0.25, 0.25, 0.5, 0.5].into());
    assert_eq!(mapping.to_frame([-9.0, 0.0, 99.0, 16.0]), [0.0, 0.0, 1.0, 1.0].into(), "cut to the frame");
}

#[test]
fn a_region_becomes_an_even_crop_inside_of_the_frame() {
    let frame = frame(20, 10, |_, _| [0, 0, 0]);
    let crop = |b: [f32; 4]| Crop::of(&frame, b.into());
    assert_eq!(crop([0.0, 0.0, 1.0, 1.0]), Crop::whole(&frame));
    assert_eq!(crop([0.26, 0.35, 0.6, 0.55]), Crop { x: 4, y: 2, width: 8, height: 4 });
    for odd in [[1.0, 1.0, 1.0, 1.0], [2.0, -3.0, -1.0, 9.0], [f32::NAN; 4], [0.99, 0.99, 0.2, 0.2]] {
        assert!(sound(&frame, crop(odd)), "{odd:?} gives {:?}", crop(odd));
    }
}

#[test]
fn planes_that_are_not_of_the_frames_size_are_refused() {
    let mut preprocessor = Preprocessor::new(spec(8, 8, Resize::Stretch));
    let good = frame(8, 8, |_, _| [0, 0, 0]);
    let crop = Crop::whole(&good);
    let short = Frame { u: vec![0; 3], ..good.clone() };
    let untouched = Tensor::Float32(vec![1.0; 192]);
    let mut input = untouched.clone();
    assert_eq!(preprocessor.run(&short, crop, &mut input), None);
    assert_eq!(preprocessor.run(&good, Crop { width: 10, ..crop }, &mut input), None);
    assert_eq!(preprocessor.run(&good, Crop { x: 1, ..crop }, &mut input), None);
    assert_eq!(input, untouched, "the input is as it was");
    for other in [Tensor::Float32(vec![1.0; 191]), Tensor::Uint8(vec![1; 192])] {
        let mut input = other.clone();
        assert_eq!(preprocessor.run(&good, crop, &mut input), None);
        assert_eq!(input, other);
    }
}

/// A frame of noise, the same for the same numbers.
fn noise(width: usize, height: usize, layout: Layout, seed: u64) -> Frame {
    let mut state = seed | 1;
    let mut bytes = |length: usize| -> Vec<u8> {
        let mut next = || {
            // Xorshift; any numbers would do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    let quarter = width * height / 4;
    let (u, v) = match layout {
        Layout::I420 => (bytes(quarter), bytes(quarter)),
        Layout::Nv12 => (bytes(quarter * 2), Vec::new()),
    };
    Frame { width, height, layout, y: bytes(width * height), u, v, ..Frame::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_fastest_kernel_gives_the_numbers_of_the_scalar_one_bit_for_bit(
        (width, height) in (1usize..400, 1usize..60).prop_map(|(w, h)| (w * 2, h * 2)),
        (to_width, to_height) in (8usize..300, 8usize..40),
        corners in (0.0f32..1.0, 0.0f32..1.0, 0.0f32..1.0, 0.0f32..1.0),
        (nv12, bt709, full_range, stretch, bgr, plain) in any::<(bool, bool, bool, bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let layout = if nv12 { Layout::Nv12 } else { Layout::I420 };
        let matrix = if bt709 { Matrix::Bt709 } else { Matrix::Bt601 };
        let frame = Frame { matrix, full_range, ..noise(width, height, layout, seed) };
        let (left, top, right, bottom) = corners;
        let region = [left.min(right), top.min(bottom), left.max(right), top.max(bottom)];
        let mut spec = spec(to_width, to_height, if stretch { Resize::Stretch } else { Resize::Letterbox });
        spec.colour = if bgr { ColourOrder::Bgr } else { ColourOrder::Rgb };
        if !plain {
            (spec.scale, spec.mean, spec.std) = (1.0 / 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        }
        let mut wanted = Preprocessor::with_kernel(spec.clone(), Kernel::SCALAR);
        let mut fast = Preprocessor::with_kernel(spec, Kernel::best());
        for crop in [Crop::of(&frame, region.into()), Crop::whole(&frame)] {
            let (mut a, mut b) = (unwritten(&wanted), unwritten(&fast));
            prop_assert_eq!(wanted.run(&frame, crop, &mut a), fast.run(&frame, crop, &mut b));
            let (a, b) = (a.to_f32(), b.to_f32());
            let bits = |input: &[f32]| input.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&a), bits(&b), "kernel {}, {:?}", fast.kernel.name(), crop);
            prop_assert!(a.iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn scaling_is_within_a_hundredth_of_a_grey_level_of_exact_bilinear_interpolation() {
    let frame = Frame { full_range: true, ..noise(202, 118, Layout::I420, 7) };
    let frame = Frame { u: vec![128; frame.u.len()], v: vec![128; frame.v.len()], ..frame };
    for (width, height) in [(64, 48), (202, 118), (300, 200), (20, 9)] {
        let (input, _) = run(spec(width, height, Resize::Stretch), &frame, Crop::whole(&frame));
        for y in 0..height {
            for x in 0..width {
                let axis = |at: usize, to: usize, from: usize| {
                    let centre = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
                    let centre = centre.clamp(0.0, (from - 1) as f64);
                    (centre as usize, (centre as usize + 1).min(from - 1), centre.fract())
                };
                let ((x0, x1, wx), (y0, y1, wy)) = (axis(x, width, 202), axis(y, height, 118));
                let at = |x: usize, y: usize| f64::from(frame.y[y * 202 + x]);
                let wanted = (at(x0, y0) * (1.0 - wx) + at(x1, y0) * wx) * (1.0 - wy)
                    + (at(x0, y1) * (1.0 - wx) + at(x1, y1) * wx) * wy;
                let got = f64::from(input[y * width + x]);
                assert!((got - wanted).abs() < 0.01, "{width}x{height} {x},{y}: {got} {wanted}");
            }
        }
    }
}

#[test]
fn every_element_type_and_order_of_axes_holds_the_numbers_of_the_float_planes() {
    let frame = Frame { full_range: true, ..noise(52, 30, Layout::Nv12, 3) };
    let plain = InputSpec { colour: ColourOrder::Bgr, ..spec(21, 17, Resize::Letterbox) };
    let crop = Crop { x: 2, y: 4, width: 40, height: 22 };
    let (wanted, mapping) = run(plain.clone(), &frame, crop);
    for (dtype, tolerance) in [(Dtype::Float32, 0.0), (Dtype::Float16, 0.0625), (Dtype::Uint8, 0.5)] {
        for layout in [TensorLayout::Nchw, TensorLayout::Nhwc] {
            let spec = InputSpec { dtype, layout, ..plain.clone() };
            let mut input = Tensor::new(&spec);
            assert_eq!(Preprocessor::new(spec).run(&frame, crop, &mut input), Some(mapping));
            let numbers = input.to_f32();
            for (at, wanted) in wanted.iter().enumerate() {
                let (plane, pixel) = (at / (21 * 17), at % (21 * 17));
                let place = if layout == TensorLayout::Nhwc { pixel * 3 + plane } else { at };
                let got = numbers[place];
                assert!((got - wanted).abs() <= tolerance, "{dtype:?} {layout:?} {at}: {got} {wanted}");
            }
        }
    }
}

#[test]
fn whole_numbers_are_rounded_and_cut_to_a_byte() {
    let values = [-3.0, 0.49, 0.5, 113.6, 254.7, 300.0, f32::NAN];
    let mut bytes = [9; 7];
    Element::row(&values, &mut bytes);
    assert_eq!(bytes, [0, 0, 1, 114, 255, 255, 0]);
}
