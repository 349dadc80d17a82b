//! Forks in the middle of an await.
//!
//! A task holds no lock while it waits, so only what it leaves with the end or the listener can tell
//! the child that something is half done. The child has a copy of the task, too, and drops it.

use std::{
    io::Write,
    pin::Pin,
    sync::{Mutex, OnceLock},
};

use multiproc::{
    Connection, Context, Failure,
    connection::{
        AcceptError, Client, Listener, RecvError, SendError, TryAcceptError, TryRecvError,
        TrySendError,
    },
    pipe,
};
use multiproc_tests::{TestResult, alone, once, once_alone, sleeping::asleep, streams};

use crate::{begin, in_own_runtime, single};

once_alone! {
    message_that_a_task_has_half_sent_stays_the_parents,
    half_message_that_no_task_awaits_goes_on_in_the_child,
    task_that_waits_for_a_thread_holds_up_no_child,
    handshake_that_a_task_awaits_stays_the_parents,
}

once! { message_that_a_task_has_begun_to_receive_stays_the_parents }

/// A task that both processes have: the child in memory only.
type Midway<T> = Mutex<Option<Pin<Box<dyn Future<Output = T> + Send>>>>;

/// A fork copies these, so the child uses the same objects as the task does.
static END: OnceLock<Connection<String>> = OnceLock::new();
static LISTENER: OnceLock<Listener> = OnceLock::new();
static SENDING: Midway<Result<(), SendError>> = Mutex::new(None);
static RECEIVING: Midway<Result<String, RecvError>> = Mutex::new(None);
static ACCEPTING: Midway<Result<Connection<u8>, AcceptError>> = Mutex::new(None);
/// The word of the parent to a forked child.
static LINE: OnceLock<Connection<(), ()>> = OnceLock::new();

fn end() -> &'static Connection<String> {
    END.get().expect("made before anything is forked")
}

fn listener() -> &'static Listener {
    LISTENER.get().expect("made before anything is forked")
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

/// Begins what is to be in the middle of its wait when this process is forked.
async fn leave<T: std::fmt::Debug>(
    at: &Midway<T>,
    future: impl Future<Output = T> + Send + 'static,
) {
    let mut future = Box::pin(future);
    begin(future.as_mut()).await;
    *at.lock().unwrap() = Some(future);
}

fn take<T>(at: &Midway<T>) -> Pin<Box<dyn Future<Output = T> + Send>> {
    at.lock().unwrap().take().expect("it is midway")
}

fn fork() -> Context {
    Context::fork().allow_threads()
}

const LARGE: usize = 8 << 20;

fn message_that_a_task_has_half_sent_stays_the_parents() -> Result<(), Failure> {
    let (other, _line) = scene()?;
    single()?.block_on(async {
        leave(&SENDING, end().send_async(&"x".repeat(LARGE))).await;
        other.send(&"to the child".to_owned())?;
        fork().start(find_it_half_sent, ())?.result_async().await??;
        let (sent, received) = tokio::join!(take(&SENDING), other.recv_async());
        sent?;
        assert!(received? == "x".repeat(LARGE), "nothing of the child's stands in it");
        end().send_async(&"and the next".to_owned()).await?;
        assert_eq!(other.recv_async().await?, "and the next");
        Ok(())
    })
}

fn find_it_half_sent() -> Result<(), Failure> {
    drop(take(&SENDING));
    // Nor can somebody else send on it.
    let (line, _other) = pipe::<&Connection<String>, ()>()?;
    let refused = format!("{:?}", line.send(&end()).unwrap_err());
    assert!(refused.contains("half sent"), "{refused}");
    in_own_runtime(async || {
        let refused = end().send_async(&String::new()).await;
        assert!(matches!(refused, Err(SendError::HalfSent)), "{refused:?}");
        assert_eq!(end().recv_async().await.unwrap(), "to the child");
    });
    assert!(matches!(end().send(&String::new()), Err(SendError::HalfSent)));
    let refused = end().try_send(&String::new());
    assert!(matches!(refused, Err(TrySendError::Send(SendError::HalfSent))), "{refused:?}");
    Ok(())
}

fn message_that_a_task_has_begun_to_receive_stays_the_parents() -> TestResult {
    // In the middle of the length, right behind it, and in the middle of the text.
    alone(|| fork_within_a_received_message(1))?;
    alone(|| fork_within_a_received_message(4))?;
    alone(|| fork_within_a_received_message(7))
}

/// A message as it stands on the wire: its length, that of the text, the text.
const WIRE: &[u8] = b"\0\0\0\x05\x04text";

fn fork_within_a_received_message(cut: usize) -> Result<(), Failure> {
    let (other, _line) = scene()?;
    let mut raw = streams::raw(&other)?;
    raw.write_all(&WIRE[..cut])?;
    single()?.block_on(async {
        leave(&RECEIVING, end().recv_async()).await;
        fork().start(find_it_begun, ())?.result_async().await??;
        raw.write_all(&WIRE[cut..])?;
        assert_eq!(take(&RECEIVING).await?, "text");
        assert_eq!(other.recv_async().await?, "from the child");
        Ok(())
    })
}

fn find_it_begun() -> Result<(), Failure> {
    drop(take(&RECEIVING));
    assert!(matches!(end().try_recv(), Err(TryRecvError::Recv(RecvError::Lost))));
    in_own_runtime(async || {
        let refused = end().recv_async().await;
        assert!(matches!(refused, Err(RecvError::Lost)), "{refused:?}");
        end().send_async(&"from the child".to_owned()).await.unwrap();
    });
    Ok(())
}

fn half_message_that_no_task_awaits_goes_on_in_the_child() -> Result<(), Failure> {
    let (other, line) = scene()?;
    let mut raw = streams::raw(&other)?;
    raw.write_all(&WIRE[..7])?;
    single()?.block_on(async {
        leave(&RECEIVING, end().recv_async()).await;
        drop(take(&RECEIVING));
        let child = fork().start(receive_at_a_word, ())?;
        line.send_async(&()).await?;
        raw.write_all(&WIRE[7..])?;
        assert_eq!(child.result_async().await??, "text");
        Ok(())
    })
}

fn receive_at_a_word() -> Result<String, Failure> {
    word()?;
    Ok(in_own_runtime(async || end().recv_async().await)?)
}

fn task_that_waits_for_a_thread_holds_up_no_child() -> Result<(), Failure> {
    let (other, line) = scene()?;
    let (thread, _) = asleep(|| end().recv().unwrap());
    single()?.block_on(async {
        leave(&RECEIVING, end().recv_async()).await;
        let child = fork().start(use_it_without_the_thread, ())?;
        assert_eq!(other.recv_async().await?, "from the child");
        // Or else the task would have the second, and not the child.
        drop(take(&RECEIVING));
        other.send(&"one".to_owned())?;
        assert_eq!(thread.join().expect("it receives"), "one");
        line.send(&())?;
        other.send(&"two".to_owned())?;
        assert_eq!(child.result_async().await??, "two");
        Ok(())
    })
}

fn use_it_without_the_thread() -> Result<String, Failure> {
    assert!(matches!(end().try_recv(), Err(TryRecvError::Empty)));
    drop(take(&RECEIVING));
    end().send(&"from the child".to_owned())?;
    receive_at_a_word()
}

fn handshake_that_a_task_awaits_stays_the_parents() -> Result<(), Failure> {
    let (_, line) = scene()?;
    let listener = LISTENER.get_or_init(|| Listener::builder().authkey("key").bind().unwrap());
    let connect = || {
        let client = Client::builder().authkey("key");
        client.connect_async::<u8, u8, _>(listener.address().clone())
    };
    single()?.block_on(async {
        let mut connecting = Box::pin(connect());
        begin(connecting.as_mut()).await;
        leave(&ACCEPTING, listener.accept_async()).await;
        let child = fork().start(accept_its_own, ())?;
        line.recv_async().await?;
        // Nobody polls the task meanwhile, so this one is the child's.
        assert_eq!(connect().await?.recv_async().await?, 2);
        child.result_async().await??;
        let (connected, accepted) = tokio::join!(connecting, take(&ACCEPTING));
        accepted?.send_async(&1).await?;
        assert_eq!(connected?.recv_async().await?, 1);
        Ok(())
    })
}

fn accept_its_own() -> Result<(), Failure> {
    drop(take(&ACCEPTING));
    assert_eq!(listener().last_accepted(), None);
    let found = listener().try_accept::<u8, u8>();
    assert!(matches!(found, Err(TryAcceptError::Empty)), "{found:?}");
    LINE.get().ok_or("made before anything is forked")?.send(&())?;
    in_own_runtime(async || {
        let accepted: Connection<u8> = listener().accept_async().await.unwrap();
        accepted.send_async(&2).await.unwrap();
    });
    Ok(())
}
