//! Workers that are processes, each with a link and a board of its own.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
};

use multiproc_image::{StartError, logging};
use multiproc_process::{Context, Process, StartMethod};
use multiproc_sys::{board::Board, packet, primitive::Ordering};
use multiproc_wire::Handle;

use super::{
    Answer, Death, Given, Order, Outfit, Worker, Workers, child,
    claims::OUT_OF_MEMORY,
    desk::is_closed,
    frame::{self, Packet, Said, Told},
};
use crate::{job::Outcome, oom::OutOfMemory, program::Program};

/// Starts worker processes.
pub(crate) struct ProcessWorkers {
    context: Context,
    method: StartMethod,
    outfit: Outfit,
}

impl ProcessWorkers {
    /// Those of a context as it is now: a pool keeps its start method, whatever is chosen later.
    pub(crate) fn new(context: Context, outfit: Outfit) -> Self {
        let method = context.get_start_method();
        Self { context: context.fixed(), method, outfit }
    }
}

/// A worker process.
pub(crate) struct ProcessWorker {
    process: Process<()>,
    link: OwnedFd,
    board: Board,
    /// What is received into, from one answer to the next.
    buffers: Mutex<(Vec<u8>, Vec<OwnedFd>)>,
    oom: OutOfMemory,
}

impl Workers for ProcessWorkers {
    type Worker = ProcessWorker;
    const ARE_PROCESSES: bool = true;

    fn start(&self) -> Result<ProcessWorker, StartError> {
        let (ours, theirs) = packet::pair().map_err(StartError::os("make the link of a worker"))?;
        let (board, file) = Board::new().map_err(StartError::os("make the board of a worker"))?;
        let args = (Handle::from(theirs), Handle::from(file), self.outfit.clone());
        let mut process = self.context.process().daemon(true).new(child::work, args);
        process.set_name(process.name().replacen("Process", "PoolWorker", 1));
        process.start()?;
        logging::debug(format_args!("added worker {}", process.name()));
        let oom = OutOfMemory::now();
        Ok(ProcessWorker { process, link: ours, board, buffers: Mutex::default(), oom })
    }

    fn copies_the_caller(&self) -> bool {
        self.method == StartMethod::Fork
    }
}

impl ProcessWorker {
    fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Given {
        match packet::try_send(self.link.as_fd(), bytes, fds) {
            Ok(()) => Given::Taken,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Given::Full,
            Err(err) if is_closed(&err) => Given::Gone,
            Err(err) => Given::Refused(err.to_string()),
        }
    }

    fn understand(&self, bytes: &[u8], fds: Vec<OwnedFd>) -> Option<Answer> {
        let (said, rest) = frame::head::<Said>(bytes)?;
        Some(match said {
            Said::Ready => Answer::Ready,
            Said::Unfit(err) => Answer::Unfit(err),
            Said::Replace => Answer::Replace,
            Said::LastWords(err) => Answer::LastWords(err),
            Said::Results(head) => {
                let (body, lens, fds) = frame::received(&head, rest, fds)?;
                let outcome = Outcome::Wire { body, lens, fds };
                Answer::Results { seq: head.seq, count: head.count, outcome }
            }
        })
    }
}

impl Worker for ProcessWorker {
    fn give(&self, orders: &[Order<'_>]) -> Given {
        let mut programs = Vec::with_capacity(orders.len());
        for order in orders {
            match &order.task.job.program {
                Program::Wire(program) if !order.is_loaded => match program.message() {
                    Ok(message) => programs.push(Some(message)),
                    Err(err) => return Given::Refused(err.to_string()),
                },
                _ => programs.push(None),
            }
        }
        match frame::orders(orders, &programs, Packet::default()) {
            Ok(packet) => self.send(&packet.bytes, &packet.fds),
            Err(err) => Given::Refused(err.to_string()),
        }
    }

    fn stop(&self) -> Given {
        self.send(&frame::bare(&Told::Stop), &[])
    }

    fn take(&self) -> Answer {
        let Ok(mut buffers) = self.buffers.lock() else { return Answer::Gone };
        let (bytes, fds) = &mut *buffers;
        let receive = |bytes: &mut _, fds: &mut _| packet::try_recv(self.link.as_fd(), bytes, fds);
        let received = receive(bytes, fds).or_else(|err| match err.kind() {
            // Reported once when the worker has left orders unread. What it has said itself is still to come.
            io::ErrorKind::ConnectionReset => receive(bytes, fds),
            _ => Err(err),
        });
        match received {
            Ok(true) => {}
            Ok(false) => return Answer::Gone,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Answer::None,
            Err(err) if is_closed(&err) => return Answer::Gone,
            // Too few descriptors left here: the worker is not to blame, and the link stays usable.
            Err(err) if err.kind() != io::ErrorKind::InvalidData => {
                return Answer::Lost(format!("the result could not be received: {err}"));
            }
            Err(_) => return self.nonsense(),
        }
        let fds = std::mem::take(fds);
        self.understand(bytes, fds).unwrap_or_else(|| self.nonsense())
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn answers(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    fn sentinel(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn death(&self) -> Option<Death> {
        self.process.exitcode().map(|code| Death {
            signal: (code < 0).then_some(-code),
            exitcode: (code >= 0).then_some(code),
            oom: self.board.word(OUT_OF_MEMORY).load(Ordering::Acquire) != 0
                || (code == -KILL && self.oom.has_struck()),
        })
    }

    fn terminate(&self) {
        let _ = self.process.terminate();
    }

    fn kill(&self) {
        let _ = self.process.kill();
    }

    fn identity(&self) -> (&str, u32) {
        (self.process.name(), self.process.pid().unwrap_or(0))
    }
}

const KILL: i32 = rustix::process::Signal::KILL.as_raw();

impl ProcessWorker {
    fn nonsense(&self) -> Answer {
        logging::warning(format_args!("worker {} says what no worker says", self.process.name()));
        Answer::Gone
    }
}
