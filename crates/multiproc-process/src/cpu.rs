//! How many processors there are.

/// The number of processors of this machine that are online, at least 1.
///
/// How many this process may use is [`process_cpu_count`].
///
/// # Python
///
/// `multiprocessing.cpu_count`.
#[must_use]
pub fn cpu_count() -> usize {
    let mask = std::fs::read_to_string("/sys/devices/system/cpu/online").ok();
    mask.as_deref().and_then(count_list).unwrap_or_else(process_cpu_count)
}

/// The number of processors that this process may use, at least 1: its affinity, and the quota of its control group.
///
/// # Python
///
/// `os.process_cpu_count`, which does not look at the quota.
#[must_use]
pub fn process_cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Counts what a list such as `0-3,8` names.
fn count_list(list: &str) -> Option<usize> {
    let mut count = 0;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        count += (last + 1).checked_sub(first)?;
    }
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted() {
        assert_eq!(count_list("0\n"), Some(1));
        assert_eq!(count_list("0-3,8,10-11\n"), Some(7));
        assert_eq!(count_list(""), None);
        assert_eq!(count_list("3-0"), None);
    }

    #[test]
    fn machine_has_what_the_process_may_use() {
        assert!(cpu_count() >= 1);
        assert!(process_cpu_count() >= 1);
    }
}
