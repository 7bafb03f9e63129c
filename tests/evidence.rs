//! Pictures: what must never be seen in them, and what must.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap as tests do")]

use std::os::unix::fs::PermissionsExt as _;

use gridpatrol::case::CaseId;
use gridpatrol::detect::{BBox, Detection, Detector, Label, ModelIdentity, Vocabulary};
use gridpatrol::error::{Error, Kind, Result};
use gridpatrol::evidence::{
    Canvas, Evidence, Eyes, Facts, LEAST_BLOCK_PX, MAX_BYTES, Picture, PixelRect, Redaction, Role, Shot,
    Store, Subject, View, Who, caption, redact, windows,
};
use gridpatrol::frame::{Frame, Layout, Matrix};
use gridpatrol::place::Polygon;
use image::{Rgb, RgbImage};
use sha2::{Digest as _, Sha256};

pub const WHOLE: BBox = BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 };
pub const PERSON: Label = Label(0);
pub const CAR: Label = Label(1);
const CASE: &str = "0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b";

/// Says of each region what the script says.
pub struct Scripted<F> {
    script: F,
    vocabulary: Vocabulary,
    identity: ModelIdentity,
    calls: usize,
}

pub fn scripted<F: FnMut(usize, BBox) -> Result<Vec<Detection>> + Send>(script: F) -> Scripted<F> {
    let vocabulary = Vocabulary::new(["person", "car", "bench"].map(String::from).to_vec());
    Scripted { script, vocabulary, identity: identity(), calls: 0 }
}

impl<F: FnMut(usize, BBox) -> Result<Vec<Detection>> + Send> Detector for Scripted<F> {
    fn detect(&mut self, frame: &Frame, _min_score: f32, out: &mut Vec<Detection>) -> Result<()> {
        out.clear();
        self.detect_region(frame, WHOLE, 0.4, out)
    }

    fn detect_region(&mut self, _: &Frame, region: BBox, least: f32, out: &mut Vec<Detection>) -> Result<()> {
        self.calls += 1;
        out.extend((self.script)(self.calls, region)?.into_iter().filter(|found| found.score >= least));
        Ok(())
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn input_size(&self) -> (usize, usize) {
        (416, 416)
    }
}

fn identity() -> ModelIdentity {
    ModelIdentity { name: "nanodet-g-416".into(), sha256: "1a2b3c4d".repeat(8) }
}

pub fn seen(label: Label, score: f32, bbox: [f32; 4]) -> Detection {
    Detection { label, score, bbox: bbox.into() }
}

fn facts(model: &ModelIdentity) -> Facts<'_> {
    Facts {
        time: "2026-11-23T15:47:18.000+08:00",
        camera: "文化路东口",
        grid: "410102007003012",
        kind_zh: "机动车乱停放",
        kind_en: "Illegal parking",
        dwell_s: 20.0,
        model,
        case: CASE,
    }
}

fn zone() -> Polygon {
    Polygon::new(vec![[0.6, 0.1], [0.95, 0.1], [0.95, 0.4], [0.6, 0.4]]).unwrap()
}

/// Takes pictures of `frame` with these objects, everything else as in [`facts`] and [`zone`].
fn shoot(frame: &Frame, roles: &[Role], objects: &[Detection], detector: &mut dyn Detector) -> Evidence {
    shoot_through(frame, roles, objects, detector, &mut blind())
}

/// As [`shoot`], looking for faces and plates with `eyes`.
pub fn shoot_through(
    frame: &Frame,
    roles: &[Role],
    objects: &[Detection],
    detector: &mut dyn Detector,
    eyes: &mut Eyes,
) -> Evidence {
    let (zone, model) = (zone(), identity());
    let vocabulary = detector.vocabulary().clone();
    let facts = facts(&model);
    let view = View { zone: &zone, objects, vocabulary: &vocabulary, facts };
    Shot::take(frame, [objects], &vocabulary, detector, eyes).pictures(roles, &view)
}

/// A scripted model for faces or plates.
pub fn finder<F: FnMut(usize, BBox) -> Result<Vec<Detection>> + Send>(label: &str, script: F) -> Scripted<F> {
    Scripted { vocabulary: Vocabulary::new(vec![label.to_owned()]), ..scripted(script) }
}

/// Models that find no face and no plate.
pub fn blind() -> Eyes {
    let none = |label| Box::new(finder(label, |_, _| Ok(vec![])));
    Eyes::new((none("face"), 0.2), (none("plate"), 0.2)).unwrap()
}

pub fn pictures(evidence: Evidence) -> (Vec<Picture>, Redaction) {
    match evidence {
        Evidence::Taken { pictures, redaction } => (pictures, redaction),
        other => panic!("expected pictures, got {other:?}"),
    }
}

pub fn decoded(picture: &Picture) -> RgbImage {
    image::load_from_memory(&picture.bytes).unwrap().to_rgb8()
}

/// A full-range grey frame whose luma is `luma(x, y)`.
pub fn frame(width: usize, height: usize, luma: impl Fn(usize, usize) -> u8) -> Frame {
    let y = (0..width * height).map(|i| luma(i % width, i / width)).collect();
    let chroma = vec![128; width * height / 4];
    Frame { width, height, full_range: true, y, u: chroma.clone(), v: chroma, ..Frame::default() }
}

/// White and black pixels by turns: nothing is harder to hide, nothing easier to recognise.
fn checkerboard(x: usize, y: usize) -> u8 {
    if (x + y).is_multiple_of(2) { 255 } else { 0 }
}

/// The same pseudo-random bytes each time (xorshift, Marsaglia 2003).
fn noise(mut state: u32) -> impl FnMut() -> u8 {
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    }
}

fn noisy(width: u32, height: u32) -> RgbImage {
    let mut next = noise(7);
    RgbImage::from_fn(width, height, |_, _| Rgb([next(), next(), next()]))
}

fn inside(region: PixelRect, x: u32, y: u32) -> bool {
    (region.x1..region.x2).contains(&x) && (region.y1..region.y2).contains(&y)
}

fn subject(who: Who, bbox: [f32; 4]) -> Subject {
    Subject { who, bbox: bbox.into(), window: WHOLE }
}

#[test]
fn e1_no_pixel_of_a_hidden_region_survives() {
    let (width, height) = (640, 480);
    let original = noisy(width, height);
    let subjects = [
        subject(Who::Person, [0.10, 0.10, 0.20, 0.70]),
        subject(Who::Person, [0.50, 0.30, 0.52, 0.40]),
        subject(Who::Vehicle, [0.60, 0.50, 0.95, 0.90]),
    ];
    let (redacted, redaction) = redact(Canvas::from(original.clone()), &subjects);
    assert_eq!(redaction, Redaction { persons: 2, vehicles: 1, ..Redaction::default() });
    let regions = subjects.map(|subject| subject.region(width, height).unwrap());
    for (subject, region) in subjects.iter().zip(regions) {
        let (w, h) = (region.x2 - region.x1, region.y2 - region.y1);
        // Runs of one colour along a row and a column: each block is flat and at least 1/8 of the height.
        let least = LEAST_BLOCK_PX.max(h / 8);
        let row: Vec<_> = (region.x1..region.x2).map(|x| redacted.pixels().get_pixel(x, region.y1)).collect();
        let column: Vec<_> =
            (region.y1..region.y2).map(|y| redacted.pixels().get_pixel(region.x1, y)).collect();
        for line in [row, column] {
            let runs = line.chunk_by(|a, b| a == b);
            assert!(
                runs.clone().all(|run| run.len() as u32 >= least),
                "{subject:?}: a block is finer than {least}"
            );
        }
        let mut colours: Vec<_> = (region.y1..region.y2)
            .flat_map(|y| (region.x1..region.x2).map(move |x| (x, y)))
            .map(|(x, y)| redacted.pixels().get_pixel(x, y).0)
            .collect();
        colours.sort_unstable();
        colours.dedup();
        let blocks = ((w / least).max(1) * (h / least).max(1)) as usize;
        assert!(colours.len() <= blocks, "{subject:?}: {} colours in {blocks} blocks", colours.len());
    }
    for (x, y, pixel) in redacted.pixels().enumerate_pixels() {
        if !regions.iter().any(|&region| inside(region, x, y)) {
            assert_eq!(pixel, original.get_pixel(x, y), "a pixel outside was changed at {x},{y}");
        }
    }
}

#[test]
fn a_pattern_and_its_negative_cannot_be_told_apart_once_hidden() {
    let board = |flip: u32| {
        RgbImage::from_fn(320, 320, |x, y| Rgb([if (x + y + flip).is_multiple_of(2) { 255 } else { 0 }; 3]))
    };
    let head = [subject(Who::Person, [0.2, 0.2, 0.5, 1.0])];
    let region = head[0].region(320, 320).unwrap();
    let hidden = |flip| redact(Canvas::from(board(flip)), &head).0;
    let (one, other) = (hidden(0), hidden(1));
    // A block of an odd number of pixels holds one more of one colour: 255/25 for one of 5 x 5.
    for y in region.y1..region.y2 {
        for x in region.x1..region.x2 {
            let (a, b) = (one.pixels().get_pixel(x, y).0[0], other.pixels().get_pixel(x, y).0[0]);
            assert!(a.abs_diff(b) <= 11, "{x},{y}: {a} and {b}");
        }
    }
}

#[test]
fn a_head_that_only_a_tile_shows_is_hidden_in_the_jpeg() {
    // The pattern only around the person: a frame full of it would be scaled down to fit the size bound.
    let near = |x, y| (480..640).contains(&x) && (280..420).contains(&y);
    let frame = frame(1280, 720, |x, y| if near(x, y) { checkerboard(x, y) } else { 128 });
    let unsure = seen(PERSON, 0.2, [0.42, 0.45, 0.45, 0.56]);
    let mut detector = scripted(move |_, region| {
        let holds = unsure.bbox.covered_by(&region) > 0.99;
        Ok(if region != WHOLE && holds { vec![unsure] } else { vec![] })
    });
    let (taken, redaction) = pictures(shoot(&frame, &[Role::Overview], &[], &mut detector));
    assert_eq!(
        redaction,
        Redaction { persons: 1, vehicles: 0, ..Redaction::default() },
        "seen in several tiles, counted once"
    );
    let picture = decoded(&taken[0]);
    let contrast = |x: u32, y: u32| {
        let (a, b) = (picture.get_pixel(x, y).0[0], picture.get_pixel(x + 1, y).0[0]);
        a.abs_diff(b)
    };
    // Well inside the region, away from what JPEG smears over its edge.
    for y in 322..345 {
        for x in 545..570 {
            assert!(contrast(x, y) < 40, "the pattern shows at {x},{y}: {}", contrast(x, y));
        }
    }
    assert!(contrast(500, 300) > 150, "beside the region the pattern is still sharp");
}

#[test]
fn what_the_look_itself_saw_is_hidden_too() {
    let frame = frame(640, 480, checkerboard);
    let car = [seen(CAR, 0.9, [0.2, 0.3, 0.5, 0.7])];
    let mut blind = scripted(|_, _| Ok(vec![]));
    let (_, redaction) = pictures(shoot(&frame, &[Role::Overview], &car, &mut blind));
    assert_eq!(redaction, Redaction { persons: 0, vehicles: 1, ..Redaction::default() });
}

#[test]
fn e2_if_redaction_cannot_run_there_is_no_picture_but_a_reason() {
    let sound = frame(1280, 720, checkerboard);
    let withheld = |evidence| match evidence {
        Evidence::Withheld { reason } => reason,
        other => panic!("a picture was taken: {other:?}"),
    };
    let roles = [Role::Overview, Role::Closeup];

    let broken = |call, _| match call {
        1..=5 => Ok(vec![]),
        _ => Err(Error::new(Kind::Model, "inference stopped")),
    };
    let reason = withheld(shoot(&sound, &roles, &[], &mut scripted(broken)));
    assert!(reason.contains("inference stopped"), "{reason}");

    let lost = |_, _| Ok(vec![seen(PERSON, 0.9, [0.1, f32::NAN, 0.2, 0.4])]);
    assert!(withheld(shoot(&sound, &roles, &[], &mut scripted(lost))).contains("not a number"));

    let mut narrow = scripted(|_, _| Ok(vec![]));
    narrow.vocabulary = Vocabulary::new(vec!["car".into()]);
    assert!(withheld(shoot(&sound, &roles, &[], &mut narrow)).contains("persons"));

    let mut torn = sound.clone();
    torn.u.pop();
    assert!(withheld(shoot(&torn, &roles, &[], &mut scripted(|_, _| Ok(vec![])))).contains("1280x720"));
}

#[test]
fn a_standing_persons_head_is_hidden_and_the_legs_are_not() {
    let region = subject(Who::Person, [0.5, 0.2, 0.54, 0.4]).region(1000, 1000).unwrap();
    assert!(region.y1 <= 180 && (255..=270).contains(&region.y2), "{region:?}");
    assert!(region.x1 <= 494 && region.x2 >= 546, "{region:?}");
}

#[test]
fn small_cut_and_folded_persons_are_hidden_further_down() {
    let bottom = |bbox: [f32; 4]| {
        let region = subject(Who::Person, bbox).region(1000, 1000).unwrap();
        (region.y2 as f32 / 1000.0 - bbox[1]) / (bbox[3] - bbox[1])
    };
    assert!(bottom([0.5, 0.5, 0.515, 0.55]) >= 0.49, "50 pixels high");
    assert!(bottom([0.5, 0.7, 0.58, 1.0]) >= 0.49, "cut by the lower edge");
    assert!(bottom([0.2, 0.2, 0.35, 0.4]) >= 0.99, "head and shoulders");
    assert!(bottom([0.2, 0.2, 0.8, 0.4]) >= 0.99, "lying");
}

#[test]
fn a_plate_is_hidden_wherever_it_can_be_read() {
    let region = |bbox| subject(Who::Vehicle, bbox).region(1000, 1000);
    let car = region([0.3, 0.4, 0.5, 0.6]).unwrap();
    assert!(car.x1 < 300 && car.x2 > 500 && car.y1 <= 470 && car.y2 > 600, "{car:?}");
    assert!(car.y1 > 440, "the roof is to be seen");
    assert_eq!(region([0.3, 0.4, 0.34, 0.43]), None, "30 pixels high: nothing to read");
    assert!(region([0.3, 0.4, 0.5, 0.42]).is_some(), "the rest may be hidden behind something");
    let cut = region([0.3, 0.0, 0.5, 0.2]).unwrap();
    assert_eq!(cut.y1, 0, "cut off above, the plate may be anywhere");
}

#[test]
fn tiles_cover_the_picture_and_overlap_by_a_quarter() {
    for size in [(1920, 1080), (768, 576), (417, 300), (3840, 2160)] {
        let tiles = &windows(size, (416, 416))[1..];
        let (tile_w, tile_h) = (416.0_f32.min(size.0 as f32), 416.0_f32.min(size.1 as f32));
        // A thing of a quarter of a tile lies whole in some tile, wherever it is.
        let (w, h) = (tile_w * 0.24 / size.0 as f32, tile_h * 0.24 / size.1 as f32);
        for step in 0..400 {
            let (x, y) = ((step % 20) as f32 / 19.0 * (1.0 - w), (step / 20) as f32 / 19.0 * (1.0 - h));
            let thing = BBox { x1: x, y1: y, x2: x + w, y2: y + h };
            assert!(tiles.iter().any(|tile| thing.covered_by(tile) > 0.999), "{size:?}: {thing:?} is cut");
        }
    }
    assert_eq!(windows((416, 300), (416, 416)), [WHOLE], "a picture that fits needs no tiles");
}

#[test]
fn the_caption_lies_below_the_picture_and_changes_no_pixel_of_it() {
    let model = identity();
    for width in [96, 768, 1920] {
        let picture = noisy(width, 54);
        let captioned = caption::add(&picture, &facts(&model));
        let (strip_width, strip_height) = (captioned.width(), captioned.height() - picture.height());
        assert_eq!(strip_width, width);
        assert_eq!(image::imageops::crop_imm(&captioned, 0, 0, width, 54).to_image(), picture);
        let strip = image::imageops::crop_imm(&captioned, 0, 54, width, strip_height).to_image();
        assert!(strip.pixels().filter(|pixel| pixel.0[0] > 200).count() > 800, "the strip has words");
    }
}

#[test]
fn other_facts_make_another_caption() {
    let model = identity();
    let picture = RgbImage::new(768, 32);
    let one = caption::add(&picture, &facts(&model));
    let other = caption::add(&picture, &Facts { kind_zh: "占用消防通道", ..facts(&model) });
    assert_ne!(one, other);
}

#[test]
fn a_noisy_full_hd_frame_fits_the_size_bound_and_carries_its_hash() {
    let mut next = noise(3);
    let mut noisy = frame(1920, 1080, |_, _| 0);
    noisy.y.iter_mut().chain(&mut noisy.u).chain(&mut noisy.v).for_each(|sample| *sample = next());
    let (taken, _) = pictures(shoot(&noisy, &[Role::Overview], &[], &mut scripted(|_, _| Ok(vec![]))));
    let picture = &taken[0];
    assert!(picture.bytes.len() <= MAX_BYTES, "{} bytes", picture.bytes.len());
    assert_eq!(decoded(picture).dimensions(), (picture.width, picture.height));
    let hash: String = Sha256::digest(&picture.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(picture.sha256, hash);
}

#[test]
fn a_frame_wider_than_1920_is_scaled_down() {
    let wide = frame(2560, 640, |_, _| 90);
    let (taken, _) = pictures(shoot(&wide, &[Role::First], &[], &mut scripted(|_, _| Ok(vec![]))));
    assert_eq!(taken[0].width, 1920);
    assert!(taken[0].height > 480, "the caption comes on top of the picture's 480");
}

#[test]
fn the_overview_shows_zone_and_object_and_the_after_picture_only_the_zone() {
    let grey = frame(768, 576, |_, _| 90);
    let objects = [seen(CAR, 0.83, [0.65, 0.15, 0.85, 0.35])];
    let roles = [Role::Overview, Role::After, Role::Closeup];
    let (taken, _) = pictures(shoot(&grey, &roles, &objects, &mut scripted(|_, _| Ok(vec![]))));
    assert_eq!(taken.iter().map(|picture| picture.role).collect::<Vec<_>>(), roles);
    let marks = |picture: &Picture| {
        let picture = decoded(picture);
        let count = |test: fn(&[u8; 3]) -> bool| picture.pixels().filter(|pixel| test(&pixel.0)).count();
        let zone = count(|&[r, g, b]| b > 180 && g > 140 && r < 100);
        let object = count(|&[r, g, b]| r > 200 && g < 130 && b < 110);
        (zone > 500, object > 500)
    };
    assert_eq!(marks(&taken[0]), (true, true), "overview");
    assert_eq!(marks(&taken[1]), (true, false), "after");
    assert_eq!(marks(&taken[2]), (false, false), "close-up");
    // 0.2 of each side and a quarter of that on either side: 0.3 of 768 x 576.
    assert!(taken[2].width.abs_diff(230) <= 2 && taken[2].height.abs_diff(173) <= 2, "{:?}", taken[2]);
}

#[test]
fn colours_come_out_as_the_standards_say() {
    // Pure red, in each of the encodings that cameras use.
    let cases = [
        (Matrix::Bt601, true, [76, 85, 255]),
        (Matrix::Bt601, false, [81, 90, 240]),
        (Matrix::Bt709, false, [63, 102, 240]),
    ];
    for (matrix, full_range, [y, u, v]) in cases {
        let mut planar = Frame { matrix, full_range, ..frame(4, 2, |_, _| y) };
        planar.u.fill(u);
        planar.v.fill(v);
        let pairs = Frame { layout: Layout::Nv12, u: [u, v].repeat(2), v: vec![], ..planar.clone() };
        for frame in [planar, pairs] {
            let canvas = Canvas::render(&frame).unwrap();
            let [r, g, b] = canvas.pixels().get_pixel(3, 1).0;
            assert!(r >= 252 && g <= 3 && b <= 3, "{matrix:?} {full_range} {:?}: {r} {g} {b}", frame.layout);
        }
    }
}

#[test]
fn a_frame_with_planes_of_the_wrong_length_is_refused() {
    let mut short = frame(64, 48, |_, _| 0);
    short.y.pop();
    let error = Canvas::render(&short).unwrap_err();
    assert_eq!(error.kind(), Kind::Camera);
    assert!(error.to_string().contains("64x48"), "{error}");
    assert!(Canvas::render(&Frame::default()).is_err(), "an empty frame");
}

fn stored(jpeg: &[u8]) -> Picture {
    Picture {
        role: Role::Overview,
        bytes: jpeg.to_vec(),
        sha256: String::new(),
        width: 1,
        height: 1,
        view_height: None,
        captured: None,
        url: None,
        part: None,
    }
}

#[test]
fn an_evidence_file_is_named_by_case_and_role_and_private() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("state/evidence");
    let store = Store::open(&folder).unwrap();
    let name = store.write(&CaseId::parse(CASE).unwrap(), &stored(b"one")).unwrap();
    assert_eq!(name, format!("{CASE}-overview.jpg"));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join(&name))), (0o700, 0o600));
    store.write(&CaseId::parse(CASE).unwrap(), &stored(b"two")).unwrap();
    assert_eq!(std::fs::read(folder.join(&name)).unwrap(), b"two");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no part of a file is left");
}

#[test]
fn a_case_id_that_is_no_uuid_never_becomes_a_file_name() {
    let upper = CASE.to_uppercase();
    for bad in [
        "",
        "../../../../etc/cron.d/x",
        "0193a1b2",
        upper.as_str(),
        &format!("{CASE}/"),
        &CASE.replace('7', "é"),
    ] {
        assert_eq!(CaseId::parse(bad), None, "{bad:?} was accepted");
    }
}
