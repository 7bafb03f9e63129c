use super::*;
use crate::frame::Frame;
use crate::thumbnail::street::{SIZE, Street, Thing, View as Seen, chance};

/// A camera under test.
struct Camera {
    street: Street,
    health: ViewHealth,
    small: Thumbnail,
    seconds: f64,
    /// Seconds between two looks.
    step_s: f64,
    /// What each look said: seconds, view, declared fault.
    said: Vec<(f64, View, Option<Fault>)>,
}

impl Camera {
    fn new(seed: u64) -> Self {
        Self::with(seed, ViewPlan::default())
    }

    fn with(seed: u64, plan: ViewPlan) -> Self {
        Self {
            street: Street::new(seed),
            health: ViewHealth::new(plan, 1),
            small: Thumbnail::default(),
            seconds: 0.0,
            step_s: 0.5,
            said: Vec::new(),
        }
    }

    fn look(&mut self, frame: &Frame) {
        assert!(self.small.take(frame));
        let at = CaptureTime::default().plus_seconds(self.seconds);
        let verdict = self.health.look(&self.small, at);
        self.said.push((self.seconds, verdict.view, verdict.fault));
        self.seconds += self.step_s;
    }

    /// Shows what `view` makes of each time for `seconds`.
    fn show(&mut self, seconds: f64, view: impl Fn(f64) -> Seen) -> &mut Self {
        let began = self.seconds;
        while self.seconds < began + seconds {
            let frame = self.street.picture(&view(self.seconds - began), self.seconds);
            self.look(&frame);
        }
        self
    }

    fn day(&mut self, seconds: f64) -> &mut Self {
        self.show(seconds, |_| Seen::default())
    }

    /// Declared faults in order, with the seconds at which each began to be said; `None` is recovery.
    fn declared(&self) -> Vec<(f64, Option<Fault>)> {
        let mut changes = Vec::new();
        let mut last = None;
        for &(seconds, _, fault) in &self.said {
            if fault != last {
                changes.push((seconds, fault));
                last = fault;
            }
        }
        changes
    }

    fn views(&self, from: f64, to: f64) -> Vec<View> {
        self.said.iter().filter(|(at, ..)| (from..to).contains(at)).map(|&(_, view, _)| view).collect()
    }

    /// Nothing was ever wrong with it.
    fn is_sound(&self, what: &str) {
        let wrong: Vec<_> = self.said.iter().filter(|(_, view, _)| *view != View::Clear).collect();
        assert!(wrong.is_empty(), "{what}: {:?} of {} looks", &wrong[..wrong.len().min(8)], self.said.len());
    }
}

fn seen(change: impl FnOnce(&mut Seen)) -> Seen {
    let mut view = Seen::default();
    change(&mut view);
    view
}

/// A lens with something before it: smooth, brighter to one side.
fn covered(luma: f32, slope: f32, picture: u64) -> Frame {
    let (width, height) = SIZE;
    let pixel = |at: usize| {
        let across = (at % width) as f32 / width as f32;
        (luma + slope * across + 4.0 * (chance(picture, at as u64) - 0.5)) as u8
    };
    let y = (0..width * height).map(pixel).collect();
    Frame { width, height, y, full_range: true, ..Frame::default() }
}

/// `fault` is declared between 5 and 7 s after 60 s and is over between 3 and 5 s after 90 s, and no look in between
/// can be used.
fn lasts_from_60_to_90(camera: &Camera, fault: Fault, what: &str) {
    let declared = camera.declared();
    let [(began, first), (ended, None)] = declared[..] else { panic!("{what}: {declared:?}") };
    assert_eq!(first, Some(fault), "{what}");
    assert!((65.0..=67.0).contains(&began) && (93.0..=95.0).contains(&ended), "{what}: {declared:?}");
    assert!(camera.views(60.5, 92.5).iter().all(|view| *view != View::Clear), "{what}");
    assert!(camera.views(0.0, 60.0).iter().all(|view| *view == View::Clear), "{what}");
    assert!(camera.views(ended + 0.1, 900.0).iter().all(|view| *view == View::Clear), "{what}");
}

#[test]
fn each_fault_is_declared_after_its_time_and_so_is_its_end() {
    let faults: [(&str, Fault, Seen); 7] = [
        ("lamps out", Fault::Dark, seen(|v| v.light = 0.03)),
        ("lens off by 6 pixels", Fault::Blurred, seen(|v| v.blur = 6.0)),
        ("lens off by 12 pixels", Fault::Blurred, seen(|v| v.blur = 12.0)),
        ("turned aside", Fault::Moved, seen(|v| v.turned = (26, 0))),
        ("sunk", Fault::Moved, seen(|v| v.turned = (0, 18))),
        ("turned up and away", Fault::Moved, seen(|v| v.turned = (-40, -12))),
        ("turned to another place", Fault::Moved, seen(|v| v.turned = (151, 97))),
    ];
    for (what, fault, view) in faults {
        for seed in 0..3 {
            let mut camera = Camera::new(seed);
            camera.day(60.0).show(30.0, |_| view.clone()).day(30.0);
            lasts_from_60_to_90(&camera, fault, &format!("{what}, street {seed}"));
        }
    }
}

#[test]
fn a_covered_lens_is_seen_whatever_it_is_covered_with() {
    for (what, luma, slope) in [("a bag", 140.0, 0.0), ("a hand", 60.0, 25.0), ("paint", 200.0, 40.0)] {
        let mut camera = Camera::new(1);
        camera.day(60.0);
        for picture in 0..60 {
            camera.look(&covered(luma, slope, picture));
        }
        camera.day(30.0);
        lasts_from_60_to_90(&camera, Fault::Covered, what);
    }
}

#[test]
fn a_picture_that_comes_again_and_again_is_frozen() {
    let mut camera = Camera::new(2);
    camera.day(60.0);
    let frame = camera.street.picture(&Seen::default(), 60.0);
    for _ in 0..60 {
        camera.look(&frame);
    }
    camera.day(30.0);
    let declared = camera.declared();
    let [(began, Some(Fault::Frozen)), (ended, None)] = declared[..] else { panic!("{declared:?}") };
    assert!((75.0..=77.0).contains(&began) && (93.0..=95.0).contains(&ended), "{declared:?}");
    assert_eq!(camera.health.since, Some(CaptureTime::default().plus_seconds(90.0)));
}

#[test]
fn a_clip_of_a_still_street_that_stops_now_and_then_is_not_frozen() {
    let mut camera = Camera::new(2);
    for round in 0..6 {
        // An encoder that leaves out what has hardly changed repeats a picture until its next key picture.
        let frame = camera.street.picture(&Seen::default(), f64::from(round));
        for _ in 0..20 {
            camera.look(&frame);
        }
    }
    camera.is_sound("ten seconds between key pictures");
}

#[test]
fn what_the_weather_and_the_hour_do_is_no_fault() {
    let night = |light: f32| seen(|v| (v.light, v.noise) = (light, 4.0));
    for seed in 0..2 {
        let case = |what: &str, shown: &dyn Fn(f64) -> Seen, seconds: f64| {
            let mut camera = Camera::new(seed);
            camera.step_s = 1.0;
            camera.day(30.0).show(seconds, shown).day(10.0);
            camera.is_sound(&format!("{what}, street {seed}"));
        };
        case("an empty still street", &|_| seen(|v| v.noise = 1.0), 120.0);
        case("fog that comes and goes", &|t| seen(|v| v.fog = 0.84 * (t as f32 / 60.0).min(1.0)), 120.0);
        case("rain", &|_| seen(|v| (v.rain, v.light) = (150, 0.6)), 60.0);
        let dusk = |t: f64| (1.0 - t as f32 / 300.0 * 0.87).max(0.13);
        case("dusk", &|t| seen(|v| (v.light, v.noise) = (dusk(t), 4.0)), 320.0);
        case("headlights that pass", &|t| seen(|v| v.beam = Some(((t % 6.0) as f32 / 3.0 - 0.5, 2.0))), 60.0);
        case(
            "a bus in front",
            &|_| seen(|v| v.things = vec![Thing { place: [0.1, 0.1, 0.75, 0.8], tone: 120.0 }]),
            60.0,
        );
        case("a lamp goes out", &|t| seen(|v| v.light = if t > 20.0 { 0.6 } else { 1.0 }), 60.0);
        case(
            "the wind shakes the pole",
            &|t| seen(|v| v.turned = (((t * 2.0) as isize % 3 - 1) * 4, 0)),
            60.0,
        );
        let mut camera = Camera::new(seed);
        camera.show(60.0, |_| night(0.14));
        camera.show(60.0, |_| seen(|v| (v.light, v.noise, v.glare) = (0.14, 4.0, Some((0.5, 0.12, 220.0)))));
        camera.show(60.0, |t| {
            seen(|v| {
                (v.light, v.noise, v.beam) = (0.14, 4.0, Some(((t % 6.0) as f32 / 3.0 - 0.5, 1.0)));
            })
        });
        camera.is_sound(&format!("a dim night with headlights, street {seed}"));
    }
}

#[test]
fn a_sign_that_passes_is_not_declared_but_its_looks_are_not_used() {
    let mut camera = Camera::new(4);
    camera.day(30.0).show(3.0, |_| seen(|v| v.light = 0.0)).day(30.0);
    assert!(camera.declared().is_empty(), "{:?}", camera.declared());
    assert_eq!(camera.views(30.0, 33.0), [View::Dark; 6]);
    assert!(camera.views(33.0, 63.0).iter().all(|view| *view == View::Clear));
}

#[test]
fn a_look_with_a_sign_of_a_fault_is_unusable_at_once() {
    let mut camera = Camera::new(4);
    camera.day(30.0).show(1.0, |_| seen(|v| v.turned = (30, 0)));
    assert_eq!(camera.views(30.0, 31.0), [View::Moved; 2]);
}

#[test]
fn what_is_switched_off_is_not_looked_for() {
    let faults = vec![Fault::Covered, Fault::Frozen];
    let mut camera = Camera::with(5, ViewPlan { faults, ..ViewPlan::default() });
    camera.day(20.0).show(20.0, |_| seen(|v| v.light = 0.02)).show(20.0, |_| seen(|v| v.turned = (40, 0)));
    camera.show(20.0, |_| seen(|v| v.blur = 12.0));
    camera.is_sound("dark, moved and blurred are off");
}

#[test]
fn a_turned_camera_is_noticed_over_a_restart_and_new_zones_take_a_new_reference() {
    let mut camera = Camera::new(6);
    camera.day(60.0);
    let saved = camera.health.save().unwrap();
    let turned = |camera: &mut Camera| {
        camera.said.clear();
        camera.seconds += 600.0;
        camera.show(20.0, |_| seen(|v| v.turned = (30, 10)));
        camera.health.declared
    };

    camera.health = ViewHealth::new(ViewPlan::default(), 1);
    assert!(camera.health.restore(&saved));
    assert_eq!(turned(&mut camera), Some(Fault::Moved));

    camera.health = ViewHealth::new(ViewPlan::default(), 2);
    assert!(!camera.health.restore(&saved), "the zones were drawn anew");
    assert_eq!(turned(&mut camera), None);
}

#[test]
fn a_box_that_starts_again_at_night_does_not_take_the_night_for_another_place() {
    for seed in 0..4 {
        let mut camera = Camera::new(seed);
        camera.day(60.0);
        let saved = camera.health.save().unwrap();
        camera.health = ViewHealth::new(ViewPlan::default(), 1);
        assert!(camera.health.restore(&saved));
        camera.said.clear();
        camera.seconds += 8.0 * 3600.0;
        camera.show(60.0, |_| seen(|v| (v.light, v.noise) = (0.14, 4.0)));
        camera.is_sound(&format!("street {seed} at night"));
    }
}

#[test]
fn a_camera_that_sinks_by_a_hair_each_day_is_noticed_in_the_end() {
    let mut camera = Camera::new(7);
    camera.day(60.0);
    // 24 pixels, 9 % of the height, in 40 minutes: slower than the recent picture follows.
    camera.step_s = 5.0;
    camera.show(2400.0, |t| seen(|v| v.turned = (0, (t / 100.0) as isize)));
    assert_eq!(camera.health.declared, Some(Fault::Moved), "{:?}", camera.declared());
}
