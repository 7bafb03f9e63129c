//! The scoreboard: many seeds of one kind of scene at one level of noise and one rate of looks, through the engine
//! and through per-track dwell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gridpatrol::clock::CaptureTime;

use super::baseline::per_track_dwell;
use super::crossing::{Subject, measure};
use super::mot::Mot;
use super::oracle::oracle;
use super::play::{plan_of, play_timed};
use super::score::{Score, score_openings, score_timed, told};
use super::sent::sent;
use super::{Kind, Noise};

/// What came of one row of the scoreboard.
#[derive(Debug, Default)]
pub struct Row {
    /// Of the engine.
    pub score: Score,
    /// Of per-track dwell.
    pub naive: Score,
    /// Of an observer who is told which box is of which car; `None` where that is no question.
    pub oracle: Option<Score>,
    /// Bytes of the events as JSON.
    pub bytes: usize,
    /// Cases that the throttle held back, to be counted by a later message.
    pub held_back: usize,
    /// CPU time of the core.
    pub cpu: Duration,
    pub looks: u64,
    pub camera_hours: f64,
    /// Seeds on which the engine was not right.
    pub failed: Vec<u64>,
    /// Seeds with something to note, late openings included.
    pub noted: Vec<u64>,
}

impl Row {
    fn add(&mut self, other: Self) {
        self.score.add(other.score);
        self.naive.add(other.naive);
        if let Some(oracle) = other.oracle {
            self.oracle.get_or_insert_default().add(oracle);
        }
        self.bytes += other.bytes;
        self.held_back += other.held_back;
        self.cpu += other.cpu;
        self.looks += other.looks;
        self.camera_hours += other.camera_hours;
        self.failed.extend(other.failed);
        self.noted.extend(other.noted);
    }
}

/// Plays `seeds` of `kind` on `threads` threads; `done` is called after each seed with how many are done.
pub fn row(
    kind: Kind,
    noise: &Noise,
    interval: f64,
    seeds: std::ops::Range<u64>,
    threads: usize,
    done: &(dyn Fn(u64) + Sync),
) -> Row {
    let next = AtomicU64::new(seeds.start);
    let finished = AtomicU64::new(0);
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let row = one(kind, seed, noise, interval);
                    rows.lock().unwrap().push((seed, row));
                    done(finished.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    // The order of the notes is that of the seeds, whatever the threads did.
    rows.sort_by_key(|&(seed, _)| seed);
    let mut total = Row::default();
    rows.into_iter().for_each(|(_, row)| total.add(row));
    total
}

fn one(kind: Kind, seed: u64, noise: &Noise, interval: f64) -> Row {
    let scene = (kind.make)(seed, noise, interval);
    let plan = plan_of(&scene.zones);
    let played = play_timed(&plan, &scene);
    let mut score = score_timed(&scene, &plan, &played.happenings, &played.when);
    let sent = sent(&plan, &scene);
    (score.messages, score.most_messages) = (sent.messages, sent.most);
    let failed = if score.is_right() { Vec::new() } else { vec![seed] };
    let noted = if score.notes.is_empty() { Vec::new() } else { vec![seed] };
    let mut naive = score_openings(&scene, &per_track_dwell(&plan, &scene));
    naive.notes.clear();
    Row {
        score,
        naive,
        oracle: oracle(&plan, &scene),
        bytes: sent.bytes,
        held_back: sent.held_back,
        cpu: played.cpu,
        looks: scene.looks.len() as u64,
        camera_hours: scene.length_s / 3600.0,
        failed,
        noted,
    }
}

/// The story of one scene: its truth, its faults and what the engine made of it.
pub fn story(kind: Kind, seed: u64, noise: &Noise, interval: f64) -> String {
    let scene = (kind.make)(seed, noise, interval);
    let plan = plan_of(&scene.zones);
    let played = play_timed(&plan, &scene);
    let mut story = format!("{}\n", scene.name);
    let mut say = |line: String| story.push_str(&format!("    {line}\n"));
    scene.truth.iter().for_each(|v| say(format!("true    {}", told(v))));
    say(format!("faults  {:?}", scene.faults));
    say(format!("restarts {:?}", scene.restarts));
    for thing in scene.things.iter().filter(|thing| thing.path.len() != 2) {
        say(format!("thing   {} {:.0}x{:.0} {:.1?}", thing.label, thing.width, thing.height, thing.path));
    }
    for (happening, when) in played.happenings.iter().zip(&played.when) {
        let case = &happening.case;
        let bbox = case.objects.first().map(|object| object.bbox);
        let since = case.first_seen.seconds_since(CaptureTime::default());
        say(format!(
            "{when:>7.1} {:?} {} since {since:.1}, {bbox:.3?}",
            happening.change,
            &case.id.as_str()[..8]
        ));
    }
    story
}

/// MOTA, IDF1 and id switches of the trackers on the crossings of `seeds`, for one level of noise.
pub fn trackers(seeds: std::ops::Range<u64>, noise: &Noise) -> [(&'static str, Mot); 3] {
    let measured = |subject| measure(subject, seeds.clone(), noise, 0.2);
    [
        ("engine", measured(Subject::Engine)),
        ("overlap alone", measured(Subject::Plain)),
        ("true numbers", measured(Subject::Perfect)),
    ]
}
