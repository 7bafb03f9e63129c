//! Where things were last seen in a zone, to tell whether those that are missed now are hidden.
//!
//! # Invariants
//! - A place in which nothing was found is watched until it was seen empty; one that is hidden was not.
//! - One false detection makes no place that counts.

use serde::{Deserialize, Serialize};

use super::scene::Scene;
use super::whereabouts::Whereabouts;
use crate::detect::Detection;

/// Looks on which something must have been seen in a place for it to count as hidden there.
const KNOWN_HITS: u32 = 2;
/// Looks on which a place was seen empty after which it is no longer watched.
const EMPTY_LOOKS: u32 = 3;
/// Most places watched at once.
const MOST_PLACES: usize = 64;

/// The places of one zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Places(Vec<Place>);

/// Where one thing was last seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    whereabouts: Whereabouts,
    hits: u32,
    empty_looks: u32,
}

impl Places {
    /// Notes where detection number `index` is: the place that it overlaps most has moved there.
    pub(super) fn note(&mut self, scene: &Scene<'_>, index: usize) {
        let new = Whereabouts::new(scene, index);
        let full = self.0.len() >= MOST_PLACES;
        let overlaps = self.0.iter_mut().filter_map(|place| {
            let known = &place.whereabouts;
            let own = known.track.is_some() && known.track == new.track;
            let overlap = if own { 1.0 } else { known.latest.bbox.iou(&new.latest.bbox) };
            (known.group == new.group && known.seen < scene.at && overlap > 0.0).then_some((overlap, place))
        });
        match overlaps.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
            Some((_, place)) => {
                place.whereabouts.locate(scene, index);
                place.hits += 1;
                place.empty_looks = 0;
            }
            None if full => {}
            None => self.0.push(Place { whereabouts: new, hits: 1, empty_looks: 0 }),
        }
    }

    /// Looks at the places in which nothing was noted on this look, and says how many of them are hidden.
    pub(super) fn hidden(&mut self, scene: &Scene<'_>) -> usize {
        let mut hidden = 0;
        self.0.retain_mut(|place| {
            if place.whereabouts.seen == scene.at {
                return true;
            }
            if place.whereabouts.is_hidden_by_other_kind(scene) {
                hidden += usize::from(place.hits >= KNOWN_HITS);
            } else {
                place.empty_looks += 1;
            }
            place.empty_looks < EMPTY_LOOKS
        });
        hidden
    }

    /// Gives everything its label and group by `renumber`, and forgets what has none any more.
    pub(super) fn relabel(&mut self, renumber: impl Fn(&mut Detection) -> Option<u16>) {
        self.0.retain_mut(|place| place.whereabouts.relabel(&renumber));
    }
}
