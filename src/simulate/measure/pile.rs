//! A list that grows by chunks: one that doubles would need three times its size when it is full at the worst moment.

/// Entries of one chunk.
const CHUNK: usize = 4_096;

/// Entries in the order in which they came.
#[derive(Debug)]
pub(super) struct Pile<T> {
    full: Vec<Vec<T>>,
    last: Vec<T>,
}

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self {
            full: Vec::new(),
            last: Vec::new(),
        }
    }
}

impl<T> Pile<T> {
    /// Adds an entry.
    pub(super) fn push(&mut self, entry: T) {
        if self.last.len() == CHUNK {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(CHUNK));
            self.full.push(full);
        }
        self.last.push(entry);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.full.len() * CHUNK + self.last.len()
    }

    /// Moves all entries to the end of a list, and frees each chunk as it goes.
    pub(super) fn append_to(self, list: &mut Vec<T>) {
        for chunk in self.full {
            list.extend(chunk);
        }
        list.extend(self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_the_order_stays() {
        let mut pile = Pile::default();
        assert_eq!(pile.len(), 0);
        for number in 0..10_000 {
            pile.push(number);
            assert_eq!(pile.len(), number + 1);
        }
        let mut list = Vec::new();
        pile.append_to(&mut list);
        assert!(list.into_iter().eq(0..10_000));
    }
}
