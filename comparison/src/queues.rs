//! Items one way, between two processes on two cores: our queue, iceoryx2 and ipc-channel, one round after the other.
//!
//! Not the same service: iceoryx2 publishes without waking anybody, and who subscribes polls; ipc-channel is a stream of
//! messages with one receiver. Ours sleeps when there is nothing, and takes any number of processes on both sides.

use std::{hint::black_box, time::Instant};

use iceoryx2::{
    port::update_connections::UpdateConnections,
    prelude::*,
    service::port_factory::{PortFactory as _, publish_subscribe::PortFactory},
};
use ipc_channel::ipc as channels;
use multiproc_queue::{Plain, Queue};

use crate::{Result, middle};

const ROUNDS: usize = 5;
/// For how many items the queue, and a subscriber of iceoryx2, has room.
const BUFFER: usize = 1024;

/// Prints a table of throughputs.
pub(crate) fn compare() -> Result<()> {
    println!("{:12} {:>14} {:>14} {:>14}", "item", "multiproc", "iceoryx2", "ipc-channel");
    rows::<8>("8 B, M/s", [4_000_000, 1_000_000, 200_000], 1e-6)?;
    rows::<64>("64 B, M/s", [4_000_000, 1_000_000, 200_000], 1e-6)?;
    rows::<4096>("4 KiB, GiB/s", [400_000, 400_000, 100_000], 4096.0 / f64::from(1 << 30))
}

/// Measures all three with items of `N` bytes, and prints the middle figure of each.
fn rows<const N: usize>(name: &str, counts: [u32; 3], unit: f64) -> Result<()> {
    let mut figures: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let seconds = [ours::<N>(counts[0])?, iceoryx::<N>(counts[1])?, channel::<N>(counts[2])?];
        for ((figures, count), seconds) in figures.iter_mut().zip(counts).zip(seconds) {
            figures.push(f64::from(count) * unit / seconds);
        }
    }
    let middle = figures.map(middle);
    println!("{name:12} {:14.3} {:14.3} {:14.3}", middle[0], middle[1], middle[2]);
    Ok(())
}

fn ours<const N: usize>(count: u32) -> Result<f64> {
    // Split, so that the end of a child that fails is the end of the waiting.
    let (sender, receiver) = Queue::<[u8; N], Plain>::bounded(BUFFER)?.split();
    let child = fork(|| Ok((0..=count).try_for_each(|number| sender.put([number as u8; N]))?))?;
    drop(sender);
    receiver.get()?;
    let begin = Instant::now();
    for _ in 0..count {
        black_box(receiver.get()?);
    }
    let seconds = begin.elapsed().as_secs_f64();
    child.wait()?;
    Ok(seconds)
}

fn service<const N: usize>(
    node: &Node<ipc::Service>,
    pid: u32,
) -> Result<PortFactory<ipc::Service, [u8; N], ()>> {
    let name = format!("multiproc-comparison/{pid}/{N}");
    Ok(node
        .service_builder(&name.as_str().try_into()?)
        .publish_subscribe::<[u8; N]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(BUFFER)
        .open_or_create()?)
}

fn iceoryx<const N: usize>(count: u32) -> Result<f64> {
    let pid = std::process::id();
    // Forked first, so that each process makes all that it uses.
    let child = fork(|| {
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = service::<N>(&node, pid)?;
        let strategy = BackpressureStrategy::RetryUntilDelivered;
        let publisher = service.publisher_builder().backpressure_strategy(strategy).create()?;
        while service.dynamic_config().number_of_subscribers() == 0 {
            std::thread::yield_now();
        }
        publisher.update_connections()?;
        for number in 0..=count {
            publisher.loan_uninit()?.write_payload([number as u8; N]).send()?;
        }
        // A publisher that goes takes along what has not been received.
        while service.dynamic_config().number_of_subscribers() != 0 {
            std::thread::yield_now();
        }
        Ok(())
    })?;
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let service = service::<N>(&node, pid)?;
    let subscriber = service.subscriber_builder().buffer_size(BUFFER).create()?;
    let take = || -> Result<()> {
        for turn in 1u32.. {
            if let Some(sample) = subscriber.receive()? {
                black_box(*sample);
                return Ok(());
            }
            // Seldom enough not to count.
            if turn.is_multiple_of(1 << 20) && child.has_ended() {
                break;
            }
            std::hint::spin_loop();
        }
        Err("a child failed".into())
    };
    take()?;
    let begin = Instant::now();
    (0..count).try_for_each(|_| take())?;
    let seconds = begin.elapsed().as_secs_f64();
    drop(subscriber);
    child.wait()?;
    Ok(seconds)
}

fn channel<const N: usize>(count: u32) -> Result<f64> {
    let (sender, receiver) = channels::channel::<Vec<u8>>()?;
    let child = fork(|| {
        let item = vec![7; N];
        Ok((0..=count).try_for_each(|_| sender.send(item.clone()))?)
    })?;
    // Else this process would wait for what it could send itself.
    drop(sender);
    receiver.recv()?;
    let begin = Instant::now();
    for _ in 0..count {
        black_box(receiver.recv()?);
    }
    let seconds = begin.elapsed().as_secs_f64();
    child.wait()?;
    Ok(seconds)
}

/// A forked child.
struct Child(libc::pid_t);

/// Runs `work` in a child on the second core; this process runs on the first.
fn fork(work: impl FnOnce() -> Result<()>) -> Result<Child> {
    pin(0)?;
    // SAFETY: This process has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error().into()),
        0 => {
            let result = pin(1).and_then(|()| work());
            if let Err(err) = &result {
                eprintln!("{err}");
            }
            // SAFETY: Leaves without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        pid => Ok(Child(pid)),
    }
}

impl Child {
    /// True once it has ended, which [`wait`](Self::wait) still tells of.
    fn has_ended(&self) -> bool {
        // SAFETY: A plain structure.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: `info` is live.
        let asked =
            unsafe { libc::waitid(libc::P_PID, self.0.cast_unsigned(), &raw mut info, flags) };
        // SAFETY: Filled in by waitid(2), or zero.
        asked != 0 || unsafe { info.si_pid() } != 0
    }

    fn wait(self) -> Result<()> {
        let mut status = 0;
        // SAFETY: `status` is a live integer.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        if pid == self.0 && status == 0 { Ok(()) } else { Err("a child failed".into()) }
    }
}

fn pin(core: usize) -> Result<()> {
    // SAFETY: An empty set is all zeros.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: Within the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: The set is live and of that size.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if result == -1 {
        let err = std::io::Error::last_os_error();
        return Err(format!("failed to pin a process to core {core}: {err}").into());
    }
    Ok(())
}
