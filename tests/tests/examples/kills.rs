//! `checksum` while its workers are killed.

use std::{
    error::Error,
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
};

use multiproc::Context;
use multiproc_tests::{
    Scratch, TestResult, each_start_method, name_of, once, procfs, random::Random,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    programs::{example, last_line},
    tree,
};

each_start_method! { killed_workers_change_nothing, file_that_kills_its_workers_is_one_line }

once! { worker_killed_once_without_retries_costs_nothing_but_itself }

/// Lets `meddle` do something to a program again and again until it has ended.
fn run_under(command: &mut Command, mut meddle: impl FnMut(u32)) -> Result<Output, Box<dyn Error>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<std::io::Result<Vec<u8>>> {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).map(|_| bytes)
        })
    }
    let stdout = read(child.stdout.take().ok_or("no stdout")?);
    let stderr = read(child.stderr.take().ok_or("no stderr")?);
    let status = loop {
        if let Some(status) = ended(&mut child)? {
            break status;
        }
        meddle(child.id());
    };
    let (stdout, stderr) =
        (stdout.join().map_err(|_| "panic")??, stderr.join().map_err(|_| "panic")??);
    Ok(Output { status, stdout, stderr })
}

fn ended(child: &mut Child) -> Result<Option<ExitStatus>, Box<dyn Error>> {
    Ok(child.try_wait()?)
}

/// The workers of a program: its children, and where the fork server has to be their parent, the server's.
fn workers(program: u32) -> Vec<u32> {
    let is_server = |child: &u32| procfs::comm(*child) == "ForkServer";
    let (servers, mut workers): (Vec<_>, Vec<_>) =
        procfs::children_of(program).into_iter().partition(is_server);
    workers.extend(servers.into_iter().flat_map(procfs::children_of));
    workers
}

fn kill(pid: u32) -> bool {
    Pid::from_raw(pid.cast_signed()).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// True if a process has a file below `top` open.
fn reads_below(pid: u32, top: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors
        .into_iter()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|file| file.starts_with(top)))
}

fn killed_workers_change_nothing(ctx: &Context) -> TestResult {
    let method = name_of(ctx);
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("kills-{method}"))?;
    let top = scratch.join("top");
    for folder in 0..20 {
        let folder = top.join(format!("folder{folder}"));
        fs::create_dir_all(&folder)?;
        for file in 0..200 {
            fs::write(folder.join(format!("file{file}")), tree::noise(file * 10))?;
        }
        fs::write(folder.join("large"), tree::noise(200_000))?;
    }
    let checksum = || {
        let mut checksum = example("checksum");
        checksum.arg(&top).args([
            "--processes",
            "3",
            "--retries",
            "100000",
            "--start-method",
            &method,
        ]);
        checksum
    };
    let expected = checksum().output()?;
    assert!(expected.status.success());
    if let Some(reference) = tree::reference(&scratch, top.as_os_str())? {
        assert!(expected.stdout == reference);
    }

    let mut random = Random::new();
    let (mut kills, mut lost) = (0, 0);
    while kills < 300 {
        let output = run_under(&mut checksum(), |program| {
            for worker in workers(program) {
                random.dither();
                // Many at work, some at their start or between two tasks; were it all of them, nothing would be done.
                let chance = if reads_below(worker, &top) { 4 } else { 12 };
                if random.below(chance) == 0 && kill(worker) {
                    kills += 1;
                }
            }
        })?;
        let (last, errors) = last_line(&output)?;
        assert_eq!(errors, [""; 0]);
        assert!(output.status.success());
        assert!(output.stdout == expected.stdout, "{kills} kills have changed the output");
        lost += last.lost;
    }
    println!("{kills} kills, {lost} workers lost");
    assert!(lost > 100);
    Ok(())
}

fn file_that_kills_its_workers_is_one_line(ctx: &Context) -> TestResult {
    let method = name_of(ctx);
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("poison-{method}"))?;
    for at in 0..100 {
        fs::write(scratch.join(format!("file{at}")), tree::noise(at))?;
    }
    let poison = scratch.join("file5 is poison");
    // With a hole, for it must be large enough to be caught.
    fs::File::create(&poison)?.set_len(1 << 30)?;

    let mut checksum = example("checksum");
    checksum.arg(&*scratch).args(["--processes", "2", "--retries", "3", "--start-method", &method]);
    let output = run_under(&mut checksum, |program| {
        for worker in workers(program) {
            if reads_below(worker, &poison) {
                kill(worker);
            }
        }
    })?;

    let (last, errors) = last_line(&output)?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors, [format!("checksum: {}: worker was lost (signal 9)", poison.display())]);
    assert_eq!(last.files, 100);
    assert_eq!(last.lost, 4, "once, and three times again");
    fs::remove_file(&poison)?;
    if let Some(expected) = tree::reference(&scratch, scratch.as_os_str())? {
        assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&expected));
    }
    Ok(())
}

fn worker_killed_once_without_retries_costs_nothing_but_itself() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "no-retries")?;
    for at in 0..100 {
        fs::write(scratch.join(format!("file{at}")), tree::noise(at))?;
    }
    let large = scratch.join("large");
    fs::File::create(&large)?.set_len(1 << 30)?;
    let mut has_killed = false;
    let mut checksum = example("checksum");
    checksum.arg(&*scratch).args(["--processes", "1", "--retries", "0"]);
    let output = run_under(&mut checksum, |program| {
        for worker in workers(program) {
            if !has_killed && reads_below(worker, &large) {
                has_killed = kill(worker);
            }
        }
    })?;
    let (last, errors) = last_line(&output)?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((last.files, last.lost), (100, 1));
    Ok(())
}
