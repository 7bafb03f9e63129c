//! The strip below an evidence picture that says when, where, what and by which model. It lies outside the
//! picture: no pixel of evidence is covered. The message carries the same facts and is authoritative.

use image::{Rgb, RgbImage, imageops};

use super::text;
use crate::detect::ModelIdentity;

const GROUND: Rgb<u8> = Rgb([20, 22, 26]);
const INK: Rgb<u8> = Rgb([240, 240, 236]);
/// Between two facts.
const GAP: &str = "  ·  ";
/// Least share of the full font size to which text shrinks to keep to its line, before it is wrapped.
const SHRINK: f32 = 0.86;

/// What a caption says.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Capture time as RFC 3339 with offset.
    pub time: &'a str,
    /// Where the camera stands, in words.
    pub camera: &'a str,
    /// The grid.
    pub grid: &'a str,
    /// Chinese name of the kind of case.
    pub kind_zh: &'a str,
    /// English name of the kind of case.
    pub kind_en: &'a str,
    /// Seconds that the condition has held.
    pub dwell_s: f64,
    /// The model that saw it.
    pub model: &'a ModelIdentity,
    /// The case.
    pub case: &'a str,
}

impl Facts<'_> {
    /// The facts in two lines: when and where; what, how long, by which model, which case.
    fn lines(&self) -> [Vec<String>; 2] {
        let sha = self.model.sha256.chars().take(8).collect::<String>();
        [
            vec![self.time.to_owned(), self.camera.to_owned(), format!("网格 grid {}", self.grid)],
            vec![
                format!("{} {}", self.kind_zh, self.kind_en),
                format!("持续 dwell {}", duration(self.dwell_s)),
                format!("{}@{sha}", self.model.name),
                format!("案件 case {}", self.case),
            ],
        ]
    }
}

/// `seconds` as a person reads it, to the second.
fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, s) => format!("{h} h {m} min {s} s"),
    }
}

/// A copy of `picture` with a strip of `facts` below it. The strip is as high as the text needs: text that is
/// too long shrinks a little, then wraps, and is never cut.
pub fn add(picture: &RgbImage, facts: &Facts<'_>) -> RgbImage {
    add_within(picture, facts, 0)
}

/// Rows of the strip that [`add`] lays below a picture of `width` pixels.
pub(super) fn height(width: u32, facts: &Facts<'_>) -> u32 {
    Layout::new(width, facts).strip
}

/// As [`add`], with a strip of at least `least` rows.
pub(super) fn add_within(picture: &RgbImage, facts: &Facts<'_>, least: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let Layout { size, lines, pad, line_height, strip } = Layout::new(width, facts);
    let mut out = RgbImage::from_pixel(width, height + strip.max(least), GROUND);
    imageops::replace(&mut out, picture, 0, 0);
    for (i, line) in lines.iter().enumerate() {
        let top = height as f32 + 0.6 * pad + line_height * i as f32;
        text::draw(&mut out, line, (pad, top), size, INK);
    }
    out
}

/// How a caption is set.
struct Layout {
    size: f32,
    lines: Vec<String>,
    pad: f32,
    line_height: f32,
    /// Rows that it takes up.
    strip: u32,
}

impl Layout {
    /// The caption of a picture of `width` pixels.
    fn new(width: u32, facts: &Facts<'_>) -> Self {
        let full = (width as f32 / 46.0).clamp(15.0, 28.0);
        let pad = (full * 0.5).round();
        let room = (width as f32 - 2.0 * pad).max(1.0);
        let groups = facts.lines();
        let widest = groups.iter().map(|line| text::width(&line.join(GAP), full)).fold(0.0, f32::max);
        let shrunk = full * (room / widest).min(1.0);
        let (size, lines) = if shrunk >= full * SHRINK {
            (shrunk, groups.iter().map(|line| line.join(GAP)).collect())
        } else {
            (full, groups.iter().flat_map(|line| wrapped(line, full, room)).collect::<Vec<_>>())
        };
        let line_height = text::LINE_HEIGHT * size;
        let strip = (line_height * lines.len() as f32 + 1.2 * pad).ceil() as u32;
        Self { size, lines, pad, line_height, strip }
    }
}

/// `facts` on as few lines as fit into `room` pixels, broken between facts, and within a fact only where it is
/// wider than a line by itself.
fn wrapped(facts: &[String], size: f32, room: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        if let Some(last) = lines.last_mut() {
            let joined = format!("{last}{GAP}{fact}");
            if text::width(&joined, size) <= room {
                *last = joined;
                continue;
            }
        }
        let mut line = String::new();
        let mut used = 0.0;
        for c in fact.chars() {
            let advance = text::advance(c, size);
            if used + advance > room && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(c);
            used += advance;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_facts_wrap_and_nothing_is_cut() {
        let facts = ["a".repeat(90), "b".repeat(10), "消防通道".repeat(30)];
        let lines = wrapped(&facts, 16.0, 300.0);
        assert!(lines.iter().all(|line| text::width(line, 16.0) <= 300.0));
        let letters = |c| lines.iter().flat_map(|line| line.chars()).filter(|&other| other == c).count();
        assert_eq!((letters('a'), letters('b'), letters('防')), (90, 10, 30));
    }

    #[test]
    fn dwell_reads_in_hours_minutes_and_seconds() {
        assert_eq!(duration(20.4), "20 s");
        assert_eq!(duration(125.0), "2 min 5 s");
        assert_eq!(duration(7_260.0), "2 h 1 min 0 s");
    }
}
