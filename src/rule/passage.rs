//! When something came into a zone and left it, where looks are so far apart that few of them fall into its stay: its
//! way between a look on which it was outside and one on which it was inside tells to a fraction of that.
//!
//! # Invariants
//! - Only what has the size of the other and can have got there is taken for it.
//! - Without a sighting outside, coming or leaving is never put further than the look next to it.

use serde::{Deserialize, Serialize};

use super::company::ASPECT;
use super::scene::{Scene, Terms};
use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection};

/// Looks are few for a dwell if fewer than this fall into it.
const FEW_LOOKS: f64 = 4.0;
/// Sightings are joined over so many usual steps between looks: over four looks on which it was missed, as happens to
/// one in 250 where one look in four finds nothing …
const STEPS: f64 = 5.5;
/// … and remembered for so many: four on which it was missed inside, with some on either side.
const MEMORY: f64 = 8.5;
/// How fast something goes at most, in its heights a second: a bicycle that is ridden slowly, or somebody who runs.
const FASTEST: f32 = 2.0;
/// How far apart the lines on the ground may be that it goes on, in its heights at once and more each second: a way
/// along the view shows as less …
const LINES: (f32, f32) = (0.3, 0.3);
/// … and how much its height may seem to change from look to look.
const ALIKE: std::ops::Range<f32> = 0.67..1.5;
/// How far from the straight way between where it was seen outside before and after, in its heights, it may have been
/// when it was seen inside but once.
const ASTRAY: f32 = 1.0;
/// … and if it was not seen inside at all.
const ASTRAY_UNSEEN: f32 = 0.3;
/// Most sightings remembered; where there are more of them in so short a time, no way can be told.
const MOST_SIGHTINGS: usize = 16;

/// What was seen of a rule's things on the last few looks, in its zone or outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Passage {
    sightings: Vec<Sighting>,
    /// Over how long a time sightings are joined, in seconds.
    #[serde(default)]
    joined_s: f64,
    /// The last looks on which the zone could be judged, the latest last.
    looks: [Option<CaptureTime>; 2],
    /// The look before something was first seen inside that was not seen to come.
    before: Option<CaptureTime>,
    /// Where it was seen to come from.
    from: Option<Sighting>,
}

/// What is known of something that is not found inside on a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inferred {
    /// Until when it was inside, as far as that is known by now.
    pub(super) until: CaptureTime,
    /// On how many looks that is known from.
    pub(super) sightings: u32,
    /// Where it was seen last.
    pub(super) latest: Detection,
    /// Whether it is outside now.
    pub(super) left: bool,
}

/// How something went through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossed {
    /// When it came in …
    pub(super) from: CaptureTime,
    /// … and when it went out.
    pub(super) until: CaptureTime,
    /// Where it is now.
    pub(super) latest: Detection,
}

/// One thing on one look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sighting {
    at: CaptureTime,
    group: u16,
    detection: Detection,
    inside: bool,
}

impl Passage {
    /// Whether looks are so few that this tells more than they do.
    pub(super) fn is_asked(scene: &Scene<'_>, terms: &Terms) -> bool {
        scene.usual_step_s * FEW_LOOKS > terms.dwell_s && terms.company.is_empty()
    }

    /// Takes a look in.
    pub(super) fn look(&mut self, scene: &Scene<'_>, terms: &Terms) {
        self.looks = [self.looks[1], Some(scene.at)];
        self.joined_s = STEPS * scene.usual_step_s;
        let memory_s = MEMORY * scene.usual_step_s;
        self.sightings.retain(|sighting| scene.at.seconds_since(sighting.at) <= memory_s);
        for (index, detection) in scene.detections.iter().enumerate() {
            let Detection { label, score, bbox } = *detection;
            if terms.is_about(label)
                && score >= terms.score
                && bbox.is_sound()
                && terms.size.allow(&bbox, terms.site.ground())
                && self.sightings.len() < MOST_SIGHTINGS
            {
                let inside = terms.polygon.contains(bbox.foot());
                self.sightings.push(Sighting {
                    at: scene.at,
                    group: scene.groups[index],
                    detection: *detection,
                    inside,
                });
            }
        }
    }

    /// Gives everything its label and group by `renumber`, and forgets what has none any more.
    pub(super) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        let known = |sighting: &mut Sighting| match renumber(&mut sighting.detection) {
            Some(group) => {
                sighting.group = group;
                true
            }
            None => false,
        };
        self.sightings.retain_mut(known);
        if self.from.as_mut().is_some_and(|from| !known(from)) {
            self.from = None;
        }
    }

    /// Nothing could be judged.
    pub(super) fn blind(&mut self) {
        *self = Self::default();
    }

    /// When what is inside on this look, and was not before, came in: when it crossed the edge, if it was seen outside
    /// before; half a look ago at best guess if not. Says too whether it was seen outside.
    pub(super) fn came(&mut self, terms: &Terms, at: CaptureTime) -> (CaptureTime, bool) {
        (self.before, self.from) = (None, None);
        let now = self.sightings.iter().filter(|now| now.at == at && now.inside);
        let ways = now.flat_map(|now| self.ways(now, false).map(move |before| (before, now)));
        if let Some((&before, &now)) = ways.max_by_key(|(before, _)| before.at) {
            self.from = Some(before);
            return (crossing(terms, &before, &now), true);
        }
        let Some(before) = self.looks[0] else { return (at, false) };
        self.before = Some(before);
        (middle(before, at), false)
    }

    /// When what was first seen inside at `first` and is again at `at` came in, if that was only guessed: where its way
    /// comes from tells, but not from before the look on which it was not there.
    pub(super) fn came_after_all(
        &mut self,
        terms: &Terms,
        first: CaptureTime,
        at: CaptureTime,
    ) -> Option<CaptureTime> {
        let before = self.before?;
        let (then, now) = {
            let now = self.sightings.iter().filter(|now| now.at == at && now.inside);
            let mut ways = now.flat_map(|now| self.ways(now, true).map(move |then| (*then, *now)));
            ways.find(|(then, _)| then.at == first)?
        };
        self.before = None;
        let back = before.seconds_since(first) / at.seconds_since(first);
        let bbox = between(&then.detection.bbox, &now.detection.bbox, back as f32);
        let from = Sighting { at: before, detection: Detection { bbox, ..then.detection }, ..then };
        Some(if terms.polygon.contains(bbox.foot()) { before } else { crossing(terms, &from, &then) })
    }

    /// How what was last seen inside at `last` left, if it is seen outside on this look. What was seen inside `once` only
    /// must have been on a straight way, from where it came from or on to where it was seen outside twice: else one false
    /// detection there and somebody who passes outside were a passage.
    pub(super) fn left(
        &self,
        terms: &Terms,
        last: CaptureTime,
        at: CaptureTime,
        once: bool,
    ) -> Option<Inferred> {
        let now = self.sightings.iter().filter(|now| now.at == at && !now.inside);
        let mut ways = now.flat_map(|now| self.ways(now, true).map(move |before| (before, now)));
        ways.find_map(|(before, now)| {
            if before.at != last {
                return None;
            }
            let first = self.first_outside(before, now);
            let on_way = first.is_some()
                || self
                    .from
                    .is_some_and(|from| is_on_way(&from.detection.bbox, from.at, before, now, ASTRAY));
            (!once || on_way).then(|| Inferred {
                until: crossing(terms, first.unwrap_or(now), before),
                sightings: 1 + u32::from(first.is_some()),
                latest: now.detection,
                left: true,
            })
        })
    }

    /// Until when what was last seen inside, at `last`, was still there for sure at `at`: it cannot have got out before,
    /// however fast it went.
    pub(super) fn stays(&self, terms: &Terms, last: CaptureTime, at: CaptureTime) -> Option<Inferred> {
        let inside = self.sightings.iter().filter(|sighting| sighting.at == last && sighting.inside);
        let stays = inside.map(|Sighting { detection, .. }| {
            let height = detection.bbox.height();
            let a_second = (FASTEST * height / ASPECT, LINES.1 * height);
            let least_s = terms.polygon.distance_to_side(detection.bbox.foot(), a_second);
            let until = last.plus_seconds(f64::from(least_s)).min(at);
            Inferred { until, sightings: 1, latest: *detection, left: false }
        });
        stays.max_by_key(|inferred| inferred.until)
    }

    /// How something went through without being found inside, if it is seen outside on this look: where it was seen outside
    /// on either side of the zone, three times in all, on one straight way, and nothing else of its kind meanwhile. Two
    /// sightings alone may be of two things.
    pub(super) fn crossed(&self, terms: &Terms, at: CaptureTime) -> Option<Crossed> {
        let mut outside = self.sightings.iter().filter(|now| now.at == at && !now.inside);
        let now = outside.next()?;
        let others = || self.sightings.iter().filter(|other| other.group == now.group && *other != now);
        let first = others().min_by_key(|other| other.at)?;
        let (from, until) = others()
            .rev()
            .filter(|before| !before.inside && is_same(before, now))
            .find_map(|before| stretch_inside(terms, before, now))?;
        let on_way = |other: &Sighting| {
            other == first
                || (is_same(first, other)
                    && is_on_way(&first.detection.bbox, first.at, other, now, ASTRAY_UNSEEN))
        };
        (others().count() >= 2 && others().all(|other| !other.inside && on_way(other))).then_some(Crossed {
            from,
            until,
            latest: now.detection,
        })
    }

    /// The sighting outside, after `before` inside, that lies on the straight way from there to `now`.
    fn first_outside<'a>(&'a self, before: &Sighting, now: &'a Sighting) -> Option<&'a Sighting> {
        let (from, began) = (&before.detection.bbox, before.at);
        self.ways(now, false).find(|first| {
            first.at > began && is_same(before, first) && is_on_way(from, began, first, now, ASTRAY)
        })
    }

    /// Earlier sightings, inside or outside, that may be of the same thing as `now`.
    fn ways<'a>(&'a self, now: &'a Sighting, inside: bool) -> impl Iterator<Item = &'a Sighting> + 'a {
        let joins = |before: &Sighting| now.at.seconds_since(before.at) <= self.joined_s;
        self.sightings
            .iter()
            .filter(move |before| before.inside == inside && joins(before) && is_same(before, now))
    }
}

/// Whether `now` may be of the same thing as `before`.
fn is_same(before: &Sighting, now: &Sighting) -> bool {
    let since_s = now.at.seconds_since(before.at) as f32;
    let (a, b) = (&before.detection.bbox, &now.detection.bbox);
    let height = a.height().max(b.height()).max(f32::EPSILON);
    let far = (a.centre().0 - b.centre().0).abs() * ASPECT / height;
    since_s > 0.0
        && before.group == now.group
        && ALIKE.contains(&(a.height() / b.height().max(f32::EPSILON)))
        && far <= FASTEST * since_s
        && (a.y2 - b.y2).abs() <= (LINES.0 + LINES.1 * since_s) * height
}

/// Whether `half_way` is where something was, give or take `astray` heights, that went straight on from `from`, where it was at `began`, to `now`.
fn is_on_way(from: &BBox, began: CaptureTime, half_way: &Sighting, now: &Sighting, astray: f32) -> bool {
    let share = half_way.at.seconds_since(began) / now.at.seconds_since(began).max(f64::EPSILON);
    let (expected, seen) = (between(from, &now.detection.bbox, share as f32), &half_way.detection.bbox);
    let height = expected.height().max(f32::EPSILON);
    let across = (expected.centre().0 - seen.centre().0).abs() * ASPECT / height;
    across <= astray && (expected.y2 - seen.y2).abs() / height <= LINES.0
}

/// When the edge of the zone was crossed between `outside` and `inside`, either of which may be the earlier one.
fn crossing(terms: &Terms, outside: &Sighting, inside: &Sighting) -> CaptureTime {
    let (mut out, mut into) = (0.0_f32, 1.0_f32);
    // To a thousandth of the way.
    for _ in 0..10 {
        let half = (out + into) / 2.0;
        if terms.polygon.contains(between(&outside.detection.bbox, &inside.detection.bbox, half).foot()) {
            into = half;
        } else {
            out = half;
        }
    }
    outside.at.plus_seconds(f64::from(into) * inside.at.seconds_since(outside.at))
}

/// From when until when something was in the zone on its straight way between two sightings outside; `None` if it does not
/// lead through it.
fn stretch_inside(terms: &Terms, before: &Sighting, now: &Sighting) -> Option<(CaptureTime, CaptureTime)> {
    /// The way is asked in so many places.
    const PARTS: u16 = 32;
    let point = |part: u16| {
        let share = f64::from(part) / f64::from(PARTS);
        let at = before.at.plus_seconds(share * now.at.seconds_since(before.at));
        let bbox = between(&before.detection.bbox, &now.detection.bbox, share as f32);
        Sighting {
            at,
            detection: Detection { bbox, ..now.detection },
            inside: terms.polygon.contains(bbox.foot()),
            ..*now
        }
    };
    let first = (1..PARTS).map(point).find(|point| point.inside)?;
    let last = (1..PARTS).rev().map(point).find(|point| point.inside)?;
    Some((crossing(terms, before, &first), crossing(terms, now, &last)))
}

fn middle(a: CaptureTime, b: CaptureTime) -> CaptureTime {
    a.plus_seconds(b.seconds_since(a) / 2.0)
}

/// The box at `share` of the way from `a` to `b`, or beyond.
fn between(a: &BBox, b: &BBox, share: f32) -> BBox {
    let along = |a: f32, b: f32| a + share * (b - a);
    BBox { x1: along(a.x1, b.x1), y1: along(a.y1, b.y1), x2: along(a.x2, b.x2), y2: along(a.y2, b.y2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::RuleIndex;
    use crate::config::GridProfile;
    use crate::detect::Label;
    use crate::place::{GridId, Polygon, Site};
    use crate::rule::size::SizeLimits;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::default().plus_seconds(seconds)
    }

    /// A corridor from 0.2 to 0.8 of the width.
    fn terms() -> Terms {
        let corners = vec![[0.2, 0.5], [0.8, 0.5], [0.8, 0.98], [0.2, 0.98]];
        Terms {
            rule: RuleIndex(0),
            polygon: Polygon::new(corners).unwrap(),
            site: Site::of_zone(GridId::parse("g1", GridProfile::Opaque).unwrap()),
            size: SizeLimits::default(),
            labels: vec![true],
            score: 0.45,
            dwell_s: 5.0,
            clear_s: 15.0,
            absence_s: None,
            company: Vec::new(),
            in_force_since: None,
            name: String::new(),
        }
    }

    /// A bicycle, 0.12 high, seen at `x` after `seconds`.
    fn seen(seconds: f64, x: f32) -> Sighting {
        let bbox = BBox { x1: x - 0.04, y1: 0.70, x2: x + 0.04, y2: 0.82 };
        let inside = (0.2..0.8).contains(&x);
        Sighting {
            at: at(seconds),
            group: 0,
            detection: Detection { label: Label(0), score: 0.8, bbox },
            inside,
        }
    }

    #[test]
    fn only_what_has_the_size_of_the_other_and_can_have_got_there_is_taken_for_it() {
        let (before, now) = (seen(8.0, 0.30), seen(10.0, 0.40));
        assert!(is_same(&before, &now));
        assert!(!is_same(&now, &before), "it is the later one");
        let mut large = now;
        large.detection.bbox.y1 -= 0.08;
        assert!(!is_same(&before, &large), "0.20 high");
        assert!(!is_same(&before, &seen(10.0, 0.70)), "6 heights in 2 s");
        assert!(is_same(&before, &seen(12.0, 0.70)), "6 heights in 4 s");
        let mut nearer = now;
        (nearer.detection.bbox.y1, nearer.detection.bbox.y2) = (0.82, 0.94);
        assert!(!is_same(&before, &nearer), "on another line");
        assert!(!is_same(&before, &Sighting { group: 1, ..now }), "of another kind");
    }

    #[test]
    fn without_a_sighting_outside_coming_or_leaving_is_never_put_further_than_the_look_next_to_it() {
        let terms = terms();
        let looks = [Some(at(8.0)), Some(at(10.0))];
        let mut passage = Passage { looks, joined_s: 11.0, ..Passage::default() };
        passage.sightings.push(seen(10.0, 0.50));
        assert_eq!(passage.came(&terms, at(10.0)), (at(9.0), false));
        // Its way leads back to before the look on which it was not there …
        let mut slow = passage.clone();
        slow.sightings.push(seen(12.0, 0.54));
        assert_eq!(slow.came_after_all(&terms, at(10.0), at(12.0)), Some(at(8.0)));
        assert_eq!(slow.left(&terms, at(12.0), at(12.0), false).map(|left| left.until), None);
        // … or to the edge after it.
        passage.sightings[0] = seen(10.0, 0.30);
        passage.sightings.push(seen(12.0, 0.50));
        let came = passage.came_after_all(&terms, at(10.0), at(12.0)).unwrap();
        assert!((came.seconds_since(at(9.0))).abs() < 0.01, "{came:?}");
    }

    #[test]
    fn what_a_passage_remembers_is_renumbered_with_all_else() {
        let (known, mut gone) = (seen(10.0, 0.30), seen(10.0, 0.60));
        gone.detection.label = Label(1);
        let mut passage = Passage { sightings: vec![known, gone], from: Some(known), ..Passage::default() };
        let renumber = |detection: &mut Detection| {
            let is_known = detection.label == Label(0);
            detection.label = Label(5);
            is_known.then_some(7)
        };
        let mut other = Passage { from: Some(gone), ..passage.clone() };
        passage.relabel(renumber);
        let told = |sighting: &Sighting| (sighting.detection.label, sighting.group, sighting.detection.bbox);
        let expected = (Label(5), 7, known.detection.bbox);
        assert_eq!(passage.sightings.iter().map(told).collect::<Vec<_>>(), [expected]);
        assert_eq!(passage.from.as_ref().map(told), Some(expected));
        other.relabel(renumber);
        assert_eq!(other.from, None);
    }

    #[test]
    fn what_is_seen_three_times_on_one_way_on_either_side_went_through() {
        let terms = terms();
        let passage = |sightings: &[Sighting]| Passage {
            sightings: sightings.to_vec(),
            joined_s: 11.0,
            ..Passage::default()
        };
        // 0.08 of the width a second: from 0.2 to 0.8 in 7.5 s.
        let (far, near, after) = (seen(0.0, 0.02), seen(2.0, 0.18), seen(10.0, 0.82));
        let crossed = passage(&[far, near, after]).crossed(&terms, at(10.0)).unwrap();
        assert!((crossed.from.seconds_since(at(2.25))).abs() < 0.05, "{crossed:?}");
        assert!((crossed.until.seconds_since(at(9.75))).abs() < 0.05, "{crossed:?}");
        assert!(passage(&[near, after]).crossed(&terms, at(10.0)).is_none(), "two may be of two things");
        let other = seen(6.0, 0.02);
        assert!(passage(&[far, near, other, after]).crossed(&terms, at(10.0)).is_none(), "another one about");
        let slower = seen(0.0, 0.16);
        assert!(passage(&[slower, near, after]).crossed(&terms, at(10.0)).is_none(), "at another pace");
    }

    #[test]
    fn what_cannot_have_got_out_yet_is_still_inside() {
        let terms = terms();
        let passage = Passage { sightings: vec![seen(6.0, 0.50)], ..Passage::default() };
        // 0.3 of the width to either edge, at 2 heights of 0.12 a second and 16 to 9: 2.2 s.
        let stays = |now: f64| passage.stays(&terms, at(6.0), at(now)).unwrap().until.seconds_since(at(6.0));
        assert!((stays(7.0) - 1.0).abs() < 0.01, "{}", stays(7.0));
        assert!((stays(20.0) - 2.22).abs() < 0.02, "{}", stays(20.0));
    }
}
