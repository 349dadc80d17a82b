//! The tracker, as Python's tests have it.

use std::{
    fs,
    process::{self, Command},
    sync::mpsc,
    thread,
};

use multiproc::{
    Context, Failure,
    shared_memory::{SharedMemory, ShmError, tracker},
};
use multiproc_tests::{TestResult, context_named, contexts, each_start_method, once, procfs};
use rustix::process::{Pid, Signal, kill_process};

use crate::programs::{Scene, exists, play, stderr, the_tracker, trackers_of};

multiproc_tests::once_alone! {
    tracker_starts_with_the_first_name_and_not_before,
    descendants_share_the_tracker,
    tracker_with_nothing_left_ends_well,
    tracker_with_something_left_says_so_and_removes_it,
    interrupted_tracker_goes_on,
    terminated_tracker_goes_on,
    killed_tracker_is_replaced_and_told_what_is_left,
    tracker_holds_nothing_that_others_wait_for,
    signals_while_it_starts_do_not_end_it,
    trackers_that_are_killed_all_the_time_are_replaced,
}

once! {
    terminated_program_leaves_nothing,
    killed_program_leaves_nothing,
    program_that_forgets_to_unlink_is_told_so,
    program_that_unlinks_is_told_nothing,
    what_is_gone_already_is_said_and_the_rest_removed,
    another_block_of_the_same_name_is_spared,
    another_program_that_tracks_removes_the_block,
    replacement_of_a_tracker_is_said,
    program_without_a_hook_is_told_what_to_write,
    name_made_by_a_child_stays_while_its_parent_has_it,
}

each_start_method! { tracker_outlives_the_main_process }

/// Lets go of the tracker of the test binary.
fn begin_without() -> Result<(), Failure> {
    assert_eq!(tracker::stop()?, None, "it is not ours");
    Ok(())
}

fn tracker_starts_with_the_first_name_and_not_before() -> Result<(), Failure> {
    begin_without()?;
    for (_, ctx) in contexts() {
        ctx.start(|| (), ())?.join()?;
    }
    SharedMemory::builder().track(false).create(1)?.unlink()?;
    assert_eq!(trackers_of(process::id()), [0; 0]);
    SharedMemory::create(1)?.unlink()?;
    let tracker = the_tracker(process::id());
    SharedMemory::create(1)?.unlink()?;
    tracker::ensure_running()?;
    assert_eq!(the_tracker(process::id()), tracker);
    assert_eq!(tracker::stop()?, Some(0));
    Ok(())
}

// parity: tracker.reused-by-children
fn descendants_share_the_tracker() -> Result<(), Failure> {
    begin_without()?;
    tracker::ensure_running()?;
    let tracker = the_tracker(process::id());
    for (method, _) in contexts() {
        let names = context_named(method).start(make_in_grandchild, (method.to_owned(),))?;
        let name = names.result()??;
        assert!(exists(&name), "{method}: the tracker waits for all");
        SharedMemory::unlink_named(&name)?;
    }
    assert_eq!(the_tracker(process::id()), tracker);
    multiproc::stop_forkserver();
    assert_eq!(tracker::stop()?, Some(0));
    Ok(())
}

fn make_in_grandchild(method: String) -> Result<String, Failure> {
    let name = context_named(&method).process().daemon(false).start(make, ())?.result()??;
    assert_eq!(trackers_of(process::id()), [0; 0]);
    Ok(name)
}

fn make() -> Result<String, Failure> {
    let memory = SharedMemory::create(1)?;
    assert_eq!(trackers_of(process::id()), [0; 0], "nobody starts one of his own");
    Ok(memory.name().into())
}

// parity: tracker.exit-code-clean
fn tracker_with_nothing_left_ends_well() -> Result<(), Failure> {
    begin_without()?;
    let memory = SharedMemory::create(1)?;
    // One that was opened unregisters it as well.
    SharedMemory::open(memory.name())?.unlink()?;
    assert_eq!(tracker::stop()?, Some(0));
    Ok(())
}

// parity: tracker.exit-code-leak
fn tracker_with_something_left_says_so_and_removes_it() -> Result<(), Failure> {
    begin_without()?;
    let memory = SharedMemory::create(1)?;
    assert_eq!(tracker::stop()?, Some(1));
    assert!(!exists(memory.name()));
    Ok(())
}

// parity: tracker.ignores-sigint
fn interrupted_tracker_goes_on() -> Result<(), Failure> {
    signalled_tracker_goes_on(Signal::INT)
}

// parity: tracker.ignores-sigterm
fn terminated_tracker_goes_on() -> Result<(), Failure> {
    signalled_tracker_goes_on(Signal::TERM)
}

fn signalled_tracker_goes_on(signal: Signal) -> Result<(), Failure> {
    begin_without()?;
    tracker::ensure_running()?;
    let tracker = the_tracker(process::id());
    // Blocked when it was started, they are ignored from the first moment, and no longer blocked.
    let status = fs::read_to_string(format!("/proc/{tracker}/status"))?;
    let mask = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let both = 1 << (libc::SIGINT - 1) | 1 << (libc::SIGTERM - 1);
    assert_eq!((mask("SigIgn:") & both, mask("SigBlk:") & both), (both, 0));

    let pid = Pid::from_raw(tracker as i32).ok_or("a pid")?;
    kill_process(pid, signal)?;
    SharedMemory::create(1)?.unlink()?;
    assert_eq!(the_tracker(process::id()), tracker);
    assert_eq!(tracker::stop()?, Some(0), "nothing else has ended it");
    Ok(())
}

// complaint: 5
fn killed_tracker_is_replaced_and_told_what_is_left() -> Result<(), Failure> {
    begin_without()?;
    let left = SharedMemory::create(1)?;
    let unlinked = SharedMemory::create(1)?;
    let first = the_tracker(process::id());
    kill_process(Pid::from_raw(first as i32).ok_or("a pid")?, Signal::KILL)?;
    procfs::wait_until_ended(first);
    unlinked.unlink()?;
    SharedMemory::create(1)?.unlink()?;
    let second = the_tracker(process::id());
    assert_ne!(second, first);
    assert_eq!(procfs::zombies_of(process::id()), [0; 0], "the first has been reaped");
    assert_eq!(tracker::stop()?, Some(1), "it was told of the one that is left");
    assert!(!exists(left.name()));
    Ok(())
}

fn tracker_holds_nothing_that_others_wait_for() -> Result<(), Failure> {
    begin_without()?;
    // With the server first, so that the way to it could be handed down.
    Context::forkserver().start(|| (), ())?.join()?;
    tracker::ensure_running()?;
    let tracker = the_tracker(process::id());
    let mut held = Vec::new();
    for entry in fs::read_dir(format!("/proc/{tracker}/fd"))? {
        held.push(fs::read_link(entry?.path())?.to_string_lossy().into_owned());
    }
    let sockets = held.iter().filter(|link| link.starts_with("socket:")).count();
    assert_eq!(sockets, 1, "{held:?}");
    assert_eq!(held.iter().filter(|link| *link == "/dev/null").count(), 2, "{held:?}");
    assert_eq!(fs::read_link(format!("/proc/{tracker}/cwd"))?.to_str(), Some("/"));
    let session = procfs::stat_field(tracker, 6)?;
    assert_eq!(session, tracker.to_string(), "what is sent to our group does not reach it");
    assert_eq!(tracker::stop()?, Some(0));
    Ok(())
}

// parity: tracker.signals-masked-at-start
fn signals_while_it_starts_do_not_end_it() -> Result<(), Failure> {
    begin_without()?;
    for _ in 0..10 {
        let (started, stop) = mpsc::channel::<()>();
        let pestering = thread::spawn(move || {
            let mut sent = 0;
            while stop.try_recv() == Err(mpsc::TryRecvError::Empty) {
                for child in procfs::children_of(process::id()) {
                    for signal in [Signal::INT, Signal::TERM] {
                        let child = Pid::from_raw(child as i32).unwrap();
                        sent += u32::from(kill_process(child, signal).is_ok());
                    }
                }
            }
            sent
        });
        tracker::ensure_running()?;
        // So that at least one has reached it, at the latest now.
        let tracker = Pid::from_raw(the_tracker(process::id()) as i32).ok_or("a pid")?;
        kill_process(tracker, Signal::INT)?;
        drop(started);
        pestering.join().unwrap();
        assert_eq!(tracker::stop()?, Some(0));
    }
    Ok(())
}

fn trackers_that_are_killed_all_the_time_are_replaced() -> Result<(), Failure> {
    begin_without()?;
    let make = |name: String| -> Result<u32, ShmError> {
        let mut failed = 0;
        for number in 0..100 {
            match SharedMemory::create_named(&format!("{name}_{number}"), 1) {
                Ok(memory) => memory.unlink()?,
                // It was killed each time that it had been replaced.
                Err(ShmError::Tracker { .. }) => failed += 1,
                Err(err) => return Err(err),
            }
        }
        Ok(failed)
    };
    let prefix = format!("multiproc_storm_{}", process::id());
    thread::scope(|scope| -> Result<(), Failure> {
        let names = ["a", "b", "c"].map(|letter| format!("{prefix}_{letter}"));
        let makers = names.map(|name| scope.spawn(move || make(name)));
        for _ in 0..20 {
            for tracker in trackers_of(process::id()) {
                let _ = kill_process(Pid::from_raw(tracker as i32).ok_or("a pid")?, Signal::KILL);
            }
            thread::yield_now();
        }
        for maker in makers {
            assert!(maker.join().unwrap()? < 100);
        }
        Ok(())
    })?;
    SharedMemory::create(1)?.unlink()?;
    assert_eq!(trackers_of(process::id()).len(), 1);
    assert_eq!(procfs::zombies_of(process::id()), [0; 0]);
    assert_eq!(tracker::stop()?, Some(0));
    for entry in fs::read_dir("/dev/shm")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(&prefix), "{name}");
    }
    Ok(())
}

// parity: tracker.cleans-after-kill, tracker.leak-warning-count
fn terminated_program_leaves_nothing() -> TestResult {
    ended_program_leaves_nothing(Signal::TERM)
}

// parity: tracker.shm-cleaned-on-kill
fn killed_program_leaves_nothing() -> TestResult {
    ended_program_leaves_nothing(Signal::KILL)
}

fn ended_program_leaves_nothing(signal: Signal) -> TestResult {
    let mut program = Scene::start(&["make"])?;
    let names = program.words()?;
    assert!(names.iter().all(|name| exists(name)) && names.len() == 2);
    kill_process(Pid::from_child(&program.child), signal)?;
    let said = program.last_words()?;
    assert!(!names.iter().any(|name| exists(name)));
    let warning = "resource_tracker: There appear to be 2 leaked shared_memory objects to clean up";
    assert!(said.contains(warning), "{said}");
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    Ok(())
}

fn program_that_forgets_to_unlink_is_told_so() -> TestResult {
    let mut program = Scene::start(&["make"])?;
    let names = program.words()?;
    program.go_on();
    let said = program.last_words()?;
    assert!(said.contains("2 leaked shared_memory objects") && !exists(&names[0]), "{said}");
    Ok(())
}

// complaint: 4
fn program_that_unlinks_is_told_nothing() -> TestResult {
    let output = play(&["unlink"])?;
    assert_eq!((output.status.success(), &*stderr(&output)), (true, ""));
    Ok(())
}

// parity: tracker.leak-unlink-error
fn what_is_gone_already_is_said_and_the_rest_removed() -> TestResult {
    let mut program = Scene::start(&["make"])?;
    let names = program.words()?;
    fs::remove_file(format!("/dev/shm/{}", names[0]))?;
    program.child.kill()?;
    let said = program.last_words()?;
    assert!(!exists(&names[1]));
    assert!(said.contains("2 leaked"), "{said}");
    let line = format!("resource_tracker: '/{}': No such file or directory (os error 2)", names[0]);
    assert!(said.contains(&line), "{said}");
    Ok(())
}

fn another_block_of_the_same_name_is_spared() -> TestResult {
    let mut program = Scene::start(&["make"])?;
    let names = program.words()?;
    // The old file lives in the program, so the new one is another for certain.
    fs::remove_file(format!("/dev/shm/{}", names[0]))?;
    let ours = SharedMemory::create_named(&names[0], 10)?;
    program.child.kill()?;
    let said = program.last_words()?;
    assert!(exists(&names[0]) && !exists(&names[1]));
    assert!(said.contains("another block has this name by now"), "{said}");
    ours.unlink()?;
    Ok(())
}

// parity: tracker.shm-attach-tracked
fn another_program_that_tracks_removes_the_block() -> TestResult {
    let memory = SharedMemory::builder().track(false).create(10)?;
    let output = play(&["attach-tracked", memory.name()])?;
    assert!(output.status.success());
    let said = stderr(&output);
    assert!(said.contains("1 leaked shared_memory object"), "{said}");
    assert!(!exists(memory.name()));
    Ok(())
}

fn replacement_of_a_tracker_is_said() -> TestResult {
    let output = play(&["tracker-killed"])?;
    let said =
        "resource_tracker: process died unexpectedly, relaunching. Some resources might leak.\n";
    assert_eq!((output.status.success(), &*stderr(&output)), (true, said));
    Ok(())
}

fn program_without_a_hook_is_told_what_to_write() -> TestResult {
    let output = Command::new(env!("CARGO_BIN_EXE_unguarded")).arg("shared_memory").output()?;
    let said = stderr(&output);
    assert!(!output.status.success());
    assert!(said.contains("track(false)") && said.contains("#[multiproc::main]"), "{said}");
    Ok(())
}

fn name_made_by_a_child_stays_while_its_parent_has_it() -> TestResult {
    let output = Command::new(env!("CARGO_BIN_EXE_shares")).args(["child-makes"]).output()?;
    assert_eq!(String::from_utf8(output.stdout.clone())?, "there true, then gone true\n");
    assert_eq!((output.status.success(), &*stderr(&output)), (true, ""));
    Ok(())
}

// parity: tracker.outlives-main
fn tracker_outlives_the_main_process(ctx: &Context) -> TestResult {
    let mut program = Scene::start(&["child-goes-on", &multiproc_tests::name_of(ctx)])?;
    let name = program.words()?.remove(0);
    let tracker = program.tracker();
    program.child.kill()?;
    program.child.wait()?;
    assert!(exists(&name) && procfs::state(tracker).is_some());
    program.go_on();
    assert_eq!(program.words()?, ["still", "there"]);
    let said = program.last_words()?;
    assert!(said.contains("1 leaked shared_memory object") && !exists(&name), "{said}");
    Ok(())
}
