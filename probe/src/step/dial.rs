//! Connects to one address.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::evidence::{DialAnswer, Outcome};
use crate::net::Net;

/// An address of a path and how a socket gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The address as resolved or as it stands in for the name.
    pub address: SocketAddr,
    /// Whether a redirection put it in the name's place: it is not redirected again.
    pub stands_in: bool,
}

impl Lane {
    /// As reports print it.
    pub fn label(&self) -> String {
        self.address.to_string()
    }
}

/// Connects, and says how it went.
pub async fn connect(net: &Net, lane: Lane, wait: Duration) -> (Outcome, Option<TcpStream>) {
    let (answer, stream) = match net.dial(lane.address, lane.stands_in, wait).await {
        Ok(stream) => (DialAnswer::Connected, Some(stream)),
        Err(answer) => (answer, None),
    };
    (Outcome::Dial { address: lane.address, answer }, stream)
}
