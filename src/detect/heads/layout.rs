//! What several heads share: boxes by their centre, counts that follow from strides, rows that are skipped.

use super::{InputSize, MAX_PROPOSALS};

/// Left, top, right, bottom of a box given by its centre and size.
pub(super) fn corners([cx, cy, w, h]: [f32; 4]) -> [f32; 4] {
    let (half_w, half_h) = (w * 0.5, h * 0.5);
    [cx - half_w, cy - half_h, cx + half_w, cy + half_h]
}

/// Whether any number of `row` reaches `least`; NaN does not. A fold without an early exit becomes vector
/// compares, and nearly every row has nothing.
pub(super) fn any_reaches(row: &[f32], least: f32) -> bool {
    row.iter().fold(false, |any, value| any | (*value >= least))
}

/// The strides of a pyramid of three levels, as most detectors have it.
pub(super) fn three_levels() -> Vec<usize> {
    vec![8, 16, 32]
}

/// Checks `head.proposals`.
pub(super) fn check_proposals(proposals: usize) -> Result<(), String> {
    if (1..=MAX_PROPOSALS).contains(&proposals) {
        Ok(())
    } else {
        Err(format!("head.proposals = {proposals}: expected 1 to {MAX_PROPOSALS}"))
    }
}

/// Proposals of a network that makes `per_cell` of them in each cell of each level.
pub(super) fn on_grid(input: InputSize, strides: &[usize], per_cell: usize) -> usize {
    strides.iter().map(|stride| (input.width / stride) * (input.height / stride) * per_cell).sum()
}

/// Checks that `proposals` are what an input of this size and these strides make.
pub(super) fn check_grid(
    input: InputSize,
    strides: &[usize],
    per_cell: usize,
    proposals: usize,
) -> Result<(), String> {
    check_proposals(proposals)?;
    if !(1..=8).contains(&strides.len()) || !strides.iter().all(|stride| (1..=512).contains(stride)) {
        return Err(format!("head.strides = {strides:?}: expected one to eight numbers, 1 to 512"));
    }
    for (key, side) in [("input.width", input.width), ("input.height", input.height)] {
        if let Some(stride) = strides.iter().find(|stride| !side.is_multiple_of(**stride)) {
            return Err(format!("{key} = {side}: expected a multiple of the stride {stride}"));
        }
    }
    let expected = on_grid(input, strides, per_cell);
    if proposals != expected {
        let InputSize { width, height } = input;
        return Err(format!(
            "head.proposals = {proposals}: an input of {width}x{height} with strides {strides:?} and {per_cell} \
             per cell makes {expected}"
        ));
    }
    Ok(())
}
