//! From a network's outputs to candidates, at the sizes of a street: nearly every row has nothing.
//! `cargo bench --bench heads`

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gridpatrol::detect::heads::{Classes, Head, HeadSpec, InputSize};

/// Every head at the size that its family is known for, 80 classes.
const HEADS: [(&str, usize, &str); 7] = [
    ("boxes_scores", 416, "boxes = 'b'\nscores = 's'\nproposals = 3549"),
    ("yolox", 416, "output = 'o'\nproposals = 3549"),
    ("yolo_v5", 640, "output = 'o'\nproposals = 25200"),
    ("yolo_v8", 640, "output = 'o'\nproposals = 8400"),
    ("end_to_end", 640, "output = 'o'\nproposals = 300"),
    ("detr", 640, "logits = 'l'\nboxes = 'b'\nproposals = 300\nscores = 'sigmoid'"),
    (
        "ssd",
        300,
        "boxes = 'b'\nclass_ids = 'c'\nscores = 's'\nproposals = 100\ncorners = 'yxyx'\nunit = 'normalised'",
    ),
];

fn heads(criterion: &mut Criterion) {
    for (kind, side, keys) in HEADS {
        let spec: HeadSpec = toml::from_str(&format!("kind = '{kind}'\nclasses = 80\n{keys}")).unwrap();
        let head = Head::new(spec, InputSize { width: side, height: side }, Classes::all(80));
        // A logit of -4 is a score of 0.018, and so is 0.018 itself near nothing to the others.
        let nothing = if kind == "detr" { -4.0 } else { 0.018 };
        let tables: Vec<Vec<f32>> =
            head.outputs().iter().map(|o| vec![nothing; o.shape.iter().product()]).collect();
        let outputs: Vec<&[f32]> = tables.iter().map(Vec::as_slice).collect();
        let mut candidates = Vec::new();
        criterion.bench_function(&format!("{kind}, an empty street"), |b| {
            b.iter(|| {
                candidates.clear();
                head.candidates(black_box(&outputs), 0.2, &mut candidates);
                candidates.len()
            });
        });
    }
}

criterion_group!(benches, heads);
criterion_main!(benches);
