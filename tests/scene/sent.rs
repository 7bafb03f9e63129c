//! What a box sends of a scene: its core and its throttle in a row, as in a replay.

use std::collections::HashMap;

use gridpatrol::case::throttle::Throttle;
use gridpatrol::case::{CaseId, Change, Happening};
use gridpatrol::detect::Vocabulary;
use gridpatrol::evidence::{Evidence, Picture, Pictures, Redaction, Role};
use gridpatrol::mqtt::{CaseEvent, Report};
use gridpatrol::pipeline::Chain;
use gridpatrol::plan::Plan;

use super::play::{numbered, stamp, view};
use super::world::Scene;

/// The messages of a scene.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub messages: usize,
    /// Most messages of one case.
    pub most: usize,
    /// Cases that the throttle held back; a later message counts them.
    pub held_back: usize,
    /// Bytes of the events as JSON, each with the references of its pictures, without the pictures.
    pub bytes: usize,
}

/// Plays `scene` without restarts and counts what is sent of it.
pub fn sent(plan: &Plan, scene: &Scene) -> Sent {
    let camera = &plan.cameras[0];
    let mut chain = Chain::new(plan, camera, Vocabulary::default(), Pictures::Off);
    let mut throttle = Throttle::new(plan.limits);
    let evidence = pictures();
    let (mut sent, mut of_case) = (Sent::default(), HashMap::<CaseId, usize>::new());
    let (mut detections, mut reports) = (Vec::new(), Vec::new());
    let (mut opened, mut told) = (0, 0);
    for look in &scene.looks {
        let at = stamp(look);
        numbered(look, &mut chain.judge, &mut detections);
        chain.detections(at, view(look), &detections, &mut reports);
        let happenings: Vec<Happening> = reports.drain(..).map(|report| report.happening).collect();
        opened += openings(happenings.iter());
        let dispatches = throttle.look(camera, at, &happenings, chain.judge.vocabulary());
        told += openings(dispatches.iter().map(|dispatch| &dispatch.happening));
        for dispatch in dispatches {
            sent.messages += 1;
            *of_case.entry(dispatch.happening.case.id.clone()).or_default() += 1;
            let report = Report {
                plan,
                camera,
                happening: &dispatch.happening,
                evidence: &evidence,
                note: &dispatch.note,
                vocabulary: chain.judge.vocabulary(),
                model: None,
                sequence: sent.messages as u64,
                recorded: dispatch.happening.at,
                clock_synced: None,
            };
            sent.bytes += CaseEvent::new(&report).unwrap().to_json().unwrap().len();
        }
        chain.ask(throttle.wanted(camera, at, chain.judge.open_cases()));
    }
    sent.most = of_case.into_values().max().unwrap_or(0);
    sent.held_back = opened - told.min(opened);
    sent
}

fn openings<'a>(happenings: impl Iterator<Item = &'a Happening>) -> usize {
    happenings.filter(|happening| happening.change == Change::Opened).count()
}

/// Pictures of the usual size, without a picture in them.
fn pictures() -> Evidence {
    let picture = |role| Picture {
        role,
        bytes: vec![0; 120_000],
        sha256: "0".repeat(64),
        width: 1280,
        height: 752,
        view_height: None,
        captured: None,
        url: None,
        part: None,
    };
    Evidence::Taken {
        pictures: vec![picture(Role::Overview), picture(Role::Closeup)],
        redaction: Redaction { persons: 3, faces: 1, vehicles: 5, plates: 2 },
    }
}
