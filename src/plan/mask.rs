//! The masks of a camera.

use std::sync::Arc;

use super::RulePlan;
use crate::config::{CameraConfig, ConfigFile};
use crate::error::Result;
use crate::place::Polygon;
use crate::source::Mask;

/// Most masks of a camera.
const MOST_MASKS: usize = 64;
/// A zone of which this share or more is hidden cannot be watched.
const ALL: f64 = 0.95;

const KEY: &str = "camera.mask";

/// The masks of `camera`, whose zones are those of `rules`.
pub(super) fn masks(file: &ConfigFile, camera: &CameraConfig, rules: &[RulePlan]) -> Result<Arc<[Polygon]>> {
    let masks = polygons(file, camera)?;
    if let Some(first) = camera.mask.first() {
        let mask = Mask::new(masks.clone());
        if let Some(rule) = rules.iter().find(|rule| mask.share_of(&rule.polygon) >= ALL) {
            let what = format!("the zone `{}` lies under the mask, so nothing can be seen in it", rule.zone);
            return Err(file.fault(KEY, first.span(), what).help("make the mask smaller or remove the zone"));
        }
    }
    Ok(masks)
}

/// The masks of `camera`.
pub(super) fn polygons(file: &ConfigFile, camera: &CameraConfig) -> Result<Arc<[Polygon]>> {
    if let Some(one_too_many) = camera.mask.get(MOST_MASKS) {
        let what = format!("{} masks: expected at most {MOST_MASKS}", camera.mask.len());
        return Err(file.fault(KEY, one_too_many.span(), what));
    }
    camera
        .mask
        .iter()
        .map(|corners| {
            Polygon::new(corners.get_ref().clone()).map_err(|e| {
                let what = e.to_string().replace("a zone", "a mask");
                file.fault(KEY, corners.span(), what)
                    .help("write each mask as a list of corners: mask = [[[0, 0], [0.2, 0], [0.2, 0.3]]]")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::plan::{Input, Plan};

    fn plan(mask: &str) -> Result<Plan> {
        let text = format!(
            "edge = {{ street = \"1\", box = \"b\" }}\n[[camera]]\nid = \"cam\"\nsource = \"x.mp4\"\nmask = {mask}\n\
             zone = [{{ id = \"z\", kind = \"fire_lane\", grid = \"g\", polygon = [[0.5, 0.5], [0.9, 0.5], [0.9, 0.9]] }}]\n"
        );
        let file = ConfigFile::parse(Path::new("edge.toml"), text).unwrap();
        Plan::for_replay(&file, "cam", Input::Detections("x.jsonl".into()))
    }

    #[test]
    fn a_mask_is_a_polygon_of_the_picture() {
        let plan = plan("[[[0, 0], [0.2, 0], [0.2, 0.3]], [[0.9, 0], [1, 0], [1, 0.1]]]").unwrap();
        assert_eq!(plan.cameras[0].masks.len(), 2);
        assert_eq!(plan.cameras[0].masks[0].corners()[2], [0.2, 0.3]);
    }

    #[test]
    fn what_is_no_mask_or_hides_a_whole_zone_is_refused_with_its_line() {
        for (mask, what) in [
            ("[[[0, 0], [0.2, 0]]]", "a mask needs at least 3 corners"),
            ("[[[0, 0], [1.2, 0], [0.2, 0.3]]]", "outside the picture"),
            ("[[[0.4, 0.4], [1, 0.4], [1, 1], [0.4, 1]]]", "the zone `z` lies under the mask"),
        ] {
            let error = plan(mask).unwrap_err().to_string();
            assert!(error.contains("line 5, camera.mask") && error.contains(what), "{error}");
        }
    }
}
