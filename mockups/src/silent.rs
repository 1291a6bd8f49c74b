//! Ports that nobody can talk to: closed, and silent.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

/// An address to which there is no route: connecting to any of its ports fails at once.
pub const UNREACHABLE: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// A port on which connections are never answered, for as long as this value lives.
#[derive(Debug)]
pub struct BlackHole {
    /// Where it is.
    pub address: SocketAddr,
    _listener: Socket,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    /// Opens a listener that never accepts and fills its queue, so that the system drops what comes after.
    ///
    /// # Errors
    /// The system gives no port or no connection.
    pub fn open() -> io::Result<BlackHole> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(0)?;
        let address = listener
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the listener has no internet address"))?;
        let waiting = vec![TcpStream::connect(address)?];
        Ok(BlackHole { address, _listener: listener, _waiting: waiting })
    }
}

/// A port on which connections are refused, for as long as this value lives: it is bound, so that nobody else is
/// given it, and nothing listens.
#[derive(Debug)]
pub struct ClosedPort {
    /// Where it is.
    pub address: SocketAddr,
    _bound: Socket,
}

impl ClosedPort {
    /// Takes a port.
    ///
    /// # Errors
    /// The system gives none.
    pub fn open() -> io::Result<ClosedPort> {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        bound.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = bound
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the port has no internet address"))?;
        Ok(ClosedPort { address, _bound: bound })
    }
}
