//! A scene as files for the program: its looks as lines of detections.

use std::fmt::Write as _;

use serde_json::json;

use super::world::SceneLook;

/// `looks` as a file of detections, one look a line.
pub fn lines(looks: &[SceneLook]) -> String {
    let mut text = String::new();
    for look in looks {
        let detections: Vec<_> = look
            .detections
            .iter()
            .map(|(label, score, bbox)| json!({ "label": label, "score": score, "box": bbox }))
            .collect();
        let line = json!({ "t": look.stamp, "detections": detections, "view": look.view });
        writeln!(text, "{line}").unwrap();
    }
    text
}
