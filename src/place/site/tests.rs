use super::*;
use crate::config::GridProfile;
use crate::place::{Coordinates, Homography, Plane};

fn id(name: &str) -> GridId {
    GridId::parse(name, GridProfile::Opaque).unwrap()
}

fn grid(name: &str, (w, s, e, n): (f64, f64, f64, f64)) -> Grid {
    let area = geo::Rect::new((w, s), (e, n)).to_polygon();
    Grid { id: id(name), area: geo::MultiPolygon::new(vec![area]) }
}

/// The picture shows 40 m by 20 m from straight above, its top left at the origin: x is 40 m east, y 20 m south.
fn terrain(grids: Vec<Grid>) -> Option<Arc<Terrain>> {
    let homography = Homography::new([[40.0, 0.0, 0.0], [0.0, -20.0, 0.0], [0.0, 0.0, 1.0]]).unwrap();
    let plane = Plane::new(Coordinates::Wgs84, [113.6, 34.75]);
    Some(Arc::new(Terrain::new(Ground::new(homography, plane, Some(0.2)), grids)))
}

/// A west and an east grid that meet in the middle of the picture and leave its lower tenth free.
fn two() -> Option<Arc<Terrain>> {
    terrain(vec![grid("west", (-50.0, -18.0, 20.0, 50.0)), grid("east", (20.0, -18.0, 90.0, 50.0))])
}

fn zone() -> Polygon {
    Polygon::new(vec![[0.1, 0.1], [0.7, 0.1], [0.7, 1.0], [0.1, 1.0]]).unwrap()
}

/// A box that stands at `x`, `y`.
fn standing(x: f32, y: f32) -> BBox {
    BBox { x1: x - 0.05, y1: y - 0.1, x2: x + 0.05, y2: y }
}

#[test]
fn a_case_belongs_to_the_grid_in_which_it_stands() {
    for zone_grid in [None, Some(id("zone"))] {
        let site = Site::new(&zone(), zone_grid, two()).unwrap();
        for (x, expected) in [(0.3, "west"), (0.6, "east")] {
            let spot = site.locate([standing(x, 0.5)]);
            assert_eq!((spot.grid.as_str(), spot.basis), (expected, GridBasis::Polygon));
            assert!(spot.position.is_some());
        }
    }
}

#[test]
fn outside_of_all_polygons_the_zones_grid_counts_and_without_one_the_nearest() {
    let free = [standing(0.6, 0.99)];
    let named = Site::new(&zone(), Some(id("zone")), two()).unwrap().locate(free);
    assert_eq!((named.grid.as_str(), named.basis), ("zone", GridBasis::Zone));
    let unnamed = Site::new(&zone(), None, two()).unwrap().locate(free);
    assert_eq!((unnamed.grid.as_str(), unnamed.basis), ("east", GridBasis::Nearest));
    assert_eq!(unnamed.position, named.position);
}

#[test]
fn far_from_every_polygon_the_grid_of_most_of_the_zone_counts() {
    // The grid ends 39 m above the lower edge of a picture that shows 40 m by 40 m.
    let homography = Homography::new([[40.0, 0.0, 0.0], [0.0, -40.0, 0.0], [0.0, 0.0, 1.0]]).unwrap();
    let plane = Plane::new(Coordinates::Wgs84, [113.6, 34.75]);
    let top = vec![grid("top", (-50.0, -4.5, 90.0, 50.0))];
    let terrain = Some(Arc::new(Terrain::new(Ground::new(homography, plane, None), top)));
    let site = Site::new(&zone(), None, terrain).unwrap();
    let spot = site.locate([standing(0.5, 0.98)]);
    assert_eq!((spot.grid.as_str(), spot.basis), ("top", GridBasis::ZoneMajority));
}

#[test]
fn a_crowd_stands_at_the_median_of_its_feet() {
    let site = Site::new(&zone(), None, two()).unwrap();
    let spot = site.locate([0.15, 0.2, 0.25, 0.3, 0.65].map(|x| standing(x, 0.5)));
    assert_eq!(spot.grid.as_str(), "west");
    let [east, _] = two().unwrap().ground().plane().metres({
        let at = spot.position.unwrap();
        [at.lon, at.lat]
    });
    assert!((east - 10.0).abs() < 0.01, "{east}");
}

#[test]
fn ground_that_two_grids_share_belongs_to_the_smaller_one_in_any_order() {
    let (large, small) = (grid("large", (-50.0, -50.0, 90.0, 50.0)), grid("small", (0.0, -20.0, 40.0, 0.0)));
    for grids in [vec![large.clone(), small.clone()], vec![small, large]] {
        let site = Site::new(&zone(), None, terrain(grids)).unwrap();
        assert_eq!(site.locate([standing(0.5, 0.5)]).grid.as_str(), "small");
    }
}

#[test]
fn a_site_that_could_leave_a_case_without_a_grid_is_refused() {
    assert_eq!(Site::new(&zone(), None, None).unwrap_err(), SiteFault::NoGrid);
    assert_eq!(Site::new(&zone(), None, terrain(Vec::new())).unwrap_err(), SiteFault::NoGrid);
    let away = terrain(vec![grid("away", (500.0, -20.0, 600.0, 0.0))]);
    let fault = Site::new(&zone(), None, away.clone()).unwrap_err().to_string();
    // From the zone's eastern edge at 28 m.
    assert!(fault.contains("away, 472 m away") && fault.contains("113.600"), "{fault}");
    assert!(Site::new(&zone(), Some(id("zone")), away).is_ok());
    // Within 30 m of the zone there is always a nearest one.
    let beside = terrain(vec![grid("beside", (50.0, -20.0, 60.0, 0.0))]);
    assert!(Site::new(&zone(), None, beside).is_ok());
}

#[test]
fn coverage_says_which_share_of_the_zone_lies_where() {
    let site = Site::new(&zone(), Some(id("zone")), two()).unwrap();
    let Coverage { grids, outside, off_ground } = site.coverage();
    // From 4 m to 28 m east the border is at 20 m; of 18 m to the south the last 2 m are free.
    let share = |name: &str| grids.iter().find(|(grid, _)| grid.as_str() == name).unwrap().1;
    assert!((share("west") - 16.0 / 24.0 * 16.0 / 18.0).abs() < 0.02, "{site}");
    assert!((share("east") - 8.0 / 24.0 * 16.0 / 18.0).abs() < 0.02, "{site}");
    assert!((outside - 2.0 / 18.0).abs() < 0.03 && *off_ground == 0.0, "{site}");
    assert!(site.to_string().starts_with("grid west ("), "{site}");
    assert!(site.to_string().ends_with("otherwise zone"), "{site}");
}
