//! From a network's outputs to candidates, at the sizes of a street: nearly every row has nothing.
//! `cargo bench --bench heads`

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gridpatrol::detect::heads::HeadSpec;

const PROPOSALS: usize = 3549;
const CLASSES: usize = 80;

fn boxes_scores(criterion: &mut Criterion) {
    let manifest = format!(
        "kind = \"boxes_scores\"\nboxes = \"boxes\"\nscores = \"scores\"\n\
         proposals = {PROPOSALS}\nclasses = {CLASSES}"
    );
    let head: HeadSpec = toml::from_str(&manifest).unwrap();
    let boxes: Vec<f32> = (0..PROPOSALS * 4).map(|n| (n % 397) as f32).collect();
    for (name, objects) in [("an empty street", 0), ("30 objects, 10 proposals each", 300)] {
        let mut scores = vec![0.01_f32; PROPOSALS * CLASSES];
        for object in 0..objects {
            scores[(object * 11 % PROPOSALS) * CLASSES + object % CLASSES] = 0.7;
        }
        let mut candidates = Vec::new();
        criterion.bench_function(&format!("boxes+scores 3549x80, {name}"), |b| {
            b.iter(|| {
                candidates.clear();
                head.candidates(black_box(&[&boxes, &scores]), 0.2, &mut candidates);
                candidates.len()
            });
        });
    }
}

criterion_group!(benches, boxes_scores);
criterion_main!(benches);
