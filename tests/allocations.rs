//! Heap allocations on a look. A test binary of its own: a program has one global allocator, and the one that
//! counts must not slow or confuse the other tests.

// A test that unwraps has already said what it expects, and prints what it measured.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;

use gridpatrol::bench::allocator::{CountingAllocator, allocations};
use gridpatrol::bench::frames;
use gridpatrol::case::catalog::CATALOG;
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::model::Model;
use gridpatrol::detect::nms::Nms;
use gridpatrol::detect::preprocess::{Crop, Preprocessor};
use gridpatrol::detect::session::Session;
use gridpatrol::detect::{Detection, Detector as _, Label, OnnxDetector};
use gridpatrol::frame::Frame;
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::Plan;
use gridpatrol::track::Tracker;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const MODEL: &str = "models/nanodet-g-416";
const CLIP: &str = "tests/media/vtest.mp4";
const CONFIG: &str = "tests/media/demo.toml";
/// Lower than any rule uses, so that each stage has something to do.
const SCORE: f32 = 0.1;

/// Frames of the clip in two sizes, in turns: going from one camera to the next must cost nothing either.
fn clip() -> Vec<Frame> {
    let path = Some(Path::new(CLIP));
    let small = frames::load(path, 768, 576).unwrap();
    let large = frames::load(path, 1920, 1080).unwrap();
    small.into_iter().zip(large).take(8).flat_map(|(small, large)| [small, large]).collect()
}

/// How often `work` asked for memory.
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let (result, count) = allocations(work);
    (result, count.expect("this binary counts"))
}

/// The stages around the network, each with the memory it took.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    preprocess: u64,
    head: u64,
    nms: u64,
    mapping: u64,
    track: u64,
}

#[test]
fn the_counter_sees_an_allocation() {
    let (kept, count) = counted(|| std::hint::black_box(vec![1_u8; 100]));
    assert_eq!((kept.len(), count), (100, 1));
    let (_, count) = counted(|| std::hint::black_box(1 + 1));
    assert_eq!(count, 0);
}

#[test]
fn once_warm_no_stage_around_the_network_takes_memory() {
    let model = Model::load(Path::new(MODEL)).unwrap();
    let mut session = Session::open(&model, None, 1).unwrap();
    let mut preprocessor = Preprocessor::new(model.manifest.input.clone());
    let nms = Nms::new(&model.vocabulary, &CATALOG, model.manifest.threshold.iou);
    let (mut tracker, mut at) = (Tracker::default(), CaptureTime::default());
    let (mut candidates, mut detections, mut groups) = (Vec::new(), Vec::<Detection>::new(), Vec::new());
    let frames = clip();
    let mut seen = 0;
    for round in 0..3 {
        for frame in &frames {
            at = at.plus_seconds(0.2);
            let mut taken = Taken::default();
            let mapping;
            (mapping, taken.preprocess) =
                counted(|| preprocessor.run(frame, Crop::whole(frame), session.input_mut()).unwrap());
            candidates.clear();
            // Counted inside of the call, where the runtime's outputs are at hand and nothing of it is counted.
            session
                .run(|head, outputs| {
                    taken.head = counted(|| head.candidates(outputs, SCORE, &mut candidates)).1;
                })
                .unwrap();
            taken.nms = counted(|| nms.run(&mut candidates)).1;
            taken.mapping = counted(|| {
                detections.clear();
                groups.clear();
                for c in &candidates {
                    let bbox = mapping.to_frame(c.corners);
                    detections.push(Detection { label: Label(c.class), score: c.score, bbox });
                    groups.push(c.class);
                }
            })
            .1;
            taken.track = counted(|| tracker.look(at, &detections, &groups)).1;
            if round == 2 {
                assert_eq!(taken, Taken::default(), "{}x{}", frame.width, frame.height);
                seen += detections.len();
            }
        }
    }
    assert!(seen > 100, "the stages had {seen} objects to work on");
}

#[test]
fn once_warm_a_mask_takes_no_memory() {
    let text = std::fs::read_to_string(CONFIG).unwrap().replacen(
        "source =",
        "mask = [[[0, 0], [0.2, 0], [0.2, 0.3]], [[0.5, 0.5], [0.9, 0.6], [0.6, 0.9]]]\nsource =",
        1,
    );
    let plan = Plan::new(&ConfigFile::parse(Path::new(CONFIG), text).unwrap()).unwrap();
    let mut masks = [plan.cameras[0].mask(), plan.cameras[0].mask()];
    let mut frames = clip();
    for round in 0..2 {
        for (n, frame) in frames.iter_mut().enumerate() {
            let before = frame.y.clone();
            let ((), taken) = counted(|| masks[n % 2].apply(frame));
            if round == 0 {
                assert!(frame.y != before, "it hides something");
            } else {
                assert_eq!(taken, 0, "{}x{}", frame.width, frame.height);
            }
        }
    }
}

#[test]
fn once_warm_a_look_takes_memory_only_in_the_runtime_binding_and_when_there_is_more_to_remember() {
    let plan = Plan::new(&ConfigFile::read(Path::new(CONFIG)).unwrap()).unwrap();
    let mut detector = OnnxDetector::open(Path::new(MODEL), None, 1).unwrap();
    let mut judge = Judge::new(&plan.source(), &plan.cameras[0], detector.vocabulary().clone());
    let (mut detections, mut happenings, mut at) = (Vec::new(), Vec::new(), CaptureTime::default());
    let frames = clip();
    let (mut most, mut quiet, mut grown) = (0, 0, 0);
    for round in 0..12 {
        for frame in &frames {
            at = at.plus_seconds(0.2);
            let (looked, in_detect) = counted(|| detector.detect(frame, SCORE, &mut detections));
            looked.unwrap();
            happenings.clear();
            let look = Look { at, view: View::Clear, detections: &detections };
            let ((), in_judge) = counted(|| judge.look(&look, &mut happenings));
            if round >= 2 {
                most = most.max(in_detect);
                if happenings.is_empty() {
                    quiet += 1;
                    grown += in_judge;
                }
            }
        }
    }
    println!("the core asked for memory {grown} times on {quiet} looks on which no case changed");
    println!("a whole detect() asked for memory {most} times at most, in the binding to ONNX Runtime");
    assert!(most <= 5, "{most} allocations on one detect()");
    // A place that is new, or a case with more objects than ever before, has to be remembered somewhere.
    assert!(grown * 20 < quiet, "{grown} allocations on {quiet} looks on which no case changed");
    assert!(quiet > 100, "{quiet} looks on which no case changed");
}
