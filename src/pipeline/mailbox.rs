//! A slot that holds the latest frame of a camera and nothing older.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::evidence::clip::Reel;
use crate::frame::Frame;

/// The latest frame of one camera. Writer and reader exchange whole frames, so buffers go round and nothing is
/// copied or allocated once both have had a frame of full size.
#[derive(Debug, Default)]
pub struct Mailbox {
    inside: Mutex<Inside>,
    /// What clips are made of, on a camera that has them: it is shown every frame, those that nobody takes too.
    reel: Option<Arc<Reel>>,
}

#[derive(Debug, Default)]
struct Inside {
    frame: Frame,
    fresh: bool,
    dropped: u64,
    ended: bool,
}

impl Mailbox {
    /// One that shows every frame to `reel` too.
    pub fn with_reel(reel: Option<Arc<Reel>>) -> Self {
        Self { reel, ..Self::default() }
    }

    /// Leaves `frame` and takes an old one back. A frame that nobody took is replaced and counted as dropped.
    pub fn post(&self, frame: &mut Frame) {
        if let Some(reel) = &self.reel {
            reel.show(frame);
        }
        let mut inside = self.lock();
        std::mem::swap(&mut inside.frame, frame);
        if inside.fresh {
            inside.dropped += 1;
        }
        inside.fresh = true;
    }

    /// Takes the latest frame, if there is one that was not taken, and leaves an old one.
    pub fn take(&self, frame: &mut Frame) -> bool {
        let mut inside = self.lock();
        if inside.fresh {
            std::mem::swap(&mut inside.frame, frame);
            inside.fresh = false;
            return true;
        }
        false
    }

    /// Whether a frame waits to be taken.
    pub fn is_fresh(&self) -> bool {
        self.lock().fresh
    }

    /// Says that no more frames will come.
    pub fn end(&self) {
        if let Some(reel) = &self.reel {
            reel.end();
        }
        self.lock().ended = true;
    }

    /// Whether no more frames will come and the last one was taken.
    pub fn is_drained(&self) -> bool {
        let inside = self.lock();
        inside.ended && !inside.fresh
    }

    /// Frames that were replaced before anybody took them.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A frame is plain data: a thread that died while holding the lock left nothing half-done that matters.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::CaptureTime;

    #[test]
    fn only_the_latest_frame_is_kept_and_drops_are_counted() {
        let mailbox = Mailbox::default();
        let mut frame = Frame::default();
        for n in 1..=3 {
            frame.captured = CaptureTime::from_nanos(n);
            mailbox.post(&mut frame);
        }
        let mut taken = Frame::default();
        assert!(mailbox.take(&mut taken));
        assert_eq!(taken.captured, CaptureTime::from_nanos(3));
        assert!(!mailbox.take(&mut taken), "a frame is taken once");
        assert_eq!(mailbox.dropped(), 2);
    }
}
