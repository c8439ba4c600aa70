//! A map that keeps the latest values and forgets older ones, in bounded memory and without keeping an order.
//!
//! It has two generations. Values go to the young one; when that is full it becomes the old one, and what was the old
//! one is forgotten. So the latest `generation` values are always there, and never more than twice as many.

use std::collections::HashMap;
use std::hash::Hash;

/// The latest values by key.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Keeps at least the latest `generation` values, and at most twice as many.
    pub(crate) fn of(generation: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation,
        }
    }

    /// Keeps a value; it replaces an earlier one of the same key.
    pub(crate) fn keep(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Takes a value out, if it is still kept: the latest of its key, and with it all earlier ones.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        let old = self.old.remove(key);
        self.young.remove(key).or(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_once_and_the_latest_of_its_key() {
        let mut recent = Recent::of(1);
        recent.keep(1, "first");
        recent.keep(1, "second");
        assert_eq!(recent.take(&1), Some("second"));
        assert_eq!(recent.take(&1), None, "the first one is gone with it");
        assert_eq!(recent.take(&2), None);
    }

    #[test]
    fn the_latest_are_kept_and_few_others() {
        const GENERATION: usize = 256;
        let mut recent = Recent::of(GENERATION);
        for number in 0..200_000 {
            recent.keep(number, ());
            assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION);
        }
        let latest = 200_000 - GENERATION..200_000;
        assert!(
            latest
                .into_iter()
                .all(|number| recent.take(&number).is_some())
        );
        assert_eq!(recent.take(&0), None);
    }
}
