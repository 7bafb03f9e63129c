//! What a quantisation was made of and how it was judged, for people (`report.md`) and for programs
//! (`report.json`).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::judge::Judgement;
use crate::error::{Error, Kind, Result};

/// Everything that is known of one quantisation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the reference model.
    pub reference: String,
    /// Lower-case hex SHA-256 of its weights.
    pub reference_sha256: String,
    /// Name of the quantised model.
    pub quantised: String,
    /// Lower-case hex SHA-256 of its weights.
    pub quantised_sha256: String,
    /// When it was judged.
    pub date: Timestamp,
    /// The recordings.
    pub sources: Vec<String>,
    /// Frames in them.
    pub frames_played: usize,
    /// Frames that the calibration used; 0 when a model was only judged.
    pub frames_calibrated: usize,
    /// Nodes of the reference's graph that stayed FP32, and all; `None` when a model was only judged.
    pub nodes_kept_of: Option<(usize, usize)>,
    /// The judgement.
    pub judgement: Judgement,
}

impl Report {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let j = &self.judgement;
        let mut text = format!(
            "# {} against {}\n\n{}\n\n",
            self.quantised,
            self.reference,
            if j.passed { "**Passed**: every bound is kept." } else { "**Refused**:" }
        );
        // Writing to a string cannot fail.
        let mut line = |row: std::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{row}");
        };
        j.reasons.iter().for_each(|reason| line(format_args!("- {reason}")));
        line(format_args!("\n| | reference | quantised | |\n|---|---|---|---|"));
        let cost = &j.cost;
        line(format_args!(
            "| one inference, 1 thread, median in turns | {:.2} ms | {:.2} ms | {:.2} times faster |",
            cost.reference_ms, cost.quantised_ms, cost.speed_up
        ));
        line(format_args!(
            "| weights | {:.2} MB | {:.2} MB | {:.1} times smaller |",
            cost.reference_bytes as f64 / 1e6,
            cost.quantised_bytes as f64 / 1e6,
            cost.reference_bytes as f64 / cost.quantised_bytes.max(1) as f64
        ));
        line(format_args!(
            "| boxes at score {:.2} on {} held-out frames | {}, {} lost | {}, {} new | F1 {:.4} (at least {:.4}) |",
            j.score,
            j.frames,
            j.boxes_reference,
            j.boxes_lost,
            j.boxes_quantised,
            j.boxes_new,
            j.f1,
            1.0 - j.bounds.f1_loss
        ));
        line(format_args!(
            "| the same, when crossing the threshold by less than {:.2} counts too | | | F1 {:.4} |",
            j.margin, j.f1_strict
        ));
        if let Some(ap) = &j.average_precision {
            for (name, pair) in &ap.labels {
                line(format_args!(
                    "| AP50 of {name}, {} objects | {:.4} | {:.4} | |",
                    pair.objects, pair.reference, pair.quantised
                ));
            }
            line(format_args!(
                "| mean AP50 on {} labelled pictures | {:.4} | {:.4} | {:.4} lost (at most {}) |",
                ap.pictures, ap.mean.reference, ap.mean.quantised, ap.loss, j.bounds.ap_loss
            ));
        }
        let sources = self.sources.join(", ");
        line(format_args!("\n- Date: {}", self.date.strftime("%Y-%m-%d %H:%M UTC")));
        line(format_args!("- Recordings: {sources} ({} frames)", self.frames_played));
        if let Some((kept, nodes)) = self.nodes_kept_of {
            line(format_args!("- Calibrated on {} frames, none of them judged on", self.frames_calibrated));
            line(format_args!("- {kept} of {nodes} nodes stayed FP32: normalisation and decoding"));
        }
        line(format_args!("- Reference: SHA-256 {}", self.reference_sha256));
        line(format_args!("- Quantised: SHA-256 {}", self.quantised_sha256));
        text
    }

    /// As JSON on one line.
    ///
    /// # Errors
    /// [`Kind::System`] when it cannot be written as JSON.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::new(Kind::System, "cannot write the report as JSON").caused_by(e))
    }

    /// Writes `report.md` and `report.json` to `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`Kind::Disk`] when that fails.
    pub fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(|e| Error::disk(folder, "make the folder", e))?;
        for (name, text) in [("report.md", self.markdown()), ("report.json", self.json()? + "\n")] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|e| Error::disk(&path, "write", e))?;
        }
        Ok(())
    }
}
