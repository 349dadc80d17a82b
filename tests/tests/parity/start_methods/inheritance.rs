//! What of its parent's surroundings a child has: descriptors, folder, arguments, environment.

use std::{
    collections::BTreeMap,
    env,
    fs::File,
    net::UdpSocket,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    path::PathBuf,
};

use multiproc::{Context, Failure, StartMethod, connection::Sender, pipe, simplex, wire::Fd};
use multiproc_tests::{Scratch, TestResult, contexts, procfs};

multiproc_tests::each_start_method! {
    only_a_fork_has_descriptors_it_was_not_given,
    received_end_can_be_handed_on,
    child_has_little_more_than_it_was_given,
}
multiproc_tests::once_alone! {
    children_are_where_their_parent_is_and_have_its_arguments,
}

// parity: start_methods.closefds-spawn
fn only_a_fork_has_descriptors_it_was_not_given(ctx: &Context) -> TestResult {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // Not close-on-exec: what does not reach the child was not let through by oversight.
    let number = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD, 200) };
    assert!(number >= 200);
    let copy = unsafe { OwnedFd::from_raw_fd(number) };

    let errno = ctx.start(errno_of_descriptor, (copy.as_raw_fd(),))?.result()?;

    let is_fork = ctx.get_start_method() == StartMethod::Fork;
    assert_eq!(errno, if is_fork { None } else { Some(libc::EBADF) });
    Ok(())
}

// parity: start_methods.spawn-minimal-inheritance
fn child_has_little_more_than_it_was_given(ctx: &Context) -> TestResult {
    if ctx.get_start_method() == StartMethod::Fork {
        return Ok(());
    }
    let _kept = (File::open("/etc/passwd")?, UdpSocket::bind("127.0.0.1:0")?, pipe::<(), ()>()?);
    let ours = File::open("/proc/self/status")?;

    let (open, given) = ctx.start(open_descriptors, (Fd::from(ours),))?.result()?;

    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, target) in open.iter().filter(|(number, _)| **number > 2 && **number != given) {
        let kind = target.split(':').next().unwrap_or_default();
        assert!(*number < 20, "{open:?}");
        *others.entry(kind).or_default() += 1;
    }
    let program = env::current_exe()?;
    let program = program.to_str().ok_or("a path of text")?;
    // The library's own: the program, to start copies; the lifeline, and where there are no pidfds the sentinel; the
    // socket to the parent, and the one to the fork server. Where other tests of this process have used locks or named
    // memory: the table of processes, and the line to the tracker.
    assert!(others.remove(program).unwrap_or(0) <= 1, "{open:?}");
    assert!(others.remove("/memfd").unwrap_or(0) <= 1, "{open:?}");
    assert!(others.remove("pipe").unwrap_or(0) <= 3, "{open:?}");
    assert!(others.remove("socket").unwrap_or(0) <= 3, "{open:?}");
    assert_eq!(others, BTreeMap::new(), "{open:?}");
    Ok(())
}

// The queue of start_methods.nested-arg-forwarding comes with queues; that a connection goes the same way is shown here.
fn received_end_can_be_handed_on(ctx: &Context) -> TestResult {
    let (numbers, tell) = simplex::<u32>()?;

    let child = ctx.start(hand_on, (tell, 2))?;

    assert_eq!((numbers.recv()?, numbers.recv()?), (2, 1));
    assert!(numbers.recv().unwrap_err().is_closed(), "nobody else holds the end");
    child.result()??;
    Ok(())
}

// parity: start_methods.spawn-cwd-argv
fn children_are_where_their_parent_is_and_have_its_arguments() -> Result<(), Failure> {
    let arguments: Vec<_> = env::args().collect();
    assert!(!arguments.is_empty());
    // The server exists before the folders do: the folder is that of the parent at the moment of the start.
    Context::forkserver().start(|| (), ())?.join()?;

    for (name, ctx) in contexts() {
        let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), name)?;
        env::set_current_dir(&*scratch)?;
        let here = env::current_dir()?;
        let (folder, seen) = ctx.start(folder_and_arguments, ())?.result()?;
        assert_eq!((folder, seen), (here, arguments.clone()), "{name}");
        env::set_current_dir("/")?;
    }
    Ok(())
}

fn errno_of_descriptor(number: i32) -> Option<i32> {
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).err().map(rustix::io::Errno::raw_os_error)
}

fn open_descriptors(given: Fd<File>) -> (BTreeMap<i32, String>, i32) {
    let open = procfs::open_descriptors();
    let links = open.into_iter().filter_map(|number| Some((number, procfs::link(number)?)));
    (links.collect(), given.as_fd().as_raw_fd())
}

fn hand_on(tell: Sender<u32>, number: u32) -> Result<(), Failure> {
    tell.send(&number)?;
    if number > 1 {
        let method = multiproc::get_start_method();
        Context::from(method).start(hand_on, (tell, number - 1))?.result()??;
    }
    Ok(())
}

fn folder_and_arguments() -> (PathBuf, Vec<String>) {
    (env::current_dir().unwrap(), env::args().collect())
}
