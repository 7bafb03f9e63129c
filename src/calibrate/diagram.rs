//! The reliability diagram: for each class, how often detections of a score were right, before the map and
//! after it (on pictures that the curve had not seen), and how many there were.

use image::{Rgb, RgbImage};

use super::reliability::{BINS, Bin, bins};
use super::scores::{Example, Fitted};
use crate::evidence::text;

const INK: Rgb<u8> = Rgb([40, 40, 40]);
const GRID: Rgb<u8> = Rgb([222, 222, 222]);
const DIAGONAL: Rgb<u8> = Rgb([150, 150, 150]);
/// Before and after: they differ in brightness too, for those who do not tell colours apart.
const BEFORE: Rgb<u8> = Rgb([214, 94, 0]);
const AFTER: Rgb<u8> = Rgb([0, 84, 166]);

/// One panel: the plot's side, and what is around it, in pixels.
const SIDE: i64 = 360;
const LEFT: i64 = 74;
const TOP: i64 = 74;
const BARS: i64 = 90;
const PANEL: (i64, i64) = (LEFT + SIDE + 36, TOP + SIDE + 44 + BARS + 46);
const COLUMNS: usize = 3;
/// Most classes drawn; the file has the figures of all.
const MAX_PANELS: usize = 12;

/// One class to draw.
pub struct Panel<'a> {
    /// The class.
    pub label: &'a str,
    /// Its examples with raw scores.
    pub raw: &'a [Example],
    /// What was fitted.
    pub fitted: &'a Fitted,
}

/// Draws up to 12 classes, three in a row.
pub fn draw(panels: &[Panel<'_>]) -> RgbImage {
    let panels = &panels[..panels.len().min(MAX_PANELS)];
    let columns = panels.len().clamp(1, COLUMNS);
    let rows = panels.len().div_ceil(columns).max(1);
    let size = (columns as u32 * PANEL.0 as u32, rows as u32 * PANEL.1 as u32);
    let mut picture = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
    for (at, panel) in panels.iter().enumerate() {
        let corner = ((at % columns) as i64 * PANEL.0, (at / columns) as i64 * PANEL.1);
        one(&mut picture, corner, panel);
    }
    picture
}

fn one(picture: &mut RgbImage, (left, top): (i64, i64), panel: &Panel<'_>) {
    let fitted = panel.fitted;
    let right = panel.raw.iter().filter(|example| example.right).count();
    let title = format!("{}: {} detections, {right} right", panel.label, panel.raw.len());
    let (x0, y0) = (left + LEFT, top + TOP);
    write(picture, &title, (x0, top + 8), 17.0, INK);
    let legend = |when: &str, ece: f64, brier: f64| format!("{when}: ECE {ece:.3}, Brier {brier:.3}");
    let (before, after) = (fitted.before, fitted.after);
    disc(picture, (x0 + 5, top + 42), 5, BEFORE);
    write(picture, &legend("raw", before.ece, before.brier), (x0 + 16, top + 32), 13.0, INK);
    disc(picture, (x0 + 5, top + 60), 5, AFTER);
    write(picture, &legend("mapped, held out", after.ece, after.brier), (x0 + 16, top + 50), 13.0, INK);

    for fifth in 0..=5 {
        let (at, value) = (SIDE * fifth / 5, fifth as f32 / 5.0);
        line(picture, (x0 + at, y0), (x0 + at, y0 + SIDE), 1, GRID);
        line(picture, (x0, y0 + SIDE - at), (x0 + SIDE, y0 + SIDE - at), 1, GRID);
        let number = format!("{value:.1}");
        write(picture, &number, (x0 + at - 9, y0 + SIDE + 4), 12.0, INK);
        write(picture, &number, (x0 - 26, y0 + SIDE - at - 9), 12.0, INK);
    }
    line(picture, (x0, y0 + SIDE), (x0 + SIDE, y0), 2, DIAGONAL);
    let (raw, mapped) = (bins(panel.raw), bins(&fitted.held_out));
    series(picture, (x0, y0), &raw, BEFORE);
    series(picture, (x0, y0), &mapped, AFTER);
    upright(picture, "share that was right", (left + 10, y0 + SIDE / 2), 13.0);
    centred(picture, "score (raw) or probability (mapped)", (x0 + SIDE / 2, y0 + SIDE + 20), 13.0);

    let floor = y0 + SIDE + 44 + BARS;
    let most = raw.iter().chain(&mapped).map(|bin| bin.count).max().unwrap_or(0).max(1);
    for (at, (a, b)) in raw.iter().zip(&mapped).enumerate() {
        let wide = SIDE / BINS as i64;
        let x = x0 + at as i64 * wide;
        for (bin, shift, colour) in [(a, 2, BEFORE), (b, wide / 2, AFTER)] {
            let high = (BARS - 14) * bin.count as i64 / most as i64;
            fill(picture, (x + shift, floor - high), (x + shift + wide / 2 - 2, floor), colour);
            if bin.count > 0 {
                centred(picture, &bin.count.to_string(), (x + shift + wide / 4 - 1, floor - high - 13), 9.0);
            }
        }
    }
    line(picture, (x0, floor), (x0 + SIDE, floor), 1, INK);
    upright(picture, "detections", (left + 10, floor - BARS / 2), 13.0);
    let threshold = fitted.threshold;
    let verdict = if threshold.met { "threshold" } else { "no threshold as wanted; best" };
    let said = format!(
        "{verdict} {:.2}: precision {:.2}, recall {:.2}",
        threshold.probability, threshold.precision, threshold.recall
    );
    write(picture, &said, (x0, floor + 8), 13.0, INK);
}

/// The bins' dots, joined by lines; a dot's size grows with its count.
fn series(picture: &mut RgbImage, (x0, y0): (i64, i64), bins: &[Bin], colour: Rgb<u8>) {
    let dots: Vec<(i64, i64, usize)> = bins
        .iter()
        .filter(|bin| bin.count > 0)
        .map(|bin| {
            let along = |value: f64| (value * SIDE as f64).round() as i64;
            (x0 + along(bin.score), y0 + SIDE - along(bin.right), bin.count)
        })
        .collect();
    for pair in dots.windows(2) {
        line(picture, (pair[0].0, pair[0].1), (pair[1].0, pair[1].1), 2, colour);
    }
    for (x, y, count) in dots {
        disc(picture, (x, y), 3 + (count as f64).sqrt().min(6.0) as i64, colour);
    }
}

fn put(picture: &mut RgbImage, x: i64, y: i64, colour: Rgb<u8>) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
        *pixel = colour;
    }
}

fn fill(picture: &mut RgbImage, from: (i64, i64), to: (i64, i64), colour: Rgb<u8>) {
    for y in from.1..to.1 {
        for x in from.0..to.0 {
            put(picture, x, y, colour);
        }
    }
}

fn line(picture: &mut RgbImage, from: (i64, i64), to: (i64, i64), thick: i64, colour: Rgb<u8>) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let steps = dx.abs().max(dy.abs()).max(1);
    for step in 0..=steps {
        let (x, y) = (from.0 + dx * step / steps, from.1 + dy * step / steps);
        fill(picture, (x, y), (x + thick, y + thick), colour);
    }
}

fn disc(picture: &mut RgbImage, (x, y): (i64, i64), radius: i64, colour: Rgb<u8>) {
    for dy in -radius..=radius {
        for dx in -radius..=radius {
            if dx * dx + dy * dy <= radius * radius {
                put(picture, x + dx, y + dy, colour);
            }
        }
    }
}

fn write(picture: &mut RgbImage, words: &str, (x, y): (i64, i64), size: f32, colour: Rgb<u8>) {
    text::draw(picture, words, (x as f32, y as f32), size, colour);
}

fn centred(picture: &mut RgbImage, words: &str, (x, y): (i64, i64), size: f32) {
    let half = (text::width(words, size) / 2.0) as i64;
    write(picture, words, (x - half, y), size, INK);
}

/// Words that read upwards, their middle at `y`.
fn upright(picture: &mut RgbImage, words: &str, (x, y): (i64, i64), size: f32) {
    let (wide, high) = (text::width(words, size).ceil() as u32 + 4, (size * 1.4) as u32);
    let mut lying = RgbImage::from_pixel(wide, high, Rgb([255; 3]));
    write(&mut lying, words, (2, 0), size, INK);
    let standing = image::imageops::rotate270(&lying);
    image::imageops::replace(picture, &standing, x, y - i64::from(wide) / 2);
}
