//! What is where in a close-up: kept beside it on the box, so that it can be exported for training later, when the case
//! has moved on and its latest event no longer says.

use serde::{Deserialize, Serialize};

use super::{Part, Picture};
use crate::detect::{Detection, Vocabulary};

/// A close-up as it is described on the box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropNote {
    /// Lower-case hex SHA-256 of the file that this is about.
    pub sha256: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// When it was captured, RFC 3339.
    pub captured: String,
    /// Kind of the case.
    pub kind: String,
    /// The camera.
    pub camera: String,
    /// The zone.
    pub zone: String,
    /// The grid.
    pub grid: String,
    /// The model that looked; `None` where the input was detections.
    #[serde(default)]
    pub model: Option<String>,
    /// The objects of the case.
    pub objects: Vec<CropObject>,
}

/// One object in a close-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropObject {
    /// What it was taken for.
    pub label: String,
    /// Confidence, 0-1.
    pub score: f32,
    /// Left, top, width, height in pixels of the close-up; 0,0 is its top left corner.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
}

impl CropObject {
    /// Those of `seen` (boxes 0-1 in the whole view) that show in `picture`, which shows `part` of it.
    pub fn all(seen: &[Detection], vocabulary: &Vocabulary, picture: &Picture, part: Part) -> Vec<Self> {
        let Part { rect, width, height } = part;
        let (across, down) = ((rect.x2 - rect.x1) as f32, (rect.y2 - rect.y1) as f32);
        let (w, h) = (picture.width as f32, picture.height as f32);
        let x = |v: f32| ((v * width as f32 - rect.x1 as f32) * w / across).clamp(0.0, w);
        let y = |v: f32| ((v * height as f32 - rect.y1 as f32) * h / down).clamp(0.0, h);
        // A hundredth of a pixel is more than a detector knows.
        let round = |v: f32| (v * 100.0).round() / 100.0;
        let objects = seen.iter().filter(|object| object.bbox.is_sound()).map(|object| {
            let (left, top) = (round(x(object.bbox.x1)), round(y(object.bbox.y1)));
            let (right, bottom) = (x(object.bbox.x2), y(object.bbox.y2));
            Self {
                label: vocabulary.name(object.label).to_owned(),
                score: object.score,
                bbox: [left, top, round(right - left), round(bottom - top)],
            }
        });
        objects.filter(|object| object.bbox[2] > 0.0 && object.bbox[3] > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::BBox;
    use crate::evidence::{PixelRect, Role};

    #[test]
    fn a_box_in_the_view_is_where_it_shows_in_the_close_up() {
        let mut vocabulary = Vocabulary::default();
        let label = vocabulary.intern("car").unwrap();
        let object = |bbox| Detection { label, score: 0.5, bbox };
        // A close-up at half size of the pixels 200..600 and 100..300 of a view of 1000 x 500.
        let part = Part { rect: PixelRect { x1: 200, y1: 100, x2: 600, y2: 300 }, width: 1000, height: 500 };
        let picture = Picture {
            role: Role::Closeup,
            bytes: Vec::new(),
            sha256: String::new(),
            width: 200,
            height: 100,
            view_height: None,
            captured: None,
            url: None,
            part: Some(part),
        };
        let seen = [
            object(BBox { x1: 0.3, y1: 0.4, x2: 0.5, y2: 0.5 }),
            object(BBox { x1: 0.1, y1: 0.1, x2: 0.25, y2: 0.9 }),
            object(BBox { x1: 0.7, y1: 0.1, x2: 0.9, y2: 0.9 }),
        ];
        let found = CropObject::all(&seen, &vocabulary, &picture, part);
        let boxes: Vec<[f32; 4]> = found.iter().map(|object| object.bbox).collect();
        assert_eq!(
            boxes,
            [[50.0, 50.0, 100.0, 25.0], [0.0, 0.0, 25.0, 100.0]],
            "what lies outside is left out"
        );
        assert_eq!(found[0].label, "car");
    }
}
