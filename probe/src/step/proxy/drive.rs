//! The state machine of a demand, over one connection: asked without credentials, demanded, the turn taken, a scheme
//! chosen, its messages, the verdict. What is asked is a [`Leg`]: CONNECT, or a request with the whole URL.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;

use super::auth::{Auth, Choice, Opening, Proof, Scheme, Sent, Standing};
use super::own::Logon;
use crate::codec::challenge::{self, Challenge};
use crate::codec::ntlm;
use crate::evidence::{AuthStage, ProxyAuth};
use crate::net::Stream;
use crate::settings::{ProxyHop, Secret};

/// Opens a further connection to the same proxy.
pub trait Dial: Sync {
    /// Connects; what went wrong is nobody's concern here.
    fn again(&self) -> impl Future<Output = Option<Stream>> + Send;
}

/// The way to a proxy.
pub struct Way<'a, D> {
    /// The credentials of the run.
    pub auth: &'a Auth,
    /// The proxy.
    pub hop: &'a ProxyHop,
    /// Further connections to it.
    pub dial: D,
    /// How long one answer is waited for.
    pub wait: Duration,
}

/// What is asked of a proxy, with other credentials each time.
pub(super) trait Leg: Sync {
    /// What comes of it.
    type Answer: Send;
    /// Whether every answer is the proxy's own.
    const OWN: bool;
    /// The request's method.
    fn method(&self) -> &str;
    /// What its request line names.
    fn uri(&self) -> &str;
    /// Asks once. A message that is not the last keeps the connection and may leave out the body.
    fn ask(
        &self,
        stream: Stream,
        authorization: Option<&Proof>,
        last: bool,
    ) -> impl Future<Output = Heard<Self::Answer>> + Send;
    /// What there is where no connection can be had.
    fn nothing(&self) -> Self::Answer;
}

/// What an ask met.
pub(super) struct Heard<A> {
    /// What it is as an observation.
    pub answer: A,
    /// The status; none where no HTTP came.
    pub status: Option<u16>,
    /// Whether it is what was asked for.
    pub granted: bool,
    /// The challenges of a 407.
    pub challenges: Vec<Challenge>,
    /// The connection, where it can be asked again.
    pub kept: Option<Stream>,
    /// Whether it ended instead of an answer.
    pub ended: bool,
}

/// Asks, and logs on where that is demanded and can be done.
pub(super) async fn drive<L: Leg, D: Dial>(
    way: &Way<'_, D>,
    stream: Stream,
    leg: &L,
) -> (L::Answer, Option<ProxyAuth>) {
    let mut line = Line {
        way,
        leg,
        stream: Some(stream),
        rounds: 0,
        seen: ProxyAuth::default(),
        sent: Sent::Nothing,
        demand: None,
    };
    // Who logs on now is waited for: afterwards the scheme is known.
    if matches!(way.auth.standing(way.hop), Standing::Unknown) && way.auth.turn.try_lock().is_err() {
        let _ = timeout(way.auth.patience(), way.auth.turn.lock()).await;
    }
    if let Standing::Accepted(scheme) = way.auth.standing(way.hop) {
        return line.known(scheme, None).await;
    }
    let heard = line.ask(None, true).await;
    if heard.status != Some(407) {
        return (heard.answer, None);
    }
    line.seen.offered = challenge::names(&heard.challenges);
    let standing = way.auth.standing(way.hop);
    if let Standing::Silent(stage, why) = standing {
        return line.end(heard.answer, stage, why);
    }
    let Ok(turn) = timeout(way.auth.patience(), way.auth.turn.lock()).await else {
        let why = "another connection was still logging on".to_string();
        return line.end(heard.answer, AuthStage::NotSent, why);
    };
    match way.auth.standing(way.hop) {
        Standing::Silent(stage, why) => return line.end(heard.answer, stage, why),
        Standing::Accepted(scheme) => {
            drop(turn);
            line.demand = Some(heard.answer);
            line.stream = None;
            return line.known(scheme, Some(&heard.challenges)).await;
        }
        Standing::Unknown => {}
    }
    let choice = way.auth.choose(way.hop, &heard.challenges, &mut line.seen.passed_over).await;
    let done = match choice {
        Choice::Nothing => {
            let why = "no scheme that it offers can be answered".to_string();
            // Where nobody gave a run credentials, none are withheld.
            let own = way.auth.is_own(way.hop);
            line.end(heard.answer, if own { AuthStage::Demanded } else { AuthStage::NotSent }, why)
        }
        Choice::KdcRefused(why) => {
            line.name(Scheme::Kerberos);
            line.sent = Sent::Final;
            let (answer, seen) = line.end(heard.answer, AuthStage::Rejected, format!("the KDC: {why}"));
            seen.iter().for_each(|seen| way.auth.settle(way.hop, Scheme::Kerberos, seen, Sent::Final));
            (answer, seen)
        }
        Choice::With(scheme, opening) => {
            line.demand = Some(heard.answer);
            // Over a new connection: some proxies close the one on which they asked, and some answer nothing more on it
            // (mitmproxy 8). The logon's own messages keep to one.
            line.stream = None;
            line.log_on(scheme, Some(&heard.challenges), opening).await
        }
    };
    drop(turn);
    done
}

/// A connection to a proxy and what was done over it.
struct Line<'a, 'w, L: Leg, D> {
    way: &'a Way<'w, D>,
    leg: &'a L,
    stream: Option<Stream>,
    rounds: u32,
    seen: ProxyAuth,
    /// What went out.
    sent: Sent,
    /// The demand, which stands where no answer of HTTP follows it.
    demand: Option<L::Answer>,
}

impl<L: Leg, D: Dial> Line<'_, '_, L, D> {
    /// Asks once, over a new connection where the last one is gone.
    async fn ask(&mut self, authorization: Option<&Proof>, last: bool) -> Heard<L::Answer> {
        let stream = match self.stream.take() {
            Some(stream) if self.rounds == 0 => Some(stream),
            Some(stream) => still_open(stream).await,
            None => None,
        };
        let stream = match stream {
            Some(stream) => Some(stream),
            None => self.way.dial.again().await,
        };
        let Some(stream) = stream else {
            let answer = self.leg.nothing();
            return Heard {
                answer,
                status: None,
                granted: false,
                challenges: Vec::new(),
                kept: None,
                ended: true,
            };
        };
        let mut heard = self.leg.ask(stream, authorization, last).await;
        self.rounds += 1;
        self.stream = heard.kept.take();
        heard
    }

    /// Logs on with a scheme that was accepted before.
    async fn known(self, scheme: Scheme, challenges: Option<&[Challenge]>) -> (L::Answer, Option<ProxyAuth>) {
        let (scheme, opening) = self.way.auth.reopen(self.way.hop, scheme).await;
        self.log_on(scheme, challenges, opening).await
    }

    fn name(&mut self, scheme: Scheme) {
        self.seen.scheme = scheme.name().into();
        self.seen.mechanism = scheme.mechanism().into();
        if scheme == Scheme::Kerberos {
            self.seen.spn = format!("HTTP/{}", self.way.hop.host);
        }
    }

    fn end(mut self, answer: L::Answer, stage: AuthStage, why: String) -> (L::Answer, Option<ProxyAuth>) {
        self.seen.stage = stage;
        self.seen.why = why;
        self.seen.rounds = self.rounds;
        self.seen.own = self.way.auth.is_own(self.way.hop);
        (answer, Some(self.seen))
    }

    async fn log_on(
        mut self,
        scheme: Scheme,
        challenges: Option<&[Challenge]>,
        opening: Opening,
    ) -> (L::Answer, Option<ProxyAuth>) {
        self.name(scheme);
        let (auth, hop) = (self.way.auth, self.way.hop);
        let (heard, stage, why) = match (scheme, opening) {
            (_, Opening::Nothing) => self.finally(None, scheme).await,
            (Scheme::Ntlm { .. }, Opening::Own(logon)) => self.ntlm(scheme, Some(logon)).await,
            (_, Opening::Own(logon)) => self.own(scheme, logon).await,
            (_, Opening::Ticket(ticket)) => {
                let value = auth.message(scheme, &ticket);
                self.finally(Some(&value), scheme).await
            }
            (Scheme::Ntlm { .. }, Opening::Password) => self.ntlm(scheme, None).await,
            (Scheme::Digest, Opening::Password) => self.digest(challenges).await,
            (_, Opening::Password) => {
                let value = auth.basic();
                self.finally(value.as_ref(), scheme).await
            }
        };
        let sent = self.sent;
        let said = self.demand.take().filter(|_| heard.ended);
        let (answer, seen) = self.end(said.unwrap_or(heard.answer), stage, why);
        seen.iter().for_each(|seen| auth.settle(hop, scheme, seen, sent));
        (answer, seen)
    }

    /// Sends the message that decides.
    async fn finally(
        &mut self,
        value: Option<&Proof>,
        scheme: Scheme,
    ) -> (Heard<L::Answer>, AuthStage, String) {
        let Some(value) = value else {
            let heard = self.ask(None, true).await;
            return (heard, AuthStage::Broken, "there is nothing to answer with any more".into());
        };
        let before = (self.rounds, self.sent);
        self.sent = Sent::Final;
        let heard = self.ask(Some(value), true).await;
        if self.rounds == before.0 {
            // There was no connection to send it over.
            self.sent = before.1;
        }
        if heard.status.is_none() && self.way.auth.accepted_by(self.way.hop) {
            // Whatever ended it now: the credentials were accepted on another connection.
            return (heard, AuthStage::Accepted, String::new());
        }
        if heard.status.is_none() && !heard.ended {
            self.sent = Sent::Silence;
        }
        let (stage, why) = verdict(&heard, scheme, value.value().len(), L::OWN);
        (heard, stage, why)
    }

    async fn digest(&mut self, challenges: Option<&[Challenge]>) -> (Heard<L::Answer>, AuthStage, String) {
        let (auth, method, uri) = (self.way.auth, self.leg.method(), self.leg.uri());
        let (first, mut client) = match auth.digest(challenges, method, uri) {
            Ok(first) => first,
            Err(why) => {
                let heard = self.ask(None, true).await;
                return (heard, AuthStage::Broken, why);
            }
        };
        let (mut heard, mut stage, mut why) = self.finally(Some(&first), Scheme::Digest).await;
        // A nonce that is out of date is no word about the password: once more with the new one.
        let stale = heard.challenges.iter().any(|challenge| {
            challenge.is("Digest")
                && challenge.param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
        });
        if stage == AuthStage::Rejected && stale {
            match auth.digest(Some(&heard.challenges), method, uri) {
                Ok((again, another)) => {
                    client = another;
                    (heard, stage, why) = self.finally(Some(&again), Scheme::Digest).await;
                }
                Err(not) => (stage, why) = (AuthStage::Broken, not),
            }
        }
        if stage == AuthStage::Accepted {
            client.into_iter().for_each(|client| auth.keep_digest(client));
        }
        (heard, stage, why)
    }

    /// A logon of the system's whose first message proves something already. Where the proxy asks on over the same
    /// connection the system may answer, once: with the rest of it, or with NTLM instead.
    async fn own(&mut self, scheme: Scheme, logon: Logon) -> (Heard<L::Answer>, AuthStage, String) {
        let value = self.way.auth.message(scheme, logon.message());
        let (heard, stage, why) = self.finally(Some(&value), scheme).await;
        let token = asked_on(&heard, scheme).filter(|_| stage == AuthStage::Broken && self.stream.is_some());
        let Some(Ok(token)) = token.map(|token| STANDARD.decode(token)) else { return (heard, stage, why) };
        match logon.answer(token).await {
            Err(none) => (heard, stage, none.why),
            Ok(logon) if logon.opens_ntlm() => {
                let scheme = logon.scheme(true);
                self.name(scheme);
                self.ntlm(scheme, Some(logon)).await
            }
            Ok(logon) => {
                let value = self.way.auth.message(scheme, logon.message());
                self.finally(Some(&value), scheme).await
            }
        }
    }

    /// NTLM's messages, by the user's password or, where there is a logon of the system's, by that.
    async fn ntlm(&mut self, scheme: Scheme, own: Option<Logon>) -> (Heard<L::Answer>, AuthStage, String) {
        let name = scheme.name();
        let first = own.as_ref().map_or_else(ntlm::negotiate, |logon| logon.message().to_vec());
        let first = Proof::open(format!("{name} {}", STANDARD.encode(first)));
        let reused = self.rounds > 0 && self.stream.is_some();
        let mut heard = self.ask(Some(&first), false).await;
        // A close after the bare demand is normal: once more, over a connection that begins with this message.
        if heard.ended && reused {
            heard = self.ask(Some(&first), false).await;
        }
        let closes = self.stream.is_none();
        let (stage, why) = match heard.status {
            None if heard.ended => {
                let why = "the connection ended instead of a challenge after the first message";
                (AuthStage::ClosedBetweenLegs, why.into())
            }
            None => (AuthStage::Broken, "no HTTP answer came to the first message".into()),
            Some(407) => match asked_on(&heard, scheme) {
                _ if closes => {
                    let why = "the proxy closes the connection after the first message, and the logon belongs to \
                                   the connection";
                    (AuthStage::ClosedBetweenLegs, why.into())
                }
                None => (AuthStage::Broken, "no challenge came after the first message".into()),
                Some(token) => match reply(self.way.auth, scheme, own, token).await {
                    Err(why) => (AuthStage::Broken, why),
                    Ok(value) => return self.finally(Some(&value), scheme).await,
                },
            },
            Some(_) if heard.granted => (AuthStage::Accepted, String::new()),
            Some(status) => (AuthStage::Broken, format!("{status} came instead of a challenge")),
        };
        (heard, stage, why)
    }
}

/// NTLM's answer to a challenge.
async fn reply(auth: &Auth, scheme: Scheme, own: Option<Logon>, token: &str) -> Result<Proof, String> {
    let Some(logon) = own else {
        let message = auth.ntlm(token)?;
        return Ok(auth.proof(Secret::new(format!("{} {}", scheme.name(), message.expose()))));
    };
    let challenge = STANDARD.decode(token).map_err(|_| "the challenge is no base64".to_string())?;
    let logon = logon.answer(challenge).await.map_err(|none| none.why)?;
    Ok(auth.message(scheme, logon.message()))
}

/// The token with which a proxy asks for a further message of a scheme.
fn asked_on<A>(heard: &Heard<A>, scheme: Scheme) -> Option<&str> {
    let mut challenges = heard.challenges.iter().filter(|challenge| challenge.is(scheme.name()));
    challenges.find_map(|challenge| challenge.token.as_deref())
}

/// What the answer to a final message says of the credentials.
fn verdict<A>(heard: &Heard<A>, scheme: Scheme, length: usize, own: bool) -> (AuthStage, String) {
    match heard.status {
        None if heard.ended => {
            (AuthStage::Broken, "the connection ended instead of an answer to the final message".into())
        }
        None => (AuthStage::Broken, "nothing that is HTTP came to the final message in time".into()),
        Some(407) => {
            if asked_on(heard, scheme).is_some() && scheme != Scheme::Basic && scheme != Scheme::Digest {
                (AuthStage::Broken, "the proxy asks for a further message, and there is none".into())
            } else if scheme == Scheme::Socks5 {
                (AuthStage::Rejected, "the proxy says no to the user and the password".into())
            } else {
                (AuthStage::Rejected, "the proxy answers the final message with another demand".into())
            }
        }
        Some(status @ (400 | 413 | 414 | 431)) if own && length > 1024 => (
            AuthStage::Broken,
            format!("{status} answers a final message of {length} bytes: too long for it"),
        ),
        Some(status @ (200..=299 | 400)) if own && !heard.granted => {
            (AuthStage::Broken, format!("{status} answers the final message, and is no tunnel"))
        }
        Some(_) => (AuthStage::Accepted, String::new()),
    }
}

/// The connection, unless it was closed or speaks unasked.
pub(crate) async fn still_open(mut stream: Stream) -> Option<Stream> {
    tokio::task::yield_now().await;
    let mut byte = [0];
    let waits = poll_fn(|context| {
        let polled = Pin::new(&mut stream).poll_read(context, &mut ReadBuf::new(&mut byte));
        Poll::Ready(polled.is_pending())
    })
    .await;
    waits.then_some(stream)
}
