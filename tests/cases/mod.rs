//! The core's promises, each in a test of its name, on scenes whose truth is known.

mod part;

use gridpatrol::case::{Change, Happening};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{BBox, Detection, Vocabulary};
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};

use crate::scene::play::{judge, plan, play};
use crate::scene::score::{Score, score};
use crate::scene::world::Scene;
use crate::scene::{Dice, Noise, street};

/// A camera with a kerb (dwell 60 s, clear 10 s) and a junction (5 people for 20 s).
fn camera() -> Plan {
    camera_with("")
}

/// The same camera with more said about its parking rule.
fn camera_with(parking: &str) -> Plan {
    let text = r#"
edge = { street = "410102007", box = "box-1" }
[[camera]]
id = "cam-05"
source = "looks.jsonl"
zone = [
  { id = "kerb", kind = "no_parking", grid = "g1", rule.illegal_parking = { dwell_s = 60PARKING }, polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 0.7], [0.0, 0.7]] },
  { id = "junction", kind = "gathering", grid = "g2", rule.crowd = { count = 5, dwell_s = 20 }, polygon = [[0.0, 0.7], [1.0, 0.7], [1.0, 1.0], [0.0, 1.0]] },
]
"#;
    let file = ConfigFile::parse("edge.toml".as_ref(), text.replace("PARKING", parking)).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into())).unwrap()
}

/// A camera's core that is shown one look each 0.2 s.
struct Watch {
    plan: Plan,
    judge: Judge,
    seconds: f64,
    happenings: Vec<Happening>,
}

impl Watch {
    fn new() -> Self {
        Self::of(camera())
    }

    fn of(plan: Plan) -> Self {
        let judge = fresh(&plan);
        Self { plan, judge, seconds: 0.0, happenings: Vec::new() }
    }

    /// Shows the same things for `seconds`.
    fn show(&mut self, seconds: f64, view: View, things: &[(&str, BBox)]) -> &mut Self {
        self.show_scored(seconds, view, things, 0.8)
    }

    /// The same with a score.
    fn show_scored(&mut self, seconds: f64, view: View, things: &[(&str, BBox)], score: f32) -> &mut Self {
        self.show_each((seconds, 0.2), view, things, score)
    }

    /// Shows them for `seconds`, one look each `step` seconds.
    fn show_each(
        &mut self,
        (seconds, step): (f64, f64),
        view: View,
        things: &[(&str, BBox)],
        score: f32,
    ) -> &mut Self {
        let detections: Vec<Detection> = things
            .iter()
            .map(|&(name, bbox)| Detection { label: self.judge.intern(name).unwrap(), score, bbox })
            .collect();
        for _ in 0..(seconds / step).round() as u32 {
            let at = at(self.seconds);
            self.judge.look(&Look { at, view, detections: &detections }, &mut self.happenings);
            self.seconds += step;
        }
        self
    }

    /// Shows a car that drives in from the left edge to `x` in four seconds, beside `things`.
    fn see_come(&mut self, x: f32, things: &[(&str, BBox)]) -> &mut Self {
        for look in 0..20 {
            let mut seen = vec![car(x * look as f32 / 20.0)];
            seen.extend_from_slice(things);
            self.see(0.2, &seen);
        }
        self
    }

    /// Shows a car that drives away from `x` to the right in four seconds.
    fn see_leave(&mut self, x: f32) -> &mut Self {
        for look in 0..20 {
            self.see(0.2, &[car(x + (0.88 - x) * look as f32 / 20.0)]);
        }
        self
    }

    fn see(&mut self, seconds: f64, things: &[(&str, BBox)]) -> &mut Self {
        self.show(seconds, View::Clear, things)
    }

    /// Stops and starts again from the saved state.
    fn restart(&mut self) -> &mut Self {
        let saved = self.judge.save().unwrap();
        self.judge = fresh(&self.plan);
        self.judge.restore(&saved).unwrap();
        self
    }

    /// What happened, with the seconds at which it did.
    fn story(&self) -> Vec<(Change, f64)> {
        let second = |h: &Happening| (h.at.seconds_since(CaptureTime::default()) * 10.0).round() / 10.0;
        self.happenings.iter().map(|h| (h.change, second(h))).collect()
    }

    fn changes(&self) -> Vec<Change> {
        self.happenings.iter().map(|h| h.change).collect()
    }
}

fn fresh(plan: &Plan) -> Judge {
    Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default())
}

fn at(seconds: f64) -> CaptureTime {
    CaptureTime::default().plus_seconds(seconds)
}

fn car(x: f32) -> (&'static str, BBox) {
    ("car", BBox { x1: x, y1: 0.45, x2: x + 0.12, y2: 0.55 })
}

/// A bus in front of everything at the kerb between 0.1 and 0.5.
const BUS: (&str, BBox) = ("bus", BBox { x1: 0.1, y1: 0.35, x2: 0.5, y2: 0.75 });

fn people(count: usize) -> Vec<(&'static str, BBox)> {
    (0..count)
        .map(|n| {
            let x = 0.05 + 0.1 * n as f32;
            ("person", BBox { x1: x, y1: 0.75, x2: x + 0.04, y2: 0.9 })
        })
        .collect()
}

#[test]
fn i1_one_real_violation_gives_exactly_one_case() {
    let plan = plan();
    let mut total = Score::default();
    for noise in [Noise::CLEAN, Noise::NOISY, Noise::BAD] {
        for seed in 0..12 {
            let scene = street(seed, &noise, 0.2);
            total.add(score(&scene, &play(&plan, &scene)));
        }
    }
    println!("{} cases, {:?}", total.found, total.notes);
    assert!(total.found > 100, "the scenes hold more than a hundred violations");
    assert!(
        total.late(0.5) < 3.0 && total.late(0.99) < 15.0,
        "{} s, {} s",
        total.late(0.5),
        total.late(0.99)
    );
    assert_eq!((total.missed, total.duplicates, total.wrong), (0, 0, 0), "{:#?}", total.notes);
}

#[test]
fn i2_a_case_opens_only_after_its_dwell_and_within_a_few_looks() {
    let mut watch = Watch::new();
    assert_eq!(watch.see(59.8, &[car(0.3)]).story(), []);
    assert_eq!(watch.see(2.0, &[car(0.3)]).story(), [(Change::Opened, 60.0)]);
}

#[test]
fn i2_what_the_detector_loses_for_eight_seconds_in_plain_view_keeps_its_dwell() {
    let mut watch = Watch::new();
    watch.see(40.0, &[car(0.3)]).see(8.0, &[]).see(20.0, &[car(0.3)]);
    assert_eq!(watch.story(), [(Change::Opened, 60.0)]);
}

#[test]
fn i1_a_shadow_that_passes_the_score_now_and_then_opens_nothing_and_a_car_in_poor_light_does() {
    // The rule's score is 0.45.
    for (faint, opens) in [(0.35, false), (0.42, true)] {
        let mut watch = Watch::new();
        for _ in 0..100 {
            watch.show_scored(0.2, View::Clear, &[car(0.3)], 0.47);
            watch.show_scored(0.8, View::Clear, &[car(0.3)], faint);
        }
        assert_eq!(watch.changes() == [Change::Opened], opens, "{:?}", watch.story());
    }
}

#[test]
fn i1_the_front_of_a_car_seen_before_the_whole_of_it_makes_no_second_case() {
    let mut watch = Watch::new();
    let (name, whole) = car(0.3);
    let front = (name, BBox { x2: whole.x1 + 0.06, ..whole });
    watch.see(3.0, &[front]);
    for _ in 0..40 {
        watch.see(0.6, &[(name, whole)]).see(0.4, &[front, (name, whole)]).see(1.0, &[(name, whole), front]);
    }
    assert_eq!(watch.story(), [(Change::Opened, 60.0)]);
    watch.see(15.0, &[]);
    assert_eq!(watch.changes(), [Change::Opened, Change::Cleared]);
}

// The looks begin at midnight UTC on a Thursday: 08:00 on the street's clock.
#[test]
fn dwell_counts_from_when_the_rule_comes_into_force_and_nothing_opens_outside() {
    let mut watch = Watch::of(camera_with(r#", schedule = ["thu 08:02-08:04"]"#));
    assert_eq!(watch.see(179.8, &[car(0.3)]).story(), []);
    assert_eq!(watch.see(0.4, &[car(0.3)]).story(), [(Change::Opened, 180.0)]);
    assert_eq!(watch.happenings[0].case.first_seen, at(120.0));
    // A second car is still short of its dwell when the window ends at 240 s; the first one's case clears later.
    watch.see(20.0, &[car(0.3)]).see(100.0, &[car(0.3), car(0.6)]).see(30.0, &[]);
    let story = watch.story();
    assert_eq!(story.len(), 2, "{story:?}");
    assert!(story[1].0 == Change::Cleared && story[1].1 > 300.0, "{story:?}");
}

#[test]
fn i3_a_case_clears_only_when_its_place_was_seen_empty() {
    let mut watch = Watch::new();
    watch.see(65.0, &[car(0.3)]);
    // Hidden behind a bus, in the dark, covered, the camera turned away, or no look at all: none is emptiness.
    watch.see(180.0, &[BUS]).show(120.0, View::Dark, &[]).show(60.0, View::Covered, &[]);
    watch.show(60.0, View::Moved, &[]);
    watch.seconds += 3600.0;
    watch.see(2.0, &[car(0.3)]);
    assert_eq!(watch.changes(), [Change::Opened]);
    watch.see(9.0, &[]);
    assert_eq!(watch.changes(), [Change::Opened], "nine seconds are less than the clear time of ten");
    watch.see(3.0, &[]);
    assert_eq!(watch.changes(), [Change::Opened, Change::Cleared]);
}

#[test]
fn i1_a_camera_that_is_turned_away_and_knows_it_late_doubles_no_case() {
    let cars = [car(0.2), car(0.5), car(0.8)];
    let turned = cars.map(|(name, b)| (name, BBox { x1: b.x1 + 0.1, x2: b.x2 + 0.1, ..b }));
    // It comes back a little lower than before.
    let nudged = cars.map(|(name, b)| (name, BBox { y1: b.y1 + 0.012, y2: b.y2 + 0.012, ..b }));
    let mut watch = Watch::new();
    watch.see(65.0, &cars).see(4.0, &turned).show(40.0, View::Moved, &turned).see(100.0, &nudged);
    assert_eq!(watch.changes(), [Change::Opened; 3], "{:?}", watch.story());
    // Two that leave one shortly after the other have left.
    watch.see(3.0, &nudged[..2]).see(20.0, &nudged[..1]);
    let cleared = watch.changes().iter().filter(|&&change| change == Change::Cleared).count();
    assert_eq!(cleared, 2, "{:?}", watch.story());
}

#[test]
fn i2_what_was_seen_to_come_is_no_ghost_and_needs_less_time_in_view() {
    for (comes, in_view_s) in [(true, 10.0), (false, 20.0)] {
        let mut watch = Watch::new();
        if comes {
            watch.see_come(0.45, &[]);
        }
        // The dwell of a minute is over when the camera is turned back. What was in view before counts.
        watch.see(5.0, &[car(0.45)]).show(60.0, View::Moved, &[]);
        let back = watch.seconds;
        watch.see(30.0, &[car(0.45)]);
        let story = watch.story();
        let waits_s = story[0].1 - back;
        assert!(
            story.len() == 1 && (waits_s + 5.0 - in_view_s).abs() < 1.5,
            "{comes}: {waits_s} s, {story:?}"
        );
    }
}

#[test]
fn i2_a_car_that_has_just_come_when_the_camera_is_turned_away_keeps_its_dwell() {
    let landmarks = [car(0.1), car(0.75)];
    // What stands to the left is seen nearly where the new car was.
    let turned = landmarks.map(|(name, b)| (name, BBox { x1: b.x1 + 0.3, x2: b.x2 + 0.3, ..b }));
    let all = [landmarks[0], landmarks[1], car(0.45)];
    let mut watch = Watch::new();
    watch.see(65.0, &landmarks).see_come(0.45, &landmarks).see(1.2, &all);
    watch.see(4.0, &turned).show(60.0, View::Moved, &turned);
    let back = watch.seconds;
    watch.see(30.0, &all);
    assert_eq!(watch.changes(), [Change::Opened; 3]);
    // The minute is over: it must only have been in view for ten seconds.
    let late = watch.story()[2].1 - back;
    assert!(late < 10.0, "{late}");
}

#[test]
fn i1_what_was_seen_to_drive_away_leaves_its_dwell_to_nobody() {
    let mut watch = Watch::new();
    // Another car comes to the very same place while a bus hides it.
    watch.see(30.0, &[car(0.3)]).see_leave(0.3).see(3.0, &[]).see(60.0, &[BUS]);
    let shown = watch.seconds;
    watch.see(58.0, &[car(0.3)]);
    assert_eq!(watch.changes(), [], "{:?}", watch.story());
    watch.see(5.0, &[car(0.3)]);
    let dwell = watch.story()[0].1 - shown;
    assert!((58.0..62.0).contains(&dwell), "{dwell}");
}

#[test]
fn i3_what_two_things_leave_too_little_of_to_be_found_was_not_seen_empty() {
    let (name, whole) = car(0.3);
    // A truck parks in front of nearly half of it, for so long that it is part of the view.
    let truck = ("truck", BBox { x1: 0.366, y1: 0.4, x2: 0.5, y2: 0.6 });
    let beside = (name, BBox { x2: truck.1.x1, ..whole });
    // A bus leaves a third of it free, in the middle.
    let bus = ("bus", BBox { x1: 0.1, y1: 0.35, x2: 0.326, y2: 0.75 });
    let mut watch = Watch::new();
    watch.see(65.0, &[(name, whole)]).see(400.0, &[truck, beside]).see(30.0, &[bus, truck]);
    watch.see(30.0, &[truck, beside]);
    let of_car: Vec<_> = watch.happenings.iter().filter(|h| h.case.objects[0].bbox.x1 < 0.35).collect();
    assert!(of_car.len() == 1 && of_car[0].change == Change::Opened, "{:?}", watch.story());
}

#[test]
fn i1_what_is_seen_by_a_camera_that_is_turned_away_already_stands_nowhere() {
    let landmarks = [car(0.1), car(0.7)];
    let turned = landmarks.map(|(name, b)| (name, BBox { x1: b.x1 + 0.25, x2: b.x2 + 0.25, ..b }));
    let mut watch = Watch::new();
    watch.see(65.0, &landmarks).see(4.0, &turned).show(60.0, View::Moved, &turned);
    // Meanwhile a car has come to where one was seen by the turned camera: nobody saw it before.
    let back = watch.seconds;
    watch.see(70.0, &[landmarks[0], landmarks[1], car(0.35)]);
    assert_eq!(watch.changes(), [Change::Opened; 3]);
    let dwell = watch.story()[2].1 - back;
    assert!((59.0..62.0).contains(&dwell), "{dwell}");
}

#[test]
fn i2_what_is_missed_for_eight_looks_that_are_two_seconds_apart_keeps_its_dwell() {
    let mut watch = Watch::new();
    let car = [car(0.3)];
    watch.show_each((20.0, 2.0), View::Clear, &car, 0.8).show_each((16.0, 2.0), View::Clear, &[], 0.8);
    watch.show_each((60.0, 2.0), View::Clear, &car, 0.8);
    let story = watch.story();
    assert!(story.len() == 1 && (60.0..70.0).contains(&story[0].1), "{story:?}");
}

#[test]
fn i1_a_camera_that_is_nudged_while_a_car_is_hidden_doubles_no_case() {
    let cars = [car(0.2), car(0.35), car(0.6), car(0.8)];
    let nudged = cars.map(|(name, b)| {
        (name, BBox { x1: b.x1 + 0.009, y1: b.y1 - 0.012, x2: b.x2 + 0.009, y2: b.y2 - 0.012 })
    });
    let mut watch = Watch::new();
    watch.see(65.0, &cars).see(5.0, &cars[2..]);
    // A bus stands in front of two of them when the camera is nudged, after they were missed for five seconds.
    watch.see(20.0, &[BUS, cars[2], cars[3]]).see(60.0, &[BUS, nudged[2], nudged[3]]).see(100.0, &nudged);
    assert_eq!(watch.changes(), [Change::Opened; 4], "{:?}", watch.story());
}

#[test]
fn i3_a_bus_that_is_missed_on_a_look_still_hides_what_is_behind_it() {
    let mut watch = Watch::new();
    watch.see(65.0, &[car(0.3)]);
    for _ in 0..60 {
        watch.see(0.2, &[BUS]).see(0.4, &[]);
    }
    watch.see(5.0, &[car(0.3)]);
    assert_eq!(watch.changes(), [Change::Opened]);
}

#[test]
fn i2_what_is_found_behind_a_bus_was_not_seen_and_opens_nothing_until_the_bus_has_gone() {
    let mut watch = Watch::new();
    // No detector sees through a bus: it is a reflection, or a part of something else.
    watch.see(80.0, &[BUS, car(0.3)]);
    assert_eq!(watch.changes(), []);
    watch.see(70.0, &[car(0.3)]);
    assert_eq!(watch.changes(), [Change::Opened], "{:?}", watch.story());
}

#[test]
fn i4_an_object_already_there_at_start_up_counts_from_the_first_look() {
    let mut watch = Watch::new();
    watch.see(61.0, &[car(0.3)]);
    assert_eq!(watch.happenings[0].case.first_seen, at(0.0));
}

#[test]
fn i5_after_a_clear_a_new_object_in_the_same_place_is_a_new_case() {
    let mut watch = Watch::new();
    watch.see(65.0, &[car(0.3)]).see(15.0, &[]).see(65.0, &[car(0.3)]);
    assert_eq!(watch.changes(), [Change::Opened, Change::Cleared, Change::Opened]);
    let ids: Vec<_> = watch.happenings.iter().map(|h| &h.case.id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn i6_a_case_makes_no_more_messages_the_longer_it_lasts() {
    let mut watch = Watch::new();
    watch.see(3600.0, &[car(0.3)]).see(20.0, &[]);
    assert_eq!(watch.changes(), [Change::Opened, Change::Cleared]);
}

#[test]
fn i7_the_same_looks_give_the_same_happenings() {
    let plan = plan();
    let scene = street(3, &Noise::NOISY, 0.2);
    assert_eq!(play(&plan, &scene), play(&plan, &scene));
}

#[test]
fn i8_a_restart_changes_nothing() {
    let plan = plan();
    for seed in 0..4 {
        let mut scene = street(seed, &Noise::NOISY, 0.2);
        scene.restarts = Vec::new();
        let whole = play(&plan, &scene);
        scene.restarts = vec![45.0, 61.3, 400.0, 650.1];
        assert_eq!(play(&plan, &scene), whole, "seed {seed}");
    }
}

#[test]
fn i8_dwell_and_open_cases_survive_a_restart() {
    let mut watch = Watch::new();
    watch.see(30.0, &[car(0.3)]).restart().see(31.0, &[car(0.3)]).restart().see(15.0, &[]);
    let story = watch.story();
    assert_eq!(story[0], (Change::Opened, 60.0));
    assert_eq!(watch.changes(), [Change::Opened, Change::Cleared]);
    assert_eq!(watch.happenings[0].case.id, watch.happenings[1].case.id);
}

#[test]
fn i8_a_clock_step_changes_no_dwell() {
    // An hour ahead in the middle of the dwell makes nobody stand for an hour: what is there counts anew.
    let mut watch = Watch::new();
    watch.see(30.0, &[car(0.3)]);
    watch.seconds += 3600.0;
    watch.see(59.8, &[car(0.3)]);
    assert_eq!(watch.story(), []);
    assert_eq!(watch.see(2.0, &[car(0.3)]).story(), [(Change::Opened, 3690.0)]);
    // With a case open, it changes neither that case nor the time that its place must be empty.
    watch.seconds += 3600.0;
    watch.see(5.0, &[car(0.3)]).see(9.0, &[]);
    watch.seconds += 3600.0;
    watch.see(5.0, &[car(0.3)]).see(9.0, &[]);
    assert_eq!(watch.changes(), [Change::Opened]);
    assert_eq!(watch.see(12.0, &[]).changes(), [Change::Opened, Change::Cleared]);
    // Half a minute back: until the clock shows again what it has shown there is nothing to go by, and the dwell goes
    // on by the clock from there.
    let mut watch = Watch::new();
    watch.see(30.0, &[car(0.3)]);
    watch.seconds -= 30.0;
    assert_eq!(watch.see(59.8, &[car(0.3)]).story(), []);
    assert_eq!(watch.see(2.0, &[car(0.3)]).story(), [(Change::Opened, 60.0)]);
}

#[test]
fn i8_a_look_that_is_not_later_than_the_last_is_ignored_and_counted() {
    let mut watch = Watch::new();
    watch.see(30.0, &[car(0.3)]);
    watch.seconds -= 10.0;
    watch.see(10.0, &[]);
    assert_eq!(watch.judge.ignored(), 50);
    watch.see(31.0, &[car(0.3)]);
    assert_eq!(watch.story(), [(Change::Opened, 60.0)]);
}

/// Plays the streets of `seeds`, each changed by `change`, and checks that the cases are still the true ones.
fn still_right(seeds: std::ops::Range<u64>, interval: f64, mut change: impl FnMut(&mut Scene, &mut Dice)) {
    let plan = plan();
    for seed in seeds {
        let mut scene = street(seed, &Noise::NOISY, interval);
        change(&mut scene, &mut Dice::new(seed));
        let score = score(&scene, &play(&plan, &scene));
        assert_eq!((score.missed, score.duplicates, score.wrong), (0, 0, 0), "{:#?}", score.notes);
    }
}

#[test]
fn a_third_of_the_looks_lost_at_random_changes_no_set_of_cases() {
    still_right(0..8, 0.2, |scene, dice| scene.looks.retain(|_| !dice.chance(1.0 / 3.0)));
}

#[test]
fn twice_the_looks_change_no_set_of_cases() {
    still_right(0..4, 0.1, |_, _| {});
}

#[test]
fn the_order_of_detections_changes_no_set_of_cases() {
    still_right(0..8, 0.2, |scene, dice| {
        for look in &mut scene.looks {
            for n in (1..look.detections.len()).rev() {
                look.detections.swap(n, dice.below(n + 1));
            }
        }
    });
}

#[test]
fn a_stretch_of_two_minutes_without_looks_changes_no_set_of_cases() {
    still_right(0..8, 0.2, |scene, dice| {
        // While a car comes or goes, or when a case falls due, the stretch would change what can be known.
        let busy = scene.busy.clone();
        let fair = |from: f64| !busy.iter().any(|&t| t > from - 15.0 && t < from + 135.0);
        if let Some(from) = (0..200).map(|_| dice.between(70.0, 700.0)).find(|&from| fair(from)) {
            scene.looks.retain(|look| look.t < from || look.t > from + 120.0);
        }
    });
}

#[test]
fn a_mirrored_picture_gives_mirrored_cases() {
    let plan = plan();
    for seed in 0..4 {
        let scene = street(seed, &Noise::NOISY, 0.2);
        let mut mirrored = scene.clone();
        for detection in mirrored.looks.iter_mut().flat_map(|look| &mut look.detections) {
            let [x1, y1, x2, y2] = detection.2;
            detection.2 = [1.0 - x2, y1, 1.0 - x1, y2];
        }
        let (one, other) = (play(&plan, &scene), play(&plan, &mirrored));
        assert_eq!(one.len(), other.len());
        for (a, b) in one.iter().zip(&other) {
            assert_eq!((a.change, a.at), (b.change, b.at));
            let (xa, xb) = (a.case.objects[0].bbox.centre().0, b.case.objects[0].bbox.centre().0);
            assert!((xa + xb - 1.0).abs() < 1e-3, "{xa} and {xb}");
        }
    }
}

#[test]
fn two_cars_side_by_side_are_two_cases() {
    let mut watch = Watch::new();
    watch.see(61.0, &[car(0.3), car(0.38)]);
    assert_eq!(watch.changes(), [Change::Opened, Change::Opened]);
}

#[test]
fn one_vehicle_that_is_called_car_then_truck_then_bus_is_one_case() {
    let mut watch = Watch::new();
    for n in 0..200 {
        let label = ["car", "truck", "bus"][n % 3];
        watch.see(0.4, &[(label, car(0.3).1)]);
    }
    assert_eq!(watch.changes(), [Change::Opened]);
}

#[test]
fn a_car_that_only_drives_past_is_no_case() {
    let mut watch = Watch::new();
    for _ in 0..20 {
        for step in 0..30 {
            watch.see(0.2, &[car(0.03 * step as f32)]);
        }
    }
    assert_eq!(watch.changes(), []);
}

#[test]
fn a_crowd_is_a_case_while_enough_people_are_there() {
    let mut watch = Watch::new();
    watch.see(15.0, &people(4)).see(25.0, &people(6)).see(30.0, &people(4));
    let story = watch.story();
    assert_eq!(story.len(), 2, "{story:?}");
    assert!(story[0].0 == Change::Opened && (35.0..36.5).contains(&story[0].1), "{story:?}");
    assert!(story[1].0 == Change::Cleared && (50.0..53.0).contains(&story[1].1), "{story:?}");
}

#[test]
fn a_crowd_that_breaks_up_in_time_is_no_case() {
    let mut watch = Watch::new();
    watch.see(15.0, &people(6)).see(8.0, &people(4)).see(15.0, &people(6)).see(8.0, &people(4));
    assert_eq!(watch.changes(), []);
}

#[test]
fn looks_half_a_minute_apart_are_enough_for_a_case() {
    let mut watch = Watch::new();
    for _ in 0..8 {
        watch.see(0.2, &[car(0.3)]);
        watch.seconds += 29.8;
    }
    assert_eq!(watch.story(), [(Change::Opened, 60.0)]);
}

#[test]
fn a_crowd_seen_before_a_long_gap_does_not_count_after_it() {
    let mut watch = Watch::new();
    watch.see(5.0, &people(6));
    watch.seconds += 3600.0;
    watch.see(15.0, &people(6)).see(10.0, &people(2));
    assert_eq!(watch.changes(), [], "fifteen seconds are less than the dwell of twenty");
}

#[test]
fn what_was_saved_by_another_version_is_refused_with_advice() {
    let plan = plan();
    let mut core = judge(&plan);
    let error = core.restore(b"{\"version\": 99, \"labels\": [], \"last_look\": null}").unwrap_err();
    assert_eq!(error.exit_code(), 1);
}
