//! The values that a pickle may name again.

use std::collections::HashMap;

/// Node numbers, by the numbers that the pickle gave them.
#[derive(Default)]
pub(super) struct Memo {
    /// The values numbered from zero without a gap: all of them, in the pickles that Python writes.
    dense: Vec<u32>,
    /// The others, so that a large number costs no more than a small one.
    sparse: HashMap<u32, u32>,
}

impl Memo {
    pub(super) fn put(&mut self, index: u32, node: u32) {
        let place = index as usize;
        if let Some(place) = self.dense.get_mut(place) {
            *place = node;
        } else if place == self.dense.len() {
            self.sparse.remove(&index);
            self.dense.push(node);
        } else {
            self.sparse.insert(index, node);
        }
    }

    /// Puts a value at the number that follows from how many there are.
    pub(super) fn memoize(&mut self, node: u32) {
        // There are fewer values than nodes, whose numbers fit.
        let index = self.dense.len() + self.sparse.len();
        self.put(index as u32, node);
    }

    pub(super) fn get(&self, index: u32) -> Option<u32> {
        let dense = self.dense.get(index as usize);
        dense.or_else(|| self.sparse.get(&index)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_come_in_any_order() {
        let mut memo = Memo::default();
        memo.put(2, 12);
        memo.put(u32::MAX, 13);
        memo.put(0, 10);
        memo.put(1, 11);
        memo.put(2, 22);
        memo.memoize(14);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|i| memo.get(i)),
            [Some(10), Some(11), Some(22), None, Some(14)]
        );
        assert_eq!(memo.get(u32::MAX), Some(13));
    }
}
