//! The scoreboard: scenes with a known truth through the core, over many seeds and levels of detector noise.
//! `cargo bench --bench cases -- [SEEDS]`

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/scene/mod.rs"]
#[allow(dead_code, unreachable_pub)]
mod scene;

use std::time::Instant;

use scene::score::{Score, plan, play, score};
use scene::street::LENGTH_S;
use scene::{Noise, street};

fn main() {
    let seeds: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(200);
    let plan = plan();
    println!(
        "{:<22}{:>7}{:>7}{:>7}{:>7}{:>9}{:>9}{:>9}{:>12}",
        "scene", "found", "missed", "dupl.", "wrong", "late p50", "late p99", "msg/case", "core-s/h"
    );
    for (noise, interval) in [
        (Noise::CLEAN, 0.2),
        (Noise::NOISY, 0.2),
        (Noise::BAD, 0.2),
        (Noise::CLEAN, 2.0),
        (Noise::NOISY, 2.0),
    ] {
        let mut total = Score::default();
        let mut cpu_s = 0.0;
        for seed in 0..seeds {
            let scene = street(seed, &noise, interval);
            let began = Instant::now();
            let happenings = play(&plan, &scene);
            cpu_s += began.elapsed().as_secs_f64();
            total.add(score(&scene, &happenings));
        }
        println!(
            "{:<22}{:>7}{:>7}{:>7}{:>7}{:>7.1} s{:>7.1} s{:>9.2}{:>12.2}",
            format!("street {} {interval} s", noise.name),
            total.found,
            total.missed,
            total.duplicates,
            total.wrong,
            total.late(0.5),
            total.late(0.99),
            total.messages as f64 / total.found.max(1) as f64,
            cpu_s / (seeds as f64 * LENGTH_S / 3600.0),
        );
        for note in total.notes.iter().take(12) {
            println!("    {note}");
        }
    }
}
