//! Whether a thread still runs, for where the kernel cannot tell of its death.

use std::fs;

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// False if there is no thread of this id, or it has ended and only its status is left.
pub(super) fn is_alive(tid: u32) -> bool {
    let Some(id) = Pid::from_raw(tid.cast_signed()) else { return false };
    if test_kill_process(id) == Err(Errno::SRCH) {
        return false;
    }
    // A zombie can be signalled; where its state cannot be seen it is taken to live.
    let Ok(stat) = fs::read_to_string(format!("/proc/{tid}/stat")) else { return true };
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, Some('Z' | 'X' | 'x'))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn zombies_do_not_live() {
        let own = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
        assert!(is_alive(own));
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(is_alive(child.id()));
        child.kill().unwrap();
        while is_alive(child.id()) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
    }
}
