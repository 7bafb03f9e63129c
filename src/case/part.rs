//! What one box says of another: a part of it, the whole of it, or something on its way there.

use crate::detect::BBox;

/// How far apart the lower edges of two boxes of one object may be, in heights of the higher one.
const SAME_FOOT: f32 = 0.15;
/// What is found inside of something else, with at least so much of it, and ends at the same line on the ground is a part
/// of it: another object there would stand beside it …
const INSIDE: f32 = 0.7;
/// … if it is no larger than this share of it; what is larger is the same thing found twice, and either box will do.
const LARGEST_PART: f32 = 0.75;
/// Two boxes that end at the same line are of one object if so much of the smaller one lies in the other.
const SAME_GROUND: f32 = 0.6;
/// How far apart edges that two views of one object share may be, in box sizes …
const SHARED: f32 = 0.08;
/// … and how much wider the whole of it is than the part, at least.
const MORE: f32 = 0.25;
/// What comes to stand in a place was seen so far from it at most shortly before, in box sizes …
const LAST_WAY: f32 = 0.75;
/// … but was not yet in it, by so much …
const NOT_YET: f32 = 0.15;
/// … and is of its size, give or take this much.
const LIKE: f32 = 0.75;

/// Whether `seen` is where something that comes to stand at `anchor` is shortly before: of its size and less than a length
/// away. From farther off a car would have to brake harder than anybody parks.
pub(super) fn is_next_to(anchor: &BBox, seen: &BBox) -> bool {
    let like = |a: f32, b: f32| (LIKE..1.0 / LIKE).contains(&(a / b));
    let (w, h) = (anchor.width(), anchor.height());
    let way = f32::hypot((seen.centre().0 - anchor.centre().0) / w, (seen.y2 - anchor.y2) / h);
    (NOT_YET..LAST_WAY).contains(&way)
        && like(seen.width(), anchor.width())
        && like(seen.height(), anchor.height())
}

/// Whether `whole` is a wider view of what was seen at `part`.
pub(super) fn grows(part: &BBox, whole: &BBox) -> bool {
    whole.width() >= (1.0 + MORE) * part.width() && part.covered_by(whole) >= INSIDE && same_foot(part, whole)
}

/// Whether `whole` is `part` and more on one side of it: what was known of an object beside something that hid the rest.
/// Another object does not share three edges with the one before.
pub(crate) fn extends(part: &BBox, whole: &BBox) -> bool {
    let (w, h) = (part.width(), part.height());
    let (left, right) = (part.x1 - whole.x1, whole.x2 - part.x2);
    let (kept, more) = (left.min(right), left.max(right));
    let same = |off: f32, size: f32| off.abs() <= SHARED * size;
    more >= MORE * w && same(kept, w) && same(whole.y1 - part.y1, h) && same(whole.y2 - part.y2, h)
}

/// Whether `seen` is of a part of what stands in `whole`: detectors take the front of a car for one now and then.
pub(crate) fn shows_part(seen: &BBox, whole: &BBox) -> bool {
    whole.meets(seen)
        && seen.covered_by(whole) >= INSIDE
        && same_foot(seen, whole)
        && seen.area() < LARGEST_PART * whole.area()
}

/// Whether both boxes end at the same line on the ground and so much of the smaller one lies in the other that no two objects
/// stand there: one would stand in the other.
pub(crate) fn shares_ground(a: &BBox, b: &BBox) -> bool {
    let (less, more) = if a.area() <= b.area() { (a, b) } else { (b, a) };
    a.meets(b) && less.covered_by(more) >= SAME_GROUND && same_foot(a, b)
}

/// Whether both boxes end at the same line on the ground, as a part of an object and the whole of it do.
pub(crate) fn same_foot(a: &BBox, b: &BBox) -> bool {
    (a.y2 - b.y2).abs() <= SAME_FOOT * a.height().max(b.height())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: BBox = BBox { x1: 0.46, y1: 0.45, x2: 0.52, y2: 0.55 };

    #[test]
    fn the_whole_shares_three_edges_with_its_part_and_another_object_does_not() {
        assert!(extends(&PART, &BBox { x1: 0.40, ..PART }));
        assert!(!extends(&PART, &BBox { x1: 0.40, x2: 0.58, ..PART }));
        assert!(!extends(&PART, &BBox { x1: 0.40, y1: 0.43, ..PART }));
        assert!(!extends(&PART, &PART));
    }
}
