//! Which grid a case belongs to, and where it stands on the ground.

use gridpatrol::case::{Change, Happening};
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{BBox, Detection, Vocabulary};
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};
use serde_json::Value;

/// A camera with a kerb in `grid`, dwell 20 s, clear 5 s.
fn plan(grid: &str) -> Plan {
    let text = format!(
        r#"
edge = {{ street = "410102007", box = "box-1" }}
[[camera]]
id = "cam-05"
source = "looks.jsonl"
zone = [
  {{ id = "kerb", kind = "no_parking", grid = "{grid}", rule.illegal_parking = {{ dwell_s = 20, clear_s = 5 }}, polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 0.7], [0.0, 0.7]] }},
]
"#
    );
    let file = ConfigFile::parse("edge.toml".as_ref(), text).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into())).unwrap()
}

fn judge(plan: &Plan) -> Judge {
    Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default())
}

/// Shows a car, or an empty street, from `from` to `to` seconds, five looks a second.
fn show(judge: &mut Judge, from: u32, to: u32, car: bool) -> Vec<Happening> {
    let label = judge.intern("car").unwrap();
    let bbox = BBox { x1: 0.3, y1: 0.45, x2: 0.42, y2: 0.55 };
    let detections = if car { vec![Detection { label, score: 0.8, bbox }] } else { Vec::new() };
    let mut happenings = Vec::new();
    for look in from * 5..to * 5 {
        let at = CaptureTime::default().plus_seconds(f64::from(look) / 5.0);
        judge.look(&Look { at, view: View::Clear, detections: &detections }, &mut happenings);
    }
    happenings
}

#[test]
fn a_case_keeps_the_grid_it_opened_in_though_the_zone_gets_another_one_meanwhile() {
    let mut before = judge(&plan("g1"));
    let opened = show(&mut before, 0, 30, true);
    assert_eq!((opened[0].change, opened[0].case.grid.as_str()), (Change::Opened, "g1"));
    let mut after = judge(&plan("g2"));
    after.restore(&before.save().unwrap()).unwrap();
    let cleared = show(&mut after, 30, 45, false);
    assert_eq!((cleared[0].change, cleared[0].case.grid.as_str()), (Change::Cleared, "g1"));
}

#[test]
fn a_case_saved_before_cases_kept_their_grid_gets_that_of_its_zone() {
    let plan = plan("g1");
    let mut before = judge(&plan);
    show(&mut before, 0, 30, true);
    let mut saved: Value = serde_json::from_slice(&before.save().unwrap()).unwrap();
    let case = saved.pointer_mut("/rules/0/2/dwell/slots/0/case").unwrap().as_object_mut().unwrap();
    assert!(case.remove("grid").is_some() && case.remove("grid_basis").is_some());
    let mut after = judge(&plan);
    after.restore(&serde_json::to_vec(&saved).unwrap()).unwrap();
    assert_eq!(after.open_cases().next().unwrap().grid.as_str(), "g1");
    let cleared = show(&mut after, 30, 45, false);
    assert_eq!((cleared[0].change, cleared[0].case.grid.as_str()), (Change::Cleared, "g1"));
}
