//! A faulty line in front of any server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::journal::Journal;
use crate::listen::{self, Running};

/// What is wrong with a line. By default nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Before each piece, both ways.
    pub latency: Option<Duration>,
    /// Bytes a second, both ways.
    pub bandwidth: Option<u64>,
    /// Before an end is passed on.
    pub slow_close: Option<Duration>,
    /// After this time the client is reset.
    pub reset: Option<Duration>,
    /// Pieces of at most so many bytes.
    pub slicer: Option<usize>,
    /// Closed after so many bytes towards the client.
    pub limit: Option<u64>,
    /// What the server sends in more than so many bytes at once is lost, and all after it.
    pub hole: Option<usize>,
    /// Every connection is closed at once.
    pub down: bool,
}

/// Opens a line to `target`.
///
/// # Errors
/// The system gives no port.
pub fn open(target: SocketAddr, faults: Faults) -> io::Result<Running> {
    // The server behind it records the connection.
    listen::listen("link", &Journal::default(), move |client: TcpStream| {
        let faults = faults.clone();
        async move {
            if !faults.down {
                carry(client, target, &faults).await;
            }
        }
    })
}

async fn carry(client: TcpStream, target: SocketAddr, faults: &Faults) {
    let Ok(server) = TcpStream::connect(target).await else { return listen::reset(&client) };
    if faults.reset.is_some() {
        listen::reset(&client);
    }
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let reset_after = faults.reset.unwrap_or(Duration::from_secs(86_400));
    let away = Faults { limit: None, hole: None, ..faults.clone() };
    let both = async {
        tokio::join!(pump(client_in, server_out, &away, false), pump(server_in, client_out, faults, true))
    };
    let _ = tokio::time::timeout(reset_after, both).await;
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, faults: &Faults, towards_client: bool) {
    let mut left = faults.limit.unwrap_or(u64::MAX);
    let mut buffer = vec![0; 65_536];
    loop {
        let size = match from.read(&mut buffer).await {
            Ok(0) => break,
            Ok(size) => size,
            Err(_) => {
                // A reset is passed on as one.
                let _ = socket2::SockRef::from(to.as_ref()).set_linger(Some(Duration::ZERO));
                return;
            }
        };
        if faults.hole.is_some_and(|most| size > most) {
            // Lost: the line looks idle from now on.
            while from.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
            if towards_client {
                tokio::time::sleep(Duration::from_secs(600)).await;
            }
            return;
        }
        for piece in buffer[..size].chunks(faults.slicer.unwrap_or(size).max(1)) {
            if let Some(latency) = faults.latency {
                tokio::time::sleep(latency).await;
            }
            if let Some(rate) = faults.bandwidth {
                tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / rate.max(1) as f64)).await;
            }
            let piece = &piece[..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            left -= piece.len() as u64;
            if to.write_all(piece).await.is_err() {
                return;
            }
            if left == 0 {
                let _ = to.shutdown().await;
                return;
            }
        }
    }
    if let Some(wait) = faults.slow_close {
        tokio::time::sleep(wait).await;
    }
    let _ = to.shutdown().await;
}
