//! The scenes and the scoreboard themselves, and what the engine makes of a few of them. `make cases` plays hundreds.

use crate::scene::board::{row, story};
use crate::scene::play::{plan_of, play};
use crate::scene::score::{Opening, score, score_openings};
use crate::scene::world::Scene;
use crate::scene::{Dice, KINDS, Kind, Noise, street};

fn kind(name: &str) -> Kind {
    *KINDS.iter().find(|kind| kind.name == name).unwrap()
}

/// What a perfect engine would open in `scene`.
fn perfect(scene: &Scene) -> Vec<Opening> {
    let openings = scene.truth.iter().map(|v| Opening {
        kind: v.kind.to_owned(),
        at: v.due,
        first_seen: v.from,
        centre: v.place.map_or((0.5, 0.5), |(x, y)| (x as f32, y as f32)),
    });
    openings.collect()
}

#[test]
fn every_kind_of_scene_is_the_same_twice_and_has_violations_that_fall_due_in_it() {
    for kind in KINDS {
        let interval = kind.intervals[0] * 5.0;
        for seed in 0..3 {
            let scene = (kind.make)(seed, &Noise::CLEAN, interval);
            let again = (kind.make)(seed, &Noise::CLEAN, interval);
            assert_eq!(format!("{:?}", scene.looks), format!("{:?}", again.looks), "{}", scene.name);
            assert!(!scene.truth.is_empty() && !scene.looks.is_empty(), "{}", scene.name);
            for v in &scene.truth {
                let ends = v.until.unwrap_or(scene.length_s);
                assert!(v.from <= v.due && v.due < ends && ends <= scene.length_s, "{}: {v:?}", scene.name);
            }
        }
    }
}

#[test]
fn a_perfect_engine_is_right_on_every_scene() {
    for kind in KINDS {
        for seed in 0..5 {
            let scene = (kind.make)(seed, &Noise::NOISY, kind.intervals[0] * 5.0);
            let score = score_openings(&scene, &perfect(&scene));
            assert!(score.is_right() && score.late(1.0) == 0.0, "{:#?}", score.notes);
        }
    }
}

#[test]
fn what_an_engine_does_wrong_is_counted_and_told() {
    let scene = street(0, &Noise::CLEAN, 1.0);
    let mut openings = perfect(&scene);
    let missed = openings.remove(0);
    let mut twice = openings[0].clone();
    twice.at += 100.0;
    let elsewhere = Opening { centre: (0.5, 0.1), ..openings[0].clone() };
    let another = Opening { kind: "crowd".to_owned(), ..openings[0].clone() };
    openings.extend([twice, elsewhere, another]);
    openings[0].at += 20.0;
    let score = score_openings(&scene, &openings);
    assert_eq!((score.missed, score.duplicates, score.wrong), (1, 1, 2), "{:#?}", score.notes);
    assert_eq!(score.late(1.0), 20.0);
    assert_eq!(score.notes.len(), 5);
    assert!(score.notes.iter().any(|note| note.contains(&format!("due {:.1} s", missed.at))));
}

#[test]
fn an_engine_that_sees_nothing_misses_everything() {
    for kind in KINDS {
        let mut scene = (kind.make)(1, &Noise::CLEAN, kind.intervals[0] * 5.0);
        scene.looks.iter_mut().for_each(|look| look.detections.clear());
        let score = score_openings(&scene, &[]);
        assert_eq!(score.missed, scene.truth.len(), "{}", scene.name);
        assert_eq!(play(&plan_of(&scene.zones), &scene), [], "{}", scene.name);
    }
}

/// Places that remember beat tracks on the same detections, by far.
#[test]
fn one_case_per_track_doubles_cases_where_the_engine_does_not() {
    let row = row(kind("street"), &Noise::NOISY, 0.2, 0..6, 2, &|_| {});
    println!("per track: {} doubled, {} missed", row.naive.duplicates, row.naive.missed);
    assert!(row.score.is_right(), "{:#?}", row.score.notes);
    assert!(row.naive.duplicates + row.naive.missed > row.score.found / 3);
    assert!(row.bytes > 1000 * row.score.messages && row.bytes < 16_384 * row.score.messages);
}

/// A few seeds of every kind in which the engine is right; on the others the scoreboard counts what is wrong.
#[test]
fn one_case_per_violation_in_every_kind_of_scene_that_is_held() {
    let held = ["pair", "night", "clock", "bikes", "crowd", "stall", "intrusion", "loiter"];
    for name in held {
        let kind = kind(name);
        for noise in [Noise::CLEAN, Noise::NOISY] {
            let row = row(kind, &noise, kind.intervals[0], 0..3, 2, &|_| {});
            let stories: Vec<String> =
                row.failed.iter().map(|&seed| story(kind, seed, &noise, kind.intervals[0])).collect();
            assert!(row.score.is_right(), "{:#?}\n{}", row.score.notes, stories.join("\n"));
            assert!(row.score.most_messages <= 3, "{name}: {} messages", row.score.most_messages);
        }
    }
}

/// Plays scenes of `kinds`, each changed by `change`, and checks that the cases are still the true ones.
fn still_right(kinds: &[&str], seeds: std::ops::Range<u64>, mut change: impl FnMut(&mut Scene, &mut Dice)) {
    for name in kinds {
        for seed in seeds.clone() {
            let mut scene = (kind(name).make)(seed, &Noise::NOISY, 0.2);
            change(&mut scene, &mut Dice::new(seed));
            let score = score(&scene, &play(&plan_of(&scene.zones), &scene));
            assert!(score.is_right(), "{:#?}", score.notes);
        }
    }
}

/// Loitering is left out: who is who among people whom something hides is a guess, and with a third of the looks lost
/// it goes wrong (seed 0 clears early and opens twice).
#[test]
fn a_third_of_the_looks_lost_changes_no_set_of_cases_of_any_rule_but_loitering() {
    let kinds = ["pair", "bikes", "crowd", "stall", "intrusion"];
    still_right(&kinds, 0..2, |scene, dice| scene.looks.retain(|_| !dice.chance(1.0 / 3.0)));
}

#[test]
fn a_minute_and_a_half_without_looks_changes_no_set_of_cases_of_rules_about_things_that_stay() {
    still_right(&["pair", "bikes", "stall"], 0..4, |scene, dice| {
        // While something comes or goes, or when a case falls due, the stretch would change what can be known.
        let busy = scene.busy.clone();
        let fair = |from: f64| !busy.iter().any(|&t| t > from - 15.0 && t < from + 105.0);
        if let Some(from) = (0..500).map(|_| dice.between(30.0, 780.0)).find(|&from| fair(from)) {
            scene.looks.retain(|look| look.t < from || look.t > from + 90.0);
        }
    });
}

#[test]
fn restarts_change_no_set_of_cases_of_any_rule() {
    let kinds = ["pair", "bikes", "crowd", "stall", "intrusion", "loiter"];
    still_right(&kinds, 2..4, |scene, dice| {
        let mut restarts: Vec<f64> = (0..5).map(|_| dice.between(10.0, scene.length_s - 10.0)).collect();
        restarts.sort_by(f64::total_cmp);
        scene.restarts = restarts;
    });
}
