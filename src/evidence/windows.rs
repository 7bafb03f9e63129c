//! Which parts of a picture a model is shown, so that small things are large enough for it.

use super::subject::PixelRect;
use crate::detect::BBox;

/// Part of a tile that its neighbour sees too, in quarters: what is smaller than that is whole in one of them.
const OVERLAP_QUARTERS: usize = 1;
/// The whole picture, 0-1.
pub(super) const WHOLE: BBox = BBox { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 };

/// The parts of a picture of `size` pixels that are looked at: the whole, then, where it is larger than `tile`
/// in either direction, tiles of that size in rows, spread evenly and overlapping by at least a quarter.
pub fn windows(size: (usize, usize), tile: (usize, usize)) -> Vec<BBox> {
    let mut windows = vec![WHOLE];
    let (width, height) = size;
    // A tile too small to see a person in would only make for endless work.
    let tile = (tile.0.max(64), tile.1.max(64));
    if width <= tile.0 && height <= tile.1 {
        return windows;
    }
    windows.extend(tiles(PixelRect { x1: 0, y1: 0, x2: width as u32, y2: height as u32 }, tile, size));
    windows
}

/// Tiles of `tile` pixels over `area` of a picture of `size`, in rows, spread evenly and overlapping by at least
/// a quarter. Where the area is narrower or lower than a tile, the tile reaches beyond it as far as the picture
/// does.
pub(super) fn tiles(area: PixelRect, tile: (usize, usize), size: (usize, usize)) -> Vec<BBox> {
    let rows = spans((area.y1, area.y2), tile.1, size.1);
    let columns = spans((area.x1, area.x2), tile.0, size.0);
    let row = |(y1, y2)| columns.iter().map(move |&(x1, x2)| normalised([x1, y1, x2, y2], size));
    rows.into_iter().flat_map(row).collect()
}

/// Starts and ends of tiles along one side of a picture that is `whole` pixels long.
fn spans((from, to): (u32, u32), tile: usize, whole: usize) -> Vec<(usize, usize)> {
    let (from, to, tile) = (from as usize, to as usize, tile.clamp(1, whole.max(1)));
    if to.saturating_sub(from) <= tile {
        let start = ((from + to) / 2).saturating_sub(tile / 2).min(whole.saturating_sub(tile));
        return vec![(start, start + tile)];
    }
    let (room, step) = (to - from - tile, (tile * (4 - OVERLAP_QUARTERS) / 4).max(1));
    let steps = room.div_ceil(step);
    let start = |i| from + room * i / steps.max(1);
    (0..=steps).map(|i| (start(i), start(i) + tile)).collect()
}

/// Windows of `window` pixels in a picture of `size`, few, and such that each of `rects` that fits into a window
/// lies whole in one of them; what does not fit is left out. What lies together shares a window.
pub(super) fn cover(rects: &[PixelRect], window: (usize, usize), size: (usize, usize)) -> Vec<BBox> {
    let (width, height) = (window.0.min(size.0) as u32, window.1.min(size.1) as u32);
    let fits = |rect: &PixelRect| rect.x2 - rect.x1 <= width && rect.y2 - rect.y1 <= height;
    let mut left: Vec<PixelRect> = rects.iter().copied().filter(fits).collect();
    left.sort_unstable_by_key(|rect| (rect.x1, rect.y1, rect.x2, rect.y2));
    let mut windows = Vec::new();
    while let Some(&first) = left.first() {
        let holds = |top: u32, rect: &PixelRect| {
            rect.x1 >= first.x1 && rect.x2 - first.x1 <= width && rect.y1 >= top && rect.y2 - top <= height
        };
        // Of the windows that begin at the left of the leftmost, the one that holds the most.
        let tops = left.iter().map(|rect| rect.y1).filter(|&top| holds(top, &first));
        let held = |top: &u32| left.iter().filter(|rect| holds(*top, rect)).count();
        let top = tops.max_by_key(held).unwrap_or(first.y1);
        let group = left.iter().filter(|rect| holds(top, rect));
        let (right, bottom) = group.fold((first.x2, first.y2), |(x, y), r| (x.max(r.x2), y.max(r.y2)));
        let top = left.iter().filter(|rect| holds(top, rect)).map(|rect| rect.y1).min().unwrap_or(top);
        // In the middle of the window each has as much around it as can be.
        let place = |from: u32, to: u32, length: u32, whole: usize| {
            let start = (from + to).saturating_sub(length) / 2;
            start.min((whole as u32).saturating_sub(length))
        };
        let (x, y) = (place(first.x1, right, width, size.0), place(top, bottom, height, size.1));
        left.retain(|r| *r != first && !(r.x1 >= x && r.y1 >= y && r.x2 <= x + width && r.y2 <= y + height));
        windows.push(normalised([x, y, x + width, y + height].map(|side| side as usize), size));
    }
    windows
}

/// `[left, top, right, bottom]` in pixels of a picture of `size` as 0-1.
fn normalised([x1, y1, x2, y2]: [usize; 4], (width, height): (usize, usize)) -> BBox {
    let share = |n: usize, of: usize| n as f32 / of as f32;
    BBox { x1: share(x1, width), y1: share(y1, height), x2: share(x2, width), y2: share(y2, height) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pixels(window: &BBox, (width, height): (usize, usize)) -> [f32; 4] {
        let (w, h) = (width as f32, height as f32);
        [window.x1 * w, window.y1 * h, window.x2 * w, window.y2 * h]
    }

    fn holds(window: &BBox, rect: &PixelRect, size: (usize, usize)) -> bool {
        let [x1, y1, x2, y2] = pixels(window, size);
        let slack = 0.01;
        x1 <= rect.x1 as f32 + slack
            && y1 <= rect.y1 as f32 + slack
            && x2 >= rect.x2 as f32 - slack
            && y2 >= rect.y2 as f32 - slack
    }

    proptest! {
        #[test]
        fn whatever_fits_into_a_window_lies_whole_in_one(
            places in prop::collection::vec((0_u32..638, 0_u32..478, 1_u32..120, 1_u32..120), 0..60),
            window in (2_usize..900, 2_usize..700),
        ) {
            let size = (640, 480);
            let rects: Vec<PixelRect> = places
                .iter()
                .map(|&(x1, y1, w, h)| PixelRect { x1, y1, x2: (x1 + w).min(640), y2: (y1 + h).min(480) })
                .collect();
            let windows = cover(&rects, window, size);
            prop_assert!(windows.len() <= rects.len());
            for found in &windows {
                prop_assert_eq!(found.clamped(), *found);
            }
            for rect in &rects {
                let fits = (rect.x2 - rect.x1) as usize <= window.0 && (rect.y2 - rect.y1) as usize <= window.1;
                prop_assert!(!fits || windows.iter().any(|w| holds(w, rect, size)), "{rect:?} in {windows:?}");
            }
        }

        #[test]
        fn tiles_lie_in_the_picture_and_cover_their_area(
            (x1, y1, w, h) in (0_u32..600, 0_u32..400, 1_u32..640, 1_u32..480),
            tile in (1_usize..700, 1_usize..500),
        ) {
            let size = (640, 480);
            let area = PixelRect { x1, y1, x2: (x1 + w).min(640), y2: (y1 + h).min(480) };
            let tiles = tiles(area, (tile.0.max(60), tile.1.max(60)), size);
            for found in &tiles {
                prop_assert_eq!(found.clamped(), *found);
            }
            for (x, y) in [(area.x1, area.y1), (area.x2 - 1, area.y2 - 1), ((area.x1 + area.x2) / 2, area.y1)] {
                let point = PixelRect { x1: x, y1: y, x2: x + 1, y2: y + 1 };
                prop_assert!(tiles.iter().any(|tile| holds(tile, &point, size)), "{point:?} in {tiles:?}");
            }
        }
    }

    #[test]
    fn heads_that_stand_together_share_a_window() {
        let head = |x: u32, y: u32| PixelRect { x1: x, y1: y, x2: x + 20, y2: y + 24 };
        let heads = [head(100, 100), head(150, 140), head(110, 200), head(900, 100)];
        let windows = cover(&heads, (213, 160), (1920, 1080));
        assert_eq!(windows.len(), 2, "{windows:?}");
        let [x1, y1, x2, y2] = pixels(&windows[0], (1920, 1080));
        let middle = ((x1 + x2) / 2.0, (y1 + y2) / 2.0);
        assert!((middle.0 - 135.0).abs() < 2.0 && (middle.1 - 162.0).abs() < 2.0, "{middle:?}");
    }
}
