//! Non-maximum suppression: a full street, and as many candidates as are ever looked at.
//! `cargo bench --bench nms`

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gridpatrol::case::catalog::CATALOG;
use gridpatrol::detect::Vocabulary;
use gridpatrol::detect::heads::Candidate;
use gridpatrol::detect::nms::Nms;

/// `each` candidates around each of `objects`, in the order of their proposals.
fn candidates(objects: usize, each: usize) -> Vec<Candidate> {
    let of = |object: usize, n: usize| {
        let (x, y) = ((object % 25) as f32 * 16.0 + n as f32 * 0.3, (object / 25) as f32 * 20.0);
        Candidate {
            class: (object % 3) as u16,
            score: 0.3 + ((object * 7 + n * 13) % 60) as f32 / 100.0,
            corners: [x, y, x + 14.0, y + 18.0],
            anchor: (object * each + n) as u32,
        }
    };
    (0..objects).flat_map(|object| (0..each).map(move |n| of(object, n))).collect()
}

fn suppress(criterion: &mut Criterion) {
    let nms =
        Nms::new(&Vocabulary::new(["person", "car", "truck"].map(str::to_owned).to_vec()), &CATALOG, 0.6);
    for (name, objects, each) in [("30 objects, 10 each", 30, 10), ("1000 apart", 1000, 1)] {
        let all = candidates(objects, each);
        criterion.bench_function(&format!("nms {name}"), |b| {
            b.iter_batched_ref(
                || all.clone(),
                |candidates| {
                    nms.run(candidates);
                    black_box(candidates.len())
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, suppress);
criterion_main!(benches);
