//! What holds for every head, and the numbers of each on a table that can be checked by hand.

use proptest::prelude::*;

use super::*;

const INPUT: InputSize = InputSize { width: 64, height: 32 };

/// One head of each kind for [`INPUT`], with three classes where the kind has more than one.
fn all() -> Vec<HeadSpec> {
    let texts = [
        "kind = 'boxes_scores'\nboxes = 'b'\nscores = 's'\nproposals = 5\nclasses = 3",
        "kind = 'yolox'\noutput = 'o'\nproposals = 42\nclasses = 3",
        "kind = 'yolo_v5'\noutput = 'o'\nproposals = 126\nclasses = 3",
        "kind = 'yolo_v8'\noutput = 'o'\nproposals = 42\nclasses = 3",
        "kind = 'end_to_end'\noutput = 'o'\nproposals = 7\nclasses = 3",
        "kind = 'detr'\nlogits = 'l'\nboxes = 'b'\nproposals = 7\nclasses = 3\nscores = 'sigmoid'",
        "kind = 'detr'\nlogits = 'l'\nboxes = 'b'\nproposals = 7\nclasses = 3\nscores = 'softmax'",
        "kind = 'ssd'\nboxes = 'b'\nclass_ids = 'c'\nscores = 's'\ncount = 'n'\nproposals = 7\nclasses = 3\n\
         corners = 'yxyx'\nunit = 'normalised'\nfirst_class = 1",
        "kind = 'ssd'\nboxes = 'b'\nclass_ids = 'c'\nscores = 's'\nproposals = 7\nclasses = 3\n\
         corners = 'xyxy'\nunit = 'pixels'",
        "kind = 'centerface'\nheatmap = 'h'\nscale = 's'\noffset = 'o'",
        "kind = 'retinaface'\nboxes = 'b'\nscores = 's'",
    ];
    texts.map(|text| toml::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))).to_vec()
}

fn head(spec: &HeadSpec) -> Head {
    Head::new(spec.clone(), INPUT, Classes::new(vec![Some(4), None, Some(7)]))
}

/// Any float, the awkward ones often.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        3 => -2.0_f32..2.0,
        1 => any::<f32>(),
        1 => prop::sample::select(vec![
            f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 0.0, 1.0, 1e9, -1.0,
        ]),
    ]
}

proptest! {
    #[test]
    fn whatever_numbers_a_network_gives_a_head_neither_fails_nor_gives_a_class_that_is_not_wanted(
        numbers in prop::collection::vec(number(), 1..1200),
        min_score in prop_oneof![Just(0.0_f32), Just(1.0), 0.0_f32..1.0],
        cut in 0.0_f64..1.0,
    ) {
        for spec in all() {
            let head = head(&spec);
            let mut source = numbers.iter().copied().cycle();
            let tables: Vec<Vec<f32>> = head
                .outputs()
                .iter()
                .map(|output| source.by_ref().take(output.shape.iter().product()).collect())
                .collect();
            let whole: Vec<&[f32]> = tables.iter().map(Vec::as_slice).collect();
            let short: Vec<&[f32]> = tables.iter().map(|t| &t[..(t.len() as f64 * cut) as usize]).collect();
            for outputs in [&whole[..], &short[..], &whole[..1], &[]] {
                let mut out = Vec::new();
                head.candidates(outputs, min_score, &mut out);
                for candidate in out {
                    prop_assert!(candidate.class == 4 || candidate.class == 7, "{spec:?}: {candidate:?}");
                    prop_assert!(candidate.score >= min_score, "{spec:?}: {candidate:?}");
                }
            }
        }
    }
}

#[test]
fn outputs_that_are_shorter_than_promised_give_fewer_candidates() {
    for spec in all() {
        let head = Head::new(spec.clone(), INPUT, Classes::all(3));
        let tables: Vec<Vec<f32>> =
            head.outputs().iter().map(|o| vec![1.0; o.shape.iter().product()]).collect();
        let whole: Vec<&[f32]> = tables.iter().map(Vec::as_slice).collect();
        let half: Vec<&[f32]> = tables.iter().map(|table| &table[..table.len() / 2]).collect();
        let count = |outputs: &[&[f32]]| {
            let mut out = Vec::new();
            head.candidates(outputs, 0.2, &mut out);
            out.len()
        };
        assert!(count(&whole) > 0, "{spec:?}");
        assert!(count(&half) < count(&whole), "{spec:?}");
        let empty: [&[f32]; MAX_OUTPUTS] = [&[]; MAX_OUTPUTS];
        assert_eq!(count(&empty[..whole.len()]), 0, "{spec:?}");
    }
}

#[test]
fn a_head_takes_no_memory_but_that_of_the_list_it_fills() {
    for spec in all() {
        let head = Head::new(spec.clone(), INPUT, Classes::all(3));
        let tables: Vec<Vec<f32>> =
            head.outputs().iter().map(|o| vec![1.0; o.shape.iter().product()]).collect();
        let outputs: Vec<&[f32]> = tables.iter().map(Vec::as_slice).collect();
        let mut out = Vec::new();
        head.candidates(&outputs, 0.2, &mut out);
        let (place, room, first) = (out.as_ptr(), out.capacity(), out.clone());
        out.clear();
        head.candidates(&outputs, 0.2, &mut out);
        assert_eq!((out.as_ptr(), out.capacity()), (place, room), "{spec:?}");
        assert_eq!(out, first, "{spec:?}");
    }
}

#[test]
fn proposals_that_do_not_fit_the_input_and_its_strides_are_refused() {
    for spec in all() {
        assert_eq!(spec.check(INPUT), Ok(()), "{spec:?}");
    }
    let check = |text: &str, input| {
        let spec: HeadSpec = toml::from_str(text).unwrap();
        spec.check(input).unwrap_err()
    };
    let square = InputSize { width: 640, height: 640 };
    let text = "kind = 'yolo_v8'\noutput = 'o'\nproposals = 8401\nclasses = 80";
    assert!(check(text, square).contains("proposals = 8401") && check(text, square).contains("makes 8400"));
    let text = "kind = 'yolo_v5'\noutput = 'o'\nproposals = 8400\nclasses = 80";
    assert!(check(text, square).contains("makes 25200"));
    let text = "kind = 'yolox'\noutput = 'o'\nproposals = 3549\nclasses = 80";
    let uneven = check(text, InputSize { width: 420, height: 416 });
    assert!(uneven.contains("input.width = 420") && uneven.contains("stride 8"), "{uneven}");
    let text = "kind = 'yolox'\noutput = 'o'\nproposals = 3549\nclasses = 80\nstrides = [0]";
    assert!(check(text, square).contains("head.strides"));
    let text = "kind = 'end_to_end'\noutput = 'o'\nproposals = 0\nclasses = 80";
    assert!(check(text, square).contains("head.proposals = 0"));
    let text = "kind = 'end_to_end'\noutput = 'o'\nproposals = 300\nclasses = 0";
    assert!(check(text, square).contains("head.classes = 0"));
}

/// Candidates of the head `at` in [`all`], with every class under its own number.
fn read(at: usize, outputs: &[&[f32]], min_score: f32) -> Vec<Candidate> {
    let mut out = Vec::new();
    Head::new(all()[at].clone(), INPUT, Classes::all(3)).candidates(outputs, min_score, &mut out);
    out
}

#[test]
fn boxes_and_scores_are_taken_as_they_are() {
    let boxes: Vec<f32> = (0..20).map(|n| n as f32).collect();
    let scores = [0.1, f32::NAN, 0.2, 0.5, 0.7, 0.0, 0.2, 0.499, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let seen = read(0, &[&boxes, &scores], 0.5);
    let at = |class, score| Candidate { class, score, corners: [4.0, 5.0, 6.0, 7.0], anchor: 1 };
    assert_eq!(seen, [at(0, 0.5), at(1, 0.7)]);
}

#[test]
fn yolox_offsets_are_cells_of_the_level_they_stand_in() {
    let mut table = vec![0.0; 42 * 8];
    // The first level has 8x4 cells of 8 pixels, the second 4x2 of 16, the last 2x1 of 32.
    table[(2 * 8 + 3) * 8..][..8].copy_from_slice(&[0.5, 0.25, 0.0, 2.0_f32.ln(), 0.9, 0.0, 0.8, 0.0]);
    table[(32 + 4 + 1) * 8..][..8].copy_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.9]);
    table[41 * 8..][..8].copy_from_slice(&[0.5, 0.5, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    let seen = read(1, &[&table], 0.5);
    let summary: Vec<_> = seen.iter().map(|c| (c.anchor, c.class, c.corners)).collect();
    assert_eq!(summary.len(), 2, "0.5 x 0.9 is less than 0.5: {summary:?}");
    assert_eq!((summary[0].0, summary[0].1), (19, 1));
    for (found, wanted) in seen[0].corners.iter().zip([24.0, 10.0, 32.0, 26.0]) {
        assert!((found - wanted).abs() < 1e-4, "{seen:?}");
    }
    assert!((seen[0].score - 0.72).abs() < 1e-6);
    assert_eq!(summary[1], (41, 0, [32.0, 0.0, 64.0, 32.0]));
}

#[test]
fn yolo_v5_scores_are_objectness_times_class() {
    let mut table = vec![0.0; 126 * 8];
    table[5 * 8..][..8].copy_from_slice(&[10.0, 20.0, 4.0, 8.0, 0.5, 0.9, 1.0, 0.2]);
    let seen = read(2, &[&table], 0.45);
    let place = [8.0, 16.0, 12.0, 24.0];
    let at = |class, score| Candidate { class, score, corners: place, anchor: 5 };
    assert_eq!(seen, [at(0, 0.45), at(1, 0.5)]);
}

#[test]
fn yolo_v8_tables_lie_on_their_side() {
    let mut table = vec![0.0; 7 * 42];
    for (row, value) in [20.0, 10.0, 8.0, 4.0, 0.0, 0.3, 0.6].into_iter().enumerate() {
        table[row * 42 + 41] = value;
    }
    let seen = read(3, &[&table], 0.5);
    assert_eq!(seen, [Candidate { class: 2, score: 0.6, corners: [16.0, 8.0, 24.0, 12.0], anchor: 41 }]);
}

#[test]
fn end_to_end_rows_with_numbers_that_are_no_class_are_left_out() {
    let mut table = [1.0, 2.0, 3.0, 4.0, 0.9, 2.0].repeat(7);
    for (row, class) in [-1.0, 3.0, f32::NAN, f32::INFINITY, 1e30].into_iter().enumerate() {
        table[row * 6 + 5] = class;
    }
    let seen = read(4, &[&table], 0.5);
    let at = |anchor| Candidate { class: 2, score: 0.9, corners: [1.0, 2.0, 3.0, 4.0], anchor };
    assert_eq!(seen, [at(5), at(6)]);
}

#[test]
fn detr_boxes_are_fractions_of_the_input_and_logits_go_through_a_sigmoid_or_a_softmax() {
    let boxes = [0.5, 0.5, 0.25, 0.5].repeat(7);
    let mut logits = vec![-9.0; 7 * 3];
    logits[3 + 1] = 0.0;
    let seen = read(5, &[&logits, &boxes], 0.5);
    assert_eq!(seen, [Candidate { class: 1, score: 0.5, corners: [24.0, 8.0, 40.0, 24.0], anchor: 1 }]);
    // e^ln2 of 2 + 1 + 1 + 1 shares; a large constant in a row changes nothing.
    let mut logits = vec![0.0; 7 * 4];
    logits[8..12].copy_from_slice(&[100.0 + 3.0_f32.ln(), 100.0, 100.0, 100.0]);
    let seen = read(6, &[&logits, &boxes], 0.4);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].class, seen[0].anchor), (0, 2));
    assert!((seen[0].score - 0.5).abs() < 1e-4, "{seen:?}");
}

#[test]
fn ssd_reads_as_many_rows_as_are_counted_in_the_order_and_unit_of_the_manifest() {
    let boxes = [0.25, 0.5, 0.75, 1.0].repeat(7);
    let ids = [1.0, 3.0, 0.0, 2.0, 2.0, 2.0, 2.0];
    let scores = [0.9, 0.8, 0.7, 0.1, 0.6, 0.6, 0.6];
    let seen = read(7, &[&boxes, &ids, &scores, &[4.0]], 0.5);
    let at = |class, score, anchor| Candidate { class, score, corners: [32.0, 8.0, 64.0, 24.0], anchor };
    assert_eq!(seen, [at(0, 0.9, 0), at(2, 0.8, 1)]);
    for count in [f32::NAN, -3.0, 0.0, f32::NEG_INFINITY] {
        assert_eq!(read(7, &[&boxes, &ids, &scores, &[count]], 0.5), [], "{count}");
    }
    assert_eq!(read(7, &[&boxes, &ids, &scores, &[f32::INFINITY]], 0.5).len(), 5);
    let seen = read(8, &[&boxes, &ids, &scores], 0.65);
    let at = |class, score, anchor| Candidate { class, score, corners: [0.25, 0.5, 0.75, 1.0], anchor };
    assert_eq!(seen, [at(1, 0.9, 0), at(0, 0.7, 2)]);
}
