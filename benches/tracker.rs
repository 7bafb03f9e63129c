//! The tracker on a full street: 30 objects, half of them on the move, one in ten missed on each look.
//! `cargo bench --bench tracker`

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{BBox, Detection, Label, Vocabulary};
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};
use gridpatrol::track::Tracker;

const OBJECTS: usize = 30;

fn street(look: usize, out: &mut Vec<Detection>) {
    out.clear();
    out.extend((0..OBJECTS).filter(|object| !(object + look).is_multiple_of(10)).map(|object| {
        let moved = if object % 2 == 0 { (look % 100) as f32 * 0.001 } else { 0.0 };
        let (x, y) = ((object % 6) as f32 * 0.14 + moved, (object / 6) as f32 * 0.18);
        Detection { label: Label(0), score: 0.7, bbox: BBox { x1: x, y1: y, x2: x + 0.08, y2: y + 0.12 } }
    }));
}

fn track(criterion: &mut Criterion) {
    let (mut tracker, mut at, mut look) = (Tracker::default(), CaptureTime::default(), 0);
    let (mut detections, groups) = (Vec::new(), [0; OBJECTS]);
    criterion.bench_function("tracker, 30 objects", |b| {
        b.iter(|| {
            look += 1;
            at = at.plus_seconds(0.2);
            street(look, &mut detections);
            tracker.look(at, &detections, &groups[..detections.len()]);
            black_box(tracker.tracks().len())
        });
    });
}

/// The whole core of one camera: tracks, 30 places in a zone, cases.
fn judge(criterion: &mut Criterion) {
    let text = r#"
edge = { street = "410102007", box = "box-1" }
[[camera]]
id = "cam-05"
source = "looks.jsonl"
zone = [{ id = "kerb", kind = "no_parking", grid = "g1", polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]] }]
"#;
    let file = ConfigFile::parse("edge.toml".as_ref(), text.to_owned()).unwrap();
    let plan = Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into())).unwrap();
    let vocabulary = Vocabulary::new(vec!["car".to_owned()]);
    let mut core = Judge::new(&plan.source(), &plan.cameras[0], vocabulary);
    let (mut at, mut look, mut detections, mut happenings) =
        (CaptureTime::default(), 0, Vec::new(), Vec::new());
    criterion.bench_function("core of one camera, 30 objects", |b| {
        b.iter(|| {
            look += 1;
            at = at.plus_seconds(0.2);
            street(look, &mut detections);
            happenings.clear();
            core.look(&Look { at, view: View::Clear, detections: &detections }, &mut happenings);
            black_box(happenings.len())
        });
    });
}

criterion_group!(benches, track, judge);
criterion_main!(benches);
