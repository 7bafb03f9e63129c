//! `gridpatrol calibrate camera`, and what a calibrated camera makes of its cases.

use std::path::PathBuf;

use gridpatrol::config::ConfigFile;
use gridpatrol::detect::{BBox, Detection, Vocabulary};
use gridpatrol::evidence::Evidence;
use gridpatrol::judge::Judge;
use gridpatrol::look::{Look, View};
use gridpatrol::mqtt::{self, Report};
use gridpatrol::place::Position;
use gridpatrol::plan::{Input, Plan};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{gridpatrol, gridpatrol_ok};

const WEST: &str = "410102007003011";
const EAST: &str = "410102007003012";

/// A pinhole camera on a post of 6 m, turned 30 degrees from north to the east and tilted 25 degrees down, with an
/// angle of view of 90 degrees, 16:9.
const POST_M: f64 = 6.0;
const HEADING: f64 = 30.0;
const TILT: f64 = 25.0;

/// The ground that shows at `x`, `y`: metres to the right of the camera and before it.
fn before_camera([x, y]: [f64; 2]) -> [f64; 2] {
    let (s, c) = TILT.to_radians().sin_cos();
    let (right, down) = ((x - 0.5) * 2.0, (y - 0.5) * 2.0 * 9.0 / 16.0);
    let depth = POST_M / (s + down * c);
    [right * depth, (c - down * s) * depth]
}

/// Longitude and latitude of a point so many metres to the right and before the camera. A degree has 91,565 m
/// by 110,936 m here.
fn on_map([right, ahead]: [f64; 2]) -> [f64; 2] {
    let (s, c) = HEADING.to_radians().sin_cos();
    [113.6123 + (right * c + ahead * s) / 91_564.9, 34.7512 + (ahead * c - right * s) / 110_936.0]
}

fn grid(id: &str, corners: [[f64; 2]; 4]) -> Value {
    let mut ring = corners.map(on_map).to_vec();
    ring.push(ring[0]);
    json!({"type": "Feature", "properties": {"grid": id},
        "geometry": {"type": "Polygon", "coordinates": [ring]}})
}

/// A folder with a configuration, the grids, seven points and an empty picture of the street.
struct Site {
    folder: TempDir,
}

impl Site {
    /// `ground` and `zone` are further keys of the camera and of its zone.
    fn new(ground: &str, zone: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        site.write(
            "edge.toml",
            &format!(
                r#"
edge = {{ street = "410102007", box = "box-1", grid_profile = "gb-t-47678.3", grids = "grids.geojson" }}
[[camera]]
id = "cam-05"
source = "street.mp4"
{ground}
[[camera.zone]]
id = "street"
kind = "no_parking"
{zone}
rule.illegal_parking = {{ dwell_s = 20, clear_s = 5 }}
polygon = [[0.0, 0.4], [1.0, 0.4], [1.0, 1.0], [0.0, 1.0]]
"#
            ),
        );
        // Two grids that meet right before the camera.
        let grids = [
            grid(WEST, [[-40.0, 2.0], [0.0, 2.0], [0.0, 60.0], [-40.0, 60.0]]),
            grid(EAST, [[0.0, 2.0], [40.0, 2.0], [40.0, 60.0], [0.0, 60.0]]),
        ];
        site.write("grids.geojson", &json!({"type": "FeatureCollection", "features": grids}).to_string());
        site.write("points.csv", &points(&[]));
        image::RgbImage::from_pixel(1920, 1080, image::Rgb([96; 3])).save(site.path("street.png")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The arguments of a calibration, before `more`.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (config, points, picture) =
            (self.text("edge.toml"), self.text("points.csv"), self.text("street.png"));
        let fixed = ["calibrate", "camera", "--config", &config, "--camera", "cam-05", "--points", &points];
        let picture = ["--picture", &picture];
        let picture: &[&str] = if more.contains(&"--picture") { &[] } else { &picture };
        fixed.iter().chain(picture).chain(more).map(|&text| text.to_owned()).collect()
    }

    fn calibrate(&self, more: &[&str]) -> Value {
        let arguments = self.arguments(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        serde_json::from_str(&gridpatrol_ok(&[arguments.as_slice(), &["--json"]].concat())).unwrap()
    }

    /// A calibration must exit with `code` and say all of `expected`, and write nothing.
    fn refused(&self, more: &[&str], code: i32, expected: &[&str]) {
        let arguments = self.arguments(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        says(&arguments, code, expected);
        assert!(!self.path("calibration").exists(), "nothing is left half done");
    }
}

/// The program must exit with `code` and say all of `expected`.
fn says(arguments: &[&str], code: i32, expected: &[&str]) {
    let output = gridpatrol(arguments);
    let said = String::from_utf8_lossy(&output.stderr).replace(['\n', '│'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in expected {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

/// Seven points, clicked up to a pixel beside where they are; those in `wrong` are put 6 m away on the map.
fn points(wrong: &[usize]) -> String {
    let places = [(300, 900), (1600, 920), (480, 560), (1500, 540), (960, 700), (700, 480), (1250, 1000)];
    let mut text = "name,px,py,lon,lat\n".to_owned();
    for (n, (x, y)) in places.into_iter().enumerate() {
        let [mut right, ahead] = before_camera([f64::from(x) / 1920.0, f64::from(y) / 1080.0]);
        if wrong.contains(&n) {
            right += 6.0;
        }
        let [lon, lat] = on_map([right, ahead]);
        let off = [1, -1, 0, 1, -1, 0, 1][n];
        text += &format!("point {n},{},{},{lon:.8},{lat:.8}\n", x + off, y - off);
    }
    text
}

#[test]
fn a_calibration_says_its_residuals_and_writes_a_file_that_check_takes() {
    let site = Site::new("", "");
    let said = site.calibrate(&[]);
    assert_eq!(said["point"].as_array().unwrap().len(), 7);
    assert!(said["rms_m"].as_f64().unwrap() < 0.2, "{said}");
    assert!(said["accuracy_m"].as_f64().unwrap() > said["rms_m"].as_f64().unwrap());
    assert!(said["point"][4]["left_out_m"].as_f64().unwrap() > 0.0);
    assert_eq!((&said["suspects"], &said["mirrored"]), (&json!([]), &json!(false)));
    assert_eq!(said["picture"], json!({"width": 1920, "height": 1080}));
    let zone = &said["zones"][0];
    assert_eq!(zone["zone"], "street");
    let share = |n: usize| zone["grids"][n][1].as_f64().unwrap();
    assert!((share(0) + share(1) - 1.0).abs() < 0.1 && (share(0) - share(1)).abs() < 0.05, "{zone}");

    let text = std::fs::read_to_string(site.path("edge.toml")).unwrap();
    let text = text.replace("street.mp4\"", "street.mp4\"\nground = \"calibration/cam-05.toml\"");
    // `check` wants a source that is there: a folder with a picture is one.
    site.write("edge.toml", &text.replace("street.mp4", "."));
    let checked = gridpatrol_ok(&["check", "--config", &site.text("edge.toml")]);
    assert!(checked.contains(WEST) && checked.contains(EAST), "{checked}");

    // Two grids that share a strip of 1 m by 58 m.
    let grids = [
        grid(WEST, [[-40.0, 2.0], [1.0, 2.0], [1.0, 60.0], [-40.0, 60.0]]),
        grid(EAST, [[0.0, 2.0], [40.0, 2.0], [40.0, 60.0], [0.0, 60.0]]),
    ];
    site.write("grids.geojson", &json!({"type": "FeatureCollection", "features": grids}).to_string());
    let checked = gridpatrol_ok(&["check", "--config", &site.text("edge.toml"), "--json"]);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    let overlaps = checked["grid_overlaps"].as_array().unwrap();
    assert_eq!(
        (overlaps.len(), &overlaps[0]["first"], &overlaps[0]["second"]),
        (1, &json!(WEST), &json!(EAST))
    );
    assert!((overlaps[0]["area_m2"].as_f64().unwrap() - 58.0).abs() < 0.5, "{overlaps:?}");
}

#[test]
fn a_point_in_the_wrong_place_is_named_and_nothing_is_written() {
    let site = Site::new("", "");
    site.write("points.csv", &points(&[2]));
    site.refused(&[], 1, &["points.csv", "disagree by", "--max-error 1", "point 3"]);
    // Whoever insists gets it, with the point marked.
    let said = site.calibrate(&["--max-error", "10"]);
    assert_eq!(said["suspects"], json!([3]));
}

#[test]
fn points_and_arguments_that_cannot_be_used_exit_with_2() {
    let site = Site::new("", "");
    let lines = points(&[]);
    let first = |count: usize| lines.lines().take(count + 1).collect::<Vec<_>>().join("\n");
    site.write("points.csv", &first(3));
    site.refused(&[], 2, &["points.csv", "3 points", "4 to 64"]);
    site.write("points.csv", &lines.replace("lon,lat", "lat,lon"));
    site.refused(&[], 2, &["points.csv", "point 1", "longitude and a latitude"]);
    site.write("points.csv", &lines.replace("px,py", "u,v"));
    site.refused(&[], 2, &["points.csv", "`u` is not known"]);
    site.write("points.csv", &lines);
    site.refused(&["--camera", "cam-99"], 2, &["cannot be used multiple times"]);
    let mut arguments = site.arguments(&[]);
    let at = arguments.iter().position(|argument| argument == "cam-05").unwrap();
    arguments[at] = "cam-99".to_owned();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    says(&arguments, 2, &["no camera `cam-99`", "cam-05"]);
    site.refused(&["--max-error", "0"], 2, &["--max-error 0"]);
    // A picture that cannot be redacted is not drawn, and leaves nothing behind.
    let text = std::fs::read_to_string(site.path("edge.toml")).unwrap();
    site.write("edge.toml", &format!("model.path = \"no-such-model\"\n{text}"));
    let drawn = site.text("drawn.png");
    site.refused(&["--draw", &drawn], 2, &["model.path", "no-such-model"]);
    assert!(!site.path("drawn.png").exists());
}

#[test]
fn the_drawing_shows_raster_and_grids_and_hides_heads() {
    let site = Site::new("", "");
    let people = "tests/data/people.jpg";
    // The points as shares of the picture, which has another size.
    let shares = points(&[]).lines().skip(1).fold("x,y,lon,lat\n".to_owned(), |text, line| {
        let fields: Vec<&str> = line.split(',').collect();
        let share = |n: usize, of: f64| fields[n].parse::<f64>().unwrap() / of;
        text + &format!("{},{},{},{}\n", share(1, 1920.0), share(2, 1080.0), fields[3], fields[4])
    });
    site.write("points.csv", &shares);
    let drawn = site.text("drawn.png");
    site.calibrate(&["--picture", people, "--draw", &drawn]);
    let (plain, drawn) = (image::open(people).unwrap().into_rgb8(), image::open(&drawn).unwrap().into_rgb8());
    assert_eq!(plain.dimensions(), drawn.dimensions());
    // The border between the two grids, in the colour of grids, runs through the middle of the lower half.
    let (width, height) = drawn.dimensions();
    let border = (height * 3 / 4..height - 1)
        .filter(|&y| (width / 2 - 6..width / 2 + 6).any(|x| drawn.get_pixel(x, y).0 == [255, 208, 0]));
    assert!(border.count() as u32 > height / 5);
    let found: Value =
        serde_json::from_str(&gridpatrol_ok(&["detect", people, "--json", "--score", "0.5"])).unwrap();
    let found = found["detections"].as_array().unwrap();
    let mut heads = 0;
    for person in found.iter().filter(|d| d["label"] == "person") {
        let side = |n: usize| person["box"][n].as_f64().unwrap();
        let (left, right) = (side(0) * f64::from(width), side(2) * f64::from(width));
        let top = side(1) * f64::from(height);
        let head = (side(3) - side(1)) * f64::from(height) / 7.5;
        // Edges in the head: what is left of its detail.
        let detail = |picture: &image::RgbImage| {
            let mut sum = 0.0;
            for y in top as u32..(top + head) as u32 {
                for x in left as u32..right as u32 - 1 {
                    let (a, b) = (picture.get_pixel(x, y).0[1], picture.get_pixel(x + 1, y).0[1]);
                    sum += f64::from(a.abs_diff(b).min(40));
                }
            }
            sum
        };
        assert!(detail(&drawn) < 0.7 * detail(&plain), "{} {}", detail(&drawn), detail(&plain));
        heads += 1;
    }
    assert_eq!(heads, 7, "seven people by eye");
}

#[test]
fn another_cameras_ground_and_grids_under_a_strict_profile_are_refused_with_file_and_key() {
    let site = Site::new("", "");
    site.calibrate(&[]);
    let config = site.text("edge.toml");
    let check = ["check", "--config", &config];
    let text = std::fs::read_to_string(site.path("edge.toml")).unwrap();
    // Without a ground nobody knows which grid.
    says(&check, 2, &["edge.toml", "camera.zone.grid", "names no grid"]);
    let grounded = text.replace("street.mp4\"", "street.mp4\"\nground = \"calibration/cam-05.toml\"");
    site.write("edge.toml", &grounded.replace("id = \"cam-05\"", "id = \"cam-06\""));
    says(&check, 2, &["cam-05.toml", "not of the camera `cam-06`"]);
    site.write("edge.toml", &grounded.replace("cam-05.toml", "cam-07.toml"));
    says(&check, 2, &["edge.toml", "camera.ground", "cam-07.toml", "calibrate camera"]);

    let grids = std::fs::read_to_string(site.path("grids.geojson")).unwrap();
    site.write("edge.toml", &grounded);
    site.write("grids.geojson", &grids.replace(EAST, "410102-E12"));
    says(&check, 2, &["grids.geojson", "feature 2", "properties.grid", "410102-E12", "15 digits"]);
    site.write("grids.geojson", &grids.replace("\"grid\"", "\"code\""));
    says(&check, 2, &["grids.geojson", "feature 1", "no property `grid`", "`code`", "edge.grid_key"]);
    // Some 480 m away, as grids in the coordinates of a web map are; and in the next quarter.
    site.write("grids.geojson", &grids.replace("34.75", "34.755"));
    says(&check, 2, &["edge.toml", "camera.zone.grid", "m away", "GCJ-02"]);
    site.write("grids.geojson", &grids.replace("34.75", "34.85"));
    says(&check, 2, &["edge.toml", "camera.ground", "no grid of", "within 1000 m", "GCJ-02"]);
}

/// Looks at two parked cars for 30 s and at the empty street for 15 s.
const CARS: [BBox; 2] =
    [BBox { x1: 0.22, y1: 0.55, x2: 0.38, y2: 0.70 }, BBox { x1: 0.66, y1: 0.50, x2: 0.78, y2: 0.62 }];

#[test]
fn two_cars_in_two_grids_of_one_zone_are_cases_of_those_grids_where_they_stand() {
    let site = Site::new("ground = \"calibration/cam-05.toml\"", "");
    site.calibrate(&[]);
    let lines: Vec<String> = (0..225)
        .map(|look| {
            let cars: &[BBox] = if look < 150 { &CARS } else { &[] };
            let seen: Vec<Value> =
                cars.iter().map(|car| json!({"label": "car", "score": 0.8, "box": car})).collect();
            json!({"t": f64::from(look) / 5.0, "detections": seen}).to_string()
        })
        .collect();
    site.write("looks.jsonl", &lines.join("\n"));
    let (config, looks) = (site.text("edge.toml"), site.text("looks.jsonl"));
    let said = gridpatrol_ok(&["replay", "--config", &config, "--camera", "cam-05", "--input", &looks]);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let (opened, cleared) = ("cn.patrol.case.opened.v1", "cn.patrol.case.cleared.v1");
    assert_eq!(kinds, [opened, opened, cleared, cleared], "{said}");
    for event in &events {
        let data = &event["data"];
        let left = data["objects"][0]["box"][0].as_f64().unwrap();
        let (car, grid) = if left < 0.5 { (CARS[0], WEST) } else { (CARS[1], EAST) };
        assert_eq!((&data["grid"]["id"], &data["grid"]["decided_by"]), (&json!(grid), &json!("polygon")));
        assert_eq!(event["subject"], json!(format!("{grid}/cam-05")));
        assert_eq!(event["partitionkey"], json!(grid));
        let at: Position = serde_json::from_value(data["place"]["position"].clone()).unwrap();
        let (x, y) = car.foot();
        let [lon, lat] = on_map(before_camera([f64::from(x), f64::from(y)]));
        let off = at.distance_m(&Position { lon, lat, accuracy_m: None });
        assert!(off < 0.5, "{grid}: {off} m off");
        assert!((0.1..2.0).contains(&at.accuracy_m.unwrap()), "{at:?}");
    }

    // The same through the core, for the topics.
    let file = ConfigFile::read(&site.path("edge.toml")).unwrap();
    let plan = Plan::for_replay(&file, "cam-05", Input::Detections(site.path("looks.jsonl"))).unwrap();
    let mut judge = Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default());
    let label = judge.intern("car").unwrap();
    let detections = CARS.map(|bbox| Detection { label, score: 0.8, bbox });
    let mut happenings = Vec::new();
    for look in 0..150 {
        let at = gridpatrol::clock::CaptureTime::default().plus_seconds(f64::from(look) / 5.0);
        judge.look(&Look { at, view: View::Clear, detections: &detections }, &mut happenings);
    }
    let mut topics: Vec<String> = happenings
        .iter()
        .map(|happening| {
            let report = Report {
                plan: &plan,
                camera: &plan.cameras[0],
                happening,
                evidence: &Evidence::NoView,
                note: &gridpatrol::case::throttle::Note::default(),
                vocabulary: judge.vocabulary(),
                model: None,
                sequence: 1,
                recorded: happening.at,
                clock_synced: None,
            };
            mqtt::messages(&report).unwrap()[0].topic.clone()
        })
        .collect();
    topics.sort();
    let expected = [WEST, EAST].map(|grid| format!("patrol/v1/410102007/box-1/case/{grid}/illegal_parking"));
    assert_eq!(topics, expected);
}

#[test]
fn where_a_zone_names_a_grid_it_counts_only_outside_of_all_polygons() {
    let zone = "grid = \"410102007003099\"";
    let site = Site::new("ground = \"calibration/cam-05.toml\"", zone);
    site.calibrate(&[]);
    // The eastern grid is gone: what stands there belongs to the zone's.
    let grids = std::fs::read_to_string(site.path("grids.geojson")).unwrap();
    let mut grids: Value = serde_json::from_str(&grids).unwrap();
    grids["features"].as_array_mut().unwrap().truncate(1);
    site.write("grids.geojson", &grids.to_string());
    let mut grids: Vec<_> =
        opened(&site).into_iter().map(|(_, grid, position)| (grid, position.is_some())).collect();
    grids.sort_unstable();
    assert_eq!(grids, [(WEST.to_owned(), true), ("410102007003099".to_owned(), true)]);
}

/// Left edge, grid and position of the cases that the two cars open.
fn opened(site: &Site) -> Vec<(f32, String, Option<Position>)> {
    let file = ConfigFile::read(&site.path("edge.toml")).unwrap();
    let plan = Plan::for_replay(&file, "cam-05", Input::Detections("looks.jsonl".into())).unwrap();
    let mut judge = Judge::new(&plan.source(), &plan.cameras[0], Vocabulary::default());
    let label = judge.intern("car").unwrap();
    let detections = CARS.map(|bbox| Detection { label, score: 0.8, bbox });
    let mut happenings = Vec::new();
    for look in 0..150 {
        let at = gridpatrol::clock::CaptureTime::default().plus_seconds(f64::from(look) / 5.0);
        judge.look(&Look { at, view: View::Clear, detections: &detections }, &mut happenings);
    }
    let cases = happenings.into_iter().map(|happening| happening.case);
    cases.map(|case| (case.objects[0].bbox.x1, case.grid.to_string(), case.position)).collect()
}

#[test]
fn a_rule_in_metres_opens_no_case_for_what_is_too_narrow_or_too_wide_on_the_ground() {
    // The near car's box is 3.06 m wide on the ground and 0.15 high in the picture, the far one's 2.64 m and 0.12.
    for (limits, expected) in [
        ("min_width_m = 2.8", vec![0.22]),
        ("max_width_m = 2.8", vec![0.66]),
        ("", vec![0.22, 0.66]),
        ("min_height = 0.14", vec![0.22]),
    ] {
        let site = Site::new("ground = \"calibration/cam-05.toml\"", "");
        let text = std::fs::read_to_string(site.path("edge.toml")).unwrap();
        let comma = if limits.is_empty() { "" } else { ", " };
        site.write("edge.toml", &text.replace("clear_s = 5", &format!("clear_s = 5{comma}{limits}")));
        site.calibrate(&[]);
        let mut lefts: Vec<f32> = opened(&site).iter().map(|(left, _, _)| *left).collect();
        lefts.sort_by(f32::total_cmp);
        assert_eq!(lefts, expected, "{limits}");
    }
}
