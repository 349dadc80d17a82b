//! Looking at processes from outside.

use std::{fs, io};

/// The numbers of this process's open descriptors, without the one used for looking.
pub fn open_descriptors() -> Vec<i32> {
    let own = fs::read_dir("/proc/self/fd").unwrap();
    let mut numbers: Vec<i32> =
        own.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    // The directory itself was open while it was read, and is closed by now.
    numbers.retain(|number| fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok());
    numbers
}

/// A field of `/proc/PID/stat`, counted from 1 as in proc(5); the second, the name, excepted.
pub fn stat_field(pid: u32, field: usize) -> io::Result<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').ok_or(io::ErrorKind::InvalidData)?;
    rest.split_whitespace()
        .nth(field - 3)
        .map(Into::into)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The state letter of a process; none if there is no such process.
pub fn state(pid: u32) -> Option<char> {
    stat_field(pid, 3).ok()?.chars().next()
}

/// The name that `ps` and `top` show.
pub fn comm(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().into()
}

/// Processes whose parent is `pid` and that have ended without being reaped.
pub fn zombies_of(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|child: &u32| {
        stat_field(*child, 4).is_ok_and(|parent| parent == pid.to_string())
            && state(*child) == Some('Z')
    })
    .collect()
}

/// The processes whose parent is `pid` and that have not ended.
pub fn children_of(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|child: &u32| {
        stat_field(*child, 4).is_ok_and(|parent| parent == pid.to_string())
            && !matches!(state(*child), None | Some('Z' | 'X'))
    })
    .collect()
}

/// The fork servers that this process has started and that have not ended.
///
/// A child of the server is called as the server is until it has become what it is to be: look when those have said so.
pub fn fork_servers() -> Vec<u32> {
    children_of(std::process::id())
        .into_iter()
        .filter(|child| comm(*child) == "ForkServer")
        .collect()
}

/// What a descriptor of this process leads to, such as `socket:[4711]` or a path; none if it is not open.
pub fn link(number: i32) -> Option<String> {
    let link = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// Processes whose parent is `pid`, zombies included.
pub fn children_and_zombies_of(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|child: &u32| stat_field(*child, 4).is_ok_and(|parent| parent == pid.to_string()))
        .collect()
}

/// How often a process, or a thread of one, was put on a core or off it.
pub fn switches(id: u32) -> io::Result<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    Ok(status.lines().filter(|line| line.contains("ctxt_switches")).collect())
}

/// Waits until a process is gone, or is a zombie that nobody but its parent can do anything about.
pub fn wait_until_ended(pid: u32) {
    while state(pid).is_some_and(|state| state != 'Z') {
        std::thread::yield_now();
    }
}

/// How many threads this process has.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// True if a process runs the program that it has executed, rather than being the copy of another one.
pub fn has_executed(pid: u32) -> bool {
    // `PF_FORKNOEXEC` of the kernel's `linux/sched.h`.
    const COPIED: u32 = 0x40;
    stat_field(pid, 9).is_ok_and(|flags| flags.parse().is_ok_and(|flags: u32| flags & COPIED == 0))
}
