//! Is it still the same one? What stands in a place again after nothing was found there for a while is put on
//! trial: either the object was missed for a while, or another one has taken its place.
//!
//! # Invariants
//! - The verdict weighs three things as natural log-odds: how long places take to change hands, how clearly the
//!   place was seen empty, and how far the boxes now lie from those before. None of them decides alone.
//! - Where others stand still the view does; only there a small step aside is of another object.
//! - Boxes that show only a part of the object are kept out of the trial, and three that slip in do not decide.

use serde::{Deserialize, Serialize};

use super::drift;
use super::shift::{FAST, Others};
use super::spread::{Spread, or_nudged};
use crate::clock::CaptureTime;
use crate::detect::BBox;

/// Fewest boxes for a verdict …
const FEWEST: usize = 5;
/// … and the most that a trial waits for …
const MOST: usize = 15;
/// … or twice as many of both where that takes no longer than this, in seconds …
const MOMENT_S: f64 = 6.0;
/// … or than this share of the dwell: a few boxes that lie aside by chance are
/// not rare among many trials, the verdict that it is another object cannot be taken back, and nothing is lost by a moment.
const MOMENT_SHARE: f64 = 0.01;
/// … and fewest when a case waits for the verdict that it is the same object: one box in the old place may be
/// chance, two are not …
const FEWEST_PRESSING: usize = 2;
/// … and one is enough where it is 20 to 1 before any box, in natural log-odds.
const HARDLY_OTHER: f32 = -3.0;
/// One in so many boxes, and at least one, is left out at either end before the mean is taken: it was cut short, or
/// taken on the way in.
const TRIMMED: usize = 5;
/// An edge that showed less often than this does not count.
const FEWEST_SHOWN: usize = 3;
/// Log-odds at which a trial ends before that: 1 to 150 …
const SURELY_SAME: f32 = -5.0;
/// … 1 to 3 when a case waits to be opened for the verdict …
const LIKELY_SAME: f32 = -1.0;
/// … which is as likely as not where the gap was no longer than [`SOON_S`]: most that stands there was seen then,
/// and whoever comes to look at it finds something …
const EVEN: f32 = 0.0;
/// … and 400 to 1 for another object, since that verdict cannot be taken back.
const SURELY_OTHER: f32 = 6.0;
/// For the same reason, at the end of a trial that has come to no clear verdict, 3 to 1.
const LIKELY_OTHER: f32 = 1.0;
/// A place at a busy kerb changes hands about once in so many seconds, and one in which something has stood for longer
/// about once in as long as that.
const TURNOVER_S: f64 = 3600.0;
/// A gap that is longer than this, in seconds, and than all the time for which something had stood there before: it is as
/// likely as not that the place has changed hands, since most stays are short and a stay that has lasted goes on (Lindy).
/// Not so where the view was lost: where things are seen after that is too uncertain to tell.
const SOON_S: f64 = 60.0;
/// What an empty look is worth: a detector that missed an object once is likely to miss it again in the same light,
/// so that a run of misses says less than as many independent ones …
const EMPTY_WORTH: f32 = 0.85;
/// … and at most this, in natural log-odds: 400 to 1. However long the run is, glare or a reflection may be all that
/// there is to it …
const MOST_EMPTINESS: f32 = 6.0;
/// … which lasts for minutes: a longer gap is worth 1 more with each factor of e over so many seconds.
const GLARE_S: f64 = 900.0;
/// What it says if something was seen on its way out of the place or into it, in natural log-odds: 20 to 1. An
/// estimate, not a measurement.
const MANOEUVRE: f32 = 3.0;
/// What it says more if one was seen on its way out and one, later, on its way in.
const SECOND: f32 = 2.0;
/// What it says more if what is found was itself followed from beside the place into it: 7 to 1.
const ARRIVED: f32 = 2.0;
/// What it says against another object if nothing was seen to leave or to come although the place was watched closely:
/// the same, since a car takes seconds for it.
const UNSEEN_MANOEUVRE: f32 = 3.0;
/// How far the mean box of one object shifts where the view was unusable before, as a deviation in box sizes: a camera that
/// was turned away and put back shows things elsewhere.
const NUDGE: f32 = 0.05;
/// A nudge so shortly before the gap, in seconds, is not yet followed by the place.
const FOLLOWED_S: f64 = 20.0;

/// What is said at the end of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same object as before.
    Same,
    /// Another one.
    Other,
}

/// What waits for a verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hurry {
    /// Whether a case would open if it is the same object.
    pub(crate) pressing: bool,
    /// How long something may stand here, in seconds.
    pub(crate) dwell_s: f64,
}

/// A stretch in which nothing was found in a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    /// For how long something had stood there before, in seconds.
    pub(crate) stood_s: f64,
    /// How long it lasted, in seconds.
    pub(crate) lasted_s: f64,
    /// For how long it was not seen, be it that nothing could be seen, in seconds.
    pub(crate) unseen_s: f64,
    /// What views of the empty place say, in natural log-odds.
    pub(crate) emptiness: f32,
    /// Whether something was seen on its way out or in meanwhile …
    pub(crate) left: bool,
    /// Whether that was so twice, at either end of it.
    pub(crate) came: bool,
    /// The track by which what is found now was seen beside the place shortly before, and followed into it …
    pub(crate) arrived: Option<u64>,
    /// … and whether it would have been …
    pub(crate) watched: bool,
    /// … or else how surely, in natural log-odds.
    pub(crate) shows: f32,
    /// Whether the view was unusable meanwhile and may have shifted.
    pub(crate) nudged: bool,
}

/// Something found where nothing was found for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Since when it is there.
    pub(crate) since: CaptureTime,
    /// Log-odds that it is another object, before any of its boxes.
    odds: f32,
    /// The track by which it was followed into the place.
    #[serde(default)]
    arrived: Option<u64>,
    #[serde(default)]
    nudged: bool,
    /// How long the gap before it lasted, in seconds.
    #[serde(default)]
    gap_s: f64,
    #[serde(default)]
    unseen_s: f64,
    /// Boxes of a known part that were passed over.
    #[serde(default)]
    parts: usize,
    /// What was seen of it, and which edges of that showed.
    #[serde(default)]
    heard: Vec<(BBox, [bool; 4])>,
}

impl Trial {
    /// Of something found at `since` after `gap`.
    pub(crate) fn new(since: CaptureTime, gap: Gap) -> Self {
        let Gap {
            stood_s,
            lasted_s: gap_s,
            unseen_s,
            emptiness,
            left,
            came,
            arrived,
            watched,
            shows,
            nudged,
        } = gap;
        let most = MOST_EMPTINESS + (gap_s / GLARE_S).max(1.0).ln() as f32;
        let turnover_s = if gap_s > SOON_S.max(stood_s) && !nudged { gap_s } else { TURNOVER_S.max(stood_s) };
        let turnover = (gap_s.max(1.0) / turnover_s).ln() as f32;
        let odds = turnover.min(0.0) + (EMPTY_WORTH * emptiness).min(most);
        let odds = match (left, watched) {
            (true, _) if came => odds + MANOEUVRE + SECOND,
            (true, _) => odds + MANOEUVRE,
            (false, true) => odds - UNSEEN_MANOEUVRE,
            (false, false) => odds - shows.min(UNSEEN_MANOEUVRE),
        };
        let odds = if arrived.is_some() { odds + ARRIVED } else { odds };
        Self { since, odds, arrived, nudged, gap_s, unseen_s, parts: 0, heard: Vec::with_capacity(2 * MOST) }
    }

    /// It is sighted as a part of `track`. If the track that led into the place is not the one of the sighting after the
    /// first, it was only matched with what stands there.
    pub(crate) fn follow(&mut self, track: Option<u64>) {
        if self.heard.len() == 1 && self.arrived.is_some() && self.arrived != track {
            self.arrived = None;
            self.odds -= ARRIVED;
        }
    }

    /// When the gap before it began.
    pub(crate) fn gap_began(&self) -> CaptureTime {
        self.since.plus_seconds(-self.unseen_s)
    }

    /// A box of what is known to be a part of the object before tells nothing, and is passed over. Not so if there are too
    /// many: then it may be all that stands there now.
    pub(crate) fn passes_over(&mut self) -> bool {
        self.parts += 1;
        self.parts < FEWEST
    }

    /// Sightings so far.
    pub(crate) fn boxes(&self) -> u32 {
        self.heard.len() as u32
    }

    /// How suspicious it was before any of its boxes, in natural log-odds.
    pub(crate) fn odds(&self) -> f32 {
        self.odds
    }

    /// Hears one more box, seen at `at`, whose edges are `shown` or cut off, of an object whose mean box was the first of `means`, or
    /// the second if the view has shifted, with `spread`. Each must speak for another object.
    /// Where there is a `hurry`, less is asked for.
    pub(crate) fn hear(
        &mut self,
        at: CaptureTime,
        (seen, shown): (&BBox, [bool; 4]),
        means: &[BBox; 2],
        spread: &Spread,
        hurry: Hurry,
        others: Option<&Others>,
    ) -> Option<Verdict> {
        let [mean, shifted] = means;
        if shown == [false; 4] {
            return None;
        }
        self.heard.push((*seen, shown));
        let heard = self.heard.len();
        let fewest = match hurry.pressing {
            true if self.odds <= HARDLY_OTHER => 1,
            true => FEWEST_PRESSING,
            false => FEWEST,
        };
        if heard < fewest {
            return None;
        }
        let middles = self.middles(mean);
        // Shortly after the gap the latest boxes of others may be of before it.
        let others = others.filter(|_| heard > FAST);
        // Only where others stand still is it known that the view does.
        let drift = others.map_or(drift::USUAL * drift::USUAL, |_| spread.drift(self.gap_s));
        let unlike_nudged = spread.unlike_nudged(mean, middles, drift, others);
        let drift = if self.nudged { NUDGE * NUDGE } else { drift };
        let unlike = spread.unlike(mean, middles, drift);
        let unlike =
            if mean == shifted { unlike } else { unlike.min(spread.unlike(shifted, middles, drift)) };
        let mut odds = self.odds + or_nudged(unlike, unlike_nudged, self.unseen_s + FOLLOWED_S);
        if spread.is_astray(&self.settled(mean), &self.heard[0].0, self.heard[0].1) {
            odds += MANOEUVRE;
        }
        let surely_same = match hurry.pressing {
            true if self.gap_s <= SOON_S => EVEN,
            true => LIKELY_SAME,
            false => SURELY_SAME,
        };
        // What has just passed in front may still cut edges off: these are waited for.
        let all_shown = middles.iter().all(|&(_, boxes)| boxes >= FEWEST_SHOWN);
        let moment_s = MOMENT_S.max(MOMENT_SHARE * hurry.dwell_s);
        let times = if at.seconds_since(self.since) <= moment_s { 2 } else { 1 };
        let other = heard >= times * FEWEST && all_shown && odds >= SURELY_OTHER;
        if heard < times * MOST && odds > surely_same && !other {
            return None;
        }
        Some(if odds > LIKELY_OTHER { Verdict::Other } else { Verdict::Same })
    }

    /// The box that the trial settled on; edges that never showed are those of `mean`.
    pub(crate) fn settled(&self, mean: &BBox) -> BBox {
        let mut edges: [f32; 4] = (*mean).into();
        for (edge, (middle, boxes)) in edges.iter_mut().zip(self.middles(mean)) {
            if boxes > 0 {
                *edge = middle;
            }
        }
        edges.into()
    }

    /// The middle of each edge, and over how many boxes: the mean without what lies far from most, in sizes of `place`,
    /// and without the [`TRIMMED`] share at either end.
    fn middles(&self, place: &BBox) -> [(f32, usize); 4] {
        let far = [place.width(), place.height()].map(|size| Spread::CUT_OFF * size);
        std::array::from_fn(|edge| {
            let mut values = [0.0; 2 * MOST];
            let mut count = 0;
            for (seen, shown) in &self.heard {
                if shown[edge] {
                    values[count] = <[f32; 4]>::from(*seen)[edge];
                    count += 1;
                }
            }
            // What hides an edge on most looks and is missed on the others has hidden it on these too.
            let seldom = self.heard.len() >= FEWEST && (count < FEWEST_SHOWN || 2 * count < self.heard.len());
            if count == 0 || seldom {
                return (0.0, 0);
            }
            values[..count].sort_unstable_by(f32::total_cmp);
            let most = values[count / 2];
            let near = |value: &&f32| (**value - most).abs() <= far[edge % 2];
            let first = values[..count].iter().take_while(|value| !near(value)).count();
            let values = &values[first..first + values[first..count].iter().take_while(near).count()];
            let count = values.len();
            let trim = if count < FEWEST_SHOWN { 0 } else { count.div_ceil(TRIMMED) };
            let kept = &values[trim..count - trim];
            (kept.iter().sum::<f32>() / kept.len() as f32, count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HURRY: Hurry = Hurry { pressing: false, dwell_s: 60.0 };
    const CAR: BBox = BBox { x1: 0.4, y1: 0.5, x2: 0.52, y2: 0.6 };

    fn shifted(by: f32) -> BBox {
        BBox { x1: CAR.x1 + by, x2: CAR.x2 + by, ..CAR }
    }

    /// A car that was seen often, each time a little off.
    fn settled() -> (BBox, Spread) {
        let (mut mean, mut spread) = (CAR, Spread::new());
        for n in 0..60 {
            let seen = shifted(0.004 * ((n % 3) as f32 - 1.0));
            spread.follow(look(n), &mut mean, &seen, [true; 4]);
        }
        (mean, spread)
    }

    fn gap(emptiness: f32) -> Gap {
        Gap {
            stood_s: 60.0,
            lasted_s: 15.0,
            unseen_s: 15.0,
            emptiness,
            left: false,
            came: false,
            arrived: None,
            watched: false,
            shows: 0.0,
            nudged: false,
        }
    }

    /// When look number `n` is taken, of looks that are a second apart.
    fn look(n: usize) -> CaptureTime {
        CaptureTime::default().plus_seconds(n as f64)
    }

    /// The verdict on a car that stands `by` aside, after emptiness worth `emptiness`.
    fn verdict(by: f32, emptiness: f32, shown: [bool; 4]) -> Option<Verdict> {
        let (mean, spread) = settled();
        let mut trial = Trial::new(CaptureTime::default(), gap(emptiness));
        (0..MOST).find_map(|n| {
            let jitter = 0.004 * ((n % 3) as f32 - 1.0);
            trial.hear(look(n), (&shifted(by + jitter), shown), &[mean; 2], &spread, HURRY, None)
        })
    }

    #[test]
    fn what_stands_exactly_where_it_stood_is_the_same_and_what_stands_aside_is_another() {
        assert_eq!(verdict(0.0, 5.0, [true; 4]), Some(Verdict::Same));
        assert_eq!(verdict(0.02, 5.0, [true; 4]), Some(Verdict::Other));
    }

    #[test]
    fn where_a_case_waits_one_box_is_enough_if_it_was_hardly_another() {
        let (mean, spread) = settled();
        let after = |gap: Gap| {
            let mut trial = Trial::new(CaptureTime::default(), gap);
            let hurry = Hurry { pressing: true, ..HURRY };
            let mut hear = |n| trial.hear(look(n), (&mean, [true; 4]), &[mean; 2], &spread, hurry, None);
            (hear(0), hear(1))
        };
        assert_eq!(after(gap(1.0)).0, Some(Verdict::Same));
        // Two where it was seen empty.
        assert_eq!(after(gap(5.0)), (None, Some(Verdict::Same)));
    }

    #[test]
    fn where_a_case_waits_an_even_chance_is_enough_but_not_after_a_long_gap() {
        let (mean, spread) = settled();
        let seen = shifted(0.006);
        let verdict = |lasted_s: f64, odds: f32| {
            let mut trial = Trial::new(CaptureTime::default(), Gap { lasted_s, ..gap(5.0) });
            trial.odds = odds;
            let hurry = Hurry { pressing: true, ..HURRY };
            (0..3).find_map(|n| trial.hear(look(n), (&seen, [true; 4]), &[mean; 2], &spread, hurry, None))
        };
        let highest = |lasted_s: f64| {
            let odds = (0..80).map(|n: i16| 0.1 * f32::from(n));
            odds.rev().find(|&odds| verdict(lasted_s, odds) == Some(Verdict::Same)).unwrap()
        };
        let more = highest(50.0) - highest(70.0);
        assert!((more - 1.0).abs() < 0.11, "{more}");
    }

    #[test]
    fn an_edge_that_is_cut_off_says_nothing() {
        let (mean, spread) = settled();
        let mut trial = Trial::new(CaptureTime::default(), gap(5.0));
        let cut = BBox { x2: 0.46, ..CAR };
        let verdict = (0..MOST).find_map(|n| {
            trial.hear(look(n), (&cut, [true, true, false, true]), &[mean; 2], &spread, HURRY, None)
        });
        assert_eq!(verdict, Some(Verdict::Same));
        assert!((trial.settled(&mean).x2 - CAR.x2).abs() < 0.005);
    }

    #[test]
    fn an_edge_that_is_hidden_on_most_looks_was_hidden_on_the_others_too() {
        let (mean, spread) = settled();
        let cut = BBox { x2: 0.46, ..CAR };
        // A truck in front is missed on every third look.
        let verdict_when = |hidden: fn(usize) -> bool| {
            let mut trial = Trial::new(CaptureTime::default(), gap(5.0));
            (0..MOST).find_map(|n| {
                trial.hear(look(n), (&cut, [true, true, !hidden(n), true]), &[mean; 2], &spread, HURRY, None)
            })
        };
        assert_eq!(verdict_when(|n| n % 3 != 0), Some(Verdict::Same));
        assert_eq!(verdict_when(|_| false), Some(Verdict::Other));
    }

    #[test]
    fn three_boxes_on_the_way_in_do_not_decide() {
        let (mean, spread) = settled();
        let mut trial = Trial::new(CaptureTime::default(), gap(3.0));
        let verdict = (0..MOST).find_map(|n| {
            let by = if n < 3 { 0.015 } else { 0.0 };
            trial.hear(look(n), (&shifted(by), [true; 4]), &[mean; 2], &spread, HURRY, None)
        });
        assert_eq!(verdict, Some(Verdict::Same));
    }

    #[test]
    fn a_few_boxes_that_lie_aside_by_chance_do_not_decide() {
        let (mean, spread) = settled();
        let verdict = |step_s: f64, dwell_s: f64| {
            let mut trial = Trial::new(CaptureTime::default(), gap(5.0));
            (0..2 * MOST).find_map(|n| {
                let at = CaptureTime::default().plus_seconds(step_s * n as f64);
                let seen = BBox { x2: CAR.x2 + if n < 5 { 0.02 } else { 0.0 }, ..CAR };
                trial.hear(at, (&seen, [true; 4]), &[mean; 2], &spread, Hurry { dwell_s, ..HURRY }, None)
            })
        };
        assert_eq!(verdict(0.2, 60.0), Some(Verdict::Same));
        // Five that took eight seconds are all there is to go by.
        assert_eq!(verdict(2.0, 60.0), Some(Verdict::Other));
        // Where days are waited for, there is time for more.
        assert_eq!(verdict(60.0, 3.0 * 86_400.0), Some(Verdict::Same));
    }

    #[test]
    fn a_part_that_is_found_for_the_whole_now_and_then_makes_no_other_object() {
        let (mean, spread) = settled();
        let part = BBox { x1: 0.46, ..CAR };
        let mut trial = Trial::new(CaptureTime::default(), gap(5.0));
        let verdict = (0..MOST).find_map(|n| {
            let seen = if n % 3 == 0 { part } else { CAR };
            trial.hear(look(n), (&seen, [true; 4]), &[mean; 2], &spread, HURRY, None)
        });
        assert_eq!(verdict, Some(Verdict::Same));
        let (mut anchor, mut known) = (mean, spread);
        (0..50).for_each(|n| known.follow(look(n), &mut anchor, &part, [true; 4]));
        assert!((anchor.x1 - mean.x1).abs() < 1e-6, "an edge inside a well known place was not seen");
    }

    #[test]
    fn an_edge_that_was_hidden_all_the_time_tells_of_no_other_object() {
        let (mut mean, mut spread) = (BBox { x1: 0.37, ..CAR }, Spread::new());
        // Something hides the left edge, which the first box had elsewhere.
        for n in 0..60 {
            let seen = shifted(0.004 * ((n % 3) as f32 - 1.0));
            spread.follow(look(n), &mut mean, &seen, [false, true, true, true]);
        }
        let mut trial = Trial::new(CaptureTime::default(), gap(8.0));
        let verdict = (0..MOST).find_map(|n| {
            let seen = shifted(0.004 * ((n % 3) as f32 - 1.0));
            trial.hear(look(n), (&seen, [true; 4]), &[mean; 2], &spread, HURRY, None)
        });
        assert_eq!(verdict, Some(Verdict::Same));
        // However far off the first box had it.
        let far = BBox { x1: mean.x1 - 0.04, ..mean };
        let seen = <[f32; 4]>::from(CAR).map(|edge| (edge, MOST));
        assert!(spread.unlike(&far, seen, 0.0) < 0.0);
        // Once it shows it is known after a few boxes.
        (0..5).for_each(|n| spread.follow(look(60 + n), &mut mean, &CAR, [true; 4]));
        assert!((mean.x1 - CAR.x1).abs() < 0.01, "{mean:?}");
    }

    #[test]
    fn a_first_box_on_the_way_in_is_dropped() {
        let (mut mean, mut spread) = (shifted(-0.03), Spread::new());
        (0..3).for_each(|n| spread.follow(look(n), &mut mean, &CAR, [true; 4]));
        assert!((mean.x1 - CAR.x1).abs() < 1e-6, "{mean:?}");
    }

    #[test]
    fn what_was_out_of_sight_for_longer_than_it_had_stood_may_have_gone() {
        let odds = |stood_s, lasted_s, nudged| {
            Trial::new(CaptureTime::default(), Gap { stood_s, lasted_s, nudged, ..gap(5.0) }).odds()
        };
        assert!(odds(20.0, 200.0, false) > odds(300.0, 200.0, false) + 2.0);
        assert_eq!(odds(20.0, 200.0, true), odds(300.0, 200.0, true), "the view was lost");
    }

    #[test]
    fn an_edge_that_moves_alone_is_no_manoeuvre() {
        let (mean, spread) = settled();
        assert!(!spread.is_astray(&mean, &BBox { x1: 0.46, ..CAR }, [true; 4]));
        assert!(spread.is_astray(&mean, &shifted(0.03), [true; 4]));
    }

    #[test]
    fn what_stands_aside_as_all_others_do_is_the_same() {
        let (mean, spread) = settled();
        let moved = BBox { x1: mean.x1 + 0.02, x2: mean.x2 + 0.02, ..mean };
        let mut trial = Trial::new(CaptureTime::default(), gap(5.0));
        let verdict = (0..MOST).find_map(|n| {
            trial.hear(look(n), (&shifted(0.02), [true; 4]), &[mean, moved], &spread, HURRY, None)
        });
        assert_eq!(verdict, Some(Verdict::Same));
    }

    #[test]
    fn what_stands_aside_after_a_moment_and_kept_its_size_was_seen_by_a_nudged_camera() {
        let (mean, spread) = settled();
        // Ten seconds of looks that are two seconds apart: whoever left or came would have been seen on one of them.
        let moment = Gap { lasted_s: 10.0, shows: 2.0, ..gap(5.0) };
        let verdict = |seen: BBox| {
            let mut trial = Trial::new(CaptureTime::default(), moment);
            (0..MOST).find_map(|n| trial.hear(look(n), (&seen, [true; 4]), &[mean; 2], &spread, HURRY, None))
        };
        let aside = shifted(0.012);
        assert_eq!(verdict(aside), Some(Verdict::Same));
        let longer = BBox { x2: aside.x2 + 0.02, ..aside };
        assert_eq!(verdict(longer), Some(Verdict::Other), "a nudge makes no car longer");
    }

    #[test]
    fn where_others_stand_still_the_view_does() {
        let (mut mean, mut spread) = settled();
        // Minutes of looks, so that it is known how little the place wanders.
        for n in 60..600 {
            let seen = shifted(0.004 * ((n % 3) as f32 - 1.0));
            spread.follow(look(n), &mut mean, &seen, [true; 4]);
        }
        let verdict = |aside: f32, others: Option<&Others>| {
            let mut trial = Trial::new(CaptureTime::default(), Gap { emptiness: 8.0, ..gap(0.0) });
            (0..MOST).find_map(|n| {
                let seen = (&shifted(aside), [true; 4]);
                trial.hear(look(n), seen, &[mean; 2], &spread, HURRY, others)
            })
        };
        let seen_aside = |by: f32| Others { x: (by, 1e-7), y: (0.0, 1e-7) };
        assert_eq!(verdict(0.005, Some(&seen_aside(0.0))), Some(Verdict::Other));
        assert_eq!(verdict(0.005, None), Some(Verdict::Same));
        assert_eq!(verdict(0.005, Some(&seen_aside(0.005))), Some(Verdict::Same));
    }
}
