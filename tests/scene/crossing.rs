//! A crossing for the tracker: people who cross in both directions and pass in front of each other, cars in two lanes,
//! buses that stop in front of what is behind them, with the number of each object known on each look.
//!
//! Fair: only what is at least two fifths visible and inside the picture has to be tracked, as it also can be detected.

use gridpatrol::case::catalog::CATALOG;
use gridpatrol::clock::CaptureTime;
use gridpatrol::detect::{BBox, Detection, Label};
use gridpatrol::track::Tracker;

use super::camera::{Faults, Noise, Seen, detect, in_view};
use super::dice::Dice;
use super::mot::Mot;
use super::world::{HEIGHT, Thing, WIDTH};

/// Length of a sequence, in seconds.
const LENGTH_S: f64 = 120.0;
/// IoU from which the plain tracker takes a box for the one before it.
const PLAIN_OVERLAP: f32 = 0.3;
/// Looks after which the plain tracker gives a box up.
const PLAIN_PATIENCE: u32 = 5;

/// Which tracker is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The engine's.
    Engine,
    /// Boxes joined by greatest overlap with the last one, without motion: what is written in an afternoon.
    Plain,
    /// The detections themselves under their true numbers: no tracker can do better with what is detected.
    Perfect,
}

/// One look: true boxes by object, and what the detector said.
struct Look {
    at: CaptureTime,
    objects: Vec<(u64, BBox)>,
    seen: Vec<Seen>,
}

/// What `subject` makes of the crossings of `seeds`, looked at each `interval` seconds.
pub fn measure(subject: Subject, seeds: std::ops::Range<u64>, noise: &Noise, interval: f64) -> Mot {
    let mut mot = Mot::default();
    for seed in seeds {
        let looks = sequence(seed, noise, interval);
        match subject {
            Subject::Engine => engine(&looks, &mut mot),
            Subject::Plain => plain(&looks, &mut mot),
            Subject::Perfect => perfect(&looks, &mut mot),
        }
        mot.end_sequence();
    }
    mot
}

fn sequence(seed: u64, noise: &Noise, interval: f64) -> Vec<Look> {
    let mut dice = Dice::new(seed);
    let things = things(&mut dice);
    let faults = Faults::default();
    let count = (LENGTH_S / interval) as usize;
    (0..count)
        .map(|n| {
            let t = n as f64 * interval;
            let scaled = |b: [f64; 4]| {
                BBox::from([b[0] / WIDTH, b[1] / HEIGHT, b[2] / WIDTH, b[3] / HEIGHT].map(|v| v as f32))
            };
            Look {
                at: CaptureTime::default().plus_seconds(t),
                // What is half hidden is taken for what shows of it, as the detector reports it.
                objects: in_view(&things, t)
                    .into_iter()
                    .map(|(index, inside, share, part)| {
                        (index as u64, scaled(if share > 0.85 { inside } else { part }))
                    })
                    .collect(),
                seen: detect(&things, t, &faults, noise, &mut dice),
            }
        })
        .collect()
}

fn things(dice: &mut Dice) -> Vec<Thing> {
    let mut things = Vec::new();
    let mut cross = |label, width: f64, height, y, takes: f64, dice: &mut Dice| {
        let t = dice.between(-10.0, LENGTH_S - 5.0);
        let (from, to) = (-width / 2.0 - 5.0, WIDTH + width / 2.0 + 5.0);
        let (from, to) = if dice.chance(0.5) { (from, to) } else { (to, from) };
        things.push(Thing { label, width, height, path: vec![(t, from, y), (t + takes, to, y)] });
    };
    for _ in 0..24 {
        let height = dice.between(130.0, 180.0);
        let (y, takes) = (dice.between(560.0, 700.0), dice.between(12.0, 30.0));
        cross("person", height / 3.0, height, y, takes, dice);
    }
    for _ in 0..14 {
        let (width, height) = (dice.between(140.0, 175.0), dice.between(72.0, 95.0));
        let (y, takes) = ([350.0, 440.0][dice.below(2)], dice.between(5.0, 10.0));
        cross("car", width, height, y, takes, dice);
    }
    for n in 0..3 {
        // A bus stops in front of the lanes; cars pass behind it.
        let t = 10.0 + 35.0 * f64::from(n) + dice.between(0.0, 8.0);
        let (x, wait) = (dice.between(300.0, 980.0), dice.between(6.0, 14.0));
        let path = vec![
            (t - 4.0, -250.0, 540.0),
            (t, x, 540.0),
            (t + wait, x, 540.0),
            (t + wait + 5.0, WIDTH + 250.0, 540.0),
        ];
        things.push(Thing { label: "bus", width: 430.0, height: 215.0, path });
    }
    // Parked behind where the buses stop.
    for x in [350.0, 640.0, 930.0] {
        let path = vec![(0.0, x, 400.0), (LENGTH_S + 1.0, x, 400.0)];
        things.push(Thing { label: "car", width: 155.0, height: 84.0, path });
    }
    things
}

fn engine(looks: &[Look], mot: &mut Mot) {
    let names = ["person", "car", "truck", "bus", "bicycle"];
    let number = |name: &str| names.iter().position(|known| *known == name).unwrap() as u16;
    let mut tracker = Tracker::default();
    for look in looks {
        let detections: Vec<Detection> = look
            .seen
            .iter()
            .map(|s| Detection { label: Label(number(s.label)), score: s.score, bbox: s.bbox.into() })
            .collect();
        let groups: Vec<u16> =
            look.seen.iter().map(|s| u16::from(CATALOG.group(s.label) == "vehicle")).collect();
        tracker.look(look.at, &detections, &groups);
        let tracks = tracker.tracks().iter().filter(|track| track.last_seen == look.at);
        let tracks: Vec<(u64, BBox)> = tracks.map(|track| (track.number, track.bbox())).collect();
        mot.look(&look.objects, &tracks);
    }
}

fn plain(looks: &[Look], mot: &mut Mot) {
    let mut tracks: Vec<(u64, BBox, u32)> = Vec::new();
    let mut next = 0;
    for look in looks {
        let mut free: Vec<usize> = (0..tracks.len()).collect();
        let mut reported = Vec::new();
        for seen in &look.seen {
            let bbox = BBox::from(seen.bbox);
            let best = free
                .iter()
                .copied()
                .map(|index| (index, tracks[index].1.iou(&bbox)))
                .filter(|&(_, overlap)| overlap >= PLAIN_OVERLAP)
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let number = match best {
                Some((index, _)) => {
                    free.retain(|&other| other != index);
                    tracks[index] = (tracks[index].0, bbox, 0);
                    tracks[index].0
                }
                None => {
                    next += 1;
                    tracks.push((next, bbox, 0));
                    next
                }
            };
            reported.push((number, bbox));
        }
        free.into_iter().for_each(|index| tracks[index].2 += 1);
        tracks.retain(|&(_, _, missed)| missed <= PLAIN_PATIENCE);
        mot.look(&look.objects, &reported);
    }
}

fn perfect(looks: &[Look], mot: &mut Mot) {
    let mut ghosts = 1_000_000;
    for look in looks {
        let reported: Vec<(u64, BBox)> = look
            .seen
            .iter()
            .map(|seen| {
                ghosts += 1;
                (seen.thing.map_or(ghosts, |index| index as u64), seen.bbox.into())
            })
            .collect();
        mot.look(&look.objects, &reported);
    }
}
