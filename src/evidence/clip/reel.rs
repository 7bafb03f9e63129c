//! The latest seconds of one camera, kept small in memory, so that a clip shows what was before its case opened.
//!
//! # Invariants
//! - It holds at most [`MOST_FRAMES`] pictures and [`MOST_TAKES`] clips in the making, whatever comes
//!   (`what_is_kept_is_bounded`). A picture of 960 x 540 is 0.78 MB, so a camera takes up to 20 MB.
//! - Capture never waits for a clip: a clip that finds no room is not made, and counted
//!   (`a_clip_that_finds_no_room_is_counted`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::queue::Queue;
use super::small::small;
use super::{AFTER_S, BEFORE_S, Order, Take};
use crate::clock::CaptureTime;
use crate::frame::Frame;

/// Least seconds between two pictures of a clip: two a second, and a little less for cameras whose pictures come a
/// little early.
const LEAST_GAP_S: f64 = 0.45;
/// How far back pictures are kept, in seconds: what a clip shows before the opening, and the time for which the
/// pictures of its case are made meanwhile.
const KEPT_S: f64 = BEFORE_S + 5.0;
/// Most pictures that are kept.
const MOST_FRAMES: usize = 26;
/// Most clips of one camera that wait for pictures from after their opening.
const MOST_TAKES: usize = 3;

/// The latest seconds of one camera.
#[derive(Debug)]
pub struct Reel {
    inside: Mutex<Inside>,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Inside {
    frames: VecDeque<Arc<Frame>>,
    takes: Vec<Take>,
    ended: bool,
}

impl Reel {
    /// An empty one, whose clips are made from `queue`.
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { inside: Mutex::default(), queue }
    }

    /// Keeps `frame` if it is time for one, and finishes the takes that have all they need.
    pub fn show(&self, frame: &Frame) {
        let at = frame.captured;
        {
            let mut inside = self.lock();
            if let Some(last) = inside.frames.back().map(|frame| frame.captured) {
                if at < last {
                    // The clock was set back: what is kept is of another time.
                    inside.frames.clear();
                } else if at.seconds_since(last) < LEAST_GAP_S {
                    return;
                }
            }
        }
        // Scaling takes a few milliseconds, and nobody waits for the lock meanwhile.
        let Some(frame) = small(frame).map(Arc::new) else { return };
        let mut inside = self.lock();
        while inside.frames.front().is_some_and(|oldest| at.seconds_since(oldest.captured) > KEPT_S)
            || inside.frames.len() >= MOST_FRAMES
        {
            inside.frames.pop_front();
        }
        inside.frames.push_back(frame.clone());
        for take in &mut inside.takes {
            take.add(&frame);
        }
        let done: Vec<Take> = inside.takes.extract_if(.., |take| take.is_over(at)).collect();
        drop(inside);
        done.into_iter().for_each(|take| self.queue.offer(take));
    }

    /// Has the clip of `order` made, of what is kept and of what comes until [`AFTER_S`] after its opening.
    pub fn film(&self, order: Order) {
        self.queue.expect();
        let mut inside = self.lock();
        let mut take = Take::new(order);
        inside.frames.iter().for_each(|frame| take.add(frame));
        let is_over = inside.ended || inside.frames.back().is_some_and(|last| take.is_over(last.captured));
        if !is_over && inside.takes.len() < MOST_TAKES {
            inside.takes.push(take);
            return;
        }
        drop(inside);
        if is_over { self.queue.offer(take) } else { self.queue.lose(&take) }
    }

    /// Says that no more pictures will come.
    pub fn end(&self) {
        let mut inside = self.lock();
        // What is kept stays: the pictures of a last case may still be in the making.
        inside.ended = true;
        let takes = std::mem::take(&mut inside.takes);
        drop(inside);
        takes.into_iter().for_each(|take| self.queue.offer(take));
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Pictures and takes are put in and taken out whole.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Take {
    fn new(order: Order) -> Self {
        Self { order, frames: Vec::new() }
    }

    fn add(&mut self, frame: &Arc<Frame>) {
        let since = frame.captured.seconds_since(self.order.at);
        if (-BEFORE_S..=AFTER_S).contains(&since) {
            self.frames.push(frame.clone());
        }
    }

    /// Whether nothing that comes after `at` belongs to it.
    fn is_over(&self, at: CaptureTime) -> bool {
        at.seconds_since(self.order.at) > AFTER_S - LEAST_GAP_S
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::order;
    use super::*;
    use crate::evidence::clip::Count;

    fn at(seconds: f64) -> CaptureTime {
        CaptureTime::from_nanos(1_000_000_000_000).plus_seconds(seconds)
    }

    fn frame(seconds: f64) -> Frame {
        let (width, height) = (8, 4);
        let (y, u, v) = (vec![90; 32], vec![128; 8], vec![128; 8]);
        Frame { width, height, y, u, v, captured: at(seconds), ..Frame::default() }
    }

    /// Shows pictures ten times a second.
    fn play(reel: &Reel, from: f64, to: f64) {
        let mut n = 0;
        while from + f64::from(n) / 10.0 < to {
            reel.show(&frame(from + f64::from(n) / 10.0));
            n += 1;
        }
    }

    fn seconds(take: &Take) -> Vec<f64> {
        take.frames.iter().map(|frame| frame.captured.seconds_since(take.order.at)).collect()
    }

    #[test]
    fn a_take_is_two_pictures_a_second_from_before_to_after_however_late_it_was_ordered() {
        for late in [0.0, 1.5, 4.5] {
            let queue = Arc::new(Queue::default());
            let reel = Reel::new(queue.clone());
            play(&reel, 0.0, 20.0 + late);
            reel.film(order(at(20.0)));
            play(&reel, 20.0 + late, 26.0);
            let seconds = seconds(&queue.next().unwrap());
            assert!((20..=21).contains(&seconds.len()), "{late}: {seconds:?}");
            assert!(seconds[0] < -6.5 && *seconds.last().unwrap() > 2.4, "{late}: {seconds:?}");
            assert!(seconds.windows(2).all(|pair| (0.4..0.6).contains(&(pair[1] - pair[0]))), "{seconds:?}");
        }
    }

    #[test]
    fn a_camera_with_few_pictures_gives_those_that_it_has() {
        let queue = Arc::new(Queue::default());
        let reel = Reel::new(queue.clone());
        for n in 0..8 {
            reel.show(&frame(f64::from(n) * 4.0));
            if n == 5 {
                reel.film(order(at(20.0)));
            }
        }
        assert_eq!(seconds(&queue.next().unwrap()), [-4.0, 0.0]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let queue = Arc::new(Queue::default());
        let reel = Reel::new(queue.clone());
        for n in 0..200 {
            // As fast as the reel takes them.
            reel.show(&frame(f64::from(n) * LEAST_GAP_S));
            let inside = reel.lock();
            assert!(inside.frames.len() <= MOST_FRAMES);
            let first = inside.frames.front().unwrap().captured;
            assert!(inside.frames.back().unwrap().captured.seconds_since(first) <= KEPT_S + 1e-6);
        }
        for _ in 0..10 {
            reel.film(order(at(199.0 * LEAST_GAP_S)));
        }
        assert_eq!(reel.lock().takes.len(), MOST_TAKES);
        assert_eq!(queue.count(), Count { lost: 10 - MOST_TAKES as u64, ..Count::default() });
        // A clock that was set back is no reason to keep more, or to mix times.
        reel.show(&frame(1.0));
        assert_eq!(reel.lock().frames.len(), 1);
    }

    #[test]
    fn a_clip_that_finds_no_room_is_counted() {
        let queue = Arc::new(Queue::default());
        let reels: Vec<Reel> = (0..5).map(|_| Reel::new(queue.clone())).collect();
        for reel in &reels {
            play(reel, 0.0, 10.0);
            reel.film(order(at(9.0)));
            assert!(!queue.is_idle());
            reel.end();
        }
        assert_eq!(queue.count().lost, 2, "three wait");
        for _ in 0..2 {
            assert!(queue.next().is_some());
            queue.settle(|count| count.made += 1);
        }
        queue.end();
        assert!(queue.next().is_none() && queue.is_idle());
        assert_eq!(queue.count(), Count { made: 2, withheld: 0, lost: 3 });
    }

    #[test]
    fn who_waits_for_a_clip_is_told_of_the_end() {
        let queue = Arc::new(Queue::default());
        let waits = {
            let queue = queue.clone();
            std::thread::spawn(move || queue.next().is_none())
        };
        std::thread::sleep(Duration::from_millis(20));
        queue.end();
        assert!(waits.join().unwrap());
    }
}
