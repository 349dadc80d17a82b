//! What the library says of its work: `[LEVEL/ProcessName] message`.

use std::time::Duration;

use multiproc::{
    Context, Failure, Level,
    connection::{Receiver, Sender},
    force_start_method, get_logger, log_to_stderr, simplex,
};
use multiproc_tests::{context_named, contexts, stderr};

multiproc_tests::once_alone! {
    nothing_is_said_unless_asked,
    lines_say_level_and_name_in_every_process,
    level_holds_for_every_process_started_later,
    ends_of_children_are_told_of,
    one_line_is_said_once,
}
#[cfg(feature = "managers")]
multiproc_tests::once_alone! { manager_tells_of_its_life }

// parity: logging.enable
fn nothing_is_said_unless_asked() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    get_logger().set_level(Level::SubDebug);
    assert_eq!(get_logger().level(), Level::SubDebug, "there is one logger");
    get_logger().log(Level::Error, "to nobody");
    for (_, ctx) in contexts() {
        ctx.start(say_of_every_level, ())?.join()?;
    }
    assert_eq!(stderr::text(&heard)?, "");
    Ok(())
}

// DIFFERENCE: `process shutting down` comes before `process exiting with exitcode`, as CPython in fact says it.
// parity: logging.stderr-format, logging.process-name-in-record, logging.levels, logging.child-lifecycle-messages
fn lines_say_level_and_name_in_every_process() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    log_to_stderr(Level::Info).log(Level::Warning, "from the parent");
    assert_eq!(stderr::text(&heard)?, "[WARNING/Alone] from the parent\n");

    let levels = [Level::SubDebug, Level::Debug, Level::Info, Level::SubWarning, Level::Warning];
    assert!(levels.is_sorted(), "sub-debug and sub-warning are just below theirs");
    for (name, ctx) in contexts() {
        let from = stderr::text(&heard)?.len();
        ctx.process().name("speaker").start(say_of_every_level, ())?.join()?;
        let said = stderr::text(&heard)?[from..].to_string();
        let mut places = Vec::new();
        for line in [
            "[INFO/speaker] child process calling self.run()",
            "[SUBWARNING/speaker] a SUBWARNING",
            "[WARNING/speaker] a WARNING",
            "[INFO/speaker] an INFO",
            "[ERROR/speaker] an ERROR",
            "[INFO/speaker] process shutting down",
            "[INFO/speaker] process exiting with exitcode 0",
        ] {
            let found = |(_, said): &(usize, &str)| *said == line;
            let found: Vec<usize> =
                said.lines().enumerate().filter(found).map(|(place, _)| place).collect();
            assert_eq!(found.len(), 1, "{name}: {line} in {said}");
            places.extend(found);
        }
        assert!(places.is_sorted(), "{name}: one after the other in {said}");
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

// parity: logging.level-inherited, logging.stderr-level-arg
fn level_holds_for_every_process_started_later() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    log_to_stderr(None);
    assert_eq!(get_logger().level(), Level::Warning, "as long as nobody sets another");
    assert_eq!(log_to_stderr(Level::SubWarning).level(), Level::SubWarning);
    for (method, ctx) in contexts() {
        force_start_method(Some(ctx.get_start_method()));
        for (level, expected) in [(Level::Debug, true), (Level::Error, false), (Level::Info, false)]
        {
            get_logger().set_level(level);
            let from = stderr::text(&heard)?.len();
            let of_grandchild =
                Context::from(ctx.get_start_method()).start(level_of_child, ())?.result()??;
            assert_eq!(of_grandchild, level.to_string(), "{method}");
            let said = stderr::text(&heard)?[from..].to_string();
            assert_eq!(said.contains("[DEBUG/"), expected, "{method} {level}: {said}");
            assert_eq!(said.is_empty(), level == Level::Error, "{method} {level}: {said}");
        }
    }
    Ok(())
}

// parity: logging.exit-messages
fn ends_of_children_are_told_of() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    log_to_stderr(Level::Info);
    for (name, ctx) in contexts() {
        let from = stderr::text(&heard)?.len();
        let method = ctx.get_start_method().to_string();
        ctx.process().name("parent").daemon(false).start(leave_two, (method,))?.result()??;
        let said = stderr::text(&heard)?[from..].to_string();
        for line in [
            "[INFO/parent] calling terminate() for daemon the daemon",
            "[INFO/parent] calling join() for process the daemon",
            "[INFO/parent] calling join() for process the other",
        ] {
            assert!(said.lines().any(|said| said == line), "{name}: {line} in {said}");
        }
    }
    Ok(())
}

/// The other ends when the daemon has ended.
fn leave_two(method: String) -> Result<(), Failure> {
    let ctx = context_named(&method);
    let (rx, tx) = simplex::<()>()?;
    let daemon = ctx.process().daemon(true).name("the daemon");
    let _ = daemon.start(|_tx: Sender<()>| std::thread::sleep(Duration::MAX), (tx,))?;
    let other = ctx.process().daemon(false).name("the other");
    let _ = other.start(|rx: Receiver<()>| assert!(rx.recv().is_err()), (rx,))?;
    Ok(())
}

// parity: logging.manager-messages, manager.scope-prestarted
#[cfg(feature = "managers")]
fn manager_tells_of_its_life() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    log_to_stderr(Level::Info);
    for (name, ctx) in contexts() {
        let from = stderr::text(&heard)?.len();
        let manager = multiproc::Manager::builder().context(ctx).start()?;
        let process = manager.process_name().ok_or("it was started here")?;
        {
            let _scope = manager;
        }
        let said = stderr::text(&heard)?[from..].to_string();
        let mut rest = said.as_str();
        for line in [
            &format!("[INFO/{process}] child process calling self.run()\n"),
            &format!("[INFO/{process}] created temp directory "),
            "/pymp-",
            &format!("[INFO/{process}] manager serving at "),
            "/listener-",
            "[INFO/Alone] sending shutdown message to manager\n",
            &format!("[INFO/{process}] process exiting with exitcode 0\n"),
        ] {
            rest = rest.split_once(line).ok_or(format!("{name}: no {line} in {said}"))?.1;
        }
        assert_eq!(said.matches("manager serving").count(), 1, "{name}: {said}");
    }
    Ok(())
}

// parity: logging.twice-twice
fn one_line_is_said_once() -> Result<(), Failure> {
    let heard = stderr::capture()?;
    log_to_stderr(Level::Warning);
    log_to_stderr(None).log(Level::Warning, "once");
    assert_eq!(
        stderr::text(&heard)?,
        "[WARNING/Alone] once\n",
        "asking again changes no level and doubles no line"
    );
    Ok(())
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
