//! Trees of files to hash, and what sha256sum says of them.

use std::{
    error::Error,
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::Path,
    process::{Command, Stdio},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Makes everything that a folder can hold below `top`; only the regular files are to be listed.
pub(crate) fn make_odd(top: &Path) -> io::Result<()> {
    let deep = (0..60).map(|depth| format!("deep{depth}")).collect::<Vec<_>>().join("/");
    for folder in ["a", "a.b", ".hidden", "empty", "target", "a/.git", " ", &deep] {
        fs::create_dir_all(top.join(folder))?;
    }
    let names: [&[u8]; 22] = [
        b"new\nline",
        b"carriage\rreturn",
        b"back\\slash",
        b"\\",
        b"all\n\r\\of them\n",
        b"not \xff\xfe utf-8 \x80",
        b"umlaut \xc3\xa4",
        b" leading and trailing ",
        b"*star",
        b"-dash",
        b"tab\tand \x01\x7f",
        b".hidden/.file",
        b"a/b",
        b"a-b",
        b"a.c",
        b"a.b/c",
        b"a0",
        b"target/x",
        b"a/.git/y",
        b"a/target",
        b" / ",
        b"'quoted\"",
    ];
    for (at, name) in names.iter().enumerate() {
        fs::write(top.join(OsStr::from_bytes(name)), vec![b'x'; at * 1000])?;
    }
    fs::write(top.join(&deep).join("bottom"), "found")?;
    fs::write(top.join("nothing"), "")?;
    fs::write(top.join("large"), noise(5_000_001))?;
    for at in 0..300 {
        fs::write(top.join(format!("a.b/small{at}")), noise(at * 37))?;
    }
    symlink("nothing", top.join("link"))?;
    symlink("a", top.join("link to a folder"))?;
    symlink("nowhere", top.join("broken link"))?;
    make_fifo(&top.join("fifo"))?;
    // What is bound stays when the listener is dropped. The name of a socket is short, so it is made by a short path.
    let here = fs::File::open(top)?;
    let short = format!("/proc/self/fd/{}/socket", std::os::fd::AsRawFd::as_raw_fd(&here));
    drop(UnixListener::bind(short)?);
    Ok(())
}

pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    Ok(mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
}

/// Bytes that are not all alike.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = len as u32 | 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// What sha256sum says of the regular files below `top`, in order; none if there is no sha256sum.
pub(crate) fn reference(folder: &Path, top: &OsStr) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    let script = "command -v sha256sum find sort xargs > /dev/null || exit 77
                  find \"$1\" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --";
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", script, "sh"]).arg(top).current_dir(folder).output()?;
    match output.status.code() {
        Some(77) => {
            println!("skipped: there is no sha256sum to compare with");
            Ok(None)
        }
        Some(0) => Ok(Some(output.stdout)),
        _ => Err(format!("the reference fails: {output:?}").into()),
    }
}

/// True if `sha256sum --check` finds every line of `sums` to be right.
pub(crate) fn check(folder: &Path, sums: &[u8]) -> Result<bool, Box<dyn Error>> {
    let list = folder.join("sums");
    fs::write(&list, sums)?;
    let mut sha256sum = Command::new("sha256sum");
    sha256sum.args(["--check", "--strict", "--quiet"]).arg(&list).current_dir(folder);
    Ok(sha256sum.stdin(Stdio::null()).status()?.success())
}
