//! Descriptors and connections that go to other processes, as arguments and in messages.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use multiproc::{
    Connection, Context, Failure,
    connection::{Address, Client, Family, Listener, Receiver, Sender, simplex},
    pipe,
    wire::Fd,
};
use multiproc_tests::{
    Scratch, TestResult, each_start_method,
    streams::{self, KINDS},
};

each_start_method! {
    file_sent_to_a_running_child_is_usable_there, connections_are_arguments,
    connection_goes_from_one_child_to_the_parent_with_a_third_at_its_end,
    socket_goes_from_one_child_to_the_parent, ends_keep_their_direction_in_a_child,
}

// parity: handles.send-fd
fn file_sent_to_a_running_child_is_usable_there(ctx: &Context) -> TestResult {
    let name = format!("send-fd-{}", ctx.get_start_method());
    let folder = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &name)?;
    for kind in ["pipe", "unix"] {
        let path = folder.join(kind);
        let (ours, theirs) = streams::ends::<Fd<File>, ()>(kind)?;
        let child = ctx.start(write_foo, (theirs,))?;
        ours.recv()?;
        ours.send(&Fd(File::create(&path)?))?;
        child.result()??;
        assert_eq!(fs::read(&path)?, b"foo", "over {kind}");
    }
    Ok(())
}

fn write_foo(end: Connection<(), Fd<File>>) -> Result<(), Failure> {
    // Here it runs, and only now gets the file.
    end.send(&())?;
    Ok(end.recv()?.into_inner().write_all(b"foo")?)
}

// parity: handles.arg-connection
fn connections_are_arguments(ctx: &Context) -> TestResult {
    for kind in KINDS {
        let (ours, theirs) = streams::ends::<String, String>(kind)?;
        let (their_rx, our_tx) = simplex()?;
        let (our_rx, their_tx) = simplex()?;
        let child = ctx.start(use_all, (theirs, vec![their_rx], Some(their_tx)))?;
        ours.send(&"over the first".to_string())?;
        assert_eq!(ours.recv()?, "OVER THE FIRST", "{kind}");
        our_tx.send(&7)?;
        assert_eq!(our_rx.recv()?, 14);
        child.result()??;
        assert!(ours.recv().unwrap_err().is_closed(), "the parent has no copy: {kind}");
        assert!(our_rx.recv().unwrap_err().is_closed());
        assert!(our_tx.send(&1).unwrap_err().is_closed());
    }
    Ok(())
}

fn use_all(
    end: Connection<String>,
    rx: Vec<Receiver<u32>>,
    tx: Option<Sender<u32>>,
) -> Result<(), Failure> {
    end.send(&end.recv()?.to_uppercase())?;
    Ok(tx.ok_or("it came along")?.send(&(2 * rx[0].recv()?))?)
}

// parity: handles.connection-as-message
fn connection_goes_from_one_child_to_the_parent_with_a_third_at_its_end(
    ctx: &Context,
) -> TestResult {
    for family in Family::ALL {
        let (ours, theirs) = pipe::<(), Accepted>()?;
        let server = ctx.start(serve, (theirs, family == Family::Inet))?;
        let Accepted::Address(address) = ours.recv()? else { panic!("the address comes first") };
        let client = ctx.start(say_loudly, (address, "this connection uses a pipe".to_string()))?;
        let Accepted::Connection(connection) = ours.recv()? else { panic!("then who came") };
        assert_eq!(connection.recv()?, "THIS CONNECTION USES A PIPE");
        assert!(connection.recv().unwrap_err().is_closed());
        server.result()??;
        client.result()??;
    }
    Ok(())
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Accepted {
    Address(String),
    Connection(Connection<(), String>),
}

fn serve(parent: Connection<Accepted, ()>, inet: bool) -> Result<(), Failure> {
    let family = if inet { Family::Inet } else { Family::Unix };
    let listener = Listener::builder().family(family).bind()?;
    parent.send(&Accepted::Address(listener.address().to_string()))?;
    Ok(parent.send(&Accepted::Connection(listener.accept()?))?)
}

fn say_loudly(address: String, text: String) -> Result<(), Failure> {
    let address: Address = address.parse()?;
    let connection: Connection<String, ()> = Client::builder().connect(address)?;
    Ok(connection.send(&text.to_uppercase())?)
}

// parity: handles.socket-as-message
fn socket_goes_from_one_child_to_the_parent(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(), (u16, Option<Fd<TcpStream>>)>()?;
    let server = ctx.start(serve_plainly, (theirs,))?;
    let (port, _) = ours.recv()?;
    let client = ctx.start(
        |port: u16| -> Result<(), Failure> {
            Ok(TcpStream::connect(("127.0.0.1", port))?.write_all(b"some plain text")?)
        },
        (port,),
    )?;
    let Fd(mut socket) = ours.recv()?.1.ok_or("the second has a socket")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    assert_eq!(text, "some plain text");
    server.result()??;
    Ok(client.result()??)
}

fn serve_plainly(parent: Connection<(u16, Option<Fd<TcpStream>>), ()>) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    parent.send(&(listener.local_addr()?.port(), None))?;
    Ok(parent.send(&(0, Some(Fd(listener.accept()?.0))))?)
}

// parity: handles.connection-direction-kept
fn ends_keep_their_direction_in_a_child(ctx: &Context) -> TestResult {
    let (ours, theirs) = pipe::<(Receiver<String>, Sender<String>), ()>()?;
    let child = ctx.start(double, (theirs,))?;
    let (their_rx, our_tx) = simplex()?;
    let (our_rx, their_tx) = simplex()?;
    let (also_rx, also_tx) = (held_fd(&their_rx)?, held_fd(&their_tx)?);
    ours.send(&(their_rx, their_tx))?;
    // Closed here, and open there.
    drop((also_rx, also_tx));
    our_tx.send(&"foobar".to_string())?;
    assert_eq!(our_rx.recv()?, "foobarfoobar");
    Ok(child.result()??)
}

fn held_fd(end: &impl std::os::fd::AsFd) -> std::io::Result<std::os::fd::OwnedFd> {
    end.as_fd().try_clone_to_owned()
}

fn double(end: Connection<(), (Receiver<String>, Sender<String>)>) -> Result<(), Failure> {
    let (rx, tx) = end.recv()?;
    // At the socket itself, too: taken for both, each end refuses the other direction.
    let both = Connection::<String>::from(held_fd(&rx)?);
    assert!(both.send(&String::new()).unwrap_err().is_closed());
    let both = Connection::<String>::from(held_fd(&tx)?);
    assert!(both.recv().unwrap_err().is_closed());
    Ok(tx.send(&rx.recv()?.repeat(2))?)
}
