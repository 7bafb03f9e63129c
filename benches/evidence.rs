//! What the pictures of one case cost: search, redaction, drawing and encoding of an overview and a close-up, with
//! the face and plate models and without, in processor time of one thread.
//! `cargo bench --bench evidence`

#![allow(clippy::print_stdout, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use gridpatrol::detect::{BBox, Detection, Detector, ModelIdentity, OnnxDetector, Vocabulary};
use gridpatrol::error::Result;
use gridpatrol::evidence::{Evidence, Eyes, Facts, Redaction, Role, Shot, View};
use gridpatrol::frame::Frame;
use gridpatrol::place::Polygon;
use gridpatrol::source::PictureReader;
use image::{RgbImage, imageops};

/// Cases of each kind, in turns.
const ROUNDS: usize = 5;

/// A model that finds nothing and takes no time.
struct Blind {
    vocabulary: Vocabulary,
    identity: ModelIdentity,
}

impl Detector for Blind {
    fn detect(&mut self, _: &Frame, _: f32, out: &mut Vec<Detection>) -> Result<()> {
        out.clear();
        Ok(())
    }

    fn detect_region(&mut self, _: &Frame, _: BBox, _: f32, _: &mut Vec<Detection>) -> Result<()> {
        Ok(())
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn input_size(&self) -> (usize, usize) {
        (640, 480)
    }
}

fn model(name: &str) -> Box<dyn Detector> {
    let opened = OnnxDetector::open(&Path::new("models").join(name), None, 1);
    Box::new(opened.expect("`make setup` fetches the runtime; the model is carried"))
}

fn blind(label: &str) -> Box<dyn Detector> {
    let identity = ModelIdentity { name: "blind".to_owned(), sha256: String::new() };
    Box::new(Blind { vocabulary: Vocabulary::new(vec![label.to_owned()]), identity })
}

fn eyes(faces: Box<dyn Detector>, plates: Box<dyn Detector>) -> Eyes {
    Eyes::new((faces, 0.2), (plates, 0.2)).expect("both have their label")
}

fn main() {
    let people = image::open("tests/data/people.jpg").expect("a picture of the tests").to_rgb8();
    let street = imageops::crop_imm(&people, 0, 40, 768, 432).to_image();
    let street = imageops::resize(&street, 1920, 1080, imageops::FilterType::CatmullRom);
    let mut busy = RgbImage::new(1920, 1080);
    imageops::tile(&mut busy, &people);
    let mut detector = model("nanodet-g-416");
    let mut with = eyes(model("faces-centerface"), model("plates-retinaface"));
    let mut without = eyes(blind("face"), blind("plate"));
    for (name, picture) in [("768x576", &people), ("1080p", &street), ("1080p, a crowd", &busy)] {
        let frame = frame(picture);
        let mut times = [Vec::new(), Vec::new()];
        let mut hidden = [Redaction::default(); 2];
        for _ in 0..ROUNDS {
            for (eyes, (times, hidden)) in
                [&mut without, &mut with].into_iter().zip(times.iter_mut().zip(&mut hidden))
            {
                let began = processor_time();
                *hidden = case(&frame, detector.as_mut(), eyes);
                times.push(processor_time() - began);
            }
        }
        let [without, with] = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        println!("{name}: {} without, {} with; hidden with: {:?}", ms(without), ms(with), hidden[1]);
    }
}

/// Time that this thread has had on a processor: one case takes so long that others' work would show in wall time.
fn processor_time() -> Duration {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts processor time");
    let nanoseconds = read.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first number is nanoseconds"))
}

fn ms(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}

/// The pictures of one case.
fn case(frame: &Frame, detector: &mut dyn Detector, eyes: &mut Eyes) -> Redaction {
    let vocabulary = detector.vocabulary().clone();
    let label = vocabulary.find("car").expect("a label of COCO");
    let objects = [Detection { label, score: 0.9, bbox: [0.8, 0.4, 0.95, 0.6].into() }];
    let zone = Polygon::new(vec![[0.7, 0.3], [1.0, 0.3], [1.0, 0.7], [0.7, 0.7]]).expect("a sound polygon");
    let identity = detector.identity().clone();
    let facts = Facts {
        time: "2026-11-24T08:00:00+08:00",
        camera: "校园路口",
        grid: "410102007003012",
        kind_zh: "机动车乱停放",
        kind_en: "Illegal parking",
        dwell_s: 20.0,
        model: &identity,
        case: "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
    };
    let view = View { zone: &zone, objects: &objects, vocabulary: &vocabulary, facts };
    let shot = Shot::take(frame, [&objects[..]], &vocabulary, detector, eyes);
    match shot.pictures(&[Role::Overview, Role::Closeup], &view) {
        Evidence::Taken { redaction, .. } => redaction,
        other => panic!("no picture: {other:?}"),
    }
}

/// `picture` as a camera would deliver it.
fn frame(picture: &RgbImage) -> Frame {
    let path = std::env::temp_dir().join(format!("gridpatrol-bench-{}.png", std::process::id()));
    picture.save(&path).expect("the temporary folder can be written");
    let mut frame = Frame::default();
    let read = PictureReader::default().read(&path, &mut frame);
    let _ = std::fs::remove_file(&path);
    read.expect("the picture was just written");
    frame
}
