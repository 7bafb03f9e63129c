//! Plays a scene through the core.

use std::time::Duration;

use gridpatrol::case::Happening;
use gridpatrol::clock::CaptureTime;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{Detection, Vocabulary};
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::plan::{Input, Plan};
use rustix::time::{ClockId, clock_gettime};

use super::kerb;
use super::world::{Scene, SceneLook};

/// The configuration of one camera with these `[[camera.zone]]` tables.
pub fn configuration(zones: &str) -> String {
    format!(
        r#"edge = {{ street = "410102007", box = "box-017" }}
[[camera]]
id = "cam-05"
name = "绿东村路口"
source = "scene.jsonl"
{zones}"#
    )
}

/// The plan of a camera with these zones.
pub fn plan_of(zones: &str) -> Plan {
    let file = ConfigFile::parse("scene.toml".as_ref(), configuration(zones)).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("scene.jsonl".into())).unwrap()
}

/// The plan of the scenes at the kerb: one no-parking zone.
pub fn plan() -> Plan {
    plan_of(&kerb::zone())
}

/// A fresh core for `plan`.
pub fn judge(plan: &Plan) -> Judge {
    Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default())
}

/// What came of a scene.
#[derive(Debug)]
pub struct Played {
    pub happenings: Vec<Happening>,
    /// Seconds of the scene at which each of them happened.
    pub when: Vec<f64>,
    /// CPU time that the core took for all looks.
    pub cpu: Duration,
}

/// Plays `scene`, restarts included.
pub fn play(plan: &Plan, scene: &Scene) -> Vec<Happening> {
    play_timed(plan, scene).happenings
}

/// The same with all that there is to know about it.
pub fn play_timed(plan: &Plan, scene: &Scene) -> Played {
    let mut core = judge(plan);
    let mut restarts = scene.restarts.clone();
    let (mut happenings, mut when, mut cpu) = (Vec::new(), Vec::new(), Duration::ZERO);
    let mut detections = Vec::new();
    for look in &scene.looks {
        if restarts.first().is_some_and(|&t| look.t >= t) {
            restarts.remove(0);
            let saved = core.save().unwrap();
            core = judge(plan);
            core.restore(&saved).unwrap();
        }
        numbered(look, &mut core, &mut detections);
        let began = thread_cpu();
        core.look(&Look { at: stamp(look), view: view(look), detections: &detections }, &mut happenings);
        cpu += thread_cpu().saturating_sub(began);
        when.resize(happenings.len(), look.t);
    }
    Played { happenings, when, cpu }
}

/// The detections of `look` with the labels of `core`.
pub fn numbered(look: &SceneLook, core: &mut Judge, out: &mut Vec<Detection>) {
    out.clear();
    out.extend(look.detections.iter().map(|&(label, score, bbox)| Detection {
        label: core.intern(label).unwrap(),
        score,
        bbox: bbox.into(),
    }));
}

/// The capture time of `look` by the camera's clock.
pub fn stamp(look: &SceneLook) -> CaptureTime {
    CaptureTime::default().plus_seconds(look.stamp)
}

/// The view of `look`.
pub fn view(look: &SceneLook) -> View {
    match look.view {
        "dark" => View::Dark,
        "covered" => View::Covered,
        "moved" => View::Moved,
        _ => View::Clear,
    }
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
