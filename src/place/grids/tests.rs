use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A feature whose grid is `id` and whose geometry is a square of 0.001 degrees with its corner at `x`, `y`.
fn square(id: &str, x: f64, y: f64) -> JsonValue {
    let s = 0.001;
    json!({"type": "Feature", "properties": {"grid": id}, "geometry": {"type": "Polygon",
        "coordinates": [[[x, y], [x + s, y], [x + s, y + s], [x, y + s], [x, y]]]}})
}

fn collection(features: &[JsonValue]) -> JsonValue {
    json!({"type": "FeatureCollection", "features": features})
}

fn parse(text: &str, profile: GridProfile) -> Result<Grids> {
    Grids::parse(Path::new("grids.geojson"), text, "grid", profile)
}

fn refused(json: &JsonValue, expected: &[&str]) {
    let error = parse(&json.to_string(), GridProfile::GbT47678).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.kind(), Kind::Config);
    for part in expected.iter().chain(&["grids.geojson"]) {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

const A: &str = "410102007003011";
const B: &str = "410102007003012";

#[test]
fn polygons_that_name_one_grid_are_one_grid() {
    let text = collection(&[square(A, 113.6, 34.75), square(B, 113.601, 34.75), square(A, 113.602, 34.75)]);
    let grids = parse(&format!("\u{feff}{text}"), GridProfile::GbT47678).unwrap();
    let said: Vec<_> = grids.grids().iter().map(|grid| (grid.id.as_str(), grid.area.0.len())).collect();
    assert_eq!(said, [(A, 2), (B, 1)]);
    assert!(grids.overlaps().is_empty(), "neighbours share a border and no ground");
}

#[test]
fn an_id_may_be_a_whole_number_but_not_one_that_json_rounds() {
    let mut feature = square(A, 113.6, 34.75);
    feature["properties"]["grid"] = json!(410102007003011_u64);
    let text = collection(&[feature.clone()]).to_string();
    assert_eq!(parse(&text, GridProfile::GbT47678).unwrap().grids()[0].id.as_str(), A);
    feature["properties"]["grid"] = json!(1_000_004_101_020_070_030_u64);
    refused(&collection(&[feature.clone()]), &["feature 1", "properties.grid", "as a string"]);
    feature["properties"]["grid"] = json!(4.5);
    refused(&collection(&[feature]), &["feature 1", "properties.grid", "4.5"]);
}

#[test]
fn a_refusal_names_the_feature_and_what_is_wrong_with_it() {
    let good = square(A, 113.6, 34.75);
    let with = |pointer: &str, value: JsonValue| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        collection(&[good.clone(), bad])
    };
    refused(
        &with("/properties/grid", json!("41010200700301")),
        &["feature 2", "properties.grid", "15 digits"],
    );
    refused(&with("/properties", json!({"code": A})), &["feature 2", "no property `grid`", "`code`"]);
    refused(&with("/geometry", JsonValue::Null), &["feature 2", "no geometry"]);
    refused(&with("/geometry", json!({"type": "Point", "coordinates": [1, 2]})), &["feature 2", "Point"]);
    let ring = |corners: JsonValue| with("/geometry/coordinates", json!([corners]));
    refused(&ring(json!([[1, 1], [2, 1], [2, 2]])), &["feature 2", "not closed"]);
    refused(&ring(json!([[1, 1], [2, 2], [2, 1], [1, 2], [1, 1]])), &["feature 2", "not valid"]);
    refused(&ring(json!([[1, 1], [2, 2], [3, 3], [1, 1]])), &["feature 2"]);
    refused(
        &ring(json!([[34.75, 113.6], [34.76, 113.6], [34.76, 113.7], [34.75, 113.6]])),
        &["feature 2", "longitude and a latitude"],
    );
    refused(&with("/geometry/coordinates", json!([])), &["feature 2", "no ring"]);
    refused(&json!({"type": "Point", "coordinates": [1, 2]}), &["not a FeatureCollection"]);
    refused(&collection(&[]), &["0 features"]);
    refused(&json!("grids"), &["not GeoJSON"]);
}

#[test]
fn the_system_is_wgs_84_unless_the_file_names_another() {
    let named = |name: &str, json: &JsonValue| {
        let mut json = json.clone();
        json["crs"] = json!({"type": "name", "properties": {"name": name}});
        json
    };
    let degrees = collection(&[square(A, 113.6, 34.75)]);
    let read = |json: &JsonValue| parse(&json.to_string(), GridProfile::Opaque).map(|g| g.coordinates());
    assert_eq!(read(&degrees).unwrap(), Coordinates::Wgs84);
    for name in ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4490"] {
        assert_eq!(read(&named(name, &degrees)).unwrap(), Coordinates::Wgs84);
    }
    let metres = json!({"type": "Feature", "properties": {"grid": A}, "geometry": {"type": "Polygon",
        "coordinates": [[[463000.0, 3847000.0], [463100.0, 3847000.0], [463100.0, 3847100.0], [463000.0, 3847000.0]]]}});
    let metres = collection(&[metres]);
    assert_eq!(read(&named("urn:ogc:def:crs:EPSG::4547", &metres)).unwrap(), Coordinates::Planar);
    assert!(read(&metres).unwrap_err().to_string().contains("longitude"), "metres without a crs");
    let wrong = read(&named("GCJ-02", &degrees)).unwrap_err();
    assert!(wrong.to_string().contains("look like degrees"), "{wrong}");
}

#[test]
fn ground_that_two_grids_share_is_reported_in_square_metres() {
    let text = collection(&[square(A, 113.6, 34.75), square(B, 113.6009, 34.75), square(A, 113.61, 34.75)]);
    let overlaps = parse(&text.to_string(), GridProfile::Opaque).unwrap().overlaps();
    assert_eq!(overlaps.len(), 1, "{overlaps:?}");
    assert_eq!((overlaps[0].first.as_str(), overlaps[0].second.as_str()), (A, B));
    // 0.0001 degrees east by 0.001 north: 9.16 m by 110.94 m.
    assert!((overlaps[0].area_m2 - 1016.0).abs() < 2.0, "{}", overlaps[0].area_m2);
}

#[test]
fn only_grids_within_reach_of_the_camera_are_kept() {
    let text = collection(&[square(A, 113.6, 34.75), square(B, 113.7, 34.75)]);
    let grids = parse(&text.to_string(), GridProfile::Opaque).unwrap();
    let near = grids.around(&Plane::new(Coordinates::Wgs84, [113.6, 34.75]), 500.0);
    assert_eq!(near.iter().map(|grid| grid.id.as_str()).collect::<Vec<_>>(), [A]);
    let size = near[0].area.bounding_rect().unwrap();
    assert!((size.width() - 91.56).abs() < 0.05 && (size.height() - 110.94).abs() < 0.05, "{size:?}");
}

/// JSON of any shape, rich in what GeoJSON is made of.
fn anything() -> impl Strategy<Value = JsonValue> {
    let number = prop_oneof![
        (-1e3..1e3_f64).prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        Just(json!(1e308))
    ];
    let word = prop::sample::select(vec![
        "FeatureCollection",
        "Feature",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
        "g1",
        "",
        "网格",
        "../..",
    ]);
    let leaf = prop_oneof![
        number,
        word.prop_map(|w| json!(w)),
        Just(JsonValue::Null),
        any::<bool>().prop_map(|b| json!(b))
    ];
    leaf.prop_recursive(6, 96, 8, |inner| {
        let key = prop::sample::select(vec![
            "type",
            "features",
            "geometry",
            "geometries",
            "coordinates",
            "properties",
            "grid",
            "crs",
            "name",
            "id",
            "bbox",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(JsonValue::Array),
            prop::collection::vec((key, inner), 0..6).prop_map(|members| JsonValue::Object(
                members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_whatever_makes_it_panic(json in anything()) {
        let _ = parse(&json.to_string(), GridProfile::Opaque);
        // The same as the geometry, the properties and the corners of an otherwise sound file.
        for place in ["/features/0/geometry", "/features/0/properties", "/features/0/geometry/coordinates", "/crs"] {
            let mut sound = collection(&[square(A, 113.6, 34.75)]);
            sound["crs"] = JsonValue::Null;
            *sound.pointer_mut(place).unwrap() = json.clone();
            if let Ok(grids) = parse(&sound.to_string(), GridProfile::Opaque) {
                let _ = grids.overlaps();
            }
        }
    }

    #[test]
    fn rings_drawn_by_lot_are_read_or_refused_and_overlaps_are_symmetric(
        rings in prop::collection::vec(prop::collection::vec((0..6_i32, 0..6_i32), 3..9), 1..6),
    ) {
        let features: Vec<JsonValue> = rings
            .iter()
            .enumerate()
            .map(|(n, ring)| {
                // Few places to be: corners that repeat, touch and cross come often.
                let mut ring: Vec<[f64; 2]> = ring
                    .iter()
                    .map(|&(x, y)| [113.6 + f64::from(x) * 1e-4, 34.75 + f64::from(y) * 1e-4])
                    .collect();
                ring.push(ring[0]);
                json!({"type": "Feature", "properties": {"grid": format!("g{n}")},
                    "geometry": {"type": "Polygon", "coordinates": [ring]}})
            })
            .filter(|feature| parse(&collection(std::slice::from_ref(feature)).to_string(), GridProfile::Opaque).is_ok())
            .collect();
        if !features.is_empty() {
            let sorted = |features: &[JsonValue]| {
                let grids = parse(&collection(features).to_string(), GridProfile::Opaque).unwrap();
                let mut found: Vec<_> = grids
                    .overlaps()
                    .into_iter()
                    .map(|o| {
                        let (a, b) = (o.first.as_str().to_owned(), o.second.as_str().to_owned());
                        (a.clone().min(b.clone()), a.max(b))
                    })
                    .collect();
                found.sort();
                found
            };
            let mut reversed = features.clone();
            reversed.reverse();
            prop_assert_eq!(sorted(&features), sorted(&reversed));
        }
    }
}
