//! One request to stop, heard by threads and by async tasks alike.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// A request to stop. Clones share it; once made it stays made.
#[derive(Clone, Debug)]
pub struct Shutdown {
    inside: Arc<Inside>,
}

#[derive(Debug)]
struct Inside {
    requested: Mutex<bool>,
    wake: Condvar,
    tasks: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let tasks = watch::Sender::new(false);
        Self { inside: Arc::new(Inside { requested: Mutex::new(false), wake: Condvar::new(), tasks }) }
    }
}

impl Shutdown {
    /// Asks everybody to stop.
    pub fn request(&self) {
        *self.inside.requested.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inside.wake.notify_all();
        self.inside.tasks.send_replace(true);
    }

    /// Whether stopping was asked for.
    pub fn is_requested(&self) -> bool {
        *self.inside.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks this thread for `time`, or until stopping is asked for. Returns whether it was.
    pub fn wait_for(&self, time: Duration) -> bool {
        let requested = self.inside.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.inside.wake.wait_timeout_while(requested, time, |requested| !*requested);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Resolves when stopping is asked for.
    pub async fn requested(&self) {
        let mut tasks = self.inside.tasks.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = tasks.wait_for(|requested| *requested).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_thread_hears_the_request() {
        let shutdown = Shutdown::default();
        assert!(!shutdown.wait_for(Duration::from_millis(1)));
        let waiter = shutdown.clone();
        let thread = std::thread::spawn(move || waiter.wait_for(Duration::from_secs(60)));
        shutdown.request();
        assert!(thread.join().unwrap());
        assert!(shutdown.is_requested());
    }

    #[tokio::test]
    async fn a_task_hears_a_request_made_before_it_waited() {
        let shutdown = Shutdown::default();
        shutdown.request();
        shutdown.requested().await;
    }
}
