//! Measures of a multi-object tracker against a known truth.
//!
//! - MOTA (CLEAR MOT: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance", EURASIP JIVP 2008):
//!   `1 - (missed + false + switches) / objects`. A pair of the look before is kept while it still overlaps; the rest is
//!   paired so that most pairs are made and, among those, overlap is greatest.
//! - IDF1 (Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV workshops
//!   2016): objects are paired with tracks once for the whole sequence so that most boxes agree;
//!   `2 agreeing / (objects + reported)`.
//!
//! Boxes agree from an IoU of 0.5, as in the MOT Challenge.

use std::collections::{BTreeMap, HashMap};

use gridpatrol::detect::BBox;
use gridpatrol::track::Assignment;

/// IoU from which a track's box is that of an object.
const SAME: f32 = 0.5;

/// A tracker's account of a sequence, look by look.
#[derive(Clone, Debug, Default)]
pub struct Mot {
    /// True boxes.
    pub objects: usize,
    /// Boxes that the tracker reported.
    pub reported: usize,
    pub missed: usize,
    pub false_boxes: usize,
    /// How often an object that had a track before was paired with another one.
    pub switches: usize,
    /// Boxes in which the best pairing of whole objects and tracks agrees.
    agreeing: usize,
    // The latest track of each object, kept while it is not seen; and the pairs of the look before.
    track_of: HashMap<u64, u64>,
    // On how many looks an object and a track agreed.
    together: BTreeMap<(u64, u64), usize>,
}

impl Mot {
    /// Takes one look: the true boxes by object and the reported ones by track.
    pub fn look(&mut self, objects: &[(u64, BBox)], tracks: &[(u64, BBox)]) {
        self.objects += objects.len();
        self.reported += tracks.len();
        for (object, a) in objects {
            for (track, b) in tracks {
                if a.iou(b) >= SAME {
                    *self.together.entry((*object, *track)).or_default() += 1;
                }
            }
        }
        let pairs = self.pair(objects, tracks);
        self.missed += objects.len() - pairs.len();
        self.false_boxes += tracks.len() - pairs.len();
        for (o, t) in pairs {
            let before = self.track_of.insert(objects[o].0, tracks[t].0);
            self.switches += usize::from(before.is_some_and(|before| before != tracks[t].0));
        }
    }

    /// Pairs of indices.
    fn pair(&self, objects: &[(u64, BBox)], tracks: &[(u64, BBox)]) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (o, (object, a)) in objects.iter().enumerate() {
            let kept = self.track_of.get(object).and_then(|old| tracks.iter().position(|(t, _)| t == old));
            let free = |t: &usize| pairs.iter().all(|&(_, taken)| taken != *t);
            if let Some(t) = kept.filter(|&t| a.iou(&tracks[t].1) >= SAME).filter(free) {
                pairs.push((o, t));
            }
        }
        let kept = pairs.clone();
        let mut rest = Assignment::default();
        rest.start(objects.len(), tracks.len());
        for (o, (_, a)) in objects.iter().enumerate() {
            for (t, (_, b)) in tracks.iter().enumerate() {
                let free = kept.iter().all(|&(oo, tt)| oo != o && tt != t);
                let overlap = a.iou(b);
                if free && overlap >= SAME {
                    // A pair more is worth more than all overlap together.
                    rest.set(o, t, objects.len() as f32 + overlap);
                }
            }
        }
        pairs.extend_from_slice(rest.solve());
        pairs
    }

    /// Ends the sequence; another one may follow, with objects and tracks of its own.
    pub fn end_sequence(&mut self) {
        let objects: Vec<u64> = keys(self.together.keys().map(|&(object, _)| object));
        let tracks: Vec<u64> = keys(self.together.keys().map(|&(_, track)| track));
        let mut whole = Assignment::default();
        whole.start(objects.len(), tracks.len());
        let at = |of: &[u64], key: u64| of.binary_search(&key).unwrap();
        for (&(object, track), &looks) in &self.together {
            whole.set(at(&objects, object), at(&tracks, track), looks as f32);
        }
        let agreeing = whole.solve().iter().map(|&(o, t)| self.together[&(objects[o], tracks[t])]);
        self.agreeing += agreeing.sum::<usize>();
        self.track_of.clear();
        self.together.clear();
    }

    /// MOTA so far; 1 is perfect, below 0 is possible.
    pub fn mota(&self) -> f64 {
        1.0 - (self.missed + self.false_boxes + self.switches) as f64 / self.objects.max(1) as f64
    }

    /// IDF1 of the sequences that have ended; 1 is perfect.
    pub fn idf1(&self) -> f64 {
        2.0 * self.agreeing as f64 / (self.objects + self.reported).max(1) as f64
    }
}

fn keys(of: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut keys: Vec<u64> = of.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
