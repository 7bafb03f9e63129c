//! Whether a place is occupied: the belief that a slot or a counted zone keeps over looks.
//!
//! # Invariants
//! - Only a look on which the place could be seen changes the belief; not seeing is never evidence of
//!   emptiness, and a gap between looks adds no empty time.
//! - Dwell is last seen minus first seen, in capture time.
//! - A place is empty only when it was seen empty for the clear time and the belief agrees.
//!
//! The belief is a log-odds sum (as in occupancy grids: Moravec and Elfes 1985). How much a miss weighs depends
//! on how reliably this very object has been detected so far, so an object that the detector finds on every
//! other look is not given up as fast as one that it has always found.

use serde::{Deserialize, Serialize};

use super::hidden::{Belief, Hidden};
use super::stretch::Stretch;
use crate::clock::CaptureTime;
use crate::detect::BBox;

/// The belief never exceeds this: a place that was occupied for days must still clear.
const MOST: f32 = 12.0;
/// Belief from which a case may open: 20 to 1.
pub(crate) const SURE_OCCUPIED: f32 = 3.0;
/// Belief at which a place counts as empty: 1 to 20.
pub(crate) const SURE_EMPTY: f32 = -3.0;
/// How much of what is found in plain view is still found where a good part of it is hidden. An estimate.
const FOUND_IN_PART: f32 = 0.67;
/// How often a clear view of an empty place gives a matching detection all the same.
const FALSE_ALARM: f32 = 0.03;
/// What a detection below the rule's score is worth.
const WEAK_HIT: f32 = 0.8;
/// Share of the detection statistics kept from look to look: the rate is that of the last 50 or so looks.
const MEMORY: f32 = 0.98;
/// … or of the last 20, where these are seconds apart: night falls within minutes.
const SLOW_MEMORY: f32 = 0.95;
/// A stretch between two looks that is longer than this, in seconds, adds no empty time, unless the camera's looks are
/// usually further apart: what happened in it was not seen.
pub(crate) const LONGEST_STEP_S: f64 = 5.0;
/// Empty time is also held against the longest stretch in which the object was missed before it was found
/// again, times this: what hid once for ten seconds is not gone after ten.
const GAP_FACTOR: f64 = 2.0;
/// A run of misses that is rarer than this is not explained by how often the object is missed …
const RARE_MISSES: f32 = 0.05;
/// … and no longer, in seconds, than this.
const MOST_MISSES_S: f64 = 2.0;
/// How much the empty looks must say before what is found next may be another object, in natural log-odds: 50 to 1.
const DOUBT: f32 = 4.0;
/// Misses beyond this say nothing more of it.
const MOST_COUNTED: u32 = 200;
/// The shortest time between two objects in one place, in seconds: a car needs two or three to leave it, and another
/// one, which had to wait for that, five or more to get into it.
const DOUBT_S: f64 = 8.0;
/// Longest wait that the previous line can ask for, in seconds.
const LONGEST_WAIT_S: f64 = 300.0;

/// A camera that is turned away or covered says so within about five seconds: what was missed for no longer than this, in
/// seconds, when it did was out of its view.
pub(crate) const KNOWN_LATE_S: f64 = 8.0;

/// So many looks without a hit …
const WATCHED_LOOKS: u32 = 10;
/// … no further apart than this, in seconds, show what leaves: a car takes about two seconds to pull out.
const WATCHED_INTERVAL_S: f64 = 0.5;
/// For so long, in seconds, something on its way out of a place or into it is seen beside it …
const BESIDE_S: f64 = 2.0;
/// … which looks so far apart, in seconds, may still catch.
const CATCHING_STEP_S: f64 = 2.5;
/// A stretch without a sighting that is longer than this was bridged, in seconds: it is dwell, but nothing was seen.
const BRIDGED_S: f64 = 10.0;

/// How strongly a look speaks for the place being occupied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A detection at or above the rule's score.
    Sure,
    /// One below it.
    Weak,
}

/// The belief about one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Occupancy {
    pub(crate) first_seen: CaptureTime,
    pub(crate) last_seen: CaptureTime,
    /// Looks since `first_seen` in which the place could be judged.
    pub(crate) looks: u32,
    /// Of these, looks in which it was found occupied.
    pub(crate) hits: u32,
    log_odds: f32,
    // Detection statistics of this object, faded by MEMORY.
    found: f32,
    looked: f32,
    // The run of empty looks since the last hit.
    misses: u32,
    /// Of these, misses that say nothing of another object: the detector may find none at all at that time.
    #[serde(default)]
    unproven: u32,
    empty_s: f64,
    longest_empty_s: f64,
    /// For how long it was in view.
    #[serde(flatten)]
    stretch: Stretch,
    last_judged: Option<CaptureTime>,
    /// Whether the view was unusable since the last hit.
    #[serde(default)]
    lost_view: bool,
    /// What was believed when the place was last hidden, since the last hit.
    #[serde(default)]
    hidden: Option<Hidden>,
}

impl Occupancy {
    /// A place found occupied at `at`, by something that has been there since `since`.
    pub(crate) fn new(at: CaptureTime, since: CaptureTime) -> Self {
        Self {
            first_seen: since.min(at),
            last_seen: at,
            looks: 1,
            hits: 1,
            log_odds: 2.5,
            found: 0.0,
            looked: 0.0,
            misses: 0,
            unproven: 0,
            empty_s: 0.0,
            longest_empty_s: 0.0,
            stretch: Stretch::new(),
            last_judged: Some(at),
            lost_view: false,
            hidden: None,
        }
    }

    /// Whether the view was unusable since the last hit: it may have shifted meanwhile.
    pub(crate) fn lost_view(&self) -> bool {
        self.lost_view
    }

    /// It was sighted `hits` times more before its place was taken for one.
    pub(crate) fn count_earlier(&mut self, hits: u32) {
        self.hits += hits;
        self.looks += hits;
    }

    /// It was seen to come.
    pub(crate) fn note_coming(&mut self) {
        self.stretch.note_coming();
    }

    /// The chance that the object is detected on a look at it, from its own history; 2 in 3 to begin with.
    fn detection_rate(&self) -> f32 {
        ((self.found + 2.0) / (self.looked + 3.0)).clamp(0.25, 0.97)
    }

    /// The place was found occupied.
    pub(crate) fn hit(&mut self, at: CaptureTime, hit: Hit) {
        if self.is_bridge(at) {
            let goes_on = self.lost_view && self.emptiness() < DOUBT;
            self.stretch.bridge(self.first_seen, self.last_seen, at, goes_on);
        }
        self.stretch.hit();
        // Misses count into the detection rate only once a hit proves that the object was there.
        let misses = self.misses as f32;
        let step_s = at.seconds_since(self.last_seen) / f64::from(self.misses + 1);
        let keep = if step_s < WATCHED_INTERVAL_S { MEMORY } else { SLOW_MEMORY };
        self.found = (self.found + 1.0) * keep;
        self.looked = (self.looked + misses + 1.0) * keep;
        self.longest_empty_s = self.longest_empty_s.max(self.empty_s);
        self.misses = 0;
        self.unproven = 0;
        self.empty_s = 0.0;
        self.lost_view = false;
        self.hidden = None;
        self.hits += 1;
        self.looks += 1;
        self.last_seen = at;
        self.last_judged = Some(at);
        let gain = match hit {
            Hit::Sure => (self.detection_rate() / FALSE_ALARM).ln(),
            Hit::Weak => WEAK_HIT,
        };
        self.log_odds = (self.log_odds + gain).min(MOST);
    }

    /// The place was seen and nothing was found there. The time since the look before counts unless that is longer than
    /// `longest_step_s`.
    pub(crate) fn miss(&mut self, at: CaptureTime, longest_step_s: f64) {
        self.count_miss(at, longest_step_s);
        self.disbelieve(1.0);
    }

    fn count_miss(&mut self, at: CaptureTime, longest_step_s: f64) {
        self.looks += 1;
        // When it went, between the last hit and the first miss, was not seen: the time counts from that miss.
        if let Some(last) = self.last_judged.filter(|_| self.misses > 0) {
            let step_s = at.seconds_since(last).max(0.0);
            self.empty_s += if step_s <= longest_step_s { step_s } else { 0.0 };
        }
        self.misses += 1;
        self.last_judged = Some(at);
    }

    /// The same where a good part of the place is hidden: what stands there is missed more often, and it is no proof that
    /// what is found next is another object.
    pub(crate) fn miss_in_part(&mut self, at: CaptureTime, longest_step_s: f64) {
        self.count_miss(at, longest_step_s);
        self.disbelieve(FOUND_IN_PART);
        self.discount();
    }

    /// Nothing was found in a place of which such a `share` of what is usual would be.
    fn disbelieve(&mut self, share: f32) {
        let loss = ((1.0 - share * self.detection_rate()) / (1.0 - FALSE_ALARM)).ln();
        self.log_odds = (self.log_odds + loss.min(0.0)).max(-MOST);
    }

    /// The latest miss says only that nothing was found: it is no proof that what is found next is another object.
    pub(crate) fn discount(&mut self) {
        self.unproven += 1;
    }

    /// Something that stands at `by` hides the place at `at`. What is found again where it hid the place before was there in
    /// between too, though it was missed: the looks on which nothing was found here say nothing.
    pub(crate) fn hide(&mut self, at: CaptureTime, by: &BBox) {
        if let Some(before) = self.hidden.filter(|before| before.was_by(at, by)) {
            let Belief { log_odds, misses, unproven, empty_s } = before.belief;
            (self.log_odds, self.misses, self.unproven, self.empty_s) = (log_odds, misses, unproven, empty_s);
        }
        let Self { log_odds, misses, unproven, empty_s, .. } = *self;
        self.hidden = Some(Hidden::new(at, *by, Belief { log_odds, misses, unproven, empty_s }));
        self.blind();
    }

    /// The place could not be seen on this look.
    pub(crate) fn blind(&mut self) {
        self.last_judged = None;
    }

    /// Whether the place could not be seen on the latest look.
    pub(crate) fn is_blind(&self) -> bool {
        self.last_judged.is_none()
    }

    /// The view has turned out to be unusable at `at`, as it has `moved` or for another reason: what was missed shortly
    /// before says nothing either.
    pub(crate) fn forgive(&mut self, at: CaptureTime, moved: bool) {
        self.lost_view |= moved;
        self.hidden = None;
        if at.seconds_since(self.last_seen) <= KNOWN_LATE_S {
            self.unproven = self.misses;
            self.empty_s = 0.0;
            self.lost_view = true;
        }
        self.blind();
    }

    /// Whether the place, found occupied at `at`, was seen empty before in a way that another object may have
    /// taken it.
    pub(crate) fn is_doubted(&self, at: CaptureTime) -> bool {
        self.emptiness() >= DOUBT && at.seconds_since(self.last_seen) >= DOUBT_S
    }

    /// How much the looks since the last hit speak for an empty place, in natural log-odds. The detection rate is not
    /// known but learnt, so each miss makes the next one less of a surprise (Laplace's rule of succession).
    pub(crate) fn emptiness(&self) -> f32 {
        let missed = (self.looked - self.found).max(0.0) + 1.0;
        let surprise = |before: u32| {
            let before = before as f32;
            ((missed + before) / (self.looked + 3.0 + before) / (1.0 - FALSE_ALARM)).min(1.0).ln()
        };
        -(0..(self.misses - self.unproven).min(MOST_COUNTED)).map(surprise).sum::<f32>()
    }

    /// For how long the place was seen empty until `at`, in seconds, with the steps from the last hit and to `at`.
    pub(crate) fn seen_empty_s(&self, at: CaptureTime) -> f64 {
        (self.empty_s + LONGEST_STEP_S).min(at.seconds_since(self.last_seen))
    }

    /// Whether the place was looked at so often since the last hit that what leaves it or comes would have been seen on
    /// its way.
    pub(crate) fn was_watched(&self, at: CaptureTime) -> bool {
        self.misses >= WATCHED_LOOKS
            && at.seconds_since(self.last_seen) <= WATCHED_INTERVAL_S * f64::from(self.misses)
    }

    /// How surely something on its way out of the place or into it would have been found until `at`, in natural log-odds:
    /// looks that are seconds apart may miss it, all the more so with a detector that misses much.
    pub(crate) fn manoeuvre_shows(&self, at: CaptureTime) -> f32 {
        let step_s = at.seconds_since(self.last_seen) / f64::from(self.misses + 1);
        if self.misses < 2 || step_s > CATCHING_STEP_S {
            return 0.0;
        }
        let looks = (BESIDE_S / step_s) as f32;
        -looks * (1.0 - self.detection_rate()).ln()
    }

    /// Whether nothing was found for more than `least_s` until `at`, and for much longer than is usual here: a
    /// camera that is looked at twice a minute loses nothing between two looks.
    pub(crate) fn was_lost(&self, at: CaptureTime, least_s: f64) -> bool {
        let unseen_s = at.seconds_since(self.last_seen);
        unseen_s > least_s && self.stretch.is_unusual(self.first_seen, self.last_seen, unseen_s)
    }

    /// Whether a sighting at `at` ends a stretch in which the object was looked for and not found.
    fn is_bridge(&self, at: CaptureTime) -> bool {
        let looked_for = self.misses > 0 || self.last_judged != Some(self.last_seen);
        self.was_lost(at, BRIDGED_S)
            || (self.stretch.hits() < 3 && looked_for && at.seconds_since(self.last_seen) > BRIDGED_S)
    }

    /// Counts `hits` further sightings that were made before the place got this belief, while it still had `other`.
    pub(crate) fn count_hits(&mut self, hits: u32, other: &Self) {
        self.hits += hits;
        self.looks += hits;
        self.stretch.go_on_from(&other.stretch, self.first_seen, self.hits);
        self.log_odds = other.log_odds;
    }

    /// Takes in what another belief about the same object knows.
    pub(crate) fn take_in(&mut self, other: &Self) {
        let (first_seen, longest) = (self.first_seen, self.longest_empty_s.max(other.longest_empty_s));
        let seen = (self.first_seen, self.last_seen);
        let stretch = self.stretch.joined(seen, &other.stretch, (other.first_seen, other.last_seen));
        if other.last_seen > self.last_seen {
            *self = other.clone();
        }
        self.first_seen = first_seen.min(other.first_seen);
        self.longest_empty_s = longest;
        self.stretch = stretch;
    }

    /// Starts the dwell anew at `at`: what is seen now may not be what was seen before.
    pub(crate) fn restart(&mut self, at: CaptureTime) {
        *self = Self { log_odds: self.log_odds, ..Self::new(at, at) };
    }

    /// Seconds from the first to the last time it was found occupied.
    pub(crate) fn dwell_s(&self) -> f64 {
        self.last_seen.seconds_since(self.first_seen)
    }

    /// Whether it has been occupied for `dwell_s`, beyond doubt.
    pub(crate) fn is_held(&self, dwell_s: f64) -> bool {
        self.misses == 0
            && self.hits >= 3
            && self.log_odds >= SURE_OCCUPIED
            && self.dwell_s() >= dwell_s
            && self.stretch.is_enough(self.first_seen, self.last_seen, dwell_s)
    }

    /// Whether it was seen empty for `clear_s` beyond doubt, by this object's own standard.
    pub(crate) fn is_empty(&self, clear_s: f64) -> bool {
        let wait_s = (self.longest_empty_s * GAP_FACTOR).min(LONGEST_WAIT_S).max(clear_s);
        self.is_vacant(wait_s + self.own_misses_s())
    }

    /// How long the object may have been missed at either end of something that hid it, in seconds.
    fn own_misses_s(&self) -> f64 {
        let looks = RARE_MISSES.ln() / (1.0 - self.detection_rate()).ln();
        let step_s = self.empty_s / f64::from(self.misses.max(2) - 1);
        (f64::from(looks - 1.0).max(0.0) * step_s).min(MOST_MISSES_S)
    }

    /// Whether it was seen empty for `clear_s` beyond doubt, however long it was empty before: for what others than
    /// those seen so far may come to.
    pub(crate) fn is_vacant(&self, clear_s: f64) -> bool {
        self.log_odds <= SURE_EMPTY && self.misses >= 3 && self.empty_s >= clear_s
    }

    /// Whether something that was there for a moment has gone: fewer than three hits, or as many as are credited to what was
    /// seen once and is still, if by then it would be known that the camera was turned away; and no belief left.
    pub(crate) fn was_fleeting(&self) -> bool {
        let fleeting = self.hits < 3 || (self.hits == 3 && self.empty_s > KNOWN_LATE_S);
        fleeting && self.log_odds <= SURE_EMPTY
    }

    /// The belief, in natural log-odds.
    pub(crate) fn log_odds(&self) -> f32 {
        self.log_odds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::default().plus_seconds(seconds)
    }

    #[test]
    fn what_is_hidden_in_part_is_given_up_later() {
        let looks = |miss: fn(&mut Occupancy, CaptureTime, f64)| {
            let mut place = parked(60);
            let times = (1..200).map(|look| (look, at(60.0 + f64::from(look) / 5.0)));
            times
                .map(|(look, at)| (look, miss(&mut place, at, 5.0), place.log_odds()))
                .find(|&(.., belief)| belief <= SURE_EMPTY)
                .map(|(look, ..)| look)
        };
        let (whole, part) = (looks(Occupancy::miss).unwrap(), looks(Occupancy::miss_in_part).unwrap());
        assert!(part > 2 * whole, "{part} looks for {whole}");
        let mut place = parked(60);
        (1..100).for_each(|look| place.miss_in_part(at(60.0 + f64::from(look) / 5.0), 5.0));
        assert!(!place.is_doubted(at(80.0)), "that it was not found is no proof of another one");
    }

    #[test]
    fn what_was_seen_once_and_is_credited_for_being_still_is_forgotten_once_it_is_known_that_the_camera_is_not_turned()
     {
        let fleeting = |earlier: u32, misses: u32, step_s: f64| {
            let mut place = Occupancy::new(at(0.0), at(0.0));
            place.count_earlier(earlier);
            (1..=misses).for_each(|n| place.miss(at(step_s * f64::from(n)), 5.0));
            place.was_fleeting()
        };
        assert!(fleeting(2, 7, 2.0) && !fleeting(3, 7, 2.0));
        assert!(!fleeting(2, 20, 0.2) && fleeting(1, 20, 0.2), "the camera may have been turned away");
    }

    fn parked(seconds: u32) -> Occupancy {
        let mut place = Occupancy::new(at(0.0), at(0.0));
        for look in 1..=seconds * 5 {
            place.hit(at(f64::from(look) / 5.0), Hit::Sure);
        }
        place
    }

    #[test]
    fn not_seeing_is_never_evidence_of_emptiness() {
        let mut place = parked(60);
        let before = place.log_odds();
        for _ in 0..10_000 {
            place.blind();
        }
        assert_eq!(place.log_odds(), before);
        assert!(!place.is_empty(1.0));
    }

    #[test]
    fn as_night_falls_the_rate_is_learnt_within_a_minute_at_a_look_each_two_seconds() {
        let mut place = Occupancy::new(at(0.0), at(0.0));
        (1..60).for_each(|look| place.hit(at(2.0 * f64::from(look)), Hit::Sure));
        // For a minute it is found on every third look, and then on none for half a minute.
        for look in 60..90 {
            let when = at(2.0 * f64::from(look));
            if look % 3 == 2 { place.hit(when, Hit::Sure) } else { place.miss(when, LONGEST_STEP_S) }
        }
        (90..106).for_each(|look| place.miss(at(2.0 * f64::from(look)), LONGEST_STEP_S));
        assert!(!place.is_empty(10.0), "{}", place.log_odds());
        (106..150).for_each(|look| place.miss(at(2.0 * f64::from(look)), LONGEST_STEP_S));
        assert!(place.is_empty(10.0), "a minute and a half more are enough");
    }

    #[test]
    fn a_gap_between_looks_adds_no_empty_time() {
        let mut place = parked(60);
        // Three looks, an hour apart: three misses, but nothing was seen of the place between them.
        for hour in 1..=3 {
            place.miss(at(60.0 + 3600.0 * f64::from(hour)), LONGEST_STEP_S);
        }
        assert_eq!(place.empty_s, 0.0);
        assert!(!place.is_empty(60.0));
    }

    #[test]
    fn a_seen_empty_place_clears_after_the_clear_time_and_not_before() {
        let mut place = parked(60);
        let mut cleared = None;
        for look in 1..200 {
            let t = 60.0 + f64::from(look) / 5.0;
            place.miss(at(t), LONGEST_STEP_S);
            if cleared.is_none() && place.is_empty(10.0) {
                cleared = Some(t - 60.0);
            }
        }
        let cleared = cleared.expect("forty seconds of empty place are enough");
        assert!((10.0..11.0).contains(&cleared), "cleared after {cleared} s");
    }

    #[test]
    fn the_time_before_the_first_miss_is_no_empty_time() {
        let mut place = Occupancy::new(at(0.0), at(0.0));
        (1..=5).for_each(|look| place.hit(at(2.0 * f64::from(look)), Hit::Sure));
        (6..=10).for_each(|look| place.miss(at(2.0 * f64::from(look)), LONGEST_STEP_S));
        // Seen at 10 s, missed from 12 to 20 s: it may have left just before 12 s.
        assert_eq!(place.empty_s, 8.0);
        place.miss(at(22.0), LONGEST_STEP_S);
        assert_eq!(place.empty_s, 10.0);
    }

    #[test]
    fn what_was_missed_for_long_before_is_waited_for_longer() {
        let mut place = parked(60);
        for look in 1..=40 {
            place.miss(at(60.0 + f64::from(look) / 5.0), LONGEST_STEP_S);
        }
        place.hit(at(68.2), Hit::Sure);
        for look in 1..=60 {
            place.miss(at(68.2 + f64::from(look) / 5.0), LONGEST_STEP_S);
        }
        assert!(!place.is_empty(10.0), "it was once missed for 8 s, so 12 s are not enough");
        for look in 61..=90 {
            place.miss(at(68.2 + f64::from(look) / 5.0), LONGEST_STEP_S);
        }
        assert!(place.is_empty(10.0));
    }

    #[test]
    fn bursts_of_a_few_seconds_are_not_held_however_many_there_are() {
        let mut place = Occupancy::new(at(0.0), at(0.0));
        for burst in 0..5 {
            let began = 100.0 * f64::from(burst);
            (0..75).for_each(|look| place.hit(at(began + 0.2 + f64::from(look) / 5.0), Hit::Sure));
            (0..400).for_each(|_| place.blind());
        }
        assert!(place.dwell_s() > 400.0);
        assert!(!place.is_held(60.0), "it was never in view for more than 15 s");
        for look in 0..=100 {
            place.hit(at(500.0 + f64::from(look) / 5.0), Hit::Sure);
        }
        assert!(place.is_held(60.0), "what stayed hidden by a bus is still there");
    }

    #[test]
    fn bursts_with_a_look_each_two_seconds_are_told_from_a_slow_camera() {
        let mut place = Occupancy::new(at(0.0), at(0.0));
        for began in [2.0, 100.0, 200.0] {
            (0..4).for_each(|look| place.hit(at(began + 2.0 * f64::from(look)), Hit::Sure));
            (0..40).for_each(|_| place.blind());
        }
        assert!(!place.is_held(60.0), "it was never in view for more than 8 s");
        let mut slow = Occupancy::new(at(0.0), at(0.0));
        (1..=4).for_each(|minute| slow.hit(at(60.0 * f64::from(minute)), Hit::Sure));
        assert!(slow.is_held(180.0), "with a look a minute nothing was lost between two of them");
    }

    #[test]
    fn what_was_hidden_while_another_object_was_told_apart_was_not_in_view() {
        let mut before = parked(60);
        (0..300).for_each(|_| before.blind());
        (0..25).for_each(|look| before.hit(at(125.0 + f64::from(look) / 5.0), Hit::Sure));
        let mut place = Occupancy::new(at(130.0), at(61.0));
        place.count_hits(25, &before);
        place.hit(at(131.0), Hit::Sure);
        assert!(!place.is_held(60.0), "it was in view for 6 s at one stretch");
        let mut place = Occupancy::new(at(60.0), at(0.0));
        place.count_hits(20, &parked(60));
        place.hit(at(60.2), Hit::Sure);
        assert!(place.is_held(60.0));
    }

    #[test]
    fn dwell_is_last_seen_minus_first_seen() {
        let place = parked(20);
        assert_eq!(place.dwell_s(), 20.0);
        assert!(place.is_held(20.0));
        assert!(!place.is_held(20.1));
    }

    #[test]
    fn looks_two_seconds_apart_show_who_leaves_and_looks_ten_seconds_apart_do_not() {
        let shows = |step_s: f64| {
            let mut place = parked(60);
            (1..=4).for_each(|look| place.miss(at(60.0 + step_s * f64::from(look)), 2.0 * step_s));
            place.manoeuvre_shows(at(60.0 + 5.0 * step_s))
        };
        assert!(shows(2.0) > 2.0, "{}", shows(2.0));
        assert_eq!(shows(10.0), 0.0);
    }
}
