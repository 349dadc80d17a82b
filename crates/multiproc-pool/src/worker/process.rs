//! Workers that are processes, each with a connection of its own.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use multiproc_connection::{Connection, RecvError, TryRecvError, pipe};
use multiproc_image::{StartError, logging};
use multiproc_process::{Context, Process, StartMethod};
use multiproc_sys::signals::{Disposition, Signal};

use super::{Answer, Death, Given, Worker, Workers};
use crate::{
    TaskError,
    error::describe,
    order::{Machine, Order, Reply},
};

/// Starts worker processes.
pub(crate) struct ProcessWorkers {
    context: Context,
    method: StartMethod,
}

impl ProcessWorkers {
    /// Those of a context as it is now: a pool keeps its start method, whatever is chosen later.
    pub(crate) fn new(context: Context) -> Self {
        let method = context.get_start_method();
        Self { context: context.fixed(), method }
    }
}

/// A worker process.
pub(crate) struct ProcessWorker {
    process: Process<()>,
    connection: Connection<Order, Reply>,
}

impl Workers for ProcessWorkers {
    type Worker = ProcessWorker;

    fn start(&self) -> Result<ProcessWorker, StartError> {
        let (ours, theirs) =
            pipe::<Order, Reply>().map_err(StartError::os("make the connection of a worker"))?;
        let mut process = self.context.process().daemon(true).new(work, (theirs,));
        process.set_name(process.name().replacen("Process", "PoolWorker", 1));
        process.start()?;
        logging::debug(format_args!("added worker {}", process.name()));
        Ok(ProcessWorker { process, connection: ours })
    }

    fn copies_the_caller(&self) -> bool {
        self.method == StartMethod::Fork
    }
}

impl Worker for ProcessWorker {
    fn give(&self, order: &Order) -> Given {
        // It has no other order in hand, so there is room, and what is too large for the socket travels beside it.
        match self.connection.try_send(order) {
            Ok(()) => Given::Taken,
            Err(err) if err.is_closed() => Given::Gone,
            Err(err) => Given::Refused(describe(&err)),
        }
    }

    fn take(&self) -> Answer {
        match self.connection.try_recv() {
            Ok(Reply::Ready) => Answer::Ready,
            Ok(reply) => Answer::Reply(reply),
            Err(TryRecvError::Empty) => Answer::None,
            Err(err) if err.is_closed() => Answer::Gone,
            // Too few descriptors left here: the worker is not to blame, and the connection stays usable.
            Err(TryRecvError::Recv(err @ RecvError::NoRoom)) => {
                Answer::Lost(format!("the result could not be received: {err}"))
            }
            Err(TryRecvError::Recv(RecvError::Io(err)))
                if err.kind() != io::ErrorKind::InvalidData =>
            {
                Answer::Lost(format!("the result could not be received: {err}"))
            }
            Err(err) => {
                let name = self.process.name();
                logging::warning(format_args!("worker {name} says what no worker says: {err}"));
                Answer::Gone
            }
        }
    }

    fn answers(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    fn sentinel(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn death(&self) -> Option<Death> {
        self.process.exitcode().map(|code| Death {
            signal: (code < 0).then_some(-code),
            exitcode: (code >= 0).then_some(code),
        })
    }

    fn terminate(&self) {
        let _ = self.process.terminate();
    }

    fn kill(&self) {
        let _ = self.process.kill();
    }
}

/// What a worker process does.
fn work(connection: Connection<Reply, Order>) {
    // Ctrl-C goes to all processes of a terminal; it is the pool's owner that decides.
    let _ = Disposition::ignore(Signal::Interrupt);
    let mut machine = Machine::default();
    if connection.send(&Reply::Ready).is_err() {
        return;
    }
    loop {
        let reply = match connection.recv() {
            Ok(Order::Run { job, program, input }) => machine.run(job, program, input),
            // When the pool is gone, its end is closed, if not by it then with its process, of which a worker is a
            // daemonic child.
            Ok(Order::Stop) => return,
            Err(err) if err.is_closed() => return,
            Err(err) => failed(&TaskError::Decode(err.to_string())),
        };
        if let Err(err) = connection.send(&reply) {
            let failed = failed(&TaskError::Result(err.to_string()));
            if err.is_closed() || connection.send(&failed).is_err() {
                return;
            }
        }
    }
}

fn failed(err: &TaskError) -> Reply {
    Reply::Each(vec![Err(err.clone())])
}
