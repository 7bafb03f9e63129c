use proptest::prelude::*;

use super::*;

/// A pinhole camera `height_m` above the origin, turned `heading` degrees from north to the east and tilted
/// `tilt` degrees down, with a horizontal angle of view of 90 degrees, 16:9.
struct Pinhole {
    height_m: f64,
    heading: f64,
    tilt: f64,
}

impl Pinhole {
    /// Where a point on the ground shows, 0-1; `None` behind the camera.
    fn see(&self, [e, n]: [f64; 2]) -> Option<[f64; 2]> {
        let ((sh, ch), (st, ct)) = (self.heading.to_radians().sin_cos(), self.tilt.to_radians().sin_cos());
        let right = e * ch - n * sh;
        let ahead = e * sh + n * ch;
        let depth = ahead * ct + self.height_m * st;
        let down = self.height_m * ct - ahead * st;
        (depth > 0.0).then(|| [0.5 + right / depth / 2.0, 0.5 + down / depth / 2.0 * 16.0 / 9.0])
    }

    /// A pair for the point `across` metres to the right and `ahead` metres before the camera.
    fn pair(&self, across: f64, ahead: f64) -> Pair {
        let (s, c) = self.heading.to_radians().sin_cos();
        let ground = [across * c + ahead * s, ahead * c - across * s];
        Pair { picture: self.see(ground).unwrap(), ground }
    }
}

/// At a lamp post, over a street.
const POST: Pinhole = Pinhole { height_m: 6.0, heading: 30.0, tilt: 25.0 };

/// Eight points on the street, from 8 to 30 m away.
fn street(camera: &Pinhole) -> Vec<Pair> {
    [(-4.0, 8.0), (4.0, 8.5), (-5.0, 14.0), (5.0, 14.0), (-8.0, 22.0), (7.0, 21.0), (-6.0, 30.0), (9.0, 29.0)]
        .map(|(across, ahead)| camera.pair(across, ahead))
        .to_vec()
}

/// The same points, clicked with an error of up to `picture` (0-1) in each direction, from a fixed sequence.
fn clicked(pairs: &[Pair], picture: f64) -> Vec<Pair> {
    let mut state = 7_u64;
    let mut error = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0) * picture
    };
    pairs
        .iter()
        .map(|pair| Pair { picture: [pair.picture[0] + error(), pair.picture[1] + error()], ..*pair })
        .collect()
}

fn off(homography: &Homography, truth: &Pair) -> f64 {
    distance(homography.to_ground(truth.picture).unwrap(), truth.ground)
}

#[test]
fn four_exact_points_give_the_camera_back_to_a_micrometre() {
    let pairs = street(&POST);
    let fit = Homography::fit(&[pairs[0], pairs[1], pairs[6], pairs[7]]).unwrap();
    for pair in &pairs {
        assert!(off(&fit.homography, pair) < 1e-6, "{}", off(&fit.homography, pair));
        let back = fit.homography.to_picture(pair.ground).unwrap();
        assert!(distance(back, pair.picture) < 1e-9, "{back:?}");
    }
    assert!(fit.rms_m < 1e-6);
    assert_eq!(fit.accuracy_m(), None, "four points fit exactly, whatever they are worth");
    assert_eq!(fit.left_out_m, [None; 4]);
}

#[test]
fn clicks_that_are_off_by_two_pixels_put_the_street_off_by_less_than_30_cm() {
    let truth = street(&POST);
    let fit = Homography::fit(&clicked(&truth, 2.0 / 1920.0)).unwrap();
    // Between the points, not only at them.
    for (across, ahead) in [(0.0, 10.0), (2.0, 15.0), (-3.0, 20.0), (0.0, 25.0)] {
        let pair = POST.pair(across, ahead);
        assert!(off(&fit.homography, &pair) < 0.3, "{ahead} m away: {} m", off(&fit.homography, &pair));
    }
    assert!((0.02..0.3).contains(&fit.rms_m), "{}", fit.rms_m);
    assert!(fit.accuracy_m().unwrap() > fit.rms_m, "eight of sixteen equations went into the fit");
    assert!(fit.suspects.is_empty(), "{:?}", fit.suspects);
}

#[test]
fn a_point_that_was_put_in_the_wrong_place_is_the_one_suspect() {
    for wrong in 0..8 {
        let mut pairs = clicked(&street(&POST), 1.0 / 1920.0);
        pairs[wrong].ground[0] += 4.0;
        let fit = Homography::fit(&pairs).unwrap();
        assert_eq!(fit.suspects, [wrong], "left out: {:?}", fit.left_out_m);
        assert!(fit.left_out_m[wrong].unwrap() > 3.0, "{:?}", fit.left_out_m);
    }
}

#[test]
fn a_mirrored_picture_gives_the_mirrored_map_and_says_that_it_is_mirrored() {
    let pairs = street(&POST);
    let mirror = |[x, y]: [f64; 2]| [1.0 - x, y];
    let mirrored: Vec<Pair> =
        pairs.iter().map(|pair| Pair { picture: mirror(pair.picture), ..*pair }).collect();
    let (plain, other) = (Homography::fit(&pairs).unwrap(), Homography::fit(&mirrored).unwrap());
    for at in [[0.2, 0.9], [0.5, 0.6], [0.9, 0.7]] {
        let (a, b) =
            (plain.homography.to_ground(at).unwrap(), other.homography.to_ground(mirror(at)).unwrap());
        assert!(distance(a, b) < 1e-6, "{a:?} {b:?}");
        assert!(!plain.homography.is_mirrored(at));
        assert!(other.homography.is_mirrored(mirror(at)));
    }
}

#[test]
fn the_sky_has_no_place_on_the_ground() {
    let fit = Homography::fit(&street(&POST)).unwrap();
    // The horizon of a camera tilted by 25 degrees: half of tan(25) of 16/9 picture heights above the middle.
    let horizon = 0.5 - 25_f64.to_radians().tan() / 2.0 * 16.0 / 9.0;
    assert!(fit.homography.to_ground([0.5, horizon - 0.01]).is_none());
    assert!(fit.homography.to_ground([0.5, horizon + 0.01]).is_some());
    // And what is behind the camera does not show in the picture.
    let behind = POST.heading.to_radians().sin_cos();
    assert!(fit.homography.to_picture([behind.0 * -20.0, behind.1 * -20.0]).is_none());
}

#[test]
fn a_small_step_in_the_picture_leads_where_the_slope_says() {
    let homography = Homography::fit(&street(&POST)).unwrap().homography;
    let (at, step) = ([0.4, 0.7], 1e-6);
    let [e, n] = homography.slope(at).unwrap();
    let from = homography.to_ground(at).unwrap();
    for (axis, to) in [(0, [at[0] + step, at[1]]), (1, [at[0], at[1] + step])] {
        let to = homography.to_ground(to).unwrap();
        assert!(((to[0] - from[0]) / step - e[axis]).abs() < 1e-3 * e[axis].abs().max(1.0));
        assert!(((to[1] - from[1]) / step - n[axis]).abs() < 1e-3 * n[axis].abs().max(1.0));
    }
}

#[test]
fn points_that_do_not_fix_the_ground_are_refused_with_the_reason() {
    let good = street(&POST);
    let refused = |pairs: &[Pair]| Homography::fit(pairs).unwrap_err();
    assert_eq!(refused(&good[..3]), HomographyFault::Number(3));
    assert_eq!(refused(&[good[0]; 65]), HomographyFault::Number(65));

    let mut twice = good.clone();
    twice[5] = twice[2];
    assert_eq!(refused(&twice), HomographyFault::Same { first: 3, second: 6, side: Side::Picture });
    let mut twice = good.clone();
    twice[5].ground = twice[2].ground;
    assert_eq!(refused(&twice), HomographyFault::Same { first: 3, second: 6, side: Side::Ground });

    let kerb: Vec<Pair> = (0..6).map(|n| POST.pair(2.0, 8.0 + 3.0 * f64::from(n))).collect();
    assert_eq!(refused(&kerb), HomographyFault::Line(Side::Picture));
    let mut beside = kerb.clone();
    beside.insert(2, POST.pair(-3.0, 12.0));
    assert_eq!(refused(&beside), HomographyFault::LineButOne { but: 3, side: Side::Picture });

    let mut sky = good.clone();
    sky[3].picture[1] = f64::NAN;
    assert!(matches!(refused(&sky), HomographyFault::Outside { number: 4, .. }));
    let mut nowhere = good.clone();
    nowhere[3].ground[1] = f64::INFINITY;
    assert_eq!(refused(&nowhere), HomographyFault::NotFinite(4));
}

#[test]
fn two_points_that_are_mixed_up_are_behind_the_horizon() {
    let good = street(&POST);
    let mut mixed = vec![good[0], good[1], good[6], good[7]];
    (mixed[0].ground, mixed[1].ground) = (mixed[1].ground, mixed[0].ground);
    let fault = Homography::fit(&mixed).unwrap_err();
    assert!(matches!(fault, HomographyFault::Horizon(_)), "{fault:?}");
    assert!(fault.to_string().contains("mixed up"), "{fault}");
}

proptest! {
    #[test]
    fn any_camera_that_sees_its_points_is_found(
        height_m in 3.0..25.0_f64, heading in 0.0..360.0_f64, tilt in 12.0..70.0_f64,
        picture in prop::collection::vec((0.05..0.95_f64, 0.0..1.0_f64), 5..20),
    ) {
        let camera = Pinhole { height_m, heading, tilt };
        // Points that show between the horizon, or the top, and the bottom of the picture.
        let top = (0.52 - tilt.to_radians().tan() / 2.0 * 16.0 / 9.0).max(0.0);
        let pairs: Vec<Pair> = picture
            .iter()
            .map(|&(x, share)| {
                let y = top + (1.0 - top) * share;
                let ray = [(x - 0.5) * 2.0, (y - 0.5) * 2.0 * 9.0 / 16.0];
                let (s, c) = tilt.to_radians().sin_cos();
                let depth = height_m / (s + ray[1] * c);
                camera.pair(ray[0] * depth, (c - ray[1] * s) * depth)
            })
            .collect();
        match Homography::fit(&pairs) {
            Ok(fit) => {
                let far = pairs.iter().map(|p| p.ground[0].hypot(p.ground[1])).fold(1.0, f64::max);
                prop_assert!(fit.rms_m < 1e-6 * far, "rms {} m", fit.rms_m);
                prop_assert!(!fit.homography.is_mirrored(pairs[0].picture));
            }
            // Points drawn by lot may lie on a line or on each other; nothing else may be wrong with them.
            Err(HomographyFault::Same { .. } | HomographyFault::Line(_) | HomographyFault::LineButOne { .. }) => {}
            Err(fault) => prop_assert!(false, "{fault}"),
        }
    }

    #[test]
    fn no_points_whatever_make_it_panic(
        numbers in prop::collection::vec(prop::num::f64::ANY, 0..40),
    ) {
        let pairs: Vec<Pair> = numbers
            .chunks_exact(4)
            .map(|n| Pair { picture: [n[0], n[1]], ground: [n[2], n[3]] })
            .collect();
        prop_assert!(Homography::fit(&pairs).is_err());
    }
}
