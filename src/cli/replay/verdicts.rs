//! What reviewers say during a replay: a file with one verdict a line.

use std::collections::VecDeque;
use std::path::Path;

use serde::Deserialize;

use crate::case::CaseId;
use crate::case::throttle::{Throttle, Verdict, VerdictOutcome};
use crate::clock::CaptureTime;
use crate::error::{Error, Kind, Result};
use crate::text_file;

/// Largest file of verdicts, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// Verdicts that have not been said yet, in order of time.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    coming: VecDeque<(CaptureTime, CaseId, Saying)>,
}

#[derive(Debug)]
enum Saying {
    Verdict(Verdict, String),
    Resume,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    t: f64,
    case: String,
    verdict: Option<Verdict>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    resume: bool,
}

impl Verdicts {
    /// Reads `path`; times count from `start`.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the file cannot be read; [`Kind::Camera`] with the number of a line that is no
    /// verdict or earlier than the one before.
    pub(super) fn read(path: &Path, start: CaptureTime) -> Result<Self> {
        let unreadable = |e| Error::disk(path, "read the verdicts from", e);
        let text = text_file::read(path, MOST_BYTES).map_err(unreadable)?;
        let mut coming: VecDeque<(CaptureTime, CaseId, Saying)> = VecDeque::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let one = parse(line, start).and_then(|one| match coming.back() {
                Some(last) if one.0 < last.0 => Err("is earlier than the line before".to_owned()),
                _ => Ok(one),
            });
            let fault = |what| {
                let place = format!("{}, line {}", path.display(), index + 1);
                Error::new(Kind::Camera, format!("{place}: {what}")).help(
                    r#"write {"t": 60.0, "case": "<id>", "verdict": "confirmed|rejected|duplicate|unclear"} or {"t": 60.0, "case": "<id>", "resume": true}, in order of time"#,
                )
            };
            coming.push_back(one.map_err(fault)?);
        }
        Ok(Self { coming })
    }

    /// Says all that is due at `at` to `throttle`.
    pub(super) fn say(&mut self, at: CaptureTime, throttle: &mut Throttle) {
        while self.coming.front().is_some_and(|(when, ..)| *when <= at)
            && let Some((when, case, saying)) = self.coming.pop_front()
        {
            let outcome = match &saying {
                Saying::Verdict(verdict, reason) => throttle.verdict(&case, *verdict, reason, when),
                Saying::Resume => throttle.resume(&case),
            };
            if outcome == VerdictOutcome::Unknown {
                tracing::warn!(case = case.as_str(), "A verdict is about a case that is not known.");
            } else {
                tracing::info!(case = case.as_str(), ?saying, ?outcome, "A verdict was taken in.");
            }
        }
    }
}

/// Reads a line that anybody may have written.
#[cfg(any(test, fuzzing))]
pub(crate) fn hostile(line: &str) {
    let _ = parse(line, CaptureTime::from_nanos(0));
}

fn parse(line: &str, start: CaptureTime) -> std::result::Result<(CaptureTime, CaseId, Saying), String> {
    let line: Line = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if !line.t.is_finite() {
        return Err("t is not a number of seconds".to_owned());
    }
    let case = CaseId::parse(&line.case).ok_or_else(|| format!("`{}` is not the id of a case", line.case))?;
    let saying = match (line.verdict, line.resume) {
        (Some(verdict), false) => Saying::Verdict(verdict, line.reason),
        (None, true) => Saying::Resume,
        _ => return Err("expected either a verdict or \"resume\": true".to_owned()),
    };
    Ok((start.plus_seconds(line.t), case, saying))
}
