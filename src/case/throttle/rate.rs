//! How many cases may open within an hour.

use serde::{Deserialize, Serialize};

use super::place::{Key, Subject};
use super::tally::Reason;
use crate::clock::CaptureTime;

/// Length of the window over which openings are counted, in seconds.
const WINDOW_S: f64 = 3600.0;

/// The bounds of the throttle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Least seconds between a message of a case and an update of it.
    pub update_s: f64,
    /// Most cases that open within an hour for each pair of grid and kind.
    pub cases_per_hour: u32,
    /// Most cases that open within an hour for each camera.
    pub camera_cases_per_hour: u32,
    /// Seconds for which a first rejected verdict quiets its place and kind.
    pub quiet_s: f64,
    /// Longest time for which rejected verdicts quiet a place and kind, in seconds.
    pub longest_quiet_s: f64,
    /// How far apart on the ground two cameras may see one and the same violation, in metres.
    pub same_violation_m: f64,
    /// Wanted share of true cases among those that are told, learnt from verdicts; 0 learns nothing.
    pub precision: f64,
    /// Least share of true cases that learning lets through.
    pub recall: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            update_s: 3600.0,
            cases_per_hour: 60,
            camera_cases_per_hour: 120,
            quiet_s: 3600.0,
            longest_quiet_s: 7.0 * 86_400.0,
            same_violation_m: 3.0,
            precision: 0.8,
            recall: 0.97,
        }
    }
}

/// The openings that were told within the last hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Rates {
    by_key: Vec<(Key, Vec<CaptureTime>)>,
    by_camera: Vec<(String, Vec<CaptureTime>)>,
}

impl Rates {
    /// Which limit stands in the way of one more opening of `subject`.
    pub(super) fn exceeded(&self, subject: &Subject, now: CaptureTime, limits: &Limits) -> Option<Reason> {
        let place = &subject.place;
        if told(&self.by_key, &place.key, now) >= limits.cases_per_hour as usize {
            Some(Reason::Rate)
        } else if told(&self.by_camera, &place.camera, now) >= limits.camera_cases_per_hour as usize {
            Some(Reason::CameraRate)
        } else {
            None
        }
    }

    /// Counts an opening of `subject` told at `now`.
    pub(super) fn count(&mut self, subject: &Subject, now: CaptureTime) {
        add(&mut self.by_key, &subject.place.key, now);
        add(&mut self.by_camera, &subject.place.camera, now);
    }
}

fn is_fresh(at: CaptureTime, now: CaptureTime) -> bool {
    now.seconds_since(at) < WINDOW_S
}

fn told<K: PartialEq>(of: &[(K, Vec<CaptureTime>)], key: &K, now: CaptureTime) -> usize {
    let times = of.iter().find(|(known, _)| known == key).map_or(&[][..], |(_, times)| times);
    times.iter().filter(|at| is_fresh(**at, now)).count()
}

fn add<K: PartialEq + Clone>(to: &mut Vec<(K, Vec<CaptureTime>)>, key: &K, now: CaptureTime) {
    to.retain_mut(|(_, times)| {
        times.retain(|at| is_fresh(*at, now));
        !times.is_empty()
    });
    match to.iter_mut().find(|(known, _)| known == key) {
        Some((_, times)) => times.push(now),
        None => to.push((key.clone(), vec![now])),
    }
}
