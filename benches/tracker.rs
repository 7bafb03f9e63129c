//! The tracker on a full street: 30 objects, half of them on the move, one in ten missed on each look.
//! `cargo bench --bench tracker`

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gridpatrol::clock::CaptureTime;
use gridpatrol::detect::{BBox, Detection, Label};
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

criterion_group!(benches, track);
criterion_main!(benches);
