//! What the throttle costs a look, when nothing happens and when a case opens.
//! `cargo bench --bench throttle`

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gridpatrol::case::throttle::{Limits, Throttle};
use gridpatrol::case::{Case, CaseId, Change, Happening, RuleIndex};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::{ConfigFile, GridProfile};
use gridpatrol::detect::{BBox, Detection, Label, Vocabulary};
use gridpatrol::place::{GridBasis, GridId};
use gridpatrol::plan::{Input, Plan};

const CONFIG: &str = r#"
edge = { street = "1", box = "b" }
[[camera]]
id = "a"
source = "x.jsonl"
zone = [{ id = "kerb", kind = "no_parking", grid = "g", polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] }]
"#;

fn at(seconds: u32) -> CaptureTime {
    CaptureTime::default().plus_seconds(f64::from(seconds))
}

fn happening(n: u32, change: Change, seconds: u32) -> Happening {
    let x1 = (n % 64) as f32 / 64.0;
    let bbox = BBox { x1, y1: 0.4, x2: x1 + 0.01, y2: 0.5 };
    let case = Case {
        id: CaseId::parse(&format!("01934f6e-5c1a-8b3e-9a54-{n:012x}")).unwrap(),
        rule: RuleIndex(0),
        first_seen: at(seconds),
        opened: at(seconds),
        last_seen: at(seconds),
        looks: 100,
        hits: 90,
        objects: vec![Detection { label: Label(0), score: 0.8, bbox }],
        grid: GridId::parse("g", GridProfile::Opaque).unwrap(),
        grid_basis: GridBasis::default(),
        position: None,
    };
    Happening { change, at: at(seconds), case }
}

/// A box that remembers 1000 cases of which the last 30 stand, and those.
fn busy(plan: &Plan) -> (Throttle, Vec<Case>, u32) {
    let mut throttle = Throttle::new(Limits { cases_per_hour: 1000, ..Limits::default() });
    let (mut standing, mut t) = (Vec::new(), 0);
    let names = Vocabulary::default();
    for n in 0..1000 {
        t += 600;
        let opened = happening(n, Change::Opened, t);
        throttle.look(&plan.cameras[0], at(t), std::slice::from_ref(&opened), &names);
        if n >= 970 {
            standing.push(opened.case);
        } else {
            t += 1;
            let cleared = happening(n, Change::Cleared, t);
            throttle.look(&plan.cameras[0], at(t), &[cleared], &names);
        }
    }
    (throttle, standing, t)
}

fn throttle(c: &mut Criterion) {
    let file = ConfigFile::parse("edge.toml".as_ref(), CONFIG.to_owned()).unwrap();
    let plan = Plan::for_replay(&file, "a", Input::Detections("x.jsonl".into())).unwrap();
    let camera = &plan.cameras[0];
    let names = Vocabulary::default();
    let (throttle, standing, t) = busy(&plan);
    println!("state: {} bytes", throttle.save().unwrap().len());
    c.bench_function("throttle, a look on which nothing happens", |b| {
        b.iter(|| black_box(throttle.wanted(camera, at(t + 1), standing.iter())));
    });
    let opened = [happening(2000, Change::Opened, t + 1)];
    c.bench_function("throttle, a case opens, state saved", |b| {
        b.iter_batched(
            || throttle.clone(),
            |mut throttle| {
                let told = throttle.look(camera, at(t + 1), &opened, &names);
                (told, throttle.save().unwrap(), throttle)
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, throttle);
criterion_main!(benches);
