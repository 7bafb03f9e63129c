use std::path::Path;

use super::*;
use crate::case::{Case, Change, Happening, RuleIndex};
use crate::config::{ConfigFile, GridProfile};
use crate::detect::Vocabulary;
use crate::error::{Error, Kind};
use crate::place::{GridBasis, GridId};
use crate::plan::Input;

fn plan() -> Plan {
    let text = r#"
edge = { street = "1", box = "b" }
[[camera]]
id = "a"
source = "x.jsonl"
zone = [{ id = "kerb", kind = "no_parking", grid = "g", polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] }]
"#;
    let file = ConfigFile::parse(Path::new("edge.toml"), text.to_owned()).unwrap();
    Plan::for_replay(&file, "a", Input::Detections("x.jsonl".into())).unwrap()
}

fn opened() -> Happening {
    let at = CaptureTime::from_nanos(1_000_000_000);
    let case = Case {
        id: CaseId::derive(&[b"one"]),
        rule: RuleIndex(0),
        first_seen: at,
        opened: at,
        last_seen: at,
        looks: 1,
        hits: 1,
        objects: Vec::new(),
        grid: GridId::parse("g", GridProfile::Opaque).unwrap(),
        grid_basis: GridBasis::default(),
        position: None,
    };
    Happening { change: Change::Opened, at, case }
}

/// Decides on the happening and stores the decision, unless the disk `fails`. Returns how much was told.
fn keep(shared: &SharedThrottle, plan: &Plan, happening: &Happening, fails: bool) -> Result<usize> {
    shared.change(happening.at, |throttle| {
        let camera = &plan.cameras[0];
        let happenings = std::slice::from_ref(happening);
        let told = throttle.look(camera, happening.at, happenings, &Vocabulary::default());
        let state = throttle.save()?;
        shared.outbox.accept_with(&[("a", b"core"), (BOX, &state)], |_| match fails {
            true => Err(Error::new(Kind::Disk, "the disk is full")),
            false => Ok(Vec::new()),
        })?;
        Ok(told.len())
    })
}

#[test]
fn t1_a_decision_that_could_not_be_stored_was_not_taken() {
    let plan = plan();
    let outbox = Arc::new(Outbox::in_memory().unwrap());
    let shared = SharedThrottle::open(&plan, outbox.clone()).unwrap();
    let happening = opened();
    assert!(keep(&shared, &plan, &happening, true).is_err());
    assert_eq!(outbox.core_state(BOX).unwrap(), None);
    assert_eq!(outbox.core_state("a").unwrap(), None);
    assert_eq!(shared.lock().status(happening.at).standing, 0);
    // The same happening, decided again, is told.
    assert_eq!(keep(&shared, &plan, &happening, false).unwrap(), 1);
    // After a power cut the stored state knows it, and does not tell it again.
    let after = SharedThrottle::open(&plan, outbox.clone()).unwrap();
    assert_eq!(after.lock().status(happening.at).standing, 1);
    assert_eq!(keep(&after, &plan, &happening, false).unwrap(), 0);
    assert_eq!(outbox.core_state("a").unwrap().as_deref(), Some(&b"core"[..]));
}

#[test]
fn t3_a_verdict_is_on_disk_when_it_is_taken_and_whoever_follows_hears_of_it() {
    let plan = plan();
    let outbox = Arc::new(Outbox::in_memory().unwrap());
    let shared = SharedThrottle::open(&plan, outbox.clone()).unwrap();
    let happening = opened();
    keep(&shared, &plan, &happening, false).unwrap();
    let status = shared.watch();
    let remark = Remark { corrected_kind: Some("crowd".to_owned()), reviewer_role: None };
    let outcome =
        shared.verdict(&happening.case.id, Verdict::Rejected, "a post", &remark, happening.at).unwrap();
    assert!(matches!(outcome, VerdictOutcome::Quiet(_)));
    assert_eq!(status.borrow().quiet[0].reason, "a post");
    let after = SharedThrottle::open(&plan, outbox).unwrap();
    assert_eq!(after.lock().status(happening.at).quiet.len(), 1);
    // What the reviewer added is kept with it, and a later verdict without a word leaves it.
    let outcome = after.verdict(
        &happening.case.id,
        Verdict::Unclear,
        "",
        &Remark::default(),
        happening.at.plus_seconds(1.0),
    );
    assert_eq!(outcome.unwrap(), VerdictOutcome::Resumed);
    let throttle = after.lock();
    let reviews: Vec<_> = throttle.reviews().collect();
    assert_eq!(reviews.len(), 1);
    assert_eq!((reviews[0].case, reviews[0].kind), (&happening.case.id, "illegal_parking"));
    assert_eq!((reviews[0].camera, reviews[0].zone), ("a", "kerb"));
    assert_eq!((reviews[0].verdict, reviews[0].remark), (Verdict::Unclear, &remark));
}
