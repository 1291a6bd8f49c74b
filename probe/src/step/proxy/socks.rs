//! SOCKS proxies.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_socks::tcp::{Socks4Stream, Socks5Stream};

use super::Answer;
use super::auth::{Account, Proof, SOCKS5};
use super::drive::{Dial, Heard, Leg, Way, drive};
use crate::codec::challenge::Challenge;
use crate::evidence::{Broken, Outcome, ProxyAnswer, SocksRefusal, escape, host_port};
use crate::net::{Stream, broken};
use crate::settings::ProxyKind;

/// Asks for a connection to `host:port`.
pub(super) async fn socks<D: Dial>(way: &Way<'_, D>, stream: Stream, host: &str, port: u16) -> Answer {
    let asked = format!("SOCKS {}", host_port(host, port));
    let (asked_for, auth) = if way.hop.kind == ProxyKind::Socks5 {
        let leg = Socks5 { host, port, account: way.auth.account(), wait: way.wait };
        drive(way, stream, &leg).await
    } else {
        // A user's name is no secret, and version 4 has nothing else.
        let connecting = async {
            match way.auth.user_for(way.hop) {
                Some(user) => Socks4Stream::connect_with_userid_and_socket(stream, (host, port), user).await,
                None => Socks4Stream::connect_with_socket(stream, (host, port)).await,
            }
            .map(|stream| Box::new(stream) as Stream)
        };
        (told(within(way.wait, connecting).await).answer, None)
    };
    let (answer, tunnel) = asked_for;
    Answer { outcome: Outcome::Proxy { asked, answer, auth: auth.map(Box::new) }, raw: None, tunnel }
}

async fn within(
    wait: Duration,
    connecting: impl Future<Output = tokio_socks::Result<Stream>>,
) -> tokio_socks::Result<Stream> {
    timeout_at(Instant::now() + wait, connecting)
        .await
        .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

type Granted = (ProxyAnswer, Option<Stream>);

struct Socks5<'a> {
    host: &'a str,
    port: u16,
    account: Option<&'a Account>,
    wait: Duration,
}

impl Leg for Socks5<'_> {
    type Answer = Granted;
    const OWN: bool = true;

    fn method(&self) -> &str {
        ""
    }

    fn uri(&self) -> &str {
        self.host
    }

    fn nothing(&self) -> Granted {
        (ProxyAnswer::Broken { how: Broken::Closed }, None)
    }

    async fn ask(&self, stream: Stream, authorization: Option<&Proof>, _: bool) -> Heard<Granted> {
        let target = (self.host, self.port);
        let login = self
            .account
            .filter(|_| authorization.is_some())
            .and_then(|account| Some((account.name.as_str(), account.password.as_ref()?.expose().as_str())));
        let connecting = async {
            match login {
                Some((user, password)) => {
                    Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
                }
                None => Socks5Stream::connect_with_socket(stream, target).await,
            }
            .map(|stream| Box::new(stream) as Stream)
        };
        told(within(self.wait, connecting).await)
    }
}

fn refusal(error: &tokio_socks::Error) -> SocksRefusal {
    use tokio_socks::Error;
    match error {
        Error::NoAcceptableAuthMethods | Error::UnknownAuthMethod | Error::AuthorizationRequired => {
            SocksRefusal::LogonDemanded
        }
        Error::PasswordAuthFailure(_) => SocksRefusal::Password,
        Error::IdentdAuthFailure | Error::InvalidUserIdAuthFailure => SocksRefusal::UserName,
        Error::ConnectionNotAllowedByRuleset => SocksRefusal::NotAllowed,
        Error::NetworkUnreachable | Error::HostUnreachable | Error::ConnectionRefused | Error::TtlExpired => {
            SocksRefusal::NotReached
        }
        _ => SocksRefusal::Other,
    }
}

/// What came of it; a demand, and a refused password, are told as HTTP tells them.
fn told(granted: tokio_socks::Result<Stream>) -> Heard<Granted> {
    use tokio_socks::Error;
    let (answer, tunnel, status, ended) = match granted {
        Ok(stream) => (ProxyAnswer::Granted, Some(stream), Some(200), false),
        Err(Error::Io(error)) => {
            let how = broken(&error);
            (ProxyAnswer::Broken { how }, None, None, how != Broken::Timeout)
        }
        Err(error) => {
            let refusal = refusal(&error);
            let status = match refusal {
                SocksRefusal::LogonDemanded | SocksRefusal::Password => Some(407),
                _ if matches!(error, Error::InvalidResponseVersion) => None,
                _ => Some(502),
            };
            (ProxyAnswer::Socks { refusal, why: escape(&error.to_string(), 120) }, None, status, false)
        }
    };
    let demanded = Challenge { scheme: SOCKS5.into(), ..Challenge::default() };
    let challenges = if status == Some(407) { vec![demanded] } else { Vec::new() };
    let granted = tunnel.is_some();
    Heard { answer: (answer, tunnel), status, granted, challenges, kept: None, ended }
}
