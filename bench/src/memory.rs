//! What a process weighs, and how this one is made heavier.
#![expect(unsafe_code, reason = "maps memory with the page size that is measured")]

use std::{fs, io, ptr};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

/// The memory of a process in MB, which are 1,000,000 bytes each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// The resident set.
    pub(crate) rss: f64,
    /// The same, each shared page divided by the number of processes that share it.
    pub(crate) pss: f64,
}

/// Weighs the process `pid`.
pub(crate) fn of(pid: u32) -> io::Result<Memory> {
    parse(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?)
}

fn parse(rollup: &str) -> io::Result<Memory> {
    let field = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kilobytes = kilobytes.and_then(|number| number.parse::<f64>().ok());
        kilobytes.map(|number| number * 1024.0 / 1e6).ok_or(io::ErrorKind::InvalidData)
    };
    Ok(Memory { rss: field("Rss:")?, pss: field("Pss:")? })
}

/// Touches `mib` MiB in pages of the smallest size, for as long as this process lives.
///
/// Huge pages would make a fork of the same memory hundreds of times cheaper on machines that are
/// set up to use them everywhere, and a figure should mean the same on each.
pub(crate) fn touch(mib: usize) -> io::Result<()> {
    const PAGE: usize = 4096;
    let size = mib << 20;
    if size == 0 {
        return Ok(());
    }
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: The kernel picks a free address.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), size, protection, MapFlags::PRIVATE)? };
    // SAFETY: Advice about memory of our own that changes no byte of it. A kernel without huge
    // pages does not know the advice, and does not need it.
    let _ = unsafe { madvise(start, size, Advice::LinuxNoHugepage) };
    for offset in (0..size).step_by(PAGE) {
        // SAFETY: The offset lies inside the mapping.
        let page = unsafe { start.cast::<u8>().add(offset) };
        // SAFETY: The page is mapped for writing and only this loop knows it.
        unsafe { page.write_volatile(1) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sums_are_read() {
        let rollup =
            "00400000-7fff---p [rollup]\nRss:    1000 kB\nPss:     500 kB\nPss_Anon: 1 kB\n";
        let memory = parse(rollup).unwrap();
        assert_eq!((memory.rss, memory.pss), (1.024, 0.512));
        assert!(parse("Rss: 1 kB\n").is_err());
    }

    #[test]
    fn touched_memory_is_resident() {
        let before = of(std::process::id()).unwrap().rss;
        touch(64).unwrap();
        assert!(of(std::process::id()).unwrap().rss > before + 60.0);
    }
}
