//! What a worker process does.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use multiproc_process::PanicReport;
use multiproc_sys::{
    board::Board,
    last_breath, memfd, packet,
    signals::{Disposition, Signal},
};
use multiproc_wire::Handle;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::{
    claims::{self, Claims, How, OUT_OF_MEMORY, now},
    desk::{Desk, Outbox},
    frame::{self, Arrived, Said, Told},
    mailbox::{Mailbox, is_closed},
    shared::Shared,
};
use crate::{
    TaskError,
    current::{self, Seat},
    groups,
    program::{Errand, Runner, WireProgram},
    sequence::read_file,
    state,
};

/// How many programs a worker keeps.
const KEEP: usize = 16;

/// What a worker is equipped with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outfit {
    pub(crate) initializer: Option<Errand>,
    pub(crate) state: Option<Errand>,
    pub(crate) finalizer: Option<Errand>,
    /// How much data it may have, in bytes.
    pub(crate) memory_limit: Option<u64>,
    /// Where it enters a control group that has as much.
    pub(crate) group: Option<PathBuf>,
    /// How much memory it may have after a task without being replaced, in bytes.
    pub(crate) replace_above: Option<u64>,
    /// How it begins calls.
    pub(crate) how: How,
    /// True if each answer is to be sent as it comes.
    pub(crate) is_hasty: bool,
    pub(crate) soft_timeout: Option<Duration>,
}

/// The programs that a worker has. The pool counts along: see [`Loaded`].
type Programs = VecDeque<(u64, Result<Runner, TaskError>)>;

/// The keys of the programs that a worker has.
#[derive(Debug, Default)]
pub(crate) struct Loaded(VecDeque<u64>);

impl Loaded {
    /// True if the worker has it; else it will.
    pub(crate) fn contains_or_add(&mut self, key: u64) -> bool {
        let has = self.0.contains(&key);
        if !has {
            if self.0.len() == KEEP {
                self.0.pop_front();
            }
            self.0.push_back(key);
        }
        has
    }
}

/// Where a dying call is reported. Set once, by the only thread there is.
static LINK: Mutex<Option<Arc<OwnedFd>>> = Mutex::new(None);

/// Where a panic ends the process at once: says what it was.
pub(crate) fn last_words(report: &PanicReport) {
    let link = LINK.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(link) = link {
        let said = Said::LastWords(TaskError::Panicked(report.clone()));
        let _ = packet::send(link.as_fd(), &frame::bare(&said), &[]);
    }
}

/// Serves the pool at the other end of `link` until it says stop or is gone. It sleeps on `bell`.
pub(super) fn work(link: Handle, memory: Handle, bell: Handle, outfit: Outfit) {
    // Ctrl-C goes to all processes of a terminal; it is the pool's owner that decides.
    let _ = Disposition::ignore(Signal::Interrupt);
    let (Ok(link), Ok(bell)) = (link.into_owned(), bell.into_owned()) else { return };
    let link = Arc::new(link);
    let opened = Shared::open(memory).map_err(io::Error::other);
    let opened = opened.and_then(|shared| Ok((shared.board()?, shared)));
    let Ok((board, shared)) = opened else {
        let err = TaskError::PoolBroken("no memory for what it shares with its worker".into());
        let _ = packet::send(link.as_fd(), &frame::bare(&Said::Unfit(err)), &[]);
        return;
    };
    // As long as the process: a task may keep what it was handed.
    let board: &'static Arc<Board> = Box::leak(Box::new(Arc::new(board)));
    *LINK.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
    current::sit_down(Seat { board: board.clone(), soft_timeout: outfit.soft_timeout });
    let mut mailbox = Mailbox::new(shared, link, bell);
    if let Err(err) = prepare(board, &outfit) {
        return mailbox.say(&Said::Unfit(err));
    }
    mailbox.say(&Said::Ready);
    serve(mailbox, board, &outfit);
    if let Some(finalizer) = &outfit.finalizer
        && let Err(err) = finalizer.run()
    {
        multiproc_image::logging::warning(format_args!("exit function of a worker: {err}"));
    }
    state::forget();
}

fn prepare(board: &'static Board, outfit: &Outfit) -> Result<(), TaskError> {
    if let Some(Err(err)) = outfit.group.as_deref().map(groups::enter) {
        multiproc_image::logging::warning(format_args!("failed to enter a control group: {err}"));
    }
    if let Some(limit) = outfit.memory_limit {
        last_breath::note_out_of_memory(board, OUT_OF_MEMORY);
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(Resource::Data, limit).map_err(|err| {
            TaskError::PoolBroken(format!("failed to limit the memory of a worker: {err}"))
        })?;
    }
    outfit.initializer.iter().chain(&outfit.state).try_for_each(Errand::run)
}

fn serve(mailbox: Mailbox, board: &Board, outfit: &Outfit) {
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    let mut programs = Programs::new();
    let mut outbox = Outbox::new(mailbox, outfit.is_hasty);
    let mut memory = outfit.replace_above.and_then(Memory::new);
    let is_fenced_by_the_pool = outfit.how.is_fenced_by_the_pool && claims::leave_fences(board);
    let how = How { is_fenced_by_the_pool, ..outfit.how };
    while !outbox.mailbox.is_gone {
        match outbox.mailbox.next(&mut bytes, &mut fds) {
            Ok(true) => {}
            Ok(false) => return,
            Err(err) if is_closed(&err) => return,
            Err(_) => {
                // Too few descriptors left here for those that came; which calls they were for is not known any more,
                // so they are given to another worker, or lost with this one.
                std::process::exit(1)
            }
        }
        let Some((told, mut rest)) = frame::head::<Told>(&bytes) else { return };
        let heads = match told {
            Told::Run(heads) => heads,
            Told::Stop => return,
        };
        let mut fds = fds.drain(..);
        let mut since = now();
        for head in heads {
            let Some(order) = frame::arrive(head, &mut rest, &mut fds) else { return };
            carry_out(order, board, &mut programs, &mut outbox, how, since);
            let end = now();
            claims::add_busy(board, end.saturating_sub(since));
            since = end;
            if outbox.mailbox.is_gone {
                return;
            }
        }
        if memory.as_mut().is_some_and(Memory::is_too_much) {
            memory = None;
            outbox.mailbox.say(&Said::Replace);
        }
    }
}

fn carry_out(
    order: Arrived<'_>,
    board: &Board,
    programs: &mut Programs,
    outbox: &mut Outbox,
    how: How,
    now: u64,
) {
    let Arrived { head, program, bytes, fds } = order;
    if let Some(program) = program {
        if programs.len() == KEEP {
            programs.pop_front();
        }
        programs.push_back((head.key, WireProgram::load(program)));
    }
    let claims = Claims::new(board, head.seq, head.count, how);
    outbox.begin(head.chunk, now);
    let is_alone = bytes.is_err();
    let read: io::Result<memfd::Mapped>;
    let bytes = match bytes {
        Ok(bytes) => Ok(bytes),
        Err((file, len)) => {
            read = read_file(&file, len);
            read.as_deref().map_err(ToString::to_string)
        }
    };
    let program = programs.iter().find(|(known, _)| *known == head.key);
    match (program, bytes) {
        (Some((_, Ok(runner))), Ok(bytes)) => {
            runner(&mut Desk::new(claims, bytes, is_alone, fds, outbox));
        }
        (program, bytes) => {
            let err = match (program, bytes) {
                (_, Err(why)) => TaskError::Decode(why),
                (Some((_, Err(err))), _) => err.clone(),
                _ => TaskError::Decode("the worker was not given the program".into()),
            };
            Desk::new(claims, &[], false, Vec::new(), outbox).fail_all(&err);
        }
    }
}

/// How much memory this process has.
struct Memory {
    statm: File,
    most: u64,
}

impl Memory {
    fn new(most: u64) -> Option<Self> {
        Some(Self { statm: File::open("/proc/self/statm").ok()?, most })
    }

    fn is_too_much(&mut self) -> bool {
        let mut text = [0; 128];
        let len = self.statm.read_at(&mut text, 0).unwrap_or(0);
        crate::stats::resident(&text[..len]).is_some_and(|bytes| bytes > self.most)
    }
}
