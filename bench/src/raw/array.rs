//! Items in memory of one's own.

/// Adds all up, item by item, as through a guard.
#[expect(clippy::needless_range_loop, reason = "item by item, as through a guard")]
#[inline]
pub(crate) fn sum(items: &[i64]) -> i64 {
    let mut sum = 0i64;
    for at in 0..items.len() {
        sum = sum.wrapping_add(items[at]);
    }
    sum
}

/// Copies all.
#[inline]
pub(crate) fn copy(from: &[i64], to: &mut [i64]) {
    to.copy_from_slice(from);
}
