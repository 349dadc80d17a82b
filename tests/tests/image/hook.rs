//! The hook takes for its own only what is its own, and hides it from everybody else.

use std::{
    fs::File,
    io::Seek,
    net::UdpSocket,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            net::{UnixDatagram, UnixStream},
            process::CommandExt,
        },
    },
    process::{Command, Stdio},
};

use multiproc::Failure;
use multiproc_tests::{Scratch, TestResult, contexts};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

multiproc_tests::once! {
    variable_that_names_no_socket_changes_nothing,
    file_in_the_place_of_the_socket_is_left_alone,
    foreign_socket_keeps_its_data,
}
multiproc_tests::once_alone! {
    variable_never_reaches_a_program_that_a_child_runs,
    program_that_a_child_runs_inherits_no_descriptor,
}

const VARIABLE: &str = "MULTIPROC_IMAGE_SOCKET";

fn variable_that_names_no_socket_changes_nothing() -> TestResult {
    for value in
        ["3 0", "99 0", "abc", "", "-1 0", "0 0", "2 0", "4294967299 0", "3 ", "3", "3 x", "3 -1"]
    {
        check_steady(steady(value), value)?;
    }
    Ok(())
}

fn file_in_the_place_of_the_socket_is_left_alone() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "file-in-place")?;
    let path = scratch.join("file");
    std::fs::write(&path, "multipr1 and what a fresh copy would read")?;
    let mut file = File::open(&path)?;

    check_steady(with_descriptor(steady("3 0"), file.try_clone()?.into()), "a file")?;

    assert_eq!(file.stream_position()?, 0, "nothing was read");
    Ok(())
}

fn foreign_socket_keeps_its_data() -> TestResult {
    let stream = UnixStream::pair()?;
    let datagram = UnixDatagram::pair()?;
    let packets =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    a.connect(b.local_addr()?)?;

    let kinds: [(&str, OwnedFd, OwnedFd); 4] = [
        ("stream", stream.0.into(), stream.1.into()),
        ("datagram", datagram.0.into(), datagram.1.into()),
        ("packets", packets.0, packets.1),
        ("internet", a.into(), b.into()),
    ];
    for (kind, ours, theirs) in kinds {
        let data = b"a message for somebody else, long enough for any header";
        send(&ours, data, SendFlags::empty())?;

        check_steady(with_descriptor(steady("3 0"), theirs.try_clone()?), kind)?;

        let mut buffer = [0; 100];
        let (length, _) = recv(&theirs, &mut buffer, RecvFlags::DONTWAIT)?;
        assert_eq!(&buffer[..length], data, "{kind}");
        // And nothing was said through it.
        assert_eq!(
            recv(&ours, &mut buffer, RecvFlags::DONTWAIT),
            Err(rustix::io::Errno::AGAIN),
            "{kind}"
        );
    }
    Ok(())
}

fn variable_never_reaches_a_program_that_a_child_runs() -> Result<(), Failure> {
    // The fork server is there before the variable is: a child has its parent's at the moment of the start.
    multiproc::Context::forkserver().start(|| (), ())?.join()?;
    // One thread runs here.
    unsafe { std::env::set_var("OWN_VARIABLE", "kept\u{1f980}") };
    for (name, ctx) in contexts() {
        let (own, arguments, environment) = ctx.start(environment_of_a_program, ())?.result()??;
        assert_eq!(own, None, "{name}: not even the child sees it");
        assert_eq!(arguments, std::env::args().collect::<Vec<_>>(), "{name}");
        assert!(
            environment.contains(&"OWN_VARIABLE=kept\u{1f980}".to_string()),
            "{name}: {environment:?}"
        );
        assert!(
            environment.iter().all(|variable| !variable.contains(VARIABLE)),
            "{name}: {environment:?}"
        );
    }
    Ok(())
}

fn program_that_a_child_runs_inherits_no_descriptor() -> Result<(), Failure> {
    for (name, ctx) in contexts() {
        let listing = ctx.start(descriptors_of_a_program, ())?.result()??;
        assert_eq!(listing, ["0", "1", "2", "3"], "{name}: 3 is the listing's own");
    }
    Ok(())
}

/// The program that works, with the variable set to `value`.
fn steady(value: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steady"));
    command.env(VARIABLE, value).stdin(Stdio::null());
    command
}

/// Has `command` begin with `fd` as its descriptor 3.
fn with_descriptor(mut command: Command, fd: OwnedFd) -> Command {
    let place = move || {
        // A copy in its own place would stay close-on-exec.
        let result = if fd.as_raw_fd() == 3 {
            unsafe { libc::fcntl(3, libc::F_SETFD, 0) }
        } else {
            unsafe { libc::dup2(fd.as_raw_fd(), 3) }
        };
        if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    unsafe { command.pre_exec(place) };
    command
}

fn check_steady(mut command: Command, what: &str) -> TestResult {
    let output = command.output()?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    assert_eq!(stdout, "main runs\nforkserver: 42\nfork: 42\nspawn: 42\n", "{what}: {stderr}");
    assert_eq!((stderr.as_str(), output.status.code()), ("", Some(0)), "{what}");
    Ok(())
}

type Seen = (Option<String>, Vec<String>, Vec<String>);

fn environment_of_a_program() -> Result<Seen, Failure> {
    let output = Command::new("env").output()?;
    let lines = String::from_utf8(output.stdout)?.lines().map(Into::into).collect();
    Ok((std::env::var(VARIABLE).ok(), std::env::args().collect(), lines))
}

fn descriptors_of_a_program() -> Result<Vec<String>, Failure> {
    let output = Command::new("ls").arg("/proc/self/fd").output()?;
    Ok(String::from_utf8(output.stdout)?.split_whitespace().map(Into::into).collect())
}
