//! Token buckets against floods: so many at once, and so many an hour after that. Pure: time is a parameter. Bounded:
//! who comes from ever new addresses makes it forget the ones that are full again, never grow.

use std::collections::HashMap;
use std::hash::Hash;

use super::life::Millis;

/// Buckets by key.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    size: f64,
    per_ms: f64,
    most: usize,
    levels: HashMap<K, (f64, Millis)>,
    /// For keys beyond `most`: they share one.
    shared: (f64, Millis),
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets of `size` that fill up in `full_after` milliseconds, for at most `most` keys at a time.
    pub(super) fn new(size: u32, full_after: Millis, most: usize) -> Self {
        let size = f64::from(size.max(1));
        Self {
            size,
            per_ms: size / full_after.max(1) as f64,
            most,
            levels: HashMap::new(),
            shared: (size, 0),
        }
    }

    fn level(&self, (level, at): (f64, Millis), now: Millis) -> f64 {
        (level + (now - at).max(0) as f64 * self.per_ms).min(self.size)
    }

    /// Takes one from the bucket of `key`, or says after how many seconds there will be one.
    pub(super) fn take(&mut self, key: K, now: Millis) -> Result<(), u32> {
        if !self.levels.contains_key(&key) && self.levels.len() >= self.most {
            let (size, per_ms) = (self.size, self.per_ms);
            self.levels.retain(|_, (level, at)| *level + (now - *at).max(0) as f64 * per_ms < size);
        }
        let is_shared = !self.levels.contains_key(&key) && self.levels.len() >= self.most;
        let before =
            if is_shared { self.shared } else { *self.levels.get(&key).unwrap_or(&(self.size, now)) };
        let level = self.level(before, now);
        if level < 1.0 {
            let wait_ms = (1.0 - level) / self.per_ms;
            return Err((wait_ms / 1000.0).ceil().clamp(1.0, 86_400.0) as u32);
        }
        let after = (level - 1.0, now);
        if is_shared {
            self.shared = after;
        } else {
            self.levels.insert(key, after);
        }
        Ok(())
    }

    /// Gives one back.
    pub(super) fn give_back(&mut self, key: &K) {
        if let Some((level, _)) = self.levels.get_mut(key) {
            *level = (*level + 1.0).min(self.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_size_at_once_and_its_share_after_that() {
        let mut buckets = Buckets::new(6, 3_600_000, 10);
        assert_eq!((0..10).filter(|_| buckets.take(1, 0).is_ok()).count(), 6);
        assert_eq!(buckets.take(1, 0), Err(600), "one each ten minutes");
        assert!(buckets.take(2, 0).is_ok(), "another address has its own");
        assert!(buckets.take(1, 600_000).is_ok());
        assert!(buckets.take(1, 600_000).is_err());
    }

    #[test]
    fn ever_new_addresses_share_one_bucket_and_take_no_more_memory() {
        let mut buckets = Buckets::new(6, 3_600_000, 100);
        let let_in = (0..10_000).filter(|address| buckets.take(*address, 0).is_ok()).count();
        assert_eq!(let_in, 106, "one each for a hundred, and six for all the others");
        assert_eq!(buckets.levels.len(), 100);
        assert!(buckets.take(20_000, 3_600_000).is_ok(), "full ones are forgotten after an hour");
    }
}
