//! The tracker against sequences whose truth is known, and the measures by which it is judged.

use gridpatrol::detect::BBox;

use crate::scene::Noise;
use crate::scene::board::trackers;
use crate::scene::mot::Mot;

/// A box of a tenth of the picture, `x` tenths from the left.
fn at(x: f32) -> BBox {
    BBox { x1: x / 10.0, y1: 0.4, x2: (x + 1.0) / 10.0, y2: 0.5 }
}

/// Two objects over four looks, worked out by hand. Object 1 is tracked as 7, 7, missed, 8; object 2 as 9 on all four;
/// on the third look track 5 reports something that is not there.
#[test]
fn mota_and_idf1_are_what_the_papers_say() {
    let mut mot = Mot::default();
    mot.look(&[(1, at(0.0)), (2, at(5.0))], &[(7, at(0.0)), (9, at(5.0))]);
    mot.look(&[(1, at(1.0)), (2, at(5.0))], &[(7, at(1.1)), (9, at(5.0))]);
    mot.look(&[(1, at(2.0)), (2, at(5.0))], &[(5, at(8.0)), (9, at(5.0))]);
    mot.look(&[(1, at(3.0)), (2, at(5.0))], &[(8, at(3.0)), (9, at(5.2))]);
    mot.end_sequence();
    assert_eq!((mot.objects, mot.missed, mot.false_boxes, mot.switches), (8, 1, 1, 1));
    assert!((mot.mota() - (1.0 - 3.0 / 8.0)).abs() < 1e-9, "{}", mot.mota());
    // Of 8 true and 8 reported boxes the best pairing, 1 with 7 and 2 with 9, agrees in 2 + 4.
    assert!((mot.idf1() - 2.0 * 6.0 / 16.0).abs() < 1e-9, "{}", mot.idf1());
}

/// Two tracks that change places are two switches, and half of the boxes agree with either pairing.
#[test]
fn two_tracks_that_change_objects_are_two_switches() {
    let mut mot = Mot::default();
    mot.look(&[(1, at(0.0)), (2, at(5.0))], &[(7, at(0.0)), (9, at(5.0))]);
    mot.look(&[(1, at(0.0)), (2, at(5.0))], &[(9, at(0.0)), (7, at(5.0))]);
    mot.end_sequence();
    assert_eq!((mot.missed, mot.false_boxes, mot.switches), (0, 0, 2));
    assert_eq!((mot.mota(), mot.idf1()), (0.5, 0.5));
}

/// While two boxes both overlap an object, the pair of the look before is kept, though the other overlaps more.
#[test]
fn a_pair_of_the_look_before_is_kept_while_it_overlaps() {
    let mut mot = Mot::default();
    mot.look(&[(1, at(0.0))], &[(7, at(0.0))]);
    mot.look(&[(1, at(0.0))], &[(8, at(0.0)), (7, at(0.2))]);
    assert_eq!((mot.missed, mot.false_boxes, mot.switches), (0, 1, 0));
}

/// On crossings with occlusion. The floors lie between what the engine's tracker makes of them and what joining boxes by
/// overlap alone does, which is what is left of a tracker whose motion model or second stage is broken.
#[test]
fn the_tracker_keeps_its_objects_through_crossings_and_occlusion() {
    let levels = [(Noise::CLEAN, 0.905, 0.70), (Noise::NOISY, 0.68, 0.55), (Noise::BAD, 0.43, 0.37)];
    for (noise, least_mota, least_idf1) in levels {
        let measured = trackers(0..4, &noise);
        for (name, mot) in &measured {
            let (mota, idf1, switches) = (mot.mota(), mot.idf1(), mot.switches);
            println!("{} {name}: MOTA {mota:.3}, IDF1 {idf1:.3}, {switches} switches", noise.name);
        }
        let [(_, engine), (_, plain), (_, perfect)] = &measured;
        assert!(engine.mota() >= least_mota && engine.idf1() >= least_idf1, "{}", noise.name);
        assert!(engine.switches * 3 < plain.switches, "{}", noise.name);
        assert!(perfect.mota() >= engine.mota() && perfect.idf1() >= engine.idf1(), "{}", noise.name);
    }
}
