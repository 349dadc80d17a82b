//! Workers that are processes, each with a connection of its own.

use std::os::fd::{AsFd, BorrowedFd};

use multiproc_connection::{Connection, TryRecvError, pipe};
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
    pub(crate) context: Context,
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
        self.context.get_start_method() == StartMethod::Fork
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
            Ok(reply) => Answer::Reply(reply),
            Err(TryRecvError::Empty) => Answer::None,
            Err(err) => {
                if !err.is_closed() {
                    logging::warning(format_args!(
                        "worker {} says what no worker says: {err}",
                        self.process.name()
                    ));
                }
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
    // When the pool is gone, so is its end.
    while let Ok(Order::Run { job, program, input }) = connection.recv() {
        let reply = machine.run(job, program, input);
        if let Err(err) = connection.send(&reply) {
            if err.is_closed() {
                return;
            }
            let failed = Reply::Each(vec![Err(TaskError::Result(describe(&err)))]);
            if connection.send(&failed).is_err() {
                return;
            }
        }
    }
}
