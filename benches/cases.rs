//! The scoreboard: scenes with a known truth through the core, over many seeds and levels of detector noise, beside
//! one case per track, which is what most programs do with the same detections, and beside who is told which box is of which
//! car, which is the best that can be had from them: `least p99`.
//! `cargo bench --bench cases -- [SEEDS] [--first SEED] [--only KIND,…] [--json] [--tell]`
//! `--tell` tells the story of each scene with something to note: truth, faults, what happened.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/scene/mod.rs"]
#[allow(dead_code, unreachable_pub)]
mod scene;

use std::io::IsTerminal as _;

use scene::board::{Row, row, story, trackers};
use scene::{KINDS, Kind, Noise};
use serde_json::{Value, json};

/// Levels of noise. At the slowest rate of a kind that has several, half of all detections missed is no fair question:
/// nothing is seen for many seconds at a time.
const LEVELS: [Noise; 3] = [Noise::CLEAN, Noise::NOISY, Noise::BAD];
/// Most failing seeds that are described in a row of the table; all of them are counted.
const NOTES: usize = 12;

/// What `--only` calls the measures of the tracker.
const TRACKER: &str = "tracker";
/// Most crossings for the measures of the tracker; each lasts two minutes.
const CROSSINGS: u64 = 20;

struct Asked {
    seeds: std::ops::Range<u64>,
    kinds: Vec<Kind>,
    json: bool,
    tell: bool,
    tracker: bool,
}

fn main() {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(what) => {
            eprintln!("{what}");
            eprintln!(
                "usage: cargo bench --bench cases -- [SEEDS] [--first SEED] [--only KIND,...] [--json] [--tell]"
            );
            std::process::exit(2);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if !asked.json {
        heading();
    }
    for kind in &asked.kinds {
        for (noise, interval) in levels(kind) {
            let name = format!("{} {} {interval} s", kind.name, noise.name);
            let progress = |done: u64| {
                // On a terminal only: a log is not to be filled with it.
                if std::io::stderr().is_terminal() {
                    eprint!("\r{name}: {done} of {} seeds   \r", asked.seeds.end - asked.seeds.start);
                }
            };
            let row = row(*kind, &noise, interval, asked.seeds.clone(), threads, &progress);
            if asked.json {
                println!("{}", as_json(kind, &noise, interval, &row));
            } else {
                print(&name, &row);
            }
            if asked.tell {
                row.noted.iter().for_each(|&seed| eprintln!("{}", story(*kind, seed, &noise, interval)));
            }
        }
    }
    if asked.tracker {
        tracker(&asked);
    }
}

/// Prints what the tracker is worth beside joining boxes by overlap alone, and beside the best that can be had from the
/// detections.
fn tracker(asked: &Asked) {
    let seeds = asked.seeds.start..asked.seeds.end.min(asked.seeds.start + CROSSINGS);
    if !asked.json {
        println!(
            "\n{:<22}{:<16}{:>8}{:>8}{:>10}",
            "crossings, 5 looks/s", "tracker", "MOTA", "IDF1", "switches"
        );
    }
    for noise in [Noise::CLEAN, Noise::NOISY, Noise::BAD] {
        for (name, mot) in trackers(seeds.clone(), &noise) {
            let (mota, idf1, switches) = (mot.mota(), mot.idf1(), mot.switches);
            if asked.json {
                let row = json!({
                    "scene": "crossing", "noise": noise.name, "interval_s": 0.2, "tracker": name, "mota": mota,
                    "idf1": idf1, "switches": switches, "objects": mot.objects, "missed": mot.missed,
                    "false": mot.false_boxes,
                });
                println!("{row}");
            } else {
                println!("{:<22}{name:<16}{mota:>8.3}{idf1:>8.3}{switches:>10}", noise.name);
            }
        }
    }
}

/// Noise and seconds between two looks at which `kind` is played.
fn levels(kind: &Kind) -> Vec<(Noise, f64)> {
    let mut levels = Vec::new();
    for (n, &interval) in kind.intervals.iter().enumerate() {
        let fair = if n == 0 { LEVELS.len() } else { 2 };
        levels.extend(LEVELS[..fair].iter().map(|&noise| (noise, interval)));
    }
    levels
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { seeds: 0..200, kinds: KINDS.to_vec(), json: false, tell: false, tracker: true };
    let (mut first, mut seeds) = (0, 200);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let number = |text: Option<String>| {
            let text = text.unwrap_or_default();
            text.parse::<u64>().map_err(|_| format!("`{text}`: expected a number of seeds"))
        };
        match argument.as_str() {
            // `cargo bench` adds it.
            "--bench" => {}
            "--json" => asked.json = true,
            "--tell" => asked.tell = true,
            "--first" => first = number(arguments.next())?,
            "--only" => {
                let names = arguments.next().unwrap_or_default();
                asked.tracker = names.split(',').any(|name| name == TRACKER);
                let names = names.split(',').filter(|&name| name != TRACKER);
                asked.kinds = names.map(kind).collect::<Result<_, _>>()?;
            }
            _ => seeds = number(Some(argument))?,
        }
    }
    asked.seeds = first..first + seeds;
    Ok(asked)
}

fn kind(name: &str) -> Result<Kind, String> {
    KINDS.iter().copied().find(|kind| kind.name == name).ok_or_else(|| {
        let all: Vec<&str> = KINDS.iter().map(|kind| kind.name).chain([TRACKER]).collect();
        format!("`{name}` is not a kind of scene: expected one of {}", all.join(", "))
    })
}

fn heading() {
    println!(
        "{:<22}{:>6} {:>6}{:>7}{:>6}{:>6} {:>8}{:>8}{:>7} {:>6}{:>6} {:>6}{:>5}{:>5}{:>6}{:>7}  {:>8}{:>7}{:>7}",
        "scene,",
        "true",
        "found",
        "missed",
        "dupl.",
        "wrong",
        "open p50",
        "p99",
        "least",
        "clear",
        "never",
        "msgs",
        "most",
        "held",
        "bytes",
        "core",
        "per track:",
        "",
        ""
    );
    println!(
        "{:<22}{:>6} {:>6}{:>7}{:>6}{:>6} {:>8}{:>8}{:>7} {:>6}{:>6} {:>6}{:>5}{:>5}{:>6}{:>7}  {:>8}{:>7}{:>7}",
        "noise, interval",
        "",
        "",
        "",
        "",
        "",
        "off by s",
        "s",
        "p99",
        "early",
        "",
        "/case",
        "",
        "back",
        "/case",
        "s/h",
        "missed",
        "dupl.",
        "wrong"
    );
}

fn print(name: &str, row: &Row) {
    let Row { score, naive, oracle, .. } = row;
    println!(
        "{name:<22}{:>6} {:>6}{:>7}{:>6}{:>6} {:>8.1}{:>8.1}{:>7} {:>6}{:>6} {:>6.2}{:>5}{:>5}{:>6.0}{:>7.3}  {:>8}{:>7}{:>7}",
        score.found + score.missed,
        score.found,
        score.missed,
        score.duplicates,
        score.wrong,
        score.late(0.5),
        score.late(0.99),
        oracle.as_ref().map_or("-".to_owned(), |oracle| format!("{:.1}", oracle.late(0.99))),
        score.cleared_early,
        score.never_cleared,
        per(score.messages as f64, score.found as f64),
        score.most_messages,
        row.held_back,
        per(row.bytes as f64, score.found as f64),
        per(row.cpu.as_secs_f64(), row.camera_hours),
        naive.missed,
        naive.duplicates,
        naive.wrong
    );
    for note in score.notes.iter().take(NOTES) {
        println!("    {note}");
    }
    if score.notes.len() > NOTES {
        println!("    and {} more; all failing seeds: {:?}", score.notes.len() - NOTES, row.failed);
    }
}

fn as_json(kind: &Kind, noise: &Noise, interval: f64, row: &Row) -> Value {
    let Row { score, naive, oracle, .. } = row;
    json!({
        "scene": kind.name,
        "noise": noise.name,
        "interval_s": interval,
        "looks": row.looks,
        "camera_hours": row.camera_hours,
        "true": score.found + score.missed,
        "found": score.found,
        "missed": score.missed,
        "duplicates": score.duplicates,
        "wrong": score.wrong,
        "cleared_early": score.cleared_early,
        "never_cleared": score.never_cleared,
        "opening_error_s": { "p50": score.late(0.5), "p99": score.late(0.99) },
        "least_opening_error_s":
            oracle.as_ref().map(|oracle| json!({ "p50": oracle.late(0.5), "p99": oracle.late(0.99) })),
        "messages": score.messages,
        "most_messages_of_a_case": score.most_messages,
        "held_back": row.held_back,
        "bytes": row.bytes,
        "core_cpu_s_per_camera_hour": per(row.cpu.as_secs_f64(), row.camera_hours),
        "per_track_dwell": {
            "found": naive.found,
            "missed": naive.missed,
            "duplicates": naive.duplicates,
            "wrong": naive.wrong,
        },
        "failed_seeds": row.failed,
        "notes": score.notes,
    })
}

fn per(value: f64, of: f64) -> f64 {
    if of > 0.0 { value / of } else { 0.0 }
}
