//! Names, their ends, and their use again.

use std::time::{Duration, Instant};

use multiproc_sys::futex;

use super::*;

/// Forks; the child runs `body` and ends by a signal that cannot be handled, and is left to be reaped.
fn killed_child(body: impl FnOnce()) -> Pid {
    #[expect(unsafe_code, reason = "fork(2)")]
    // SAFETY: The child runs only our code, which takes no lock that another thread of the test could hold.
    match unsafe { multiproc_sys::fork::fork() }.unwrap() {
        multiproc_sys::fork::Forked::Child => {
            body();
            let me = rustix::process::getpid();
            let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
            multiproc_sys::fork::exit_now(1)
        }
        multiproc_sys::fork::Forked::Parent(pid) => pid,
    }
}

use rustix::process::{Pid, WaitOptions, waitpid};

fn reap(pid: Pid) {
    waitpid(Some(pid), WaitOptions::empty()).unwrap();
}

/// A table apart from that of other tests, and a word to tell things by.
fn own() -> (&'static Table, &'static AtomicU32) {
    let segment = Segment::sparse(SIZE).unwrap();
    Layout(&segment).initialize(stat::namespace());
    let table = attach(segment);
    (table, table.segment.bytes().atomic_u32(1024).unwrap())
}

fn wait_until_dead(table: &'static Table, name: u32) {
    loop {
        match table.life(name) {
            Life::Dead => return,
            Life::Watched(watch) => {
                let _ = futex::wait(watch.word, watch.value, None);
            }
            Life::Unwatched => {
                let soon = Instant::now() + Duration::from_millis(1);
                let _ = futex::wait(&AtomicU32::new(0), 0, Some(soon));
            }
        }
    }
}

#[test]
fn dead_process_is_known_before_it_is_reaped_and_its_entry_is_used_again() {
    let (table, word) = own();
    let me = table.me().unwrap();
    let pid = killed_child(|| word.store(table.me().unwrap(), Ordering::Release));
    while word.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let child = word.load(Ordering::Acquire);
    assert_ne!(child, me);
    wait_until_dead(table, child);
    reap(pid);
    assert!(matches!(table.life(child), Life::Dead));
    let next = killed_child(|| word.store(table.me().unwrap(), Ordering::Release));
    reap(next);
    let next = word.load(Ordering::Acquire);
    assert_eq!(next % 4096, child % 4096, "the entry is used again");
    assert_ne!(next, child, "by another name");
    assert!(!matches!(table.life(me), Life::Dead));
}

#[test]
fn process_that_executes_another_program_has_ended() {
    let (table, word) = own();
    let (end, keep) = rustix::pipe::pipe().unwrap();
    rustix::io::fcntl_setfd(&end, rustix::io::FdFlags::empty()).unwrap();
    let pid = killed_child(|| {
        word.store(table.me().unwrap(), Ordering::Release);
        let _ = rustix::stdio::dup2_stdin(&end);
        let error =
            std::os::unix::process::CommandExt::exec(&mut std::process::Command::new("cat"));
        drop(error);
    });
    while word.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    wait_until_dead(table, word.load(Ordering::Acquire));
    // It runs on, as another program.
    assert!(waitpid(Some(pid), WaitOptions::NOHANG).unwrap().is_none());
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    drop(keep);
    reap(pid);
}

#[test]
fn table_that_arrives_twice_is_the_same() {
    let (table, _) = own();
    let again = Table::attach(table.handle().as_fd().try_clone_to_owned().unwrap().into()).unwrap();
    assert!(ptr::eq(table, again));
    let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    assert!(Table::attach(null.into()).is_err());
    let other = Segment::new(SIZE).unwrap();
    assert!(matches!(Table::attach(other.handle()), Err(TableError::Foreign)));
}

#[test]
fn full_table_is_an_error() {
    let (table, _) = own();
    let layout = Layout(&table.segment);
    let me = super::super::stat::Stat::of(std::process::id().cast_signed()).unwrap();
    for number in 0..super::super::name::ENTRIES {
        let claim = super::super::name::Claim::new(std::process::id(), me.start, 1);
        layout.entry(number).claim().store(claim.0, Ordering::Release);
        layout.entry(number).set_stack(me.stack, 1);
    }
    layout.high().store(4096, Ordering::Release);
    assert!(matches!(table.me(), Err(TableError::Exhausted(4096))));
}
