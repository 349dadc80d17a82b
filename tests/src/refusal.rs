//! Having the kernel refuse to make processes, by a filter on system calls (seccomp).

use std::io;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, c_long, sock_filter, sock_fprog,
};

/// From now on every `clone` of this process and its descendants fails with `errno`.
///
/// # Errors
///
/// What prctl(2) reports where there are no filters.
pub fn refuse_clone(errno: i32) -> io::Result<()> {
    refuse(&[libc::SYS_clone, libc::SYS_clone3], errno)
}

/// From now on these system calls of this process and its descendants fail with `errno`.
///
/// # Errors
///
/// What prctl(2) reports where there are no filters.
pub fn refuse(calls: &[c_long], errno: i32) -> io::Result<()> {
    let refused = libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    let step = |code: u32, jt: u8, jf: u8, k: u32| sock_filter { code: code as u16, jt, jf, k };
    // The number of the system call stands first in what a filter sees.
    let mut program = vec![step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0)];
    for call in calls {
        let number = u32::try_from(*call).expect("numbers of system calls are small");
        program.push(step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number));
        program.push(step(BPF_RET | BPF_K, 0, 0, refused));
    }
    program.push(step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    let filter = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: Plain numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: The filter and its program live until the call returns; the kernel copies them.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) }
    {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
