//! Text on pictures, in the one font that the program carries (Latin and GB 2312).

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, Glyph, GlyphId, PxScale, point};
use image::{Rgb, RgbImage};

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("font/caption.ttf")).expect("the built-in font is tested to load")
});

/// Height of a line, in font sizes.
pub(super) const LINE_HEIGHT: f32 = 1.36;
/// From the top of a line to its baseline, in font sizes.
const BASELINE: f32 = 1.0;
/// Advance of the box that stands for a character the font does not have, in font sizes.
const MISSING_ADVANCE: f32 = 0.7;

/// Width of `text` in pixels at `size` pixels to the em.
pub(crate) fn width(text: &str, size: f32) -> f32 {
    text.chars().map(|c| advance(c, size)).sum()
}

/// Advance of one character in pixels.
pub(super) fn advance(c: char, size: f32) -> f32 {
    match glyph_of(c) {
        Some(id) => FONT.h_advance_unscaled(id) * size / units_per_em(),
        None => MISSING_ADVANCE * size,
    }
}

/// Draws `text` with its line's top left corner at `left`, `top`, in pixels. What lies outside is left out. A
/// character that the font does not have becomes a hollow box, so that a reader sees that something stood
/// there.
pub(crate) fn draw(picture: &mut RgbImage, text: &str, (left, top): (f32, f32), size: f32, colour: Rgb<u8>) {
    let baseline = top + BASELINE * size;
    let mut x = left;
    for c in text.chars() {
        match glyph_of(c) {
            Some(id) => draw_glyph(picture, id, (x, baseline), size, colour),
            None => draw_missing(picture, (x, baseline), size, colour),
        }
        x += advance(c, size);
    }
}

fn glyph_of(c: char) -> Option<GlyphId> {
    let id = FONT.glyph_id(c);
    (id.0 != 0).then_some(id)
}

fn units_per_em() -> f32 {
    FONT.units_per_em().unwrap_or(256.0)
}

fn draw_glyph(picture: &mut RgbImage, id: GlyphId, (x, baseline): (f32, f32), size: f32, colour: Rgb<u8>) {
    // A PxScale counts ascent to descent, a font size counts the em.
    let scale = PxScale::from(size * FONT.height_unscaled() / units_per_em());
    let glyph = Glyph { id, scale, position: point(x, baseline) };
    // A space has no outline.
    let Some(outline) = FONT.outline_glyph(glyph) else { return };
    let bounds = outline.px_bounds();
    outline.draw(|dx, dy, coverage| {
        blend(
            picture,
            bounds.min.x as i64 + i64::from(dx),
            bounds.min.y as i64 + i64::from(dy),
            colour,
            coverage,
        );
    });
}

fn draw_missing(picture: &mut RgbImage, (x, baseline): (f32, f32), size: f32, colour: Rgb<u8>) {
    let (x1, x2) = ((x + 0.08 * size) as i64, (x + (MISSING_ADVANCE - 0.08) * size) as i64);
    let (y1, y2) = ((baseline - 0.75 * size) as i64, baseline as i64);
    for x in x1..=x2 {
        blend(picture, x, y1, colour, 1.0);
        blend(picture, x, y2, colour, 1.0);
    }
    for y in y1..=y2 {
        blend(picture, x1, y, colour, 1.0);
        blend(picture, x2, y, colour, 1.0);
    }
}

/// Mixes `colour` into a pixel; `amount` is 0-1. Pixels outside the picture are left out.
pub(super) fn blend(picture: &mut RgbImage, x: i64, y: i64, colour: Rgb<u8>, amount: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    let Some(pixel) = picture.get_pixel_mut_checked(x, y) else { return };
    let amount = amount.clamp(0.0, 1.0);
    for (old, new) in pixel.0.iter_mut().zip(colour.0) {
        *old = (f32::from(*old) * (1.0 - amount) + f32::from(new) * amount).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_writes_ascii_and_the_case_kinds_names() {
        let names = crate::case::catalog::CATALOG.kinds().iter().flat_map(|kind| kind.name_zh.chars());
        for c in (' '..='~').chain(names).chain("，。·（）—消防通道网格案件第号楼°".chars())
        {
            assert!(glyph_of(c).is_some(), "no glyph for {c:?}");
        }
    }

    #[test]
    fn chinese_characters_have_different_outlines() {
        let drawn = |c: char| {
            let mut picture = RgbImage::new(24, 32);
            draw(&mut picture, &c.to_string(), (2.0, 2.0), 20.0, Rgb([255; 3]));
            picture.into_raw()
        };
        let pictures: Vec<_> = "占用消防通道A".chars().map(drawn).collect();
        for (i, one) in pictures.iter().enumerate() {
            assert!(one.iter().filter(|&&value| value > 128).count() > 40, "character {i} is blank");
            assert!(pictures[..i].iter().all(|other| other != one), "character {i} looks like another");
        }
    }

    #[test]
    fn a_character_without_a_glyph_becomes_a_box() {
        let mut picture = RgbImage::new(24, 32);
        draw(&mut picture, "\u{1F600}", (2.0, 2.0), 20.0, Rgb([255; 3]));
        assert!(picture.pixels().any(|pixel| pixel.0 == [255; 3]));
        assert!(width("\u{1F600}\n", 20.0) > 20.0);
    }
}
