//! Ends and listeners that another thread is using at the moment of a fork.
//!
//! That thread is not in the child. Its lock would be, and nobody would ever give it back.

use std::{io::Write, sync::OnceLock, thread, time::Duration};

use multiproc::{
    Connection, Context, Failure,
    connection::{
        AcceptError, Auth, Client, Listener, RecvError, RecvTimeoutError, SendError,
        TryAcceptError, TryRecvError, TrySendError, answer_challenge, deliver_challenge, wait,
    },
    pipe,
};
use multiproc_tests::{TestResult, in_child, once, sleeping::asleep, streams};

once! {
    end_that_a_thread_receives_on_works_in_a_forked_child,
    end_that_a_thread_receives_on_in_time_works_in_a_forked_child,
    message_that_a_thread_has_begun_to_receive_stays_the_parent_s,
    message_that_a_thread_has_half_sent_stays_the_parent_s,
    half_message_that_nobody_is_receiving_goes_on_in_the_child,
    listener_that_a_thread_accepts_at_works_in_a_forked_child,
    listener_tells_whoever_waits_in_a_forked_child,
}

/// A fork copies these, so the child uses the same objects as the thread does.
static END: OnceLock<Connection<String>> = OnceLock::new();
static LISTENER: OnceLock<Listener> = OnceLock::new();
/// The word of the parent to a forked child.
static LINE: OnceLock<Connection<(), ()>> = OnceLock::new();

fn end() -> &'static Connection<String> {
    END.get().expect("made before anything is forked")
}

/// Waits for the parent's word.
fn word() -> Result<(), Failure> {
    Ok(LINE.get().ok_or("made before anything is forked")?.recv()?)
}

/// Sets the scene: returns the other end, and the line to the child that will be forked.
fn scene() -> Result<(Connection<String>, Connection<(), ()>), Failure> {
    let (ours, theirs) = streams::ends("unix")?;
    let (line, childs) = pipe()?;
    assert!(END.set(ours).is_ok() && LINE.set(childs).is_ok());
    Ok((theirs, line))
}

fn fork() -> Context {
    Context::fork().allow_threads()
}

// complaint: 2
fn end_that_a_thread_receives_on_works_in_a_forked_child() -> TestResult {
    in_child(&Context::spawn(), fork_while_receiving, (false,))
}

fn end_that_a_thread_receives_on_in_time_works_in_a_forked_child() -> TestResult {
    in_child(&Context::spawn(), fork_while_receiving, (true,))
}

fn fork_while_receiving(timed: bool) -> Result<(), Failure> {
    let (other, line) = scene()?;
    let (receiving, _) = match timed {
        false => asleep(|| end().recv().unwrap()),
        true => asleep(|| end().recv_timeout(Duration::MAX).unwrap()),
    };
    let child = fork().start(use_received, ())?;
    assert_eq!(other.recv()?, "from the child");
    // The child receives only after the thread has what is its own.
    other.send(&"one".to_string())?;
    assert_eq!(receiving.join().expect("it receives"), "one");
    line.send(&())?;
    other.send(&"two".to_string())?;
    assert_eq!(child.result()??, "two");
    Ok(())
}

fn use_received() -> Result<String, Failure> {
    assert!(matches!(end().try_recv(), Err(TryRecvError::Empty)));
    assert!(!end().poll(Duration::ZERO)?);
    let late = end().recv_timeout(Duration::from_millis(1));
    assert!(matches!(late, Err(RecvTimeoutError::Timeout)), "{late:?}");
    end().send(&"from the child".to_string())?;
    word()?;
    Ok(end().recv()?)
}

fn message_that_a_thread_has_begun_to_receive_stays_the_parent_s() -> TestResult {
    // In the middle of the length, right behind it, and in the middle of the text.
    [1, 4, 7]
        .into_iter()
        .try_for_each(|cut| in_child(&Context::spawn(), fork_within_a_received_message, (cut,)))
}

/// A message as it stands on the wire: its length, that of the text, the text.
const WIRE: &[u8] = b"\0\0\0\x05\x04text";

fn fork_within_a_received_message(cut: usize) -> Result<(), Failure> {
    let (other, _line) = scene()?;
    let mut raw = streams::raw(&other)?;
    raw.write_all(&WIRE[..cut])?;
    let (receiving, sleeper) = asleep(|| end().recv().unwrap());
    // Whether the thread has taken all that is there, and sleeps anew.
    while rustix::io::ioctl_fionread(end())? != 0 {
        thread::yield_now();
    }
    sleeper.wait();
    let child = fork().start(find_it_begun, ())?;
    child.result()??;
    raw.write_all(&WIRE[cut..])?;
    assert_eq!(receiving.join().expect("it receives"), "text");
    assert_eq!(other.recv()?, "from the child");
    Ok(())
}

fn find_it_begun() -> Result<(), Failure> {
    assert!(matches!(end().try_recv(), Err(TryRecvError::Recv(RecvError::Lost))));
    assert!(matches!(end().recv(), Err(RecvError::Lost)));
    Ok(end().send(&"from the child".to_string())?)
}

fn message_that_a_thread_has_half_sent_stays_the_parent_s() -> TestResult {
    in_child(&Context::spawn(), fork_within_a_sent_message, ())
}

const LARGE: usize = 8 << 20;

fn fork_within_a_sent_message() -> Result<(), Failure> {
    let (other, _line) = scene()?;
    let (sending, _) = asleep(|| end().send(&"x".repeat(LARGE)).unwrap());
    other.send(&"to the child".to_string())?;
    let child = fork().start(find_it_half_sent, ())?;
    child.result()??;
    assert!(other.recv()? == "x".repeat(LARGE), "nothing of the child's stands in it");
    sending.join().expect("it sends");
    end().send(&"and the next".to_string())?;
    assert_eq!(other.recv()?, "and the next");
    Ok(())
}

fn find_it_half_sent() -> Result<(), Failure> {
    assert!(matches!(end().send(&String::new()), Err(SendError::HalfSent)));
    let refused = end().try_send(&String::new());
    assert!(matches!(refused, Err(TrySendError::Send(SendError::HalfSent))), "{refused:?}");
    assert_eq!(end().recv()?, "to the child");
    Ok(())
}

fn half_message_that_nobody_is_receiving_goes_on_in_the_child() -> TestResult {
    in_child(&Context::spawn(), fork_with_half_a_message, ())
}

fn fork_with_half_a_message() -> Result<(), Failure> {
    let (other, line) = scene()?;
    let mut raw = streams::raw(&other)?;
    raw.write_all(&WIRE[..7])?;
    assert!(matches!(end().try_recv(), Err(TryRecvError::Empty)));
    let child = fork().start(
        || -> Result<String, Failure> {
            word()?;
            Ok(end().recv()?)
        },
        (),
    )?;
    line.send(&())?;
    raw.write_all(&WIRE[7..])?;
    assert_eq!(child.result()??, "text");
    Ok(())
}

// complaint: 2
fn listener_that_a_thread_accepts_at_works_in_a_forked_child() -> TestResult {
    in_child(&Context::spawn(), fork_while_accepting, ())
}

fn fork_while_accepting() -> Result<(), Failure> {
    let listener = Listener::builder()
        .authkey("key")
        .backlog(16)
        .handshake_timeout(Duration::from_secs(2))
        .bind()?;
    let (_, line) = scene()?;
    assert!(LISTENER.set(listener).is_ok());
    let listener = LISTENER.get().ok_or("it is set")?;
    let connect = || Client::builder().authkey("key").connect::<(), u8, _>(listener.address());

    // Somebody silent is within the handshake, so that there is more to copy than a lock.
    let silent: Connection<(), ()> = Client::builder().connect(listener.address())?;
    let (accepting, _) = asleep(|| {
        let turned_away = LISTENER.get().unwrap().accept::<u8, ()>().unwrap_err();
        assert!(matches!(turned_away, AcceptError::Authentication(_)), "{turned_away:?}");
        LISTENER.get().unwrap().accept::<u8, ()>().unwrap().send(&1).unwrap();
    });
    assert!(silent.recv_bytes()?.starts_with(b"#CHALLENGE#"));
    let child = fork().start(accept, ())?;
    line.recv()?;
    // The child has copies of the silent one's socket, and it is turned away all the same.
    assert!(silent.recv_bytes().unwrap_err().is_closed());
    assert_eq!(connect()?.recv()?, 1);
    accepting.join().expect("it accepts");
    assert!(wait(&[listener], Duration::ZERO)?.is_empty(), "no copy of the child's makes it ready");
    line.send(&())?;
    assert_eq!(connect()?.recv()?, 2);
    child.result()?
}

fn accept() -> Result<(), Failure> {
    let listener = LISTENER.get().ok_or("made before anything is forked")?;
    assert_eq!(listener.last_accepted(), None);
    assert!(matches!(listener.try_accept::<u8, ()>(), Err(TryAcceptError::Empty)));
    LINE.get().ok_or("made before anything is forked")?.send(&())?;
    word()?;
    Ok(listener.accept::<u8, ()>()?.send(&2)?)
}

fn listener_tells_whoever_waits_in_a_forked_child() -> TestResult {
    in_child(&Context::spawn(), fork_before_waiting, ())
}

fn fork_before_waiting() -> Result<(), Failure> {
    assert!(LISTENER.set(Listener::builder().authkey("key").backlog(16).bind()?).is_ok());
    let listener = LISTENER.get().ok_or("it is set")?;
    let (_, line) = scene()?;
    // A guest of the parent's is nothing to the child.
    let silent: Connection<(), ()> = Client::builder().connect(listener.address())?;
    assert!(matches!(listener.try_accept::<u8, ()>(), Err(TryAcceptError::Empty)));
    let child = fork().start(wait_for_a_client, ())?;
    silent.send_bytes(b"no proof")?;
    let client: Connection<(), u8> = Client::builder().connect(listener.address())?;
    // It is challenged, and the child is about to wait for the answer.
    line.recv()?;
    let auth = Auth::new("key");
    answer_challenge(&client, &auth)?;
    deliver_challenge(&client, &auth)?;
    assert_eq!(client.recv()?, 3);
    child.result()??;
    let turned_away = listener.accept::<u8, ()>();
    assert!(matches!(turned_away, Err(AcceptError::Authentication(_))), "{turned_away:?}");
    Ok(())
}

fn wait_for_a_client() -> Result<(), Failure> {
    let listener = LISTENER.get().ok_or("made before anything is forked")?;
    wait(&[listener], None)?;
    assert!(matches!(listener.try_accept::<u8, ()>(), Err(TryAcceptError::Empty)));
    LINE.get().ok_or("made before anything is forked")?.send(&())?;
    loop {
        wait(&[listener], None)?;
        match listener.try_accept::<u8, ()>() {
            Ok(served) => return Ok(served.send(&3)?),
            Err(TryAcceptError::Empty) => {}
            Err(err) => return Err(err.into()),
        }
    }
}
