//! One lane, step by step, up to what its path asks at its end.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Began, Peer, Reached, Walker, issuers};
use crate::codec::soap;
use crate::codec::tls::TLS12;
use crate::evidence::{
    Ask, AuthStage, Broken, ChainSeen, HandshakeAnswer, HelloAnswer, HttpAnswer, Layer, Outcome, PathInfo,
    ProxyAnswer, Scheme, SoapAnswer, Target, Validity,
};
use crate::net::Stream;
use crate::settings::ProxyKind;
use crate::step::dial::Lane;
use crate::step::exchange::Request;
use crate::step::{chain, dial, exchange, handshake, hello, proxy};

/// What came of a path's own hello.
#[derive(Default)]
pub(super) struct Greeted {
    /// The version and suite chosen, where there was a ServerHello.
    pub(super) known: Option<(u16, u16)>,
    /// Whether what answers may speak TLS at all.
    pub(super) speaks_tls: bool,
    /// Whether the flight came whole, at the version offered.
    passed: bool,
    /// Whether the hello was refused, by whoever it was.
    refused: bool,
    /// The chain, where it was looked at.
    chain: Option<ChainSeen>,
    /// The peer.
    peer: Option<Peer>,
}

impl Walker<'_> {
    /// Opens a connection to a path's target on a lane, through its proxy; nothing is recorded.
    pub(super) async fn open(&self, path: &PathInfo, lane: Lane, wait: Duration) -> Option<Stream> {
        self.turn().await;
        let stream = self.net.dial(lane.address, lane.stands_in, wait).await.ok()?;
        match &path.proxy {
            Some(hop) if path.target.scheme == Scheme::Https || hop.kind != ProxyKind::Http => {
                let way = self.way(hop, lane, wait);
                proxy::tunnel(&way, Box::new(stream), &path.target.host, path.target.port).await.tunnel
            }
            _ => Some(Box::new(stream)),
        }
    }

    /// Waits until another connection may begin, where there is a rate to keep.
    async fn turn(&self) {
        let Some(rate) = self.settings.rate.filter(|&rate| rate > 0) else { return };
        let mut next = self.next.lock().await;
        let now = tokio::time::Instant::now();
        let at = next.unwrap_or(now);
        tokio::time::sleep_until(at).await;
        *next = Some(at.max(now) + Duration::from_secs(1) / rate);
    }

    pub(super) async fn lane(
        &self,
        path: &PathInfo,
        lane: Lane,
        wait: Duration,
        known: Option<&Peer>,
    ) -> Reached {
        let (host, port) = Self::first_hop(path);
        let hop_subject = crate::evidence::host_port(&host, port);
        let subject = path.target.subject();
        let mut reached = Reached::default();

        let opening = Instant::now();
        let began = Began::now();
        let (outcome, stream) = dial::connect(&self.net, lane, wait).await;
        self.record(path, Some(lane), Layer::Dial, &hop_subject, &began, None, outcome, None);
        let Some(stream) = stream else { return reached };
        reached.connected = true;
        if path.until == Layer::Dial {
            reached.done = true;
            return reached;
        }

        let https = path.target.scheme == Scheme::Https;
        // What this connection took of rounds, and what a further one will.
        let (mut rounds, mut later) = (1, 1);
        let stream: Stream = match &path.proxy {
            Some(hop) if https || hop.kind != ProxyKind::Http => {
                let began = Began::now();
                let way = self.way(hop, lane, wait);
                let answer = proxy::tunnel(&way, Box::new(stream), &path.target.host, path.target.port).await;
                let (outcome, raw) = (answer.outcome.clone(), answer.raw);
                self.record(path, Some(lane), Layer::Proxy, &hop_subject, &began, None, outcome, raw);
                let Some(tunnel) = answer.tunnel else {
                    self.no_tunnel(path, lane, hop, &answer.outcome, wait).await;
                    return reached;
                };
                if let Outcome::Proxy { auth: Some(auth), .. } = &answer.outcome {
                    rounds = 1 + auth.rounds.max(1);
                    later = 1 + self.auth.rounds_ahead(hop).unwrap_or(1);
                }
                tunnel
            }
            _ => Box::new(stream),
        };
        // The first logon takes rounds that no later connection does.
        let round_trip = opening.elapsed() * later / rounds;
        if path.until == Layer::Proxy {
            reached.done = true;
            return reached;
        }

        if !https {
            if path.until < Layer::Http {
                reached.done = true;
                return reached;
            }
            self.ask(path, lane, stream, wait, &mut reached).await;
            return reached;
        }

        let (stream, peer, accepted) = match known {
            Some(peer) => (stream, Some(peer.clone()), true),
            None => {
                let greeted = if path.ask == Ask::Tls {
                    Box::pin(self.tls(path, lane, stream, round_trip, wait)).await
                } else {
                    Box::pin(self.first_flight(path, lane, stream, round_trip, wait)).await
                };
                reached.refused = greeted.refused;
                let (true, chain, peer) = (greeted.passed, greeted.chain, greeted.peer) else {
                    return reached;
                };
                if path.until == Layer::Tls {
                    reached.done = true;
                    return reached;
                }
                let accepted = chain.as_ref().is_some_and(ChainSeen::acceptable);
                reached.untrusted = !accepted;
                reached.out_of_date = chain
                    .as_ref()
                    .is_some_and(|seen| seen.way.iter().any(|c| c.validity != Validity::Current));
                if path.until == Layer::Trust {
                    reached.done = accepted;
                    return reached;
                }
                let Some(stream) = self.open(path, lane, wait).await else { return reached };
                (stream, peer, accepted)
            }
        };
        reached.peer = peer.clone().filter(|_| accepted);
        let terms = handshake::Terms {
            name: &path.target.host,
            accepted_leaf: reached.peer.as_ref().map(|peer| peer.leaf.as_slice()),
            met: peer.map(|peer| (peer.version, peer.suite)),
            store: self.store,
            clock: self.net.clock,
        };
        let began = Began::now();
        let (mut outcome, mut session) = handshake::make(stream, terms, wait).await;
        if handshake::gave_up(&outcome)
            && let Some(stream) = self.open(path, lane, wait).await
        {
            let terms = handshake::Terms { met: None, ..terms };
            let (other, reached) = Box::pin(handshake::make(stream, terms, wait)).await;
            if reached.is_some() {
                (outcome, session) = (other, reached);
            }
        }
        // A server that asked for a certificate and then broke off has said why; every other end is our own.
        let our_limit = matches!(
            outcome,
            Outcome::Handshake { client_certificate_asked: false, .. }
                | Outcome::Handshake {
                    answer: HandshakeAnswer::OwnLimit { .. } | HandshakeAnswer::Failed { .. },
                    ..
                }
        );
        let another = matches!(outcome, Outcome::Handshake { answer: HandshakeAnswer::Untrusted, .. });
        self.record(path, Some(lane), Layer::Tls, &subject, &began, None, outcome, None);
        match session {
            Some(session) => self.ask(path, lane, session, wait, &mut reached).await,
            None if our_limit && accepted => {
                reached.own_limit = true;
                let says = if another {
                    "the peer showed another certificate than before: several servers answer at this address"
                } else {
                    "this program's TLS library did not complete the session, which says nothing of Windows' client"
                };
                let outcome = Outcome::NotReached { because: "own client".into(), says: says.into() };
                self.record(path, Some(lane), Layer::Http, &subject, &Began::now(), None, outcome, None);
            }
            None => {}
        }
        reached
    }

    /// The crafted hello, its differentials where it is refused, and the chain where it is answered.
    pub(super) async fn first_flight(
        &self,
        path: &PathInfo,
        lane: Lane,
        stream: Stream,
        round_trip: Duration,
        wait: Duration,
    ) -> Greeted {
        let subject = path.target.subject();
        let own = self.client.hello(self.server_name(path));
        let (Some(greeting), offer) = (own.hello, own.offer) else { return Greeted::default() };
        let takes = {
            let offer = offer.clone();
            move |version| offer.takes(version)
        };
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let plain = matches!(answer.outcome, Outcome::Hello { answer: HelloAnswer::PlainHttp { .. }, .. });
        let silent = matches!(
            answer.outcome,
            Outcome::Hello { answer: HelloAnswer::Broken { how: Broken::Timeout }, .. }
        );
        let not_tls = matches!(answer.outcome, Outcome::Hello { answer: HelloAnswer::NotTls { .. }, .. });
        let broken = matches!(answer.outcome, Outcome::Hello { answer: HelloAnswer::Broken { .. }, .. });
        self.record(path, Some(lane), Layer::Tls, &subject, &began, None, answer.outcome, answer.raw);
        let mut greeted = Greeted {
            // What was not offered is no word on what is spoken.
            known: answer
                .flight
                .as_ref()
                .filter(|flight| greeting.offers(flight.version) && greeting.suites.contains(&flight.suite))
                .map(|flight| (flight.version, flight.suite)),
            speaks_tls: !plain && !silent && !not_tls,
            ..Greeted::default()
        };
        let flight = match answer.flight {
            Some(flight) if takes(flight.version) && flight.complete => flight,
            // Another version is an answer in itself; a flight cut short leaves nothing to look at.
            Some(flight) => {
                if flight.version <= TLS12 && flight.alert.is_none() {
                    self.small_answer(path, lane, wait).await;
                }
                return greeted;
            }
            None => {
                if silent {
                    self.small_answer(path, lane, wait).await;
                } else if !plain {
                    greeted.refused = true;
                    greeted.known = Box::pin(self.differentials(path, lane, round_trip, wait)).await;
                    match greeted.known {
                        _ if path.proxy.is_none() => {}
                        None if broken => self.tunnel_or_policy(path, lane, wait).await,
                        Some((version, _)) if !takes(version) => {
                            self.shown_at(path, lane, version, wait).await;
                        }
                        _ => {}
                    }
                }
                return greeted;
            }
        };
        greeted.passed = true;
        self.beside_the_answer(path, lane, flight.suite, wait).await;
        if path.until == Layer::Tls {
            return greeted;
        }
        let chain = self.chain(path, lane, &flight.certificates, None, wait).await;
        let (version, suite) = (flight.version, flight.suite);
        greeted.peer = flight.certificates.into_iter().next().map(|leaf| Peer { leaf, version, suite });
        greeted.chain = chain;
        greeted
    }

    /// Looks at the certificates that were sent.
    pub(super) async fn chain(
        &self,
        path: &PathInfo,
        lane: Lane,
        sent: &[Vec<u8>],
        question: Option<&str>,
        wait: Duration,
    ) -> Option<ChainSeen> {
        let began = Began::now();
        let fetcher = issuers::Fetcher { walker: self, wait };
        let (host, clock) = (&path.target.host, self.net.clock);
        let mut chain = chain::look(sent, host, clock, self.store, &fetcher).await?;
        let decides = self.settings.judges_as_the_machine();
        chain.platform = chain::platform(sent, host, clock, decides, wait).await;
        let outcome = Outcome::Chain(Box::new(chain.clone()));
        let subject = path.target.subject();
        self.record(path, Some(lane), Layer::Trust, &subject, &began, question, outcome, None);
        Some(chain)
    }

    /// The name that a hello carries: none for an address (RFC 6066 section 3).
    pub(super) fn server_name(&self, path: &PathInfo) -> Option<String> {
        path.target.host.parse::<IpAddr>().is_err().then(|| path.target.host.clone())
    }

    /// Asks what a path asks at its end.
    pub(super) async fn ask(
        &self,
        path: &PathInfo,
        lane: Lane,
        stream: Stream,
        wait: Duration,
        reached: &mut Reached,
    ) {
        let request = match path.ask {
            Ask::AuthConfig => Some(soap::GET_AUTH_CONFIG),
            Ask::ClientConfig => Some(soap::GET_CONFIG),
            Ask::Get | Ask::SelfUpdate | Ask::Tls => None,
        };
        let Some(answer) = self.exchange(path, lane, stream, &path.target, request, None, wait).await else {
            return;
        };
        let Outcome::Http { answer: seen, .. } = &answer.outcome else { return };
        let HttpAnswer::Response { status, .. } = seen else {
            self.other_scheme(path, lane, wait).await;
            return;
        };
        let status = *status;
        reached.answered = true;
        if path.until == Layer::Http && request.is_some() {
            reached.done = true;
            return;
        }
        let Some(request) = request else {
            reached.done = (200..300).contains(&status);
            if !reached.done {
                self.other_scheme(path, lane, wait).await;
            }
            if path.ask == Ask::SelfUpdate && reached.done {
                self.old_ident(path, lane, wait).await;
            }
            return;
        };
        let soap = soap::answer(request.operation, &answer.body);
        reached.done = matches!(soap, SoapAnswer::Result { .. });
        if !reached.done {
            self.other_scheme(path, lane, wait).await;
        }
        let outcome = Outcome::Soap { operation: request.operation.into(), answer: soap };
        self.record(
            path,
            Some(lane),
            Layer::Wsus,
            &path.target.subject(),
            &Began::now(),
            None,
            outcome,
            None,
        );
    }

    /// SelfUpdate's older file beside the one that was served.
    pub(super) async fn old_ident(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        let Some(stream) = self.open(path, lane, wait).await else { return };
        let target = Target { path: "/selfupdate/iuident.cab".into(), ..path.target.clone() };
        self.exchange(path, lane, stream, &target, None, Some("the older file of SelfUpdate"), wait).await;
    }

    #[allow(clippy::too_many_arguments, reason = "a request has that many sides")]
    pub(super) async fn exchange(
        &self,
        path: &PathInfo,
        lane: Lane,
        stream: Stream,
        target: &Target,
        soap: Option<soap::Request>,
        question: Option<&str>,
        wait: Duration,
    ) -> Option<exchange::Answer> {
        let by_proxy = path
            .proxy
            .as_ref()
            .filter(|hop| path.target.scheme == Scheme::Http && hop.kind == ProxyKind::Http);
        let action = soap.map(|soap| soap.action).unwrap_or_default();
        let headers = [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", action)];
        let request = Request {
            method: if soap.is_some() { "POST" } else { "GET" },
            target,
            absolute: by_proxy.is_some(),
            headers: if soap.is_some() { &headers } else { &[] },
            body: soap.map(|soap| soap.body).unwrap_or_default(),
        };
        let asked = format!("{} {}", request.method, target.url());
        let began = Began::now();
        let subject = target.subject();
        let answer = match by_proxy {
            None => exchange::send(stream, request, wait).await,
            Some(hop) => {
                let way = self.way(hop, lane, wait);
                let (answer, auth) = Box::pin(proxy::send(&way, stream, request)).await;
                let place = crate::evidence::host_port(&hop.host, hop.port);
                let auth = auth.map(Box::new);
                if let Some(answered) = proxy::spoke(&answer, auth.as_deref()) {
                    let outcome = Outcome::Proxy { asked, answer: answered, auth };
                    self.record(
                        path,
                        Some(lane),
                        Layer::Proxy,
                        &place,
                        &began,
                        question,
                        outcome,
                        answer.raw,
                    );
                    return None;
                }
                // A logon is an answer of the proxy's, though what came then is another's.
                if auth.as_ref().is_some_and(|auth| auth.stage == AuthStage::Accepted) {
                    let outcome = Outcome::Proxy { asked, answer: ProxyAnswer::Granted, auth };
                    self.record(path, Some(lane), Layer::Proxy, &place, &began, question, outcome, None);
                } else if auth.is_some() {
                    let how = match &answer.outcome {
                        Outcome::Http { answer: HttpAnswer::Broken { how }, .. } => *how,
                        _ => Broken::Closed,
                    };
                    let outcome = Outcome::Proxy { asked, answer: ProxyAnswer::Broken { how }, auth };
                    self.record(
                        path,
                        Some(lane),
                        Layer::Proxy,
                        &place,
                        &began,
                        question,
                        outcome,
                        answer.raw,
                    );
                    return None;
                }
                answer
            }
        };
        let (outcome, raw) = (answer.outcome.clone(), answer.raw.clone());
        self.record(path, Some(lane), Layer::Http, &subject, &began, question, outcome, raw);
        Some(answer)
    }
}
