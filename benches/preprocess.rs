//! From 1080p planes to the network's input, with every kernel that this processor can run, and the ratio.
//! `cargo bench --bench preprocess`

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use gridpatrol::detect::input::{ColourOrder, InputSpec};
use gridpatrol::detect::preprocess::{Crop, Kernel, Preprocessor};
use gridpatrol::detect::tensor::Tensor;
use gridpatrol::frame::{Frame, Layout, Matrix};

/// Runs of each kernel, in turns, for the ratio.
const ROUNDS: usize = 300;

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(30);
    let mut ratios = Vec::new();
    for (layout, layout_name) in [(Layout::I420, "I420"), (Layout::Nv12, "NV12")] {
        let frame = frame(layout);
        for side in [416, 640] {
            let name = format!("1080p {layout_name} to {side}");
            for kernel in [Kernel::SCALAR, Kernel::best()] {
                let mut run = run(&frame, side, kernel);
                criterion.bench_function(&format!("{name}, {}", kernel.name()), |b| b.iter(&mut run));
            }
            ratios.push((name, ratio(&frame, side)));
        }
    }
    let best = Kernel::best().name();
    println!();
    for (name, [scalar, fast]) in ratios {
        let ratio = scalar.as_secs_f64() / fast.as_secs_f64();
        let [scalar, fast] = [scalar, fast].map(|time| time.as_secs_f64() * 1e3);
        println!("{name}: scalar {scalar:.3} ms / {best} {fast:.3} ms = {ratio:.2}");
    }
}

/// Medians of the scalar and the fastest kernel, run in turns so that both see the same machine.
fn ratio(frame: &Frame, side: usize) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    let mut runs = [run(frame, side, Kernel::SCALAR), run(frame, side, Kernel::best())];
    for _ in 0..ROUNDS {
        for (run, times) in runs.iter_mut().zip(&mut times) {
            let began = Instant::now();
            run();
            times.push(began.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    })
}

fn run<'a>(frame: &'a Frame, side: usize, kernel: Kernel) -> impl FnMut() + 'a {
    let spec = InputSpec { colour: ColourOrder::Bgr, pad: 114.0, ..InputSpec::plain("images", side, side) };
    let mut input = Tensor::new(&spec);
    let mut preprocessor = Preprocessor::with_kernel(spec, kernel);
    move || {
        black_box(preprocessor.run(frame, Crop::whole(frame), &mut input)).expect("a sound frame");
    }
}

/// A frame of texture; its values do not matter for the time.
fn frame(layout: Layout) -> Frame {
    let (width, height) = (1920, 1080);
    let texture = |length: usize| (0..length).map(|at| (at * 7 + at / 1920 * 13) as u8).collect::<Vec<u8>>();
    let quarter = width * height / 4;
    let (u, v) = match layout {
        Layout::I420 => (texture(quarter), texture(quarter)),
        Layout::Nv12 => (texture(quarter * 2), Vec::new()),
    };
    Frame {
        width,
        height,
        layout,
        matrix: Matrix::Bt709,
        y: texture(width * height),
        u,
        v,
        ..Frame::default()
    }
}
