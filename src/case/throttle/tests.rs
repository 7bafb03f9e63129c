//! The throttle's promises on hand-made happenings. A [`Street`] stands in for the cameras' cores.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::case::RuleIndex;
use crate::config::ConfigFile;
use crate::detect::{BBox, Detection};
use crate::place::{GridBasis, GridId, Position};
use crate::plan::{Input as Source, Plan};

mod held;
mod lessons;
mod merged;
mod random;
mod told;
mod verdicts;

/// Rules of each camera, in order: parking in g1, a crowd in g1, a crowd in g2.
const PARKING: usize = 0;
const CROWD: usize = 1;
const OTHER_CROWD: usize = 2;
const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// Two cameras, `a` and `b`, with the same zones.
fn plan(limits: &str) -> Plan {
    let zones = r#"zone = [
  { id = "kerb", kind = "no_parking", grid = "g1", polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 0.7]] },
  { id = "square", kind = "gathering", grid = "g1", polygon = [[0.0, 0.7], [1.0, 0.7], [1.0, 1.0]] },
  { id = "corner", kind = "gathering", grid = "g2", polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.3]] },
]"#;
    let camera = |id: &str| format!("[[camera]]\nid = \"{id}\"\nsource = \"x.jsonl\"\n{zones}\n");
    let text = format!(
        "edge = {{ street = \"1\", box = \"b\" }}\n[limits]\n{limits}\n{}{}",
        camera("a"),
        camera("b")
    );
    let file = ConfigFile::parse(Path::new("edge.toml"), text).unwrap();
    let mut plan = Plan::for_replay(&file, "a", Source::Detections("x.jsonl".into())).unwrap();
    let mut other = Plan::for_replay(&file, "b", Source::Detections("x.jsonl".into())).unwrap();
    plan.cameras.append(&mut other.cameras);
    plan
}

fn at(seconds: f64) -> CaptureTime {
    CaptureTime::default().plus_seconds(seconds)
}

fn id(name: u32) -> CaseId {
    CaseId::derive(&[&name.to_be_bytes()])
}

/// A message as the tests speak of it.
fn said(dispatch: &Dispatch) -> (Change, CaseId) {
    (dispatch.happening.change, dispatch.happening.case.id.clone())
}

/// The cores of the cameras as the throttle sees them: what is open, and what was asked for.
struct Street {
    plan: Plan,
    throttle: Throttle,
    open: Vec<(usize, Case)>,
    wanted: [Vec<Wanted>; 2],
    names: Vocabulary,
    told: Vec<Dispatch>,
    /// Cases that were another camera's view of one.
    merged: BTreeSet<CaseId>,
}

impl Street {
    fn new(limits: &str) -> Self {
        let plan = plan(limits);
        Self {
            throttle: Throttle::new(plan.limits),
            plan,
            open: Vec::new(),
            wanted: [Vec::new(), Vec::new()],
            names: Vocabulary::new(vec!["car".to_owned(), "person".to_owned()]),
            told: Vec::new(),
            merged: BTreeSet::new(),
        }
    }

    /// A case of `rule` opens on `camera` at `t` seconds, with `count` objects, `spot` from the left.
    fn open(&mut self, camera: usize, rule: usize, name: u32, t: f64, count: usize) -> &mut Self {
        self.open_at(camera, rule, name, t, count, 0.1, None)
    }

    #[expect(clippy::too_many_arguments, reason = "a case has that many sides")]
    fn open_at(
        &mut self,
        camera: usize,
        rule: usize,
        name: u32,
        t: f64,
        count: usize,
        spot: f32,
        position: Option<Position>,
    ) -> &mut Self {
        let bbox = BBox { x1: spot, y1: 0.45, x2: spot + 0.1, y2: 0.6 };
        let label = Label(u16::from(rule != PARKING));
        let grid = if rule == OTHER_CROWD { "g2" } else { "g1" };
        let case = Case {
            id: id(name),
            rule: RuleIndex(rule),
            first_seen: at(t - 60.0),
            opened: at(t),
            last_seen: at(t),
            looks: 10,
            hits: 10,
            objects: vec![Detection { label, score: 0.8, bbox }; count],
            grid: GridId::parse(grid, crate::config::GridProfile::Opaque).unwrap(),
            grid_basis: GridBasis::default(),
            position,
        };
        self.open.push((camera, case.clone()));
        self.look(camera, t, &[Happening { change: Change::Opened, at: at(t), case }])
    }

    /// One car is parked on `camera` with a detector's `score`, `spot` from the left.
    fn open_scored(&mut self, camera: usize, name: u32, t: f64, spot: f32, score: f32) -> &mut Self {
        let bbox = BBox { x1: spot, y1: 0.45, x2: spot + 0.1, y2: 0.6 };
        let case = Case {
            id: id(name),
            rule: RuleIndex(PARKING),
            first_seen: at(t - 60.0),
            opened: at(t),
            last_seen: at(t),
            looks: 10,
            hits: 10,
            objects: vec![Detection { label: Label(0), score, bbox }],
            grid: GridId::parse("g1", crate::config::GridProfile::Opaque).unwrap(),
            grid_basis: GridBasis::default(),
            position: None,
        };
        self.open.push((camera, case.clone()));
        self.look(camera, t, &[Happening { change: Change::Opened, at: at(t), case }])
    }

    fn clear(&mut self, name: u32, t: f64) -> &mut Self {
        let index = self.open.iter().position(|(_, case)| case.id == id(name)).unwrap();
        let (camera, case) = self.open.remove(index);
        self.look(camera, t, &[Happening { change: Change::Cleared, at: at(t), case }])
    }

    /// The objects of a case change.
    fn counts(&mut self, name: u32, count: usize) -> &mut Self {
        for (_, case) in self.open.iter_mut().filter(|(_, case)| case.id == id(name)) {
            case.objects.resize(count, case.objects[0]);
        }
        self
    }

    /// A look of `camera` on which nothing changes.
    fn pass(&mut self, camera: usize, t: f64) -> &mut Self {
        self.look(camera, t, &[])
    }

    /// Looks of both cameras, `step` seconds apart.
    fn pass_until(&mut self, from: f64, until: f64, step: f64) -> &mut Self {
        let mut t = from;
        while t < until {
            self.pass(0, t).pass(1, t + step / 2.0);
            t += step;
        }
        self
    }

    fn look(&mut self, camera: usize, t: f64, new: &[Happening]) -> &mut Self {
        let mut happenings = Vec::new();
        for (_, case) in self.open.iter_mut().filter(|(on, _)| *on == camera) {
            case.last_seen = at(t);
            let wanted = self.wanted[camera].iter().find(|wanted| wanted.case == case.id);
            happenings.extend(wanted.map(|wanted| Happening {
                change: wanted.change,
                at: at(t),
                case: case.clone(),
            }));
        }
        happenings.extend_from_slice(new);
        let plan = &self.plan.cameras[camera];
        self.told.extend(self.throttle.look(plan, at(t), &happenings, &self.names));
        self.merged.extend(self.throttle.state.past.merged());
        self.ask(camera, t);
        self
    }

    fn ask(&mut self, camera: usize, t: f64) {
        let open = self.open.iter().filter(|(on, _)| *on == camera).map(|(_, case)| case);
        self.wanted[camera] = self.throttle.wanted(&self.plan.cameras[camera], at(t), open);
    }

    /// Stops and starts again from the saved state at `t`.
    fn restart(&mut self, t: f64) -> &mut Self {
        let saved = self.throttle.save().unwrap();
        self.throttle = Throttle::restore(self.plan.limits, &saved).unwrap();
        self.throttle.keep_cameras(&self.plan.cameras);
        for camera in 0..2 {
            let open = self.open.iter().filter(|(on, _)| *on == camera).map(|(_, case)| case);
            self.throttle.reconcile(&self.plan.cameras[camera], open);
            self.ask(camera, t);
        }
        self
    }

    fn story(&self) -> Vec<(Change, CaseId)> {
        self.told.iter().map(said).collect()
    }

    /// What was told of one case, with the seconds at which it was.
    fn told_of(&self, name: u32) -> Vec<(Change, f64)> {
        let of = self.told.iter().filter(|dispatch| dispatch.happening.case.id == id(name));
        of.map(|dispatch| (dispatch.happening.change, seconds(dispatch))).collect()
    }

    fn status(&self) -> ThrottleStatus {
        self.throttle.status(CaptureTime::default())
    }
}

fn seconds(dispatch: &Dispatch) -> f64 {
    dispatch.happening.at.seconds_since(CaptureTime::default())
}

/// How many cases `dispatch` says were held back.
fn carried(dispatch: &Dispatch) -> u32 {
    dispatch.note.held_back.iter().map(Tally::number).sum()
}
