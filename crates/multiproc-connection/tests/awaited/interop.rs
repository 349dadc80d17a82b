//! A Python at the other end, awaited.

use std::io::Write;

use multiproc_connection::{Address, Client, Connection, Listener};

use crate::{
    on_both,
    python::{self, Python},
};

const SIZES: [usize; 4] = [0, 1, (16 << 10) + 1, 8 << 20];

async fn check_echo(connection: &Connection<()>) {
    for size in SIZES {
        let message: Vec<_> = (0..size).map(|index| (index % 251) as u8).collect();
        let sending = connection.send_bytes_async(&message);
        let (sent, received) = tokio::join!(sending, connection.recv_bytes_async());
        sent.unwrap();
        assert!(received.unwrap() == message, "{size} bytes");
    }
}

#[test]
fn python_echoes_to_tasks() {
    let pythons = Python::find();
    // The newest, and the oldest for its older handshake.
    let Some((oldest, newest)) = pythons.first().zip(pythons.last()) else {
        let mut out = std::io::stderr().lock();
        writeln!(out, "interop: skipped, no python3 was found").unwrap();
        return;
    };
    on_both(async || {
        for python in [oldest, newest] {
            let listener = Listener::builder().authkey("our secret").allow_md5().bind().unwrap();
            let address = python::literal(listener.address());
            let mut child = python.start("connect", &[&address, "our secret"]);
            let served = listener.accept_async().await.unwrap();
            check_echo(&served).await;
            drop(served);
            child.finish();

            let mut child = python.start("listen", &["AF_INET", "our secret"]);
            let address: Address = child.line().parse().unwrap();
            let client = Client::builder().authkey("our secret").allow_md5();
            let connection = client.connect_async(address).await.unwrap();
            check_echo(&connection).await;
            drop(connection);
            child.finish();
        }
    });
}
