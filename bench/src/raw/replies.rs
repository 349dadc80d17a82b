//! A server that answers requests and does nothing else: what a call of a proxy costs at least.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream},
    },
    process, thread,
    time::Instant,
};

use rustix::pipe::{PipeFlags, pipe_with};

use super::fork;

/// How long the request of a small call is, and its reply, length prefixes included.
pub(crate) const SHORT: usize = 56;

/// Where the server listens.
enum Address {
    Tcp(SocketAddr),
    /// Not a path, which would outlive a server that is killed.
    Abstract(UnixAddr),
}

/// A process that answers each request of so many bytes with so many, a thread for each client. It ends with this handle.
pub(crate) struct Replies {
    address: Address,
    reply: usize,
    // Taken by `drop`, for its end is what tells the server to end.
    lifeline: Option<OwnedFd>,
    pid: libc::pid_t,
}

impl Replies {
    /// Forks the server. This process must have one thread.
    pub(crate) fn start(tcp: bool, reply: usize) -> io::Result<Self> {
        let (end, lifeline) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut lifeline = Some(lifeline);
        let (address, pid) = if tcp {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = Address::Tcp(listener.local_addr()?);
            let accept = move || {
                let (socket, _) = listener.accept()?;
                socket.set_nodelay(true)?;
                Ok(socket)
            };
            (address, fork::fork(|| serve(accept, reply, &end, lifeline.take()))?)
        } else {
            let address =
                UnixAddr::from_abstract_name(format!("multiproc-bench-{}", process::id()))?;
            let listener = UnixListener::bind_addr(&address)?;
            let accept = move || listener.accept().map(|(socket, _)| socket);
            (
                Address::Abstract(address),
                fork::fork(|| serve(accept, reply, &end, lifeline.take()))?,
            )
        };
        Ok(Self { address, reply, lifeline, pid })
    }

    /// Has so many clients make so many calls each at once; returns the calls of all in a second.
    pub(crate) fn rate(&self, clients: usize, count: usize) -> io::Result<f64> {
        let started = Instant::now();
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..clients).map(|_| scope.spawn(|| self.client(count))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
            })
        })?;
        Ok((clients * count) as f64 / started.elapsed().as_secs_f64())
    }

    fn client(&self, count: usize) -> io::Result<()> {
        match &self.address {
            Address::Tcp(address) => {
                let socket = TcpStream::connect(address)?;
                socket.set_nodelay(true)?;
                call(socket, count, self.reply)
            }
            Address::Abstract(address) => {
                call(UnixStream::connect_addr(address)?, count, self.reply)
            }
        }
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.lifeline = None;
        let _ = fork::wait(self.pid);
    }
}

fn call(mut socket: impl Read + Write, count: usize, reply: usize) -> io::Result<()> {
    let (request, mut answer) = ([7; SHORT], vec![0; reply]);
    for _ in 0..count {
        socket.write_all(&request)?;
        socket.read_exact(&mut answer)?;
    }
    Ok(())
}

/// Answers all who come until the lifeline ends, of which `ours` is this process's copy.
fn serve<S: Read + Write + Send + 'static>(
    accept: impl Fn() -> io::Result<S> + Send + 'static,
    reply: usize,
    end: &OwnedFd,
    ours: Option<OwnedFd>,
) -> libc::c_int {
    drop(ours);
    thread::spawn(move || {
        while let Ok(mut socket) = accept() {
            thread::spawn(move || {
                let (mut request, answer) = ([0; SHORT], vec![7; reply]);
                while socket.read_exact(&mut request).is_ok() && socket.write_all(&answer).is_ok() {
                }
            });
        }
    });
    i32::from(rustix::io::read(end, &mut [0]) != Ok(0))
}
