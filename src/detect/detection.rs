//! What a detector says of one picture: labels, scores and boxes in 0-1 image coordinates.

use serde::{Deserialize, Serialize};

/// A box in normalised image coordinates: 0,0 is the top left corner of the picture, 1,1 the bottom right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct BBox {
    /// Left.
    pub x1: f32,
    /// Top.
    pub y1: f32,
    /// Right.
    pub x2: f32,
    /// Bottom.
    pub y2: f32,
}

impl From<[f32; 4]> for BBox {
    fn from([x1, y1, x2, y2]: [f32; 4]) -> Self {
        Self { x1, y1, x2, y2 }
    }
}

impl From<BBox> for [f32; 4] {
    fn from(b: BBox) -> Self {
        [b.x1, b.y1, b.x2, b.y2]
    }
}

impl BBox {
    /// Width; 0 for an inverted box.
    #[inline]
    pub fn width(&self) -> f32 {
        (self.x2 - self.x1).max(0.0)
    }

    /// Height; 0 for an inverted box.
    #[inline]
    pub fn height(&self) -> f32 {
        (self.y2 - self.y1).max(0.0)
    }

    /// Area; 0 for an inverted box.
    #[inline]
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// Centre point.
    #[inline]
    pub fn centre(&self) -> (f32, f32) {
        ((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// Where the object stands: the middle of the bottom edge.
    #[inline]
    pub fn foot(&self) -> (f32, f32) {
        ((self.x1 + self.x2) / 2.0, self.y2)
    }

    /// Area shared with `other`; 0 when they are apart.
    #[inline]
    pub fn intersection(&self, other: &Self) -> f32 {
        let w = self.x2.min(other.x2) - self.x1.max(other.x1);
        let h = self.y2.min(other.y2) - self.y1.max(other.y1);
        if w > 0.0 && h > 0.0 { w * h } else { 0.0 }
    }

    /// Whether the two boxes share more than an edge.
    #[inline]
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.x1 < other.x2 && other.x1 < self.x2 && self.y1 < other.y2 && other.y1 < self.y2
    }

    /// Intersection over union, 0-1; 0 when either box is empty.
    #[inline]
    pub fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        if shared <= 0.0 {
            return 0.0;
        }
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// The part of `self` that `other` covers, 0-1.
    #[inline]
    pub fn covered_by(&self, other: &Self) -> f32 {
        let area = self.area();
        if area > 0.0 { self.intersection(other) / area } else { 0.0 }
    }

    /// The box cut to the picture.
    #[inline]
    pub fn clamped(&self) -> Self {
        let c = |v: f32| v.clamp(0.0, 1.0);
        Self { x1: c(self.x1), y1: c(self.y1), x2: c(self.x2), y2: c(self.y2) }
    }

    /// Whether every side is a finite number and the box has an area.
    #[inline]
    pub fn is_sound(&self) -> bool {
        [self.x1, self.y1, self.x2, self.y2].iter().all(|v| v.is_finite()) && self.area() > 0.0
    }
}

/// A label's number in a [`Vocabulary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub u16);

/// One thing seen in one picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What it is.
    pub label: Label,
    /// The detector's confidence, 0-1.
    pub score: f32,
    /// Where it is, 0-1.
    #[serde(rename = "box")]
    pub bbox: BBox,
}

/// The names behind label numbers: the model's own labels in their order, then any that a detections file or
/// a rule adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    names: Vec<String>,
}

impl Vocabulary {
    /// A vocabulary whose label numbers are the positions in `names`.
    pub fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// The label called `name`.
    pub fn find(&self, name: &str) -> Option<Label> {
        self.names.iter().position(|known| known == name).map(|at| Label(at as u16))
    }

    /// The label called `name`, added if new. `None` when all 65,536 numbers are taken.
    pub fn intern(&mut self, name: &str) -> Option<Label> {
        self.find(name).or_else(|| {
            let number = u16::try_from(self.names.len()).ok()?;
            self.names.push(name.to_owned());
            Some(Label(number))
        })
    }

    /// The name of `label`; `"?"` for one that is not in this vocabulary.
    pub fn name(&self, label: Label) -> &str {
        self.names.get(usize::from(label.0)).map_or("?", String::as_str)
    }

    /// All names in the order of their numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}
