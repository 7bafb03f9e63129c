//! `gridpatrol check`: is this configuration sound?

use std::io::Write as _;
use std::path::PathBuf;

use crate::clock::CaptureTime;
use crate::config::ConfigFile;
use crate::detect::model::Model;
use crate::detect::{Detector as _, OnnxDetector, RuntimeReport};
use crate::error::{Error, Kind, Result};
use crate::evidence::Pictures;
use crate::place::grids::Overlap;
use crate::plan::{Condition, Input, Plan, ground};
use crate::source;

/// Most pairs of grids that share ground that are listed for a person.
const SHOWN_OVERLAPS: usize = 20;

/// Check a configuration, its model and its inputs without running it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gridpatrol check --config edge.toml")]
pub struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Checks everything that `run` would need, and says what the box would watch for.
///
/// # Errors
/// The first fault found.
pub fn run(args: &Args) -> Result<()> {
    let file = ConfigFile::read(&args.config)?;
    let mut plan = Plan::new(&file)?;
    let detector = OnnxDetector::with(&Model::load(&plan.model)?, &plan.setup())?;
    plan.check_labels(detector.vocabulary(), &detector.identity().name)?;
    plan.check_scores(detector.identity())?;
    let redaction = Pictures::open(&plan)?.models();
    for camera in &plan.cameras {
        if let Input::Live(live) = &camera.input {
            if let Some((_, secret)) = live.login() {
                secret.read()?;
            }
        } else {
            source::open(&camera.input, CaptureTime::default(), 1.0)?;
        }
    }
    let name = &detector.identity().name;
    let runtime = detector.session().runtime();
    let overlaps = ground::grids(&file)?.map(|grids| grids.overlaps()).unwrap_or_default();
    let found = Found { model: name, runtime, redaction: redaction.as_ref(), overlaps: &overlaps };
    let text = if args.json { as_json(&plan, &found)? } else { as_text(&plan, &found) };
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}

/// What was opened and found.
struct Found<'a> {
    model: &'a str,
    runtime: &'a RuntimeReport,
    redaction: Option<&'a [String; 2]>,
    overlaps: &'a [Overlap],
}

fn as_text(plan: &Plan, found: &Found<'_>) -> String {
    let Found { model, runtime, redaction, overlaps } = *found;
    let mut lines = vec![format!(
        "The configuration is sound: box {} in street {}, model {model}, broker {}:{}.",
        plan.box_id, plan.street, plan.broker.host, plan.broker.port
    )];
    lines.push(format!("{} worker(s), {runtime}", plan.workers));
    lines.push(match redaction {
        Some([faces, plates]) => format!("Pictures, redacted with {faces} and {plates}"),
        None => "No pictures (privacy.pictures = false)".to_owned(),
    });
    for camera in &plan.cameras {
        lines.push(format!(
            "{} ({}), {:.1} looks a second",
            camera.id,
            camera.name,
            1.0 / camera.look_interval_s
        ));
        for rule in &camera.rules {
            let condition = match rule.condition {
                Condition::Standing => String::new(),
                Condition::Presence => "anything, ".to_owned(),
                Condition::Loitering => "staying, ".to_owned(),
                Condition::Cluster { count: 1, .. } => "standing together, ".to_owned(),
                Condition::Count(count) | Condition::Cluster { count, .. } => format!("at least {count}, "),
            };
            let cool_down = match rule.cool_down_s {
                0.0 => String::new(),
                seconds => format!(", cool-down {seconds} s"),
            };
            lines.push(format!(
                "  {} in {}: {} {} ({}), {condition}{} s{cool_down}",
                rule.zone,
                rule.site,
                rule.kind.name_zh,
                rule.kind.slug,
                rule.labels.join(" "),
                rule.dwell_s,
            ));
        }
    }
    lines.extend(plan.unsigned().map(|warning| format!("Warning: {warning}.")));
    lines.extend(overlaps.iter().take(SHOWN_OVERLAPS).map(|overlap| {
        let Overlap { first, second, area_m2 } = overlap;
        format!("grids {first} and {second} share {area_m2:.0} m² of ground; it counts to the smaller grid")
    }));
    if overlaps.len() > SHOWN_OVERLAPS {
        lines.push(format!("and {} more pairs of grids; --json lists all", overlaps.len() - SHOWN_OVERLAPS));
    }
    lines.join("\n")
}

fn as_json(plan: &Plan, found: &Found<'_>) -> Result<String> {
    let Found { model, runtime, redaction, overlaps } = *found;
    let cameras: Vec<serde_json::Value> = plan
        .cameras
        .iter()
        .map(|camera| {
            let rules: Vec<serde_json::Value> = camera
                .rules
                .iter()
                .map(|rule| {
                    serde_json::json!({
                        "zone": rule.zone,
                        "grid": rule.site.grid(),
                        "coverage": rule.site.ground().map(|_| rule.site.coverage()),
                        "kind": rule.kind.slug,
                        "labels": rule.labels,
                        "dwell_s": rule.dwell_s,
                        "cool_down_s": rule.cool_down_s,
                        "clear_s": rule.clear_s,
                        "count": match rule.condition {
                            Condition::Standing | Condition::Presence | Condition::Loitering => None,
                            Condition::Count(count) | Condition::Cluster { count, .. } => Some(count),
                        },
                    })
                })
                .collect();
            serde_json::json!({"id": camera.id, "name": camera.name, "rules": rules})
        })
        .collect();
    let box_id = &plan.box_id;
    let result = serde_json::json!({
        "street": plan.street,
        "box": box_id,
        "model": model,
        "runtime": runtime,
        "workers": plan.workers,
        "redaction": redaction.map(|[faces, plates]| serde_json::json!({"faces": faces, "plates": plates})),
        "cameras": cameras,
        "grid_overlaps": overlaps,
        "warnings": plan.unsigned().into_iter().collect::<Vec<String>>(),
    });
    serde_json::to_string(&result)
        .map_err(|e| Error::new(Kind::System, "cannot write the result as JSON").caused_by(e))
}
