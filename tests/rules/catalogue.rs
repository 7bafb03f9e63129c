//! Kinds of case as data: the built-in ones, those of a site, and what a model must know for them.

use std::path::Path;

use gridpatrol::case::Change;
use gridpatrol::case::catalog::CATALOG;
use gridpatrol::config::ConfigFile;
use gridpatrol::detect::Vocabulary;
use gridpatrol::error::Error;
use gridpatrol::plan::{Input, Plan};

use crate::support::program::gridpatrol_ok;

use super::watch::{Thing, Watch, camera, configuration, person, standing};

/// The plan of a site with a catalogue of its own.
fn site(catalogue: &str, zone: &str, rules: &str) -> Result<Plan, Error> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.toml"), catalogue).unwrap();
    let text =
        configuration(zone, rules).replace("box = \"box-1\"", "box = \"box-1\", catalog = \"site.toml\"");
    let file = ConfigFile::parse(&folder.path().join("edge.toml"), text).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into()))
}

/// The kinds of case that a plan's camera is watched for.
fn kinds(plan: &Plan) -> Vec<&str> {
    plan.cameras[0].rules.iter().map(|rule| rule.kind.slug.as_str()).collect()
}

fn refused(zone: &str, rules: &str) -> String {
    let file = ConfigFile::parse(Path::new("edge.toml"), configuration(zone, rules)).unwrap();
    Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into())).unwrap_err().to_string()
}

/// Labels of COCO that the built-in model knows, as far as rules ask for them.
fn coco() -> Vocabulary {
    let names = [
        "person",
        "bicycle",
        "car",
        "motorcycle",
        "bus",
        "truck",
        "dog",
        "umbrella",
        "chair",
        "couch",
        "dining table",
        "tv",
        "refrigerator",
    ];
    Vocabulary::new(names.map(str::to_owned).to_vec())
}

#[test]
fn each_kind_opens_in_the_zones_that_the_catalogue_gives_it() {
    for kind in CATALOG.kinds() {
        for zone in &kind.zones {
            assert!(kinds(&camera(zone, "")).contains(&kind.slug.as_str()), "{} in {zone}", kind.slug);
        }
    }
}

#[test]
fn no_code_is_invented() {
    for none in ["crowd", "intrusion", "loitering", "ebike_in_corridor", "stray_dog", "ponding", "smoke_fire"]
    {
        assert_eq!(CATALOG.kind(none).unwrap().code, None, "{none}");
    }
    for (slug, code) in [
        ("roadside_stall", "09006"),
        ("shop_spill", "09005"),
        ("abandoned_vehicle", "06034"),
        ("exposed_rubbish", "06010"),
        ("bin_overflow", "06042"),
        ("manhole", "01023"),
        ("snow_ice", "10001"),
    ] {
        assert_eq!(CATALOG.kind(slug).unwrap().code.as_deref(), Some(code), "{slug}");
    }
    // Where both codes are known, the newer one is the older with the class moved by five.
    for kind in CATALOG.kinds() {
        if let (Some(now), Some(then)) = (&kind.code, &kind.code_2013) {
            let (class, number) = then.split_once('-').unwrap();
            let class: u32 = class.parse().unwrap();
            assert_eq!(*now, format!("{:02}{:0>3}", class + 5, number), "{}", kind.slug);
        }
    }
}

#[test]
fn a_model_of_ones_own_brings_rubbish_with_its_national_code_by_configuration_alone() {
    let bag = |x: f32| -> Thing { ("garbage bag", standing(x, 0.8, 0.03, 0.04)) };
    let mut watch = Watch::over("sidewalk", "rule.exposed_rubbish.dwell_s = 60");
    watch.see(70.0, &[bag(0.5), bag(0.53), person(0.2, 0.8)]).see(60.0, &[]);
    watch.expect_one("exposed_rubbish", 60.0, 0.5, true);
}

#[test]
fn any_label_of_any_model_can_be_watched_for_in_any_zone() {
    let smoke =
        |t: f64| -> Vec<Thing> { vec![("steam", standing(0.5, 0.7 + 0.01 * t.sin() as f32, 0.2, 0.2))] };
    let mut watch = Watch::over("fire_lane", "rule.presence = { labels = [\"steam\"], dwell_s = 10 }");
    watch.film(20.0, smoke).see(40.0, &[]);
    watch.expect_one("presence", 10.0, 0.5, true);
    let geese: Vec<Thing> =
        (0..4).map(|n| ("goose", standing(0.2 + 0.1 * n as f32, 0.8, 0.03, 0.04))).collect();
    let mut watch = Watch::over("green", "rule.count = { labels = [\"goose\"], count = 4, dwell_s = 10 }");
    watch.see(20.0, &geese).see(40.0, &geese[..3]);
    watch.expect_one("count", 10.0, 1.0, true);
    let mut watch = Watch::over("green", "rule.dwell = { labels = [\"tent\"], dwell_s = 30 }");
    watch.see(40.0, &[("tent", standing(0.5, 0.8, 0.2, 0.2))]).see(40.0, &[]);
    watch.expect_one("dwell", 30.0, 0.5, true);
}

#[test]
fn a_rule_about_any_label_must_be_told_which() {
    let said = refused("green", "rule.presence = { dwell_s = 5 }");
    assert!(said.contains("camera.zone.rule.presence.labels") && said.contains("expected labels"), "{said}");
}

#[test]
fn what_a_rule_has_no_use_for_is_refused_with_its_key() {
    for (rules, parts) in [
        ("rule.intrusion.count = 3", ["rule.intrusion.count", "does not count"]),
        ("rule.intrusion.absence_s = 3", ["rule.intrusion.absence_s", "stands"]),
        ("rule.intrusion.near = 2", ["rule.intrusion.near", "`with` or `without`"]),
        ("rule.intrusion.with = [\"dog\"]", ["rule.intrusion.with", "no `near` beside it"]),
        ("rule.stray_dog.near = 40", ["rule.stray_dog.near", "0 to 20"]),
        ("rule.shop_spill.count = 0", ["rule.shop_spill.count", "1 to 1000"]),
        ("rule.abandoned_vehicle.absence_s = -1", ["rule.abandoned_vehicle.absence_s", "more than 0"]),
    ] {
        let said = refused("restricted", rules);
        assert!(parts.iter().all(|part| said.contains(part)), "{rules}: {said}");
    }
}

#[test]
fn kinds_that_the_model_cannot_see_are_off_unless_they_are_asked_for() {
    let mut plan = camera("sidewalk", "");
    assert!(kinds(&plan).contains(&"exposed_rubbish"));
    plan.check_labels(&coco(), "coco").unwrap();
    assert_eq!(kinds(&plan), ["shared_bike_pile", "roadside_stall"]);
    assert_eq!(plan.cameras[0].rules[1].labels, ["umbrella", "dining table", "truck"]);

    let mut asked = camera("sidewalk", "rule.exposed_rubbish.dwell_s = 60");
    let said = asked.check_labels(&coco(), "coco").unwrap_err().to_string();
    assert!(said.contains("exposed_rubbish") && said.contains("has none of the labels rubbish"), "{said}");
    let mut nothing = camera("bins", "");
    let said = nothing.check_labels(&coco(), "coco").unwrap_err().to_string();
    assert!(said.contains("bin_overflow"), "a zone with nothing to watch for is an error: {said}");
}

#[test]
fn company_that_the_model_cannot_see_is_an_error_only_where_it_was_asked_for() {
    let mut knows = coco().names().to_vec();
    knows.retain(|name| name != "person");
    let vocabulary = Vocabulary::new(knows);
    let mut plan = camera("public_area", "");
    plan.check_labels(&vocabulary, "no people").unwrap();
    assert_eq!(kinds(&plan), ["discarded_furniture"], "without people no dog can be told to be alone");
    let mut asked = camera("public_area", "rule.stray_dog.dwell_s = 5");
    let said = asked.check_labels(&vocabulary, "no people").unwrap_err().to_string();
    assert!(said.contains("`person`") && said.contains("`without`"), "{said}");
}

const GEESE: &str = r#"
[groups]
fowl = ["goose", "duck"]
[[kind]]
slug = "geese"
name_zh = "擅自饲养家禽家畜"
name_en = "Poultry kept without leave"
code = "06038"
visible = true
zones = ["yard"]
rule = { dwell = { labels = ["goose", "duck"], dwell_s = 30, clear_s = 10, score = 0.4 } }
[[kind]]
slug = "crowd"
severity = "ERROR"
zones = ["yard", "gathering"]
"#;

#[test]
fn a_site_brings_kinds_of_its_own_and_changes_those_that_there_are() {
    let plan = site(GEESE, "yard", "rule.geese.dwell_s = 20").unwrap();
    assert_eq!(kinds(&plan), ["crowd", "geese"]);
    assert_eq!(plan.cameras[0].rules[1].kind.code.as_deref(), Some("06038"));
    assert_eq!(plan.cameras[0].rules[0].kind.severity.as_str(), "ERROR");
    // Goose and duck are one group, so a label that flips is one thing.
    let mut judge = super::watch::fresh(&plan);
    let mut happenings = Vec::new();
    for n in 0..150 {
        let label = judge.intern(["goose", "duck"][n % 2]).unwrap();
        let bbox = standing(0.5, 0.8, 0.03, 0.04);
        let at = gridpatrol::clock::CaptureTime::default().plus_seconds(n as f64 / 5.0);
        let detections = [gridpatrol::detect::Detection { label, score: 0.8, bbox }];
        let view = gridpatrol::look::View::Clear;
        judge.look(&gridpatrol::look::Look { at, view, detections: &detections }, &mut happenings);
    }
    assert_eq!(happenings.iter().map(|h| h.change).collect::<Vec<_>>(), [Change::Opened]);
}

#[test]
fn a_fault_in_a_site_catalogue_names_its_file_line_and_key() {
    let said = site(&GEESE.replace("06038", "6038"), "yard", "").unwrap_err();
    assert_eq!(said.exit_code(), 2);
    let said = said.to_string();
    for part in ["site.toml, line 8", "kind.geese.code", "`6038`"] {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

#[test]
fn a_catalogue_that_is_not_there_is_named() {
    let text =
        configuration("green", "").replace("box = \"box-1\"", "box = \"box-1\", catalog = \"none.toml\"");
    let file = ConfigFile::parse(Path::new("edge.toml"), text).unwrap();
    let said =
        Plan::for_replay(&file, "cam-05", Input::Detections("l.jsonl".into())).unwrap_err().to_string();
    assert!(said.contains("edge.catalog") && said.contains("none.toml"), "{said}");
}

// The looks begin at midnight UTC on a Thursday: 08:00 on the street's clock.
#[test]
fn a_rule_that_counts_keeps_to_its_schedule() {
    let rule = "rule.crowd = { count = 3, dwell_s = 30, clear_s = 10, schedule = [\"thu 08:02-08:04\"] }";
    let mut watch = Watch::over("gathering", rule);
    let crowd = [person(0.3, 0.8), person(0.5, 0.8), person(0.7, 0.8)];
    // There from the start, but the window begins at 120 s; dwell counts from then.
    watch.see(149.0, &crowd);
    assert_eq!(watch.story(), []);
    watch.see(2.0, &crowd);
    assert_eq!(watch.when(Change::Opened), [150.0]);
    // What is open clears outside of the window as ever, and what gathers there is no case.
    watch.see(100.0, &crowd).see(20.0, &[]).see(100.0, &crowd);
    assert_eq!(watch.story(), [("crowd", Change::Opened), ("crowd", Change::Cleared)]);
    // One that gathers too late in the window is none either.
    let mut late = Watch::over("gathering", rule);
    late.see(215.0, &[]).see(100.0, &crowd);
    assert_eq!(late.story(), []);
}

#[test]
fn the_kinds_are_listed_for_people_and_for_scripts_with_those_of_the_site() {
    let said = gridpatrol_ok(&["kinds"]);
    assert!(said.contains("roadside_stall  占道经营  Roadside stall  [09006]"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.toml"), GEESE).unwrap();
    let config = folder.path().join("edge.toml");
    let text =
        configuration("green", "").replace("box = \"box-1\"", "box = \"box-1\", catalog = \"site.toml\"");
    std::fs::write(&config, text).unwrap();
    let said = gridpatrol_ok(&["kinds", "--json", "--config", config.to_str().unwrap()]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let of = |slug: &str| {
        said["kinds"].as_array().unwrap().iter().find(|kind| kind["slug"] == slug).unwrap().clone()
    };
    assert_eq!(of("geese")["code"], "06038");
    assert_eq!(of("crowd")["code"], serde_json::Value::Null);
    assert_eq!(of("intrusion")["rule"]["presence"]["dwell_s"], 2.0);
    // What is printed can be read again as a site's catalogue.
    std::fs::write(folder.path().join("site.toml"), gridpatrol_ok(&["kinds", "--toml"])).unwrap();
    gridpatrol_ok(&["kinds", "--config", config.to_str().unwrap()]);
}
