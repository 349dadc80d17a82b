//! Workers that are threads of this process.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use multiproc_image::StartError;
use multiproc_process::panics;
use multiproc_sys::{
    board::Board,
    primitive::{AtomicBool, AtomicU32, Ordering},
};
use multiproc_wire::Handle;
use rustix::event::{EventfdFlags, eventfd};

use super::{
    Answer, Claims, Death, Given, How, Order, Worker, Workers,
    claims::{add_busy, now},
    shared::ring,
};
use crate::{
    TaskError,
    current::{self, Seat},
    job::{Input, Local, Outcome},
    program::{LocalProgram, Program},
};

/// What a worker thread is equipped with.
#[derive(Clone, Default)]
pub(crate) struct ThreadOutfit {
    pub(crate) initializer: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) finalizer: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// Starts worker threads.
pub(crate) struct ThreadWorkers {
    outfit: ThreadOutfit,
    number: AtomicU32,
}

impl ThreadWorkers {
    pub(crate) fn new(outfit: ThreadOutfit) -> Self {
        Self { outfit, number: AtomicU32::new(0) }
    }
}

/// A worker thread.
pub(crate) struct ThreadWorker {
    name: String,
    room: Arc<Room>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a worker thread and its pool share.
struct Room {
    board: Arc<Board>,
    orders: Mutex<Orders>,
    given: Condvar,
    answers: Mutex<VecDeque<Answer>>,
    /// Readable when there are answers.
    bell: OwnedFd,
    /// Readable when the thread has ended.
    end: OwnedFd,
    has_ended: AtomicBool,
}

#[derive(Default)]
struct Orders {
    queue: VecDeque<Errand>,
    is_over: bool,
}

struct Errand {
    seq: u64,
    count: usize,
    program: Arc<LocalProgram>,
    calls: Arc<Mutex<Option<Local>>>,
}

impl Workers for ThreadWorkers {
    type Worker = ThreadWorker;
    // What a thread has begun with it has taken out of its place.
    const ARE_PROCESSES: bool = false;

    fn start(&self, _: &Handle) -> Result<ThreadWorker, StartError> {
        let event = || {
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
                .map_err(|err| StartError::os("make an event descriptor")(err.into()))
        };
        let (board, _) = Board::new().map_err(StartError::os("make the board of a worker"))?;
        let room = Arc::new(Room {
            board: Arc::new(board),
            orders: Mutex::default(),
            given: Condvar::new(),
            answers: Mutex::default(),
            bell: event()?,
            end: event()?,
            has_ended: AtomicBool::new(false),
        });
        let name = format!("ThreadPoolWorker-{}", self.number.fetch_add(1, Ordering::Relaxed) + 1);
        let (inside, outfit) = (room.clone(), self.outfit.clone());
        let thread = thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                let _end = End(&inside);
                work(&inside, &outfit);
            })
            .map_err(StartError::os("start a thread"))?;
        Ok(ThreadWorker { name, room, thread: Mutex::new(Some(thread)) })
    }

    fn copies_the_caller(&self) -> bool {
        false
    }
}

fn work(room: &Room, outfit: &ThreadOutfit) {
    current::sit_down(Seat { board: room.board.clone(), soft_timeout: None });
    if let Some(initializer) = &outfit.initializer
        && let Err(report) = panics::catch(|| initializer(), |_| {})
    {
        return room.say(Answer::Unfit(TaskError::Panicked(report)));
    }
    room.say(Answer::Ready);
    while let Some(Errand { seq, count, program, calls }) = room.next() {
        let Some(calls) = lock(&calls).take() else { continue };
        let since = now();
        let mut claims = Claims::new(&room.board, seq, count, How::default());
        let (count, results) = program(calls, &mut claims);
        add_busy(&room.board, now().saturating_sub(since));
        if count > 0 {
            room.say(Answer::Results { count, outcome: Outcome::Local(results) });
        }
    }
    if let Some(finalizer) = &outfit.finalizer {
        // It has been printed.
        let _ = panics::catch(|| finalizer(), |_| {});
    }
}

impl Room {
    fn say(&self, answer: Answer) {
        lock(&self.answers).push_back(answer);
        ring(&self.bell);
    }

    /// Waits for an order; none if there will be no more.
    fn next(&self) -> Option<Errand> {
        let mut orders = lock(&self.orders);
        loop {
            if let Some(errand) = orders.queue.pop_front() {
                return Some(errand);
            }
            if orders.is_over {
                return None;
            }
            orders = self.given.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Says that the thread has ended, however it did.
struct End<'a>(&'a Room);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Release);
        ring(&self.0.end);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker for ThreadWorker {
    fn give(&self, orders: &[Order<'_>]) -> Given {
        let mut queue = lock(&self.room.orders);
        for Order { task, seq, .. } in orders {
            let (Input::Local(calls), Program::Local(program)) = (&task.input, &task.job.program)
            else {
                return Given::Refused("it is for processes".into());
            };
            let (program, calls) = (program.clone(), calls.clone());
            queue.queue.push_back(Errand { seq: *seq, count: task.count, program, calls });
        }
        self.room.given.notify_one();
        Given::Taken
    }

    fn stop(&self) -> Given {
        lock(&self.room.orders).is_over = true;
        self.room.given.notify_one();
        Given::Taken
    }

    fn take(&self) -> Answer {
        let mut answers = lock(&self.room.answers);
        answers.pop_front().unwrap_or_else(|| {
            // Under the lock, so that no ring is missed.
            let _ = rustix::io::read(&self.room.bell, &mut [0; 8]);
            Answer::None
        })
    }

    fn board(&self) -> &Board {
        &self.room.board
    }

    fn has_answers(&self) -> bool {
        !lock(&self.room.answers).is_empty()
    }

    fn call(&self, _: u64) {
        // It always does.
    }

    fn call_not(&self) {}

    fn answers(&self) -> BorrowedFd<'_> {
        self.room.bell.as_fd()
    }

    fn rings_the_common_bell(&self) -> bool {
        false
    }

    fn sentinel(&self) -> BorrowedFd<'_> {
        self.room.end.as_fd()
    }

    fn death(&self) -> Option<Death> {
        if !self.room.has_ended.load(Ordering::Acquire) {
            return None;
        }
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
        Some(Death { signal: None, exitcode: Some(0), oom: false })
    }

    fn terminate(&self) {
        let mut orders = lock(&self.room.orders);
        orders.queue.clear();
        orders.is_over = true;
        self.room.given.notify_one();
    }

    fn kill(&self) {
        // Nobody can. It is asked to end, and ends when its call does.
        self.terminate();
    }

    fn identity(&self) -> (&str, u32) {
        (&self.name, 0)
    }
}

impl std::fmt::Debug for ThreadWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
