//! Workers that are processes, each with rings, a link and a board of its own.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use multiproc_image::{StartError, logging};
use multiproc_process::{Context, Process, StartMethod};
use multiproc_shm::ShmError;
use multiproc_sys::{
    barrier,
    board::Board,
    packet,
    primitive::{AtomicBool, Ordering},
};
use multiproc_wire::Handle;

use super::{
    Answer, Death, Given, Order, Outfit, Worker, Workers, child,
    claims::OUT_OF_MEMORY,
    frame::{self, Packet, Said, Told},
    mailbox::{ON_LINK, is_closed},
    ring::{Reader, Writer},
    shared::{MESSAGE, Shared},
};
use crate::{
    groups::{Group, Groups},
    job::Outcome,
    later,
    oom::OutOfMemory,
    program::Program,
    sequence::{Body, MARK, measure},
};

/// Starts worker processes.
pub(crate) struct ProcessWorkers {
    context: Context,
    method: StartMethod,
    outfit: Outfit,
    /// Where workers get groups of their own, if their memory is bounded and groups can be had.
    groups: Option<Groups>,
}

impl ProcessWorkers {
    /// Those of a context as it is now: a pool keeps its start method, whatever is chosen later.
    pub(crate) fn new(context: Context, mut outfit: Outfit) -> Self {
        let method = context.get_start_method();
        outfit.how.is_fenced_by_the_pool = barrier::heavy();
        let groups = outfit.memory_limit.and_then(|_| Groups::find());
        Self { context: context.fixed(), method, outfit, groups }
    }

    fn make_group(&self) -> Option<Group> {
        let (groups, limit) = (self.groups.as_ref()?, self.outfit.memory_limit?);
        let made = groups.make(limit);
        let made = made.inspect_err(|err| {
            logging::warning(format_args!("no control group for a worker: {err}"));
        });
        made.ok()
    }
}

/// A worker process.
pub(crate) struct ProcessWorker {
    process: Process<()>,
    link: OwnedFd,
    board: Board,
    shared: Shared,
    orders: Mutex<Writer>,
    answers: Mutex<Answers>,
    /// True once it is known to have ended.
    is_dead: AtomicBool,
    oom: OutOfMemory,
}

/// What it says.
struct Answers {
    ring: Reader,
    /// What was read and not looked at yet, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    /// How many results it has given.
    count: u64,
    packet: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Workers for ProcessWorkers {
    type Worker = ProcessWorker;
    const ARE_PROCESSES: bool = true;

    fn start(&self, bell: &Handle) -> Result<ProcessWorker, StartError> {
        let (ours, theirs) = packet::pair().map_err(StartError::os("make the link of a worker"))?;
        let shared = Shared::new()
            .map_err(|err| StartError::os("make the memory that a worker shares")(cause(err)))?;
        let board = shared.board().map_err(StartError::os("map the board of a worker"))?;
        let group = self.make_group();
        let outfit = Outfit { group: group.as_ref().map(Group::door), ..self.outfit.clone() };
        let args = (Handle::from(theirs), shared.handle(), bell.clone(), outfit);
        let mut process = self.context.process().daemon(true).new(child::work, args);
        process.set_name(process.name().replacen("Process", "PoolWorker", 1));
        process.start()?;
        logging::debug(format_args!("added worker {}", process.name()));
        let (orders, results) = shared.outside();
        let answers = Answers {
            ring: results,
            bytes: Vec::new(),
            at: 0,
            count: 0,
            packet: Vec::new(),
            fds: Vec::new(),
        };
        Ok(ProcessWorker {
            process,
            link: ours,
            board,
            shared,
            orders: Mutex::new(orders),
            answers: Mutex::new(answers),
            is_dead: AtomicBool::new(false),
            oom: OutOfMemory::now(group),
        })
    }

    fn copies_the_caller(&self) -> bool {
        self.method == StartMethod::Fork
    }
}

impl ProcessWorker {
    /// Sends a message, through the ring if it fits there.
    fn send(&self, packet: &Packet<'_>) -> Given {
        let mut orders = lock(&self.orders);
        let len = packet.len();
        let is_short = packet.fds.is_empty() && len <= MESSAGE;
        let wanted = 4 + if is_short { len } else { 0 };
        match orders.room(wanted) {
            Some(room) if wanted <= room => {}
            Some(_) => return Given::Full,
            None => return self.give_up(&"it says what no worker says"),
        }
        let written = if is_short {
            let len = (len as u32).to_le_bytes();
            let pieces =
                [len.as_slice(), &packet.head].into_iter().chain(packet.rest.iter().copied());
            { pieces }.try_for_each(|piece| orders.write(piece))
        } else {
            match packet::try_send(self.link.as_fd(), &packet.bytes(), &packet.fds) {
                Ok(()) => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Given::Full,
                Err(err) if is_closed(&err) => return Given::Gone,
                Err(err) => return Given::Refused(err.to_string()),
            }
            orders.write(&ON_LINK.to_le_bytes())
        };
        if let Err(err) = written {
            // Whatever of it is there was not published, and must not be by the next message.
            return self.give_up(&err);
        }
        orders.publish();
        drop(orders);
        self.shared.wake_for_orders();
        Given::Taken
    }

    /// Ends a worker that is of no use: not even a page can be had for its orders, or it has written where it must not.
    fn give_up(&self, why: &dyn std::fmt::Display) -> Given {
        later::warn(format!("ended worker {}: {why}", self.process.name()));
        self.kill();
        Given::Gone
    }

    /// Takes a packet from the link.
    fn receive(&self, answers: &mut Answers) -> Answer {
        let Answers { packet: bytes, fds, .. } = answers;
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
                let why = format!("the result could not be received: {err}");
                return Answer::Lost { count: 0, why };
            }
            Err(_) => return self.nonsense(),
        }
        let fds = std::mem::take(fds);
        understand(bytes, fds).unwrap_or_else(|| self.nonsense())
    }

    /// Takes the packet that a mark stands for.
    fn receive_marked(&self, answers: &mut Answers, calls: u32) -> Answer {
        let answer = match self.receive(answers) {
            // It came in between. The packet is still there.
            words @ Answer::LastWords(_) => return words,
            Answer::None => return self.nonsense(),
            Answer::Results { count, .. } if count != calls as usize => return self.nonsense(),
            Answer::Lost { why, .. } => Answer::Lost { count: calls as usize, why },
            answer => answer,
        };
        answers.at += MARK_LEN;
        answers.count += u64::from(calls);
        answer
    }
}

/// What the system said.
fn cause(err: ShmError) -> io::Error {
    match err {
        ShmError::Os { source, .. } | ShmError::NoSpace { source, .. } => source,
        err => io::Error::other(err),
    }
}

/// How long a mark is.
const MARK_LEN: usize = 5;

fn understand(bytes: &[u8], fds: Vec<OwnedFd>) -> Option<Answer> {
    let (said, rest) = frame::head::<Said>(bytes)?;
    Some(match said {
        Said::Ready => Answer::Ready,
        Said::Unfit(err) => Answer::Unfit(err),
        Said::Replace => Answer::Replace,
        Said::LastWords(err) => Answer::LastWords(err),
        Said::Results(head) => {
            let (body, fds) = frame::received(&head, rest, fds)?;
            let outcome = Outcome::Wire { body, is_error: head.is_error, fds };
            Answer::Results { count: head.count, outcome }
        }
    })
}

impl Answers {
    /// The results up to the next mark, or to the end.
    fn run(&mut self) -> Option<Answer> {
        let (count, len) = measure(&self.bytes[self.at..], usize::MAX);
        let end = self.at + len;
        if count == 0 || self.bytes.get(end).is_some_and(|byte| *byte != MARK) {
            return None;
        }
        let is_all = self.at == 0 && end == self.bytes.len();
        let bytes = if is_all {
            std::mem::take(&mut self.bytes)
        } else {
            self.bytes[self.at..end].to_vec()
        };
        self.at = if is_all { 0 } else { end };
        self.count += count as u64;
        let outcome = Outcome::Wire { body: Body::Memory(bytes), is_error: false, fds: vec![] };
        Some(Answer::Results { count, outcome })
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
            Ok(packet) => self.send(&packet),
            Err(err) => Given::Refused(err.to_string()),
        }
    }

    fn stop(&self) -> Given {
        self.send(&Packet { head: frame::bare(&Told::Stop), ..Packet::default() })
    }

    fn take(&self) -> Answer {
        let mut answers = lock(&self.answers);
        let answers = &mut *answers;
        if answers.at == answers.bytes.len() {
            (answers.bytes, answers.at) = (Vec::new(), 0);
            match answers.ring.available() {
                None => return self.nonsense(),
                // What it said last may be there without a mark.
                Some(0) if self.is_dead.load(Ordering::Acquire) => return self.receive(answers),
                Some(0) => {
                    // Else a task that has written over it could make it look for ever as if there were answers.
                    answers.ring.insist();
                    return Answer::None;
                }
                Some(count) => answers.ring.read(count, &mut answers.bytes),
            }
            self.shared.wake_for_room();
        }
        match &answers.bytes[answers.at..] {
            [MARK, a, b, c, d, ..] => {
                self.receive_marked(answers, u32::from_le_bytes([*a, *b, *c, *d]))
            }
            _ => answers.run().unwrap_or_else(|| self.nonsense()),
        }
    }

    fn has_answers(&self) -> bool {
        self.shared.has_results()
    }

    fn call(&self, after: u64) {
        let count = lock(&self.answers).count;
        self.shared.call_at(count.saturating_add(after));
    }

    fn call_not(&self) {
        self.shared.call_never();
    }

    fn board(&self) -> &Board {
        &self.board
    }

    fn answers(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    fn rings_the_common_bell(&self) -> bool {
        true
    }

    fn sentinel(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    fn death(&self) -> Option<Death> {
        let code = self.process.exitcode()?;
        self.is_dead.store(true, Ordering::Release);
        Some(Death {
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
        later::warn(format!("worker {} says what no worker says", self.process.name()));
        Answer::Gone
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
