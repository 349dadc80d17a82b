//! Long messages, whose files are filled again, under SIGKILL and forks.
//!
//! A message is one word over and over, so that a part of another message in it shows. Each test runs in a process of
//! its own: in the one that runs them all, children of other tests would inherit its ends.

use std::{fs, os::unix::fs::MetadataExt, sync::OnceLock};

use multiproc::{Connection, Context, Failure, Process, pipe, simplex};
use multiproc_tests::{
    TestResult, context_named, each_start_method, held::duplicate, in_child, name_of, once, procfs,
    random::Random,
};

each_start_method! { senders_are_killed, receivers_are_killed }

once! { a_fork_does_not_fill_its_parents_files, unread_messages_stay_as_they_were }

/// Long enough for a file, and for a kill to come in the middle of it.
const WORDS: usize = 48 << 10;

/// How many files an end keeps at most.
const KEPT: usize = 4;

/// The word that ends it all.
const END: u64 = u64::MAX;

fn senders_are_killed(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), kill_senders, (name_of(ctx),))
}

fn receivers_are_killed(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), kill_receivers, (name_of(ctx),))
}

fn a_fork_does_not_fill_its_parents_files() -> TestResult {
    in_child(&Context::spawn(), send_with_a_fork, ())
}

fn unread_messages_stay_as_they_were() -> TestResult {
    let (rx, tx) = simplex::<()>()?;
    for round in 0..3 {
        // Shorter ones after longer ones: behind these the files hold what is left of those.
        let lengths: Vec<_> = (0..5 * KEPT).map(|place| WORDS - place * 1000 - round).collect();
        for (word, length) in lengths.iter().enumerate() {
            tx.send_bytes(&message(word as u64, *length))?;
        }
        for (word, length) in lengths.iter().enumerate() {
            let received = rx.recv_bytes()?;
            assert_eq!((word_of(&received), received.len()), (word as u64, length * 8));
        }
    }
    Ok(())
}

fn kill_senders(method: String) -> Result<(), Failure> {
    let (ctx, mut random) = (context_named(&method), Random::new());
    for round in 0..30 {
        let (ours, theirs) = pipe()?;
        let sender = ctx.start(send_for_ever, (theirs,))?;
        // Killed while it makes its files, or while it fills them again.
        let mut next = 0;
        for _ in 0..round {
            assert_eq!(word_of(&ours.recv_bytes()?), next);
            next += 1;
        }
        random.dither();
        end(&sender)?;
        loop {
            match ours.recv_bytes() {
                Ok(received) => assert_eq!(word_of(&received), next),
                Err(err) if err.is_closed() => break,
                Err(err) => return Err(err.into()),
            }
            next += 1;
        }
    }
    Ok(())
}

fn kill_receivers(method: String) -> Result<(), Failure> {
    let (ctx, mut random) = (context_named(&method), Random::new());
    let (ours, theirs) = pipe()?;
    let survivor = ctx.start(receive_to_the_end, (duplicate(&theirs)?,))?;
    let mut sent = 0;
    for round in 0..30 {
        let victim = ctx.start(receive_to_the_end, (duplicate(&theirs)?,))?;
        for _ in 0..round {
            ours.send_bytes(&message(sent, WORDS))?;
            sent += 1;
        }
        random.dither();
        end(&victim)?;
    }
    assert!(files().len() <= KEPT, "{:?}", files());
    ours.send_bytes(&message(END, WORDS))?;
    assert!(survivor.result()? <= sent, "no message comes twice");
    ours.close();
    assert_eq!(files(), [0; 0]);
    Ok(())
}

/// The end on which a parent and its fork send at the same time.
static SHARED: OnceLock<Line> = OnceLock::new();

fn send_with_a_fork() -> Result<(), Failure> {
    const COUNT: u64 = 1000;
    let (ours, theirs) = pipe()?;
    // A daemon, since the end of ours never closes: not to be waited for if this fails.
    let receiver = Context::spawn().process().daemon(true).start(receive_to_the_end, (theirs,))?;
    let ours = SHARED.get_or_init(|| ours);
    let send = |words: std::ops::Range<u64>| {
        for word in words {
            ours.send_bytes(&message(word, WORDS))?;
        }
        Ok::<_, Failure>(())
    };
    // So that there are files to be mistaken for the child's own.
    send(0..10)?;
    let child = Context::fork().allow_threads().start(
        || {
            let ours = SHARED.get().expect("inherited");
            let inherited = files();
            let recycles = std::env::var_os("MULTIPROC_WITHOUT").is_none();
            assert_eq!(!inherited.is_empty(), recycles);
            ours.send_bytes(&message(COUNT, WORDS)).expect("somebody receives");
            let own = files();
            assert!(own.iter().all(|file| !inherited.contains(file)), "{own:?} of {inherited:?}");
            for word in COUNT + 1..2 * COUNT {
                ours.send_bytes(&message(word, WORDS)).expect("somebody receives");
            }
        },
        (),
    )?;
    send(10..COUNT)?;
    child.result()?;
    ours.send_bytes(&message(END, WORDS))?;
    assert_eq!(receiver.result()?, 2 * COUNT);
    Ok(())
}

type Line = Connection<(), ()>;

fn message(word: u64, length: usize) -> Vec<u8> {
    word.to_le_bytes().repeat(length)
}

/// Returns the word that a message is made of.
///
/// It looks at a few of each page: who receives has to be as fast as who sends, or files would seldom be used again.
fn word_of(message: &[u8]) -> u64 {
    let (words, rest) = message.as_chunks();
    assert!(rest.is_empty() && !words.is_empty());
    assert!(words.iter().step_by(61).all(|word| *word == words[0]), "made of two messages");
    u64::from_le_bytes(words[0])
}

fn send_for_ever(line: Line) {
    (0..END).find(|word| line.send_bytes(&message(*word, WORDS)).is_err());
}

/// Receives until the last word, and returns how many messages came before it.
fn receive_to_the_end(line: Line) -> u64 {
    let mut buffer = vec![0; WORDS * 8];
    let mut count = 0;
    loop {
        let length = line.recv_bytes_into(&mut buffer).expect("the sender lives");
        assert_eq!(length, buffer.len());
        if word_of(&buffer) == END {
            return count;
        }
        count += 1;
    }
}

fn end<T>(process: &Process<T>) -> Result<(), Failure> {
    process.kill()?;
    process.join()?;
    Ok(())
}

/// Returns the inodes of the payload files that this process has open.
fn files() -> Vec<u64> {
    let open = procfs::open_descriptors().into_iter().map(|fd| format!("/proc/self/fd/{fd}"));
    let is_payload = |path: &String| {
        fs::read_link(path).is_ok_and(|name| name.to_string_lossy().contains("memfd:multiproc"))
    };
    open.filter(is_payload).filter_map(|path| Some(fs::metadata(path).ok()?.ino())).collect()
}
