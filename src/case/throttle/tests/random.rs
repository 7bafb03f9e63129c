//! Whatever happens in whatever order: nothing is lost and nothing is told twice.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One step of a random story, and how many seconds it comes after the one before.
#[derive(Clone, Debug)]
enum Step {
    Open {
        camera: usize,
        rule: usize,
        count: usize,
        spot: u8,
        known: bool,
    },
    /// Clears one of what is open.
    Clear(prop::sample::Index),
    Pass,
    Verdict(prop::sample::Index, Verdict),
    Resume(prop::sample::Index),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<(f64, Step)>> {
    let any_index = any::<prop::sample::Index>;
    let open = (0usize..2, 0usize..3, 10usize..40, 0u8..8, any::<bool>())
        .prop_map(|(camera, rule, count, spot, known)| Step::Open { camera, rule, count, spot, known });
    let verdict = prop_oneof![Just(Verdict::Rejected), Just(Verdict::Confirmed), Just(Verdict::Unclear)];
    let step = prop_oneof![
        6 => open,
        4 => any_index().prop_map(Step::Clear),
        2 => Just(Step::Pass),
        1 => (any_index(), verdict).prop_map(|(case, verdict)| Step::Verdict(case, verdict)),
        1 => any_index().prop_map(Step::Resume),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec((prop_oneof![1.0..60.0, 300.0..2000.0, 5000.0..100_000.0], step), 1..80)
}

const LIMITS: &str = "cases_per_hour = 2\ncamera_cases_per_hour = 4\nupdate_s = 600\nquiet_s = 600";

/// Plays `steps`. With `restarts` off, those steps are passes.
fn play(steps: &[(f64, Step)], restarts: bool) -> (Street, u32, f64) {
    let mut street = Street::new(LIMITS);
    let (mut t, mut names) = (0.0, 0);
    for (after, step) in steps {
        t += after;
        match step {
            Step::Open { camera, rule, count, spot, known } => {
                let count = if *rule == PARKING { 1 } else { *count };
                let x = f32::from(*spot) / 10.0;
                let lat = 34.75 + f64::from(*spot) * 4e-5;
                let position = known.then_some(Position { lon: 113.61, lat, accuracy_m: None });
                street.open_at(*camera, *rule, names, t, count, x, position);
                names += 1;
            }
            Step::Clear(which) if !street.open.is_empty() => {
                let case = which.get(&street.open).1.id.clone();
                let name = (0..names).find(|name| id(*name) == case).unwrap();
                street.clear(name, t);
            }
            Step::Verdict(which, verdict) if names > 0 => {
                street.throttle.verdict(&id(which.index(names as usize) as u32), *verdict, "", at(t));
            }
            Step::Resume(which) if names > 0 => {
                street.throttle.resume(&id(which.index(names as usize) as u32));
            }
            Step::Restart if restarts => {
                street.restart(t);
            }
            _ => {
                street.pass(0, t).pass(1, t + 0.1);
            }
        }
        // Asked again after each step, as a restart does.
        street.ask(0, t);
        street.ask(1, t);
    }
    (street, names, t)
}

/// Ids that a message or the status lists as held back.
fn listed<'a>(tallies: impl Iterator<Item = &'a Tally>) -> BTreeSet<CaseId> {
    tallies.flat_map(|tally| tally.cases.iter().cloned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn t1_every_case_is_told_carried_or_still_waiting(steps in steps()) {
        let (street, names, _) = play(&steps, true);
        let all: BTreeSet<CaseId> = (0..names).map(id).collect();
        let told: BTreeSet<CaseId> = street.told.iter().map(|d| said(d).1).collect();
        let notes = || street.told.iter().flat_map(|d| &d.note.held_back);
        let carried = listed(notes());
        let status = street.status();
        let waiting = listed(status.untold.iter());
        let merged = &street.merged;
        let mut accounted: BTreeSet<CaseId> = &told | &carried;
        accounted.extend(waiting.iter().cloned());
        accounted.extend(merged.iter().cloned());
        let cut = notes().chain(&status.untold).any(|tally| tally.number() as usize > tally.cases.len());
        prop_assert!(cut || accounted == all, "lost: {:?}", all.difference(&accounted).collect::<Vec<_>>());
        // No message counts a case that another has counted. One may be counted and told, or counted under the name of
        // the camera that saw it first and told under that of the camera that still does.
        let numbers: u32 = notes().chain(&status.untold).map(Tally::number).sum();
        let counted = carried.union(&waiting).count();
        prop_assert!(cut || numbers as usize == counted, "{numbers} counted of {counted}");
        prop_assert!(told.is_disjoint(&waiting), "what was told is not counted as held back");
    }

    #[test]
    fn t1_whatever_stands_is_told_in_the_end(steps in steps()) {
        let (mut street, _, t) = play(&steps, true);
        // Longer than any cool-down and any quiet time.
        street.pass_until(t + 1.0, t + 9.0 * DAY, 4.0 * HOUR);
        let status = street.status();
        prop_assert_eq!(status.held_back, []);
        prop_assert_eq!(status.quiet, []);
    }

    #[test]
    fn i6_each_case_opens_once_clears_once_and_in_that_order(steps in steps()) {
        let (street, names, _) = play(&steps, true);
        for name in 0..names {
            let told = street.told_of(name);
            let of = |change| told.iter().filter(|(c, _)| *c == change).count();
            prop_assert!(of(Change::Opened) <= 1 && of(Change::Cleared) <= 1, "{told:?}");
            prop_assert!(told.first().is_none_or(|first| first.0 == Change::Opened), "{told:?}");
            let cleared = told.iter().position(|(change, _)| *change == Change::Cleared);
            prop_assert!(cleared.is_none_or(|at| at == told.len() - 1), "{told:?}");
            let spoken = &told[..cleared.unwrap_or(told.len())];
            prop_assert!(spoken.windows(2).all(|pair| pair[1].1 - pair[0].1 >= 600.0), "{told:?}");
        }
    }

    #[test]
    fn t2_no_hour_has_more_openings_than_the_limits_allow(steps in steps()) {
        let (street, _, _) = play(&steps, true);
        let opened: Vec<&Dispatch> =
            street.told.iter().filter(|d| d.happening.change == Change::Opened).collect();
        for first in &opened {
            let hour = || opened.iter().filter(|d| (0.0..HOUR).contains(&(seconds(d) - seconds(first))));
            let case = &first.happening.case;
            let alike = hour().filter(|d| {
                let other = &d.happening.case;
                other.grid == case.grid && (other.rule == RuleIndex(PARKING)) == (case.rule == RuleIndex(PARKING))
            });
            prop_assert!(alike.count() <= 2);
            prop_assert!(hour().filter(|d| d.camera == first.camera).count() <= 4);
        }
    }

    #[test]
    fn i7_two_halves_with_the_state_between_give_the_same_as_one_whole(steps in steps()) {
        let without: Vec<(f64, Step)> =
            steps.iter().filter(|(_, step)| !matches!(step, Step::Restart)).cloned().collect();
        let with: Vec<(f64, Step)> =
            without.iter().flat_map(|step| [step.clone(), (0.0, Step::Restart)]).collect();
        let (whole, _, _) = play(&without, true);
        let (halves, _, _) = play(&with, true);
        prop_assert_eq!(&whole.told, &halves.told);
        prop_assert_eq!(whole.throttle.save().unwrap(), halves.throttle.save().unwrap());
    }
}
