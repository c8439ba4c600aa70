//! A map that keeps the latest values and forgets older ones, in bounded memory and without keeping an order.
//!
//! It has two generations. Values go to the young one; when that is full it becomes the old one, and what was the old
//! one is forgotten. So the latest values that fill one generation are always there, and never more than two.

use std::collections::HashMap;
use std::hash::Hash;

/// How much one generation may hold, in values and in bytes (rule 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) values: usize,
    pub(crate) bytes: usize,
}

impl Bounds {
    /// For values of one small size, such as ids: their number bounds their bytes, too.
    pub(crate) const fn of_small(values: usize) -> Self {
        Self {
            values,
            bytes: usize::MAX,
        }
    }
}

/// The latest values by key.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: Generation<K, V>,
    old: HashMap<K, (V, usize)>,
    bounds: Bounds,
}

#[derive(Debug)]
struct Generation<K, V> {
    values: HashMap<K, (V, usize)>,
    bytes: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Keeps at least the latest values that fit the bounds, and at most twice as much.
    pub(crate) fn of(bounds: Bounds) -> Self {
        Self {
            young: Generation {
                values: HashMap::new(),
                bytes: 0,
            },
            old: HashMap::new(),
            bounds,
        }
    }

    /// Keeps a value of this size; it replaces an earlier one of the same key. One that is larger than a generation may
    /// be is not kept.
    pub(crate) fn keep(&mut self, key: K, value: V, bytes: usize) {
        // An earlier one must not come back when this one is forgotten.
        self.take(&key);
        if bytes > self.bounds.bytes {
            return;
        }
        let young = &mut self.young;
        if young.values.len() >= self.bounds.values || young.bytes + bytes > self.bounds.bytes {
            self.old = std::mem::take(&mut young.values);
            young.bytes = 0;
        }
        young.values.insert(key, (value, bytes));
        young.bytes += bytes;
    }

    /// The latest value of a key, if it is still kept.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let kept = self.young.values.get(key).or_else(|| self.old.get(key));
        kept.map(|(value, _)| value)
    }

    /// Takes a value out, if it is still kept: the latest of its key, and with it all earlier ones.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        if let Some((value, bytes)) = self.young.values.remove(key) {
            self.young.bytes -= bytes;
            return Some(value);
        }
        self.old.remove(key).map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(values: usize, bytes: usize) -> Bounds {
        Bounds { values, bytes }
    }

    #[test]
    fn a_value_is_taken_once_and_the_latest_of_its_key() {
        let mut recent = Recent::of(bounds(1, 100));
        recent.keep(1, "first", 1);
        recent.keep(2, "another", 1);
        recent.keep(1, "second", 1);
        assert_eq!(recent.get(&1), Some(&"second"));
        assert_eq!(recent.take(&1), Some("second"));
        assert_eq!(recent.take(&1), None, "the first one is gone with it");
        assert_eq!(recent.take(&3), None);
    }

    #[test]
    fn the_latest_are_kept_and_few_others() {
        const GENERATION: usize = 256;
        let mut recent = Recent::of(bounds(GENERATION, usize::MAX));
        for number in 0..200_000 {
            recent.keep(number, (), 0);
            assert!(recent.young.values.len() + recent.old.len() <= 2 * GENERATION);
        }
        let latest = 200_000 - GENERATION..200_000;
        assert!(
            latest
                .into_iter()
                .all(|number| recent.take(&number).is_some())
        );
        assert_eq!(recent.take(&0), None);
    }

    #[test]
    fn values_of_any_size_stay_within_the_bytes() {
        const BYTES: usize = 10_000;
        let mut recent = Recent::of(bounds(usize::MAX, BYTES));
        for number in 0..10_000_usize {
            let bytes = number % 3_000;
            recent.keep(number, (), bytes);
            // What is taken and replaced must be counted, too.
            recent.keep(number, (), bytes);
            if number % 7 == 0 {
                recent.take(&number);
            }
            let sum = |values: &HashMap<usize, ((), usize)>| {
                values.values().map(|((), bytes)| bytes).sum::<usize>()
            };
            assert_eq!(recent.young.bytes, sum(&recent.young.values));
            assert!(sum(&recent.young.values) <= BYTES && sum(&recent.old) <= BYTES);
        }
        recent.keep(1, (), BYTES + 1);
        assert_eq!(recent.take(&1), None, "larger than all that may be kept");
        recent.keep(1, (), BYTES);
        assert_eq!(recent.take(&1), Some(()));
    }
}
