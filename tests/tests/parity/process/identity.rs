//! Who a process is, and who its parent is.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use multiproc::{Context, Failure, Process, current_process, parent_process};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of, once};

use super::scene;

once! {
    main_process_knows_itself, keys_of_two_runs_differ, processors_are_those_of_the_machine,
    quota_of_a_control_group_counts
}

each_start_method! {
    child_knows_its_parent, parent_is_joined_with_a_timeout, child_sees_its_own_attributes, main_thread_has_an_id_of_its_own,
    key_is_inherited_or_set, daemon_flag_is_inherited_or_set
}

// parity: process.current-main-alive, process.main-identity, process.parent-none-in-main
fn main_process_knows_itself() -> TestResult {
    let me = current_process();
    assert!(me.is_alive() && !me.daemon());
    assert_eq!((me.pid(), me.exitcode()), (std::process::id(), None));
    assert_eq!(me.name(), "MainProcess");
    assert!(me.parent().is_none() && parent_process().is_none());

    me.close();

    assert!(me.is_alive() && me.name() == "MainProcess", "closing the own handle does nothing");
    Ok(())
}

// parity: process.main-authkey-random
fn keys_of_two_runs_differ() -> TestResult {
    assert_eq!(current_process().authkey().as_bytes().len(), 32);

    let run = || scene("authkey", &Context::spawn()).output();
    let (one, other) = (run()?.stdout, run()?.stdout);

    assert_eq!(one.len(), 32, "the program writes the bytes of its key");
    assert_ne!(one, other);
    assert_ne!(one, current_process().authkey().as_bytes());
    Ok(())
}

// parity: process.cpu-count
fn processors_are_those_of_the_machine() -> TestResult {
    let here = multiproc::cpu_count();
    assert!(here >= 1);

    let (machine, usable) = in_child(&Context::spawn(), count_on_one_processor, ())?;

    assert_eq!(machine, here, "what a process may use does not change what there is");
    assert_eq!(usable, 1);
    Ok(())
}

// parity: process.parent-pid-and-name
fn child_knows_its_parent(ctx: &Context) -> TestResult {
    let child = ctx.process().name("the middle one").start(describe_parents, (name_of(ctx),))?;
    let pid = child.pid();

    let (parent, grandchilds) = child.result()?.map_err(|err| err.to_string())?;

    assert_eq!(parent, (std::process::id(), "MainProcess".into()));
    assert_eq!(Some(grandchilds.0), pid);
    assert_eq!(grandchilds.1, "the middle one");
    Ok(())
}

// parity: process.parent-join-timeout
fn parent_is_joined_with_a_timeout(ctx: &Context) -> TestResult {
    let (ended, waited, alive) = in_child(ctx, join_parent, (Duration::from_millis(100),))?;
    assert!(!ended && alive);
    assert!(waited >= Duration::from_millis(100), "joined for {waited:?} only");
    Ok(())
}

// parity: process.child-sees-own-attributes
fn child_sees_its_own_attributes(ctx: &Context) -> TestResult {
    let child = ctx.process().name("a name of its own").daemon(true).start(describe_self, ())?;
    let pid = child.pid().ok_or("it is started")?;

    let (name, seen, key, daemon) = child.result()?;

    assert_eq!((name.as_str(), seen, daemon), ("a name of its own", pid, true));
    assert_eq!(key, current_process().authkey().as_bytes());
    Ok(())
}

// parity: process.mainthread-native-id
fn main_thread_has_an_id_of_its_own(ctx: &Context) -> TestResult {
    let ours = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();

    let child = ctx.start(thread_id, ())?;
    let (pid, theirs) = (child.pid(), child.result()?);

    assert_eq!(Some(theirs), pid, "the id of a main thread is that of its process");
    assert!(theirs != ours && theirs != std::process::id());
    Ok(())
}

// parity: process.authkey-inherit-and-set
fn key_is_inherited_or_set(ctx: &Context) -> TestResult {
    let mut process = ctx.process().new(own_key, ());
    assert_eq!(*process.authkey(), current_process().authkey(), "copied when it is made");

    process.set_authkey(b"another")?;
    assert_eq!(process.authkey().as_bytes(), b"another");
    process.start()?;

    assert_eq!(process.result()?, b"another");
    assert!(process.set_authkey(b"too late").is_err());
    Ok(())
}

// parity: process.daemon-inherits-creator
fn daemon_flag_is_inherited_or_set(ctx: &Context) -> TestResult {
    let child = ctx.process().daemon(true).start(daemon_flags, (name_of(ctx),))?;
    assert_eq!(child.result()?, [true, false, true]);
    let child = ctx.process().daemon(false).start(daemon_flags, (name_of(ctx),))?;
    assert_eq!(child.result()?, [false, false, true]);
    Ok(())
}

/// Skips itself where this process may not make control groups.
// complaint: 27
fn quota_of_a_control_group_counts() -> TestResult {
    let Some(group) = Group::of_one_processor() else {
        println!("skipped: no control group with a quota can be made here");
        return Ok(());
    };
    let child = Context::spawn().start(count_within, (group.0.join("cgroup.procs"),))?;
    assert_eq!(child.result()??, 1);
    Ok(())
}

fn count_within(members: PathBuf) -> Result<usize, Failure> {
    fs::write(members, std::process::id().to_string())?;
    Ok(multiproc::process_cpu_count())
}

/// A control group, removed when this is dropped.
struct Group(PathBuf);

impl Group {
    /// Makes one whose members have one processor's time together.
    fn of_one_processor() -> Option<Self> {
        let name = format!("multiproc-test-{}", std::process::id());
        let settings: [(&str, &[(&str, &str)]); 2] = [
            ("/sys/fs/cgroup", &[("cpu.max", "100000 100000")]),
            (
                "/sys/fs/cgroup/cpu",
                &[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "100000")],
            ),
        ];
        settings.into_iter().find_map(|(root, settings)| {
            let group = Self(Path::new(root).join(&name));
            fs::create_dir(&group.0).ok()?;
            let set = |(file, value): &(&str, &str)| {
                // Writing to a file that is not there makes none.
                OpenOptions::new().write(true).open(group.0.join(file))?.write_all(value.as_bytes())
            };
            settings.iter().all(|setting| set(setting).is_ok()).then_some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn count_on_one_processor() -> Result<(usize, usize), Failure> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
    let mut one = rustix::thread::CpuSet::new();
    one.set(first.ok_or("no processor is allowed")?);
    rustix::thread::sched_setaffinity(None, &one)?;
    Ok((multiproc::cpu_count(), multiproc::process_cpu_count()))
}

type Parent = (u32, String);

fn describe_parent() -> Result<Parent, Failure> {
    let parent = parent_process().ok_or("a child has a parent")?;
    Ok((parent.pid(), parent.name().into()))
}

fn describe_parents(method: String) -> Result<(Parent, Parent), Failure> {
    let grandchild = context_named(&method).start(describe_parent, ())?;
    Ok((describe_parent()?, grandchild.result()??))
}

fn join_parent(timeout: Duration) -> Result<(bool, Duration, bool), Failure> {
    let parent = parent_process().ok_or("a child has a parent")?;
    let begun = Instant::now();
    let ended = parent.join_timeout(timeout)?;
    Ok((ended, begun.elapsed(), parent.is_alive()))
}

fn describe_self() -> (String, u32, Vec<u8>, bool) {
    let me = current_process();
    (me.name(), me.pid(), own_key(), me.daemon())
}

fn own_key() -> Vec<u8> {
    current_process().authkey().as_bytes().to_vec()
}

fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

fn daemon_flags(method: String) -> [bool; 3] {
    let make = || Process::builder().context(context_named(&method));
    [
        make().new(own_key, ()).daemon(),
        make().daemon(false).new(own_key, ()).daemon(),
        make().daemon(true).new(own_key, ()).daemon(),
    ]
}
