//! The view in which an object was first seen standing, kept until its case opens: it proves the dwell.
//!
//! What is kept is a redacted JPEG, never a frame, so nothing that must be hidden lies in memory for longer than a look.
//! To redact takes seconds, so not every car that halts is worth it: a view is kept of a place that has been occupied
//! for [`STANDING_S`], unless half of its dwell is over already, and a camera takes one no more often than each
//! [`EVERY_S`] seconds of capture time for all places that lack one. The picture says when it was taken.
//!
//! # Invariants
//! - At most [`MOST_VIEWS`] views of at most [`MAX_BYTES`](super::MAX_BYTES) are held for a camera
//!   (`no_more_views_are_held_than_the_bound`). When it is reached, the views that are held stay and no other is taken:
//!   their places are the nearest to a case.
//! - A view goes when its place is empty, and with the case that opens there
//!   (`a_view_goes_with_its_place`).
//! - After a restart there is none, and a case opens without; what is not known to be the first view is not called so.

use std::sync::Arc;

use image::RgbImage;

use super::Redaction;
use crate::case::{CaseId, RuleIndex};
use crate::clock::CaptureTime;
use crate::detect::Detection;
use crate::error::{Error, Kind, Result};

/// Most views that are held for a camera: 2 MB.
pub const MOST_VIEWS: usize = 8;
/// Least seconds of capture time between two views that are taken for their own sake.
pub const EVERY_S: f64 = 30.0;
/// Seconds for which a place is occupied before a view of it is kept.
pub const STANDING_S: f64 = 2.0;
/// Rules with a shorter dwell need no first view: the overview shows the same.
pub const LEAST_DWELL_S: f64 = 20.0;

/// A place that is occupied and has no case yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The rule that watches it.
    pub rule: RuleIndex,
    /// Its number, unique on its camera.
    pub serial: u64,
    /// Since when it is occupied.
    pub since: CaptureTime,
    /// Seconds after which a case opens.
    pub dwell_s: f64,
    /// What was seen there last.
    pub object: Detection,
}

impl Standing {
    fn key(&self) -> (RuleIndex, u64, CaptureTime) {
        (self.rule, self.serial, self.since)
    }
}

/// A redacted view of a camera.
#[derive(Debug, PartialEq)]
pub struct FirstView {
    /// When it was captured.
    pub at: CaptureTime,
    /// JPEG, without marks and caption.
    pub jpeg: Vec<u8>,
    /// What is hidden in it.
    pub redaction: Redaction,
}

impl FirstView {
    /// The picture.
    ///
    /// # Errors
    /// When it cannot be decoded, which its making rules out.
    pub(super) fn picture(&self) -> Result<RgbImage> {
        image::load_from_memory_with_format(&self.jpeg, image::ImageFormat::Jpeg)
            .map(|picture| picture.to_rgb8())
            .map_err(|e| Error::new(Kind::System, "cannot decode a first view again").caused_by(e))
    }
}

/// A place with its view.
#[derive(Clone, Debug)]
struct Kept {
    place: Standing,
    case: CaseId,
    view: Arc<FirstView>,
}

/// The first views of one camera.
#[derive(Clone, Debug, Default)]
pub struct Firsts {
    kept: Vec<Kept>,
    last_taken: Option<CaptureTime>,
    turned_away: u64,
}

impl Firsts {
    /// Takes in a look at `at` on which `standing` places were found occupied without a case. Forgets the views of
    /// places that are not `remembered` (rule, number, since when), and of which no case has `opened` on this look.
    /// Returns whether a view is to be taken of the look.
    pub fn look(
        &mut self,
        at: CaptureTime,
        mut standing: impl Iterator<Item = Standing>,
        remembered: impl Fn((RuleIndex, u64, CaptureTime)) -> bool,
        opened: impl Fn(&CaseId) -> bool,
    ) -> bool {
        self.kept.retain(|kept| remembered(kept.place.key()) || opened(&kept.case));
        let wanted = standing.any(|place| self.lacks(&place, at));
        if wanted && !self.has_room() {
            self.turned_away += 1;
            return false;
        }
        wanted && self.last_taken.is_none_or(|last| at.seconds_since(last) >= EVERY_S)
    }

    /// Keeps `view` for all places of `standing` that lack one; `case_of` gives the id of the case that would open.
    /// `view` is `None` when it could not be redacted: then there is none, until the next is due.
    pub fn keep(
        &mut self,
        at: CaptureTime,
        view: Option<FirstView>,
        standing: impl Iterator<Item = Standing>,
        case_of: impl Fn(&Standing) -> CaseId,
    ) {
        self.last_taken = Some(at);
        let Some(view) = view.map(Arc::new) else { return };
        for place in standing {
            if self.lacks(&place, at) {
                let case = case_of(&place);
                self.kept.push(Kept { place, case, view: view.clone() });
            }
        }
    }

    /// The first view of the place on which `case` opens, and what stood there; it is not kept any longer.
    pub fn take(&mut self, case: &CaseId) -> Option<(Arc<FirstView>, Detection)> {
        let at = self.kept.iter().position(|kept| kept.case == *case)?;
        let Kept { place, view, .. } = self.kept.swap_remove(at);
        Some((view, place.object))
    }

    /// How many views are held.
    pub fn views(&self) -> usize {
        let mut views: Vec<*const FirstView> = self.kept.iter().map(|kept| Arc::as_ptr(&kept.view)).collect();
        views.sort_unstable();
        views.dedup();
        views.len()
    }

    /// Whether another view may be held.
    pub fn has_room(&self) -> bool {
        self.views() < MOST_VIEWS
    }

    /// On how many looks no view was taken for want of room.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// Whether `place` is to have a view of the look at `at` and has none.
    pub fn lacks(&self, place: &Standing, at: CaptureTime) -> bool {
        let stood_s = at.seconds_since(place.since);
        place.dwell_s >= LEAST_DWELL_S
            && (STANDING_S..=place.dwell_s / 2.0).contains(&stood_s)
            && !self.kept.iter().any(|kept| kept.place.key() == place.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{BBox, Label};

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::default().plus_seconds(seconds)
    }

    fn place(serial: u64, since: f64) -> Standing {
        let bbox = BBox { x1: 0.1, y1: 0.1, x2: 0.2, y2: 0.2 };
        let object = Detection { label: Label(0), score: 0.9, bbox };
        Standing { rule: RuleIndex(0), serial, since: at(since), dwell_s: 120.0, object }
    }

    fn case_of(place: &Standing) -> CaseId {
        CaseId::derive(&[&place.serial.to_be_bytes(), &place.since.nanos().to_be_bytes()])
    }

    fn view(seconds: f64) -> Option<FirstView> {
        Some(FirstView { at: at(seconds), jpeg: vec![0; 10], redaction: Redaction::default() })
    }

    /// A look on which all of `places` are found and nothing opens.
    fn look_at(firsts: &mut Firsts, seconds: f64, places: &[Standing]) -> bool {
        let remembered = |key| places.iter().any(|place| place.key() == key);
        firsts.look(at(seconds), places.iter().copied(), remembered, |_| false)
    }

    #[test]
    fn a_view_is_taken_once_something_stands_and_not_of_what_only_halts() {
        let mut firsts = Firsts::default();
        let places = [place(1, 10.0)];
        let mut look = |seconds: f64| look_at(&mut firsts, seconds, &places);
        assert!(!look(11.0), "it has only just come");
        assert!(look(12.0));
        assert!(!look(71.0), "half of the dwell is over: that would not be the first view");
        firsts.keep(at(12.0), view(12.0), places.iter().copied(), case_of);
        assert!(!look_at(&mut firsts, 50.0, &places), "it has one");
        let (taken, object) = firsts.take(&case_of(&places[0])).unwrap();
        assert_eq!((taken.at, object), (at(12.0), places[0].object));
        assert_eq!(firsts.take(&case_of(&places[0])), None);
    }

    #[test]
    fn one_view_serves_all_that_stand_and_the_next_waits_its_turn() {
        let mut firsts = Firsts::default();
        let two = [place(1, 0.0), place(2, 1.0)];
        assert!(look_at(&mut firsts, 3.0, &two));
        firsts.keep(at(3.0), view(3.0), two.iter().copied(), case_of);
        assert_eq!(firsts.views(), 1);
        let three = [two[0], two[1], place(3, 4.0)];
        assert!(!look_at(&mut firsts, 10.0, &three));
        assert!(look_at(&mut firsts, 33.0, &three));
        // What cannot be redacted is no view, and is not tried on each look.
        firsts.keep(at(33.0), None, three.iter().copied(), case_of);
        assert_eq!(firsts.take(&case_of(&three[2])), None);
        assert!(!look_at(&mut firsts, 34.0, &three));
    }

    #[test]
    fn a_view_goes_with_its_place() {
        let mut firsts = Firsts::default();
        let places = [place(1, 0.0), place(2, 0.0)];
        firsts.keep(at(3.0), view(3.0), places.iter().copied(), case_of);
        look_at(&mut firsts, 4.0, &places[..1]);
        assert_eq!(firsts.take(&case_of(&places[1])), None);
        assert_eq!(firsts.views(), 1);
        // One that is hidden for a while is remembered.
        firsts.look(at(60.0), [].into_iter(), |key| key == places[0].key(), |_| false);
        assert_eq!(firsts.views(), 1);
        // On the look on which its case opens, the place is no longer one without a case.
        firsts.look(at(120.0), [].into_iter(), |_| false, |case| *case == case_of(&places[0]));
        assert!(firsts.take(&case_of(&places[0])).is_some());
        assert_eq!(firsts.views(), 0);
        // Another object in the same place is another place in time.
        firsts.keep(at(3.0), view(3.0), places.iter().copied(), case_of);
        look_at(&mut firsts, 130.0, &[place(1, 125.0)]);
        assert_eq!(firsts.views(), 0);
    }

    #[test]
    fn no_more_views_are_held_than_the_bound() {
        let mut firsts = Firsts::default();
        let mut places = Vec::new();
        for n in 0..30 {
            let now = 31.0 * f64::from(n) + 3.0;
            places.push(Standing { dwell_s: 3600.0, ..place(u64::from(n as u32), now - 3.0) });
            if look_at(&mut firsts, now, &places) {
                firsts.keep(at(now), view(now), places.iter().copied(), case_of);
            }
        }
        assert_eq!(firsts.views(), MOST_VIEWS);
        assert!(firsts.turned_away() > 0);
        assert!(firsts.take(&case_of(&places[0])).is_some(), "the oldest are kept");
        assert!(firsts.take(&case_of(&places[29])).is_none());
    }
}
