//! A SOCKS proxy: 4, 4a and 5 (RFC 1928, RFC 1929), CONNECT only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::journal::{Event, Journal, Leg, Outcome};
use crate::listen::{self, Running};
use crate::proxy::Table;

/// A SOCKS proxy's configuration.
#[derive(Clone)]
pub struct Config {
    /// Where destinations are.
    pub table: Table,
    /// `user:password` that version 5 demands.
    pub accepts: Option<String>,
    /// Answer every request with this code instead (version 5: 1 to 8; version 4: 91 to 93, any other is sent as 91).
    pub refuses: Option<u8>,
}

/// Starts a SOCKS proxy. Must be called inside a runtime.
///
/// # Errors
/// The system gives no port.
pub fn serve(name: &str, journal: &Journal, config: Config) -> io::Result<Running> {
    let (label, record) = (name.to_owned(), journal.clone());
    listen::listen(name, journal, move |mut stream: TcpStream| {
        let (label, record, config) = (label.clone(), record.clone(), config.clone());
        async move {
            let _ = talk(&mut stream, &label, &record, &config).await;
            let _ = stream.shutdown().await;
            listen::drain(&mut stream, Duration::from_secs(1)).await;
        }
    })
}

async fn talk(stream: &mut TcpStream, name: &str, journal: &Journal, config: &Config) -> io::Result<()> {
    let version = stream.read_u8().await?;
    let (host, port) = match version {
        5 => {
            if !greet(stream, name, journal, config).await? {
                return Ok(());
            }
            destination_5(stream).await?
        }
        4 => destination_4(stream).await?,
        // No SOCKS: real servers close.
        _ => return Ok(()),
    };
    journal.add(Event::Tunnel {
        listener: name.to_owned(),
        target: format!("{host}:{port}"),
        scheme: format!("socks{version}"),
    });
    let place = (config.table)(&host, port);
    let reached = match (config.refuses, place) {
        (Some(code), _) => Err(code),
        (None, None) => Err(4),
        (None, Some(address)) => {
            match tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
                Ok(Ok(server)) => Ok(server),
                Ok(Err(error)) if error.kind() == io::ErrorKind::NetworkUnreachable => Err(3),
                Ok(Err(_)) => Err(5),
                Err(_) => Err(6),
            }
        }
    };
    let code = reached.as_ref().err().copied().unwrap_or(0);
    let reply: &[u8] = match version {
        5 => &[5, code, 0, 1, 0, 0, 0, 0, 0, 0],
        _ => match code {
            0 => &[0, 90, 0, 0, 0, 0, 0, 0],
            92..=93 => &[0, code, 0, 0, 0, 0, 0, 0],
            _ => &[0, 91, 0, 0, 0, 0, 0, 0],
        },
    };
    stream.write_all(reply).await?;
    if let Ok(mut server) = reached
        && tokio::io::copy_bidirectional(stream, &mut server).await.is_err()
    {
        listen::reset(stream);
    }
    Ok(())
}

/// The choice of a method, and the password where one is demanded.
async fn greet(stream: &mut TcpStream, name: &str, journal: &Journal, config: &Config) -> io::Result<bool> {
    let mut methods = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut methods).await?;
    let method = if config.accepts.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        stream.write_all(&[5, 0xff]).await?;
        return Ok(false);
    }
    stream.write_all(&[5, method]).await?;
    let Some(accepts) = &config.accepts else { return Ok(true) };
    stream.read_u8().await?;
    let user = counted(stream).await?;
    let password = counted(stream).await?;
    let right = format!("{user}:{password}") == *accepts;
    journal.add(Event::Authentication {
        listener: name.to_owned(),
        scheme: "socks5".to_owned(),
        user,
        leg: Leg::Final,
        outcome: if right { Outcome::Accepted } else { Outcome::Refused },
    });
    stream.write_all(&[1, u8::from(!right)]).await?;
    Ok(right)
}

async fn counted(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn destination_5(stream: &mut TcpStream) -> io::Result<(String, u16)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        4 => Ipv6Addr::from(stream.read_u128().await?).to_string(),
        _ => counted(stream).await?,
    };
    Ok((host.to_lowercase(), stream.read_u16().await?))
}

async fn destination_4(stream: &mut TcpStream) -> io::Result<(String, u16)> {
    stream.read_u8().await?;
    let port = stream.read_u16().await?;
    let address = stream.read_u32().await?;
    until_zero(stream).await?;
    // 0.0.0.N says that a name follows.
    let host = match address {
        1..=255 => until_zero(stream).await?.to_lowercase(),
        _ => Ipv4Addr::from(address).to_string(),
    };
    Ok((host, port))
}

async fn until_zero(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        match stream.read_u8().await? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            _ if text.len() > 255 => return Err(io::ErrorKind::InvalidData.into()),
            byte => text.push(byte),
        }
    }
}
