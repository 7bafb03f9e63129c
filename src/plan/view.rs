//! What is looked for in a camera's view, and how its looks are saved.

use toml::Spanned;

use super::{Input, LiveInput, RulePlan};
use crate::config::{CameraConfig, ConfigFile};
use crate::error::Result;
use crate::gate::GatePlan;
use crate::health::{Fault, ViewPlan};

/// Seconds for which a picture by HTTP may be the same: cameras renew it when they please.
const SNAPSHOT_FROZEN_S: f64 = 60.0;
/// Most seconds between two looks where the configuration does not say. Places count a gap for no more than this.
const LOOK_INTERVAL_S: f64 = 5.0;

/// What makes the view of `camera`, which watches `input`, unusable.
pub(super) fn view(file: &ConfigFile, camera: &CameraConfig, input: &Input) -> Result<ViewPlan> {
    let view = &camera.view;
    // Somebody chose the pictures of a folder; they need not be of one time or place.
    let chosen = matches!(input, Input::Pictures(_));
    let switches = [
        (Fault::Dark, view.dark, true),
        (Fault::Covered, view.covered, true),
        (Fault::Frozen, view.frozen, !chosen),
        (Fault::Blurred, view.blurred, true),
        (Fault::Moved, view.moved, !chosen),
    ];
    let usual = ViewPlan::default();
    let frozen_s = match input {
        Input::Live(LiveInput::Snapshots(_)) => SNAPSHOT_FROZEN_S,
        _ => usual.frozen_s,
    };
    let on = switches.into_iter().filter(|(_, given, usual)| given.unwrap_or(*usual));
    Ok(ViewPlan {
        faults: on.map(|(fault, ..)| fault).collect(),
        fault_s: seconds(file, "camera.view.fault_s", view.fault_s.as_ref(), usual.fault_s, (1.0, 3600.0))?,
        recover_s: seconds(
            file,
            "camera.view.recover_s",
            view.recover_s.as_ref(),
            usual.recover_s,
            (1.0, 3600.0),
        )?,
        frozen_s: seconds(file, "camera.view.frozen_s", view.frozen_s.as_ref(), frozen_s, (5.0, 3600.0))?,
    })
}

/// How the looks of `camera` are saved. What the gate should overlook is then seen within the shortest dwell of its
/// `rules`, so that no case opens later than by that.
pub(super) fn gate(file: &ConfigFile, camera: &CameraConfig, rules: &[RulePlan]) -> Result<GatePlan> {
    let shortest = rules.iter().map(|rule| rule.dwell_s).fold(LOOK_INTERVAL_S, f64::min).max(0.1);
    let given = camera.gate.look_interval_s.as_ref();
    Ok(GatePlan {
        enabled: camera.gate.enabled.unwrap_or(true),
        look_interval_s: seconds(
            file,
            "camera.gate.look_interval_s",
            given,
            shortest,
            (0.1, LOOK_INTERVAL_S),
        )?,
    })
}

fn seconds(
    file: &ConfigFile,
    key: &str,
    given: Option<&Spanned<f64>>,
    usual: f64,
    (least, most): (f64, f64),
) -> Result<f64> {
    match given {
        None => Ok(usual),
        Some(given) if (least..=most).contains(given.get_ref()) => Ok(*given.get_ref()),
        Some(given) => {
            let what = format!("{} seconds: expected {least} to {most}", given.get_ref());
            Err(file.fault(key, given.span(), what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn plan(camera: &str, kind: &str) -> Result<Plan> {
        let text = format!(
            "edge = {{ street = \"1\", box = \"b\" }}\n[[camera]]\nid = \"gate\"\n{camera}\nzone = [{{ id = \"z\", \
             kind = \"{kind}\", grid = \"1\", polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] }}]\n[model]\npath = {:?}\n",
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nanodet-g-416")
        );
        Plan::new(&ConfigFile::parse("edge.toml".as_ref(), text)?)
    }

    #[test]
    fn what_is_looked_for_depends_on_what_is_watched_and_can_be_switched() {
        let of = |camera: &str| plan(camera, "no_parking").unwrap().cameras.remove(0).view;
        assert_eq!(of("source = \"rtsp://h/p\""), ViewPlan::default());
        assert_eq!(of("source = \"http://h/p.jpg\"").frozen_s, 60.0);
        let folder = of("source = \"/\"");
        assert_eq!(folder.faults, [Fault::Dark, Fault::Covered, Fault::Blurred]);
        let set =
            of("source = \"rtsp://h/p\"\nview = { moved = false, dark = false, fault_s = 9, frozen_s = 30 }");
        assert_eq!(set.faults, [Fault::Covered, Fault::Frozen, Fault::Blurred]);
        assert_eq!((set.fault_s, set.recover_s, set.frozen_s), (9.0, 3.0, 30.0));
    }

    #[test]
    fn no_rule_waits_longer_for_a_look_than_its_dwell() {
        let of = |kind: &str| plan("source = \"rtsp://h/p\"", kind).unwrap().cameras.remove(0).gate;
        assert_eq!(of("no_parking"), GatePlan { enabled: true, look_interval_s: 5.0 });
        assert_eq!(of("restricted").look_interval_s, 2.0, "an intrusion opens after two seconds");
    }

    #[test]
    fn a_time_that_makes_no_sense_is_refused_by_its_key() {
        for (camera, key) in [
            ("view.fault_s = 0", "camera.view.fault_s"),
            ("view.frozen_s = 1e9", "camera.view.frozen_s"),
            ("gate.look_interval_s = 60", "camera.gate.look_interval_s"),
        ] {
            let text =
                plan(&format!("source = \"rtsp://h/p\"\n{camera}"), "no_parking").unwrap_err().to_string();
            assert!(text.contains(key) && text.contains("expected"), "{text}");
        }
    }
}
