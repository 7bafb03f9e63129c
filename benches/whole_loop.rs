//! The whole loop, planes in and tracked cases out, against the bare `session.run` on the same frames in the
//! same run: what everything around the network costs. On the frames of the clip as they are, and enlarged to
//! 1080p, the size that most cameras give. `cargo bench --bench whole_loop`

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{Detector as _, OnnxDetector};
use gridpatrol::frame::Frame;
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};
use gridpatrol::source::{self, Next};

const CLIP: &str = "tests/media/vtest.mp4";
const CONFIG: &str = "tests/media/demo.toml";
/// Frames of the clip that are used, each fifth so that the scene changes.
const FRAMES: usize = 40;
/// Alternating rounds over all frames, for the ratio.
const ROUNDS: usize = 15;

fn main() {
    let frames = frames();
    let plan = Plan::new(&ConfigFile::read(Path::new(CONFIG)).expect("the demo's configuration is sound"))
        .expect("the demo's plan is sound");
    let mut detector = OnnxDetector::open(&plan.model, None, 1).expect("run `make setup` first");
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut detections = Vec::new();
    // Fills the network's input once, so that the bare run has something real to work on.
    detector.detect(&frames[0], 0.2, &mut detections).expect("a look");
    criterion.bench_function("bare session.run", |b| b.iter(|| bare(&mut detector)));
    let mut whole = WholeLoop::new(&plan, &detector);
    criterion.bench_function("whole loop", |b| {
        let mut n = 0;
        b.iter(|| {
            n += 1;
            whole.look(&frames[n % FRAMES], &mut detector)
        });
    });
    ratio("clip 768x576", &frames, &mut detector, &mut whole);
    let frames: Vec<Frame> = frames.iter().map(enlarged).collect();
    let mut whole = WholeLoop::new(&plan, &detector);
    ratio("1080p I420", &frames, &mut detector, &mut whole);
}

/// `frame` at 1080p, every pixel taken from the nearest.
fn enlarged(frame: &Frame) -> Frame {
    let plane = |from: &[u8], (width, height): (usize, usize), (to_width, to_height): (usize, usize)| {
        let rows = (0..to_height).map(|y| &from[y * height / to_height * width..][..width]);
        rows.flat_map(|row| (0..to_width).map(|x| row[x * width / to_width])).collect::<Vec<u8>>()
    };
    let half = (frame.width / 2, frame.height / 2);
    Frame {
        width: 1920,
        height: 1080,
        y: plane(&frame.y, (frame.width, frame.height), (1920, 1080)),
        u: plane(&frame.u, half, (960, 540)),
        v: plane(&frame.v, half, (960, 540)),
        ..frame.clone()
    }
}

/// Bare and whole in turns, so that both see the same machine, and the ratio of their medians.
fn ratio(name: &str, frames: &[Frame], detector: &mut OnnxDetector, whole: &mut WholeLoop) {
    let (mut bare_times, mut whole_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for frame in frames {
            bare_times.push(timed(|| bare(detector)));
            whole_times.push(timed(|| whole.look(frame, detector)));
        }
    }
    let (bare, whole) = (median(&mut bare_times), median(&mut whole_times));
    println!(
        "{name}: whole loop {:.2} ms / bare session.run {:.2} ms = {:.3}",
        whole.as_secs_f64() * 1e3,
        bare.as_secs_f64() * 1e3,
        whole.as_secs_f64() / bare.as_secs_f64()
    );
}

fn bare(detector: &mut OnnxDetector) {
    detector.session_mut().run(|_, outputs| black_box(outputs).len()).expect("a run");
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    black_box(work());
    began.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Detector and core, without the pictures of evidence: those are taken when a case changes, not on each look.
struct WholeLoop {
    judge: Judge,
    detections: Vec<gridpatrol::detect::Detection>,
    happenings: Vec<gridpatrol::case::Happening>,
    at: CaptureTime,
}

impl WholeLoop {
    fn new(plan: &Plan, detector: &OnnxDetector) -> Self {
        Self {
            judge: Judge::new(&plan.source(), &plan.cameras[0], detector.vocabulary().clone()),
            detections: Vec::new(),
            happenings: Vec::new(),
            at: CaptureTime::default(),
        }
    }

    fn look(&mut self, frame: &Frame, detector: &mut OnnxDetector) {
        self.at = self.at.plus_seconds(0.2);
        detector.detect(frame, self.judge.least_score(), &mut self.detections).expect("a look");
        let look = Look { at: self.at, view: View::Clear, detections: &self.detections };
        self.judge.look(&look, &mut self.happenings);
        self.happenings.clear();
    }
}

fn frames() -> Vec<Frame> {
    let mut source = source::open(&Input::Video(CLIP.into()), CaptureTime::default(), 1.0).expect("the clip");
    let (mut frame, mut kept) = (Frame::default(), Vec::new());
    let mut n = 0;
    while kept.len() < FRAMES && source.next(&mut frame).expect("a frame") == Next::Frame {
        if n % 5 == 0 {
            kept.push(frame.clone());
        }
        n += 1;
    }
    kept
}
