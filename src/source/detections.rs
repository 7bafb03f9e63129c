//! Looks from a file: one JSON object a line, as another program or a scene generator wrote them.
//!
//! `{"t": seconds, "detections": [{"label": "car", "score": 0.83, "box": [x1, y1, x2, y2]}], "view": "clear"}`
//! with boxes 0-1 and `view` optional. `t` counts from the start that the caller gives and must grow from line
//! to line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clock::CaptureTime;
use crate::detect::{BBox, Detection, Label};
use crate::error::{Error, Kind, Result};
use crate::look::View;

/// Longest line, in bytes: 10,000 detections fit, a file that is not JSON lines is not read into memory.
const LONGEST_LINE: u64 = 1 << 20;

/// A reader of looks.
#[derive(Debug)]
pub struct DetectionsFile {
    path: PathBuf,
    lines: BufReader<File>,
    start: CaptureTime,
    line: String,
    number: u64,
    last: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    t: f64,
    #[serde(borrow)]
    detections: Vec<Seen<'a>>,
    #[serde(default)]
    view: View,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen<'a> {
    #[serde(borrow)]
    label: std::borrow::Cow<'a, str>,
    score: f32,
    #[serde(rename = "box")]
    bbox: BBox,
}

impl DetectionsFile {
    /// Opens `path`; its `t` counts from `start`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, start: CaptureTime) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::disk(path, "open the detections", e))?;
        let lines = BufReader::new(file);
        Ok(Self { path: path.to_owned(), lines, start, line: String::new(), number: 0, last: None })
    }

    /// Reads the next look: its time and view, with the detections in `out`. `None` at the end. `intern` gives
    /// the number of a label. Empty lines are passed over.
    ///
    /// # Errors
    /// [`Kind::Camera`] with file and line when a line is not a look.
    pub fn next_look(
        &mut self,
        mut intern: impl FnMut(&str) -> Result<Label>,
        out: &mut Vec<Detection>,
    ) -> Result<Option<(CaptureTime, View)>> {
        loop {
            self.line.clear();
            let read = (&mut self.lines)
                .take(LONGEST_LINE)
                .read_line(&mut self.line)
                .map_err(|e| Error::disk(&self.path, "read the detections", e))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read as u64 == LONGEST_LINE {
                return Err(self.fault(&format!("longer than {LONGEST_LINE} bytes")));
            }
            if !self.line.trim().is_empty() {
                break;
            }
        }
        let line: Line<'_> = serde_json::from_str(&self.line).map_err(|e| self.fault(&e.to_string()))?;
        if !(line.t.is_finite() && (0.0..=4e9).contains(&line.t)) {
            return Err(self.fault("`t` is not a number of seconds from 0"));
        }
        if self.last.is_some_and(|last| line.t <= last) {
            return Err(self.fault("`t` is not later than on the line before"));
        }
        out.clear();
        for seen in &line.detections {
            if !(0.0..=1.0).contains(&seen.score) {
                return Err(self.fault(&format!("a score of {}: expected 0 to 1", seen.score)));
            }
            if !seen.bbox.is_sound() {
                return Err(self.fault("a box is not [left, top, right, bottom] with an area"));
            }
            out.push(Detection { label: intern(&seen.label)?, score: seen.score, bbox: seen.bbox });
        }
        let (at, view) = (self.start.plus_seconds(line.t), line.view);
        self.last = Some(line.t);
        Ok(Some((at, view)))
    }

    fn fault(&self, what: &str) -> Error {
        Error::new(Kind::Camera, format!("{}, line {}: {what}", self.path.display(), self.number)).help(
            "expected one look a line: {\"t\": 1.2, \"detections\": [{\"label\": \"car\", \"score\": 0.83, \
             \"box\": [0.1, 0.2, 0.3, 0.4]}]}",
        )
    }
}
