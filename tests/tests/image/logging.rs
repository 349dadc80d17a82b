//! What the library says of its work: `[LEVEL/ProcessName] message`.

use std::{
    fs::File,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use multiproc::{Context, Failure, Level, force_start_method, get_logger, log_to_stderr};
use multiproc_tests::contexts;
use rustix::fs::{MemfdFlags, memfd_create};

multiproc_tests::once_alone! {
    nothing_is_said_unless_asked,
    lines_say_level_and_name_in_every_process,
    level_holds_for_every_process_started_later,
    one_line_is_said_once,
}

fn nothing_is_said_unless_asked() -> Result<(), Failure> {
    let heard = capture_stderr()?;
    get_logger().set_level(Level::SubDebug);
    get_logger().log(Level::Error, "to nobody");
    for (_, ctx) in contexts() {
        ctx.start(say_of_every_level, ())?.join()?;
    }
    assert_eq!(text(&heard)?, "");
    Ok(())
}

fn lines_say_level_and_name_in_every_process() -> Result<(), Failure> {
    let heard = capture_stderr()?;
    log_to_stderr(Level::Info).log(Level::Warning, "from the parent");
    assert_eq!(text(&heard)?, "[WARNING/Alone] from the parent\n");

    for (name, ctx) in contexts() {
        let from = text(&heard)?.len();
        ctx.process().name("speaker").start(say_of_every_level, ())?.join()?;
        let said = text(&heard)?[from..].to_string();
        for line in [
            "[INFO/speaker] child process calling self.run()",
            "[INFO/speaker] an INFO",
            "[SUBWARNING/speaker] a SUBWARNING",
            "[WARNING/speaker] a WARNING",
            "[ERROR/speaker] an ERROR",
            "[INFO/speaker] process shutting down",
            "[INFO/speaker] process exiting with exitcode 0",
        ] {
            assert_eq!(
                said.lines().filter(|said| *said == line).count(),
                1,
                "{name}: {line} in {said}"
            );
        }
        for line in said.lines() {
            let (tag, message) =
                line.strip_prefix('[').and_then(|line| line.split_once("] ")).ok_or("a tag")?;
            let (level, process) = tag.split_once('/').ok_or("a level and a name")?;
            assert!(["INFO", "SUBWARNING", "WARNING", "ERROR"].contains(&level), "{name}: {line}");
            assert!(["Alone", "speaker", "ForkServer"].contains(&process), "{name}: {line}");
            assert!(!message.is_empty(), "{name}: {line}");
        }
    }
    Ok(())
}

fn level_holds_for_every_process_started_later() -> Result<(), Failure> {
    let heard = capture_stderr()?;
    log_to_stderr(None);
    assert_eq!(get_logger().level(), Level::Warning, "as long as nobody sets another");
    for (method, ctx) in contexts() {
        force_start_method(Some(ctx.get_start_method()));
        for (level, expected) in [(Level::Debug, true), (Level::Error, false), (Level::Info, false)]
        {
            get_logger().set_level(level);
            let from = text(&heard)?.len();
            let of_grandchild =
                Context::from(ctx.get_start_method()).start(level_of_child, ())?.result()??;
            assert_eq!(of_grandchild, level.to_string(), "{method}");
            let said = text(&heard)?[from..].to_string();
            assert_eq!(said.contains("[DEBUG/"), expected, "{method} {level}: {said}");
            assert_eq!(said.is_empty(), level == Level::Error, "{method} {level}: {said}");
        }
    }
    Ok(())
}

fn one_line_is_said_once() -> Result<(), Failure> {
    let heard = capture_stderr()?;
    log_to_stderr(Level::Warning);
    log_to_stderr(None).log(Level::Warning, "once");
    assert_eq!(
        text(&heard)?,
        "[WARNING/Alone] once\n",
        "asking again changes no level and doubles no line"
    );
    Ok(())
}

/// Has this process, and those it starts, write its errors to a file in memory.
fn capture_stderr() -> Result<File, Failure> {
    let file = File::from(memfd_create("stderr", MemfdFlags::CLOEXEC)?);
    let placed = unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) };
    assert_eq!(placed, libc::STDERR_FILENO);
    Ok(file)
}

/// What is in the file; its position belongs to those who write.
fn text(file: &File) -> Result<String, Failure> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len())?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8(bytes)?)
}

fn say_of_every_level() {
    let logger = get_logger();
    for level in [Level::SubDebug, Level::Debug, Level::SubWarning, Level::Warning] {
        logger.log(level, format_args!("a {level}"));
    }
    for level in [Level::Info, Level::Error] {
        logger.log(level, format_args!("an {level}"));
    }
}

fn level_of_child() -> Result<String, Failure> {
    Ok(multiproc::spawn(|| get_logger().level().to_string(), ())?.result()?)
}
