//! A hundred thousand locks in one process.

use std::fs;

use multiproc::{Failure, Lock};
use multiproc_tests::{once_alone, procfs};

once_alone! { hundred_thousand_locks_take_few_descriptors_and_little_memory }

const COUNT: usize = 100_000;

fn hundred_thousand_locks_take_few_descriptors_and_little_memory() -> Result<(), Failure> {
    // The table of processes, and what else comes with the first.
    let first = Lock::new()?;
    let (descriptors, mapped) = (procfs::open_descriptors().len(), mapped()?);
    let locks = (0..COUNT).map(|_| Lock::new()).collect::<Result<Vec<_>, _>>()?;
    let descriptors = procfs::open_descriptors().len() - descriptors;
    assert!(descriptors < 32, "{descriptors} descriptors");
    let bytes = (self::mapped()? - mapped) / COUNT;
    assert!(bytes < 64, "{bytes} bytes each");
    for lock in [&first, &locks[0], &locks[COUNT - 1]] {
        drop(lock.guard()?);
    }
    Ok(())
}

/// How many bytes of shared memory are mapped here.
fn mapped() -> Result<usize, Failure> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut bytes = 0;
    for line in maps.lines().filter(|line| line.contains("/memfd:")) {
        let (start, rest) = line.split_once('-').ok_or("no range")?;
        let (end, _) = rest.split_once(' ').ok_or("no end")?;
        bytes += usize::from_str_radix(end, 16)? - usize::from_str_radix(start, 16)?;
    }
    Ok(bytes)
}
