//! Carrying bytes from one stream to another, both ways.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

/// What is carried at once. A client has two of these, and little else.
const MOST: usize = 16 << 10;

/// Carries bytes until one side ends: then all that it had said has been told to the other.
pub(super) async fn relay(
    one: impl AsyncRead + AsyncWrite,
    other: impl AsyncRead + AsyncWrite,
) -> io::Result<()> {
    let ((mut from_one, mut to_one), (mut from_other, mut to_other)) = (split(one), split(other));
    tokio::select! {
        done = carry(&mut from_one, &mut to_other) => done,
        done = carry(&mut from_other, &mut to_one) => done,
    }
}

async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut buffer = vec![0; MOST];
    loop {
        let got = from.read(&mut buffer).await?;
        if got == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..got]).await?;
        // What TLS has sealed may wait for more otherwise.
        to.flush().await?;
    }
}
