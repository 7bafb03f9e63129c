//! People who pass each other: while one hides the other, nobody can tell which of the two a box is of, and their
//! numbers may change hands. Once they are apart again, how each of them goes tells if they did.
//!
//! # Invariants
//! - Only what was seen while somebody was alone tells how he goes.
//! - Without evidence beyond doubt everybody stays who he was.

use serde::{Deserialize, Serialize};

use super::company::ASPECT;
use super::stay::{Rate, Stay};
use crate::clock::CaptureTime;
use crate::detect::BBox;

/// Two are near each other from this gap between their sides …
const GAP: f32 = 0.25;
/// … and these lines on the ground apart, in heights of the taller one: at that, one box can be taken for the other's.
const LINES: f32 = 0.8;
/// Sightings from which it is known how somebody goes …
const KNOWN: u32 = 3;
/// … and how many of the latest tell.
const LATEST: u32 = 8;
/// How far from the line on which he walked somebody is found, as a deviation in his heights …
const OFF_LINE: f32 = 0.05;
/// … and how far he strays from it in a second; like all that is strayed, it grows with the root of the time.
const STRAYS_LINE: f32 = 0.06;
/// How far from where he would be had he walked on, in the same way …
const OFF_WAY: f32 = 0.2;
/// … and how far he strays in a second, in which he walks 0.8 of his height unless he stops.
const STRAYS_WAY: f32 = 0.4;
/// No single box says more than this against a person, in squared deviations: a model of how people walk is only that.
const MOST_ODD: f32 = 25.0;
/// From how much less odd it would be had two changed places they have: 20 to 1, in squared deviations.
const SURE: f32 = 6.0;
/// How odd it may be at most that they have, in squared deviations for each of them.
const FITS: f32 = 9.0;
/// What is not known after so long, in seconds, will not be.
const LONGEST_S: f64 = 30.0;
/// Most meetings at once: a crowd cannot be told apart anyway.
const MOST_MEETINGS: usize = 64;

/// How somebody goes, from his latest sightings alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gait {
    sightings: u32,
    at: CaptureTime,
    /// Where he was, and how he went across, 0-1 of the picture and the same in a second.
    x: f32,
    across: f32,
    /// The lines on which his head and his feet go.
    head: f32,
    foot: f32,
}

impl Gait {
    /// He was seen in `seen` at `at`, on his way at `across`.
    fn hear(&mut self, seen: &BBox, at: CaptureTime, across: f32) {
        self.sightings = (self.sightings + 1).min(LATEST);
        let share = 1.0 / self.sightings as f32;
        self.head += share * (seen.y1 - self.head);
        self.foot += share * (seen.y2 - self.foot);
        (self.at, self.x, self.across) = (at, seen.centre().0, across);
    }

    fn is_known(&self) -> bool {
        self.sightings >= KNOWN
    }

    /// How odd it is that somebody who went like this goes like `later` now, in squared deviations.
    fn odd(&self, later: &Self) -> f32 {
        let since_s = later.at.seconds_since(self.at).max(0.0) as f32;
        let height = (self.foot - self.head).max(later.foot - later.head).max(f32::EPSILON);
        let x = (later.x - self.x - self.across * since_s) * ASPECT / height;
        // The feet may be hidden by something else.
        let y = (later.head - self.head).abs().min((later.foot - self.foot).abs()) / height;
        let off =
            |by: f32, at_once: f32, strays: f32| by * by / (at_once * at_once + strays * strays * since_s);
        (off(x, OFF_WAY, STRAYS_WAY) + off(y, OFF_LINE, STRAYS_LINE)).min(MOST_ODD)
    }
}

/// Those who meet or met, as long as it is not known who went on as whom.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Meetings(Vec<Meeting>);

/// Two who were near each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Meeting {
    who: [u64; 2],
    /// How each of them went before, as far as that is known.
    before: [Option<Gait>; 2],
    began: CaptureTime,
}

impl Meetings {
    /// Takes in who is near whom at `at`, and gives those who went on as each other back what is theirs.
    pub(super) fn look(&mut self, at: CaptureTime, stays: &mut [Stay], rate: &Rate) {
        // Whoever is lost is not where he was.
        let is_there = |stay: &Stay| !stay.guess && stay.is_regainable(at, rate);
        for index in 0..stays.len() {
            if !is_there(&stays[index]) {
                continue;
            }
            let mut alone = true;
            for other in 0..stays.len() {
                if other == index || !is_there(&stays[other]) || !are_near(&stays[index], &stays[other]) {
                    continue;
                }
                alone = false;
                if index < other {
                    self.note(at, &stays[index], &stays[other]);
                }
            }
            let stay = &mut stays[index];
            if !alone {
                continue;
            }
            if stay.whereabouts.seen == at {
                let (bbox, across) = (stay.whereabouts.latest.bbox, stay.velocity().0);
                stay.gait.hear(&bbox, at, across);
            }
        }
        // How they went before is noted by now: what is heard from here on is how they went on.
        for meeting in &self.0 {
            if meeting.began == at {
                for stay in stays.iter_mut().filter(|stay| meeting.who.contains(&stay.serial)) {
                    stay.gait = Gait::default();
                }
            }
        }
        self.0.retain(|meeting| {
            at.seconds_since(meeting.began) <= LONGEST_S && !settle(meeting, stays, at, rate)
        });
    }

    /// Whoever was called `found` is `known`.
    pub(super) fn rename(&mut self, found: u64, known: u64) {
        for meeting in &mut self.0 {
            meeting.who.iter_mut().filter(|who| **who == found).for_each(|who| *who = known);
        }
        // The older of two meetings of the same two knows how they went before.
        let mut index = 0;
        while index < self.0.len() {
            let who = self.0[index].who;
            let again = |older: &Meeting| older.who == who || older.who == [who[1], who[0]];
            if who[0] == who[1] || self.0[..index].iter().any(again) {
                self.0.remove(index);
            } else {
                index += 1;
            }
        }
    }

    fn note(&mut self, at: CaptureTime, a: &Stay, b: &Stay) {
        let who = [a.serial, b.serial];
        let known = |meeting: &Meeting| meeting.who == who || meeting.who == [who[1], who[0]];
        let before = [a, b].map(|stay| stay.gait.is_known().then_some(stay.gait));
        if before != [None, None] && self.0.len() < MOST_MEETINGS && !self.0.iter().any(known) {
            self.0.push(Meeting { who, before, began: at });
        }
    }
}

/// Whether one of them may be taken for the other.
fn are_near(a: &Stay, b: &Stay) -> bool {
    let (a, b) = (&a.whereabouts.place, &b.whereabouts.place);
    let height = a.height().max(b.height());
    let gap = (a.x1.max(b.x1) - a.x2.min(b.x2)).max(0.0);
    gap * ASPECT <= GAP * height && (a.y2 - b.y2).abs() <= LINES * height
}

/// Whether the meeting is over and known to have ended one way or the other, or nobody is left to tell. Sets right who
/// is who.
fn settle(meeting: &Meeting, stays: &mut [Stay], at: CaptureTime, rate: &Rate) -> bool {
    let [a, b] = meeting.who.map(|who| stays.iter().position(|stay| stay.serial == who && !stay.guess));
    let (Some(a), Some(b)) = (a, b) else { return true };
    let after = [stays[a].gait, stays[b].gait];
    let is_lost = [a, b].map(|index| !stays[index].is_regainable(at, rate));
    let is_told = |n: usize| is_lost[n] || after[n].is_known();
    if is_lost == [true, true] {
        return true;
    }
    if !is_told(0) || !is_told(1) || (is_lost == [false, false] && are_near(&stays[a], &stays[b])) {
        return false;
    }
    // How odd it is that each went on as the one or the other, of those that were seen since.
    let odd = |now: usize, was: usize| {
        let before = if is_lost[now] { None } else { meeting.before[was] };
        before.map(|before| before.odd(&after[now]))
    };
    let (stayed, changed) = ([odd(0, 0), odd(1, 1)], [odd(0, 1), odd(1, 0)]);
    let sum = |odds: &[Option<f32>]| odds.iter().flatten().sum::<f32>();
    // With one of them lost or new, the other one must be known as both.
    let comparable = is_lost == [false, false] || meeting.before.iter().all(Option::is_some);
    let fits = changed.iter().flatten().all(|&odd| odd <= FITS);
    if comparable && fits && sum(&stayed) - sum(&changed) >= SURE {
        let (first, second) = (a.min(b), a.max(b));
        let (before, from) = stays.split_at_mut(second);
        before[first].exchange(&mut from[0]);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detection, Label};
    use crate::rule::scene::Scene;
    use crate::track::Tracker;

    /// How somebody goes who was seen at `x` after `seconds`, on his way at `across`, with his feet at `foot`.
    fn gait(seconds: f64, x: f32, across: f32, foot: f32) -> Gait {
        let mut gait = Gait::default();
        for look in -9..=0 {
            let ago_s = 0.2 * f64::from(look);
            let x = x + across * ago_s as f32;
            let seen = BBox { x1: x - 0.02, y1: foot - 0.22, x2: x + 0.02, y2: foot };
            gait.hear(&seen, CaptureTime::default().plus_seconds(seconds + ago_s), across);
        }
        gait
    }

    #[test]
    fn who_walks_on_is_told_from_who_stands() {
        let (walks, stands) = (gait(10.0, 0.40, 0.06, 0.90), gait(10.0, 0.50, 0.0, 0.82));
        let (walked, stood) = (gait(13.0, 0.58, 0.06, 0.90), gait(13.0, 0.50, 0.0, 0.82));
        let stayed = walks.odd(&walked) + stands.odd(&stood);
        let changed = walks.odd(&stood) + stands.odd(&walked);
        assert!(stayed < 1.0 && changed - stayed >= SURE, "{stayed} {changed}");
    }

    #[test]
    fn two_who_walk_abreast_are_not_told_apart() {
        let (a, b) = (gait(10.0, 0.40, 0.06, 0.90), gait(10.0, 0.41, 0.06, 0.89));
        let (c, d) = (gait(13.0, 0.58, 0.06, 0.90), gait(13.0, 0.59, 0.06, 0.89));
        let (stayed, changed) = (a.odd(&c) + b.odd(&d), a.odd(&d) + b.odd(&c));
        assert!((changed - stayed).abs() < SURE, "{stayed} {changed}");
    }

    /// Two people who are seen at `xs` on the look at `at`.
    fn look(tracker: &mut Tracker, stays: &mut Vec<Stay>, at: CaptureTime, xs: [f32; 2]) {
        let person = |x: f32| Detection {
            label: Label(0),
            score: 0.8,
            bbox: BBox { x1: x - 0.02, y1: 0.68, x2: x + 0.02, y2: 0.90 },
        };
        let (detections, groups) = (xs.map(person), [0, 0]);
        tracker.look(at, &detections, &groups);
        let covers: Vec<BBox> = tracker.tracks().iter().map(|track| track.cover(at)).collect();
        let scene = Scene {
            at,
            detections: &detections,
            groups: &groups,
            tracker,
            covers: &covers,
            usual_step_s: 0.2,
            longest_step_s: 5.0,
        };
        for index in 0..xs.len() {
            match stays.get_mut(index) {
                Some(stay) => stay.locate(&scene, index),
                None => stays.push(Stay::new(index as u64, &scene, index)),
            }
        }
    }

    #[test]
    fn only_what_was_seen_while_somebody_was_alone_tells_how_he_goes() {
        let (mut tracker, mut stays, mut meetings) = (Tracker::default(), Vec::new(), Meetings::default());
        let mut watch = |looks: std::ops::Range<i32>, xs: [f32; 2], stays: &mut Vec<Stay>| {
            for n in looks {
                let at = CaptureTime::default().plus_seconds(0.2 * f64::from(n));
                look(&mut tracker, stays, at, xs);
                meetings.look(at, stays, &Rate::default());
            }
            meetings.0.clone()
        };
        watch(0..5, [0.30, 0.60], &mut stays);
        let alone = [stays[0].gait, stays[1].gait];
        assert_eq!(alone.map(|gait| gait.sightings), [5, 5]);
        let met = watch(5..20, [0.44, 0.46], &mut stays);
        assert_eq!(met.len(), 1);
        assert_eq!(met[0].before, alone.map(Some), "as they went before they met");
        assert_eq!([stays[0].gait, stays[1].gait], [Gait::default(); 2], "who is whom is not known now");
        watch(20..22, [0.30, 0.60], &mut stays);
        assert_eq!(stays[0].gait.sightings, 2);
    }

    #[test]
    fn without_evidence_beyond_doubt_everybody_stays_who_he_was() {
        let (mut tracker, mut stays) = (Tracker::default(), Vec::new());
        let began = CaptureTime::default().plus_seconds(10.0);
        let now = began.plus_seconds(3.0);
        look(&mut tracker, &mut stays, now, [0.40, 0.60]);
        let mut part = |before: [Gait; 2], after: [Gait; 2]| {
            let meeting = Meeting { who: [0, 1], before: before.map(Some), began };
            (stays[0].serial, stays[1].serial) = (0, 1);
            (stays[0].gait, stays[1].gait) = (after[0], after[1]);
            assert!(settle(&meeting, &mut stays, now, &Rate::default()));
            [stays[0].serial, stays[1].serial]
        };
        // Abreast, one as likely the other.
        let before = [gait(10.0, 0.40, 0.06, 0.90), gait(10.0, 0.41, 0.06, 0.89)];
        let after = [gait(13.0, 0.59, 0.06, 0.89), gait(13.0, 0.58, 0.06, 0.90)];
        assert_eq!(part(before, after), [0, 1]);
        // One walks on and the other one stands: they changed numbers.
        let before = [gait(10.0, 0.40, 0.06, 0.90), gait(10.0, 0.50, 0.0, 0.82)];
        let after = [gait(13.0, 0.50, 0.0, 0.82), gait(13.0, 0.58, 0.06, 0.90)];
        assert_eq!(part(before, after), [1, 0]);
        // Neither as the one nor as the other.
        let after = [gait(13.0, 0.20, -0.06, 0.70), gait(13.0, 0.80, 0.06, 0.70)];
        assert_eq!(part(before, after), [0, 1]);
    }
}
