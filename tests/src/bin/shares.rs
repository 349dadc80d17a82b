//! Small programs that share memory, for tests that look at what they leave behind: `shares SCENE [NAME]`.
//!
//! A scene that says `ready` ends when its standard input does.

use std::{
    error::Error,
    fs::File,
    io::{Read, Write},
    os::fd::AsFd,
};

use multiproc::{
    Context, Failure,
    connection::Sender,
    shared_memory::{Segment, SharedMemory},
    simplex,
    wire::Fd,
};
use multiproc_tests::procfs;
use rustix::process::{Pid, Signal, kill_process};

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make"] => make(),
        ["make-untracked", name] => {
            SharedMemory::builder().track(false).create_named(name, 10)?;
            Ok(())
        }
        ["make-many", name] => make_many(name),
        ["attach-tracked", name] => {
            SharedMemory::builder().track(true).open(name)?;
            Ok(())
        }
        ["attach-untracked", name] => {
            SharedMemory::builder().track(false).open(name)?;
            Ok(())
        }
        ["attach", name] => {
            SharedMemory::open(name)?;
            Ok(())
        }
        ["unlink"] => {
            SharedMemory::create(10)?.unlink()?;
            Ok(())
        }
        ["tracker-killed"] => kill_tracker(),
        ["child-goes-on", method] => leave_a_child(&multiproc_tests::context_named(method)),
        ["child-makes"] => child_makes(),
        ["no-room", name] => no_room(name),
        _ => Err(format!("no scene is called {arguments:?}").into()),
    }
}

/// Says its names, and goes when it is told to, without unlinking.
fn make() -> Result<(), Box<dyn Error>> {
    let blocks = [SharedMemory::create(10)?, SharedMemory::create(10)?];
    println!("{} {}", blocks[0].name(), blocks[1].name());
    wait()
}

/// Makes and unlinks until it is killed.
fn make_many(name: &str) -> Result<(), Box<dyn Error>> {
    for number in 0_u64.. {
        if number == 100 {
            println!("ready");
            std::io::stdout().flush()?;
        }
        SharedMemory::create_named(&format!("{name}_{number}"), 10)?.unlink()?;
    }
    Ok(())
}

/// Kills its tracker before it makes another name.
fn kill_tracker() -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::create(10)?;
    for child in procfs::children_of(std::process::id()) {
        kill_process(Pid::from_raw(child as i32).ok_or("a pid")?, Signal::KILL)?;
        procfs::wait_until_ended(child);
    }
    SharedMemory::create(10)?.unlink()?;
    memory.unlink()?;
    Ok(())
}

/// Starts a child that goes on when this process is killed: until their common standard input ends.
fn leave_a_child(ctx: &Context) -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::create(10)?;
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let (ours, theirs) = simplex::<()>()?;
    let child = ctx.start(go_on, (memory.name().to_owned(), Fd(input), theirs))?;
    ours.recv()?;
    println!("{}", memory.name());
    std::io::stdout().flush()?;
    child.join()?;
    Ok(())
}

fn go_on(name: String, mut input: Fd<File>, ready: Sender<()>) -> Result<(), Failure> {
    ready.send(&())?;
    input.read_to_end(&mut Vec::new())?;
    match SharedMemory::open(&name) {
        Ok(_) => println!("still there"),
        Err(err) => println!("{err}"),
    }
    Ok(())
}

/// Has a child make a block when this process has no tracker yet.
fn child_makes() -> Result<(), Box<dyn Error>> {
    let make = || SharedMemory::create(10).map_err(Failure::from);
    let child = Context::spawn().start(make, ())?;
    let memory = child.result()??;
    let there = SharedMemory::open(memory.name()).is_ok();
    memory.unlink()?;
    let gone = SharedMemory::open(memory.name()).is_err();
    println!("there {there}, then gone {gone}");
    Ok(())
}

fn no_room(sparse: &str) -> Result<(), Box<dyn Error>> {
    let err = SharedMemory::create(1 << 20).unwrap_err();
    println!("{err}");
    std::fs::File::create(format!("/dev/shm/{sparse}"))?.set_len(1 << 20)?;
    println!("{}", SharedMemory::open(sparse).unwrap_err());
    std::fs::remove_file(format!("/dev/shm/{sparse}"))?;
    let segment = Segment::new(8 << 20)?;
    segment.bytes().fill(1);
    let small = SharedMemory::create(4096)?;
    small.buf().fill(1);
    small.unlink()?;
    println!("all written");
    Ok(())
}

fn wait() -> Result<(), Box<dyn Error>> {
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
