//! Small programs whose standard streams, exit or first process a test looks at: `scenes NAME START_METHOD`.

use std::{
    error::Error,
    io::{Read, Write},
    os::fd::{AsFd, AsRawFd},
};

use multiproc::{
    Context, Failure, Lock, Process,
    connection::{Sender, wait},
    simplex,
};
use multiproc_tests::{context_named, held, procfs};

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    // Whoever runs the tests in the background of a shell ignores Ctrl-C, and programs inherit that.
    // SAFETY: The default action installs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, method] = arguments.as_slice() else {
        return Err("usage: scenes NAME START_METHOD".into());
    };
    let ctx = context_named(method);
    match name.as_str() {
        "authkey" => {
            Ok(std::io::stdout().write_all(multiproc::current_process().authkey().as_bytes())?)
        }
        "panic" => tell(&ctx.process().name("the panicking one").start(panic, (7,))?),
        "error" => tell(&ctx.process().name("the failing one").start(fail, ())?),
        "messages" => messages(&ctx),
        "buffered" => buffered(&ctx),
        "input" => input(&ctx),
        "locked-lines" => lock_lines(&ctx),
        "four-children" => hear_four_children(&ctx),
        "daemon" => leave_a_daemon(&ctx),
        "gone" => remove_program(&ctx),
        "no-streams" => start_without_streams(&ctx),
        "ctrl-c" => be_interrupted(&ctx),
        "ctrl-c-handled" => handle_interrupt(&ctx),
        #[cfg(feature = "managers")]
        "shared-list" => share_a_list(ctx),
        _ => Err(format!("no scene is called {name}").into()),
    }
}

/// Exits with what the child returns, for there is nothing left to print it to.
fn start_without_streams(ctx: &Context) -> Result<(), Box<dyn Error>> {
    for stream in 0..=2 {
        // SAFETY: Nobody but the standard library knows the number, which can do without.
        unsafe { libc::close(stream) };
    }
    let child = ctx.start(
        || {
            println!("to nobody");
            7
        },
        (),
    )?;
    multiproc::exit(child.result()?)
}

fn tell<R>(process: &Process<R>) -> Result<(), Box<dyn Error>> {
    process.join()?;
    println!("exitcode {:?}", process.exitcode());
    Ok(())
}

fn messages(ctx: &Context) -> Result<(), Box<dyn Error>> {
    tell(&ctx.process().name("a").start(|| Err::<(), _>("ignore this".to_string()), ())?)?;
    tell(&ctx.process().name("b").start(|| Err::<(), _>([1, 2, 3]), ())?)
}

/// Has a manager make what has a name.
#[cfg(feature = "managers")]
fn share_a_list(ctx: Context) -> Result<(), Box<dyn Error>> {
    let manager = multiproc::managers::SharedMemoryManager::builder().context(ctx).start()?;
    let manager = multiproc::managers::SharedMemoryManager::from(manager);
    let list = manager.shareable_list([1, 2, 3])?;
    println!("{} items", list.len());
    Ok(manager.shutdown()?)
}

/// Neither process ends a line, so all of it lies in buffers for a while.
fn buffered(ctx: &Context) -> Result<(), Box<dyn Error>> {
    print!("parent, ");
    if ctx.get_start_method() != multiproc::StartMethod::Fork {
        // Only a fork copies the buffer, and so only it has to empty it before.
        std::io::stdout().flush()?;
    }
    ctx.start(|| print!("child, "), ())?.join()?;
    print!("parent again");
    Ok(())
}

fn lock_lines(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let lock = Lock::new()?;
    let children = (0..10).map(|i| ctx.start(print_line, (lock.clone(), i)));
    for child in children.collect::<Result<Vec<_>, _>>()? {
        child.result()??;
    }
    Ok(())
}

/// In three pieces, so that others have time to come between.
fn print_line(lock: Lock, i: u32) -> Result<(), Failure> {
    let _guard = lock.guard()?;
    for piece in ["hello ", "world ", &format!("{i}\n")] {
        std::io::stdout().write_all(piece.as_bytes())?;
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn hear_four_children(ctx: &Context) -> Result<(), Box<dyn Error>> {
    // Only those of the default context are called `Process-1` and so on.
    multiproc::set_start_method(ctx.get_start_method())?;
    let mut readers = Vec::new();
    for _ in 0..4 {
        let (rx, tx) = simplex::<(u32, String)>()?;
        let _ = multiproc::spawn(number_messages, (tx,))?;
        readers.push(rx);
    }
    while !readers.is_empty() {
        let ends: Vec<&dyn AsFd> = readers.iter().map(|reader| reader as &dyn AsFd).collect();
        let ready = wait(&ends, None)?;
        for place in ready.into_iter().rev() {
            match readers[place].recv() {
                Ok((number, name)) => println!("{number} {name}"),
                Err(err) if err.is_closed() => drop(readers.remove(place)),
                Err(err) => return Err(err.into()),
            }
        }
    }
    Ok(())
}

fn number_messages(line: Sender<(u32, String)>) -> Result<(), Failure> {
    for number in 0..10 {
        line.send(&(number, multiproc::current_process().name()))?;
    }
    Ok(())
}

fn input(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let theirs = ctx.start(read_all, ())?.result()?;
    print!("child read {theirs} bytes, parent {}", read_all());
    Ok(())
}

fn leave_a_daemon(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let (daemon, line) = held(ctx)?;
    std::mem::forget((daemon, line));
    println!("main returns");
    Ok(())
}

/// Removes the file of this program and closes every descriptor of it; another file takes the number.
fn remove_program(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    for descriptor in procfs::open_descriptors() {
        if std::fs::read_link(format!("/proc/self/fd/{descriptor}"))
            .is_ok_and(|file| file == program)
        {
            let null = std::fs::File::open("/dev/null")?;
            // SAFETY: Plain numbers. That the descriptor belongs to the library is the point.
            unsafe { libc::dup2(null.as_raw_fd(), descriptor) };
        }
    }
    std::fs::remove_file(program)?;
    println!("started all the same: {}", ctx.start(|| 7, ())?.result()?);
    Ok(())
}

fn be_interrupted(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let children = [held(ctx)?, held(ctx)?, held(ctx)?];
    println!("ready");
    for (child, _) in &children {
        child.join()?;
    }
    // Long before this the signal has ended this process.
    loop {
        std::thread::park();
    }
}

extern "C" fn ignore(_signal: libc::c_int) {}

fn handle_interrupt(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let children = [held(ctx)?, held(ctx)?, held(ctx)?];
    // Only now, because a fork copies what its parent does about signals.
    // SAFETY: The handler does nothing.
    unsafe { libc::signal(libc::SIGINT, ignore as extern "C" fn(libc::c_int) as usize) };
    println!("ready");
    for (child, _) in &children {
        child.join()?;
    }
    println!("exit codes {:?}", children.map(|(child, _)| child.exitcode()));
    println!("and again {}", ctx.start(|| 7, ())?.result()?);
    Ok(())
}

fn read_all() -> usize {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap()
}

fn panic(number: u32) {
    if number == 7 {
        panic!("seven is too many");
    }
}

fn fail() -> Result<i32, Failure> {
    Ok("not a number".parse()?)
}
