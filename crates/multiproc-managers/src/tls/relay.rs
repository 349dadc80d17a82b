//! Carrying bytes from one stream to another, both ways.

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll},
};

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, split};

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

/// A socket of a relay, which ends when it is dropped, however the relay ends.
///
/// To close it is not enough: a forked child has a copy, and the other end would wait for that.
pub(super) struct Ending<S: AsFd>(pub(super) S);

impl<S: AsFd> Drop for Ending<S> {
    fn drop(&mut self) {
        // What has ended already, or was never connected, has nobody who waits.
        let _ = shutdown(&self.0, Shutdown::Both);
    }
}

impl<S: AsFd + AsyncRead + Unpin> AsyncRead for Ending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsFd + AsyncWrite + Unpin> AsyncWrite for Ending<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
