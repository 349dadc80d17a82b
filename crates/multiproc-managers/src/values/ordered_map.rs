//! A map that remembers the order in which its keys came.

use std::collections::{BTreeMap, HashMap};

use multiproc_wire::pickle::Object;

use super::{Held, Key};

/// The content of a shared dict.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderedMap {
    // Invariant: each key's number is a key of `items`, and each item's key has that number here.
    numbers: HashMap<Key, u64>,
    items: BTreeMap<u64, (Key, Object, Held)>,
    /// When each item was set last.
    stamps: HashMap<u64, u64>,
    next: u64,
}

impl OrderedMap {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Held> {
        let (_, _, value) = self.items.get(self.numbers.get(key)?)?;
        Some(value)
    }

    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.numbers.contains_key(key)
    }

    /// Returns a number that changes whenever the key's item is set, or nothing if there is none.
    pub(crate) fn stamp(&self, key: &Key) -> Option<u64> {
        self.stamps.get(self.numbers.get(key)?).copied()
    }

    /// Sets an item; a key that is there stays as it is, and where it is.
    pub(crate) fn insert(&mut self, key: Key, name: Object, value: Held) {
        let stamp = self.next;
        self.next += 1;
        if let Some(number) = self.numbers.get(&key)
            && let Some((_, _, old)) = self.items.get_mut(number)
        {
            *old = value;
            self.stamps.insert(*number, stamp);
            return;
        }
        let number = stamp;
        self.stamps.insert(number, stamp);
        self.numbers.insert(key.clone(), number);
        self.items.insert(number, (key, name, value));
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<(Object, Held)> {
        let number = self.numbers.remove(key)?;
        self.stamps.remove(&number);
        self.items.remove(&number).map(|(_, name, value)| (name, value))
    }

    /// Takes out the item that came last.
    pub(crate) fn pop(&mut self) -> Option<(Object, Held)> {
        let (number, (key, name, value)) = self.items.pop_last()?;
        self.stamps.remove(&number);
        self.numbers.remove(&key);
        Some((name, value))
    }

    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.items.clear();
        self.stamps.clear();
    }

    /// The items in the order in which their keys came.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Object, &Held)> {
        self.items.values().map(|(key, name, value)| (key, name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(map: &OrderedMap) -> Vec<i64> {
        map.iter().filter_map(|(_, name, _)| name.as_int()).collect()
    }

    #[test]
    fn order_is_that_of_coming() {
        let mut map = OrderedMap::default();
        for name in [3, 1, 2, 1] {
            map.insert(Key::Int(name), name.into(), Held::plain(Object::None));
        }
        assert_eq!(names(&map), [3, 1, 2]);
        map.remove(&Key::Int(3));
        map.insert(Key::Int(3), 3.into(), Held::plain(Object::None));
        assert_eq!(names(&map), [1, 2, 3]);
        assert_eq!(map.pop().unwrap().0.as_int(), Some(3));
        assert!(!map.contains(&Key::Int(3)));
        assert_eq!(map.len(), 2);
    }
}
