//! Listening sockets on loopback that stop when they are dropped.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::journal::{Event, Journal};

/// A running server. Dropping it closes its port and all its connections.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn new(address: SocketAddr, tasks: Vec<JoinHandle<()>>) -> Running {
        Running { address, tasks }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Accepts on a port that the system gives and hands every connection to `handler`, each in a task of its own.
/// Must be called inside a runtime.
///
/// # Errors
/// The system gives no port.
pub fn listen<F, Fut>(name: &str, journal: &Journal, handler: F) -> io::Result<Running>
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket)?;
    let address = listener.local_addr()?;
    let (name, journal, handler) = (name.to_owned(), journal.clone(), Arc::new(handler));
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let _ = stream.set_nodelay(true);
                    journal.add(Event::Connection { listener: name.clone() });
                    connections.spawn(handler(stream));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok(Running::new(address, vec![task]))
}

/// Closes a connection with RST.
pub(crate) fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Reads and drops what comes, until the peer closes or `most` has passed.
pub(crate) async fn drain<S: AsyncRead + Unpin>(stream: &mut S, most: Duration) {
    use tokio::io::AsyncReadExt;
    let mut scrap = [0; 4096];
    let _ = tokio::time::timeout(most, async { while stream.read(&mut scrap).await.is_ok_and(|n| n > 0) {} })
        .await;
}

/// A stream of which some bytes were read already: they come first.
#[derive(Debug)]
pub struct Prefixed<S> {
    prefix: Vec<u8>,
    given: usize,
    inner: S,
}

impl<S> Prefixed<S> {
    /// Puts `prefix` before what `inner` still has.
    pub fn new(prefix: Vec<u8>, inner: S) -> Self {
        Prefixed { prefix, given: 0, inner }
    }

    /// The stream itself.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given < self.prefix.len() {
            let size = into.remaining().min(self.prefix.len() - self.given);
            into.put_slice(&self.prefix[self.given..self.given + size]);
            self.given += size;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
